//! `phoneprov run`: the agent in the foreground.

use super::args::Args;
use super::setup;
use super::{DONE, FAILED};
use crate::config::Agent;
use crate::net::runtime::{DeviceSource, Options, Runtime, Signals};
use log::LevelFilter;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

pub(super) fn run(args: &Args) -> i32 {
    setup::log(if args.verbose { LevelFilter::Trace } else { LevelFilter::Info });
    // the control socket, the store and status.json are for us alone, whatever the caller's umask
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    match start(args) {
        Ok(mut runtime) => {
            log::info!("agent: phoneprov {} on port {}", env!("CARGO_PKG_VERSION"), runtime.http_port());
            runtime.run();
            log::info!("agent: ended");
            DONE
        }
        Err(why) => {
            log::error!("{why}");
            FAILED
        }
    }
}

fn start(args: &Args) -> Result<Runtime, String> {
    let (config, warnings) = setup::config(args).map_err(|e| e.to_string())?;
    for warning in warnings {
        log::warn!("{warning}");
    }
    if !config.agent.enabled {
        return Err(format!("{}: option enabled is 0; set it to 1", args.config.display()));
    }
    let devices = setup::devices(args, &config)?;
    let dhcp_settings = Some(setup::dhcp_settings(args, &config)?);
    let again: PathBuf = args.config.clone();
    let first = config.agent.clone();
    let reload = move || match crate::config::load(&again, &crate::config::known_vendors()) {
        Ok(mut loaded) => {
            loaded.warnings.iter().for_each(|w| log::warn!("{w}"));
            needs_restart(&first, &loaded.config.agent);
            loaded.config.agent.run_dir = first.run_dir.clone();
            Ok(loaded.config)
        }
        Err(problems) => Err(problems.to_string()),
    };
    let options = Options {
        config,
        reload: Some(Box::new(reload)),
        devices: DeviceSource::Named(devices),
        sip_port: 5060,
        dhcp_settings,
        signals: Some(signals().map_err(|e| format!("cannot catch signals: {e}"))?),
    };
    Runtime::start(options)
}

/// Warns of what a running agent cannot change.
fn needs_restart(first: &Agent, now: &Agent) {
    let changed = [
        ("option enabled '0'", !now.enabled),
        ("list network", now.networks != first.networks),
        ("list device", now.devices != first.devices),
        ("option state_dir", now.state_dir != first.state_dir),
        ("option run_dir", now.run_dir != first.run_dir),
    ];
    for (what, _) in changed.iter().filter(|(_, changed)| *changed) {
        log::warn!("{what} has changed: that takes effect with the next start (/etc/init.d/phoneprov restart)");
    }
}

pub(super) fn signals() -> std::io::Result<Signals> {
    let (end, raise_end) = UnixStream::pair()?;
    let (reload, raise_reload) = UnixStream::pair()?;
    end.set_nonblocking(true)?;
    reload.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(SIGTERM, raise_end.try_clone()?)?;
    signal_hook::low_level::pipe::register(SIGINT, raise_end)?;
    signal_hook::low_level::pipe::register(SIGHUP, raise_reload)?;
    Ok(Signals { end, reload })
}
