//! Whose account a config sets up: enough to see that it is another one, and nothing that could be read back.
//!
//! An identity is made of the users of all lines (with the names that they log in with), of the registrars, and of the
//! number of lines. Not of passwords: that they all change in one night is normal. Nor of names on the display, of
//! ports, of outbound proxies, or of the order of the lines. Of all this only a digest is kept, and `Debug` does not
//! show even that.

use super::leaves::{leaves, Leaf};
use super::text;
use crate::bounds;
use crate::sorted::{SortedMap, SortedSet};
use sha2::{Digest, Sha256};
use std::fmt;

/// Whose account a config sets up.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Identity {
    /// Not readable here: encrypted, binary, or of a brand that nobody described.
    #[default]
    Unknown,
    /// Readable, and there is no account in it: a common file, a language setting.
    None,
    /// An account.
    Account(Account),
}

/// What is known of an account. Two are equal when they have the same users, registrars and number of lines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Account {
    lines: u16,
    digest: [u8; 32],
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Unknown => f.write_str("Unknown"),
            Identity::None => f.write_str("None"),
            Identity::Account(a) => write!(f, "Account({} lines, ***)", a.lines),
        }
    }
}

/// What became of an account from one config to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There was one, and now there is none, or none that can be read.
    Lost,
    /// Another user, another registrar, or another number of lines.
    Changed,
}

impl Identity {
    /// What becomes of the account when `new` takes the place of this. `None`: nothing, or there was none to lose. A
    /// readable account that is followed by something unreadable counts as lost: noise of the right length passes for
    /// an encrypted config.
    pub fn change(self, new: Identity) -> Option<Change> {
        match (self, new) {
            (Identity::Account(a), Identity::Account(b)) if a == b => None,
            (Identity::Account(_), Identity::Account(_)) => Some(Change::Changed),
            (Identity::Account(_), _) => Some(Change::Lost),
            _ => None,
        }
    }
}

/// What a setting says of a line.
#[derive(Clone, Copy)]
pub(super) enum Field {
    User,
    /// The name that it logs in with, where that is another one.
    Auth,
    Registrar,
    /// Counts where no registrar is given.
    Proxy,
    /// Is the line switched on?
    Active,
}

/// A brand's settings, in lower case: `#` stands for the line's number, its index attribute, or nothing. Without a `#`
/// a setting is for all lines.
pub(super) type Names = &'static [(&'static str, Field)];

#[derive(Default)]
struct Line {
    user: Vec<u8>,
    auth: Vec<u8>,
    registrar: Vec<u8>,
    proxy: Vec<u8>,
    off: bool,
}

/// For settings that are for all lines. Lines have numbers below 10,000.
const ALL_LINES: u16 = u16::MAX;

/// Collects the lines of a config.
#[derive(Default)]
pub struct Accounts {
    lines: SortedMap<u16, Line>,
}

