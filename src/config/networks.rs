//! Logical networks of OpenWrt (`lan`) to network devices (`br-lan`).

use crate::proto::uci;
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// How often an interface may be an alias of another.
const ALIASES: usize = 8;

/// Resolves logical network names through the text of /etc/config/network: `config interface 'lan'` with `option
/// device`, or the older `option ifname` (its first word), or the bridge that the older `option type 'bridge'` makes;
/// `@other` stands for the device of another interface. The error says what is missing, in words for an admin.
pub fn resolve_networks(network_file: &str, names: &[String]) -> Vec<(String, Result<String, String>)> {
    let (file, errors) = uci::parse_all(network_file);
    let merged = file.merged();
    let interfaces: HashMap<&str, &uci::Section> = merged
        .sections
        .iter()
        .filter(|s| s.kind == "interface")
        .filter_map(|s| s.name.as_deref().map(|name| (name, s)))
        .collect();
    let resolve = |name: &str| {
        let mut name = name;
        for _ in 0..ALIASES {
            let Some(interface) = interfaces.get(name) else {
                let mut there: Vec<&str> = interfaces.keys().copied().collect();
                there.sort_unstable();
                let mut why = format!("network '{name}' is not in /etc/config/network");
                if let Some(error) = errors.first() {
                    why.push_str(&format!(", which has a mistake in {error}"));
                } else if !there.is_empty() {
                    why.push_str(&format!("; there are {}", there.join(", ")));
                }
                return Err(why);
            };
            if interface.get("type") == Some("bridge") {
                return Ok(format!("br-{name}"));
            }
            let device = interface.get("device").or_else(|| interface.get("ifname")).unwrap_or("");
            let Some(device) = device.split_whitespace().next() else {
                return Err(format!("network '{name}' has no device in /etc/config/network; name it with list device"));
            };
            match device.strip_prefix('@') {
                Some(other) => name = other,
                None => return Ok(device.to_string()),
            }
        }
        Err(format!("network '{name}' is an alias of itself in /etc/config/network"))
    };
    names.iter().map(|name| (name.clone(), resolve(name))).collect()
}

/// The (first) address that /etc/config/network gives a logical network: `option ipaddr` or `list ipaddr`, with or without a
/// prefix length. `None` where it has another way to get one.
pub fn static_address(network_file: &str, name: &str) -> Option<Ipv4Addr> {
    let merged = uci::parse_all(network_file).0.merged();
    let interface = merged.sections.iter().find(|s| s.kind == "interface" && s.name.as_deref() == Some(name))?;
    let first = interface.entries.iter().find(|e| e.name == "ipaddr" && interface.get("proto") == Some("static"))?;
    first.value.split_whitespace().next()?.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod test {
    use super::*;

    const FILE: &str = include_str!("../../tests/data/uci/network.in");

    fn one(file: &str, name: &str) -> Result<String, String> {
        resolve_networks(file, &[name.to_string()]).remove(0).1
    }

    #[test]
    fn devices() {
        for (name, device) in [
            ("lan", "br-lan"),
            ("phones", "br-lan.20"),
            ("oldlan", "br-oldlan"),
            ("oldplain", "eth0.2"),
            ("alias", "br-lan.20"),
        ] {
            assert_eq!(one(FILE, name).as_deref(), Ok(device), "{name}");
        }
        let names = ["lan".to_string(), "nope".to_string()];
        let both = resolve_networks(FILE, &names);
        assert_eq!((both[0].0.as_str(), both[1].0.as_str()), ("lan", "nope"));
        assert!(both[0].1.is_ok() && both[1].1.is_err());
    }

    #[test]
    fn addresses() {
        let file = "config interface 'a'\n option proto static\n option ipaddr 192.168.1.1\n\
                    config interface 'b'\n option proto static\n list ipaddr '10.0.0.1/8'\n list ipaddr '10.1.0.1/8'\n\
                    config interface 'c'\n option proto dhcp\n option ipaddr 192.168.1.1\n\
                    config interface 'd'\n option proto static\n option ipaddr nonsense\n";
        let of = |name| static_address(file, name);
        assert_eq!(of("a"), Some(Ipv4Addr::new(192, 168, 1, 1)));
        assert_eq!(of("b"), Some(Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!((of("c"), of("d"), of("e")), (None, None, None));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(one(FILE, "nodevice").unwrap_err().contains("has no device"));
        assert!(one(FILE, "circle").unwrap_err().contains("alias of itself"));
        assert!(one(FILE, "nope").unwrap_err().contains("there are alias, circle"));
        assert_eq!(one("", "lan").unwrap_err(), "network 'lan' is not in /etc/config/network");
        assert!(one("config interface 'x-y'\n", "lan").unwrap_err().contains("mistake in line 1"));
    }
}
