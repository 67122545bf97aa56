//! Any datagrams at all into the SIP parser and the PnP machine. The input is cut at `\0\0` into several datagrams, so
//! that repeats and answers meet a machine that remembers something.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::bounds;
use phoneprov::core::pnp::{Pnp, PnpAction, Sighting};
use phoneprov::proto::sip::{phone, Event, Facts, Message, Name, NameAddr, Uri, Via};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

const LOCAL: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 1), 5060);
const PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 50), 5060);

fn one_line(s: &str) {
    assert!(!s.contains(['\r', '\n', '\0']), "{s:?}");
}

fn read(bytes: &[u8]) {
    let Ok(m) = Message::parse(bytes) else { return };
    for name in [Name::From, Name::To, Name::Contact, Name::Via, Name::Event, Name::UserAgent, Name::Other] {
        m.all(name).for_each(one_line);
        for value in m.list(name) {
            if let Some(address) = NameAddr::parse(value) {
                let _ = (address.tag(), Uri::parse(address.uri));
            }
            if let Some(via) = Via::parse(value) {
                let stamped = via.stamped(PHONE);
                one_line(&stamped);
                let again = Via::parse(&stamped).expect("a stamped Via can be read");
                assert_eq!((again.host, again.port, again.branch()), (via.host, via.port, via.branch()));
                if via.host != "192.168.1.50" {
                    assert_eq!(again.params.get("received"), Some("192.168.1.50"));
                }
            }
            if let Some(event) = Event::parse(value) {
                let echo = event.echo();
                one_line(&echo);
                assert_eq!(Event::parse(&echo).map(|e| e.echo()), Some(echo));
            }
        }
    }
    let _ = (m.cseq(), m.call_id(), Facts::of(&m), phone::url(&m));
    if let Ok(ok) = phone::ok(&m, PHONE, "tag") {
        let ok = Message::parse(&ok).expect("our own answer can be read");
        assert_eq!((ok.call_id(), ok.cseq()), (m.call_id(), m.cseq()));
        assert!(ok.to().expect("To").tag().is_some(), "the tag is lost");
    }
}

fn check(out: &[PnpAction]) {
    for action in out {
        if let PnpAction::Send { device, to, bytes } = action {
            assert_eq!((*device, *to), (1, PHONE));
            assert!(bytes.len() <= bounds::SIP_DATAGRAM);
            let m = Message::parse(bytes).expect("what we send can be read");
            assert!(m.code() == Some(200) || m.method() == Some("NOTIFY"));
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut pnp = Pnp::new(1);
    let mut now = Instant::now();
    let mut rest = data;
    loop {
        let cut = rest.windows(2).position(|w| w == [0, 0]);
        let datagram = cut.map_or(rest, |at| &rest[..at]);
        read(datagram);
        let mut out = Vec::new();
        let mut decide = |s: &Sighting| {
            [s.user_agent, s.event_vendor, s.model, s.version].into_iter().flatten().for_each(one_line);
            Some("http://192.168.1.1:8480/snom/?mac={mac}".to_string())
        };
        pnp.datagram(1, LOCAL, PHONE, datagram, now, &mut decide, &mut out);
        // one packet in: one answer to one phone out
        assert!(out.len() <= 2);
        check(&out);
        // the phone answers, well or not
        if let Some(PnpAction::Send { bytes, .. }) = out.get(1) {
            let notify = Message::parse(bytes).expect("what we send can be read");
            if let (Ok(ok), true) = (phone::ok(&notify, LOCAL, "p"), data.len() % 2 == 0) {
                let mut out = Vec::new();
                pnp.datagram(1, LOCAL, PHONE, &ok, now, &mut |_| None, &mut out);
                assert!(out.len() <= 1 && !matches!(out.first(), Some(PnpAction::Send { .. })));
            }
        }
        now += Duration::from_millis(700);
        let mut out = Vec::new();
        pnp.timeout(now, &mut out);
        check(&out);
        match cut {
            Some(at) => rest = &rest[at + 2..],
            None => break,
        }
    }
    let mut out = Vec::new();
    for _ in 0..10 {
        now += Duration::from_secs(8);
        pnp.timeout(now, &mut out);
    }
    assert_eq!(pnp.poll_at(), None, "a timer outlived its dialog");
});
