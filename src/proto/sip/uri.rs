//! SIP URIs and the addresses around them (RFC 3261 sections 19.1 and 20.10), and parameters.

use super::message::number;
use super::text;
use std::net::Ipv4Addr;

/// `sip:user@host:port;params?headers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// Is it a `sips:` URI?
    pub secure: bool,
    /// What stands before the `@`: user and, after a colon, password. Escapes stay as they are.
    pub user: Option<&'a str>,
    /// Name or address, IPv6 in its brackets.
    pub host: &'a str,
    /// Port, when given.
    pub port: Option<u16>,
    /// Parameters of the URI itself.
    pub params: Params<'a>,
}

impl<'a> Uri<'a> {
    /// Reads a `sip:` or `sips:` URI; `None` for every other scheme, an empty host or a port that is none.
    pub fn parse(uri: &'a str) -> Option<Uri<'a>> {
        let (secure, rest) = match text::strip_prefix_ignore_case(uri, "sip:") {
            Some(rest) => (false, rest),
            None => (true, text::strip_prefix_ignore_case(uri, "sips:")?),
        };
        if rest.contains(char::is_whitespace) {
            return None;
        }
        let (user, rest) = match rest.split_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let (rest, _headers) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = host_port(place)?;
        Some(Uri { secure, user, host, port, params: Params(params) })
    }

    /// The host, when it is an IPv4 address.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        self.host.parse().ok()
    }
}

/// `host[:port]`; an empty host, one with characters that no host has, or an unreadable port is `None`.
pub(super) fn host_port(place: &str) -> Option<(&str, Option<u16>)> {
    let after_bracket = place.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match place.get(after_bracket..)?.find(':') {
        Some(at) => (place.get(..after_bracket + at)?, Some(place.get(after_bracket + at + 1..)?)),
        None => (place, None),
    };
    let port = match port {
        Some(port) => Some(number(port.trim()).and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0)?),
        None => None,
    };
    let host = host.trim();
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    (!host.is_empty() && host.bytes().all(legal)).then_some((host, port))
}

/// An address as From, To and Contact hold it: `"name" <uri>;params` or `uri;params`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// Display name as written, with its quotes.
    pub display: &'a str,
    /// What stands in the angle brackets: not empty, no blanks.
    pub uri: &'a str,
    /// Parameters of the header: `tag`.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one address (one element of a Contact list).
    pub fn parse(value: &'a str) -> Option<NameAddr<'a>> {
        if !text::is_closed(value) {
            return None;
        }
        let (display, uri, params) = match text::find(value, b'<') {
            Some(open) => {
                let (uri, after) = value.get(open + 1..)?.split_once('>')?;
                let after = after.trim();
                let params = if after.is_empty() { "" } else { after.strip_prefix(';')? };
                (value.get(..open)?.trim(), uri, params)
            }
            // without brackets the parameters are the header's (section 20)
            None => {
                let (uri, params) = value.split_once(';').unwrap_or((value, ""));
                ("", uri, params)
            }
        };
        let uri = uri.trim();
        (!uri.is_empty() && !uri.contains(|c: char| c.is_whitespace() || c == '"')).then_some(NameAddr {
            display,
            uri,
            params: Params(params),
        })
    }

    /// The tag of From or To.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }
}

/// `name=value;name;name="value"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(pub &'a str);

impl<'a> Params<'a> {
    /// Each parameter in order: name and, if it has one, value as written (quotes stay).
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        text::split(self.0, b';').map(|piece| match piece.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (piece, None),
        })
    }

    /// Value of the first parameter of this name, whatever its case, without its quotes; empty when it has none.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| text::unquote(value.unwrap_or("")))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn uris() {
        let u = Uri::parse("SIP:MAC%3a00135E874B49@intern.snom.de").unwrap();
        assert_eq!((u.user, u.host, u.port, u.secure), (Some("MAC%3a00135E874B49"), "intern.snom.de", None, false));
        let u = Uri::parse("sips:192.168.1.2:5080;transport=tls;x?h=1").unwrap();
        assert_eq!((u.user, u.ipv4(), u.port, u.secure), (None, Some([192, 168, 1, 2].into()), Some(5080), true));
        assert_eq!(u.params.get("Transport"), Some("tls"));
        assert_eq!(u.params.get("x"), Some(""));
        let u = Uri::parse("sip:a:b@[2001:db8::1]:5060").unwrap();
        assert_eq!((u.user, u.host, u.port, u.ipv4()), (Some("a:b"), "[2001:db8::1]", Some(5060), None));
        for s in [
            "",
            "sip:",
            "sip:@",
            "tel:1",
            "sip:a@:5060",
            "sip:h:0",
            "sip:h:65536",
            "sip:h:+5",
            "sip:h:x",
            "sip:a b",
            "sip:h\"",
            "sip:\u{e4}",
        ] {
            assert_eq!(Uri::parse(s), None, "{s}");
        }
    }

    #[test]
    fn addresses() {
        let a = NameAddr::parse(r#""A \"<b>" <sip:x@y;p=1>;tag=7;z"#).unwrap();
        assert_eq!((a.display, a.uri, a.tag()), (r#""A \"<b>""#, "sip:x@y;p=1", Some("7")));
        let a = NameAddr::parse("sip:x@y;tag=8").unwrap();
        assert_eq!((a.display, a.uri, a.tag()), ("", "sip:x@y", Some("8")));
        assert_eq!(NameAddr::parse("<sip:x@y>").unwrap().tag(), None);
        for s in ["", "<>", "<sip:x", "<sip:x> y", "a b", "\"open <sip:x>", "<sip:x>;p=\"open"] {
            assert_eq!(NameAddr::parse(s), None, "{s}");
        }
    }

    proptest::proptest! {
        #[test]
        fn total(s in "(sip:)?[a<>\"\\\\:@;=?\\[\\]0-9é ]{0,40}") {
            if let Some(a) = NameAddr::parse(&s) {
                let _ = (a.tag(), Uri::parse(a.uri));
            }
            let _ = Uri::parse(&s);
        }

        #[test]
        fn uri_round_trip(user in proptest::option::of("[a-zA-Z0-9%:._-]{1,20}"), host in "[a-z0-9.-]{1,20}",
                          port in proptest::option::of(1u16..), param in proptest::option::of("[a-z]{1,8}")) {
            let mut s = "sip:".to_string();
            if let Some(user) = &user {
                s += user;
                s += "@";
            }
            s += &host;
            if let Some(port) = port {
                s += &format!(":{port}");
            }
            if let Some(param) = &param {
                s += &format!(";{param}=v");
            }
            let u = Uri::parse(&s).unwrap();
            proptest::prop_assert_eq!((u.user, u.host, u.port), (user.as_deref(), host.as_str(), port));
            proptest::prop_assert_eq!(param.is_some(), param.and_then(|p| u.params.get(&p)) == Some("v"));
        }
    }
}
