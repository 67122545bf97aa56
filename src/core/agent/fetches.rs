//! Fetches under way and waiting, and whether each upstream is there.

use super::{Action, Agent};
use crate::bounds;
use crate::core::answer::StreamId;
use crate::core::cache::{self, How};
use crate::core::circuit::Circuit;
use crate::core::now::Now;
use crate::core::outcome::{Outcome, Reason};
use crate::core::shared::SharedKey;
use crate::core::types::{FetchError, FetchHead, FetchJob, ResourceKey, UnixTime};
use crate::proto::mac::Mac;
use crate::proto::url::{redact, rewrite, Parts, Values};
use crate::sorted::{SortedMap, SortedSet};
use crate::vendor;
use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

#[derive(Default)]
pub(super) struct Fetches {
    next: u64,
    running: HashMap<u64, Running>,
    ready: VecDeque<(u64, Action)>,
    /// Shared files that wait. They go behind all configs, and get only a part of the threads: a firmware may take
    /// minutes, and a phone that waits for its config shall not wait for that.
    ready_shared: VecDeque<(u64, Action)>,
    started: usize,
    /// Shared files among `started`.
    streaming: usize,
    /// Configs to be refreshed when nobody else wants the threads.
    background: SortedSet<ResourceKey>,
    circuits: SortedMap<String, Upstream>,
    /// Phones whose record may have to be written.
    pub(super) records_due: SortedSet<Mac>,
}

struct Running {
    what: What,
    origin: String,
    started: bool,
    /// The second file name of the vendor has been tried.
    fell_back: bool,
    /// Minutes that a thread has had it.
    minutes: u32,
}

/// Minutes after which the thread of a config's fetch is lost. Each step of a fetch has a time limit; all of them
/// together, with five redirects, take less.
const LOST: u32 = 15;

enum What {
    Config(ResourceKey),
    Shared(SharedKey, StreamId),
    /// A config that was forgotten meanwhile: the answer is nobody's.
    Forgotten,
}

#[derive(Default)]
struct Upstream {
    circuit: Circuit,
    /// What is fetched to see whether it is back: the config that was last asked for, so that one phone's trouble
    /// cannot keep all others on their last good.
    wanted: Option<ResourceKey>,
    /// Probes made since it went down.
    probes: u32,
    probing: Option<ResourceKey>,
    last_ok: Option<UnixTime>,
    last_error: Option<(UnixTime, String)>,
}

/// One upstream, for `status`.
pub(super) struct UpstreamState<'a> {
    pub origin: &'a str,
    pub down: Option<&'a str>,
    pub last_ok: Option<UnixTime>,
    pub last_error: Option<&'a (UnixTime, String)>,
}

