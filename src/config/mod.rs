//! The options: one table describes each (name, type, default, limits, help), and the parser, `phoneprov check` and
//! docs/config.md all come from it.

mod describe;
mod load;
mod networks;
mod problem;
mod public;
mod read;
mod table;
mod template;
mod typed;
mod types;
mod url_check;
mod value;
mod vendors;

#[cfg(test)]
mod doc;
#[cfg(test)]
mod test;

pub use describe::describe;
pub use load::load;
pub use networks::{resolve_networks, static_address};
pub use problem::{Problem, Problems};
pub use public::public;
pub use read::Loaded;
pub use typed::{check_sections, check_value, Given, Told};
pub use types::{Agent, Config, DhcpMode, Enrol, PinnedPhone, Qos, QosBackend, Secret, VendorSection, IN_PROCESS};
pub use vendors::{known_vendors, KnownVendor};
