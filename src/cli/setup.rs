//! What several verbs need before they can begin: the config, the devices, the log.

use super::args::Args;
use crate::config::{self, Config, Problem, Problems};
use log::LevelFilter;
use std::path::Path;

/// Reads the config; the warnings are for those who care.
pub(super) fn config(args: &Args) -> Result<(Config, Vec<Problem>), Problems> {
    config::load(&args.config, &config::known_vendors()).map(|loaded| (loaded.config, loaded.warnings))
}

/// The devices to serve: those of the command line, of the config, or of its networks as /etc/config/network has
/// them. The error names a network that cannot be found.
pub(super) fn devices(args: &Args, config: &Config) -> Result<Vec<String>, String> {
    named_devices(&args.devices, config)
}

/// The same where the command line named `given`.
pub(super) fn named_devices(given: &[String], config: &Config) -> Result<Vec<String>, String> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    let mut devices = config.agent.devices.clone();
    if !config.agent.networks.is_empty() && devices.is_empty() {
        let path = Path::new("/etc/config/network");
        let text = std::fs::read_to_string(path).map_err(|e| {
            format!("list network: {} cannot be read ({e}); name the devices: list device 'br-lan'", path.display())
        })?;
        for (name, found) in config::resolve_networks(&text, &config.agent.networks) {
            devices.push(found.map_err(|why| format!("list network '{name}': {why}"))?);
        }
    }
    if devices.is_empty() {
        return Err("no device to serve; set list network 'lan', or list device 'br-lan'".to_string());
    }
    devices.dedup();
    Ok(devices)
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
