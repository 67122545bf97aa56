//! What changed from one config to the next, in words for people: names of settings and numbers, never a value. Any value
//! may be a password.

use super::identity::{Change, Identity};
use super::leaves::{leaves, Leaf};
use super::text;
use super::types::Vendor;
use crate::bounds;
use std::collections::hash_map::DefaultHasher;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

/// Names that are said of each kind of change; further ones are counted.
const NAMES: usize = 5;
/// Bytes of a name that is said. What is longer is no name, but a value in the place of one.
const NAME: usize = 48;

/// From `old` to `new`, two configs that a phone of this vendor got under this file name. A name that holds `secret`
/// is not said.
pub fn difference(vendor: &Vendor, file: &str, old: &[u8], new: &[u8], secret: &str) -> String {
    if old == new {
        return "nothing".to_string();
    }
    let unread = || format!("{} bytes became {}; what is in them cannot be read here", old.len(), new.len());
    if text::is_opaque(file, |_| false) {
        return unread();
    }
    let (Some(before), Some(after)) = (Settings::of(old), Settings::of(new)) else { return unread() };
    let mut parts: Vec<String> = Vec::new();
    let (was, is) = (vendor.identity(file, old), vendor.identity(file, new));
    match (was.change(is), was, is) {
        (Some(Change::Lost), ..) => parts.push("the account is gone".to_string()),
        (Some(Change::Changed), ..) => parts.push("another account".to_string()),
        (None, Identity::None, Identity::Account(_)) => parts.push("an account, where there was none".to_string()),
        _ => {}
    }
    let changed = |n: usize| format!("{n} setting{} changed", if n == 1 { "" } else { "s" });
    let kinds: [(Names<'_>, &dyn Fn(usize) -> String); 3] = [
        (after.against(&before, |had, has| had.is_some_and(|h| h != has)), &changed),
        (after.against(&before, |had, _| had.is_none()), &|n| format!("{n} new")),
        (before.against(&after, |has, _| has.is_none()), &|n| format!("{n} gone")),
    ];
    for (names, words) in kinds.iter().filter(|(names, _)| !names.is_empty()) {
        let named = say(names, secret);
        let colon = if named.is_empty() { "" } else { ": " };
        parts.push(format!("{}{colon}{named}", words(names.len())));
    }
    if before.more || after.more {
        parts.push("there are more settings than were looked at".to_string());
    }
    if parts.is_empty() {
        return "no setting that can be read here (order, comments or long texts)".to_string();
    }
    parts.join("; ")
}

type Names<'a> = Vec<&'a [u8]>;

/// The settings of a config: a digest of the value for each name.
#[derive(Default)]
struct Settings {
    /// With the place of the name in the config.
    values: BTreeMap<Vec<u8>, (u64, usize)>,
    /// Further ones were left out.
    more: bool,
}

impl Settings {
    /// `None`: nothing here that can be read.
    fn of(body: &[u8]) -> Option<Settings> {
        let start = text::trim_start(body);
        if start.is_empty() || text::binary(body) {
            return None;
        }
        if start.starts_with(b"<") && !text::page(start) {
            let mut all = Settings::default();
            if leaves(body, |leaf| all.leaf(leaf)) {
                return Some(all);
            }
        }
        Settings::of_text(start)
    }

    /// Lines of `key: value` and `key = value`, perhaps below `[ section ]`.
    fn of_text(start: &[u8]) -> Option<Settings> {
        let mut all = Settings::default();
        let mut section: Vec<u8> = Vec::new();
        let mut odd = 0;
        let mut block = false;
        for line in text::lines(start) {
            // keys and certificates: lines of them look like anything
            if line.starts_with(b"-----") {
                block = line.starts_with(b"-----BEGIN");
                continue;
            }
            if block {
                all.add(b"", line);
                continue;
            }
            if line.first().is_some_and(|b| b"#;<".contains(b)) {
                continue;
            }
            if let Some(name) = line.strip_prefix(b"[").and_then(|l| l.strip_suffix(b"]")) {
                section = name.trim_ascii().to_vec();
                continue;
            }
            let parts = line.iter().position(|b| matches!(b, b'=' | b':')).filter(|at| *at > 0);
            let Some((key, value)) = parts.and_then(|at| line.split_at_checked(at)) else {
                odd += 1;
                all.add(b"", line);
                continue;
            };
            // the marks of snom: `user_name1!:`, `%KEY%:`
            let key = key.trim_ascii();
            let key = key.strip_suffix(b"!").or(key.strip_suffix(b"$")).or(key.strip_suffix(b"&")).unwrap_or(key);
            let key = key.strip_prefix(b"%").and_then(|k| k.strip_suffix(b"%")).unwrap_or(key);
            match section.is_empty() {
                true => all.add(key, value),
                false => all.add(&[&section, &b"."[..], key].concat(), value),
            }
        }
        let settings = all.values.len() - usize::from(all.values.contains_key(&b""[..]));
        (settings > 0 && settings >= odd).then_some(all)
    }

    /// An element: a setting by its name and number, or one that is named by an attribute, or several that are
    /// attributes.
    fn leaf(&mut self, leaf: &Leaf<'_>) {
        let attributes = leaf.attributes();
        let has = |name: &[u8]| attributes.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        let mut others = attributes.iter().filter(|(name, _)| !INDEX.iter().any(|i| name == i)).peekable();
        if leaf.text.is_empty() && others.peek().is_none() {
            return; // only there for what is in it
        }
        if leaf.text.is_empty() && attributes.iter().any(|(name, _)| name.contains(&b'.')) {
            for (name, value) in &attributes {
                self.add(name, value);
            }
            return;
        }
        let named = has(b"id").or_else(|| has(b"name")).filter(|_| has(b"value").is_some());
        let name = named.cloned().unwrap_or_else(|| leaf.numbered());
        let mut hash = DefaultHasher::new();
        leaf.text.hash(&mut hash);
        others.for_each(|attribute| attribute.hash(&mut hash));
        self.add(&name, &hash.finish().to_be_bytes());
    }

    /// One more. A name that is there again is a list.
    fn add(&mut self, name: &[u8], value: &[u8]) {
        let place = self.values.len();
        if place >= bounds::DIFFERENCE_SETTINGS && !self.values.contains_key(name) {
            self.more = true;
            return;
        }
        let (digest, _) = self.values.entry(name.to_vec()).or_insert((0, place));
        let mut hash = DefaultHasher::new();
        (*digest, value).hash(&mut hash);
        *digest = hash.finish();
    }

    /// The names for which it holds, of the value there and here, as they stand in the config.
    fn against(&self, other: &Settings, holds: impl Fn(Option<u64>, u64) -> bool) -> Names<'_> {
        let there = |name: &Vec<u8>| other.values.get(name).map(|(digest, _)| *digest);
        let mut found: Vec<(usize, &[u8])> = Vec::new();
        for (name, (digest, place)) in &self.values {
            if holds(there(name), *digest) {
                found.push((*place, name));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(_, name)| name).collect()
    }
}

/// Attributes that are part of a setting's name.
const INDEX: &[&[u8]] = &[b"idx", b"index", b"button", b"Line"];

/// `user_name1, language, 10 keys, 3 others`
fn say(names: &[&[u8]], secret: &str) -> String {
    let is_key = |name: &&[u8]| {
        let lower = name.to_ascii_lowercase();
        text::find(&lower, b"key").is_some() && lower.iter().any(u8::is_ascii_digit)
    };
    let keys = names.iter().filter(|n| is_key(n)).count();
    let one_by_one = |name: &&&[u8]| keys < 3 || !is_key(name);
    let mut said: Vec<String> =
        names.iter().filter(one_by_one).filter_map(|n| plain(n, secret)).take(NAMES).map(str::to_string).collect();
    let grouped = if keys < 3 { 0 } else { keys };
    if grouped > 0 {
        said.push(format!("{grouped} keys"));
    }
    let listed = said.len() - usize::from(grouped > 0);
    match names.len() - listed - grouped {
        0 => {}
        _ if said.is_empty() => {}
        1 => said.push("1 other".to_string()),
        others => said.push(format!("{others} others")),
    }
    said.join(", ")
}

/// A name that can only be one.
fn plain<'a>(name: &'a [u8], secret: &str) -> Option<&'a str> {
    let fine = |b: &u8| b.is_ascii_alphanumeric() || b"._- ".contains(b);
    let first = name.first().is_some_and(u8::is_ascii_alphabetic);
    let text = std::str::from_utf8(name).ok().filter(|_| first && name.len() <= NAME && name.iter().all(fine))?;
    (secret.len() < 4 || !text.contains(secret)).then_some(text)
}

