//! What phones are answered from: the documents of a cluster in memory.

use super::sync::{self, Event, Letter, Nudge, Status, Sync};
use super::writer::same;
use super::{Cluster, Writer};
use crate::net::mailbox::Waker;
use crate::provisioner::couch::known::Update;
use crate::provisioner::couch::nodes::Node;
use crate::provisioner::json::Json;
use crate::provisioner::memory::Memory;
use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::sync::mpsc::{sync_channel, Receiver, TryRecvError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Batches of changes that wait to be taken in. One has up to [`sync::BATCH`].
const QUEUE: usize = 32;
/// Batches that are taken in before requests are answered again.
const AT_ONCE: usize = 8;
/// How long the feed of changes may be behind what we have written.
const BEHIND: Duration = Duration::from_secs(3);
/// Documents that are remembered for so long: one call of Kazoo's has up to hundreds.
const EARLY: usize = 4096;

/// The index, and the threads that keep it.
pub struct Index {
    memory: Memory,
    letters: Receiver<Letter>,
    waker: Waker,
    writer: Arc<Writer>,
    nudge: Nudge,
    troubles: Vec<String>,
    /// Documents that were taken in before the feed of changes brought them.
    early: HashMap<(String, String), Early>,
}

/// A document as we wrote it. What the feed brings of it may be older, for a moment.
struct Early {
    until: Instant,
    json: Option<Json>,
    /// What the feed brought meanwhile: it counts when the moment is over.
    late: Option<Update>,
}

impl Drop for Index {
    fn drop(&mut self) {
        self.nudge.send(Event::End);
    }
}

impl Index {
    /// Reads all databases, at the first node that is there. With `patience` it tries until there is one.
    /// `told` gets each state of the store, in a thread of its own.
    ///
    /// # Errors
    /// No node answers, in words for the admin.
    pub fn open(
        nodes: Vec<Node>,
        patience: bool,
        told: Box<dyn FnMut(&Status) + Send>,
    ) -> Result<(Index, Vec<String>), String> {
        let cluster = Arc::new(Cluster::new(nodes)?);
        let waker = Waker::new().map_err(|e| format!("no eventfd: {e}"))?;
        let (sender, letters) = sync_channel(QUEUE);
        let nudge = sync::start(Sync::new(cluster.clone(), sender, waker.clone(), told))
            .map_err(|e| format!("no thread to follow CouchDB with: {e}"))?;
        let writer = Arc::new(Writer::followed(cluster, nudge.clone()));
        let mut index = Index {
            memory: Memory::shipped(),
            letters,
            waker,
            writer,
            nudge,
            troubles: Vec::new(),
            early: HashMap::new(),
        };
        loop {
            match index.letters.recv() {
                Ok(Letter::Ready) => break,
                Ok(Letter::Down(why)) if !patience => return Err(why),
                Ok(letter) => _ = index.take(letter),
                Err(_) => return Err("the thread that follows CouchDB has ended".to_string()),
            }
        }
        let troubles = std::mem::take(&mut index.troubles);
        Ok((index, troubles))
    }

    /// What is in it.
    pub fn documents(&self) -> &Memory {
        &self.memory
    }

    /// To change documents: what it does is in the index a moment later.
    pub fn storage(&self) -> &Arc<Writer> {
        &self.writer
    }

    /// To poll for reading: there are changes.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.waker.fd()
    }

    /// Takes changes in, some at a time: how many, and what is wrong with documents.
    pub fn look(&mut self) -> (usize, Vec<String>) {
        self.waker.clear();
        let released = self.released();
        let mut changed = self.apply(released);
        for at in 0.. {
            if at == AT_ONCE {
                // the rest after the requests that wait
                self.waker.wake();
                break;
            }
            match self.letters.try_recv() {
                Ok(letter) => changed += self.take(letter),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        (changed, std::mem::take(&mut self.troubles))
    }

    /// Takes in what was just written: the feed of changes brings it a moment later.
    pub fn take_document(&mut self, database: &str, id: &str, json: Option<&Json>) {
        match json {
            // what is wrong with it is told when the feed brings it
            Some(json) => _ = self.memory.put(database, id, json.clone()),
            None => self.memory.remove(database, id),
        }
        if self.early.len() < EARLY {
            let early = Early { until: Instant::now() + BEHIND, json: json.cloned(), late: None };
            self.early.insert((database.to_string(), id.to_string()), early);
        }
    }

    /// Of a document that we wrote a moment ago, only what is as we wrote it counts; anything else may be what was before.
    fn hold(&mut self, update: Update) -> Option<Update> {
        if self.early.is_empty() {
            return Some(update);
        }
        let (database, id, json) = match &update {
            Update::Put(database, id, json) => (database, id, Some(json)),
            Update::Remove(database, id) => (database, id, None),
        };
        let key = (database.to_string(), id.clone());
        let Some(early) = self.early.get_mut(&key) else { return Some(update) };
        let ours = match (json, &early.json) {
            (Some(new), Some(ours)) => same(new, ours),
            (None, None) => true,
            _ => false,
        };
        match ours {
            true => _ = self.early.remove(&key),
            false => early.late = Some(update),
        }
        None
    }

    /// What was held back, and is no more.
    fn released(&mut self) -> Vec<Update> {
        let now = Instant::now();
        let mut late = Vec::new();
        self.early.retain(|_, early| {
            let still = now < early.until;
            if !still {
                late.extend(early.late.take());
            }
            still
        });
        late
    }

    fn take(&mut self, letter: Letter) -> usize {
        let Letter::Changes(updates) = letter else { return 0 };
        let updates: Vec<Update> = updates.into_iter().filter_map(|update| self.hold(update)).collect();
        self.apply(updates)
    }

    fn apply(&mut self, updates: Vec<Update>) -> usize {
        let count = updates.len();
        for update in updates {
            match update {
                Update::Remove(database, id) => self.memory.remove(&database, &id),
                Update::Put(database, id, json) => {
                    if let Err(why) = self.memory.put(&database, &id, json) {
                        if self.troubles.len() < sync::TROUBLES {
                            self.troubles.push(format!("{database} {}: {why}", id.escape_debug()));
                        }
                    }
                }
            }
        }
        count
    }
}
