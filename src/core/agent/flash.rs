//! What is on flash: what was there at the start, what the store says of writing, and when a phone's record is written.

use super::{Action, Agent};
use crate::core::now::Now;
use crate::core::types::{GenerationMeta, PhoneRecord, ResourceKey, Sha256};
use crate::proto::mac::Mac;
use crate::vendor::Identity;
use std::time::Duration;

/// What the store last said, for `status`.
#[derive(Default)]
pub(super) struct StoreState {
    pub(super) bytes: u64,
    pub(super) written: u64,
    pub(super) trouble: Option<String>,
}

/// What was found on flash at the start.
#[derive(Default)]
pub struct Loaded {
    /// Each config with its generations, ascending.
    pub configs: Vec<(ResourceKey, Vec<GenerationMeta>)>,
    /// Whose account each of them has, by config and number.
    pub identities: Vec<(ResourceKey, u32, Identity)>,
    /// Configs that were held when the agent ended, and whose account they have.
    pub candidates: Vec<(ResourceKey, GenerationMeta, Identity)>,
    /// Known phones.
    pub phones: Vec<PhoneRecord>,
    /// Sentences about damaged files.
    pub damaged: Vec<String>,
    /// Bytes on flash.
    pub bytes: u64,
}

const STUCK: &str = "a write to flash does not end: is the flash failing?";
const WRITTEN_AGAIN: &str = "configs can be written again";
/// How often a phone's new firmware, or whatever else it says of itself, is written to flash at the most.
const SAID_AGAIN: Duration = Duration::from_secs(3600);

impl Agent {
    /// A write to flash does not end.
    pub fn store_stuck(&mut self, seconds: u64, now: Now) {
        if self.store.trouble.as_deref() != Some(STUCK) {
            self.events.push(now.unix, "store", None, format!("{STUCK} ({seconds} s so far)"));
            self.store.trouble = Some(STUCK.to_string());
        }
    }

    /// The store has written a generation (and removed some), or could not.
    pub fn stored(
        &mut self,
        key: &ResourceKey,
        number: u32,
        result: Result<(u32, Vec<(ResourceKey, u32)>), String>,
        (bytes, written): (u64, u64),
        now: Now,
        out: &mut Vec<Action>,
    ) {
        self.store.bytes = bytes;
        self.store.written = written;
        match &result {
            Ok(_) => {
                if self.store.trouble.take().is_some() {
                    self.events.push(now.unix, "store", None, WRITTEN_AGAIN.to_string());
                }
            }
            Err(why) => {
                if self.store.trouble.as_ref() != Some(why) {
                    self.events.push(now.unix, "store", None, why.clone());
                }
                self.store.trouble = Some(why.clone());
            }
        }
        let mut outs = Vec::new();
        self.cache.stored(key, number, result, now, &mut outs);
        // a stranger becomes a known phone with its first config on flash, not before
        if self.cache.get(key).is_some_and(|e| !e.generations().is_empty()) {
            self.record(key.mac, now, out);
        }
        self.run_cache(outs, now, out);
    }

    /// The store has written a held config, or could not.
    pub fn candidate_stored(
        &mut self,
        key: &ResourceKey,
        sha256: Sha256,
        result: Result<(), String>,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let mut outs = Vec::new();
        self.cache.candidate_stored(key, sha256, result, &mut outs);
        self.run_cache(outs, now, out);
    }

    /// Something other than a generation was written or removed: bytes of configs on flash, and bytes written since the
    /// start.
    pub fn flash_usage(&mut self, bytes: u64, written: u64, now: Now) {
        self.store.bytes = bytes;
        self.store.written = written;
        if self.store.trouble.as_deref() == Some(STUCK) {
            self.store.trouble = None;
            self.events.push(now.unix, "store", None, WRITTEN_AGAIN.to_string());
        }
    }

    /// A stored generation could not be read back: it has been set aside.
    pub fn unreadable(&mut self, key: &ResourceKey, number: u32, why: &str, now: Now) {
        self.events.push(now.unix, "store", Some(key.mac), format!("{} generation {number}: {why}", key.name));
        self.cache.unreadable(key, number);
    }

    /// Writes a phone's record if it differs from what is on flash. What a phone says of itself can be said by
    /// anybody, as often as he likes: for that alone the flash is written once in [`SAID_AGAIN`].
    pub(super) fn record(&mut self, mac: Mac, now: Now, out: &mut Vec<Action>) {
        let (refused, decided) = (self.cache.refused(mac), self.cache.decided(mac));
        let Some(phone) = self.directory.get_mut(mac) else { return };
        let record = phone.to_record(refused, decided);
        let Some(old) = &phone.record else {
            phone.record = Some(record.clone());
            phone.written = Some(now.mono);
            return out.push(Action::PutPhone(record));
        };
        let just = phone.written.is_some_and(|at| now.mono.saturating_duration_since(at) < SAID_AGAIN);
        if *old == record || (just && old.refused_since == record.refused_since && old.decided == record.decided) {
            return;
        }
        phone.record = Some(record.clone());
        phone.written = Some(now.mono);
        out.push(Action::PutPhone(record));
    }
}
