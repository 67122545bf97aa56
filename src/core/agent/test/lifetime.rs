//! Forgetting, reloading, restarting, nights.

use super::*;

#[test]
fn what_is_forgotten_while_it_is_fetched_stays_forgotten_and_the_phone_can_begin_anew() {
    let mut w = World::new();
    let a = w.get(1);
    let (old, _) = w.job();
    w.control(json!({"op": "forget", "mac": mac(1).to_string()}));
    assert_eq!(w.status_of(a), Some((404, Label::None)));
    // another file first, then the same again: the old answer must not be taken for either
    let other = w.get_from(ip(1), "/snom/other.htm?mac=000413000001");
    let b = w.get(1);
    let (second, _) = w.job();
    w.upstream(old, good("of before"));
    assert_eq!(w.flash(), 0, "nothing of before is stored");
    w.upstream(second, good("other"));
    w.flash();
    assert_eq!(w.status_of(other), Some((200, Label::Fresh)));
    let (third, _) = w.job();
    w.upstream(third, good("new"));
    w.flash();
    assert_eq!(w.status_of(b), Some((200, Label::Fresh)));
    w.pass(15_000);
    w.get(1);
    assert_eq!(w.jobs().len(), 1, "and the phone's lane is free");
}

#[test]
fn what_is_forgotten_while_it_is_written_says_nothing_of_what_comes_after() {
    let mut w = World::new();
    w.get(1);
    let (id, _) = w.job();
    w.upstream(id, good("one"));
    let written = w.out.iter().position(|a| matches!(a, Action::Store(..))).unwrap();
    let Action::Store(key, meta, _) = w.out.remove(written) else { unreachable!() };
    w.control(json!({"op": "forget", "mac": mac(1).to_string()}));
    let at = |w: &World, what: fn(&Action) -> bool| w.out.iter().position(what);
    assert!(at(&w, |a| matches!(a, Action::Forget(Some(_)))).is_some(), "removed after it was written");
    w.out.clear();
    let b = w.get(1);
    let now = w.now();
    w.agent.stored(&key, meta.number, Ok((meta.number, vec![])), (1, 1), now, &mut w.out);
    assert_eq!(w.status_of(b), None, "it waits for the upstream");
    let (id, _) = w.job();
    w.upstream(id, good("two"));
    assert_eq!(w.flash(), 1);
    assert_eq!(w.status_of(b), Some((200, Label::Fresh)));
}

#[test]
fn a_vendor_that_goes_and_comes_back_by_reload_goes_on_where_it_was() {
    let mut w = World::new();
    w.serve(1, "one");
    let (agent, vendors) = CONFIG.split_once("config vendor 'snom'").unwrap();
    let mitel = vendors.split_once("config vendor 'mitel'").unwrap().1;
    let without = format!("{agent}config vendor 'mitel'{mitel}");
    // one waits, one is being refreshed with nobody waiting
    let waits = w.get(1);
    let (fetching, _) = w.job();
    w.reload(&without);
    assert_eq!(w.status_of(waits), Some((404, Label::None)), "nobody knows what must not reach the LAN");
    let refused = w.get(1);
    assert_eq!(w.status_of(refused), Some((404, Label::None)));
    w.upstream(fetching, down());
    w.pass(200_000);
    assert_eq!(w.jobs(), [], "nothing is asked of nobody");
    w.out.clear();
    w.reload(CONFIG);
    let b = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, good("two"));
    let number = w.out.iter().find_map(|a| match a {
        Action::Store(_, meta, _) => Some(meta.number),
        _ => None,
    });
    assert_eq!(number, Some(2), "the numbers on flash go on");
    w.flash();
    let answer = w.told(b).unwrap();
    assert_eq!((answer.status, answer.rewrite), (200, Some((0, mac(1)))), "with its own section's rules");
}

#[test]
fn after_a_restart_the_last_good_has_its_age_if_there_is_a_clock() {
    let meta = GenerationMeta {
        number: 3,
        sha256: Sha256::of(b"one"),
        size: 3,
        stored_at: 1_800_000_000 - 1000,
        etag: Some("\"x\"".into()),
        last_modified: None,
        target: "settings.php?mac=000413000001".into(),
        headers: vec![],
    };
    let key = ResourceKey { vendor: "snom".into(), mac: mac(1), name: "settings.php?mac={mac}".into() };
    let loaded = || Loaded { configs: vec![(key.clone(), vec![meta.clone()])], ..Loaded::default() };
    let mut w = World::with(loaded());
    let a = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, down());
    let answer = w.told(a).unwrap();
    assert_eq!((answer.label, answer.age), (Label::LastGood(Reason::Down), Some(1000)));
    assert!(matches!(answer.body, Body::Stored(_, 3)));
    // 1970
    let mut w = World::with(loaded());
    let now = Now { unix: 5, ..w.now() };
    let (request, lan) = (w.get(1), Table(HashMap::new()));
    drop(lan);
    let (id, _) = w.job();
    w.agent.fetched(id, down(), now, &mut w.out);
    assert_eq!(w.told(request).unwrap().age, None, "nobody knows");
}

#[test]
fn each_known_phone_is_refreshed_once_a_night() {
    let mut w = World::new();
    for n in 1..=40 {
        w.serve(n, "one");
    }
    let mut fetched = HashMap::<String, usize>::new();
    for _ in 0..24 * 60 {
        w.pass(60_013);
        for (id, url) in w.jobs() {
            *fetched.entry(url).or_default() += 1;
            w.upstream(id, Outcome::NotModified);
        }
    }
    assert_eq!(fetched.len(), 40);
    assert!(fetched.values().all(|n| *n == 1), "{fetched:?}");
}

#[test]
fn a_config_whose_phone_has_no_record_is_kept_all_the_same() {
    // cut off between the config and the record, or the record was damaged and set aside
    let meta = GenerationMeta {
        number: 1,
        sha256: Sha256::of(b"one"),
        size: 3,
        stored_at: 1_700_000_000,
        etag: None,
        last_modified: None,
        target: "settings.php?mac=000413000001".into(),
        headers: vec![],
    };
    let key = ResourceKey { vendor: "snom".into(), mac: mac(1), name: "settings.php?mac={mac}".into() };
    let mut w = World::with(Loaded { configs: vec![(key, vec![meta])], ..Loaded::default() });
    w.reload(&CONFIG.replace("option provpass", "option enrol 'window'\n\toption provpass"));
    w.pass(1);
    let written = w.out.iter().any(|a| matches!(a, Action::PutPhone(r) if r.mac == mac(1).to_string()));
    assert!(written, "the record is written again");
    // the night brings a new config, and the upstream goes
    w.control(json!({"op": "refresh", "mac": "all"}));
    let (id, _) = w.job();
    w.upstream(id, good("two"));
    assert_eq!(w.flash(), 1, "it is no stranger");
    w.pass(20_000);
    let a = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, down());
    assert_eq!(w.status_of(a), Some((200, Label::LastGood(Reason::Down))), "it was served before");
}
