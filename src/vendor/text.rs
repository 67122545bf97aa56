//! What all brands share: telling a config from an error page, scanning setting lines, reading file names and
//! User-Agents.
//!
//! Everything here works on bytes: configs come in UTF-8 and in ISO-8859-1, and neither is announced truly.

use super::types::{AgentFacts, FileKind, Verdict};
use crate::bounds;
use crate::proto::mac::Mac;

/// Longest model or firmware text, in bytes.
const FACT: usize = 64;
/// A refusal is a line of text, not a document: longer bodies are not compared with the known refusals.
const REFUSAL: usize = 256;

/// Refusals that come with status 200: FusionPBX (`app/provision/index.php`) and Gemeinschaft 3.
const REFUSALS: &[(&str, &str)] = &[
    ("access denied", "the upstream says: access denied"),
    ("file not found", "the upstream says: file not found"),
    ("invalid mac address", "the upstream says: invalid mac address"),
    ("<!-- // no!", "the upstream says: No! See log for details"),
];

/// How an HTML page begins. Snom's own html/pre form begins so too: its file asks [`page`] last.
const PAGE: &[&str] = &[
    "<!doctype html",
    "<html",
    "<head",
    "<body",
    "<title",
    "<meta",
    "<script",
    "<center",
    "<div",
    "<form",
    "<h1",
    "<h2",
    "<p>",
];

/// How PHP begins a line when something went wrong, as HTML and as text; it may stand in the middle of a config.
const PHP: &[&str] = &["Warning", "Notice", "Deprecated", "Fatal error", "Parse error", "Uncaught"];

/// How the configs of the brands begin, to name the other brand in a message.
const OPENINGS: &[(&str, &str)] = &[
    ("#!version", "a Yealink config"),
    ("# panasonic sip phone", "a Panasonic config"),
    ("<<voip config file>>", "a Fanvil config"),
    ("sip line", "a Mitel config"),
    ("account.", "a Yealink config"),
    ("%srv_", "a snom M3 config"),
    ("set ", "an Avaya config"),
];

/// The same for XML, by root element.
const ROOTS: &[(&str, &str)] = &[
    ("settings", "a snom config"),
    ("phone-settings", "a snom config"),
    ("gs_provision", "a Grandstream config"),
    ("hl_provision", "an Htek config"),
    ("provisioning", "a Gigaset config"),
    ("ProviderFrame", "a Gigaset config"),
    ("flat-profile", "a Cisco config"),
    ("sysConf", "a Fanvil config"),
    ("polycomConfig", "a Polycom config"),
    ("PHONE_CONFIG", "a Polycom config"),
    ("APPLICATION", "a Polycom config"),
];

/// The begin of every brand's check: empty, oversized, refusals, JSON and PHP messages. Gives the body without byte
/// order mark and leading blanks.
pub(super) fn opening<'a>(brand: &str, body: &'a [u8]) -> Result<&'a [u8], Verdict> {
    let start = trim_start(body);
    if start.is_empty() {
        return Err(Verdict::Refused("the upstream answered 200 with nothing in it"));
    }
    if body.len() > bounds::CONFIG_BODY {
        return Err(broken(brand, "larger than a config can be"));
    }
    if let Some(says) = refusal(start) {
        return Err(Verdict::Refused(says));
    }
    if json(start) {
        return Err(broken(brand, "a JSON document"));
    }
    if php_message(start) {
        return Err(broken(brand, "a body with a PHP error message in it"));
    }
    Ok(start)
}

/// [`opening`], and no HTML page either: for all brands whose configs never look like HTML.
pub(super) fn opening_no_page<'a>(brand: &str, body: &'a [u8]) -> Result<&'a [u8], Verdict> {
    let start = opening(brand, body)?;
    if page(start) {
        Err(broken(brand, "an HTML page"))
    } else {
        Ok(start)
    }
}

/// What a short body says when it is a known refusal.
fn refusal(start: &[u8]) -> Option<&'static str> {
    REFUSALS.iter().filter(|_| start.len() <= REFUSAL).find(|(text, _)| begins(start, text)).map(|(_, says)| *says)
}

