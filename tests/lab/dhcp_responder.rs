//! Another box on the LAN leases addresses and says nothing of phones: the agent, with `dhcp 'responder'`, answers the
//! DHCPINFORM of known phones, and nothing else.

use crate::build::{Lab, Test};
use crate::dhcp_client::{words, Ask, Client, CLIENTS, PROGRAMS};
use crate::dhcp_packet::{inner, message, shown, Capture, Packet, ACK, DISCOVER, INFORM, REQUEST};
use crate::dhcpd::{Dhcpd, Spec};
use std::net::Ipv4Addr;
use std::time::Duration;

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
const SNOM: usize = 0;
const MITEL: usize = 1;
const STRANGER: usize = 2;
/// The box whose DHCP server it is, 192.168.77.14.
const BOX: usize = 3;

fn lab(name: &str, mode: &str) -> Option<Lab> {
    let mut test = Test::new(name)
        .option("dhcp", mode)
        .option("dnsmasq_conf", "{dir}/ours.conf")
        .phone("00:04:13:00:00:01")
        .phone("00:08:5d:00:00:02")
        .phone("02:aa:bb:00:00:03")
        .phone("02:77:00:00:00:77")
        .needs("tshark");
    for program in PROGRAMS {
        test = test.needs(program);
    }
    test.start()
}

/// The box's dnsmasq: the gateway is the router, and no option 66.
fn other_server(t: &Lab) -> Dhcpd {
    let spec = Spec::on("eth0", Ipv4Addr::new(192, 168, 77, 100)).line("dhcp-option=3,192.168.77.1");
    spec.start(&t.phone(BOX).ns, &t.dir().join("box"))
}

fn capture(t: &Lab, phone: usize) -> Capture {
    Capture::start(&t.phone(phone).ns, "eth0", &t.dir().join(format!("phone{phone}-{}.pcap", crate::netns::serial())))
}

/// dhcpcd of this phone sends a DHCPINFORM for the address it has. Gives the DHCP packets from the router's agent, all
/// that came until half a second after the client's end, and whether the client was content.
fn inform(t: &Lab, phone: usize, ask: &Ask) -> (Vec<Packet>, bool) {
    inform_on(&capture(t, phone), t, phone, ask)
}

fn inform_on(cable: &Capture, t: &Lab, phone: usize, ask: &Ask) -> (Vec<Packet>, bool) {
    let p = t.phone(phone);
    let out = ask.run(p, Some(p.ip));
    let sent = cable.wait("the INFORM itself", 0, |p| p.kind() == INFORM);
    assert_eq!((sent.ciaddr, &sent.chaddr), (p.ip, &p.mac), "{}", words(&out));
    std::thread::sleep(Duration::from_millis(500));
    (from_router(cable, &p.router_mac), out.status.success())
}

/// By address or by MAC: nothing of the router's escapes.
fn from_router(cable: &Capture, router_mac: &str) -> Vec<Packet> {
    cable.packets().into_iter().filter(|p| p.from == ROUTER || p.from_mac == router_mac).collect()
}

fn asking() -> Ask {
    Ask::by(Client::Dhcpcd).option(66)
}

