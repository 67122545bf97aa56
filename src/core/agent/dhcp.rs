//! DHCP: which phones are there, as their own packets tell; who else serves DHCP; and the answer to a DHCPINFORM.
//!
//! A frame is easily forged. So what it says of a phone is a claim (see `core/directory.rs`), what it says of servers is
//! a hint, and it is answered only to the interface that sent it, at the address it was sent from.

use super::{Action, Agent, Device, Lan};
use crate::config::DhcpMode;
use crate::core::directory::{Claim, Noted};
use crate::core::given::{encode, given, GivenValue};
use crate::core::now::Now;
use crate::proto::dhcp::{self, Ack, Frame, Kind, Message};
use crate::proto::mac::Mac;
use crate::proto::url::Values;
use crate::vendor::{AgentFacts, Evidence};
use serde_json::{json, Value};
use std::net::{Ipv4Addr, SocketAddrV4};

/// What a client says of itself, from a packet or from the router's own DHCP server.
struct Client<'a> {
    mac: Mac,
    ip: Option<Ipv4Addr>,
    confirmed: bool,
    device: usize,
    class: Option<&'a str>,
    hostname: Option<String>,
}

impl Agent {
    /// A frame came in on a device, or went out by it: one in, and at most one [`Action::Dhcp`] out, to its sender.
    pub fn dhcp_frame(&mut self, device: usize, bytes: &[u8], lan: &dyn Lan, now: Now, out: &mut Vec<Action>) {
        if self.config.agent.dhcp == DhcpMode::Off {
            return;
        }
        let Some(frame) = Frame::parse(bytes) else { return };
        let Some(message) = Message::parse(frame.payload) else { return };
        let Some(served) = self.devices.get(device).cloned() else { return };
        let ports = (frame.from.port(), frame.to.port());
        if message.kind.is_clients() {
            // its own words, from its own interface, not through a relay
            let own = frame.from_mac == message.chaddr && is_one(message.chaddr) && message.giaddr.is_unspecified();
            if own && ports == (dhcp::CLIENT, dhcp::SERVER) {
                self.client_said(device, &served, &frame, &message, lan, now, out);
            }
        } else if ports.0 == dhcp::SERVER {
            self.server_said(device, &served, &frame, &message, lan, now);
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn client_said(
        &mut self,
        device: usize,
        served: &Device,
        frame: &Frame<'_>,
        message: &Message<'_>,
        lan: &dyn Lan,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let mac = message.chaddr;
        if let (Kind::Request, Some(server)) = (message.kind, message.server_id()) {
            self.heard_server(served, server, now);
        }
        let class = message.class_id();
        let named = match message.kind {
            Kind::Request if message.ciaddr.is_unspecified() => message.requested(),
            Kind::Request | Kind::Inform => Some(message.ciaddr).filter(|ip| ip == frame.from.ip()),
            // what it would like to have, or has no more
            _ => None,
        };
        let named = named.filter(|ip| served.has_neighbour(*ip));
        let holder = named.and_then(|ip| lan.glance(ip));
        let foreign = holder.is_some_and(|other| other != mac);
        let client = Client {
            mac,
            ip: named.filter(|_| !foreign),
            confirmed: holder == Some(mac),
            device,
            class: class.as_deref(),
            hostname: message.host_name(),
        };
        let Some(vendor) = self.claim(client, now) else { return };
        self.dhcp.seen = self.dhcp.seen.saturating_add(1);
        if message.kind != Kind::Inform || self.config.agent.dhcp != DhcpMode::Responder {
            return;
        }
        let Some(from) = named else { return };
        if foreign {
            let text = format!("{from} asked by DHCP in its name, but has another MAC: not answered");
            return self.dhcp_event(Some(mac), text, now);
        }
        self.inform(vendor, device, served, frame, message, from, now, out);
    }

    /// A phone that has its address from somebody else asks for the rest (RFC 2131 section 3.4).
    #[allow(clippy::too_many_arguments)]
    fn inform(
        &mut self,
        vendor: usize,
        device: usize,
        served: &Device,
        frame: &Frame<'_>,
        message: &Message<'_>,
        from: Ipv4Addr,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let Some(own) = served.address_for(from) else { return };
        let to = *frame.to.ip();
        // to all, in one of the two ways, or to us
        let for_us = to == Ipv4Addr::BROADCAST || served.owns(to) || (served.serves(to) && !served.has_neighbour(to));
        let other = message.server_id().is_some_and(|id| !served.owns(id));
        if !for_us || other || !self.is_enrolled(message.chaddr) || !self.dhcp.admit(from, now) {
            return;
        }
        let (Some(active), Some(Some(section))) = (self.actives.get(vendor), self.sections.get(vendor)) else { return };
        let values = Values { ip: Some(from), ..self.url_values(message.chaddr) };
        let router = SocketAddrV4::new(own, self.config.agent.port);
        let all = match given(active.vendor, &section.mapping, &values, router) {
            Ok(all) => all,
            Err(why) => return self.dhcp_event(Some(message.chaddr), format!("not answered: {why}"), now),
        };
        let told = all.iter().find_map(|g| match &g.value {
            GivenValue::Text(url) => Some(url.as_str()),
            GivenValue::Byte(_) => None,
        });
        let text = format!("asked by DHCP from {from}, was told {}", told.unwrap_or("nothing"));
        let mut options = encode(&all);
        // should there be no room for all, then for those it has asked for
        let asked = message.asked();
        options.sort_by_key(|(code, _)| !asked.contains(code));
        let payload = Ack { to: message, server: own, options: &options }.build();
        self.dhcp.answered = self.dhcp.answered.saturating_add(1);
        self.dhcp_event(Some(message.chaddr), text, now);
        out.push(Action::Dhcp {
            device,
            to_mac: frame.from_mac,
            from: SocketAddrV4::new(own, dhcp::SERVER),
            to: SocketAddrV4::new(from, dhcp::CLIENT),
            payload,
        });
    }

    fn server_said(
        &mut self,
        device: usize,
        served: &Device,
        frame: &Frame<'_>,
        message: &Message<'_>,
        lan: &dyn Lan,
        now: Now,
    ) {
        if let Some(server) = message.server_id().filter(|_| !served.owns(*frame.from.ip())) {
            self.heard_server(served, server, now);
        }
        let mac = message.chaddr;
        let given = Some(message.yiaddr).filter(|ip| served.has_neighbour(*ip));
        // of phones only that were heard themselves
        let Some(phone) = self.directory.get(mac).filter(|p| p.by_dhcp) else { return };
        let (Some(ip), Kind::Ack) = (given, message.kind) else { return };
        let vendor = phone.vendor.clone();
        let holder = lan.glance(ip);
        if holder.is_some_and(|other| other != mac) {
            return;
        }
        let confirmed = holder == Some(mac);
        let facts = AgentFacts::default();
        let claim = Claim { mac, vendor: &vendor, ip: Some(ip), confirmed, device, facts, hostname: None };
        let noted = self.directory.claimed(claim, now);
        self.tell_claim(mac, noted, now);
    }

    /// Notes what a client says, if it is a phone of an enabled vendor: the place of its section. Of strangers nothing is
    /// remembered.
    fn claim(&mut self, client: Client<'_>, now: Now) -> Option<usize> {
        let evidence = Evidence { mac: Some(client.mac), class_id: client.class, ..Evidence::default() };
        let vendor = self.vendor_of(client.mac, &evidence)?;
        let active = self.actives.get(vendor)?;
        let claim = Claim {
            mac: client.mac,
            vendor: &active.name,
            ip: client.ip,
            confirmed: client.confirmed,
            device: client.device,
            facts: client.class.and_then(active.vendor.class_id).unwrap_or_default(),
            hostname: client.hostname,
        };
        let noted = self.directory.claimed(claim, now);
        self.tell_claim(client.mac, noted, now);
        Some(vendor)
    }

    fn tell_claim(&mut self, mac: Mac, noted: Noted, now: Now) {
        let Some(phone) = self.directory.get(mac) else { return };
        let who = phone.model.as_deref().unwrap_or(&phone.vendor);
        let name = phone.hostname.as_deref().map(|n| format!(" '{n}'")).unwrap_or_default();
        let text = match (noted, phone.ip) {
            (Noted::Address, Some(ip)) => format!("{who}{name} has {ip} by DHCP"),
            (Noted::First, _) => format!("{who}{name} was seen in DHCP"),
            _ => return,
        };
        self.dhcp_event(Some(mac), text, now);
    }

    /// A server other than this router: a hint for the admin and nothing else.
    fn heard_server(&mut self, served: &Device, server: Ipv4Addr, now: Now) {
        let ours = self.devices.iter().any(|d| d.owns(server));
        if ours || server.is_unspecified() || server.is_broadcast() || server.is_multicast() || server.is_loopback() {
            return;
        }
        if self.dhcp.heard(&served.name, server, now) && self.config.agent.dhcp == DhcpMode::Dnsmasq {
            self.dhcp_event(None, other_server(server, &served.name), now);
        }
    }

    /// The router's own DHCP server tells of a client (`op` `seen`, from its hook).
    pub(super) fn dhcp_seen(&mut self, request: &Value, now: Now) -> Result<Value, String> {
        let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
        let mac = Mac::parse(text("mac")).ok_or("which phone? give its MAC")?;
        let ip: Ipv4Addr = text("ip").parse().map_err(|_| "ip is no IPv4 address")?;
        let clean = |name: &str, most: usize| dhcp::text(text(name).as_bytes(), most);
        let device = self.devices.iter().position(|d| d.has_neighbour(ip));
        let (Some(device), true) = (device, self.config.agent.dhcp != DhcpMode::Off && is_one(mac)) else {
            return Ok(json!({"noted": false}));
        };
        let class = clean("class", 255);
        let client = Client {
            mac,
            ip: Some(ip),
            // who takes a phone's MAC and another client id gets a lease in its name, without ever sending by that MAC
            confirmed: false,
            device,
            class: class.as_deref(),
            hostname: clean("hostname", crate::bounds::DHCP_HOST_NAME),
        };
        let noted = self.claim(client, now).is_some();
        Ok(json!({"noted": noted}))
    }

    /// What keeps DHCP from working, as [`crate::net`] sees it, a sentence each.
    pub fn set_dhcp_troubles(&mut self, troubles: Vec<String>, now: Now) {
        for new in troubles.iter().filter(|t| !self.dhcp.troubles.contains(t)) {
            self.events.push(now.unix, "dhcp", None, new.clone());
        }
        if troubles.is_empty() && !self.dhcp.troubles.is_empty() {
            self.events.push(now.unix, "dhcp", None, "nothing is in the way any more".to_string());
        }
        self.dhcp.troubles = troubles;
    }

    /// Once a minute.
    pub(super) fn dhcp_minute(&mut self, now: Now) {
        self.dhcp.forget_servers(now);
        if let Some(untold) = self.dhcp.minute(now) {
            self.events.push(now.unix, "dhcp", None, format!("{untold} more events of DHCP within a minute"));
        }
    }

    /// An event that a stranger can bring about.
    fn dhcp_event(&mut self, mac: Option<Mac>, text: String, now: Now) {
        if let Some(untold) = self.dhcp.minute(now) {
            self.events.push(now.unix, "dhcp", None, format!("{untold} more events of DHCP within a minute"));
        }
        if self.dhcp.may_tell(now) {
            self.events.push_once(now.unix, "dhcp", mac, text);
        }
    }

    /// `dhcp` of `status`.
    pub(super) fn dhcp_json(&self) -> Value {
        let mode = self.config.agent.dhcp;
        let mut troubles = self.dhcp.troubles.clone();
        if mode == DhcpMode::Dnsmasq {
            troubles.extend(self.dhcp.servers().iter().map(|s| other_server(s.address, &s.device)));
        }
        if mode == DhcpMode::Off {
            troubles.clear();
        }
        let servers: Vec<Value> = self
            .dhcp
            .servers()
            .iter()
            .map(|s| json!({"device": s.device, "address": s.address.to_string(), "last_seen": s.last_seen}))
            .collect();
        let (mode, state) = match mode {
            DhcpMode::Off => ("off", "off"),
            DhcpMode::Dnsmasq => ("dnsmasq", if troubles.is_empty() { "ok" } else { "trouble" }),
            DhcpMode::Responder => ("responder", if troubles.is_empty() { "ok" } else { "trouble" }),
        };
        json!({
            "mode": mode,
            "state": state,
            "troubles": troubles,
            "servers": servers,
            "seen": self.dhcp.seen,
            "answered": self.dhcp.answered,
        })
    }
}

fn other_server(address: Ipv4Addr, device: &str) -> String {
    format!(
        "another DHCP server ({address}) answers on {device}; its phones do not get option 66: switch it off, or set option dhcp 'responder'"
    )
}

/// Is it the MAC of one interface, not of a group or of nobody?
fn is_one(mac: Mac) -> bool {
    mac.0.first().is_some_and(|first| first & 1 == 0) && mac.0 != [0; 6]
}
