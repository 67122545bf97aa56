//! DHCP packets come in: who is noted, who is answered, and what anybody can do with forged ones.

use super::*;
use crate::core::directory::Phone;
use crate::proto::dhcp::{Frame, Kind, Message};

const BROADCAST: Mac = Mac([0xff; 6]);
const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

/// A client's packet, and what may be wrong with it.
#[derive(Clone)]
struct Packet {
    kind: u8,
    /// Of the frame.
    source: Mac,
    chaddr: Mac,
    from: SocketAddrV4,
    to: SocketAddrV4,
    ciaddr: Ipv4Addr,
    yiaddr: Ipv4Addr,
    giaddr: Ipv4Addr,
    options: Vec<u8>,
}

impl Packet {
    fn of(mac: Mac, kind: u8) -> Packet {
        let none = Ipv4Addr::UNSPECIFIED;
        Packet {
            kind,
            source: mac,
            chaddr: mac,
            from: SocketAddrV4::new(none, 68),
            to: SocketAddrV4::new(Ipv4Addr::BROADCAST, 67),
            ciaddr: none,
            yiaddr: none,
            giaddr: none,
            options: vec![],
        }
    }

    fn request(n: u16, wanted: Ipv4Addr) -> Packet {
        Packet::of(mac(n), 3).option(50, &wanted.octets())
    }

    fn inform(n: u16) -> Packet {
        let mut p = Packet::of(mac(n), 8);
        p.ciaddr = ip(n);
        p.from = SocketAddrV4::new(ip(n), 68);
        p
    }

    fn ack(to: Mac, yiaddr: Ipv4Addr, server: Ipv4Addr) -> Packet {
        let mut p = Packet::of(to, 5).option(54, &server.octets());
        p.source = Mac([2, 0, 0, 0, 0, 1]);
        p.from = SocketAddrV4::new(server, 67);
        p.to = SocketAddrV4::new(Ipv4Addr::BROADCAST, 68);
        p.yiaddr = yiaddr;
        p
    }

    fn option(mut self, code: u8, value: &[u8]) -> Packet {
        self.options.extend([code, value.len() as u8]);
        self.options.extend(value);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut m = vec![if [2, 5, 6].contains(&self.kind) { 2 } else { 1 }, 1, 6, 0, 0, 0, 0, 7, 0, 0, 0, 0];
        for address in [self.ciaddr, self.yiaddr, Ipv4Addr::UNSPECIFIED, self.giaddr] {
            m.extend(address.octets());
        }
        m.extend(self.chaddr.0);
        m.resize(236, 0);
        m.extend([99, 130, 83, 99, 53, 1, self.kind]);
        m.extend(&self.options);
        m.push(255);
        let frame =
            Frame { from_mac: self.source, to_mac: BROADCAST, from: self.from, to: self.to, payload: m.as_slice() };
        frame.build().unwrap()
    }
}

impl World {
    fn mode(mode: &str) -> World {
        let mut w = World::new();
        w.dhcp_mode(mode);
        w
    }

    fn dhcp_mode(&mut self, mode: &str) {
        self.reload(
            &CONFIG.replace("\toption enabled '1'\n\tlist dev", &format!("\toption dhcp '{mode}'\n\tlist dev")),
        );
    }

    /// What this packet is answered with.
    fn packet(&mut self, p: &Packet) -> Option<Action> {
        let now = self.now();
        let mut out = vec![];
        self.agent.dhcp_frame(0, &p.bytes(), &self.lan, now, &mut out);
        assert!(out.len() <= 1, "one in, at most one out");
        out.pop()
    }

    fn known(&self, n: u16) -> Option<&Phone> {
        self.agent.directory.get(mac(n))
    }

    fn dhcp_events(&mut self) -> Vec<String> {
        let events = self.control(json!({"op": "events"})).unwrap();
        let all = events["result"]["events"].as_array().unwrap().iter().filter(|e| e["kind"] == "dhcp");
        all.map(|e| e["text"].as_str().unwrap().to_string()).collect()
    }

