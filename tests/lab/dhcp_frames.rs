//! DHCP as it is on the cable: frames of phones, of strangers, forged ones and garbage. Real servers and clients are in
//! the scenarios of the DHCP server.

use crate::build::{Lab, Test};
use crate::frames::{client, frame, tagged, Card};
use phoneprov::proto::dhcp::{Frame, Kind, Message};
use phoneprov::proto::mac::Mac;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SNOM: &str = "00:04:13:00:00:01";
const STRANGER: &str = "02:00:00:00:00:09";
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const SECOND: Duration = Duration::from_secs(1);

fn lab(name: &str, mode: &str) -> Option<Lab> {
    Test::new(name).phone(SNOM).phone(STRANGER).option("dhcp", mode).start()
}

fn request(mac: Mac, wanted: Ipv4Addr) -> Vec<u8> {
    let options = [(50, &wanted.octets()[..]), (12, b"desk\x1b[31m7"), (60, b"snomD785"), (55, &[1, 3, 66])];
    frame(mac, NOBODY, &client(mac, 3, NOBODY, &options))
}

#[test]
fn a_phone_is_seen_whoever_serves_dhcp() {
    let Some(t) = lab("dhcp-seen", "dnsmasq") else { return };
    let (mut snom, mut stranger) = (Card::of(&t.phone(0).ns), Card::of(&t.phone(1).ns));
    let (own, foreign) = (t.phone(0).ip, t.phone(1).ip);
    stranger.send(&request(stranger.mac, foreign));
    // not from its own interface
    stranger.send(&request(Mac::parse("00:04:13:00:00:77").unwrap(), foreign)[..]);
    let mut forged = request(stranger.mac, foreign);
    forged[6..12].copy_from_slice(&[0, 4, 0x13, 0, 0, 0x66]);
    stranger.send(&forged);
    snom.send(&frame(snom.mac, NOBODY, &client(snom.mac, 1, NOBODY, &[(60, b"snomD785"), (50, &[192, 168, 77, 99])])));
    crate::eventually("the phone is seen", 5 * SECOND, || {
        t.agent().entry(SNOM)["seen_by"] == serde_json::json!(["dhcp"])
    });
    assert!(t.agent().entry(SNOM)["ip"].is_null(), "a DISCOVER has no address");
    snom.send(&request(snom.mac, own));
    crate::eventually("its address", 5 * SECOND, || t.agent().entry(SNOM)["ip"] == own.to_string());
    let entry = t.agent().entry(SNOM);
    assert_eq!((&entry["hostname"], &entry["model"]), (&"desk[31m7".into(), &"D785".into()), "{entry}");
    assert!(t.agent().entry(STRANGER).is_null());
    assert!(t.agent().entry("00:04:13:00:00:66").is_null());
    let log = t.agent().log();
    assert!(!log.contains('\x1b') && log.contains("'desk[31m7' has 192.168.77.11 by DHCP"), "{log}");

    // a priority without a VLAN is this network's; VLAN 5 is another
    let tagged_mac = |last: u8| Mac([0, 4, 0x13, 0, 1, last]);
    snom.send(&tagged(&request(tagged_mac(5), Ipv4Addr::new(192, 168, 77, 55)), 5));
    snom.send(&tagged(&request(tagged_mac(0), Ipv4Addr::new(192, 168, 77, 50)), 0xe000));
    crate::eventually("a tag with a priority", 5 * SECOND, || !t.agent().entry("00:04:13:00:01:00").is_null());
    assert!(t.agent().entry("00:04:13:00:01:05").is_null(), "VLAN 5");
}

