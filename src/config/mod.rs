//! The options: one table describes each (name, type, default, limits, help), and the parser, `phoneprov check` and
//! docs/config.md all come from it.

mod types;

pub use types::{Agent, Config, DhcpMode, Enrol, PinnedPhone, Qos, QosBackend, Secret, VendorSection};
