//! What is kept, in memory: sizes and numbers, so that a write needs no look at the disk; and which generations go
//! to make room.

use super::error::StoreError;
use super::name;
use crate::bounds;
use crate::core::types::{Decided, GenerationMeta, ResourceKey, Sha256, UnixTime};
use crate::proto::mac::Mac;
use crate::sorted::SortedMap;
use std::collections::BTreeMap;

/// One stored generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) number: u32,
    pub(super) sha256: Sha256,
    /// Bytes of the file, header included.
    pub(super) file_size: u64,
    stored_at: UnixTime,
}

impl Kept {
    pub(super) fn new(meta: &GenerationMeta, file_size: u64) -> Kept {
        Kept { number: meta.number, sha256: meta.sha256, file_size, stored_at: meta.stored_at }
    }
}

/// All that is stored.
#[derive(Default)]
pub(super) struct Index {
    /// Ascending by number, never empty.
    keys: SortedMap<ResourceKey, Vec<Kept>>,
    /// Held configs, of keys that have a generation.
    candidates: SortedMap<ResourceKey, Kept>,
    /// Generations that the admin went back to, by config name: they are served, so they are never in the way.
    pinned: SortedMap<Mac, BTreeMap<String, u32>>,
    /// Generations before a change of the account that still counts: a rollback goes there, so `history` does not end
    /// them. The room for a last good comes first.
    wanted: SortedMap<Mac, BTreeMap<String, u32>>,
    bytes: u64,
}

/// What has to go to make room.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) generations: Vec<(ResourceKey, u32)>,
    pub(super) candidates: Vec<ResourceKey>,
}

impl Index {
    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The newest generation of a key.
    pub(super) fn last(&self, key: &ResourceKey) -> Option<&Kept> {
        self.keys.get(key)?.last()
    }

    /// Is this generation stored?
    pub(super) fn has(&self, key: &ResourceKey, number: u32) -> bool {
        self.keys.get(key).is_some_and(|kept| kept.iter().any(|k| k.number == number))
    }

    /// The generations of a key, ascending.
    pub(super) fn numbers(&self, key: &ResourceKey) -> Vec<u32> {
        self.keys.get(key).map(|kept| kept.iter().map(|k| k.number).collect()).unwrap_or_default()
    }

    /// All phones with a generation.
    pub(super) fn macs(&self) -> Vec<Mac> {
        let mut macs: Vec<Mac> = self.keys.keys().map(|key| key.mac).collect();
        macs.sort_unstable();
        macs.dedup();
        macs
    }

    /// Is there a place for this key: its own, or a free one? Its file names must be no other key's.
    pub(super) fn admit(&self, key: &ResourceKey) -> Result<(), StoreError> {
        if self.keys.contains_key(key) {
            return Ok(());
        }
        if self.keys.len() >= bounds::RESOURCES {
            let max = bounds::RESOURCES as u64;
            return Err(StoreError::Full { need: max + 1, max, unit: "resources" });
        }
        let first = ResourceKey { vendor: key.vendor.clone(), mac: key.mac, name: String::new() };
        let mut siblings =
            self.keys.from(&first).map(|(k, _)| k).take_while(|k| k.mac == key.mac && k.vendor == key.vendor);
        let stem = name::stem(key);
        if siblings.any(|k| name::stem(k) == stem) {
            return Err(StoreError::Invalid("its name has the same short hash as another one of this phone"));
        }
        Ok(())
    }

    /// Adds a generation that is newer than the others of its key.
    pub(super) fn add(&mut self, key: &ResourceKey, kept: Kept) {
        self.bytes = self.bytes.saturating_add(kept.file_size);
        match self.keys.get_mut(key) {
            Some(list) => list.push(kept),
            None => _ = self.keys.insert(key.clone(), vec![kept]),
        }
    }

    /// Takes a generation out.
    pub(super) fn remove(&mut self, key: &ResourceKey, number: u32) {
        let Some(list) = self.keys.get_mut(key) else { return };
        if let Some(at) = list.iter().position(|k| k.number == number) {
            self.bytes = self.bytes.saturating_sub(list.remove(at).file_size);
        }
        if list.is_empty() {
            self.keys.remove(key);
        }
    }

    /// The held config of a key.
    pub(super) fn candidate(&self, key: &ResourceKey) -> Option<&Kept> {
        self.candidates.get(key)
    }

    /// A config is held, in the place of the one before.
    pub(super) fn set_candidate(&mut self, key: &ResourceKey, kept: Kept) {
        self.take_candidate(key);
        self.bytes = self.bytes.saturating_add(kept.file_size);
        self.candidates.insert(key.clone(), kept);
    }

