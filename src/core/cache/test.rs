//! Timelines: what comes in at which second, what the phone is told.

use super::*;
use crate::bounds;
use crate::core::answer::Body;
use crate::core::outcome::Outcome;
use crate::core::types::{FetchHead, Sha256};
use crate::vendor::Identity;
use proptest::prelude::*;

const MAC: Mac = Mac([0, 4, 0x13, 0, 0, 1]);
const DAY: u64 = 86_400;

fn limits() -> Limits {
    Limits {
        fresh_wait: Duration::from_secs(4),
        fresh_for: Duration::from_secs(10),
        upstream_timeout: Duration::from_secs(20),
        grace: Duration::from_secs(7 * DAY),
        unsaved_max: 1 << 20,
        guard: crate::core::guard::Limits { share: 20, min: 2, window: Duration::from_secs(3600) },
    }
}

fn key(name: &str) -> ResourceKey {
    ResourceKey { vendor: "snom".into(), mac: MAC, name: name.into() }
}

/// A cache in virtual time, with an upstream and a flash that answer when told to.
struct Line {
    cache: Cache,
    start: Instant,
    ms: u64,
    /// Added to the wall clock.
    unix: u64,
    next: u32,
    out: Vec<Out>,
}

impl Line {
    fn new() -> Line {
        Line { cache: Cache::new(limits()), start: Instant::now(), ms: 0, unix: 1_800_000_000, next: 0, out: vec![] }
    }

    fn now(&self) -> Now {
        Now { mono: self.start + Duration::from_millis(self.ms), unix: self.unix + self.ms / 1000 }
    }

    /// Lets time pass, in steps as the loop would.
    fn pass(&mut self, ms: u64) -> &mut Line {
        let end = self.ms + ms;
        while let Some(at) = self.cache.poll_at() {
            let at = at.saturating_duration_since(self.start).as_millis() as u64;
            if at > end {
                break;
            }
            self.ms = self.ms.max(at);
            self.cache.timeout(self.now(), &mut self.out);
        }
        self.ms = end;
        self
    }

    fn ask_as(&mut self, name: &str, down: Option<&str>, urgent: bool) -> u32 {
        self.next += 1;
        let how = How { vendor: 0, target: name.into(), headers: vec![] };
        let now = self.now();
        self.cache.ask(&key(name), how, Waiter::Phone(self.next), down, urgent, now, &mut self.out);
        self.next
    }

    fn ask(&mut self) -> u32 {
        self.ask_as("a", None, false)
    }

    fn upstream(&mut self, outcome: Outcome) -> &mut Line {
        let now = self.now();
        self.cache.fetched(&key("a"), outcome, now, &mut self.out);
        self
    }

    /// The flash takes what it was given.
    fn flash(&mut self, result: Result<(), &str>) -> &mut Line {
        let at = self.out.iter().position(|o| matches!(o, Out::Store(..))).expect("something to store");
        let Out::Store(key, meta, _) = self.out.remove(at) else { unreachable!() };
        let result = result.map(|()| (meta.number, vec![])).map_err(str::to_string);
        let now = self.now();
        self.cache.stored(&key, meta.number, result, now, &mut self.out);
        self
    }

    /// Serves `body` for good, as if long ago.
    fn stored(body: &str) -> Line {
        let mut l = Line::new();
        l.ask();
        l.upstream(good(body)).flash(Ok(()));
        l.pass(60_000);
        l.out.clear();
        l
    }

    /// The fetches that were started.
    fn fetches(&mut self) -> usize {
        let n = self.out.iter().filter(|o| matches!(o, Out::Fetch(_))).count();
        self.out.retain(|o| !matches!(o, Out::Fetch(_)));
        n
    }

