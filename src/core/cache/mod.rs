//! The configs of all phones and the answer policy of design section 7: fresh, unchanged, or the last good and why.
//!
//! A state machine: [`Cache::ask`], [`Cache::fetched`], [`Cache::stored`] and [`Cache::timeout`] take what happened
//! and the time, and append to a list what is to be done.

mod entry;
mod held;
mod result;
mod room;
mod table;
#[cfg(test)]
mod test;

pub use entry::{Entry, Held, How, Trouble, Waiter};
pub use held::{Done, Restored};

use crate::core::answer::{Answer, Label};
use crate::core::guard::{self, Guard};
use crate::core::now::Now;
use crate::core::outcome::Reason;
use crate::core::types::{GenerationMeta, ResourceKey, UnixTime};
use crate::proto::mac::Mac;
use crate::sorted::SortedMap;
use entry::{Stage, Waiting};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use table::Table;

/// Instead of the index of a vendor section: the config has none of this name (any more).
pub const NO_VENDOR: usize = usize::MAX;

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

/// What the cache wants done. There is no `Debug`: configs are in it.
pub enum Out {
    /// Answer somebody who waited, or asked just now.
    Tell(Waiter, Answer),
    /// Ask the upstream for it; the result comes back by [`Cache::fetched`].
    Fetch(ResourceKey),
    /// Ask the upstream for it when nobody else wants the threads.
    Later(ResourceKey),
    /// Write it to flash; the result comes back by [`Cache::stored`].
    Store(ResourceKey, GenerationMeta, Arc<[u8]>),
    /// The grace time is over, or the beginning of it must survive a reboot: write the phone's record.
    Record(Mac),
    /// The grace time of this config is over: remove it from flash.
    Expire(ResourceKey),
    /// Write a held config to flash, in the place of the one before; the result comes back by
    /// [`Cache::candidate_stored`].
    Candidate(ResourceKey, GenerationMeta, Arc<[u8]>),
    /// Remove the held config of this resource from flash.
    DropCandidate(ResourceKey),
    /// Make the held config a generation; the result comes back by [`Cache::stored`].
    Accept(ResourceKey, GenerationMeta),
    /// Remove the generations above this number from flash.
    DropNewer(ResourceKey, u32),
    /// For the event log.
    Note(Mac, String),
    /// For the event log: what the guard does.
    Guard(Option<Mac>, String),
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
    pub guard: guard::Limits,
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
    entries: Table,
    lanes: HashMap<Mac, Lane>,
    timers: SortedMap<(Instant, u32), Timer>,
    next_timer: u32,
    /// The deadline of each who waits.
    waiting: HashMap<Waiter, (Instant, u32)>,
    /// Writes under way of configs that were forgotten meanwhile.
    orphans: HashMap<ResourceKey, u32>,
    /// Entries made since the last look for those that came to nothing.
    new_names: usize,
    limits: Limits,
    /// No grace time ends before then: the clock may be wrong, or was until just now.
    settled: Option<Instant>,
    guard: Guard,
}

impl Cache {
    /// With what the store found: the generations of each config, ascending.
    pub fn new(limits: Limits) -> Cache {
        Cache {
            entries: Table::default(),
            lanes: HashMap::new(),
            timers: SortedMap::new(),
            next_timer: 0,
            waiting: HashMap::new(),
            orphans: HashMap::new(),
            new_names: 0,
            limits,
            settled: None,
            guard: Guard::new(limits.guard),
        }
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
        self.guard.set_limits(limits.guard);
    }

    /// The guard, to be looked at.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The wall clock is not to be believed before `settled`, as far as it ends grace times.
    pub fn no_expiry_before(&mut self, settled: Instant) {
        self.settled = Some(settled);
    }

    /// Vendor sections moved: `map` gives the new index, or `None` for one that is gone. Its configs stay, since it
    /// may come back, but nobody gets them: without its section nobody knows what in them must not reach the LAN.
    pub fn renumber(&mut self, map: impl Fn(&ResourceKey) -> Option<usize>, now: Now, out: &mut Vec<Out>) {
        let from = out.len();
        for (key, entry) in self.entries.iter_mut() {
            entry.how.vendor = map(key).unwrap_or(NO_VENDOR);
            if entry.how.vendor == NO_VENDOR {
                tell_all(entry, Answer::error(404, "no enabled vendor of this name"), now, out);
            }
        }
        self.settle(from, out);
        self.look_whether_held(now, out);
    }

    /// The upstream may be another one now: what the one before said is no reason not to ask, and its validators mean
    /// nothing.
    pub fn doubt(&mut self) {
        for (_, entry) in self.entries.iter_mut() {
            entry.verified = false;
            entry.agreed = None;
            if let Some(trouble) = &mut entry.trouble {
                trouble.hold_until = None;
            }
        }
    }

    /// One config, if it is known.
    pub fn get(&self, key: &ResourceKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// All configs, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceKey, &Entry)> {
        self.entries.iter()
    }

