//! Timelines: what goes in when, and all that must come out.

use super::*;
use crate::proto::sip::phone::{self, Subscribe};
use crate::proto::sip::Name;
use proptest::prelude::*;

const LOCAL: &str = "192.168.1.1:5060";
const PHONE: &str = "192.168.1.50:5060";
const URL: &str = "http://192.168.1.1:8480/prov/snom/settings.php?mac={mac}";

fn addr(s: &str) -> SocketAddrV4 {
    s.parse().unwrap()
}

/// A Pnp with its clock, and all that it did.
struct Bench {
    pnp: Pnp,
    t0: Instant,
    now: u64,
    asked: u32,
    url: Option<String>,
}

/// (ms, where to, first line of the datagram) or (ms, "", what happened)
type Line = (u64, String, String);

impl Bench {
    fn new() -> Bench {
        Bench { pnp: Pnp::new(7), t0: Instant::now(), now: 0, asked: 0, url: Some(URL.into()) }
    }

    fn at(&self, ms: u64) -> Instant {
        self.t0 + Duration::from_millis(ms)
    }

    fn put(&mut self, from: &str, bytes: &[u8]) -> Vec<PnpAction> {
        let (now, mut out) = (self.at(self.now), Vec::new());
        let (asked, url) = (&mut self.asked, &self.url);
        let mut decide = |_: &Sighting| {
            *asked += 1;
            url.clone()
        };
        self.pnp.datagram(3, addr(LOCAL), addr(from), bytes, now, &mut decide, &mut out);
        out
    }

    /// Lets time go on until `until` ms, waking whenever the machine asks for it.
    fn run(&mut self, until: u64) -> Vec<Line> {
        let mut lines = Vec::new();
        while let Some(wake) = self.pnp.poll_at().filter(|wake| *wake <= self.at(until)) {
            self.now = (wake - self.t0).as_millis() as u64;
            let mut out = Vec::new();
            self.pnp.timeout(wake, &mut out);
            lines.extend(out.iter().map(|action| line(self.now, action)));
            assert!(self.pnp.poll_at().is_none_or(|next| next > wake), "timeout left something due");
        }
        self.now = until;
        lines
    }
}

fn line(ms: u64, action: &PnpAction) -> Line {
    match action {
        PnpAction::Send { device, to, bytes } => {
            assert_eq!(*device, 3);
            (ms, to.to_string(), String::from_utf8_lossy(bytes).lines().next().unwrap().to_string())
        }
        other => (ms, String::new(), format!("{other:?}")),
    }
}

fn sent(actions: &[PnpAction]) -> Vec<&[u8]> {
    fn bytes(action: &PnpAction) -> &[u8] {
        match action {
            PnpAction::Send { bytes, .. } => bytes,
            other => panic!("{other:?}"),
        }
    }
    actions.iter().map(bytes).collect()
}

fn shape() -> Subscribe<'static> {
    Subscribe {
        uri_user: "MAC%3a000413000001",
        domain: "lan",
        vendor: "snom",
        model: "snomD120",
        version: "10.1.39.11",
        user_agent: "snomD120/10.1.39.11",
        source: addr(PHONE),
        call_id: "1",
        cseq: 1,
        tag: "77",
        branch: "",
    }
}

fn subscribe(from: &str, call_id: &str) -> Vec<u8> {
    Subscribe { source: addr(from), call_id, ..shape() }.build().unwrap()
}

/// The phone's answer to the NOTIFY in `actions`.
fn confirm(actions: &[PnpAction]) -> Vec<u8> {
    let notify = sent(actions).into_iter().find(|b| b.starts_with(b"NOTIFY")).unwrap();
    phone::ok(&Message::parse(notify).unwrap(), addr(LOCAL), "p").unwrap()
}

fn notify_line(ms: u64) -> Line {
    (ms, PHONE.into(), format!("NOTIFY sip:{PHONE} SIP/2.0"))
}

