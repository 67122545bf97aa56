//! Warm config GETs beside nginx's proxy_cache, 200 phones that want one firmware at once, and the agent at rest.
//! `HTTP_SECONDS` for longer measurements.
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
use faulty::{Fault, Reply, Request, Server};
use rustix::event::epoll;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Connections at once; the agent takes 8 of one address.
const CONNECTIONS: usize = 50;
const PER_ADDRESS: usize = 2;
/// Requests on one connection before the next address has its turn.
const PER_CONNECTION: usize = 100;
/// Addresses of the phones.
const ADDRESSES: usize = 2000;
const CONFIG: usize = 12 * 1024;
const FIRMWARE: usize = 8 * 1024 * 1024;
const FIRMWARE_RATE: usize = 10 * 1024 * 1024;
const FIRMWARE_PHONES: usize = 200;
const NGINX_PORT: u16 = 8481;

fn seconds() -> Duration {
    Duration::from_secs(std::env::var("HTTP_SECONDS").ok().and_then(|v| v.parse().ok()).unwrap_or(5))
}

/// A connection of its own from this address.
fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&to.into(), Duration::from_secs(10))?;
    socket.set_tcp_nodelay(true)?;
    Ok(TcpStream::from(socket))
}

/// One connection of the load.
struct Client {
    stream: TcpStream,
    /// Requests that were answered on this connection.
    answered: usize,
    request: String,
    got: Vec<u8>,
    /// Bytes of the whole answer, once its head is read.
    expected: Option<usize>,
    at: Instant,
}

#[derive(Default)]
struct Load {
    times: Vec<Duration>,
    failed: usize,
    /// How the first of them looked.
    first_failure: Option<String>,
    seconds: f64,
    /// Of the generator itself, to show that it is not what is measured.
    own_cpu: f64,
}

/// Gives the answer's whole length by its head; `None` while the head is not here, an error when it is no 200.
fn expected(got: &[u8]) -> Result<Option<usize>, ()> {
    let Some(end) = got.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&got[..end]).to_ascii_lowercase();
    let length = head.split("content-length:").nth(1).and_then(|v| v.split_whitespace().next()?.parse::<usize>().ok());
    match length {
        Some(n) if head.starts_with("http/1.1 200") => Ok(Some(end + 4 + n)),
        _ => Err(()),
    }
}