    fn dhcp_status(&mut self) -> Value {
        self.control(json!({"op": "status"})).unwrap()["result"]["dhcp"].take()
    }
}

#[test]
fn a_phone_is_noted_with_name_model_and_address_and_told_of_once() {
    let mut w = World::mode("dnsmasq");
    let said = |p: Packet| p.option(12, b"snom\x1b]0;x\x07-1").option(60, b"snomD785");
    for _ in 0..50 {
        assert!(w.packet(&said(Packet::of(mac(1), 1)).option(50, &ip(3).octets())).is_none());
    }
    assert_eq!(w.known(1).unwrap().ip, None, "a DISCOVER only wishes");
    for _ in 0..50 {
        w.packet(&said(Packet::request(1, ip(1))));
        w.packet(&said(Packet::of(mac(1), 1)));
        w.pass(100);
    }
    assert_eq!(w.dhcp_events(), ["D785 'snom]0;x-1' was seen in DHCP", "D785 'snom]0;x-1' has 192.168.16.1 by DHCP"]);
    let phone = w.control(json!({"op": "phone", "mac": mac(1).to_string()})).unwrap()["result"].take();
    assert_eq!(
        (&phone["hostname"], &phone["model"], &phone["vendor"]),
        (&json!("snom]0;x-1"), &json!("D785"), &json!("snom"))
    );
    assert_eq!((&phone["ip"], &phone["seen_by"]), (&json!("192.168.16.1"), &json!(["dhcp"])));
    assert_eq!(w.dhcp_status()["seen"], 150);
    assert!(!w.out.iter().any(|a| matches!(a, Action::PutPhone(_))), "nothing goes to flash");
}

#[test]
fn strangers_forgers_and_relayed_packets_leave_nothing() {
    let mut w = World::mode("responder");
    let stranger = Packet::of(Mac([2, 0, 0, 0, 0, 9]), 3).option(60, b"snomD785");
    let mut forged = Packet::inform(1);
    forged.source = mac(66);
    let mut relayed = Packet::inform(1);
    relayed.giaddr = ip(9);
    let mut port = Packet::inform(1);
    port.from = SocketAddrV4::new(ip(1), 1068);
    let mut group = Packet::inform(1);
    (group.source, group.chaddr) = (Mac([1, 4, 0x13, 0, 0, 1]), Mac([1, 4, 0x13, 0, 0, 1]));
    for p in [stranger, forged, relayed, port, group] {
        assert!(w.packet(&p).is_none());
    }
    let damaged = Packet::inform(1).bytes();
    for end in 0..damaged.len() {
        let (now, mut out) = (w.now(), vec![]);
        w.agent.dhcp_frame(0, &damaged[..end], &w.lan, now, &mut out);
        w.agent.dhcp_frame(7, &damaged, &w.lan, now, &mut out);
        assert!(out.is_empty());
    }
    assert!(w.agent.directory.sorted().is_empty());
    assert_eq!(w.dhcp_events(), Vec::<String>::new());
}

#[test]
fn an_inform_is_answered_with_the_options_and_nothing_of_a_lease() {
    let mut w = World::mode("responder");
    let p = Packet::inform(5).option(61, b"\x01id").option(55, &[1, 3, 66, 43]).option(57, &[2, 64]);
    let Some(Action::Dhcp { device: 0, to_mac, from, to, payload }) = w.packet(&p) else { panic!("no answer") };
    assert_eq!((to_mac, from, to), (mac(5), SocketAddrV4::new(OWN, 67), SocketAddrV4::new(ip(5), 68)));
    let m = Message::parse(&payload).unwrap();
    assert_eq!((m.kind, m.xid, m.ciaddr, m.yiaddr, m.chaddr), (Kind::Ack, 7, ip(5), Ipv4Addr::UNSPECIFIED, mac(5)));
    assert_eq!(m.codes().collect::<Vec<_>>(), [53, 54, 61, 66], "snom: no 51, 58, 59, 1, 3");
    assert_eq!(m.server_id(), Some(OWN));
    assert_eq!(m.option(61).as_deref(), Some(&b"\x01id"[..]));
    let url = format!("http://192.168.1.1:8480/snom/settings.php?mac={}\0", mac(5).hex());
    assert_eq!(String::from_utf8(m.option(66).unwrap().to_vec()).unwrap(), url);
    assert!(payload.len() + 28 <= 576);
    assert_eq!(w.known(5).unwrap().ip, Some(ip(5)));
    assert_eq!(w.dhcp_status()["answered"], 1);
    assert!(w
        .dhcp_events()
        .last()
        .unwrap()
        .starts_with("asked by DHCP from 192.168.16.5, was told http://192.168.1.1:8480/snom/"));
}

