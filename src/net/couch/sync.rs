//! Keeps the index the same as the databases of the node that is asked.
//!
//! Which databases have changed is told by the server's feed where it has one ([`super::feed`]). Where it has none, all are asked every
//! [`SWEEP`]: their state by `_dbs_info`, a hundred at a time, or else each one's `_changes`. Only what has changed since the
//! last time is read. A node that fails makes way for the next one, whose revisions are compared with the known ones. Without any node the
//! index stays what it was.

use super::{all_docs, feed, Cluster, Trouble};
use crate::bounds;
use crate::net::client::Sent;
use crate::net::mailbox::Waker;
use crate::proto::url::segment;
use crate::provisioner::couch::known::{Database, Totals, Update, Way};
use crate::provisioner::couch::{since, Row};
use crate::provisioner::json::Json;
use crate::provisioner::memory::is_read;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// From one round over all databases to the next, where the server does not tell which have changed.
const SWEEP: Duration = Duration::from_millis(400);
/// Least pause between two rounds.
const REST: Duration = Duration::from_millis(100);
/// The same where it does tell: a feed may lose something.
const SAFETY: Duration = Duration::from_secs(60);
/// Between two looks for new databases, where nobody tells of them.
const NAMES: Duration = Duration::from_secs(4);
/// Before a server is asked again for the feed that it does not have.
const NO_FEED: Duration = Duration::from_secs(600);
/// Before all nodes are tried again.
const DOWN: Duration = Duration::from_secs(1);
/// How often the log is told that all of them are still down.
const STILL_DOWN: Duration = Duration::from_secs(60);
/// Connections at once.
const WORKERS: usize = 4;
/// Documents in one answer.
const PAGE: usize = 500;
/// Revisions in one answer.
const REVISIONS: usize = 10_000;
/// Documents that are asked for by their ids at once.
const BY_ID: usize = 100;
/// Databases in one request for their state: more is refused.
const INFOS: usize = 100;
/// Changes that are handed on together.
pub(super) const BATCH: usize = 200;
/// Sentences that are kept until somebody reads them.
pub(super) const TROUBLES: usize = 100;

/// What the loop is sent.
pub(super) enum Letter {
    /// Changes of documents.
    Changes(Vec<Update>),
    /// All has been read.
    Ready,
    /// No node answers, and why.
    Down(String),
}

/// What the thread is told.
pub(super) enum Event {
    /// This database has changed.
    Database(String),
    /// The feed of this turn works.
    FeedBegun(u32),
    /// It does not, or not any more.
    FeedEnded(u32),
    /// Nobody needs the index any more.
    End,
}

/// Tells the thread something.
#[derive(Clone)]
pub(super) struct Nudge {
    sender: Sender<Event>,
    /// The feed that counts.
    turn: Arc<AtomicU32>,
    /// Databases that were told of and not yet taken up: each is told of once, however often a feed names it.
    waiting: Arc<Mutex<HashSet<String>>>,
}

impl Nudge {
    /// Is there anybody left to be told?
    pub(super) fn send(&self, event: Event) -> bool {
        self.sender.send(event).is_ok()
    }

    pub(super) fn database(&self, name: &str) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // what has no room is found by the next round over all databases
        if waiting.len() < bounds::COUCH_DATABASES && waiting.insert(name.to_string()) {
            self.send(Event::Database(name.to_string()));
        }
    }

    /// From now on a change of this database is a new one.
    fn taken(&self, name: &str) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    pub(super) fn is_wanted(&self, turn: u32) -> bool {
        self.turn.load(Ordering::Relaxed) == turn
    }
}

/// How the store is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it does.
    pub phase: Phase,
    /// The node that is asked, without user and password; empty where none is.
    pub node: String,
    /// Databases that are followed.
    pub databases: usize,
    /// Documents in the index.
    pub documents: usize,
    /// How changes are found, or what is wrong.
    pub words: String,
}

/// What the store does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reads all databases, for the first time or at another node.
    Reading,
    /// Changes come in.
    Following,
    /// No node answers; phones are served from what was read.
    Down,
}

impl Phase {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Reading => "reading",
            Phase::Following => "following",
            Phase::Down => "down",
        }
    }
}

