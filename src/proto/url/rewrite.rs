//! URLs of the upstream inside configs become the router's, so that the phone stays behind the agent, and lose the
//! secret. Configs are bytes: ISO-8859-1 as well as UTF-8 must survive.

use super::mapping::{lan_base, Mapping};
use super::parts::{default_port, is_host_byte};
use super::template::Values;
use std::net::SocketAddrV4;

/// A body with the upstream's URLs turned into the router's; `None` when there are none, or the body is binary (holds
/// a NUL). Everything else stays byte for byte. Idempotent, and in linear time.
///
/// A URL of any other host (an upstream of former days, an alias) stays, less the password where it is a parameter's
/// value. A URL is taken for the upstream's by host, whatever the case, at the configured port or 80 or 443, by `http` or
/// `https`. Below the directory of the first of `mappings` that has it, it becomes `/{vendor}/rest`, else
/// `/{vendor}/-/path` of the first mapping of that host: put the phone's own vendor first. Parameters that carry the
/// secret, by name or by value, get an empty value; in the entry URL they go altogether, so that it reads as PnP and
/// DHCP have it. Each match makes the body longer by 25 bytes and the vendor's name
/// at the most.
pub fn rewrite(body: &[u8], mappings: &[&Mapping], router: SocketAddrV4, values: &Values<'_>) -> Option<Vec<u8>> {
    if mappings.is_empty() || body.contains(&0) {
        return None;
    }
    let longest_name = mappings.iter().map(|m| m.longest_name()).max().unwrap_or(0);
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut replace = |from: usize, to: usize, with: &str| {
        let out = out.get_or_insert_with(|| Vec::with_capacity(body.len() + 64));
        out.extend_from_slice(body.get(copied..from).unwrap_or_default());
        out.extend_from_slice(with.as_bytes());
        copied = to;
    };
    let mut in_url = false;
    // begin of the parameter whose `=` has not come yet, and of the separator before it
    let mut name_at: Option<usize> = None;
    let mut separator = 0;
    // whose entry URL it may be, and where its path below the directory begins
    let mut below: Option<(&Mapping, usize)> = None;
    let mut entry = false;
    // of another host than the upstream: it stays, less the password in it
    let mut foreign = false;
    let mut in_query = false;
    let mut at = 0;
    while let Some(&b) = body.get(at) {
        if b | 0x20 == b'h' {
            if let Some(authority) = authority_at(body.get(at..).unwrap_or_default()) {
                let end = at + authority.len;
                let path = body.get(end..).unwrap_or_default();
                if let Some((with, used, mapping)) = lan_start(&authority, path, mappings, router, values) {
                    replace(at, end + used, &with);
                    at = end + used;
                    (in_url, in_query, name_at, entry, foreign) = (true, false, None, false, false);
                    below = mapping.map(|m| (m, at));
                    continue;
                }
                (in_url, in_query, name_at, entry, foreign, below) = (true, false, None, false, true, None);
                at += 1;
                continue;
            }
        }
        if in_url {
            match b {
                b if ends_url(b) => in_url = false,
                b'?' if !in_query => {
                    in_query = true;
                    name_at = Some(at + 1);
                    separator = at;
                    entry = below.is_some_and(|(mapping, start)| {
                        std::str::from_utf8(body.get(start..at).unwrap_or_default())
                            .is_ok_and(|p| mapping.is_entry(Some(p)))
                    });
                }
                b'&' | b';' | b'#' if in_query => {
                    name_at = Some(at + 1);
                    let escaped = b == b';' && body.get(..at).is_some_and(|b| b.ends_with(b"&amp"));
                    separator = if escaped { at - 4 } else { at };
                }
                b'=' if in_query => {
                    let value = body.get(at + 1..).unwrap_or_default();
                    // the name is taken, so that a `=` in the value does not come here again
                    let begin = name_at.take();
                    let known = begin.filter(|start| at - start <= longest_name);
                    let name = known.and_then(|start| body.get(start..at)).unwrap_or_default();
                    let drop = match begin {
                        Some(_) if foreign => foreign_secret(value, mappings),
                        Some(_) => secret_value(name, value, mappings),
                        None => 0,
                    };
                    let end = at + 1 + drop;
                    if entry && is_secret_name(name, mappings) {
                        let rest = body.get(end..).unwrap_or_default();
                        let next = [&b"&amp;"[..], b"&", b";"].into_iter().find(|s| rest.starts_with(s));
                        match (body.get(separator), next) {
                            // the first of several: what follows it takes its place
                            (Some(b'?'), Some(next)) => {
                                replace(separator + 1, end + next.len(), "");
                                at = end + next.len();
                                name_at = Some(at);
                            }
                            _ => {
                                replace(separator, end, "");
                                at = end;
                            }
                        }
                        continue;
                    }
                    if drop > 0 {
                        replace(at + 1, end, "");
                        at += drop;
                    }
                }
                _ => {}
            }
        }
        at += 1;
    }
    if let Some(out) = &mut out {
        out.extend_from_slice(body.get(copied..).unwrap_or_default());
    }
    out
}

