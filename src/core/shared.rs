//! Shared files (firmware, languages): fetched once, streamed to all who ask while they arrive, kept in RAM up to
//! `shared_max`, least recently used out first. This is the book-keeping; the bytes are in [`crate::net`].

use crate::core::answer::{Answer, Body, Label, RequestId, StreamId};
use crate::core::cache::How;
use crate::core::now::Now;
use crate::core::outcome::Reason;
use crate::core::types::{FetchError, FetchHead};
use crate::sorted::SortedMap;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a file is served without asking whether the upstream has another.
const TRUSTED: Duration = Duration::from_secs(300);
/// How long a 404 is remembered (design section 7).
const ABSENT: Duration = Duration::from_secs(60);
/// Files and remembered 404s known at once.
const FILES: usize = 512;

/// Vendor section name and target below `/{vendor}/`.
pub type SharedKey = (String, String);

/// What the shared files want done.
#[derive(Debug)]
pub enum Out {
    /// Answer a phone.
    Tell(RequestId, Answer),
    /// Ask the upstream; the bytes go into stream `id`. With validators: only when it changed.
    Fetch {
        /// Which file.
        key: SharedKey,
        /// Where the bytes go.
        id: StreamId,
        /// As it was asked for.
        how: How,
        /// The upstream's word for the version that is here: ETag, Last-Modified.
        validators: (Option<String>, Option<String>),
    },
    /// The bytes of this stream are needed no more (those who are reading it read on).
    Drop(StreamId),
}

struct Copy {
    id: StreamId,
    head: FetchHead,
    /// Whole, and kept.
    size: u64,
    checked: Instant,
}

#[derive(Default)]
struct File {
    copy: Option<Copy>,
    fetching: Option<StreamId>,
    /// The head of the fetch under way has come: askers can join at once.
    joined: Option<FetchHead>,
    waiters: Vec<(RequestId, Instant)>,
    absent: Option<(Instant, Answer)>,
    used: Option<Instant>,
}

/// All shared files.
pub struct Shared {
    files: HashMap<SharedKey, File>,
    timers: SortedMap<(Instant, u32), (SharedKey, RequestId)>,
    /// The deadline of each who waits.
    waiting: HashMap<RequestId, (Instant, u32)>,
    next: u32,
    max: u64,
    fresh_wait: Duration,
    timeout: Duration,
}

impl Shared {
    /// `max`: bytes kept; the waits as for configs.
    pub fn new(max: u64, fresh_wait: Duration, timeout: Duration) -> Shared {
        Shared {
            files: HashMap::new(),
            timers: SortedMap::new(),
            waiting: HashMap::new(),
            next: 0,
            max,
            fresh_wait,
            timeout,
        }
    }

    /// New limits after a reload.
    pub fn set_limits(&mut self, max: u64, fresh_wait: Duration, timeout: Duration) {
        (self.max, self.fresh_wait, self.timeout) = (max, fresh_wait, timeout);
    }

    /// Bytes kept.
    pub fn bytes(&self) -> u64 {
        self.files.values().filter_map(|f| f.copy.as_ref()).map(|c| c.size).sum()
    }

    /// A phone asks. `down`: the upstream is known to be out of reach.
    pub fn ask(&mut self, key: &SharedKey, how: How, who: RequestId, down: Option<&str>, now: Now, out: &mut Vec<Out>) {
        if !self.files.contains_key(key) && self.files.len() >= FILES && !self.make_room(out) {
            return out.push(Out::Tell(who, Answer::error(503, "too many different files at once")));
        }
        let file = self.files.entry(key.clone()).or_default();
        file.used = Some(now.mono);
        if let Some((_, answer)) = file.absent.as_ref().filter(|(until, _)| now.mono < *until) {
            return out.push(Out::Tell(who, answer.clone()));
        }
        if let (Some(id), Some(_)) = (file.fetching, &file.joined) {
            return out.push(Out::Tell(who, stream(id, Label::Fresh, 0)));
        }
        let mut wait = self.timeout;
        if let Some(copy) = &file.copy {
            let age = now.mono.saturating_duration_since(copy.checked);
            if age < TRUSTED {
                return out.push(Out::Tell(who, stream(copy.id, Label::Unchanged, age.as_secs())));
            }
            if down.is_some() {
                return out.push(Out::Tell(who, stream(copy.id, Label::LastGood(Reason::Down), age.as_secs())));
            }
            wait = self.fresh_wait;
        }
        file.waiters.push((who, now.mono + wait));
        self.next = self.next.wrapping_add(1);
        self.timers.insert((now.mono + wait, self.next), (key.clone(), who));
        self.waiting.insert(who, (now.mono + wait, self.next));
        if file.fetching.is_none() {
            self.next = self.next.wrapping_add(1);
            file.fetching = Some(self.next);
            let validators = file.copy.as_ref().map(|c| (c.head.etag.clone(), c.head.last_modified.clone()));
            out.push(Out::Fetch { key: key.clone(), id: self.next, how, validators: validators.unwrap_or_default() });
        }
    }

