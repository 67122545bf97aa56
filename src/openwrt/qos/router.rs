//! The router as its files say it is: which zone and device the line is, which zones have phones.

use super::edit::without;
use super::safe::Word;
use super::File;
use crate::config::resolve_networks;
use crate::proto::uci::{self, Section};
use std::collections::BTreeMap;

/// Programs that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Installed {
    pub qos_scripts: bool,
    pub fw4: bool,
    pub sqm: bool,
    pub qosify: bool,
}

/// What is known of the router.
#[derive(Clone, Debug, Default)]
pub struct Router {
    /// Text of `/etc/config/network`.
    pub network: String,
    /// Texts of the files that are there.
    pub files: BTreeMap<File, String>,
    /// Text of the file of addresses that qosify reads, where it is ours.
    pub addresses: Option<String>,
    /// Programs.
    pub installed: Installed,
    /// Device of the line, where it was asked for (`--wan`).
    pub wan: Option<String>,
    /// Networks with phones.
    pub networks: Vec<String>,
    /// Devices with phones.
    pub devices: Vec<String>,
}

/// The line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wan {
    pub(super) zone: Option<Word>,
    pub(super) network: Option<Word>,
    pub(super) device: Option<Word>,
}

impl Router {
    /// Sections of a file as it would be without ours. Of one that cannot be read, those that can.
    pub(super) fn sections(&self, file: File) -> Vec<Section> {
        let text = self.files.get(&file).map(String::as_str).unwrap_or_default();
        let plain = without(text, file);
        uci::parse_all(plain.as_deref().unwrap_or(text)).0.merged().sections
    }

    /// Which zone, network and device leads to the provider?
    pub(super) fn wan(&self) -> Wan {
        let sections = self.sections(File::Firewall);
        let zones: Vec<&Section> = sections.iter().filter(|s| s.kind == "zone").collect();
        let masked = || zones.iter().find(|z| z.get("masq") == Some("1"));
        let zone = zones.iter().find(|z| z.get("name") == Some("wan")).or_else(masked);
        let mut networks: Vec<String> = zone.map(|z| words(z, "network")).unwrap_or_default();
        if networks.is_empty() {
            networks.push("wan".into());
        }
        let mut found: Vec<(String, String)> =
            networks.into_iter().filter_map(|n| self.device_of(&n).map(|device| (n, device))).collect();
        if let Some(given) = &self.wan {
            // of several lines, the one that is up
            found.sort_by_key(|(_, device)| device != given);
        }
        let (network, device) = found.into_iter().next().unzip();
        let word = |text: Option<&str>| text.and_then(Word::new);
        Wan {
            zone: word(zone.and_then(|z| z.get("name"))),
            network: word(network.as_deref()).filter(Word::is_name),
            device: word(self.wan.as_deref().or(device.as_deref())),
        }
    }

    /// The device of a network when it is up, as far as the file says it.
    fn device_of(&self, network: &str) -> Option<String> {
        let merged = uci::parse_all(&self.network).0.merged();
        let is_it = |s: &&Section| s.kind == "interface" && s.name.as_deref() == Some(network);
        match merged.sections.iter().find(is_it)?.get("proto") {
            Some(ppp @ ("pppoe" | "pppoa" | "pptp" | "l2tp" | "ppp" | "3g")) => Some(format!("{ppp}-{network}")),
            Some("wireguard") => Some(network.to_string()),
            _ => resolve_networks(&self.network, &[network.to_string()]).pop()?.1.ok(),
        }
    }

    /// Zones with phones, and what is to be said of others.
    pub(super) fn lan(&self, wan: &Wan) -> (Vec<Word>, Vec<String>) {
        let mut zones: Vec<Word> = Vec::new();
        let mut notes = Vec::new();
        let sections = self.sections(File::Firewall);
        let of_networks = self.networks.iter().filter_map(|n| self.device_of(n));
        let served: Vec<String> = self.devices.iter().cloned().chain(of_networks).collect();
        for zone in sections.iter().filter(|s| s.kind == "zone") {
            let Some(name) = zone.get("name") else { continue };
            let (mut networks, devices) = (words(zone, "network"), words(zone, "device"));
            if networks.is_empty() && devices.is_empty() && zone.get("subnet").is_none() {
                networks.push(name.to_string());
            }
            let phones = networks.iter().any(|n| self.is_served(n)) || devices.iter().any(|d| served.contains(d));
            if !phones || wan.zone.as_ref().is_some_and(|w| w.as_str() == name) {
                continue;
            }
            match Word::new(name) {
                Some(word) if !zones.contains(&word) => zones.push(word),
                Some(_) => {}
                None => notes.push(format!(
                    "zone '{}' of /etc/config/firewall is left out: rules are written only for zones whose names are letters and digits",
                    name.escape_debug()
                )),
            }
        }
        (zones, notes)
    }

    fn is_served(&self, network: &str) -> bool {
        if self.networks.iter().any(|n| n == network) {
            return true;
        }
        !self.devices.is_empty() && self.device_of(network).is_some_and(|device| self.devices.contains(&device))
    }

    /// Do packets pass by the rules?
    pub(super) fn offloads(&self) -> bool {
        let on = |s: &Section, name| matches!(s.get(name), Some("1" | "on" | "true" | "yes" | "enabled"));
        let defaults = self.sections(File::Firewall).into_iter().filter(|s| s.kind == "defaults");
        defaults.into_iter().any(|s| on(&s, "flow_offloading") || on(&s, "flow_offloading_hw"))
    }
}

/// The values of a list, or the words of an option.
fn words(section: &Section, name: &str) -> Vec<String> {
    let values = section.entries.iter().filter(|e| e.name == name);
    values.flat_map(|e| e.value.split_whitespace()).map(str::to_string).collect()
}
