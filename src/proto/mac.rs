//! MAC addresses in every spelling that phones use, and the OUI patterns of the config.

use std::fmt;

/// A 48-bit MAC address. `Display` writes `00:04:13:aa:bb:cc`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Reads a MAC in any spelling phones and people use: twelve hex digits, bare or in six pairs parted by `:` or
    /// `-`, or in three fours parted by `.`; any case. Nothing may stand around it.
    pub fn parse(text: &str) -> Option<Mac> {
        let b = text.as_bytes();
        let pairs = match b.len() {
            12 => None,
            17 if b[2] == b':' || b[2] == b'-' => Some((b[2], 2)),
            14 if b[4] == b'.' => Some((b'.', 4)),
            _ => return None,
        };
        let mut out = [0u8; 6];
        let mut digits = 0;
        for (i, &c) in b.iter().enumerate() {
            if let Some((sep, every)) = pairs {
                if i % (every + 1) == every {
                    if c != sep {
                        return None;
                    }
                    continue;
                }
            }
            let v = (c as char).to_digit(16)? as u8;
            out[digits / 2] = out[digits / 2] << 4 | v;
            digits += 1;
        }
        (digits == 12).then_some(Mac(out))
    }

    /// Finds the first MAC inside a longer text, such as a path, a query or a User-Agent: a run of hex digits and
    /// separators that is a MAC and that no further hex digit touches.
    pub fn find(text: &str) -> Option<Mac> {
        Mac::find_at(text).map(|(_, mac)| mac)
    }

    /// Like [`Mac::find`], with the byte range where it stands. `%3a` between pairs counts as `:`.
    pub fn find_at(text: &str) -> Option<(std::ops::Range<usize>, Mac)> {
        let b = text.as_bytes();
        let hex = |i: usize| b.get(i).is_some_and(u8::is_ascii_hexdigit);
        let mut i = 0;
        while i < b.len() {
            if !hex(i) || (i > 0 && hex(i - 1) && !escape_before(b, i)) {
                i += 1;
                continue;
            }
            for len in [12, 17, 14] {
                let end = i + len;
                let found = text.get(i..end).filter(|_| !hex(end)).and_then(Mac::parse);
                if let Some(mac) = found {
                    return Some((i..end, mac));
                }
            }
            // 00%3a04%3a13%3aaa%3abb%3acc: 12 digits and five three-byte escapes
            if let Some(part) = text.get(i..i + 27) {
                let plain = part.replace("%3a", ":").replace("%3A", ":");
                let found = (plain.len() == 17 && !hex(i + 27)).then(|| Mac::parse(&plain)).flatten();
                if let Some(mac) = found {
                    return Some((i..i + 27, mac));
                }
            }
            i += 1;
        }
        None
    }

    /// Twelve hex digits, lower case: the `{mac}` placeholder.
    pub fn hex(&self) -> String {
        self.join("", false)
    }

    /// Twelve hex digits, upper case: the `{MAC}` placeholder.
    pub fn hex_upper(&self) -> String {
        self.join("", true)
    }

    /// Six pairs parted by `separator`.
    pub fn join(&self, separator: &str, upper: bool) -> String {
        let mut s = String::with_capacity(17);
        for (i, b) in self.0.iter().enumerate() {
            if i > 0 {
                s.push_str(separator);
            }
            s.push_str(&if upper { format!("{b:02X}") } else { format!("{b:02x}") });
        }
        s
    }
}

/// Is the hex run that ends before `i` only the two digits of a percent escape (`mac%3a0004…`)?
fn escape_before(b: &[u8], i: usize) -> bool {
    i >= 3 && b[i - 3] == b'%' && b[i - 2].is_ascii_hexdigit() && b[i - 1].is_ascii_hexdigit()
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.join(":", false))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A MAC pattern as the config and dnsmasq write it: `00:04:13:*:*:*`. Also the longer assignments of the IEEE
/// registry: MA-M (7 digits, `20:0a:0d:3*`) and MA-S (9 digits), written with a trailing `*` in the digit pair.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacPattern {
    value: [u8; 6],
    /// Hex digits that are fixed, 0 to 12.
    digits: u8,
}

impl MacPattern {
    /// Reads `00:04:13:*:*:*`, `20:0a:0d:3*:*:*`, a bare prefix of 6, 7 or 9 digits, or a full MAC.
    /// The error says what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<MacPattern, String> {
        let wrong = |why: String, right: String| Err(format!("oui '{text}' {why}; write it as {right}"));
        let mut value = [0u8; 6];
        let mut digits = 0usize;
        let mut starred = false;
        for (at, c) in text.char_indices() {
            match c {
                ':' | '-' => {
                    if !starred && digits % 2 != 0 {
                        return wrong(
                            format!("has a half pair before position {}", at + 1),
                            "00:04:13:*:*:*".to_string(),
                        );
                    }
                }
                '*' => starred = true,
                _ => {
                    let Some(v) = c.to_digit(16) else {
                        return wrong(format!("has '{c}', which is no hex digit"), "00:04:13:*:*:*".into());
                    };
                    if starred {
                        return wrong("has digits after a *".into(), "00:04:13:*:*:*".into());
                    }
                    if digits == 12 {
                        return wrong("has more than 12 digits".into(), "00:04:13:*:*:*".into());
                    }
                    value[digits / 2] |= (v as u8) << if digits % 2 == 0 { 4 } else { 0 };
                    digits += 1;
                }
            }
        }
        match digits {
            6 | 7 | 9 | 12 => Ok(MacPattern { value, digits: digits as u8 }),
            n => wrong(format!("has {n} digit{}", if n == 1 { "" } else { "s" }), "00:04:13:*:*:*".into()),
        }
    }

    /// Does `mac` begin with the fixed digits?
    pub fn matches(&self, mac: Mac) -> bool {
        (0..self.digits as usize).all(|i| nibble(&self.value, i) == nibble(&mac.0, i))
    }

    /// The pattern of one MAC.
    pub fn of(mac: Mac) -> MacPattern {
        MacPattern { value: mac.0, digits: 12 }
    }

    /// Is each MAC of `other` one of this pattern's too?
    pub fn covers(&self, other: &MacPattern) -> bool {
        self.digits <= other.digits && self.matches(Mac(other.value))
    }

    /// The fixed digits, in lower case: `000413`.
    pub fn hex(&self) -> String {
        Mac(self.value).hex().chars().take(self.digits.into()).collect()
    }

    /// The same MACs in patterns that have whole bytes only, as dnsmasq wants them: itself, or sixteen.
    pub fn whole_bytes(&self) -> Vec<MacPattern> {
        let half = usize::from(self.digits / 2);
        if self.digits % 2 == 0 || half >= self.value.len() {
            return vec![*self];
        }
        let with = |low: u8| {
            let mut value = self.value;
            value.iter_mut().skip(half).take(1).for_each(|b| *b |= low);
            MacPattern { value, digits: self.digits + 1 }
        };
        (0..16).map(with).collect()
    }

    /// Number of fixed hex digits: the longest match wins (phone-facts section 4).
    pub fn digits(&self) -> u8 {
        self.digits
    }
}

