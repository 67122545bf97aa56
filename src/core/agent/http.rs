//! What a phone's HTTP request and its SUBSCRIBE lead to: who is asking, which vendor, config or shared file.

use super::{Action, Agent, Lan};
use crate::core::answer::{Answer, RequestId};
use crate::core::cache::{How, Waiter};
use crate::core::directory::{Seen, SeenBy};
use crate::core::now::Now;
use crate::core::pnp::Sighting;
use crate::core::types::ResourceKey;
use crate::proto::http::{split_target, Method, Request};
use crate::proto::mac::Mac;
use crate::proto::url::{resource_name, Values};
use crate::vendor::{detect, model_from_event, Detected, Evidence, FileKind};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Bytes of request headers that are passed on, in all.
const PASSED_HEADERS: usize = 2048;

/// An HTTP request that came in whole.
#[derive(Clone)]
pub struct Asked {
    /// Number under which it is answered.
    pub id: RequestId,
    /// Index of the device it came in on.
    pub device: usize,
    /// Who asks.
    pub from: SocketAddrV4,
    /// What for.
    pub request: Request,
}

impl Agent {
    /// The URL for the phone that sent this SUBSCRIBE, or `None`: silence.
    pub(super) fn pnp_url(
        &mut self,
        sighting: &Sighting<'_>,
        local: SocketAddrV4,
        lan: &dyn Lan,
        now: Now,
    ) -> Option<String> {
        let ip = *sighting.from.ip();
        let device = self.devices.get(sighting.device)?;
        if !self.config.agent.pnp || !device.serves(ip) {
            log::debug!("pnp: {ip} is not on a served network");
            return None;
        }
        let neighbour = lan.glance(&device.name, ip);
        let Some(mac) = sighting.mac.or(neighbour) else {
            log::debug!("pnp: {ip} names no MAC and is not in the neighbour table");
            return None;
        };
        let evidence = Evidence {
            mac: Some(mac),
            user_agent: sighting.user_agent,
            event_vendor: sighting.event_vendor,
            class_id: None,
        };
        let vendor = self.vendor_of(mac, &evidence)?;
        let mut facts = sighting.user_agent.and_then(self.actives.get(vendor)?.vendor.user_agent).unwrap_or_default();
        let rules = self.actives.get(vendor)?.vendor;
        facts.model = sighting.model.and_then(|m| model_from_event(rules, m)).or(facts.model);
        facts.firmware = sighting.version.map(clean).or(facts.firmware);
        // the router itself is no phone: `probe` shall leave no trace
        let own = device.owns(ip);
        // who speaks in a phone's name must not become its address, where resync goes
        let liar = self.config.agent.verify_mac && neighbour.is_some_and(|m| m != mac);
        if !self.is_enrolled(mac, now) {
            let name = self.actives.get(vendor)?.name.clone();
            if !own && !liar {
                let by = SeenBy::Pnp;
                self.refused(Seen { mac, vendor: &name, by, ip, device: sighting.device, facts }, now);
            }
            return None;
        }
        let values =
            Values { mac: Some(mac), ip: Some(ip), model: facts.model.as_deref(), version: facts.firmware.as_deref() };
        let section = self.sections.get(vendor)?.as_ref()?;
        let router = SocketAddrV4::new(*local.ip(), self.config.agent.port);
        let url = section.mapping.entry(&values, router);
        // The URL is no secret, and an entry of whoever had this address before may be there still.
        if liar {
            let text = format!("{ip} asked by PnP in its name, but has another MAC: told the URL, and not noted");
            self.events.push_crowd(now, "pnp", Some(mac), text);
            return Some(url);
        }
        let name = self.actives.get(vendor)?.name.clone();
        let who = match (&facts.model, &facts.firmware) {
            (Some(m), Some(f)) => format!("{m} with {f}"),
            (Some(m), None) => m.clone(),
            _ => name.clone(),
        };
        self.events.push_crowd(now, "pnp", Some(mac), format!("{who} at {ip} asked by PnP, was told {url}"));
        let seen = Seen { mac, vendor: &name, by: SeenBy::Pnp, ip, device: sighting.device, facts };
        if own {
            return Some(url);
        }
        self.note_sighting(mac, ip, neighbour, now);
        if let Some(phone) = self.seen(seen, now) {
            phone.sip_port = sighting.from.port();
            if phone.record.is_some() {
                self.fetches.records_due.insert(mac);
            }
        }
        Some(url)
    }

    /// Tells when a MAC and an address do not fit what was seen of them before. Only what the neighbour table says
    /// counts: a name in a packet proves nothing.
    fn note_sighting(&mut self, mac: Mac, ip: Ipv4Addr, neighbour: Option<Mac>, now: Now) {
        if neighbour == Some(mac) {
            if let Some(text) = self.conflicts.seen(mac, ip, now.mono, now.unix) {
                self.events.push(now.unix, "phone", Some(mac), text);
            }
        }
    }

