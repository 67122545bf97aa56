//! Whole messages: the recorded ones, crooked ones, and any bytes at all.

use super::message::{Message, Name, Start};
use super::phone::{self, Subscribe};
use super::{Builder, Error, Event, Facts, NameAddr, Uri, Via};
use crate::bounds;
use crate::proto::mac::Mac;
use proptest::prelude::*;

macro_rules! fixture {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../../tests/data/sip/", $name, ".sip")).as_slice())
    };
}

type Row = ((&'static str, &'static [u8]), &'static str, [&'static str; 3], &'static str);

/// file, MAC, [vendor, model, version], User-Agent
const SUBSCRIBES: [Row; 8] = [
    (fixture!("audiocodes-440hd-doc-subscribe"), "", ["", "440HD", "2.2.2"], "AUDC-IPPhone/2.2.2"),
    (
        fixture!("grandstream-grp2612w-cap-subscribe"),
        "c0:74:ad:11:22:33",
        ["Grandstream", "GRP2612W", "1.0.5.67"],
        "Grandstream GRP2612W 1.0.5.67",
    ),
    (
        fixture!("planet-vip2140-doc-subscribe"),
        "00:30:4f:a9:99:48",
        ["PLANET", "VIP-2140PT", "2.0.3.2991"],
        "PLANET VIP-2140PT",
    ),
    (fixture!("snom-370-doc-subscribe"), "00:13:5e:87:4b:49", ["OEM", "", "7.1.19"], ""),
    (
        fixture!("snom-d120-tst-subscribe"),
        "00:04:13:00:00:01",
        ["snom", "snomD120", "10.1.39.11"],
        "snomD120/10.1.39.11",
    ),
    (
        fixture!("snom-m700-doc-subscribe"),
        "00:04:13:6a:bc:de",
        ["snom", "snomM700", "03.23.0005"],
        "snomM700/03.23.0005 (MAC=0004136ABCDE; SER= 00000; HW=255)",
    ),
    (
        fixture!("yealink-t21p-tst-subscribe"),
        "00:15:65:73:22:ff",
        ["Yealink", "T21D", "34.72.14.6"],
        "Yealink SIP-T21P 34.72.14.6",
    ),
    (
        fixture!("yealink-t53w-tst-subscribe"),
        "80:5e:0c:4d:79:6d",
        ["Yealink", "T53W", "96.87.0.16"],
        "Yealink SIP-T53W 96.87.0.16 80:5e:0c:4d:79:6d",
    ),
];

#[test]
fn recorded_subscribes() {
    for ((file, bytes), mac, [vendor, model, version], user_agent) in SUBSCRIBES {
        let m = Message::parse(bytes).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(m.method(), Some("SUBSCRIBE"), "{file}");
        assert_eq!(m.cseq().unwrap().1, "SUBSCRIBE", "{file}");
        assert_eq!(m.first(Name::Expires), Some("0"), "{file}");
        assert!(m.event().unwrap().is_ua_profile(), "{file}");
        assert_eq!(m.event().unwrap().echo(), m.first(Name::Event).unwrap(), "{file}");
        let given = |s: &'static str| Some(s).filter(|s| !s.is_empty());
        let want = Facts {
            mac: given(mac).map(|mac| Mac::parse(mac).unwrap()),
            event_vendor: given(vendor),
            model: given(model),
            version: given(version),
            user_agent: given(user_agent),
            content_type: "application/url",
        };
        assert_eq!(Facts::of(&m), want, "{file}");
    }
}

#[test]
fn recorded_answers() {
    let ok = Message::parse(fixture!("snom-doc-200").1).unwrap();
    assert_eq!((ok.start, ok.body.len()), (Start::Response { code: 200, reason: "OK" }, 0));
    assert_eq!(ok.to().unwrap().tag(), Some("91955270"));
    let ok = Message::parse(fixture!("agent-rec-200").1).unwrap();
    let via = ok.top_via().unwrap();
    assert_eq!((via.params.get("rport"), via.params.get("received")), (Some("5060"), Some("192.168.1.50")));
    let notify = Message::parse(fixture!("agent-rec-notify").1).unwrap();
    assert_eq!(phone::url(&notify), Ok("http://192.168.1.1:8480/prov/snom/settings.php?mac={mac}"));
    assert_eq!(notify.cseq(), Ok((2, "NOTIFY")));
    let notify = Message::parse(fixture!("audiocodes-440hd-doc-notify").1).unwrap();
    assert_eq!(phone::url(&notify), Ok("tftp://10.13.4.121"));
}

