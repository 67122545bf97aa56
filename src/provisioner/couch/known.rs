//! What is known of a database: which documents, in which revision, and how far its feed has been read at which node.
//!
//! A position in a feed is the node's own: at another one the same number means something else. There the revisions are
//! compared, and only documents that differ are read.

use super::Row;
use crate::bounds;
use crate::provisioner::json::Json;
use crate::provisioner::memory::TEMPLATES;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

/// A change of the index.
pub enum Update {
    /// This document is there, new or changed.
    Put(Arc<str>, String, Json),
    /// This one is not.
    Remove(Arc<str>, String),
}

/// Of all databases together.
#[derive(Default)]
pub struct Totals {
    /// Documents that are kept in the index.
    pub kept: AtomicUsize,
    /// Revisions that are remembered.
    pub revisions: AtomicUsize,
    hashes: RandomState,
}

/// One database.
pub struct Database {
    name: Arc<str>,
    position: Option<(usize, String)>,
    docs: HashMap<Box<str>, Known>,
    /// Its state in `_dbs_info` when its feed was last read.
    pub info: Option<String>,
    /// What was last said about it.
    pub trouble: Option<String>,
}

#[derive(Clone, Copy)]
struct Known {
    rev: u64,
    kept: bool,
}

/// How a database is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing is known of it: everything, with the documents.
    All,
    /// From this position.
    Since(String),
    /// By its revisions: another node, or no position.
    Compare,
}

impl Database {
    /// Of this name.
    pub fn new(name: &str) -> Database {
        Database { name: Arc::from(name), position: None, docs: HashMap::new(), info: None, trouble: None }
    }

    /// How it is to be read at this node.
    pub fn way(&self, node: usize) -> Way {
        match &self.position {
            Some((at, since)) if *at == node => Way::Since(since.clone()),
            _ if self.docs.is_empty() => Way::All,
            _ => Way::Compare,
        }
    }

    /// Its feed was read up to here. False: it is behind what it was; the database is another one now, or an older copy.
    pub fn at(&mut self, node: usize, since: &str) -> bool {
        let back = self.position.as_ref().is_some_and(|(at, old)| {
            *at == node && super::number(old).zip(super::number(since)).is_some_and(|(old, new)| new < old)
        });
        self.position = (!back).then(|| (node, since.to_string()));
        !back
    }

    /// Is this revision another than the known one?
    pub fn differs(&self, row: &Row, totals: &Totals) -> bool {
        match self.docs.get(row.id.as_str()) {
            Some(known) => row.deleted || known.rev != totals.hashes.hash_one(&row.rev),
            None => !row.deleted && !row.id.starts_with("_design/"),
        }
    }

    /// Takes a row in, with its document.
    pub fn take(&mut self, row: Row, totals: &Totals) -> Option<Update> {
        if row.id.starts_with("_design/") || !self.differs(&row, totals) {
            return None;
        }
        let Row { id, rev, deleted, doc } = row;
        let of_interest = doc.filter(|doc| !deleted && is_of_interest(&self.name, &id, doc));
        let was_kept = self.docs.get(id.as_str()).is_some_and(|known| known.kept);
        let room = was_kept || totals.kept.load(Ordering::Relaxed) < bounds::PROVISIONER_DOCUMENTS;
        let doc = of_interest.filter(|_| room);
        match (was_kept, doc.is_some()) {
            (false, true) => _ = totals.kept.fetch_add(1, Ordering::Relaxed),
            (true, false) => _ = totals.kept.fetch_sub(1, Ordering::Relaxed),
            _ => {}
        }
        let kept = doc.is_some();
        // without its revision a document is read again after a change of nodes, no more
        if deleted {
            if self.docs.remove(id.as_str()).is_some() {
                totals.revisions.fetch_sub(1, Ordering::Relaxed);
            }
        } else if kept || totals.revisions.load(Ordering::Relaxed) < bounds::COUCH_REVISIONS {
            let rev = totals.hashes.hash_one(&rev);
            if self.docs.insert(id.clone().into_boxed_str(), Known { rev, kept }).is_none() {
                totals.revisions.fetch_add(1, Ordering::Relaxed);
            }
        }
        match doc {
            Some(doc) => Some(Update::Put(self.name.clone(), id, doc)),
            None => was_kept.then(|| Update::Remove(self.name.clone(), id)),
        }
    }

    /// Forgets all documents but these.
    pub fn retain(&mut self, there: &HashSet<Box<str>>, totals: &Totals) -> Vec<Update> {
        let mut out = Vec::new();
        let name = &self.name;
        self.docs.retain(|id, known| {
            let stays = there.contains(id);
            if !stays {
                totals.revisions.fetch_sub(1, Ordering::Relaxed);
                if known.kept {
                    totals.kept.fetch_sub(1, Ordering::Relaxed);
                    out.push(Update::Remove(name.clone(), id.to_string()));
                }
            }
            stays
        });
        out
    }
}

