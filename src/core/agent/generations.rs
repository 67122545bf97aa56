//! The generations of a config as `phone` lists them, and which are to be compared: the edge reads them from flash.

use crate::core::cache::Entry;
use crate::core::types::{GenerationMeta, ResourceKey};
use crate::vendor::Vendor;
use serde_json::{json, Value};
use std::sync::Arc;

/// One config whose generations are compared, each with the one before it.
pub struct Comparison {
    /// Which.
    pub key: ResourceKey,
    /// Whose rules read it.
    pub vendor: &'static Vendor,
    /// The file name they look at.
    pub file: String,
    /// Newest first, as in its `list`.
    pub kept: Vec<Kept>,
}

/// Where the bytes of one generation are.
pub struct Kept {
    /// How many there are.
    pub size: u64,
    /// And where.
    pub place: Place,
}

/// See [`Kept`].
pub enum Place {
    /// On flash, under this number.
    Generation(u32),
    /// On flash, held.
    Candidate(GenerationMeta),
    /// In RAM only.
    Bytes(Arc<[u8]>),
}

/// The `list` of a config, and what it is made of.
pub(super) fn list(entry: &Entry) -> (Value, Vec<Kept>) {
    let current = entry.current().map(|m| m.number);
    let mut list = Vec::new();
    let mut kept = Vec::new();
    let mut add = |meta: &GenerationMeta, held: bool, place: Place| {
        list.push(json!({
            "number": Some(meta.number).filter(|_| !held),
            "size": meta.size,
            "sha256": meta.sha256.to_string(),
            "stored_at": meta.stored_at,
            "current": !held && current == Some(meta.number),
            "pinned": !held && entry.pinned() == Some(meta.number),
            "held": held,
            "difference": null,
        }));
        kept.push(Kept { size: meta.size, place });
    };
    if let Some(meta) = entry.held().and_then(|h| h.candidate()) {
        add(meta, true, Place::Candidate(meta.clone()));
    }
    if let Some((meta, body)) = entry.unsaved() {
        add(meta, false, Place::Bytes(body.clone()));
    }
    for meta in entry.generations().iter().rev() {
        add(meta, false, Place::Generation(meta.number));
    }
    (list.into(), kept)
}
