//! Held configs and pinned generations.

use super::crash::{folder, key, meta, on_disk, record};
use super::*;
use crate::core::types::Decided;
use std::fs;

const PLENTY: u64 = 1 << 24;

fn put(store: &Store, key: &ResourceKey, number: u32, body: &[u8], cache_max: u64) -> Result<Put, StoreError> {
    store.put(key, &meta(number, body), body, 3, cache_max)
}

fn hold(store: &Store, key: &ResourceKey, body: &[u8], cache_max: u64) -> Result<u64, StoreError> {
    store.put_candidate(key, &meta(9, body), body, cache_max)
}

#[test]
fn a_held_config_survives_a_restart_and_becomes_a_generation() {
    let dir = folder();
    let a = key(1, "a");
    {
        let store = open(dir.path()).unwrap().store;
        put(&store, &a, 1, b"one", PLENTY).unwrap();
        assert!(hold(&store, &a, b"held", PLENTY).unwrap() > 0);
        assert_eq!(hold(&store, &a, b"held", PLENTY), Ok(0), "the same bytes are not written again");
        assert!(hold(&store, &a, b"newer", PLENTY).unwrap() > 0);
        assert_eq!(store.bytes(), on_disk(dir.path()).0);
    }
    let mut shown = Vec::new();
    let mut show = |_: &ResourceKey, meta: &GenerationMeta, body: &[u8]| shown.push((meta.number, body.to_vec()));
    let opened = open_showing(dir.path(), &mut show).unwrap();
    assert_eq!(shown, [(1, b"one".to_vec()), (9, b"newer".to_vec())]);
    let found = &opened.found[0];
    assert_eq!((found.generations.len(), found.candidate.clone()), (1, Some(meta(9, b"newer"))));
    let store = opened.store;
    assert_eq!(hold(&store, &a, b"newer", PLENTY), Ok(0), "nor after a restart");
    assert_eq!(store.accept(&a, &meta(2, b"other"), 3, PLENTY), Err(StoreError::NotFound));
    assert_eq!(store.accept(&a, &meta(2, b"newer"), 3, PLENTY).unwrap().number, 2);
    assert_eq!(store.read(&a, 2).unwrap(), b"newer");
    assert_eq!(store.accept(&a, &meta(3, b"newer"), 3, PLENTY), Err(StoreError::NotFound));
    assert_eq!(store.bytes(), on_disk(dir.path()).0);
    assert_eq!(open(dir.path()).unwrap().found[0].candidate, None);
}

#[test]
fn it_counts_in_cache_max_and_makes_way_but_is_never_made_way_for() {
    let dir = folder();
    let store = open(dir.path()).unwrap().store;
    let (a, b) = (key(1, "a"), key(2, "b"));
    for number in 1..=2 {
        put(&store, &a, number, &[number as u8; 1000], PLENTY).unwrap();
    }
    let file = store.bytes() / 2;
    // no older generation goes for it
    assert!(matches!(hold(&store, &a, &[7; 1000], file * 3 - 1), Err(StoreError::Full { .. })));
    assert_eq!(store.bytes(), file * 2);
    hold(&store, &a, &[7; 1000], file * 3).unwrap();
    assert!(matches!(hold(&store, &a, &[8; 2000], file * 3), Err(StoreError::Full { .. })));
    assert_eq!(store.bytes(), file * 2, "what was held before is not the newest any more");
    hold(&store, &a, &[7; 1000], file * 3).unwrap();
    // it goes before any older generation
    assert_eq!(put(&store, &b, 1, &[3; 1000], file * 3).unwrap().removed, []);
    assert_eq!(store.bytes(), on_disk(dir.path()).0);
    assert_eq!(store.accept(&a, &meta(3, &[7; 1000]), 3, PLENTY), Err(StoreError::NotFound));
    // and it needs no room beside itself
    hold(&store, &a, &[7; 1000], file * 4).unwrap();
    assert_eq!(store.accept(&a, &meta(3, &[7; 1000]), 3, file * 4).unwrap().removed, []);
    assert_eq!(store.bytes(), on_disk(dir.path()).0);
}

#[test]
fn it_goes_with_its_config_and_with_its_phone() {
    let dir = folder();
    let store = open(dir.path()).unwrap().store;
    let (a, b) = (key(1, "a"), key(2, "b"));
    for k in [&a, &b] {
        put(&store, k, 1, b"one", PLENTY).unwrap();
        hold(&store, k, b"held", PLENTY).unwrap();
    }
    store.expire(&a).unwrap();
    store.forget(b.mac).unwrap();
    assert_eq!((store.bytes(), on_disk(dir.path())), (0, (0, vec![])));
    // one whose config is gone is of no use
    put(&store, &a, 1, b"one", PLENTY).unwrap();
    hold(&store, &a, b"held", PLENTY).unwrap();
    drop(store);
    let of = dir.path().join("configs").join(a.mac.hex());
    fs::remove_file(of.join(name::generation(&name::stem(&a), 1))).unwrap();
    let opened = open(dir.path()).unwrap();
    assert!(opened.found.is_empty());
    assert_eq!(on_disk(dir.path()).0, 0);
}

