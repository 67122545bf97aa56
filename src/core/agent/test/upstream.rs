//! The upstream is down, odd, or another one; shared files.

use super::*;

#[test]
fn while_the_upstream_is_down_one_probe_at_a_time_finds_out_when_it_is_back() {
    let mut w = World::new();
    for n in 1..=3 {
        w.serve(n, &format!("config {n}"));
    }
    let a = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, down());
    assert_eq!(w.status_of(a), Some((200, Label::LastGood(Reason::Down))));
    for n in 2..=3 {
        let b = w.get(n);
        assert_eq!(w.status_of(b), Some((200, Label::LastGood(Reason::Down))), "at once");
    }
    assert_eq!(w.jobs(), [], "nobody else asks");
    let mut probes = 0;
    for _ in 0..30 {
        w.pass(10_000);
        for (id, _) in w.jobs() {
            probes += 1;
            w.upstream(id, down());
        }
        w.get(2);
    }
    assert!((5..=8).contains(&probes), "{probes} probes in 300 s");
    w.pass(60_000);
    let (id, _) = w.job();
    w.upstream(id, good("new"));
    w.flash();
    w.out.clear();
    w.pass(15_000);
    let b = w.get(3);
    let (id, _) = w.job();
    w.upstream(id, good("new 3"));
    w.flash();
    assert_eq!(w.status_of(b), Some((200, Label::Fresh)), "all are served anew");
}

#[test]
fn one_thing_that_the_upstream_stumbles_over_does_not_keep_the_others_on_their_last_good() {
    let mut w = World::new();
    w.serve(1, "one");
    // never good: a status alone proves nothing
    let odd = w.get_from(ip(2), "/snom/odd.htm?mac=000413000002");
    let (id, _) = w.job();
    w.upstream(id, Outcome::Bad(Reason::Down, "status 500".into()));
    assert_eq!(w.status_of(odd), Some((503, Label::None)));
    let a = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, good("one"));
    assert_eq!(w.status_of(a), Some((200, Label::Unchanged)));
    // what was good once and now hangs does; asking for it again and again does not keep it so
    w.serve(3, "three");
    w.get(3);
    let (id, _) = w.job();
    w.upstream(id, down());
    let mut seconds = 0;
    loop {
        seconds += 10;
        w.get(3);
        w.pass(10_000);
        let jobs = w.jobs();
        let other = jobs.iter().any(|(_, url)| !url.contains("000413000003"));
        jobs.into_iter().for_each(|(id, _)| w.upstream(id, if other { good("one") } else { down() }));
        if other {
            break;
        }
        assert!(seconds < 60, "only the one that hangs is tried");
    }
    w.pass(15_000);
    w.out.clear();
    w.get(1);
    assert_eq!(w.jobs().len(), 1, "the upstream is asked again");
}

#[test]
fn another_upstream_is_asked_without_the_validators_of_the_one_before() {
    let mut w = World::new();
    w.serve(1, "one");
    let validators = |w: &mut World| {
        w.get(1);
        let at = w.out.iter().position(|a| matches!(a, Action::Fetch { .. })).unwrap();
        let Action::Fetch { job, .. } = w.out.remove(at) else { unreachable!() };
        (job.id, job.headers.iter().any(|(n, _)| n == "If-None-Match"))
    };
    let (id, conditional) = validators(&mut w);
    assert!(conditional);
    w.upstream(id, Outcome::NotModified);
    w.reload(&CONFIG.replace("prov.example.net", "other.example.net"));
    let (id, conditional) = validators(&mut w);
    assert!(!conditional, "304 of another upstream would mean nothing");
    w.upstream(id, good("one"));
    w.pass(15_000);
    assert!(validators(&mut w).1);
    // a late answer of the upstream before leaves no trace
    let status = w.control(json!({"op": "status"})).unwrap();
    let upstreams = status["result"]["upstreams"].as_array().unwrap().clone();
    assert_eq!(upstreams.len(), 1, "{upstreams:?}");
}

#[test]
fn a_304_to_whom_nothing_is_stored_is_no_answer() {
    let mut w = World::new();
    let a = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, Outcome::NotModified);
    let answer = w.told(a).unwrap();
    assert_eq!(answer.status, 503);
    assert!(matches!(answer.body, Body::Text(text) if text.contains("304")));
}

