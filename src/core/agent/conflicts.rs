//! Who speaks from where, as the neighbour table has it, and what does not fit together: one MAC behind two addresses,
//! or one address whose MAC changes. Each can be a phone that got another address; each can also be somebody who takes
//! a phone's MAC to get its config. The agent cannot tell them apart, so it tells the admin.

use crate::bounds;
use crate::core::types::UnixTime;
use crate::proto::mac::Mac;
use crate::sorted::SortedMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How long a sighting counts against another one. Longer than a phone's boot, shorter than most DHCP leases.
const WINDOW: Duration = Duration::from_secs(600);
/// How long a conflict is shown with the phone.
const SHOWN: Duration = Duration::from_secs(24 * 60 * 60);

/// What does not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    /// A sentence for the admin.
    pub(super) text: String,
    /// When it was noticed.
    pub(super) at: UnixTime,
    noticed: Instant,
}

/// Sightings of the last ten minutes.
#[derive(Default)]
pub(super) struct Conflicts {
    of_mac: SortedMap<Mac, (Ipv4Addr, Instant)>,
    of_address: SortedMap<Ipv4Addr, (Mac, Instant)>,
    found: SortedMap<Mac, Conflict>,
}

impl Conflicts {
    /// `ip` has this MAC in the neighbour table, and speaks. Returns a sentence that was not told within the last ten
    /// minutes.
    pub(super) fn seen(&mut self, mac: Mac, ip: Ipv4Addr, mono: Instant, unix: UnixTime) -> Option<String> {
        let young = |at: &Instant| mono.saturating_duration_since(*at) < WINDOW;
        let before = |at: Instant| match mono.saturating_duration_since(at).as_secs() {
            s @ 0..=119 => format!("{s} s ago"),
            s => format!("{} min ago", s / 60),
        };
        let elsewhere = self.of_mac.get(&mac).filter(|(other, at)| *other != ip && young(at)).map(|(other, at)| {
            format!(
                "speaks from {ip}, and {} from {other}: it got another address, or two devices have this MAC",
                before(*at)
            )
        });
        let another = self.of_address.get(&ip).filter(|(other, at)| *other != mac && young(at)).map(|(other, at)| {
            format!("speaks from {ip}, which {} had the MAC {other}: the address went to another device", before(*at))
        });
        remember(&mut self.of_mac, mac, (ip, mono), mono);
        remember(&mut self.of_address, ip, (mac, mono), mono);
        let text = elsewhere.or(another)?;
        if self.found.get(&mac).is_some_and(|c| young(&c.noticed)) {
            return None;
        }
        if self.found.len() >= bounds::CONFLICTS && !self.found.contains_key(&mac) {
            let oldest = self.found.iter().min_by_key(|(_, c)| c.noticed).map(|(m, _)| *m)?;
            self.found.remove(&oldest);
        }
        self.found.insert(mac, Conflict { text: text.clone(), at: unix, noticed: mono });
        Some(text)
    }

    /// What was noticed of this phone within a day.
    pub(super) fn of(&self, mac: Mac, mono: Instant) -> Option<&Conflict> {
        self.found.get(&mac).filter(|c| mono.saturating_duration_since(c.noticed) < SHOWN)
    }

    /// The admin has forgotten this phone, or all.
    pub(super) fn forget(&mut self, mac: Option<Mac>) {
        match mac {
            Some(mac) => {
                self.of_mac.remove(&mac);
                self.of_address.retain(|_, (m, _)| *m != mac);
                self.found.remove(&mac);
            }
            None => *self = Conflicts::default(),
        }
    }
}

/// Where all places are taken, those whose time is over make room; if there is none, this one is not remembered.
fn remember<K: Ord, V>(map: &mut SortedMap<K, (V, Instant)>, key: K, value: (V, Instant), mono: Instant) {
    if map.len() >= bounds::SIGHTINGS && !map.contains_key(&key) {
        map.retain(|_, (_, at)| mono.saturating_duration_since(*at) < WINDOW);
        if map.len() >= bounds::SIGHTINGS {
            return;
        }
    }
    map.insert(key, value);
}

#[cfg(test)]
mod test {
    use super::*;

    fn mac(n: u16) -> Mac {
        let [a, b] = n.to_be_bytes();
        Mac([0, 4, 0x13, 0, a, b])
    }

    #[test]
    fn what_does_not_fit_together_is_told_once() {
        let (mut c, t0) = (Conflicts::default(), Instant::now());
        let ip = |n| Ipv4Addr::new(192, 168, 1, n);
        let at = |s| t0 + Duration::from_secs(s);
        assert_eq!(c.seen(mac(1), ip(1), at(0), 100), None);
        assert_eq!(c.seen(mac(1), ip(1), at(5), 105), None);
        let text = c.seen(mac(1), ip(2), at(10), 110).unwrap();
        assert!(text.contains("speaks from 192.168.1.2, and 5 s ago from 192.168.1.1"), "{text}");
        assert_eq!(c.of(mac(1), at(10)).map(|c| c.at), Some(110));
        assert_eq!(c.seen(mac(1), ip(1), at(11), 111), None, "not at each turn");
        assert!(c.seen(mac(2), ip(1), at(200), 300).unwrap().contains("which 3 min ago had the MAC 00:04:13:00:00:01"));
        assert_eq!(c.of(mac(2), at(200) + SHOWN), None);
        // another address after a night is nothing
        assert_eq!(c.seen(mac(1), ip(9), at(200 + 601), 901), None);
        assert_eq!(c.seen(mac(3), ip(9), at(901 + 601), 1502), None);
        c.forget(Some(mac(2)));
        assert_eq!(c.of(mac(2), at(201)), None);
    }

    #[test]
    fn memory() {
        let (mut c, t0) = (Conflicts::default(), Instant::now());
        for i in 0..3 * bounds::SIGHTINGS as u32 {
            let b = i.to_be_bytes();
            for ip in [i, i ^ 0x0101_0000] {
                c.seen(Mac([0, 4, b[0], b[1], b[2], b[3]]), Ipv4Addr::from(ip), t0, 0);
            }
        }
        assert_eq!((c.of_mac.len(), c.of_address.len()), (bounds::SIGHTINGS, bounds::SIGHTINGS));
        assert_eq!(c.found.len(), bounds::CONFLICTS);
        c.seen(mac(1), Ipv4Addr::LOCALHOST, t0 + WINDOW, 0);
        assert_eq!((c.of_mac.len(), c.of_address.len()), (1, 1), "those whose time is over make room");
    }
}
