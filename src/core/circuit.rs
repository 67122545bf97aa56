//! Is the upstream there? After it was found down, one probe at a time finds out when it is back; nobody else waits
//! for it (design section 7).

use std::time::{Duration, Instant};

const FIRST_PROBE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The state of one upstream.
#[derive(Debug, Default)]
pub struct Circuit {
    down: Option<Down>,
}

#[derive(Debug)]
struct Down {
    why: String,
    pause: Duration,
    /// When the next probe may start; `None` while one is under way.
    probe_at: Option<Instant>,
}

impl Circuit {
    /// Why it is down, in words for admins.
    pub fn down(&self) -> Option<&str> {
        self.down.as_ref().map(|d| d.why.as_str())
    }

    /// When [`Circuit::take_probe`] will say yes.
    pub fn probe_at(&self) -> Option<Instant> {
        self.down.as_ref().and_then(|d| d.probe_at)
    }

    /// Is it time for the one probe? The caller that hears yes must fetch something and report how it went.
    pub fn take_probe(&mut self, now: Instant) -> bool {
        match &mut self.down {
            Some(d) if d.probe_at.is_some_and(|at| at <= now) => {
                d.probe_at = None;
                true
            }
            _ => false,
        }
    }

    /// The probe could not be made after all: another may start after the first pause.
    pub fn return_probe(&mut self, now: Instant) {
        if let Some(d) = self.down.as_mut().filter(|d| d.probe_at.is_none()) {
            d.probe_at = Some(now + FIRST_PROBE);
        }
    }

    /// The next probe may start now, unless one is under way.
    pub fn hurry(&mut self, now: Instant) {
        if let Some(at) = self.down.as_mut().and_then(|d| d.probe_at.as_mut()) {
            *at = now.min(*at);
        }
    }

    /// A fetch failed because the upstream is down. `probe`: it was the one that [`Circuit::take_probe`] allowed.
    /// Returns whether this is news.
    pub fn failed(&mut self, why: String, probe: bool, now: Instant) -> bool {
        match &mut self.down {
            None => {
                self.down = Some(Down { why, pause: FIRST_PROBE, probe_at: Some(now + FIRST_PROBE) });
                true
            }
            Some(d) => {
                d.why = why;
                if probe {
                    d.pause = (d.pause * 2).min(LONGEST_PAUSE);
                    d.probe_at = Some(now + d.pause);
                }
                false
            }
        }
    }

    /// It answered. Returns whether this is news.
    pub fn answered(&mut self) -> bool {
        self.down.take().is_some()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn probes_at_10_20_40_60_60_one_at_a_time() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut c = Circuit::default();
        assert!(c.failed("refused".into(), false, at(0)));
        let mut probes = vec![];
        let mut t = 0;
        while t < 300 {
            t += 1;
            if c.take_probe(at(t)) {
                assert!(!c.take_probe(at(t)), "one at a time");
                probes.push(t);
                assert!(!c.failed("refused".into(), true, at(t)), "no news");
            }
        }
        assert_eq!(probes, [10, 30, 70, 130, 190, 250]);
        assert!(c.answered());
        assert!(!c.answered());
        assert_eq!(c.probe_at(), None);
    }

    #[test]
    fn a_slow_failure_of_an_older_fetch_does_not_move_the_probe() {
        let start = Instant::now();
        let mut c = Circuit::default();
        c.failed("a".into(), false, start);
        let at = c.probe_at();
        c.failed("b".into(), false, start + Duration::from_secs(5));
        assert_eq!(c.probe_at(), at);
        assert_eq!(c.down(), Some("b"));
    }
}
