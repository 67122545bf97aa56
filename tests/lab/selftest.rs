//! The lab tests itself: a fault that is not the fault it says, or a sipp that says yes to anything, proves nothing.

use crate::agent::Stored;
use crate::build::{Lab, Test};
use crate::dhcp_client::{Ask, CLIENTS, PROGRAMS};
use crate::dhcp_packet::Capture;
use crate::dhcpd::Spec;
use crate::eventually;
use crate::faulty::{Fault, Reply};
use crate::http::{self, Answer};
use crate::netns::run;
use crate::phone::{GROUP, PATIENCE};
use crate::sip;
use crate::upstream::{Upstream, ADDRESS};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// As the agent would ask, from the router.
fn ask(t: &Lab, patience: Duration) -> io::Result<Answer> {
    let target = "/prov/snom/settings.php?mac=000413000001";
    t.agent().router().inside(|| http::get(SocketAddr::from((ADDRESS, 80)), target, &[("User-Agent", "lab")], patience))
}

#[test]
fn upstream_is_nginx_and_counts() {
    let Some(t) = Test::new("self-nginx").phone("00:04:13:00:00:01").without_agent().start() else { return };
    let body = t.put_snom(0, "one");
    let other = b"for all".to_vec();
    t.upstream().put("/prov/snom/settings.php", other.clone());
    let a = t.agent().router().inside(|| {
        http::get(SocketAddr::from((ADDRESS, 80)), "/prov/snom/settings.php?mac=000413000001", &[], PATIENCE)
    });
    assert_eq!(a.unwrap().body, body);
    assert!(ask(&t, PATIENCE).unwrap().whole);
    let hits = t.upstream().hits();
    assert_eq!((hits.len(), hits[1].status, hits[1].user_agent.as_str()), (2, 200, "lab"), "{hits:?}");
    assert_eq!(hits[1].target, "/prov/snom/settings.php?mac=000413000001");
    t.upstream().forget_hits();
    assert!(t.upstream().hits().is_empty());
    // validators move with each put
    let tag = |t: &Lab| ask(t, PATIENCE).unwrap().header("ETag").map(str::to_string);
    let first = tag(&t);
    t.put_snom(0, "two");
    assert_ne!(first, tag(&t));
}

