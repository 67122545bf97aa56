//! Sockets, threads and the clock: the only room with I/O beside `store` and `cli`.
//!
//! One thread polls all sockets and owns the [`Agent`](crate::core::agent::Agent) ([`runtime`]). Each fetch from the
//! upstream has a thread while it lasts ([`fetch`], at most [`crate::bounds::FETCHES`]); one more thread writes to
//! flash ([`disk`]), and another compares stored configs while somebody wants to know ([`compare`]). They report back over a channel and wake the loop.

pub mod client;
mod compare;
mod control;
#[cfg(feature = "provisioner")]
pub mod couch;
mod devices;
mod dhcp;
mod disk;
mod fetch;
mod folders;
mod http;
#[cfg(feature = "provisioner")]
mod in_process;
mod loading;
mod mailbox;
mod neighbours;
pub mod panics;
#[cfg(feature = "provisioner")]
pub mod provisioner;
pub mod ready;
#[cfg(feature = "provisioner")]
mod receiver;
pub mod runtime;
#[cfg(test)]
mod runtime_test;
mod sip;
#[cfg(feature = "provisioner")]
pub mod store;
mod stream;
mod upstream;

pub use devices::interfaces;
