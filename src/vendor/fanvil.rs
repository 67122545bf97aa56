//! Fanvil phones. Configs are text between two marks, or XML, or encrypted. Sources: phone-facts 1.3, 3.2–3.5.

use super::identity::{pairs, Accounts, Field, Names};
use super::text;
use super::types::{AgentFacts, DhcpMac, DhcpOption, FileKind, Resync, Vendor, Verdict};
use super::xml;

const LABEL: &str = "Fanvil";

/// Fanvil
pub static FANVIL: Vendor = Vendor {
    name: "fanvil",
    label: LABEL,
    ouis: &["0c:38:3e:*:*:*"],
    oui_is_proof: true,
    url: "{upstream}/prov/fanvil/",
    event_vendors: &["fanvil"],
    user_agent: |agent| -> Option<AgentFacts> { text::brand_model_version(agent, LABEL) },
    kind: |file| -> FileKind { text::kind(file, |name| name.ends_with(".txt")) },
    check,
    accounts,
    fallback: |_| None,
    resync: Resync { reload: "check-sync;reboot=false", reboot: "check-sync;reboot=true" },
    // the phone is set to one of 66, 43 or a number of its own; 43 is the bare URL (phone-facts 2.2)
    dhcp: &[DhcpOption::url(66), DhcpOption::url(43)],
    // manuals of C56 and i23
    dhcp_mac: Some(DhcpMac { lower: Some("$mac"), upper: None }),
    class_id: |class| -> Option<AgentFacts> { text::class(class, LABEL) },
    class_marks: &["Fanvil"],
};

fn check(file: &str, body: &[u8]) -> Verdict {
    if text::is_opaque(file, |name| name.ends_with(".txt")) {
        return text::opaque(LABEL, body);
    }
    let start = match text::opening_no_page(LABEL, body) {
        Ok(start) => start,
        Err(verdict) => return verdict,
    };
    if text::begins(start, "<<voip config file>>") {
        return if text::find(start, b"<<END OF FILE>>").is_some() {
            Verdict::Good
        } else {
            Verdict::Broken("a Fanvil config that is cut off: <<END OF FILE>> is missing".into())
        };
    }
    if text::binary(body) {
        return Verdict::Good;
    }
    if start.starts_with(b"<") {
        return xml::check(LABEL, body, &["sysConf", "VOIP_CONFIG_FILE", "PhoneBook"]);
    }
    text::foreign(LABEL, start)
}

/// Keys of the text form without their blanks (`SIP1 Register Addr`).
const ACCOUNT: Names = &[
    ("sip#phonenumber", Field::User),
    ("sip#registeruser", Field::Auth),
    ("sip#registeraddr", Field::Registrar),
    ("sip#proxyaddr", Field::Proxy),
    ("sip#enablereg", Field::Active),
];
/// Elements of the XML form, in `<line index="1">`.
const LINE: Names = &[
    ("phonenumber", Field::User),
    ("registeruser", Field::Auth),
    ("registeraddr", Field::Registrar),
    ("proxyaddr", Field::Proxy),
    ("enablereg", Field::Active),
];

fn accounts(file: &str, body: &[u8]) -> Option<Accounts> {
    if text::is_opaque(file, |name| name.ends_with(".txt")) || text::binary(body) {
        return None;
    }
    let mut accounts = Accounts::default();
    if !text::trim_start(body).starts_with(b"<") || text::begins(text::trim_start(body), "<<") {
        for (key, value) in pairs(body, b':') {
            let key: Vec<u8> = key.iter().copied().filter(|b| *b != b' ').collect();
            accounts.setting(ACCOUNT, &key, value);
        }
        return Some(accounts);
    }
    Accounts::read(body, |accounts, leaf| {
        if let Some(index) = leaf.index {
            accounts.of_line(LINE, index, leaf.name(), leaf.text);
        }
    })
}
