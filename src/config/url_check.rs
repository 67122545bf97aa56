//! Is this an http(s) URL that we can use? Messages say what is wrong and never show the URL, which may hold a password.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The parts of an absolute http(s) URL.
#[derive(Debug, PartialEq)]
pub(super) struct HttpUrl<'a> {
    /// Lower case, without a trailing slash: `https://host:port`, the port as written.
    pub(super) origin: String,
    /// From the first `/` or `?`; may be empty.
    pub(super) rest: &'a str,
}

/// Takes an absolute http(s) URL apart. The error is a clause that follows the option's name.
pub(super) fn http_url(text: &str) -> Result<HttpUrl<'_>, String> {
    if let Some(c) = text.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`|".contains(*c)) {
        let c = c.escape_debug();
        return Err(format!("has a '{c}', which no URL may hold; write it percent-encoded (a host name in punycode)"));
    }
    let Some((scheme, after)) = text.split_once("://") else {
        return Err("is no URL; write it as https://host/path".into());
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => "http",
        "https" => "https",
        "file" => return Err("is a file:// URL, which only option upstream may be; use http:// or https://".into()),
        _ => return Err("begins with a scheme that is not served; use http:// or https://".into()),
    };
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, rest) = (after.get(..end).unwrap_or(""), after.get(end..).unwrap_or(""));
    if authority.contains('@') {
        return Err(
            "has a user name or password before the host; put the password into provpass and use {provpass}".into()
        );
    }
    if rest.contains('#') {
        return Err("has a fragment (#…), which no server ever gets; take it out (a # in a name is %23)".into());
    }
    let (host, port) = split_port(authority)?;
    check_host(host)?;
    let mut origin = format!("{scheme}://{}", host.to_ascii_lowercase());
    if let Some(port) = port {
        match port.parse::<u16>() {
            Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => {
                origin.push(':');
                origin.push_str(&number.to_string());
            }
            _ => return Err("has a port that is none; write 1 to 65535 after the host's ':'".into()),
        }
    }
    Ok(HttpUrl { origin, rest })
}

/// `host:port` to its parts; the brackets of an IPv6 address stay.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), String> {
    if authority.starts_with('[') {
        let end = authority.find(']').map_or(authority.len(), |i| i + 1);
        let (host, port) = (authority.get(..end).unwrap_or(""), authority.get(end..).unwrap_or(""));
        return match port.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if port.is_empty() => Ok((host, None)),
            None => Err("has something behind the ']' of the address; only :port may stand there".into()),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            Err("has several ':' in the host; an IPv6 address stands in brackets: http://[2001:db8::1]:8080".into())
        }
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

/// A host of a URL: a name, an IPv4 address, or an IPv6 address in brackets.
fn check_host(host: &str) -> Result<(), String> {
    if let Some(inner) = host.strip_prefix('[') {
        return match inner.strip_suffix(']').map(str::parse::<Ipv6Addr>) {
            Some(Ok(_)) => Ok(()),
            _ => Err("has no IPv6 address between its brackets; write it as http://[2001:db8::1]".into()),
        };
    }
    if host.is_empty() {
        return Err("has no host; write it as https://host/path".into());
    }
    if is_host_name(host) {
        Ok(())
    } else {
        Err(format!("has the host '{}', which is none", super::problem::shown(host)))
    }
}

/// A DNS name or an IPv4 address. Nothing else may pass: this also guards what goes into other packages' files.
pub(super) fn is_host_name(host: &str) -> bool {
    // a last label of digits only makes it an address, as browsers and resolvers see it
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

/// The upstream's base URL, without a trailing slash and with scheme and host in lower case; or `file://` and a folder of
/// documents.
pub(super) fn upstream(text: &str) -> Result<String, String> {
    if let Some(path) = text.strip_prefix("file://") {
        return folder(path, cfg!(feature = "provisioner"));
    }
    let url = http_url(text)?;
    if url.rest.contains('?') {
        return Err("has a query (?…); put parameters into the vendors' url".into());
    }
    if url.rest.contains(['{', '}']) {
        return Err("has a placeholder; these belong into the vendors' url".into());
    }
    Ok(format!("{}{}", url.origin, url.rest.trim_end_matches('/')))
}

