//! The thread that writes to flash: an fsync on a router can take a second, and nobody may wait for it.

use crate::core::agent::ControlId;
use crate::core::types::{GenerationMeta, PhoneRecord, ResourceKey};
use crate::net::mailbox::{Letter, Post};
use crate::net::panics::{caught, place};
use crate::proto::mac::Mac;
use crate::store::{Put, Store, StoreError};
use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is to be written.
pub(crate) enum Write {
    Generation {
        key: ResourceKey,
        meta: GenerationMeta,
        body: Arc<[u8]>,
        history: u32,
        cache_max: u64,
    },
    Candidate {
        key: ResourceKey,
        meta: GenerationMeta,
        body: Arc<[u8]>,
        cache_max: u64,
    },
    DropCandidate(ResourceKey),
    Accept {
        key: ResourceKey,
        meta: GenerationMeta,
        history: u32,
        cache_max: u64,
    },
    DropNewer(ResourceKey, u32),
    Phone(PhoneRecord),
    Expire(ResourceKey),
    Forget(Option<Mac>),
    /// Nothing is written: this answer goes out after all that came before.
    Then(ControlId, serde_json::Value),
}

/// The loop's side. Dropping it lets the thread finish what it was given, and waits for that.
pub(crate) struct Disk {
    sender: Option<Sender<Write>>,
    /// When the write that is under way began.
    busy: Arc<Mutex<Option<Instant>>>,
    thread: Option<JoinHandle<()>>,
}

impl Disk {
    pub(crate) fn start(store: Arc<Store>, post: Post) -> std::io::Result<Disk> {
        let (sender, receiver) = channel();
        let busy = Arc::new(Mutex::new(None));
        let since = busy.clone();
        let set = move |at: Option<Instant>| *since.lock().unwrap_or_else(PoisonError::into_inner) = at;
        let run = move || {
            for write in receiver {
                set(Some(Instant::now()));
                guarded(&store, write, &post);
                set(None);
            }
        };
        let thread = thread::Builder::new().name("disk".into()).stack_size(256 * 1024).spawn(run)?;
        Ok(Disk { sender: Some(sender), busy, thread: Some(thread) })
    }

    /// Never blocks. Bounded by the core: each config has at most one write under way.
    pub(crate) fn write(&self, write: Write) {
        if let Some(sender) = &self.sender {
            let _ = sender.send(write);
        }
    }

    /// Has the thread ended? It never does by itself, and nothing could be stored any more.
    pub(crate) fn is_dead(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// How long the write that is under way has taken so far.
    pub(crate) fn busy_for(&self, now: Instant) -> Option<Duration> {
        let busy = *self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.map(|since| now.saturating_duration_since(since))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One write; a panic in it is its failure, and not the thread's end: the core counts on an answer.
fn guarded(store: &Store, write: Write, post: &Post) {
    type Failed<'a> = Box<dyn FnOnce(String) -> Letter + 'a>;
    let failed: Failed<'_> = match &write {
        Write::Generation { key, meta, .. } | Write::Accept { key, meta, .. } => {
            let (key, number) = (key.clone(), meta.number);
            Box::new(move |what| {
                let (bytes, written) = (store.bytes(), store.bytes_written());
                Letter::Stored { key, number, result: Err(what), bytes, written }
            })
        }
        Write::Candidate { key, meta, .. } => {
            let (key, sha256) = (key.clone(), meta.sha256);
            Box::new(move |what| Letter::Candidate { key, sha256, result: Err(what) })
        }
        _ => Box::new(Letter::DiskTrouble),
    };
    if caught(|| perform(store, write, post)).is_none() {
        post.send(failed(format!("a mistake in the agent at {} (please report it)", place())));
    }
}

fn perform(store: &Store, write: Write, post: &Post) {
    let trouble = |what: &str, e: StoreError| post.send(Letter::DiskTrouble(format!("{what}: {e}")));
    match write {
        Write::Generation { key, meta, body, history, cache_max } => {
            let result = store.put(&key, &meta, &body, history, cache_max);
            return stored(store, key, meta.number, result, post);
        }
        Write::Accept { key, meta, history, cache_max } => {
            let result = store.accept(&key, &meta, history, cache_max);
            return stored(store, key, meta.number, result, post);
        }
        Write::Candidate { key, meta, body, cache_max } => {
            let result = store.put_candidate(&key, &meta, &body, cache_max).map(drop).map_err(|e| e.to_string());
            post.send(Letter::Candidate { key, sha256: meta.sha256, result });
        }
        Write::DropCandidate(key) => {
            if let Err(e) = store.drop_candidate(&key) {
                trouble(&format!("a held config of {} was not removed", key.mac), e);
            }
        }
        Write::DropNewer(key, number) => {
            if let Err(e) = store.drop_newer(&key, number) {
                trouble(&format!("newer configs of {} were not removed", key.mac), e);
            }
        }
        Write::Then(id, answer) => return post.send(Letter::Control(id, answer)),
        Write::Phone(record) => {
            if let Err(e) = store.put_phone(&record) {
                trouble(&format!("the record of {} was not written", record.mac), e);
            }
        }
        Write::Expire(key) => {
            if let Err(e) = store.expire(&key) {
                trouble(&format!("{} was not removed", key.mac), e);
            }
        }
        Write::Forget(mac) => {
            let macs = match mac {
                Some(mac) => vec![mac],
                None => store.macs(),
            };
            for mac in macs {
                if let Err(e) = store.forget(mac) {
                    trouble(&format!("{mac} was not removed"), e);
                }
            }
        }
    }
    post.send(Letter::Usage { bytes: store.bytes(), written: store.bytes_written() });
}

fn stored(store: &Store, key: ResourceKey, number: u32, result: Result<Put, StoreError>, post: &Post) {
    let result = result.map(|put| (put.number, put.removed)).map_err(|e| e.to_string());
    let (bytes, written) = (store.bytes(), store.bytes_written());
    post.send(Letter::Stored { key, number, result, bytes, written });
}
