//! The directory of phones: who was seen, how, and what is known of them. Bounded: strangers go first, phones that
//! were served never.

use crate::bounds;
use crate::core::now::Now;
use crate::core::types::{PhoneRecord, UnixTime};
use crate::proto::mac::Mac;
use crate::vendor::AgentFacts;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

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
    /// Is `ip` known from DHCP alone? It has not yet spoken from there.
    pub ip_is_claim: bool,
    /// As it calls itself in DHCP: printable ASCII.
    pub hostname: Option<String>,
    /// Index of the device it was last seen on.
    pub device: usize,
    /// The port its SIP comes from, for resync.
    pub sip_port: u16,
    pub first_seen: UnixTime,
    pub last_seen: UnixTime,
    pub by_pnp: bool,
    pub by_http: bool,
    pub by_dhcp: bool,
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
    /// When room was last made for a phone known from DHCP alone.
    swept: Option<Instant>,
}

/// How often room is made for a phone that is known from DHCP alone.
const SWEEP: Duration = Duration::from_secs(1);

/// What DHCP says of a phone.
pub struct Claim<'a> {
    /// Whose.
    pub mac: Mac,
    /// Vendor section name.
    pub vendor: &'a str,
    /// The address it has or gets, where one is named.
    pub ip: Option<Ipv4Addr>,
    /// Does the neighbour table say the same of that address?
    pub confirmed: bool,
    /// On which device.
    pub device: usize,
    /// What its vendor class says.
    pub facts: AgentFacts,
    /// Its name: printable ASCII.
    pub hostname: Option<String>,
}

/// What a [`Claim`] has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Nothing: the directory is full.
    NoRoom,
    /// The phone was not seen in DHCP before, and its address is as it was.
    First,
    /// It has another address now.
    Address,
    /// Nothing that is worth telling.
    Again,
}