/// Is it one that phones are served from?
fn is_of_interest(database: &str, id: &str, doc: &Json) -> bool {
    match doc.get("pvt_type").and_then(Json::text) {
        Some("device" | "user" | "account") => database != TEMPLATES,
        Some("provisioner" | "provisionertree") => database == TEMPLATES,
        // older templates have no type
        None => database == TEMPLATES && id.starts_with("ui/"),
        Some(_) => false,
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn row(id: &str, rev: &str, doc: Option<&str>) -> Row {
        let doc = doc.map(|d| Json::parse(d.as_bytes()).unwrap());
        Row { id: id.to_string(), rev: rev.to_string(), deleted: doc.is_none(), doc }
    }

    const DEVICE: Option<&str> = Some(r#"{"pvt_type":"device"}"#);

    fn put(update: &Option<Update>) -> bool {
        matches!(update, Some(Update::Put(..)))
    }

    #[test]
    fn another_node_has_other_positions() {
        let (mut db, totals) = (Database::new("account/a"), Totals::default());
        assert_eq!(db.way(0), Way::All);
        assert!(put(&db.take(row("d", "1-a", DEVICE), &totals)));
        assert!(db.at(0, "7-x"));
        assert_eq!((db.way(0), db.way(1)), (Way::Since("7-x".into()), Way::Compare));
        assert!(db.at(1, "2"));
        assert_eq!((db.way(0), db.way(1)), (Way::Compare, Way::Since("2".into())));
        assert!(!db.at(1, "1"), "it went back");
        assert_eq!(db.way(1), Way::Compare);
    }

    #[test]
    fn only_what_differs_is_taken() {
        let (mut db, totals) = (Database::new("account/a"), Totals::default());
        assert!(put(&db.take(row("d", "1-a", DEVICE), &totals)));
        assert!(db.take(row("d", "1-a", DEVICE), &totals).is_none(), "the same revision");
        assert!(!db.differs(&row("d", "1-a", DEVICE), &totals) && db.differs(&row("d", "1-b", DEVICE), &totals));
        assert!(put(&db.take(row("d", "2-b", DEVICE), &totals)));
        assert!(db.take(row("v", "1-v", Some(r#"{"pvt_type":"vmbox"}"#)), &totals).is_none());
        assert!(!db.differs(&row("v", "1-v", DEVICE), &totals), "known, though not kept");
        assert!(db.take(row("_design/x", "1-v", DEVICE), &totals).is_none());
        assert_eq!((totals.kept.load(Ordering::Relaxed), totals.revisions.load(Ordering::Relaxed)), (1, 2));
        let update = db.take(row("d", "3-c", Some(r#"{"pvt_type":"vmbox"}"#)), &totals);
        assert!(matches!(update, Some(Update::Remove(_, id)) if id == "d"), "no device any more");
        assert!(put(&db.take(row("d", "4-d", DEVICE), &totals)));
        assert!(matches!(db.take(row("d", "5-e", None), &totals), Some(Update::Remove(..))));
        assert!(!db.differs(&row("d", "5-e", None), &totals), "gone is gone");
        assert_eq!((totals.kept.load(Ordering::Relaxed), totals.revisions.load(Ordering::Relaxed)), (0, 1));
    }

    #[test]
    fn what_is_not_there_any_more_is_forgotten() {
        let (mut db, totals) = (Database::new("account/a"), Totals::default());
        for id in ["a", "b"] {
            db.take(row(id, "1-a", DEVICE), &totals);
        }
        db.take(row("v", "1-v", Some("{}")), &totals);
        let out = db.retain(&HashSet::from(["b".into()]), &totals);
        assert!(matches!(&out[..], [Update::Remove(_, id)] if id == "a"));
        assert_eq!((totals.kept.load(Ordering::Relaxed), totals.revisions.load(Ordering::Relaxed)), (1, 1));
    }

    #[test]
    fn templates_are_of_one_database_only() {
        let totals = Totals::default();
        for (database, id, doc, kept) in [
            (TEMPLATES, "ui/a/b/c", "{}", true),
            (TEMPLATES, "x", r#"{"pvt_type":"provisionertree"}"#, true),
            (TEMPLATES, "d", r#"{"pvt_type":"device"}"#, false),
            ("account/a", "ui/a/b/c", "{}", false),
            ("account/a", "u", r#"{"pvt_type":"user"}"#, true),
        ] {
            assert_eq!(put(&Database::new(database).take(row(id, "1-a", Some(doc)), &totals)), kept, "{database} {id}");
        }
    }

    #[test]
    fn there_is_room_for_so_many() {
        let (mut db, totals) = (Database::new("account/a"), Totals::default());
        totals.kept.store(bounds::PROVISIONER_DOCUMENTS - 1, Ordering::Relaxed);
        totals.revisions.store(bounds::COUCH_REVISIONS - 1, Ordering::Relaxed);
        assert!(put(&db.take(row("a", "1-a", DEVICE), &totals)));
        assert!(db.take(row("b", "1-a", DEVICE), &totals).is_none(), "no room");
        assert!(put(&db.take(row("a", "2-a", DEVICE), &totals)), "what is in it can change");
        assert!(db.differs(&row("b", "1-a", DEVICE), &totals), "nor is its revision remembered");
    }
}
