//! The configs, by phone: what concerns one phone must not cost a look at all the others'.

use super::entry::Entry;
use crate::core::types::ResourceKey;
use crate::proto::mac::Mac;
use crate::sorted::SortedMap;
use std::collections::HashMap;

#[derive(Default)]
pub(super) struct Table {
    phones: HashMap<Mac, SortedMap<ResourceKey, Entry>>,
    len: usize,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: &ResourceKey) -> Option<&Entry> {
        self.phones.get(&key.mac)?.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &ResourceKey) -> Option<&mut Entry> {
        self.phones.get_mut(&key.mac)?.get_mut(key)
    }

    pub(super) fn insert(&mut self, key: ResourceKey, entry: Entry) {
        if self.phones.entry(key.mac).or_default().insert(key, entry).is_none() {
            self.len += 1;
        }
    }

    pub(super) fn remove(&mut self, key: &ResourceKey) -> Option<Entry> {
        let own = self.phones.get_mut(&key.mac)?;
        let entry = own.remove(key)?;
        self.len = self.len.saturating_sub(1);
        if own.is_empty() {
            self.phones.remove(&key.mac);
        }
        Some(entry)
    }

    /// The configs of one phone.
    pub(super) fn of(&self, mac: Mac) -> impl Iterator<Item = (&ResourceKey, &Entry)> {
        self.phones.get(&mac).into_iter().flat_map(SortedMap::iter)
    }

    /// The configs of each phone.
    pub(super) fn phones(&self) -> impl Iterator<Item = impl Iterator<Item = &Entry> + Clone> {
        self.phones.values().map(|own| own.values())
    }

    /// All, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ResourceKey, &Entry)> {
        self.phones.values().flat_map(SortedMap::iter)
    }

    /// As [`Table::iter`].
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&ResourceKey, &mut Entry)> {
        self.phones.values_mut().flat_map(SortedMap::iter_mut)
    }
}