#[test]
fn an_inform_of_a_known_phone_is_answered_without_a_lease() {
    let Some(t) = lab("dhcp-inform", "responder") else { return };
    let server = other_server(&t);
    for (phone, url) in
        [(SNOM, "http://192.168.77.1:8480/snom/settings.php?mac="), (MITEL, "http://192.168.77.1:8480/mitel/mitel")]
    {
        for ask in [asking(), Ask::by(Client::Dhcpcd)] {
            let p = t.phone(phone);
            let cable = capture(&t, phone);
            let (answers, content) = inform_on(&cable, &t, phone, &ask);
            assert!(content, "the client takes it");
            assert_eq!(answers.len(), 1, "{answers:?}");
            let ack = &answers[0];
            assert_eq!((ack.op, ack.kind()), (2, ACK), "{ack:?}");
            // RFC 2131 3.4 and 4.3.5: no address, no lease, straight to the asker
            assert_eq!((ack.yiaddr, ack.ciaddr, ack.giaddr), (Ipv4Addr::UNSPECIFIED, p.ip, Ipv4Addr::UNSPECIFIED));
            assert!([51, 58, 59].iter().all(|n| ack.option(*n).is_none()), "{ack:?}");
            assert_eq!((ack.to, &ack.to_mac, &ack.chaddr), (p.ip, &p.mac, &p.mac), "{ack:?}");
            assert_eq!((&ack.from_mac, ack.from), (&p.router_mac, ROUTER), "{ack:?}");
            assert_eq!(ack.option(54), Some(&ROUTER.octets()[..]), "{ack:?}");
            assert!(ack.sname.iter().chain(&ack.file).all(|b| *b == 0), "{ack:?}");
            let told = shown(ack.option(66).unwrap_or_default());
            assert!(told.starts_with(url), "{told}");
            assert!(!told.contains("pass="), "{told}");
            let subs = inner(ack.option(43).unwrap_or_default());
            assert_eq!(subs.len(), if phone == MITEL { 2 } else { 0 }, "{ack:?}");
            // tshark sees no lease in it, and no mistake; and the box's own answer has no 66
            let fields = ["dhcp.option.tftp_server_name"];
            let ours = "dhcp.type == 2 && ip.src == 192.168.77.1 && dhcp.option.dhcp == 5 && dhcp.ip.your == 0.0.0.0 \
                        && !(dhcp.option.type in {50, 51, 58, 59}) && !_ws.expert.severity >= 0x600000 && !_ws.malformed";
            let seen = cable.tshark(ours, &fields);
            assert!(seen.len() == 1 && seen[0][0].starts_with(url), "{seen:?}");
            let others = cable.tshark("dhcp.type == 2 && ip.src == 192.168.77.14", &fields);
            assert_eq!(others, [[""]], "the other server answers, too, and says nothing of phones");
            // what else it was asked for is not its business; 61 goes back as it came (RFC 6842)
            assert!(ack.options.iter().all(|(n, _)| [53, 54, 61, 66, 43].contains(n)), "{ack:?}");
        }
    }
    // the box is gone: the agent's answer alone contents the client
    drop(server);
    let (answers, content) = inform(&t, SNOM, &asking());
    assert!(content && answers.len() == 1, "{answers:?}");
    // what the phone was told is there
    let body = t.put_snom(SNOM, "by INFORM");
    let url = answers[0].option(66).expect("66");
    let url = String::from_utf8_lossy(url).trim_end_matches('\0').replace("{mac}", &t.phone(SNOM).hex_upper());
    t.upstream().put_of("/prov/snom/settings.php", &t.phone(SNOM).hex(), body.clone());
    assert_eq!(t.phone(SNOM).curl(&url), (200, body), "{url}");
}

#[test]
fn a_strangers_inform_gets_nothing() {
    let Some(t) = lab("dhcp-inform-stranger", "responder") else { return };
    let _server = other_server(&t);
    let (answers, content) = inform(&t, STRANGER, &asking());
    assert!(content, "the box answers it");
    assert_eq!(answers, []);
    let (answers, _) = inform(&t, SNOM, &asking());
    assert_eq!(answers.len(), 1, "while a phone is answered: {answers:?}");
}

