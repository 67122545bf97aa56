//! The wall clock jumps: from 1970, or from the router's last shutdown, to now when NTP comes, and sometimes to where
//! it should not. Nothing is timed by it but the days of a grace time; these must not end by a jump.

use super::{Action, Agent};
use crate::core::now::{date, Now};
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
}