#[test]
fn the_layout_of_the_recorded_answer() {
    let request = include_bytes!("../../../tests/data/sip/snom-d120-tst-subscribe.sip");
    let mut bench = Bench::new();
    let out = bench.put(PHONE, request);
    let [ok, notify] = sent(&out)[..] else { panic!("{out:?}") };
    let tag = Message::parse(ok).unwrap().to().unwrap().tag().unwrap().to_string();
    let branch = Message::parse(notify).unwrap().top_via().unwrap().branch().unwrap().to_string();
    assert!(tag.len() >= 12 && branch.starts_with("z9hG4bK"));
    let ours =
        |bytes| String::from_utf8_lossy(bytes).replace(&tag, "a1b2c3d4e5f6").replace(&branch, "z9hG4bKpnp0123456789ab");
    assert_eq!(ours(ok), include_str!("../../../tests/data/sip/agent-rec-200.sip"));
    assert_eq!(ours(notify), include_str!("../../../tests/data/sip/agent-rec-notify.sip"));
    assert_eq!(out.len(), 2);
    assert!(matches!(out[0], PnpAction::Send { device: 3, to, .. } if to == addr(PHONE)));
}

#[test]
fn every_recorded_phone_is_answered() {
    macro_rules! row {
        ($file:literal, $from:literal, $mac:literal, $uri:literal, $from_line:literal) => {
            (
                include_bytes!(concat!("../../../tests/data/sip/", $file, "-subscribe.sip")).as_slice(),
                $from,
                $mac,
                $uri,
                $from_line,
            )
        };
    }
    for (bytes, from, mac, uri, us) in [
        row!("audiocodes-440hd-doc", "10.13.2.37:5060", "", "sip:00000001@10.13.2.37:5060", "<sip:224.0.1.75:5060>"),
        row!(
            "grandstream-grp2612w-cap",
            "192.168.1.2:5080",
            "c074ad112233",
            "sip:192.168.1.2:5080",
            "<sip:MAC%3AC074AD112233@224.0.1.75>"
        ),
        row!(
            "planet-vip2140-doc",
            "192.168.1.45:5060",
            "00304fa99948",
            "sip:192.168.1.45:5060",
            "<sip:MAC=00304fa99948@224.0.1.75>"
        ),
        row!(
            "snom-370-doc",
            "192.168.10.67:5060",
            "00135e874b49",
            "sip:192.168.10.67:5060",
            "<sip:MAC%3a00135E874B49@intern.snom.de>"
        ),
        row!(
            "snom-m700-doc",
            "10.0.0.90:5060",
            "0004136abcde",
            "sip:512@10.0.0.90",
            "<sip:MAC%3a0004136ABCDE@224.0.1.75>"
        ),
        row!(
            "yealink-t21p-tst",
            "192.168.1.51:5059",
            "0015657322ff",
            "sip:MAC0015657322ff@192.168.1.51:5060",
            "<sip:MAC0015657322ff@224.0.1.75>"
        ),
        // from another address than its Contact: the source counts
        row!(
            "yealink-t53w-tst",
            "192.168.0.5:5060",
            "805e0c4d796d",
            "sip:192.168.0.5:5060",
            "<sip:MAC%3a805e0c4d796d@224.0.1.75>"
        ),
    ] {
        let (mut pnp, mut out, mut seen) = (Pnp::new(1), Vec::new(), None);
        let mut decide = |s: &Sighting| {
            seen = Some((s.mac, s.from, s.device));
            Some("http://h/".to_string())
        };
        pnp.datagram(0, addr(LOCAL), addr(from), bytes, Instant::now(), &mut decide, &mut out);
        assert_eq!(seen, Some((Mac::parse(mac), addr(from), 0)), "{uri}");
        let request = Message::parse(bytes).unwrap();
        let [ok, notify] = sent(&out)[..] else { panic!("{uri}: {out:?}") };
        assert!(
            notify.starts_with(format!("NOTIFY {uri} SIP/2.0\r\n").as_bytes()),
            "{}",
            String::from_utf8_lossy(notify)
        );
        let (ok, notify) = (Message::parse(ok).unwrap(), Message::parse(notify).unwrap());
        assert_eq!((ok.code(), ok.cseq(), ok.call_id()), (Some(200), request.cseq(), request.call_id()));
        assert_eq!((ok.first(Name::From), ok.first(Name::Expires)), (request.first(Name::From), Some("0")));
        let tag = ok.to().unwrap().tag().unwrap();
        assert_eq!(notify.first(Name::From).unwrap(), format!("{us};tag={tag}"));
        assert_eq!(ok.first(Name::To), notify.first(Name::From));
        assert_eq!(notify.first(Name::To), request.first(Name::From));
        assert_eq!(notify.cseq().unwrap(), (request.cseq().unwrap().0 + 1, "NOTIFY"));
        assert_eq!(notify.first(Name::Event), request.first(Name::Event));
        assert!(out.iter().all(|a| matches!(a, PnpAction::Send { to, .. } if *to == addr(from))));
    }
}

