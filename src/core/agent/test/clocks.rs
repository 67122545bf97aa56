//! Clocks that jump, a router that slept, threads that never come back.

use super::*;

const DAY: u64 = 86_400;

fn at(w: &World, unix: u64) -> Now {
    Now { mono: w.now().mono, unix }
}

fn refused() -> Outcome {
    Outcome::Bad(Reason::Refused, "status 403".into())
}

fn count(w: &World, what: fn(&Action) -> bool) -> usize {
    w.out.iter().filter(|a| what(a)).count()
}

/// Phone 1 has been refused for three days when the clock jumps by `years`, and is refused again at once.
fn refused_over_a_jump(years: i64) -> World {
    let mut w = World::new();
    w.serve(1, "one");
    w.pass(2 * 3_600_000);
    w.get(1);
    let (id, _) = w.job();
    w.upstream(id, refused());
    w.pass(3 * DAY * 1000);
    w.jobs().into_iter().for_each(|(id, _)| w.upstream(id, refused()));
    let before = w.now();
    let now = w.now();
    w.agent.tend_clock(now, &mut w.out);
    w.out.clear();
    let unix = before.unix.saturating_add_signed(years * 366 * DAY as i64);
    let jumped = at(&w, unix);
    w.agent.tend_clock(jumped, &mut w.out);
    w.agent.timeout(jumped, &mut w.out);
    w.pass(61_000);
    w.get(1);
    for (id, _) in w.jobs() {
        let now = Now { unix: unix + 62, ..w.now() };
        w.agent.fetched(id, refused(), now, &mut w.out);
    }
    w
}

#[test]
fn a_jump_of_years_ends_no_grace_time() {
    for years in [-40, -5, 5, 80] {
        let w = refused_over_a_jump(years);
        assert_eq!(count(&w, |a| matches!(a, Action::Expire(_) | Action::Forget(_))), 0, "{years}");
        assert!(w.agent.cache.iter().all(|(_, e)| e.current().is_some()), "{years}");
    }
}

#[test]
fn a_restart_with_a_wrong_clock_ends_no_grace_time_but_a_right_one_does() {
    let key = ResourceKey { vendor: "snom".into(), mac: mac(1), name: "settings.php?mac={mac}".into() };
    let loaded = || {
        let meta = GenerationMeta {
            number: 1,
            sha256: Sha256::of(b"one"),
            size: 3,
            stored_at: 1_790_000_000,
            etag: None,
            last_modified: None,
            target: "settings.php?mac=000413000001".into(),
            headers: vec![],
        };
        let record = PhoneRecord {
            mac: mac(1).to_string(),
            vendor: "snom".into(),
            model: None,
            firmware: None,
            first_seen: 1,
            refused_since: [(key.name.clone(), 1_800_000_000 - 8 * DAY)].into(),
            decided: Default::default(),
        };
        Loaded { configs: vec![(key.clone(), vec![meta])], phones: vec![record], ..Loaded::default() }
    };
    let mut w = World::with(loaded());
    let ask = |w: &mut World| {
        w.get(1);
        let (id, _) = w.job();
        w.upstream(id, refused());
        count(w, |a| matches!(a, Action::Expire(_)))
    };
    assert_eq!(ask(&mut w), 0, "just started: the clock may be anything");
    w.pass(3_601_000);
    w.jobs();
    assert_eq!(ask(&mut w), 1, "8 days are more than 7");
}

#[test]
fn a_jump_refreshes_a_few_and_not_everybody() {
    for jump in [56 * 365 * DAY as i64, -3 * 365 * DAY as i64, 7200] {
        let mut w = World::new();
        for n in 1..=200 {
            w.serve(n, "one");
        }
        w.jobs();
        let jumped = at(&w, w.now().unix.saturating_add_signed(jump));
        w.ms += 61_000;
        let now = Now { mono: w.now().mono, unix: jumped.unix + 61 };
        w.agent.tend_clock(now, &mut w.out);
        w.agent.timeout(now, &mut w.out);
        assert!(w.jobs().len() <= bounds::FETCHES, "{jump}");
        let waiting = w.agent.cache.iter().filter(|(k, _)| w.agent.cache.is_busy(k)).count();
        assert!(waiting <= 20, "{jump}: {waiting} are refreshed at once");
        let told = w.control(json!({"op": "events", "count": 1})).unwrap();
        assert!(told["result"]["events"][0]["text"].as_str().unwrap().starts_with("the clock was moved"), "{told}");
    }
}

