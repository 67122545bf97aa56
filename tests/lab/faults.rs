//! The upstream fails in every way there is: what the phone gets, how fast, what the admin is told, what is stored.

use crate::agent::Stored;
use crate::bodies::Body;
use crate::build::{Lab, Test};
use crate::faulty::{Fault, POISON};
use crate::phone::Phone;
use crate::upstream::Upstream;
use crate::{bodies, eventually};
use std::time::{Duration, Instant};

const SNOM: &str = "00:04:13:00:00:01";
const MITEL: &str = "00:08:5d:00:00:02";
/// Has never been served: nothing is stored for it.
const NEW: &str = "00:04:13:00:00:03";

const FRESH_WAIT: Duration = Duration::from_secs(2);
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(5);
/// The original locks a MAC for 6 s, so an empty 200 is asked for once more after that.
const SECOND_TRY: Duration = Duration::from_secs(8);

struct Case {
    fault: Fault,
    /// What `phones` and X-Phoneprov call it.
    reason: &'static str,
    https: bool,
    /// Statuses a phone with nothing stored may get.
    nothing_stored: &'static [u16],
    /// The agent may ask again for each request, and each time learn the reason only later.
    asks_twice: bool,
}

fn case(fault: Fault, reason: &'static str) -> Case {
    Case { fault, reason, https: false, nothing_stored: &[503], asks_twice: false }
}

impl Case {
    fn tls(self) -> Case {
        Case { https: true, ..self }
    }

    fn new_phones_get(self, statuses: &'static [u16]) -> Case {
        Case { nothing_stored: statuses, ..self }
    }

    fn asks_twice(self) -> Case {
        Case { asks_twice: true, ..self }
    }

