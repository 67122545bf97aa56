//! The directory of phones: who was seen, how, and what is known of them. Bounded: strangers make room for each other,
//! those first whose names cost nothing to make up (see [`Standing`]); phones that were served never go.

use crate::bounds;
use crate::core::now::Now;
use crate::core::types::{Decided, PhoneRecord, UnixTime};
use crate::proto::mac::Mac;
use crate::vendor::AgentFacts;
use std::collections::{BTreeSet, HashMap};
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
    /// It came while the enrolment window was open.
    pub admitted: bool,
    /// It may have nothing (`option enrol`), and was told so then.
    pub refused: Option<Instant>,
    /// Its place in the order in which strangers go.
    rank: Rank,
}

/// How much a stranger has shown of itself. Who has shown least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Heard in DHCP alone: one forged frame does it.
    Heard,
    /// Has asked by PnP alone, a datagram whose MAC anybody can make up; or may have nothing.
    Named,
    /// Has spoken HTTP, or was admitted.
    Spoke,
}

/// Among those of one standing, whoever was seen longest ago goes first.
type Rank = (Standing, u64);

impl Phone {
    fn standing(&self) -> Standing {
        match (self.by_http || self.admitted, self.by_pnp, self.refused) {
            (true, _, None) => Standing::Spoke,
            (false, false, _) => Standing::Heard,
            _ => Standing::Named,
        }
    }

    /// What should be on flash of it.
    pub fn to_record(
        &self,
        refused_since: std::collections::BTreeMap<String, UnixTime>,
        decided: Decided,
    ) -> PhoneRecord {
        PhoneRecord {
            mac: self.mac.to_string(),
            vendor: self.vendor.clone(),
            model: self.model.clone(),
            firmware: self.firmware.clone(),
            first_seen: self.record.as_ref().map_or(self.first_seen, |r| r.first_seen),
            refused_since,
            decided,
        }
    }
}

/// All phones.
#[derive(Default)]
pub struct Directory {
    phones: HashMap<Mac, Phone>,
    /// Strangers, in the order in which they go. A phone that became known stays until its turn comes.
    strangers: BTreeSet<(Rank, Mac)>,
    /// Counts sightings: unlike the clock it never jumps.
    sightings: u64,
    /// When room was last made for a phone known from DHCP alone.
    swept: Option<Instant>,
}

