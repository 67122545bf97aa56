//! What the router's DHCP server tells phones: one [`Plan`] from the config, in the forms that dnsmasq is configured by.
//!
//! Each value is for the phones of one vendor section (a tag that their MACs set) on one served device (dnsmasq sets the
//! device's name as a tag), so other devices of the LAN get nothing, and each network the router's address there. The
//! values are forced: many phones do not list option 66 among those that they ask for.

mod check;
mod conf;
#[cfg(test)]
mod doc;
mod plan;
#[cfg(test)]
mod test;
mod uci;

pub use check::{look, troubles};
pub use conf::HEADER;
pub use plan::{plan, Plan, Served};
pub use uci::OURS;