/// The thread's own.
pub(super) struct Sync {
    cluster: Arc<Cluster>,
    letters: SyncSender<Letter>,
    waker: Waker,
    told: Box<dyn FnMut(&Status) + Send>,
    pub(super) databases: BTreeMap<String, Database>,
    totals: Totals,
    /// May `_dbs_info` be asked?
    infos: bool,
    ready: bool,
}

/// Why following a node ended.
enum Left {
    Down(String),
    End,
}

/// Starts the thread.
pub(super) fn start(mut sync: Sync) -> io::Result<Nudge> {
    let (sender, events) = channel();
    let nudge = Nudge { sender, turn: Arc::default(), waiting: Arc::default() };
    let own = nudge.clone();
    thread::Builder::new().name("couch".to_string()).spawn(move || sync.run(&own, &events))?;
    Ok(nudge)
}

impl Sync {
    pub(super) fn new(
        cluster: Arc<Cluster>,
        letters: SyncSender<Letter>,
        waker: Waker,
        told: Box<dyn FnMut(&Status) + Send>,
    ) -> Sync {
        Sync {
            cluster,
            letters,
            waker,
            told,
            databases: BTreeMap::new(),
            totals: Totals::default(),
            infos: true,
            ready: false,
        }
    }

    fn run(&mut self, nudge: &Nudge, events: &Receiver<Event>) {
        let mut said: Option<(Instant, Vec<String>)> = None;
        loop {
            let mut troubles = Vec::new();
            let mut followed = false;
            for node in self.cluster.order().collect::<Vec<_>>() {
                let url = self.cluster.url(node).to_string();
                let result = self.cluster.hello(node).and_then(|()| {
                    self.tell(Phase::Reading, node, "all databases");
                    self.names(node)?;
                    self.infos = true;
                    let all: Vec<String> = self.databases.keys().cloned().collect();
                    self.read(node, &all)
                });
                if let Err(why) = result {
                    troubles.push(format!("{url}: {why}"));
                    continue;
                }
                self.cluster.current.store(node, Ordering::Relaxed);
                (said, followed) = (None, true);
                if !self.ready {
                    self.ready = true;
                    self.letter(Letter::Ready);
                }
                match self.follow(node, nudge, events) {
                    Left::End => return,
                    Left::Down(why) => troubles.push(format!("{url}: {why}")),
                }
                // the others have their turn, and then this one
                self.cluster.current.store((node + 1) % self.cluster.nodes.len(), Ordering::Relaxed);
                break;
            }
            if followed && self.cluster.nodes.len() > 1 {
                log::warn!("store: {}; trying the next node", troubles.join("; "));
                thread::sleep(REST);
                continue;
            }
            let now = Instant::now();
            let again = said.as_ref().is_none_or(|(at, old)| now.duration_since(*at) > STILL_DOWN || *old != troubles);
            if again {
                self.tell(Phase::Down, usize::MAX, &troubles.join("; "));
                said = Some((now, troubles.clone()));
            }
            self.letter(Letter::Down(format!("no CouchDB node can be read: {}", troubles.join("; "))));
            let until = now + DOWN;
            loop {
                match events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(Event::End) => return,
                    Ok(Event::Database(name)) => nudge.taken(&name),
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        }
    }

    fn tell(&mut self, phase: Phase, node: usize, words: &str) {
        let status = Status {
            phase,
            node: self.cluster.url(node).to_string(),
            databases: self.databases.len(),
            documents: self.totals.kept.load(Ordering::Relaxed),
            words: words.to_string(),
        };
        (self.told)(&status);
    }

    fn letter(&self, letter: Letter) {
        // the loop may be gone already
        let _ = self.letters.send(letter);
        self.waker.wake();
    }

    /// Which databases there are. Those that are gone are forgotten.
    pub(super) fn names(&mut self, node: usize) -> Result<(), Trouble> {
        let mut names = BTreeSet::new();
        let mut more = false;
        self.cluster.ask(node, "/_all_dbs", &Sent::Get, &mut |row| {
            let Some(Json::String(name)) = row else { return };
            if is_read(&name) {
                if names.len() < bounds::COUCH_DATABASES {
                    names.insert(name);
                } else {
                    more = true;
                }
            }
        })?;
        if more {
            log::warn!("store: more than {} databases; the rest is left out", bounds::COUCH_DATABASES);
        }
        let gone: Vec<String> = self.databases.keys().filter(|name| !names.contains(*name)).cloned().collect();
        self.gone(gone)?;
        for name in names {
            self.databases.entry(name.clone()).or_insert_with(|| Database::new(&name));
        }
        Ok(())
    }

    /// These databases are not there. A node that has lost its data, or has not got it yet, must not take all phones along.
    fn gone(&mut self, names: Vec<String>) -> Result<(), Trouble> {
        // those that were heard of and never seen say nothing about the node
        let (known, heard): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| self.databases.get(name).is_some_and(Database::was_read));
        heard.iter().for_each(|name| self.forget(name));
        let (gone, all) = (known.len(), self.databases.len());
        if !self.ready || gone * 2 <= all {
            known.iter().for_each(|name| self.forget(name));
            return Ok(());
        }
        Err(Trouble::Down(format!(
            "lacks {gone} of {all} databases: is it a node of this cluster? (if they were removed, start anew)"
        )))
    }

