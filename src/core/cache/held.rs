//! What is kept from phones: configs that the guard holds, and those that wait behind a pinned generation; and what the
//! admin decides about them.

use super::entry::{Held, Stage, Trouble};
use super::result::{tell_fresh, New};
use super::{tell_all, Cache, Out};
use crate::core::answer::Label;
use crate::core::guard::{words, Asked, Note, Past};
use crate::core::now::Now;
use crate::core::outcome::Reason;
use crate::core::types::{Changed, Decided, GenerationMeta, ResourceKey, Sha256};
use crate::proto::mac::Mac;
use crate::sorted::{SortedMap, SortedSet};
use crate::vendor::{Change, Identity};
use std::time::Instant;

/// What was on flash of one config beside its generations.
#[derive(Default)]
pub struct Restored {
    /// Whose account the generations have.
    pub identities: Vec<(u32, Identity)>,
    /// A held config, and whose account is in it.
    pub candidate: Option<(GenerationMeta, Identity)>,
}

/// What `accept`, `reject` and `rollback` did to one config.
#[derive(Debug)]
pub struct Done {
    /// Which.
    pub key: ResourceKey,
    /// In words.
    pub what: String,
}

impl Cache {
    /// May this new config take the place of the last good? `None`: it is held, and who waits has the last good.
    pub(super) fn guarded(&mut self, key: &ResourceKey, new: New, now: Now, out: &mut Vec<Out>) -> Option<New> {
        let known = self.known_phones();
        let entry = self.entries.get_mut(key)?;
        if entry.current().is_none() {
            return Some(new); // a phone that has nothing loses nothing
        }
        if std::mem::take(&mut entry.accept_next) {
            entry.pinned = None;
            entry.held = None;
            out.push(Out::DropCandidate(key.clone()));
            out.push(Out::Record(key.mac));
            self.guard.taken_back(key);
            self.look_whether_held(now, out);
            return Some(new);
        }
        if entry.accepting.as_ref().is_some_and(|m| m.sha256 == new.sha256) {
            return None; // it is on its way to be the next generation: who waits is told when it is
        }
        if entry.accepting.is_some() {
            // other bytes again, within the moment that the flash takes: the next answer is looked at
            self.keep_back(key, Reason::Held, now, out);
            return None;
        }
        if entry.pinned.is_some() {
            if entry.newest().is_some_and(|m| m.sha256 == new.sha256) {
                // what the admin went back from: it is stored already
                self.drop_held(key, now, out);
                self.keep_back(key, Reason::Pinned, now, out);
            } else {
                self.hold(key, new, None, now, out);
            }
            return None;
        }
        let mut notes = Vec::new();
        if self.guard.brings_back(key, new.identity, &mut notes) {
            tell_of(notes, out);
            out.push(Out::Record(key.mac));
            self.drop_held(key, now, out);
            return Some(new);
        }
        let before = entry.identity();
        let Some(change) = before.change(new.identity) else {
            self.drop_held(key, now, out);
            return Some(new);
        };
        if entry.held.as_ref().is_some_and(|h| h.rejected && h.sha256 == new.sha256) {
            self.keep_back(key, Reason::Held, now, out);
            return None;
        }
        let from = entry.current().map_or(0, |m| m.number);
        let asked = Asked { key, from, before, change };
        let passes = self.guard.passes(asked, known, now, &mut notes);
        tell_of(notes, out);
        if passes {
            out.push(Out::Record(key.mac));
            self.drop_held(key, now, out);
            self.ask_others(key.mac, known, now, out);
            return Some(new);
        }
        self.hold(key, new, Some(change), now, out);
        None
    }

    /// Is it this phone alone? Those are asked for of whom the upstream was not heard for longest.
    fn ask_others(&mut self, mac: Mac, known: usize, now: Now, out: &mut Vec<Out>) {
        let count = self.guard.others_to_ask(known, now);
        if count == 0 {
            return;
        }
        let changed: SortedSet<Mac> = self.guard.past().map(|(mac, ..)| mac).collect();
        let mut others: SortedMap<Mac, (Option<Instant>, &ResourceKey)> = SortedMap::new();
        for (key, entry) in self.entries.iter() {
            let account = matches!(entry.identity(), Identity::Account(_)) && entry.pinned.is_none();
            if account && entry.how.vendor != super::NO_VENDOR && key.mac != mac && !changed.contains(&key.mac) {
                others.get_or_insert_with(key.mac, || (entry.agreed.map(|(at, _)| at), key));
            }
        }
        let mut others: Vec<(Option<Instant>, &ResourceKey)> = others.into_iter().map(|(_, other)| other).collect();
        others.sort_unstable();
        out.extend(others.into_iter().take(count).map(|(_, key)| Out::Later(key.clone())));
    }

