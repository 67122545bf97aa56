//! The agent without its sockets: everything that comes in (a datagram, a request, the upstream's answer, time)
//! goes through a method here, and what is to be done comes out as [`Action`]s.

mod control;
mod dhcp;
mod fetches;
mod http;
mod lan;
mod report;
#[cfg(test)]
mod test;

pub use control::ControlId;
pub use http::Asked;
pub use lan::{Device, Lan};

use crate::config::Config;
use crate::core::answer::{Answer, RequestId, StreamId};
use crate::core::cache::{self, Cache, Waiter, NO_VENDOR};
use crate::core::dhcp::Dhcp;
use crate::core::directory::Directory;
use crate::core::events::EventLog;
use crate::core::now::Now;
use crate::core::pnp::{Pnp, PnpAction};
use crate::core::shared::{self, Shared};
use crate::core::types::{FetchJob, GenerationMeta, PhoneRecord, ResourceKey, UnixTime};
use crate::proto::mac::Mac;
use crate::proto::url::{Mapping, Template, Values};
use crate::vendor::{self, Active, Vendor};
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is to be done. [`crate::net`] does it and nothing else.
pub enum Action {
    /// Send a SIP datagram.
    Sip {
        /// Index of the device to send from.
        device: usize,
        /// Always the address that asked.
        to: SocketAddrV4,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Send a DHCP message in a frame of the device's own interface.
    Dhcp {
        /// Index of the device to send by.
        device: usize,
        /// Always the interface that asked.
        to_mac: Mac,
        /// Our address.
        from: SocketAddrV4,
        /// Always the address that asked.
        to: SocketAddrV4,
        /// The message.
        payload: Vec<u8>,
    },
    /// Answer an HTTP request.
    Answer(RequestId, Answer),
    /// Fetch a config and judge it: comes back by [`Agent::fetched`].
    Fetch {
        /// The request.
        job: FetchJob,
        /// Whose rules judge it.
        vendor: &'static Vendor,
        /// The file name they look at.
        file: String,
    },
    /// Fetch a shared file into stream `stream`: comes back by [`Agent::stream_head`] and [`Agent::stream_done`].
    FetchShared {
        /// The request.
        job: FetchJob,
        /// Where the bytes go.
        stream: StreamId,
        /// Kept whole up to this size, passed through a window beyond.
        keep: u64,
    },
    /// The bytes of this stream are needed no more.
    DropStream(StreamId),
    /// Write a generation: comes back by [`Agent::stored`].
    Store(ResourceKey, GenerationMeta, Arc<[u8]>),
    /// Write what is known of a phone.
    PutPhone(PhoneRecord),
    /// Remove one config from flash.
    Expire(ResourceKey),
    /// Remove a phone and its configs from flash; `None`: all.
    Forget(Option<Mac>),
    /// Answer a control request.
    Control(ControlId, serde_json::Value),
}

/// One configured vendor section, ready for use.
pub(crate) struct Section {
    /// Where its phones' URLs lead.
    pub(crate) mapping: Mapping,
    /// `scheme://host:port` of its upstream: the circuit it belongs to.
    pub(crate) origin: String,
}

/// The whole agent.
pub struct Agent {
    config: Config,
    /// Vendor sections as [`vendor::detect`] wants them; `sections` runs parallel.
    actives: Vec<Active>,
    sections: Vec<Option<Section>>,
    devices: Vec<Device>,
    troubles: Vec<String>,
    directory: Directory,
    pnp: Pnp,
    dhcp: Dhcp,
    cache: Cache,
    shared: Shared,
    fetches: fetches::Fetches,
    control: control::Waiting,
    events: EventLog,
    started: Now,
    last_tick: Now,
    store: StoreState,
}

/// What the store last said, for `status`.
#[derive(Default)]
struct StoreState {
    bytes: u64,
    written: u64,
    trouble: Option<String>,
}

/// What was found on flash at the start.
#[derive(Default)]
pub struct Loaded {
    /// Each config with its generations, ascending.
    pub configs: Vec<(ResourceKey, Vec<GenerationMeta>)>,
    /// Known phones.
    pub phones: Vec<PhoneRecord>,
    /// Sentences about damaged files.
    pub damaged: Vec<String>,
    /// Bytes on flash.
    pub bytes: u64,
}

const TICK: Duration = Duration::from_secs(60);
/// How often a phone's new firmware, or whatever else it says of itself, is written to flash at the most.
const SAID_AGAIN: Duration = Duration::from_secs(3600);

impl Agent {
    /// `seed`: a number that strangers cannot guess, for SIP tags.
    pub fn new(config: Config, loaded: Loaded, seed: u64, now: Now) -> Agent {
        let (actives, sections) = sections(&config);
        let mut agent = Agent {
            cache: Cache::new(cache_limits(&config)),
            shared: Shared::new(config.agent.shared_max, config.agent.fresh_wait, config.agent.upstream_timeout),
            config,
            actives,
            sections,
            devices: Vec::new(),
            troubles: Vec::new(),
            directory: Directory::default(),
            pnp: Pnp::new(seed),
            dhcp: Dhcp::default(),
            fetches: fetches::Fetches::default(),
            control: control::Waiting::default(),
            events: EventLog::default(),
            started: now,
            last_tick: now,
            store: StoreState { bytes: loaded.bytes, ..StoreState::default() },
        };
        let mut refused: BTreeMap<Mac, BTreeMap<String, UnixTime>> = BTreeMap::new();
        for record in loaded.phones {
            if let Some(mac) = Mac::parse(&record.mac) {
                refused.insert(mac, record.refused_since.clone());
                agent.directory.load(mac, record);
            }
        }
        for (key, generations) in loaded.configs {
            // of a vendor that is not configured now: a reload may bring it back, and its numbers must go on
            let vendor = agent.section_of(&key.vendor).unwrap_or(NO_VENDOR);
            let since = refused.get(&key.mac).and_then(|r| r.get(&key.name)).copied();
            agent.cache.load(key, vendor, generations, since);
        }
        for text in loaded.damaged {
            agent.events.push(now.unix, "store", None, text);
        }
        agent
    }