    fn forget(&mut self, name: &str) {
        let Some(mut database) = self.databases.remove(name) else { return };
        let updates = database.retain(&HashSet::new(), &self.totals);
        if !updates.is_empty() {
            self.letter(Letter::Changes(updates));
        }
    }

    /// Reads what has changed in these databases, several at a time. What is wrong with one of them alone is in the log; the
    /// error is that of the node.
    fn read(&mut self, node: usize, names: &[String]) -> Result<(), Trouble> {
        let wanted: HashSet<&str> = names.iter().map(String::as_str).collect();
        let queue = Mutex::new(self.databases.iter_mut().filter(|(name, _)| wanted.contains(name.as_str())));
        let reading =
            Reading { cluster: &self.cluster, node, totals: &self.totals, letters: &self.letters, waker: &self.waker };
        let (down, gone) = (Mutex::new(None), Mutex::new(Vec::new()));
        let work = || loop {
            if down.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
                return;
            }
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((name, database)) = next else { return };
            match reading.database(name, database) {
                Ok(()) => database.trouble = None,
                Err(why @ Trouble::Down(_)) => {
                    down.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
                }
                Err(Trouble::Status(404, _)) => {
                    gone.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
                }
                Err(why) => {
                    // so that it is asked again
                    database.info = None;
                    let why = why.to_string();
                    if database.trouble.as_ref() != Some(&why) {
                        log::warn!("store: {}: {}: {why}", reading.cluster.url(node), name.escape_debug());
                        database.trouble = Some(why);
                    }
                }
            }
        };
        if names.len() == 1 {
            work();
        } else {
            thread::scope(|scope| {
                for _ in 0..WORKERS.min(names.len()) {
                    scope.spawn(work);
                }
            });
        }
        let gone = gone.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.gone(gone)?;
        match down.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// Reads changes of a node until it fails.
    fn follow(&mut self, node: usize, nudge: &Nudge, events: &Receiver<Event>) -> Left {
        let mut turn = nudge.turn.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        feed::start(self.cluster.clone(), node, turn, nudge.clone());
        let mut has_feed = false;
        let now = Instant::now();
        let (mut sweep_at, mut names_at, mut feed_at) = (now + SWEEP, now + NAMES, None::<Instant>);
        self.tell(Phase::Following, node, "every database is asked");
        let left = loop {
            let due = feed_at.map_or(sweep_at, |at| at.min(sweep_at));
            let mut dirty = BTreeSet::new();
            let mut event = events.recv_timeout(due.saturating_duration_since(Instant::now()));
            // all that has come, as one
            while let Ok(come) = event {
                match come {
                    Event::End => return self.leave(nudge, Left::End),
                    Event::Database(name) => {
                        nudge.taken(&name);
                        dirty.insert(name);
                    }
                    Event::FeedBegun(of) if of == turn => {
                        has_feed = true;
                        // what has changed before the feed began
                        (sweep_at, names_at) = (Instant::now(), Instant::now());
                        self.tell(Phase::Following, node, "the server tells of changes");
                    }
                    Event::FeedEnded(of) if of == turn => {
                        let wait = if has_feed { DOWN } else { NO_FEED };
                        feed_at = Some(Instant::now() + wait);
                        sweep_at = Instant::now();
                        if has_feed {
                            has_feed = false;
                            self.tell(Phase::Following, node, "every database is asked");
                        }
                    }
                    Event::FeedBegun(_) | Event::FeedEnded(_) => {}
                }
                event = events.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
            let now = Instant::now();
            if feed_at.is_some_and(|at| at <= now) {
                feed_at = None;
                turn = nudge.turn.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
                feed::start(self.cluster.clone(), node, turn, nudge.clone());
            }
            if !dirty.is_empty() {
                if let Err(why) = self.changed(node, dirty) {
                    break Left::Down(why.to_string());
                }
            }
            let now = Instant::now();
            if sweep_at <= now {
                let names = names_at <= now;
                if let Err(why) = self.sweep(node, names) {
                    break Left::Down(why.to_string());
                }
                if names {
                    names_at = Instant::now() + if has_feed { SAFETY } else { NAMES };
                }
                let next = if has_feed { now + SAFETY } else { now + SWEEP };
                sweep_at = next.max(Instant::now() + REST);
            }
        };
        self.leave(nudge, left)
    }

    /// The feed of the node is not wanted any more.
    fn leave(&self, nudge: &Nudge, left: Left) -> Left {
        nudge.turn.fetch_add(1, Ordering::Relaxed);
        left
    }

    /// Databases that somebody has told of: new ones among them, and such as are gone.
    fn changed(&mut self, node: usize, names: BTreeSet<String>) -> Result<(), Trouble> {
        let mut there = Vec::new();
        for name in names.into_iter().filter(|name| is_read(name)) {
            if self.databases.len() < bounds::COUCH_DATABASES {
                self.databases.entry(name.clone()).or_insert_with(|| Database::new(&name));
            }
            if self.databases.contains_key(&name) {
                there.push(name);
            }
        }
        self.read(node, &there)
    }

    fn sweep(&mut self, node: usize, names: bool) -> Result<(), Trouble> {
        if names {
            self.names(node)?;
        }
        let all: Vec<String> = self.databases.keys().cloned().collect();
        if !self.infos {
            return self.read(node, &all);
        }
        let mut changed = Vec::new();
        for some in all.chunks(INFOS) {
            match self.infos(node, some) {
                Ok(more) => changed.extend(more),
                Err(Trouble::Status(..)) => {
                    // an older CouchDB
                    self.infos = false;
                    return self.read(node, &all);
                }
                Err(why) => return Err(why),
            }
        }
        self.read(node, &changed)
    }

    /// Those of these databases whose state is another than before.
    fn infos(&mut self, node: usize, names: &[String]) -> Result<Vec<String>, Trouble> {
        let keys = Json::Array(names.iter().map(|name| Json::string(name.as_str())).collect());
        let body = Json::Object(vec![("keys".to_string(), keys)]).to_ascii().into_bytes();
        let mut out = Vec::new();
        let databases = &mut self.databases;
        self.cluster.ask(node, "/_dbs_info", &Sent::Post(body), &mut |row| {
            let Some(row) = row else { return };
            let Some(name) = row.get("key").and_then(Json::text) else { return };
            let Some(database) = databases.get_mut(name) else { return };
            let state = row.at(&["info", "update_seq"]).and_then(since);
            if state.is_none() || state != database.info {
                database.info = state;
                out.push(name.to_string());
            }
        })?;
        Ok(out)
    }
}

/// Reads databases of one node.
struct Reading<'a> {
    cluster: &'a Cluster,
    node: usize,
    totals: &'a Totals,
    letters: &'a SyncSender<Letter>,
    waker: &'a Waker,
}

