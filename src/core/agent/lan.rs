//! The LAN as the core sees it.

use crate::proto::mac::Mac;
use std::net::Ipv4Addr;

/// Looks at the LAN that the core cannot see by itself.
pub trait Lan {
    /// The MAC that the kernel's neighbour table has for this address.
    fn mac_of(&self, ip: Ipv4Addr) -> Option<Mac>;

    /// The same, perhaps half a second out of date: for datagrams, whose senders may be invented, so that each of them
    /// cannot cost a reading of the table.
    fn glance(&self, ip: Ipv4Addr) -> Option<Mac> {
        self.mac_of(ip)
    }
}

/// One served device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `br-lan`
    pub name: String,
    /// Interface index: changes when the device is made anew.
    pub index: u32,
    /// Its IPv4 addresses with prefix lengths; empty while it is down.
    pub addresses: Vec<(Ipv4Addr, u8)>,
}

impl Device {
    /// Is `ip` in one of its subnets?
    pub fn serves(&self, ip: Ipv4Addr) -> bool {
        self.address_for(ip).is_some()
    }

    /// Its own address in the subnet of `ip`.
    pub fn address_for(&self, ip: Ipv4Addr) -> Option<Ipv4Addr> {
        let near = |(own, prefix): &&(Ipv4Addr, u8)| {
            let mask = u32::MAX.checked_shl(32 - u32::from(*prefix).min(32)).unwrap_or(0);
            own.to_bits() & mask == ip.to_bits() & mask
        };
        self.addresses.iter().find(near).map(|(own, _)| *own)
    }

    /// Is `ip` one of its own addresses?
    pub fn owns(&self, ip: Ipv4Addr) -> bool {
        self.addresses.iter().any(|(own, _)| *own == ip)
    }

    /// Can `ip` be another host's in one of its subnets: neither our own, nor that of the net, nor that of all?
    pub fn has_neighbour(&self, ip: Ipv4Addr) -> bool {
        let near = |(own, prefix): &(Ipv4Addr, u8)| {
            let host = u32::MAX.checked_shr(u32::from(*prefix)).unwrap_or(0);
            let (own, ip) = (own.to_bits(), ip.to_bits());
            // the two addresses of a /31 are hosts (RFC 3021)
            own & !host == ip & !host && (host <= 1 || (ip & host != 0 && ip & host != host))
        };
        !self.owns(ip) && self.addresses.iter().any(near)
    }

    /// `192.168.1.1/24 and 10.0.0.1/8`
    pub fn networks(&self) -> String {
        let all: Vec<String> = self.addresses.iter().map(|(a, p)| format!("{a}/{p}")).collect();
        all.join(" and ")
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn subnets() {
        let d = |prefix| Device {
            name: "br-lan".into(),
            index: 1,
            addresses: vec![(Ipv4Addr::new(192, 168, 1, 1), prefix)],
        };
        assert!(d(24).serves(Ipv4Addr::new(192, 168, 1, 200)));
        assert!(!d(24).serves(Ipv4Addr::new(192, 168, 2, 200)));
        assert!(d(0).serves(Ipv4Addr::new(8, 8, 8, 8)));
        let neighbour = |prefix, c, d_| d(prefix).has_neighbour(Ipv4Addr::new(192, 168, c, d_));
        assert!(neighbour(24, 1, 200) && neighbour(16, 7, 0) && neighbour(31, 1, 0));
        assert!(!neighbour(24, 1, 0) && !neighbour(24, 1, 255) && !neighbour(24, 1, 1) && !neighbour(24, 2, 5));
        assert!(!neighbour(32, 1, 2) && !neighbour(16, 255, 255));
        assert!(d(32).serves(Ipv4Addr::new(192, 168, 1, 1)) && !d(32).serves(Ipv4Addr::new(192, 168, 1, 2)));
    }
}
