//! What the agent decides.
pub mod pnp;
pub mod notify;
pub mod events;
pub mod types;
pub mod now;
pub mod circuit;
pub mod outcome;
