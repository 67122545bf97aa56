//! The agent is killed at any instant, and the disk is full: no last good is lost, nothing piles up, and flash is
//! written only when bytes change.

use crate::agent::Stored;
use crate::bodies;
use crate::build::Test;
use crate::eventually;
use crate::faulty::{Fault, Reply, Request};
use crate::upstream::Upstream;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const PHONES: [&str; 3] = ["00:04:13:00:00:01", "00:04:13:00:00:02", "00:04:13:00:00:03"];

/// SIGKILLs; `LAB_KILLS` for more or less.
fn kills() -> u64 {
    std::env::var("LAB_KILLS").ok().and_then(|v| v.parse().ok()).unwrap_or(500)
}

/// What the changing upstream gave out, by sha256: (phone, how manieth config of it).
#[derive(Default)]
struct Given {
    counts: Mutex<HashMap<String, u64>>,
    known: Mutex<HashMap<String, (String, u64)>>,
    changing: AtomicBool,
}

fn changing(given: Arc<Given>) -> Upstream {
    Upstream::script(move |r: &Request| {
        if !given.changing.load(Ordering::SeqCst) {
            return Reply::new(401, "not now");
        }
        let mac: String =
            r.target.split("mac=").nth(1).unwrap_or("").chars().take(12).collect::<String>().to_lowercase();
        let mut counts = given.counts.lock().unwrap();
        let n = counts.entry(mac.clone()).or_default();
        *n += 1;
        // sizes differ, so that a mixture of two configs cannot look whole
        let body = bodies::snom(&mac, &format!("number {n}"), 2_000 + (*n as usize * 977) % 30_000);
        given.known.lock().unwrap().insert(bodies::sha256(&body), (mac, *n));
        Reply::new(200, body)
    })
}

/// A xorshift: instants shall differ, not be secret.
fn random(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}

#[test]
fn sigkill_at_any_instant_loses_no_last_good() {
    let given = Arc::new(Given::default());
    let mut test = Test::new("killed").upstream(changing(given.clone())).option("history", "3").quiet();
    for mac in PHONES {
        test = test.phone(mac);
    }
    let Some(t) = test.start() else { return };
    given.changing.store(true, Ordering::SeqCst);
    // by phone: number of the newest config that it has had whole from the agent
    let newest: Vec<AtomicU64> = PHONES.iter().map(|_| AtomicU64::new(0)).collect();
    let number = |phone: usize, body: &[u8]| {
        let known = given.known.lock().unwrap();
        let found = known.get(&bodies::sha256(body));
        let (mac, n) =
            found.unwrap_or_else(|| panic!("phone {phone} got what the upstream never gave: {}", body.len()));
        assert_eq!(*mac, t.phone(phone).hex(), "another phone's config");
        *n
    };
    for (i, p) in t.phones().iter().enumerate() {
        let a = p.config();
        assert_eq!(a.status, 200, "{}", a.text());
        newest[i].store(number(i, &a.body), Ordering::SeqCst);
    }
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let (begin, total) = (Instant::now(), kills());
    let mut served = 0u64;
    for kill in 0..total {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for (i, p) in t.phones().iter().enumerate() {
                let (stop, newest, number) = (&stop, &newest, &number);
                scope.spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        match p.try_get(&p.config_target(), &[]) {
                            Ok(a) if a.whole && a.status == 200 => {
                                newest[i].fetch_max(number(i, &a.body), Ordering::SeqCst);
                            }
                            _ => thread::sleep(Duration::from_millis(1)),
                        }
                    }
                });
            }
            thread::sleep(Duration::from_micros(random(&mut seed, 60_000)));
            t.agent().kill9();
            stop.store(true, Ordering::SeqCst);
        });
        given.changing.store(false, Ordering::SeqCst);
        t.agent().start_quick();
        for (i, p) in t.phones().iter().enumerate() {
            let a = p.config();
            assert!(a.status == 200 && a.whole, "kill {kill}, phone {i}: {} {}", a.status, a.text());
            assert_eq!(a.x_phoneprov().0, "last-good", "kill {kill}, phone {i}: {a:?}");
            let (n, had) = (number(i, &a.body), newest[i].load(Ordering::SeqCst));
            assert!(n >= had, "kill {kill}: phone {i} had config {had} already and now gets {n}");
            newest[i].store(n, Ordering::SeqCst);
            served += 1;
        }
        given.changing.store(true, Ordering::SeqCst);
    }
    let gave: u64 = given.counts.lock().unwrap().values().sum();
    println!("{total} kills, {gave} configs, {served} last goods intact, {:?}", begin.elapsed());
    assert!(gave > total, "the stream of configs was a stream: {gave}");
    t.agent().restart();
    let files: Vec<_> = t.agent().stored().0.into_iter().filter(|(_, e)| !e.folder).map(|(p, _)| p).collect();
    // history 3 and the newest, with their metadata, and the phone's own record; and a few for all
    assert!(files.len() <= PHONES.len() * (4 * 2 + 2) + 5, "files pile up: {files:#?}");
    let odd: Vec<_> = files.iter().filter(|p| p.to_string_lossy().contains("/.tmp")).collect();
    assert!(odd.is_empty(), "temporary files stay: {odd:?}");
    for (i, p) in t.phones().iter().enumerate() {
        let entry = t.agent().entry(&p.mac);
        assert!(
            entry["config"]["generations"]
                .as_u64()
                .or(entry["config"]["generations"].as_array().map(|a| a.len() as u64))
                >= Some(1),
            "{i}: {entry}"
        );
    }
}

