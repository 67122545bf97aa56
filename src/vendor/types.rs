//! The questions the agent asks about a brand.

use super::identity::{Accounts, Identity};
use crate::proto::mac::Mac;

/// One brand of phones.
pub struct Vendor {
    /// Name of its config section and first path segment on the LAN: `snom`.
    pub name: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// MAC prefixes for the default config, in the config's form (`00:04:13:*:*:*`).
    pub ouis: &'static [&'static str],
    /// May the OUI alone prove the brand? Not where the prefixes are shared with other devices (phone-facts section
    /// 4): there a User-Agent or Event header of the brand must agree.
    pub oui_is_proof: bool,
    /// URL template of the default config.
    pub url: &'static str,
    /// Values of the Event header's `vendor` (or `vender`) parameter, lower case, that name this brand.
    pub event_vendors: &'static [&'static str],
    /// Reads an HTTP or SIP User-Agent; `None` when it is another brand's.
    pub user_agent: fn(&str) -> Option<AgentFacts>,
    /// What a requested file is, by its name: the target's last path segment without the query, as asked.
    pub kind: fn(&str) -> FileKind,
    /// Is this body, answered with 200 for this file name, something the phone can use?
    pub check: fn(&str, &[u8]) -> Verdict,
    /// The lines that this body, asked for under this file name, sets up; `None` when it cannot be read here. For bodies that are
    /// [`Verdict::Good`]; others give any answer.
    pub accounts: fn(&str, &[u8]) -> Option<Accounts>,
    /// Another name to ask the upstream for when it answers 404 for this one (`startup.cfg` → `aastra.cfg`).
    pub fallback: fn(&str) -> Option<&'static str>,
    /// How to make a phone fetch again.
    pub resync: Resync,
    /// What its phones take by DHCP, in the order of the brand's own preference.
    pub dhcp: &'static [DhcpOption],
    /// How its phones write their own MAC into a URL that DHCP gave them; `None` where they do not.
    pub dhcp_mac: Option<DhcpMac>,
    /// Reads a vendor class id (DHCP option 60) given as printable text; `None` when it is another brand's, or that of
    /// another kind of device.
    pub class_id: fn(&str) -> Option<AgentFacts>,
    /// Parts of the vendor class id that name the brand's phones, as dnsmasq's dhcp-vendorclass looks for them: the case
    /// counts. Each is one that [`Vendor::class_id`] takes.
    pub class_marks: &'static [&'static str],
}

/// One option that a phone takes its URL from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DhcpOption {
    /// Option number.
    pub code: u8,
    /// Sub-option, where the value is encapsulated (RFC 2132 section 8.4).
    pub sub: Option<u8>,
    /// What is in it.
    pub value: DhcpValue,
}

/// What a [`DhcpOption`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DhcpValue {
    /// The URL that PnP gives too.
    Url,
    /// One byte.
    Byte(u8),
}

impl Vendor {
    /// Whose account does this body, asked for under this file name, set up?
    pub fn identity(&self, file: &str, body: &[u8]) -> Identity {
        (self.accounts)(file, body).map_or(Identity::Unknown, Accounts::identity)
    }

    /// The registrars and proxies that it names, in lower case and without ports: `true` for a registrar.
    pub fn servers(&self, file: &str, body: &[u8]) -> Vec<(bool, String)> {
        (self.accounts)(file, body).map(|accounts| accounts.servers()).unwrap_or_default()
    }
}

impl DhcpOption {
    /// The URL as an option of its own.
    pub const fn url(code: u8) -> DhcpOption {
        DhcpOption { code, sub: None, value: DhcpValue::Url }
    }

    /// A value inside an option.
    pub const fn sub(code: u8, sub: u8, value: DhcpValue) -> DhcpOption {
        DhcpOption { code, sub: Some(sub), value }
    }
}

/// The phone's own placeholders for its MAC, twelve hex digits without separators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DhcpMac {
    /// In lower case.
    pub lower: Option<&'static str>,
    /// In upper case.
    pub upper: Option<&'static str>,
}

/// What a User-Agent says. Strings are at most 64 bytes of printable ASCII.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AgentFacts {
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub mac: Option<Mac>,
}

/// What kind of resource a file name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Configuration: validated, kept on flash for each phone that asked.
    Config,
    /// The same bytes for all phones (firmware, language, ring tones): streamed, kept in RAM.
    Shared,
}

/// What a body is for the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A config this phone can use: store and serve.
    Good,
    /// An answer of one moment (a firmware pointer before the real config): serve, never store.
    Temporary,
    /// The upstream's way of saying no with status 200. The text says which.
    Refused(&'static str),
    /// Not readable for this phone; the text says why, in words for an admin, without any of the body.
    Broken(String),
}

/// SIP NOTIFY events that make the phone fetch its config again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resync {
    /// Event header value for fetching again without a restart.
    pub reload: &'static str,
    /// Event header value for a restart.
    pub reboot: &'static str,
}
