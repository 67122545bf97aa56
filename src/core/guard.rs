//! The guard against a mistake in the provider's database (design section 7): when more phones than may have changed or
//! lost their account within a window, further such configs are held.
//!
//! It decides about numbers of phones and about time, and knows no config: [`crate::core::cache`] asks it about each
//! change of an account, and does what it says. Time is our own clock's, so NTP can neither end nor begin a window.

use crate::core::now::Now;
use crate::core::types::{ResourceKey, UnixTime};
use crate::proto::mac::Mac;
use crate::sorted::SortedMap;
use crate::vendor::{Change, Identity};
use std::time::{Duration, Instant};

/// Numbers of held phones that are told as an event; each phone has its own state in `phones`.
const TOLD: &[usize] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

/// Options `guard_*`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Percent of the known phones that may change within the window.
    pub share: u32,
    /// So many may in any case.
    pub min: u32,
    /// Time over which changes count, and for which `accept all` opens the guard.
    pub window: Duration,
}

/// What the guard does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It counts, and lets changes pass.
    Quiet,
    /// Too many: each further change is held, until none is held any more or the admin accepts all.
    Holding {
        /// Since when.
        since: UnixTime,
    },
    /// The admin accepted all: changes pass and are not counted.
    Open {
        /// Since when.
        since: UnixTime,
        /// Until when.
        until: Instant,
    },
}

/// A change of an account that passed.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// The generation that had the account before.
    pub from: u32,
    /// Whose account that was.
    pub before: Identity,
    /// When, by the wall clock.
    pub unix: UnixTime,
    at: Instant,
}

/// A new config whose account is another one than the last good's.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Which config of which phone.
    pub key: &'a ResourceKey,
    /// Number of the last good.
    pub from: u32,
    /// Whose account the last good has.
    pub before: Identity,
    /// What became of it.
    pub change: Change,
}

/// For the event log; without a MAC where it is about all phones.
pub type Note = (Option<Mac>, String);

/// The guard.
pub struct Guard {
    limits: Limits,
    state: State,
    /// By phone and config name. A phone counts once, however many of its configs change, and however often.
    changed: SortedMap<Mac, SortedMap<String, Past>>,
    /// The largest number of held phones that was told.
    told: usize,
    /// When other phones were last to be asked for.
    asked_others: Option<Instant>,
}

/// Between two times that other phones are asked for: a provider's ordinary work is no reason to ask all day.
const ASK_OTHERS: Duration = Duration::from_secs(300);

impl Guard {
    /// Nothing has changed yet.
    pub fn new(limits: Limits) -> Guard {
        Guard { limits, state: State::Quiet, changed: SortedMap::new(), told: 0, asked_others: None }
    }

    /// After a reload of the config.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// What it does now.
    pub fn state(&self) -> State {
        self.state
    }

    /// Phones whose account has changed and passed, within the window (while it holds: since before it began to).
    pub fn changed(&self) -> usize {
        self.changed.len()
    }

    /// Those changes: phone, config name, and from what.
    pub fn past(&self) -> impl Iterator<Item = (Mac, &str, &Past)> {
        self.changed.iter().flat_map(|(mac, of)| of.iter().map(|(name, past)| (*mac, name.as_str(), past)))
    }

    /// The changes of one phone.
    pub fn past_of(&self, mac: Mac) -> impl Iterator<Item = (&str, &Past)> {
        self.changed.get(&mac).into_iter().flat_map(SortedMap::iter).map(|(name, past)| (name.as_str(), past))
    }

    /// So many of `known` phones may change within the window.
    pub fn limit(&self, known: usize) -> usize {
        let share = known.saturating_mul(self.limits.share as usize) / 100;
        share.max(self.limits.min as usize)
    }

    /// May this config take the place of the last good? `known`: phones with a stored config; strangers do not count,
    /// so that nobody can raise the limit by making MACs up.
    pub fn passes(&mut self, asked: Asked<'_>, known: usize, now: Now, notes: &mut Vec<Note>) -> bool {
        let Asked { key, from, before, change } = asked;
        if matches!(self.state, State::Open { .. }) {
            return true;
        }
        let others = self.changed.len() - usize::from(self.changed.contains_key(&key.mac));
        let limit = self.limit(known);
        let minutes = self.limits.window.as_secs() / 60;
        if self.state == State::Quiet && others < limit {
            let past = Past { from, before, unix: now.unix, at: now.mono };
            let own = self.changed.get_or_insert_with(key.mac, SortedMap::new);
            // the account before the first change is the one to go back to
            let own = own.get_or_insert_with(key.name.clone(), || past);
            (own.unix, own.at) = (now.unix, now.mono);
            let what = words(change);
            let nth = others + 1;
            let text = format!("{}: {what}; phone {nth} of the {limit} that may within {minutes} min", key.name);
            notes.push((Some(key.mac), text));
            return true;
        }
        if self.state == State::Quiet {
            self.state = State::Holding { since: now.unix };
            self.told = 1;
            let text = format!(
                "{} of {known} phones changed or lost their account within {minutes} min, and {limit} may: further changes \
                 are held, and phones keep their last good. Right so? phoneprov accept all. A mistake? phoneprov reject \
                 all{}",
                others + 1,
                if self.changed.is_empty() { "" } else { ", and phoneprov rollback all for those that have it already" }
            );
            notes.push((None, text));
        }
        false
    }