#[cfg(test)]
mod test {
    use super::super::{by_name, ALL, GENERIC};
    use super::*;

    fn of(vendor: &str, old: &str, new: &str) -> String {
        difference(by_name(vendor).unwrap_or(&GENERIC), "x.cfg", old.as_bytes(), new.as_bytes(), "geheim")
    }

    fn snom(inside: &str) -> String {
        format!("<?xml version=\"1.0\"?><settings><phone-settings>{inside}</phone-settings></settings>")
    }

    #[test]
    fn xml_of_snom() {
        let old = snom("<user_name idx=\"1\" perm=\"\">201</user_name><user_pass idx=\"1\">s3cret</user_pass><language>English</language>");
        let new = old.replace("201", "205").replace("English", "Deutsch");
        assert_eq!(of("snom", &old, &new), "another account; 2 settings changed: user_name1, language");
        assert_eq!(of("snom", &old, &old.replace("s3cret", "0ther")), "1 setting changed: user_pass1");
        assert_eq!(of("snom", &old, &old.replace("perm=\"\"", "perm=\"RW\"")), "1 setting changed: user_name1");
        assert_eq!(
            of("snom", &old, &snom("<language>English</language>")),
            "the account is gone; 2 gone: user_name1, user_pass1"
        );
        assert_eq!(
            of("snom", &snom("<language>English</language>"), &old),
            "an account, where there was none; 2 new: user_name1, user_pass1"
        );
        assert_eq!(
            of("snom", &old, &old.replace("><", ">\n<")),
            "no setting that can be read here (order, comments or long texts)"
        );
        let keys =
            |n: usize, text: &str| -> String { (0..n).map(|i| format!("<fkey idx=\"{i}\">{text}</fkey>")).collect() };
        let (old, new) = (snom(&(keys(10, "a") + "<tone>1</tone>")), snom(&(keys(10, "b") + "<tone>2</tone>")));
        assert_eq!(of("snom", &old, &new), "11 settings changed: tone, 10 keys");
    }

