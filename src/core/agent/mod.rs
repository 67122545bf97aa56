//! The agent without its sockets: everything that comes in (a datagram, a request, the upstream's answer, time)
//! goes through a method here, and what is to be done comes out as [`Action`]s.

mod action;
mod clock;
mod conflicts;
mod control;
mod decide;
mod dhcp;
mod enrol;
mod fetches;
mod flash;
mod gate;
mod generations;
mod http;
mod lan;
mod report;
mod resolve;
#[cfg(test)]
mod test;

pub use action::Action;
pub use control::ControlId;
pub use decide::{identity_of, servers_of};
pub use flash::Loaded;
pub use generations::{Comparison, Kept, Place};
pub use http::Asked;
pub use lan::{Device, Lan};

use crate::config::Config;
use crate::core::answer::{RequestId, StreamId};
use crate::core::cache::{self, Cache, Waiter, NO_VENDOR};
use crate::core::dhcp::Dhcp;
use crate::core::directory::Directory;
use crate::core::events::EventLog;
use crate::core::guard;
use crate::core::http_rate::Rates;
use crate::core::now::Now;
use crate::core::pnp::{Pnp, PnpAction};
use crate::core::shared::{self, Shared};
use crate::core::types::{ResourceKey, UnixTime};
use crate::proto::mac::Mac;
use crate::proto::url::{Mapping, Template, Values};
use crate::vendor::{self, Active};
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

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
    resolving: resolve::Resolving,
    conflicts: conflicts::Conflicts,
    window: enrol::Window,
    rates: Rates,
    events: EventLog,
    started: Now,
    last_tick: Now,
    clock_seen: Now,
    panics: u32,
    seed: u64,
    store: flash::StoreState,
    /// What the look at the flash led to, until there is a turn to do it in.
    pending: Vec<cache::Out>,
}