/// [`CONNECTIONS`] connections ask for as long as [`seconds`] says, from one thread.
fn load(arena: &Arena, to: SocketAddr, target: &dyn Fn(usize) -> String, keep_alive: bool) -> Load {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    let own = std::process::id();
    let mut result = Load::default();
    let open = |i: usize, from: Ipv4Addr, request: &str| -> io::Result<Client> {
        let mut stream = connect(from, to)?;
        stream.write_all(request.as_bytes())?;
        stream.set_nonblocking(true)?;
        let _ = epoll::add(&poll, &stream, epoll::EventData::new_u64(i as u64), epoll::EventFlags::IN);
        Ok(Client { stream, request: request.into(), got: Vec::new(), expected: None, answered: 0, at: Instant::now() })
    };
    // entering a namespace for each connection would cost the generator more than the request: stay inside
    arena.in_lan(|| {
        let mut clients: Vec<Client> = (0..CONNECTIONS)
            .map(|i| {
                let request = format!(
                    "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Mozilla/4.0 (compatible; snomD385-SIP 10.1.169.16)\r\n{}\r\n",
                    target(i / PER_ADDRESS),
                    to,
                    if keep_alive { "" } else { "Connection: close\r\n" }
                );
                open(i, arena.phone(i / PER_ADDRESS), &request).expect("a connection")
            })
            .collect();
        let (begin, cpu, limit) = (Instant::now(), process::cpu_seconds(own), seconds());
        let mut turn = 0;
        let mut events = Vec::with_capacity(64);
        let mut buffer = vec![0u8; 64 * 1024];
        while begin.elapsed() < limit {
            events.clear();
            let wait = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
            let _ = epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&wait));
            for event in &events {
                let i = event.data.u64() as usize;
                let c = &mut clients[i];
                let ended = match c.stream.read(&mut buffer) {
                    Ok(0) => true,
                    Ok(n) => {
                        c.got.extend_from_slice(&buffer[..n]);
                        if c.expected.is_none() {
                            c.expected = expected(&c.got).unwrap_or(Some(usize::MAX));
                        }
                        false
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(_) => true,
                };
                let whole = c.expected.is_some_and(|n| c.got.len() >= n);
                if whole {
                    result.times.push(c.at.elapsed());
                }
                if !whole && !ended {
                    continue;
                }
                if !whole {
                    result.failed += 1;
                    let seen = String::from_utf8_lossy(&c.got);
                    result.first_failure.get_or_insert(match seen.lines().next() {
                        Some(status) => format!("{status}: {}", seen.lines().last().unwrap_or("")),
                        None => "closed without an answer".into(),
                    });
                }
                c.answered += 1;
                if whole && keep_alive && c.answered < PER_CONNECTION {
                    c.got.clear();
                    c.expected = None;
                    c.at = Instant::now();
                    if c.stream.write_all(c.request.as_bytes()).is_ok() {
                        continue;
                    }
                    result.failed += 1;
                }
                // the agent takes no more of one address than a phone would ever ask
                turn += 1;
                let from = arena.phone((CONNECTIONS + turn) % ADDRESSES);
                let (request, at) = (c.request.clone(), Instant::now());
                if let Ok(mut new) = open(i, from, &request) {
                    new.at = at;
                    clients[i] = new;
                }
            }
        }
        result.seconds = begin.elapsed().as_secs_f64();
        result.own_cpu = process::cpu_seconds(own) - cpu;
    });
    result
}

/// Measures one server in both ways: rows of the table, and requests/s with its memory.
fn measure(
    arena: &Arena,
    name: &str,
    port: u16,
    pids: &[u32],
    target: &dyn Fn(usize) -> String,
    rows: &mut Vec<Vec<String>>,
) -> Vec<(f64, u64, f64)> {
    let mut figures = Vec::new();
    for (way, keep_alive) in [("keep-alive", true), ("new connections", false)] {
        let before = common::cpu(pids);
        let mut l = load(arena, SocketAddr::from((arena.router, port)), target, keep_alive);
        let cpu = common::cpu(pids) - before;
        let (rss, pss) = common::memory(pids);
        if let Some(why) = &l.first_failure {
            println!("  {name}, {way}: the first failure: {why}");
        }
        let rate = l.times.len() as f64 / l.seconds;
        let per_thousand = cpu * 1000.0 / l.times.len().max(1) as f64;
        rows.push(vec![
            format!("{name}, {way}"),
            format!("{rate:.0}"),
            l.failed.to_string(),
            format!("{:.2}", common::percentile(&mut l.times, 50)),
            format!("{:.2}", common::percentile(&mut l.times, 99)),
            format!("{per_thousand:.3}"),
            rss.to_string(),
            pss.to_string(),
            format!("{:.0} %", 100.0 * l.own_cpu / l.seconds),
        ]);
        figures.push((rate, rss, per_thousand));
    }
    figures
}

