//! How much of something one address may have in a time, in bounded memory.

use crate::sorted::SortedMap;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// The bounds of a [`Rate`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So many of one address…
    pub most: u32,
    /// …within this time.
    pub window: Duration,
    /// Addresses that are remembered.
    pub sources: usize,
}

/// Counts for each source. Each address in `counts` stands once in `starts`, in the order of its window's start.
pub struct Rate {
    limits: Limits,
    counts: SortedMap<Ipv4Addr, u32>,
    starts: VecDeque<(Instant, Ipv4Addr)>,
}

impl Rate {
    /// Nothing counted yet.
    pub fn new(limits: Limits) -> Rate {
        Rate { limits, counts: SortedMap::new(), starts: VecDeque::new() }
    }

    /// Counts one of `source` and says whether it is within the rate. When all places are taken, the address whose
    /// window began first is forgotten: a flood of invented sources must not lock a phone out.
    pub fn admit(&mut self, source: Ipv4Addr, now: Instant) -> bool {
        let Limits { most, window, sources } = self.limits;
        while self.starts.front().is_some_and(|(start, _)| now.saturating_duration_since(*start) >= window) {
            self.drop_first();
        }
        if let Some(count) = self.counts.get_mut(&source) {
            *count = count.saturating_add(1);
            return *count <= most;
        }
        if self.starts.len() >= sources {
            self.drop_first();
        }
        self.counts.insert(source, 1);
        self.starts.push_back((now, source));
        true
    }

    fn drop_first(&mut self) {
        if let Some((_, source)) = self.starts.pop_front() {
            self.counts.remove(&source);
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const LIMITS: Limits = Limits { most: 20, window: Duration::from_secs(10), sources: 4096 };

    #[test]
    fn window() {
        let (mut rate, t0) = (Rate::new(LIMITS), Instant::now());
        let (a, b) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!((0..50).filter(|_| rate.admit(a, t0)).count(), 20);
        assert!(rate.admit(b, t0));
        assert!(!rate.admit(a, t0 + LIMITS.window - Duration::from_millis(1)));
        assert!(rate.admit(a, t0 + LIMITS.window));
    }

    #[test]
    fn memory() {
        let (mut rate, t0) = (Rate::new(LIMITS), Instant::now());
        for i in 0..3 * LIMITS.sources as u32 {
            assert!(rate.admit(Ipv4Addr::from(i), t0));
        }
        assert_eq!((rate.counts.len(), rate.starts.len()), (LIMITS.sources, LIMITS.sources));
        assert!(rate.admit(Ipv4Addr::BROADCAST, t0 + LIMITS.window));
        assert_eq!((rate.counts.len(), rate.starts.len()), (1, 1));
    }
}
