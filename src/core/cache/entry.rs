//! One config of one phone: what is stored, what the upstream last said, who waits.

use crate::core::answer::{Answer, Body, Label, RequestId};
use crate::core::now::Now;
use crate::core::outcome::Reason;
use crate::core::types::{GenerationMeta, ResourceKey, Sha256, UnixTime};
use crate::sorted::SortedMap;
use crate::vendor::{Change, Identity};
use std::sync::Arc;
use std::time::Instant;

/// How a phone asked for it: enough to ask again without the phone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// Index of its vendor section.
    pub vendor: usize,
    /// Target below `/{vendor}/`, as the phone wrote it.
    pub target: String,
    /// The headers that go upstream.
    pub headers: Vec<(String, String)>,
}

/// Somebody who waits for a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waiter {
    /// A phone's HTTP request.
    Phone(RequestId),
    /// A `refresh` over the control socket.
    Control(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Idle,
    /// In the queue of its phone, or with the fetch threads.
    Fetching,
    /// An empty 200 came; the second try follows (phone-facts 3.4).
    Pausing,
    /// New bytes are on their way to flash.
    Storing,
}

pub(super) struct Waiting {
    pub who: Waiter,
    /// When it is answered with what there is.
    pub deadline: Instant,
}

/// New bytes that are not on flash (yet, or because the disk is full).
pub(super) struct Unsaved {
    pub meta: GenerationMeta,
    pub body: Arc<[u8]>,
    /// When it was last handed to the store.
    pub tried: Instant,
}

/// A config that is kept from the phone until the admin decides.
#[derive(Clone, Debug)]
pub struct Held {
    /// Of its bytes.
    pub sha256: Sha256,
    /// Whose account is in it.
    pub identity: Identity,
    /// What becomes of the account; `None` where it waits only because an older generation is pinned.
    pub change: Option<Change>,
    /// Since when.
    pub since: UnixTime,
    /// The admin does not want it. Its bytes are not kept.
    pub rejected: bool,
    /// Where its bytes are on flash.
    pub(super) candidate: Option<GenerationMeta>,
}

impl Held {
    /// What is known of its bytes, where they are on flash.
    pub fn candidate(&self) -> Option<&GenerationMeta> {
        self.candidate.as_ref()
    }
}

/// What keeps the upstream's answer from the phone.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// Its kind.
    pub reason: Reason,
    /// In words, for admins.
    pub text: String,
    /// Requests until then are answered without asking again.
    pub hold_until: Option<Instant>,
}

/// One config.
pub struct Entry {
    pub(super) how: How,
    /// On flash, ascending; the last is the last good.
    pub(super) generations: Vec<GenerationMeta>,
    pub(super) unsaved: Option<Unsaved>,
    /// Whose account the generations have, by number.
    pub(super) identities: SortedMap<u32, Identity>,
    /// The newest config, kept back.
    pub(super) held: Option<Held>,
    /// The generation that the admin went back to.
    pub(super) pinned: Option<u32>,
    /// A held config that is becoming a generation.
    pub(super) accepting: Option<GenerationMeta>,
    /// The admin accepted a config whose bytes are not here: the next good answer passes.
    pub(super) accept_next: bool,
    pub(super) stage: Stage,
    pub(super) second_try: bool,
    /// When the last fetch was asked for.
    pub(super) began: Option<Instant>,
    /// The fetch under way has taken longer than a phone waits: nobody waits for it any more.
    pub(super) late: bool,
    pub(super) waiters: Vec<Waiting>,
    /// When the upstream last said that the newest generation is the right one.
    pub(super) agreed: Option<(Instant, UnixTime)>,
    pub(super) trouble: Option<Trouble>,
    /// Since when the upstream refuses it or has it no more; the grace time counts from here.
    pub(super) refused_since: Option<UnixTime>,
    /// The same by our own clock, when it began in this run.
    pub(super) refusing: Option<Instant>,
    /// Has the upstream of now, in this run, stood by the newest generation? Before that its validators may be those
    /// of another upstream, and "not modified" would mean nothing.
    pub(super) verified: bool,
    /// When a phone last asked.
    pub(super) asked: Option<Instant>,
    pub(super) served: Option<(Label, UnixTime)>,
}

impl Entry {
    pub(super) fn new(how: How) -> Entry {
        Entry {
            how,
            generations: Vec::new(),
            unsaved: None,
            identities: SortedMap::new(),
            held: None,
            pinned: None,
            accepting: None,
            accept_next: false,
            stage: Stage::Idle,
            second_try: false,
            began: None,
            late: false,
            waiters: Vec::new(),
            agreed: None,
            trouble: None,
            refused_since: None,
            refusing: None,
            verified: false,
            asked: None,
            served: None,
        }
    }