#[test]
fn unanswered() {
    let mut bench = Bench::new();
    let out = bench.put(PHONE, &subscribe(PHONE, "1"));
    assert_eq!(line(0, &out[0]), (0, PHONE.into(), "SIP/2.0 200 OK".into()));
    assert_eq!(line(0, &out[1]), notify_line(0));
    let gave_up = (5000, String::new(), "GaveUp { mac: Some(00:04:13:00:00:01), device: 3 }".into());
    assert_eq!(bench.run(31_999), [notify_line(500), notify_line(1500), notify_line(3500), gave_up]);
    assert!(bench.pnp.poll_at().is_some());
    // forgotten after 32 s, without another word
    assert_eq!(bench.run(32_000), []);
    assert_eq!((bench.pnp.poll_at(), bench.pnp.dialogs.len(), bench.pnp.kept), (None, 0, 0));
}

#[test]
fn the_answer_stops_the_repetition() {
    let mut bench = Bench::new();
    let out = bench.put(PHONE, &subscribe(PHONE, "1"));
    assert_eq!(bench.run(700), [notify_line(500)]);
    let mac = Mac::parse("000413000001");
    let confirmed = [PnpAction::Confirmed { mac, device: 3, code: 200 }];
    assert_eq!(bench.put(PHONE, &confirm(&out)), confirmed);
    assert_eq!(bench.put(PHONE, &confirm(&out)), [], "told once");
    assert_eq!(bench.run(60_000), []);

    // late, but true; a refusal is an answer; another port of the phone too
    let mut bench = Bench::new();
    let out = bench.put(PHONE, &subscribe(PHONE, "1"));
    bench.run(10_000);
    let no = String::from_utf8(confirm(&out)).unwrap().replace("200 OK", "489 Bad Event");
    assert_eq!(bench.put("192.168.1.50:4444", no.as_bytes()), [PnpAction::Confirmed { mac, device: 3, code: 489 }]);
}

#[test]
fn answers_that_are_none() {
    let mut bench = Bench::new();
    let out = bench.put(PHONE, &subscribe(PHONE, "1"));
    let good = String::from_utf8(confirm(&out)).unwrap();
    assert_eq!(bench.put("192.168.1.51:5060", good.as_bytes()), []);
    let (now, mut other_device) = (bench.at(0), Vec::new());
    bench.pnp.datagram(4, addr(LOCAL), addr(PHONE), good.as_bytes(), now, &mut |_| None, &mut other_device);
    assert_eq!(other_device, []);
    let branch = Message::parse(good.as_bytes()).unwrap().top_via().unwrap().branch().unwrap().to_string();
    let (_, secret) = branch.split_once('-').unwrap();
    for (what, with) in [
        ("SIP/2.0 200 OK", "SIP/2.0 100 Trying"),
        ("Call-ID: 1", "Call-ID: 2"),
        ("2 NOTIFY", "3 NOTIFY"),
        ("2 NOTIFY", "2 SUBSCRIBE"),
        (secret, "0000000000000000"),
        ("branch=", "b="),
    ] {
        assert!(good.contains(what));
        assert_eq!(bench.put(PHONE, good.replace(what, with).as_bytes()), [], "{with}");
    }
    assert_eq!(bench.run(4999), [notify_line(500), notify_line(1500), notify_line(3500)]);
}