#[test]
fn a_damaged_file_is_set_aside_and_the_rest_serves() {
    let Some(t) = Test::new("damaged").phone(PHONES[0]).phone(PHONES[1]).start() else { return };
    let (one, two) = (t.put_snom(0, "one"), t.put_snom(1, "two"));
    assert_eq!(t.phone(0).config().body, one);
    assert_eq!(t.phone(1).config().body, two);
    t.agent().kill9();
    let files = Stored::holding(t.agent().state_dir(), &one);
    assert!(!files.is_empty());
    for f in &files {
        let mut bytes = std::fs::read(f).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x20;
        std::fs::write(f, bytes).unwrap();
    }
    t.upstream().fail(Fault::Refused);
    t.agent().start();
    assert_eq!(t.phone(1).config().body, two);
    let a = t.phone(0).config();
    assert_eq!(a.status, 503, "never damaged bytes: {}", a.text());
    let events = t.agent().events().to_string().to_lowercase();
    assert!(events.contains("damaged"), "reported: {events}");
}

#[test]
fn full_disk() {
    let Some(t) = Test::new("full").phone(PHONES[0]).phone(PHONES[1]).small_disk(128).start() else { return };
    let first = [t.put_snom(0, "first"), t.put_snom(1, "first")];
    for (p, body) in t.phones().iter().zip(&first) {
        assert_eq!(p.config().body, *body);
    }
    let ballast = t.agent().state_dir().join("ballast-of-the-test");
    let mut size = 128 * 1024;
    while size >= 512 {
        use std::io::Write as _;
        let mut f = std::fs::File::options().create(true).append(true).open(&ballast).unwrap();
        if f.write_all(&vec![0u8; size]).is_err() {
            size /= 2;
        }
    }
    let second = t.put_snom(0, "second, which finds no room");
    let a = t.phone(0).config();
    assert_eq!(a.status, 200, "serves on: {}", a.text());
    assert!(a.body == second || a.body == first[0], "one of the two, whole");
    assert_eq!(t.phone(1).config().body, first[1]);
    eventually("it says so", Duration::from_secs(5), || {
        let all = format!("{} {} {}", t.agent().events(), t.agent().status(), t.agent().log()).to_lowercase();
        all.contains("no space") || all.contains("full")
    });
    t.agent().assert_alive();
    t.upstream().fail(Fault::Status(401));
    t.agent().restart();
    for (p, body) in t.phones().iter().zip(&first) {
        let a = p.config();
        assert_eq!((a.status, &a.body), (200, body), "nothing is lost: {}", a.text());
    }
    std::fs::remove_file(&ballast).unwrap();
    t.upstream().heal();
    assert_eq!(t.phone(0).config().body, second);
    t.upstream().fail(Fault::Status(401));
    t.agent().restart();
    assert_eq!(t.phone(0).config().body, second, "with room again it is stored");
}

