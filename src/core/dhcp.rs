//! What is remembered of DHCP beside the phones: who else serves it, how much was seen and answered, and what is wrong.

use crate::bounds;
use crate::core::now::Now;
use crate::core::rate::{Limits, Rate};
use crate::core::types::UnixTime;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const RATE: Limits = Limits {
    most: bounds::DHCP_RATE,
    window: Duration::from_secs(bounds::DHCP_RATE_WINDOW),
    sources: bounds::DHCP_RATE_SOURCES,
};
const FORGET: Duration = Duration::from_secs(bounds::DHCP_SERVER_SECONDS);
const MINUTE: Duration = Duration::from_secs(60);

/// A DHCP server that is not this router. What is known of it comes from packets that anybody can forge: it is a hint
/// for the admin, and decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name of the device it answers on.
    pub device: String,
    /// As it calls itself (option 54).
    pub address: Ipv4Addr,
    /// When it, or a client of it, was last heard.
    pub last_seen: UnixTime,
    heard: Instant,
}

/// See the module.
pub struct Dhcp {
    rate: Rate,
    servers: Vec<Server>,
    /// DHCP messages of phones since the start.
    pub seen: u32,
    /// DHCPINFORMs answered since the start.
    pub answered: u32,
    /// What cannot work, a sentence each: sockets, the router's own server, its config.
    pub troubles: Vec<String>,
    /// Events since `window` began, and how many more there would have been.
    told: u32,
    untold: u32,
    window: Option<Instant>,
}

impl Default for Dhcp {
    fn default() -> Dhcp {
        Dhcp {
            rate: Rate::new(RATE),
            servers: Vec::new(),
            seen: 0,
            answered: 0,
            troubles: Vec::new(),
            told: 0,
            untold: 0,
            window: None,
        }
    }
}

impl Dhcp {
    /// Another server was heard, or a client of it. True: it is a new one.
    pub fn heard(&mut self, device: &str, address: Ipv4Addr, now: Now) -> bool {
        if let Some(known) = self.servers.iter_mut().find(|s| s.address == address && s.device == device) {
            known.last_seen = now.unix;
            known.heard = now.mono;
            return false;
        }
        if self.servers.len() >= bounds::DHCP_SERVERS {
            let oldest = self.servers.iter().enumerate().min_by_key(|(_, s)| s.heard).map_or(0, |(i, _)| i);
            self.servers.remove(oldest);
        }
        self.servers.push(Server { device: device.to_string(), address, last_seen: now.unix, heard: now.mono });
        true
    }

    /// Forgets servers that were not heard for [`bounds::DHCP_SERVER_SECONDS`].
    pub fn forget_servers(&mut self, now: Now) {
        self.servers.retain(|s| now.mono.saturating_duration_since(s.heard) < FORGET);
    }

    /// The other servers.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// May a DHCPINFORM of this address be answered now?
    pub fn admit(&mut self, from: Ipv4Addr, now: Now) -> bool {
        self.rate.admit(from, now.mono)
    }

    /// May one event more be told in this minute? What may not is counted.
    pub fn may_tell(&mut self, now: Now) -> bool {
        if self.told >= bounds::DHCP_EVENTS && self.window.is_some() {
            self.untold = self.untold.saturating_add(1);
            return false;
        }
        self.window.get_or_insert(now.mono);
        self.told += 1;
        true
    }

    /// When a minute is over: how many events it has had beyond its bound.
    pub fn minute(&mut self, now: Now) -> Option<u32> {
        if self.window.is_some_and(|begun| now.mono.saturating_duration_since(begun) < MINUTE) {
            return None;
        }
        self.window = None;
        self.told = 0;
        Some(std::mem::take(&mut self.untold)).filter(|n| *n > 0)
    }
}
