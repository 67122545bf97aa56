//! URL templates of the config, the mapping between LAN and upstream URLs, and rewriting URLs in configs.
//!
//! The password of the provisioner (`{provpass}`) is known to the agent and the upstream only. [`Mapping`] puts it into
//! URLs on the way up; [`Mapping::entry`], [`Mapping::lan_target`] and [`rewrite`] see to it that no LAN URL has it.

mod escape;
mod mapping;
mod parts;
mod rewrite;
mod template;

pub use escape::{redact, segment};
pub use mapping::{resource_name, MapError, Mapping};
pub use parts::Parts;
pub use rewrite::rewrite;
pub use template::{Template, Values};
