//! The kernel's neighbour table: which MAC is behind an address.

use crate::core::agent::Lan;
use crate::proto::mac::Mac;
use socket2::{Domain, Protocol, Socket, Type};
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// How long one reading of the table is good. A phone that has just spoken to us over TCP or UDP is in it.
const GOOD_FOR: Duration = Duration::from_millis(500);
/// An address that is not in it may have come in meanwhile: the table is read again for it, but not for each of many
/// that wait at once.
const MISSED_FOR: Duration = Duration::from_millis(20);
/// Entries taken from the table: a /20 full of hosts.
const ENTRIES: usize = 4096;

type Table = HashMap<String, HashMap<Ipv4Addr, Mac>>;

/// `/proc/net/arp`, read when needed; for datagrams not more than twice a second.
#[derive(Default)]
pub(crate) struct Neighbours {
    table: RefCell<Option<(Instant, Table)>>,
}

impl Lan for Neighbours {
    fn mac_of(&self, device: &str, ip: Ipv4Addr) -> Option<Mac> {
        let mut table = self.table.borrow_mut();
        if let Some((at, all)) = table.as_ref() {
            let age = at.elapsed();
            match find(all, device, ip) {
                Some(mac) if age < GOOD_FOR => return Some(mac),
                None if age < MISSED_FOR => return None,
                _ => {}
            }
        }
        let all = parse(&std::fs::read_to_string("/proc/net/arp").unwrap_or_default());
        let mac = find(&all, device, ip);
        *table = Some((Instant::now(), all));
        mac
    }

    fn glance(&self, device: &str, ip: Ipv4Addr) -> Option<Mac> {
        let table = self.table.borrow();
        match table.as_ref().filter(|(at, _)| at.elapsed() < GOOD_FOR) {
            Some((_, all)) => find(all, device, ip),
            None => {
                drop(table);
                self.mac_of(device, ip)
            }
        }
    }
}

fn find(all: &Table, device: &str, ip: Ipv4Addr) -> Option<Mac> {
    all.get(device)?.get(&ip).copied()
}

/// Makes the kernel ask who has `ip`: it must know that to send, and keeps what it hears. An empty datagram to the
/// discard port, which nobody listens on; `own` is our address on `device`.
pub(crate) fn resolve(device: &str, own: Ipv4Addr, ip: Ipv4Addr) {
    let ask = || -> std::io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        if let Err(e) = socket.bind_device(Some(device.as_bytes())) {
            log::debug!("{device}: the socket is not tied to the device: {e}");
        }
        socket.bind(&SocketAddr::from((own, 0)).into())?;
        socket.set_nonblocking(true)?;
        socket.send_to(&[], &SocketAddr::from((ip, DISCARD)).into()).map(|_| ())
    };
    if let Err(e) = ask() {
        log::debug!("{device}: cannot ask who has {ip}: {e}");
    }
}

/// RFC 863
const DISCARD: u16 = 9;

/// `IP address  HW type  Flags  HW address  Mask  Device`; flag 0x2 is "complete": REACHABLE, STALE, DELAY, PROBE,
/// PERMANENT, and not INCOMPLETE or FAILED.
fn parse(text: &str) -> Table {
    let mut all = Table::new();
    for line in text.lines().skip(1).take(ENTRIES) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [ip, _, flags, mac, _, device] = fields[..] else { continue };
        let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or(0);
        if let (Ok(ip), Some(mac), true) = (ip.parse(), Mac::parse(mac), flags & 2 != 0) {
            match all.get_mut(device) {
                Some(of) => _ = of.insert(ip, mac),
                None => _ = all.insert(device.to_string(), HashMap::from([(ip, mac)])),
            }
        }
    }
    all
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn complete_entries_each_of_its_device() {
        let all = parse(
            "IP address       HW type     Flags       HW address            Mask     Device\n\
             192.168.1.50     0x1         0x2         00:04:13:00:00:01     *        br-lan\n\
             192.168.1.51     0x1         0x0         00:00:00:00:00:00     *        br-lan\n\
             192.168.1.53     0x1         0x0         00:04:13:00:00:03     *        br-lan\n\
             junk\n\
             192.168.1.50     0x1         0x2         00:04:13:00:00:66     *        br-guest\n\
             192.168.1.52     0x1         0x6         00:04:13:00:00:02     *        br-lan\n",
        );
        let of = |device, host| find(&all, device, Ipv4Addr::new(192, 168, 1, host));
        assert_eq!(of("br-lan", 50), Some(Mac([0, 4, 0x13, 0, 0, 1])), "not the other network's");
        assert_eq!(of("br-lan", 52), Some(Mac([0, 4, 0x13, 0, 0, 2])));
        assert_eq!(of("br-guest", 50), Some(Mac([0, 4, 0x13, 0, 0, 0x66])));
        for (device, host) in [("br-lan", 51), ("br-lan", 53), ("br-guest", 52), ("br", 50)] {
            assert_eq!(of(device, host), None, "{device} {host}");
        }
    }
}
