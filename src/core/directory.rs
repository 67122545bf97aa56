//! The directory of phones: who was seen, how, and what is known of them. Bounded: strangers go first, phones that
//! were served never.

use crate::bounds;
use crate::core::now::Now;
use crate::core::types::{PhoneRecord, UnixTime};
use crate::proto::mac::Mac;
use crate::vendor::AgentFacts;
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::time::Instant;

/// Which way a phone was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SeenBy {
    Pnp,
    Http,
}

/// One phone.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // names as in `phones --json`
pub struct Phone {
    pub mac: Mac,
    /// Vendor section name.
    pub vendor: String,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub ip: Option<Ipv4Addr>,
    /// Index of the device it was last seen on.
    pub device: usize,
    /// The port its SIP comes from, for resync.
    pub sip_port: u16,
    pub first_seen: UnixTime,
    pub last_seen: UnixTime,
    pub by_pnp: bool,
    pub by_http: bool,
    /// What is on flash of it; `None` for a stranger.
    pub record: Option<PhoneRecord>,
    /// When that was last written in this run.
    pub written: Option<Instant>,
    /// It came while the enrolment window was open.
    pub admitted: bool,
    /// It may have nothing (`option enrol`), and was told so then.
    pub refused: Option<Instant>,
    /// Its place in the order in which strangers go.
    rank: Rank,
}

impl Phone {
    /// What should be on flash of it.
    pub fn to_record(&self, refused_since: std::collections::BTreeMap<String, UnixTime>) -> PhoneRecord {
        PhoneRecord {
            mac: self.mac.to_string(),
            vendor: self.vendor.clone(),
            model: self.model.clone(),
            firmware: self.firmware.clone(),
            first_seen: self.record.as_ref().map_or(self.first_seen, |r| r.first_seen),
            refused_since,
        }
    }
}

/// Who goes first: whoever was only heard of by UDP, whose MACs anybody can make up, a thousand in a second; then
/// whoever has spoken HTTP or was admitted. Among these, who was seen longest ago.
type Rank = (bool, u64);

/// All phones.
#[derive(Default)]
pub struct Directory {
    phones: HashMap<Mac, Phone>,
    /// Strangers, in the order in which they go. A phone that became known stays until its turn comes.
    strangers: BTreeSet<(Rank, Mac)>,
    /// Counts sightings: unlike the clock it never jumps.
    sightings: u64,
}

/// One sighting of a phone.
pub struct Seen<'a> {
    /// Whose.
    pub mac: Mac,
    /// Vendor section name.
    pub vendor: &'a str,
    /// Which way.
    pub by: SeenBy,
    /// From where.
    pub ip: Ipv4Addr,
    /// On which device.
    pub device: usize,
    /// What it says of itself; what it does not say stays as it was.
    pub facts: AgentFacts,
}

impl Directory {
    /// A phone that the store knows.
    pub fn load(&mut self, mac: Mac, record: PhoneRecord) {
        let phone = Phone {
            mac,
            vendor: record.vendor.clone(),
            model: record.model.clone(),
            firmware: record.firmware.clone(),
            ip: None,
            device: 0,
            sip_port: 5060,
            first_seen: record.first_seen,
            last_seen: 0,
            by_pnp: false,
            by_http: false,
            record: Some(record),
            written: None,
            admitted: false,
            refused: None,
            rank: (true, 0),
        };
        self.phones.insert(mac, phone);
    }

    /// A phone was seen. Returns `None` where there is no room for one more stranger.
    pub fn seen(&mut self, seen: Seen<'_>, now: Now) -> Option<&mut Phone> {
        while !self.phones.contains_key(&seen.mac) && self.phones.len() >= bounds::PHONES {
            let (_, first) = self.strangers.pop_first()?;
            if self.phones.get(&first).is_some_and(|p| p.record.is_none()) {
                self.phones.remove(&first);
            }
        }
        self.sightings += 1;
        let sighting = self.sightings;
        let phone = self.phones.entry(seen.mac).or_insert_with(|| Phone {
            mac: seen.mac,
            vendor: seen.vendor.to_string(),
            model: None,
            firmware: None,
            ip: None,
            device: seen.device,
            sip_port: 5060,
            first_seen: now.unix,
            last_seen: now.unix,
            by_pnp: false,
            by_http: false,
            record: None,
            written: None,
            admitted: false,
            refused: None,
            rank: (false, 0),
        });
        if phone.vendor != seen.vendor {
            phone.vendor = seen.vendor.to_string();
        }
        phone.last_seen = now.unix;
        phone.ip = Some(seen.ip);
        phone.device = seen.device;
        match seen.by {
            SeenBy::Pnp => phone.by_pnp = true,
            SeenBy::Http => phone.by_http = true,
        }
        if phone.record.is_none() {
            self.strangers.remove(&(phone.rank, phone.mac));
            phone.rank = (phone.by_http || phone.admitted, sighting);
            self.strangers.insert((phone.rank, phone.mac));
        }
        if seen.facts.model.is_some() {
            phone.model = seen.facts.model;
        }
        if seen.facts.firmware.is_some() {
            phone.firmware = seen.facts.firmware;
        }
        Some(phone)
    }

