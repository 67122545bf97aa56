//! The HTTP server, of the LAN side and of the provisioner: connections within bounds, each a small state machine that the loop turns, so a slow
//! client costs its buffer and nobody's time.

mod connection;
mod respond;
mod server;

#[cfg(feature = "provisioner")]
pub(crate) use connection::Outgoing;
pub(crate) use respond::{Bodies, Source};
#[cfg(feature = "provisioner")]
pub(crate) use server::Limits;
pub(crate) use server::{Server, Unserved, LAN};
