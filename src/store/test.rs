//! What the store promises its callers.

use super::crash::{folder, key, meta, on_disk, record};
use super::disk::Disk;
use super::fault::{Fault, Plan};
use super::*;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

const PLENTY: u64 = 1 << 24;

fn open_counted(dir: &Path) -> (Store, Arc<Fault>) {
    let disk = Disk::default();
    let fault = disk.fault.clone();
    (open_on(dir, disk, &mut |_, _, _| {}).unwrap().store, fault)
}

fn put(store: &Store, key: &ResourceKey, number: u32, body: &[u8]) -> Result<Put, StoreError> {
    store.put(key, &meta(number, body), body, 3, PLENTY)
}

fn path(dir: &Path, key: &ResourceKey, number: u32) -> PathBuf {
    dir.join("configs").join(key.mac.hex()).join(name::generation(&name::stem(key), number))
}

fn aside(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir.join("damaged"))
        .map(|list| list.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[test]
fn there_and_back_through_a_restart() {
    fn shared<T: Send + Sync>(_: &T) {}
    let dir = folder();
    let state = dir.path().join("deep/state");
    let body = b"<settings>\r\n\0\xff</settings>";
    let (a, b) = (key(1, "a"), key(2, "b"));
    {
        let opened = open(&state).unwrap();
        assert!(opened.found.is_empty() && opened.phones.is_empty() && opened.damaged.is_empty());
        let store = opened.store;
        shared(&store);
        let full = GenerationMeta { etag: Some("\"e\"".into()), last_modified: Some("d".into()), ..meta(1, body) };
        let done = store.put(&a, &full, body, 3, PLENTY).unwrap();
        let size = fs::metadata(path(&state, &a, 1)).unwrap().len();
        assert_eq!(done, Put { number: 1, removed: vec![], bytes_written: size });
        assert_eq!((store.bytes(), store.bytes_written()), (size, size));
        put(&store, &b, 7, b"").unwrap();
        put(&store, &a, 2, b"two").unwrap();
        assert_eq!(store.put_phone(&record(1, "10.1")), Ok(true));
        assert_eq!(store.read(&a, 1).unwrap(), body);
        assert_eq!(store.read(&a, 3), Err(StoreError::NotFound));
        assert_eq!(store.read(&key(3, "a"), 1), Err(StoreError::NotFound));
    }
    let opened = open(&state).unwrap();
    let of = |key: &ResourceKey| opened.found.iter().find(|f| f.key == *key).unwrap().generations.clone();
    assert_eq!(opened.found.len(), 2);
    assert_eq!(of(&a).iter().map(|m| m.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(of(&a)[0].etag.as_deref(), Some("\"e\""));
    assert_eq!(of(&b), [meta(7, b"")]);
    assert_eq!(opened.phones, [record(1, "10.1")]);
    assert_eq!(opened.store.read(&a, 1).unwrap(), body);
    assert_eq!(opened.store.read(&b, 7).unwrap(), b"");
    assert_eq!(opened.store.bytes(), on_disk(&state).0);
    assert_eq!(opened.store.bytes_written(), 0);

    for (path, mode) in [
        (state.clone(), 0o40700),
        (state.join("configs"), 0o40700),
        (path(&state, &a, 1).parent().unwrap().to_path_buf(), 0o40700),
        (path(&state, &a, 1), 0o100600),
        (path(&state, &a, 1).with_file_name("phone.json"), 0o100600),
    ] {
        assert_eq!(fs::metadata(&path).unwrap().mode(), mode, "{}", path.display());
    }
}

#[test]
fn a_thousand_refreshes_of_the_same_change_nothing() {
    let dir = folder();
    let (store, fault) = open_counted(dir.path());
    put(&store, &key(1, "a"), 1, b"config").unwrap();
    store.put_phone(&record(1, "10.1")).unwrap();
    let (steps, bytes) = (fault.steps(), store.bytes_written());
    for number in 2..1002 {
        let same = Put { number: 1, removed: vec![], bytes_written: 0 };
        assert_eq!(put(&store, &key(1, "a"), number, b"config").unwrap(), same);
        assert_eq!(store.put_phone(&record(1, "10.1")), Ok(false));
    }
    assert_eq!((fault.steps(), store.bytes_written()), (steps, bytes));
    // nor does a restart with the same
    drop(store);
    let (store, fault) = open_counted(dir.path());
    put(&store, &key(1, "a"), 2, b"config").unwrap();
    store.put_phone(&record(1, "10.1")).unwrap();
    assert_eq!((fault.steps(), store.bytes_written()), (0, 0));
}

#[test]
fn limits_are_kept_and_a_last_good_is_never_given_up() {
    let dir = folder();
    let (store, fault) = open_counted(dir.path());
    let (a, b) = (key(1, "a"), key(2, "b"));
    for number in 1..=4 {
        let done = put(&store, &a, number, &[number as u8; 1000]).unwrap();
        let gone = if number == 4 { vec![(a.clone(), 1)] } else { vec![] };
        assert_eq!(done.removed, gone);
    }
    let file = store.bytes() / 3;
    assert_eq!(store.put(&b, &meta(1, &[9; 1000]), &[9; 1000], 3, file * 3).unwrap().removed, [(a.clone(), 2)]);
    assert_eq!(store.bytes(), on_disk(dir.path()).0);

    let steps = fault.steps();
    let full = store.put(&key(3, "c"), &meta(1, &[8; 1000]), &[8; 1000], 3, file * 2 + 100).unwrap_err();
    assert_eq!(full, StoreError::Full { need: file * 3, max: file * 2 + 100, unit: "bytes" });
    assert!(full.to_string().contains("raise cache_max"));
    assert_eq!(fault.steps(), steps, "nothing was touched");
    assert_eq!(store.read(&a, 3).unwrap(), [3; 1000]);
}

#[test]
fn a_removal_that_fails_is_made_up_for() {
    let dir = folder();
    let (store, fault) = open_counted(dir.path());
    let a = key(1, "a");
    for number in 1..=3 {
        put(&store, &a, number, &[number as u8]).unwrap();
    }
    fault.plan(Plan::Sound);
    put(&store, &a, 4, b"4").unwrap();
    let last = fault.steps() - 1;
    fault.plan(Plan::Once(last, Errno::IO));
    assert_eq!(put(&store, &a, 5, b"5").unwrap().removed, []);
    assert_eq!(store.bytes(), on_disk(dir.path()).0);
    assert_eq!(store.read(&a, 2).unwrap(), [2]);
    assert_eq!(put(&store, &a, 6, b"6").unwrap().removed, [(a.clone(), 2), (a.clone(), 3)]);
    assert_eq!(store.bytes(), on_disk(dir.path()).0);
}

#[test]
fn what_is_wrong_is_said() {
    let dir = folder();
    let (store, fault) = open_counted(dir.path());
    let a = key(1, "a");
    put(&store, &a, 1, b"1").unwrap();
    for (errno, says) in [
        (Errno::NOSPC, "free some space there or lower cache_max"),
        (Errno::DQUOT, "free some space"),
        (Errno::ROFS, "make the file system writable"),
        (Errno::ACCESS, "give the folder to the user"),
        (Errno::IO, "check the disk"),
    ] {
        fault.plan(Plan::DeadFrom(0, errno));
        let text = put(&store, &a, 2, b"2").unwrap_err().to_string();
        assert!(text.contains(says) && text.contains("/configs/0004130000") && !text.contains("?mac"), "{text}");
        assert!(store.put_phone(&record(1, "x")).is_err() && store.forget(a.mac).is_err());
        assert_eq!(store.read(&a, 1).unwrap(), b"1");
    }
}

#[test]
fn what_could_not_be_read_again_is_not_stored() {
    let dir = folder();
    let (store, fault) = open_counted(dir.path());
    let a = key(1, "a");
    put(&store, &a, 5, b"five").unwrap();
    let steps = fault.steps();
    let big = vec![0; bounds::CONFIG_BODY + 1];
    let vendor = |vendor: &str| ResourceKey { vendor: vendor.into(), ..key(2, "a") };
    let good = meta(6, b"six");
    let long = GenerationMeta { target: "\n".repeat(20_000), ..good.clone() };
    for (key, meta, body) in [
        (&a, meta(4, b"four"), &b"four"[..]),
        (&a, GenerationMeta { number: 5, ..good.clone() }, b"six"),
        (&a, GenerationMeta { size: 4, ..good.clone() }, b"six"),
        (&a, good.clone(), b"sex"),
        (&a, long, b"six"),
        (&a, meta(6, &big), &big),
        (&key(2, "a"), meta(0, b""), b""),
        (&vendor(""), meta(1, b""), b""),
        (&vendor("../x"), meta(1, b""), b""),
        (&vendor("a.b"), meta(1, b""), b""),
        (&vendor(&"v".repeat(65)), meta(1, b""), b""),
    ] {
        let done = store.put(key, &meta, body, 3, PLENTY);
        assert!(matches!(done, Err(StoreError::Invalid(_))), "{} {done:?}", meta.number);
    }
    let nobody = PhoneRecord { mac: "x".into(), ..record(1, "x") };
    assert!(matches!(store.put_phone(&nobody), Err(StoreError::Invalid(_))));
    assert!(matches!(store.put_phone(&record(1, &"x".repeat(70_000))), Err(StoreError::Invalid(_))));
    assert_eq!(fault.steps(), steps);
    let largest = &big[1..];
    put(&store, &a, 6, largest).unwrap();
    drop(store);
    assert_eq!(open(dir.path()).unwrap().store.read(&a, 6).unwrap(), largest);
}

#[test]
fn damage_is_set_aside_and_the_rest_serves() {
    let dir = folder();
    let (a, b, c) = (key(1, "a"), key(2, "b"), key(0, "c"));
    {
        let store = open(dir.path()).unwrap().store;
        for (key, number) in [(&a, 1), (&a, 2), (&b, 1), (&c, 1)] {
            put(&store, key, number, format!("{} {number}", key.name).as_bytes()).unwrap();
        }
        store.put_phone(&record(1, "1")).unwrap();
        store.put_phone(&record(2, "2")).unwrap();
    }
    // a bit of the last good flips, a file is under another's name, one has grown, a record is torn
    let file = path(dir.path(), &a, 2);
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    fs::copy(path(dir.path(), &b, 1), path(dir.path(), &b, 2)).unwrap();
    fs::write(path(dir.path(), &c, 2), vec![b'x'; file::FILE_MAX + 1]).unwrap();
    fs::write(path(dir.path(), &a, 1).with_file_name("phone.json"), "{\"mac\":").unwrap();

    let opened = open(dir.path()).unwrap();
    let last = |key: &ResourceKey| {
        let meta = opened.found.iter().find(|f| f.key == *key).unwrap().generations.last().unwrap();
        opened.store.read(key, meta.number).unwrap()
    };
    assert_eq!((last(&a), last(&b), last(&c)), (b"a 1".to_vec(), b"b 1".to_vec(), b"c 1".to_vec()));
    assert_eq!(opened.phones, [record(2, "2")]);
    assert_eq!(opened.damaged.len(), 4);
    for (sentence, says) in opened.damaged.iter().zip(["larger than", "no phone's record", "SHA-256", "another file"]) {
        assert!(
            sentence.starts_with("configs/00041300000") && sentence.contains("; set aside as damaged/"),
            "{sentence}"
        );
        assert!(sentence.contains(says), "{sentence}");
    }
    assert_eq!(opened.store.bytes(), on_disk(dir.path()).0);
    assert!(aside(dir.path()).iter().any(|name| name.starts_with("000002-000413000001-phone.json.damaged")));
    // what was set aside is not found again, its number may be used again, and forgetting takes it along
    let again = open(dir.path()).unwrap();
    assert_eq!(again.damaged, [""; 0]);
    put(&again.store, &a, 2, b"new").unwrap();
    again.store.forget(a.mac).unwrap();
    assert!(aside(dir.path()).iter().all(|name| !name.contains("000413000001")));
    assert_eq!(aside(dir.path()).len(), 1, "the large one has made room for the others");
}

#[test]
fn damage_found_when_read_is_set_aside_too() {
    let dir = folder();
    let store = open(dir.path()).unwrap().store;
    let a = key(1, "a");
    put(&store, &a, 1, b"one").unwrap();
    put(&store, &a, 2, b"two").unwrap();
    put(&store, &a, 3, b"three").unwrap();
    fs::write(path(dir.path(), &a, 3), "torn").unwrap();
    let Err(StoreError::Damaged(sentence)) = store.read(&a, 3) else { panic!() };
    assert!(sentence.contains("it is not a stored config; set aside as damaged/000001-"), "{sentence}");
    assert_eq!(store.read(&a, 3), Err(StoreError::NotFound));
    let sentence = store.set_aside(&a, 2, "it has no settings").unwrap();
    assert!(sentence.contains(": it has no settings; set aside as damaged/000002-"), "{sentence}");
    assert_eq!(store.set_aside(&a, 2, "x"), Err(StoreError::NotFound));
    assert_eq!(store.bytes(), on_disk(dir.path()).0);
    // two is now free, and the same bytes as before count as new
    assert_eq!(put(&store, &a, 2, b"two").unwrap().number, 2);
    assert_eq!(store.read(&a, 2).unwrap(), b"two");
}

#[test]
fn what_is_set_aside_is_bounded() {
    let dir = folder();
    let store = open(dir.path()).unwrap().store;
    let a = key(1, "a");
    for number in 1..=20 {
        put(&store, &a, number, &[number as u8]).unwrap();
        store.set_aside(&a, number, "x").unwrap();
    }
    let names = aside(dir.path());
    assert_eq!(names.len(), 16);
    assert!(names[0].starts_with("000005-") && names[15].starts_with("000020-"), "{names:?}");
    let big = vec![0; bounds::CONFIG_BODY];
    put(&store, &a, 21, &big).unwrap();
    store.set_aside(&a, 21, "x").unwrap();
    assert_eq!(aside(dir.path()).len(), 1, "the newest stays, whatever its size");
    fs::write(dir.path().join("damaged/readme"), "mine").unwrap();
    put(&store, &a, 22, b"x").unwrap();
    store.set_aside(&a, 22, "x").unwrap();
    assert_eq!(aside(dir.path()).len(), 2, "the old one went, and what is not ours stayed");
}

#[test]
fn a_disk_that_cannot_set_aside_still_serves_the_rest() {
    let dir = folder();
    let a = key(1, "a");
    {
        let store = open(dir.path()).unwrap().store;
        put(&store, &a, 1, b"one").unwrap();
        put(&store, &a, 2, b"two").unwrap();
    }
    fs::write(path(dir.path(), &a, 2), "torn").unwrap();
    fs::write(path(dir.path(), &a, 2).with_file_name(".tmp-write"), "half").unwrap();
    let disk = Disk::default();
    disk.fault.plan(Plan::DeadFrom(0, Errno::ROFS));
    let opened = open_on(dir.path(), disk, &mut |_, _, _| {}).unwrap();
    assert_eq!(opened.found[0].generations, [meta(1, b"one")]);
    assert_eq!(opened.store.read(&a, 1).unwrap(), b"one");
    assert_eq!(opened.damaged.len(), 2);
    assert!(opened.damaged[0].contains("left there unused"), "{:?}", opened.damaged);
    assert!(opened.damaged[1].contains("1 unfinished that could not be removed"), "{:?}", opened.damaged);
    // once it is writable again, the next config takes the damaged one's place
    opened.store.disk.fault.plan(Plan::Sound);
    put(&opened.store, &a, 2, b"new").unwrap();
    assert_eq!(opened.store.read(&a, 2).unwrap(), b"new");
    assert_eq!(on_disk(dir.path()), (opened.store.bytes(), vec![]));
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let dir = folder();
    let a = key(1, "a");
    put(&open(dir.path()).unwrap().store, &a, 1, b"one").unwrap();
    let phone = dir.path().join("configs/000413000001");
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::copy(path(dir.path(), &a, 1), outside.join("snom-file")).unwrap();
    fs::copy(path(dir.path(), &a, 1), outside.join(name::generation(&name::stem(&a), 1))).unwrap();
    std::os::unix::fs::symlink(outside.join("snom-file"), path(dir.path(), &a, 2)).unwrap();
    std::os::unix::fs::symlink(&outside, dir.path().join("configs/000413000002")).unwrap();
    std::os::unix::fs::symlink(&outside, dir.path().join("configs/.tmp-forget-000413000003")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path(dir.path(), &a, 3),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    fs::create_dir(path(dir.path(), &a, 4)).unwrap();
    fs::write(phone.join("notes.txt"), "mine").unwrap();
    fs::write(dir.path().join("configs/000413AABBCC"), "mine").unwrap();
    let newer = String::from_utf8(fs::read(path(dir.path(), &a, 1)).unwrap()).unwrap();
    fs::write(path(dir.path(), &a, 5), newer.replace("generation 1", "generation 2")).unwrap();

    let opened = open(dir.path()).unwrap();
    assert_eq!(opened.found, [Found { key: a.clone(), generations: vec![meta(1, b"one")], candidate: None }]);
    assert_eq!(opened.damaged, ["configs: files left alone: 6 not of the agent, 1 of another version of the agent"]);
    assert_eq!(aside(dir.path()), [""; 0]);
    for number in 2..=4 {
        assert_eq!(opened.store.read(&a, number), Err(StoreError::NotFound), "{number}");
        assert!(fs::symlink_metadata(path(dir.path(), &a, number)).is_ok(), "{number}");
    }
    assert!(opened.store.read(&key(2, "a"), 1).is_err(), "a folder that is a link is not entered");
    assert_eq!(fs::read(phone.join("notes.txt")).unwrap(), b"mine");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 2, "a link with our prefix is removed, not followed");
    assert!(fs::symlink_metadata(dir.path().join("configs/.tmp-forget-000413000003")).is_err());
}

#[test]
fn no_more_is_taken_than_the_bounds() {
    let dir = folder();
    drop(open(dir.path()).unwrap());
    let write = |key: &ResourceKey, number| {
        fs::create_dir_all(path(dir.path(), key, number).parent().unwrap()).unwrap();
        fs::write(path(dir.path(), key, number), file::write_head(key, &meta(number, b""))).unwrap();
    };
    for number in 1..=70 {
        write(&key(1, "a"), number);
    }
    for i in 0..bounds::RESOURCES {
        write(&key(2, &i.to_string()), 1);
    }
    let opened = open(dir.path()).unwrap();
    let numbers: Vec<u32> = opened.found[0].generations.iter().map(|m| m.number).collect();
    assert_eq!(numbers, (7..=70).collect::<Vec<_>>(), "the newest");
    assert_eq!(opened.found.len(), bounds::RESOURCES);
    assert_eq!(opened.damaged, ["configs: files left alone: 7 more than the agent takes"]);
}

#[test]
fn a_forgotten_phone_is_gone() {
    let dir = folder();
    let (store, fault) = open_counted(dir.path());
    let (a, b) = (key(1, "a"), key(2, "b"));
    put(&store, &b, 1, b"b").unwrap();
    let other = store.bytes();
    put(&store, &a, 1, b"a").unwrap();
    store.put_phone(&record(1, "1")).unwrap();
    fs::create_dir(dir.path().join("configs/.tmp-forget-000413000001")).unwrap();
    fs::write(dir.path().join("configs/.tmp-forget-000413000001/x"), "of an earlier time").unwrap();
    store.forget(a.mac).unwrap();
    assert_eq!(store.read(&a, 1), Err(StoreError::NotFound));
    assert_eq!(on_disk(dir.path()), (other, vec![]));
    assert!(!dir.path().join("configs/000413000001").exists());
    assert_eq!(store.bytes(), other);
    let steps = fault.steps();
    store.forget(a.mac).unwrap();
    assert_eq!(fault.steps(), steps, "nothing there, nothing done");
    put(&store, &a, 1, b"a").unwrap();
    assert_eq!(store.read(&a, 1).unwrap(), b"a");
}

#[test]
fn a_phone_can_be_forgotten_on_a_full_flash() {
    let dir = folder();
    let (store, fault) = open_counted(dir.path());
    let a = key(1, "a");
    for number in 1..=3 {
        put(&store, &a, number, &[number as u8]).unwrap();
    }
    store.put_phone(&record(1, "1")).unwrap();
    fault.plan(Plan::FullFrom(0));
    assert!(matches!(put(&store, &a, 4, b"4"), Err(StoreError::NoSpace(_))));
    store.forget(a.mac).unwrap();
    assert_eq!((store.bytes(), on_disk(dir.path())), (0, (0, vec![])));
    assert_eq!(store.read(&a, 3), Err(StoreError::NotFound));
    assert!(!dir.path().join("configs/000413000001").exists());
}

#[test]
fn forgetting_in_place_keeps_the_last_good_to_the_last() {
    for broken in 0..4 {
        let dir = folder();
        let (store, fault) = open_counted(dir.path());
        let a = key(1, "a");
        for number in [8, 9, 10] {
            put(&store, &a, number, &[number as u8]).unwrap();
        }
        fault.plan(Plan::Sound);
        let files = ["8", "9", "10"];
        // remove `broken` files, then nothing more works
        let phone = store.known_folder(a.mac).unwrap();
        let configs = Folder::open(&dir.path().join("configs")).unwrap();
        fault.plan(Plan::DeadFrom(broken, Errno::IO));
        assert!(store.forget_in_place(&mut store.writer(), &configs, &phone, a.mac).is_err());
        fault.plan(Plan::Sound);
        let left: Vec<String> = files.iter().skip(broken).map(|n| n.to_string()).collect();
        let opened = open(dir.path()).unwrap();
        let found: Vec<String> =
            opened.found.iter().flat_map(|f| &f.generations).map(|m| m.number.to_string()).collect();
        assert_eq!(found, left);
        store.count(&store.writer());
        assert_eq!(store.bytes(), on_disk(dir.path()).0);
    }
}

#[test]
fn leftovers_do_not_pile_up_while_running() {
    let dir = folder();
    let (store, fault) = open_counted(dir.path());
    let a = key(1, "a");
    put(&store, &a, 1, b"1").unwrap();
    for step in [2, 4, 4] {
        // in the second half of the bytes; the removal fails too, and the next write does it
        fault.plan(Plan::DeadFrom(step, Errno::IO));
        assert!(put(&store, &a, 2, b"22").is_err());
        assert_eq!(on_disk(dir.path()).1, [".tmp-write"]);
    }
    fault.plan(Plan::Sound);
    put(&store, &a, 2, b"22").unwrap();
    assert_eq!(on_disk(dir.path()), (store.bytes(), vec![]));
    // a phone whose first config fails leaves no folder
    fault.plan(Plan::Once(2, Errno::NOSPC));
    assert!(put(&store, &key(7, "a"), 1, b"x").is_err());
    assert!(!dir.path().join("configs/000413000007").exists());
}

#[test]
fn files_that_others_remove_can_be_stored_again() {
    let dir = folder();
    let store = open(dir.path()).unwrap().store;
    let a = key(1, "a");
    put(&store, &a, 1, b"one").unwrap();
    fs::remove_dir_all(dir.path().join("configs")).unwrap();
    assert_eq!(store.read(&a, 1), Err(StoreError::NotFound));
    assert_eq!(store.bytes(), 0);
    put(&store, &a, 1, b"one").unwrap();
    assert_eq!(store.read(&a, 1).unwrap(), b"one");
}

#[test]
fn a_reader_does_not_wait_for_a_writer() {
    let dir = folder();
    let store = open(dir.path()).unwrap().store;
    let a = key(1, "a");
    put(&store, &a, 1, b"one").unwrap();
    let writing = store.writer();
    std::thread::scope(|scope| {
        let (done, is_done) = std::sync::mpsc::channel();
        let (store, a) = (&store, &a);
        scope.spawn(move || {
            let read = (store.read(a, 1), store.read(a, 2), store.bytes() > 0, store.bytes_written() > 0);
            done.send(read).unwrap();
        });
        let read = is_done.recv_timeout(std::time::Duration::from_secs(20));
        drop(writing); // before a failure, so that the other thread ends
        assert_eq!(read.unwrap(), (Ok(b"one".to_vec()), Err(StoreError::NotFound), true, true));
    });
}

#[test]
fn what_others_could_have_written_is_not_served() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder();
    let (store, _) = open_counted(dir.path());
    let (a, b) = (key(1, "a"), key(2, "b"));
    put(&store, &a, 1, b"one").unwrap();
    put(&store, &b, 1, b"two").unwrap();
    let file = path(dir.path(), &a, 1);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let Err(StoreError::Damaged(why)) = store.read(&a, 1) else { panic!("served") };
    assert!(why.contains("others may write it"), "{why}");
    let mut others = 1;
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(path(dir.path(), &b, 1), Some(65_534), None).unwrap();
        others = 2;
    }
    drop(store);
    let opened = open(dir.path()).unwrap();
    assert_eq!(opened.found.len(), 2 - others);
    assert_eq!(opened.damaged.len(), others - 1, "{:?}", opened.damaged);
}
