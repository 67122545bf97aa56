//! What makes one brand different: one small file a vendor, each a [`Vendor`] value. Nothing outside this room asks
//! "is it a snom?".

mod types;

pub use types::{AgentFacts, FileKind, Resync, Vendor, Verdict};
