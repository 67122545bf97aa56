//! phoneprov: a SIP desk phone is plugged into the LAN and simply works.
//!
//! The rooms, in order of reading (ARCHITECTURE.md walks one SUBSCRIBE and one GET through them):
//! [`proto`] bytes to types and back; [`config`] the options; [`vendor`] what makes one brand different;
//! [`core`] what the agent decides, with time as an input; [`store`] the last good copies on flash;
//! [`openwrt`] what is written into other packages' files; [`net`] sockets, threads and the clock; [`cli`] one file a verb.
//! Beside them `provisioner`: the upstream side.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::disallowed_types)]

pub mod bounds;
#[cfg(test)]
mod bounds_test;
pub mod cli;
pub mod config;
pub mod core;
pub mod net;
pub mod openwrt;
pub mod proto;
#[cfg(feature = "provisioner")]
pub mod provisioner;
#[cfg(test)]
mod secrets_test;
pub mod sorted;
pub mod store;
pub mod vendor;