#[test]
fn mitel_gets_its_option_43() {
    let mut w = World::mode("responder");
    let mitel = Mac([0, 8, 0x5d, 0, 0, 1]);
    let mut p = Packet::inform(5).option(55, &[43]);
    (p.source, p.chaddr) = (mitel, mitel);
    w.lan.0.insert(ip(5), mitel);
    let Some(Action::Dhcp { payload, .. }) = w.packet(&p) else { panic!("no answer") };
    let m = Message::parse(&payload).unwrap();
    let url = b"http://192.168.1.1:8480/mitel/mitel";
    assert_eq!(m.option(66).unwrap().as_ref(), [&url[..], b"\0"].concat());
    let expected = [&[3, 1, 0, 2, url.len() as u8][..], url, &[255]].concat();
    assert_eq!(m.option(43).unwrap().as_ref(), expected);
    assert_eq!(m.codes().collect::<Vec<_>>(), [53, 54, 43, 66], "what it asked for comes first");
}

#[test]
fn what_the_responder_does_not_answer() {
    for mode in ["dnsmasq", "off"] {
        assert!(World::mode(mode).packet(&Packet::inform(5)).is_none(), "{mode}");
    }
    let mut w = World::mode("responder");
    for kind in [1, 3, 4, 7] {
        let mut p = Packet::inform(5).option(50, &ip(5).octets());
        p.kind = kind;
        assert!(w.packet(&p).is_none(), "kind {kind}");
    }
    assert!(w.packet(&Packet::inform(5)).is_some());
    type Change = fn(&mut Packet);
    let wrong: [(Change, &str); 9] = [
        (|p| p.ciaddr = ip(6), "another address than it has"),
        (|p| p.ciaddr = Ipv4Addr::UNSPECIFIED, "no address"),
        (|p| (p.ciaddr, p.from) = ([10, 0, 0, 1].into(), "10.0.0.1:68".parse().unwrap()), "not of the subnet"),
        (|p| (p.ciaddr, p.from) = (OWN, SocketAddrV4::new(OWN, 68)), "our own address"),
        (|p| (p.ciaddr, p.from) = ([192, 168, 255, 255].into(), "192.168.255.255:68".parse().unwrap()), "to all"),
        (|p| p.to = SocketAddrV4::new(ip(9), 67), "to another server"),
        (|p| p.to = SocketAddrV4::new(Ipv4Addr::BROADCAST, 1067), "to another port"),
        (|p| *p = p.clone().option(54, &[192, 168, 1, 2]), "for another server"),
        (|p| (p.source, p.chaddr) = (mac(66), mac(66)), "from an address that has another MAC"),
    ];
    for (change, what) in wrong {
        let mut p = Packet::inform(5);
        change(&mut p);
        assert!(w.packet(&p).is_none(), "{what}");
    }
    for to in [OWN, Ipv4Addr::new(192, 168, 255, 255)] {
        let mut p = Packet::inform(5);
        p.to = SocketAddrV4::new(to, 67);
        assert!(w.packet(&p).is_some(), "{to}");
    }
    let listed = "config phone\n\toption mac '00:04:13:00:00:07'\n";
    let text = CONFIG
        .replace("\toption enabled '1'\n\tlist dev", "\toption dhcp 'responder'\n\toption enrol 'list'\n\tlist dev");
    w.reload(&format!("{text}{listed}"));
    assert!(w.packet(&Packet::inform(5)).is_none(), "not enrolled");
    assert!(w.packet(&Packet::inform(7)).is_some());
}