fn nibble(bytes: &[u8; 6], i: usize) -> u8 {
    if i % 2 == 0 {
        bytes[i / 2] >> 4
    } else {
        bytes[i / 2] & 15
    }
}

impl fmt::Display for MacPattern {
    /// The dnsmasq form, lower case, one `*` for each free byte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for i in 0..6 {
            if i > 0 {
                f.write_str(":")?;
            }
            match (self.digits as usize).saturating_sub(i * 2) {
                0 => f.write_str("*")?,
                1 => write!(f, "{:x}*", self.value[i] >> 4)?,
                _ => write!(f, "{:02x}", self.value[i])?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for MacPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const SNOM: Mac = Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]);

    #[test]
    fn spellings() {
        for s in ["000413AABBCC", "000413aabbcc", "00:04:13:aa:bb:cc", "00-04-13-AA-BB-CC", "0004.13aa.bbcc"] {
            assert_eq!(Mac::parse(s), Some(SNOM), "{s}");
        }
        for s in ["", "000413AABBC", "000413AABBCCD", "00:04:13:aa:bb-cc", "00:04:13:aa:bb:cg", "ä004:13:aa:bb:cc"] {
            assert_eq!(Mac::parse(s), None, "{s}");
        }
    }

    #[test]
    fn found_in_paths_queries_and_agents() {
        for s in [
            "/snom/settings.php?mac=000413AABBCC",
            "/x/?mac=00%3a04%3A13%3aaa%3abb%3acc&y",
            "/snom/snom370-000413AABBCC.htm",
            "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004-g9ba52f5 000413AABBCC SXM:0 UXM:0)",
            "Aastra6731i MAC:00-04-13-AA-BB-CC V:3.2.0.70-SIP",
            "cfg000413aabbcc.xml",
            "MAC%3a000413AABBCC",
        ] {
            assert_eq!(Mac::find(s), Some(SNOM), "{s}");
        }
        for s in ["/y000000000028.cfg0", "/00041", "fw-000413aabbcc0.bin", "é000413aabbc"] {
            assert_eq!(Mac::find(s).filter(|m| *m == SNOM), None, "{s}");
        }
    }

    #[test]
    fn patterns() {
        let p = MacPattern::parse("00:04:13:*:*:*").unwrap();
        assert!(p.matches(SNOM));
        assert_eq!(p.to_string(), "00:04:13:*:*:*");
        assert_eq!(MacPattern::parse("200a0d3").unwrap().to_string(), "20:0a:0d:3*:*:*");
        assert_eq!(MacPattern::parse("00:04:1").unwrap_err(), "oui '00:04:1' has 5 digits; write it as 00:04:13:*:*:*");
        assert!(MacPattern::parse("00:04:13:*:*:7").unwrap_err().contains("digits after a *"));
    }

    #[test]
    fn patterns_within_patterns() {
        let p = |text| MacPattern::parse(text).unwrap();
        assert!(p("000413").covers(&p("000413")) && p("000413").covers(&MacPattern::of(SNOM)));
        assert!(!MacPattern::of(SNOM).covers(&p("000413")) && !p("200a0d3").covers(&p("200a0d400")));
        assert_eq!((p("200a0d3").hex(), MacPattern::of(SNOM).hex()), ("200a0d3".into(), "000413aabbcc".into()));
        assert_eq!(p("000413").whole_bytes(), [p("000413")]);
        let sixteen: Vec<String> = p("200a0d3").whole_bytes().iter().map(MacPattern::to_string).collect();
        assert_eq!(
            (sixteen.len(), sixteen[0].as_str(), sixteen[15].as_str()),
            (16, "20:0a:0d:30:*:*", "20:0a:0d:3f:*:*")
        );
        assert_eq!(p("70b3d59b0").whole_bytes()[1].to_string(), "70:b3:d5:9b:01:*");
    }

    proptest::proptest! {
        #[test]
        fn total(s in ".{0,60}") {
            let _ = Mac::parse(&s);
            let _ = MacPattern::parse(&s);
            if let Some((range, mac)) = Mac::find_at(&s) {
                proptest::prop_assert!(s.get(range).is_some());
                proptest::prop_assert_eq!(Mac::parse(&mac.to_string()), Some(mac));
            }
        }
    }
}