fn warm_configs(arena: &Arena) {
    let upstream = upstream(arena, 8000, |r| {
        Reply::new(200, bodies::snom(r.target.split("mac=").nth(1).unwrap_or(""), "warm", CONFIG))
    });
    let mut rows = Vec::new();
    let agent = arena.agent("warm", 8000, "\toption fresh_for '3600'\n");
    let target = |i: usize| format!("/snom/settings.php?mac={}", arena.mac(i));
    let ours = measure(arena, "phoneprov", PORT, &[agent.pid()], &target, &mut rows);
    drop(agent);
    let theirs = common::found("nginx", "proxy_cache beside it").then(|| {
        let dir = arena.dir.path().join("nginx");
        fs::create_dir_all(&dir).expect("a folder");
        let d = dir.display();
        let conf = format!(
            "daemon off; user root; worker_processes 1; pid {d}/pid; error_log {d}/error.log;\nevents {{ worker_connections 1024; }}\n\
             http {{ access_log off; client_body_temp_path {d}/t1; proxy_temp_path {d}/t2; fastcgi_temp_path {d}/t3; uwsgi_temp_path {d}/t4; scgi_temp_path {d}/t5;\n\
             proxy_cache_path {d}/cache keys_zone=c:1m; keepalive_requests 1000000; sendfile on;\n\
             server {{ listen {}:{NGINX_PORT}; location /snom/ {{ proxy_pass http://{}:8000/prov/snom/; proxy_cache c; proxy_cache_valid 200 1h; }} }} }}\n",
            arena.router, arena.upstream
        );
        fs::write(dir.join("conf"), conf).expect("written");
        let mut nginx = arena
            .router_command("nginx")
            .arg("-c")
            .arg(dir.join("conf"))
            .arg("-e")
            .arg(dir.join("error.log"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        arena.wait_port(SocketAddr::from((arena.router, NGINX_PORT)), || None);
        let pids = process::family(nginx.id());
        let figures = measure(arena, "nginx proxy_cache", NGINX_PORT, &pids, &target, &mut rows);
        let _ = std::process::Command::new("kill").arg(nginx.id().to_string()).status();
        let _ = nginx.wait();
        figures
    });
    let head = ["", "requests/s", "failed", "p50 ms", "p99 ms", "CPU s/1,000", "RSS kB", "PSS kB", "generator's CPU"];
    common::table(&format!("warm GETs of a {CONFIG} byte config, {CONNECTIONS} connections"), &head, &rows);
    println!("  (a generator near 100 % is the limit itself: compare the CPU columns then)");
    for (i, way) in ["keep-alive", "new connections"].iter().enumerate() {
        let Some((a, b)) = ours.get(i).zip(theirs.as_ref().and_then(|t| t.get(i))) else { continue };
        println!(
            "  {way}: {:.2} of nginx's rate, {:.2} of its memory, {:.2} of its CPU for a request",
            a.0 / b.0,
            a.1 as f64 / b.1.max(1) as f64,
            a.2 / b.2
        );
    }
    drop(upstream);
}

fn upstream(arena: &Arena, port: u16, f: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
    let listener = arena.in_wan(|| TcpListener::bind((arena.upstream, port))).expect("the upstream's port");
    Server::on(listener, Fault::Script(Arc::new(f)), Arc::default())
}

fn firmware_byte(i: usize) -> u8 {
    (i % 251) as u8
}

/// One phone fetches it all: the number of tries it took, or nothing within the time.
fn fetch_firmware(arena: &Arena, phone: usize, until: Instant) -> Option<usize> {
    let mut tries = 0;
    while Instant::now() < until {
        tries += 1;
        let whole = (|| -> io::Result<bool> {
            let mut s = connect(arena.phone(phone), SocketAddr::from((arena.router, PORT)))?;
            s.set_read_timeout(Some(Duration::from_secs(30)))?;
            write!(
                s,
                "GET /mitel/6731i.st HTTP/1.1\r\nHost: {}\r\nUser-Agent: Aastra6731i MAC:00-08-5D-00-00-00 V:3.2.2.56-SIP\r\nConnection: close\r\n\r\n",
                SocketAddr::from((arena.router, PORT))
            )?;
            let mut buffer = vec![0u8; 128 * 1024];
            let mut head = Vec::new();
            let mut at = None;
            loop {
                let n = s.read(&mut buffer)?;
                if n == 0 {
                    return Ok(at == Some(FIRMWARE));
                }
                let body = match at {
                    Some(_) => &buffer[..n],
                    None => {
                        head.extend_from_slice(&buffer[..n]);
                        let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
                        if !head.starts_with(b"HTTP/1.1 200") {
                            return Ok(false);
                        }
                        at = Some(0);
                        &head[end + 4..]
                    }
                };
                let from = at.unwrap_or(0);
                if body.iter().enumerate().any(|(i, b)| *b != firmware_byte(from + i)) {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "not the firmware's bytes"));
                }
                at = Some(from + body.len());
            }
        })();
        match whole {
            Ok(true) => return Some(tries),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => panic!("phone {phone}: {e}"),
            _ => thread::sleep(Duration::from_millis(500)), // as a phone tries again
        }
    }
    None
}