    #[test]
    fn lines_of_others() {
        let mitel = "sip line1 user name: 201\nsip line1 password: x\nsoftkey1 value: 1\n# a\n";
        let new = mitel.replace("201", "202").replace("# a", "language: 1");
        assert_eq!(
            of("mitel", mitel, &new),
            "another account; 1 setting changed: sip line1 user name; 1 new: language"
        );
        let yealink = "#!version:1.0.0.1\naccount.1.user_name = 201\naccount.1.password = abc:def=\n";
        assert_eq!(of("yealink", yealink, &yealink.replace("def=", "def==")), "1 setting changed: account.1.password");
        let old = "[ account ]\nUserName = 1\n[ network ]\nUserName = 1\n";
        assert_eq!(
            of("yealink", old, &old.replace("[ network ]\nUserName = 1", "[ network ]\nUserName = 2")),
            "1 setting changed: network.UserName"
        );
        let polycom =
            "<?xml version=\"1.0\"?><PHONE_CONFIG><reg reg.1.address=\"201\" reg.1.label=\"a\"/></PHONE_CONFIG>";
        assert_eq!(of("polycom", polycom, &polycom.replace("\"a\"", "\"b\"")), "1 setting changed: reg.1.label");
        let gigaset = "<x><SYMB_ITEM ID=\"BS.aucName\" class=\"symb_item\" value='\"a\"'/></x>";
        assert_eq!(of("gigaset", gigaset, &gigaset.replace("\"a\"", "\"b\"")), "1 setting changed: BS.aucName");
        let snom = "<html><pre>\nuser_name1!: 201\nlanguage!: English\n</pre></html>";
        assert_eq!(of("snom", snom, &snom.replace("English", "x")), "1 setting changed: language");
    }