#[test]
fn what_is_wrong_with_dhcp_is_told() {
    let Some(t) = lab("dhcp-trouble", "dnsmasq") else { return };
    let mut stranger = Card::of(&t.phone(1).ns);
    let troubles = || t.agent().status()["dhcp"]["troubles"].to_string();
    crate::eventually("nobody serves DHCP", 10 * SECOND, || {
        troubles().contains("no program on this router serves DHCP")
    });
    // a client chooses another server
    let chosen = client(stranger.mac, 3, NOBODY, &[(54, &[192, 168, 77, 254])]);
    stranger.send(&frame(stranger.mac, NOBODY, &chosen));
    let text = "another DHCP server (192.168.77.254) answers on br-lan; its phones do not get option 66: switch it off, or set option dhcp 'responder'";
    crate::eventually("another server", 5 * SECOND, || troubles().contains(text));
    let status = t.agent().status()["dhcp"].take();
    assert_eq!((&status["mode"], &status["state"]), (&"dnsmasq".into(), &"trouble".into()), "{status}");
    assert_eq!(status["servers"][0]["address"], "192.168.77.254");
    for verb in [&["status"][..], &["probe", "--device", "br-lan"]] {
        let out = t.agent().router().inside(|| t.agent().verb(verb));
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(said.contains(text) && said.contains("start dnsmasq"), "{verb:?}: {said}");
    }
    // a server starts; SIGHUP looks again
    let _server = t.agent().router().inside(|| UdpSocket::bind("0.0.0.0:67")).unwrap();
    reload(&t, "dnsmasq", "responder");
    crate::eventually("nothing in the way", 10 * SECOND, || t.agent().status()["dhcp"]["state"] == "ok");
    reload(&t, "responder", "off");
    crate::eventually("off", 5 * SECOND, || t.agent().status()["dhcp"]["state"] == "off");
    let mut snom = Card::of(&t.phone(0).ns);
    snom.send(&request(snom.mac, t.phone(0).ip));
    std::thread::sleep(SECOND / 2);
    assert!(t.agent().entry(SNOM).is_null(), "nothing is watched");
    reload(&t, "off", "dnsmasq");
    crate::eventually("watched again", 10 * SECOND, || {
        snom.send(&request(snom.mac, t.phone(0).ip));
        !t.agent().entry(SNOM).is_null()
    });
}

fn reload(t: &Lab, from: &str, to: &str) {
    let file = t.agent().config_file();
    let text = std::fs::read_to_string(file).unwrap();
    let old = format!("option dhcp '{from}'");
    assert!(text.contains(&old));
    std::fs::write(file, text.replace(&old, &format!("option dhcp '{to}'"))).unwrap();
    let _ = Command::new("kill").args(["-HUP", &t.agent().pid().to_string()]).status();
}

#[test]
fn without_the_right_to_raw_sockets_the_rest_works() {
    let test = Test::new("dhcp-noright").phone(SNOM).option("dhcp", "responder").needs("setpriv");
    let test = test.limit("--core=0").limit("setpriv").limit("--bounding-set=-net_raw");
    let Some(t) = test.start() else { return };
    let text = t.agent().status()["dhcp"]["troubles"][0].as_str().unwrap_or_default().to_string();
    assert!(text.contains("br-lan") && text.contains("CAP_NET_RAW"), "{text}");
    let body = t.put_snom(0, "config");
    assert_eq!(t.phone(0).config().body, body);
}

