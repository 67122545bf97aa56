//! Absolute `http` and `https` URLs taken apart, and relative ones resolved.

/// An absolute URL: `http` or `https`, without user information and fragment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// `https`, not `http`.
    pub https: bool,
    /// Name, IPv4 address, or IPv6 address in brackets; in the case it was written.
    pub host: &'a str,
    /// The port, also when it was left out.
    pub port: u16,
    /// Path and query: empty, or beginning with `/` or `?`.
    pub target: &'a str,
}

impl<'a> Parts<'a> {
    /// Takes a URL apart. `None` for other schemes, user information, fragments, bytes that may not stand in a URL, no
    /// host, or a port that is none.
    pub fn parse(url: &'a str) -> Option<Parts<'a>> {
        if !is_clean(url) {
            return None;
        }
        let (https, rest) = scheme(url)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end)?;
        let host_end = match authority.strip_prefix('[') {
            Some(inner) => inner.find(']')?.checked_add(2)?,
            None => authority.find(':').unwrap_or(authority.len()),
        };
        let (host, port) = authority.split_at_checked(host_end)?;
        let good = match host.strip_prefix('[') {
            Some(v6) => v6.bytes().all(|b| b.is_ascii_hexdigit() || b":.]".contains(&b)),
            None => !host.is_empty() && host.bytes().all(is_host_byte),
        };
        if !good || host.len() > 255 {
            return None;
        }
        let port = match port.strip_prefix(':') {
            Some("") => default_port(https),
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok().filter(|p| *p != 0)?,
            None if port.is_empty() => default_port(https),
            _ => return None,
        };
        Some(Parts { https, host, port, target })
    }

    /// `scheme://host:port`, lower case, always with the port: equal for equal origins.
    pub fn origin(&self) -> String {
        let scheme = if self.https { "https://" } else { "http://" };
        [scheme, &self.host.to_ascii_lowercase(), ":", &self.port.to_string()].concat()
    }

    /// `host`, or `host:port` where the port is not the scheme's own: a Host header's value.
    pub fn host_header(&self) -> String {
        let host = self.host.to_ascii_lowercase();
        if self.port == default_port(self.https) {
            host
        } else {
            [&host, ":", &self.port.to_string()].concat()
        }
    }

    /// `scheme://` and [`Parts::host_header`].
    pub fn base(&self) -> String {
        [if self.https { "https://" } else { "http://" }, &self.host_header()].concat()
    }

    /// Resolves a Location against this URL (RFC 3986 section 5.2), without its fragment. `None` when it leads to
    /// something other than an `http` or `https` URL that [`Parts::parse`] takes.
    pub fn join(&self, location: &str) -> Option<String> {
        let location = location.split('#').next().unwrap_or_default();
        let (path, query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.target, None),
        };
        let url = if scheme(location).is_some() {
            location.to_string()
        } else if location.starts_with("//") {
            [if self.https { "https:" } else { "http:" }, location].concat()
        } else if has_scheme(location) {
            return None;
        } else {
            let (new, new_query) = match location.split_once('?') {
                Some((new, query)) => (new, Some(query)),
                None => (location, None),
            };
            let (path, query) = if new.starts_with('/') {
                (without_dots(new), new_query)
            } else if new.is_empty() {
                (path.to_string(), new_query.or(query))
            } else {
                let folder = path.rfind('/').and_then(|at| path.get(..at)).unwrap_or_default();
                (without_dots(&[folder, "/", new].concat()), new_query)
            };
            let mut url = self.base();
            url.push_str(if path.is_empty() { "/" } else { &path });
            if let Some(query) = query {
                url.push('?');
                url.push_str(query);
            }
            url
        };
        Parts::parse(&url).is_some().then_some(url)
    }
}

/// 80 or 443.
pub(super) fn default_port(https: bool) -> u16 {
    if https {
        443
    } else {
        80
    }
}

/// Bytes of host names; `_` occurs in private DNS.
pub(super) fn is_host_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._".contains(&b)
}