    #[test]
    fn what_cannot_be_read_has_sizes_only() {
        let unread = "4 bytes became 5; what is in them cannot be read here";
        for (file, old, new) in [
            ("x.cfg", &b"\0\x01\x02\x03"[..], &b"\0\x01\x02\x03\x04"[..]),
            ("x.lic", b"a: b", b"a: bc"),
            ("x.cfg", b"hey\n", b"hello"),
        ] {
            assert_eq!(difference(&GENERIC, file, old, new, ""), unread);
        }
        assert_eq!(difference(&GENERIC, "", b"a", b"a", ""), "nothing");
    }

    #[test]
    fn nothing_but_names_is_said() {
        let pem = |key: &str| format!("a: 1\nb: 2\n-----BEGIN PRIVATE KEY-----\n{key}=\n-----END PRIVATE KEY-----\n");
        assert_eq!(of("", &pem("MIIBsecret"), &pem("MIICsecret")), "1 setting changed");
        assert_eq!(of("", "geheim1: a\nb: 1\n", "geheim1: b\nb: 1\n"), "1 setting changed");
        let long = format!("{}: 1\nb: 1", "x".repeat(NAME + 1));
        assert_eq!(of("", &long, &long.replace(": 1\nb", ": 2\nb")), "1 setting changed");
        assert_eq!(of("", "http://u:pw@h/x\nb: 1", "http://u:pv@h/x\nb: 2"), "2 settings changed: http, b");
        let many = |v: &str| (0..100).map(|n| format!("name{n}: {v}\n")).collect::<String>();
        assert_eq!(
            of("", &many("a"), &many("b")),
            "100 settings changed: name0, name1, name2, name3, name4, 95 others"
        );
    }

    #[test]
    fn no_more_settings_are_looked_at() {
        let many = |n: usize| (0..n).map(|n| format!("name{n}: x\n")).collect::<String>();
        let words = of("", &many(bounds::DIFFERENCE_SETTINGS), &many(bounds::DIFFERENCE_SETTINGS + 2));
        assert_eq!(words, "there are more settings than were looked at");
    }

    proptest::proptest! {
        /// Whatever the brand and the form, no value is said, and the words stay short.
        #[test]
        fn no_value_is_said(
            brand in 0..=ALL.len(),
            form in 0..4usize,
            old in proptest::collection::vec("[0-9A-Z$!?&/%+]{6,40}", 1..20),
            new in proptest::collection::vec("[0-9A-Z$!?&/%+]{6,40}", 1..20),
        ) {
            let vendor = ALL.get(brand).copied().unwrap_or(&GENERIC);
            let make = |values: &[String]| -> String {
                let escaped = |v: &str| v.replace('&', "&amp;");
                let one = |(n, v): (usize, &String)| match form {
                    0 => format!("user_pass{n}: {v}\n"),
                    1 => format!("account.{n}.password = {v}\n"),
                    2 => format!("<user_pass idx=\"{n}\">{}</user_pass>", escaped(v)),
                    _ => format!("<reg reg.{n}.auth.password=\"{}\"/>", escaped(v)),
                };
                let inside: String = values.iter().enumerate().map(one).collect();
                if form < 2 { inside } else { format!("<settings>{inside}</settings>") }
            };
            let words = difference(vendor, "x.cfg", make(&old).as_bytes(), make(&new).as_bytes(), "");
            proptest::prop_assert!(words.len() < bounds::DIFFERENCE_WORDS, "{}", words);
            for value in old.iter().chain(&new) {
                proptest::prop_assert!(!words.contains(value.as_str()), "{} {}", value, words);
            }
        }

        /// Any two bodies at all.
        #[test]
        fn total(brand in 0..=ALL.len(), old in ".{0,80}|[<>a-z=:\"\n\\[\\]]{0,80}", new in ".{0,80}|[<>a-z=:\"\n\\[\\]]{0,80}") {
            let vendor = ALL.get(brand).copied().unwrap_or(&GENERIC);
            let words = difference(vendor, "x", old.as_bytes(), new.as_bytes(), "");
            proptest::prop_assert!(!words.is_empty() && words.len() < bounds::DIFFERENCE_WORDS && !words.chars().any(char::is_control));
        }
    }
}