/// How often room is made for a phone that is known from DHCP alone: a flood of forged frames takes an hour to push out
/// the phones that were heard before it.
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
        admitted: false,
        refused: None,
        rank: (Standing::Heard, 0),
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
            admitted: false,
            refused: None,
            rank: (Standing::Spoke, 0),
        };
        self.phones.insert(mac, phone);
    }

    /// A phone that has a config on flash, and no record there. `false`: it is known, or there is no room.
    pub fn adopt(&mut self, mac: Mac, vendor: &str, first_seen: UnixTime, now: Now) -> bool {
        if self.phones.contains_key(&mac) || self.phones.len() >= bounds::PHONES {
            return false;
        }
        self.phones
            .insert(mac, Phone { first_seen, last_seen: 0, rank: (Standing::Spoke, 0), ..fresh(mac, vendor, 0, now) });
        true
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
        self.sightings += 1;
        self.place(seen.mac, self.sightings);
        self.phones.get_mut(&seen.mac)
    }

    /// A phone was heard in DHCP. That is a claim and no more: one forged frame makes it. So it fills in what is not
    /// known yet, and changes nothing that the phone has said by PnP or HTTP; but for an address that is confirmed.
    pub fn claimed(&mut self, claim: Claim<'_>, now: Now) -> Noted {
        if !self.phones.contains_key(&claim.mac) && self.phones.len() >= bounds::PHONES {
            if self.swept.is_some_and(|at| now.mono.saturating_duration_since(at) < SWEEP) {
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
        let noted = match claim.ip.filter(|_| free) {
            Some(ip) if phone.ip != Some(ip) => {
                phone.ip = Some(ip);
                phone.ip_is_claim = true;
                phone.device = claim.device;
                Noted::Address
            }
            _ if first => Noted::First,
            _ => Noted::Again,
        };
        if phone.standing() == Standing::Heard {
            self.sightings += 1;
            self.place(claim.mac, self.sightings);
        }
        noted
    }

    /// Is there a place for this phone? Strangers go, in their order; for one that is known from DHCP alone only its
    /// like.
    fn make_room(&mut self, mac: Mac, claim: bool) -> bool {
        while !self.phones.contains_key(&mac) && self.phones.len() >= bounds::PHONES {
            let Some((rank, first)) = self.strangers.first().copied() else { return false };
            let stranger = self.phones.get(&first).is_some_and(|p| p.record.is_none());
            if stranger && claim && rank.0 != Standing::Heard {
                return false;
            }
            self.strangers.pop_first();
            if stranger {
                self.phones.remove(&first);
            }
        }
        true
    }

    /// Puts a stranger where it belongs now in the order in which they go.
    fn place(&mut self, mac: Mac, sighting: u64) {
        let Some(phone) = self.phones.get_mut(&mac) else { return };
        self.strangers.remove(&(phone.rank, mac));
        if phone.record.is_none() {
            phone.rank = (phone.standing(), sighting);
            self.strangers.insert((phone.rank, mac));
        }
    }

    /// It may have its config, and with `admit` it stays so. True: it was not admitted before.
    pub fn let_in(&mut self, mac: Mac, admit: bool) -> bool {
        let Some(phone) = self.phones.get_mut(&mac) else { return false };
        phone.refused = None;
        let admitted = admit && phone.record.is_none() && !phone.admitted;
        phone.admitted |= admitted;
        let (_, sighting) = phone.rank;
        self.place(mac, sighting);
        admitted
    }

    /// It may have nothing. True: that was not said of it within `again`.
    pub fn refuse(&mut self, mac: Mac, again: Duration, now: Instant) -> bool {
        let Some(phone) = self.phones.get_mut(&mac) else { return false };
        let news = phone.refused.is_none_or(|at| now.saturating_duration_since(at) >= again);
        if news {
            phone.refused = Some(now);
            let (_, sighting) = phone.rank;
            self.place(mac, sighting);
        }
        news
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
            decided: Default::default(),
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
            decided: Default::default(),
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

    #[test]
    fn the_refused_go_before_the_served_and_not_for_claims() {
        let mut d = Directory::default();
        let now = Now { mono: Instant::now(), unix: 100 };
        let mac = |i: u32| {
            let b = i.to_be_bytes();
            Mac([0, 4, b[0], b[1], b[2], b[3]])
        };
        let seen = |i: u32, by| {
            let facts = AgentFacts::default();
            Seen { mac: mac(i), vendor: "snom", by, ip: Ipv4Addr::LOCALHOST, device: 0, facts }
        };
        // heard, asked by PnP, refused by HTTP, served by HTTP, admitted; each seen before the next
        d.claimed(claim(mac(1), [10, 0, 0, 1], false), now);
        d.seen(seen(4, SeenBy::Http), now);
        d.claimed(claim(mac(5), [10, 0, 0, 5], false), now);
        assert!(d.let_in(mac(5), true) && !d.let_in(mac(5), true), "admitted once");
        d.seen(seen(2, SeenBy::Pnp), now);
        d.seen(seen(3, SeenBy::Http), now);
        let again = Duration::from_secs(600);
        assert!(d.refuse(mac(3), again, now.mono) && !d.refuse(mac(3), again, now.mono), "told once");
        let order = |d: &Directory| d.strangers.iter().map(|(_, m)| *m).collect::<Vec<_>>();
        assert_eq!(order(&d), [1, 2, 3, 4, 5].map(mac));
        // a forged frame in the name of one that has spoken moves nothing, and one of the first makes it seen
        d.claimed(claim(mac(2), [10, 0, 0, 9], false), now);
        d.claimed(claim(mac(6), [10, 0, 0, 6], false), now);
        d.claimed(claim(mac(1), [10, 0, 0, 1], false), now);
        assert_eq!(order(&d), [6, 1, 2, 3, 4, 5].map(mac));
        assert!(!d.let_in(mac(3), false));
        assert_eq!(order(&d), [6, 1, 2, 4, 5, 3].map(mac), "may have its config again");
        assert!(d.forget(mac(4)) && !order(&d).contains(&mac(4)));
    }
}
