//! After a power cut: 1,000 phones with addresses of their own SUBSCRIBE within one second, and then fetch their
//! configs. Beside it, in the same run on the same machine, the same storm against sipp as a responder.
//! `STORM_PHONES` for another number.
#![forbid(unsafe_code)]

#[path = "../tests/lab/bodies.rs"]
#[allow(dead_code)]
mod bodies;
mod common;
#[path = "../tests/lab/faulty.rs"]
#[allow(dead_code)]
mod faulty;
#[path = "../tests/lab/netns.rs"]
#[allow(dead_code)]
mod netns;
#[path = "../tests/lab/process.rs"]
#[allow(dead_code)]
mod process;

use common::{Arena, PORT};
use faulty::{Fault, Reply, Server};
use rustix::event::epoll;
use socket2::{Domain, SockRef, Socket, Type};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Time after the last SUBSCRIBE in which an answer still counts: phones listen about 5 s.
const LISTEN: Duration = Duration::from_secs(5);

fn subscribe(mac: &str, ip: Ipv4Addr, call: usize) -> String {
    let mac = mac.to_ascii_uppercase();
    format!(
        "SUBSCRIBE sip:MAC%3a{mac}@224.0.1.75 SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:5060;rport\r\n\
         From: <sip:MAC%3a{mac}@224.0.1.75>;tag={call}\r\nTo: <sip:MAC%3a{mac}@224.0.1.75>\r\nCall-ID: {call}@{ip}\r\n\
         CSeq: 1 SUBSCRIBE\r\nEvent: ua-profile;profile-type=\"device\";vendor=\"snom\";model=\"snomD385\";version=\"10.1.169.16\"\r\n\
         Expires: 0\r\nAccept: application/url\r\nContact: <sip:{ip}:5060>\r\nUser-Agent: snomD385/10.1.169.16\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

fn ok_to(notify: &str) -> String {
    let keep = ["via", "from", "to", "call-id", "cseq"];
    let mut s = String::from("SIP/2.0 200 OK\r\n");
    for line in notify.split("\r\n").skip(1).take_while(|l| !l.is_empty()) {
        if keep.contains(&line.split(':').next().unwrap_or("").to_ascii_lowercase().as_str()) {
            s.push_str(line);
            s.push_str("\r\n");
        }
    }
    s + "Content-Length: 0\r\n\r\n"
}

struct Storm {
    /// From SUBSCRIBE to NOTIFY, of those that got one.
    notified: Vec<Duration>,
    /// Phones that got a 200.
    answered: usize,
    /// NOTIFYs beyond the first of a phone.
    repeats: usize,
    /// Time the sending took.
    sending: Duration,
    urls: Vec<Option<String>>,
}

fn storm(arena: &Arena, sockets: &[UdpSocket], to: SocketAddr) -> Storm {
    static CALL: AtomicUsize = AtomicUsize::new(1);
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    for (i, s) in sockets.iter().enumerate() {
        let _ = epoll::add(&poll, s, epoll::EventData::new_u64(i as u64), epoll::EventFlags::IN);
    }
    let messages: Vec<String> = (0..sockets.len())
        .map(|i| subscribe(&arena.mac(i), arena.phone(i), CALL.fetch_add(1, Ordering::Relaxed)))
        .collect();
    let n = sockets.len();
    let mut sent: Vec<Option<Instant>> = vec![None; n];
    let mut answered = vec![false; n];
    let mut notified: Vec<Option<Duration>> = vec![None; n];
    let mut result = Storm { notified: vec![], answered: 0, repeats: 0, sending: Duration::ZERO, urls: vec![None; n] };
    let begin = Instant::now();
    let mut next = 0;
    let mut events = Vec::with_capacity(256);
    let mut buffer = [0u8; 4096];
    let mut last = begin;
    loop {
        // evenly over one second
        while next < n && begin.elapsed().as_secs_f64() >= next as f64 / n as f64 {
            sent[next] = Some(Instant::now());
            let _ = sockets[next].send_to(messages[next].as_bytes(), to);
            next += 1;
            if next == n {
                result.sending = begin.elapsed();
                last = Instant::now();
            }
        }
        let done = notified.iter().filter(|d| d.is_some()).count() == n;
        if next == n && (done || last.elapsed() > LISTEN) {
            break;
        }
        events.clear();
        let wait = rustix::event::Timespec { tv_sec: 0, tv_nsec: 500_000 };
        let _ = epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&wait));
        for event in &events {
            let i = event.data.u64() as usize;
            while let Ok((size, from)) = sockets[i].recv_from(&mut buffer) {
                let now = Instant::now();
                if buffer.starts_with(b"SIP/2.0 200") {
                    answered[i] = true;
                } else if buffer.starts_with(b"NOTIFY ") {
                    let text = String::from_utf8_lossy(&buffer[..size]).into_owned();
                    let _ = sockets[i].send_to(ok_to(&text).as_bytes(), from);
                    if notified[i].is_some() {
                        result.repeats += 1;
                        continue;
                    }
                    notified[i] = sent[i].map(|at| now - at);
                    result.urls[i] = text.split("\r\n\r\n").nth(1).map(str::to_string);
                }
            }
        }
    }
    result.answered = answered.iter().filter(|a| **a).count();
    result.notified = notified.into_iter().flatten().collect();
    result
}

