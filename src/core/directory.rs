//! The directory of phones: who was seen, how, and what is known of them. Bounded: strangers go first, phones that
//! were served never.

use crate::bounds;
use crate::core::now::Now;
use crate::core::types::{PhoneRecord, UnixTime};
use crate::proto::mac::Mac;
use crate::vendor::AgentFacts;
use std::collections::HashMap;
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

/// All phones.
#[derive(Default)]
pub struct Directory {
    phones: HashMap<Mac, Phone>,
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
        };
        self.phones.insert(mac, phone);
    }

    /// A phone was seen. Returns `None` where there is no room for one more stranger.
    pub fn seen(&mut self, seen: Seen<'_>, now: Now) -> Option<&mut Phone> {
        if !self.phones.contains_key(&seen.mac) && self.phones.len() >= bounds::PHONES {
            let oldest =
                self.phones.values().filter(|p| p.record.is_none()).min_by_key(|p| p.last_seen).map(|p| p.mac)?;
            self.phones.remove(&oldest);
        }
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
        self.phones.remove(&mac).is_some()
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
    }
}
