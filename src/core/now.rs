//! Time as an input.

use crate::core::types::UnixTime;
use std::time::Instant;

/// The two clocks, read once at the edge for each input. `mono` never jumps and times everything; `unix` is for
/// people and for what survives a reboot, and may jump by decades when NTP arrives.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic.
    pub mono: Instant,
    /// Wall clock.
    pub unix: UnixTime,
}

impl Now {
    /// Is the wall clock set? A router without a battery starts in 1970 or at its image's build date; nothing that
    /// is counted in days may be decided before the clock is right.
    pub fn clock_is_set(&self) -> bool {
        self.unix >= CLOCK_SET
    }
}

/// 2025-01-01, before which no router with this software can really be.
pub const CLOCK_SET: UnixTime = 1_735_689_600;