impl Fetches {
    /// When the next probe is due.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        self.circuits.values().filter_map(|u| u.circuit.probe_at()).min()
    }

    /// The admin wants to know: the next probes are due.
    pub(super) fn probe_now(&mut self, now: Now) {
        self.circuits.values_mut().for_each(|u| u.circuit.hurry(now.mono));
    }

    pub(super) fn forget_circuits(&mut self) {
        self.circuits.clear();
    }

    pub(super) fn upstreams(&self) -> impl Iterator<Item = UpstreamState<'_>> {
        self.circuits.iter().map(|(origin, u)| UpstreamState {
            origin,
            down: u.circuit.down(),
            last_ok: u.last_ok,
            last_error: u.last_error.as_ref(),
        })
    }

    /// Is this config the probe of this upstream?
    fn is_probe(&self, origin: &str, key: &ResourceKey) -> bool {
        self.circuits.get(origin).is_some_and(|u| u.probing.as_ref() == Some(key))
    }

    /// Remembers what was asked for last, as the next probe.
    pub(super) fn wanted(&mut self, key: &ResourceKey) {
        for upstream in self.circuits.values_mut().filter(|u| u.circuit.down().is_some()) {
            upstream.wanted = Some(key.clone());
        }
    }

    fn add(&mut self, what: What, origin: String, fell_back: bool, action: impl FnOnce(u64) -> Action) {
        self.next += 1;
        let id = self.next;
        let queue = match what {
            What::Shared(..) => &mut self.ready_shared,
            _ => &mut self.ready,
        };
        queue.push_back((id, action(id)));
        self.running.insert(id, Running { what, origin, started: false, fell_back, minutes: 0 });
    }

    fn is_full(&self) -> bool {
        self.ready.len() + self.ready_shared.len() >= bounds::FETCH_QUEUE
    }

    /// Are threads left over, when all who wait have theirs?
    fn has_spare(&self) -> bool {
        self.ready.is_empty() && self.started < bounds::FETCHES / 2
    }

    /// Hands as many waiting fetches out as there are threads.
    fn pump(&mut self, out: &mut Vec<Action>) {
        while self.started < bounds::FETCHES {
            let shared = self.streaming < bounds::SHARED_FETCHES;
            let next = self.ready.pop_front().or_else(|| if shared { self.ready_shared.pop_front() } else { None });
            let Some((id, action)) = next else { return };
            if let Some(running) = self.running.get_mut(&id) {
                running.started = true;
                self.started += 1;
                self.streaming += usize::from(matches!(running.what, What::Shared(..)));
                out.push(action);
            }
        }
    }

    /// The answers to what is asked for these phones are nobody's any more.
    pub(super) fn forget(&mut self, mac: Option<Mac>) {
        let gone = |key: &ResourceKey| mac.is_none_or(|m| key.mac == m);
        for running in self.running.values_mut() {
            if matches!(&running.what, What::Config(key) if gone(key)) {
                running.what = What::Forgotten;
            }
        }
        let running = &mut self.running;
        self.ready.retain(|(id, _)| {
            let drop = matches!(running.get(id), Some(Running { what: What::Forgotten, .. }));
            if drop {
                running.remove(id);
            }
            !drop
        });
        self.background.retain(|key| !gone(key));
    }

    /// To be refreshed when nobody else wants the threads.
    pub(super) fn later(&mut self, key: ResourceKey) {
        self.background.insert(key);
    }

    fn finish(&mut self, id: u64) -> Option<Running> {
        let running = self.running.remove(&id)?;
        if running.started {
            self.started = self.started.saturating_sub(1);
            self.streaming = self.streaming.saturating_sub(usize::from(matches!(running.what, What::Shared(..))));
        }
        Some(running)
    }
}

impl Agent {
    /// Why the upstream of this vendor section is out of reach, if it is known to be.
    pub(super) fn down(&self, vendor: usize) -> Option<String> {
        let origin = &self.sections.get(vendor)?.as_ref()?.origin;
        self.fetches.circuits.get(origin)?.circuit.down().map(str::to_string)
    }

    /// Puts the fetch of a config into the queue.
    pub(super) fn plan_config(
        &mut self,
        key: &ResourceKey,
        now: Now,
        more: &mut Vec<cache::Out>,
        out: &mut Vec<Action>,
    ) {
        let Some(entry) = self.cache.get(key) else { return };
        let mut headers = entry.how().headers.clone();
        let (etag, modified) = entry.validators();
        headers.extend(etag.map(|v| ("If-None-Match".to_string(), v.to_string())));
        headers.extend(modified.map(|v| ("If-Modified-Since".to_string(), v.to_string())));
        let how = How { headers, ..entry.how().clone() };
        self.plan(key, how, false, now, more);
        self.fetches.pump(out);
    }

    fn plan(&mut self, key: &ResourceKey, how: How, fell_back: bool, now: Now, more: &mut Vec<cache::Out>) {
        let planned = if self.fetches.is_full() {
            Err("too many fetches are waiting".to_string())
        } else {
            self.upstream_url(how.vendor, &how.target, Some(key.mac))
        };
        let (url, origin) = match planned {
            Ok(both) => both,
            Err(why) => return self.cache.fetched(key, Outcome::Bad(Reason::Down, why), now, more),
        };
        let vendor = self.actives.get(how.vendor).map_or(&vendor::GENERIC, |a| a.vendor);
        let timeout = self.config.agent.upstream_timeout;
        let redirect_origins = self.redirect_origins();
        let file = file_of(&how.target).to_string();
        self.fetches.add(What::Config(key.clone()), origin, fell_back, |id| Action::Fetch {
            job: FetchJob {
                id,
                url,
                headers: how.headers,
                redirect_origins,
                limit: bounds::CONFIG_BODY as u64,
                timeout,
                body_in_timeout: true,
            },
            vendor,
            file,
        });
    }

