//! Mitel and Aastra SIP phones (67xx, 68xx, 69xx; 53xx with SIP firmware). Configs are `key: value` lines whose keys
//! hold blanks, or encrypted `.tuz`. Sources: phone-facts 3.2–3.5; Aastra 67xx and Mitel 6800 administrator guides.

use super::identity::{pairs, Accounts, Field, Names};
use super::text::{self, Tally};
use super::types::{AgentFacts, DhcpOption, DhcpValue, FileKind, Resync, Vendor, Verdict};
use super::xml;

const LABEL: &str = "Mitel";

/// Mitel / Aastra
pub static MITEL: Vendor = Vendor {
    name: "mitel",
    label: "Mitel / Aastra",
    ouis: &["00:08:5d:*:*:*", "14:00:e9:*:*:*", "08:00:0f:*:*:*"],
    oui_is_proof: true,
    url: "{upstream}/prov/mitel",
    event_vendors: &["mitel", "aastra"],
    user_agent,
    kind,
    check,
    accounts,
    // firmware from 4.2 asks for startup.cfg; upstreams made for older phones have aastra.cfg alone
    fallback: |file| (file == "startup.cfg").then_some("aastra.cfg"),
    // the phone decides by itself whether the change needs a restart
    resync: Resync { reload: "check-sync", reboot: "check-sync" },
    // 6800 guide p. 4-23: 66 is the URL. 43.2 (the URL again) and 43.3 (do not ask the vendor's redirection server first)
    // are what the 67xx and 68xx of the class AastraIPPhone take (phone-facts 2.2).
    dhcp: &[DhcpOption::url(66), DhcpOption::sub(43, 2, DhcpValue::Url), DhcpOption::sub(43, 3, DhcpValue::Byte(0))],
    // none: the URL is a folder, to which the phone adds its file names
    dhcp_mac: None,
    class_id,
    // the 69xx may say MitelIPPhone; unconfirmed
    class_marks: &["AastraIPPhone", "MitelIPPhone"],
};

/// `AastraIPPhone6731i`, `AastraIPPhone6920` (phone-facts 2.1). `ipphone.mitel.com` is that of MiNET firmware, which speaks
/// no SIP.
fn class_id(class: &str) -> Option<AgentFacts> {
    let model = class.strip_prefix("AastraIPPhone").or_else(|| class.strip_prefix("MitelIPPhone"))?;
    Some(text::facts("", Some(model), None))
}

/// `Aastra6731i MAC:00-08-5D-23-74-29 V:3.2.0.70-SIP`, `Mitel6915 …`; SIP: `Aastra 6867i/4.2.0.2023`.
fn user_agent(agent: &str) -> Option<AgentFacts> {
    let rest = text::after(agent, "Aastra").or_else(|| text::after(agent, "Mitel"))?;
    let mut words = rest.split([' ', '/']).filter(|w| !w.is_empty());
    let model = words.next().filter(|w| w.contains(|c: char| c.is_ascii_digit()) && !w.contains(':'));
    let version = |w: &str| w.starts_with("V:") || w.starts_with(|c: char| c.is_ascii_digit());
    let firmware = words.find(|w| version(w)).map(|w| w.trim_start_matches("V:").trim_end_matches("-SIP"));
    Some(text::facts(agent, model, firmware))
}

/// Languages are `lang_de.txt`; no config of these phones ends in `.txt`.
fn language(name: &str) -> bool {
    name.ends_with(".txt")
}

fn kind(file: &str) -> FileKind {
    text::kind(file, language)
}

fn check(file: &str, body: &[u8]) -> Verdict {
    if text::is_opaque(file, language) {
        return text::opaque(LABEL, body);
    }
    let start = match text::opening_no_page(LABEL, body) {
        Ok(start) => start,
        Err(verdict) => return verdict,
    };
    if start.starts_with(b"<") {
        // MN_Generic.cfg and MN_<MAC>.cfg of the 53xx are XML fragments without one root
        return match xml::outline(body, true) {
            Ok(o) if file.starts_with("MN_") && o.root == b"Parameter" => Verdict::Good,
            Ok(o) => xml::other(LABEL, &o),
            Err(_) => text::broken(LABEL, "something in XML or HTML"),
        };
    }
    let tally = Tally::of(start, b"#", setting, message);
    if tally.is_config() && tally.lasting > 0 {
        Verdict::Good
    } else {
        text::foreign(LABEL, start)
    }
}

/// The key of `sip line1 auth name: value` or `!key: value`; the value may be empty.
fn setting(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_prefix(b"!").unwrap_or(line);
    let colon = line.iter().position(|b| *b == b':')?;
    let key = line.get(..colon)?;
    let word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b' ' | b'.' | b'-');
    let parted = line.get(colon + 1).is_none_or(|b| *b == b' ' || *b == b'\t');
    (parted && key.first().is_some_and(u8::is_ascii_lowercase) && key.iter().all(word)).then_some(key)
}

/// `error: no such phone` has the form of a setting and is none.
fn message(key: &[u8]) -> bool {
    [&b"error"[..], b"warning", b"message", b"status", b"fatal"].contains(&key)
}

const ACCOUNT: Names = &[
    ("sip line# user name", Field::User),
    ("sip line# auth name", Field::Auth),
    ("sip line# registrar ip", Field::Registrar),
    ("sip line# proxy ip", Field::Proxy),
    ("sip user name", Field::User),
    ("sip auth name", Field::Auth),
    ("sip registrar ip", Field::Registrar),
    ("sip proxy ip", Field::Proxy),
];
/// Attributes of `User` in the 53xx's XML.
const USER: Names = &[
    ("id", Field::User),
    ("authname", Field::Auth),
    ("regsvr", Field::Registrar),
    ("proxysvr", Field::Proxy),
    ("state", Field::Active),
];

fn accounts(file: &str, body: &[u8]) -> Option<Accounts> {
    if text::is_opaque(file, language) || text::binary(body) {
        return None;
    }
    if !text::trim_start(body).starts_with(b"<") {
        let bare = |(key, value)| -> (&[u8], &[u8]) { (<[u8]>::strip_prefix(key, b"!").unwrap_or(key), value) };
        return Accounts::of(ACCOUNT, pairs(body, b':').map(bare));
    }
    Accounts::read(body, |accounts, leaf| {
        if leaf.name() == b"User" {
            for (key, value) in leaf.attributes() {
                accounts.of_line(USER, leaf.index.unwrap_or(b"0"), &key, &value);
            }
        }
        accounts.setting(&[("user_name#", Field::User)], &leaf.numbered(), leaf.text);
    })
}
