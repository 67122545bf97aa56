//! The store against the real world: killed at random instants, a disk that is really full, a hostile umask.
//! Tests that need another process start this test binary again with [`CHILD`] set.

use phoneprov::core::types::{GenerationMeta, PhoneRecord, ResourceKey, Sha256};
use phoneprov::proto::mac::Mac;
use phoneprov::store::{self, Opened, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The state folder that a child works in.
const CHILD: &str = "PHONEPROV_TEST_STORE";
const HISTORY: u32 = 3;
/// So little that older generations go all the time, and enough for every last good.
const CACHE_MAX: u64 = 200 * 1024;
const PHONES: u8 = 6;

fn key(phone: u8) -> ResourceKey {
    ResourceKey { vendor: "snom".into(), mac: Mac([0, 4, 0x13, 0, 0, phone]), name: "settings.php?mac={mac}".into() }
}

/// The one config that this phone has under this number, 100 bytes to 20 KiB.
fn body(phone: u8, number: u32) -> Vec<u8> {
    let mut state = u32::from(phone).wrapping_mul(7919).wrapping_add(number.wrapping_mul(104_729)).max(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let size = 100 + next() as usize % 20_000;
    (0..size).map(|_| next() as u8).collect()
}

fn meta(number: u32, body: &[u8]) -> GenerationMeta {
    GenerationMeta {
        number,
        sha256: Sha256::of(body),
        size: body.len() as u64,
        stored_at: 1_700_000_000 + u64::from(number),
        etag: Some(format!("\"{number}\"")),
        last_modified: None,
        target: "settings.php".into(),
        headers: vec![("User-Agent".into(), "snom".into())],
    }
}

fn record(phone: u8, number: u32) -> PhoneRecord {
    PhoneRecord {
        mac: key(phone).mac.to_string(),
        vendor: "snom".into(),
        model: Some("snomD785".into()),
        firmware: Some(number.to_string()),
        first_seen: 1,
        refused_since: Default::default(),
        decided: Default::default(),
    }
}

fn put(store: &Store, phone: u8, number: u32) -> Result<(), StoreError> {
    let body = body(phone, number);
    store.put(&key(phone), &meta(number, &body), &body, HISTORY, CACHE_MAX).map(drop)
}

/// Every file below, with its path.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            all.extend(files(&entry.path()));
        }
        all.push(entry.path());
    }
    all
}

fn unfinished(dir: &Path) -> usize {
    files(dir).iter().filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(".tmp-")).count()
}

fn this_test_again(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, dir);
    command
}

/// The child: changing configs without end, each announced when it is stored.
fn write_without_end(dir: &Path) -> ! {
    let Opened { store, found, .. } = store::open(dir).unwrap();
    let mut last: BTreeMap<u8, u32> = BTreeMap::new();
    for found in found {
        last.insert(found.key.mac.0[5], found.generations.last().unwrap().number);
    }
    let say = |word: &str, phone: u8, number: u32| {
        let mut out = std::io::stdout().lock();
        out.write_all(format!("\n{word} {phone} {number}\n").as_bytes()).unwrap();
        out.flush().unwrap();
    };
    let mut turn = std::process::id();
    loop {
        turn = turn.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let phone = (turn >> 16) as u8 % PHONES;
        if (turn >> 24) % 16 == 0 {
            say("forgetting", phone, 0);
            store.forget(key(phone).mac).unwrap();
            say("forgot", phone, 0);
            last.remove(&phone);
            continue;
        }
        let number = last.get(&phone).copied().unwrap_or(0) + 1;
        say("putting", phone, number);
        put(&store, phone, number).unwrap();
        store.put_phone(&record(phone, number)).unwrap();
        say("put", phone, number);
        last.insert(phone, number);
    }
}

