//! The one table of all options.

/// What an option may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// `1` or `0`, and the other words UCI knows.
    Bool,
    /// A whole number within these bounds, both allowed.
    Int {
        min: u32,
        max: u32,
        /// `s`, `KiB`; empty for a plain count.
        unit: &'static str,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Text that is never shown.
    Secret,
    /// Base URL of the upstream.
    Upstream,
    /// URL template of a vendor.
    Template,
    /// Absolute path of a file or folder.
    Path,
    /// MAC address.
    Mac,
    /// Name of a vendor section.
    VendorName,
    /// List of logical networks (`lan`).
    Networks,
    /// List of network devices (`br-lan`).
    Devices,
    /// List of origins (`https://host[:port]`).
    Origins,
    /// List of MAC patterns (`00:04:13:*:*:*`).
    Ouis,
    /// List of host names, addresses and address blocks.
    Hosts,
}

impl Kind {
    /// Its name, for programs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Bool => "bool",
            Kind::Int { .. } => "int",
            Kind::Choice(_) => "choice",
            Kind::Secret => "secret",
            Kind::Upstream => "upstream",
            Kind::Template => "template",
            Kind::Path => "path",
            Kind::Mac => "mac",
            Kind::VendorName => "vendor",
            Kind::Networks => "network",
            Kind::Devices => "device",
            Kind::Origins => "origin",
            Kind::Ouis => "oui",
            Kind::Hosts => "host",
        }
    }

    /// Does it hold several values?
    pub(super) fn is_list(self) -> bool {
        matches!(self, Kind::Networks | Kind::Devices | Kind::Origins | Kind::Ouis | Kind::Hosts)
    }
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opt {
    /// Section type it belongs to.
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// As it would be written; empty for none.
    pub(super) default: &'static str,
    /// One or two sentences, for docs/config.md and for the web page.
    pub(super) help: &'static str,
}

const fn opt(section: &'static str, name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Opt {
    Opt { section, name, kind, default, help }
}

const fn int(min: u32, max: u32, unit: &'static str) -> Kind {
    Kind::Int { min, max, unit }
}

/// Section types, with what they are for.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("agent", "The agent itself. There is one: `config agent 'main'`."),
    (
        "vendor",
        "One brand of phones, named: `config vendor 'snom'`. The name is the first part of the path on the LAN.",
    ),
    (
        "phone",
        "Optional: a phone that is known beforehand, or that belongs to another vendor section than its MAC says.",
    ),
    ("qos", "Bandwidth for calls. There is one: `config qos 'qos'`."),
];