#[test]
fn once_the_clock_is_set_an_upstream_whose_certificate_could_not_be_checked_is_asked_at_once() {
    let mut w = World::new();
    w.serve(1, "one");
    let boot = Now { unix: 7, ..w.now() };
    w.agent.tend_clock(boot, &mut w.out);
    w.get(1);
    let (id, _) = w.job();
    let why = "TLS: the router's clock is not set (1970-01-01): certificates cannot be checked until NTP has set it";
    w.agent.fetched(id, Outcome::Bad(Reason::Down, why.into()), boot, &mut w.out);
    // down for long: the next probe would come in a minute
    for _ in 0..6 {
        w.pass(60_000);
        w.jobs().into_iter().for_each(|(id, _)| w.upstream(id, Outcome::Bad(Reason::Down, why.into())));
    }
    let told = w.control(json!({"op": "status"})).unwrap();
    assert!(told["result"]["upstream"]["last_error"].as_str().unwrap().contains("until NTP has set it"), "{told}");
    let slow = Now { unix: 7 + (w.ms / 1000), ..w.now() };
    w.agent.tend_clock(slow, &mut w.out);
    w.jobs();
    let set = w.now();
    w.agent.tend_clock(set, &mut w.out);
    let (id, _) = w.job();
    w.upstream(id, Outcome::NotModified);
    let told = w.control(json!({"op": "status"})).unwrap();
    assert_eq!(told["result"]["upstream"]["state"], "up");
}

#[test]
fn hours_of_sleep_end_in_no_storm() {
    for hours in [1, 5, 24 * 30] {
        let mut w = World::new();
        for n in 1..=100 {
            w.serve(n, "one");
        }
        // many things are under way: waiting phones, PnP, an upstream that is down
        for n in 1..=100 {
            w.get(n);
        }
        let (id, _) = w.jobs().remove(0);
        w.upstream(id, down());
        w.out.clear();
        w.ms += hours * 3_600_000;
        // a suspend stops one clock and not the other; a stopped process stops neither
        let now = w.now();
        w.agent.tend_clock(now, &mut w.out);
        w.agent.timeout(now, &mut w.out);
        assert!(w.jobs().len() <= bounds::FETCHES, "{hours}");
        assert_eq!(
            count(&w, |a| matches!(a, Action::Store(..) | Action::Expire(_) | Action::PutPhone(_))),
            0,
            "{hours}"
        );
        assert!(count(&w, |a| matches!(a, Action::Answer(..))) <= 100, "each who waits is told once");
        assert!(w.agent.poll_at() > now.mono, "and then it rests");
    }
}

#[test]
fn a_fetch_whose_thread_is_lost_does_not_keep_its_place() {
    let mut w = World::new();
    let threads: Vec<RequestId> = (1..=bounds::FETCHES as u16).map(|n| w.get(n)).collect();
    let lost = w.jobs();
    assert_eq!(lost.len(), bounds::FETCHES);
    w.pass(60_000);
    assert!(threads.iter().all(|id| w.status_of(*id).is_some()), "nobody waits for it");
    w.get(100);
    assert_eq!(w.jobs(), [], "no thread is free");
    w.pass(20 * 60_000);
    assert!(!w.jobs().is_empty() || w.agent.poll_at() > w.now().mono);
    w.get(101);
    assert!(!w.jobs().is_empty(), "there are threads again");
    // and should it come after all, it is nobody's
    w.upstream(lost[0].0, good("late"));
    assert_eq!(w.flash(), 0);
}
