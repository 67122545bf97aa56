use super::*;
use crate::bounds;
use crate::proto::mac::Mac;
use proptest::prelude::*;
use std::net::{Ipv4Addr, SocketAddrV4};

const SNOM: Mac = Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]);

/// A message with these bytes as its options.
fn message(op: u8, options: &[u8]) -> Vec<u8> {
    let mut m = vec![op, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef, 0, 3, 0x80, 0];
    m.extend_from_slice(&[192, 168, 1, 50, 192, 168, 1, 51, 192, 168, 1, 2, 10, 0, 0, 9]);
    m.extend_from_slice(&SNOM.0);
    m.resize(HEAD, 0);
    m.extend_from_slice(&COOKIE);
    m.extend_from_slice(options);
    m
}

#[test]
fn a_request_is_read() {
    let mut options = vec![53, 1, 3, 0, 0, 50, 4, 192, 168, 1, 50, 54, 4, 192, 168, 1, 1, 57, 2, 5, 0xdc];
    options.extend_from_slice(b"\x0c\x10snom\x1b[31m-320\xc3\xa4x");
    options.extend_from_slice(b"\x3c\x07snom320\x37\x03\x42\x2b\x01\x3d\x07\x01\x00\x04\x13\xaa\xbb\xcc\xff");
    let bytes = message(1, &options);
    let m = Message::parse(&bytes).unwrap();
    assert_eq!((m.kind, m.xid, m.flags, m.chaddr), (Kind::Request, 0xdead_beef, 0x8000, SNOM));
    let ip = |d| Ipv4Addr::new(192, 168, 1, d);
    assert_eq!((m.ciaddr, m.yiaddr, m.giaddr), (ip(50), ip(51), Ipv4Addr::new(10, 0, 0, 9)));
    assert_eq!((m.requested(), m.server_id(), m.max_size()), (Some(ip(50)), Some(ip(1)), 1500));
    assert_eq!(m.host_name().as_deref(), Some("snom[31m-320x"), "no escape sequence, nothing but ASCII");
    assert_eq!(m.class_id().as_deref(), Some("snom320"));
    assert_eq!(m.asked().as_ref(), [0x42, 0x2b, 1]);
    assert_eq!(m.option(option::CLIENT_ID).as_deref(), Some(&[1, 0, 4, 0x13, 0xaa, 0xbb, 0xcc][..]));
    assert_eq!(m.option(99), None);
}

#[test]
fn polycoms_binary_class_can_be_read() {
    let bytes = message(1, b"\x35\x01\x01\x3c\x0e\0\0\x36\x3d\x09\x01\x07SIP-450\xff");
    assert_eq!(Message::parse(&bytes).unwrap().class_id().as_deref(), Some("6=   SIP-450"));
    let empty = message(1, b"\x35\x01\x01\x3c\x02\0\0\x0c\x02\0\0\xff");
    let m = Message::parse(&empty).unwrap();
    assert_eq!((m.class_id(), m.host_name()), (None, None));
}

#[test]
fn options_in_file_and_sname_and_in_pieces() {
    let mut bytes = message(2, b"\x35\x01\x05\x34\x01\x03\x42\x05http:\xff");
    bytes[108..117].copy_from_slice(b"\x42\x04//a/\x42\x01b");
    bytes[44..50].copy_from_slice(b"\x42\x01c\x34\x00\xff");
    let read = |b: &[u8]| Message::parse(b).and_then(|m| m.option(66).map(|v| v.to_vec()));
    // file is full to its end with the pads behind; then sname
    assert_eq!(read(&bytes).unwrap(), b"http://a/bc");
    for (overload, expected) in [(1, &b"http://a/b"[..]), (2, b"http:c"), (0, b"http:"), (9, b"http:")] {
        bytes[HEAD + 4 + 5] = overload;
        assert_eq!(read(&bytes).unwrap(), expected, "{overload}");
    }
}

#[test]
fn what_is_no_message_of_a_client_on_ethernet_is_refused() {
    let good = message(1, b"\x35\x01\x01\xff");
    assert!(Message::parse(&good).is_some());
    assert!(Message::parse(&good[..good.len() - 1]).is_some(), "an end that is missing is forgiven");
    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    for (bytes, what) in [
        (changed(0, 2), "a client's message from a server"),
        (changed(1, 6), "another hardware"),
        (changed(2, 16), "another length of its address"),
        (changed(HEAD, 98), "no cookie: BOOTP"),
        (changed(HEAD + 6, 99), "a kind that is none"),
        (good[..HEAD + 3].to_vec(), "cut off"),
        (message(1, b"\xff"), "no kind"),
        (message(1, b"\x35\x01\x01\x35\x01\x03\xff"), "two kinds"),
        (message(1, b"\x35\x02\x01\x01\xff"), "a kind of two bytes"),
        (message(1, b"\x35\x01\x01\x0c\x09abc"), "a value that is cut off"),
        (message(1, b"\x35\x01\x01\x0c"), "a length that is missing"),
        (message(1, &[0x35, 1, 1].repeat(500)), "too large"),
        (message(1, &[&b"\x35\x01\x01"[..], &[7, 0].repeat(bounds::DHCP_OPTIONS)].concat()), "too many options"),
    ] {
        assert_eq!(Message::parse(&bytes), None, "{what}");
    }
}

