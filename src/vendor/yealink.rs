//! Yealink desk phones and DECT bases. Configs begin with `#!version:`, or are encrypted with AES. Sources: phone-facts
//! 3.2–3.5; Yealink auto-provisioning guides.

use super::identity::{pairs, Accounts, Field, Names};
use super::text::{self, Tally};
use super::types::{AgentFacts, DhcpOption, FileKind, Resync, Vendor, Verdict};
use super::xml;

const LABEL: &str = "Yealink";

/// Yealink
pub static YEALINK: Vendor = Vendor {
    name: "yealink",
    label: LABEL,
    ouis: &[
        "00:15:65:*:*:*",
        "24:9a:d8:*:*:*",
        "34:97:d7:*:*:*",
        "44:db:d2:*:*:*",
        "64:4f:56:*:*:*",
        "80:5e:0c:*:*:*",
        "80:5e:c0:*:*:*",
        "b0:61:a9:*:*:*",
        "c4:fc:22:*:*:*",
        "ec:1d:a9:*:*:*",
        "f0:16:53:*:*:*",
    ],
    oui_is_proof: true,
    url: "{upstream}/prov/yealink/",
    event_vendors: &["yealink"],
    user_agent,
    kind,
    check,
    accounts,
    fallback: |_| None,
    resync: Resync { reload: "check-sync;reboot=false", reboot: "check-sync;reboot=true" },
    // Auto Provision Manual: the custom option, then 66, then 43, which is the bare URL (phone-facts 2.2)
    dhcp: &[DhcpOption::url(66), DhcpOption::url(43)],
    // $MAC is in the guides of newer firmware only, and unconfirmed
    dhcp_mac: None,
    class_id: |class| -> Option<AgentFacts> { text::class(class, LABEL) },
    class_marks: &["yealink", "Yealink"],
};

/// `Yealink SIP-T46G 28.72.0.1 00:15:65:…`, `Yealink SIP VP-T49G …`, `Yealink W52P …`.
fn user_agent(agent: &str) -> Option<AgentFacts> {
    let rest = text::after(agent, LABEL)?;
    let mut words = rest.split(' ').filter(|w| !w.is_empty() && *w != "SIP");
    let model = words.next().map(|w| w.strip_prefix("SIP-").unwrap_or(w));
    let firmware = words.next().filter(|w| w.contains('.'));
    Some(text::facts(agent, model, firmware))
}

/// Languages (`001.GUI.English.lang`, `4.Español_lang.txt`) and dial-now lists are the same for all.
fn language(name: &str) -> bool {
    name.ends_with(".txt") || name.ends_with(".wgt")
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
    if text::binary(body) {
        // AES in blocks of 16
        return if body.len() % 16 == 0 { Verdict::Good } else { text::broken(LABEL, "a cut-off encrypted file") };
    }
    if start.starts_with(b"<") {
        // phone books, favourites and time zones are XML with roots of many names
        return xml::check_any_root(LABEL, body);
    }
    if !text::begins(start, "#!version:") {
        let settings = Tally::of(start, b"#", text::key_equals, pointer);
        return if settings.is_config() {
            // the phone reads no file without it
            Verdict::Broken("the first line is not #!version:1.0.0.1, so the phone would ignore the file".into())
        } else {
            text::foreign(LABEL, start)
        };
    }
    let tally = Tally::of(start, b"#", setting, pointer);
    match tally {
        Tally { settings: 0, .. } => text::broken(LABEL, "a file without any setting"),
        Tally { lasting: 0, .. } => Verdict::Temporary,
        _ => Verdict::Good,
    }
}

/// `key = value`, or a line of a boot file: `include:config "x.cfg"`, `[T46G,T48G]include:config …`.
fn setting(line: &[u8]) -> Option<&[u8]> {
    if text::find(line, b"include:").is_some() {
        return Some(line);
    }
    line.iter().position(|b| *b == b'=').and_then(|at| line.get(..at)).map(<[u8]>::trim_ascii_end)
}

fn pointer(key: &[u8]) -> bool {
    key == b"firmware.url" || key == b"static.firmware.url"
}

const ACCOUNT: Names = &[
    ("account.#.user_name", Field::User),
    ("account.#.auth_name", Field::Auth),
    ("account.#.sip_server.1.address", Field::Registrar),
    ("account.#.sip_server_host", Field::Proxy),
    ("account.#.sip_server_host.legacy", Field::Proxy),
    ("account.#.enable", Field::Active),
];

fn accounts(file: &str, body: &[u8]) -> Option<Accounts> {
    if text::is_opaque(file, language) || text::binary(body) {
        return None;
    }
    // phone books and the like are XML, and have no account
    Accounts::of(ACCOUNT, pairs(body, b'='))
}