#[test]
fn a_repeated_subscribe_gets_the_same_bytes() {
    let mut bench = Bench::new();
    let request = subscribe(PHONE, "1");
    let first = bench.put(PHONE, &request);
    bench.run(200);
    assert_eq!(bench.put(PHONE, &request), first);
    // no second set of timers
    assert_eq!(bench.run(1000), [notify_line(500)]);
    bench.put(PHONE, &confirm(&first));
    bench.url = Some("http://other/".into());
    assert_eq!(bench.put(PHONE, &request), first);
    assert_eq!(bench.run(31_999), []);
    assert_eq!(bench.put(PHONE, &request), first);
    assert_eq!(bench.asked, 1);
    // after 32 s it is a new one, even when nobody called timeout in between
    bench.now = 32_000;
    let second = bench.put(PHONE, &request);
    assert_eq!((second.len(), bench.asked, bench.pnp.dialogs.len(), bench.pnp.timers.len()), (2, 2, 1, 1));
    assert_ne!(second, first);
    // another Call-ID, CSeq or port is another dialog
    bench.put(PHONE, &subscribe(PHONE, "2"));
    bench.put("192.168.1.50:5061", &request);
    assert_eq!((bench.asked, bench.pnp.dialogs.len()), (4, 3));
}

#[test]
fn silence_is_not_remembered() {
    let mut bench = Bench::new();
    bench.url = None;
    assert_eq!(bench.put(PHONE, &subscribe(PHONE, "1")), []);
    assert_eq!((bench.pnp.poll_at(), bench.pnp.dialogs.len()), (None, 0));
    bench.url = Some(URL.into());
    assert_eq!(bench.put(PHONE, &subscribe(PHONE, "1")).len(), 2);
    assert_eq!(bench.asked, 2);
}

#[test]
fn a_url_that_is_none_is_silence() {
    for url in ["", "http://a/\r\nX: y", "http://a b", "http://\u{e4}", &"x".repeat(bounds::SIP_DATAGRAM)] {
        let mut bench = Bench::new();
        bench.url = Some(url.into());
        assert_eq!(bench.put(PHONE, &subscribe(PHONE, "1")), [], "{url}");
        assert_eq!(bench.pnp.dialogs.len(), 0);
    }
}

#[test]
fn everything_else_is_silence() {
    let good = String::from_utf8(subscribe(PHONE, "1")).unwrap();
    for (what, with) in [
        ("SUBSCRIBE", "INVITE"),
        ("SUBSCRIBE", "OPTIONS"),
        ("SUBSCRIBE", "NOTIFY"),
        ("SUBSCRIBE", "subscribe"),
        ("1 SUBSCRIBE", "1 INVITE"),
        ("1 SUBSCRIBE", "2147483647 SUBSCRIBE"),
        ("Event: ua-profile", "Event: presence"),
        ("Event: ua-profile", "Event: ua-profiles"),
        ("Event: ", "X: "),
        ("Via: ", "X: "),
        ("SIP/2.0/UDP", "SIP/2.0"),
        ("From: ", "X: "),
        ("To: ", "X: "),
        ("@lan>\r\nCall-ID", "@lan>;tag=\r\nCall-ID"),
        ("@lan>\r\nCall-ID", "@lan>;x=\"\r\nCall-ID"),
        ("Call-ID: ", "X: "),
        ("Call-ID: 1", "Call-ID: 1 2"),
        ("CSeq: ", "X: "),
        ("Content-Length: 0", "Content-Length: 9"),
        ("Call-ID: 1", &format!("Call-ID: {}", "1".repeat(bounds::SIP_ECHO + 1))),
        (
            "Via: ",
            &"Via: SIP/2.0/UDP 192.168.1.7:5060;branch=z9hG4bK0123456789012345678901234567890123456789;rport\r\n"
                .repeat(45),
        ),
    ] {
        assert!(good.contains(what), "{what}");
        let mut bench = Bench::new();
        assert_eq!(bench.put(PHONE, good.replace(what, with).as_bytes()), [], "{what} -> {with}");
        assert_eq!((bench.asked, bench.pnp.poll_at()), (0, None), "{what} -> {with}");
    }
    for from in ["224.0.1.75:5060", "255.255.255.255:5060", "0.0.0.0:5060", "192.168.1.50:0", LOCAL] {
        assert_eq!(Bench::new().put(from, good.as_bytes()), [], "{from}");
    }
}

