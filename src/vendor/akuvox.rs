//! Akuvox door phones and indoor stations. Configs are `Config.… = value` lines, in older firmware below `[ … ]` heads,
//! or encrypted. Sources: phone-facts 1.3, 3.2; Akuvox administrator guides.

use super::identity::{pairs, Accounts, Field, Names};
use super::text::{self, Tally};
use super::types::{AgentFacts, DhcpOption, FileKind, Resync, Vendor, Verdict};

const LABEL: &str = "Akuvox";

/// Akuvox
pub static AKUVOX: Vendor = Vendor {
    name: "akuvox",
    label: LABEL,
    ouis: &["0c:11:05:*:*:*"],
    oui_is_proof: true,
    url: "{upstream}/prov/akuvox/",
    event_vendors: &["akuvox"],
    user_agent: |agent| -> Option<AgentFacts> { text::brand_model_version(agent, LABEL) },
    kind: |file| -> FileKind { text::kind(file, |name| name.ends_with(".txt")) },
    check,
    accounts,
    fallback: |_| None,
    resync: Resync { reload: "check-sync;reboot=false", reboot: "check-sync;reboot=true" },
    // administrator guides: 66, or a number set in the phone
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
    let start = match text::opening_no_page(LABEL, body) {
        Ok(start) => start,
        Err(verdict) => return verdict,
    };
    if text::binary(body) {
        return Verdict::Good;
    }
    let tally = Tally::of(start, b"#[", text::key_equals, |_| false);
    if tally.is_config() && !text::begins(start, "#!version") {
        Verdict::Good
    } else {
        text::foreign(LABEL, start)
    }
}

const ACCOUNT: Names = &[
    ("config.account#.general.username", Field::User),
    ("config.account#.general.authname", Field::Auth),
    ("config.account#.sip.server", Field::Registrar),
    ("config.account#.general.enable", Field::Active),
];

fn accounts(file: &str, body: &[u8]) -> Option<Accounts> {
    if text::is_opaque(file, |name| name.ends_with(".txt")) || text::binary(body) {
        return None;
    }
    Accounts::of(ACCOUNT, pairs(body, b'='))
}