impl Reading<'_> {
    fn database(&self, name: &str, database: &mut Database) -> Result<(), Trouble> {
        match database.way(self.node) {
            Way::All => self.feed(name, database, "0".to_string()),
            Way::Since(since) => self.feed(name, database, since),
            Way::Compare => self.compare(name, database),
        }
    }

    /// The feed with its documents, from a position to its end.
    fn feed(&self, name: &str, database: &mut Database, from: String) -> Result<(), Trouble> {
        let mut from = from;
        loop {
            let target = format!("/{}/_changes?include_docs=true&limit={PAGE}&since={}", segment(name), segment(&from));
            let mut batch = Batch::new(self);
            let mut rows = 0usize;
            let around = self.cluster.ask(self.node, &target, &Sent::Get, &mut |row| {
                rows += 1;
                match row.map(Row::read) {
                    Some(Some(row)) => batch.add(database.take(row, self.totals)),
                    Some(None) => {}
                    None => too_large(name),
                }
            });
            batch.end();
            // what has come is taken in; without a position it is read once more, and is the same
            let position = around?.get("last_seq").and_then(since);
            let Some(position) = position else {
                return Err(Trouble::Status(200, "without last_seq".to_string()));
            };
            if !database.at(self.node, &position) {
                // an older copy of the database, or another one of this name
                return self.compare(name, database);
            }
            if rows < PAGE || position == from {
                return Ok(());
            }
            from = position;
        }
    }

    /// All revisions of the feed; then only the documents whose revision is another one.
    fn compare(&self, name: &str, database: &mut Database) -> Result<(), Trouble> {
        let mut from = "0".to_string();
        let mut there: HashSet<Box<str>> = HashSet::new();
        let mut differ: Vec<String> = Vec::new();
        let mut any = false;
        let strange = |why: String| Err(Trouble::Status(200, format!("{why}; what was known of it stays")));
        let position = loop {
            let target = format!("/{}/_changes?limit={REVISIONS}&since={}", segment(name), segment(&from));
            let mut rows = 0usize;
            let around = self.cluster.ask(self.node, &target, &Sent::Get, &mut |row| {
                rows += 1;
                let Some(row) = row.and_then(Row::read).filter(|_| rows <= REVISIONS) else { return };
                if database.differs(&row, self.totals) && !row.deleted {
                    differ.push(row.id.clone());
                }
                if !row.deleted {
                    there.insert(row.id.into_boxed_str());
                }
            })?;
            let position = around.get("last_seq").and_then(since);
            let Some(position) = position else {
                return Err(Trouble::Status(200, "without last_seq".to_string()));
            };
            if rows > REVISIONS || there.len() > bounds::COUCH_REVISIONS {
                return strange("with more documents than were asked for".to_string());
            }
            any |= rows > 0;
            if rows < REVISIONS || position == from {
                break position;
            }
            from = position;
        };
        // where documents were removed, the feed says so of each
        if !any && database.known() > 0 {
            return strange(format!("as if it had never had the {} documents that are known", database.known()));
        }
        for some in differ.chunks(BY_ID) {
            let keys = Json::Array(some.iter().map(|id| Json::string(id.as_str())).collect());
            let body = Json::Object(vec![("keys".to_string(), keys)]).to_ascii().into_bytes();
            let mut batch = Batch::new(self);
            let result =
                self.cluster.ask(self.node, &all_docs(name), &Sent::Post(body), &mut |row| match row.map(Row::read) {
                    Some(Some(row)) => batch.add(database.take(row, self.totals)),
                    Some(None) => {}
                    None => too_large(name),
                });
            batch.end();
            result?;
        }
        let gone = database.retain(&there, self.totals);
        let mut batch = Batch::new(self);
        gone.into_iter().for_each(|update| batch.add(Some(update)));
        batch.end();
        database.at(self.node, &position);
        Ok(())
    }
}

fn too_large(name: &str) {
    static SAID: AtomicUsize = AtomicUsize::new(0);
    if SAID.fetch_add(1, Ordering::Relaxed) < TROUBLES {
        log::warn!(
            "store: {}: a document is larger than {} bytes; what was known of it stays",
            name.escape_debug(),
            bounds::PROVISIONER_DOCUMENT
        );
    }
}

/// Changes that go to the loop together.
struct Batch<'a> {
    letters: &'a SyncSender<Letter>,
    waker: &'a Waker,
    updates: Vec<Update>,
}

impl<'a> Batch<'a> {
    fn new(of: &Reading<'a>) -> Batch<'a> {
        Batch { letters: of.letters, waker: of.waker, updates: Vec::new() }
    }

    fn add(&mut self, update: Option<Update>) {
        self.updates.extend(update);
        if self.updates.len() >= BATCH {
            self.end();
        }
    }

    fn end(&mut self) {
        if !self.updates.is_empty() {
            // it wakes first: the queue may be full, and the loop asleep
            self.waker.wake();
            // the loop may be gone already
            let _ = self.letters.send(Letter::Changes(std::mem::take(&mut self.updates)));
            self.waker.wake();
        }
    }
}
