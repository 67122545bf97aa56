//! Polycom / Poly phones. Configs are XML whose settings are attributes, with roots of many names. Sources: phone-facts
//! 3.1–3.5.

use super::identity::{Accounts, Field, Names};
use super::text;
use super::types::{AgentFacts, DhcpOption, FileKind, Resync, Vendor, Verdict};
use super::xml;

const LABEL: &str = "Polycom";

/// Polycom
pub static POLYCOM: Vendor = Vendor {
    name: "polycom",
    label: "Polycom / Poly",
    ouis: &["00:04:f2:*:*:*", "64:16:7f:*:*:*", "48:25:67:*:*:*"],
    oui_is_proof: true,
    url: "{upstream}/prov/polycom/",
    event_vendors: &["polycom", "poly"],
    user_agent,
    kind: |file| -> FileKind { text::kind(file, |name| name.ends_with(".txt")) },
    check,
    accounts,
    fallback: |_| None,
    resync: Resync { reload: "check-sync", reboot: "check-sync" },
    // "Custom+66" is the default, and the custom option is 160 (CX5500 guide p. 225)
    dhcp: &[DhcpOption::url(160), DhcpOption::url(66)],
    // none: the URL is a folder, to which the phone adds its file names
    dhcp_mac: None,
    class_id,
    class_marks: &["Polycom-"],
};

/// `Polycom-VVX400`: newer firmware, unconfirmed. Older sends a binary form (RFC 3925), which is no text.
fn class_id(class: &str) -> Option<AgentFacts> {
    let model = class.strip_prefix("Polycom-")?;
    Some(text::facts("", Some(model), None))
}

/// `FileTransport PolycomVVX-VVX_400-UA/4.1.4.7430 Type/Application`, without `FileTransport` in SIP.
fn user_agent(agent: &str) -> Option<AgentFacts> {
    let word = agent.split(' ').find(|w| w.starts_with("Poly"))?;
    let (product, version) = word.split_once('/').unwrap_or((word, ""));
    let product = product.trim_end_matches("-UA");
    // "PolycomVVX-VVX_400": the family before the first dash, the model after it
    let model = product.split_once('-').map_or(product, |(_, model)| model);
    Some(text::facts(agent, Some(model), Some(version)))
}

fn check(file: &str, body: &[u8]) -> Verdict {
    if text::is_opaque(file, |name| name.ends_with(".txt")) {
        return text::opaque(LABEL, body);
    }
    let start = match text::opening_no_page(LABEL, body) {
        Ok(start) => start,
        Err(verdict) => return verdict,
    };
    if !start.starts_with(b"<") {
        // configs may be encrypted by the vendor's tool
        return if text::binary(body) { Verdict::Good } else { text::foreign(LABEL, start) };
    }
    xml::check_any_root(LABEL, body)
}

/// Attributes, whatever the element.
const ACCOUNT: Names = &[
    ("reg.#.address", Field::User),
    ("reg.#.auth.userid", Field::Auth),
    ("reg.#.server.1.address", Field::Registrar),
    ("voipprot.server.1.address", Field::Registrar),
];

fn accounts(file: &str, body: &[u8]) -> Option<Accounts> {
    if text::is_opaque(file, |name| name.ends_with(".txt")) || !text::trim_start(body).starts_with(b"<") {
        return None;
    }
    Accounts::read(body, |accounts, leaf| {
        for (key, value) in leaf.attributes() {
            accounts.setting(ACCOUNT, &key, &value);
        }
    })
}