/// Bytes that no URL goes on behind.
fn ends_url(b: u8) -> bool {
    b <= b' ' || b == 0x7f || b"\"<>`".contains(&b)
}

/// Bytes that may end a URL, as in `(see http://…)`, or be in it: a value that is dropped ends there, but parameters
/// behind it are still looked at.
fn ends_value(b: u8) -> bool {
    ends_url(b) || b"&;#)',\\|]}".contains(&b)
}

struct Authority<'a> {
    host: &'a [u8],
    port: u16,
    /// Bytes from the scheme to here.
    len: usize,
}

/// `http://host:port` at the start of `text`.
fn authority_at(text: &[u8]) -> Option<Authority<'_>> {
    let is = |prefix: &[u8]| text.get(..prefix.len()).is_some_and(|t| t.eq_ignore_ascii_case(prefix));
    let (https, start) = if is(b"http://") {
        (false, 7)
    } else if is(b"https://") {
        (true, 8)
    } else {
        return None;
    };
    let rest = text.get(start..)?;
    let host_len = match rest.first()? {
        b'[' => rest.iter().take(64).position(|b| *b == b']')? + 1,
        _ => rest.iter().take(256).take_while(|b| is_host_byte(**b)).count(),
    };
    let host = rest.get(..host_len).filter(|h| !h.is_empty())?;
    let after = rest.get(host_len..)?;
    let (port, port_len) = match after {
        [b':', digits @ ..] => {
            let n = digits.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
            let port =
                digits.get(..n)?.iter().try_fold(0u16, |p, b| p.checked_mul(10)?.checked_add(u16::from(b - b'0')))?;
            (if n == 0 { default_port(https) } else { port }, n + 1)
        }
        _ => (default_port(https), 0),
    };
    // user information: what looked like a host was none
    if after.get(port_len) == Some(&b'@') {
        return None;
    }
    Some(Authority { host, port, len: start + host_len + port_len })
}

/// What a URL's beginning becomes, how much of its path that takes in, and in whose directory it is. `None` when it is not the upstream's.
fn lan_start<'a>(
    authority: &Authority<'_>,
    path: &[u8],
    mappings: &[&'a Mapping],
    router: SocketAddrV4,
    values: &Values<'_>,
) -> Option<(String, usize, Option<&'a Mapping>)> {
    let mut same = mappings.iter().filter(|m| m.is_upstream(authority.host, authority.port)).peekable();
    let first = same.peek()?.vendor();
    // the router's own, when both are one machine: done already
    if authority.port == router.port() && authority.host == router.ip().to_string().as_bytes() {
        return None;
    }
    for mapping in same {
        let Some(used) = mapping.match_directory(path, values) else { continue };
        // a file `-` in the directory would read as the other form
        let dash = match path.get(used..) {
            Some([b'-', after, ..]) => b"/?#".contains(after) || ends_value(*after),
            Some([b'-']) => true,
            _ => false,
        };
        if !dash {
            return Some((lan_base(router, mapping.vendor()) + "/", used, Some(mapping)));
        }
    }
    Some((lan_base(router, first) + "/-", 0, None))
}

fn is_secret_name(name: &[u8], mappings: &[&Mapping]) -> bool {
    !name.is_empty() && mappings.iter().any(|m| m.secret_named(name).is_some())
}

/// Bytes of a parameter's value that must go.
fn secret_value(name: &[u8], value: &[u8], mappings: &[&Mapping]) -> usize {
    let named = is_secret_name(name, mappings);
    let spelled = mappings.iter().filter_map(|m| m.provpass_at(value)).max().unwrap_or(0);
    let rest = value.get(spelled..).unwrap_or_default();
    if named {
        spelled + rest.iter().position(|b| ends_value(*b)).unwrap_or(rest.len())
    } else if rest.first().is_none_or(|b| ends_value(*b)) {
        spelled
    } else {
        0
    }
}

/// Bytes of a parameter's value in another host's URL that are the password, and nothing but it.
fn foreign_secret(value: &[u8], mappings: &[&Mapping]) -> usize {
    let spelled =
        mappings.iter().filter(|m| m.is_secret_long()).filter_map(|m| m.provpass_at(value)).max().unwrap_or(0);
    if value.get(spelled).is_none_or(|b| ends_value(*b)) {
        spelled
    } else {
        0
    }
}

#[cfg(test)]
#[path = "rewrite_test.rs"]
mod test;
