//! The soak: 300 phones that boot again and again, for as long as `SOAK_MINUTES` says, while their configs change, the
//! upstream fails in turn, the device goes and comes back, and the config is read again. Every boot must end with a
//! config; memory and open files must be at the end what they were at the begin. `make soak MINUTES=60`.

use crate::bodies;
use crate::build::{Lab, Test};
use crate::faulty::Fault;
use crate::http;
use crate::phone::{ok_to, GROUP};
use crate::sip;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

const PHONES: usize = 300;
const WORKERS: usize = 8;
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 80, 1);

fn hex(i: usize) -> String {
    format!("00041301{i:04x}")
}

fn address(i: usize) -> Ipv4Addr {
    let [a, b] = (i as u16 + 16).to_be_bytes();
    Ipv4Addr::new(192, 168, 80 + a, b)
}

/// 300 interfaces in the namespace of phone 0, each with a MAC and an address of its own that it speaks with.
fn plug_in(t: &Lab) {
    t.agent().router().ip(&format!("addr add {ROUTER}/22 dev br-lan"));
    let ns = &t.phone(0).ns;
    for (key, value) in [("arp_ignore", "1"), ("arp_announce", "2"), ("rp_filter", "0")] {
        ns.sysctl(&format!("net/ipv4/conf/all/{key}"), value);
        ns.sysctl(&format!("net/ipv4/conf/default/{key}"), value);
    }
    let mut batch = String::new();
    for i in 0..PHONES {
        let (hex, ip, table) = (hex(i), address(i), 1000 + i);
        let pairs: Vec<&str> = (0..6).map(|n| &hex[2 * n..2 * n + 2]).collect();
        batch += &format!("link add link eth0 name mv{i} address {} type macvlan mode bridge\n", pairs.join(":"));
        batch += &format!("addr add {ip}/32 dev mv{i}\nlink set mv{i} up\n");
        batch += &format!("route add default dev mv{i} table {table}\nrule add from {ip} table {table}\n");
    }
    let file = t.dir().join("batch");
    fs::write(&file, batch).expect("written");
    crate::netns::run(Command::new("ip").args(["-n", ns.name(), "-batch"]).arg(&file));
}

fn put(t: &Lab, i: usize, version: u32) {
    let body = bodies::snom(&hex(i), &format!("version {version}"), 6_000);
    t.upstream().put_of("/prov/snom/settings.php", &hex(i), body);
}

/// One boot: SUBSCRIBE until there is a NOTIFY, and GET. What went wrong, if something did.
fn boot(i: usize) -> Result<(), String> {
    let ip = address(i);
    let socket = UdpSocket::bind((ip, 5060)).map_err(|e| format!("{ip}: {e}"))?;
    socket2::SockRef::from(&socket).set_multicast_if_v4(&ip).map_err(|e| e.to_string())?;
    socket.set_read_timeout(Some(Duration::from_millis(1000))).map_err(|e| e.to_string())?;
    let message = sip::fixture("snom-d120").message(&hex(i), ip, 5060);
    let mut buffer = [0u8; 4096];
    let mut url = None;
    // real ones repeat it too
    'tries: for _ in 0..4 {
        socket.send_to(message.as_bytes(), GROUP).map_err(|e| e.to_string())?;
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
            if text.starts_with("NOTIFY ") {
                let _ = socket.send_to(ok_to(&text).as_bytes(), from);
                url = Some(sip::body(&text).to_string());
                break 'tries;
            }
        }
    }
    let url = url.ok_or("no NOTIFY")?;
    let target = url.strip_prefix(&format!("http://{ROUTER}:8480")).ok_or_else(|| format!("another router: {url}"))?;
    let answer = get(ip, target)?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let own = text.contains(&format!("user_{}", hex(i))) && text.ends_with("</settings>\n");
    match (answer.status, own) {
        (200, true) => Ok(()),
        (status, _) => Err(format!("status {status}, {:?}: {:.200}", answer.header("X-Phoneprov"), text)),
    }
}

fn get(ip: Ipv4Addr, target: &str) -> Result<http::Answer, String> {
    let limit = Duration::from_secs(20);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).map_err(|e| e.to_string())?;
    socket.bind(&SocketAddr::from((ip, 0)).into()).map_err(|e| e.to_string())?;
    let to = SocketAddr::from((ROUTER, 8480));
    socket.connect_timeout(&to.into(), limit).map_err(|e| format!("connect: {e}"))?;
    let mut stream = std::net::TcpStream::from(socket);
    let head = format!("GET {target} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: soak\r\nConnection: close\r\n\r\n");
    std::io::Write::write_all(&mut stream, head.as_bytes()).map_err(|e| format!("send: {e}"))?;
    http::read_answer(&mut stream, Instant::now(), limit).map_err(|e| format!("answer: {e}"))
}

/// RSS in kB, open files, threads.
type Sample = (u64, u64, u64);

fn sample(t: &Lab) -> Sample {
    let files = fs::read_dir(format!("/proc/{}/fd", t.agent().pid())).map_or(0, |d| d.count() as u64);
    (t.agent().proc_status("VmRSS"), files, t.agent().proc_status("Threads"))
}