#[test]
fn a_damaged_one_is_set_aside() {
    let dir = folder();
    let a = key(1, "a");
    let store = open(dir.path()).unwrap().store;
    put(&store, &a, 1, b"one", PLENTY).unwrap();
    hold(&store, &a, b"held", PLENTY).unwrap();
    drop(store);
    let file = dir.path().join("configs").join(a.mac.hex()).join(name::candidate(&name::stem(&a)));
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    let opened = open(dir.path()).unwrap();
    assert_eq!(opened.found[0].candidate, None);
    assert!(opened.damaged[0].contains("SHA-256"), "{:?}", opened.damaged);
    assert!(!file.exists());
}

#[test]
fn a_pinned_generation_is_never_in_the_way() {
    let dir = folder();
    let (a, b) = (key(1, "a"), key(2, "b"));
    let store = open(dir.path()).unwrap().store;
    for number in 1..=3 {
        put(&store, &a, number, &[number as u8; 1000], PLENTY).unwrap();
    }
    let file = store.bytes() / 3;
    let mut pinned = record(1, "1");
    pinned.decided = Decided { pinned: [("a".to_string(), 1)].into(), ..Decided::default() };
    store.put_phone(&pinned).unwrap();
    let numbers = |dir: &Path| -> Vec<u32> {
        let found = open(dir).unwrap().found;
        found.iter().find(|f| f.key == a).unwrap().generations.iter().map(|m| m.number).collect()
    };
    // not by history, not by cache_max, not after a restart
    put(&store, &a, 4, &[4; 1000], PLENTY).unwrap();
    assert_eq!(numbers(dir.path()), [1, 2, 3, 4]);
    drop(store);
    let store = open(dir.path()).unwrap().store;
    put(&store, &b, 1, &[9; 1000], file * 3).unwrap();
    assert_eq!(numbers(dir.path()), [1, 4]);
    assert!(matches!(put(&store, &b, 2, &[8; 3000], file * 3), Err(StoreError::Full { .. })));
    // until it is pinned no more
    store.put_phone(&record(1, "1")).unwrap();
    put(&store, &b, 2, &[8; 1000], file * 2).unwrap();
    assert_eq!(numbers(dir.path()), [4]);
}

#[test]
fn what_is_newer_goes() {
    let dir = folder();
    let a = key(1, "a");
    let store = open(dir.path()).unwrap().store;
    for number in 1..=3 {
        put(&store, &a, number, &[number as u8], PLENTY).unwrap();
    }
    store.drop_newer(&a, 1).unwrap();
    assert_eq!(store.read(&a, 1).unwrap(), [1]);
    assert_eq!(store.read(&a, 2), Err(StoreError::NotFound));
    assert_eq!(store.bytes(), on_disk(dir.path()).0);
    put(&store, &a, 2, b"again", PLENTY).unwrap();
    assert_eq!(store.read(&a, 2).unwrap(), b"again");
}

#[test]
fn what_a_rollback_may_want_does_not_go_by_history() {
    let dir = folder();
    let a = key(1, "a");
    let store = open(dir.path()).unwrap().store;
    put(&store, &a, 1, b"own", PLENTY).unwrap();
    let mut changed = record(1, "1");
    let from = crate::core::types::Changed { from: 1, at: 1_700_000_000 };
    changed.decided = Decided { changed: [("a".to_string(), from)].into(), ..Decided::default() };
    store.put_phone(&changed).unwrap();
    // the mistake, with the time of day in it: other bytes each time
    for number in 2..=6 {
        put(&store, &a, number, &[number as u8; 100], PLENTY).unwrap();
    }
    assert_eq!(store.read(&a, 1).unwrap(), b"own");
    // room for a last good comes first
    let file = store.bytes() / 4;
    put(&store, &a, 7, &[7; 100], 2 * file).unwrap();
    assert_eq!(store.read(&a, 1), Err(StoreError::NotFound));
    // and when it counts no more it goes as all do
    put(&store, &key(3, "c"), 1, b"own", PLENTY).unwrap();
    store.put_phone(&record(3, "1")).unwrap();
    for number in 2..=6 {
        put(&store, &key(3, "c"), number, &[number as u8; 100], PLENTY).unwrap();
    }
    assert_eq!(store.read(&key(3, "c"), 1), Err(StoreError::NotFound));
}
