//! The configs of all phones and the answer policy of design section 7: fresh, unchanged, or the last good and why.
//!
//! A state machine: [`Cache::ask`], [`Cache::fetched`], [`Cache::stored`] and [`Cache::timeout`] take what happened
//! and the time, and append to a list what is to be done.

mod entry;
#[cfg(test)]
mod test;

pub use entry::{Entry, How, Trouble, Waiter};

use crate::bounds;
use crate::core::answer::{Answer, Body, Label};
use crate::core::now::Now;
use crate::core::outcome::{Outcome, Reason};
use crate::core::types::{FetchHead, GenerationMeta, ResourceKey, Sha256, UnixTime};
use crate::proto::mac::Mac;
use entry::{Stage, Unsaved, Waiting};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The pause before the second try after an empty 200: the original provisioner locks a MAC for 6 s.
const SECOND_TRY: Duration = Duration::from_millis(6500);
/// How long a refusal, or something unreadable, that took longer than [`QUICK`] is believed while a last good exists.
/// The original takes 15 s for a wrong password, and two tries for an unknown phone: whoever asks again at once is
/// not made to wait for the same again.
const HOLD: Duration = Duration::from_secs(10);
/// An upstream that says no as fast as this is asked each time, so that the admin who mends it sees it at once.
const QUICK: Duration = Duration::from_millis(500);
/// How long a 404 is believed while nothing is stored (design section 7).
const HOLD_GONE: Duration = Duration::from_secs(60);
/// How long a store that failed (disk full) is left in peace.
const STORE_AGAIN: Duration = Duration::from_secs(60);

/// What the cache wants done.
#[derive(Debug)]
pub enum Out {
    /// Answer somebody who waited, or asked just now.
    Tell(Waiter, Answer),
    /// Ask the upstream for it; the result comes back by [`Cache::fetched`].
    Fetch(ResourceKey),
    /// Write it to flash; the result comes back by [`Cache::stored`].
    Store(ResourceKey, GenerationMeta, Arc<[u8]>),
    /// The grace time is over, or the beginning of it must survive a reboot: write the phone's record.
    Record(Mac),
    /// The grace time of this config is over: remove it from flash.
    Expire(ResourceKey),
    /// For the event log.
    Note(Mac, String),
}

/// Times and sizes from the config.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // option names
pub struct Limits {
    pub fresh_wait: Duration,
    pub fresh_for: Duration,
    pub upstream_timeout: Duration,
    pub grace: Duration,
    /// Bytes of configs that could not be written and stay in RAM.
    pub unsaved_max: u64,
}

enum Timer {
    Deadline(ResourceKey, Waiter),
    SecondTry(ResourceKey),
}

/// Fetches of one phone, one at a time: the original provisioner answers the second one of a MAC with an empty 200.
#[derive(Default)]
struct Lane {
    busy: Option<ResourceKey>,
    queue: VecDeque<ResourceKey>,
}

/// All configs.
pub struct Cache {
    entries: HashMap<ResourceKey, Entry>,
    lanes: HashMap<Mac, Lane>,
    timers: BTreeMap<(Instant, u32), Timer>,
    next_timer: u32,
    limits: Limits,
}

impl Cache {
    /// With what the store found: the generations of each config, ascending.
    pub fn new(limits: Limits) -> Cache {
        Cache { entries: HashMap::new(), lanes: HashMap::new(), timers: BTreeMap::new(), next_timer: 0, limits }
    }

    /// A config that was on flash at the start.
    pub fn load(
        &mut self,
        key: ResourceKey,
        vendor: usize,
        generations: Vec<GenerationMeta>,
        refused_since: Option<UnixTime>,
    ) {
        let Some(last) = generations.last() else { return };
        let how = How { vendor, target: last.target.clone(), headers: last.headers.clone() };
        let mut entry = Entry::new(how);
        entry.generations = generations;
        entry.refused_since = refused_since;
        self.entries.insert(key, entry);
    }

    /// New times after a reload.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// What the upstream refused or did not have may be there now: another URL or password is in use.
    pub fn release_holds(&mut self) {
        for trouble in self.entries.values_mut().filter_map(|e| e.trouble.as_mut()) {
            trouble.hold_until = None;
        }
    }

    /// Vendor sections moved: `map` gives the new index, or `None` for one that is gone (its configs stay on flash).
    pub fn renumber(&mut self, map: impl Fn(&ResourceKey) -> Option<usize>) {
        self.entries.retain(|key, entry| match map(key) {
            Some(vendor) => {
                entry.how.vendor = vendor;
                true
            }
            None => !entry.waiters.is_empty(),
        });
    }

