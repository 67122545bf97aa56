//! snom desk phones and DECT bases. Configs are XML, or text inside `<html><pre>`, or bare text; the M3 has a form of
//! its own. Sources: phone-facts 3.2–3.5; service.snom.com (PnP, provisioning).

use super::identity::{pairs, Accounts, Field, Names};
use super::text::{self, Tally};
use super::types::{AgentFacts, DhcpMac, DhcpOption, FileKind, Resync, Vendor, Verdict};
use super::xml;

const LABEL: &str = "snom";

/// snom
pub static SNOM: Vendor = Vendor {
    name: "snom",
    label: LABEL,
    // RTX's 00:08:7b (M300 to M900) is not here: other makers' bases have it too
    ouis: &["00:04:13:*:*:*", "1c:71:26:*:*:*"],
    oui_is_proof: true,
    url: "{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}",
    event_vendors: &["snom"],
    user_agent,
    kind,
    check,
    accounts,
    fallback: |_| None,
    resync: Resync { reload: "check-sync;reboot=false", reboot: "check-sync;reboot=true" },
    // wiki.snom.com DHCP/Options. 43 with 66 inside would win over 66, but older firmware does not know it.
    dhcp: &[DhcpOption::url(66)],
    // either case of the digits was seen (phone-facts 3.3); the agent takes both
    dhcp_mac: Some(DhcpMac { lower: Some("{mac}"), upper: Some("{mac}") }),
    class_id,
    class_marks: &["snom"],
};

/// `snomD120`, `snom710`, `snomMP`, `snomM700` (phone-facts 2.1): the brand and the model in one word.
fn class_id(class: &str) -> Option<AgentFacts> {
    let model = class.strip_prefix("snom")?;
    Some(text::facts("", Some(model.trim_start_matches(['-', ' '])), None))
}

/// Roots of documents a phone loads as settings (firmware 7.1.8 and later).
const ROOTS: &[&str] = &[
    "settings",
    "setting-files",
    "phone-settings",
    "functionKeys",
    "tbook",
    "dialplan",
    "ReplacementPlan",
    "certificates",
    "gui-languages",
    "web-languages",
    "uploads",
];

/// Settings of a firmware pointer: the upstream says them once, before the config of the phone.
const POINTERS: &[&str] =
    &["update_policy", "pnp_config", "firmware", "firmware_status", "firmware_interval", "bootloader", "linux"];

/// `… snomD785-SIP 10.1.33.33 …`, `… Snom M900 05.20.0001 …`, `snomD120/10.1.39.11`.
fn user_agent(agent: &str) -> Option<AgentFacts> {
    let at = agent.char_indices().find(|(at, _)| {
        let before = agent.get(..*at).unwrap_or_default();
        agent.get(*at..at + 4).is_some_and(|w| w.eq_ignore_ascii_case("snom"))
            && !before.ends_with(|c: char| c.is_ascii_alphanumeric())
    });
    let rest = agent.get(at?.0 + 4..)?;
    let mut words = rest.split([' ', '/', ';', ')']).filter(|w| !w.is_empty());
    let model = words.next().map(|w| w.trim_end_matches("-SIP"));
    if model == Some("lid") {
        // "snom lid 3605" of the oldest firmware names neither
        return Some(text::facts(agent, None, None));
    }
    let firmware = words.next().filter(|w| w.starts_with(|c: char| c.is_ascii_digit()));
    Some(text::facts(agent, model, firmware))
}

fn language(name: &str) -> bool {
    name.contains("_lang") || name.starts_with("lang") || name.ends_with(".fwu")
}

fn kind(file: &str) -> FileKind {
    text::kind(file, language)
}

fn check(file: &str, body: &[u8]) -> Verdict {
    if text::is_opaque(file, language) {
        return text::opaque(LABEL, body);
    }
    let start = match text::opening(LABEL, body) {
        Ok(start) => start,
        Err(verdict) => return verdict,
    };
    if text::page(start) {
        return html_pre(start);
    }
    if start.starts_with(b"<") {
        return document(body);
    }
    if start.starts_with(b"%") {
        return m3(start);
    }
    settings(start).unwrap_or_else(|| text::foreign(LABEL, start))
}

fn document(body: &[u8]) -> Verdict {
    match xml::outline(body, false) {
        Ok(o) if o.root == b"firmware-settings" => Verdict::Temporary,
        Ok(o) if o.root == b"settings" && o.only == Some(b"firmware-settings") => Verdict::Temporary,
        Ok(_) => xml::check(LABEL, body, ROOTS),
        Err(why) => Verdict::Broken(why),
    }
}