/// Every option, in the order in which docs/config.md shows them.
pub(super) const OPTIONS: &[Opt] = &[
    opt(
        "agent",
        "enabled",
        Kind::Bool,
        "0",
        "Start the agent. The shipped config has it off, for without an upstream there is nothing to serve.",
    ),
    opt(
        "agent",
        "network",
        Kind::Networks,
        "",
        "Logical networks of OpenWrt whose phones are served. They are resolved to devices through /etc/config/network.",
    ),
    opt(
        "agent",
        "device",
        Kind::Devices,
        "",
        "Network devices whose phones are served, by name: for a plain Linux. When given, `network` is not looked at.",
    ),
    opt(
        "agent",
        "upstream",
        Kind::Upstream,
        "",
        "Base URL of the telephone provider's provisioner, for `{upstream}` in the vendors' `url`: `http://` or `https://`, no \
         user name, no query. Or `file://` and a folder of documents: this program is the provisioner (docs/provisioner.md).",
    ),
    opt(
        "agent",
        "provpass",
        Kind::Secret,
        "",
        "Provisioning password, for `{provpass}` in the vendors' `url`. It goes to the upstream and nowhere else. With an \
         upstream of `file://` it is the `urlpass` of the accounts, and no `url` needs it.",
    ),
    opt("agent", "port", int(1, 65535, ""), "8480", "TCP port on which phones fetch their configs."),
    opt("agent", "pnp", Kind::Bool, "1", "Answer SIP PnP (multicast SUBSCRIBE to 224.0.1.75) of the vendors' phones."),
    opt(
        "agent",
        "dhcp",
        Kind::Choice(&["dnsmasq", "responder", "off"]),
        "dnsmasq",
        "How phones learn the URL by DHCP: `dnsmasq` has the router's own server send option 66, `responder` answers \
         DHCPINFORM on a LAN whose DHCP server is another box, `off` leaves DHCP alone.",
    ),
    opt(
        "agent",
        "dnsmasq_conf",
        Kind::Path,
        "",
        "For a plain Linux with `dhcp 'dnsmasq'`: write this one file of dnsmasq directives instead of /etc/config/dhcp.",
    ),
    opt(
        "agent",
        "upstream_timeout",
        int(1, 120, "s"),
        "20",
        "How long a phone waits for the upstream when nothing is stored for it.",
    ),
    opt(
        "agent",
        "fresh_wait",
        int(1, 60, "s"),
        "4",
        "How long a phone waits for the upstream when a last good config is stored; after that it gets the stored one.",
    ),
    opt(
        "agent",
        "fresh_for",
        int(0, 600, "s"),
        "10",
        "An answer this young is served again without asking the upstream. Phones ask twice, and some provisioners refuse \
         the second time. With an upstream of `file://` it is 0.",
    ),
    opt(
        "agent",
        "grace",
        int(0, 365, "days"),
        "7",
        "How long a phone that the upstream refuses, or no longer knows, keeps its last good config.",
    ),
    opt("agent", "history", int(1, 20, ""), "3", "Good configs kept of each file of a phone, the last one included."),
    opt("agent", "cache_max", int(64, 1_048_576, "KiB"), "2048", "Flash that stored configs may take, all together."),
    opt(
        "agent",
        "shared_max",
        int(0, 1_048_576, "KiB"),
        "8192",
        "RAM that files common to many phones (firmware, languages) may take; 0 keeps none.",
    ),
    opt(
        "agent",
        "rewrite",
        Kind::Bool,
        "1",
        "Turn URLs of the upstream inside text configs into the router's, so that phones keep asking here.",
    ),
    opt(
        "agent",
        "redirect_origin",
        Kind::Origins,
        "",
        "Origins (`https://cdn.example.net`) that the upstream may redirect to, beside its own.",
    ),
    opt(
        "agent",
        "verify_mac",
        Kind::Bool,
        "1",
        "Give a phone's config only to the address that the neighbour table knows under the phone's MAC.",
    ),
    opt(
        "agent",
        "enrol",
        Kind::Choice(&["open", "window", "list"]),
        "open",
        "Which unknown phones are served: `open` all of enabled vendors, `window` only while `phoneprov admit` has opened \
         it, `list` only those with a `config phone` section.",
    ),
    opt(
        "agent",
        "guard_share",
        int(0, 100, "%"),
        "20",
        "Hold new configs when more than this share of the known phones has changed or lost its account within \
         `guard_window`.",
    ),
    opt(
        "agent",
        "guard_min",
        int(0, 1000, ""),
        "2",
        "Never hold before more than this number of phones has changed, however few there are.",
    ),
    opt("agent", "guard_window", int(1, 10_080, "minutes"), "60", "Time over which the guard counts."),
    opt(
        "agent",
        "ca_file",
        Kind::Path,
        "",
        "PEM file of certificate authorities that are trusted for the upstream, added to the system's.",
    ),
    opt(
        "agent",
        "state_dir",
        Kind::Path,
        "/etc/phoneprov",
        "Folder for what survives a reboot: last good configs and known phones.",
    ),
    opt(
        "agent",
        "run_dir",
        Kind::Path,
        "/var/run/phoneprov",
        "Folder in RAM for the control socket, the status and shared files.",
    ),
    opt("vendor", "enabled", Kind::Bool, "0", "Serve the phones of this brand."),
    opt(
        "vendor",
        "oui",
        Kind::Ouis,
        "",
        "MAC prefixes of its phones, as `00:04:13:*:*:*`. Without any, those that the program knows for this name.",
    ),
    opt(
        "vendor",
        "url",
        Kind::Template,
        "",
        "Where the upstream has the config of a phone, with placeholders (below). Without it, the one that the program \
         knows for this name. `{provpass}` may stand in a folder or in a query parameter.",
    ),
    opt("phone", "mac", Kind::Mac, "", "MAC address of the phone, in any spelling. Needed."),
    opt("phone", "vendor", Kind::VendorName, "", "Vendor section that serves it, whatever its MAC says."),
    opt(
        "qos",
        "enabled",
        Kind::Bool,
        "0",
        "Give calls the right of way on the line: `phoneprov qos apply` writes rules for them (docs/qos.md).",
    ),
    opt(
        "qos",
        "backend",
        Kind::Choice(&["auto", "qos-scripts", "fw4", "sqm", "qosify"]),
        "auto",
        "The package that does the work; `auto` takes the one that is in use, or else the best that is installed.",
    ),
    opt(
        "qos",
        "mediaserver",
        Kind::Hosts,
        "",
        "Where calls go: host names, addresses or address blocks (`203.0.113.0/24`).",
    ),
    opt("qos", "upload", int(0, 10_000_000, "kbit/s"), "0", "Speed of the line upwards, a little less than it has; 0 leaves it as it is set."),
    opt("qos", "download", int(0, 10_000_000, "kbit/s"), "0", "Speed of the line downwards, a little less than it has; 0 leaves it as it is set."),
];

/// The option of this name in a section of this type.
pub(super) fn find(section: &str, name: &str) -> Option<&'static Opt> {
    OPTIONS.iter().find(|o| o.section == section && o.name == name)
}

/// Placeholders of a vendor's `url`, with what they become.
pub(super) const PLACEHOLDERS: &[(&str, &str)] = &[
    ("upstream", "option `upstream`; only at the very beginning"),
    ("provpass", "option `provpass`"),
    ("mac", "`000413aabbcc`"),
    ("MAC", "`000413AABBCC`"),
    ("mac:", "`00:04:13:aa:bb:cc`"),
    ("mac-", "`00-04-13-aa-bb-cc`"),
    ("model", "the model as the phone says it, empty when it does not"),
    ("version", "the firmware version as the phone says it, empty when it does not"),
    ("ip", "the phone's address"),
    ("vendor", "name of the vendor section"),
];
