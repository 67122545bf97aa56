//! Clients that mean harm or do not know better. Each of these kills, starves or fills a server that is well known
//! (design section 11); the agent answers the next phone as if nothing had been.

use crate::bodies::Body;
use crate::build::{Lab, Test};
use crate::http;
use crate::phone::Phone;
use socket2::SockRef;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SNOM: &str = "00:04:13:00:00:01";
const OTHER: &str = "00:04:13:00:00:02";

/// A lab with two phones that have their configs; phone 0 will be the hostile one.
fn lab(name: &str) -> Option<(Lab, Body)> {
    ready(Test::new(name).phone(SNOM).phone(OTHER))
}

fn ready(test: Test) -> Option<(Lab, Body)> {
    let t = test.option("fresh_for", "600").start()?;
    t.put_snom(0, "config");
    let body = t.put_snom(1, "config");
    assert_eq!(t.phone(0).config().status, 200);
    assert_eq!(t.phone(1).config().body, body);
    Some((t, body))
}

/// The other phone is served, soon, and memory is what it was before, within a few MiB.
fn unharmed(t: &Lab, body: &Body) {
    let a = t.phone(1).config();
    assert!(a.status == 200 && a.body == *body, "{}", a.text());
    assert!(a.elapsed < Duration::from_secs(1), "{:?}", a.elapsed);
    t.agent().assert_alive();
    let peak = t.agent().proc_status("VmHWM");
    assert!(peak < 32 * 1024, "peak RSS {peak} kB");
}

fn say(p: &Phone, bytes: &[u8]) -> Option<http::Answer> {
    p.ns.inside(|| http::request(p.agent, bytes, Duration::from_secs(15)).ok())
}

#[test]
fn huge_content_length() {
    let Some((t, body)) = lab("hostile-length") else { return };
    for length in ["18446744073709551615", "4000000000", "9999999999999999999999", "-1", "0x10", "1e3", "5, 6"] {
        for method in ["GET", "POST", "PUT"] {
            let head = format!(
                "{method} /snom/settings.php HTTP/1.1\r\nHost: 192.168.77.1:8480\r\nContent-Length: {length}\r\n\r\n"
            );
            if let Some(a) = say(t.phone(0), head.as_bytes()) {
                assert!((400..=417).contains(&a.status) || a.status == 501, "{method} {length}: {}", a.status);
            }
            unharmed(&t, &body);
        }
    }
    let twice =
        "GET / HTTP/1.1\r\nHost: 192.168.77.1:8480\r\nContent-Length: 0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(say(t.phone(0), twice.as_bytes()).is_none_or(|a| a.status >= 400));
    unharmed(&t, &body);
}

#[test]
fn reset_between_connect_and_accept() {
    let Some((t, body)) = lab("hostile-reset") else { return };
    for _ in 0..500 {
        let Ok(s) = t.phone(0).connect() else { continue };
        let _ = SockRef::from(&s).set_linger(Some(Duration::ZERO));
    }
    // and while it cannot accept at all: stopped, so that each reset is there before the accept
    let kill = |signal: &str| {
        let _ = std::process::Command::new("kill").args([signal, &t.agent().pid().to_string()]).status();
    };
    kill("-STOP");
    for _ in 0..60 {
        let Ok(s) = t.phone(0).connect() else { continue };
        let _ = SockRef::from(&s).set_linger(Some(Duration::ZERO));
    }
    kill("-CONT");
    unharmed(&t, &body);
}

#[test]
fn out_of_descriptors() {
    let Some((t, body)) = ready(Test::new("hostile-fds").phone(SNOM).phone(OTHER).limit("--nofile=24")) else { return };
    let held: Vec<TcpStream> = (0..40).filter_map(|_| t.phone(0).connect().ok()).collect();
    assert!(!held.is_empty());
    std::thread::sleep(Duration::from_millis(500));
    drop(held);
    crate::eventually("accepts again", Duration::from_secs(12), || {
        t.phone(1).try_get(&t.phone(1).config_target(), &[]).is_ok_and(|a| a.body == body)
    });
    t.agent().assert_alive();
    let cpu = crate::process::cpu_seconds(t.agent().pid());
    std::thread::sleep(Duration::from_secs(1));
    assert!(crate::process::cpu_seconds(t.agent().pid()) - cpu < 0.5, "it does not spin");
}

#[test]
fn endless_header_line() {
    let Some((t, body)) = lab("hostile-header") else { return };
    for start in ["GET / HTTP/1.1\r\nX: ", "GET /", "", "GET / HTTP/1.1\r\n"] {
        let piece = if start.ends_with("1\r\n") { "X: y\r\n".repeat(10_000) } else { "a".repeat(60_000) };
        let begin = Instant::now();
        // eight at once, as fast as the cable takes it, for as long as the agent reads
        std::thread::scope(|scope| {
            let floods: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let Ok(mut s) = t.phone(0).connect() else { return String::new() };
                        let _ = s.set_write_timeout(Some(Duration::from_secs(5)));
                        let _ = s.set_read_timeout(Some(Duration::from_secs(5)));
                        let _ = s.write_all(start.as_bytes());
                        while s.write_all(piece.as_bytes()).is_ok() {
                            assert!(begin.elapsed() < Duration::from_secs(12), "{start:?}: still reads this head");
                        }
                        let mut answer = Vec::new();
                        let _ = s.read_to_end(&mut answer); // a reset may overtake the answer
                        String::from_utf8_lossy(&answer).into_owned()
                    })
                })
                .collect();
            while floods.iter().any(|f| !f.is_finished()) {
                unharmed(&t, &body); // others are served meanwhile
                std::thread::sleep(Duration::from_millis(50));
            }
            for flood in floods {
                let text = flood.join().unwrap();
                assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{start:?}: {text}");
            }
        });
        unharmed(&t, &body);
    }
}

