//! Can phones learn anything by DHCP, as the files are now? For the running agent, which tells its admin.

use super::conf::HEADER;
use super::plan::{plan, Plan, Served};
use super::uci::OURS;
use crate::bounds;
use crate::config::{Config, DhcpMode};
use crate::proto::uci::{self, File, Section};
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Where OpenWrt has the settings of its DHCP servers.
const DHCP_FILE: &str = "/etc/config/dhcp";
/// What to do, nearly always.
const APPLY: &str = "run phoneprov dhcp apply";

/// [`troubles`], of the files as they are: `file` is `/etc/config/dhcp`, here or elsewhere. A file that may not be read
/// tells nothing: the agent need not be root. `down`: devices that have no address now.
pub fn look(config: &Config, served: &[Served], down: &[String], file: &Path) -> Vec<String> {
    if config.agent.dhcp != DhcpMode::Dnsmasq || served.is_empty() {
        return Vec::new();
    }
    let plan = plan(config, served);
    match &config.agent.dnsmasq_conf {
        Some(path) => match read(path) {
            Ok(text) => conf_trouble(&plan, down, text.as_deref(), &path.display().to_string()).into_iter().collect(),
            Err(()) => Vec::new(),
        },
        None => match read(file) {
            Ok(text) => troubles(&plan, served, down, text.as_deref()),
            Err(()) => Vec::new(),
        },
    }
}

/// `None`: there is no such file. `Err`: nobody knows.
fn read(path: &Path) -> Result<Option<String>, ()> {
    let mut bytes = Vec::new();
    match fs::File::open(path).and_then(|f| f.take(bounds::UCI_FILE as u64 + 1).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(_) => Err(()),
    }
}

fn conf_trouble(plan: &Plan, down: &[String], text: Option<&str>, file: &str) -> Option<String> {
    match text {
        None if plan.groups.is_empty() => None,
        None => Some(format!("{file} is not there, so dnsmasq tells phones nothing: {APPLY}")),
        Some(text) if !text.starts_with(HEADER) => {
            Some(format!("{file} was not written by phoneprov: name another file with option dnsmasq_conf"))
        }
        Some(text) if lines(text, down) != lines(&plan.conf(), &[]) => {
            Some(format!("{file} is not what the config says now: {APPLY}"))
        }
        Some(_) => None,
    }
}

/// Why phones of the served devices get nothing, or something old, by DHCP; sentences with what to do. `text` is that of
/// `/etc/config/dhcp`; `None`: there is none. Of what is wrong with the file itself the first is told alone.
pub fn troubles(plan: &Plan, served: &[Served], down: &[String], text: Option<&str>) -> Vec<String> {
    let Some(text) = text else {
        return vec![format!(
            "{DHCP_FILE} is not there, so dnsmasq cannot be told: install dnsmasq, or set option dnsmasq_conf or dhcp 'off'"
        )];
    };
    let file = match uci::parse(text) {
        Ok(file) => file.merged(),
        Err(e) => return vec![format!("{DHCP_FILE}:{}: {}; dnsmasq cannot read it either", e.line, e.message)],
    };
    let mut out: Vec<String> = sections_trouble(plan, served, down, &file).into_iter().collect();
    let on =
        |s: &Section, option: &str| s.get(option).is_some_and(|v| matches!(v, "1" | "on" | "true" | "yes" | "enabled"));
    if file.sections.iter().any(|s| s.kind == "odhcpd" && on(s, "maindhcp")) {
        out.push(format!(
            "odhcpd is the DHCP server (option maindhcp '1' in {DHCP_FILE}), and cannot tell phones a URL: SIP PnP works on; for \
             DHCP set maindhcp '0', or set option dhcp 'off'"
        ));
    }
    for (served, network) in served.iter().filter_map(|s| Some((s, s.network.as_deref()?))) {
        let off = |s: &&Section| {
            s.kind == "dhcp"
                && s.get("interface") == Some(network)
                && (on(s, "ignore") || s.get("dhcpv4") == Some("disabled"))
        };
        if file.sections.iter().any(|s| off(&s)) {
            out.push(format!(
                "DHCP is off on network '{network}' ({}) in {DHCP_FILE}: if another box is the DHCP server there, set option \
                 dhcp 'responder'",
                served.device
            ));
        }
    }
    out
}

fn sections_trouble(plan: &Plan, served: &[Served], down: &[String], file: &File) -> Option<String> {
    let bare = |s: &Section| (s.kind.clone(), s.name.clone(), entries(s, down));
    let mine: Vec<_> = file.sections.iter().filter(|s| OURS.has(s)).map(bare).collect();
    let wanted: Vec<_> = plan.sections().iter().map(bare).collect();
    if mine.len() == wanted.len() && mine.iter().all(|s| wanted.contains(s)) {
        return None;
    }
    if mine.is_empty() {
        return Some(format!("{DHCP_FILE} has no sections of phoneprov: {APPLY}"));
    }
    for s in served {
        let marker = format!("tag:{},", s.device);
        let there = mine
            .iter()
            .flat_map(|(_, _, entries)| entries)
            .filter(|(_, value, _)| value.contains(&marker))
            .find_map(|(_, value, _)| router_in(value));
        if let Some(there) = there.filter(|there| *there != s.address.to_string()) {
            return Some(format!(
                "the sections of phoneprov in {DHCP_FILE} name {there}, and the router is {} on {} now: {APPLY}",
                s.address, s.device
            ));
        }
    }
    Some(format!("the sections of phoneprov in {DHCP_FILE} are not what the config says now: {APPLY}"))
}

/// Without an order: that of the devices is another one for an agent that has taken over a change of the config.
fn entries(section: &Section, down: &[String]) -> Vec<(String, String, bool)> {
    let of_those_up = section.entries.iter().filter(|e| !is_of(down, &e.value));
    let mut all: Vec<_> = of_those_up.map(|e| (e.name.clone(), e.value.clone(), e.list)).collect();
    all.sort_unstable();
    all
}

/// Without an order, as [`entries`].
fn lines<'a>(text: &'a str, down: &[String]) -> Vec<&'a str> {
    let mut all: Vec<&str> = text.lines().filter(|l| !is_of(down, l)).collect();
    all.sort_unstable();
    all
}

/// Is it a value of ours for one of these devices? What is told on a device that is down is right as it is: `apply` takes the
/// address from the network's config then, which the agent does not see.
fn is_of(down: &[String], value: &str) -> bool {
    down.iter().any(|device| value.contains(&format!("tag:{device},")))
}

/// The host of the URL in a value of ours.
fn router_in(value: &str) -> Option<&str> {
    value.split_once("http://")?.1.split([':', '/']).next()
}
