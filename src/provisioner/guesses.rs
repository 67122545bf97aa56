//! How many wrong passwords an address may try: enough for an office whose password was changed, too few to find one.
//!
//! It is the address that has to wait, never a phone: nobody can lock out others by their MACs. Phones that have shown the
//! right password at an address are served there whatever others try.

use crate::bounds;
use crate::proto::mac::Mac;
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Wrong passwords by address. The time is a clock that only goes on.
#[derive(Default)]
pub struct Guesses {
    /// When an address has all of its tries again.
    full_at: HashMap<IpAddr, Duration>,
    good: HashSet<(IpAddr, Mac)>,
    /// In the order in which they came.
    order: VecDeque<(IpAddr, Mac)>,
}

impl Guesses {
    /// May a password from this address be looked at?
    pub fn may_try(&self, from: IpAddr, mac: Mac, now: Duration) -> bool {
        let from = network(from);
        let owed = self.full_at.get(&from).map_or(Duration::ZERO, |at| at.saturating_sub(now));
        let most = bounds::PROVISIONER_GUESS_PAUSE * (bounds::PROVISIONER_GUESSES - 1);
        owed <= most || self.good.contains(&(from, mac))
    }

    /// It was wrong.
    pub fn wrong(&mut self, from: IpAddr, now: Duration) {
        let from = network(from);
        if self.full_at.len() >= bounds::PROVISIONER_GUESS_SOURCES && !self.full_at.contains_key(&from) {
            // who has all of his tries is as good as never seen
            self.full_at.retain(|_, at| *at > now);
            if self.full_at.len() >= bounds::PROVISIONER_GUESS_SOURCES {
                let least = self.full_at.iter().min_by_key(|(_, at)| **at).map(|(ip, _)| *ip);
                least.and_then(|ip| self.full_at.remove(&ip));
            }
        }
        let full_at = self.full_at.entry(from).or_insert(now);
        *full_at = (*full_at).max(now) + bounds::PROVISIONER_GUESS_PAUSE;
    }

    /// It was right.
    pub fn right(&mut self, from: IpAddr, mac: Mac) {
        let pair = (network(from), mac);
        if self.good.insert(pair) {
            self.order.push_back(pair);
            if self.order.len() > bounds::PROVISIONER_GOOD {
                self.order.pop_front().map(|old| self.good.remove(&old));
            }
        }
    }
}

/// Who has one IPv6 address has 2^64 of them.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        other => other.to_canonical(),
    }
}