#[test]
fn two_hundred_half_open_connections() {
    let Some((t, body)) = lab("hostile-half") else { return };
    let idle_threads = t.agent().proc_status("Threads");
    let mut held = Vec::new();
    for i in 0..200 {
        let Ok(mut s) = t.phone(0).connect() else { continue };
        let _ = s.write_all(&b"GET /snom/settings.php HTTP/1.1\r\nHost: 192.168.77.1:8480\r\n"[..i % 40]);
        held.push(s);
    }
    for _ in 0..5 {
        unharmed(&t, &body);
    }
    let threads = t.agent().proc_status("Threads");
    assert!(threads <= idle_threads + 16, "{idle_threads} threads became {threads}");
    // and they are thrown out: a request must be whole within 10 s
    crate::eventually("half-open connections end", Duration::from_secs(20), || {
        held.retain(still_open);
        held.is_empty()
    });
}

/// Reads away what came (a 408), and says whether the connection is still there.
fn still_open(mut s: &TcpStream) -> bool {
    let _ = s.set_nonblocking(true);
    let mut b = [0u8; 1024];
    loop {
        match s.read(&mut b) {
            Ok(0) => return false,
            Ok(_) => continue,
            Err(e) => return e.kind() == ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn clients_that_send_and_read_one_byte_at_a_time() {
    let Some((t, body)) = lab("hostile-slow") else { return };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let Ok(mut s) = t.phone(0).connect() else { return };
                let request = format!(
                    "GET {} HTTP/1.1\r\nHost: 192.168.77.1:8480\r\nUser-Agent: {}\r\n\r\n",
                    t.phone(0).config_target(),
                    "x".repeat(500)
                );
                let begin = Instant::now();
                for b in request.as_bytes() {
                    if s.write_all(&[*b]).is_err() || begin.elapsed() > Duration::from_secs(12) {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
        }
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(5) {
            unharmed(&t, &body);
            std::thread::sleep(Duration::from_millis(200));
        }
    });
}

#[test]
fn a_slow_request_is_thrown_out_after_ten_seconds() {
    let Some((t, _)) = lab("hostile-10s") else { return };
    let mut s = t.phone(0).connect().unwrap();
    let begin = Instant::now();
    s.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut b = [0u8; 512];
    let (ended, how) = loop {
        let _ = s.write_all(b"G"); // each byte must not begin the time anew
        match s.read(&mut b) {
            Ok(n) => break (begin.elapsed(), String::from_utf8_lossy(&b[..n]).into_owned()), // closed, or a 408
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(e) => break (begin.elapsed(), e.to_string()),
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "still open");
    };
    assert!((8.0..14.0).contains(&ended.as_secs_f64()), "{ended:?}: {how}");
}

#[test]
fn garbage() {
    let Some((t, body)) = lab("hostile-garbage") else { return };
    let long = format!("GET /snom/{} HTTP/1.1\r\nHost: 192.168.77.1:8480\r\n\r\n", "a".repeat(4000));
    let headers = format!("GET /snom/ HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(100));
    for bytes in [
        &b"\r\n\r\n"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /snom/settings.php?mac=000413000002 HTTP/9.9\r\n\r\n",
        b"GET /snom/%00%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: 192.168.77.1:8480\r\n\r\n",
        b"GET /snom/..//..//..//etc/shadow HTTP/1.1\r\nHost: 192.168.77.1:8480\r\n\r\n",
        b"GET http://prov.example.test/ HTTP/1.1\r\nHost: 192.168.77.1:8480\r\n\r\n",
        b"GET /snom/-//other.example.test/ HTTP/1.1\r\nHost: 192.168.77.1:8480\r\n\r\n",
        b"GET /snom/a\r\nX: y HTTP/1.1\r\n\r\n",
        b"CONNECT prov.example.test:443 HTTP/1.1\r\nHost: 192.168.77.1:8480\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
        long.as_bytes(),
        headers.as_bytes(),
    ] {
        let answer = say(t.phone(0), bytes);
        assert!(
            answer.as_ref().is_none_or(|a| (400..=505).contains(&a.status)),
            "{:?}: {answer:?}",
            String::from_utf8_lossy(bytes)
        );
        unharmed(&t, &body);
    }
    // whatever a path says, the request goes to the upstream and to nobody else
    let astray: Vec<_> =
        t.upstream().hits().into_iter().filter(|h| h.host != "prov.example.test" && h.status != 400).collect();
    assert!(astray.is_empty(), "{astray:?}");
}

#[test]
fn http_1_0_and_keep_alive_and_pipelining() {
    let Some((t, body)) = lab("hostile-not") else { return };
    let target = t.phone(1).config_target();
    let a = say(t.phone(1), format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes()).expect("an answer");
    assert!(a.status == 200 && a.whole && a.body == body);
    let mut s = t.phone(1).connect().unwrap();
    for _ in 0..5 {
        let begin = Instant::now();
        s.write_all(format!("GET {target} HTTP/1.1\r\nHost: 192.168.77.1:8480\r\n\r\n").as_bytes()).unwrap();
        let a = http::read_answer(&mut s, begin, Duration::from_secs(5)).expect("an answer");
        assert!(a.status == 200 && a.body == body);
    }
    let head = say(t.phone(1), format!("HEAD {target} HTTP/1.0\r\n\r\n").as_bytes()).expect("an answer");
    assert!(head.body.is_empty());
    assert_eq!(head.header("Content-Length"), Some(body.len().to_string().as_str()));
}
