//! What the upstream and the store said, and what follows from it.

use super::entry::{Entry, Stage, Trouble, Unsaved};
use super::{tell_all, Cache, Out, Timer, HOLD, HOLD_GONE, QUICK, SECOND_TRY, STORE_AGAIN};
use crate::core::answer::{Answer, Body, Label};
use crate::core::now::Now;
use crate::core::outcome::{Outcome, Reason};
use crate::core::types::{FetchHead, GenerationMeta, ResourceKey, Sha256};
use crate::vendor::Identity;
use std::sync::Arc;

/// A good answer of the upstream.
pub(super) struct New {
    pub(super) head: FetchHead,
    pub(super) body: Arc<[u8]>,
    pub(super) sha256: Sha256,
    pub(super) identity: Identity,
}

/// The wall clock and ours may disagree by so many seconds before the wall clock counts as moved.
const CLOCK_MOVED: u64 = 3600;

impl Cache {
    /// What the upstream said.
    pub fn fetched(&mut self, key: &ResourceKey, outcome: Outcome, now: Now, out: &mut Vec<Out>) {
        let Some(entry) = self.entries.get_mut(key) else {
            return self.release(key, out);
        };
        if entry.stage != Stage::Fetching {
            // nothing was under way; a lane that thinks otherwise must not stay taken for ever
            if entry.stage != Stage::Pausing {
                self.release(key, out);
            }
            return;
        }
        let from = out.len();
        if matches!(outcome, Outcome::Empty) && !entry.second_try {
            entry.second_try = true;
            entry.stage = Stage::Pausing;
            self.add_timer(now.mono + SECOND_TRY, Timer::SecondTry(key.clone()));
            return;
        }
        entry.second_try = false;
        entry.late = false;
        entry.stage = Stage::Idle;
        match outcome {
            Outcome::Good { head, body, sha256, identity } => {
                self.good(key, New { head, body, sha256, identity }, now, out);
            }
            Outcome::NotModified if entry.current().is_none() => {
                let text = "status 304, though nothing is stored".to_string();
                self.bad(key, Reason::Broken, text, now, out);
            }
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
        self.settle(from, out);
    }

    fn good(&mut self, key: &ResourceKey, new: New, now: Now, out: &mut Vec<Out>) {
        let sha256 = new.sha256;
        if let Some(entry) = self.entries.get_mut(key).filter(|e| e.current().is_some_and(|m| m.sha256 == sha256)) {
            // the same bytes, but perhaps from another upstream with words of its own for them
            entry.set_validators(new.head.etag, new.head.last_modified);
            return self.unchanged(key, now, out);
        }
        let Some(New { head, body, identity, .. }) = self.guarded(key, new, now, out) else { return };
        let storable = self.may_store(key);
        let Some(entry) = self.entries.get_mut(key) else { return };
        agree(entry, key, now, out);
        let number = entry.next_number();
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
        entry.verified = true;
        entry.identities.insert(number, identity);
        out.push(Out::Note(key.mac, format!("new config {} ({} bytes, generation {number})", key.name, meta.size)));
        entry.unsaved = Some(Unsaved { meta: meta.clone(), body: body.clone(), tried: now.mono });
        if storable {
            // The phone is answered when the bytes are safe, so what it was given survives a power cut.
            entry.stage = Stage::Storing;
            out.push(Out::Store(key.clone(), meta, body));
        } else {
            out.push(Out::Note(key.mac, format!("{} is kept in RAM only: this phone has too many files", key.name)));
            tell_fresh(entry, key, Label::Fresh, now, out);
            self.drop_unsaved_over_limit(key);
        }
    }

    fn unchanged(&mut self, key: &ResourceKey, now: Now, out: &mut Vec<Out>) {
        self.back_to_current(key, now, out);
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
        let settled = self.settled.is_none_or(|at| now.mono >= at);
        let Some(entry) = self.entries.get_mut(key) else { return };
        let stored = entry.current().is_some();
        let mut expired = false;
        let hold = match reason {
            // the guard's and the admin's reasons are not the upstream's
            Reason::Down | Reason::Held | Reason::Pinned => None, // the circuit of the upstream decides
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
        if stored && matches!(reason, Reason::Refused | Reason::Gone) {
            match refused_for(entry, key, now, out) {
                Some(since) if since >= grace.as_secs() && settled => {
                    let days = grace.as_secs() / 86_400;
                    out.push(Out::Note(key.mac, format!("{}: {reason} for {days} days: removed", key.name)));
                    out.push(Out::Expire(key.clone()));
                    entry.generations.clear();
                    entry.unsaved = None;
                    entry.agreed = None;
                    entry.refused_since = None;
                    entry.refusing = None;
                    (entry.held, entry.pinned, entry.accepting) = (None, None, None);
                    entry.identities.clear();
                    out.push(Out::Record(key.mac));
                    expired = true;
                }
                _ => {}
            }
        }
        let answer = entry.fall_back(key, now);
        tell_all(entry, answer, now, out);
        if expired {
            self.look_whether_held(now, out);
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
                    entry.identities.remove(number);
                }
            }
        }
        // what was forgotten while it was being written says nothing of what came after it
        if let Some(left) = self.orphans.get_mut(key) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.orphans.remove(key);
            }
            return;
        }
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.accepting.as_ref().is_some_and(|m| m.number == number) {
            return self.accepted(key, result.map(|(actual, _)| actual), now, out);
        }
        let from = out.len();
        if entry.stage == Stage::Storing {
            entry.stage = Stage::Idle;
        }
        match result {
            Ok((actual, _)) => {
                if let Some(mut unsaved) = entry.unsaved.take_if(|u| u.meta.number == number) {
                    let identity = entry.identities.remove(&number).unwrap_or_default();
                    entry.identities.insert(actual, identity);
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
        self.settle(from, out);
    }
}

/// The upstream stands by the newest generation: all trouble is over.
fn agree(entry: &mut Entry, key: &ResourceKey, now: Now, out: &mut Vec<Out>) {
    entry.agreed = Some((now.mono, now.unix));
    let had = entry.current().is_some();
    let upstreams = |t: &Trouble| !matches!(t.reason, Reason::Held | Reason::Pinned);
    if let Some(trouble) = entry.trouble.take().filter(|t| had && upstreams(t)) {
        out.push(Out::Note(key.mac, format!("{}: the upstream answers again (was {})", key.name, trouble.reason)));
    }
    entry.refusing = None;
    if entry.refused_since.take().is_some() {
        out.push(Out::Record(key.mac));
    }
}

/// Seconds since the refusal began; `None` while the clock is not set. The wall clock says it, since the time counts
/// over restarts. A refusal that began in this run is timed by ours: a router starts with the time of its last
/// shutdown, weeks ago, and NTP must not end the grace time of a phone that asked before it came.
fn refused_for(entry: &mut Entry, key: &ResourceKey, now: Now, out: &mut Vec<Out>) -> Option<u64> {
    if entry.refused_since.is_none() && entry.refusing.is_none() {
        entry.refusing = Some(now.mono);
    }
    if !now.clock_is_set() {
        return None;
    }
    if let Some(begun) = entry.refusing {
        let since = now.unix.saturating_sub(now.mono.saturating_duration_since(begun).as_secs());
        if entry.refused_since.is_none_or(|s| s.abs_diff(since) > CLOCK_MOVED) {
            entry.refused_since = Some(since);
            out.push(Out::Record(key.mac));
        }
    }
    entry.refused_since.map(|since| now.unix.saturating_sub(since))
}

pub(super) fn tell_fresh(entry: &mut Entry, key: &ResourceKey, label: Label, now: Now, out: &mut Vec<Out>) {
    let answer = entry.serve(key, label, now).unwrap_or_else(|| entry.fall_back(key, now));
    tell_all(entry, answer, now, out);
}