    /// Keeps a new config from the phone. Its bytes go to flash once.
    fn hold(&mut self, key: &ResourceKey, new: New, change: Option<Change>, now: Now, out: &mut Vec<Out>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let first = entry.held.as_ref().is_none_or(|h| h.rejected);
        if entry.held.as_ref().is_none_or(|h| h.sha256 != new.sha256) {
            let meta = GenerationMeta {
                number: entry.next_number(),
                sha256: new.sha256,
                size: new.body.len() as u64,
                stored_at: now.unix,
                etag: new.head.etag,
                last_modified: new.head.last_modified,
                target: entry.how.target.clone(),
                headers: entry.how.headers.clone(),
            };
            let was = entry.held.replace(Held {
                sha256: new.sha256,
                identity: new.identity,
                change,
                since: now.unix,
                rejected: false,
                candidate: Some(meta.clone()),
            });
            if was.is_some_and(|h| h.rejected) {
                out.push(Out::Record(key.mac));
            }
            out.push(Out::Candidate(key.clone(), meta, new.body));
            if entry.pinned.is_some() && first {
                let text = format!("{}: a newer config waits, for an older one is pinned until accept", key.name);
                out.push(Out::Guard(Some(key.mac), text));
            }
        }
        let reason = if change.is_some() { Reason::Held } else { Reason::Pinned };
        self.keep_back(key, reason, now, out);
        if change.is_some() && first {
            let mut notes = Vec::new();
            let held = self.held_phones().0;
            self.guard.holds(held, &mut notes);
            tell_of(notes, out);
        }
    }

    /// The upstream has answered, and the phone keeps what it has.
    fn keep_back(&mut self, key: &ResourceKey, reason: Reason, now: Now, out: &mut Vec<Out>) {
        // phones ask twice, and the original provisioner refuses the second: the first answer stands
        let hold_until = Some(now.mono + self.limits.fresh_for);
        let Some(entry) = self.entries.get_mut(key) else { return };
        let text = entry.held.as_ref().map_or("the upstream still has what was rolled back".to_string(), text_of);
        entry.trouble = Some(Trouble { reason, text, hold_until });
        entry.agreed = None;
        entry.refusing = None;
        if entry.refused_since.take().is_some() {
            out.push(Out::Record(key.mac));
        }
        let answer = entry.fall_back(key, now);
        tell_all(entry, answer, now, out);
    }

    /// The upstream stands by what is served: nothing else waits. Behind a pin, what is newer than the pinned
    /// generation is gone upstream too, and must not come back when the pin goes.
    pub(super) fn back_to_current(&mut self, key: &ResourceKey, now: Now, out: &mut Vec<Out>) {
        self.drop_held(key, now, out);
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.accept_next = false;
        let Some(served) = entry.pinned.and(entry.current()).map(|m| m.number) else { return };
        if entry.newest().is_some_and(|m| m.number > served) && entry.stage != Stage::Storing {
            entry.unsaved = None;
            entry.generations.retain(|m| m.number <= served);
            entry.identities.retain(|number, _| *number <= served);
            out.push(Out::DropNewer(key.clone(), served));
        }
    }

    /// What is held for this config, if anything, is of no interest any more.
    fn drop_held(&mut self, key: &ResourceKey, now: Now, out: &mut Vec<Out>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let Some(held) = entry.held.take() else { return };
        match held.rejected {
            true => out.push(Out::Record(key.mac)),
            false => out.push(Out::DropCandidate(key.clone())),
        }
        self.look_whether_held(now, out);
    }

    /// Tells the guard when nothing is held any more.
    pub(super) fn look_whether_held(&mut self, now: Now, out: &mut Vec<Out>) {
        if self.entries.iter().any(|(_, e)| e.is_held()) {
            return;
        }
        let mut notes = Vec::new();
        let again = self.guard.none_held(now, &mut notes);
        tell_of(notes, out);
        out.extend(again.into_iter().map(Out::Record));
    }

    /// Phones with a stored config: of these the share counts.
    pub fn known_phones(&self) -> usize {
        self.entries.phones().filter(|own| own.clone().any(|e| e.current().is_some())).count()
    }