    /// Puts the fetch of a shared file into the queue.
    pub(super) fn plan_shared(
        &mut self,
        key: SharedKey,
        stream: StreamId,
        how: How,
        (etag, modified): (Option<String>, Option<String>),
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let planned = match self.fetches.is_full() {
            false => self.upstream_url(how.vendor, &how.target, None),
            true => Err("too many fetches are waiting".to_string()),
        };
        let mut headers = how.headers;
        let (url, origin) = match planned {
            Ok(both) => both,
            Err(why) => {
                let mut outs = Vec::new();
                self.shared.fetched(&key, stream, Err(FetchError::Protocol(why)), now, &mut outs);
                return self.run_shared(outs, now, out);
            }
        };
        headers.extend(etag.map(|v| ("If-None-Match".to_string(), v)));
        headers.extend(modified.map(|v| ("If-Modified-Since".to_string(), v)));
        let timeout = self.config.agent.upstream_timeout;
        let redirect_origins = self.redirect_origins();
        let keep = self.config.agent.shared_max;
        self.fetches.add(What::Shared(key, stream), origin, false, |id| Action::FetchShared {
            job: FetchJob {
                id,
                url,
                headers,
                redirect_origins,
                limit: bounds::SHARED_BODY,
                timeout,
                body_in_timeout: false,
            },
            stream,
            keep,
        });
        self.fetches.pump(out);
    }

    /// In the form that the client compares: always with the port.
    fn redirect_origins(&self) -> Vec<String> {
        let listed = self.config.agent.redirect_origins.iter();
        listed.filter_map(|o| Parts::parse(o)).map(|p| p.origin()).collect()
    }

    fn upstream_url(&self, vendor: usize, target: &str, mac: Option<Mac>) -> Result<(String, String), String> {
        let section =
            self.sections.get(vendor).and_then(Option::as_ref).ok_or("its vendor section has no usable url")?;
        let phone = mac.and_then(|m| self.directory.get(m));
        let values = Values {
            mac,
            ip: phone.and_then(|p| p.ip),
            model: phone.and_then(|p| p.model.as_deref()),
            version: phone.and_then(|p| p.firmware.as_deref()),
        };
        let url = section.mapping.upstream_url(target, &values).map_err(|e| e.to_string())?;
        Ok((url, section.origin.clone()))
    }

    /// A config's fetch is over.
    pub fn fetched(&mut self, id: u64, mut outcome: Outcome, now: Now, out: &mut Vec<Action>) {
        let Some(running) = self.fetches.finish(id) else { return };
        if let Outcome::Bad(_, why) = &mut outcome {
            *why = self.without_secret(std::mem::take(why));
        }
        let mut outs = Vec::new();
        let down = match &outcome {
            Outcome::Bad(Reason::Down, why) => Some(why.clone()),
            _ => None,
        };
        let What::Config(key) = running.what else {
            // forgotten: it says whether the upstream is there, and nothing else
            self.heard(&running.origin, None, down.filter(|_| !outcome.is_status()), now, &mut outs);
            self.run_cache(outs, now, out);
            return self.pump(now, out);
        };
        // A status of 5xx for something that never was good may be the upstream stumbling over that alone. Whoever
        // makes such names up must not put all others on their last good.
        let stranger = outcome.is_status() && self.cache.get(&key).is_none_or(|e| e.current().is_none());
        if down.is_none() || !stranger || self.fetches.is_probe(&running.origin, &key) {
            self.heard(&running.origin, Some(&key), down, now, &mut outs);
        }
        if let (false, Outcome::Bad(Reason::Gone, _), Some(entry)) = (running.fell_back, &outcome, self.cache.get(&key))
        {
            let mut how = entry.how().clone();
            let file = file_of(&how.target);
            let other = self.actives.get(how.vendor).and_then(|a| (a.vendor.fallback)(file));
            if let Some(other) = other {
                how.target = with_file(&how.target, other);
                self.plan(&key, how, true, now, &mut outs);
                self.run_cache(outs, now, out);
                return self.pump(now, out);
            }
        }
        self.warn_of_secret(&key, &outcome, now);
        self.cache.fetched(&key, outcome, now, &mut outs);
        self.run_cache(outs, now, out);
        self.pump(now, out);
    }

    /// Once a minute: fetches whose thread is lost are over, so that its place is not.
    pub(super) fn find_lost(&mut self, now: Now, out: &mut Vec<Action>) {
        let mut lost = Vec::new();
        for (id, running) in self.fetches.running.iter_mut().filter(|(_, r)| r.started) {
            running.minutes += 1;
            // a shared file may take hours, with its own limits of rate and stall
            if running.minutes > LOST && !matches!(running.what, What::Shared(..)) {
                lost.push(*id);
            }
        }
        for id in lost {
            let text = format!("a fetch has not come back in {LOST} min: given up (please report it)");
            self.events.push(now.unix, "agent", None, text.clone());
            self.fetched(id, Outcome::Bad(Reason::Down, text), now, out);
        }
    }

