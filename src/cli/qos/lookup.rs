//! Names of media servers to their addresses, by the C library, which may take as long as it likes: in a thread that is left
//! behind when it does. There is at most one such thread.

use crate::bounds;
use crate::openwrt::qos::Block;
use std::collections::BTreeSet;
use std::net::ToSocketAddrs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is known of one `list mediaserver`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) blocks: BTreeSet<Block>,
    /// Why there are none.
    pub(super) error: Option<String>,
}

type Resolve = fn(&str) -> Result<Vec<Block>, String>;

pub(super) struct Lookup {
    /// Is a thread still at it?
    busy: Arc<AtomicBool>,
    resolve: Resolve,
    patience: Duration,
}

impl Lookup {
    pub(super) fn new() -> Lookup {
        Lookup { busy: Arc::default(), resolve: ask, patience: Duration::from_secs(bounds::QOS_LOOKUP_SECONDS) }
    }

    /// All servers of the config, in its order.
    pub(super) fn all(&self, hosts: &[String]) -> Vec<Server> {
        let mut servers: Vec<Server> = hosts.iter().map(|host| known(host)).collect();
        let names: Vec<(usize, String)> = servers
            .iter()
            .enumerate()
            .filter(|(_, s)| s.blocks.is_empty() && is_name(&s.host))
            .map(|(i, s)| (i, s.host.clone()))
            .collect();
        if names.is_empty() {
            return servers;
        }
        let missing = if self.busy.swap(true, Ordering::AcqRel) {
            "an earlier look-up has not come to an end yet".to_string()
        } else {
            self.look(names.clone(), &mut servers)
        };
        for (i, _) in names {
            if let Some(server) = servers.get_mut(i).filter(|s| s.blocks.is_empty() && s.error.is_none()) {
                server.error = Some(missing.clone());
            }
        }
        servers
    }

    /// Fills in what comes in time; what to say of those that did not.
    fn look(&self, names: Vec<(usize, String)>, servers: &mut [Server]) -> String {
        let (busy, resolve) = (Arc::clone(&self.busy), self.resolve);
        let (send, receive) = mpsc::channel();
        let thread = std::thread::Builder::new().name("lookup".into()).spawn(move || {
            for (i, name) in names {
                if send.send((i, resolve(&name))).is_err() {
                    // nobody waits for the rest
                    break;
                }
            }
            busy.store(false, Ordering::Release);
        });
        if let Err(e) = thread {
            self.busy.store(false, Ordering::Release);
            return format!("cannot be looked up: {e}");
        }
        let end = Instant::now() + self.patience;
        loop {
            match receive.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok((i, found)) => {
                    let Some(server) = servers.get_mut(i) else { continue };
                    match found {
                        Ok(blocks) => server.blocks = blocks.into_iter().collect(),
                        Err(why) => server.error = Some(why),
                    }
                }
                Err(RecvTimeoutError::Timeout) => return format!("no answer within {} s", self.patience.as_secs()),
                Err(RecvTimeoutError::Disconnected) => return "the look-up failed".into(),
            }
        }
    }
}

/// What needs no look-up.
fn known(host: &str) -> Server {
    let block = Block::parse(host);
    let error = (block.is_none() && !is_name(host))
        .then(|| "is no address that a server can have (this host, link-local, multicast, or all)".to_string());
    Server { host: host.to_string(), blocks: block.into_iter().collect(), error }
}

/// A name, and no address or block? The config has checked that it is one of them.
pub(super) fn is_name(host: &str) -> bool {
    !host.contains([':', '/']) && !host.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn ask(name: &str) -> Result<Vec<Block>, String> {
    let found = (name, 0).to_socket_addrs().map_err(|e| {
        let why = e.to_string();
        // "failed to lookup address information: Name or service not known"
        why.rsplit(": ").next().unwrap_or(&why).to_string()
    })?;
    usable(found.filter_map(|address| Block::address(address.ip())))
}

/// Sorted, each once, and no more than are taken.
fn usable(found: impl Iterator<Item = Block>) -> Result<Vec<Block>, String> {
    let all: BTreeSet<Block> = found.collect();
    match all.is_empty() {
        true => Err("has no address that a server can have".into()),
        false => Ok(all.into_iter().take(bounds::QOS_PER_HOST).collect()),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn slow(name: &str) -> Result<Vec<Block>, String> {
        match name {
            "never.example" => std::thread::sleep(Duration::from_secs(2)),
            "bad.example" => return Err("no such name".into()),
            _ => {}
        }
        Ok(vec![Block::parse("198.51.100.20").unwrap()])
    }

    fn hosts(all: &[&str]) -> Vec<String> {
        all.iter().map(|h| h.to_string()).collect()
    }

    #[test]
    fn who_does_not_answer_keeps_nobody_waiting() {
        let lookup = Lookup { busy: Arc::default(), resolve: slow, patience: Duration::from_millis(300) };
        let begin = Instant::now();
        let all = lookup.all(&hosts(&[
            "203.0.113.0/24",
            "a.example",
            "bad.example",
            "never.example",
            "b.example",
            "0.0.0.0/0",
        ]));
        let said: Vec<(usize, Option<&str>)> = all.iter().map(|s| (s.blocks.len(), s.error.as_deref())).collect();
        let late = Some("no answer within 0 s");
        let odd = Some("is no address that a server can have (this host, link-local, multicast, or all)");
        assert_eq!(said, [(1, None), (1, None), (0, Some("no such name")), (0, late), (0, late), (0, odd)]);
        // one thread at the most
        let again = lookup.all(&hosts(&["a.example", "198.51.100.1"]));
        assert_eq!(again[0].error.as_deref(), Some("an earlier look-up has not come to an end yet"));
        assert_eq!(again[1].error, None);
        assert!(begin.elapsed() < Duration::from_millis(1500));
        while lookup.busy.load(Ordering::Acquire) {
            assert!(begin.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(lookup.all(&hosts(&["a.example"]))[0].error, None);
    }

    #[test]
    fn so_many_addresses_of_a_name_in_one_order() {
        let all = (1..100u8).rev().filter_map(|n| Block::parse(&format!("198.51.100.{n}")));
        let taken = usable(all.clone().chain(all)).unwrap();
        assert_eq!(taken.len(), bounds::QOS_PER_HOST);
        assert_eq!(taken[0].to_string(), "198.51.100.1");
        assert!(usable(["127.0.0.1", "::1", "0.0.0.0"].iter().filter_map(|a| Block::parse(a))).is_err());
    }

    #[test]
    fn what_is_a_name() {
        for (host, name) in [
            ("media.example.net", true),
            ("1.2.3.4", false),
            ("2001:db8::1", false),
            ("10.0.0.0/8", false),
            ("a", true),
        ] {
            assert_eq!(is_name(host), name, "{host}");
        }
    }
}
