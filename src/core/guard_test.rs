//! The guard alone: numbers and time.

use super::*;
use proptest::prelude::*;

fn mac(n: u8) -> Mac {
    Mac([0, 4, 0x13, 0, 0, n])
}

fn key(n: u8, name: &str) -> ResourceKey {
    ResourceKey { vendor: "snom".into(), mac: mac(n), name: name.into() }
}

fn account(who: &str) -> Identity {
    let rules = crate::vendor::by_name("snom").unwrap();
    rules.identity("x.htm", format!("user_name1!: {who}\n").as_bytes())
}

fn limits(share: u32, min: u32) -> Limits {
    Limits { share, min, window: Duration::from_secs(3600) }
}

struct Line {
    guard: Guard,
    start: Instant,
    seconds: u64,
    notes: Vec<Note>,
}

impl Line {
    fn new(share: u32, min: u32) -> Line {
        Line { guard: Guard::new(limits(share, min)), start: Instant::now(), seconds: 0, notes: vec![] }
    }

    fn now(&self) -> Now {
        Now { mono: self.start + Duration::from_secs(self.seconds), unix: 1_800_000_000 + self.seconds }
    }

    fn pass(&mut self, seconds: u64) {
        self.seconds += seconds;
        let now = self.now();
        self.guard.timeout(now, &mut self.notes);
    }

    fn change(&mut self, n: u8, name: &str, before: &str, new: &str) -> bool {
        let key = key(n, name);
        if self.guard.brings_back(&key, account(new), &mut self.notes) {
            return true;
        }
        let asked = Asked { key: &key, from: 1, before: account(before), change: Change::Changed };
        self.guard.passes(asked, 10, self.now(), &mut self.notes)
    }
}

#[test]
fn limits_are_whole_phones() {
    for (share, min, known, limit) in [
        (20, 2, 40, 8),
        (20, 2, 3, 2),
        (20, 2, 14, 2),
        (20, 2, 15, 3),
        (0, 0, 9, 0),
        (100, 0, 9, 9),
        (100, 1000, 9, 1000),
    ] {
        assert_eq!(Guard::new(limits(share, min)).limit(known), limit);
    }
    assert_eq!(Guard::new(limits(100, 0)).limit(usize::MAX), usize::MAX / 100);
}

#[test]
fn a_phone_with_several_files_counts_once() {
    let mut l = Line::new(20, 2);
    for name in ["startup.cfg", "{mac}.cfg", "model.cfg"] {
        assert!(l.change(1, name, "a", "b"));
    }
    assert_eq!(l.guard.changed(), 1);
    assert!(l.change(2, "x", "a", "b"));
    assert!(!l.change(3, "x", "a", "b"));
    assert!(!l.change(1, "x", "a", "b"), "who changed before has no licence to change again");
}

#[test]
fn each_change_counts_for_the_window() {
    let mut l = Line::new(20, 2);
    assert!(l.change(1, "x", "a", "b"));
    l.pass(1800);
    assert!(l.change(2, "x", "a", "b"));
    l.pass(1799);
    assert_eq!(l.guard.changed(), 2);
    assert_eq!(l.guard.poll_at(), Some(l.start + Duration::from_secs(3600)));
    l.pass(1);
    assert_eq!(l.guard.changed(), 1);
    assert!(l.change(3, "x", "a", "b"));
    assert!(!l.change(4, "x", "a", "b"));
    // while it holds nothing is forgotten
    l.pass(100_000);
    assert_eq!((l.guard.changed(), l.guard.poll_at()), (2, None));
    assert!(l.change(2, "x", "b", "a"), "back to what it had");
    let now = l.now();
    l.guard.none_held(now, &mut l.notes);
    assert_eq!((l.guard.state(), l.guard.changed()), (State::Quiet, 1));
    l.pass(3599);
    assert_eq!(l.guard.changed(), 1, "the window begins anew");
    l.pass(1);
    assert_eq!(l.guard.changed(), 0);
}

#[test]
fn back_and_forth_gives_no_second_allowance() {
    let mut l = Line::new(20, 2);
    for _ in 0..3 {
        assert!(l.change(1, "x", "a", "b") && l.change(2, "x", "a", "b"));
        assert!(!l.change(3, "x", "a", "b"));
        assert!(l.change(1, "x", "b", "a") && l.change(2, "x", "b", "a"));
        let now = l.now();
        l.guard.none_held(now, &mut l.notes);
    }
    assert!(l.change(1, "x", "a", "b"));
    assert!(l.change(1, "x", "b", "c"), "a third account is one change of this phone");
    assert!(l.change(1, "x", "c", "a"));
    assert_eq!(l.guard.changed(), 0, "the account before the first change is the one to go back to");
}

#[test]
fn restored_changes_count_from_when_they_were() {
    let now = Now { mono: Instant::now(), unix: 1_800_000_000 };
    let restore = |unix: u64, now: Now| {
        let mut guard = Guard::new(limits(20, 2));
        guard.restore(mac(1), "x", 1, account("a"), unix, now);
        guard.changed()
    };
    assert_eq!(restore(now.unix - 3599, now), 1);
    assert_eq!(restore(now.unix - 3600, now), 0);
    assert_eq!(restore(now.unix + 1, now), 1, "a time in the future is now");
    assert_eq!(restore(1_700_000_000, Now { unix: 5, ..now }), 1, "without a clock it is now");
}

proptest! {
    /// Whatever order phones come in, however often and with what: unless the admin opens it, no more phones than the
    /// limit ever have an account that they did not have at first.
    #[test]
    fn never_more_than_the_limit(steps in prop::collection::vec((0u8..10, 0u8..4, 0u64..400), 0..200), min in 0u32..5) {
        let mut l = Line::new(20, min);
        let limit = l.guard.limit(10);
        let mut has = [0u8; 10];
        for (n, account, pause) in steps {
            // within one window: what passed longer ago is accepted by then
            if l.seconds + pause < 3600 {
                l.pass(pause);
            }
            let phone = usize::from(n);
            if has[phone] != account {
                let (before, new) = (format!("{n}-{}", has[phone]), format!("{n}-{account}"));
                if l.change(n, "x", &before, &new) {
                    has[phone] = account;
                }
            }
            prop_assert!(has.iter().filter(|a| **a != 0).count() <= limit);
        }
    }
}
