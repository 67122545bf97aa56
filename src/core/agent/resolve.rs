//! Requests from addresses that the neighbour table does not have yet: the kernel is asked to find out, and they wait
//! for that, not long and not many. A missing entry neither opens the door nor closes it at once.

use super::{Action, Agent, Asked, Lan};
use crate::bounds;
use crate::core::answer::RequestId;
use crate::core::now::Now;
use std::time::{Duration, Instant};

/// Until the table is looked at again. A host on the cable answers ARP within a millisecond or two; a phone that sleeps
/// on WLAN within 300.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long a request waits for its address. The kernel asks at once and again after a second: longer than a first
/// answer takes there is nothing to wait for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Those who wait.
#[derive(Default)]
pub(super) struct Resolving {
    waiting: Vec<(Asked, Instant)>,
    look_at: Option<Instant>,
}

impl Resolving {
    /// When [`Agent::look_again`] wants to be called.
    pub(super) fn poll_at(&self) -> Option<Instant> {
        self.look_at
    }

    pub(super) fn gone(&mut self, id: RequestId) {
        self.waiting.retain(|(asked, _)| asked.id != id);
        if self.waiting.is_empty() {
            self.look_at = None;
        }
    }
}

impl Agent {
    /// Is whoever asks from there held to the neighbour table? The router's own admin may look at any config; so may
    /// its loopback tests.
    pub(super) fn is_checked(&self, asked: &Asked) -> bool {
        let ip = *asked.from.ip();
        let own = self.devices.get(asked.device).is_some_and(|d| d.owns(ip));
        self.config.agent.verify_mac && !own && !ip.is_loopback()
    }

    /// Lets the request wait if its address has first to be resolved. `false`: decide it now.
    pub(super) fn must_resolve(&mut self, asked: &Asked, lan: &dyn Lan, now: Now, out: &mut Vec<Action>) -> bool {
        let ip = *asked.from.ip();
        let Some(device) = self.devices.get(asked.device).filter(|d| d.serves(ip)) else { return false };
        if !self.is_checked(asked) || lan.mac_of(&device.name, ip).is_some() {
            return false;
        }
        if self.resolving.waiting.len() >= bounds::NEIGHBOUR_WAITS {
            return false;
        }
        let known = self.resolving.waiting.iter().any(|(a, _)| a.device == asked.device && a.from.ip() == &ip);
        if !known {
            log::debug!("http: {ip} is not in the neighbour table yet");
            out.push(Action::Resolve { device: asked.device, ip });
        }
        self.resolving.waiting.push((asked.clone(), now.mono + PATIENCE));
        self.resolving.look_at.get_or_insert(now.mono + LOOK_AGAIN);
        true
    }

    /// Decides the requests whose address is known now, and those that have waited long enough.
    pub fn look_again(&mut self, lan: &dyn Lan, now: Now, out: &mut Vec<Action>) {
        if self.resolving.look_at.is_none_or(|at| at > now.mono) {
            return;
        }
        let mut stay = Vec::new();
        for (asked, until) in std::mem::take(&mut self.resolving.waiting) {
            let name = self.devices.get(asked.device).map(|d| d.name.as_str()).unwrap_or_default();
            if now.mono < until && lan.mac_of(name, *asked.from.ip()).is_none() {
                stay.push((asked, until));
            } else {
                self.serve(&asked, lan, now, out);
            }
        }
        self.resolving.look_at = (!stay.is_empty()).then(|| now.mono + LOOK_AGAIN);
        self.resolving.waiting = stay;
    }
}
