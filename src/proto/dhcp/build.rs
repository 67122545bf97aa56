//! Writes the answer to a DHCPINFORM (RFC 2131 section 4.3.5).

use super::{option, Message, COOKIE, HEAD};

/// A DHCPACK without an address and without a lease.
pub struct Ack<'a> {
    /// What it answers.
    pub to: &'a Message<'a>,
    /// The server identifier: our own address.
    pub server: std::net::Ipv4Addr,
    /// Code and value, the most important first.
    pub options: &'a [(u8, Vec<u8>)],
}

/// Smallest message that old clients take (RFC 951).
const SMALLEST: usize = 300;
/// Headers of IP and UDP in front, without IP options.
const HEADERS: usize = 28;
/// Bytes of an IP datagram in one Ethernet frame.
const MTU: u16 = 1500;

impl Ack<'_> {
    /// The UDP payload. An option for which the client has no room behind those before it is left out; so is one of no
    /// bytes, or of more than 255: phones are not known to join pieces.
    pub fn build(&self) -> Vec<u8> {
        let m = self.to;
        let room = usize::from(m.max_size().min(MTU)) - HEADERS;
        let mut out = vec![2, 1, 6, 0];
        out.extend_from_slice(&m.xid.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&m.flags.to_be_bytes());
        out.extend_from_slice(&m.ciaddr.octets());
        // yiaddr, siaddr, giaddr: no address is given, no server named, no relay between
        out.extend_from_slice(&[0; 12]);
        out.extend_from_slice(&m.chaddr.0);
        out.resize(HEAD, 0);
        out.extend_from_slice(&COOKIE);
        let mut put = |code: u8, value: &[u8]| {
            let length = u8::try_from(value.len()).unwrap_or(0);
            // the end needs one byte more
            if length > 0 && out.len() + 2 + value.len() < room {
                out.push(code);
                out.push(length);
                out.extend_from_slice(value);
            }
        };
        put(option::KIND, &[5]);
        put(option::SERVER_ID, &self.server.octets());
        if let Some(id) = m.option(option::CLIENT_ID) {
            put(option::CLIENT_ID, &id);
        }
        for (code, value) in self.options {
            put(*code, value);
        }
        out.push(option::END);
        if out.len() < SMALLEST {
            out.resize(SMALLEST, 0);
        }
        out
    }
}