/// For files that cannot be read here (firmware, images, encrypted, CSV): anything but an answer in disguise.
pub(super) fn opaque(brand: &str, body: &[u8]) -> Verdict {
    let start = trim_start(body);
    if start.is_empty() {
        return Verdict::Refused("the upstream answered 200 with nothing in it");
    }
    if let Some(says) = refusal(start) {
        return Verdict::Refused(says);
    }
    if page(start) || begins(start, "<br") {
        return Verdict::Broken(format!("an HTML page, not a file for a {brand} phone"));
    }
    if json(start) {
        return Verdict::Broken(format!("a JSON document, not a file for a {brand} phone"));
    }
    Verdict::Good
}

/// `what`, not a `brand` config.
pub(super) fn broken(brand: &str, what: &str) -> Verdict {
    let article = if brand.starts_with(['A', 'H']) { "an" } else { "a" };
    Verdict::Broken(format!("{what}, not {article} {brand} config"))
}

/// Broken, naming the brand whose config it is when that can be told from its first line.
pub(super) fn foreign(brand: &str, start: &[u8]) -> Verdict {
    let other = OPENINGS.iter().find(|(text, _)| begins(start, text)).map(|(_, what)| *what);
    let other = other.or_else(|| lines(start).find(|l| is_setting_of_mitel(l)).map(|_| "a Mitel config"));
    let own = |what: &&str| what.ends_with(&format!(" {brand} config"));
    broken(brand, other.filter(|what| !own(what)).unwrap_or("something else"))
}

/// Whose XML root is this, in words?
pub(super) fn owner_of_root(root: &[u8]) -> Option<&'static str> {
    ROOTS.iter().find(|(name, _)| name.as_bytes() == root).map(|(_, what)| *what)
}

fn is_setting_of_mitel(line: &[u8]) -> bool {
    begins(line, "sip line") || begins(line, "download protocol") || begins(line, "sip proxy ip")
}

/// Does the text begin as an HTML page does?
pub(super) fn page(start: &[u8]) -> bool {
    let after_declaration = match start.strip_prefix(b"<?xml") {
        Some(rest) => trim_start(find(rest, b"?>").and_then(|at| rest.get(at + 2..)).unwrap_or(rest)),
        None => start,
    };
    PAGE.iter().any(|tag| {
        // "<header>" is not "<head>"
        begins(after_declaration, tag)
            && !after_declaration.get(tag.len()).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'-')
    })
}

/// An object, or an array of objects or strings: no config of any brand begins so.
fn json(start: &[u8]) -> bool {
    let inner = |rest: &[u8], marks: &[u8]| trim_start(rest).first().is_none_or(|b| marks.contains(b));
    match start.split_first() {
        Some((b'{', rest)) => inner(rest, b"\"}"),
        Some((b'[', rest)) => inner(rest, b"{\"]"),
        _ => start == b"null" || start == b"true" || start == b"false",
    }
}

/// A PHP warning or error, in its HTML form anywhere or in its text form at the begin of a line.
fn php_message(start: &[u8]) -> bool {
    let mut rest = start;
    while let Some(at) = find(rest, b"<b>") {
        rest = rest.get(at + 3..).unwrap_or_default();
        if PHP.iter().any(|word| rest.strip_prefix(word.as_bytes()).is_some_and(|r| r.starts_with(b"</b>:"))) {
            return true;
        }
    }
    lines(start).any(|line| {
        let line = line.strip_prefix(b"PHP ").unwrap_or(line);
        PHP.iter().any(|word| line.strip_prefix(word.as_bytes()).is_some_and(|r| r.starts_with(b": ")))
            && find(line, b" on line ").is_some()
    })
}

/// Without a UTF-8 byte order mark and leading blanks.
pub(super) fn trim_start(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start()
}

/// Does the text begin with this, in any case? `what` is lower case.
pub(super) fn begins(text: &[u8], what: &str) -> bool {
    text.get(..what.len()).is_some_and(|head| head.eq_ignore_ascii_case(what.as_bytes()))
}

/// First place of `needle`.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|b| *b == first) {
        if text.get(from + at..)?.starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// Lines without their ends and outer blanks. CR, LF and CRLF all end a line (old snom files have CR alone).
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| *b == b'\n' || *b == b'\r').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty())
}

/// Is this not text: has it a NUL or more than a few control characters? Encrypted and compressed configs are such.
pub(super) fn binary(body: &[u8]) -> bool {
    let control = |b: &&u8| **b < 32 && !matches!(**b, b'\t' | b'\n' | b'\r' | 0x0c);
    let head = body.get(..512).unwrap_or(body);
    head.contains(&0) || head.iter().filter(control).count() > head.len() / 64
}

