//! How many HTTP requests one address may make, in bounded memory.

use crate::bounds;
use crate::sorted::SortedMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// One request in so long is always within the rate.
const PAUSE: Duration = Duration::from_millis(1000 / bounds::HTTP_RATE as u64);

/// For each address the instant at which it has all its burst again: one number instead of a bucket and its time.
#[derive(Default)]
pub struct Rates {
    full_at: SortedMap<Ipv4Addr, Instant>,
}

impl Rates {
    /// Counts a request of `source`. The error is the time after which the next one is within the rate.
    pub fn admit(&mut self, source: Ipv4Addr, now: Instant) -> Result<(), Duration> {
        if self.full_at.len() >= bounds::HTTP_RATE_SOURCES && !self.full_at.contains_key(&source) {
            // who has all his burst is as good as never seen
            self.full_at.retain(|_, at| *at > now);
            if self.full_at.len() >= bounds::HTTP_RATE_SOURCES {
                // a new address must not be locked out by many busy ones: the least busy of them begins anew
                let least = self.full_at.iter().min_by_key(|(_, at)| **at).map(|(ip, _)| *ip);
                least.and_then(|ip| self.full_at.remove(&ip));
            }
        }
        let full_at = self.full_at.get_or_insert_with(source, || now);
        let owed = full_at.saturating_duration_since(now);
        let burst = PAUSE * (bounds::HTTP_BURST - 1);
        if owed > burst {
            return Err(owed - burst);
        }
        *full_at = now + owed + PAUSE;
        Ok(())
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let (mut rates, t0) = (Rates::default(), Instant::now());
        let (a, b) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let admitted = |rates: &mut Rates, at| (0..1000).filter(|_| rates.admit(a, at).is_ok()).count() as u32;
        assert_eq!(admitted(&mut rates, t0), bounds::HTTP_BURST);
        assert!(rates.admit(a, t0).unwrap_err() <= PAUSE);
        assert!(rates.admit(b, t0).is_ok(), "the others go on");
        assert_eq!(admitted(&mut rates, t0 + Duration::from_secs(1)), bounds::HTTP_RATE);
        assert_eq!(admitted(&mut rates, t0 + Duration::from_secs(3600)), bounds::HTTP_BURST);
    }

    #[test]
    fn memory() {
        let (mut rates, t0) = (Rates::default(), Instant::now());
        let busy = Ipv4Addr::BROADCAST;
        while rates.admit(busy, t0).is_ok() {}
        for i in 0..3 * bounds::HTTP_RATE_SOURCES as u32 {
            assert!(rates.admit(Ipv4Addr::from(i), t0).is_ok());
        }
        assert_eq!(rates.full_at.len(), bounds::HTTP_RATE_SOURCES);
        assert!(rates.admit(busy, t0).is_err(), "who is over the rate stays over it");
        assert!(rates.admit(Ipv4Addr::LOCALHOST, t0 + Duration::from_secs(60)).is_ok());
        assert_eq!(rates.full_at.len(), 1, "who is quiet again is forgotten");
    }
}
