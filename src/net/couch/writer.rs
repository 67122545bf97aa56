//! Changing documents in CouchDB.

use super::sync::Nudge;
use super::{all_docs, Cluster, Taken, Trouble};
use crate::bounds;
use crate::net::client::Sent;
use crate::proto::url::segment;
use crate::provisioner::couch::{path, Row};
use crate::provisioner::json::Json;
use crate::provisioner::storage::{next, Change, Storage, StorageError, OWN};
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// Writes to the node that is asked now, or the next one that is there.
pub struct Writer {
    cluster: Arc<Cluster>,
    /// Tells who follows the databases that one has changed.
    nudge: Option<Nudge>,
}

impl Writer {
    /// To these nodes, and nobody follows them.
    pub fn new(cluster: Arc<Cluster>) -> Writer {
        Writer { cluster, nudge: None }
    }

    pub(super) fn followed(cluster: Arc<Cluster>, nudge: Nudge) -> Writer {
        Writer { cluster, nudge: Some(nudge) }
    }

    /// Asks the nodes in turn until one answers.
    fn ask(&self, target: &str, sent: &Sent, rows: &mut Taken<'_>) -> Result<Json, Trouble> {
        let mut troubles = Vec::new();
        for node in self.cluster.order() {
            match self.cluster.ask(node, target, sent, rows) {
                Err(Trouble::Down(why)) => troubles.push(format!("{}: {why}", self.cluster.url(node))),
                answer => {
                    if self.nudge.is_none() {
                        // there is nobody else who decides which one is asked first
                        self.cluster.current.store(node, Ordering::Relaxed);
                    }
                    return answer;
                }
            }
        }
        Err(Trouble::Down(format!("no CouchDB node answers: {}", troubles.join("; "))))
    }

    /// Makes a database, unless it is there.
    fn create(&self, database: &str) -> Result<(), StorageError> {
        match self.ask(&format!("/{}", segment(database)), &Sent::Put(Vec::new()), &mut |_| {}) {
            // 412: it is there
            Ok(_) | Err(Trouble::Status(412, _)) => Ok(()),
            Err(why) => Err(failed(database, "", "make this database", &why)),
        }
    }

    /// A document as a row of a list: what it is made of comes whole.
    fn read(&self, database: &str, id: &str) -> Result<Option<Json>, Trouble> {
        let keys = Json::Object(vec![("keys".to_string(), Json::Array(vec![Json::string(id)]))]);
        let (target, sent) = (all_docs(database), Sent::Post(keys.to_ascii().into_bytes()));
        let mut found = None;
        let mut large = false;
        match self.ask(&target, &sent, &mut |row| match row {
            Some(row) => found = Row::read(row).and_then(|row| row.doc),
            None => large = true,
        }) {
            // there is no such database yet
            Err(Trouble::Status(404, _)) => Ok(None),
            Err(why) => Err(why),
            Ok(_) if large => Err(Trouble::Status(200, "a document that is too large".to_string())),
            Ok(_) => Ok(found),
        }
    }
}

impl Storage for Writer {
    fn get(&self, database: &str, id: &str) -> Result<Option<Json>, StorageError> {
        self.read(database, id).map_err(|why| failed(database, id, "read", &why))
    }

    fn update(
        &self,
        database: &str,
        id: &str,
        change: &mut dyn FnMut(Option<&Json>) -> Option<Json>,
    ) -> Result<Change, StorageError> {
        if id.is_empty() || database.is_empty() || (id.starts_with('_') && !id.starts_with("_design/")) {
            return Err(StorageError::Name(id.to_string()));
        }
        for _ in 0..bounds::COUCH_TRIES {
            let old = self.get(database, id)?;
            let new = change(old.as_ref()).map(|new| next(old.as_ref(), new));
            let (target, sent, change) = match (&old, &new) {
                (None, None) => return Ok(Change::Same),
                (Some(old), None) => {
                    let rev = old.get("_rev").and_then(Json::text).unwrap_or_default();
                    (format!("{}?rev={}", path(database, id), segment(rev)), Sent::Delete, Change::Deleted)
                }
                (old, Some(new)) if old.as_ref().is_some_and(|old| same(old, new)) => return Ok(Change::Same),
                (old, Some(new)) => {
                    let change = if old.is_some() { Change::Replaced } else { Change::New };
                    let text = new.to_ascii().into_bytes();
                    if text.len() as u64 > bounds::PROVISIONER_DOCUMENT {
                        let why = format!("{database} {id}: larger than {} bytes", bounds::PROVISIONER_DOCUMENT);
                        return Err(StorageError::Failed(why));
                    }
                    (path(database, id), Sent::Put(text), change)
                }
            };
            match self.ask(&target, &sent, &mut |_| {}) {
                Ok(_) => {
                    if let Some(nudge) = &self.nudge {
                        nudge.database(database);
                    }
                    return Ok(change);
                }
                // somebody else was faster; or the node died after it had done it, and the next one says so
                Err(Trouble::Status(409, _)) => {}
                Err(Trouble::Status(404, _)) if matches!(sent, Sent::Put(_)) => self.create(database)?,
                Err(Trouble::Status(404, _)) => {}
                Err(why) => return Err(failed(database, id, "write", &why)),
            }
        }
        let why = format!("{database} {id}: somebody else changes this document all the time; try again");
        Err(StorageError::Failed(why))
    }
}

/// Are they the same, whatever the order of the store's own fields?
pub(super) fn same(old: &Json, new: &Json) -> bool {
    let rest = |json: &Json| -> Vec<(String, Json)> {
        json.entries().iter().filter(|(k, _)| !OWN.contains(&k.as_str())).cloned().collect()
    };
    rest(old) == rest(new)
}

fn failed(database: &str, id: &str, what: &str, why: &Trouble) -> StorageError {
    let named = if id.is_empty() { database.to_string() } else { format!("{database} {id}") };
    let text = format!("{}: cannot {what}: {why}", named.escape_debug());
    match why {
        Trouble::Down(_) => StorageError::Down(text),
        Trouble::Status(..) => StorageError::Failed(text),
    }
}
