//! Any frame at all, and any bytes as a message: nothing panics, texts are clean, and what the agent builds can be read
//! and fits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::bounds;
use phoneprov::proto::dhcp::{Ack, Frame, Kind, Message};
use std::net::Ipv4Addr;

fn read(bytes: &[u8]) {
    let Some(m) = Message::parse(bytes) else { return };
    assert!(bytes.len() <= bounds::DHCP_MESSAGE && m.codes().count() <= bounds::DHCP_OPTIONS);
    for text in [m.host_name(), m.class_id()].into_iter().flatten() {
        assert!(!text.is_empty() && text.bytes().all(|b| (0x20..0x7f).contains(&b)), "{text:?}");
    }
    assert!(m.host_name().is_none_or(|n| n.len() <= bounds::DHCP_HOST_NAME));
    for code in m.codes() {
        let _ = m.option(code).expect("it is there").len();
    }
    let _ = (m.requested(), m.server_id(), m.asked());
    let options = [(66, vec![b'x'; 255]), (43, vec![1; 120])];
    let ack = Ack { to: &m, server: Ipv4Addr::LOCALHOST, options: &options }.build();
    assert!(ack.len() + 28 <= usize::from(m.max_size()) && ack.len() + 28 <= 1500);
    let again = Message::parse(&ack).expect("our own answer can be read");
    assert_eq!((again.kind, again.xid, again.chaddr, again.ciaddr), (Kind::Ack, m.xid, m.chaddr, m.ciaddr));
    assert_eq!(again.yiaddr, Ipv4Addr::UNSPECIFIED);
}

fuzz_target!(|data: &[u8]| {
    read(data);
    if let Some(frame) = Frame::parse(data) {
        read(frame.payload);
        let built = frame.build().expect("it came in one frame");
        assert_eq!(Frame::parse(&built), Some(frame));
    }
});
