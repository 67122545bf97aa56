//! Bandwidth for calls: three rules in the words of whatever shapes the router's line.
//!
//! 1. Priority: UDP from all to a media server.
//! 2. Priority: UDP from a media server to all.
//! 3. Normal: everything.
//!
//! [`plan`] says what of ours is to be in each file, [`change`] makes it so in a file's text, and takes it out again.
//! Which program does the work is [`choose`]d by what is installed. What may stand in a rule is in [`safe`].

mod choose;
mod edit;
mod fw4;
mod plan;
mod qos_scripts;
mod qosify;
mod router;
mod safe;
mod sqm;
#[cfg(test)]
mod test;

pub use choose::{choose, offers, Choice, Offer};
pub use edit::{change, Ask};
pub use plan::{plan, rules, written, Plan, RuleText};
pub use qosify::HEADER;
pub use router::{Installed, Router};
pub use safe::{Block, Safe, Word};
pub use sqm::queue_device;

use crate::config::QosBackend;

/// What the names of all of ours begin with.
const PREFIX: &str = "phoneprov_";

/// A program that shapes the line, or marks what others shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Backend {
    QosScripts,
    Fw4,
    Sqm,
    Qosify,
}

impl Backend {
    /// All of them.
    pub const ALL: [Backend; 4] = [Backend::QosScripts, Backend::Fw4, Backend::Sqm, Backend::Qosify];

    /// As `option backend` has it.
    pub fn name(self) -> &'static str {
        match self {
            Backend::QosScripts => "qos-scripts",
            Backend::Fw4 => "fw4",
            Backend::Sqm => "sqm",
            Backend::Qosify => "qosify",
        }
    }

    /// By its name.
    pub fn by_name(name: &str) -> Option<Backend> {
        Backend::ALL.into_iter().find(|b| b.name() == name)
    }

    /// The one that the config names; `None`: whichever is there.
    pub fn wanted(setting: QosBackend) -> Option<Backend> {
        match setting {
            QosBackend::Auto => None,
            QosBackend::QosScripts => Some(Backend::QosScripts),
            QosBackend::Fw4 => Some(Backend::Fw4),
            QosBackend::Sqm => Some(Backend::Sqm),
            QosBackend::Qosify => Some(Backend::Qosify),
        }
    }
}

/// A UCI file that ours may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum File {
    Qos,
    Firewall,
    Sqm,
    Qosify,
}

impl File {
    /// All of them, in the order in which they are written: what marks before what shapes.
    pub const ALL: [File; 4] = [File::Firewall, File::Qos, File::Sqm, File::Qosify];

    /// In `/etc/config`, and in `/etc/init.d` too.
    pub fn name(self) -> &'static str {
        match self {
            File::Qos => "qos",
            File::Firewall => "firewall",
            File::Sqm => "sqm",
            File::Qosify => "qosify",
        }
    }
}
