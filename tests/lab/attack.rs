//! The attack drill: somebody on the LAN who wants another phone's config, another phone's place, or the router's time.
//! `hostile.rs` has the clients that break servers, `pnp.rs` who is answered; here is who gets what.

use crate::bodies::{PROVPASS, SIP_PASSWORD};
use crate::build::{Lab, Test};
use crate::http::{self, Answer};
use crate::phone::Phone;
use crate::sip;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

const SNOM: &str = "00:04:13:00:00:01";
const MITEL: &str = "00:08:5d:00:00:02";
const THIEF: &str = "00:04:13:00:66:66";
const HOST: &str = "192.168.77.1:8480";

fn say(p: &Phone, bytes: &[u8]) -> Option<Answer> {
    p.ns.inside(|| http::request(p.agent, bytes, Duration::from_secs(8)).ok())
}

/// Everything that comes back to these bytes, until the agent ends the connection or is silent for two seconds.
fn all_of(p: &Phone, bytes: &[u8]) -> String {
    let mut stream = p.connect().expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    let _ = stream.write_all(bytes);
    let mut all = Vec::new();
    let mut piece = [0u8; 4096];
    while let Ok(n) = stream.read(&mut piece) {
        if n == 0 {
            break;
        }
        all.extend_from_slice(&piece[..n]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// A snom and a Mitel that have their configs, and a thief (phone 2), who is no stranger to the vendors.
fn lab(name: &str) -> Option<Lab> {
    let t = Test::new(name).phone(SNOM).phone(MITEL).phone(THIEF).option("fresh_for", "600").start()?;
    t.put_snom(0, "one");
    t.put_mitel(1, "one");
    t.upstream().put("/prov/snom/fw.bin", vec![9u8; 50_000]);
    assert_eq!(t.phone(0).config().status, 200);
    assert_eq!(t.phone(1).config().status, 200);
    Some(t)
}

fn holds_nothing(what: &str, text: &str) {
    for secret in [PROVPASS, SIP_PASSWORD, "user_000413000001", "user_00085d000002"] {
        assert!(!text.contains(secret), "{what} gave {secret} away:\n{text}");
    }
}

#[test]
fn another_mac_gets_no_ones_config_however_it_asks() {
    let Some(t) = lab("attack-ask") else { return };
    let thief = t.phone(2);
    let snom_agent = t.phone(0).user_agent();
    let mitel_agent = t.phone(1).user_agent();
    let snom = "/snom/settings.php?mac=000413000001";
    let mut heads: Vec<String> = Vec::new();
    for target in [
        snom.to_string(),
        "/snom/settings.php?mac=00:04:13:00:00:01".into(),
        "/snom/settings.php?mac=00-04-13-00-00-01".into(),
        "/snom/settings.php?mac=000413006666&mac=000413000001".into(),
        "/snom/settings.php?mac=000413000001&mac=000413006666".into(),
        "/snom/settings.php?mac=%30%30%30413000001".into(),
        "/snom/settings.php?mac=%2530%2530%2530413000001".into(),
        "/snom/settings.php?MAC=000413000001".into(),
        "/snom/settings.php/x.bin?mac=000413000001".into(),
        "/snom/-/prov/snom/settings.php?mac=000413000001".into(),
        "/snom/settings.php?mac=000413006666#?mac=000413000001".into(),
        "/snom/settings.php;mac=000413000001".into(),
        "/snom//settings.php?mac=000413000001".into(),
        "/mitel/00085D000002.cfg".into(),
        "/mitel/00085d000002.cfg".into(),
        "/mitel/%3000085D000002.cfg".into(),
        "/mitel/%300085D000002.cfg".into(),
        "/mitel/%25300085D000002.cfg".into(),
        "/mitel/mitel/00085D000002.cfg".into(),
        "/snom/../mitel/00085D000002.cfg".into(),
        "/snom/%2e%2e/mitel/00085D000002.cfg".into(),
        "/snom/%252e%252e/mitel/00085D000002.cfg".into(),
        "/snom/..%2fmitel/00085D000002.cfg".into(),
        "/snom/-/prov/mitel/00085D000002.cfg".into(),
        "/mitel/x/00085D000002.cfg".into(),
    ] {
        for agent in [&snom_agent, &mitel_agent, &thief.user_agent(), &"curl/8".to_string()] {
            heads.push(format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {agent}"));
        }
        heads.push(format!("GET {target} HTTP/1.0\r\nUser-Agent: {snom_agent}"));
        heads.push(format!("GET http://{HOST}{target} HTTP/1.1\r\nHost: {HOST}"));
        heads.push(format!("GET http://prov.example.test{target} HTTP/1.1\r\nHost: {HOST}"));
    }
    // by the User-Agent alone
    for target in ["/snom/settings.php", "/snom/", "/mitel/startup.cfg", "/mitel/aastra.cfg", "/mitel/mitel"] {
        for agent in [&snom_agent, &mitel_agent] {
            heads.push(format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {agent}"));
        }
    }
    // by headers that speak for another
    for header in [
        "X-Forwarded-For: 192.168.77.11",
        "Forwarded: for=192.168.77.11",
        "X-Real-IP: 192.168.77.11",
        "X-Original-URL: /snom/settings.php?mac=000413000001",
        "X-Rewrite-URL: /mitel/00085D000002.cfg",
        "X-Mac: 000413000001",
        "Range: bytes=0-100000",
    ] {
        heads.push(format!("GET {snom} HTTP/1.1\r\nHost: {HOST}\r\n{header}"));
        heads.push(format!("GET /snom/settings.php HTTP/1.1\r\nHost: {HOST}\r\n{header}"));
    }
    t.upstream().forget_hits();
    for head in &heads {
        let answer = say(thief, format!("{head}\r\nConnection: close\r\n\r\n").as_bytes());
        let answer = answer.unwrap_or_else(|| panic!("no answer: {head}"));
        assert!(matches!(answer.status, 400 | 403 | 404 | 421 | 429 | 503), "{}: {head}", answer.status);
        holds_nothing(head, &format!("{:?} {}", answer.headers, answer.text()));
        if answer.status == 429 {
            std::thread::sleep(Duration::from_secs(2)); // within its rate, it would have asked slower
        }
    }
    // nothing was asked of the upstream in the name of another
    for hit in t.upstream().hits() {
        let other = ["000413000001", "00085d000002"].iter().any(|m| hit.target.to_ascii_lowercase().contains(m));
        assert!(!other, "{hit:?}");
    }
    // and it is told where the admin looks
    let story = t.agent().phone(SNOM)["events"].to_string();
    assert!(story.contains("192.168.77.13 asked for its config, but that address has another MAC"), "{story}");
    for i in 0..2 {
        assert_eq!(t.phone(i).config().status, 200, "the phones are served as before");
    }
}

#[test]
fn no_request_hides_in_another() {
    let Some(t) = lab("attack-smuggle") else { return };
    let thief = t.phone(2);
    let inner = format!("GET /snom/settings.php?mac=000413000001 HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let length = inner.len();
    for (what, bytes) in [
        ("CL and TE", format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}")),
        ("TE and CL", format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{inner}")),
        ("two CL", format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\nContent-Length: {length}\r\n\r\n{inner}")),
        ("TE twice", format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n{inner}")),
        ("TE with a blank", format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{inner}")),
        ("folded", format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nX: y\r\n Content-Length: 5\r\n\r\n{inner}")),
        ("folded TE", format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{inner}")),
        ("CR in a header", format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nX: y\rContent-Length: 5\r\n\r\n{inner}")),
        ("NUL in a header", format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nX: \0y\r\n\r\n{inner}")),
        ("body of a GET", format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n{inner}")),
        ("chunked body of a GET", format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}")),
        ("two hosts", format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nHost: evil.example\r\n\r\n{inner}")),
        ("no host", format!("GET /a HTTP/1.1\r\n\r\n{inner}")),
        ("CRLF in the path", format!("GET /snom/a%0d%0aHost:%20x HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")),
        ("CRLF in the query", format!("GET /snom/a?x=\r\nX-Evil: y HTTP/1.1\r\nHost: {HOST}\r\n\r\n")),
        ("HTTP/0.9", "GET /snom/settings.php?mac=000413000001\r\n\r\n".to_string()),
    ] {
        let all = all_of(thief, bytes.as_bytes());
        let answers = all.matches("HTTP/1.1 ").count();
        assert_eq!(answers, 1, "{what}: one answer, and the connection ends:\n{all}");
        assert!(all.starts_with("HTTP/1.1 4") || all.starts_with("HTTP/1.1 501"), "{what}: {all}");
        assert!(!all.to_ascii_lowercase().contains("x-evil"), "{what}: {all}");
        holds_nothing(what, &all);
        std::thread::sleep(Duration::from_millis(60));
    }
    // pipelined on one connection each is judged for itself
    let all = all_of(thief, format!("GET /snom/fw.bin HTTP/1.1\r\nHost: {HOST}\r\n\r\n{inner}{inner}").as_bytes());
    assert_eq!((all.matches("HTTP/1.1 200").count(), all.matches("HTTP/1.1 403").count()), (1, 2), "{}", all.len());
    let hits = t.upstream().hits();
    let bad = |target: &str| target.contains("0d") || target.contains('\r') || target == "/a";
    assert!(!hits.iter().any(|h| bad(&h.target)), "{hits:?}");
    t.agent().assert_alive();
}

#[test]
fn a_web_page_in_a_browser_on_the_lan() {
    let Some(t) = lab("attack-browser") else { return };
    let target = t.phone(0).config_target();
    // even from the phone's own address: its browser may be the one that the page runs in
    for (host, header, status) in [
        ("evil.example", "X: y", 421),
        ("evil.example:8480", "X: y", 421),
        ("router.lan:8480", "X: y", 421),
        ("192.168.77.1.evil.example:8480", "X: y", 421),
        ("127.0.0.1:8480", "X: y", 421),
        ("10.77.0.1:8480", "X: y", 421),
        (HOST, "Origin: http://evil.example", 403),
        (HOST, "Origin: null", 403),
        (HOST, "Sec-Fetch-Mode: no-cors", 403),
        (HOST, "Sec-Fetch-Site: cross-site", 403),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{header}\r\nConnection: close\r\n\r\n");
        let answer = say(t.phone(0), request.as_bytes()).expect("an answer");
        assert_eq!(answer.status, status, "{host} {header}: {}", answer.text());
        holds_nothing(host, &answer.text());
    }
    for preflight in ["OPTIONS", "POST", "PUT", "PROPFIND"] {
        let request = format!(
            "{preflight} {target} HTTP/1.1\r\nHost: {HOST}\r\nOrigin: http://evil.example\r\n\
             Access-Control-Request-Method: GET\r\nAccess-Control-Request-Private-Network: true\r\n\r\n"
        );
        let answer = say(t.phone(0), request.as_bytes()).expect("an answer");
        assert!(matches!(answer.status, 403 | 405), "{preflight}: {}", answer.status);
        assert!(!answer.headers.iter().any(|(n, _)| n.to_ascii_lowercase().starts_with("access-control")));
    }
    for answer in [t.phone(0).config(), t.phone(2).get("/snom/fw.bin"), t.phone(2).get("/nobody/")] {
        assert!(!answer.headers.iter().any(|(n, _)| n.to_ascii_lowercase().starts_with("access-control")));
    }
    assert_eq!(t.phone(0).config().status, 200);
}

#[test]
fn from_outside_the_subnet_nobody_gets_anything() {
    let Some(t) = lab("attack-outside") else { return };
    let router = t.agent().router();
    router.sysctl("net/ipv4/ip_forward", "1");
    for device in ["all", "br-lan", "wan"] {
        router.sysctl(&format!("net/ipv4/conf/{device}/rp_filter"), "0");
    }
    // from the WAN, through the router, to its LAN address
    let wan = t.upstream().ns();
    wan.ip("route add 192.168.77.0/24 via 10.77.0.1");
    let target = t.phone(0).config_target();
    let agent: SocketAddr = HOST.parse().expect("an address");
    let got = wan.inside(|| http::get(agent, &target, &[], Duration::from_secs(4)));
    assert!(got.as_ref().is_err() || got.as_ref().is_ok_and(|a| a.status == 403), "{got:?}");
    let at_wan: SocketAddr = "10.77.0.1:8480".parse().expect("an address");
    assert!(wan.inside(|| http::get(at_wan, &target, &[], Duration::from_secs(4))).is_err(), "nobody listens there");
    // on the cable, with an address of another subnet
    let thief = t.phone(2);
    thief.ns.ip("addr add 172.16.5.5/32 dev eth0");
    thief.ns.ip("route replace 192.168.77.1/32 dev eth0 src 172.16.5.5");
    router.ip("route replace 172.16.5.5/32 dev br-lan");
    let answer = thief.get(&target);
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(answer.text().contains("not on a served network"), "{}", answer.text());
}

#[test]
fn the_neighbour_table_is_asked_and_not_guessed() {
    let Some(t) = lab("attack-neighbour") else { return };
    let (phone, thief, router) = (t.phone(0), t.phone(2), t.agent().router());
    // an entry of the same address on another network does not count
    router.ip(&format!("neigh replace {} lladdr {SNOM} dev wan nud permanent", thief.ip));
    assert_eq!(thief.get(&phone.config_target()).status, 403, "the other network's entry");
    // a table that has lost the phone's: its request is decided when the kernel has asked, and is not refused
    for _ in 0..5 {
        let mut stream = phone.connect().expect("a connection");
        std::thread::sleep(Duration::from_millis(600)); // what was read of the table is too old by then
        router.ip("neigh flush dev br-lan");
        let request = format!("GET {} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n", phone.config_target());
        stream.write_all(request.as_bytes()).expect("sent");
        let answer = http::read_answer(&mut stream, Instant::now(), Duration::from_secs(5)).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // one whose MAC nobody finds out: refused, with the reason, after a second and not at once
    let mut stream = phone.connect().expect("a connection");
    phone.ns.sysctl("net/ipv4/conf/eth0/arp_ignore", "8");
    phone.ns.ip(&format!("neigh replace 192.168.77.1 lladdr {} dev eth0 nud permanent", phone.router_mac));
    std::thread::sleep(Duration::from_millis(600));
    router.ip("neigh flush dev br-lan");
    let begin = Instant::now();
    let request = format!("GET {} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n", phone.config_target());
    stream.write_all(request.as_bytes()).expect("sent");
    std::thread::sleep(Duration::from_millis(1500));
    // the answer cannot reach it before it answers ARP again
    phone.ns.sysctl("net/ipv4/conf/eth0/arp_ignore", "0");
    let answer = http::read_answer(&mut stream, begin, Duration::from_secs(15)).expect("an answer");
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(answer.text().contains("the router could not find out yours"), "{}", answer.text());
    assert_eq!(phone.config().status, 200);
}

#[test]
fn a_taken_mac_is_told() {
    let Some(t) = lab("attack-clone") else { return };
    let (phone, thief) = (t.phone(0), t.phone(2));
    assert!(t.agent().entry(SNOM)["conflict"].is_null());
    thief.ns.ip("link set eth0 down");
    thief.ns.ip(&format!("link set eth0 address {SNOM}"));
    thief.ns.ip("link set eth0 up");
    thief.ns.ip("route replace default dev eth0");
    crate::eventually("the bridge has learnt it", Duration::from_secs(10), || {
        thief.try_get(&phone.config_target(), &[]).is_ok_and(|a| a.status == 200)
    });
    let conflict = t.agent().entry(SNOM)["conflict"]["text"].to_string();
    assert!(conflict.contains("192.168.77.13") && conflict.contains("two devices have this MAC"), "{conflict}");
    let text = String::from_utf8_lossy(&t.agent().verb(&["phone", SNOM]).stdout).into_owned();
    assert!(text.contains("two devices have this MAC"), "{text}");
}

#[test]
fn forged_sip_reaches_no_third_host_and_a_flood_of_notifies_nobody() {
    let Some(t) = lab("attack-sip") else { return };
    let (victim, thief) = (t.phone(0), t.phone(2));
    let socket = thief.udp(5060);
    let base = sip::fixture("snom-d120").message(&thief.hex(), thief.ip, 5060);
    let victim_ip = victim.ip.to_string();
    let forged = [
        base.replace(&format!("Contact: <sip:{}", thief.ip), &format!("Contact: <sip:{victim_ip}")),
        base.replace(&thief.ip.to_string(), &victim_ip),
        base.replacen(
            "Via: SIP/2.0/UDP ",
            &format!(
                "Via: SIP/2.0/UDP {victim_ip}:5060;received={victim_ip};maddr={victim_ip};rport=5060;x=SIP/2.0/UDP "
            ),
            1,
        ),
        base.replacen("\r\n", &format!("\r\nRoute: <sip:{victim_ip};lr>\r\nRecord-Route: <sip:{victim_ip};lr>\r\n"), 1),
    ];
    // the kernel's own questions are no answers of the agent
    let router = t.agent().router();
    for phone in [victim, thief] {
        router.ip(&format!("neigh replace {} lladdr {} dev br-lan nud permanent", phone.ip, phone.mac));
    }
    let counter = victim.count_packets();
    for (i, message) in forged.iter().enumerate() {
        let id = sip::call_id(message);
        let message = message.replace(&id, &format!("forged{i}-{id}"));
        socket.send_to(message.as_bytes(), "192.168.77.1:5060").expect("sent");
        socket.send_to(message.as_bytes(), crate::phone::GROUP).expect("sent");
    }
    // a flood of NOTIFYs, responses and other requests: to the agent, and to the group
    let notify = base.replacen("SUBSCRIBE", "NOTIFY", 2);
    let ok = format!("SIP/2.0 200 OK\r\n{}", base.split_once("\r\n").expect("lines").1);
    let cpu = crate::process::cpu_seconds(t.agent().pid());
    let begin = Instant::now();
    let mut sent = 0u32;
    while begin.elapsed() < Duration::from_secs(2) {
        for message in [&notify, &ok] {
            for to in [SocketAddr::from((Ipv4Addr::new(192, 168, 77, 1), 5060)), SocketAddr::V4(crate::phone::GROUP)] {
                sent += u32::from(socket.send_to(message.as_bytes(), to).is_ok());
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let cpu = crate::process::cpu_seconds(t.agent().pid()) - cpu;
    println!("attack: {sent} NOTIFYs and responses in 2 s cost the agent {cpu:.2} s of CPU");
    std::thread::sleep(Duration::from_secs(6)); // until retransmissions have ended
    assert_eq!(counter.packets(), 0, "no packet, not even ARP, to who did not ask");
    drop(counter);
    assert_eq!(t.agent().entry(SNOM)["ip"], victim_ip, "nobody has taken its place");
    t.agent().assert_alive();
    assert_eq!(victim.config().status, 200);
}

#[test]
fn a_thousand_new_macs_a_second_and_five_hundred_slow_clients_while_a_phone_fetches() {
    let test = Test::new("attack-flood").phone(SNOM).phone(MITEL).phone(THIEF).option("fresh_for", "600").quiet();
    let Some(t) = test.start() else { return };
    let body = t.put_snom(0, "one");
    t.put_mitel(1, "one");
    assert_eq!((t.phone(0).config().status, t.phone(1).config().status), (200, 200));
    let (phone, thief) = (t.phone(0), t.phone(2));
    let figures = |when: &str| {
        let (rss, threads) = (t.agent().proc_status("VmRSS"), t.agent().proc_status("Threads"));
        println!("attack: {when}: RSS {rss} kB, {threads} threads");
        (rss, threads)
    };
    let before = figures("before");
    crate::eventually("phone.json of both", Duration::from_secs(3), || {
        t.agent().stored().0.keys().filter(|p| p.ends_with("phone.json")).count() == 2
    });
    std::thread::sleep(Duration::from_millis(300));
    let stored = t.agent().stored();

    // 1,000 MACs a second for 10 s, from 200 addresses
    thief.ns.run("sysctl -q -w net.ipv4.ip_nonlocal_bind=1");
    let sockets: Vec<(Ipv4Addr, UdpSocket)> = (30..230)
        .map(|n| {
            let ip = Ipv4Addr::new(192, 168, 77, n);
            thief.ns.ip(&format!("addr add {ip}/24 dev eth0"));
            (ip, thief.ns.inside(|| UdpSocket::bind((ip, 5060))).expect("a port"))
        })
        .collect();
    let begin = Instant::now();
    let mut times = Vec::new();
    let (mut n, mut peak) = (0usize, 0);
    while begin.elapsed() < Duration::from_secs(10) {
        while (n as u128) < begin.elapsed().as_millis() {
            let (ip, socket) = &sockets[n % sockets.len()];
            let message = sip::fixture("snom-d120").message(&format!("000413{n:06x}"), *ip, 5060);
            let _ = socket.send_to(message.as_bytes(), SocketAddrV4::new(Ipv4Addr::new(192, 168, 77, 1), 5060));
            n += 1;
        }
        if n % 100 == 0 {
            let a = phone.config();
            assert!(a.status == 200 && a.body == body, "{}", a.text());
            times.push(a.elapsed);
        }
        peak = peak.max(t.agent().proc_status("VmRSS"));
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(sockets);
    tell_times(&format!("{n} new MACs in 10 s, GETs of a phone meanwhile"), &mut times);
    let during = figures("after the flood of MACs");
    assert_eq!(t.agent().stored(), stored, "nothing was written to flash");
    let status = t.agent().status();
    assert_eq!(status["phones"]["served"], 2, "{status}");
    assert!(status["phones"]["known"].as_u64() <= Some(4096), "{status}");
    assert!(!t.agent().entry(MITEL).is_null());
    assert!(peak < before.0 + 16 * 1024, "{} kB became {peak} kB", before.0);
    assert_eq!(during.1, before.1, "no thread more");
    let story = t.agent().events()["events"].as_array().cloned().unwrap_or_default();
    assert!(story.iter().any(|e| e["kind"] == "config"), "what was before is still told");

    // 500 connections that send a byte now and then
    let mut slow: Vec<TcpStream> = Vec::new();
    let from: Vec<Ipv4Addr> = (30..230).map(|n| Ipv4Addr::new(192, 168, 77, n)).collect();
    thief.ns.inside(|| {
        for i in 0..500 {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
            let own = SocketAddr::from((from[i % from.len()], 0));
            socket.bind(&own.into()).expect("a port");
            let _ = socket.set_nonblocking(true);
            let _ = socket.connect(&phone.agent.into());
            slow.push(socket.into());
        }
    });
    let begin = Instant::now();
    let mut times = Vec::new();
    let mut lost = 0;
    while begin.elapsed() < Duration::from_secs(12) {
        for s in &mut slow {
            let _ = s.write(b"G");
        }
        let asked = Instant::now();
        match phone.try_get(&phone.config_target(), &[]) {
            Ok(a) if a.status == 200 && a.body == body => times.push(a.elapsed),
            _ => lost += 1,
        }
        std::thread::sleep(Duration::from_millis(200).saturating_sub(asked.elapsed()));
    }
    tell_times("500 slow connections, GETs of a phone meanwhile", &mut times);
    println!("attack: lost answers: {lost}");
    assert_eq!(lost, 0, "the phone has its answer each time");
    let during = figures("with the slow connections");
    drop(slow);
    assert_eq!(during.1, before.1, "no thread more");
    std::thread::sleep(Duration::from_secs(2));
    let after = figures("after");
    assert!(after.0 < before.0 + 16 * 1024, "{} kB became {} kB", before.0, after.0);
    t.agent().assert_alive();
}

fn tell_times(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    if let (Some(median), Some(p99), Some(most)) = (at(50), at(99), times.last()) {
        println!("attack: {what}: {} of them, median {median:.1?}, p99 {p99:.1?}, longest {most:.1?}", times.len());
    }
}

#[test]
fn what_others_could_change_is_refused_and_nothing_is_dumped() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(t) = lab("attack-rest") else { return };
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", t.agent().pid())).expect("limits");
    let core = limits.lines().find(|l| l.starts_with("Max core file size")).unwrap_or("");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    t.agent().kill9();
    let mode = |path: &std::path::Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode")
    };
    let refused = |path: &std::path::Path, bad: u32, good: u32, words: &str| {
        mode(path, bad);
        t.agent().spawn();
        crate::eventually("it ends", Duration::from_secs(5), || t.agent().ended().is_some());
        assert_eq!(t.agent().ended().and_then(|s| s.code()), Some(1));
        assert!(t.agent().log().contains(words), "{}", t.agent().log());
        t.agent().kill9();
        mode(path, good);
    };
    refused(t.agent().state_dir(), 0o777, 0o700, "option state_dir: ");
    refused(t.agent().run_dir(), 0o770, 0o700, "option run_dir: ");
    refused(t.agent().config_file(), 0o666, 0o600, "can be written by others (mode 0666)");
    let check = |t: &Lab| String::from_utf8_lossy(&t.agent().verb(&["check"]).stdout).into_owned();
    mode(t.agent().config_file(), 0o644);
    assert!(check(&t).contains("holds provpass, but others than its owner have access"), "{}", check(&t));
    mode(t.agent().config_file(), 0o600);
    t.agent().start();
    assert_eq!(t.phone(0).config().status, 200);
}
