//! Enrolment (`option enrol`): which phones may have anything at all.
//!
//! `window`: those of the config, those that were served before, and while a window is open every phone of an enabled
//! vendor. Who came while it was open stays admitted until the agent ends, and for good once a config of his is stored.

use super::Agent;
use crate::bounds;
use crate::config::Enrol;
use crate::core::directory::{Phone, Seen, SeenBy};
use crate::core::now::Now;
use crate::core::types::UnixTime;
use crate::proto::mac::Mac;
use serde_json::{json, Value};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// The window.
#[derive(Default)]
pub(super) struct Window {
    open_until: Option<Instant>,
    /// Phones that came in by it.
    admitted: u32,
}

impl Window {
    /// When it closes.
    pub(super) fn poll_at(&self) -> Option<Instant> {
        self.open_until
    }

    fn is_open(&self, now: Now) -> bool {
        self.open_until.is_some_and(|until| now.mono < until)
    }

    /// By the wall clock, for people.
    fn until(&self, now: Now) -> Option<UnixTime> {
        let left = self.open_until?.checked_duration_since(now.mono)?;
        Some(now.unix.saturating_add(left.as_secs()))
    }
}

impl Agent {
    /// May this phone have anything at all?
    pub(super) fn is_enrolled(&self, mac: Mac, now: Now) -> bool {
        let listed = || self.config.phones.iter().any(|p| p.mac == mac);
        let known = |p: &Phone| p.record.is_some() || p.admitted;
        match self.config.agent.enrol {
            Enrol::Open => true,
            Enrol::List => listed(),
            Enrol::Window => self.window.is_open(now) || listed() || self.directory.get(mac).is_some_and(known),
        }
    }

    /// Why it may not, for whoever asked.
    pub(super) fn not_enrolled(&self) -> &'static str {
        match self.config.agent.enrol {
            Enrol::List => {
                "this phone is not on the list; the admin can add it to the config (config phone, option mac)"
            }
            _ => {
                "this phone is not enrolled; the admin can let it in (phoneprov admit 30, then plug it in again), or \
                 name it in the config (config phone, option mac)"
            }
        }
    }

    /// A phone that may have its config was seen.
    pub(super) fn seen(&mut self, seen: Seen<'_>, now: Now) -> Option<&mut Phone> {
        let mac = seen.mac;
        self.directory.seen(seen, now)?;
        self.let_in(mac, now);
        self.directory.get_mut(mac)
    }

    /// A phone is told where its config is, or gets it: if a window is open, it stays admitted.
    pub(super) fn let_in(&mut self, mac: Mac, now: Now) {
        let open = self.config.agent.enrol == Enrol::Window && self.window.is_open(now);
        if self.directory.let_in(mac, open) {
            self.window.admitted = self.window.admitted.saturating_add(1);
            self.events.push_crowd(now, "phone", Some(mac), "admitted by the window".to_string());
        }
    }

    /// A phone that may not was seen: kept as a stranger, so that the admin can see who waits at the door.
    pub(super) fn refused(&mut self, seen: Seen<'_>, now: Now) {
        let (mac, ip) = (seen.mac, seen.ip);
        let how = match seen.by {
            SeenBy::Pnp => "PnP: silence",
            SeenBy::Http => "HTTP: 403",
        };
        if self.directory.seen(seen, now).is_some() {
            self.at_the_door(mac, ip, how, now);
        }
    }

    /// A phone of the directory has asked, and may not have anything. `how`: by what, and what it was told.
    pub(super) fn at_the_door(&mut self, mac: Mac, ip: Ipv4Addr, how: &str, now: Now) {
        if self.directory.refuse(mac, TOLD, now.mono) {
            let text = format!("at {ip} is not enrolled (option enrol); it asked by {how}");
            self.events.push_crowd(now, "phone", Some(mac), text);
        }
    }

    /// `admit`: opens the window for so many minutes; 0 closes it.
    pub(super) fn admit(&mut self, minutes: Option<u64>, now: Now) -> Result<Value, String> {
        let minutes = minutes
            .filter(|m| *m <= bounds::ADMIT_MINUTES)
            .ok_or_else(|| format!("for how many minutes? 1 to {}; 0 closes the window", bounds::ADMIT_MINUTES))?;
        match self.config.agent.enrol {
            Enrol::Open => {
                return Err("option enrol is 'open': every phone is admitted; set it to 'window' first".into())
            }
            Enrol::List => {
                return Err("option enrol is 'list': add the phone to the config (config phone, option mac), \
                            or set enrol to 'window' first"
                    .into())
            }
            Enrol::Window => {}
        }
        if minutes == 0 {
            self.close_window("closed by the admin", now);
        } else {
            self.window = Window { open_until: Some(now.mono + Duration::from_secs(minutes * 60)), admitted: 0 };
            let text = format!("the window is open for {minutes} min: phones of enabled vendors are admitted");
            self.events.push(now.unix, "agent", None, text);
        }
        Ok(self.enrol_json(now))
    }

    /// Closes the window when its time is over, or where the config knows none any more.
    pub(super) fn tend_window(&mut self, now: Now) {
        if self.config.agent.enrol != Enrol::Window {
            self.window = Window::default();
        } else if self.window.open_until.is_some() && !self.window.is_open(now) {
            self.close_window("closed", now);
        }
    }

    fn close_window(&mut self, how: &str, now: Now) {
        if self.window.open_until.is_some() {
            let text = format!("the window is {how}; phones that it admitted: {}", self.window.admitted);
            self.events.push(now.unix, "agent", None, text);
        }
        self.window = Window::default();
    }

    /// For `status`.
    pub(super) fn enrol_json(&self, now: Now) -> Value {
        let mode = match self.config.agent.enrol {
            Enrol::Open => "open",
            Enrol::Window => "window",
            Enrol::List => "list",
        };
        let refused = self.directory.iter().filter(|p| p.refused.is_some()).count();
        json!({
            "mode": mode,
            "open_until": self.window.until(now),
            "admitted": self.window.admitted,
            "refused": refused,
        })
    }
}

/// The same phone at the door is told of again after this time.
const TOLD: Duration = Duration::from_secs(600);