/// What setting lines a text has.
#[derive(Default)]
pub(super) struct Tally {
    /// Lines that are settings of this brand.
    pub settings: usize,
    /// Settings that are more than a pointer to firmware.
    pub lasting: usize,
    /// Lines that are neither settings nor comments.
    pub odd: usize,
}

impl Tally {
    /// Counts lines. `key` gives a line's key, `None` when it is no setting; `pointer` tells keys that only point to
    /// firmware.
    pub fn of(text: &[u8], comments: &[u8], key: fn(&[u8]) -> Option<&[u8]>, pointer: fn(&[u8]) -> bool) -> Tally {
        let mut tally = Tally::default();
        for line in lines(text).filter(|l| !l.first().is_some_and(|b| comments.contains(b))) {
            match key(line) {
                Some(key) => {
                    tally.settings += 1;
                    tally.lasting += usize::from(!pointer(key));
                }
                None => tally.odd += 1,
            }
        }
        tally
    }

    /// Mostly settings? A stray line (a value that runs on, a template's leftover) does not spoil a config.
    pub fn is_config(&self) -> bool {
        self.settings > 0 && self.settings >= self.odd
    }
}

/// The key of `key = value`, where the key is one word of letters, digits and `._-`.
pub(super) fn key_equals(line: &[u8]) -> Option<&[u8]> {
    let at = line.iter().position(|b| *b == b'=')?;
    let key = line.get(..at)?.trim_ascii_end();
    let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (!key.is_empty() && key.iter().all(word)).then_some(key)
}

/// Part of the name after the last dot, lower case; empty without a dot.
pub(super) fn extension(file: &str) -> String {
    file.rsplit_once('.').map(|(_, ext)| ext.to_ascii_lowercase()).unwrap_or_default()
}

/// Files that are the same for all phones, whatever the brand: firmware, sounds, pictures, certificates, languages.
const SHARED: &[&str] = &[
    "bin", "rom", "st", "ld", "z", "swu", "fw", "img", "pkg", "zip", "tar", "tgz", "bz2", "xz", "rpm", "iso", "wav",
    "mp3", "ogg", "au", "raw", "pcm", "ring", "png", "jpg", "jpeg", "gif", "bmp", "ico", "svg", "tga", "dob", "pem",
    "crt", "cer", "der", "ttf", "lang", "lng", "sbin", "upd", "sha256", "md5",
];
/// One phone's, and not readable here: licences, keys, directories as CSV.
const OPAQUE: &[&str] = &["lic", "csv", "vcf", "p12", "pfx", "key", "tuz", "tlv", "enc", "pdf"];

/// [`FileKind`] of a name, for all brands: by extension, or by `more` (a brand's own shared names, lower case). A
/// name with a MAC in it is one phone's own, whatever the extension.
pub(super) fn kind(file: &str, more: fn(&str) -> bool) -> FileKind {
    let name = file.to_ascii_lowercase();
    if (SHARED.contains(&extension(&name).as_str()) || more(&name)) && Mac::find(&name).is_none() {
        FileKind::Shared
    } else {
        FileKind::Config
    }
}

/// Is this a name whose content cannot be read as a config?
pub(super) fn is_opaque(file: &str, more: fn(&str) -> bool) -> bool {
    let name = file.to_ascii_lowercase();
    let ext = extension(&name);
    SHARED.contains(&ext.as_str()) || OPAQUE.contains(&ext.as_str()) || more(&name)
}

/// Printable ASCII, at most 64 bytes; `None` when nothing is left. What a phone says of itself reaches logs, the
/// web interface and the URL placeholders.
pub(super) fn fact(text: &str) -> Option<String> {
    let clean: String = text.chars().filter(|c| (' '..='~').contains(c)).take(FACT).collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_string())
}

/// [`AgentFacts`] out of their places in a User-Agent.
pub(super) fn facts(agent: &str, model: Option<&str>, firmware: Option<&str>) -> AgentFacts {
    AgentFacts { model: model.and_then(fact), firmware: firmware.and_then(fact), mac: Mac::find(agent) }
}

/// What follows `brand` at the begin of a text, in any case; the brand must end there.
pub(super) fn after<'a>(agent: &'a str, brand: &str) -> Option<&'a str> {
    let head = agent.get(..brand.len())?;
    let rest = agent.get(brand.len()..)?;
    let ends = !rest.starts_with(|c: char| c.is_ascii_alphabetic());
    (ends && head.eq_ignore_ascii_case(brand)).then_some(rest)
}

