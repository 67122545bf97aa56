//! What may stand in a rule. One of the programs that read our rules (qos-scripts) makes a root shell's commands of them,
//! without quotes; so nothing gets into a rule but by the types here, and each can only hold what no shell, no nft and no
//! eBPF loader reads as anything else.

use crate::openwrt::settings::Borrowed;
use crate::proto::uci::Section;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address, or a block of addresses. Written by the standard library from its number: hex digits, `.`, `:` and `/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    address: IpAddr,
    length: u8,
}

impl Block {
    /// `198.51.100.20`, `198.51.100.0/24`, `2001:db8::20`. `None` for anything else, and for addresses that no server has:
    /// this host, multicast, link-local, all.
    pub fn parse(text: &str) -> Option<Block> {
        let (address, length) = match text.split_once('/') {
            None => (text, None),
            Some((address, length)) => {
                let digits = (1..=3).contains(&length.len()) && length.bytes().all(|b| b.is_ascii_digit());
                (address, Some(length.parse::<u8>().ok().filter(|_| digits)?))
            }
        };
        let address: IpAddr = address.parse().ok()?;
        Block::of(address, length.unwrap_or(u8::MAX))
    }

    /// One address; `None` for those that no server has.
    pub fn address(address: IpAddr) -> Option<Block> {
        Block::of(address, u8::MAX)
    }

    fn of(address: IpAddr, length: u8) -> Option<Block> {
        let (address, length) = match address {
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() && length >= 96 => {
                (IpAddr::V4(v6.to_ipv4_mapped()?), if length == u8::MAX { length } else { length - 96 })
            }
            other => (other, length),
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = if length == u8::MAX { most } else { length };
        if length == 0 || length > most {
            return None;
        }
        let address = match address {
            IpAddr::V4(v4) => {
                let network = Ipv4Addr::from(u32::from(v4) & (u32::MAX << (32 - u32::from(length))));
                if network.octets().first() == Some(&0)
                    || v4.is_loopback()
                    || v4.is_multicast()
                    || v4.is_broadcast()
                    || v4.is_link_local()
                {
                    return None;
                }
                IpAddr::V4(network)
            }
            IpAddr::V6(v6) => {
                let network = Ipv6Addr::from(u128::from(v6) & (u128::MAX << (128 - u32::from(length))));
                if v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local() {
                    return None;
                }
                IpAddr::V6(network)
            }
        };
        Some(Block { address, length })
    }

    /// Is it IPv4?
    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// Is it one address?
    pub fn is_single(&self) -> bool {
        self.length == if self.is_ipv4() { 32 } else { 128 }
    }

    /// Is all of the other within this?
    pub fn covers(&self, other: &Block) -> bool {
        self.length <= other.length
            && Block::of(other.address, self.length).is_some_and(|b| b.address == self.address)
            && self.is_ipv4() == other.is_ipv4()
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_single() {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.length),
        }
    }
}

/// The name of a zone, a network or a device of this router.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word(String);

impl Word {
    /// 1 to 32 of `A-Z a-z 0-9 _ . -`, the first a letter or a digit: so it is no option of a program either.
    pub fn new(text: &str) -> Option<Word> {
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        (first && text.len() <= 32 && text.bytes().all(fine)).then(|| Word(text.to_string()))
    }

    /// As it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Can it name a section of UCI?
    pub fn is_name(&self) -> bool {
        self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value of an option that we write.
pub struct Safe(String);

impl From<&'static str> for Safe {
    fn from(fixed: &'static str) -> Safe {
        Safe(fixed.to_string())
    }
}

impl From<&Block> for Safe {
    fn from(block: &Block) -> Safe {
        Safe(block.to_string())
    }
}

impl From<&Word> for Safe {
    fn from(word: &Word) -> Safe {
        Safe(word.0.clone())
    }
}

impl From<u32> for Safe {
    fn from(number: u32) -> Safe {
        Safe(number.to_string())
    }
}

impl Safe {
    /// `9000kbit`, as tc writes it.
    pub fn kbit(number: u32) -> Safe {
        Safe(format!("{number}kbit"))
    }
}

/// A section of ours, which takes nothing but [`Safe`] values.
pub(super) struct Rule(Section);

impl Rule {
    /// The name is `phoneprov_ROLE`; the second and further of a role have a number.
    pub(super) fn new(kind: &'static str, role: &'static str, number: usize) -> Rule {
        let name = match number {
            0 => format!("{}{role}", super::PREFIX),
            n => format!("{}{role}_{}", super::PREFIX, n + 1),
        };
        Rule(Section::new(kind, Some(&name)))
    }

    pub(super) fn option(mut self, name: &'static str, value: impl Into<Safe>) -> Rule {
        self.0.option(name, value.into().0);
        self
    }

    pub(super) fn items<'a>(mut self, name: &'static str, blocks: impl Iterator<Item = &'a Block>) -> Rule {
        for block in blocks {
            self.0.item(name, Safe::from(block).0);
        }
        self
    }

    pub(super) fn done(self) -> Section {
        self.0
    }
}

/// Options of ours in a section of others, with [`Safe`] values only.
pub(super) fn borrowed(kind: &'static str, name: &Word, options: Vec<(&'static str, Safe)>) -> Borrowed {
    Borrowed { kind, name: name.0.clone(), options: options.into_iter().map(|(name, value)| (name, value.0)).collect() }
}