#[test]
fn killed_at_500_random_instants() {
    if let Some(dir) = std::env::var_os(CHILD) {
        write_without_end(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    // the numbers of the last good and of the record that must be there; a phone without an entry must not be
    let mut certain: BTreeMap<u8, (Option<u32>, Option<u32>)> = BTreeMap::new();
    let mut random = std::process::id() | 1;
    let (mut stored, mut in_the_middle, mut left_over) = (0u32, 0u32, 0usize);
    for round in 0..500 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut child = this_test_again("killed_at_500_random_instants", dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        // The instant is up to 12 ms after one of the first lines that it says; in every tenth round after the begin
        // of the process, that is often during its start.
        let (mut said, mut lines) = (Vec::new(), if round % 10 == 0 { 0 } else { random >> 8 & 7 });
        while lines > 0 {
            assert_ne!(out.read_until(b'\n', &mut said).unwrap(), 0, "round {round}: the child ended by itself");
            lines -= u32::from(said.iter().rev().nth(1).is_some_and(u8::is_ascii_digit));
        }
        std::thread::sleep(Duration::from_micros(u64::from(random >> 12) % 12_000));
        child.kill().unwrap();
        child.wait().unwrap();

        // what it said before it died; of the last thing announced nobody knows
        let mut announced: Option<(String, u8)> = None;
        out.read_to_end(&mut said).unwrap();
        // a line without its end is one that was not said
        let whole = said.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        for line in String::from_utf8_lossy(&said[..whole]).lines() {
            let mut words = line.split(' ');
            let (word, phone, number) = (words.next(), words.next(), words.next());
            let (Some(word), Some(Ok(phone)), Some(Ok(number))) =
                (word, phone.map(str::parse::<u8>), number.map(str::parse::<u32>))
            else {
                continue;
            };
            match word {
                "putting" | "forgetting" => announced = Some((word.to_string(), phone)),
                "put" => {
                    certain.insert(phone, (Some(number), Some(number)));
                    stored += 1;
                    announced = None;
                }
                "forgot" => {
                    certain.remove(&phone);
                    announced = None;
                }
                _ => {}
            }
        }
        in_the_middle += u32::from(announced.is_some());
        left_over += unfinished(dir.path());

        let opened = store::open(dir.path()).unwrap();
        assert_eq!(opened.damaged, [""; 0], "round {round}");
        assert_eq!(unfinished(dir.path()), 0, "round {round}");
        let mut found: BTreeMap<u8, (Option<u32>, Option<u32>)> = BTreeMap::new();
        for resource in &opened.found {
            let phone = resource.key.mac.0[5];
            assert_eq!(resource.key, key(phone));
            for stored in &resource.generations {
                let body = body(phone, stored.number);
                assert_eq!(*stored, meta(stored.number, &body));
                assert_eq!(opened.store.read(&resource.key, stored.number), Ok(body), "round {round}");
            }
            found.entry(phone).or_default().0 = resource.generations.last().map(|last| last.number);
        }
        for record in &opened.phones {
            let phone = Mac::parse(&record.mac).unwrap().0[5];
            found.entry(phone).or_default().1 = record.firmware.as_ref().unwrap().parse().ok();
        }
        for phone in 0..PHONES {
            let must = certain.get(&phone).copied().unwrap_or_default();
            let is = found.get(&phone).copied().unwrap_or_default();
            let next = Some(must.0.unwrap_or(0) + 1);
            let fine = match &announced {
                Some((word, at)) if *at == phone && word == "forgetting" => is == must || is == (None, None),
                Some((_, at)) if *at == phone => is == must || is == (next, must.1) || is == (next, next),
                _ => is == must,
            };
            assert!(fine, "round {round}: phone {phone} has {is:?}, acknowledged {must:?}, announced {announced:?}");
        }
        assert!(opened.store.bytes() <= CACHE_MAX + 21 * 1024, "round {round}: {}", opened.store.bytes());
        certain = found;
    }
    println!(
        "{stored} stored, {in_the_middle} times killed in the middle of a call, {left_over} unfinished files removed"
    );
    assert!(stored > 300 && in_the_middle > 100 && left_over > 0, "{stored} {in_the_middle} {left_over}");
}

/// A small disk, unmounted at the end whatever happens.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<SmallDisk> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        mounted.then_some(SmallDisk(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_serves_on_says_so_and_loses_nothing() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can mount a small disk");
        return;
    }
    let Some(disk) = SmallDisk::mount("64k") else {
        println!("skipped: this machine does not let root mount a tmpfs");
        return;
    };
    let store = store::open(disk.path()).unwrap().store;
    // phones until it is full; then configs that change until nothing fits
    let mut last: BTreeMap<u8, u32> = BTreeMap::new();
    let mut refused = BTreeSet::new();
    for number in 1..4 {
        for phone in 0..12 {
            match put(&store, phone, last.get(&phone).map_or(1, |n| n + 1)) {
                Ok(()) => *last.entry(phone).or_insert(0) += 1,
                Err(error @ StoreError::NoSpace(_)) => {
                    let text = error.to_string();
                    assert!(text.contains("No space left on device") && text.contains("free some space"), "{text}");
                    refused.insert(phone);
                }
                Err(other) => panic!("{other}"),
            }
            assert_eq!(unfinished(disk.path()), 0);
            for (phone, number) in &last {
                assert_eq!(store.read(&key(*phone), *number), Ok(body(*phone, *number)), "turn {number}");
            }
        }
        let _ = number;
    }
    assert!(!refused.is_empty() && last.len() > 1, "{refused:?} {last:?}");
    // fill the last page, so that not one byte fits, and start again
    let filler = disk.path().join("filler");
    let _ = std::fs::write(&filler, vec![0; 65536]);
    let opened = store::open(disk.path()).unwrap();
    assert_eq!(opened.damaged, [""; 0]);
    let found: BTreeMap<u8, u32> =
        opened.found.iter().map(|f| (f.key.mac.0[5], f.generations.last().unwrap().number)).collect();
    assert_eq!(found, last);
    let phone = *last.keys().next().unwrap();
    assert!(matches!(put(&opened.store, phone, last[&phone] + 1), Err(StoreError::NoSpace(_))));
    assert_eq!(opened.store.read(&key(phone), last[&phone]), Ok(body(phone, last[&phone])));
    // space again: the same call works
    std::fs::remove_file(filler).unwrap();
    let gone: Vec<u8> = last.keys().skip(1).copied().collect();
    gone.iter().for_each(|phone| opened.store.forget(key(*phone).mac).unwrap());
    put(&opened.store, phone, last[&phone] + 1).unwrap();
    assert_eq!(unfinished(disk.path()), 0);
}

