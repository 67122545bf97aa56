//! The wall clock jumps: from 1970, or from the router's last shutdown, to now when NTP comes, and sometimes to where
//! it should not. Nothing is timed by it but the days of a grace time, which must not end by a jump, and the hour of the
//! nightly refresh.

use super::{Action, Agent};
use crate::core::now::{date, Now};
use crate::core::types::ResourceKey;
use crate::proto::mac::Mac;
use std::time::Duration;

/// How long after the start no grace time ends: NTP has come by then, or will not.
pub(super) const SETTLES: Duration = Duration::from_secs(60 * 60);
/// The same after a jump of more than [`LARGE`]: time for an admin, or for NTP, to take it back.
const SETTLES_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);
/// Seconds by which the two clocks differ after a jump. Less is a correction.
const JUMP: u64 = 60;
/// Seconds of a jump that could end a grace time too early.
const LARGE: u64 = 60 * 60;

impl Agent {
    /// Looks at the clocks; called at each turn of the loop.
    pub fn tend_clock(&mut self, now: Now, out: &mut Vec<Action>) {
        let before = std::mem::replace(&mut self.clock_seen, now);
        let passed = now.mono.saturating_duration_since(before.mono).as_secs();
        let expected = before.unix.saturating_add(passed);
        let jump = now.unix.abs_diff(expected);
        if jump < JUMP {
            return;
        }
        let text = match jump {
            ..=172_799 => format!("the clock was moved by {} min", jump / 60),
            _ => format!("the clock was moved from {} to {}", date(expected), date(now.unix)),
        };
        self.events.push(now.unix, "agent", None, text);
        if jump >= LARGE {
            self.cache.no_expiry_before(now.mono + SETTLES_AGAIN);
        }
        // certificates that were out of time may be good now: whoever is down for that is asked at once
        self.fetches.probe_now(now);
        self.probe(now, out);
    }

    /// Known phones are refreshed in the background once a night between 01:00 and 05:00 UTC, so that the store is warm;
    /// while the clock is not set, once in 24 hours of uptime. Each has its own minute, and each router its own part of
    /// the night, so that the upstream is not stormed. That part is half of `guard_window`: over the whole night a
    /// mistake in the database would reach all phones, too few within each window for the guard to see.
    pub(super) fn nightly(&mut self, now: Now, out: &mut Vec<Action>) {
        let clock = now.clock_is_set();
        let minutes = |n: &Now| match clock {
            true => n.unix / 60,
            false => n.mono.saturating_duration_since(self.started.mono).as_secs() / 60,
        };
        let this = minutes(&now);
        // each minute once; after a clock jump, or a suspend, nothing is made up for
        let passed = this.saturating_sub(minutes(&self.last_tick)).min(5);
        let enabled = |vendor: usize| self.actives.get(vendor).is_some_and(|a| a.enabled);
        let spread = |mac: Mac| mac.0.iter().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(*b)));
        let (begin, night) = if clock { (60, 240) } else { (0, 1440) };
        let part = (self.config.agent.guard_window.as_secs() / 120).clamp(1, 240);
        let known = || self.cache.iter().filter(|(_, e)| e.current().is_some() && enabled(e.how().vendor));
        let ours = known().map(|(k, _)| k.mac).min().map_or(0, |first| spread(first) % (night - part + 1));
        let due: Vec<ResourceKey> = known()
            .filter(|(k, _)| {
                let slot = begin + ours + spread(k.mac) % part;
                (this % 1440 + 1440 - slot) % 1440 < passed
            })
            .map(|(k, _)| k.clone())
            .collect();
        self.refresh_later(due, now, out);
    }
}
