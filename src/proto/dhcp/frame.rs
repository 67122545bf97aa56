//! UDP over IPv4 in Ethernet frames, as a raw socket gives and takes them.

use crate::proto::mac::Mac;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Ethernet header without a tag: the kernel takes VLAN tags out before a raw socket sees the frame.
const ETHERNET: usize = 14;
const UDP: u8 = 17;

/// One UDP datagram and the addresses around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Whose interface sent it, as it says.
    pub from_mac: Mac,
    /// Whose interface it is for.
    pub to_mac: Mac,
    /// As the IP and UDP headers say.
    pub from: SocketAddrV4,
    /// As the IP and UDP headers say.
    pub to: SocketAddrV4,
    /// What UDP carries.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a frame. `None`: something else, a fragment, cut off, or damaged.
    pub fn parse(bytes: &'a [u8]) -> Option<Frame<'a>> {
        let (ethernet, rest) = bytes.split_at_checked(ETHERNET)?;
        if ethernet.get(12..)? != [0x08, 0x00] {
            return None;
        }
        let first = *rest.first()?;
        let header = usize::from(first & 15) * 4;
        let total = usize::from(word(rest, 2)?);
        // version 4; behind the datagram there may be padding of the frame, within it must be what it says
        if first >> 4 != 4 || header < 20 {
            return None;
        }
        let datagram = rest.get(..total)?;
        let (ip, udp) = datagram.split_at_checked(header)?;
        // 0x3fff: more fragments follow, or this is not the first
        if *ip.get(9)? != UDP || word(ip, 6)? & 0x3fff != 0 || fold(sum(0, ip)) != 0xffff {
            return None;
        }
        let address = |at: usize| -> Option<Ipv4Addr> {
            let octets: [u8; 4] = ip.get(at..at + 4)?.try_into().ok()?;
            Some(octets.into())
        };
        let (from, to) = (address(12)?, address(16)?);
        let length = usize::from(word(udp, 4)?);
        let segment = udp.get(..length)?;
        let payload = segment.get(8..)?;
        let pseudo = pseudo_sum(from, to, length);
        // 0: the sender did not count. The sum of the pseudo header alone: a packet that never left this machine (the
        // router's own server, a container), which the kernel leaves for the network card to finish.
        let check = word(udp, 6)?;
        if check != 0 && check != fold(pseudo) && fold(sum(pseudo, segment)) != 0xffff {
            return None;
        }
        Some(Frame {
            from_mac: Mac(ethernet.get(6..12)?.try_into().ok()?),
            to_mac: Mac(ethernet.get(..6)?.try_into().ok()?),
            from: SocketAddrV4::new(from, word(udp, 0)?),
            to: SocketAddrV4::new(to, word(udp, 2)?),
            payload,
        })
    }

    /// The frame's bytes with its checksums. `None`: the payload is larger than IP can say.
    pub fn build(&self) -> Option<Vec<u8>> {
        let length = self.payload.len().checked_add(8)?;
        let total = u16::try_from(length.checked_add(20)?).ok()?;
        let mut out = Vec::with_capacity(ETHERNET + usize::from(total));
        out.extend_from_slice(&self.to_mac.0);
        out.extend_from_slice(&self.from_mac.0);
        out.extend_from_slice(&[0x08, 0x00]);
        let mut ip = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, UDP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        put(&mut ip, 2, &total.to_be_bytes());
        put(&mut ip, 12, &self.from.ip().octets());
        put(&mut ip, 16, &self.to.ip().octets());
        let check = !fold(sum(0, &ip));
        put(&mut ip, 10, &check.to_be_bytes());
        out.extend_from_slice(&ip);
        let mut udp = [0; 8];
        put(&mut udp, 0, &self.from.port().to_be_bytes());
        put(&mut udp, 2, &self.to.port().to_be_bytes());
        put(&mut udp, 4, &u16::try_from(length).ok()?.to_be_bytes());
        // the header has an even number of bytes, so both sums may be added
        let all = sum(sum(pseudo_sum(*self.from.ip(), *self.to.ip(), length), &udp), self.payload);
        // 0 would say that nothing was counted (RFC 768)
        let check = match !fold(all) {
            0 => 0xffff,
            other => other,
        };
        put(&mut udp, 6, &check.to_be_bytes());
        out.extend_from_slice(&udp);
        out.extend_from_slice(self.payload);
        Some(out)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// Adds 16-bit words, unfolded (RFC 1071): 64 KiB of them stay below 2³².
fn sum(start: u32, bytes: &[u8]) -> u32 {
    bytes.chunks(2).fold(start, |sum, pair| {
        let high = pair.first().copied().unwrap_or(0);
        let low = pair.get(1).copied().unwrap_or(0);
        sum.wrapping_add(u32::from(u16::from_be_bytes([high, low])))
    })
}

fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}

fn pseudo_sum(from: Ipv4Addr, to: Ipv4Addr, length: usize) -> u32 {
    let addresses = sum(sum(0, &from.octets()), &to.octets());
    addresses + u32::from(UDP) + length as u32
}
