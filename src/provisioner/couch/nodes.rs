//! Which CouchDB: the nodes of a cluster, as an admin names them.

use crate::bounds;
use crate::proto::url::Parts;

/// One node. No `Debug`: it holds a password.
#[derive(Clone)]
pub struct Node {
    /// Its URL, without user and password, without a slash at the end: for the log, too.
    pub url: String,
    /// The header for its user.
    pub authorization: Option<String>,
}

/// Is this a list of nodes, and not a folder?
pub fn is_couch(store: &str) -> bool {
    let scheme = store.split_once("://").map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// Reads `http://user:password@a:5984,http://b:5984`.
///
/// # Errors
/// Says which of them is none, without any of its text: there may be a password in it.
pub fn nodes(text: &str) -> Result<Vec<Node>, String> {
    let list: Vec<&str> = text.split(',').map(str::trim).filter(|url| !url.is_empty()).collect();
    if list.len() > bounds::COUCH_NODES {
        return Err(format!("the store has {} nodes; name up to {}", list.len(), bounds::COUCH_NODES));
    }
    let node = |(at, url): (usize, &&str)| {
        Node::read(url).ok_or_else(|| {
            format!(
                "address {} of the store is no http:// or https:// URL; write http://user:password@host:5984, with %2C for a comma, %2F for a slash, %40 for an @",
                at + 1
            )
        })
    };
    list.iter().enumerate().map(node).collect()
}

impl Node {
    fn read(url: &str) -> Option<Node> {
        let (scheme, rest) = url.split_once("://")?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let url = format!("{scheme}://{host}{}", path.trim_end_matches('/'));
        let parts = Parts::parse(&url)?;
        if parts.target.contains('?') {
            return None;
        }
        let authorization = match user {
            Some(user) => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                let both = [decode(name)?, b":".to_vec(), decode(password)?].concat();
                Some(format!("Basic {}", base64(&both)))
            }
            None => None,
        };
        Some(Node { url, authorization })
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                (high << 4 | low) as u8
            }
            b => b,
        });
    }
    Some(out)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * i) & 63) as usize).copied().unwrap_or(b'A');
            out.push(if i <= group.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn lists() {
        let list = nodes("http://admin:p%40ss%2C1@a:5984/, https://b.example/couch/ ,http://[::1]:5984").unwrap();
        let urls: Vec<&str> = list.iter().map(|n| n.url.as_str()).collect();
        assert_eq!(urls, ["http://a:5984", "https://b.example/couch", "http://[::1]:5984"]);
        assert_eq!(list[0].authorization.as_deref(), Some("Basic YWRtaW46cEBzcywx"));
        assert!(list[1].authorization.is_none());
        assert!(is_couch("http://x") && is_couch("HTTPS://x,http://y") && !is_couch("/var/x") && !is_couch("ftp://x"));
    }

    #[test]
    fn what_is_none_is_said_without_its_text() {
        for bad in [
            "http://a,ftp://u:secret@b",
            "http://a,b:secret",
            "http://a,http://u:sec/ret@b",
            "http://a,http://u:secret@b?x",
            "http://a,http://u:secret%@b",
        ] {
            let why = nodes(bad).err().unwrap();
            assert!(why.starts_with("address 2 of the store is no http") && !why.contains("sec"), "{why}");
        }
        let many = vec!["http://a"; bounds::COUCH_NODES];
        assert!(nodes(&many.join(",")).is_ok());
        assert!(nodes(&[many, vec!["http://u:secret@a"]].concat().join(","))
            .is_err_and(|w| w.contains("17 nodes") && !w.contains("secret")));
    }

    #[test]
    fn base64_of_all_lengths() {
        for (text, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0x3f]), "//4/");
    }

    proptest::proptest! {
        #[test]
        fn total(text in ".*", user in "[!-+\\--.0-9;-?A-~]{0,12}", host in "[a-z]{1,9}") {
            let _ = nodes(&text);
            if let Some(node) = Node::read(&format!("http://{user}@{host}:1")) {
                proptest::prop_assert_eq!(node.url, format!("http://{host}:1"));
            }
        }
    }
}