    /// One config, if it is known.
    pub fn get(&self, key: &ResourceKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// All configs, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceKey, &Entry)> {
        self.entries.iter()
    }

    /// Is a fetch of it waiting or under way?
    pub fn is_busy(&self, key: &ResourceKey) -> bool {
        self.entries.get(key).is_some_and(|e| matches!(e.stage, Stage::Fetching | Stage::Pausing))
    }

    /// Somebody asks. `down`: the upstream is known to be out of reach. `urgent`: ask the upstream even so, and
    /// whatever was held (`refresh` by the admin).
    #[allow(clippy::too_many_arguments)]
    pub fn ask(
        &mut self,
        key: &ResourceKey,
        how: How,
        who: Waiter,
        down: Option<&str>,
        urgent: bool,
        now: Now,
        out: &mut Vec<Out>,
    ) {
        if !self.entries.contains_key(key) && !self.make_room() {
            return out.push(Out::Tell(who, Answer::error(503, "too many different requests at once")));
        }
        let limits = self.limits;
        let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry::new(how.clone()));
        entry.how = how;
        if matches!(who, Waiter::Phone(_)) {
            entry.asked = Some(now.mono);
        }
        let stored = entry.current().is_some();
        if !urgent {
            let young = entry.agreed.is_some_and(|(at, _)| now.mono.saturating_duration_since(at) < limits.fresh_for);
            let answer = if young { entry.serve(key, Label::Fresh, now) } else { None };
            if let Some(answer) = answer {
                return tell(entry, who, answer, now, out);
            }
            let held = entry.trouble.as_ref().is_some_and(|t| t.hold_until.is_some_and(|until| now.mono < until));
            if stored && entry.late {
                let answer = entry.fall_back(key, now);
                return tell(entry, who, answer, now, out);
            }
            if held && (stored || entry.trouble.as_ref().is_some_and(|t| t.reason == Reason::Gone)) {
                let answer = entry.fall_back(key, now);
                return tell(entry, who, answer, now, out);
            }
            if let Some(why) = down.filter(|_| stored) {
                entry.trouble = Some(Trouble { reason: Reason::Down, text: why.to_string(), hold_until: None });
                let answer = entry.fall_back(key, now);
                return tell(entry, who, answer, now, out);
            }
        }
        let wait = if stored && !urgent { limits.fresh_wait } else { limits.upstream_timeout };
        let deadline = now.mono + wait;
        entry.waiters.push(Waiting { who, deadline });
        let idle = entry.stage == Stage::Idle;
        self.add_timer(deadline, Timer::Deadline(key.clone(), who));
        if idle {
            self.enqueue(key, now, out);
        }
    }

    /// Asks the upstream without anybody waiting: the nightly refresh, or a probe whether the upstream is back.
    /// Returns false where this config is unknown or being asked for already.
    pub fn refresh(&mut self, key: &ResourceKey, now: Now, out: &mut Vec<Out>) -> bool {
        match self.entries.get(key) {
            Some(entry) if entry.stage == Stage::Idle => {
                self.enqueue(key, now, out);
                true
            }
            _ => false,
        }
    }

    /// What the upstream said.
    pub fn fetched(&mut self, key: &ResourceKey, outcome: Outcome, now: Now, out: &mut Vec<Out>) {
        let Some(entry) = self.entries.get_mut(key) else {
            return self.release(key, out);
        };
        if entry.stage != Stage::Fetching {
            return; // forgotten and asked for anew while the old fetch was under way
        }
        if matches!(outcome, Outcome::Empty) && !entry.second_try {
            entry.second_try = true;
            entry.stage = Stage::Pausing;
            return self.add_timer(now.mono + SECOND_TRY, Timer::SecondTry(key.clone()));
        }
        entry.second_try = false;
        entry.late = false;
        entry.stage = Stage::Idle;
        match outcome {
            Outcome::Good { head, body, sha256 } => self.good(key, head, body, sha256, now, out),
            Outcome::NotModified => self.unchanged(key, now, out),
            Outcome::Temporary { body } => {
                if entry.generations.is_empty() {
                    entry.trouble = None;
                }
                let answer = Answer {
                    status: 200,
                    label: Label::Fresh,
                    age: Some(0),
                    body: Body::Bytes(body),
                    rewrite: Some((entry.how.vendor, key.mac)),
                    retry_after: None,
                };
                tell_all(entry, answer, now, out);
            }
            Outcome::Empty => self.bad(key, Reason::Refused, "an empty answer, twice".to_string(), now, out),
            Outcome::Bad(reason, text) => self.bad(key, reason, text, now, out),
        }
        self.release(key, out);
    }

    fn good(
        &mut self,
        key: &ResourceKey,
        head: FetchHead,
        body: Arc<[u8]>,
        sha256: Sha256,
        now: Now,
        out: &mut Vec<Out>,
    ) {
        if self.entries.get(key).and_then(Entry::current).is_some_and(|m| m.sha256 == sha256) {
            return self.unchanged(key, now, out);
        }
        let storable = self.may_store(key, body.len() as u64);
        let Some(entry) = self.entries.get_mut(key) else { return };
        agree(entry, key, now, out);
        let number = entry.current().map_or(0, |m| m.number).saturating_add(1);
        let meta = GenerationMeta {
            number,
            sha256,
            size: body.len() as u64,
            stored_at: now.unix,
            etag: head.etag,
            last_modified: head.last_modified,
            target: entry.how.target.clone(),
            headers: entry.how.headers.clone(),
        };
        out.push(Out::Note(key.mac, format!("new config {} ({} bytes, generation {number})", key.name, meta.size)));
        entry.unsaved = Some(Unsaved { meta: meta.clone(), body: body.clone(), tried: now.mono });
        if storable {
            // The phone is answered when the bytes are safe, so what it was given survives a power cut.
            entry.stage = Stage::Storing;
            out.push(Out::Store(key.clone(), meta, body));
        } else {
            out.push(Out::Note(key.mac, format!("{} is kept in RAM only: this phone has too many files", key.name)));
            tell_fresh(entry, key, Label::Fresh, now, out);
        }
    }

    fn unchanged(&mut self, key: &ResourceKey, now: Now, out: &mut Vec<Out>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        agree(entry, key, now, out);
        tell_fresh(entry, key, Label::Unchanged, now, out);
        let again = |u: &&mut Unsaved| now.mono.saturating_duration_since(u.tried) >= STORE_AGAIN;
        if let Some(unsaved) = entry.unsaved.as_mut().filter(again) {
            unsaved.tried = now.mono;
            entry.stage = Stage::Storing;
            out.push(Out::Store(key.clone(), unsaved.meta.clone(), unsaved.body.clone()));
        }
    }

    fn bad(&mut self, key: &ResourceKey, reason: Reason, text: String, now: Now, out: &mut Vec<Out>) {
        let grace = self.limits.grace;
        let Some(entry) = self.entries.get_mut(key) else { return };
        let stored = entry.current().is_some();
        let hold = match reason {
            Reason::Down => None, // the circuit of the upstream decides
            Reason::Gone if !stored => Some(HOLD_GONE),
            _ if !stored => None,
            _ if entry.began.is_some_and(|at| now.mono.saturating_duration_since(at) <= QUICK) => None,
            _ => Some(HOLD),
        };
        let news = entry.trouble.as_ref().is_none_or(|t| t.reason != reason);
        if news {
            let kept = if stored { "; the last good stays in use" } else { "" };
            out.push(Out::Note(key.mac, format!("{}: {reason}: {text}{kept}", key.name)));
        }
        entry.trouble = Some(Trouble { reason, text, hold_until: hold.map(|d| now.mono + d) });
        if stored && matches!(reason, Reason::Refused | Reason::Gone) && now.clock_is_set() {
            match entry.refused_since {
                None => {
                    entry.refused_since = Some(now.unix);
                    out.push(Out::Record(key.mac));
                }
                Some(since) if now.unix.saturating_sub(since) >= grace.as_secs() => {
                    let days = grace.as_secs() / 86_400;
                    out.push(Out::Note(key.mac, format!("{}: {reason} for {days} days: removed", key.name)));
                    out.push(Out::Expire(key.clone()));
                    entry.generations.clear();
                    entry.unsaved = None;
                    entry.agreed = None;
                    entry.refused_since = None;
                    out.push(Out::Record(key.mac));
                }
                Some(_) => {}
            }
        }
        let answer = entry.fall_back(key, now);
        tell_all(entry, answer, now, out);
    }

    /// The upstream was found to be down: those who wait and need not, get the last good now.
    pub fn upstream_down(&mut self, why: &str, concerns: impl Fn(&How) -> bool, now: Now, out: &mut Vec<Out>) {
        for (key, entry) in &mut self.entries {
            if entry.waiters.is_empty() || entry.current().is_none() || !concerns(&entry.how) {
                continue;
            }
            if matches!(entry.stage, Stage::Fetching | Stage::Pausing) {
                entry.trouble = Some(Trouble { reason: Reason::Down, text: why.to_string(), hold_until: None });
                let answer = entry.fall_back(key, now);
                tell_all(entry, answer, now, out);
            }
        }
    }

    /// The store has written generation `number` (its word for the number counts, and it has removed some others to
    /// make room), or says why it could not.
    pub fn stored(
        &mut self,
        key: &ResourceKey,
        number: u32,
        result: Result<(u32, Vec<(ResourceKey, u32)>), String>,
        now: Now,
        out: &mut Vec<Out>,
    ) {
        if let Ok((_, removed)) = &result {
            for (key, number) in removed {
                if let Some(entry) = self.entries.get_mut(key) {
                    entry.generations.retain(|m| m.number != *number);
                }
            }
        }
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.stage == Stage::Storing {
            entry.stage = Stage::Idle;
        }
        match result {
            Ok((actual, _)) => {
                if let Some(mut unsaved) = entry.unsaved.take_if(|u| u.meta.number == number) {
                    unsaved.meta.number = actual;
                    entry.generations.retain(|m| m.number != actual);
                    entry.generations.push(unsaved.meta);
                }
            }
            Err(why) => {
                out.push(Out::Note(key.mac, format!("{} is not on flash but in RAM only: {why}", key.name)));
            }
        }
        tell_fresh(entry, key, Label::Fresh, now, out);
        self.drop_unsaved_over_limit(key);
    }

    /// The new bytes of this config are not to be kept: given to who waits, and forgotten.
    pub fn not_kept(&mut self, key: &ResourceKey, now: Now, out: &mut Vec<Out>) {
        if let Some(mut entry) = self.entries.remove(key) {
            tell_fresh(&mut entry, key, Label::Fresh, now, out);
        }
    }

    /// The bytes of this generation turned out to be unreadable: the one before is the last good now.
    pub fn unreadable(&mut self, key: &ResourceKey, number: u32) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.generations.retain(|m| m.number != number);
            entry.agreed = None;
        }
    }

    /// Forgets the configs of one phone, or of all.
    pub fn forget(&mut self, mac: Option<Mac>, now: Now, out: &mut Vec<Out>) {
        let gone: Vec<ResourceKey> = self.entries.keys().filter(|k| mac.is_none_or(|m| k.mac == m)).cloned().collect();
        for key in gone {
            if let Some(mut entry) = self.entries.remove(&key) {
                tell_all(&mut entry, Answer::error(404, "forgotten by the admin"), now, out);
            }
        }
        match mac {
            Some(mac) => _ = self.lanes.remove(&mac),
            None => self.lanes.clear(),
        }
    }

    /// What is due at `now`.
    pub fn timeout(&mut self, now: Now, out: &mut Vec<Out>) {
        while let Some(first) = self.timers.first_entry() {
            if first.key().0 > now.mono {
                break;
            }
            match first.remove() {
                Timer::Deadline(key, who) => {
                    let Some(entry) = self.entries.get_mut(&key) else { continue };
                    let Some(at) = entry.waiters.iter().position(|w| w.who == who && w.deadline <= now.mono) else {
                        continue;
                    };
                    entry.waiters.swap_remove(at);
                    let answer = if entry.stage == Stage::Storing {
                        // a slow flash keeps no phone waiting
                        entry.serve(&key, Label::Fresh, now).unwrap_or_else(|| entry.fall_back(&key, now))
                    } else {
                        if !entry.late {
                            entry.late = true;
                            let text = "no answer in time".to_string();
                            out.push(Out::Note(key.mac, format!("{}: {text}, still waiting for it", key.name)));
                            entry.trouble = Some(Trouble { reason: Reason::Down, text, hold_until: None });
                        }
                        entry.fall_back(&key, now)
                    };
                    tell(entry, who, answer, now, out);
                }
                Timer::SecondTry(key) => {
                    let pausing = self.entries.get_mut(&key).filter(|e| e.stage == Stage::Pausing);
                    if let Some(entry) = pausing {
                        entry.stage = Stage::Fetching;
                        out.push(Out::Fetch(key));
                    }
                }
            }
        }
    }

    /// When [`Cache::timeout`] wants to be called.
    pub fn poll_at(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    fn add_timer(&mut self, at: Instant, timer: Timer) {
        self.next_timer = self.next_timer.wrapping_add(1);
        self.timers.insert((at, self.next_timer), timer);
    }

    fn enqueue(&mut self, key: &ResourceKey, now: Now, out: &mut Vec<Out>) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.stage = Stage::Fetching;
            entry.began = Some(now.mono);
        }
        let lane = self.lanes.entry(key.mac).or_default();
        if lane.busy.is_none() {
            lane.busy = Some(key.clone());
            out.push(Out::Fetch(key.clone()));
        } else {
            lane.queue.push_back(key.clone());
        }
    }

    /// The phone's next fetch may start.
    fn release(&mut self, key: &ResourceKey, out: &mut Vec<Out>) {
        let Some(lane) = self.lanes.get_mut(&key.mac) else { return };
        if lane.busy.as_ref() != Some(key) {
            return;
        }
        lane.busy = lane.queue.pop_front();
        match &lane.busy {
            Some(next) => out.push(Out::Fetch(next.clone())),
            None => _ = self.lanes.remove(&key.mac),
        }
    }

    /// May this phone have one more file on flash? A phone that invents file names must not fill it.
    fn may_store(&self, key: &ResourceKey, _size: u64) -> bool {
        let own = self.entries.get(key).is_some_and(|e| !e.generations.is_empty());
        own || self.entries.iter().filter(|(k, e)| k.mac == key.mac && !e.generations.is_empty()).count()
            < bounds::FILES_PER_PHONE
    }

    fn drop_unsaved_over_limit(&mut self, newest: &ResourceKey) {
        let size = |e: &Entry| e.unsaved.as_ref().map_or(0, |u| u.meta.size);
        let mut sum: u64 = self.entries.values().map(size).sum();
        if sum <= self.limits.unsaved_max {
            return;
        }
        for (key, entry) in &mut self.entries {
            // what has an older generation on flash goes; a phone's only copy stays
            if sum > self.limits.unsaved_max
                && key != newest
                && entry.stage != Stage::Storing
                && !entry.generations.is_empty()
            {
                sum -= size(entry);
                entry.unsaved = None;
            }
        }
    }

    /// Room for one more entry: those that hold nothing and that nobody waits for go, the longest unasked first.
    fn make_room(&mut self) -> bool {
        if self.entries.len() < bounds::RESOURCES {
            return true;
        }
        let mut idle: Vec<(Option<Instant>, ResourceKey)> = self
            .entries
            .iter()
            .filter(|(_, e)| e.current().is_none() && e.waiters.is_empty() && e.stage == Stage::Idle)
            .map(|(k, e)| (e.asked, k.clone()))
            .collect();
        idle.sort_unstable();
        for (_, key) in idle.iter().take(bounds::RESOURCES / 8) {
            self.entries.remove(key);
        }
        !idle.is_empty()
    }
}