#[test]
fn an_ack_to_an_inform_has_no_address_and_no_lease() {
    let bytes = message(1, b"\x35\x01\x08\x3d\x02\x00x\xff");
    let inform = Message::parse(&bytes).unwrap();
    let options = [
        (66, b"http://192.168.1.1:8480/snom/\0".to_vec()),
        (43, vec![1; 255]),
        (161, vec![1; 20]),
        (160, b"z".to_vec()),
    ];
    let ack = Ack { to: &inform, server: Ipv4Addr::new(192, 168, 1, 1), options: &options }.build();
    let m = Message::parse(&ack).unwrap();
    assert_eq!((m.kind, m.xid, m.flags, m.chaddr, m.ciaddr), (Kind::Ack, 0xdead_beef, 0x8000, SNOM, inform.ciaddr));
    assert_eq!(
        (m.yiaddr, m.giaddr, ack.get(20..24)),
        (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED, Some(&[0; 4][..]))
    );
    // 161 does not fit into 576 bytes, less the headers, with those before it
    assert_eq!(m.codes().collect::<Vec<_>>(), [53, 54, 61, 66, 43, 160]);
    assert_eq!(m.server_id(), Some(Ipv4Addr::new(192, 168, 1, 1)));
    assert!((300..=548).contains(&ack.len()), "{}", ack.len());
    let roomy = message(1, b"\x35\x01\x08\x39\x02\xff\xff\xff");
    let inform = Message::parse(&roomy).unwrap();
    let all: Vec<(u8, Vec<u8>)> = (100..120).map(|c| (c, vec![7; 255])).chain([(66, vec![0; 256])]).collect();
    let ack = Ack { to: &inform, server: Ipv4Addr::LOCALHOST, options: &all }.build();
    assert!(ack.len() <= 1472);
    assert_eq!(Message::parse(&ack).unwrap().codes().count(), 6, "and no value of more than 255 bytes");
}

/// A frame as an old snom sends it, with the checksums that another program counted.
const FRAME: &[u8] = b"\xff\xff\xff\xff\xff\xff\x00\x04\x13\xaa\xbb\xcc\x08\x00\
    \x45\x10\x00\x20\x00\x00\x00\x00\x40\x11\x7a\xbe\x00\x00\x00\x00\xff\xff\xff\xff\
    \x00\x44\x00\x43\x00\x0c\x77\xb7DHCP\0\0padding";

#[test]
fn frames() {
    let read = |bytes: &[u8]| Frame::parse(bytes).map(|f| f.payload.to_vec());
    let frame = Frame::parse(FRAME).unwrap();
    assert_eq!(frame.payload, b"DHCP");
    assert_eq!((frame.from_mac, frame.to_mac), (SNOM, Mac([0xff; 6])));
    assert_eq!((frame.from.port(), frame.to), (68, SocketAddrV4::new(Ipv4Addr::BROADCAST, 67)));
    let with = |changes: &[(usize, u8)]| {
        let mut bytes = FRAME.to_vec();
        changes.iter().for_each(|(at, value)| bytes[*at] = *value);
        bytes
    };
    // not counted; and counted for the network card to finish: 0xffff + 0xffff + 17 + 12, folded
    assert!(read(&with(&[(40, 0), (41, 0)])).is_some());
    assert!(read(&with(&[(40, 0), (41, 29)])).is_some());
    for (changes, what) in [
        (&[(12, 0x86)][..], "another EtherType"),
        (&[(12, 0x81)], "a VLAN tag"),
        (&[(14, 0x65)], "another version"),
        (&[(14, 0x44)], "a header that is too short"),
        (&[(14, 0x4f)], "a header longer than the packet"),
        (&[(20, 0x20), (24, 0x5a)], "a first fragment"),
        (&[(21, 1), (25, 0xbd)], "a later fragment"),
        (&[(23, 6), (25, 0xc9)], "TCP"),
        (&[(25, 0)], "a damaged header"),
        (&[(17, 200)], "a total length beyond the frame"),
        (&[(38, 1)], "a length of UDP beyond the packet"),
        (&[(39, 7)], "a length of UDP below its header"),
        (&[(42, b'd')], "damaged"),
    ] {
        assert_eq!(read(&with(changes)), None, "{what}");
    }
    for end in 0..46 {
        assert_eq!(read(&FRAME[..end]), None, "cut off at {end}");
    }
}