#[test]
fn unchanged_configs_write_nothing() {
    const ROUNDS: usize = 1000;
    let validators = AtomicBool::new(true);
    let hits = Arc::new(AtomicU64::new(0));
    let counted = hits.clone();
    let body = bodies::snom("x", "the same each time", 12_000);
    let given = body.clone();
    // 304 in one half, the same bytes anew in the other
    let upstream = Upstream::script(move |r: &Request| {
        let n = counted.fetch_add(1, Ordering::SeqCst);
        validators.store(n < 600, Ordering::SeqCst);
        if n < 600 && r.header("If-None-Match") == Some("\"e\"") {
            return Reply::new(304, "").header("ETag", "\"e\"");
        }
        let reply = Reply::new(200, given.clone());
        if n < 600 {
            reply.header("ETag", "\"e\"")
        } else {
            reply
        }
    });
    let Some(t) = Test::new("unchanged").phone(PHONES[0]).upstream(upstream).start() else { return };
    assert_eq!(t.phone(0).config().body, body);
    // the clock of the store has settled, and what is written once after a first request has been written
    thread::sleep(Duration::from_secs(2));
    assert_eq!(t.phone(0).config().body, body);
    let (before, cache) = (t.agent().stored(), t.agent().status()["cache"]["bytes"].clone());
    assert!(cache.as_u64() >= Some(body.len() as u64), "{cache}");
    let asked = hits.load(Ordering::SeqCst);
    // by the router itself, whose rate is not bounded
    let (phone, agent) = (t.phone(0), t.phone(0).user_agent());
    for i in 0..ROUNDS {
        let headers = [("User-Agent", agent.as_str()), ("Accept", "*/*")];
        let limit = Duration::from_secs(10);
        let ask = || crate::http::get(phone.agent, &phone.config_target(), &headers, limit).expect("an answer");
        let a = t.agent().router().inside(ask);
        assert!(a.body == body && a.x_phoneprov().0 == "unchanged", "round {i}: {:?}", a.headers);
    }
    assert_eq!(hits.load(Ordering::SeqCst) - asked, ROUNDS as u64, "the upstream was asked each time");
    for _ in 0..20 {
        t.agent().refresh(PHONES[0]);
    }
    thread::sleep(Duration::from_secs(2));
    let after = t.agent().stored();
    for (path, entry) in &after.0 {
        assert_eq!(before.0.get(path), Some(entry), "{path:?} was written");
    }
    assert_eq!(before, after);
    assert_eq!(t.agent().status()["cache"]["bytes"], cache);
    assert_eq!(t.agent().term().code(), Some(0));
    assert_eq!(before, t.agent().stored(), "nor does a clean end write");
}

#[test]
fn sigterm_ends_cleanly_and_sighup_reads_the_config_again() {
    let Some(t) = Test::new("signals").phone(PHONES[0]).phone("00:15:65:00:00:01").start() else { return };
    let body = t.put_snom(0, "one");
    assert_eq!(t.phone(0).config().body, body);
    t.upstream().put("/prov/yealink/001565000001.cfg", "#!version:1.0.0.1\naccount.1.enable = 1\n");
    assert_ne!(t.phone(1).config().status, 200, "no such vendor yet");
    let mut text = std::fs::read_to_string(t.agent().config_file()).unwrap();
    text.push_str("config vendor 'yealink'\n\toption enabled '1'\n\tlist oui '00:15:65:*:*:*'\n\toption url '{upstream}/prov/yealink/'\n");
    std::fs::write(t.agent().config_file(), text).unwrap();
    let hup = std::process::Command::new("kill").args(["-HUP", &t.agent().pid().to_string()]).status();
    assert!(hup.is_ok_and(|s| s.success()));
    eventually("the new vendor is served", Duration::from_secs(5), || t.phone(1).config().status == 200);
    assert_eq!(t.agent().term().code(), Some(0));
    assert!(t.phone(0).try_get("/", &[]).is_err());
    t.agent().start();
    t.upstream().fail(Fault::Refused);
    assert_eq!(t.phone(0).config().body, body);
}