    /// Nothing is held any more.
    pub(super) fn take_candidate(&mut self, key: &ResourceKey) -> Option<Kept> {
        let kept = self.candidates.remove(key)?;
        self.bytes = self.bytes.saturating_sub(kept.file_size);
        Some(kept)
    }

    /// The generations of this phone that are pinned, or that a rollback may want.
    pub(super) fn decided(&mut self, mac: Mac, decided: &Decided) {
        let wanted = decided.changed.iter().map(|(name, changed)| (name.clone(), changed.from)).collect();
        for (all, own) in [(&mut self.pinned, decided.pinned.clone()), (&mut self.wanted, wanted)] {
            match own.is_empty() {
                true => _ = all.remove(&mac),
                false => _ = all.insert(mac, own),
            }
        }
    }

    fn is_wanted(&self, key: &ResourceKey, number: u32) -> bool {
        self.wanted.get(&key.mac).is_some_and(|own| own.get(&key.name) == Some(&number))
    }

    fn is_pinned(&self, key: &ResourceKey, number: u32) -> bool {
        self.pinned.get(&key.mac).is_some_and(|own| own.get(&key.name) == Some(&number))
    }

    /// Takes out the generation of this file name.
    pub(super) fn remove_file(&mut self, mac: Mac, file: &str) {
        let Some((stem, number)) = name::parse_generation(file) else { return };
        let key = self.keys.keys().find(|key| key.mac == mac && name::stem(key) == stem).cloned();
        if let Some(key) = key {
            self.remove(&key, number);
        }
    }

    /// Takes a phone out.
    pub(super) fn forget(&mut self, mac: Mac) {
        self.keys.retain(|key, list| {
            if key.mac == mac {
                self.bytes = list.iter().fold(self.bytes, |bytes, k| bytes.saturating_sub(k.file_size));
            }
            key.mac != mac
        });
        let held: Vec<ResourceKey> = self.candidates.keys().filter(|key| key.mac == mac).cloned().collect();
        held.iter().for_each(|key| _ = self.take_candidate(key));
        self.pinned.remove(&mac);
        self.wanted.remove(&mac);
    }