#[test]
fn modes_are_right_whatever_the_umask() {
    if let Some(dir) = std::env::var_os(CHILD) {
        let store = store::open(Path::new(&dir)).unwrap().store;
        put(&store, 1, 1).unwrap();
        store.put_phone(&record(1, 1)).unwrap();
        store.set_aside(&key(1), 1, "a test").unwrap();
        put(&store, 1, 2).unwrap();
        return;
    }
    for umask in ["000", "022", "077", "0777"] {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let again = this_test_again("modes_are_right_whatever_the_umask", &state);
        let status = Command::new("sh")
            .args(["-c", "umask $0; exec \"$@\"", umask])
            .arg(again.get_program())
            .args(again.get_args())
            .env(CHILD, &state)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "umask {umask}");
        assert_eq!(std::fs::metadata(&state).unwrap().mode(), 0o40700);
        let all = files(&state);
        assert_eq!(all.len(), 6, "{all:?}");
        for path in all {
            let is = std::fs::metadata(&path).unwrap();
            let right = if is.is_dir() { 0o40700 } else { 0o100600 };
            assert_eq!(is.mode(), right, "umask {umask}: {}", path.display());
        }
    }
}

#[test]
fn a_thousand_refreshes_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = store::open(dir.path()).unwrap().store;
    put(&store, 1, 1).unwrap();
    store.put_phone(&record(1, 1)).unwrap();
    let look = || -> Vec<_> {
        let stat = |path: PathBuf| {
            let is = std::fs::metadata(&path).unwrap();
            (path, is.ino(), is.mtime(), is.mtime_nsec(), is.ctime(), is.ctime_nsec())
        };
        files(dir.path()).into_iter().map(stat).collect()
    };
    let (before, written) = (look(), store.bytes_written());
    let same = body(1, 1);
    let start = Instant::now();
    for number in 2..1002 {
        let done = store.put(&key(1), &meta(number, &same), &same, HISTORY, CACHE_MAX).unwrap();
        assert_eq!((done.number, done.bytes_written), (1, 0));
        assert!(!store.put_phone(&record(1, 1)).unwrap());
    }
    println!("1,000 refreshes in {:?}", start.elapsed());
    assert_eq!((look(), store.bytes_written()), (before, written));
}