fn row(name: &str, n: usize, s: &mut Storm, cpu: f64, rss: u64) -> Vec<String> {
    let heard = s.notified.len();
    vec![
        name.into(),
        s.answered.to_string(),
        heard.to_string(),
        (n - heard).to_string(),
        s.repeats.to_string(),
        format!("{:.2}", common::percentile(&mut s.notified, 50)),
        format!("{:.2}", common::percentile(&mut s.notified, 99)),
        format!("{:.2}", s.sending.as_secs_f64()),
        format!("{cpu:.2}"),
        rss.to_string(),
    ]
}

const UAS: &str = r#"<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="responder">
 <recv request="SUBSCRIBE"/>
 <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:ROUTER:5060>
Expires: 0
Content-Length: 0

]]></send>
 <send retrans="500"><![CDATA[
NOTIFY sip:phone@lan SIP/2.0
Via: SIP/2.0/UDP ROUTER:5060;branch=[branch];rport
Max-Forwards: 20
From: <sip:pnp@ROUTER>;tag=[call_number]
To: <sip:phone@lan>
[last_Call-ID:]
CSeq: 2 NOTIFY
Contact: <sip:ROUTER:5060>
Event: ua-profile
Subscription-State: terminated;reason=timeout
Content-Type: application/url
Content-Length: [len]

http://ROUTER:8480/snom/settings.php?mac={mac}]]></send>
 <recv response="200"/>
</scenario>
"#;

/// GETs of all phones by 48 askers at a time: (times of the good ones, failures, all of it).
fn fetch(arena: &Arena, urls: &[Option<String>]) -> (Vec<Duration>, usize, Duration) {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let times = Mutex::new(Vec::new());
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..48 {
            scope.spawn(|| {
                arena.in_lan(|| loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(url) = urls.get(i) else { return };
                    let at = Instant::now();
                    match url.as_deref().and_then(|u| get(arena, i, u)) {
                        Some(()) => times.lock().unwrap().push(at.elapsed()),
                        None => {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            });
        }
    });
    (times.into_inner().unwrap(), failed.into_inner(), begin.elapsed())
}

/// One GET from the phone's own address; none unless it is its config, whole.
fn get(arena: &Arena, i: usize, url: &str) -> Option<()> {
    let target = url.strip_prefix("http://")?.split_once('/').map(|(_, t)| format!("/{t}"))?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    socket.bind(&SocketAddr::from((arena.phone(i), 0)).into()).ok()?;
    socket.connect_timeout(&SocketAddr::from((arena.router, PORT)).into(), Duration::from_secs(20)).ok()?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {}:{PORT}\r\nUser-Agent: Mozilla/4.0 (compatible; snomD385-SIP 10.1.169.16)\r\nConnection: close\r\n\r\n", arena.router).ok()?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all).ok()?;
    let text = String::from_utf8_lossy(&all);
    let own = text.to_ascii_lowercase().contains(&arena.mac(i));
    (text.starts_with("HTTP/1.1 200") && own && text.trim_end().ends_with("</settings>")).then_some(())
}

fn main() -> ExitCode {
    let phones = std::env::var("STORM_PHONES").ok().and_then(|v| v.parse().ok()).unwrap_or(1000);
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: files.maximum, maximum: files.maximum },
    );
    let arena = Arena::new(phones);
    let hits = Arc::default();
    let listener = arena.in_wan(|| TcpListener::bind((arena.upstream, 8000))).expect("the upstream's port");
    let script = |r: &faulty::Request| {
        let mac: String = r.target.split("mac=").nth(1).unwrap_or("").chars().take(12).collect();
        Reply::new(200, bodies::snom(&mac.to_ascii_lowercase(), "storm", 12_000))
    };
    let _upstream = Server::on(listener, Fault::Script(Arc::new(script)), Arc::clone(&hits));
    let sockets: Vec<UdpSocket> = arena.in_lan(|| {
        (0..phones)
            .map(|i| {
                let s = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
                s.set_reuse_address(true).expect("an option"); // on loopback the agent has the same port
                s.bind(&SocketAddr::from((arena.phone(i), 5060)).into()).expect("a phone's port");
                let s = UdpSocket::from(s);
                s.set_nonblocking(true).expect("nonblocking");
                let _ = SockRef::from(&s).set_multicast_if_v4(&arena.phone(i));
                s
            })
            .collect()
    });
    let probe = arena.in_lan(|| UdpSocket::bind((arena.phone(0), 5061))).expect("a port");
    let _ = SockRef::from(&probe).set_multicast_if_v4(&arena.phone(0));
    let group = arena.group();
    let mut rows = Vec::new();

    let agent = arena.agent("agent", 8000, "\toption fresh_for '600'\n");
    arena.wait_pnp(&subscribe(&arena.mac(phones), arena.phone(0), 0), &probe, group);
    let before = common::cpu(&[agent.pid()]);
    let mut heard = storm(&arena, &sockets, group);
    let lost = phones - heard.notified.len();
    let cpu = common::cpu(&[agent.pid()]) - before;
    rows.push(row("phoneprov", phones, &mut heard, cpu, process::status(agent.pid(), "VmHWM")));

    let mut gets = Vec::new();
    let mut failures = 0;
    // cold: each config is fetched from the upstream and stored; warm: both are done
    for name in ["cold", "warm"] {
        let before = common::cpu(&[agent.pid()]);
        let (mut times, failed, all) = fetch(&arena, &heard.urls);
        failures += failed;
        gets.push(vec![
            format!("phoneprov, {name}"),
            times.len().to_string(),
            failed.to_string(),
            format!("{:.2}", common::percentile(&mut times, 50)),
            format!("{:.2}", common::percentile(&mut times, 99)),
            format!("{:.2}", all.as_secs_f64()),
            format!("{:.2}", common::cpu(&[agent.pid()]) - before),
            process::status(agent.pid(), "VmHWM").to_string(),
        ]);
    }
    drop(agent);

    if common::found("sipp", "the responder beside it") {
        arena.join_group(true);
        let work = arena.dir.path().join("sipp");
        fs::create_dir_all(&work).expect("a folder");
        fs::write(work.join("uas.xml"), UAS.replace("ROUTER", &arena.router.to_string())).expect("written");
        let mut sipp = arena
            .router_command("sipp")
            .current_dir(&work)
            .args([
                "-sf",
                "uas.xml",
                "-nostdin",
                "-t",
                "u1",
                "-p",
                "5060",
                "-i",
                if arena.is_loopback() { "127.0.0.1" } else { "0.0.0.0" },
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp starts");
        arena.wait_pnp(&subscribe(&arena.mac(phones), arena.phone(0), 0), &probe, group);
        let before = common::cpu(&[sipp.id()]);
        let mut heard = storm(&arena, &sockets, group);
        let cpu = common::cpu(&[sipp.id()]) - before;
        rows.push(row("sipp responder", phones, &mut heard, cpu, process::status(sipp.id(), "VmHWM")));
        let _ = sipp.kill();
        let _ = sipp.wait();
        arena.join_group(false);
    }
    let head = ["", "200", "NOTIFY", "lost", "repeats", "p50 ms", "p99 ms", "sent in s", "CPU s", "peak RSS kB"];
    common::table(
        &format!("storm: {phones} phones SUBSCRIBE within one second, p50 and p99 to the NOTIFY"),
        &head,
        &rows,
    );
    let head = ["", "good", "failed", "p50 ms", "p99 ms", "all in s", "CPU s", "peak RSS kB"];
    common::table(&format!("then: {phones} phones GET 12 KB each, 48 at a time"), &head, &gets);
    println!("  the upstream was asked {} times", hits.lock().unwrap().len());
    if lost > 0 || failures > 0 {
        println!("\nNOT all answered: {lost} phones without NOTIFY, {failures} GETs failed");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