#[test]
fn a_forged_contact_moves_nothing() {
    let good = String::from_utf8(subscribe(PHONE, "1")).unwrap();
    let contact = format!("<sip:{PHONE}>");
    for (forged, uri) in [
        ("<sip:8.8.8.8:53>", PHONE),
        ("<sip:victim.example>", PHONE),
        ("*", PHONE),
        ("<sip:192.168.1.50:99>", "192.168.1.50:99"),
        ("<sip:192.168.1.50>, <sip:8.8.8.8>", "192.168.1.50"),
        ("<sip:a\u{e4}b@192.168.1.50:7>", "192.168.1.50:7"),
        ("\"x\" <sip:u%20v@192.168.1.50:7;transport=tcp?x=y>;q=1", "u%20v@192.168.1.50:7"),
    ] {
        let request =
            good.replace(&contact, forged).replace(&format!("Via: SIP/2.0/UDP {PHONE}"), "Via: SIP/2.0/UDP 8.8.8.8");
        let mut bench = Bench::new();
        let out = bench.put(PHONE, request.as_bytes());
        let mut lines: Vec<Line> = out.iter().map(|a| line(0, a)).collect();
        lines.extend(bench.run(4999));
        assert_eq!(lines.len(), 5, "{forged}");
        assert!(lines.iter().all(|(_, to, _)| to == PHONE), "{forged}: {lines:?}");
        assert_eq!(lines[1].2, format!("NOTIFY sip:{uri} SIP/2.0"), "{forged}");
    }
}

#[test]
fn an_address_that_asks_too_often_hears_nothing() {
    let mut bench = Bench::new();
    let request = subscribe(PHONE, "1");
    let answered = (0..50).filter(|_| !bench.put(PHONE, &request).is_empty()).count();
    assert_eq!(answered as u32, bounds::SIP_RATE);
    assert_eq!(bench.put(PHONE, &subscribe(PHONE, "2")), []);
    assert_eq!(bench.put("192.168.1.51:5060", &subscribe("192.168.1.51:5060", "1")).len(), 2);
    bench.now = bounds::SIP_RATE_WINDOW * 1000;
    assert_eq!(bench.put(PHONE, &request), bench.put(PHONE, &request));
    assert_eq!(bench.put(PHONE, &request).len(), 2);
}

#[test]
fn a_flood_stays_bounded_and_answers_everyone() {
    let mut bench = Bench::new();
    let (mut sends, mut gave_up) = (0, 0);
    let mut count = |out: &[PnpAction]| {
        for action in out {
            match action {
                PnpAction::Send { .. } => sends += 1,
                PnpAction::GaveUp { .. } => gave_up += 1,
                other => panic!("{other:?}"),
            }
        }
    };
    // one is confirmed, so it must not be given up when its place is needed
    let confirmed = bench.put(PHONE, &subscribe(PHONE, "0"));
    bench.put(PHONE, &confirm(&confirmed));
    count(&confirmed);
    for i in 1..5000u32 {
        let from = SocketAddrV4::new(Ipv4Addr::from(0x0a00_0000 + i), 5060).to_string();
        count(&bench.put(&from, &subscribe(&from, "x")));
        let pnp = &bench.pnp;
        assert!(pnp.dialogs.len() <= bounds::SIP_DIALOGS && pnp.kept <= bounds::SIP_DIALOG_BYTES);
        assert_eq!(pnp.dialogs.len(), pnp.by_request.len());
        assert_eq!(pnp.dialogs.len(), pnp.timers.len());
    }
    assert_eq!(bench.pnp.kept, bench.pnp.dialogs.values().map(|dialog| dialog.size()).sum::<usize>());
    let mut out = Vec::new();
    bench.pnp.timeout(bench.at(5000), &mut out);
    count(&out);
    // every phone had its 200 and NOTIFY, and every NOTIFY has an end
    assert_eq!((sends, gave_up), (2 * 5000, 4999));
    bench.run(32_000);
    assert_eq!((bench.pnp.dialogs.len(), bench.pnp.finished.len(), bench.pnp.kept), (0, 0, 0));
}