    /// A new config (SIGHUP). What is stored and who waits stays.
    pub fn reload(&mut self, config: Config, now: Now, out: &mut Vec<Action>) {
        let (new, old) = (&config.agent, &self.config.agent);
        let moved =
            new.upstream != old.upstream || new.provpass != old.provpass || config.vendors != self.config.vendors;
        (self.actives, self.sections) = sections(&config);
        self.cache.set_limits(cache_limits(&config));
        self.shared.set_limits(config.agent.shared_max, config.agent.fresh_wait, config.agent.upstream_timeout);
        self.config = config;
        let actives = &self.actives;
        let mut outs = Vec::new();
        self.cache.renumber(|key| actives.iter().position(|a| a.name == key.vendor), now, &mut outs);
        self.run_cache(outs, now, out);
        if moved {
            self.cache.doubt();
            let mut outs = Vec::new();
            self.shared.clear(&mut outs);
            self.run_shared(outs, now, out);
            self.fetches.forget_circuits();
        }
        self.events.push(now.unix, "agent", None, "the config was read again".to_string());
    }

    /// The config in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The served devices as they are now.
    pub fn set_devices(&mut self, devices: Vec<Device>, now: Now) {
        for new in &devices {
            let old = self.devices.iter().find(|d| d.name == new.name);
            if old != Some(new) {
                let text = match new.addresses.is_empty() {
                    true => format!("{} is down or has no IPv4 address", new.name),
                    false => format!("{} serves {}", new.name, new.networks()),
                };
                self.events.push(now.unix, "device", None, text);
            }
        }
        self.devices = devices;
    }

