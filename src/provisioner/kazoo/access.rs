//! Who may tell us of devices and accounts. Kazoo can send a token in a header in one of its four forms only, so for the others
//! it stands in the URL's path; or a sender's address is enough.

use super::super::answer::same;
use super::{is_call, PREFIX};
use crate::proto::http::{split_target, Request};
use std::net::{IpAddr, Ipv4Addr};

/// Shorter tokens are refused: they may be tried as often as requests come.
const SHORTEST: usize = 16;

/// Who may. By default nobody.
#[derive(Clone, Default)]
pub struct Access {
    tokens: Vec<String>,
    from: Vec<(Ipv4Addr, u8)>,
}

/// Why a request is no call: it has no right to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied;

impl Access {
    /// Those who have one of the tokens in `text`, one a line, and those at the addresses in `from` (`192.0.2.1,10.0.0.0/8`).
    ///
    /// # Errors
    /// A clause that says what is wrong, never with a token in it.
    pub fn new(text: &str, from: &str) -> Result<Access, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let tokens: Vec<String> = lines.map(str::to_string).collect();
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
        if let Some(bad) = tokens.iter().position(|t| t.len() < SHORTEST || !t.bytes().all(plain) || is_call(t)) {
            return Err(format!(
                "token {} is none: {SHORTEST} or more lower-case letters, digits, - and _ (Kazoo writes URLs in lower case)",
                bad + 1
            ));
        }
        let words = from.split(',').map(str::trim).filter(|w| !w.is_empty());
        let from =
            words.map(|w| network(w).ok_or_else(|| format!("'{}' is no IPv4 address or network", w.escape_debug())));
        Ok(Access { tokens, from: from.collect::<Result<_, _>>()? })
    }

    /// The segments of a call's path behind the token. `None`: the request is no call at all.
    pub fn path<'a>(&self, request: &'a Request, from: IpAddr) -> Option<Result<Vec<&'a str>, Denied>> {
        let (path, _) = split_target(&request.target)?;
        let mut path: Vec<&str> = path.strip_prefix(PREFIX)?.split('/').collect();
        // `…/accounts/ID/` is how Kazoo writes an account's own
        if path.last() == Some(&"") {
            path.pop();
        }
        let in_path = path.first().filter(|first| !is_call(first)).copied();
        if in_path.is_some() {
            path.remove(0);
        }
        let known = |given: &str| self.tokens.iter().fold(false, |found, right| same(given, right) | found);
        let by_token = in_path.or(request.header("x-auth-token")).is_some_and(known);
        // a page in a browser of somebody who is at such an address is not him
        let by_address = in_path.is_none()
            && request.header("origin").is_none()
            && self
                .from
                .iter()
                .any(|(net, bits)| matches!(from, IpAddr::V4(v4) if masked(v4, *bits) == masked(*net, *bits)));
        Some(if by_token || by_address { Ok(path) } else { Err(Denied) })
    }
}

fn network(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
    let bits = bits.parse().ok().filter(|b| (1..=32).contains(b))?;
    Some((address.parse().ok()?, bits))
}

fn masked(address: Ipv4Addr, bits: u8) -> u32 {
    u32::from(address) >> (32 - u32::from(bits.clamp(1, 32)))
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::proto::http::{parse_request, Parsed};

    fn asked(access: &Access, target: &str, headers: &str, from: &str) -> Option<Result<String, Denied>> {
        let text = format!("POST {target} HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
        let Ok(Parsed::Whole { request, .. }) = parse_request(text.as_bytes()) else { panic!("{text}") };
        let path = access.path(&request, from.parse().unwrap())?;
        Some(path.map(|p| p.join("/")))
    }

    #[test]
    fn nobody_may_unless_told() {
        let none = Access::default();
        for headers in ["", "X-Auth-Token: \r\n", "X-Auth-Token: x\r\n"] {
            assert_eq!(asked(&none, "/kazoo/devices/a/b", headers, "127.0.0.1"), Some(Err(Denied)));
        }
        assert_eq!(asked(&none, "/kazoo//devices/a/b", "", "127.0.0.1"), Some(Err(Denied)));
        assert_eq!(asked(&none, "/prov/snom/settings.php", "", "127.0.0.1"), None);
    }

    #[test]
    fn by_token_in_a_header_or_the_path() {
        let access = Access::new("# Kazoo\n\n0123456789abcdef\nanother-token_of_ours\n", "").unwrap();
        let ok = |path: &str| Some(Ok(path.to_string()));
        let header = "X-Auth-Token: 0123456789abcdef\r\n";
        assert_eq!(asked(&access, "/kazoo/devices/a/b", header, "192.0.2.1"), ok("devices/a/b"));
        assert_eq!(
            asked(&access, "/kazoo/another-token_of_ours/api/accounts/a/", "", "192.0.2.1"),
            ok("api/accounts/a")
        );
        for (target, headers) in [
            ("/kazoo/devices/a/b", ""),
            ("/kazoo/devices/a/b", "X-Auth-Token: 0123456789abcde\r\n"),
            ("/kazoo/devices/a/b", "X-Auth-Token: 0123456789ABCDEF\r\n"),
            ("/kazoo/0123456789abcdee/devices/a/b", ""),
            // one that is wrong is not mended by another
            ("/kazoo/0123456789abcdee/devices/a/b", header),
        ] {
            assert_eq!(asked(&access, target, headers, "192.0.2.1"), Some(Err(Denied)), "{target} {headers}");
        }
    }

    #[test]
    fn by_address() {
        let access = Access::new("", "192.0.2.7, 10.0.0.0/8").unwrap();
        for (from, right) in [("192.0.2.7", true), ("192.0.2.8", false), ("10.255.0.1", true), ("11.0.0.1", false)] {
            assert_eq!(asked(&access, "/kazoo/simple", "", from).unwrap().is_ok(), right, "{from}");
        }
        assert_eq!(asked(&access, "/kazoo/simple", "Origin: http://evil.example\r\n", "10.0.0.1"), Some(Err(Denied)));
        assert_eq!(asked(&access, "/kazoo/guess/simple", "", "10.0.0.1"), Some(Err(Denied)));
    }

    #[test]
    fn what_is_no_token_and_no_address() {
        for tokens in ["short", "0123456789ABCDEF", "with a blank in it", "0123456789abcdef/x"] {
            let why = Access::new(tokens, "").err().unwrap();
            assert!(why.contains("token 1") && !why.contains(tokens), "{why}");
        }
        for from in ["localhost", "10.0.0.0/33", "10.0.0.0/0", "::1"] {
            assert!(Access::new("", from).is_err(), "{from}");
        }
    }
}