    /// Hands out what waits, and where threads are left over, what waits for that.
    fn pump(&mut self, now: Now, out: &mut Vec<Action>) {
        self.fetches.pump(out);
        while self.fetches.has_spare() {
            // those of an upstream that is down wait until it is back
            let next = self
                .fetches
                .background
                .iter()
                .find(|key| self.cache.get(key).is_none_or(|entry| self.down(entry.how().vendor).is_none()));
            let Some(key) = next.cloned() else { return };
            self.fetches.background.remove(&key);
            let mut outs = Vec::new();
            self.cache.refresh(&key, now, &mut outs);
            self.run_cache(outs, now, out);
        }
    }

    /// Refreshes these configs when nobody else wants the threads.
    pub(super) fn refresh_later(&mut self, keys: Vec<ResourceKey>, now: Now, out: &mut Vec<Action>) {
        self.fetches.background.extend(keys);
        self.pump(now, out);
    }

    /// What is said of the upstream's answer, less the password: a hostile upstream can put it into a host name that
    /// it redirects to, and such a text goes to logs, `status` and phones.
    fn without_secret(&self, text: String) -> String {
        let secret = self.config.agent.provpass.expose();
        // a shorter one stands in texts by chance
        if secret.len() < 6 {
            text
        } else {
            redact(&text, &[secret])
        }
    }