#[test]
fn an_inform_is_answered_to_its_sender_alone() {
    let Some(t) = lab("dhcp-inform", "responder") else { return };
    let (mut snom, mut stranger) = (Card::of(&t.phone(0).ns), Card::of(&t.phone(1).ns));
    let own = t.phone(0).ip;
    let inform = |mac, ip| frame(mac, ip, &client(mac, 8, ip, &[(55, &[66, 43]), (61, b"\x01me")]));
    snom.send(&inform(snom.mac, own));
    let answers = snom.receive(SECOND);
    assert_eq!(answers.len(), 1);
    let ack = Frame::parse(&answers[0]).unwrap();
    assert_eq!((ack.from, ack.to.ip(), ack.to_mac), ("192.168.77.1:67".parse().unwrap(), &own, snom.mac));
    assert_eq!(ack.from_mac.to_string(), "02:77:00:00:00:01");
    let m = Message::parse(ack.payload).unwrap();
    assert_eq!((m.kind, m.xid, m.ciaddr, m.yiaddr), (Kind::Ack, 0x1234_5678, own, NOBODY));
    assert_eq!(m.codes().collect::<Vec<_>>(), [53, 54, 61, 66]);
    let url = "http://192.168.77.1:8480/snom/settings.php?mac=000413000001\0";
    assert_eq!(m.option(66).unwrap().as_ref(), url.as_bytes());
    assert_eq!(t.agent().status()["dhcp"]["answered"], 1);

    // nobody else: a DISCOVER, a stranger, somebody else's name, an address of another's
    let mut liar = inform(stranger.mac, t.phone(1).ip);
    liar[6..12].copy_from_slice(&snom.mac.0);
    let _ = t.phone(1).connect(); // its MAC is in the neighbour table now
    let other = Mac([0, 4, 0x13, 0, 0, 0x55]);
    for bytes in [
        frame(snom.mac, NOBODY, &client(snom.mac, 1, NOBODY, &[(60, b"snomD785"), (55, &[66])])),
        request(snom.mac, own),
        inform(stranger.mac, t.phone(1).ip),
        liar,
        inform(other, t.phone(1).ip),
        inform(snom.mac, Ipv4Addr::new(10, 1, 1, 1)),
    ] {
        stranger.send(&bytes);
    }
    assert!(snom.receive(SECOND).is_empty() && stranger.receive(SECOND / 2).is_empty());
    assert_eq!(t.agent().status()["dhcp"]["answered"], 1);

    // by an ordinary socket too, whose checksum is left to the network card
    let socket = t.phone(0).ns.inside(|| {
        let socket = UdpSocket::bind((own, 68)).unwrap();
        socket.set_broadcast(true).unwrap();
        socket
    });
    socket.set_read_timeout(Some(5 * SECOND)).unwrap();
    socket.send_to(&client(snom.mac, 8, own, &[]), SocketAddr::from(([255; 4], 67))).unwrap();
    let mut buffer = [0; 2000];
    let (n, from) =
        socket.recv_from(&mut buffer).expect("an answer by the phone's own IP stack: its checksums are right");
    assert_eq!(from, "192.168.77.1:67".parse().unwrap());
    assert!(Message::parse(&buffer[..n]).unwrap().option(66).is_some(), "not asked for, and given");
}

#[test]
fn the_hook_tells_of_leases() {
    let Some(t) = lab("dhcp-hook", "dnsmasq") else { return };
    // the script as it is installed, but for the agent's place; sourced in a subshell, as hotplug-call does
    let own = t.dir().join("phoneprov");
    let call = format!(
        "#!/bin/sh\nexec '{}' \"$@\" --config '{}'\n",
        crate::agent::binary().display(),
        t.agent().config_file().display()
    );
    std::fs::write(&own, call).unwrap();
    crate::netns::run(Command::new("chmod").arg("755").arg(&own));
    let script = include_str!("../../openwrt-package/files/phoneprov.hotplug-dhcp");
    let hook = t.dir().join("50-phoneprov");
    std::fs::write(&hook, script.replace("/usr/sbin/phoneprov", &own.display().to_string())).unwrap();
    let event = |action: &str, mac: &str, ip: &str, name: &str| {
        let begin = Instant::now();
        let status = Command::new("sh")
            .args(["-c", "( . \"$1\" ); exit $?", "sh"])
            .arg(&hook)
            .envs([("ACTION", action), ("MACADDR", mac), ("IPADDR", ip), ("HOSTNAME", name)])
            .env("DNSMASQ_VENDOR_CLASS", "snomD785")
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
        begin.elapsed()
    };
    event("add", SNOM, "192.168.77.44", "$(reboot)`id`\u{1b}x");
    event("add", STRANGER, "192.168.77.45", "pc");
    event("remove", "00:04:13:00:00:02", "192.168.77.46", "gone");
    event("add", "00:04:13:00:00:03", "fd00::1", "six");
    let entry = t.agent().entry(SNOM);
    assert_eq!((&entry["ip"], &entry["hostname"]), (&"192.168.77.44".into(), &"$(reboot)`id`x".into()), "{entry}");
    assert_eq!(t.agent().phones()["phones"].as_array().unwrap().len(), 1);
    // an agent that hangs, and none at all
    let pid = t.agent().pid().to_string();
    let _ = Command::new("kill").args(["-STOP", &pid]).status();
    let hung = event("update", SNOM, "192.168.77.44", "x");
    let _ = Command::new("kill").args(["-CONT", &pid]).status();
    assert!((Duration::from_millis(900)..5 * SECOND).contains(&hung), "{hung:?}");
    t.agent().kill9();
    assert!(event("update", SNOM, "192.168.77.44", "x") < 5 * SECOND);
}

/// Numbers that are the same in each run.
struct Random(u32);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % below.max(1)
    }
}

