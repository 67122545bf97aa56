//! What phones are answered from: the documents of a cluster in memory.

use super::sync::{self, Event, Letter, Nudge, Status, Sync};
use super::{Cluster, Writer};
use crate::net::mailbox::Waker;
use crate::provisioner::couch::known::Update;
use crate::provisioner::couch::nodes::Node;
use crate::provisioner::json::Json;
use crate::provisioner::memory::Memory;
use std::os::fd::BorrowedFd;
use std::sync::mpsc::{sync_channel, Receiver, TryRecvError};
use std::sync::Arc;

/// Batches of changes that wait to be taken in. One has up to [`sync::BATCH`].
const QUEUE: usize = 32;
/// Batches that are taken in before requests are answered again.
const AT_ONCE: usize = 8;

/// The index, and the threads that keep it.
pub struct Index {
    memory: Memory,
    letters: Receiver<Letter>,
    waker: Waker,
    writer: Arc<Writer>,
    nudge: Nudge,
    troubles: Vec<String>,
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
        let mut index = Index { memory: Memory::shipped(), letters, waker, writer, nudge, troubles: Vec::new() };
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
        let mut changed = 0;
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
    }

    fn take(&mut self, letter: Letter) -> usize {
        let Letter::Changes(updates) = letter else { return 0 };
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