    /// What phone `who` was told: status, label, and which bytes.
    fn told(&mut self, who: u32) -> Option<String> {
        let at = self.out.iter().position(|o| matches!(o, Out::Tell(Waiter::Phone(w), _) if *w == who))?;
        let Out::Tell(_, answer) = self.out.remove(at) else { unreachable!() };
        let body = match answer.body {
            Body::Text(_) => "-".to_string(),
            Body::Bytes(b) => String::from_utf8_lossy(&b).into_owned(),
            Body::Stored(_, n) => format!("generation {n}"),
            Body::Stream(_) => unreachable!(),
        };
        let label = match answer.label {
            Label::Fresh => "fresh".to_string(),
            Label::Unchanged => "unchanged".to_string(),
            Label::LastGood(r) => format!("last-good {r}"),
            Label::None => "error".to_string(),
        };
        Some(format!("{} {label} {body}", answer.status))
    }

    fn expect(&mut self, who: u32, what: &str) -> &mut Line {
        assert_eq!(self.told(who).as_deref(), Some(what), "at {} ms", self.ms);
        self
    }
}

fn good(body: &str) -> Outcome {
    Outcome::Good {
        head: FetchHead::default(),
        sha256: Sha256::of(body.as_bytes()),
        body: body.as_bytes().to_vec().into(),
        identity: Identity::Unknown,
    }
}

fn bad(reason: Reason) -> Outcome {
    Outcome::Bad(reason, "because".into())
}

#[test]
fn the_first_config_is_answered_when_it_is_on_flash() {
    let mut l = Line::new();
    let a = l.ask();
    assert_eq!(l.fetches(), 1);
    l.upstream(good("one"));
    assert_eq!(l.told(a), None, "not before it is safe");
    l.flash(Ok(())).expect(a, "200 fresh generation 1");
}

#[test]
fn a_slow_flash_keeps_nobody_waiting() {
    let mut l = Line::stored("one");
    let a = l.ask();
    l.upstream(good("two")).pass(4_000).expect(a, "200 fresh two");
}

#[test]
fn asked_twice_within_ten_seconds_is_answered_without_asking() {
    let mut l = Line::new();
    l.ask();
    l.upstream(good("one")).flash(Ok(()));
    l.out.clear();
    l.pass(9_000);
    let b = l.ask();
    l.expect(b, "200 fresh generation 1");
    assert_eq!(l.fetches(), 0);
    l.pass(2_000);
    let c = l.ask();
    assert_eq!(l.fetches(), 1);
    l.upstream(good("one")).expect(c, "200 unchanged generation 1");
    assert!(!l.out.iter().any(|o| matches!(o, Out::Store(..))), "nothing changed, nothing written");
}

#[test]
fn not_modified_is_unchanged() {
    let mut l = Line::stored("one");
    let a = l.ask();
    l.upstream(Outcome::NotModified).expect(a, "200 unchanged generation 1");
}

#[test]
fn one_fetch_for_all_who_ask_at_once() {
    let mut l = Line::new();
    let all: Vec<u32> = (0..50).map(|_| l.ask()).collect();
    assert_eq!(l.fetches(), 1);
    l.upstream(good("one")).flash(Ok(()));
    for who in all {
        l.expect(who, "200 fresh generation 1");
    }
}

#[test]
fn every_bad_outcome_serves_the_last_good_and_says_why() {
    for reason in [Reason::Down, Reason::Refused, Reason::Gone, Reason::Broken] {
        let mut l = Line::stored("one");
        let a = l.ask();
        l.upstream(bad(reason)).expect(a, &format!("200 last-good {reason} generation 1"));
    }
}

#[test]
fn nothing_stored_is_404_or_503() {
    for (reason, status) in [(Reason::Down, 503), (Reason::Refused, 404), (Reason::Gone, 404), (Reason::Broken, 503)] {
        let mut l = Line::new();
        let a = l.ask();
        l.upstream(bad(reason)).expect(a, &format!("{status} error -"));
    }
}

#[test]
fn a_silent_upstream_costs_fresh_wait_once() {
    let mut l = Line::stored("one");
    let a = l.ask();
    l.pass(3_999);
    assert_eq!(l.told(a), None);
    l.pass(1).expect(a, "200 last-good down generation 1");
    assert_eq!(l.fetches(), 1);
    let b = l.ask();
    l.expect(b, "200 last-good down generation 1");
    // the fetch goes on and updates the store
    l.pass(5_000).upstream(good("two")).flash(Ok(()));
    let c = l.ask();
    l.expect(c, "200 fresh generation 2");
    assert_eq!(l.fetches(), 0);
}