    /// One phone.
    pub fn get(&self, mac: Mac) -> Option<&Phone> {
        self.phones.get(&mac)
    }

    /// One phone, to note what was written of it.
    pub fn get_mut(&mut self, mac: Mac) -> Option<&mut Phone> {
        self.phones.get_mut(&mac)
    }

    /// Forgets one phone.
    pub fn forget(&mut self, mac: Mac) -> bool {
        let Some(gone) = self.phones.remove(&mac) else { return false };
        self.strangers.remove(&(gone.rank, mac));
        true
    }

    /// All, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Phone> {
        self.phones.values()
    }

    /// All, ordered by MAC.
    pub fn sorted(&self) -> Vec<&Phone> {
        let mut all: Vec<&Phone> = self.phones.values().collect();
        all.sort_unstable_by_key(|p| p.mac);
        all
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn strangers_go_first_and_served_phones_never() {
        let mut d = Directory::default();
        let mac = |i: u32| {
            let b = i.to_be_bytes();
            Mac([0, 4, b[0], b[1], b[2], b[3]])
        };
        let now = |unix| Now { mono: Instant::now(), unix };
        let record = |m: Mac| PhoneRecord {
            mac: m.to_string(),
            vendor: "snom".into(),
            model: None,
            firmware: None,
            first_seen: 1,
            refused_since: Default::default(),
        };
        for i in 0..10 {
            d.load(mac(i), record(mac(i)));
        }
        for i in 10..3 * bounds::PHONES as u32 {
            let seen = Seen {
                mac: mac(i),
                vendor: "snom",
                by: SeenBy::Pnp,
                ip: Ipv4Addr::LOCALHOST,
                device: 0,
                facts: AgentFacts::default(),
            };
            assert!(d.seen(seen, now(i.into())).is_some());
        }
        assert_eq!(d.sorted().len(), bounds::PHONES);
        assert!((0..10).all(|i| d.get(mac(i)).is_some()));
        assert!(d.get(mac(3 * bounds::PHONES as u32 - 1)).is_some());
        assert!(d.strangers.len() <= bounds::PHONES);
    }

    #[test]
    fn who_has_spoken_http_outlives_a_flood_of_names_by_udp() {
        let mut d = Directory::default();
        let now = Now { mono: Instant::now(), unix: 100 };
        let mac = |i: u32| {
            let b = i.to_be_bytes();
            Mac([0, 4, b[0], b[1], b[2], b[3]])
        };
        let mut seen = |i: u32, by| {
            let facts = AgentFacts::default();
            let seen = Seen { mac: mac(i), vendor: "snom", by, ip: Ipv4Addr::LOCALHOST, device: 0, facts };
            d.seen(seen, now).is_some()
        };
        assert!(seen(1, SeenBy::Pnp) && seen(1, SeenBy::Http));
        assert!((2..3 * bounds::PHONES as u32).all(|i| seen(i, SeenBy::Pnp)));
        assert!(d.get(mac(1)).is_some() && d.get(mac(2)).is_none());
        // one that became known does not hold the others up
        d.get_mut(mac(3 * bounds::PHONES as u32 - 1)).unwrap().record = Some(PhoneRecord {
            mac: "x".into(),
            vendor: "snom".into(),
            model: None,
            firmware: None,
            first_seen: 1,
            refused_since: Default::default(),
        });
        let mut seen = |i: u32| {
            let facts = AgentFacts::default();
            let seen =
                Seen { mac: mac(i), vendor: "snom", by: SeenBy::Http, ip: Ipv4Addr::LOCALHOST, device: 0, facts };
            d.seen(seen, now).is_some()
        };
        assert!((20_000..20_000 + 2 * bounds::PHONES as u32).all(&mut seen));
        assert!(d.get(mac(3 * bounds::PHONES as u32 - 1)).is_some(), "served: never");
        assert!(d.forget(mac(20_000 + 2 * bounds::PHONES as u32 - 1)));
        assert_eq!(d.sorted().len(), bounds::PHONES - 1);
    }
}