#[test]
fn crooked_but_readable() {
    let text = "\r\n\nSUBSCRIBE sip:MAC%3a000413AABBCC@x SIP/2.0\nv:SIP/2.0/UDP a;rport , SIP/2.0/UDP b\n\
        VIA : SIP/2.0/UDP c\r\nF:\"N, \\\"<x>\" <sip:f>\r\n ;tag\r\n\t= 9\nt: <sip:t>\ni:id\ncSeQ: 3\tSUBSCRIBE\n\
        o:ua-profile;vender=x\r\nX-\u{e4}: no\r\n";
    // a name must be a token …
    assert_eq!(Message::parse(text.as_bytes()), Err(Error::HeaderLine));
    let text = text.replace("X-\u{e4}: no\r\n", "s: Latin\u{1}\r\n");
    let mut bytes = text.into_bytes();
    // … but a value may be any text, and one that is none is left out with its folded lines
    let at = bytes.iter().position(|b| *b == 1).unwrap();
    bytes.splice(at..=at, [0xe4]);
    bytes.extend_from_slice(b" folded below it\r\nl: 2\r\n\r\nabcd");
    let m = Message::parse(&bytes).unwrap();
    assert_eq!(m.list(Name::Via).collect::<Vec<_>>(), ["SIP/2.0/UDP a;rport", "SIP/2.0/UDP b", "SIP/2.0/UDP c"]);
    assert_eq!(m.first(Name::From), Some("\"N, \\\"<x>\" <sip:f> ;tag = 9"));
    assert_eq!(m.from().unwrap().tag(), Some("9"));
    assert_eq!((m.call_id(), m.cseq()), (Ok("id"), Ok((3, "SUBSCRIBE"))));
    assert_eq!(m.event().unwrap().vendor(), Some("x"));
    assert_eq!(m.body, b"ab");
    // no blank line at the end: some responders send that
    let m = Message::parse(b"SIP/2.0 200\r\nCSeq: 1 SUBSCRIBE").unwrap();
    assert_eq!((m.start, m.cseq()), (Start::Response { code: 200, reason: "" }, Ok((1, "SUBSCRIBE"))));
    // no Content-Length: the rest of the datagram
    assert_eq!(Message::parse(b"A b SIP/2.0\r\n\r\nrest\r\n").unwrap().body, b"rest\r\n");
}

#[test]
fn refused() {
    let head = |headers: &str| Message::parse(format!("A b SIP/2.0\r\n{headers}\r\n\r\n").as_bytes()).map(|_| ());
    assert_eq!(head("X: 1"), Ok(()));
    for (headers, error) in [
        ("Content-Length: 1", Error::Truncated),
        ("Content-Length: 4294967295", Error::Truncated),
        ("Content-Length: 4294967296", Error::Bad("Content-Length")),
        ("Content-Length: -1", Error::Bad("Content-Length")),
        ("Content-Length: ", Error::Bad("Content-Length")),
        ("Content-Length: 0\r\nl: 0", Error::Bad("Content-Length")),
        ("Call-ID: a\r\ni: b", Error::Bad("Call-ID")),
        ("From: <sip:a>\r\nf: <sip:b>", Error::Bad("From")),
        ("no colon", Error::HeaderLine),
        (": x", Error::HeaderLine),
        ("a b: x", Error::HeaderLine),
        (" folded: first", Error::HeaderLine),
        ("X: a\rb", Error::Control),
        ("X: a\0b", Error::Control),
        ("X: \u{1b}[2J", Error::Control),
    ] {
        assert_eq!(head(headers), Err(error), "{headers:?}");
    }
    for start in [
        "",
        "\r\n",
        "SUBSCRIBE sip:a",
        "SUBSCRIBE sip:a SIP/3.0",
        "SUBSCRIBE  sip:a SIP/2.0",
        "SUBSCRIBE sip:a sip:b SIP/2.0",
        "SUB(SCRIBE sip:a SIP/2.0",
        "SIP/2.0 99 x",
        "SIP/2.0 700 x",
        "SIP/2.0 0200 x",
        "SIP/2.0 2x0",
        "GET / HTTP/1.1",
    ] {
        assert_eq!(Message::parse(start.as_bytes()), Err(Error::StartLine), "{start:?}");
    }
    let many = |n| head(&vec!["X: 1"; n].join("\r\n"));
    assert_eq!(many(bounds::SIP_HEADERS), Ok(()));
    assert_eq!(many(bounds::SIP_HEADERS + 1), Err(Error::TooManyHeaders));
    assert_eq!(head(&"X: 1\r\n y".repeat(bounds::SIP_HEADERS)), Err(Error::TooManyHeaders));
    let size = |n: usize| head(&format!("X: {}", "x".repeat(n - 20)));
    assert_eq!(size(bounds::SIP_DATAGRAM), Ok(()));
    assert_eq!(size(bounds::SIP_DATAGRAM + 1), Err(Error::TooLong));
}