#[test]
fn one_address_is_answered_so_often_and_others_are_not_kept_waiting() {
    let mut w = World::mode("responder");
    let answers = (0..100).filter(|_| w.packet(&Packet::inform(5)).is_some()).count();
    assert_eq!(answers, bounds::DHCP_RATE as usize);
    assert!(w.packet(&Packet::inform(6)).is_some());
    w.pass(bounds::DHCP_RATE_WINDOW * 1000);
    assert!(w.packet(&Packet::inform(5)).is_some());
}

#[test]
fn a_claim_steals_no_address() {
    let mut w = World::mode("dnsmasq");
    w.serve(1, "one");
    assert_eq!(w.known(1).unwrap().ip, Some(ip(1)));
    // ip(66) has another MAC, 192.168.200.1 is nobody's, the others are no address of a phone
    let free = Ipv4Addr::new(192, 168, 200, 1);
    for claimed in [ip(66), free, OWN, Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(192, 168, 255, 255)] {
        w.packet(&Packet::request(1, claimed));
        let mut renewing = Packet::of(mac(1), 3);
        (renewing.ciaddr, renewing.from) = (claimed, SocketAddrV4::new(claimed, 68));
        w.packet(&renewing);
        w.packet(&Packet::ack(mac(1), claimed, OWN));
        assert_eq!(w.known(1).unwrap().ip, Some(ip(1)), "{claimed}");
    }
    // it has moved, as the neighbour table says too
    w.lan.0.insert(free, mac(1));
    w.packet(&Packet::request(1, free));
    assert_eq!(w.known(1).unwrap().ip, Some(free));
}

#[test]
fn the_address_of_an_ack_is_that_of_a_phone_that_was_heard() {
    let mut w = World::mode("dnsmasq");
    w.packet(&Packet::ack(mac(1), ip(1), OWN));
    assert!(w.known(1).is_none());
    w.packet(&Packet::of(mac(1), 1));
    w.packet(&Packet::ack(mac(1), ip(66), OWN));
    assert_eq!(w.known(1).unwrap().ip, None, "another MAC has it");
    w.packet(&Packet::ack(mac(1), ip(1), OWN));
    assert_eq!(w.known(1).unwrap().ip, Some(ip(1)));
    assert_eq!(w.dhcp_status()["servers"], json!([]), "that is us");
}

#[test]
fn another_server_is_told_of_in_dnsmasq_mode_and_forgotten_in_time() {
    let other = Ipv4Addr::new(192, 168, 1, 254);
    let text = "another DHCP server (192.168.1.254) answers on br-lan; its phones do not get option 66: switch it off, or set option dhcp 'responder'";
    let stranger = Mac([2, 0, 0, 0, 0, 9]);
    for p in [Packet::ack(stranger, ip(7), other), Packet::of(stranger, 3).option(54, &other.octets())] {
        let mut w = World::mode("dnsmasq");
        assert_eq!((&w.dhcp_status()["state"], &w.dhcp_status()["mode"]), (&json!("ok"), &json!("dnsmasq")));
        for _ in 0..10 {
            w.packet(&p);
            w.pass(1000);
        }
        let status = w.dhcp_status();
        assert_eq!((&status["state"], &status["troubles"]), (&json!("trouble"), &json!([text])));
        let server = json!({"device": "br-lan", "address": "192.168.1.254", "last_seen": 1_800_000_009});
        assert_eq!(status["servers"], json!([server]));
        assert_eq!(w.dhcp_events(), [text]);
        w.dhcp_mode("responder");
        assert_eq!(w.dhcp_status()["state"], "ok", "that is what the responder is for");
        w.dhcp_mode("dnsmasq");
        w.pass(bounds::DHCP_SERVER_SECONDS * 1000 + 61_000);
        assert_eq!((&w.dhcp_status()["state"], &w.dhcp_status()["servers"]), (&json!("ok"), &json!([])));
        assert!(w.agent.directory.sorted().is_empty());
    }
}

