//! How often a phone is answered: phones ask twice in a row, and the second answer only costs.

use crate::bounds;
use crate::proto::mac::Mac;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// When phones were last answered. Only who has shown the password gets in here, so nobody locks another's phone out.
#[derive(Default)]
pub struct Recent {
    answered: HashMap<Mac, Duration>,
    /// In the order of time.
    order: VecDeque<(Duration, Mac)>,
}

impl Recent {
    /// What this phone was answered is no longer so: it may have the new answer at once.
    pub fn forget(&mut self, mac: Mac) {
        self.answered.remove(&mac);
    }

    /// What all phones were answered may no longer be so.
    pub fn forget_all(&mut self) {
        *self = Recent::default();
    }

    /// May this phone be answered `now` (a clock that only goes on)? If so, it may not again for
    /// [`bounds::PROVISIONER_PAUSE`].
    pub fn admit(&mut self, mac: Mac, now: Duration) -> bool {
        while let Some((at, old)) = self.order.front().copied() {
            if now.saturating_sub(at) < bounds::PROVISIONER_PAUSE && self.order.len() < bounds::PROVISIONER_RECENT {
                break;
            }
            self.order.pop_front();
            // it may have been forgotten, and answered again since
            if self.answered.get(&old) == Some(&at) {
                self.answered.remove(&old);
            }
        }
        if self.answered.contains_key(&mac) {
            return false;
        }
        self.answered.insert(mac, now);
        self.order.push_back((now, mac));
        true
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn mac(n: usize) -> Mac {
        let b = n.to_be_bytes();
        Mac([0, 4, b[b.len() - 4], b[b.len() - 3], b[b.len() - 2], b[b.len() - 1]])
    }

    #[test]
    fn once_in_six_seconds() {
        let mut recent = Recent::default();
        let at = Duration::from_millis;
        assert!(recent.admit(mac(1), at(100_000)));
        assert!(!recent.admit(mac(1), at(100_001)));
        assert!(recent.admit(mac(2), at(103_000)));
        assert!(!recent.admit(mac(1), at(105_999)));
        assert!(recent.admit(mac(1), at(106_000)), "a refused request does not begin the time anew");
        assert!(!recent.admit(mac(2), at(108_999)));
    }

    #[test]
    fn bounded() {
        let mut recent = Recent::default();
        for n in 0..bounds::PROVISIONER_RECENT * 2 {
            assert!(recent.admit(mac(n), Duration::from_millis(n as u64 / 100)));
        }
        assert!(recent.order.len() <= bounds::PROVISIONER_RECENT && recent.answered.len() == recent.order.len());
        for _ in 0..bounds::PROVISIONER_RECENT * 2 {
            recent.forget(mac(1));
            assert!(recent.admit(mac(1), Duration::from_secs(1000)));
        }
        assert!(recent.order.len() <= bounds::PROVISIONER_RECENT && recent.answered.len() <= recent.order.len());
    }

    #[test]
    fn a_phone_whose_config_changed_need_not_wait() {
        let mut recent = Recent::default();
        let at = Duration::from_secs;
        assert!(recent.admit(mac(1), at(100)) && recent.admit(mac(2), at(100)));
        recent.forget(mac(1));
        assert!(recent.admit(mac(1), at(103)) && !recent.admit(mac(2), at(103)));
        assert!(!recent.admit(mac(1), at(107)), "six seconds from its last answer on");
    }
}
