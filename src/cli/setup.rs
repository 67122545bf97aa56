//! What several verbs need before they can begin: the config, the devices, the log.

use super::args::{Args, UCI};
use crate::config::{self, Config, Problem, Problems};
use crate::core::agent::Device;
use crate::net::interfaces;
use crate::net::runtime::DhcpSettings;
use crate::openwrt::dhcp::{self, Served};
use log::LevelFilter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads the config; the warnings are for those who care.
pub(super) fn config(args: &Args) -> Result<(Config, Vec<Problem>), Problems> {
    config::load(&args.config, &config::known_vendors()).map(|loaded| (loaded.config, loaded.warnings))
}

/// The devices to serve: those of the command line, of the config, or of its networks as /etc/config/network has
/// them. The error names a network that cannot be found.
pub(super) fn devices(args: &Args, config: &Config) -> Result<Vec<String>, String> {
    let mut devices: Vec<String> = Vec::new();
    for (device, _) in named(args, config)? {
        if !devices.contains(&device) {
            devices.push(device);
        }
    }
    Ok(devices)
}

/// The devices to serve, each with the logical network that it was named by, if so.
fn named(args: &Args, config: &Config) -> Result<Vec<(String, Option<String>)>, String> {
    let given = if args.devices.is_empty() { &config.agent.devices } else { &args.devices };
    let mut devices: Vec<(String, Option<String>)> = given.iter().map(|d| (d.clone(), None)).collect();
    if !config.agent.networks.is_empty() && devices.is_empty() {
        let path = network_file(args);
        let text = std::fs::read_to_string(&path).map_err(|e| {
            format!("list network: {} cannot be read ({e}); name the devices: list device 'br-lan'", path.display())
        })?;
        for (name, found) in config::resolve_networks(&text, &config.agent.networks) {
            let device = found.map_err(|why| format!("list network '{name}': {why}"))?;
            devices.push((device, Some(name)));
        }
    } else if config.agent.devices.is_empty() {
        // named by the init script, which has asked the router: a network that cannot be found in the file is no mistake then
        let text = std::fs::read_to_string(network_file(args)).unwrap_or_default();
        for (name, found) in config::resolve_networks(&text, &config.agent.networks) {
            let at = devices.iter_mut().find(|(device, at)| found.as_ref() == Ok(device) && at.is_none());
            if let Some((_, at)) = at {
                *at = Some(name);
            }
        }
    }
    if devices.is_empty() {
        return Err("no device to serve; set list network 'lan', or list device 'br-lan'".to_string());
    }
    Ok(devices)
}

fn network_file(args: &Args) -> PathBuf {
    args.uci.as_deref().unwrap_or(Path::new(UCI)).join("network")
}

/// The served devices with the router's address on each, and the names of those that have none. The address is the one
/// that the device has now, else that of the network's config; the other way round where the config is that of another
/// machine (`--uci`).
pub(super) fn served(args: &Args, config: &Config) -> Result<(Vec<Served>, Vec<String>), String> {
    let here = args.uci.is_none();
    let text = std::fs::read_to_string(network_file(args)).unwrap_or_default();
    let live = interfaces();
    let mut served: Vec<Served> = Vec::new();
    let mut without = Vec::new();
    for (device, network) in named(args, config)? {
        if served.iter().any(|s| s.device == device) || without.contains(&device) {
            continue;
        }
        let now = live.iter().find(|d| d.name == device).and_then(|d| d.addresses.first()).map(|(own, _)| *own);
        let configured = network.as_deref().and_then(|name| config::static_address(&text, name));
        match if here { now.or(configured) } else { configured.or(now) } {
            Some(address) => served.push(Served { device, network, address }),
            None => without.push(device),
        }
    }
    Ok((served, without))
}

/// What the running agent looks at when it asks whether dnsmasq was told right: the settings as they are then, for the
/// devices and their networks as they are then.
pub(super) fn dhcp_settings(args: &Args) -> DhcpSettings {
    let (args, file) = (args.clone(), dhcp_file(args));
    Arc::new(move |config, devices| {
        let mut named = named(&args, config).unwrap_or_default();
        // the init script names the devices of the config's networks, in their order, and the agent cannot see which
        // network is where; should one be missing, nobody knows which
        if config.agent.devices.is_empty() && named.len() == config.agent.networks.len() {
            let networks = config.agent.networks.iter();
            named.iter_mut().zip(networks).for_each(|((_, at), name)| *at = at.take().or_else(|| Some(name.clone())));
        }
        let address = |d: &Device| d.addresses.first().map(|(own, _)| *own);
        let network = |d: &Device| named.iter().find(|(device, _)| *device == d.name).and_then(|(_, n)| n.clone());
        let served: Vec<Served> = devices
            .iter()
            .filter_map(|d| Some(Served { device: d.name.clone(), network: network(d), address: address(d)? }))
            .collect();
        let down: Vec<String> = devices.iter().filter(|d| d.addresses.is_empty()).map(|d| d.name.clone()).collect();
        dhcp::look(config, &served, &down, &file)
    })
}

/// The settings of OpenWrt's DHCP servers.
pub(super) fn dhcp_file(args: &Args) -> PathBuf {
    args.uci.as_deref().unwrap_or(Path::new(UCI)).join("dhcp")
}

/// Log lines to stderr, which procd sends to syslog. RUST_LOG is not read: a router has no such thing.
pub(super) fn log(level: LevelFilter) {
    // the libraries tell of sockets and TLS at these levels, and would print URLs with secrets in them
    let quiet = |logger: simple_logger::SimpleLogger, module| logger.with_module_level(module, LevelFilter::Off);
    let logger = simple_logger::SimpleLogger::new().with_level(level);
    let logger = ["ureq", "ureq_proto", "rustls"].into_iter().fold(logger, quiet);
    // a second logger in one process (tests) is no harm
    let _ = logger.init();
}
