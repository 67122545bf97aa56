//! One value against its kind.

use super::problem::{shown, suggestion};
use super::table::Kind;
use super::{template, url_check};
use crate::proto::mac::{Mac, MacPattern};
use std::net::IpAddr;

/// Checks one value of option `name` and gives it back in its canonical form (booleans as `1` and `0`). The error
/// says what is wrong and what would be right, and names the option itself.
pub(super) fn check(kind: Kind, name: &str, value: &str) -> Result<String, String> {
    let wrong = |what: &str| Err(format!("{name} '{}' {what}", shown(value)));
    match kind {
        Kind::Bool => match value {
            "1" | "yes" | "on" | "true" | "enabled" => Ok("1".into()),
            "0" | "no" | "off" | "false" | "disabled" => Ok("0".into()),
            _ => wrong("is neither yes nor no; write 1 or 0"),
        },
        Kind::Int { min, max, unit } => {
            let right = if unit.is_empty() { String::new() } else { format!(" ({unit})") };
            if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
                return wrong(&format!("is no whole number; write {min} to {max}{right}, without a unit"));
            }
            match value.parse::<u32>() {
                Ok(number) if (min..=max).contains(&number) => Ok(number.to_string()),
                _ => wrong(&format!("is out of range; write {min} to {max}{right}")),
            }
        }
        Kind::Choice(words) => {
            if words.contains(&value) {
                return Ok(value.into());
            }
            let hint = suggestion(value, words.iter().copied());
            wrong(&format!("is none of {}{hint}", words.join(", ")))
        }
        Kind::Secret => {
            if value.len() > 256 {
                return Err(format!("{name} is longer than 256 bytes"));
            }
            if value.chars().any(char::is_control) {
                return Err(format!("{name} holds a control character; is a quote missing?"));
            }
            Ok(value.into())
        }
        Kind::Upstream => url_check::upstream(value).map_err(|why| format!("{name} {why}")),
        Kind::Template => template::check(value).map(|_| value.into()).map_err(|why| format!("{name} {why}")),
        Kind::Origins => url_check::origin(value).map_err(|why| format!("{name} {why}")),
        Kind::Path => {
            if !value.starts_with('/') || value.chars().any(char::is_control) {
                return wrong("is no absolute path; begin it with /");
            }
            Ok(value.into())
        }
        Kind::Mac => match Mac::parse(value) {
            Some(mac) => Ok(mac.to_string()),
            None => wrong("is no MAC address; write it as 00:04:13:aa:bb:cc"),
        },
        Kind::Ouis => MacPattern::parse(value).map(|pattern| pattern.to_string()),
        Kind::VendorName | Kind::Networks => {
            if value.is_empty() || !value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return wrong("is no section name; it holds only letters, digits and _");
            }
            Ok(value.into())
        }
        Kind::Devices => {
            // the kernel's own rule (dev_valid_name), and nothing that a shell or a file name would trip over
            let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.@:".contains(&b);
            if value.is_empty() || value.len() > 15 || matches!(value, "." | "..") || !value.bytes().all(fine) {
                return wrong("is no device name; write it as br-lan (at most 15 characters)");
            }
            Ok(value.into())
        }
        Kind::Hosts => {
            if is_nowhere(value) {
                return wrong("is no address that a server can have");
            }
            if is_host_or_block(value) {
                return Ok(value.to_ascii_lowercase());
            }
            // a URL may have a password in it
            if value.contains("://") || value.contains('@') {
                return Err(format!(
                    "{name} is no host name, address or block; write the host alone, as media.example.net"
                ));
            }
            wrong("is no host name, address or block; write it as media.example.net, 203.0.113.7 or 203.0.113.0/24")
        }
    }
}

/// An address or a block that is all, this host, or many hosts at once.
fn is_nowhere(value: &str) -> bool {
    let (host, len) = value.split_once('/').unwrap_or((value, ""));
    let all = !len.is_empty() && len.bytes().all(|b| b == b'0');
    host.parse::<IpAddr>().is_ok_and(|a| all || a.is_unspecified() || a.is_loopback() || a.is_multicast())
}