    /// A change has passed. Phones that ask once a day show a mistake one by one, never enough of them within a window:
    /// so many others are to be asked for now, that it shows if it concerns them too.
    pub fn others_to_ask(&mut self, known: usize, now: Now) -> usize {
        let just = self.asked_others.is_some_and(|at| now.mono.saturating_duration_since(at) < ASK_OTHERS);
        if just || self.state != State::Quiet {
            return 0;
        }
        self.asked_others = Some(now.mono);
        (self.limit(known) + 1).saturating_sub(self.changed.len())
    }

    /// A mistake that is put right must not be held like one: a phone gets the account back that it had before the
    /// change. Does this config bring it?
    pub fn brings_back(&mut self, key: &ResourceKey, new: Identity, notes: &mut Vec<Note>) -> bool {
        let past = self.changed.get(&key.mac).and_then(|own| own.get(&key.name));
        let back = matches!(new, Identity::Account(_)) && past.is_some_and(|past| past.before == new);
        if back {
            self.taken_back(key);
            notes.push((Some(key.mac), format!("{}: has the account again that it had before", key.name)));
        }
        back
    }

    /// So many phones are held now.
    pub fn holds(&mut self, phones: usize, notes: &mut Vec<Note>) {
        let due = TOLD.iter().rev().find(|n| **n <= phones).copied().unwrap_or(0);
        if due > self.told {
            self.told = due;
            notes.push((None, format!("{phones} phone{} held on their last good", s(phones))));
        }
    }

    /// The admin rejected what was held: what is held from now on is a new question.
    pub fn rejected(&mut self) {
        self.told = 0;
    }

    /// Nothing is held any more: the guard watches again. The window of what passed begins anew, for these phones are
    /// not back yet.
    /// Gives them: the new time must survive a restart.
    pub fn none_held(&mut self, now: Now, notes: &mut Vec<Note>) -> Vec<Mac> {
        if !matches!(self.state, State::Holding { .. }) {
            return Vec::new();
        }
        self.state = State::Quiet;
        for past in self.changed.values_mut().flat_map(SortedMap::values_mut) {
            (past.unix, past.at) = (now.unix, now.mono);
        }
        notes.push((None, "nothing is held any more: it watches again".to_string()));
        self.changed.keys().copied().collect()
    }

    /// The admin accepts all: for the time of the window everything passes, so that a migration runs to its end.
    pub fn open(&mut self, now: Now, notes: &mut Vec<Note>) {
        self.state = State::Open { since: now.unix, until: now.mono + self.limits.window };
        self.changed.clear();
        let minutes = self.limits.window.as_secs() / 60;
        notes
            .push((None, format!("all accepted: accounts may change freely for {minutes} min, then it watches again")));
    }

    /// The admin accepted this phone's new account, or it is forgotten: it does not count.
    pub fn forget(&mut self, mac: Option<Mac>) {
        match mac {
            Some(mac) => _ = self.changed.remove(&mac),
            None => self.changed.clear(),
        }
    }

    /// This config has been taken back.
    pub fn taken_back(&mut self, key: &ResourceKey) {
        if let Some(own) = self.changed.get_mut(&key.mac) {
            own.remove(&key.name);
            if own.is_empty() {
                self.changed.remove(&key.mac);
            }
        }
    }

    /// Configs are held from an earlier run: it holds on, for nobody has decided yet.
    pub fn resume(&mut self, waiting: usize, rejected: usize, now: Now, notes: &mut Vec<Note>) {
        self.state = State::Holding { since: now.unix };
        self.told = waiting;
        let text = format!(
            "since before the restart {waiting} phone{} held: accept or reject; {rejected} were rejected",
            s(waiting)
        );
        notes.push((None, text));
    }

    /// A change of an earlier run. A time that lies in the future, or a clock that is not set, counts as now.
    pub fn restore(&mut self, mac: Mac, name: &str, from: u32, before: Identity, unix: UnixTime, now: Now) {
        let passed = if now.clock_is_set() { now.unix.saturating_sub(unix) } else { 0 };
        if passed >= self.limits.window.as_secs() && self.state == State::Quiet {
            return;
        }
        let at = now.mono.checked_sub(Duration::from_secs(passed)).unwrap_or(now.mono);
        self.changed.get_or_insert_with(mac, SortedMap::new).insert(name.to_string(), Past { from, before, unix, at });
    }

    /// What is due: changes that are older than the window count no more, and an open guard watches again. Gives the
    /// phones of which something was dropped.
    pub fn timeout(&mut self, now: Now, notes: &mut Vec<Note>) -> Vec<Mac> {
        if matches!(self.state, State::Open { until, .. } if until <= now.mono) {
            self.state = State::Quiet;
            notes.push((None, "it watches again".to_string()));
        }
        let mut gone = Vec::new();
        // while it holds, the admin may still want to take back what passed before
        if self.state == State::Quiet {
            let window = self.limits.window;
            self.changed.retain(|mac, own| {
                let before = own.len();
                own.retain(|_, past| now.mono.saturating_duration_since(past.at) < window);
                if own.len() < before {
                    gone.push(*mac);
                }
                !own.is_empty()
            });
        }
        gone
    }

    /// When [`Guard::timeout`] wants to be called.
    pub fn poll_at(&self) -> Option<Instant> {
        match self.state {
            State::Open { until, .. } => Some(until),
            State::Holding { .. } => None,
            State::Quiet => self.past().map(|(_, _, past)| past.at + self.limits.window).min(),
        }
    }
}

/// For events and for `why`.
pub fn words(change: Change) -> &'static str {
    match change {
        Change::Lost => "its account is gone",
        Change::Changed => "its account is another one",
    }
}

fn s(n: usize) -> &'static str {
    if n == 1 {
        " is"
    } else {
        "s are"
    }
}

#[cfg(test)]
#[path = "guard_test.rs"]
mod test;