#[test]
fn each_fault_is_what_it_says() {
    let Some(t) = Test::new("self-faults").phone("00:04:13:00:00:01").without_agent().start() else { return };
    let body = t.put_snom(0, "good");
    let short = Duration::from_millis(600);
    let fail = |f: Fault| {
        t.upstream().fail(f);
        ask(&t, short)
    };
    assert_eq!(fail(Fault::Refused).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(fail(Fault::Blackholed).unwrap_err().kind(), io::ErrorKind::TimedOut);
    t.upstream().heal();
    assert_eq!(ask(&t, PATIENCE).unwrap().body, body);
    assert!(fail(Fault::LinkDown).is_err());
    assert_eq!(fail(Fault::Silent).unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(fail(Fault::Rst).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let cut = fail(Fault::Truncated).unwrap();
    assert!(!cut.whole && cut.status == 200 && !cut.body.is_empty());
    let cut = fail(Fault::TruncatedChunked).unwrap();
    assert!(cut.header("Transfer-Encoding") == Some("chunked") && !cut.text().ends_with("0\r\n\r\n"));
    for status in [500, 404, 401] {
        assert_eq!(fail(Fault::Status(status)).unwrap().status, status);
    }
    let empty = fail(Fault::EmptyOk).unwrap();
    assert!(empty.status == 200 && empty.whole && empty.body.is_empty());
    assert!(fail(Fault::HtmlOk).unwrap().text().contains("<html>"));
    assert_eq!(fail(Fault::EndlessBody).unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(fail(Fault::EndlessHeaders).unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(fail(Fault::RedirectLoop).unwrap().header("Location").unwrap().starts_with("/prov/snom/settings.php"));
    assert!(fail(Fault::RedirectElsewhere).unwrap().header("Location").unwrap().starts_with("http://other.example."));
    assert_eq!(fail(Fault::Drip).unwrap_err().kind(), io::ErrorKind::TimedOut);
    t.upstream().heal();
    assert_eq!(ask(&t, PATIENCE).unwrap().body, body);
}

#[test]
fn certificates_are_what_they_say() {
    let Some(t) = Test::new("self-tls")
        .phone("00:04:13:00:00:01")
        .needs("curl")
        .upstream(Upstream::nginx().https())
        .without_agent()
        .start()
    else {
        return;
    };
    t.upstream().put("/x", "yes");
    let ca = crate::tls::folder().join("ca.pem");
    let curl = || {
        let out = t
            .agent()
            .router()
            .command("curl")
            .args(["-sS", "--cacert"])
            .arg(&ca)
            .arg("https://prov.example.test/x")
            .output();
        let out = out.expect("curl runs");
        (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    assert_eq!(curl().0, "yes");
    for (fault, word) in [
        (Fault::ExpiredCert, "expired"),
        (Fault::WrongName, "no alternative certificate subject name matches"),
        (Fault::UnknownCa, "unable to get local issuer"),
    ] {
        t.upstream().fail(fault);
        let (body, why) = curl();
        assert!(body.is_empty() && why.contains(word), "{word}: {why}");
    }
    t.upstream().heal();
    assert_eq!(curl().0, "yes");
}

#[test]
fn scripted_upstream() {
    let script = |r: &crate::faulty::Request| Reply::new(203, format!("{} {}", r.method, r.target)).header("X-A", "b");
    let Some(t) = Test::new("self-script").without_agent().upstream(Upstream::script(script)).start() else { return };
    let a = ask(&t, PATIENCE).unwrap();
    assert_eq!((a.status, a.text().as_str()), (203, "GET /prov/snom/settings.php?mac=000413000001"));
    assert_eq!(a.header("x-a"), Some("b"));
    assert_eq!(t.upstream().hits().len(), 1);
}

/// A responder with which real phones are known to be content (phone-facts 1.5), as the smallest stand-in.
fn respond(socket: &UdpSocket, url: &str, stop: &AtomicBool) {
    let mut buffer = [0u8; 4096];
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    while !stop.load(Ordering::SeqCst) {
        let Ok((n, from)) = socket.recv_from(&mut buffer) else { continue };
        let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
        if !text.starts_with("SUBSCRIBE ") {
            continue;
        }
        let h = |name: &str| sip::header(&text, name).unwrap_or("").to_string();
        let (via, f, to, id, cseq) = (h("Via"), h("From"), h("To"), h("Call-ID"), h("CSeq"));
        let head = format!("Via: {via}\r\nFrom: {f}\r\nTo: {to};tag=lab\r\nCall-ID: {id}\r\nCSeq: {cseq}\r\n");
        let _ =
            socket.send_to(format!("SIP/2.0 200 OK\r\n{head}Expires: 0\r\nContent-Length: 0\r\n\r\n").as_bytes(), from);
        let _ = socket.send_to(
            format!(
                "NOTIFY sip:{from} SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.77.1:5060;branch=z9hG4bKlab;rport\r\nMax-Forwards: 20\r\n\
                 From: {to};tag=lab\r\nTo: {f}\r\nCall-ID: {id}\r\nCSeq: 2 NOTIFY\r\nContact: <sip:192.168.77.1:5060>\r\n\
                 Event: {}\r\nSubscription-State: terminated;reason=timeout\r\nContent-Type: application/url\r\n\
                 Content-Length: {}\r\n\r\n{url}",
                h("Event"),
                url.len()
            )
            .as_bytes(),
            from,
        );
    }
}

#[test]
fn sipp_speaks_every_fixture_and_hears_silence() {
    let Some(t) = Test::new("self-sipp").phone("00:04:13:00:00:01").needs("sipp").without_agent().start() else {
        return;
    };
    let phone = t.phone(0);
    let silent = phone.sipp("snom-d120");
    assert!(!silent.ok && silent.url.is_none(), "nobody is there: {silent:?}");
    let socket = t.agent().router().inside(|| {
        let s = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        s.set_reuse_address(true).unwrap();
        s.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060)).into()).unwrap();
        s.join_multicast_v4(GROUP.ip(), &"192.168.77.1".parse().unwrap()).unwrap();
        UdpSocket::from(s)
    });
    let stop = AtomicBool::new(false);
    let url = "http://192.168.77.1:8480/snom/settings.php?mac=000413000001";
    thread::scope(|scope| {
        scope.spawn(|| respond(&socket, url, &stop));
        let counter = phone.count_packets();
        for f in sip::FIXTURES {
            let got = phone.sipp(f.name);
            assert!(got.ok, "{}: {}", f.name, got.log);
            assert_eq!(got.url.as_deref(), Some(url), "{}: {}", f.name, got.log);
            assert!(got.notify.as_deref().is_some_and(|n| sip::body(n) == url), "{}: {:?}", f.name, got.notify);
            assert!(got.answer.as_deref().is_some_and(|a| a.contains("CSeq: ")), "{}: {:?}", f.name, got.answer);
        }
        assert!(counter.packets() >= 2 * sip::FIXTURES.len() as u64);
        let from = phone.sipp_from("yealink-t21p", 5059);
        assert!(from.ok && from.answer.unwrap().contains(&format!("Via: SIP/2.0/UDP {}:5059", phone.ip)));
        stop.store(true, Ordering::SeqCst);
    });
    drop(socket);
    let begin = Instant::now();
    let message = sip::fixture("snom-d120").message(&phone.hex(), phone.ip, 5060);
    assert!(phone.subscribe(&message, 5060, Duration::from_millis(300), 1).is_empty());
    assert!(begin.elapsed() >= Duration::from_millis(300));
}

#[test]
fn fixtures_become_the_phones_own() {
    let ip = Ipv4Addr::new(192, 168, 77, 11);
    for f in sip::FIXTURES {
        let m = f.message("000413c0ffee", ip, 5080);
        assert!(m.contains("192.168.77.11"), "{m}");
        assert!(f.name == "audiocodes" || m.to_ascii_lowercase().contains("000413c0ffee"), "{m}");
        for old in ["192.168.1", "192.168.0.", "10.0.0.", "10.13.", "00135E", "0004136ABCDE", ":5060", "80:5e"] {
            let rest = m.replace("sip:224.0.1.75:5060", "");
            assert!(!rest.contains(old), "{}: {old} is still in\n{m}", f.name);
        }
        assert_ne!(sip::call_id(&m), sip::call_id(&f.message("000413c0ffee", ip, 5080)));
    }
}

#[test]
fn phones_have_their_mac_and_a_way_to_the_router() {
    let Some(t) = Test::new("self-lan").phone("00:04:13:00:00:01").phone("00:08:5d:00:00:02").without_agent().start()
    else {
        return;
    };
    let listener = t.agent().router().inside(|| std::net::TcpListener::bind("192.168.77.1:8480")).unwrap();
    for p in t.phones() {
        p.connect().unwrap();
        let (_, from) = listener.accept().unwrap();
        assert_eq!(from.ip(), p.ip);
        let neighbours = t.agent().router().ip(&format!("neigh show {}", p.ip));
        assert!(neighbours.contains(&p.mac), "{neighbours}");
    }
    assert!(t.phone(0).ns.run("cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6").starts_with('1'));
}

/// DHCP clients like to write into /etc/resolv.conf and to keep their leases where others find them; and the machine's own
/// devices are not theirs.
#[test]
fn dhcp_clients_leave_nothing_on_the_machine() {
    let test = Test::new("self-dhcp").phone_by_dhcp("00:04:13:00:00:01", "br-lan").without_agent();
    let Some(t) = PROGRAMS.iter().fold(test, |test, program| test.needs(program)).start() else { return };
    let machine = || {
        let places = ["/etc/resolv.conf", "/run/dhcpcd", "/run/resolvconf", "/var/lib/dhcp", "/var/lib/dhcpcd"];
        let files = places.map(|place| Stored::of(Path::new(place)));
        (files, std::fs::read("/proc/sys/kernel/hostname").expect("a name"))
    };
    let before = machine();
    let _server = Spec::lan().start(t.agent().router(), &t.dir().join("dnsmasq"));
    let cable = Capture::start(&t.phone(0).ns, "eth0", &t.dir().join("phone.pcap"));
    for client in CLIENTS {
        let lease = Ask::by(client).hostname("x").class("y").option(66).lease(t.phone(0), &cable);
        let first = &lease.packets[0];
        assert_eq!((first.option(12), first.option(60)), (Some(&b"x"[..]), Some(&b"y"[..])), "{client:?}: {first:?}");
        assert!([1, 3, 6, 66].iter().all(|n| lease.asked().contains(n)), "{client:?}: {first:?}");
        // our reader and tshark see the same
        let seen = cable.tshark("dhcp.option.dhcp == 5", &["dhcp.ip.your", "dhcp.hw.mac_addr"]);
        let last = seen.last().expect("an ACK");
        assert_eq!((&last[0], &last[1]), (&lease.ip().to_string(), &t.phone(0).mac), "{client:?}");
        eventually(&format!("{client:?} ends"), Duration::from_secs(3), || {
            let pids = run(Command::new("ip").args(["netns", "pids", t.phone(0).ns.name()]));
            let names =
                pids.lines().map(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default());
            names.filter(|name| name.trim() != "tcpdump").count() == 0
        });
    }
    assert_eq!(machine(), before);
}