fn told(what: &str, of: &[Sample]) -> Sample {
    let n = of.len().max(1) as u64;
    let mean = |f: fn(&Sample) -> u64| of.iter().map(f).sum::<u64>() / n;
    let most = |f: fn(&Sample) -> u64| of.iter().map(f).max().unwrap_or(0);
    let (rss, files, threads) = (mean(|s| s.0), most(|s| s.1), most(|s| s.2));
    println!(
        "soak: {what}: RSS {rss} kB (at most {} kB), at most {files} open files and {threads} threads",
        most(|s| s.0)
    );
    (rss, files, threads)
}

#[test]
#[ignore = "takes as long as SOAK_MINUTES says: make soak"]
fn soak() {
    let minutes: u64 = std::env::var("SOAK_MINUTES").ok().and_then(|v| v.parse().ok()).unwrap_or(1);
    let test = Test::new("soak").phone("00:04:13:00:00:01").option("fresh_wait", "1").option("cache_max", "16384");
    let Some(t) = test.quiet().start() else { return };
    plug_in(&t);
    (0..PHONES).for_each(|i| put(&t, i, 0));
    crate::eventually("the second network is served", Duration::from_secs(10), || {
        t.agent().status()["devices"].to_string().contains("192.168.80.1/22")
    });
    let ns = &t.phone(0).ns;
    // each has a config before anything fails
    for i in 0..PHONES {
        ns.inside(|| boot(i)).unwrap_or_else(|why| panic!("phone {i}: {why}\n{}", t.agent().log()));
    }
    crate::eventually("all is on flash", Duration::from_secs(20), || {
        t.agent().status()["phones"]["served"] == PHONES as u64
    });
    println!("soak: {PHONES} phones have their configs; {minutes} min of trouble begin");

    let (over, boots) = (AtomicBool::new(false), AtomicU32::new(0));
    let lost: Mutex<Vec<String>> = Mutex::default();
    // held for reading during a boot: the device flaps between boots, since no answer comes over a cable that is out
    let cable = RwLock::new(());
    let mut samples: Vec<Sample> = Vec::new();
    let (mut changes, mut faults, mut flaps, mut reloads) = (0u32, 0u32, 0u32, 0u32);
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (over, boots, lost, cable) = (&over, &boots, &lost, &cable);
            scope.spawn(move || {
                ns.inside(|| {
                    let mut i = worker;
                    while !over.load(Ordering::Relaxed) {
                        let plugged = cable.read().expect("not poisoned");
                        if let Err(why) = boot(i) {
                            lost.lock().expect("not poisoned").push(format!("phone {i}: {why}"));
                        }
                        drop(plugged);
                        boots.fetch_add(1, Ordering::Relaxed);
                        // each phone has one worker
                        i = if i + WORKERS < PHONES { i + WORKERS } else { worker };
                        thread::sleep(Duration::from_millis(20));
                    }
                });
            });
        }
        let (begin, end) = (Instant::now(), Duration::from_secs(minutes * 60));
        let mut second = 0u32;
        while begin.elapsed() < end {
            thread::sleep(Duration::from_secs(1).saturating_sub(begin.elapsed() - Duration::from_secs(second.into())));
            second += 1;
            samples.push(sample(&t));
            for _ in 0..3 {
                changes += 1;
                put(&t, (changes as usize * 7) % PHONES, changes);
            }
            if second % 7 == 0 {
                reloads += 1;
                let _ = Command::new("kill").args(["-HUP", &t.agent().pid().to_string()]).status();
            }
            match second % 20 {
                5 => {
                    faults += 1;
                    t.upstream().fail(match faults % 6 {
                        0 => Fault::Refused,
                        1 => Fault::Silent,
                        2 => Fault::Status(500),
                        3 => Fault::EmptyOk,
                        4 => Fault::Truncated,
                        _ => Fault::HtmlOk,
                    });
                }
                14 => {
                    t.upstream().heal();
                    t.upstream().forget_hits();
                }
                _ => {}
            }
            if second % 29 == 0 {
                flaps += 1;
                let _unplugged = cable.write().expect("not poisoned");
                t.agent().router().ip("link set br-lan down");
                thread::sleep(Duration::from_millis(500 + 1500 * u64::from(flaps % 3)));
                t.agent().router().ip("link set br-lan up");
                crate::eventually("the device serves again", Duration::from_secs(15), || ns.inside(|| boot(0)).is_ok());
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    let lost = lost.into_inner().expect("not poisoned");
    let tenth = (samples.len() / 10).max(1);
    println!(
        "soak: {minutes} min, {} boots; {changes} configs changed, {faults} faults of the upstream, {flaps} flaps of the \
         device, {reloads} SIGHUPs; lost answers: {}",
        boots.load(Ordering::Relaxed),
        lost.len()
    );
    let first = told("first tenth", &samples[..tenth]);
    let last = told("last tenth", &samples[samples.len() - tenth..]);
    let status = t.agent().status();
    println!(
        "soak: written to flash: {} KiB; panics: {}",
        status["cache"]["written"].as_u64().unwrap_or(0) / 1024,
        status["panics"]
    );
    assert!(lost.is_empty(), "{}", lost.iter().take(20).map(|l| format!("{l}\n")).collect::<String>());
    assert_eq!(status["panics"], 0);
    assert!(last.0 <= first.0 + first.0 / 4 + 2048, "memory grows: {first:?} to {last:?}");
    assert!(last.1 <= first.1 + 16 && last.2 <= first.2 + 8, "files or threads grow: {first:?} to {last:?}");
}
