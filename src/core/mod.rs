//! What the agent decides. State machines: they get their input and the time, and return actions; only [`crate::net`]
//! does what they say.

pub mod events;
pub mod pnp;
pub mod types;