#[test]
fn nothing_stored_waits_upstream_timeout() {
    let mut l = Line::new();
    let a = l.ask();
    l.pass(19_999);
    assert_eq!(l.told(a), None);
    l.pass(1).expect(a, "503 error -");
}

#[test]
fn a_known_down_upstream_is_not_waited_for() {
    let mut l = Line::stored("one");
    let a = l.ask_as("a", Some("refused"), false);
    l.expect(a, "200 last-good down generation 1");
    assert_eq!(l.fetches(), 0);
    let b = l.ask_as("new", Some("refused"), false);
    assert_eq!((l.told(b), l.fetches()), (None, 1), "what is not stored is asked for all the same");
}

#[test]
fn when_the_upstream_is_found_down_all_who_wait_are_answered() {
    let mut l = Line::stored("one");
    let a = l.ask();
    let now = l.now();
    l.cache.upstream_down("refused", |_| true, now, &mut l.out);
    l.expect(a, "200 last-good down generation 1");
}

#[test]
fn an_empty_200_is_asked_again_after_the_lock_of_six_seconds() {
    let mut l = Line::new();
    let a = l.ask();
    assert_eq!(l.fetches(), 1);
    l.upstream(Outcome::Empty).pass(6_000);
    assert_eq!(l.fetches(), 0);
    l.pass(500);
    assert_eq!(l.fetches(), 1);
    l.upstream(good("one")).flash(Ok(())).expect(a, "200 fresh generation 1");
}

#[test]
fn an_empty_200_twice_is_a_refusal() {
    let mut l = Line::stored("one");
    let a = l.ask();
    l.upstream(Outcome::Empty).pass(4_000).expect(a, "200 last-good refused generation 1");
    l.pass(2_500);
    assert_eq!(l.fetches(), 2);
    l.upstream(Outcome::Empty);
    let b = l.ask();
    l.expect(b, "200 last-good refused generation 1");
}

#[test]
fn a_slow_refusal_is_believed_ten_seconds_and_then_asked_again() {
    let mut l = Line::stored("one");
    l.ask();
    l.pass(3_000).upstream(bad(Reason::Refused));
    l.out.clear();
    l.pass(9_000);
    let b = l.ask();
    l.expect(b, "200 last-good refused generation 1");
    l.pass(1_500);
    let c = l.ask();
    assert_eq!(l.fetches(), 1);
    l.upstream(good("two")).flash(Ok(())).expect(c, "200 fresh generation 2");
}

#[test]
fn a_404_is_remembered_a_minute_while_nothing_is_stored() {
    let mut l = Line::new();
    let a = l.ask();
    l.upstream(bad(Reason::Gone)).expect(a, "404 error -");
    l.fetches();
    l.pass(59_000);
    let b = l.ask();
    l.expect(b, "404 error -");
    l.pass(1_500);
    l.ask();
    assert_eq!(l.fetches(), 1);
}

#[test]
fn a_quick_refusal_is_asked_again_each_time() {
    let mut l = Line::stored("one");
    l.ask();
    l.upstream(bad(Reason::Refused));
    l.out.clear();
    let b = l.ask();
    assert_eq!(l.fetches(), 1);
    l.upstream(good("two")).flash(Ok(())).expect(b, "200 fresh generation 2");
}

#[test]
fn refresh_by_the_admin_asks_whatever_was_held() {
    let mut l = Line::stored("one");
    l.ask();
    l.pass(3_000).upstream(bad(Reason::Refused));
    l.out.clear();
    let b = l.ask_as("a", Some("down"), true);
    assert_eq!(l.fetches(), 1);
    l.upstream(good("two")).flash(Ok(())).expect(b, "200 fresh generation 2");
}

#[test]
fn an_answer_of_one_moment_is_passed_on_and_not_stored() {
    let mut l = Line::stored("one");
    let a = l.ask();
    l.upstream(Outcome::Temporary { body: b"firmware"[..].into() }).expect(a, "200 fresh firmware");
    assert!(!l.out.iter().any(|o| matches!(o, Out::Store(..))));
    let b = l.ask();
    l.upstream(bad(Reason::Down)).expect(b, "200 last-good down generation 1");
}