    /// Which generations have to go when one of `size` bytes becomes the last good of `key`: those of this key beyond
    /// `history` (the new one counts) that no rollback may want, then, while all is more than `cache_max`, held configs (the upstream has them
    /// still), and then the oldest anywhere that is then no last good. What is pinned stays. [`StoreError::Full`] when
    /// that is not enough.
    pub(super) fn plan(&self, key: &ResourceKey, size: u64, history: u32, cache_max: u64) -> Result<Plan, StoreError> {
        let own = self.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        // of the key's older generations this many may stay
        let stay = usize::try_from(history.saturating_sub(1)).unwrap_or(usize::MAX);
        let beyond = own.len().saturating_sub(stay);
        let mut bytes = self.bytes.saturating_add(size);
        let mut plan = Plan::default();
        let gone = &mut plan.generations;
        let stays = |k: &&Kept| self.is_pinned(key, k.number) || self.is_wanted(key, k.number);
        for kept in own.iter().take(beyond).filter(|k| !stays(k)) {
            bytes = bytes.saturating_sub(kept.file_size);
            gone.push((key.clone(), kept.number));
        }
        for (other, kept) in self.candidates.iter() {
            if bytes <= cache_max {
                return Ok(plan);
            }
            bytes = bytes.saturating_sub(kept.file_size);
            plan.candidates.push(other.clone());
        }
        if bytes <= cache_max {
            return Ok(plan);
        }
        let mut candidates = Vec::new();
        for (other, list) in self.keys.iter() {
            let older = if other == key { Some(own) } else { list.split_last().map(|(_, older)| older) };
            // A router's clock jumps: within a key the number is the order, so no generation counts as older than
            // one with a lower number.
            let mut age = 0;
            for kept in older.unwrap_or_default() {
                age = age.max(kept.stored_at);
                let goes = gone.iter().any(|(k, number)| k == other && *number == kept.number);
                if goes || self.is_pinned(other, kept.number) {
                    continue;
                }
                candidates.push((age, other, kept));
            }
        }
        candidates.sort_by_key(|(age, ..)| *age); // stable: equal ages stay in the order of their numbers
        for (_, other, kept) in candidates {
            if bytes <= cache_max {
                break;
            }
            bytes = bytes.saturating_sub(kept.file_size);
            gone.push((other.clone(), kept.number));
        }
        if bytes > cache_max {
            return Err(StoreError::Full { need: bytes, max: cache_max, unit: "bytes" });
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn key(name: &str) -> ResourceKey {
        ResourceKey { vendor: "snom".into(), mac: Mac([0, 4, 0x13, 0, 0, 1]), name: name.into() }
    }

    /// Number, size, time.
    type Row = (u32, u64, u64);

    fn index(keys: &[(&str, &[Row])]) -> Index {
        let mut index = Index::default();
        for (name, list) in keys {
            for (number, file_size, stored_at) in *list {
                let kept =
                    Kept { number: *number, sha256: Sha256([0; 32]), file_size: *file_size, stored_at: *stored_at };
                index.add(&key(name), kept);
            }
        }
        index
    }

    fn gone(plan: Result<Plan, StoreError>) -> Vec<String> {
        plan.unwrap().generations.into_iter().map(|(key, number)| format!("{}{number}", key.name)).collect()
    }

    #[test]
    fn history_counts_the_new_one_and_never_goes_below_it() {
        let index = index(&[("a", &[(1, 10, 1), (2, 10, 2), (5, 10, 3)])]);
        assert_eq!(gone(index.plan(&key("a"), 10, 4, 1000)), [""; 0]);
        assert_eq!(gone(index.plan(&key("a"), 10, 3, 1000)), ["a1"]);
        assert_eq!(gone(index.plan(&key("a"), 10, 1, 1000)), ["a1", "a2", "a5"]);
        assert_eq!(gone(index.plan(&key("a"), 10, 0, 1000)), ["a1", "a2", "a5"]);
        assert_eq!(gone(index.plan(&key("b"), 10, 1, 1000)), [""; 0]);
    }

    #[test]
    fn the_oldest_that_is_no_last_good_goes_first() {
        let index = index(&[("a", &[(1, 10, 5), (2, 10, 6)]), ("b", &[(1, 10, 1), (2, 10, 9), (3, 10, 10)])]);
        assert_eq!(gone(index.plan(&key("c"), 10, 3, 60)), [""; 0]);
        assert_eq!(gone(index.plan(&key("c"), 10, 3, 59)), ["b1"]);
        assert_eq!(gone(index.plan(&key("c"), 10, 3, 40)), ["b1", "a1"]);
        assert_eq!(gone(index.plan(&key("c"), 10, 3, 30)), ["b1", "a1", "b2"]);
        // the former last good of the key itself may go, those of others may not
        assert_eq!(gone(index.plan(&key("a"), 10, 3, 20)), ["b1", "a1", "a2", "b2"]);
        let full = StoreError::Full { need: 30, max: 29, unit: "bytes" };
        assert_eq!(index.plan(&key("c"), 10, 3, 29).err(), Some(full));
        let full = StoreError::Full { need: 20, max: 19, unit: "bytes" };
        assert_eq!(index.plan(&key("a"), 10, 3, 19).err(), Some(full));
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_turn_the_order_of_a_key() {
        let index =
            index(&[("a", &[(1, 10, 1_700_000_000), (2, 10, 3), (3, 10, 4)]), ("b", &[(1, 10, 50), (2, 10, 51)])]);
        assert_eq!(gone(index.plan(&key("c"), 10, 3, 40)), ["b1", "a1"]);
        assert_eq!(gone(index.plan(&key("c"), 10, 3, 30)), ["b1", "a1", "a2"]);
    }

    #[test]
    fn removal_keeps_the_sum() {
        let mut index = index(&[("a", &[(1, 10, 1), (2, 11, 2)]), ("b", &[(1, 12, 1)])]);
        assert_eq!(index.bytes(), 33);
        index.remove(&key("a"), 2);
        index.remove(&key("a"), 7);
        assert_eq!((index.bytes(), index.last(&key("a")).map(|k| k.number)), (22, Some(1)));
        index.remove(&key("a"), 1);
        assert_eq!(index.last(&key("a")), None);
        index.forget(key("").mac);
        assert_eq!((index.bytes(), index.keys.len()), (0, 0));
    }

    #[test]
    fn resources_are_bounded() {
        let mut full = Index::default();
        for i in 0..bounds::RESOURCES {
            full.add(&key(&i.to_string()), Kept { number: 1, sha256: Sha256([0; 32]), file_size: 1, stored_at: 1 });
        }
        assert_eq!(full.admit(&key("17")), Ok(()));
        assert!(matches!(full.admit(&key("new")), Err(StoreError::Full { unit: "resources", .. })));
    }
}
