//! Htek phones, also sold as Sangoma S-series and ClearlyIP. Configs are XML with P codes. Sources: phone-facts 1.3, 3.2–3.5.

use super::grandstream;
use super::identity::{Accounts, Field, Names};
use super::text;
use super::types::{AgentFacts, DhcpOption, FileKind, Resync, Vendor, Verdict};
use super::xml;

const LABEL: &str = "Htek";

/// Htek
pub static HTEK: Vendor = Vendor {
    name: "htek",
    label: LABEL,
    ouis: &["00:1f:c1:*:*:*"],
    oui_is_proof: true,
    url: "{upstream}/prov/htek/",
    event_vendors: &["htek"],
    user_agent: |agent| -> Option<AgentFacts> { text::brand_model_version(agent, LABEL) },
    kind: |file| -> FileKind { text::kind(file, |name| name.ends_with(".txt")) },
    check,
    accounts,
    fallback: |_| None,
    resync: Resync { reload: "check-sync", reboot: "check-sync" },
    // 66 as a folder (phone-facts 2.2)
    dhcp: &[DhcpOption::url(66)],
    dhcp_mac: None,
    // nobody has seen one
    class_id: |_| None,
    class_marks: &[],
};

fn check(file: &str, body: &[u8]) -> Verdict {
    if text::is_opaque(file, |name| name.ends_with(".txt")) {
        return text::opaque(LABEL, body);
    }
    match text::opening_no_page(LABEL, body) {
        Ok(start) if start.starts_with(b"<") => xml::check(LABEL, body, &["hl_provision", "config"]),
        Ok(start) => text::foreign(LABEL, start),
        Err(verdict) => verdict,
    }
}

/// The names in the attribute `para`, with `.` for the `_` of later firmware.
const ACCOUNT: Names = &[
    ("account#.sipuserid", Field::User),
    ("account#.authenticateid", Field::Auth),
    ("account#.sipserver", Field::Registrar),
    ("profile#.sipserver", Field::Registrar),
    ("account#.active", Field::Active),
];

fn accounts(file: &str, body: &[u8]) -> Option<Accounts> {
    if text::is_opaque(file, |name| name.ends_with(".txt")) || text::binary(body) {
        return None;
    }
    Accounts::read(body, |accounts, leaf| match leaf.attribute("para") {
        Some(mut para) => {
            if let Some(at) = para.iter_mut().find(|b| **b == b'_') {
                *at = b'.';
            }
            accounts.setting(ACCOUNT, &para, leaf.text);
        }
        // the numbers are Grandstream's, but for the second user
        None => match leaf.name() {
            b"P735" => accounts.set(2, Field::User, leaf.text),
            b"P736" => accounts.set(2, Field::Auth, leaf.text),
            name => {
                if let Some((line, field)) = grandstream::p_value(name) {
                    accounts.set(line, field, leaf.text);
                }
            }
        },
    })
}