/// A phone of which nothing is known yet.
fn fresh(mac: Mac, vendor: &str, device: usize, now: Now) -> Phone {
    Phone {
        mac,
        vendor: vendor.to_string(),
        model: None,
        firmware: None,
        ip: None,
        ip_is_claim: false,
        hostname: None,
        device,
        sip_port: 5060,
        first_seen: now.unix,
        last_seen: now.unix,
        by_pnp: false,
        by_http: false,
        by_dhcp: false,
        record: None,
        written: None,
    }
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
            ip_is_claim: false,
            hostname: None,
            device: 0,
            sip_port: 5060,
            first_seen: record.first_seen,
            last_seen: 0,
            by_pnp: false,
            by_http: false,
            by_dhcp: false,
            record: Some(record),
            written: None,
        };
        self.phones.insert(mac, phone);
    }

    /// A phone was seen. Returns `None` where there is no room for one more stranger.
    pub fn seen(&mut self, seen: Seen<'_>, now: Now) -> Option<&mut Phone> {
        if !self.make_room(seen.mac, false) {
            return None;
        }
        let phone = self.phones.entry(seen.mac).or_insert_with(|| fresh(seen.mac, seen.vendor, seen.device, now));
        if phone.vendor != seen.vendor {
            phone.vendor = seen.vendor.to_string();
        }
        phone.last_seen = now.unix;
        phone.ip = Some(seen.ip);
        phone.ip_is_claim = false;
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

    /// A phone was heard in DHCP. That is a claim and no more: one forged frame makes it. So it fills in what is not
    /// known yet, and changes nothing that the phone has said by PnP or HTTP; but for an address that is confirmed.
    pub fn claimed(&mut self, claim: Claim<'_>, now: Now) -> Noted {
        if !self.phones.contains_key(&claim.mac) && self.phones.len() >= bounds::PHONES {
            // looking for a place costs a walk through all phones: a flood shall not lead to one a frame
            let just = self.swept.is_some_and(|at| now.mono.saturating_duration_since(at) < SWEEP);
            if just {
                return Noted::NoRoom;
            }
            self.swept = Some(now.mono);
        }
        if !self.make_room(claim.mac, true) {
            return Noted::NoRoom;
        }
        let phone = self.phones.entry(claim.mac).or_insert_with(|| fresh(claim.mac, claim.vendor, claim.device, now));
        let first = !phone.by_dhcp;
        phone.by_dhcp = true;
        phone.last_seen = now.unix;
        if claim.hostname.is_some() {
            phone.hostname = claim.hostname;
        }
        phone.model = phone.model.take().or(claim.facts.model);
        phone.firmware = phone.firmware.take().or(claim.facts.firmware);
        let free = phone.ip.is_none() || phone.ip_is_claim || claim.confirmed;
        match claim.ip.filter(|_| free) {
            Some(ip) if phone.ip != Some(ip) => {
                phone.ip = Some(ip);
                phone.ip_is_claim = true;
                phone.device = claim.device;
                Noted::Address
            }
            _ if first => Noted::First,
            _ => Noted::Again,
        }
    }

    /// Is there a place for this phone? Strangers go: those first that are known from DHCP alone, and for one such only
    /// they.
    fn make_room(&mut self, mac: Mac, claim: bool) -> bool {
        if self.phones.contains_key(&mac) || self.phones.len() < bounds::PHONES {
            return true;
        }
        let spoke = |p: &Phone| p.by_pnp || p.by_http;
        let strangers = self.phones.values().filter(|p| p.record.is_none() && !(claim && spoke(p)));
        let Some(oldest) = strangers.min_by_key(|p| (spoke(p), p.last_seen)).map(|p| p.mac) else { return false };
        self.phones.remove(&oldest);
        true
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

    fn claim(mac: Mac, ip: [u8; 4], confirmed: bool) -> Claim<'static> {
        let facts = AgentFacts { model: Some("320".into()), ..AgentFacts::default() };
        let ip = (ip != [0; 4]).then(|| ip.into());
        Claim { mac, vendor: "snom", ip, confirmed, device: 1, facts, hostname: Some("desk".into()) }
    }

    #[test]
    fn a_claim_fills_in_and_takes_nothing_away() {
        let mut d = Directory::default();
        let mac = Mac([0, 4, 0x13, 0, 0, 1]);
        let now = Now { mono: Instant::now(), unix: 5 };
        assert_eq!(d.claimed(claim(mac, [0; 4], false), now), Noted::First);
        assert_eq!(d.get(mac).unwrap().ip, None);
        assert_eq!(d.claimed(claim(mac, [10, 0, 0, 1], false), now), Noted::Address);
        assert_eq!(d.claimed(claim(mac, [10, 0, 0, 1], false), now), Noted::Again);
        assert_eq!(d.claimed(claim(mac, [0; 4], false), now), Noted::Again);
        assert_eq!(d.claimed(claim(mac, [10, 0, 0, 2], false), now), Noted::Address);
        let facts = AgentFacts { model: Some("D785".into()), ..AgentFacts::default() };
        let spoke = Seen { mac, vendor: "snom", by: SeenBy::Http, ip: [10, 0, 0, 3].into(), device: 0, facts };
        d.seen(spoke, now);
        assert_eq!(d.claimed(claim(mac, [10, 0, 0, 4], false), now), Noted::Again);
        let p = d.get(mac).unwrap();
        assert_eq!((p.ip, p.device, p.model.as_deref()), (Some([10, 0, 0, 3].into()), 0, Some("D785")));
        assert_eq!(p.hostname.as_deref(), Some("desk"));
        assert_eq!(d.claimed(claim(mac, [10, 0, 0, 4], true), now), Noted::Address);
        assert_eq!(d.get(mac).unwrap().device, 1);
    }

    #[test]
    fn a_flood_of_claims_pushes_nobody_out_who_has_spoken() {
        let mut d = Directory::default();
        let mac = |i: u32| Mac([0, 4, i.to_be_bytes()[0], i.to_be_bytes()[1], i.to_be_bytes()[2], i.to_be_bytes()[3]]);
        let start = Instant::now();
        let now = |s| Now { mono: start + Duration::from_secs(s), unix: 5 + s };
        let seen = |i| Seen {
            mac: mac(i),
            vendor: "snom",
            by: SeenBy::Pnp,
            ip: Ipv4Addr::LOCALHOST,
            device: 0,
            facts: AgentFacts::default(),
        };
        d.seen(seen(0), now(0));
        for i in 1..3 * bounds::PHONES as u32 {
            d.claimed(claim(mac(i), [10, 0, 0, 1], false), now(1));
        }
        assert_eq!(d.sorted().len(), bounds::PHONES);
        let last = mac(3 * bounds::PHONES as u32);
        assert_eq!(d.claimed(claim(last, [0; 4], false), now(1)), Noted::NoRoom);
        assert_eq!(d.claimed(claim(last, [0; 4], false), now(3)), Noted::First, "some room is made again and again");
        for i in 0..bounds::PHONES as u32 {
            assert!(d.seen(seen(1_000_000 + i), now(4)).is_some());
        }
        assert!(d.get(last).is_none(), "claims go first");
        assert_eq!(d.claimed(claim(last, [0; 4], false), now(9)), Noted::NoRoom, "and take no place of others");
    }
}
