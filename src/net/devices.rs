//! The served devices: which exist now, with which addresses.

use crate::core::agent::Device;
use std::net::IpAddr;

/// Places for devices, those that are served no more included.
const DEVICES: usize = 64;

/// Where the served devices come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Looked up by name, again and again.
    Named(Vec<String>),
    /// Given, never looked up: the demo on loopback.
    Fixed(Vec<Device>),
}

impl Source {
    /// Serves these from now on. A device keeps its index as long as the agent runs, since sockets, phones and requests
    /// under way name it by that: one that is served no more leaves an empty name in its place, new ones come last.
    /// `false`: it was changed too often for that, and stays as it is.
    pub fn rename(&mut self, new: &[String]) -> bool {
        let Source::Named(names) = self else { return true };
        let mut next: Vec<String> =
            names.iter().map(|old| if new.contains(old) { old.clone() } else { String::new() }).collect();
        next.extend(new.iter().filter(|n| !names.contains(n)).cloned());
        if next.len() > DEVICES {
            return false;
        }
        *names = next;
        true
    }

    /// The devices as they are now, in the order of the config; one that is missing or down has no addresses.
    pub fn look(&self) -> Vec<Device> {
        match self {
            Source::Fixed(devices) => devices.clone(),
            Source::Named(names) => {
                let all = interfaces();
                let find = |name: &String| {
                    let absent = Device { name: name.clone(), index: 0, addresses: Vec::new() };
                    all.iter().find(|d| d.name == *name && !name.is_empty()).cloned().unwrap_or(absent)
                };
                names.iter().map(find).collect()
            }
        }
    }
}

/// All devices of the machine that are up, with their IPv4 addresses.
pub fn interfaces() -> Vec<Device> {
    pnet_datalink::interfaces()
        .into_iter()
        .filter(|i| i.is_up())
        .map(|i| Device {
            index: i.index,
            addresses: i
                .ips
                .iter()
                .filter_map(|n| match n.ip() {
                    IpAddr::V4(ip) => Some((ip, n.prefix())),
                    IpAddr::V6(_) => None,
                })
                .collect(),
            name: i.name,
        })
        .collect()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_device_keeps_its_place() {
        let names = |list: &[&str]| list.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        let mut source = Source::Named(names(&["a", "b", "c"]));
        assert!(source.rename(&names(&["d", "c", "a"])));
        let Source::Named(now) = &source else { panic!() };
        assert_eq!(*now, names(&["a", "", "c", "d"]));
        let all = source.look();
        assert!(all.len() == 4 && all[1].name.is_empty() && all[1].addresses.is_empty());
        for i in 0..200 {
            let new = names(&[&format!("x{i}")]);
            if !source.rename(&new) {
                assert!(i > 50);
                return;
            }
        }
        panic!("it grows for ever");
    }
}