#[test]
fn floods_of_forged_packets_stay_within_bounds() {
    let mut w = World::mode("dnsmasq");
    w.serve(1, "one");
    let before = w.dhcp_events().len();
    for i in 0..20_000u32 {
        let [_, a, b, c] = i.to_be_bytes();
        let forged = Mac([0, 4, 0x13, a + 1, b, c]);
        let server = [10, a, b, c];
        w.packet(&Packet::of(forged, 3).option(50, &[192, 168, b, c]).option(54, &server).option(12, &[b, c, b'x']));
        w.ms += 1;
    }
    assert!(w.agent.directory.sorted().len() <= bounds::PHONES);
    assert_eq!(w.known(1).unwrap().ip, Some(ip(1)), "who was served stays");
    assert_eq!(w.dhcp_status()["servers"].as_array().unwrap().len(), bounds::DHCP_SERVERS);
    w.pass(120_000);
    let events = w.dhcp_events();
    assert_eq!(events.len() - before, bounds::DHCP_EVENTS as usize + 1);
    assert!(events.last().unwrap().ends_with(" more events of DHCP within a minute"), "{events:?}");
}

#[test]
fn the_hook_tells_of_leases() {
    let mut w = World::mode("dnsmasq");
    let seen = |mac: Mac, ip: Ipv4Addr| json!({"op": "seen", "mac": mac.to_string(), "ip": ip.to_string(), "hostname": "a\u{1b}b\nc", "class": "snomD785"});
    let noted = |w: &mut World, request| w.control(request).unwrap()["result"]["noted"] == true;
    assert!(noted(&mut w, seen(mac(1), ip(1))));
    assert_eq!(
        w.known(1).map(|p| (p.ip, p.hostname.as_deref(), p.model.as_deref())),
        Some((Some(ip(1)), Some("abc"), Some("D785")))
    );
    assert!(noted(&mut w, seen(mac(1), ip(2))), "the server gave it another address");
    assert_eq!(w.known(1).unwrap().ip, Some(ip(2)));
    w.serve(5, "five");
    assert!(noted(&mut w, seen(mac(5), ip(6))));
    assert_eq!(w.known(5).unwrap().ip, Some(ip(5)), "it has spoken from there");
    assert!(!noted(&mut w, seen(Mac([2, 0, 0, 0, 0, 1]), ip(3))), "a stranger");
    assert!(!noted(&mut w, seen(mac(3), Ipv4Addr::new(10, 0, 0, 1))), "of a network that is not served");
    for bad in [
        json!({"op": "seen"}),
        json!({"op": "seen", "mac": "x", "ip": "y"}),
        json!({"op": "seen", "mac": mac(1).to_string(), "ip": 5}),
    ] {
        assert_eq!(w.control(bad).unwrap()["ok"], false);
    }
    w.dhcp_mode("off");
    assert!(!noted(&mut w, seen(mac(4), ip(4))));
    assert_eq!(w.agent.directory.sorted().len(), 2);
}

#[test]
fn what_is_in_the_way_is_in_the_status() {
    let mut w = World::mode("dnsmasq");
    let now = w.now();
    w.agent.set_dhcp_troubles(vec!["no program".into()], now);
    w.agent.set_dhcp_troubles(vec!["no program".into()], now);
    assert_eq!((&w.dhcp_status()["state"], &w.dhcp_status()["troubles"]), (&json!("trouble"), &json!(["no program"])));
    w.agent.set_dhcp_troubles(vec![], now);
    assert_eq!(w.dhcp_events(), ["no program", "nothing is in the way any more"]);
    w.dhcp_mode("off");
    assert_eq!((&w.dhcp_status()["state"], &w.dhcp_status()["mode"]), (&json!("off"), &json!("off")));
}
