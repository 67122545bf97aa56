//! The look at the flash when the agent starts.

use crate::core::agent::{identity_of, Loaded};
use crate::core::types::{GenerationMeta, ResourceKey};
use crate::store::{self, Found, Store};
use std::collections::HashMap;
use std::path::Path;

/// Opens the store. Whose accounts are in its configs is read out of their bytes while they are checked in any case:
/// nothing of it needs to be on flash, and a new version of the rules never compares with what an old one found.
pub(crate) fn open_store(state_dir: &Path) -> Result<(Loaded, Store), String> {
    let mut identities = HashMap::new();
    let mut show = |key: &ResourceKey, meta: &GenerationMeta, body: &[u8]| {
        identities.insert((key.clone(), meta.sha256), identity_of(key, &meta.target, body));
    };
    let opened = store::open_showing(state_dir, &mut show).map_err(|e| e.to_string())?;
    let mut loaded =
        Loaded { phones: opened.phones, damaged: opened.damaged, bytes: opened.store.bytes(), ..Loaded::default() };
    for Found { key, generations, candidate } in opened.found {
        let of = |meta: &GenerationMeta| identities.get(&(key.clone(), meta.sha256)).copied().unwrap_or_default();
        loaded.identities.extend(generations.iter().map(|m| (key.clone(), m.number, of(m))));
        loaded
            .candidates
            .extend(candidate.map(|m| (key.clone(), of(&m), m)).map(|(key, identity, m)| (key, m, identity)));
        loaded.configs.push((key, generations));
    }
    Ok((loaded, opened.store))
}