impl Accounts {
    /// From settings one by one: key and value.
    pub(super) fn of<'a>(names: Names, settings: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Option<Accounts> {
        let mut all = Accounts::default();
        for (key, value) in settings {
            all.setting(names, key, value);
        }
        Some(all)
    }

    /// From an XML config whose elements are the settings, numbered by their index attribute.
    pub(super) fn of_elements(names: Names, body: &[u8]) -> Option<Accounts> {
        Accounts::read(body, |all, leaf| all.setting(names, &leaf.numbered(), leaf.text))
    }

    /// From any XML config; `each` picks what it knows out of each element.
    pub(super) fn read(body: &[u8], mut each: impl FnMut(&mut Accounts, &Leaf<'_>)) -> Option<Accounts> {
        let mut all = Accounts::default();
        leaves(body, |leaf| each(&mut all, leaf)).then_some(all)
    }

    /// A setting of a line whose number stands elsewhere.
    pub(super) fn of_line(&mut self, names: Names, line: &[u8], key: &[u8], value: &[u8]) {
        let field = names.iter().find(|(name, _)| key.eq_ignore_ascii_case(name.as_bytes())).map(|(_, f)| *f);
        if let (Some(field), Some(line)) = (field, numbered(b"#", line.trim_ascii())) {
            self.set(line, field, value);
        }
    }

    /// A setting whose name is looked up.
    pub(super) fn setting(&mut self, names: Names, key: &[u8], value: &[u8]) {
        let found = names.iter().find_map(|(name, field)| numbered(name.as_bytes(), key).map(|line| (line, *field)));
        if let Some((line, field)) = found {
            self.set(line, field, value);
        }
    }

    /// What is known of one line. Empty values say nothing.
    pub(super) fn set(&mut self, line: u16, field: Field, value: &[u8]) {
        let value = plain(value);
        if value.is_empty() || (self.lines.len() >= bounds::ACCOUNT_LINES && !self.lines.contains_key(&line)) {
            return;
        }
        let kept = value.get(..bounds::ACCOUNT_VALUE).unwrap_or(value).to_vec();
        let line = self.lines.get_or_insert_with(line, Line::default);
        match field {
            Field::User => line.user = kept,
            Field::Auth => line.auth = kept,
            Field::Registrar => line.registrar = host(&kept),
            Field::Proxy => line.proxy = host(&kept),
            Field::Active => line.off = OFF.iter().any(|off| kept.eq_ignore_ascii_case(off.as_bytes())),
        }
    }

    /// Registrars (`true`) and proxies of the lines that are on, each once. What is neither a host name nor an address is left
    /// out.
    pub(super) fn servers(&self) -> Vec<(bool, String)> {
        let fine = |b: &u8| b.is_ascii_alphanumeric() || b".-:".contains(b);
        let mut out: Vec<(bool, String)> = Vec::new();
        for line in self.lines.values().filter(|l| !l.off) {
            for (registrar, host) in [(true, &line.registrar), (false, &line.proxy)] {
                let host = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")).unwrap_or(host);
                if !host.is_empty() && host.iter().all(fine) {
                    out.push((registrar, String::from_utf8_lossy(host).into_owned()));
                }
            }
        }
        out.sort_unstable_by(|a, b| b.cmp(a));
        out.dedup();
        out
    }

    /// All lines together.
    pub(super) fn identity(self) -> Identity {
        let mut users: Vec<(&[u8], &[u8])> = Vec::new();
        let mut registrars: SortedSet<&[u8]> = SortedSet::new();
        let single = self.lines.iter().any(|(n, l)| *n != ALL_LINES && !l.off && l.has_user());
        for (number, line) in self.lines.iter().filter(|(_, l)| !l.off) {
            // a user for all lines is one where no line has its own
            if line.has_user() && (*number != ALL_LINES || !single) {
                let user = if line.user.is_empty() { &line.auth } else { &line.user };
                let auth = if line.auth.is_empty() { user } else { &line.auth };
                users.push((user, auth));
            }
            let registrar = if line.registrar.is_empty() { &line.proxy } else { &line.registrar };
            if !registrar.is_empty() {
                registrars.insert(registrar);
            }
        }
        if users.is_empty() && registrars.is_empty() {
            return Identity::None;
        }
        users.sort_unstable();
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u32).to_be_bytes());
            hash.update(bytes);
        };
        for (user, auth) in &users {
            part(user);
            part(auth);
        }
        part(b"");
        registrars.iter().for_each(|r| part(r));
        let lines = u16::try_from(users.len()).unwrap_or(u16::MAX);
        Identity::Account(Account { lines, digest: hash.finalize().into() })
    }
}

impl Line {
    fn has_user(&self) -> bool {
        !self.user.is_empty() || !self.auth.is_empty()
    }
}

/// How the brands write that a line is not used.
const OFF: &[&str] = &["off", "no", "0", "0x0", "false", "disabled", "disable"];
/// How the brands write that there is nothing: Yealink, and an address that is none.
const EMPTY: &[&str] = &["%NULL%", "%EMPTY%", "0.0.0.0"];

/// Without blanks and quotes around it; empty for the brands' words for nothing.
fn plain(value: &[u8]) -> &[u8] {
    let mut value = value.trim_ascii();
    while let Some(inner) =
        [b'"', b'\''].iter().find_map(|q| value.strip_prefix(&[*q]).and_then(|v| v.strip_suffix(&[*q])))
    {
        value = inner.trim_ascii();
    }
    if EMPTY.iter().any(|none| value.eq_ignore_ascii_case(none.as_bytes())) {
        return &[];
    }
    value
}

/// A host without scheme, port and parameters, in lower case.
fn host(value: &[u8]) -> Vec<u8> {
    let value = value.split(|b| *b == b';').next().unwrap_or_default();
    let lower = value.to_ascii_lowercase();
    let name = lower.strip_prefix(b"sips:").or(lower.strip_prefix(b"sip:")).unwrap_or(&lower);
    let cut = name.iter().rposition(|b| *b == b':').filter(|at| {
        let port = name.get(at + 1..).unwrap_or_default();
        let several = name.get(..*at).is_some_and(|n| n.contains(&b':') && !n.ends_with(b"]"));
        !port.is_empty() && port.iter().all(u8::is_ascii_digit) && !several
    });
    name.get(..cut.unwrap_or(name.len())).unwrap_or_default().to_vec()
}