/// `<html><pre>`, setting lines, `</pre></html>`: looks like a page, is a config.
pub(super) fn html_pre(start: &[u8]) -> Verdict {
    let lower = start.to_ascii_lowercase();
    let tail = |from: usize| lower.get(from..).unwrap_or_default();
    let page = || text::broken(LABEL, "an HTML page");
    let Some(pre) = text::find(&lower, b"<pre") else { return page() };
    let Some(from) = text::find(tail(pre), b">").map(|at| pre + at + 1) else { return page() };
    let head = lower.get(..pre).unwrap_or_default();
    if [&b"<head"[..], b"<title", b"<h1"].iter().any(|tag| text::find(head, tag).is_some()) {
        return page();
    }
    let to = text::find(tail(from), b"</pre>").map(|at| from + at);
    let Some(verdict) = settings(start.get(from..to.unwrap_or(start.len())).unwrap_or_default()) else {
        return page();
    };
    match to {
        Some(to) if text::find(tail(to), b"</html>").is_some() => verdict,
        _ => Verdict::Broken("a snom config that is cut off: </pre> or </html> is missing".into()),
    }
}

/// Bare setting lines; `None` when they are no settings of snom.
fn settings(lines: &[u8]) -> Option<Verdict> {
    let tally = Tally::of(lines, b"#<", setting, |key| POINTERS.iter().any(|p| p.as_bytes() == key));
    tally.is_config().then_some(if tally.lasting > 0 { Verdict::Good } else { Verdict::Temporary })
}

/// The key of `name!: value`, `name$: value`, `name&: value` or `name: value`, without its mark.
fn setting(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|b| *b == b':')?;
    let key = line.get(..colon)?;
    let key = key.strip_suffix(b"!").or(key.strip_suffix(b"$")).or(key.strip_suffix(b"&")).unwrap_or(key);
    let word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_';
    let parted = line.get(colon + 1).is_none_or(|b| *b == b' ' || *b == b'\t');
    (parted && !key.is_empty() && key.iter().all(word)).then_some(key)
}

/// `%KEY%:value` lines of the M3.
fn m3(start: &[u8]) -> Verdict {
    let key = |line: &'_ [u8]| -> bool { line.starts_with(b"%") && text::find(line, b"%:").is_some() };
    let (settings, odd) = text::lines(start).fold((0, 0), |(s, o), l| if key(l) { (s + 1, o) } else { (s, o + 1) });
    if settings > 0 && settings >= odd {
        Verdict::Good
    } else {
        text::foreign(LABEL, start)
    }
}

/// Desk phones (numbered by attribute, or at the end of the name), DECT bases, and the M3.
pub(super) const ACCOUNT: Names = &[
    ("user_name#", Field::User),
    ("user_pname#", Field::Auth),
    ("user_host#", Field::Registrar),
    ("user_outbound#", Field::Proxy),
    ("user_active#", Field::Active),
    ("subscr_sip_ua_data_sip_name#", Field::User),
    ("subscr_ua_data_auth_name#", Field::Auth),
    ("srv_sip_ua_data_domain#", Field::Registrar),
    ("srv_sip_ua_data_proxy_addr#", Field::Proxy),
    ("subscr_#_sip_ua_data_sip_name", Field::User),
    ("subscr_#_ua_data_auth_name", Field::Auth),
    ("srv_#_sip_ua_data_domain", Field::Registrar),
    ("srv_#_sip_ua_data_proxy_addr", Field::Proxy),
];

fn accounts(file: &str, body: &[u8]) -> Option<Accounts> {
    if text::is_opaque(file, language) || text::binary(body) {
        return None;
    }
    let start = text::trim_start(body);
    if start.starts_with(b"<") && !text::page(start) {
        return Accounts::of_elements(ACCOUNT, body);
    }
    let settings = pairs(body, b':').map(|(key, value)| (unmarked(key), value));
    Accounts::of(ACCOUNT, settings)
}

/// The key of a setting without what stands around it: `user_name1!`, `%SRV_0_SIP_UA_DATA_DOMAIN%`.
fn unmarked(key: &[u8]) -> &[u8] {
    let key = key.strip_prefix(b"%").unwrap_or(key);
    match key.split_last() {
        Some((b'!' | b'$' | b'&' | b'%', rest)) => rest,
        _ => key,
    }
}