/// `file:///etc/phoneprov/db`, by what stands behind its `//`.
fn folder(path: &str, provisioner: bool) -> Result<String, String> {
    if !provisioner {
        return Err("is a file:// URL, and this build has no provisioner of its own; use http:// or https://, or a \
                    build with the feature provisioner"
            .into());
    }
    let path = path.trim_end_matches('/');
    if !path.starts_with('/') {
        return Err("names no folder of this machine; write it as file:///etc/phoneprov/db".into());
    }
    if path.chars().any(|c| c.is_control() || " ?#%".contains(c)) || path.split('/').any(|part| part == "..") {
        return Err("has something in it that is no plain path; write it as file:///etc/phoneprov/db".into());
    }
    Ok(format!("file://{path}"))
}

/// An origin, in lower case and without a slash.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let url = http_url(text)?;
    if !matches!(url.rest, "" | "/") {
        return Err(format!("has a path; only the origin counts: {}", url.origin));
    }
    Ok(url.origin)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn upstreams() {
        for (text, right) in [
            ("https://prov.example.net", "https://prov.example.net"),
            ("https://prov.example.net/", "https://prov.example.net"),
            ("HTTP://Prov.Example.NET:08080/Sub/", "http://prov.example.net:8080/Sub"),
            ("http://[2001:DB8::1]:81/x//", "http://[2001:db8::1]:81/x"),
            ("http://192.0.2.7", "http://192.0.2.7"),
            ("http://my_host.lan.", "http://my_host.lan."),
        ] {
            assert_eq!(upstream(text).as_deref(), Ok(right), "{text}");
        }
    }

    #[test]
    fn wrong_ones_say_what_would_be_right() {
        for (text, part) in [
            ("prov.example.net", "write it as https://host/path"),
            ("ftp://x", "use http:// or https://"),
            ("file:/etc/phoneprov/db", "no URL"),
            ("https://joe:geheim@x/", "put the password into provpass"),
            ("https://x/?pass=geheim", "has a query"),
            ("https://x/#geheim", "fragment"),
            ("https://x/{mac}", "placeholder"),
            ("https:///x", "has no host"),
            ("https://x:0/", "1 to 65535"),
            ("https://x:65536", "1 to 65535"),
            ("https://x:+80", "1 to 65535"),
            ("https://x:", "1 to 65535"),
            ("https://2001:db8::1/", "in brackets"),
            ("https://[2001:db8::zz]/", "no IPv6 address"),
            ("https://[::1]x/", "behind the ']'"),
            ("https://[::1", "no IPv6 address"),
            ("https://a..b/", "host 'a..b'"),
            ("https://1.2.3.999/", "host '1.2.3.999'"),
            ("https://zürich.example/", "punycode"),
            ("https://x/a b", "percent-encoded"),
        ] {
            let error = upstream(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains("geheim"), "{text}: {error}");
        }
    }

    #[test]
    fn folders() {
        assert_eq!(folder("/etc/phoneprov/db/", true).as_deref(), Ok("file:///etc/phoneprov/db"));
        assert_eq!(folder("/srv/phones", true).as_deref(), Ok("file:///srv/phones"));
        for (path, part) in [
            ("etc/db", "names no folder of this machine"),
            ("localhost/etc/db", "names no folder of this machine"),
            ("", "names no folder"),
            ("/", "names no folder"),
            ("/etc/../db", "no plain path"),
            ("/db?x", "no plain path"),
            ("/db%20x", "no plain path"),
            ("/our db", "no plain path"),
            ("/db\n", "no plain path"),
        ] {
            let error = folder(path, true).unwrap_err();
            assert!(error.contains(part), "{path}: {error}");
        }
        assert!(folder("/etc/phoneprov/db", false).unwrap_err().contains("a build with the feature provisioner"));
        assert_eq!(upstream("file:///etc/phoneprov/db").is_ok(), cfg!(feature = "provisioner"));
        assert!(origin("file:///etc").unwrap_err().contains("use http:// or https://"));
    }

    #[test]
    fn origins() {
        assert_eq!(origin("https://CDN.example.net/").as_deref(), Ok("https://cdn.example.net"));
        assert_eq!(
            origin("https://cdn.example.net/x").unwrap_err(),
            "has a path; only the origin counts: https://cdn.example.net"
        );
    }

    proptest::proptest! {
        #[test]
        fn total(text in "(https?://)?(\\PC|[\\[\\]:@/?#.\0 ]){0,30}") {
            let _ = origin(&text);
            if let Ok(url) = upstream(&text) {
                proptest::prop_assert_eq!(upstream(&url), Ok(url.clone()));
            }
        }
    }
}