fn firmware(arena: &Arena) -> bool {
    let body: Vec<u8> = (0..FIRMWARE).map(firmware_byte).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let server = upstream(arena, 8001, move |r| {
        if r.target.contains("6731i.st") {
            counter.fetch_add(1, Ordering::SeqCst);
            return Reply::new(200, body.clone()).rate(FIRMWARE_RATE);
        }
        Reply::new(404, "")
    });
    let agent = arena.agent("firmware", 8001, "");
    let idle = process::status(agent.pid(), "VmRSS");
    let begin = Instant::now();
    let until = begin + Duration::from_secs(120);
    let results: Vec<Option<usize>> = thread::scope(|scope| {
        let phones: Vec<_> = (0..FIRMWARE_PHONES)
            .map(|i| scope.spawn(move || arena.in_lan(|| fetch_firmware(arena, i, until))))
            .collect();
        phones.into_iter().map(|p| p.join().unwrap_or(None)).collect()
    });
    let took = begin.elapsed().as_secs_f64();
    let done = results.iter().flatten().count();
    let tries: usize = results.iter().flatten().sum();
    let peak = process::status(agent.pid(), "VmHWM");
    let cpu = common::cpu(&[agent.pid()]);
    let sent = server.sent();
    common::table(
        &format!(
            "{FIRMWARE_PHONES} phones want one firmware of {FIRMWARE} bytes at once; the upstream gives {FIRMWARE_RATE} bytes/s"
        ),
        &[
            "",
            "got it whole",
            "tries",
            "upstream requests",
            "bytes of upstream",
            "s",
            "CPU s",
            "RSS before kB",
            "peak RSS kB",
        ],
        &[vec![
            "phoneprov".into(),
            done.to_string(),
            tries.to_string(),
            asked.load(Ordering::SeqCst).to_string(),
            sent.to_string(),
            format!("{took:.2}"),
            format!("{cpu:.2}"),
            idle.to_string(),
            peak.to_string(),
        ]],
    );
    let good = done == FIRMWARE_PHONES && sent == FIRMWARE as u64 && peak < 24 * 1024;
    if !good {
        println!("  NOT as wanted: all phones, {FIRMWARE} bytes from the upstream, peak under {} kB", 24 * 1024);
    }
    good
}

fn idle(arena: &Arena) {
    let agent = arena.agent("idle", 8002, "");
    thread::sleep(Duration::from_secs(3));
    let before = common::cpu(&[agent.pid()]);
    thread::sleep(Duration::from_secs(3));
    let spent = common::cpu(&[agent.pid()]) - before;
    let size = fs::metadata(common::binary()).map(|m| m.len() / 1024).unwrap_or(0);
    let (rss, pss) = common::memory(&[agent.pid()]);
    let anonymous = process::status(agent.pid(), "RssAnon");
    common::table(
        "at rest",
        &["", "RSS kB", "PSS kB", "of it not the binary's kB", "threads", "CPU s in 3 s", "binary KiB"],
        &[vec![
            "phoneprov".into(),
            rss.to_string(),
            pss.to_string(),
            anonymous.to_string(),
            process::status(agent.pid(), "Threads").to_string(),
            format!("{spent:.2}"),
            size.to_string(),
        ]],
    );
}

fn main() -> ExitCode {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: files.maximum, maximum: files.maximum },
    );
    let arena = Arena::new(ADDRESSES.max(FIRMWARE_PHONES));
    idle(&arena);
    warm_configs(&arena);
    let good = firmware(&arena);
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