/// A host name, an address, or an address with a prefix length.
fn is_host_or_block(value: &str) -> bool {
    let (host, len) = match value.split_once('/') {
        Some((host, len)) => (host, Some(len)),
        None => (value, None),
    };
    match (host.parse::<IpAddr>(), len) {
        (Ok(_), None) => true,
        (Ok(address), Some(len)) => {
            let max = if address.is_ipv4() { 32 } else { 128 };
            !len.is_empty() && len.bytes().all(|b| b.is_ascii_digit()) && len.parse::<u8>().is_ok_and(|len| len <= max)
        }
        (Err(_), None) => url_check::is_host_name(host),
        (Err(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const PORT: Kind = Kind::Int { min: 1, max: 65535, unit: "" };

    #[test]
    fn right_values_in_canonical_form() {
        for (kind, value, right) in [
            (Kind::Bool, "yes", "1"),
            (Kind::Bool, "off", "0"),
            (PORT, "08480", "8480"),
            (Kind::Choice(&["a", "b"]), "b", "b"),
            (Kind::Mac, "000413AABBCC", "00:04:13:aa:bb:cc"),
            (Kind::Ouis, "000413", "00:04:13:*:*:*"),
            (Kind::Devices, "br-lan.20", "br-lan.20"),
            (Kind::Networks, "lan_2", "lan_2"),
            (Kind::Path, "/etc/x", "/etc/x"),
            (Kind::Hosts, "Media.Example.net", "media.example.net"),
            (Kind::Hosts, "203.0.113.0/24", "203.0.113.0/24"),
            (Kind::Hosts, "2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(check(kind, "x", value).as_deref(), Ok(right), "{kind:?} {value}");
        }
    }

    #[test]
    fn wrong_values_say_what_would_be_right() {
        for (kind, value, message) in [
            (Kind::Bool, "maybe", "x 'maybe' is neither yes nor no; write 1 or 0"),
            (PORT, "0", "x '0' is out of range; write 1 to 65535"),
            (PORT, "99999999999", "x '99999999999' is out of range; write 1 to 65535"),
            (PORT, "+80", "x '+80' is no whole number; write 1 to 65535, without a unit"),
            (
                Kind::Int { min: 1, max: 120, unit: "s" },
                "20s",
                "x '20s' is no whole number; write 1 to 120 (s), without a unit",
            ),
            (Kind::Choice(&["open", "list"]), "lst", "x 'lst' is none of open, list; did you mean 'list'?"),
            (Kind::Mac, "00:04", "x '00:04' is no MAC address; write it as 00:04:13:aa:bb:cc"),
            (Kind::Ouis, "00:04:1", "oui '00:04:1' has 5 digits; write it as 00:04:13:*:*:*"),
            (Kind::Path, "etc", "x 'etc' is no absolute path; begin it with /"),
            (Kind::Secret, "a\nb", "x holds a control character; is a quote missing?"),
        ] {
            assert_eq!(check(kind, "x", value).unwrap_err(), message);
        }
        for (kind, value) in [
            (Kind::Devices, "a/b"),
            (Kind::Devices, "sixteen-letters-"),
            (Kind::Devices, ".."),
            (Kind::Networks, "la n"),
            (Kind::Hosts, "a;reboot"),
            (Kind::Hosts, "$(x)"),
            (Kind::Hosts, "203.0.113.0/33"),
            (Kind::Hosts, "a.b/24"),
            (Kind::Hosts, "0.0.0.0/0"),
            (Kind::Hosts, "198.51.100.1/00"),
            (Kind::Hosts, "::"),
            (Kind::Hosts, "127.0.0.1"),
            (Kind::Hosts, "224.0.1.75"),
            (Kind::Hosts, ""),
        ] {
            assert!(check(kind, "x", value).is_err(), "{kind:?} {value}");
        }
    }
}
