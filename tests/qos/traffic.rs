//! What runs inside: phones and their media server, and bulk. One kernel, so one clock: delays are exact one way.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// G.711 in RTP: 12 bytes of header and 160 of sound, each 20 ms.
const PACKET: usize = 172;
const EVERY: Duration = Duration::from_millis(20);
/// What is not there so long after the last packet was sent is lost.
const LATEST: Duration = Duration::from_secs(4);
const MEDIA_PORT: u16 = 20_000;
const DOWN: u16 = 5001;
const UP: u16 = 5002;
const FLOOD: u16 = 5003;
/// TCP connections at once in each direction.
const CONNECTIONS: usize = 4;
const BULK_PACKET: usize = 1200;

/// `words` as the script gives them: a role, and its figures.
pub fn play(words: &[String]) -> Result<(), String> {
    let number = |i: usize| words.get(i).and_then(|w| w.parse::<u64>().ok()).ok_or("a number is missing");
    let address = |i: usize| words.get(i).and_then(|w| w.parse::<Ipv4Addr>().ok()).ok_or("an address is missing");
    let ended = match words.first().map(String::as_str) {
        Some("phones") => phones(address(1)?, number(2)?, number(3)?, number(4)?),
        Some("media") => media(number(1)?),
        Some("bulk-server") => bulk_server(number(1)?, number(2)?),
        Some("bulk-client") => bulk_client(address(1)?, number(2)?, number(3)?),
        other => return Err(format!("no role {other:?}")),
    };
    ended.map_err(|e| format!("{words:?}: {e}"))
}

/// One line in one write, or it mixes with another's.
fn tell(line: String) {
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
}

fn clock() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

fn packet(number: u64) -> [u8; PACKET] {
    let mut out = [0xd5; PACKET];
    out[..2].copy_from_slice(&[0x80, 8]);
    out[2..4].copy_from_slice(&(number as u16).to_be_bytes());
    out[12..20].copy_from_slice(&clock().to_be_bytes());
    out
}

/// Nanoseconds on the way.
fn delay(packet: &[u8]) -> Option<u64> {
    let sent = packet.get(12..20)?.try_into().ok().map(u64::from_be_bytes)?;
    Some(clock().saturating_sub(sent))
}

/// Waits for its time. Who was held up (a busy machine) goes on from there: no burst makes up for it.
fn pace(next: &mut Instant, step: Duration) {
    *next += step;
    let now = Instant::now();
    match next.checked_duration_since(now) {
        Some(time) => thread::sleep(time),
        None if now.duration_since(*next) > EVERY * 2 => *next = now,
        None => {}
    }
}

fn report(direction: &str, mut delays: Vec<u64>) {
    delays.sort_unstable();
    let at = |share: f64| {
        delays.get(((delays.len() as f64 * share) as usize).min(delays.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    let mean = delays.iter().sum::<u64>() / (delays.len() as u64).max(1);
    let us: Vec<String> = [mean, at(0.5), at(0.99), at(1.0)].iter().map(|ns| (ns / 1000).to_string()).collect();
    tell(format!("result received {direction} {} {}", delays.len(), us.join(" ")));
}

/// `lines` calls at once, again and again until all `calls` were made; each from a port of its own.
fn phones(server: Ipv4Addr, calls: u64, lines: u64, packets: u64) -> std::io::Result<()> {
    let delays = Arc::new(Mutex::new(Vec::new()));
    let over = Arc::new(AtomicBool::new(false));
    let mut sent = 0u64;
    let mut next = Instant::now();
    let step = EVERY / lines as u32;
    for first in (0..calls).step_by(lines as usize) {
        let mut sockets = Vec::new();
        for _ in first..calls.min(first + lines) {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.connect((server, MEDIA_PORT))?;
            let (reader, delays, over) = (socket.try_clone()?, delays.clone(), over.clone());
            reader.set_read_timeout(Some(LATEST))?;
            thread::spawn(move || {
                let mut buffer = [0; 2048];
                let begin = Instant::now();
                let life = EVERY * packets as u32 + LATEST * 2;
                while !over.load(Ordering::Relaxed) && begin.elapsed() < life {
                    let Ok(n) = reader.recv(&mut buffer) else { continue };
                    let taken = buffer.get(..n).and_then(delay);
                    delays.lock().map(|mut d| d.extend(taken)).unwrap_or(());
                }
            });
            sockets.push(socket);
        }
        for number in 0..packets {
            for line in 0..lines as usize {
                if let Some(socket) = sockets.get(line) {
                    sent += u64::from(socket.send(&packet(number)).is_ok());
                }
                pace(&mut next, step);
            }
        }
    }
    thread::sleep(LATEST);
    over.store(true, Ordering::Relaxed);
    tell(format!("result sent up {sent}"));
    report("down", delays.lock().map(|d| d.clone()).unwrap_or_default());
    Ok(())
}

/// Answers each call as long as the phone's side is, from its first packet on (symmetric RTP, as behind NAT).
fn media(packets: u64) -> std::io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, MEDIA_PORT))?;
    let sent = Arc::new(AtomicU64::new(0));
    let mut known: HashSet<SocketAddr> = HashSet::new();
    let mut delays = Vec::new();
    let mut buffer = [0; 2048];
    let quiet = LATEST + LATEST / 4;
    loop {
        // before the first call there is time
        socket.set_read_timeout(Some(if known.is_empty() { Duration::from_secs(60) } else { quiet }))?;
        let Ok((n, from)) = socket.recv_from(&mut buffer) else { break };
        delays.extend(buffer.get(..n).and_then(delay));
        if known.insert(from) {
            let (socket, sent) = (socket.try_clone()?, sent.clone());
            thread::spawn(move || {
                let mut next = Instant::now();
                for number in 0..packets {
                    sent.fetch_add(u64::from(socket.send_to(&packet(number), from).is_ok()), Ordering::Relaxed);
                    pace(&mut next, EVERY);
                }
            });
        }
    }
    tell(format!("result sent down {}", sent.load(Ordering::Relaxed)));
    report("up", delays);
    Ok(())
}