/// `Brand Model Version …`, the commonest form (Fanvil, Htek, Akuvox, SIP stacks of others). `/` parts as a blank does.
pub(super) fn brand_model_version(agent: &str, brand: &str) -> Option<AgentFacts> {
    let rest = after(agent, brand)?;
    let mut words = rest.split([' ', '/', '_']).filter(|w| !w.is_empty());
    let model = words.next();
    let firmware = words.find(|w| w.starts_with(|c: char| c.is_ascii_digit() || c == 'V') && w.contains('.'));
    Some(facts(agent, model, firmware))
}

/// [`AgentFacts`] out of a vendor class id that is the brand and perhaps a model: `yealink`, `Fanvil X4`.
pub(super) fn class(class: &str, brand: &str) -> Option<AgentFacts> {
    let model = after(class, brand)?.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(facts("", Some(&model), None))
}

#[cfg(test)]
mod test {
    use super::*;

    fn why(v: Result<&[u8], Verdict>) -> String {
        match v {
            Ok(_) => "ok".into(),
            Err(Verdict::Refused(w)) => format!("refused: {w}"),
            Err(Verdict::Broken(w)) => format!("broken: {w}"),
            Err(v) => format!("{v:?}"),
        }
    }

    #[test]
    fn answers_in_disguise() {
        let table: &[(&str, &str)] = &[
            ("", "refused: the upstream answered 200 with nothing in it"),
            ("\u{feff} \r\n", "refused: the upstream answered 200 with nothing in it"),
            ("access denied", "refused: the upstream says: access denied"),
            ("File not found\n", "refused: the upstream says: file not found"),
            ("invalid mac address 00", "refused: the upstream says: invalid mac address"),
            ("<!-- // No! See log for details. // -->", "refused: the upstream says: No! See log for details"),
            ("{\"error\":1}", "broken: a JSON document, not a snom config"),
            ("[ {\"a\":1}]", "broken: a JSON document, not a snom config"),
            ("null", "broken: a JSON document, not a snom config"),
            ("<br />\n<b>Warning</b>:  x", "broken: a body with a PHP error message in it, not a snom config"),
            (
                "a: b\nPHP Fatal error: no such function in /x.php on line 3",
                "broken: a body with a PHP error message in it, not a snom config",
            ),
            ("<!DOCTYPE html><html>", "broken: an HTML page, not a snom config"),
            ("<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC", "broken: an HTML page, not a snom config"),
            ("<HTML><body>login", "broken: an HTML page, not a snom config"),
            ("<header>", "ok"),
            ("{MAC}", "ok"),
            ("# Warning: do not edit on line 3", "ok"),
            ("[ cfg:/a ]", "ok"),
        ];
        for (body, expected) in table {
            assert_eq!(&why(opening_no_page("snom", body.as_bytes())), expected, "{body}");
        }
        assert!(matches!(opening("Htek", &vec![b'a'; bounds::CONFIG_BODY + 1]), Err(Verdict::Broken(_))));
    }

    #[test]
    fn facts_are_clean_and_short() {
        assert_eq!(fact("a\u{1b}[31m\nb"), Some("a[31mb".into()));
        assert_eq!(fact(&"x".repeat(100)).map(|s| s.len()), Some(64));
        assert_eq!(fact(" \u{e9}\t"), None);
    }

    #[test]
    fn lines_of_all_systems() {
        let seen: Vec<&[u8]> = lines(b"a\r\nb\rc\n\n d ").collect();
        assert_eq!(seen, [b"a", b"b", b"c", b"d"]);
        assert_eq!(find(b"<<<b>", b"<b>"), Some(2));
        assert_eq!(find(b"", b"x"), None);
        assert_eq!(find(b"x", b""), None);
    }

    #[test]
    fn a_mac_in_the_name_makes_it_one_phones_own() {
        let none = |_: &str| false;
        assert_eq!(kind("logo.PNG", none), FileKind::Shared);
        assert_eq!(kind("000413aabbcc.pem", none), FileKind::Config);
        assert!(is_opaque("000413aabbcc.pem", none));
        assert_eq!(kind("", none), FileKind::Config);
        assert_eq!(kind("settings.php", none), FileKind::Config);
    }
}
