//! The bounds of the cache: entries, files of one phone, bytes in RAM.

use super::entry::{Entry, Stage};
use super::Cache;
use crate::bounds;
use crate::core::types::ResourceKey;
use std::time::Instant;

/// Fetches of one phone that may wait. The most that a brand asks for at once is eight.
const LANE: usize = 2 * bounds::FILES_PER_PHONE;
/// After so many new names, those that came to nothing are cleared out: each may take some KiB, with its URL and
/// headers, and names can be invented faster than phones ask.
const NEW_NAMES: usize = 1024;

impl Cache {
    /// Has this phone so many fetches waiting that one more would only make it wait in vain?
    pub(super) fn lane_is_full(&self, key: &ResourceKey) -> bool {
        self.lanes.get(&key.mac).is_some_and(|lane| lane.queue.len() >= LANE)
    }

    /// May this phone have one more file on flash? A phone that invents file names must not fill it.
    pub(super) fn may_store(&self, key: &ResourceKey) -> bool {
        let own = self.entries.get(key).is_some_and(|e| !e.generations.is_empty());
        own || self.entries.of(key.mac).filter(|(_, e)| !e.generations.is_empty()).count() < bounds::FILES_PER_PHONE
    }

    /// What could not be written stays in RAM up to `unsaved_max`. First goes what has an older generation on flash,
    /// then what was not asked for longest: a full flash must not take the RAM along.
    pub(super) fn drop_unsaved_over_limit(&mut self, newest: &ResourceKey) {
        let size = |e: &Entry| e.unsaved.as_ref().map_or(0, |u| u.meta.size);
        let mut sum: u64 = self.entries.iter().map(|(_, e)| size(e)).sum();
        if sum <= self.limits.unsaved_max {
            return;
        }
        let mut candidates: Vec<(bool, Option<Instant>, ResourceKey)> = self
            .entries
            .iter()
            .filter(|(k, e)| e.unsaved.is_some() && e.stage != Stage::Storing && *k != newest)
            .map(|(k, e)| (e.generations.is_empty(), e.asked, k.clone()))
            .collect();
        candidates.sort_unstable();
        for (_, _, key) in candidates {
            if sum <= self.limits.unsaved_max {
                return;
            }
            if let Some(entry) = self.entries.get_mut(&key) {
                sum = sum.saturating_sub(size(entry));
                entry.unsaved = None;
                entry.agreed = None;
            }
        }
    }

    /// Room for one more entry: those that hold nothing and that nobody waits for go, the longest unasked first.
    pub(super) fn make_room(&mut self) -> bool {
        self.new_names += 1;
        if self.new_names < NEW_NAMES && self.entries.len() < bounds::RESOURCES {
            return true;
        }
        self.new_names = 0;
        let mut idle: Vec<(Option<Instant>, ResourceKey)> = self
            .entries
            .iter()
            .filter(|(_, e)| e.current().is_none() && e.waiters.is_empty() && e.stage == Stage::Idle)
            .map(|(k, e)| (e.asked, k.clone()))
            .collect();
        idle.sort_unstable();
        let keep = if self.entries.len() < bounds::RESOURCES { NEW_NAMES / 2 } else { 0 };
        let gone = idle.len().saturating_sub(keep);
        for (_, key) in idle.into_iter().take(gone) {
            self.entries.remove(&key);
        }
        self.entries.len() < bounds::RESOURCES
    }
}
