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

/// `2026-11-22`, of Unix seconds (the civil calendar, UTC).
pub fn date(unix: UnixTime) -> String {
    // days since 0000-03-01, in eras of 400 years: leap days come last in a year that begins in March
    let days = unix / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}")
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn dates() {
        for (unix, text) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (CLOCK_SET, "2025-01-01"),
            (CLOCK_SET - 1, "2024-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(unix), text);
        }
    }
}