#[test]
fn finished_dialogs_go_first() {
    let mut bench = Bench::new();
    let phone = |i: u32| SocketAddrV4::new(Ipv4Addr::from(0x0a00_0000 + i), 5060).to_string();
    let put = |bench: &mut Bench, i| bench.put(&phone(i), &subscribe(&phone(i), "x"));
    for i in 1..=bounds::SIP_DIALOGS as u32 {
        let out = put(&mut bench, i);
        if i == 1000 || i == 1500 {
            bench.put(&phone(i), &confirm(&out));
        }
    }
    // each newcomer takes the place of a finished one, and then of the oldest
    assert_eq!(put(&mut bench, 9001).len(), 2);
    assert_eq!(put(&mut bench, 9002).len(), 2);
    let asked = bench.asked;
    put(&mut bench, 1);
    assert_eq!(bench.asked, asked, "the oldest is still known");
    let out = put(&mut bench, 9003);
    assert!(matches!(out[0], PnpAction::GaveUp { device: 3, .. }) && out.len() == 3);
    put(&mut bench, 2);
    assert_eq!(bench.asked, asked + 1);
    for (i, known) in [(1, false), (1000, false)] {
        let asked = bench.asked;
        put(&mut bench, i);
        assert_eq!(bench.asked == asked, known, "{i}");
    }
}

#[test]
fn bytes_kept_are_bounded_too() {
    let mut bench = Bench::new();
    let long = "i".repeat(bounds::SIP_ECHO - 4);
    for i in 0..bounds::SIP_DIALOGS as u32 {
        let from = SocketAddrV4::new(Ipv4Addr::from(0x0a00_0000 + i), 5060).to_string();
        let request = subscribe(&from, &format!("{long}{i}"));
        let request = String::from_utf8(request).unwrap().replace("@lan", &format!("@{}", "d".repeat(400)));
        assert_eq!(bench.put(&from, request.as_bytes()).len().min(2), 2);
        assert!(bench.pnp.kept <= bounds::SIP_DIALOG_BYTES);
    }
    assert!(bench.pnp.dialogs.len() < bounds::SIP_DIALOGS);
    assert!(bench.pnp.kept > bounds::SIP_DIALOG_BYTES / 2);
}

fn resync(bench: &mut Bench, to: &str, event: &str) -> (Option<u32>, Vec<PnpAction>) {
    let (mut out, now) = (Vec::new(), bench.at(bench.now));
    let id = bench.pnp.notify(3, addr(LOCAL), addr(to), Mac([0, 4, 0x13, 0, 0, 1]), event, now, &mut out);
    (id, out)
}

#[test]
fn resync_unanswered() {
    let mut bench = Bench::new();
    let (id, out) = resync(&mut bench, PHONE, "check-sync;reboot=false");
    let id = id.unwrap();
    let sent = |ms| (ms, PHONE.to_string(), format!("NOTIFY sip:anonymous@{PHONE} SIP/2.0"));
    assert_eq!(line(0, &out[0]), sent(0));
    let done = (5000, String::new(), format!("ResyncDone {{ id: {id}, mac: 00:04:13:00:00:01, code: None }}"));
    assert_eq!(bench.run(60_000), [sent(500), sent(1500), sent(3500), done]);
    assert_eq!((bench.pnp.poll_at(), bench.pnp.resyncs.len()), (None, 0));
}

