//! Every instant of a sequence of writes, removals and prunings: one step fails; the flash is full from there on; it
//! becomes read-only; the agent is killed (also while it cleans up at the next start); the power goes, and of what
//! was not brought to the disk any part may be lost. After each, every acknowledged last good must be there.

use super::disk::Disk;
use super::fault::{Fault, Op, Plan};
use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) const HISTORY: u32 = 2;

/// One call of the store.
#[derive(Clone, Debug)]
enum Act {
    Put { phone: u8, name: &'static str, fill: u8, size: usize, cache_max: u64 },
    Phone { phone: u8, firmware: &'static str },
    Hold { phone: u8, name: &'static str, fill: u8, size: usize },
    Accept { phone: u8, name: &'static str },
    Drop { phone: u8, name: &'static str },
    Forget { phone: u8 },
}

/// What must be there.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Model {
    last_good: BTreeMap<ResourceKey, (u32, Vec<u8>)>,
    /// Held configs, but for those that are the last good already: `accept` was cut off before its end.
    held: BTreeMap<ResourceKey, Vec<u8>>,
    phones: BTreeMap<String, PhoneRecord>,
}

fn mac(phone: u8) -> Mac {
    Mac([0, 4, 0x13, 0, 0, phone])
}

pub(super) fn key(phone: u8, name: &str) -> ResourceKey {
    ResourceKey { vendor: "snom".into(), mac: mac(phone), name: name.into() }
}

pub(super) fn meta(number: u32, body: &[u8]) -> GenerationMeta {
    GenerationMeta {
        number,
        sha256: Sha256::of(body),
        size: body.len() as u64,
        stored_at: 1_700_000_000 + u64::from(number),
        etag: None,
        last_modified: None,
        target: "t".into(),
        headers: vec![("User-Agent".into(), "snom".into())],
    }
}

pub(super) fn record(phone: u8, firmware: &str) -> PhoneRecord {
    PhoneRecord {
        mac: mac(phone).to_string(),
        vendor: "snom".into(),
        model: None,
        firmware: Some(firmware.into()),
        first_seen: 1,
        refused_since: Default::default(),
        decided: Default::default(),
    }
}

fn script() -> Vec<Act> {
    let put = |phone, name, fill, size| Act::Put { phone, name, fill, size, cache_max: 1 << 20 };
    vec![
        put(1, "a", 1, 300),
        Act::Phone { phone: 1, firmware: "1" },
        put(1, "a", 2, 310),
        put(2, "a", 3, 5000),
        put(1, "a", 4, 20), // prunes the first by history
        Act::Phone { phone: 1, firmware: "2" },
        put(2, "b", 5, 700),
        put(2, "a", 6, 5000),
        Act::Hold { phone: 2, name: "b", fill: 20, size: 600 },
        Act::Hold { phone: 2, name: "b", fill: 21, size: 650 }, // in the place of that
        Act::Accept { phone: 2, name: "b" },
        Act::Hold { phone: 2, name: "a", fill: 22, size: 300 },
        Act::Drop { phone: 2, name: "a" },
        Act::Hold { phone: 1, name: "a", fill: 23, size: 200 },
        Act::Forget { phone: 1 },
        put(1, "a", 7, 400),
        Act::Phone { phone: 1, firmware: "2" },
        put(2, "b", 8, 800),
        // the older ones of phone 2 must go
        Act::Put { phone: 3, name: "a", fill: 9, size: 900, cache_max: 9000 },
        // and this has no place at all
        Act::Put { phone: 3, name: "b", fill: 10, size: 5000, cache_max: 9000 },
        Act::Forget { phone: 2 },
        put(3, "a", 11, 901),
    ]
}

fn after(model: &Model, act: &Act) -> Model {
    let mut model = model.clone();
    match act {
        Act::Put { phone, name, fill, size, .. } => {
            let key = key(*phone, name);
            let number = model.last_good.get(&key).map_or(1, |(n, _)| n + 1);
            model.last_good.insert(key, (number, vec![*fill; *size]));
        }
        Act::Phone { phone, firmware } => {
            let record = record(*phone, firmware);
            model.phones.insert(record.mac.clone(), record);
        }
        Act::Hold { phone, name, fill, size } => {
            if model.last_good.contains_key(&key(*phone, name)) {
                model.held.insert(key(*phone, name), vec![*fill; *size]);
            }
        }
        Act::Accept { phone, name } => {
            let key = key(*phone, name);
            if let Some(body) = model.held.remove(&key) {
                let number = model.last_good.get(&key).map_or(1, |(n, _)| n + 1);
                model.last_good.insert(key, (number, body));
            }
        }
        Act::Drop { phone, name } => _ = model.held.remove(&key(*phone, name)),
        Act::Forget { phone } => {
            model.held.retain(|key, _| key.mac != mac(*phone));
            model.last_good.retain(|key, _| key.mac != mac(*phone));
            model.phones.remove(&mac(*phone).to_string());
        }
    }
    model
}

fn perform(store: &Store, model: &Model, act: &Act) -> Result<(), StoreError> {
    match act {
        Act::Put { phone, name, cache_max, .. } => {
            let key = key(*phone, name);
            let (number, body) = after(model, act).last_good[&key].clone();
            store.put(&key, &meta(number, &body), &body, HISTORY, *cache_max).map(|put| assert_eq!(put.number, number))
        }
        Act::Phone { phone, firmware } => store.put_phone(&record(*phone, firmware)).map(drop),
        Act::Hold { phone, name, fill, size } => {
            let (key, body) = (key(*phone, name), vec![*fill; *size]);
            store.put_candidate(&key, &meta(7, &body), &body, 1 << 20).map(drop)
        }
        Act::Accept { phone, name } => {
            let key = key(*phone, name);
            let Some(body) = model.held.get(&key) else { return Ok(()) };
            let number = after(model, act).last_good[&key].0;
            store.accept(&key, &meta(number, body), HISTORY, 1 << 20).map(|put| assert_eq!(put.number, number))
        }
        Act::Drop { phone, name } => store.drop_candidate(&key(*phone, name)),
        Act::Forget { phone } => store.forget(mac(*phone)),
    }
}

/// What a store holds; all of its generations are read and must be what the script once wrote.
fn held(opened: &Opened, dir: &Path) -> Model {
    assert_eq!(opened.damaged, [""; 0]);
    let mut model = Model::default();
    for found in &opened.found {
        let mut files = BTreeSet::new();
        for meta in &found.generations {
            let body = opened.store.read(&found.key, meta.number).unwrap();
            assert_eq!((Sha256::of(&body), body.len() as u64), (meta.sha256, meta.size));
            assert!(written(&found.key, &body), "{:?} {} was never written", found.key, meta.number);
            files.insert(meta.number);
            model.last_good.insert(found.key.clone(), (meta.number, body));
        }
        assert_eq!(files.len(), found.generations.len());
        if let Some(candidate) = &found.candidate {
            let body = held_on_disk(dir, &found.key).expect("what was found is there");
            assert_eq!(Sha256::of(&body), candidate.sha256);
            assert!(written(&found.key, &body), "{:?} was never held", found.key);
            model.held.insert(found.key.clone(), body);
        }
    }
    let last_good = &model.last_good;
    model.held.retain(|key, body| last_good[key].1 != *body);
    model.phones = opened.phones.iter().map(|record| (record.mac.clone(), record.clone())).collect();
    let (bytes, strangers) = on_disk(dir);
    assert_eq!(opened.store.bytes(), bytes);
    assert_eq!(strangers, [""; 0]);
    model
}

fn written(key: &ResourceKey, body: &[u8]) -> bool {
    script().iter().any(|act| {
        matches!(act, Act::Put { phone, name, fill, size, .. }
            if mac(*phone) == key.mac && *name == key.name && body == vec![*fill; *size])
            || matches!(act, Act::Hold { phone, name, fill, size }
            if mac(*phone) == key.mac && *name == key.name && body == vec![*fill; *size])
    })
}

/// The bytes of a held config.
fn held_on_disk(dir: &Path, key: &ResourceKey) -> Option<Vec<u8>> {
    let file = dir.join("configs").join(key.mac.hex()).join(name::candidate(&name::stem(key)));
    let bytes = std::fs::read(file).ok()?;
    let head = file::parse(&bytes).unwrap();
    Some(bytes[head.body_at..].to_vec())
}

/// Bytes of all generations, and the names of what should not be there.
pub(super) fn on_disk(dir: &Path) -> (u64, Vec<String>) {
    let (mut bytes, mut strangers) = (0, Vec::new());
    for phone in std::fs::read_dir(dir.join("configs")).unwrap().map(Result::unwrap) {
        if phone.file_name().to_string_lossy().starts_with('.') {
            strangers.push(phone.file_name().to_string_lossy().into_owned());
            continue;
        }
        for file in std::fs::read_dir(phone.path()).unwrap().map(Result::unwrap) {
            let name = file.file_name().to_string_lossy().into_owned();
            if name::parse_generation(&name).is_some() || name::parse_candidate(&name).is_some() {
                bytes += file.metadata().unwrap().len();
            } else if name != "phone.json" {
                strangers.push(name);
            }
        }
    }
    (bytes, strangers)
}

/// In memory where there is such a place: these tests sync thousands of times.
pub(super) fn folder() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap()
}

fn open_with(dir: &Path, plan: Plan) -> (Result<Opened, StoreError>, Arc<Fault>) {
    let disk = Disk::default();
    let fault = disk.fault.clone();
    fault.plan(plan);
    (open_on(dir, disk, &mut |_, _, _| {}), fault)
}

fn steps_of_the_script() -> usize {
    let dir = folder();
    let (opened, fault) = open_with(dir.path(), Plan::Sound);
    let (opened, mut model) = (opened.unwrap(), Model::default());
    for act in script() {
        match perform(&opened.store, &model, &act) {
            Ok(()) => model = after(&model, &act),
            Err(error) => assert!(matches!(error, StoreError::Full { .. }), "{act:?}: {error}"),
        }
    }
    drop(opened);
    assert_eq!(held(&open(dir.path()).unwrap(), dir.path()), model);
    let steps = fault.steps();
    assert!(steps > 100, "{steps}");
    steps
}

/// Runs the script to its end whatever fails. After each failure the state is known: as before, but for a `forget`
/// or a record, which may be done.
fn run(dir: &Path, plan: Plan) -> Model {
    let (opened, _) = open_with(dir, plan);
    let mut model = Model::default();
    let Ok(opened) = opened else { return model };
    for act in script() {
        let done = perform(&opened.store, &model, &act);
        let next = after(&model, &act);
        match (&done, &act) {
            (Ok(()), _) => model = after(&model, &act),
            (Err(_), Act::Forget { phone }) => {
                let gone = |m: &Model| {
                    m.last_good.iter().all(|(k, (n, _))| {
                        k.mac != mac(*phone) || opened.store.read(k, *n) == Err(StoreError::NotFound)
                    })
                };
                if gone(&model) {
                    model = after(&model, &act);
                }
            }
            (Err(_), Act::Phone { .. }) => {
                // the record may be the new one: see what a restart would say
                let file = dir.join("configs").join(mac(1).hex()).join("phone.json");
                let stored = std::fs::read(file).ok().map(|b| serde_json::from_slice::<PhoneRecord>(&b).unwrap());
                if stored.as_ref() == after(&model, &act).phones.get(&mac(1).to_string()) {
                    model = after(&model, &act);
                }
            }
            (Err(_), Act::Hold { .. } | Act::Drop { .. }) => {}
            (Err(error), Act::Put { .. } | Act::Accept { .. }) => assert_ne!(*error, StoreError::NotFound),
        }
        // a held config may be lost by a failure; it is never another one
        for key in next.last_good.keys().chain(model.last_good.keys()) {
            let there = held_on_disk(dir, key).filter(|body| model.last_good.get(key).is_none_or(|(_, b)| b != body));
            if let Some(body) = &there {
                assert!(model.held.get(key) == Some(body) || next.held.get(key) == Some(body), "{plan:?} {act:?}");
            }
            match there {
                Some(body) => _ = model.held.insert(key.clone(), body),
                None => _ = model.held.remove(key),
            }
        }
        for (key, (number, body)) in &model.last_good {
            assert_eq!(opened.store.read(key, *number).as_ref(), Ok(body), "{plan:?} {act:?} {done:?}");
        }
    }
    model
}

#[test]
fn any_one_step_fails() {
    for step in 0..steps_of_the_script() {
        for errno in [Errno::NOSPC, Errno::IO] {
            let dir = folder();
            let model = run(dir.path(), Plan::Once(step, errno));
            // nothing unfinished is left even before the next start, but for a file whose removal was what failed
            if dir.path().join("configs").is_dir() {
                let strangers = on_disk(dir.path()).1;
                assert!(strangers.len() <= 1, "step {step}: {strangers:?}");
            }
            let opened = open(dir.path()).unwrap();
            assert_eq!(held(&opened, dir.path()), model, "step {step} {errno:?}");
        }
    }
}

#[test]
fn the_flash_is_full_from_some_step_on() {
    for step in 0..steps_of_the_script() {
        let dir = folder();
        let model = run(dir.path(), Plan::FullFrom(step));
        if dir.path().join("configs").is_dir() {
            assert_eq!(on_disk(dir.path()).1, [""; 0], "step {step}");
        }
        assert_eq!(held(&open(dir.path()).unwrap(), dir.path()), model, "step {step}");
    }
}

/// The states that may be there after the step at which everything stopped.
fn run_until_dead(dir: &Path, step: usize, errno: Errno) -> [Model; 2] {
    let (opened, _) = open_with(dir, Plan::DeadFrom(step, errno));
    let mut model = Model::default();
    if let Ok(opened) = opened {
        for act in script() {
            match perform(&opened.store, &model, &act) {
                Ok(()) => model = after(&model, &act),
                Err(StoreError::Full { .. }) => {}
                Err(error) => {
                    assert_eq!(error.errno(), Some(errno));
                    let next = after(&model, &act);
                    return [model, next];
                }
            }
        }
    }
    [model.clone(), model]
}

#[test]
fn killed_at_any_step_and_again_while_cleaning_up() {
    for step in 0..steps_of_the_script() {
        let mut cleaning = 0;
        loop {
            let dir = folder();
            let allowed = run_until_dead(dir.path(), step, Errno::IO);
            let (_, fault) = open_with(dir.path(), Plan::DeadFrom(cleaning, Errno::IO));
            let opened = open(dir.path()).unwrap();
            let held = held(&opened, dir.path());
            assert!(allowed.contains(&held), "step {step}, {cleaning}: {held:#?}\nnot of {allowed:#?}");
            // and it works on
            let key = key(9, "after");
            opened.store.put(&key, &meta(1, b"x"), b"x", 3, 1 << 20).unwrap();
            assert_eq!(opened.store.read(&key, 1).unwrap(), b"x");
            if fault.steps() <= cleaning {
                break;
            }
            cleaning += 1;
        }
    }
}

#[test]
fn read_only_from_some_step_on_serves_on() {
    for step in 0..steps_of_the_script() {
        let dir = folder();
        let (opened, fault) = open_with(dir.path(), Plan::Sound);
        let opened = opened.unwrap();
        fault.plan(Plan::DeadFrom(step, Errno::ROFS));
        let mut model = Model::default();
        for act in script() {
            match perform(&opened.store, &model, &act) {
                Ok(()) => model = after(&model, &act),
                Err(StoreError::ReadOnly(_)) => break,
                Err(StoreError::Full { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        // a phone that was to be forgotten may be gone; every other is served
        let lost = model.last_good.iter().filter(|(k, (n, body))| opened.store.read(k, *n).as_ref() != Ok(body));
        let lost: BTreeSet<Mac> = lost.map(|(k, _)| k.mac).collect();
        assert!(lost.len() <= 1, "step {step}: {lost:?}");
        if !lost.is_empty() {
            assert!(fault.log().iter().any(|op| matches!(op, Op::Rename(_, to) if to.ends_with(name::forgetting(
                *lost.first().unwrap())))));
        }
    }
}

/// A disk that keeps only what was brought to it: for each folder its names on the disk, and the changes that are not.
struct Platter {
    /// Path to node, as the running system sees it.
    now: BTreeMap<PathBuf, usize>,
    /// Of each node: `None` a folder, else the bytes and whether they are on the disk.
    nodes: Vec<Option<(Vec<u8>, bool)>>,
    /// Names on the disk: (folder's node, name) to node.
    firm: BTreeMap<(usize, String), usize>,
    /// Not on the disk yet, in order.
    pending: Vec<Vec<Change>>,
}

#[derive(Clone, Debug)]
enum Change {
    Add(usize, String, usize),
    Take(usize, String),
}

impl Platter {
    fn new(root: &Path) -> Platter {
        Platter { now: [(root.to_path_buf(), 0)].into(), nodes: vec![None], firm: BTreeMap::new(), pending: Vec::new() }
    }

    fn place(&self, path: &Path) -> (usize, String) {
        (self.now[path.parent().unwrap()], path.file_name().unwrap().to_string_lossy().into_owned())
    }

    fn add(&mut self, path: &Path, node: Option<(Vec<u8>, bool)>) {
        self.nodes.push(node);
        let (folder, name) = self.place(path);
        self.now.insert(path.to_path_buf(), self.nodes.len() - 1);
        self.pending.push(vec![Change::Add(folder, name, self.nodes.len() - 1)]);
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::MakeFolder(path) => self.add(path, None),
            Op::Create(path) => self.add(path, Some((Vec::new(), false))),
            Op::Write(path, bytes) => {
                let file = self.nodes[self.now[path]].as_mut().unwrap();
                file.0.extend_from_slice(bytes);
                file.1 = false;
            }
            Op::Sync(path) => self.nodes[self.now[path]].as_mut().unwrap().1 = true,
            Op::Rename(from, to) => {
                let node = self.now[from];
                let ((from_folder, from_name), (to_folder, to_name)) = (self.place(from), self.place(to));
                let below: Vec<_> = self.now.keys().filter(|path| path.starts_with(from)).cloned().collect();
                for old in below {
                    let node = self.now.remove(&old).unwrap();
                    let rest = old.strip_prefix(from).unwrap();
                    self.now.insert(if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) }, node);
                }
                self.pending.push(vec![Change::Take(from_folder, from_name), Change::Add(to_folder, to_name, node)]);
            }
            Op::Remove(path) => {
                if self.now.contains_key(path) {
                    let (folder, name) = self.place(path);
                    self.now.remove(path);
                    self.pending.push(vec![Change::Take(folder, name)]);
                }
            }
            Op::SyncFolder(path) => {
                let Some(&folder) = self.now.get(path) else { return }; // the state folder's parent
                let touches = |change: &Change| match change {
                    Change::Add(at, ..) | Change::Take(at, ..) => *at == folder,
                };
                let (firm, pending) =
                    std::mem::take(&mut self.pending).into_iter().partition(|c: &Vec<Change>| c.iter().any(touches));
                self.pending = pending;
                firm.iter().for_each(|changes: &Vec<Change>| apply(&mut self.firm, changes));
            }
        }
    }

    /// All that may be on the disk after a power cut now: any selection of the pending changes, and of files whose
    /// bytes were not brought to the disk nothing, half or all.
    fn cuts(&self) -> BTreeSet<BTreeMap<PathBuf, Option<Vec<u8>>>> {
        // removals that never get firm pile up: of many changes take the last ones in all selections
        let free = self.pending.len().min(6);
        let (old, new) = self.pending.split_at(self.pending.len() - free);
        let mut cuts = BTreeSet::new();
        for old_too in [true, false] {
            for selection in 0..1u32 << free {
                let mut names = self.firm.clone();
                if old_too {
                    old.iter().for_each(|changes| apply(&mut names, changes));
                }
                for (i, changes) in new.iter().enumerate().filter(|(i, _)| selection >> i & 1 == 1) {
                    let _ = i;
                    apply(&mut names, changes);
                }
                for torn in 0..3 {
                    let mut tree = BTreeMap::new();
                    self.walk(&names, 0, Path::new(""), torn, &mut tree);
                    cuts.insert(tree);
                }
            }
        }
        cuts
    }

    fn walk(
        &self,
        names: &BTreeMap<(usize, String), usize>,
        folder: usize,
        path: &Path,
        torn: usize,
        tree: &mut BTreeMap<PathBuf, Option<Vec<u8>>>,
    ) {
        for ((_, name), node) in names.range((folder, String::new())..(folder + 1, String::new())) {
            let path = path.join(name);
            match &self.nodes[*node] {
                None => {
                    tree.insert(path.clone(), None);
                    self.walk(names, *node, &path, torn, tree);
                }
                Some((bytes, true)) => _ = tree.insert(path, Some(bytes.clone())),
                Some((bytes, false)) => _ = tree.insert(path, Some(bytes[..bytes.len() * torn / 2].to_vec())),
            }
        }
    }
}

fn apply(names: &mut BTreeMap<(usize, String), usize>, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Add(folder, name, node) => _ = names.insert((*folder, name.clone()), *node),
            Change::Take(folder, name) => _ = names.remove(&(*folder, name.clone())),
        }
    }
}

#[test]
fn power_cut_at_any_step() {
    let dir = folder();
    let (opened, fault) = open_with(dir.path(), Plan::Sound);
    let opened = opened.unwrap();
    // after how many steps which state is certain
    let mut certain = vec![(fault.log().len(), Model::default())];
    for act in script() {
        let model = &certain.last().unwrap().1;
        let model = if perform(&opened.store, model, &act).is_ok() { after(model, &act) } else { model.clone() };
        certain.push((fault.log().len(), model));
    }
    let mut platter = Platter::new(dir.path());
    let mut seen = BTreeSet::new();
    for (step, op) in fault.log().iter().enumerate() {
        platter.apply(op);
        let before = certain.iter().rposition(|(steps, _)| *steps <= step + 1).unwrap_or(0);
        let allowed = &certain[before..(before + 2).min(certain.len())];
        for tree in platter.cuts() {
            if !seen.insert((before, tree.clone())) {
                continue;
            }
            let dir = folder();
            for (path, content) in &tree {
                let path = dir.path().join(path);
                match content {
                    None => std::fs::create_dir(path).unwrap(),
                    Some(bytes) => std::fs::write(path, bytes).unwrap(),
                }
            }
            let opened = open(dir.path()).unwrap();
            let held = held(&opened, dir.path());
            assert!(
                allowed.iter().any(|(_, model)| *model == held),
                "after step {step} {op:?}\nfrom {:#?}\n{held:#?}\nnot of {allowed:#?}",
                tree.keys()
            );
        }
    }
    assert!(seen.len() > 200, "{}", seen.len());
}
