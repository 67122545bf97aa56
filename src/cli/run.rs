//! `phoneprov run`: the agent in the foreground.

use super::args::Args;
use super::{privileges, setup};
use super::{DONE, FAILED};
use crate::net::runtime::{DeviceSource, Options, Runtime, Signals};
use log::LevelFilter;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::os::unix::net::UnixStream;

pub(super) fn run(args: &Args) -> i32 {
    setup::log(if args.verbose { LevelFilter::Trace } else { LevelFilter::Info });
    super::harden::harden();
    crate::net::panics::install();
    match start(args) {
        Ok(mut runtime) => {
            log::info!("agent: phoneprov {} on port {}", env!("CARGO_PKG_VERSION"), runtime.http_port());
            match runtime.run() {
                Ok(()) => {
                    log::info!("agent: ended");
                    DONE
                }
                Err(why) => {
                    log::error!("agent: {why}");
                    FAILED
                }
            }
        }
        Err(why) => {
            log::error!("{why}");
            FAILED
        }
    }
}

fn start(args: &Args) -> Result<Runtime, String> {
    // first of all: a reload that comes early must not end the agent
    let signals = signals().map_err(|e| format!("cannot catch signals: {e}"))?;
    let (config, warnings) = setup::config(args).map_err(|e| e.to_string())?;
    for warning in warnings {
        log::warn!("{warning}");
    }
    if !config.agent.enabled {
        return Err(format!("{}: option enabled is 0; set it to 1", args.config.display()));
    }
    let devices = setup::devices(args, &config)?;
    // no thread runs yet, and nothing is open
    log::info!("agent: {}", privileges::settle(args.user.as_deref(), &config.agent)?);
    super::harden::not_dumpable();
    if let Err(e) = std::fs::File::open(&args.config) {
        log::warn!(
            "{}: the agent cannot read it again as this user ({e}), so SIGHUP will change nothing; let the user's \
             group read it, or restart the agent after a change",
            args.config.display()
        );
    }
    let dhcp_settings = Some(setup::dhcp_settings(args));
    let again = args.clone();
    let named = (config.agent.networks.clone(), config.agent.devices.clone());
    let served = devices.clone();
    let port = config.agent.port;
    let reload = move || match setup::config(&again) {
        Ok((config, warnings)) => {
            warnings.iter().for_each(|w| log::warn!("{w}"));
            if !config.agent.enabled {
                log::warn!("option enabled is 0 now: a running agent is ended by /etc/init.d/phoneprov stop");
            }
            if privileges::is_free(port) && !privileges::is_free(config.agent.port) {
                log::warn!(
                    "option port has changed: that takes effect with the next start (/etc/init.d/phoneprov restart)"
                );
            }
            let devices = match setup::devices(&again, &config) {
                Ok(devices) => devices,
                // what root could look up at the start, the agent's user perhaps cannot
                Err(why) if named == (config.agent.networks.clone(), config.agent.devices.clone()) => {
                    log::warn!("{why}; the devices found at the start are served");
                    served.clone()
                }
                Err(why) => return Err(why),
            };
            Ok((config, devices))
        }
        Err(problems) => Err(problems.to_string()),
    };
    let options = Options {
        config,
        reload: Some(Box::new(reload)),
        devices: DeviceSource::Named(devices),
        sip_port: 5060,
        dhcp_settings,
        signals: Some(signals),
    };
    Runtime::start(options)
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