    /// The configs of one phone.
    pub fn of(&self, mac: Mac) -> impl Iterator<Item = (&ResourceKey, &Entry)> {
        self.entries.of(mac)
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
        let full = self.lane_is_full(key);
        if self.entries.get(key).is_none() {
            if full || !self.make_room() {
                return out.push(Out::Tell(who, Answer::error(503, "too many different requests at once")));
            }
            self.entries.insert(key.clone(), Entry::new(how.clone()));
        }
        let limits = self.limits;
        let Some(entry) = self.entries.get_mut(key) else { return };
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
        if full && entry.stage == Stage::Idle {
            let answer = entry.fall_back(key, now);
            return tell(entry, who, answer, now, out);
        }
        let wait = if stored && !urgent { limits.fresh_wait } else { limits.upstream_timeout };
        let deadline = now.mono + wait;
        entry.waiters.push(Waiting { who, deadline });
        let idle = entry.stage == Stage::Idle;
        let timer = self.add_timer(deadline, Timer::Deadline(key.clone(), who));
        self.waiting.insert(who, timer);
        if idle {
            self.enqueue(key, now, out);
        }
    }

    /// Somebody who asked has left.
    pub fn gone(&mut self, who: Waiter) {
        let Some(at) = self.waiting.remove(&who) else { return };
        if let Some(Timer::Deadline(key, _)) = self.timers.remove(&at) {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.waiters.retain(|w| w.who != who);
            }
        }
    }

    /// Who was told something waits for it no more.
    fn settle(&mut self, from: usize, out: &[Out]) {
        for told in out.get(from..).unwrap_or_default() {
            if let Out::Tell(who, _) = told {
                if let Some(at) = self.waiting.remove(who) {
                    self.timers.remove(&at);
                }
            }
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

    /// The upstream was found to be down: those who wait and need not, get the last good now.
    pub fn upstream_down(&mut self, why: &str, concerns: impl Fn(&How) -> bool, now: Now, out: &mut Vec<Out>) {
        let from = out.len();
        for (key, entry) in self.entries.iter_mut() {
            if entry.waiters.is_empty() || entry.current().is_none() || !concerns(&entry.how) {
                continue;
            }
            if matches!(entry.stage, Stage::Fetching | Stage::Pausing) {
                entry.trouble = Some(Trouble { reason: Reason::Down, text: why.to_string(), hold_until: None });
                let answer = entry.fall_back(key, now);
                tell_all(entry, answer, now, out);
            }
        }
        self.settle(from, out);
    }

    /// The new bytes of this config are not to be kept: given to who waits, and forgotten.
    pub fn not_kept(&mut self, key: &ResourceKey, now: Now, out: &mut Vec<Out>) {
        let from = out.len();
        if let Some(mut entry) = self.entries.remove(key) {
            result::tell_fresh(&mut entry, key, Label::Fresh, now, out);
        }
        self.settle(from, out);
    }

    /// The bytes of this generation turned out to be unreadable: the one before is the last good now.
    pub fn unreadable(&mut self, key: &ResourceKey, number: u32) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.generations.retain(|m| m.number != number);
            entry.identities.remove(&number);
            entry.agreed = None;
        }
    }

    /// Forgets the configs of one phone, or of all.
    pub fn forget(&mut self, mac: Option<Mac>, now: Now, out: &mut Vec<Out>) {
        let from = out.len();
        let gone: Vec<ResourceKey> = match mac {
            Some(mac) => self.entries.of(mac).map(|(k, _)| k.clone()).collect(),
            None => self.entries.iter().map(|(k, _)| k.clone()).collect(),
        };
        for key in gone {
            if let Some(mut entry) = self.entries.remove(&key) {
                tell_all(&mut entry, Answer::error(404, "forgotten by the admin"), now, out);
                if entry.stage == Stage::Storing {
                    *self.orphans.entry(key.clone()).or_default() += 1;
                }
                if entry.accepting.is_some() {
                    *self.orphans.entry(key).or_default() += 1;
                }
            }
        }
        self.settle(from, out);
        match mac {
            Some(mac) => _ = self.lanes.remove(&mac),
            None => self.lanes.clear(),
        }
        self.guard.forget(mac);
        self.look_whether_held(now, out);
    }

    /// What is due at `now`.
    pub fn timeout(&mut self, now: Now, out: &mut Vec<Out>) {
        let mut notes = Vec::new();
        out.extend(self.guard.timeout(now, &mut notes).into_iter().map(Out::Record));
        held::tell_of(notes, out);
        while let Some((_, timer)) = self.timers.pop_first_if(|(at, _)| *at <= now.mono) {
            match timer {
                Timer::Deadline(key, who) => {
                    self.waiting.remove(&who);
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
                            // once an empty answer has come, the upstream is there: it says no
                            let (reason, text) = match entry.second_try {
                                true => (Reason::Refused, "an empty answer"),
                                false => (Reason::Down, "no answer in time"),
                            };
                            let text = text.to_string();
                            out.push(Out::Note(key.mac, format!("{}: {text}, still waiting for another", key.name)));
                            entry.trouble = Some(Trouble { reason, text, hold_until: None });
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

    /// Begin of the grace times of one phone's configs, by config name: part of its record.
    pub fn refused(&self, mac: Mac) -> BTreeMap<String, UnixTime> {
        self.entries.of(mac).filter_map(|(k, e)| e.refused_since.map(|at| (k.name.clone(), at))).collect()
    }

    /// When [`Cache::timeout`] wants to be called.
    pub fn poll_at(&self) -> Option<Instant> {
        let timer = self.timers.first_key_value().map(|((at, _), _)| *at);
        timer.into_iter().chain(self.guard.poll_at()).min()
    }

    fn add_timer(&mut self, at: Instant, timer: Timer) -> (Instant, u32) {
        self.next_timer = self.next_timer.wrapping_add(1);
        self.timers.insert((at, self.next_timer), timer);
        (at, self.next_timer)
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
