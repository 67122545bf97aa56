//! The HTTP server of the LAN side: a few connections, each a small state machine that the loop turns, so a slow
//! client costs its buffer and nobody's time.

mod connection;
mod respond;
mod server;

pub(crate) use respond::{Bodies, Source};
pub(crate) use server::{Server, Unserved};
