//! Sockets, threads and the clock: the only room with I/O beside `store` and `cli`.
//!
//! One thread polls all sockets and owns the [`Agent`](crate::core::agent::Agent) ([`runtime`]). Each fetch from the
//! upstream has a thread while it lasts ([`fetch`], at most [`crate::bounds::FETCHES`]); one more thread writes to
//! flash ([`disk`]). They report back over a channel and wake the loop.

pub mod client;
mod control;
mod devices;
mod dhcp;
mod disk;
mod fetch;
mod http;
mod mailbox;
mod neighbours;
#[cfg(feature = "provisioner")]
pub mod provisioner;
pub mod runtime;
mod sip;
mod stream;

pub use devices::interfaces;
