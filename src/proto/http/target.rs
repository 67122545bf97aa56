//! Request targets. The path goes upstream byte for byte, so a path that the upstream could read as another one is
//! refused here, at the door.

use std::net::Ipv4Addr;

/// How often a path may be percent-encoded on top of itself before it is refused for that alone.
const ENCODED_ROUNDS: usize = 4;

/// Splits an origin-form target at its first `?` into path and query (`None`: no `?`).
///
/// `None` for a target that is not to be served: not beginning with `/`; bytes that may not stand in a URL (controls,
/// blanks, `#`, `"`, `<`, `>`, backtick, `\`, anything beyond ASCII); a path with a `.` or `..` segment, an encoded
/// slash or backslash, NUL, CR or LF, each however often percent-encoded, or an escape without two hex digits.
pub fn split_target(target: &str) -> Option<(&str, Option<&str>)> {
    if !target.bytes().all(|b| b.is_ascii_graphic() && !b"#\"<>`\\".contains(&b)) {
        return None;
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    (path.starts_with('/') && path_is_plain(path)).then_some((path, query))
}

/// The address of a Host header or authority that is one, with its port where it names one (RFC 9110 section 7.2).
/// `None` for names, IPv6, user information, and whatever else is not `a.b.c.d` or `a.b.c.d:port`.
pub fn host_address(host: &str) -> Option<(Ipv4Addr, Option<u16>)> {
    let (address, port) = match host.split_once(':') {
        Some((address, port)) => {
            let plain = (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
            (address, Some(port.parse().ok().filter(|_| plain)?))
        }
        None => (host, None),
    };
    Some((address.parse().ok()?, port))
}

/// Does the path mean the same to everybody who decodes it, once or more often?
fn path_is_plain(path: &str) -> bool {
    if has_dot_segment(path.as_bytes()) {
        return false;
    }
    let mut bytes = path.as_bytes().to_vec();
    for round in 0..ENCODED_ROUNDS {
        match decode(&bytes, round == 0) {
            Some(decoded) if has_dot_segment(&decoded) => return false,
            Some(decoded) if decoded == bytes => return true,
            Some(decoded) => bytes = decoded,
            None => return false,
        }
    }
    false
}

/// Decodes once. `None` when a forbidden byte comes out, or (`strict`) when a `%` begins no escape; later on a lone
/// `%` is one that was encoded as `%25`, as in a file `100%.cfg`.
fn decode(bytes: &[u8], strict: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [b, tail @ ..] = rest {
        rest = tail;
        if *b != b'%' {
            out.push(*b);
            continue;
        }
        let value = match rest {
            [high, low, tail @ ..] => match ((*high as char).to_digit(16), (*low as char).to_digit(16)) {
                (Some(high), Some(low)) => {
                    rest = tail;
                    (high << 4 | low) as u8
                }
                _ if strict => return None,
                _ => b'%',
            },
            _ if strict => return None,
            _ => b'%',
        };
        if matches!(value, 0 | b'\r' | b'\n' | b'/' | b'\\') {
            return None;
        }
        out.push(value);
    }
    Some(out)
}

/// Is one of the segments `.` or `..`, also with parameters behind it (`..;x`, which some servers strip first)?
fn has_dot_segment(path: &[u8]) -> bool {
    path.split(|b| *b == b'/').any(|segment| {
        let name = segment.split(|b| *b == b';').next().unwrap_or(segment);
        name == b"." || name == b".."
    })
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_phones_ask_for() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/snom/settings.php?mac=000413AABBCC", "/snom/settings.php", Some("mac=000413AABBCC")),
            ("/snom/settings.php?mac={mac}", "/snom/settings.php", Some("mac={mac}")),
            ("/mitel/00085DAABBCC.cfg", "/mitel/00085DAABBCC.cfg", None),
            ("/x?", "/x", Some("")),
            ("/x?a=../..&b=%2f%00?c", "/x", Some("a=../..&b=%2f%00?c")),
            ("/a..b/...%20x/.hidden", "/a..b/...%20x/.hidden", None),
            ("/100%25.cfg", "/100%25.cfg", None),
            ("/cfg%7bmac%7D", "/cfg%7bmac%7D", None),
        ] {
            assert_eq!(split_target(target), Some((path, query)), "{target}");
        }
    }

    #[test]
    fn what_nobody_may_ask_for() {
        for target in [
            "",
            "x",
            "*",
            "host:80",
            "/a/../b",
            "/..",
            "/.",
            "/./a",
            "/a/..;x/b",
            "/%2e%2e/b",
            "/.%2E/b",
            "/%252e%252e/b",
            "/%25252e%25252e/b",
            "/%25%32%65%25%32%65/b",
            "/a%2fb",
            "/a%5cb",
            "/a%255Cb",
            "/a\\b",
            "/a%00",
            "/a%2500",
            "/a%0d%0ab",
            "/a#b",
            "/a?b#c",
            "/a b",
            "/a	b",
            "/ä",
            "/a?ä",
            "/a%",
            "/a%4",
            "/a%zz",
            "/a<b>",
            "/a?\"",
            "/%2525252525252541",
        ] {
            assert_eq!(split_target(target), None, "{target}");
        }
    }

    #[test]
    fn hosts() {
        let ip = Ipv4Addr::new(192, 168, 1, 1);
        assert_eq!(host_address("192.168.1.1"), Some((ip, None)));
        assert_eq!(host_address("192.168.1.1:8480"), Some((ip, Some(8480))));
        for other in [
            "",
            "router.lan",
            "192.168.1.1.evil.example",
            "192.168.1.1:",
            "192.168.1.1:+80",
            "192.168.1.1:65536",
            "192.168.1.1:80:80",
            "192.168.1.1 :80",
            " 192.168.1.1",
            "192.168.1.1.",
            "192.168.001.1",
            "192.168.257",
            "0xc0a80101",
            "3232235777",
            "u@192.168.1.1",
            "[::1]",
            "::ffff:192.168.1.1",
        ] {
            assert_eq!(host_address(other), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn total_and_exact(target in r"[ -~]{0,40}|/([./%25ecf\\ä?]|%2e|%2f){0,20}") {
            if let Some((path, query)) = split_target(&target) {
                let again = match query {
                    Some(query) => format!("{path}?{query}"),
                    None => path.to_string(),
                };
                proptest::prop_assert_eq!(again, target);
            }
        }
    }
}