fn flood(socket: &UdpSocket, to: SocketAddr, kbit: u64) {
    let step = Duration::from_micros(BULK_PACKET as u64 * 8 * 1000 / kbit.max(1));
    let mut next = Instant::now();
    loop {
        let _ = socket.send_to(&[0xaa; BULK_PACKET], to);
        pace(&mut next, step);
    }
}

fn write_on(mut stream: TcpStream) {
    while stream.write_all(&[0x55; 16 * 1024]).is_ok() {}
}

fn read_on(mut stream: TcpStream, count: &AtomicU64) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        count.fetch_add(n as u64, Ordering::Relaxed);
    }
}

/// What arrived, in kbit/s.
fn told_rate(direction: &str, seconds: u64, tcp: &AtomicU64, udp: &AtomicU64) {
    thread::sleep(Duration::from_secs(seconds));
    let rate = |n: &AtomicU64| n.load(Ordering::Relaxed) * 8 / 1000 / seconds.max(1);
    tell(format!("result bulk {direction} {} {}", rate(tcp), rate(udp)));
}

fn bulk_server(kbit: u64, seconds: u64) -> std::io::Result<()> {
    let (tcp, udp) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (down, up) = (TcpListener::bind(("0.0.0.0", DOWN))?, TcpListener::bind(("0.0.0.0", UP))?);
    thread::spawn(move || down.incoming().flatten().for_each(|s| drop(thread::spawn(move || write_on(s)))));
    let count = tcp.clone();
    thread::spawn(move || {
        up.incoming().flatten().for_each(|s| {
            let count = count.clone();
            thread::spawn(move || read_on(s, &count));
        });
    });
    let socket = UdpSocket::bind(("0.0.0.0", FLOOD))?;
    let count = udp.clone();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        let mut begun = false;
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            count.fetch_add(n as u64, Ordering::Relaxed);
            if let (false, Ok(out)) = (begun, socket.try_clone()) {
                begun = true;
                thread::spawn(move || flood(&out, from, kbit));
            }
        }
    });
    told_rate("up", seconds, &tcp, &udp);
    loop {
        thread::park();
    }
}

/// The other side may not listen yet.
fn reach(server: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
    for _ in 0..50 {
        if let Ok(stream) = TcpStream::connect((server, port)) {
            return Ok(stream);
        }
        thread::sleep(Duration::from_millis(100));
    }
    TcpStream::connect((server, port))
}

fn bulk_client(server: Ipv4Addr, kbit: u64, seconds: u64) -> std::io::Result<()> {
    let (tcp, udp) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for _ in 0..CONNECTIONS {
        let (down, up) = (reach(server, DOWN)?, reach(server, UP)?);
        let count = tcp.clone();
        thread::spawn(move || read_on(down, &count));
        thread::spawn(move || write_on(up));
    }
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    let (out, count) = (socket.try_clone()?, udp.clone());
    thread::spawn(move || flood(&out, SocketAddr::from((server, FLOOD)), kbit));
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok(n) = socket.recv(&mut buffer) {
            count.fetch_add(n as u64, Ordering::Relaxed);
        }
    });
    told_rate("down", seconds, &tcp, &udp);
    loop {
        thread::park();
    }
}
