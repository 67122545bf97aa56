//! Sample configs of realistic size, for the demo and for tests: what a provisioner would give to one snom and one
//! Mitel phone. Written from the vendors' lists of settings (service.snom.com "Settings"; Mitel 6800/6900
//! administrator guide, appendix A); every name, number and password is made up from the MAC.

use crate::proto::mac::Mac;
use std::fmt::Write;

const FAMILY: &[&str] = &["Keller", "Muster", "Ober", "Rossi", "Favre", "Huber", "Brunner", "Schmid & Sohn"];
const GIVEN: &[&str] = &["Anna", "Beat", "Chris", "Dora", "Emil", "Franca", "Gion", "Hanna"];
const LANGUAGES: &[(&str, &str)] =
    &[("DE", "Deutsch"), ("EN", "English"), ("FR", "Francais"), ("IT", "Italiano"), ("DA", "Dansk")];

/// A config for demo and tests: `vendor` is `snom` (XML, about 12 KB) or `mitel` (text, about 5 KB); `None` for all
/// others. The same arguments give the same bytes. `mac` decides the account; `revision` decides only an idle text
/// and a comment, as an admin's small change would. URLs in it (languages, firmware, actions) are below `base`, such
/// as `http://192.0.2.1:8480/snom`, given without a slash at the end.
pub fn sample_config(vendor: &str, mac: Mac, revision: u32, base: &str) -> Option<Vec<u8>> {
    let account = Account::of(mac);
    match vendor {
        "snom" => Some(snom(&account, mac, revision, &escape(base)).into_bytes()),
        "mitel" => Some(mitel(&account, mac, revision, &one_line(base)).into_bytes()),
        _ => None,
    }
}

/// Made up from a MAC.
struct Account {
    extension: u32,
    name: String,
    user: String,
    password: String,
    seed: u32,
}

const REALM: &str = "alpha.sip.example";

impl Account {
    fn of(mac: Mac) -> Account {
        // FNV-1a, 32 bit: spreads well enough for names, and is the same on every machine
        let seed = mac.0.iter().fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193));
        Account {
            extension: 200 + seed % 700,
            name: person(seed),
            user: format!("user_{}", mac.hex().get(6..).unwrap_or_default()),
            password: format!("Pw{:08x}{:08x}", seed, seed.rotate_left(11) ^ 0x5bd1_e995),
            seed,
        }
    }
}

