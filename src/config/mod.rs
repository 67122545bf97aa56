//! The options: one table describes each (name, type, default, limits, help), and the parser, `phoneprov check` and
//! docs/config.md all come from it.

mod load;
mod networks;
mod problem;
mod read;
mod table;
mod template;
mod types;
mod url_check;
mod value;
mod vendors;

#[cfg(test)]
mod doc;
#[cfg(test)]
mod test;

pub use load::load;
pub use networks::{resolve_networks, static_address};
pub use problem::{Problem, Problems};
pub use read::Loaded;
pub use types::{Agent, Config, DhcpMode, Enrol, PinnedPhone, Qos, QosBackend, Secret, VendorSection, IN_PROCESS};
pub use vendors::{known_vendors, KnownVendor};
