//! Panasonic KX-UT, KX-HDV and KX-TGP. Configs begin with one fixed line, then `KEY="value"`. Sources: phone-facts 1.3, 3.1–3.5.

use super::identity::{pairs, Accounts, Field, Names};
use super::text::{self, Tally};
use super::types::{AgentFacts, DhcpMac, DhcpOption, FileKind, Resync, Vendor, Verdict};

const LABEL: &str = "Panasonic";

/// Panasonic
pub static PANASONIC: Vendor = Vendor {
    name: "panasonic",
    label: LABEL,
    ouis: &["00:80:f0:*:*:*", "08:00:23:*:*:*", "bc:c3:42:*:*:*"],
    oui_is_proof: true,
    // the phone wants a file name in the URL
    url: "{upstream}/prov/panasonic/Config{MAC}.cfg",
    event_vendors: &["panasonic"],
    user_agent,
    kind: |file| -> FileKind { text::kind(file, |name| name.ends_with(".txt")) },
    check,
    accounts,
    fallback: |_| None,
    resync: Resync { reload: "check-sync", reboot: "check-sync;reboot=true" },
    // KX-HDV and KX-TGP guides: 160 and 159 come first, but the phone takes them for a folder, and asks there for {MODEL}.cfg
    // or the file of option 67. 66 with a scheme and a file name is taken as it is.
    dhcp: &[DhcpOption::url(66)],
    // case-sensitive: {mac} is nothing to it (KX-HDV guide)
    dhcp_mac: Some(DhcpMac { lower: None, upper: Some("{MAC}") }),
    class_id: |class| -> Option<AgentFacts> { text::class(class, LABEL) },
    class_marks: &["Panasonic"],
};

/// `Panasonic_KX-UT113/01.133 (0080f0c8c381)`; SIP stacks write a blank or `-` for the underscore.
fn user_agent(agent: &str) -> Option<AgentFacts> {
    let rest = text::after(agent, LABEL)?.trim_start_matches(['_', ' ', '-']);
    let (model, rest) = rest.split_once('/').unwrap_or((rest, ""));
    Some(text::facts(agent, Some(model), rest.split(' ').next()))
}

fn check(file: &str, body: &[u8]) -> Verdict {
    // .e1c to .e3c: configs encrypted by the vendor's tool
    if text::is_opaque(file, |name| name.ends_with(".txt") || name.ends_with("c") && name.contains(".e")) {
        return text::opaque(LABEL, body);
    }
    let start = match text::opening_no_page(LABEL, body) {
        Ok(start) => start,
        Err(verdict) => return verdict,
    };
    if !text::begins(start, "# panasonic sip phone standard format file #") {
        return match text::foreign(LABEL, start) {
            Verdict::Broken(_) if Tally::of(start, b"#", text::key_equals, |_| false).is_config() => Verdict::Broken(
                "the first line is not \"# Panasonic SIP Phone Standard Format File #\", so the phone would refuse the file"
                    .into(),
            ),
            verdict => verdict,
        };
    }
    if Tally::of(start, b"#", text::key_equals, |_| false).is_config() {
        Verdict::Good
    } else {
        text::broken(LABEL, "a file without any setting")
    }
}

const ACCOUNT: Names = &[
    ("phone_number_#", Field::User),
    ("sip_authid_#", Field::Auth),
    ("sip_rgstr_addr_#", Field::Registrar),
    ("sip_prxy_addr_#", Field::Proxy),
    ("line_enable_#", Field::Active),
];

fn accounts(file: &str, body: &[u8]) -> Option<Accounts> {
    // the files of the vendor's tool begin otherwise
    if text::is_opaque(file, |name| name.ends_with(".txt")) || !text::begins(text::trim_start(body), "# panasonic") {
        return None;
    }
    Accounts::of(ACCOUNT, pairs(body, b'='))
}