const TICK: Duration = Duration::from_secs(60);
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
            resolving: resolve::Resolving::default(),
            conflicts: conflicts::Conflicts::default(),
            window: enrol::Window::default(),
            rates: Rates::default(),
            events: EventLog::default(),
            started: now,
            last_tick: now,
            clock_seen: now,
            panics: 0,
            seed,
            store: flash::StoreState { bytes: loaded.bytes, ..flash::StoreState::default() },
            pending: Vec::new(),
        };
        agent.cache.no_expiry_before(now.mono + clock::SETTLES);
        let mut refused: BTreeMap<Mac, BTreeMap<String, UnixTime>> = BTreeMap::new();
        let mut decided = Vec::new();
        for record in loaded.phones {
            if let Some(mac) = Mac::parse(&record.mac) {
                refused.insert(mac, record.refused_since.clone());
                decided.push((mac, record.decided.clone()));
                agent.directory.load(mac, record);
            }
        }
        for (key, generations) in loaded.configs {
            // of a vendor that is not configured now: a reload may bring it back, and its numbers must go on
            let enabled = |a: &Active| a.enabled && a.name == key.vendor;
            let vendor = agent.actives.iter().position(enabled).unwrap_or(NO_VENDOR);
            let since = refused.get(&key.mac).and_then(|r| r.get(&key.name)).copied();
            // cut off between a config and its phone's record, or the record was damaged: a phone all the same
            let first = generations.iter().map(|m| m.stored_at).min().unwrap_or_default();
            if agent.directory.adopt(key.mac, &key.vendor, first, now) {
                agent.pending.push(cache::Out::Record(key.mac));
            }
            agent.cache.load(key, vendor, generations, since);
        }
        agent.restore_decided(loaded.identities, loaded.candidates, &decided, now);
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
        self.cache.renumber(|key| actives.iter().position(|a| a.enabled && a.name == key.vendor), now, &mut outs);
        self.run_cache(outs, now, out);
        if moved {
            self.cache.doubt();
            let mut outs = Vec::new();
            self.shared.clear(&mut outs);
            self.run_shared(outs, now, out);
            self.fetches.forget_circuits();
        }
        self.tend_window(now);
        self.events.push(now.unix, "agent", None, "the config was read again".to_string());
    }

    /// The config in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The served devices as they are now.
    pub fn set_devices(&mut self, devices: Vec<Device>, now: Now) {
        for gone in self.devices.iter().filter(|d| !d.name.is_empty()) {
            if !devices.iter().any(|d| d.name == gone.name) {
                self.events.push(now.unix, "device", None, format!("{} is served no more", gone.name));
            }
        }
        for new in devices.iter().filter(|d| !d.name.is_empty()) {
            let old = self.devices.iter().find(|d| d.name == new.name);
            if old != Some(new) {
                let text = match new.addresses.is_empty() {
                    true => format!("{} is down or has no IPv4 address", new.name),
                    false => format!("{} serves {}", new.name, new.networks()),
                };
                self.events.push(now.unix, "device", None, text);
            }
        }
        self.dhcp.keep_devices(|name| devices.iter().any(|d| d.name == name));
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

    /// A mistake of ours was caught at `place` while it did `what`.
    pub fn panicked(&mut self, what: &str, place: &str, now: Now) {
        self.panics = self.panics.saturating_add(1);
        let text = format!("a mistake in the agent at {place} ended {what}; please report it");
        self.events.push_once(now.unix, "agent", None, text);
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
        // should this panic, a new one goes on, with tags that nobody can guess
        self.seed = self.seed.wrapping_add(1);
        let mut pnp = std::mem::replace(&mut self.pnp, Pnp::new(self.seed));
        let mut actions = Vec::new();
        let mut decide = |sighting: &crate::core::pnp::Sighting<'_>| self.pnp_url(sighting, local, lan, now);
        pnp.datagram(device, local, from, bytes, now.mono, &mut decide, &mut actions);
        self.pnp = pnp;
        self.run_pnp(actions, now, out);
    }

    /// When [`Agent::timeout`] and [`Agent::look_again`] want to be called.
    pub fn poll_at(&self) -> Instant {
        let tick = if self.pending.is_empty() { self.last_tick.mono + TICK } else { self.last_tick.mono };
        let (resolving, window) = (self.resolving.poll_at(), self.window.poll_at());
        [self.pnp.poll_at(), self.cache.poll_at(), self.shared.poll_at(), self.fetches.probe_at(), resolving, window]
            .into_iter()
            .flatten()
            .fold(tick, Instant::min)
    }

    /// What is due at `now`.
    pub fn timeout(&mut self, now: Now, out: &mut Vec<Action>) {
        let mut actions = Vec::new();
        self.pnp.timeout(now.mono, &mut actions);
        self.run_pnp(actions, now, out);
        let mut outs = std::mem::take(&mut self.pending);
        self.cache.timeout(now, &mut outs);
        self.run_cache(outs, now, out);
        let mut outs = Vec::new();
        self.shared.timeout(now, &mut outs);
        self.run_shared(outs, now, out);
        self.probe(now, out);
        self.tend_window(now);
        for mac in std::mem::take(&mut self.fetches.records_due) {
            self.record(mac, now, out);
        }
        if now.mono.saturating_duration_since(self.last_tick.mono) >= TICK {
            self.nightly(now, out);
            self.dhcp_minute(now);
            self.find_lost(now, out);
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
                    self.events.push_crowd(now, "pnp", mac, text);
                }
                PnpAction::GaveUp { mac, .. } => {
                    let text = "did not confirm the URL within 5 s (some phones never do)".to_string();
                    self.events.push_crowd(now, "pnp", mac, text);
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
                cache::Out::Store(key, ..) if self.is_stranger(&key) => {
                    let mut more = Vec::new();
                    self.cache.not_kept(&key, now, &mut more);
                    queue.extend(more);
                }
                cache::Out::Later(key) => self.fetches.later(key),
                cache::Out::Store(key, meta, body) => out.push(Action::Store(key, meta, body)),
                cache::Out::Candidate(key, meta, body) => out.push(Action::Candidate(key, meta, body)),
                cache::Out::DropCandidate(key) => out.push(Action::DropCandidate(key)),
                cache::Out::Accept(key, meta) => out.push(Action::Accept(key, meta)),
                cache::Out::DropNewer(key, number) => out.push(Action::DropNewer(key, number)),
                cache::Out::Guard(mac, text) => self.events.push(now.unix, "guard", mac, text),
                cache::Out::Record(mac) => self.record(mac, now, out),
                cache::Out::Expire(key) => out.push(Action::Expire(key)),
                cache::Out::Note(mac, text) => self.events.push(now.unix, "config", Some(mac), text),
            }
        }
    }

    /// Is nothing known of the phone of this config, and nothing of the config on flash?
    fn is_stranger(&self, key: &ResourceKey) -> bool {
        self.directory.get(key.mac).is_none() && self.cache.get(key).is_none_or(|e| e.generations().is_empty())
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

    /// The client of this request has hung up.
    pub fn request_gone(&mut self, id: RequestId) {
        self.cache.gone(Waiter::Phone(id));
        self.shared.gone(id);
        self.resolving.gone(id);
    }

    /// A phone was sent to this stream and came too late for its bytes: ask again with the same request.
    pub fn stream_missed(&mut self, id: StreamId) {
        self.shared.missed(id);
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
            let mapping = Mapping::new(&v.name, &template, config.agent.base(), config.agent.provpass.expose())?;
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
        // the provisioner in process refuses nobody who asks twice, and a change of its documents shall be seen at once
        fresh_for: if config.agent.documents().is_some() { Duration::ZERO } else { config.agent.fresh_for },
        upstream_timeout: config.agent.upstream_timeout,
        grace: config.agent.grace,
        unsaved_max: config.agent.cache_max,
        guard: guard::Limits {
            share: config.agent.guard_share,
            min: config.agent.guard_min,
            window: config.agent.guard_window,
        },
    }
}