#[test]
fn configs_do_not_wait_for_firmware() {
    let mut w = World::new();
    for n in 0..20 {
        w.get_from(ip(1), &format!("/snom/fw{n}.bin"));
    }
    let shared = w.jobs();
    assert_eq!(shared.len(), bounds::SHARED_FETCHES);
    let a = w.get(1);
    let (id, url) = w.job();
    assert!(url.contains("settings.php"));
    w.upstream(id, good("one"));
    w.flash();
    assert_eq!(w.status_of(a), Some((200, Label::Fresh)));
    assert_eq!(w.jobs(), [], "its thread is for configs");
    w.shared_done(shared[0].0, Err(FetchError::Truncated { got: 1 }));
    assert!(w.job().1.contains("/fw"), "the next firmware");
}

#[test]
fn however_often_shared_files_are_asked_for_they_can_be_fetched() {
    let mut w = World::new();
    // 404s, remembered, asked for again: more names than anything in the agent has room for
    for n in 0..2 * bounds::RESOURCES {
        let target = format!("/snom/f{n}.bin");
        let from = ip(1 + n as u16 / 90); // each address within its rate
        w.get_from(from, &target);
        for (id, _) in w.jobs() {
            w.shared_done(id, Ok((FetchHead { status: 404, ..FetchHead::default() }, 0)));
        }
        w.get_from(from, &target);
        w.out.clear();
    }
    let a = w.get_from(ip(1999), "/snom/real.bin");
    let (id, url) = w.job();
    assert_eq!(url, "https://prov.example.net/prov/snom/real.bin");
    let now = w.now();
    w.agent.stream_head(id, &head(9), now, &mut w.out);
    assert!(matches!(w.told(a).unwrap().body, Body::Stream(_)));
}

#[test]
fn what_may_come_from_the_upstream_is_bounded() {
    let mut w = World::new();
    w.get(1);
    w.get_from(ip(2), "/snom/fw.bin");
    let limits: Vec<u64> = w
        .out
        .iter()
        .filter_map(|a| match a {
            Action::Fetch { job, .. } | Action::FetchShared { job, .. } => Some(job.limit),
            _ => None,
        })
        .collect();
    assert_eq!(limits, [bounds::CONFIG_BODY as u64, bounds::SHARED_BODY]);
}

#[test]
fn who_comes_too_late_for_a_file_that_is_not_kept_gets_a_fetch_of_his_own() {
    let mut w = World::new();
    let a = w.get_from(ip(1), "/snom/fw.bin");
    let (first, _) = w.job();
    let now = w.now();
    w.agent.stream_head(first, &head(100 << 20), now, &mut w.out);
    let Some(Body::Stream(stream)) = w.told(a).map(|a| a.body) else { panic!() };
    let b = w.get_from(ip(2), "/snom/fw.bin");
    assert!(matches!(w.told(b).unwrap().body, Body::Stream(s) if s == stream), "it joins");
    // the network finds that its beginning has passed, and asks again with the same request
    w.agent.stream_missed(stream);
    let b = w.get_from(ip(2), "/snom/fw.bin");
    let (second, _) = w.job();
    w.agent.stream_head(second, &head(100 << 20), now, &mut w.out);
    assert!(matches!(w.told(b).unwrap().body, Body::Stream(s) if s != stream));
    w.shared_done(first, Ok((head(100 << 20), 0)));
    assert!(w.out.iter().any(|a| matches!(a, Action::DropStream(s) if *s == stream)));
}

#[test]
fn refresh_all_neither_overflows_nor_marks_anybody_down() {
    let mut w = World::new();
    let count = bounds::FETCH_QUEUE as u16 + 200;
    for n in 0..count {
        w.serve(n, "one");
    }
    let started = w.control(json!({"op": "refresh", "mac": "all"})).unwrap();
    assert_eq!(started["result"]["started"], json!(count));
    let mut fetched = 0;
    loop {
        let jobs = w.jobs();
        assert!(jobs.len() <= bounds::FETCHES / 2, "phones that ask find a free thread");
        if jobs.is_empty() {
            break;
        }
        for (id, _) in jobs {
            fetched += 1;
            w.upstream(id, Outcome::NotModified);
        }
    }
    assert_eq!(fetched, count);
    let phones = w.control(json!({"op": "phones"})).unwrap();
    let states = phones["result"]["phones"].as_array().unwrap().iter().map(|p| p["config"]["reason"].clone());
    assert!(states.into_iter().all(|r| r.is_null()));
}