    /// Tells when a phone gets to see the password: the upstream put it into a new config elsewhere than into URLs, or
    /// those are not to be rewritten.
    fn warn_of_secret(&mut self, key: &ResourceKey, outcome: &Outcome, now: Now) {
        let (Outcome::Good { body, sha256, .. }, Some(entry)) = (outcome, self.cache.get(key)) else { return };
        if entry.current().is_some_and(|m| m.sha256 == *sha256) {
            return;
        }
        let mappings = self.mappings(entry.how().vendor);
        let router = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, self.config.agent.port);
        let on = self.config.agent.rewrite;
        let served = if on { rewrite(body, &mappings, router, &self.url_values(key.mac)) } else { None };
        if mappings.iter().any(|m| m.contains_secret(served.as_deref().unwrap_or(body))) {
            let text = format!(
                "{}: holds the provisioning password where it is not taken out: the phone gets to see it",
                key.name
            );
            self.events.push_once(now.unix, "config", Some(key.mac), text);
        }
    }

    /// The head of a shared file's answer has come.
    pub fn stream_head(&mut self, id: u64, head: &FetchHead, now: Now, out: &mut Vec<Action>) {
        let Some(Running { what: What::Shared(key, stream), .. }) = self.fetches.running.get(&id) else { return };
        let mut outs = Vec::new();
        self.shared.head(key, *stream, head, &mut outs);
        self.run_shared(outs, now, out);
    }

    /// A shared file's fetch is over; the number is of bytes kept.
    pub fn stream_done(
        &mut self,
        id: u64,
        result: Result<(FetchHead, u64), FetchError>,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let Some(running) = self.fetches.finish(id) else { return };
        let result = result.map_err(|e| e.map_text(|why| self.without_secret(why)));
        let What::Shared(key, stream) = running.what else { return };
        let down = match &result {
            Err(e) if e.is_down() => Some(e.to_string()),
            Ok((head, _)) if head.status >= 500 => Some(format!("status {}", head.status)),
            _ => None,
        };
        let mut outs = Vec::new();
        self.heard(&running.origin, None, down, now, &mut outs);
        self.run_cache(outs, now, out);
        let mut outs = Vec::new();
        self.shared.fetched(&key, stream, result, now, &mut outs);
        self.run_shared(outs, now, out);
        self.pump(now, out);
    }

    /// An upstream answered, or did not: its circuit opens or closes.
    fn heard(
        &mut self,
        origin: &str,
        key: Option<&ResourceKey>,
        down: Option<String>,
        now: Now,
        outs: &mut Vec<cache::Out>,
    ) {
        // a late answer of an upstream that the config no longer names
        if !self.sections.iter().flatten().any(|s| s.origin == origin) {
            return;
        }
        let upstream = self.fetches.circuits.get_or_insert_with(origin.to_string(), Upstream::default);
        let probe = key.is_some() && upstream.probing.as_ref() == key;
        if probe {
            upstream.probing = None;
        }
        let Some(why) = down else {
            upstream.last_ok = Some(now.unix);
            if upstream.circuit.answered() {
                upstream.probing = None;
                upstream.probes = 0;
                self.events.push(now.unix, "upstream", None, format!("{origin} answers again"));
            }
            return;
        };
        upstream.last_error = Some((now.unix, why.clone()));
        let news = upstream.circuit.failed(why.clone(), probe, now.mono);
        if news {
            self.events.push(now.unix, "upstream", None, format!("{origin} is down: {why}"));
        }
        // The others that wait for it, or are still to be asked for, need not find out one by one.
        let sections = &self.sections;
        let concerns =
            |how: &How| sections.get(how.vendor).is_some_and(|s| s.as_ref().is_some_and(|s| s.origin == origin));
        self.cache.upstream_down(&why, concerns, now, outs);
        let mut dropped = Vec::new();
        let fetches = &mut self.fetches;
        fetches.ready.retain(|(id, _)| {
            let drop = match fetches.running.get(id) {
                Some(Running { what: What::Config(k), origin: o, .. }) => {
                    o == origin && self.cache.get(k).is_some_and(|e| e.current().is_some() || !e.is_waited_for())
                }
                _ => false,
            };
            if drop {
                dropped.push(*id);
            }
            !drop
        });
        for id in dropped {
            if let Some(Running { what: What::Config(k), .. }) = self.fetches.finish(id) {
                if Some(&k) == key {
                    continue;
                }
                if let Some(upstream) = self.fetches.circuits.get_mut(origin) {
                    if upstream.probing.take_if(|probing| *probing == k).is_some() {
                        upstream.circuit.return_probe(now.mono); // it had not begun
                    }
                }
                self.cache.fetched(&k, Outcome::Bad(Reason::Down, why.clone()), now, outs);
            }
        }
    }

    /// Starts the one probe of each upstream that is down and due.
    pub(super) fn probe(&mut self, now: Now, out: &mut Vec<Action>) {
        let due: Vec<String> = self.fetches.circuits.keys().cloned().collect();
        for origin in due {
            let Some(upstream) = self.fetches.circuits.get_mut(&origin) else { continue };
            if upstream.probing.take_if(|key| !self.cache.is_busy(key)).is_some() {
                upstream.circuit.return_probe(now.mono); // forgotten by the admin while it was under way
            }
            if !upstream.circuit.take_probe(now.mono) {
                continue;
            }
            let usable = |how: &How| {
                self.actives.get(how.vendor).is_some_and(|a| a.enabled)
                    && self.sections.get(how.vendor).is_some_and(|s| s.as_ref().is_some_and(|s| s.origin == origin))
            };
            upstream.probes = upstream.probes.wrapping_add(1);
            // Each second time one that has been good before, another each time: what was asked for last may be the
            // one thing that the upstream stumbles over, and somebody may ask for it again and again.
            let turn = upstream.probes % 2 == 1;
            let wanted = upstream
                .wanted
                .clone()
                .filter(|k| self.cache.get(k).is_some_and(|e| usable(e.how()) && !self.cache.is_busy(k)));
            let other = |k: &ResourceKey| wanted.as_ref() != Some(k);
            let good = || self.cache.iter().filter(|(k, e)| e.current().is_some() && usable(e.how()) && other(k));
            let nth = (upstream.probes / 2) as usize % good().count().max(1);
            let other = good().nth(nth).map(|(k, _)| k.clone());
            let key = if turn { wanted.or(other) } else { other.or(wanted) };
            let mut outs = Vec::new();
            match key {
                Some(key) if self.cache.refresh(&key, now, &mut outs) => upstream.probing = Some(key),
                _ => upstream.circuit.return_probe(now.mono),
            }
            self.run_cache(outs, now, out);
        }
    }
}

/// The target with another last segment of its path.
fn with_file(target: &str, file: &str) -> String {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or_default();
    match query {
        Some(query) => format!("{folder}{file}?{query}"),
        None => format!("{folder}{file}"),
    }
}

/// The last segment of a target's path.
pub(super) fn file_of(target: &str) -> &str {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    path.rsplit('/').next().unwrap_or_default()
}