    /// The enabled vendor section that serves this phone: pinned by `config phone`, or detected.
    pub(super) fn vendor_of(&self, mac: Mac, evidence: &Evidence<'_>) -> Option<usize> {
        let pinned = self.config.phones.iter().find(|p| p.mac == mac).and_then(|p| p.vendor.as_deref());
        if let Some(name) = pinned {
            return self.section_of(name).filter(|i| self.actives.get(*i).is_some_and(|a| a.enabled));
        }
        match detect(&self.actives, evidence) {
            Detected::Vendor(i) => Some(i),
            Detected::Disabled(i) => {
                log::debug!("{mac}: vendor '{}' is disabled", self.actives.get(i).map_or("?", |a| &a.name));
                None
            }
            Detected::Unknown => {
                log::debug!("{mac}: no vendor has this prefix");
                None
            }
        }
    }

    /// Is this a MAC of a configured brand?
    fn is_phone(&self, mac: Mac) -> bool {
        self.actives.iter().any(|a| a.ouis.iter().any(|oui| oui.matches(mac)))
    }

    /// A phone asks over HTTP.
    pub fn request(&mut self, asked: &Asked, lan: &dyn Lan, now: Now, out: &mut Vec<Action>) {
        // what the loop does with a mistake of ours cannot be tested without one
        #[cfg(test)]
        assert!(asked.request.target != "/a/mistake", "a mistake");
        if let Some(answer) = self.turned_away(asked, now) {
            log::debug!("http: {}: status {}", asked.from.ip(), answer.status);
            return out.push(Action::Answer(asked.id, answer));
        }
        if !self.must_resolve(asked, lan, now, out) {
            self.serve(asked, lan, now, out);
        }
    }

    /// Answers a request, or sees to it that it is answered.
    pub(super) fn serve(&mut self, asked: &Asked, lan: &dyn Lan, now: Now, out: &mut Vec<Action>) {
        if let Err(answer) = self.route(asked, lan, now, out) {
            log::debug!("http: {}: status {}", asked.from.ip(), answer.status);
            out.push(Action::Answer(asked.id, *answer));
        }
    }

    fn route(&mut self, asked: &Asked, lan: &dyn Lan, now: Now, out: &mut Vec<Action>) -> Result<(), Box<Answer>> {
        let Asked { id, device, from, request } = asked;
        let (id, device) = (*id, *device);
        let refuse = |status: u16, text: &str| Err(Box::new(Answer::error(status, text)));
        let ip = *from.ip();
        let Some(lan_device) = self.devices.get(device) else {
            return refuse(403, "this network is not served any more");
        };
        let own = lan_device.owns(ip);
        if !lan_device.serves(ip) {
            return refuse(403, "your address is not on a served network");
        }
        if matches!(request.method, Method::Other(_)) {
            return refuse(405, "only GET and HEAD");
        }
        let Some((path, _)) = split_target(&request.target) else {
            return refuse(400, "the path is not one that can be passed on");
        };
        let Some((name, rest_path)) = path.strip_prefix('/').and_then(|p| p.split_once('/')) else {
            return refuse(404, "nothing here; a phone's URL begins with its vendor, such as /snom/");
        };
        let Some(vendor) = self.section_of(name).filter(|i| self.actives.get(*i).is_some_and(|a| a.enabled)) else {
            return refuse(404, "no enabled vendor of this name");
        };
        let below = request.target.get(name.len() + 2..).unwrap_or_default();
        let Some(section) = self.sections.get(vendor).and_then(Option::as_ref) else {
            return refuse(503, "this vendor's url in the config cannot be used");
        };
        // whatever the phone sends as a password is not ours to keep
        let rest = section.mapping.lan_target(below).into_owned();
        let Some(active) = self.actives.get(vendor) else { return refuse(404, "no such vendor") };
        let rules = active.vendor;
        let name = active.name.clone();
        let file = rest_path.rsplit('/').next().unwrap_or_default().to_string();
        let agent = request.header("user-agent").unwrap_or_default();
        let facts = (rules.user_agent)(agent).unwrap_or_default();
        let how = How { vendor, target: rest.clone(), headers: passed_headers(request) };
        let down = self.down(vendor);
        let neighbour = lan.mac_of(&lan_device.name, ip);
        // y000000000066.cfg (Yealink), cfg000000000000.xml (Htek), 000000000000.cfg (Polycom): files of a model or of all
        // phones, whose name is no phone's MAC
        let mut named = macs_in(&rest);
        named.retain(|m| !m.0.starts_with(&[0, 0, 0]));
        let checked = self.is_checked(asked);
        // Whose config it is, is for the upstream to say, and it may look at any MAC in the request: behind one's own
        // MAC, percent-encoded, in what looks like a shared file (`settings.php/x.bin?mac=…`), or in a header that goes
        // up too (`X-Original-URL: …`). In a User-Agent a phone may well name its other port.
        let headers = how.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("user-agent"));
        let in_headers: Vec<Mac> = headers.flat_map(|(_, value)| macs_in(value)).collect();
        let known = |m: &&Mac| self.directory.get(**m).is_some();
        let named_foreign =
            named.iter().chain(&in_headers).find(|m| neighbour != Some(**m) && (self.is_phone(**m) || known(m)));
        let other = named_foreign.or(facts.mac.as_ref().filter(|m| neighbour != Some(**m) && known(m)));
        if let Some(other) = other.copied().filter(|_| checked) {
            self.events.push_crowd(now, "phone", Some(other), foreign(ip, neighbour));
            return refuse(403, only_to_its_phone(neighbour));
        }
        if (rules.kind)(&file) == FileKind::Shared {
            let mut outs = Vec::new();
            self.shared.ask(&(name, rest), how, id, down.as_deref(), now, &mut outs);
            self.run_shared(outs, now, out);
            return Ok(());
        }
        let Some(mac) = named.first().copied().or(facts.mac).or(neighbour) else {
            return refuse(404, "the request names no MAC, and your address is not in the neighbour table");
        };
        let evidence = Evidence { mac: Some(mac), user_agent: Some(agent), ..Evidence::default() };
        if self.vendor_of(mac, &evidence) != Some(vendor) {
            return refuse(403, "this MAC is no phone of this vendor");
        }
        if checked && neighbour != Some(mac) {
            let text = foreign(ip, neighbour);
            self.events.push_crowd(now, "phone", Some(mac), text);
            return refuse(403, only_to_its_phone(neighbour));
        }
        let seen = Seen { mac, vendor: &name, by: SeenBy::Http, ip, device, facts };
        if !self.is_enrolled(mac, now) {
            if !own {
                self.refused(seen, now);
            }
            return refuse(403, self.not_enrolled());
        }
        self.note_sighting(mac, ip, neighbour, now);
        if !own && self.seen(seen, now).is_some_and(|p| p.record.is_some()) {
            self.record(mac, now, out);
        }
        let key = ResourceKey { vendor: name, mac, name: resource_name(&rest, mac) };
        self.fetches.wanted(&key);
        let mut outs = Vec::new();
        self.cache.ask(&key, how, Waiter::Phone(id), down.as_deref(), false, now, &mut outs);
        self.run_cache(outs, now, out);
        Ok(())
    }
}