    fn run(self, name: &str) {
        let upstream = if self.https { Upstream::nginx().https() } else { Upstream::nginx() };
        let t = Test::new(&format!("fault-{name}")).phone(SNOM).phone(MITEL).phone(NEW).upstream(upstream);
        let Some(t) = t.option("fresh_wait", "2").option("upstream_timeout", "5").start() else { return };
        let good = [t.put_snom(0, "good"), t.put_mitel(1, "good")];
        for (phone, body) in t.phones().iter().zip(&good) {
            let a = phone.config();
            assert_eq!((a.status, &a.body), (200, body), "{}", a.text());
            assert_eq!(a.x_phoneprov().0, "fresh", "{a:?}");
        }
        let files: Vec<_> = good.iter().map(|b| Stored::holding(t.agent().state_dir(), b)).collect();
        assert!(files.iter().all(|f| !f.is_empty()), "each last good is on disk: {:?}", t.agent().stored());
        let stored = t.agent().stored();

        t.upstream().fail(self.fault.clone());
        let mut figures = Vec::new();
        for (phone, body) in t.phones().iter().zip(&good) {
            let first = self.first(phone, body);
            figures.push((first, self.next_ones(&t, phone, body)));
        }
        for (phone, body) in t.phones().iter().zip(&good) {
            self.admin_sees(&t, phone, body);
        }
        let new = self.nothing_stored(t.phone(2));
        // `make faults` shows these lines
        for ((first, next), phone) in figures.iter().zip(t.phones()) {
            let says = &t.agent().entry(&phone.mac)["config"];
            println!(
                "fault {name:<24} {}: first {:>5} ms, next {:>2} ms, phones: {} {} ({}); new phone: {new}",
                &phone.mac[..8],
                first.as_millis(),
                next.as_millis(),
                says["state"].as_str().unwrap_or("-"),
                says["reason"].as_str().unwrap_or("-"),
                says["why"].as_str().unwrap_or("-"),
            );
        }

        let now = t.agent().stored();
        for file in files.iter().flatten() {
            assert_eq!(
                stored.0[file].sha256,
                now.0.get(file).map(|e| e.sha256.clone()).unwrap_or_default(),
                "{file:?}"
            );
        }
        for file in now.0.keys() {
            let bytes = std::fs::read(file).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(POISON) && !text.contains(bodies::ERROR_PAGE), "{file:?} holds a broken answer");
        }
        self.survives_a_restart(&t, &good);
    }

    /// The first request after the fault: the last good, within fresh_wait and a second.
    fn first(&self, phone: &Phone, body: &Body) -> Duration {
        let a = phone.config();
        assert_eq!(a.status, 200, "{}: {}", phone.mac, a.text());
        assert!(a.body == *body, "{}: not the last good: {}", phone.mac, a.text());
        assert!(a.elapsed <= FRESH_WAIT + Duration::from_secs(1), "{}: took {:?}", phone.mac, a.elapsed);
        let (outcome, reason, age) = a.x_phoneprov();
        assert_eq!(outcome, "last-good", "{a:?}");
        let reason = reason.unwrap_or_default();
        assert!(reason == self.reason, "reason={reason}, not {}", self.reason);
        assert!(age.is_some_and(|s| s < 600), "{age:?}");
        a.elapsed
    }

    /// Those after it, while nothing gets better: at once.
    fn next_ones(&self, t: &Lab, phone: &Phone, body: &Body) -> Duration {
        // nothing is waited for any more; how quick that is depends on what else the machine does
        let limit = FRESH_WAIT / 4;
        let mut best = Duration::MAX;
        for _ in 0..6 {
            let a = phone.config();
            assert!(a.status == 200 && a.body == *body, "{}", a.text());
            assert!(a.elapsed <= FRESH_WAIT + Duration::from_secs(1), "{:?}", a.elapsed);
            best = best.min(a.elapsed);
        }
        assert!(best < limit, "{}: the fastest of the next ones took {best:?}\n{}", phone.mac, t.agent().phones());
        best
    }

    fn admin_sees(&self, t: &Lab, phone: &Phone, body: &Body) {
        let limit = UPSTREAM_TIMEOUT + SECOND_TRY;
        let mut seen = serde_json::Value::Null;
        eventually(&format!("{}: last-good because {}; last seen {seen}", phone.mac, self.reason), limit, || {
            seen = t.agent().entry(&phone.mac)["config"].clone();
            seen["state"] == "last-good" && seen["reason"].as_str().is_some_and(|r| r.starts_with(self.reason))
        });
        assert_eq!(seen["sha256"], bodies::sha256(body), "{seen}");
        assert_eq!(seen["size"], body.len(), "{seen}");
        if self.reason == "down" {
            // a silent upstream is called down when upstream_timeout is over
            eventually("the upstream is called down", limit, || t.agent().status()["upstream"]["state"] == "down");
        }
        let status = t.agent().status();
        if self.reason == "down" {
            assert!(status["upstream"]["last_error"].as_str().is_some_and(|e| !e.is_empty()), "{status}");
        }
        assert!(status["phones"]["last_good"].as_u64() >= Some(1), "{status}");
    }

    /// A phone that has nothing to fall back on is told so, and sees nothing of the upstream's page.
    fn nothing_stored(&self, phone: &Phone) -> u16 {
        let a = phone.config();
        assert!(self.nothing_stored.contains(&a.status), "{}: {}", a.status, a.text());
        let limit = UPSTREAM_TIMEOUT + if self.asks_twice { SECOND_TRY } else { Duration::from_secs(1) };
        assert!(a.elapsed <= limit, "took {:?}", a.elapsed);
        if a.status == 503 {
            let seconds = a.header("Retry-After").and_then(|v| v.parse::<u32>().ok());
            assert!(seconds.is_some_and(|s| (1..=3600).contains(&s)), "{a:?}");
        }
        let text = a.text();
        assert!(!text.is_empty() && text.len() < 500, "a short text says why: {text}");
        for word in [bodies::ERROR_PAGE, POISON, "<html", "nginx", bodies::PROVPASS] {
            assert!(!text.contains(word), "{word} in {text}");
        }
        a.status
    }

    /// What was stored before the fault is served by a new process while it lasts; and all is fresh after it.
    fn survives_a_restart(&self, t: &Lab, good: &[Body]) {
        t.agent().restart();
        for (phone, body) in t.phones().iter().zip(good) {
            self.first(phone, body);
        }
        t.upstream().heal();
        let new = t.put_snom(0, "healed");
        let begin = Instant::now();
        eventually("the new config comes once the upstream is back", Duration::from_secs(75), || {
            t.phone(0).config().body == new
        });
        println!("healed after {:?}", begin.elapsed());
    }
}

