//! What the loop looks after beside its sockets: its own mistakes, its threads, signals, a new config.

use super::Runtime;
use crate::config::Config;
use crate::core::agent::Action;
use crate::core::now::Now;
use crate::net::panics::{self, caught};
use crate::net::upstream::Upstream;
use std::io::Read;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// Between two readings of the config: a storm of SIGHUPs is read as one each second.
pub(super) const RELOAD_PAUSE: Duration = Duration::from_secs(1);
/// After so long a write to flash is reported.
const STUCK: Duration = Duration::from_secs(60);
/// Panics of the timers one after the other that end the agent. One that something in its state brings about again and
/// again is not mended by going on: procd starts it anew, and all that lasts is on flash.
const TIMER_PANICS: u32 = 3;
pub(super) const MISTAKE: &str = "a mistake in the agent; its log says where";

impl Runtime {
    /// What was being done has panicked, and was caught.
    pub(super) fn panicked(&mut self, what: &str, now: Now) {
        self.agent.panicked(what, &panics::place(), now);
    }

    pub(super) fn control(&mut self, now: Now, actions: &mut Vec<Action>) {
        let (requests, left) = self.control.turn(now.mono);
        for (id, request) in requests {
            if caught(|| self.agent.control(id, &request, now, actions)).is_none() {
                self.panicked("a control request", now);
                actions.push(Action::Control(id, serde_json::json!({"ok": false, "error": MISTAKE})));
            }
        }
        for id in left {
            self.agent.control_gone(id);
        }
    }

    pub(super) fn timers(&mut self, now: Now, actions: &mut Vec<Action>) -> Result<(), String> {
        let due = || {
            self.agent.timeout(now, actions);
            self.agent.look_again(&self.neighbours, now, actions);
        };
        if caught(due).is_some() {
            self.timer_panics = 0;
            return Ok(());
        }
        self.panicked("a timer", now);
        self.timer_panics += 1;
        match self.timer_panics {
            ..TIMER_PANICS => Ok(()),
            _ => Err(format!("the same mistake at {} again and again: ending, to be started anew", panics::place())),
        }
    }

    /// The thread that writes to flash: without it nothing can be stored, and who waits for it waits for ever. It is not
    /// restarted alone, since what it was given went with it; a new start of the agent finds everything on flash.
    pub(super) fn watch_disk(&mut self, now: Now) -> Result<(), String> {
        if self.disk.is_dead() {
            return Err("the thread that writes to flash has ended: ending, to be started anew".to_string());
        }
        if let Some(long) = self.disk.busy_for(now.mono).filter(|busy| *busy >= STUCK) {
            self.agent.store_stuck(long.as_secs(), now);
        }
        Ok(())
    }

    pub(super) fn signals(&mut self) {
        let Some(signals) = &mut self.options.signals else { return };
        let mut bytes = [0u8; 64];
        if signals.end.read(&mut bytes).is_ok_and(|n| n > 0) {
            self.stop.store(true, Ordering::Relaxed);
        }
        if signals.reload.read(&mut bytes).is_ok_and(|n| n > 0) {
            self.reload_wanted = true;
        }
    }

    /// Reads the config again if SIGHUP came, but not more often than once a second.
    pub(super) fn tend_reload(&mut self, now: Now, actions: &mut Vec<Action>) {
        let rested = self.reloaded.is_none_or(|at| now.mono.saturating_duration_since(at) >= RELOAD_PAUSE);
        if self.reload_wanted && rested {
            self.reload_wanted = false;
            self.reloaded = Some(now.mono);
            self.reload(now, actions);
        }
    }

    pub(super) fn reload(&mut self, now: Now, actions: &mut Vec<Action>) {
        let Some(reload) = &mut self.options.reload else { return };
        match reload() {
            Ok((mut config, devices)) => {
                self.keep_for_life(&mut config);
                if !self.options.devices.rename(&devices) {
                    log::warn!("the devices were changed too often: the new ones take effect with the next start");
                }
                match Upstream::new(&config.agent) {
                    Ok(upstream) => self.upstream = Arc::new(upstream),
                    Err(why) => log::warn!("{why}; the certificates read before stay in use"),
                }
                if config.agent.port != self.agent.config().agent.port {
                    self.server.close_listeners();
                }
                self.agent.reload(config, now, actions);
                self.bodies.clear();
                let before = std::mem::replace(&mut self.devices, self.options.devices.look());
                self.agent.set_devices(self.devices.clone(), now);
                let (_, troubles) = self.server.listen(&self.devices, self.agent.config().agent.port);
                self.open_sip(&before, troubles);
                self.open_dhcp(&before, now);
            }
            Err(why) => self.agent.reload_failed(&why, now),
        }
    }

    /// What is opened at the start stays as it is until the next.
    pub(super) fn keep_for_life(&self, config: &mut Config) {
        let (old, new) = (&self.agent.config().agent, &mut config.agent);
        let changed = [("state_dir", old.state_dir != new.state_dir), ("run_dir", old.run_dir != new.run_dir)];
        for (option, _) in changed.iter().filter(|(_, changed)| *changed) {
            log::warn!(
                "option {option} has changed: that takes effect with the next start (/etc/init.d/phoneprov restart)"
            );
        }
        (new.state_dir, new.run_dir) = (old.state_dir.clone(), old.run_dir.clone());
    }
}