/// Who asks: the other end of the connection, or whom a reverse proxy of ours names. Of `X-Forwarded-For` only what our
/// own proxies have added counts; before that anybody may have written what he likes.
pub fn client(from: Ipv4Addr, forwarded: &[&str], proxies: &[IpAddr]) -> IpAddr {
    let ours = |ip: IpAddr| ip.is_loopback() || proxies.contains(&ip.to_canonical());
    let mut client = IpAddr::V4(from);
    // later ones were added by those who are nearer
    let mut names = forwarded.iter().rev().flat_map(|line| line.rsplit(','));
    while ours(client) {
        let Some(name) = names.next().and_then(address) else { break };
        client = name;
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:1234`, `2001:db8::1`, `[2001:db8::1]:1234`
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|t| t.split(']').next());
    let v4 = text.split_once(':').map(|(ip, _)| ip).filter(|ip| ip.contains('.'));
    bare.or(v4).unwrap_or(text).parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod test {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn mac(n: u8) -> Mac {
        Mac([0, 4, 0x13, 0, 0, n])
    }

    #[test]
    fn an_address_has_so_many_tries_and_then_waits() {
        let (mut guesses, now) = (Guesses::default(), Duration::from_secs(1000));
        guesses.right(ip("192.0.2.1"), mac(9));
        for n in 0..bounds::PROVISIONER_GUESSES {
            assert!(guesses.may_try(ip("192.0.2.1"), mac(1), now), "{n}");
            guesses.wrong(ip("192.0.2.1"), now);
        }
        assert!(!guesses.may_try(ip("192.0.2.1"), mac(1), now));
        assert!(guesses.may_try(ip("192.0.2.1"), mac(9), now), "a phone that has shown it goes on");
        assert!(guesses.may_try(ip("192.0.2.2"), mac(1), now), "others are not kept from this MAC");
        assert!(guesses.may_try(ip("192.0.2.1"), mac(1), now + bounds::PROVISIONER_GUESS_PAUSE));
        guesses.wrong(ip("192.0.2.1"), now + bounds::PROVISIONER_GUESS_PAUSE);
        assert!(!guesses.may_try(ip("192.0.2.1"), mac(1), now + bounds::PROVISIONER_GUESS_PAUSE));
        let later = now + bounds::PROVISIONER_GUESS_PAUSE * (2 * bounds::PROVISIONER_GUESSES);
        (1..bounds::PROVISIONER_GUESSES).for_each(|_| guesses.wrong(ip("192.0.2.1"), later));
        assert!(guesses.may_try(ip("192.0.2.1"), mac(1), later), "all of them are there again");
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let (mut guesses, now) = (Guesses::default(), Duration::ZERO);
        for n in 0..bounds::PROVISIONER_GUESSES {
            guesses.wrong(ip(&format!("2001:db8::{n:x}")), now);
        }
        assert!(!guesses.may_try(ip("2001:db8::ffff"), mac(1), now));
        assert!(guesses.may_try(ip("2001:db8:0:1::1"), mac(1), now));
    }

    #[test]
    fn memory() {
        let mut guesses = Guesses::default();
        let busy = ip("10.255.255.255");
        (0..bounds::PROVISIONER_GUESSES).for_each(|_| guesses.wrong(busy, Duration::ZERO));
        for n in 0..bounds::PROVISIONER_GUESS_SOURCES * 2 {
            guesses.wrong(IpAddr::V4(Ipv4Addr::from(n as u32)), Duration::ZERO);
        }
        assert!(guesses.full_at.len() <= bounds::PROVISIONER_GUESS_SOURCES);
        assert!(!guesses.may_try(busy, mac(1), Duration::ZERO), "who has tried most is remembered");
        for n in 0..bounds::PROVISIONER_GOOD * 2 {
            guesses.right(IpAddr::V4(Ipv4Addr::from(n as u32)), mac(1));
        }
        assert_eq!((guesses.good.len(), guesses.order.len()), (bounds::PROVISIONER_GOOD, bounds::PROVISIONER_GOOD));
    }

    #[test]
    fn only_our_own_proxies_are_believed() {
        let at = |from: &str, forwarded: &[&str], proxies: &[&str]| {
            let proxies: Vec<IpAddr> = proxies.iter().map(|p| ip(p)).collect();
            client(from.parse().unwrap(), forwarded, &proxies).to_string()
        };
        assert_eq!(at("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1");
        assert_eq!(at("127.0.0.1", &["198.51.100.7"], &[]), "198.51.100.7");
        assert_eq!(at("127.0.0.1", &["8.8.8.8, 198.51.100.7"], &[]), "198.51.100.7", "the first one is anybody's");
        assert_eq!(at("127.0.0.1", &["8.8.8.8", "198.51.100.7:5060"], &[]), "198.51.100.7");
        assert_eq!(at("127.0.0.1", &["198.51.100.7, 192.0.2.9"], &["192.0.2.9"]), "198.51.100.7");
        assert_eq!(at("192.0.2.9", &["[2001:db8::1]:7"], &["192.0.2.9"]), "2001:db8::1");
        assert_eq!(at("127.0.0.1", &["::ffff:198.51.100.7"], &[]), "198.51.100.7");
        for none in ["", "unknown", "a, b", "198.51.100.7, x"] {
            assert_eq!(at("127.0.0.1", &[none], &[]), "127.0.0.1", "{none}");
        }
        assert_eq!(at("127.0.0.1", &[], &[]), "127.0.0.1");
    }

    proptest::proptest! {
        #[test]
        fn total(lines in proptest::collection::vec(".{0,30}", 0..4)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            client(Ipv4Addr::LOCALHOST, &lines, &[]);
        }
    }
}