    /// What cannot be served now, a sentence each: a port that another program has.
    pub fn set_troubles(&mut self, troubles: &[String], now: Now) {
        for new in troubles.iter().filter(|t| !self.troubles.contains(t)) {
            self.events.push(now.unix, "device", None, new.clone());
        }
        if troubles.is_empty() && !self.troubles.is_empty() {
            self.events.push(now.unix, "device", None, "all devices are served again".to_string());
        }
        self.troubles = troubles.to_vec();
    }

    /// The config could not be read again: the one before stays in force.
    pub fn reload_failed(&mut self, why: &str, now: Now) {
        let text = format!("the config was not taken, the one before stays in force: {why}");
        self.events.push(now.unix, "agent", None, text);
    }

    /// A SIP datagram came in on `device`; `local` is the address it is answered from.
    #[allow(clippy::too_many_arguments)]
    pub fn datagram(
        &mut self,
        device: usize,
        local: SocketAddrV4,
        from: SocketAddrV4,
        bytes: &[u8],
        lan: &dyn Lan,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let mut pnp = std::mem::replace(&mut self.pnp, Pnp::new(0));
        let mut actions = Vec::new();
        let mut decide = |sighting: &crate::core::pnp::Sighting<'_>| self.pnp_url(sighting, local, lan, now);
        pnp.datagram(device, local, from, bytes, now.mono, &mut decide, &mut actions);
        self.pnp = pnp;
        self.run_pnp(actions, now, out);
    }

    /// When [`Agent::timeout`] wants to be called.
    pub fn poll_at(&self) -> Instant {
        let tick = self.last_tick.mono + TICK;
        [self.pnp.poll_at(), self.cache.poll_at(), self.shared.poll_at(), self.fetches.probe_at()]
            .into_iter()
            .flatten()
            .fold(tick, Instant::min)
    }

    /// What is due at `now`.
    pub fn timeout(&mut self, now: Now, out: &mut Vec<Action>) {
        let mut actions = Vec::new();
        self.pnp.timeout(now.mono, &mut actions);
        self.run_pnp(actions, now, out);
        let mut outs = Vec::new();
        self.cache.timeout(now, &mut outs);
        self.run_cache(outs, now, out);
        let mut outs = Vec::new();
        self.shared.timeout(now, &mut outs);
        self.run_shared(outs, now, out);
        self.probe(now, out);
        for mac in std::mem::take(&mut self.fetches.records_due) {
            self.record(mac, now, out);
        }
        if now.mono.saturating_duration_since(self.last_tick.mono) >= TICK {
            self.nightly(now, out);
            self.dhcp_minute(now);
            self.last_tick = now;
        }
    }

    fn run_pnp(&mut self, actions: Vec<PnpAction>, now: Now, out: &mut Vec<Action>) {
        for action in actions {
            match action {
                PnpAction::Send { device, to, bytes } => out.push(Action::Sip { device, to, bytes }),
                PnpAction::Confirmed { mac, code, .. } => {
                    let text = match code {
                        200..=299 => "took the URL".to_string(),
                        _ => format!("answered the URL with status {code}"),
                    };
                    self.events.push(now.unix, "pnp", mac, text);
                }
                PnpAction::GaveUp { mac, .. } => {
                    let text = "did not confirm the URL within 5 s (some phones never do)".to_string();
                    self.events.push(now.unix, "pnp", mac, text);
                }
                PnpAction::ResyncDone { id, mac, code } => self.resync_done(id, mac, code, now, out),
            }
        }
    }