    /// Somebody who asked has left.
    pub fn gone(&mut self, who: RequestId) {
        let Some(at) = self.waiting.remove(&who) else { return };
        if let Some(file) = self.timers.remove(&at).and_then(|(key, _)| self.files.get_mut(&key)) {
            file.waiters.retain(|(w, _)| *w != who);
        }
    }

    /// Somebody who was sent to stream `id` came too late for it: it is gone, or larger than `max` and its beginning
    /// has passed. The next who asks gets a fetch of his own; those who are reading it read on.
    pub fn missed(&mut self, id: StreamId) {
        for file in self.files.values_mut() {
            if file.fetching == Some(id) {
                file.fetching = None;
                file.joined = None;
            }
            file.copy.take_if(|copy| copy.id == id);
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

    /// The head of the answer has come. For a 200 with a length the bytes follow and all waiters can begin.
    pub fn head(&mut self, key: &SharedKey, id: StreamId, head: &FetchHead, out: &mut Vec<Out>) {
        let max = self.max;
        let Some(file) = self.files.get_mut(key).filter(|f| f.fetching == Some(id)) else { return };
        // without a length the answer's own Content-Length is only known at the end
        let (200, Some(length)) = (head.status, head.length) else { return };
        file.joined = Some(head.clone());
        let from = out.len();
        for (who, _) in std::mem::take(&mut file.waiters) {
            out.push(Out::Tell(who, stream(id, Label::Fresh, 0)));
        }
        self.settle(from, out);
        if length <= max {
            // room for all that is on its way, not for each as if it were alone
            let arriving: u64 =
                self.files.values().filter_map(|f| f.joined.as_ref()?.length).filter(|n| *n <= max).sum();
            self.evict(max.saturating_sub(arriving), Some(key), out);
        }
    }

    /// The fetch is over: `Ok` with the bytes that are kept in the stream (0 where it was larger than `shared_max`).
    pub fn fetched(
        &mut self,
        key: &SharedKey,
        id: StreamId,
        result: Result<(FetchHead, u64), FetchError>,
        now: Now,
        out: &mut Vec<Out>,
    ) {
        let Some(file) = self.files.get_mut(key).filter(|f| f.fetching == Some(id)) else {
            return out.push(Out::Drop(id));
        };
        file.fetching = None;
        file.joined = None;
        let waiters = std::mem::take(&mut file.waiters);
        let mut keep = false;
        let answer = match result {
            Ok((head, size)) if head.status == 200 => {
                file.absent = None;
                if size > 0 && size <= self.max {
                    keep = true;
                    if let Some(old) = file.copy.replace(Copy { id, head, size, checked: now.mono }) {
                        out.push(Out::Drop(old.id));
                    }
                }
                stream(id, Label::Fresh, 0)
            }
            Ok((head, _)) if head.status == 304 && file.copy.is_some() => {
                if let Some(copy) = &mut file.copy {
                    copy.checked = now.mono;
                }
                file.old(Label::Unchanged, now).unwrap_or_else(|| Answer::error(503, "lost"))
            }
            Ok((head, _)) => match head.status {
                404 | 410 => {
                    let answer = Answer::error(404, format!("not found upstream (status {})", head.status));
                    if let Some(copy) = file.copy.take() {
                        out.push(Out::Drop(copy.id));
                    }
                    file.absent = Some((now.mono + ABSENT, answer.clone()));
                    answer
                }
                401 | 403 => file.old(Label::LastGood(Reason::Refused), now).unwrap_or_else(|| {
                    Answer::error(404, format!("the upstream refuses this file (status {})", head.status))
                }),
                // what nobody asked for (206, a redirect that is not followed) is no sign of an upstream that is down
                s => file
                    .old(Label::LastGood(if s >= 500 { Reason::Down } else { Reason::Broken }), now)
                    .unwrap_or_else(|| Answer::error(503, format!("the upstream answered with status {s}"))),
            },
            Err(e) => file
                .old(Label::LastGood(if e.is_down() { Reason::Down } else { Reason::Broken }), now)
                .unwrap_or_else(|| Answer::error(503, format!("the file could not be fetched: {e}"))),
        };
        let from = out.len();
        for (who, _) in waiters {
            out.push(Out::Tell(who, answer.clone()));
        }
        self.settle(from, out);
        if keep {
            self.evict(self.max, Some(key), out);
        } else {
            out.push(Out::Drop(id));
        }
    }

    /// What is due at `now`: those who waited long enough get the old copy, or 503.
    pub fn timeout(&mut self, now: Now, out: &mut Vec<Out>) {
        while let Some((_, (key, who))) = self.timers.pop_first_if(|(at, _)| *at <= now.mono) {
            self.waiting.remove(&who);
            let Some(file) = self.files.get_mut(&key) else { continue };
            let Some(at) = file.waiters.iter().position(|(w, until)| *w == who && *until <= now.mono) else { continue };
            file.waiters.swap_remove(at);
            let answer = file
                .old(Label::LastGood(Reason::Down), now)
                .unwrap_or_else(|| Answer::error(503, "the upstream does not answer in time"));
            out.push(Out::Tell(who, answer));
        }
    }

    /// When [`Shared::timeout`] wants to be called.
    pub fn poll_at(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Forgets all files (the config changed, or `forget all`).
    pub fn clear(&mut self, out: &mut Vec<Out>) {
        let from = out.len();
        for (_, file) in self.files.drain() {
            out.extend(file.copy.map(|c| Out::Drop(c.id)));
            out.extend(file.waiters.iter().map(|(w, _)| Out::Tell(*w, Answer::error(503, "the config was reloaded"))));
        }
        self.settle(from, out);
    }

    /// Least recently used copies go until `room` bytes are kept at the most.
    fn evict(&mut self, room: u64, except: Option<&SharedKey>, out: &mut Vec<Out>) {
        while self.bytes() > room {
            let oldest = self
                .files
                .iter_mut()
                .filter(|(k, f)| f.copy.is_some() && Some(*k) != except)
                .min_by_key(|(_, f)| f.used)
                .and_then(|(_, f)| f.copy.take());
            match oldest {
                Some(copy) => out.push(Out::Drop(copy.id)),
                None => break,
            }
        }
    }

    fn make_room(&mut self, out: &mut Vec<Out>) -> bool {
        let key = self
            .files
            .iter()
            .filter(|(_, f)| f.fetching.is_none() && f.waiters.is_empty())
            .min_by_key(|(_, f)| (f.copy.is_some(), f.used))
            .map(|(k, _)| k.clone());
        match key.and_then(|k| self.files.remove(&k)) {
            Some(file) => {
                out.extend(file.copy.map(|c| Out::Drop(c.id)));
                true
            }
            None => false,
        }
    }
}

impl File {
    /// The copy that is here, if any.
    fn old(&self, label: Label, now: Now) -> Option<Answer> {
        let copy = self.copy.as_ref()?;
        Some(stream(copy.id, label, now.mono.saturating_duration_since(copy.checked).as_secs()))
    }
}

fn stream(id: StreamId, label: Label, age: u64) -> Answer {
    Answer { status: 200, label, age: Some(age), body: Body::Stream(id), rewrite: None, retry_after: None }
}

#[cfg(test)]
mod test {
    use super::*;

    fn now(start: Instant, s: u64) -> Now {
        Now { mono: start + Duration::from_secs(s), unix: 1_800_000_000 + s }
    }

    fn key(name: &str) -> SharedKey {
        ("snom".to_string(), name.to_string())
    }

    fn head(status: u16, length: u64) -> FetchHead {
        FetchHead { status, length: Some(length), ..FetchHead::default() }
    }

    fn shared() -> Shared {
        Shared::new(1000, Duration::from_secs(4), Duration::from_secs(20))
    }

    /// Fetches `name` into the cache and returns its stream.
    fn fill(s: &mut Shared, t: Instant, at: u64, name: &str, size: u64) -> StreamId {
        let mut out = vec![];
        s.ask(&key(name), How::default(), 1, None, now(t, at), &mut out);
        let Some(Out::Fetch { id, .. }) = out.pop() else { panic!("no fetch") };
        s.head(&key(name), id, &head(200, size), &mut out);
        assert!(matches!(out[0], Out::Tell(1, _)));
        s.fetched(&key(name), id, Ok((head(200, size), size)), now(t, at), &mut out);
        id
    }

    #[test]
    fn one_fetch_for_all_who_ask() {
        let (t, mut s, mut out) = (Instant::now(), shared(), vec![]);
        for who in 0..200 {
            s.ask(&key("fw.bin"), How::default(), who, None, now(t, 0), &mut out);
        }
        assert_eq!(out.len(), 1, "one fetch, 200 wait");
        let Some(Out::Fetch { id, .. }) = out.pop() else { panic!() };
        s.head(&key("fw.bin"), id, &head(200, 900), &mut out);
        assert_eq!(out.len(), 200);
        out.clear();
        s.ask(&key("fw.bin"), How::default(), 200, None, now(t, 1), &mut out);
        assert!(matches!(&out[..], [Out::Tell(200, Answer { body: Body::Stream(_), .. })]), "joins");
    }

    #[test]
    fn least_recently_used_goes_and_the_sum_stays_below_the_limit() {
        let (t, mut s) = (Instant::now(), shared());
        for i in 0..10 {
            fill(&mut s, t, i, &format!("f{i}"), 300);
            assert!(s.bytes() <= 1000, "{}", s.bytes());
        }
        let mut out = vec![];
        s.ask(&key("f9"), How::default(), 5, None, now(t, 10), &mut out);
        assert!(matches!(&out[..], [Out::Tell(5, _)]), "the newest is still here");
    }

    #[test]
    fn a_404_is_remembered_a_minute() {
        let (t, mut s, mut out) = (Instant::now(), shared(), vec![]);
        s.ask(&key("x"), How::default(), 1, None, now(t, 0), &mut out);
        let Some(Out::Fetch { id, .. }) = out.pop() else { panic!() };
        s.fetched(&key("x"), id, Ok((head(404, 0), 0)), now(t, 0), &mut out);
        out.clear();
        s.ask(&key("x"), How::default(), 2, None, now(t, 59), &mut out);
        assert!(matches!(&out[..], [Out::Tell(2, Answer { status: 404, .. })]));
        out.clear();
        s.ask(&key("x"), How::default(), 3, None, now(t, 61), &mut out);
        assert!(matches!(&out[..], [Out::Fetch { .. }]));
    }

    #[test]
    fn an_old_copy_is_checked_and_serves_when_the_upstream_is_silent() {
        let (t, mut s) = (Instant::now(), shared());
        let id = fill(&mut s, t, 0, "fw", 100);
        let mut out = vec![];
        s.ask(&key("fw"), How::default(), 7, None, now(t, 400), &mut out);
        assert!(matches!(&out[..], [Out::Fetch { .. }]));
        out.clear();
        s.timeout(now(t, 404), &mut out);
        let [Out::Tell(7, answer)] = &out[..] else { panic!("{out:?}") };
        assert!(matches!(answer.body, Body::Stream(i) if i == id));
        assert_eq!(answer.label, Label::LastGood(Reason::Down));
    }
}