fn person(n: u32) -> String {
    let of = |list: &[&'static str], n: u32| list.get(n as usize % list.len().max(1)).copied().unwrap_or("");
    format!("{} {}", of(FAMILY, n), of(GIVEN, n / 8))
}

fn snom(account: &Account, mac: Mac, revision: u32, base: &str) -> String {
    let mut out = String::with_capacity(14 * 1024);
    let Account { extension, user, password, seed, .. } = account;
    let name = escape(&account.name);
    let _ = write!(
        out,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<settings>\n  <!-- {mac}, revision {revision} -->\n  \
         <phone-settings e=\"2\">\n"
    );
    let mut set = |name: &str, index: &str, value: &str| {
        let _ = writeln!(out, "    <{name}{index} perm=\"RW\">{value}</{name}>");
    };
    for (key, value) in [
        ("user_active", "on"),
        ("user_realname", &name),
        ("user_name", user),
        ("user_pname", user),
        ("user_pass", password),
        ("user_host", REALM),
        ("user_outbound", "sbc.sip.example"),
        ("user_idle_text", &format!("{extension} {name} r{revision}")),
        ("user_mailbox", "*98"),
        ("user_expiry", "360"),
        ("user_subscription_expiry", "360"),
        ("user_server_type", "default"),
        ("user_symmetrical_rtp", "off"),
        ("user_srtp", "off"),
        ("user_savp", "optional"),
        ("user_dtmf_info", "sip_info_only"),
        ("user_ringer", "Ringer1"),
        ("codec_priority_list", "g722,pcma,pcmu,gsm,g726-32,telephone-event"),
    ] {
        set(key, " idx=\"1\"", value);
    }
    for (key, value) in SNOM_SETTINGS {
        set(key, "", value);
    }
    for (key, path) in [
        ("setting_server", "settings.php?mac={mac}"),
        ("firmware_status", "firmware/firmware.php?mac={mac}"),
        ("action_dnd_on_url", "action.php?mac=$mac&amp;dnd=on"),
        ("action_dnd_off_url", "action.php?mac=$mac&amp;dnd=off"),
        ("action_setup_url", "action.php?mac=$mac&amp;setup=1"),
        ("dkey_directory", "directory.php"),
    ] {
        set(key, "", &format!("{base}/{path}"));
    }
    out.push_str("  </phone-settings>\n  <functionKeys e=\"2\">\n");
    for key in 0..32 {
        let number = 200 + (seed.wrapping_add(key * 37)) % 700;
        let label = escape(&person(seed.wrapping_add(key * 5)));
        let _ = writeln!(
            out,
            "    <fkey idx=\"{key}\" context=\"active\" label=\"{label}\" perm=\"RW\">blf \
             &lt;sip:{number}@{REALM};user=phone&gt;|*8</fkey>"
        );
    }
    out.push_str("  </functionKeys>\n  <tbook e=\"2\">\n");
    for entry in 0..24 {
        let name = escape(&person(seed.wrapping_add(entry * 3 + 1)));
        let _ = writeln!(
            out,
            "    <item context=\"active\" type=\"none\" fav=\"false\" mod=\"true\" index=\"{entry}\">\
             <name>{name}</name><number>+4143{:07}</number></item>",
            seed.wrapping_add(entry * 7919) % 10_000_000
        );
    }
    out.push_str("  </tbook>\n  <dialplan e=\"2\">\n");
    for (from, to) in [("^1([0-9]{2})$", "1\\1"), ("^([2-9][0-9]{2})$", "\\1"), ("^0([1-9][0-9]+)$", "+41\\1")] {
        let _ = writeln!(out, "    <template match=\"{from}\" timeout=\"0\" user=\"phone\" rewrite=\"{to}\"/>");
    }
    out.push_str("  </dialplan>\n");
    for kind in ["gui", "web"] {
        let _ = writeln!(out, "  <{kind}-languages>");
        for (code, language) in LANGUAGES {
            let _ = writeln!(out, "    <language url=\"{base}/lang/{kind}_lang_{code}.xml\" name=\"{language}\"/>");
        }
        let _ = writeln!(out, "  </{kind}-languages>");
    }
    out.push_str("</settings>\n");
    out
}

fn mitel(account: &Account, mac: Mac, revision: u32, base: &str) -> String {
    let mut out = String::with_capacity(6 * 1024);
    let Account { extension, name, user, password, seed } = account;
    let (scheme, rest) = base.split_once("://").unwrap_or(("http", base));
    let (server, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (server, port) = server.rsplit_once(':').unwrap_or((server, "80"));
    let _ = write!(
        out,
        "# {mac}, revision {revision}\n# Configuration server:\ndownload protocol: {}\nhttp server: {server}\n\
         http port: {port}\nhttp path: {path}\nauto resync mode: 3\nauto resync time: 03:00\n# Line:\n",
        scheme.to_ascii_uppercase()
    );
    for (key, value) in [
        ("auth name", user.as_str()),
        ("password", password),
        ("user name", user),
        ("display name", name),
        ("screen name", &format!("{extension} {name} r{revision}")),
        ("proxy ip", REALM),
        ("proxy port", "5060"),
        ("outbound proxy", "sbc.sip.example"),
        ("registrar ip", REALM),
        ("registrar port", "5060"),
        ("backup registrar ip", ""),
        ("vmail", "*98"),
        ("mode", "0"),
        ("registration period", "360"),
    ] {
        let _ = writeln!(out, "sip line1 {key}: {value}");
    }
    out.push_str(MITEL_SETTINGS);
    let _ = write!(
        out,
        "# Languages and firmware:\nlanguage 1: lang_de.txt\nlanguage 2: lang_fr.txt\nlanguage 3: lang_it.txt\n\
         firmware server: {base}/firmware\n# Actions:\n"
    );
    for event in ["startup", "registered", "incoming", "offhook", "onhook"] {
        let _ = writeln!(out, "action uri {event}: {base}/action.php?mac=$$SIPUSERNAME$$&event={event}");
    }
    let _ = writeln!(out, "xml application URI: {base}/directory.php\n# Keys:");
    for key in 1..=24u32 {
        let number = 200 + seed.wrapping_add(key * 37) % 700;
        let label = person(seed.wrapping_add(key * 5));
        let _ = write!(
            out,
            "softkey{key} type: blf\nsoftkey{key} label: {label}\nsoftkey{key} value: {number}\nsoftkey{key} line: 1\n\
             softkey{key} states: idle connected\n"
        );
    }
    out
}

/// For XML text and attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c < ' ' => {}
            c => out.push(c),
        }
    }
    out
}

/// For a value of a line.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