    /// The config that is served: the newest good one, or the one that the admin went back to.
    pub fn current(&self) -> Option<&GenerationMeta> {
        match self.pinned {
            // one that was damaged since is no reason to serve what the admin did not want
            Some(pin) => self.generations.iter().rev().find(|m| m.number <= pin).or(self.generations.first()),
            None => self.newest(),
        }
    }

    /// The newest good config, on flash or about to be.
    pub(super) fn newest(&self) -> Option<&GenerationMeta> {
        self.unsaved.as_ref().map(|u| &u.meta).or(self.generations.last())
    }

    /// The number of the next generation.
    pub(super) fn next_number(&self) -> u32 {
        let last = self.newest().map_or(0, |m| m.number);
        last.max(self.accepting.as_ref().map_or(0, |m| m.number)).saturating_add(1)
    }

    /// Whose account is in the config that is served.
    pub fn identity(&self) -> Identity {
        self.current().and_then(|m| self.identities.get(&m.number)).copied().unwrap_or_default()
    }

    /// What is kept from the phone until the admin decides.
    pub fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// The generation that the admin went back to.
    pub fn pinned(&self) -> Option<u32> {
        self.pinned
    }

    /// ETag and Last-Modified for a conditional request.
    pub fn validators(&self) -> (Option<&str>, Option<&str>) {
        match self.current().filter(|_| self.verified) {
            Some(meta) => (meta.etag.as_deref(), meta.last_modified.as_deref()),
            None => (None, None),
        }
    }

    /// The newest generation came again with these.
    pub(super) fn set_validators(&mut self, etag: Option<String>, last_modified: Option<String>) {
        let newest = self.unsaved.as_mut().map(|u| &mut u.meta).or(self.generations.last_mut());
        if let Some(meta) = newest {
            (meta.etag, meta.last_modified) = (etag, last_modified);
            self.verified = true;
        }
    }

    /// The generations on flash, ascending.
    pub fn generations(&self) -> &[GenerationMeta] {
        &self.generations
    }

    /// The newest generation, where its bytes are not on flash (yet).
    pub fn unsaved(&self) -> Option<(&GenerationMeta, &Arc<[u8]>)> {
        self.unsaved.as_ref().map(|u| (&u.meta, &u.body))
    }

    /// Are the newest bytes not on flash?
    pub fn is_unsaved(&self) -> bool {
        self.unsaved.is_some() && self.stage != Stage::Storing
    }

    /// Does anybody wait for it?
    pub fn is_waited_for(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// What keeps the upstream's answer from the phone.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// What the phone was last given, and when.
    pub fn served(&self) -> Option<(Label, UnixTime)> {
        self.served
    }

    /// When the upstream last agreed to the newest generation.
    pub fn agreed_at(&self) -> Option<UnixTime> {
        self.agreed.map(|(_, at)| at)
    }

    /// How a phone last asked.
    pub fn how(&self) -> &How {
        &self.how
    }

    /// The answer with the newest good bytes, if there are any.
    /// Without a clock nobody knows the age of what an earlier run stored.
    pub(super) fn serve(&self, key: &ResourceKey, label: Label, now: Now) -> Option<Answer> {
        let meta = self.current()?;
        let label = if self.pinned.is_some() { Label::LastGood(Reason::Pinned) } else { label };
        let age = match self.agreed {
            Some((at, _)) => Some(now.mono.saturating_duration_since(at).as_secs()),
            None => now.clock_is_set().then(|| now.unix.saturating_sub(meta.stored_at)),
        };
        let body = match &self.unsaved {
            Some(unsaved) if unsaved.meta.number == meta.number => Body::Bytes(unsaved.body.clone()),
            _ => Body::Stored(key.clone(), meta.number),
        };
        Some(Answer { status: 200, label, age, body, rewrite: Some((self.how.vendor, key.mac)), retry_after: None })
    }

    /// The answer when asking the upstream led to nothing new: the last good, or the reason why there is none.
    pub(super) fn fall_back(&self, key: &ResourceKey, now: Now) -> Answer {
        let (reason, text) = match &self.trouble {
            Some(t) => (t.reason, t.text.as_str()),
            None => (Reason::Down, "no answer in time"),
        };
        if let Some(answer) = self.serve(key, Label::LastGood(reason), now) {
            return answer;
        }
        match reason {
            Reason::Refused => Answer::error(404, format!("the upstream has no config for this phone ({text})")),
            Reason::Gone => Answer::error(404, format!("not found upstream ({text})")),
            Reason::Down => Answer::error(503, format!("the upstream does not answer ({text}) and nothing is stored")),
            Reason::Broken | Reason::Held | Reason::Pinned => {
                Answer::error(503, format!("the upstream's answer is not usable ({text}) and nothing is stored"))
            }
        }
    }
}