#[test]
fn resync_answered() {
    let mut bench = Bench::new();
    let (id, out) = resync(&mut bench, PHONE, "check-sync");
    let (other, _) = resync(&mut bench, "192.168.1.51:5060", "check-sync");
    assert_ne!(id, other);
    bench.run(600);
    let answer = confirm(&out);
    assert_eq!(bench.put("192.168.1.51:5060", &answer), [], "another address");
    let mac = Mac([0, 4, 0x13, 0, 0, 1]);
    assert_eq!(bench.put(PHONE, &answer), [PnpAction::ResyncDone { id: id.unwrap(), mac, code: Some(200) }]);
    assert_eq!(bench.put(PHONE, &answer), [], "told once");
    let lines = bench.run(60_000);
    assert!(lines.iter().all(|(_, to, what)| to == "192.168.1.51:5060" || what.starts_with("ResyncDone")), "{lines:?}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn resync_refused_and_bounded() {
    let mut bench = Bench::new();
    assert_eq!(resync(&mut bench, PHONE, "check-sync\r\nX: y"), (None, vec![]));
    assert_eq!(resync(&mut bench, "224.0.1.75:5060", "check-sync"), (None, vec![]));
    let ids: SortedSet<_> =
        (0..bounds::SIP_RESYNCS).filter_map(|_| resync(&mut bench, PHONE, "check-sync").0).collect();
    assert_eq!(ids.len(), bounds::SIP_RESYNCS);
    assert_eq!(resync(&mut bench, PHONE, "check-sync"), (None, vec![]));
}

#[test]
fn the_accepted_type_goes_back() {
    let request =
        String::from_utf8(subscribe(PHONE, "1")).unwrap().replace("application/url", "application/x-gs-ucm-url");
    let out = Bench::new().put(PHONE, request.as_bytes());
    let notify = Message::parse(sent(&out)[1]).unwrap();
    assert_eq!(notify.first(Name::ContentType), Some("application/x-gs-ucm-url"));
}

#[test]
fn tags_of_the_phone_are_kept() {
    // no From tag (Planet), and a To that has one already
    let request = Subscribe { tag: "", ..shape() }.build().unwrap();
    let request = String::from_utf8(request).unwrap().replace("\r\nCall-ID", ";tag=old\r\nCall-ID");
    let out = Bench::new().put(PHONE, request.as_bytes());
    let (ok, notify) = (Message::parse(sent(&out)[0]).unwrap(), Message::parse(sent(&out)[1]).unwrap());
    assert_eq!((ok.to().unwrap().tag(), notify.from().unwrap().tag()), (Some("old"), Some("old")));
    assert_eq!((ok.from().unwrap().tag(), notify.to().unwrap().tag()), (None, None));
}

proptest! {
    /// Whatever comes in: it goes to who sent it or nowhere, and one packet in is one answer out.
    #[test]
    fn no_packet_reaches_another(at in any::<prop::sample::Index>(), cut in 0usize..12, put in "[\r\n :;,<>@\"a=9\u{0}]{0,6}", bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut damaged = subscribe(PHONE, "1");
        let at = at.index(damaged.len());
        damaged.splice(at..(at + cut).min(damaged.len()), put.bytes());
        let mut bench = Bench::new();
        for datagram in [&damaged, &bytes] {
            let out = bench.put(PHONE, datagram);
            prop_assert!(out.is_empty() || out.len() == 2);
            for bytes in sent(&out) {
                prop_assert!(bytes.len() <= bounds::SIP_DATAGRAM);
                prop_assert!(Message::parse(bytes).is_ok());
            }
            let to_phone = |a: &PnpAction| line(0, a).1 == PHONE;
            prop_assert!(out.iter().all(to_phone));
        }
        let lines = bench.run(40_000);
        prop_assert!(lines.iter().all(|(_, to, what)| to == PHONE || what.starts_with("GaveUp")));
        prop_assert!(lines.len() <= 4);
    }
}
