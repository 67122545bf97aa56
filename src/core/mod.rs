//! What the agent decides. State machines: they get their input and the time, and return actions; only [`crate::net`]
//! does what they say.

pub mod agent;
pub mod answer;
pub mod cache;
pub mod circuit;
pub mod dhcp;
pub mod directory;
pub mod events;
pub mod given;
pub mod notify;
pub mod now;
pub mod outcome;
pub mod pnp;
pub mod rate;
pub mod shared;
pub mod types;