    /// Phones for which something waits for `accept` or `reject`, and phones for which something was rejected and still
    /// comes.
    pub fn held_phones(&self) -> (usize, usize) {
        let of = |rejected: bool| {
            let is = |e: &super::Entry| e.is_held() && e.held().is_some_and(|h| h.rejected == rejected);
            self.entries.phones().filter(|own| own.clone().any(is)).count()
        };
        (of(false), of(true))
    }

    /// What was decided about the configs of one phone: part of its record.
    pub fn decided(&self, mac: Mac) -> Decided {
        let own = || self.entries.of(mac);
        let rejected = |e: &super::Entry| e.held().filter(|h| h.rejected).map(|h| h.sha256.to_string());
        Decided {
            pinned: own().filter_map(|(k, e)| Some((k.name.clone(), e.pinned?))).collect(),
            rejected: own().filter_map(|(k, e)| Some((k.name.clone(), rejected(e)?))).collect(),
            changed: self
                .guard
                .past_of(mac)
                .map(|(name, past)| (name.to_string(), Changed { from: past.from, at: past.unix }))
                .collect(),
        }
    }

    /// What was on flash of a config, after [`Cache::load`]. A candidate that became the last good just before a power
    /// cut is dropped.
    pub fn restore(
        &mut self,
        key: &ResourceKey,
        mut restored: Restored,
        decided: &Decided,
        now: Now,
        out: &mut Vec<Out>,
    ) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.identities = restored.identities.into_iter().collect();
        entry.pinned = decided.pinned.get(&key.name).copied();
        let before = entry.identity();
        let rejected = decided.rejected.get(&key.name).and_then(|hex| Sha256::parse(hex));
        if restored.candidate.take_if(|(meta, _)| Some(meta.sha256) == rejected).is_some() {
            out.push(Out::DropCandidate(key.clone()));
        }
        if let Some((meta, identity)) = restored.candidate {
            let change = before.change(identity).filter(|_| entry.pinned.is_none());
            let known = entry.generations.last().is_some_and(|m| m.sha256 == meta.sha256);
            if known || (change.is_none() && entry.pinned.is_none()) {
                out.push(Out::DropCandidate(key.clone()));
            } else {
                let (sha256, since) = (meta.sha256, meta.stored_at);
                let held = Held { sha256, identity, change, since, rejected: false, candidate: Some(meta) };
                entry.held = Some(held);
            }
        } else if let Some(sha256) = rejected {
            let change = entry.pinned.is_none().then_some(Change::Changed);
            let (identity, since) = (Identity::Unknown, now.unix);
            entry.held = Some(Held { sha256, identity, change, since, rejected: true, candidate: None });
        }
        if let Some(pin) = entry.pinned {
            let text = format!("generation {pin} is pinned");
            entry.trouble = Some(Trouble { reason: Reason::Pinned, text, hold_until: None });
        } else if let Some(text) = entry.held.as_ref().map(text_of) {
            entry.trouble = Some(Trouble { reason: Reason::Held, text, hold_until: None });
        }
    }

    /// After the last [`Cache::restore`]: does the guard hold on? And what passed it before the restart.
    pub fn resume(&mut self, decided: &[(Mac, Decided)], now: Now, out: &mut Vec<Out>) {
        let mut notes = Vec::new();
        if self.entries.iter().any(|(_, e)| e.is_held()) {
            let (waiting, rejected) = self.held_phones();
            self.guard.resume(waiting, rejected, now, &mut notes);
        }
        for (mac, decided) in decided {
            for (name, changed) in &decided.changed {
                let entry = self.entries.of(*mac).find(|(k, _)| k.name == *name).map(|(_, e)| e);
                let Some(entry) = entry else { continue };
                let before = entry.identities.get(&changed.from).copied().unwrap_or_default();
                self.guard.restore(*mac, name, changed.from, before, changed.at, now);
            }
        }
        tell_of(notes, out);
    }

    /// The store has a held config's bytes, or not.
    pub fn candidate_stored(
        &mut self,
        key: &ResourceKey,
        sha256: Sha256,
        result: Result<(), String>,
        out: &mut Vec<Out>,
    ) {
        let held = self.entries.get_mut(key).and_then(|e| e.held.as_mut()).filter(|h| h.sha256 == sha256);
        if let (Some(held), Err(why)) = (held, result) {
            if held.candidate.take().is_some() {
                let text = format!("{}: the held config is not on flash ({why}): accept asks for it again", key.name);
                out.push(Out::Guard(Some(key.mac), text));
            }
        }
    }

    /// The admin accepts what is held for one phone, or for all; pins go as well. `all` opens the guard, but where only
    /// pins went: that is the end of a mistake, and no migration.
    pub fn accept(&mut self, mac: Option<Mac>, now: Now, out: &mut Vec<Out>) -> Vec<Done> {
        let mut done = Vec::new();
        let mut only_pins = false;
        for key in self.decidable(mac, |e| e.accepting.is_none() && (e.held.is_some() || e.pinned.is_some())) {
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            only_pins = entry.held.is_none() && (only_pins || done.is_empty());
            let what = match entry.held.clone() {
                Some(Held { candidate: Some(candidate), identity, .. }) => {
                    let number = entry.next_number();
                    let meta = GenerationMeta { number, stored_at: now.unix, ..candidate };
                    entry.identities.insert(number, identity);
                    entry.accepting = Some(meta.clone());
                    out.push(Out::Accept(key.clone(), meta));
                    format!("accepted as generation {number}")
                }
                Some(_) => {
                    self.ask_again(&key, now, out);
                    "accepted; its bytes are not here, and it is asked for again".to_string()
                }
                None => {
                    entry.pinned = None;
                    (entry.trouble, entry.agreed) = (None, None);
                    out.push(Out::Record(key.mac));
                    format!("generation {} again", entry.current().map_or(0, |m| m.number))
                }
            };
            done.push(Done { key, what });
        }
        let mut notes = Vec::new();
        match mac {
            Some(mac) => {
                self.guard.forget(Some(mac));
                if !done.is_empty() {
                    notes.push((Some(mac), "accepted by the admin".to_string()));
                    out.push(Out::Record(mac));
                }
            }
            None if only_pins => notes.push((None, "rollbacks ended by the admin".to_string())),
            None => {
                let changed: Vec<Mac> = self.guard.past().map(|(mac, ..)| mac).collect();
                self.guard.open(now, &mut notes);
                out.extend(changed.into_iter().map(Out::Record));
            }
        }
        tell_of(notes, out);
        done
    }

    /// The admin accepted bytes that are not here: whatever the upstream has next, passes.
    fn ask_again(&mut self, key: &ResourceKey, now: Now, out: &mut Vec<Out>) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.accept_next = true;
            if let Some(trouble) = &mut entry.trouble {
                trouble.hold_until = None;
            }
        }
        self.refresh(key, now, out);
    }

    /// A held config has become a generation, or could not.
    pub(super) fn accepted(&mut self, key: &ResourceKey, result: Result<u32, String>, now: Now, out: &mut Vec<Out>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let Some(mut meta) = entry.accepting.take() else { return };
        let from = out.len();
        match result {
            Ok(number) => {
                let identity = entry.identities.remove(&meta.number).unwrap_or_default();
                entry.identities.insert(number, identity);
                meta.number = number;
                entry.generations.retain(|m| m.number != number);
                entry.generations.push(meta);
                (entry.pinned, entry.held, entry.trouble, entry.agreed) = (None, None, None, None);
                entry.verified = false;
                out.push(Out::Note(key.mac, format!("{}: generation {number}, which was held, is in use", key.name)));
                out.push(Out::Record(key.mac));
                // the upstream has just said the same
                if entry.stage == Stage::Idle && !entry.waiters.is_empty() {
                    entry.agreed = Some((now.mono, now.unix));
                    tell_fresh(entry, key, Label::Fresh, now, out);
                }
                self.settle(from, out);
                self.look_whether_held(now, out);
            }
            Err(why) => {
                entry.identities.remove(&meta.number);
                let text = format!("{}: the held config cannot be used ({why}): it is asked for again", key.name);
                out.push(Out::Guard(Some(key.mac), text));
                self.ask_again(key, now, out);
            }
        }
    }

    /// The admin does not want what is held: its bytes go, and the same bytes are held again without a word.
    pub fn reject(&mut self, mac: Option<Mac>, out: &mut Vec<Out>) -> Vec<Done> {
        let mut done = Vec::new();
        // accepted, but its bytes had to be asked for again and have not come: that can still be taken back
        let waits = |e: &super::Entry| e.held.as_ref().is_some_and(|h| !h.rejected || e.accept_next);
        for key in self.decidable(mac, |e| e.accepting.is_none() && waits(e)) {
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            entry.accept_next = false;
            let Some(held) = &mut entry.held else { continue };
            held.rejected = true;
            held.candidate = None;
            if let Some(trouble) = &mut entry.trouble {
                trouble.text = text_of(held);
            }
            out.push(Out::DropCandidate(key.clone()));
            out.push(Out::Record(key.mac));
            done.push(Done { key, what: "rejected".to_string() });
        }
        if !done.is_empty() {
            self.guard.rejected();
            let text = match mac {
                Some(_) => "rejected by the admin: the last good stays in use".to_string(),
                None => format!("{} held configs rejected by the admin: phones keep their last good", done.len()),
            };
            out.push(Out::Guard(mac, text));
        }
        done
    }

    /// Serves the generation that is `back` before the newest one, until `accept`. The error says why not.
    pub fn rollback(&mut self, key: &ResourceKey, back: usize, now: Now, out: &mut Vec<Out>) -> Result<Done, String> {
        let entry = self.entries.get(key).ok_or("it has no config")?;
        let older = entry.generations.len() + usize::from(entry.unsaved.is_some());
        let number = older.checked_sub(back + 1).and_then(|at| entry.generations.get(at)).map(|m| m.number);
        let number = number.ok_or_else(|| match older.saturating_sub(1) {
            0 => "nothing older is stored (option history)".to_string(),
            n => format!("only {n} older generation{} stored", if n == 1 { " is" } else { "s are" }),
        })?;
        Ok(self.pin(key, number, now, out))
    }

    /// Takes back every change of an account that passed since the guard's window began.
    pub fn rollback_changed(&mut self, now: Now, out: &mut Vec<Out>) -> Vec<Result<Done, (ResourceKey, String)>> {
        let past: Vec<(Mac, String, Past)> = self.guard.past().map(|(m, n, p)| (m, n.to_string(), *p)).collect();
        let mut done = Vec::new();
        for (mac, name, past) in past {
            let Some((key, entry)) = self.entries.of(mac).find(|(k, _)| k.name == name) else { continue };
            let (key, stored) = (key.clone(), entry.generations.iter().any(|m| m.number == past.from));
            done.push(match stored {
                true => Ok(self.pin(&key, past.from, now, out)),
                false => Err((key, format!("generation {} is not stored any more", past.from))),
            });
        }
        done
    }

    fn pin(&mut self, key: &ResourceKey, number: u32, now: Now, out: &mut Vec<Out>) -> Done {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.pinned = Some(number);
            (entry.agreed, entry.verified, entry.accept_next) = (None, false, false);
            let text = format!("generation {number} is pinned");
            entry.trouble = Some(Trouble { reason: Reason::Pinned, text, hold_until: None });
        }
        self.guard.taken_back(key);
        let text = format!("{}: back to generation {number} until accept", key.name);
        out.push(Out::Guard(Some(key.mac), text));
        out.push(Out::Record(key.mac));
        self.look_whether_held(now, out);
        Done { key: key.clone(), what: format!("generation {number} until accept") }
    }

    fn decidable(&self, mac: Option<Mac>, is: impl Fn(&super::Entry) -> bool) -> Vec<ResourceKey> {
        let mut keys: Vec<ResourceKey> = match mac {
            Some(mac) => self.entries.of(mac).filter(|(_, e)| is(e)).map(|(k, _)| k.clone()).collect(),
            None => self.entries.iter().filter(|(_, e)| is(e)).map(|(k, _)| k.clone()).collect(),
        };
        keys.sort_unstable();
        keys
    }
}

impl super::Entry {
    /// Does the guard keep something from the phone? What waits behind a pin is the admin's doing; and of a vendor that
    /// is switched off nobody will hear whether the upstream is right again.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some() && self.pinned.is_none() && self.how.vendor != super::NO_VENDOR
    }
}

/// Why a config is kept from its phone.
fn text_of(held: &Held) -> String {
    match (held.rejected, held.change) {
        (true, _) => "the new config was rejected".to_string(),
        (false, Some(change)) => format!("in the new config {}", words(change)),
        (false, None) => "a newer config waits for accept".to_string(),
    }
}

pub(super) fn tell_of(notes: Vec<Note>, out: &mut Vec<Out>) {
    out.extend(notes.into_iter().map(|(mac, text)| Out::Guard(mac, text)));
}
