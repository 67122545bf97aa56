//! The config as the rest of the program sees it: checked values, units in the names.

use crate::proto::mac::{Mac, MacPattern};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A checked config file.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `config agent 'main'`
    pub agent: Agent,
    /// `config vendor`, in file order.
    pub vendors: Vec<VendorSection>,
    /// `config phone`
    pub phones: Vec<PinnedPhone>,
    /// `config qos 'qos'`
    pub qos: Qos,
}

/// `config agent 'main'`. Field names are the option names, with units.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // each is an option of the table, which has the help text
pub struct Agent {
    pub enabled: bool,
    pub networks: Vec<String>,
    pub devices: Vec<String>,
    /// Without a trailing slash; empty when not set.
    pub upstream: String,
    pub provpass: Secret,
    pub port: u16,
    pub pnp: bool,
    pub dhcp: DhcpMode,
    pub dnsmasq_conf: Option<PathBuf>,
    pub upstream_timeout: Duration,
    pub fresh_wait: Duration,
    pub fresh_for: Duration,
    pub grace: Duration,
    pub history: u32,
    /// Bytes.
    pub cache_max: u64,
    /// Bytes.
    pub shared_max: u64,
    pub rewrite: bool,
    /// Origins (`https://cdn.example.net`) that redirects of the upstream may lead to, beside its own.
    pub redirect_origins: Vec<String>,
    pub verify_mac: bool,
    pub enrol: Enrol,
    pub guard_share: u32,
    pub guard_min: u32,
    pub guard_window: Duration,
    pub ca_file: Option<PathBuf>,
    pub state_dir: PathBuf,
    pub run_dir: PathBuf,
}

/// Stands for the provisioner in process, where a URL needs a host: no such name can ever be another's (RFC 6761
/// section 6.4). With the path that the provisioner writes into configs, so that its URLs are found in them.
pub const IN_PROCESS: &str = "http://provisioner.invalid/provisioner";

impl Agent {
    /// The folder of documents that the provisioner in process works from: `option upstream 'file:///…'`.
    pub fn documents(&self) -> Option<&Path> {
        self.upstream.strip_prefix("file://").map(Path::new)
    }

    /// What `{upstream}` stands for.
    pub fn base(&self) -> &str {
        if self.documents().is_some() {
            IN_PROCESS
        } else {
            &self.upstream
        }
    }
}

/// `option dhcp`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DhcpMode {
    Dnsmasq,
    Responder,
    Off,
}

/// `option enrol`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Enrol {
    Open,
    Window,
    List,
}

/// `config vendor 'snom'`
#[derive(Clone, Debug, PartialEq)]
pub struct VendorSection {
    /// The section's name, which is also the first path segment on the LAN.
    pub name: String,
    /// Serve its phones?
    pub enabled: bool,
    /// MAC patterns of its phones.
    pub ouis: Vec<MacPattern>,
    /// URL template with placeholders, as written; checked to be a template that [`crate::proto::url`] takes.
    pub url: String,
}

/// `config phone`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct PinnedPhone {
    pub mac: Mac,
    pub vendor: Option<String>,
}

/// `config qos 'qos'`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Qos {
    pub enabled: bool,
    pub backend: QosBackend,
    pub mediaservers: Vec<String>,
    /// kbit/s, 0 = not set
    pub upload: u32,
    /// kbit/s, 0 = not set
    pub download: u32,
}

/// `option backend`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum QosBackend {
    Auto,
    QosScripts,
    Fw4,
    Sqm,
    Qosify,
}

/// A value that goes upstream and nowhere else: neither `Debug` nor `Display` show it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret in.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The secret itself, for a request to the upstream and for taking it out of texts.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Is none set?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Secret(none)" } else { "Secret(***)" })
    }
}