/// The upstream stands by the newest generation: all trouble is over.
fn agree(entry: &mut Entry, key: &ResourceKey, now: Now, out: &mut Vec<Out>) {
    entry.agreed = Some((now.mono, now.unix));
    let had = entry.current().is_some();
    if let Some(trouble) = entry.trouble.take().filter(|_| had) {
        out.push(Out::Note(key.mac, format!("{}: the upstream answers again (was {})", key.name, trouble.reason)));
    }
    if entry.refused_since.take().is_some() {
        out.push(Out::Record(key.mac));
    }
}

fn tell(entry: &mut Entry, who: Waiter, answer: Answer, now: Now, out: &mut Vec<Out>) {
    if matches!(who, Waiter::Phone(_)) && answer.label != Label::None {
        entry.served = Some((answer.label, now.unix));
    }
    out.push(Out::Tell(who, answer));
}

fn tell_all(entry: &mut Entry, answer: Answer, now: Now, out: &mut Vec<Out>) {
    for waiting in std::mem::take(&mut entry.waiters) {
        tell(entry, waiting.who, answer.clone(), now, out);
    }
}

fn tell_fresh(entry: &mut Entry, key: &ResourceKey, label: Label, now: Now, out: &mut Vec<Out>) {
    let answer = entry.serve(key, label, now).unwrap_or_else(|| entry.fall_back(key, now));
    tell_all(entry, answer, now, out);
}

impl Cache {
    /// Begin of the grace times of one phone's configs, by config name: part of its record.
    pub fn refused(&self, mac: Mac) -> BTreeMap<String, UnixTime> {
        self.entries
            .iter()
            .filter(|(k, _)| k.mac == mac)
            .filter_map(|(k, e)| e.refused_since.map(|at| (k.name.clone(), at)))
            .collect()
    }
}
