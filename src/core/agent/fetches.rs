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
use crate::proto::url::{Parts, Values};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

#[derive(Default)]
pub(super) struct Fetches {
    next: u64,
    running: HashMap<u64, Running>,
    ready: VecDeque<(u64, Action)>,
    started: usize,
    circuits: BTreeMap<String, Upstream>,
    /// How the shared files being fetched were asked for.
    hows: HashMap<SharedKey, How>,
    /// Phones whose record may have to be written.
    pub(super) records_due: BTreeSet<Mac>,
}

struct Running {
    what: What,
    origin: String,
    started: bool,
    /// The second file name of the vendor has been tried.
    fell_back: bool,
}

enum What {
    Config(ResourceKey),
    Shared(SharedKey, StreamId),
}

#[derive(Default)]
struct Upstream {
    circuit: Circuit,
    /// What is fetched to see whether it is back: the config that was last asked for, so that one phone's trouble
    /// cannot keep all others on their last good.
    wanted: Option<ResourceKey>,
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

    pub(super) fn forget_circuits(&mut self) {
        self.circuits.clear();
    }

    pub(super) fn shared_headers(&mut self, key: &SharedKey, how: How) {
        if self.hows.len() < bounds::RESOURCES {
            self.hows.insert(key.clone(), how);
        }
    }