#[test]
fn cseq() {
    let cseq = |value: &str| {
        let text = format!("A b SIP/2.0\r\nCSeq: {value}\r\n\r\n");
        Message::parse(text.as_bytes()).unwrap().cseq().map(|(n, _)| n)
    };
    assert_eq!((cseq("0 X"), cseq("2147483647 X")), (Ok(0), Ok(2147483647)));
    for bad in ["", "1", "X", "2147483648 X", "+1 X", "1 X Y", "1 ("] {
        assert_eq!(cseq(bad), Err(Error::Bad("CSeq")), "{bad}");
    }
}

fn subscribe() -> Subscribe<'static> {
    Subscribe {
        uri_user: "MAC%3a000413AABBCC",
        domain: "224.0.1.75",
        vendor: "snom",
        model: "snomD120",
        version: "10.1",
        user_agent: "snomD120/10.1",
        source: "10.0.0.7:5060".parse().unwrap(),
        call_id: "1@10.0.0.7",
        cseq: 1,
        tag: "t",
        branch: "z9hG4bKx",
    }
}

#[test]
fn a_phone_of_our_own() {
    let bytes = subscribe().build().unwrap();
    let m = Message::parse(&bytes).unwrap();
    let facts = Facts::of(&m);
    assert_eq!(facts.mac, Mac::parse("000413aabbcc"));
    assert_eq!((facts.event_vendor, facts.model, facts.version), (Some("snom"), Some("snomD120"), Some("10.1")));
    assert_eq!(m.top_via().unwrap().branch(), Some("z9hG4bKx"));
    // what is empty is left out
    let bare = Subscribe { tag: "", branch: "", vendor: "", user_agent: "", ..subscribe() }.build().unwrap();
    let m = Message::parse(&bare).unwrap();
    assert_eq!((m.from().unwrap().tag(), m.top_via().unwrap().branch()), (None, None));
    assert_eq!((m.first(Name::UserAgent), m.event().unwrap().vendor()), (None, None));
    assert_eq!(Subscribe { model: "a\r\nb", ..subscribe() }.build(), Err(Error::Control));

    let notify = Message::parse(fixture!("agent-rec-notify").1).unwrap();
    let ok = phone::ok(&notify, "192.168.1.1:5060".parse().unwrap(), "p").unwrap();
    let ok = Message::parse(&ok).unwrap();
    assert_eq!((ok.code(), ok.cseq(), ok.call_id()), (Some(200), Ok((2, "NOTIFY")), notify.call_id()));
    assert_eq!(ok.top_via().unwrap().branch(), Some("z9hG4bKpnp0123456789ab"));
    assert_eq!(phone::url(&ok), Err(Error::StartLine));
    for (body, want) in [
        ("http://a/\r\n", Ok("http://a/")),
        ("", Err(Error::Missing("body"))),
        (" \r\n", Err(Error::Missing("body"))),
        ("http://a/ b", Err(Error::Bad("body"))),
        ("http://\u{e4}", Err(Error::Bad("body"))),
    ] {
        let bytes = Builder::request("NOTIFY", "sip:a").finish(body.as_bytes()).unwrap();
        assert_eq!(phone::url(&Message::parse(&bytes).unwrap()), want);
    }
}

/// Asks a message everything; whatever it gives out must be one line.
fn ask_all(m: &Message<'_>) -> Result<(), TestCaseError> {
    let one_line = |s: &str| !s.contains(['\r', '\n', '\0']);
    for name in [Name::From, Name::To, Name::Contact, Name::Via, Name::Event, Name::UserAgent, Name::Other] {
        prop_assert!(m.all(name).all(one_line));
        for value in m.list(name) {
            if let Some(address) = NameAddr::parse(value) {
                let _ = (address.tag(), Uri::parse(address.uri));
            }
            if let Some(via) = Via::parse(value) {
                prop_assert!(one_line(&via.stamped("10.0.0.1:1".parse().unwrap())));
            }
            if let Some(event) = Event::parse(value) {
                prop_assert!(one_line(&event.echo()));
            }
        }
    }
    let _ = (m.cseq(), m.call_id(), m.top_via(), Facts::of(m), phone::url(m));
    if let Ok(bytes) = phone::ok(m, "10.0.0.1:1".parse().unwrap(), "t") {
        let again = Message::parse(&bytes).unwrap();
        prop_assert_eq!((again.call_id(), again.cseq()), (m.call_id(), m.cseq()));
        prop_assert_eq!(again.list(Name::Via).count(), m.list(Name::Via).count());
    }
    Ok(())
}

proptest! {
    #[test]
    fn total_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(m) = Message::parse(&bytes) {
            ask_all(&m)?;
        }
    }

    #[test]
    fn total_on_damaged_messages(which in 0..SUBSCRIBES.len(), at in any::<prop::sample::Index>(), cut in 0usize..20,
                                 put in "[\r\n\t :;,<>\"\\\\@a=\u{0}é]{0,6}") {
        let mut bytes = SUBSCRIBES[which].0.1.to_vec();
        let at = at.index(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put.bytes());
        if let Ok(m) = Message::parse(&bytes) {
            ask_all(&m)?;
        }
    }
}
