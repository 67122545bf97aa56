//! The thread that writes to flash: an fsync on a router can take a second, and nobody may wait for it.

use crate::core::types::{GenerationMeta, PhoneRecord, ResourceKey};
use crate::net::mailbox::{Letter, Post};
use crate::net::panics::{caught, place};
use crate::proto::mac::Mac;
use crate::store::Store;
use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is to be written.
pub(crate) enum Write {
    Generation { key: ResourceKey, meta: GenerationMeta, body: Arc<[u8]>, history: u32, cache_max: u64 },
    Phone(PhoneRecord),
    Expire(ResourceKey),
    Forget(Option<Mac>),
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
    let generation = match &write {
        Write::Generation { key, meta, .. } => Some((key.clone(), meta.number)),
        _ => None,
    };
    if caught(|| perform(store, write, post)).is_some() {
        return;
    }
    let what = format!("a mistake in the agent at {} (please report it)", place());
    post.send(match generation {
        Some((key, number)) => {
            let (bytes, written) = (store.bytes(), store.bytes_written());
            Letter::Stored { key, number, result: Err(what), bytes, written }
        }
        None => Letter::DiskTrouble(what),
    });
}

fn perform(store: &Store, write: Write, post: &Post) {
    let trouble = |what: &str, e: crate::store::StoreError| post.send(Letter::DiskTrouble(format!("{what}: {e}")));
    match write {
        Write::Generation { key, meta, body, history, cache_max } => {
            let result = store.put(&key, &meta, &body, history, cache_max).map(|put| (put.number, put.removed));
            post.send(Letter::Stored {
                number: meta.number,
                result: result.map_err(|e| e.to_string()),
                bytes: store.bytes(),
                written: store.bytes_written(),
                key,
            });
        }
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
}