    pub(super) fn upstreams(&self) -> impl Iterator<Item = UpstreamState<'_>> {
        self.circuits.iter().map(|(origin, u)| UpstreamState {
            origin,
            down: u.circuit.down(),
            last_ok: u.last_ok,
            last_error: u.last_error.as_ref(),
        })
    }

    /// Remembers what was asked for last, as the next probe.
    pub(super) fn wanted(&mut self, _vendor: usize, key: &ResourceKey) {
        for upstream in self.circuits.values_mut().filter(|u| u.circuit.down().is_some()) {
            upstream.wanted = Some(key.clone());
        }
    }

    fn add(&mut self, what: What, origin: String, fell_back: bool, action: impl FnOnce(u64) -> Action) {
        self.next += 1;
        let id = self.next;
        self.running.insert(id, Running { what, origin, started: false, fell_back });
        self.ready.push_back((id, action(id)));
    }

    /// Hands as many waiting fetches out as there are threads.
    fn pump(&mut self, out: &mut Vec<Action>) {
        while self.started < bounds::FETCHES {
            let Some((id, action)) = self.ready.pop_front() else { return };
            if let Some(running) = self.running.get_mut(&id) {
                running.started = true;
                self.started += 1;
                out.push(action);
            }
        }
    }

    fn finish(&mut self, id: u64) -> Option<Running> {
        let running = self.running.remove(&id)?;
        if running.started {
            self.started = self.started.saturating_sub(1);
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
        if let Some(meta) = entry.current() {
            headers.extend(meta.etag.iter().map(|v| ("If-None-Match".to_string(), v.clone())));
            headers.extend(meta.last_modified.iter().map(|v| ("If-Modified-Since".to_string(), v.clone())));
        }
        let how = How { headers, ..entry.how().clone() };
        self.plan(key, how, false, now, more);
        self.fetches.pump(out);
    }

    fn plan(&mut self, key: &ResourceKey, how: How, fell_back: bool, now: Now, more: &mut Vec<cache::Out>) {
        let planned = if self.fetches.ready.len() >= bounds::FETCH_QUEUE {
            Err("too many fetches are waiting".to_string())
        } else {
            self.upstream_url(how.vendor, &how.target, Some(key.mac))
        };
        let (url, origin) = match planned {
            Ok(both) => both,
            Err(why) => return self.cache.fetched(key, Outcome::Bad(Reason::Down, why), now, more),
        };
        let Some(vendor) = self.actives.get(how.vendor).map(|a| a.vendor) else { return };
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
        (etag, modified): (Option<String>, Option<String>),
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let how = self.fetches.hows.remove(&key);
        let planned = match how {
            Some(how) if self.fetches.ready.len() < bounds::FETCH_QUEUE => {
                self.upstream_url(how.vendor, &how.target, None).map(|(url, origin)| (url, origin, how.headers))
            }
            _ => Err("too many fetches are waiting".to_string()),
        };
        let (url, origin, mut headers) = match planned {
            Ok(all) => all,
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
    pub fn fetched(&mut self, id: u64, outcome: Outcome, now: Now, out: &mut Vec<Action>) {
        let Some(running) = self.fetches.finish(id) else { return };
        let What::Config(key) = running.what else { return };
        let mut outs = Vec::new();
        let down = match &outcome {
            Outcome::Bad(Reason::Down, why) => Some(why.clone()),
            _ => None,
        };
        self.heard(&running.origin, Some(&key), down, now, &mut outs);
        if let (false, Outcome::Bad(Reason::Gone, _), Some(entry)) = (running.fell_back, &outcome, self.cache.get(&key))
        {
            let mut how = entry.how().clone();
            let file = file_of(&how.target);
            let other = self.actives.get(how.vendor).and_then(|a| (a.vendor.fallback)(file));
            if let Some(other) = other {
                how.target = how.target.replacen(file, other, 1);
                self.plan(&key, how, true, now, &mut outs);
                self.run_cache(outs, now, out);
                return self.fetches.pump(out);
            }
        }
        self.cache.fetched(&key, outcome, now, &mut outs);
        self.run_cache(outs, now, out);
        self.fetches.pump(out);
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
        self.fetches.pump(out);
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
        let upstream = self.fetches.circuits.entry(origin.to_string()).or_default();
        let probe = key.is_some() && upstream.probing.as_ref() == key;
        if probe {
            upstream.probing = None;
        }
        let Some(why) = down else {
            upstream.last_ok = Some(now.unix);
            if upstream.circuit.answered() {
                upstream.probing = None;
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
                    o == origin && self.cache.get(k).is_some_and(|e| e.current().is_some())
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
                self.cache.fetched(&k, Outcome::Bad(Reason::Down, why.clone()), now, outs);
            }
        }
    }

    /// Starts the one probe of each upstream that is down and due.
    pub(super) fn probe(&mut self, now: Now, out: &mut Vec<Action>) {
        for mac in std::mem::take(&mut self.fetches.records_due) {
            self.record(mac, out);
        }
        let due: Vec<String> = self.fetches.circuits.keys().cloned().collect();
        for origin in due {
            let Some(upstream) = self.fetches.circuits.get_mut(&origin) else { continue };
            if upstream.probing.take_if(|key| !self.cache.is_busy(key)).is_some() {
                upstream.circuit.return_probe(now.mono); // forgotten by the admin while it was under way
            }
            if !upstream.circuit.take_probe(now.mono) {
                continue;
            }
            let of_origin = |how: &How| {
                self.sections.get(how.vendor).is_some_and(|s| s.as_ref().is_some_and(|s| s.origin == origin))
            };
            let wanted = upstream.wanted.take().filter(|k| self.cache.get(k).is_some_and(|e| of_origin(e.how())));
            // nobody asked meanwhile: any config will do, another each time
            let count = self.cache.iter().filter(|(_, e)| of_origin(e.how())).count().max(1);
            let turn = (now.mono.saturating_duration_since(self.started.mono).as_secs() / 10) as usize % count;
            let any = || self.cache.iter().filter(|(_, e)| of_origin(e.how())).nth(turn).map(|(k, _)| k.clone());
            let mut outs = Vec::new();
            match wanted.or_else(any) {
                Some(key) if self.cache.refresh(&key, now, &mut outs) => upstream.probing = Some(key),
                _ => upstream.circuit.return_probe(now.mono),
            }
            self.run_cache(outs, now, out);
        }
    }
}

/// The last segment of a target's path.
fn file_of(target: &str) -> &str {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    path.rsplit('/').next().unwrap_or_default()
}