#[test]
fn a_discover_or_request_gets_nothing() {
    let Some(t) = lab("dhcp-no-lease", "responder") else { return };
    let cable = capture(&t, SNOM);
    let phone = t.phone(SNOM);
    // with no server at all: nobody else's answer hides ours
    phone.ns.ip("addr flush dev eth0");
    let out = Ask::by(Client::Udhcpc).option(66).run(phone, None);
    assert!(!out.status.success(), "there is nobody to lease: {}", words(&out));
    assert!(cable.packets().len() >= 3, "it did ask");
    assert_eq!(from_router(&cable, &phone.router_mac), []);
    // with the box: a whole lease of each client, without a word of ours
    let _server = other_server(&t);
    for client in CLIENTS {
        let lease = Ask::by(client).option(66).lease(phone, &cable);
        assert_eq!(lease.ack.option(66), None, "{client:?}");
    }
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(from_router(&cable, &phone.router_mac), []);
    // tshark reads the capture as ours does
    let fields = ["ip.src", "dhcp.option.dhcp"];
    assert_eq!(cable.tshark("dhcp.type == 2 && ip.src == 192.168.77.1", &fields), Vec::<Vec<String>>::new());
    let (acks, all) = (cable.tshark("dhcp.option.dhcp == 5", &fields), cable.tshark("dhcp", &fields));
    assert_eq!(acks.len(), 3, "{acks:?}");
    assert!(acks.iter().all(|a| a[0] == "192.168.77.14"), "{acks:?}");
    assert_eq!(all.len(), cable.packets().len());
}

/// In mode `dnsmasq` that server answers an INFORM; with none running, nobody does. `off` is off.
#[test]
fn no_other_mode_answers() {
    for mode in ["dnsmasq", "off"] {
        let Some(t) = lab(&format!("dhcp-mode-{mode}"), mode) else { return };
        let _server = other_server(&t);
        let (answers, content) = inform(&t, SNOM, &asking());
        assert!(content, "the box answers");
        assert_eq!(answers, [], "{mode}");
    }
}

/// Sends this from the DHCP port of a phone to all, and gives what comes from the router to any of the phones.
fn say_as(t: &Lab, phone: usize, message: &[u8]) -> Vec<Packet> {
    let cables: Vec<Capture> = [SNOM, MITEL, STRANGER].map(|i| capture(t, i)).into();
    let p = t.phone(phone);
    let socket = p.udp(68);
    socket.set_broadcast(true).expect("broadcast");
    socket.send_to(message, (Ipv4Addr::BROADCAST, 67)).expect("sent");
    cables[phone].wait("the message itself", 0, |packet| packet.from == p.ip);
    std::thread::sleep(Duration::from_millis(400));
    cables.iter().flat_map(|c| from_router(c, &p.router_mac)).collect()
}

#[test]
fn nobody_is_answered_in_anothers_name() {
    let Some(t) = lab("dhcp-forged", "responder") else { return };
    let (snom, mitel) = (t.phone(SNOM), t.phone(MITEL));
    let none = Ipv4Addr::UNSPECIFIED;
    let own = say_as(&t, SNOM, &message(INFORM, &snom.mac, snom.ip, none));
    assert_eq!(own.len(), 1, "its own is answered: {own:?}");
    for (what, forged) in [
        ("another's MAC and address", message(INFORM, &mitel.mac, mitel.ip, none)),
        ("another's MAC", message(INFORM, &mitel.mac, snom.ip, none)),
        ("another's address", message(INFORM, &snom.mac, mitel.ip, none)),
        ("an address of elsewhere", message(INFORM, &snom.mac, Ipv4Addr::new(10, 77, 0, 2), none)),
        ("through a relay", message(INFORM, &snom.mac, snom.ip, mitel.ip)),
        ("DISCOVER", message(DISCOVER, &snom.mac, none, none)),
        ("REQUEST", message(REQUEST, &snom.mac, snom.ip, none)),
        ("DECLINE", message(4, &snom.mac, snom.ip, none)),
        ("RELEASE", message(7, &snom.mac, snom.ip, none)),
        ("BOOTP", message(0, &snom.mac, snom.ip, none)),
    ] {
        assert_eq!(say_as(&t, SNOM, &forged), [], "{what}");
    }
    // a stranger's interface, a phone's name
    assert_eq!(say_as(&t, STRANGER, &message(INFORM, &snom.mac, t.phone(STRANGER).ip, none)), []);
    let again = say_as(&t, MITEL, &message(INFORM, &mitel.mac, mitel.ip, none));
    assert_eq!(again.len(), 1, "and the next one of its own, too: {again:?}");
    assert_eq!(t.agent().status()["dhcp"]["answered"], 2);
}