/// The line that `key` speaks of, when it is `name`.
fn numbered(name: &[u8], key: &[u8]) -> Option<u16> {
    let Some(at) = name.iter().position(|b| *b == b'#') else {
        return key.eq_ignore_ascii_case(name).then_some(ALL_LINES);
    };
    let (before, after) = (name.get(..at)?, name.get(at + 1..)?);
    let middle = key.len().checked_sub(after.len()).filter(|end| *end >= at)?;
    let fits = key.get(..at)?.eq_ignore_ascii_case(before) && key.get(middle..)?.eq_ignore_ascii_case(after);
    let digits = key.get(at..middle).filter(|_| fits)?;
    if digits.is_empty() {
        return Some(1); // as phones take it
    }
    let number = (digits.len() <= 4 && digits.iter().all(u8::is_ascii_digit)).then_some(digits)?;
    Some(number.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0')))
}

/// Settings of text: one a line, key and value parted by the first `mark`.
pub(super) fn pairs(body: &[u8], mark: u8) -> impl Iterator<Item = (&[u8], &[u8])> {
    text::lines(text::trim_start(body)).filter_map(move |line| {
        let at = line.iter().position(|b| *b == mark)?;
        Some((line.get(..at)?.trim_ascii(), line.get(at + 1..)?))
    })
}

#[cfg(test)]
mod test {
    use super::*;

    const NAMES: Names = &[
        ("u#", Field::User),
        ("a#", Field::Auth),
        ("r#", Field::Registrar),
        ("p#", Field::Proxy),
        ("on#", Field::Active),
        ("all u", Field::User),
        ("all r", Field::Registrar),
    ];

    fn of(text: &str) -> Identity {
        Accounts::of(NAMES, pairs(text.as_bytes(), b':')).map_or(Identity::Unknown, Accounts::identity)
    }

    #[test]
    fn servers_of_the_lines_that_are_on() {
        let of = |text: &str| {
            let all = Accounts::of(NAMES, pairs(text.as_bytes(), b':')).unwrap().servers();
            all.into_iter().map(|(r, host)| format!("{}{host}", if r { "" } else { "via " })).collect::<Vec<_>>()
        };
        assert_eq!(
            of("u1: a\nr1: Sip.Example:5060\np1: 198.51.100.7\nu2: b\nr2: sip.example"),
            ["sip.example", "via 198.51.100.7"]
        );
        assert_eq!(of("r1: [2001:db8::1]:5061\nr2: off.example\non2: 0"), ["2001:db8::1"]);
        assert_eq!(of("r1: $(reboot)\nr2: a b\nr3: 0.0.0.0\nr4: 'x'"), ["x"]);
        assert_eq!(of("u1: anna"), Vec::<String>::new());
    }

    #[test]
    fn what_makes_an_identity() {
        let one = of("u1: anna\nr1: sip.example");
        assert!(matches!(one, Identity::Account(Account { lines: 1, .. })));
        for same in [
            "r1: SIP.example:5060\nu1: anna",
            "U1:  anna \na1: anna\nr1: \"sip:sip.example;transport=tcp\"",
            "u2: anna\np2: sip.example",
            "u1: anna\nr1: sip.example\nu2:\nr2: sip.example",
            "u1: anna\nr1: sip.example\nu2: other\nr2: elsewhere\non2: off",
            "all u: anna\nall r: sip.example",
            "all u: other\nu1: anna\nall r: sip.example",
            "u: anna\nr: sip.example",
            "u1: anna\nr1: sip.example\nu12345: x\nu1x: y\nux: z",
        ] {
            assert_eq!(of(same), one, "{same}");
            assert_eq!(one.change(of(same)), None);
        }
        for other in [
            "u1: Anna\nr1: sip.example",
            "u1: anna\na1: login\nr1: sip.example",
            "u1: anna\nr1: sip2.example",
            "u1: anna",
            "r1: sip.example",
            "u1: anna\nu2: anna\nr1: sip.example",
            "u1: annar\n1: sip.example",
        ] {
            assert_eq!(one.change(of(other)), Some(Change::Changed), "{other}");
        }
        for none in ["", "x: y", "u1: %NULL%\nr1: 0.0.0.0", "u1: anna\nr1: sip.example\non1: No", "u1: ''"] {
            assert_eq!(of(none), Identity::None, "{none}");
            assert_eq!(one.change(of(none)), Some(Change::Lost));
            assert_eq!(of(none).change(one), None);
        }
        assert_eq!(one.change(Identity::Unknown), Some(Change::Lost));
        assert_eq!(Identity::Unknown.change(one), None);
        assert_eq!(Identity::Unknown.change(Identity::None), None);
    }

    #[test]
    fn the_order_of_lines_is_of_no_meaning() {
        assert_eq!(of("u1: a\nu2: b\nr1: x\nr2: y"), of("u1: b\nu2: a\nr1: x\nr2: y"));
        assert_ne!(of("u1: a\nu2: b\nr1: x"), of("u1: a\nu2: a\nr1: x"));
    }

    #[test]
    fn bounded_and_silent() {
        let many: String = (0..9000).map(|n| format!("u{n}: user{n}\n")).collect();
        assert!(
            matches!(of(&many), Identity::Account(Account { lines, .. }) if usize::from(lines) == bounds::ACCOUNT_LINES)
        );
        let long = |end: &str| of(&format!("u1: {}{end}", "x".repeat(bounds::ACCOUNT_VALUE)));
        assert_eq!(long("a"), long("b"));
        assert_eq!(format!("{:?}", of("u1: anna")), "Account(1 lines, ***)");
    }

    #[test]
    fn hosts() {
        for (text, expected) in [
            ("Sip.Example:5061", "sip.example"),
            ("[2001:db8::1]:5060", "[2001:db8::1]"),
            ("2001:db8::1", "2001:db8::1"),
            ("sip:a.example;transport=tls", "a.example"),
            ("a:", "a:"),
        ] {
            assert_eq!(String::from_utf8(host(text.as_bytes())).unwrap(), expected);
        }
    }
}