/// Nothing but bytes that a request line can hold.
pub(super) fn is_clean(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && !b"#\"<>`\\".contains(&b))
}

fn scheme(url: &str) -> Option<(bool, &str)> {
    [(true, "https://"), (false, "http://")].into_iter().find_map(|(https, scheme)| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some((https, rest))
    })
}

/// `mailto:x`, `ftp://x`; not `a/b:c`.
fn has_scheme(text: &str) -> bool {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    end.is_some_and(|at| at > 0 && text.as_bytes().get(at) == Some(&b':'))
}

/// RFC 3986 section 5.2.4, for a path that begins with `/`.
fn without_dots(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut folder = false;
    for segment in path.split('/').skip(1) {
        folder = segment == "." || segment == "..";
        if segment == ".." {
            out.pop();
        } else if segment != "." {
            out.push(segment);
        }
    }
    let mut text = String::with_capacity(path.len());
    for segment in &out {
        text.push('/');
        text.push_str(segment);
    }
    if folder || text.is_empty() {
        text.push('/');
    }
    text
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn taken_apart() {
        for (url, origin, host, target) in [
            ("http://Prov.Example.net", "http://prov.example.net:80", "prov.example.net", ""),
            ("HTTPS://h:/x", "https://h:443", "h", "/x"),
            ("https://h:8443/x?y=http://z", "https://h:8443", "h:8443", "/x?y=http://z"),
            ("http://[2001:db8::1]:81?x", "http://[2001:db8::1]:81", "[2001:db8::1]:81", "?x"),
            ("http://h:443/", "http://h:443", "h:443", "/"),
        ] {
            let parts = Parts::parse(url).unwrap();
            assert_eq!(
                (parts.origin(), parts.host_header(), parts.target),
                (origin.into(), host.into(), target),
                "{url}"
            );
        }
        for url in [
            "",
            "http://",
            "http:///x",
            "http://:80/",
            "ftp://h/",
            "h/x",
            "http://u:p@h/",
            "http://h:0/",
            "http://h:65536/",
            "http://h:+1/",
            "http://h x/",
            "http://h/#x",
            "http://h/a b",
            "http://é/",
            "http://[::1/",
            "http://[::1]x/",
            "http://a,b/",
        ] {
            assert!(Parts::parse(url).is_none(), "{url}");
        }
    }

    #[test]
    fn locations() {
        let base = Parts::parse("https://h:8443/a/b/c?q=1").unwrap();
        for (location, url) in [
            ("http://other/x#frag", Some("http://other/x")),
            ("//other:1/x", Some("https://other:1/x")),
            ("/x?y", Some("https://h:8443/x?y")),
            ("d", Some("https://h:8443/a/b/d")),
            ("../d?../e", Some("https://h:8443/a/d?../e")),
            ("../../../../d", Some("https://h:8443/d")),
            (".", Some("https://h:8443/a/b/")),
            ("?z", Some("https://h:8443/a/b/c?z")),
            ("#z", Some("https://h:8443/a/b/c?q=1")),
            ("a:b", None),
            ("x/a:b", Some("https://h:8443/a/b/x/a:b")),
            ("javascript:alert(1)", None),
            ("ftp://h/x", None),
            ("http://", None),
            ("/a b", None),
        ] {
            assert_eq!(base.join(location).as_deref(), url, "{location}");
        }
        assert_eq!(Parts::parse("http://h").unwrap().join("x").as_deref(), Some("http://h/x"));
    }

    proptest::proptest! {
        #[test]
        fn total(url in "(http|HTTPS)://[a-z.:0-9\\[\\]@]{0,12}[/?#a.]{0,9}|.{0,40}", location in ".{0,20}|[a:/.?#]{0,12}") {
            if let Some(parts) = Parts::parse(&url) {
                let origin = parts.origin();
                proptest::prop_assert_eq!(Parts::parse(&origin).unwrap().origin(), origin);
                if let Some(joined) = parts.join(&location) {
                    proptest::prop_assert!(Parts::parse(&joined).is_some());
                }
            }
        }
    }
}
