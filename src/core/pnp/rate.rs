//! How many SUBSCRIBEs one address may send, in bounded memory.

use crate::bounds;
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(bounds::SIP_RATE_WINDOW);

/// Counts for each source. Each address in `counts` stands once in `starts`, in the order of its window's start.
#[derive(Default)]
pub struct Rate {
    counts: BTreeMap<Ipv4Addr, u32>,
    starts: VecDeque<(Instant, Ipv4Addr)>,
}

impl Rate {
    /// Counts one of `source` and says whether it is within the rate. When all places are taken, the address whose
    /// window began first is forgotten: a flood of invented sources must not lock a phone out.
    pub fn admit(&mut self, source: Ipv4Addr, now: Instant) -> bool {
        while self.starts.front().is_some_and(|(start, _)| now.saturating_duration_since(*start) >= WINDOW) {
            self.drop_first();
        }
        if let Some(count) = self.counts.get_mut(&source) {
            *count = count.saturating_add(1);
            return *count <= bounds::SIP_RATE;
        }
        if self.starts.len() >= bounds::SIP_RATE_SOURCES {
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

    #[test]
    fn window() {
        let (mut rate, t0) = (Rate::default(), Instant::now());
        let (a, b) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!((0..50).filter(|_| rate.admit(a, t0)).count() as u32, bounds::SIP_RATE);
        assert!(rate.admit(b, t0));
        assert!(!rate.admit(a, t0 + WINDOW - Duration::from_millis(1)));
        assert!(rate.admit(a, t0 + WINDOW));
    }

    #[test]
    fn memory() {
        let (mut rate, t0) = (Rate::default(), Instant::now());
        for i in 0..3 * bounds::SIP_RATE_SOURCES as u32 {
            assert!(rate.admit(Ipv4Addr::from(i), t0));
        }
        assert_eq!((rate.counts.len(), rate.starts.len()), (bounds::SIP_RATE_SOURCES, bounds::SIP_RATE_SOURCES));
        assert!(rate.admit(Ipv4Addr::BROADCAST, t0 + WINDOW));
        assert_eq!((rate.counts.len(), rate.starts.len()), (1, 1));
    }
}
