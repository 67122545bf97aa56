//! Cisco and Linksys SPA phones, 68xx MPP and 79xx. Configs are XML (`flat-profile`, `device`), gzip, AES, the
//! compiled binary form, or the text of the oldest SIP loads. Their OUIs are mostly on routers and switches. Sources:
//! phone-facts 3.1–3.5, 3.7.

use super::identity::{pairs, Accounts, Field, Names};
use super::text::{self, Tally};
use super::types::{AgentFacts, DhcpMac, DhcpOption, FileKind, Resync, Vendor, Verdict};
use super::xml;

const LABEL: &str = "Cisco";

/// Cisco / Linksys
pub static CISCO: Vendor = Vendor {
    name: "cisco",
    label: "Cisco / Linksys SPA",
    ouis: &[
        "00:0e:08:*:*:*",
        "00:18:f8:*:*:*",
        "00:26:99:*:*:*",
        "50:3d:e5:*:*:*",
        "00:e1:6d:*:*:*",
        "00:da:55:*:*:*",
        "10:bd:18:*:*:*",
        "88:01:9f:*:*:*",
        "00:02:fd:*:*:*",
    ],
    oui_is_proof: false,
    url: "{upstream}/prov/cisco/{mac}.cfg",
    event_vendors: &["cisco", "linksys"],
    user_agent,
    kind: |file| -> FileKind { text::kind(file, |name| name.ends_with(".loads") || name.ends_with(".sgn")) },
    check,
    accounts,
    fallback: |_| None,
    resync: Resync { reload: "resync", reboot: "reboot_now" },
    // SPA provisioning guide: 66, 160, 159 and 150 are looked at; 150 holds addresses, and one URL more is of no use
    dhcp: &[DhcpOption::url(66), DhcpOption::url(160)],
    // macros of a profile rule (phone-facts 2.2)
    dhcp_mac: Some(DhcpMac { lower: Some("$MA"), upper: Some("$MAU") }),
    class_id,
    class_marks: &["Cisco SPA", "CISCO SPA", "Linksys SPA", "LINKSYS SPA", "Inc. IP Phone"],
};

/// `Cisco SPA501G`, `CISCO SPA122`, `LINKSYS SPA-942`, `Cisco Systems, Inc. IP Phone CP-7960G` (phone-facts 2.1). Their
/// routers, switches and access points say `cisco`, `Cisco AP …`: those are none.
fn class_id(class: &str) -> Option<AgentFacts> {
    let spa = ["Cisco ", "CISCO ", "Linksys ", "LINKSYS "].iter().find_map(|brand| class.strip_prefix(brand));
    let model = match spa.filter(|model| model.starts_with("SPA")) {
        Some(model) => model,
        None => class.strip_prefix("Cisco Systems, Inc. IP Phone")?,
    };
    Some(text::facts("", Some(model), None))
}

/// `Linksys/SPA-942-6.1.5(a) (88019FA42805)`, `Cisco/SPA508G-7.4.4 (0002FDFF2103)(CBT141400UK)`,
/// `Cisco-CP-8841-3PCC/11.0 …`.
fn user_agent(agent: &str) -> Option<AgentFacts> {
    let rest = text::after(agent, "Cisco").or_else(|| text::after(agent, "Linksys"))?;
    let word = rest.trim_start_matches(['/', '-', ' ']).split([' ', '(']).next().unwrap_or_default();
    let (model, version) = word.split_once('/').or_else(|| word.rsplit_once('-')).unwrap_or((word, ""));
    Some(text::facts(agent, Some(model), Some(version)))
}

fn check(file: &str, body: &[u8]) -> Verdict {
    if text::is_opaque(file, |name| name.ends_with(".loads") || name.ends_with(".sgn")) {
        return text::opaque(LABEL, body);
    }
    let start = match text::opening_no_page(LABEL, body) {
        Ok(start) => start,
        Err(verdict) => return verdict,
    };
    if body.starts_with(b"\x1f\x8b") || start.starts_with(b"Salted__") || text::binary(body) {
        return Verdict::Good;
    }
    if start.starts_with(b"<") {
        return xml::check(LABEL, body, &["flat-profile", "device", "Default", "router-configuration"]);
    }
    // SIPDefault.cnf and SIP<MAC>.cnf
    if text::extension(file) == "cnf" && Tally::of(start, b"#;", colon, |_| false).is_config() {
        return Verdict::Good;
    }
    text::foreign(LABEL, start)
}

/// The key of `line1_name: "100"`.
fn colon(line: &[u8]) -> Option<&[u8]> {
    let key = line.get(..line.iter().position(|b| *b == b':')?)?.trim_ascii_end();
    (!key.is_empty() && key.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')).then_some(key)
}

/// Elements of `flat-profile`, and keys of the oldest text.
const ACCOUNT: Names = &[
    ("user_id_#_", Field::User),
    ("auth_id_#_", Field::Auth),
    ("proxy_#_", Field::Registrar),
    ("line_enable_#_", Field::Active),
    ("line#_name", Field::User),
    ("line#_authname", Field::Auth),
    ("proxy#_address", Field::Registrar),
];
/// Elements of `device`, in `<line button="1">`.
const LINE: Names = &[("name", Field::User), ("authname", Field::Auth), ("proxy", Field::Registrar)];

fn accounts(file: &str, body: &[u8]) -> Option<Accounts> {
    let opaque = text::is_opaque(file, |name| name.ends_with(".loads") || name.ends_with(".sgn"));
    let start = text::trim_start(body);
    if opaque || text::binary(body) || body.starts_with(b"\x1f\x8b") || start.starts_with(b"Salted__") {
        return None;
    }
    if !start.starts_with(b"<") {
        return Accounts::of(ACCOUNT, pairs(body, b':'));
    }
    Accounts::read(body, |accounts, leaf| match leaf.index {
        Some(index) => accounts.of_line(LINE, index, leaf.name(), leaf.text),
        None => accounts.setting(ACCOUNT, leaf.name(), leaf.text),
    })
}
