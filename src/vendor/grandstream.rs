//! Grandstream phones. Configs are XML with root `gs_provision`, or the old binary form. Their OUIs are also on
//! cameras, access points and PBXs. Sources: phone-facts 1.3, 3.1–3.5.

use super::identity::{Accounts, Field, Names};
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
    accounts,
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

/// The second form of config: `<item name="account.1.sip.userid">`, or `<item name="account.1.sip"><part name="userid">`.
const ACCOUNT: Names = &[
    ("account.#.sip.userid", Field::User),
    ("account.#.sip.subscriber.userid", Field::Auth),
    ("account.#.sip.server.1.address", Field::Registrar),
    ("account.#.enable", Field::Active),
];
/// The first form, by P value: active, server, user, login of accounts 1 to 6.
const P_VALUES: [[&str; 4]; 6] = [
    ["P271", "P47", "P35", "P36"],
    ["P401", "P402", "P404", "P405"],
    ["P501", "P502", "P504", "P505"],
    ["P601", "P602", "P604", "P605"],
    ["P1701", "P1702", "P1704", "P1705"],
    ["P1801", "P1802", "P1804", "P1805"],
];

/// What this P value says, and of which line.
pub(super) fn p_value(name: &[u8]) -> Option<(u16, Field)> {
    const FIELDS: [Field; 4] = [Field::Active, Field::Registrar, Field::User, Field::Auth];
    P_VALUES.iter().zip(1u16..).find_map(|(names, line)| {
        let at = names.iter().position(|n| n.as_bytes() == name)?;
        FIELDS.get(at).map(|field| (line, *field))
    })
}

fn accounts(file: &str, body: &[u8]) -> Option<Accounts> {
    if text::is_opaque(file, shared) || text::binary(body) {
        return None;
    }
    Accounts::read(body, |accounts, leaf| {
        let name = leaf.name();
        if let Some((line, field)) = p_value(name) {
            accounts.set(line, field, leaf.text);
        } else if let (b"item" | b"part", Some(setting)) = (name, leaf.attribute("name")) {
            let item = if name == b"part" { leaf.of_parent("name") } else { None };
            let full = item.map_or(setting.clone(), |item| [&item[..], b".", &setting[..]].concat());
            accounts.setting(ACCOUNT, &full, leaf.text);
        }
    })
}