    /// Does what the cache wants, and again what that leads to.
    fn run_cache(&mut self, outs: Vec<cache::Out>, now: Now, out: &mut Vec<Action>) {
        let mut queue: std::collections::VecDeque<cache::Out> = outs.into();
        while let Some(next) = queue.pop_front() {
            match next {
                cache::Out::Tell(Waiter::Phone(id), answer) => out.push(Action::Answer(id, answer)),
                cache::Out::Tell(Waiter::Control(id), answer) => self.control_told(id, &answer, out),
                cache::Out::Fetch(key) => {
                    let mut more = Vec::new();
                    self.plan_config(&key, now, &mut more, out);
                    queue.extend(more);
                }
                // asked for by the router itself (`probe`): nothing of strangers goes to flash
                cache::Out::Store(key, ..) if self.directory.get(key.mac).is_none() => {
                    let mut more = Vec::new();
                    self.cache.not_kept(&key, now, &mut more);
                    queue.extend(more);
                }
                cache::Out::Store(key, meta, body) => out.push(Action::Store(key, meta, body)),
                cache::Out::Record(mac) => self.record(mac, now, out),
                cache::Out::Expire(key) => out.push(Action::Expire(key)),
                cache::Out::Note(mac, text) => self.events.push(now.unix, "config", Some(mac), text),
            }
        }
    }

    fn run_shared(&mut self, outs: Vec<shared::Out>, now: Now, out: &mut Vec<Action>) {
        for next in outs {
            match next {
                shared::Out::Tell(id, answer) => out.push(Action::Answer(id, answer)),
                shared::Out::Fetch { key, id, how, validators } => {
                    self.plan_shared(key, id, how, validators, now, out);
                }
                shared::Out::Drop(id) => out.push(Action::DropStream(id)),
            }
        }
    }

    /// The store has written a generation (and removed some), or could not.
    pub fn stored(
        &mut self,
        key: &ResourceKey,
        number: u32,
        result: Result<(u32, Vec<(ResourceKey, u32)>), String>,
        (bytes, written): (u64, u64),
        now: Now,
        out: &mut Vec<Action>,
    ) {
        self.store.bytes = bytes;
        self.store.written = written;
        match &result {
            Ok(_) => {
                if self.store.trouble.take().is_some() {
                    self.events.push(now.unix, "store", None, "configs can be written again".to_string());
                }
            }
            Err(why) => {
                if self.store.trouble.as_ref() != Some(why) {
                    self.events.push(now.unix, "store", None, why.clone());
                }
                self.store.trouble = Some(why.clone());
            }
        }
        let mut outs = Vec::new();
        self.cache.stored(key, number, result, now, &mut outs);
        // a stranger becomes a known phone with its first config on flash, not before
        if self.cache.get(key).is_some_and(|e| !e.generations().is_empty()) {
            self.record(key.mac, now, out);
        }
        self.run_cache(outs, now, out);
    }

    /// The client of this request has hung up.
    pub fn request_gone(&mut self, id: RequestId) {
        self.cache.gone(Waiter::Phone(id));
        self.shared.gone(id);
    }

    /// A phone was sent to this stream and came too late for its bytes: ask again with the same request.
    pub fn stream_missed(&mut self, id: StreamId) {
        self.shared.missed(id);
    }

    /// A stored generation could not be read back: it has been set aside.
    pub fn unreadable(&mut self, key: &ResourceKey, number: u32, why: &str, now: Now) {
        self.events.push(now.unix, "store", Some(key.mac), format!("{} generation {number}: {why}", key.name));
        self.cache.unreadable(key, number);
    }

    /// Writes a phone's record if it differs from what is on flash. What a phone says of itself can be said by
    /// anybody, as often as he likes: for that alone the flash is written once in [`SAID_AGAIN`].
    fn record(&mut self, mac: Mac, now: Now, out: &mut Vec<Action>) {
        let refused = self.cache.refused(mac);
        let Some(phone) = self.directory.get_mut(mac) else { return };
        let record = phone.to_record(refused);
        let Some(old) = &phone.record else {
            phone.record = Some(record.clone());
            phone.written = Some(now.mono);
            return out.push(Action::PutPhone(record));
        };
        let just = phone.written.is_some_and(|at| now.mono.saturating_duration_since(at) < SAID_AGAIN);
        if *old == record || (just && old.refused_since == record.refused_since) {
            return;
        }
        phone.record = Some(record.clone());
        phone.written = Some(now.mono);
        out.push(Action::PutPhone(record));
    }

