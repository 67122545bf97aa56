//! Reads a DHCP message. Total: what is not one gives `None`, and nothing is copied but values in several pieces.

use super::{option, COOKIE, HEAD};
use crate::bounds;
use crate::proto::mac::Mac;
use std::borrow::Cow;
use std::net::Ipv4Addr;

/// Kinds of messages (RFC 2132 section 9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Discover,
    Offer,
    Request,
    Decline,
    Ack,
    Nak,
    Release,
    Inform,
}

impl Kind {
    fn of(number: u8) -> Option<Kind> {
        Some(match number {
            1 => Kind::Discover,
            2 => Kind::Offer,
            3 => Kind::Request,
            4 => Kind::Decline,
            5 => Kind::Ack,
            6 => Kind::Nak,
            7 => Kind::Release,
            8 => Kind::Inform,
            _ => return None,
        })
    }

    /// Does a client send it?
    pub fn is_clients(self) -> bool {
        matches!(self, Kind::Discover | Kind::Request | Kind::Decline | Kind::Release | Kind::Inform)
    }
}

/// One message between a client on Ethernet and a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // fields as RFC 2131 section 2 names them
pub struct Message<'a> {
    pub kind: Kind,
    pub xid: u32,
    pub flags: u16,
    pub ciaddr: Ipv4Addr,
    pub yiaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub chaddr: Mac,
    /// In the order of RFC 3396 section 5: options, `file`, `sname`. One code may stand there several times.
    options: Vec<(u8, &'a [u8])>,
}

impl<'a> Message<'a> {
    /// Reads the payload of a UDP datagram. `None`: no DHCP message of a client on Ethernet, or not a whole one.
    pub fn parse(bytes: &'a [u8]) -> Option<Message<'a>> {
        if bytes.len() > bounds::DHCP_MESSAGE {
            return None;
        }
        let (op, rest) = bytes.split_first()?;
        // htype 1 and hlen 6: Ethernet
        if rest.get(..2)? != [1, 6] || bytes.get(HEAD..HEAD + 4)? != COOKIE {
            return None;
        }
        let address = |at: usize| -> Option<Ipv4Addr> {
            let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(octets.into())
        };
        let mut options = Vec::new();
        collect(bytes.get(HEAD + 4..)?, &mut options)?;
        let overload = options.iter().find(|(code, _)| *code == option::OVERLOAD).and_then(|(_, v)| v.first().copied());
        if matches!(overload, Some(1 | 3)) {
            collect(bytes.get(108..HEAD)?, &mut options)?;
        }
        if matches!(overload, Some(2 | 3)) {
            collect(bytes.get(44..108)?, &mut options)?;
        }
        let mut kinds = options.iter().filter(|(code, _)| *code == option::KIND);
        let kind = match (kinds.next()?, kinds.next()) {
            ((_, [number]), None) => Kind::of(*number)?,
            _ => return None,
        };
        // 1: from a client, 2: from a server
        if *op != if kind.is_clients() { 1 } else { 2 } {
            return None;
        }
        Some(Message {
            kind,
            xid: u32::from_be_bytes(bytes.get(4..8)?.try_into().ok()?),
            flags: u16::from_be_bytes(bytes.get(10..12)?.try_into().ok()?),
            ciaddr: address(12)?,
            yiaddr: address(16)?,
            giaddr: address(24)?,
            chaddr: Mac(bytes.get(28..34)?.try_into().ok()?),
            options,
        })
    }

    /// The value of an option; pieces of a long one are joined (RFC 3396).
    pub fn option(&self, code: u8) -> Option<Cow<'a, [u8]>> {
        let mut pieces = self.options.iter().filter(|(c, _)| *c == code).map(|(_, value)| *value);
        let mut value = Cow::Borrowed(pieces.next()?);
        for piece in pieces {
            value.to_mut().extend_from_slice(piece);
        }
        Some(value)
    }

    /// All codes in it, in their order; one in pieces is there several times.
    pub fn codes(&self) -> impl Iterator<Item = u8> + '_ {
        self.options.iter().map(|(code, _)| *code)
    }

    fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let octets: [u8; 4] = self.option(code)?.as_ref().try_into().ok()?;
        Some(octets.into())
    }

    /// The address that the client wants (option 50).
    pub fn requested(&self) -> Option<Ipv4Addr> {
        self.address(option::REQUESTED)
    }

    /// The server that speaks, or that the client has chosen (option 54).
    pub fn server_id(&self) -> Option<Ipv4Addr> {
        self.address(option::SERVER_ID)
    }

    /// Host name (option 12), for people: printable ASCII, at most [`bounds::DHCP_HOST_NAME`] bytes. Anybody can send
    /// anything here, control sequences of terminals too.
    pub fn host_name(&self) -> Option<String> {
        text(&self.option(option::HOST_NAME)?, bounds::DHCP_HOST_NAME)
    }

    /// Vendor class (option 60) as printable ASCII, at most 255 bytes. Polycom's is binary with texts in it: what is
    /// not printable becomes a blank.
    pub fn class_id(&self) -> Option<String> {
        let bytes = self.option(option::CLASS_ID)?;
        let text: String = bytes.iter().take(255).map(|b| if printable(b) { char::from(*b) } else { ' ' }).collect();
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_string())
    }

    /// The options that the client asks for (option 55), in its order.
    pub fn asked(&self) -> Cow<'a, [u8]> {
        self.option(option::ASKED).unwrap_or_default()
    }

    /// Bytes of a whole IP datagram that the client takes (option 57); 576 where it does not say (RFC 2131 section 2).
    pub fn max_size(&self) -> u16 {
        let said = self.option(option::MAX_SIZE).and_then(|v| Some(u16::from_be_bytes(v.as_ref().try_into().ok()?)));
        said.unwrap_or(0).max(576)
    }
}

fn printable(byte: &u8) -> bool {
    (0x20..0x7f).contains(byte)
}

/// The printable ASCII of it, without what is not, at most so many bytes; `None` when nothing is left.
pub fn text(bytes: &[u8], most: usize) -> Option<String> {
    let text: String = bytes.iter().filter(|b| printable(b)).take(most).map(|b| char::from(*b)).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_string())
}

/// Takes one field of options apart. An end that is missing is forgiven, a value that is cut off is not.
fn collect<'a>(mut rest: &'a [u8], options: &mut Vec<(u8, &'a [u8])>) -> Option<()> {
    while let Some((code, after)) = rest.split_first() {
        match *code {
            option::PAD => rest = after,
            option::END => break,
            code => {
                let (length, after) = after.split_first()?;
                let value = after.get(..usize::from(*length))?;
                rest = after.get(usize::from(*length)..)?;
                if options.len() >= bounds::DHCP_OPTIONS {
                    return None;
                }
                options.push((code, value));
            }
        }
    }
    Some(())
}