#[test]
fn one_fetch_of_a_phone_at_a_time() {
    let mut l = Line::new();
    l.ask_as("a", None, false);
    l.ask_as("b", None, false);
    l.ask_as("c", None, false);
    assert_eq!(l.fetches(), 1);
    l.upstream(good("one"));
    assert_eq!(l.fetches(), 1, "the next when the first is over");
    let now = l.now();
    l.cache.fetched(&key("b"), bad(Reason::Gone), now, &mut l.out);
    assert_eq!(l.fetches(), 1);
    l.cache.fetched(&key("c"), Outcome::Empty, now, &mut l.out);
    assert_eq!(l.fetches(), 0);
    l.ask_as("d", None, false);
    assert_eq!(l.fetches(), 0, "the lock of the upstream holds for all of this phone's files");
    l.pass(6_500);
    assert_eq!(l.fetches(), 1);
}

#[test]
fn a_full_disk_serves_on_from_ram_and_tries_again() {
    let mut l = Line::stored("one");
    let a = l.ask();
    l.upstream(good("two")).flash(Err("no space left")).expect(a, "200 fresh two");
    assert!(l.cache.get(&key("a")).unwrap().is_unsaved());
    l.out.clear();
    l.pass(30_000);
    let b = l.ask();
    l.upstream(bad(Reason::Down)).expect(b, "200 last-good down two");
    l.pass(40_000);
    let c = l.ask();
    l.upstream(good("two")).flash(Ok(())).expect(c, "200 unchanged two");
    let entry = l.cache.get(&key("a")).unwrap();
    assert!(!entry.is_unsaved());
    assert_eq!(entry.generations().iter().map(|m| m.number).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_refused_phone_keeps_its_last_good_for_the_grace_time() {
    let mut l = Line::stored("one");
    let refuse = |l: &mut Line, days: u64| {
        l.pass(days * DAY * 1000 + 11_000);
        let a = l.ask();
        l.upstream(bad(Reason::Refused));
        l.told(a).unwrap()
    };
    assert_eq!(refuse(&mut l, 0), "200 last-good refused generation 1");
    assert_eq!(l.cache.refused(MAC).len(), 1, "and its beginning is written down");
    assert_eq!(refuse(&mut l, 6), "200 last-good refused generation 1");
    assert_eq!(refuse(&mut l, 1), "404 error -");
    assert!(l.out.iter().any(|o| matches!(o, Out::Expire(_))));
}

#[test]
fn a_good_answer_ends_the_grace_time() {
    let mut l = Line::stored("one");
    l.ask();
    l.upstream(bad(Reason::Gone));
    l.pass(11_000);
    l.ask();
    l.upstream(good("one"));
    assert!(l.cache.refused(MAC).is_empty());
}

#[test]
fn without_a_clock_nothing_expires() {
    let mut l = Line::stored("one");
    l.unix = 0;
    l.ask();
    l.upstream(bad(Reason::Refused));
    assert!(l.cache.refused(MAC).is_empty());
    l.unix = 1_900_000_000; // NTP
    l.pass(11_000);
    let b = l.ask();
    l.upstream(bad(Reason::Refused)).expect(b, "200 last-good refused generation 1");
}

#[test]
fn an_unreadable_generation_falls_back_to_the_one_before() {
    let mut l = Line::stored("one");
    l.ask();
    l.upstream(good("two")).flash(Ok(()));
    l.out.clear();
    l.cache.unreadable(&key("a"), 2);
    let b = l.ask_as("a", Some("down"), false);
    l.expect(b, "200 last-good down generation 1");
}

#[test]
fn forgetting_answers_who_waits_and_starts_anew() {
    let mut l = Line::stored("one");
    let a = l.ask();
    let now = l.now();
    l.cache.forget(Some(MAC), now, &mut l.out);
    l.expect(a, "404 error -");
    l.fetches();
    l.upstream(good("late")); // of the fetch that was under way
    let b = l.ask();
    assert_eq!(l.fetches(), 1);
    l.upstream(good("two")).flash(Ok(())).expect(b, "200 fresh generation 1");
}

#[test]
fn a_phone_that_invents_file_names_fills_neither_flash_nor_ram() {
    let mut l = Line::new();
    for i in 0..bounds::RESOURCES + 100 {
        let name = format!("x{i}");
        l.ask_as(&name, None, false);
        let now = l.now();
        l.cache.fetched(&key(&name), good(&name), now, &mut l.out);
        while l.out.iter().any(|o| matches!(o, Out::Store(..))) {
            l.flash(Ok(()));
        }
        l.out.clear();
    }
    let on_flash = l.cache.iter().filter(|(_, e)| !e.generations().is_empty()).count();
    assert_eq!(on_flash, bounds::FILES_PER_PHONE);
    assert!(l.cache.iter().count() <= bounds::RESOURCES);
    let in_ram: u64 = l.cache.iter().filter_map(|(_, e)| e.unsaved.as_ref()).map(|u| u.meta.size).sum();
    assert!(in_ram <= limits().unsaved_max, "{in_ram}");
}

#[derive(Clone, Debug)]
enum Step {
    Ask(u8),
    Answer(u8, u8),
    Flash(bool),
    Pass(u16),
    Forget,
    Down,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..4u8).prop_map(Step::Ask),
        4 => (0..4u8, 0..9u8).prop_map(|(k, o)| Step::Answer(k, o)),
        2 => any::<bool>().prop_map(Step::Flash),
        3 => (0..30_000u16).prop_map(Step::Pass),
        1 => Just(Step::Forget),
        1 => Just(Step::Down),
    ];
    proptest::collection::vec(step, 0..80)
}

