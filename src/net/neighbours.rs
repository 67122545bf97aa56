//! The kernel's neighbour table: which MAC is behind an address.

use crate::core::agent::Lan;
use crate::proto::mac::Mac;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How long one reading of the table is good. A phone that has just spoken to us over TCP or UDP is in it.
const GOOD_FOR: Duration = Duration::from_millis(500);
/// Entries taken from the table: a /20 full of hosts.
const ENTRIES: usize = 4096;

/// `/proc/net/arp`, read when needed; for datagrams not more than twice a second.
#[derive(Default)]
pub(crate) struct Neighbours {
    table: RefCell<Option<(Instant, HashMap<Ipv4Addr, Mac>)>>,
}

impl Lan for Neighbours {
    fn mac_of(&self, ip: Ipv4Addr) -> Option<Mac> {
        let now = Instant::now();
        let mut table = self.table.borrow_mut();
        let young = table.as_ref().filter(|(at, _)| now.saturating_duration_since(*at) < GOOD_FOR);
        if let Some(mac) = young.and_then(|(_, map)| map.get(&ip)) {
            return Some(*mac);
        }
        let map = parse(&std::fs::read_to_string("/proc/net/arp").unwrap_or_default());
        let mac = map.get(&ip).copied();
        *table = Some((now, map));
        mac
    }

    fn glance(&self, ip: Ipv4Addr) -> Option<Mac> {
        let table = self.table.borrow();
        match table.as_ref().filter(|(at, _)| at.elapsed() < GOOD_FOR) {
            Some((_, map)) => map.get(&ip).copied(),
            None => {
                drop(table);
                self.mac_of(ip)
            }
        }
    }
}

/// `IP address  HW type  Flags  HW address  Mask  Device`; flag 0x2 is "complete".
fn parse(text: &str) -> HashMap<Ipv4Addr, Mac> {
    text.lines()
        .skip(1)
        .take(ENTRIES)
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let ip = fields.next()?.parse().ok()?;
            let flags = u32::from_str_radix(fields.nth(1)?.trim_start_matches("0x"), 16).ok()?;
            let mac = Mac::parse(fields.next()?)?;
            (flags & 2 != 0).then_some((ip, mac))
        })
        .collect()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn complete_entries_only() {
        let map = parse(
            "IP address       HW type     Flags       HW address            Mask     Device\n\
             192.168.1.50     0x1         0x2         00:04:13:00:00:01     *        br-lan\n\
             192.168.1.51     0x1         0x0         00:00:00:00:00:00     *        br-lan\n\
             junk\n\
             192.168.1.52     0x1         0x6         00:04:13:00:00:02     *        br-lan\n",
        );
        assert_eq!(map.len(), 2);
        assert_eq!(map[&Ipv4Addr::new(192, 168, 1, 50)], Mac([0, 4, 0x13, 0, 0, 1]));
    }
}
