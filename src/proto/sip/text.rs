//! The characters of SIP: tokens, quotes, lists (RFC 3261 section 25.1).

/// Is `b` a character of a token?
pub fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b)
}

/// Is `s` a token of at least one character?
pub fn is_token(s: &str) -> bool {
    !s.is_empty() && s.bytes().all(is_token_byte)
}

/// Only printable ASCII and blanks, so that it can stand in a line of a message or a log?
pub fn is_printable(s: &str) -> bool {
    s.bytes().all(|b| (0x20..0x7f).contains(&b))
}

/// The pieces of `s` between `separator`s that stand outside quotes and angle brackets, trimmed; empty ones left out.
pub fn split(s: &str, separator: u8) -> Split<'_> {
    Split { rest: s, separator }
}

/// See [`split`].
#[derive(Clone, Debug)]
pub struct Split<'a> {
    rest: &'a str,
    separator: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        while !self.rest.is_empty() {
            let (piece, rest) = cut(self.rest, self.separator);
            self.rest = rest;
            let piece = piece.trim();
            if !piece.is_empty() {
                return Some(piece);
            }
        }
        None
    }
}

/// `s` before and after the first `separator` that stands outside quotes and angle brackets.
pub fn cut(s: &str, separator: u8) -> (&str, &str) {
    match find(s, separator) {
        Some(at) => (s.get(..at).unwrap_or(s), s.get(at + 1..).unwrap_or("")),
        None => (s, ""),
    }
}

/// Where the first `wanted` (an ASCII character) stands outside quotes and angle brackets.
pub fn find(s: &str, wanted: u8) -> Option<usize> {
    scan(s, wanted).ok()
}

/// Do all quotes and angle brackets of `s` end in it? If not, what is added behind `s` would be taken for its inside.
pub fn is_closed(s: &str) -> bool {
    // no line holds a line feed
    scan(s, b'\n') == Err(true)
}

/// Where `wanted` stands outside quotes and angle brackets, else whether these are closed at the end.
fn scan(s: &str, wanted: u8) -> Result<usize, bool> {
    let (mut quoted, mut escaped, mut angle) = (false, false, false);
    for (i, b) in s.bytes().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted {
            match b {
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if b == wanted && !angle {
            return Ok(i);
        } else {
            match b {
                b'"' => quoted = true,
                b'<' => angle = true,
                b'>' => angle = false,
                _ => {}
            }
        }
    }
    Err(!quoted && !angle)
}

/// What stands between the quotes of a quoted string, or `s` itself when it has none. Escapes stay as they are.
pub fn unquote(s: &str) -> &str {
    s.strip_prefix('"').and_then(|s| s.strip_suffix('"')).unwrap_or(s)
}

/// `s` without `prefix`, whatever the case of either; `prefix` must be ASCII.
pub fn strip_prefix_ignore_case<'a>(s: &'a str, prefix: &str) -> Option<&'a str> {
    let head = s.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| s.get(prefix.len()..)).flatten()
}

#[cfg(test)]
mod test {
    use super::*;

    fn all(s: &str, separator: u8) -> Vec<&str> {
        split(s, separator).collect()
    }

    #[test]
    fn lists() {
        assert_eq!(all("a, b ,,c", b','), ["a", "b", "c"]);
        assert_eq!(all(r#""x,y" <sip:a,b>;q=1, <sip:c>"#, b','), [r#""x,y" <sip:a,b>;q=1"#, "<sip:c>"]);
        assert_eq!(all(r#"a="1\";2";b"#, b';'), [r#"a="1\";2""#, "b"]);
        assert_eq!(all(r#"a="open;b"#, b';'), [r#"a="open;b"#]);
        assert!(all(" ; ;", b';').is_empty());
        assert!(is_closed(r#""a\"" <b>;c="<""#));
        assert!(!is_closed(r#"a="b\""#) && !is_closed("<a") && !is_closed("\"a"));
        assert_eq!(unquote("\"a b\""), "a b");
        assert_eq!(unquote("\""), "\"");
        assert_eq!(strip_prefix_ignore_case("SiP:x", "sip:"), Some("x"));
        assert_eq!(strip_prefix_ignore_case("é:", "si"), None);
    }

    proptest::proptest! {
        #[test]
        fn total(s in "[a\"\\\\<>;,é ]{0,40}") {
            let joined: String = split(&s, b';').collect();
            proptest::prop_assert!(joined.len() <= s.len());
            let _ = unquote(&s);
            let _ = strip_prefix_ignore_case(&s, "a;");
        }
    }
}