/// Why somebody does not get the config of a phone, for the admin.
fn foreign(ip: Ipv4Addr, neighbour: Option<Mac>) -> String {
    let what = match neighbour {
        Some(_) => "has another MAC",
        None => "is not in the neighbour table",
    };
    format!("{ip} asked for its config, but that address {what}: refused")
}

/// The same for the answer.
fn only_to_its_phone(neighbour: Option<Mac>) -> &'static str {
    match neighbour {
        Some(_) => "a config goes only to the phone whose MAC it names, and your address has another MAC",
        None => {
            "a config goes only to the phone whose MAC it names, and the router could not find out yours; for phones \
             behind another router the admin can set option verify_mac '0'"
        }
    }
}

/// All MACs in a target, those also that only show when it is decoded.
fn macs_in(target: &str) -> Vec<Mac> {
    let mut macs = Vec::new();
    let mut text = target.to_string();
    for _ in 0..DECODED {
        let mut rest = text.as_str();
        while let Some((range, mac)) = Mac::find_at(rest) {
            macs.push(mac);
            rest = rest.get(range.end..).unwrap_or_default();
        }
        let decoded = percent_decoded(&text);
        if decoded == text {
            break;
        }
        text = decoded;
    }
    macs
}

/// How often an upstream may decode a target: a proxy, a server, a program.
const DECODED: usize = 3;

/// Decoded once; what is not ASCII then is of no interest here.
fn percent_decoded(text: &str) -> String {
    let digit = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(b) = bytes.get(at) {
        match (b, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(char::from((high << 4 | low) as u8));
                at += 3;
            }
            _ => {
                out.push(char::from(*b));
                at += 1;
            }
        }
    }
    out
}

/// The request headers that go upstream (design section 6). Not Accept-Encoding: a packed body could neither be
/// checked nor rewritten. Not Range: the agent fetches whole files and cuts them itself.
fn passed_headers(request: &Request) -> Vec<(String, String)> {
    let mut left = PASSED_HEADERS;
    request
        .headers
        .iter()
        .filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            (name == "user-agent" || name.starts_with("accept") || name.starts_with("x-")) && name != "accept-encoding"
        })
        .take_while(|(name, value)| {
            left = left.saturating_sub(name.len() + value.len());
            left > 0
        })
        .cloned()
        .collect()
}

/// A model or version out of a SUBSCRIBE, as it may stand in a log line and a URL.
fn clean(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(64).collect()
}
