//! Percent encoding, and finding a value in whatever way somebody has escaped it.

/// Appends `value`, percent-encoded but for the unreserved bytes (RFC 3986 section 2.3) and `keep`.
pub(super) fn encode(out: &mut String, value: &str, keep: &[u8]) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for b in value.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) || keep.contains(&b) {
            out.push(char::from(b));
        } else {
            out.push('%');
            for nibble in [b >> 4, b & 15] {
                out.push(DIGITS.get(usize::from(nibble)).copied().unwrap_or('0'));
            }
        }
    }
}

/// A value as one segment of a path, or as a value in a query.
pub fn segment(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    encode(&mut out, value, b"");
    out
}

/// Ways to write a byte in an XML attribute or text, which is where configs have their URLs.
const ENTITIES: [(u8, &[u8]); 7] = [
    (b'&', b"&amp;"),
    (b'<', b"&lt;"),
    (b'>', b"&gt;"),
    (b'"', b"&quot;"),
    (b'\'', b"&apos;"),
    (b'\'', b"&#39;"),
    (b'&', b"&#38;"),
];

/// If `text` begins with `value`, each byte as it is, percent-encoded or as an XML entity: the length of that spelling.
/// `None` for an empty value. Where that can be read in two ways (a value with `%25` in it), the longer.
pub(super) fn spelled(text: &[u8], value: &[u8]) -> Option<usize> {
    if value.is_empty() {
        return None;
    }
    let plain = text.starts_with(value).then_some(value.len());
    let escaped = value.iter().try_fold(0, |at, want| Some(at + one_spelled(text.get(at..)?, *want)?));
    plain.max(escaped)
}

fn one_spelled(text: &[u8], want: u8) -> Option<usize> {
    match text {
        [b'%', high, low, ..]
            if (*high as char).to_digit(16).zip((*low as char).to_digit(16)).map(|(h, l)| h << 4 | l)
                == Some(u32::from(want)) =>
        {
            Some(3)
        }
        [b'&', ..] => match ENTITIES.iter().find(|(b, name)| *b == want && text.starts_with(name)) {
            Some((_, name)) => Some(name.len()),
            None => (want == b'&').then_some(1),
        },
        [b'+', ..] if want == b' ' => Some(1),
        [b, ..] if *b == want => Some(1),
        _ => None,
    }
}

/// `text` with each of the secrets replaced by `***`, also where it is percent-encoded: for log lines.
pub fn redact(text: &str, secrets: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let found = secrets.iter().filter_map(|s| spelled(rest.as_bytes(), s.as_bytes())).max();
        match found.and_then(|n| rest.get(n..)) {
            Some(after) => {
                out.push_str("***");
                rest = after;
            }
            None => {
                out.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
            }
        }
    }
    out
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn spellings() {
        for text in ["a&b'c d", "a%26b%27c%20d", "a&amp;b&#39;c+d", "%61%26b%27c%20d"] {
            assert_eq!(spelled(format!("{text}!").as_bytes(), b"a&b'c d"), Some(text.len()), "{text}");
        }
        for text in ["", "a", "a&b'c ", "a&lt;b'c d", "a%2", "%6", "a%zzb"] {
            assert_eq!(spelled(text.as_bytes(), b"a&b'c d"), None, "{text}");
        }
        assert_eq!(spelled(b"x", b""), None);
        assert_eq!(spelled(b"a%25&amp;b", b"a%25&amp;b"), Some(10));
    }

    #[test]
    fn secrets_never_show() {
        assert_eq!(redact("GET /x?pass=s%C3%a9cret&y=sécret", &["sécret", ""]), "GET /x?pass=***&y=***");
        assert_eq!(redact("abcd abc", &["abc", "abcd"]), "*** ***");
        assert_eq!(redact("nothing é", &[]), "nothing é");
    }

    proptest::proptest! {
        #[test]
        fn encoded_is_found(before in "[!ü]{0,9}", secret in "[a-zé &%+<]{1,9}", after in "[!ü]{0,9}") {
            let mut encoded = String::new();
            encode(&mut encoded, &secret, b"");
            for text in [&encoded, &encoded.to_ascii_lowercase(), &secret] {
                let expected = format!("{before}***{after}");
                proptest::prop_assert_eq!(redact(&format!("{before}{text}{after}"), &[&secret]), expected);
            }
        }
    }
}