const SNOM_SETTINGS: &[(&str, &str)] = &[
    ("http_user", "admin"),
    ("http_pass", "4711"),
    ("admin_mode_password", "4711"),
    ("ntp_server", "pool.ntp.org"),
    ("timezone", "CHE+1"),
    ("language", "Deutsch"),
    ("web_language", "Deutsch"),
    ("tone_scheme", "SWI"),
    ("date_us_format", "off"),
    ("time_24_format", "on"),
    ("update_policy", "settings_only"),
    ("settings_refresh_timer", "86400"),
    ("pnp_config", "on"),
    ("subscribe_config", "on"),
    ("filter_registrar", "off"),
    ("challenge_response", "off"),
    ("block_url_dialing", "on"),
    ("publish_presence", "off"),
    ("redirect_event", "none"),
    ("mwi_notification", "silent"),
    ("mwi_dialtone", "stutter"),
    ("call_waiting", "on"),
    ("callpickup_dialoginfo", "on"),
    ("show_xml_pickup", "on"),
    ("transfer_on_hangup", "on"),
    ("overlap_dialing", "off"),
    ("display_method", "display_name_number"),
    ("keyboard_lock", "off"),
    ("keyboard_lock_emergency", "110 112 117 118 144"),
    ("use_backlight", "when_active"),
    ("vol_speaker_mic", "5"),
    ("vol_handset_mic", "5"),
    ("vol_headset_mic", "5"),
    ("alert_internal_ring_sound", "Ringer1"),
    ("alert_external_ring_sound", "Ringer4"),
    ("rtp_port_start", "49152"),
    ("rtp_port_end", "65534"),
    ("codec_tos", "184"),
    ("signaling_tos", "104"),
    ("ignore_security_warning", "on"),
];

const MITEL_SETTINGS: &str = "\
# Time:
time server disabled: 0
time server1: pool.ntp.org
time zone name: CH-Zurich
time format: 1
date format: 11
# Phone:
admin password: 4711
language: 1
web language: 1
input language: German
tone set: Europe
contrast level: 4
ring tone: 3
play a ring splash: 1
missed calls indicator disabled: 0
directed call pickup: 1
directed call pickup prefix: *8
contact rcs: 0
lldp: 0
# SIP:
sip dial plan: \"x+^\"
sip dial plan terminator: 1
sip registration period: 360
sip transaction timer: 4000
sip blf subscription period: 360
sip silence suppression: 0
sip dtmf method: 0
sip pai: 1
sip diversion display: 1
sip update callerid: 0
sip xml notify event: 1
https validate certificates: 0
tos sip: 26
tos rtp: 46
";

#[cfg(test)]
mod test {
    use super::*;
    use crate::vendor::{by_name, Verdict};

    const MAC: Mac = Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]);
    const BASE: &str = "http://192.0.2.1:8480/prov/x";

    #[test]
    fn of_realistic_size_and_good() {
        for (name, file, sizes) in
            [("snom", "settings.php", 11_000..14_000), ("mitel", "000413AABBCC.cfg", 4_000..6_200)]
        {
            let body = sample_config(name, MAC, 1, BASE).unwrap();
            assert!(sizes.contains(&body.len()), "{name}: {}", body.len());
            assert_eq!((by_name(name).unwrap().check)(file, &body), Verdict::Good);
            assert_eq!(sample_config(name, MAC, 1, BASE).unwrap(), body);
            let other = Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcd]);
            assert_ne!(sample_config(name, other, 1, BASE).unwrap(), body);
        }
        assert_eq!(sample_config("yealink", MAC, 1, BASE), None);
    }

    #[test]
    fn a_revision_changes_no_account() {
        for name in ["snom", "mitel"] {
            let text = |r| String::from_utf8(sample_config(name, MAC, r, BASE).unwrap()).unwrap();
            let (a, b) = (text(1), text(2));
            let changed: Vec<&str> = a.lines().zip(b.lines()).filter(|(x, y)| x != y).map(|(x, _)| x).collect();
            assert_eq!(changed.len(), 2, "{changed:?}");
            assert!(changed.iter().all(|l| l.contains("revision 1") || l.contains(" r1")), "{changed:?}");
        }
    }

    #[test]
    fn the_base_cannot_break_out() {
        for name in ["snom", "mitel"] {
            let body = sample_config(name, MAC, 1, "http://x/?a=1&b=\"</settings>\n\u{1}").unwrap();
            assert_eq!((by_name(name).unwrap().check)("a.cfg", &body), Verdict::Good, "{name}");
            assert!(!body.contains(&1));
        }
    }
}
