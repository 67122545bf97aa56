//! Grandstream phones. Configs are XML with root `gs_provision`, or the old binary form. Their OUIs are also on
//! cameras, access points and PBXs. Sources: phone-facts 1.3, 3.1–3.5.

use super::text;
use super::types::{AgentFacts, DhcpOption, FileKind, Resync, Vendor, Verdict};
use super::xml;

const LABEL: &str = "Grandstream";

/// Grandstream
pub static GRANDSTREAM: Vendor = Vendor {
    name: "grandstream",
    label: LABEL,
    ouis: &["00:0b:82:*:*:*", "c0:74:ad:*:*:*", "ec:74:d7:*:*:*", "14:4c:ff:*:*:*"],
    oui_is_proof: false,
    url: "{upstream}/prov/grandstream/",
    event_vendors: &["grandstream"],
    user_agent,
    kind,
    check,
    fallback: |_| None,
    resync: Resync { reload: "check-sync", reboot: "check-sync" },
    // DHCP options guide: 66 with the scheme. The form of 43 differs by firmware.
    dhcp: &[DhcpOption::url(66)],
    dhcp_mac: None,
    class_id,
    class_marks: PHONES,
};

/// Families of phones and telephone adapters, as they stand in the vendor class id. Unconfirmed (phone-facts 2.1 knows no
/// real one); cameras (GXV35, GXV36), access points (GWN) and PBXs (UCM) have the same OUIs and must not match.
const PHONES: &[&str] = &[
    "Grandstream GXP",
    "Grandstream GRP",
    "Grandstream GHP",
    "Grandstream GXV31",
    "Grandstream GXV32",
    "Grandstream GXV33",
    "Grandstream GXV34",
    "Grandstream DP7",
    "Grandstream WP8",
    "Grandstream HT",
];

fn class_id(class: &str) -> Option<AgentFacts> {
    PHONES.iter().any(|family| class.starts_with(family)).then(|| text::class(class, LABEL))?
}

/// `Grandstream Model HW GXP1628 SW 1.0.4.138 DevId c074ad2bd859`, `Grandstream GXP2000 (gxp2000e.bin:1.2.5.3/…) DevId …`,
/// `Grandstream BT110 1.0.8.33`.
fn user_agent(agent: &str) -> Option<AgentFacts> {
    let rest = text::after(agent, LABEL)?;
    let mut words = rest.split([' ', '(', ':', '/', ')']).filter(|w| !w.is_empty() && !["Model", "HW"].contains(w));
    let model = words.next();
    let dotted = |w: &str| w.starts_with(|c: char| c.is_ascii_digit()) && w.contains('.');
    Some(text::facts(agent, model, words.find(|w| dotted(w))))
}

/// The phone book is the provider's, not the phone's.
fn shared(name: &str) -> bool {
    name.ends_with("phonebook.xml") || name.ends_with(".txt")
}

fn kind(file: &str) -> FileKind {
    text::kind(file, shared)
}

fn check(file: &str, body: &[u8]) -> Verdict {
    if text::is_opaque(file, shared) {
        return text::opaque(LABEL, body);
    }
    let start = match text::opening_no_page(LABEL, body) {
        Ok(start) => start,
        Err(verdict) => return verdict,
    };
    if text::binary(body) {
        return Verdict::Good;
    }
    if start.starts_with(b"<") {
        return xml::check(LABEL, body, &["gs_provision", "AddressBook"]);
    }
    if text::lines(start).all(|line| line.starts_with(b"#")) {
        // Gemeinschaft 3 says no in a comment
        return Verdict::Refused("the upstream answered with a comment only");
    }
    if text::lines(start).any(|line| line.starts_with(b"P") && text::key_equals(line).is_some()) {
        return text::broken(LABEL, "plain P values (phones take them as XML or in the binary form)");
    }
    text::foreign(LABEL, start)
}