macro_rules! faults {
    ($($name:ident: $case:expr;)*) => {
        $(#[test] fn $name() { $case.run(stringify!($name)); })*
    };
}

faults! {
    refused: case(Fault::Refused, "down");
    blackholed: case(Fault::Blackholed, "down");
    link_down: case(Fault::LinkDown, "down");
    accepted_but_silent: case(Fault::Silent, "down");
    reset_in_the_middle: case(Fault::Rst, "down");
    slow_drip: case(Fault::Drip, "down");
    status_500: case(Fault::Status(500), "down");
    status_503: case(Fault::Status(503), "down");
    status_404: case(Fault::Status(404), "gone").new_phones_get(&[404]);
    status_410: case(Fault::Status(410), "gone").new_phones_get(&[404]);
    status_401: case(Fault::Status(401), "refused").new_phones_get(&[404, 503]);
    status_403: case(Fault::Status(403), "refused").new_phones_get(&[404, 503]);
    empty_200: case(Fault::EmptyOk, "refused").new_phones_get(&[404, 503]).asks_twice();
    html_page_200: case(Fault::HtmlOk, "broken");
    refusal_text_200: case(Fault::Bytes(b"invalid mac address".to_vec()), "refused").new_phones_get(&[404, 503]);
    truncated: case(Fault::Truncated, "broken");
    truncated_chunked: case(Fault::TruncatedChunked, "broken");
    other_vendors_config: case(Fault::Bytes(yealink()), "broken");
    endless_body: case(Fault::EndlessBody, "broken");
    endless_headers: case(Fault::EndlessHeaders, "broken");
    redirect_loop: case(Fault::RedirectLoop, "broken");
    redirect_elsewhere: case(Fault::RedirectElsewhere, "broken");
    expired_certificate: case(Fault::ExpiredCert, "down").tls();
    wrong_name_certificate: case(Fault::WrongName, "down").tls();
    unknown_ca: case(Fault::UnknownCa, "down").tls();
    tls_refused: case(Fault::Refused, "down").tls();
    tls_silent: case(Fault::Silent, "down").tls();
}

/// Neither snom nor Mitel can read it.
fn yealink() -> Vec<u8> {
    format!("#!version:1.0.0.1\n{}", "account.1.enable = 1\naccount.1.label = x\n".repeat(200)).into_bytes()
}

#[test]
fn redirect_to_the_same_origin_is_followed() {
    use crate::faulty::Reply;
    let body = bodies::snom("000413000001", "behind a redirect", 12_000);
    let answer = body.clone();
    let script = move |r: &crate::faulty::Request| {
        if r.target.starts_with("/elsewhere") {
            Reply::new(200, answer.clone())
        } else {
            Reply::new(302, "").header("Location", "/elsewhere/settings.xml")
        }
    };
    let Some(t) = Test::new("redirect-same").phone(SNOM).upstream(Upstream::script(script)).start() else { return };
    let a = t.phone(0).config();
    assert_eq!((a.status, &a.body), (200, &body), "{}", a.text());
    assert!(a.header("Location").is_none());
}

#[test]
fn listed_origin_is_followed() {
    use crate::faulty::{Reply, OTHER};
    let body = bodies::snom("000413000001", "of the other origin", 12_000);
    let answer = body.clone();
    let script = move |r: &crate::faulty::Request| {
        if r.header("Host").is_some_and(|h| h.starts_with(OTHER)) {
            Reply::new(200, answer.clone())
        } else {
            Reply::new(301, "").header("Location", format!("http://{OTHER}/x.xml"))
        }
    };
    let t = Test::new("redirect-listed").phone(SNOM).upstream(Upstream::script(script));
    let Some(t) = t.list("redirect_origin", "http://other.example.test").start() else { return };
    assert_eq!(t.phone(0).config().body, body);
}

#[test]
fn one_slow_fetch_keeps_no_other_phone_waiting() {
    use crate::faulty::Reply;
    let script = |r: &crate::faulty::Request| {
        if r.target.to_ascii_lowercase().contains("000413000001") {
            std::thread::sleep(Duration::from_secs(4));
        }
        Reply::new(200, bodies::snom("x", &r.target, 12_000))
    };
    let t = Test::new("slow-one").phone(SNOM).phone(NEW).upstream(Upstream::script(script));
    let Some(t) = t.option("upstream_timeout", "10").start() else { return };
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| t.phone(0).config());
        std::thread::sleep(Duration::from_millis(300));
        let fast = t.phone(1).config();
        assert!(fast.status == 200 && fast.elapsed < Duration::from_secs(1), "{:?}", fast.elapsed);
        assert_eq!(slow.join().unwrap().status, 200);
    });
}

#[test]
fn askers_share_one_fetch() {
    use crate::faulty::Reply;
    let script = |r: &crate::faulty::Request| {
        std::thread::sleep(Duration::from_millis(700));
        Reply::new(200, bodies::snom("x", &r.target, 12_000))
    };
    let Some(t) = Test::new("share").phone(SNOM).upstream(Upstream::script(script)).start() else { return };
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..6).map(|_| scope.spawn(|| t.phone(0).config())).collect();
        let answers: Vec<_> = askers.into_iter().map(|a| a.join().unwrap()).collect();
        assert!(answers.iter().all(|a| a.status == 200 && a.body == answers[0].body));
    });
    assert_eq!(t.upstream().hits().len(), 1, "single flight");
}