/// Anything from garbage to a whole packet of a phone.
fn any(r: &mut Random, mac: Mac) -> Vec<u8> {
    let known = if r.next(2) == 0 { mac } else { Mac([0, 4, 0x13, 9, 9, r.next(40) as u8]) };
    let long: Vec<u8> = (0..r.next(256)).map(|_| r.next(256) as u8).collect();
    let ip = Ipv4Addr::new(192, 168, 77, r.next(256) as u8);
    let options = [(50, &ip.octets()[..]), (12, &long), (54, &[192, 168, 77, r.next(256) as u8]), (60, b"snomD785")];
    let kind = r.next(10) as u8;
    let mut payload = client(known, kind, ip, &options[..r.next(5)]);
    for _ in 0..r.next(12) {
        let at = r.next(payload.len());
        payload[at] = r.next(256) as u8;
    }
    payload.truncate(if r.next(4) == 0 { r.next(payload.len()) } else { payload.len() });
    let mut bytes = frame(known, ip, &payload);
    match r.next(4) {
        // what is in it is damaged, the frame is whole
        0 | 1 => {}
        2 => {
            for _ in 0..1 + r.next(8) {
                let at = r.next(bytes.len());
                bytes[at] = r.next(256) as u8;
            }
        }
        _ => {
            bytes = (0..14 + r.next(1486)).map(|_| r.next(256) as u8).collect();
            // else the kernel keeps it
            bytes[12..14].copy_from_slice(&[8, 0]);
            bytes.get_mut(23).into_iter().for_each(|b| *b = 17);
        }
    }
    bytes.resize(bytes.len().max(60), 0);
    bytes
}

#[test]
fn ten_thousand_packets_that_are_none() {
    let test = Test::new("dhcp-flood").phone(SNOM).phone("00:04:13:00:00:02").option("dhcp", "responder");
    let Some(t) = test.option("fresh_for", "600").needs("sipp").quiet().start() else { return };
    let body = t.put_snom(1, "config");
    assert_eq!(t.phone(1).config().body, body);
    let mut card = Card::of(&t.phone(0).ns);
    let mut random = Random(0x9e37_79b9);
    let pid = t.agent().pid();
    let fds = || std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    let mut flood = |count: u32| {
        let begin = Instant::now();
        for i in 1..=count {
            card.send(&any(&mut random, card.mac));
            let due = Duration::from_millis(u64::from(i));
            if i % 10 == 0 {
                std::thread::sleep(due.saturating_sub(begin.elapsed()));
            }
        }
        begin.elapsed()
    };
    flood(1000);
    assert_eq!(t.phone(1).config().body, body);
    let (rss, open) = (t.agent().proc_status("VmRSS"), fds());
    let cpu = crate::process::cpu_seconds(pid);
    let took = std::thread::scope(|scope| {
        let sender = scope.spawn(|| flood(9000));
        let mut asked = 0;
        while !sender.is_finished() {
            let answer = t.phone(1).config();
            assert!(answer.status == 200 && answer.body == body, "{}", answer.text());
            let got = t.phone(1).sipp("snom-d120");
            assert!(got.ok, "{}", got.log);
            asked += 1;
            // one address may send 20 SUBSCRIBEs in 10 s
            std::thread::sleep(SECOND / 2);
        }
        assert!(asked >= 5, "{asked}");
        sender.join().unwrap()
    });
    assert!(took < 12 * SECOND, "at 1,000 a second: {took:?}");
    t.agent().assert_alive();
    crate::eventually("descriptors", 5 * SECOND, || fds() <= open);
    let after = t.agent().proc_status("VmRSS");
    assert!(after < rss + 1024, "{rss} kB became {after} kB");
    let status = t.agent().status();
    assert!(status["dhcp"]["seen"].as_u64().unwrap() > 500, "the flood came in: {}", status["dhcp"]);
    assert!(status["dhcp"]["servers"].as_array().unwrap().len() <= 8);
    assert!(t.agent().events()["events"].as_array().unwrap().iter().filter(|e| e["kind"] == "dhcp").count() <= 62);
    let cpu = crate::process::cpu_seconds(pid) - cpu;
    println!("9,000 packets: {cpu:.2} s of CPU, RSS {rss} -> {after} kB, {}", status["dhcp"]);
}