proptest! {
    /// Whatever happens: everybody is answered exactly once and in bounded time, no two fetches of one phone run at
    /// once, and nothing but what the upstream really sent is served.
    #[test]
    fn everybody_is_answered_once(steps in steps()) {
        let mut l = Line::new();
        let names = ["a", "b", "c", "d"];
        let mut told: HashMap<u32, usize> = HashMap::new();
        let mut running: Vec<ResourceKey> = vec![];
        let mut asked = 0;
        for step in steps {
            match step {
                Step::Ask(k) => { asked = l.ask_as(names[k as usize], None, false); }
                Step::Answer(k, o) => {
                    let Some(at) = running.iter().position(|r| r.name == names[k as usize]) else { continue };
                    let key = running.remove(at);
                    let outcome = match o {
                        0..=2 => good(&format!("body {o}")),
                        3 => Outcome::NotModified,
                        4 => Outcome::Empty,
                        5 => Outcome::Temporary { body: b"temporary"[..].into() },
                        6 => bad(Reason::Down),
                        7 => bad(Reason::Refused),
                        _ => bad(Reason::Broken),
                    };
                    let now = l.now();
                    l.cache.fetched(&key, outcome, now, &mut l.out);
                }
                Step::Flash(ok) => {
                    if l.out.iter().any(|o| matches!(o, Out::Store(..))) {
                        l.flash(if ok { Ok(()) } else { Err("full") });
                    }
                }
                Step::Pass(ms) => { l.pass(ms.into()); }
                Step::Forget => {
                    let now = l.now();
                    l.cache.forget(Some(MAC), now, &mut l.out);
                    running.clear();
                }
                Step::Down => {
                    let now = l.now();
                    l.cache.upstream_down("down", |_| true, now, &mut l.out);
                }
            }
            let stores: Vec<Out> = l.out.drain(..).filter_map(|o| match o {
                Out::Tell(Waiter::Phone(who), _) => { *told.entry(who).or_default() += 1; None }
                Out::Fetch(key) => { running.push(key); None }
                o @ Out::Store(..) => Some(o),
                _ => None,
            }).collect();
            l.out = stores;
            prop_assert!(running.len() <= 1, "two fetches of one phone: {running:?}");
        }
        l.pass(60_000);
        for o in &l.out {
            if let Out::Tell(Waiter::Phone(who), _) = o { *told.entry(*who).or_default() += 1; }
        }
        for who in 1..=asked {
            prop_assert_eq!(told.get(&who), Some(&1), "phone {}", who);
        }
    }
}