/// What the kernel does with a packet and the filter.
fn filtered(packet: &[u8], tag: u16) -> bool {
    let (mut a, mut x, mut at) = (0u32, 0u32, 0usize);
    let load =
        |at: usize, n: usize| packet.get(at..at + n).map(|b| b.iter().fold(0u32, |all, b| all << 8 | u32::from(*b)));
    for _ in 0..filter::PROGRAM.len() {
        let (code, yes, no, k) = filter::PROGRAM[at];
        at += 1;
        let mut jump = |holds: bool| at += usize::from(if holds { yes } else { no });
        let loaded = match code {
            0x20 if k == 0xffff_f02c => Some(u32::from(tag)),
            0x28 => load(k as usize, 2),
            0x30 => load(k as usize, 1),
            0x48 => load((k + x) as usize, 2),
            0xb1 => match load(k as usize, 1) {
                Some(b) => {
                    x = 4 * (b & 15);
                    continue;
                }
                None => return false,
            },
            0x15 => {
                jump(a == k);
                continue;
            }
            0x45 => {
                jump(a & k != 0);
                continue;
            }
            0x06 => return k as usize >= packet.len(),
            other => panic!("unknown code {other:#x}"),
        };
        // a packet that is too short for a load is refused
        let Some(value) = loaded else { return false };
        a = value;
    }
    panic!("the program does not end");
}

#[test]
fn the_filter_lets_dhcp_through_and_nothing_else() {
    let frame = |to: u16, payload: &[u8]| {
        let (from, to) = (SocketAddrV4::new(Ipv4Addr::LOCALHOST, 68), SocketAddrV4::new(Ipv4Addr::LOCALHOST, to));
        Frame { from_mac: SNOM, to_mac: SNOM, from, to, payload }.build().unwrap()
    };
    assert!(filtered(FRAME, 0));
    assert!(filtered(FRAME, 0xe000), "a priority");
    assert!(!filtered(FRAME, 5), "VLAN 5");
    assert!(filtered(&frame(67, b"x"), 0) && filtered(&frame(68, b"x"), 0));
    for port in [66, 69, 53, 5060, 0x4300] {
        assert!(!filtered(&frame(port, b"x"), 0), "{port}");
    }
    // with options in the IP header the port stands further on
    let mut long = frame(67, b"x");
    long[14] = 0x46;
    assert!(!filtered(&long, 0));
    long.splice(34..34, [1, 1, 1, 0]);
    assert!(filtered(&long, 0));
    for (at, value) in [(12, 0x86), (23, 6), (20, 0x20), (21, 1)] {
        let mut other = frame(67, b"x");
        other[at] = value;
        assert!(!filtered(&other, 0), "{at}");
    }
    for end in 0..38 {
        assert!(!filtered(&FRAME[..end], 0), "cut off at {end}");
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        if let Some(frame) = Frame::parse(&bytes) {
            let _ = Message::parse(frame.payload);
        }
        let _ = filtered(&bytes, 0);
        let _ = Message::parse(&bytes);
    }

    #[test]
    fn any_options(op in 1u8..3, tail in prop::collection::vec(any::<u8>(), 0..300), file in prop::collection::vec(any::<u8>(), 192), kind in 0u8..10, overload in 0u8..4) {
        let mut bytes = message(op, &[53, 1, kind, 52, 1, overload]);
        bytes.extend_from_slice(&tail);
        bytes[44..HEAD].copy_from_slice(&file);
        if let Some(m) = Message::parse(&bytes) {
            prop_assert_eq!(m.kind.is_clients(), op == 1);
            for text in [m.host_name(), m.class_id()].into_iter().flatten() {
                prop_assert!(text.bytes().all(|b| (0x20..0x7f).contains(&b)) && text.len() <= 255);
            }
            let ack = Ack { to: &m, server: Ipv4Addr::LOCALHOST, options: &[(66, vec![b'x'; 254])] }.build();
            let again = Message::parse(&ack).unwrap();
            prop_assert_eq!((again.xid, again.chaddr, again.ciaddr, again.kind), (m.xid, m.chaddr, m.ciaddr, Kind::Ack));
            prop_assert!(ack.len() + 28 <= usize::from(m.max_size()));
        }
    }

    #[test]
    fn there_and_back(
        macs in any::<([u8; 6], [u8; 6])>(),
        from in any::<(u32, u16)>(),
        to in any::<(u32, u16)>(),
        payload in prop::collection::vec(any::<u8>(), 0..1500),
        flip in any::<prop::sample::Index>(),
    ) {
        let address = |(ip, port): (u32, u16)| SocketAddrV4::new(ip.into(), port);
        let (from_mac, to_mac) = (Mac(macs.0), Mac(macs.1));
        let frame = Frame { from_mac, to_mac, from: address(from), to: address(to), payload: &payload };
        let mut bytes = frame.build().unwrap();
        prop_assert_eq!(Frame::parse(&bytes), Some(frame));
        prop_assert_eq!(filtered(&bytes, 0), to.1 == 67 || to.1 == 68);
        // one bit that was turned on its way is noticed (in UDP: unless it says now that nothing was counted)
        let at = 14 + flip.index(bytes.len() - 14);
        bytes[at] ^= 4;
        prop_assert!(Frame::parse(&bytes).is_none() || at == 40 || at == 41);
    }
}
