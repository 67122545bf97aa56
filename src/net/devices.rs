//! The served devices: which exist now, with which addresses.

use crate::core::agent::Device;
use std::net::IpAddr;

/// Where the served devices come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Looked up by name, again and again.
    Named(Vec<String>),
    /// Given, never looked up: the demo on loopback.
    Fixed(Vec<Device>),
}

impl Source {
    /// The devices as they are now, in the order of the config; one that is missing or down has no addresses.
    pub fn look(&self) -> Vec<Device> {
        match self {
            Source::Fixed(devices) => devices.clone(),
            Source::Named(names) => {
                let all = interfaces();
                let find = |name: &String| {
                    let absent = Device { name: name.clone(), index: 0, addresses: Vec::new() };
                    all.iter().find(|d| d.name == *name).cloned().unwrap_or(absent)
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