    /// Known phones are refreshed in the background once a night, each at its own minute between 01:00 and 05:00
    /// UTC, so that the store is warm and the upstream not stormed. While the clock is not set, once in 24 hours of
    /// uptime.
    fn nightly(&mut self, now: Now, out: &mut Vec<Action>) {
        let clock = now.clock_is_set();
        let minutes = |n: &Now| match clock {
            true => n.unix / 60,
            false => n.mono.saturating_duration_since(self.started.mono).as_secs() / 60,
        };
        let this = minutes(&now);
        // each minute once; after a clock jump, or a suspend, nothing is made up for
        let passed = this.saturating_sub(minutes(&self.last_tick)).min(5);
        let enabled = |vendor: usize| self.actives.get(vendor).is_some_and(|a| a.enabled);
        let due: Vec<ResourceKey> = self
            .cache
            .iter()
            .filter(|(_, e)| e.current().is_some() && enabled(e.how().vendor))
            .filter(|(k, _)| {
                let spread = k.mac.0.iter().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(*b)));
                let slot = if clock { 60 + spread % 240 } else { spread % 1440 };
                (this % 1440 + 1440 - slot) % 1440 < passed
            })
            .map(|(k, _)| k.clone())
            .collect();
        self.refresh_later(due, now, out);
    }

    /// The URL mappings for a config of this vendor section and phone, its own first, and what they are filled with.
    pub fn mappings(&self, vendor: usize) -> Vec<&Mapping> {
        let own = self.sections.get(vendor).and_then(Option::as_ref);
        let others = self.sections.iter().enumerate().filter(|(i, _)| *i != vendor).filter_map(|(_, s)| s.as_ref());
        own.into_iter().chain(others).map(|s| &s.mapping).collect()
    }

    /// What is known of a phone for its URLs.
    pub fn url_values(&self, mac: Mac) -> Values<'_> {
        let phone = self.directory.get(mac);
        Values {
            mac: Some(mac),
            ip: phone.and_then(|p| p.ip),
            model: phone.and_then(|p| p.model.as_deref()),
            version: phone.and_then(|p| p.firmware.as_deref()),
        }
    }

    /// `status`, as the control socket has it.
    pub fn status(&self, now: Now) -> serde_json::Value {
        self.status_json(now)
    }

    fn section_of(&self, name: &str) -> Option<usize> {
        self.actives.iter().position(|a| a.name == name)
    }
}

/// The vendor sections of a config in the two forms that are needed.
fn sections(config: &Config) -> (Vec<Active>, Vec<Option<Section>>) {
    let mut actives = Vec::new();
    let mut sections = Vec::new();
    for v in &config.vendors {
        let vendor = vendor::by_name(&v.name).unwrap_or(&vendor::GENERIC);
        actives.push(Active { vendor, name: v.name.clone(), enabled: v.enabled, ouis: v.ouis.clone() });
        let section = Template::parse(&v.url).map_err(|why| format!("its url {why}")).and_then(|template| {
            let mapping = Mapping::new(&v.name, &template, &config.agent.upstream, config.agent.provpass.expose())?;
            Ok(Section { origin: mapping.origin().to_string(), mapping })
        });
        if let (Err(why), true) = (&section, v.enabled) {
            log::warn!("vendor '{}' cannot be served: {why}", v.name);
        }
        sections.push(section.ok());
    }
    (actives, sections)
}

fn cache_limits(config: &Config) -> cache::Limits {
    cache::Limits {
        fresh_wait: config.agent.fresh_wait,
        fresh_for: config.agent.fresh_for,
        upstream_timeout: config.agent.upstream_timeout,
        grace: config.agent.grace,
        unsaved_max: config.agent.cache_max,
    }
}
