//! The provisioner's store, whichever it is: what it has in memory, and how that is kept the same.

use super::couch::{Index, Status, Writer};
use crate::bounds;
use crate::provisioner::couch::nodes::{is_couch, nodes};
use crate::provisioner::folder::{Folder, Looked};
use crate::provisioner::json::Json;
use crate::provisioner::memory::Memory;
use crate::provisioner::storage::{Files, Storage};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

/// A folder or a CouchDB.
pub enum Store {
    /// And what this round of looking has come to.
    Folder(Box<Folder>, Looked),
    /// Followed by threads of its own.
    Couch(Box<Index>),
}

impl Store {
    /// Reads all of a store: a folder, or a list of CouchDB's nodes. What is wrong with documents comes with it.
    /// With `patience` it waits for the first node that is there; `told` gets the states of a CouchDB.
    ///
    /// # Errors
    /// What cannot be read, in words for the admin, without a password.
    pub fn open(
        store: &str,
        patience: bool,
        told: impl FnMut(&Status) + Send + 'static,
    ) -> Result<(Store, Vec<String>), String> {
        if is_couch(store) {
            let (index, troubles) = Index::open(nodes(store)?, patience, Box::new(told))?;
            return Ok((Store::Couch(Box::new(index)), troubles));
        }
        let (folder, looked) = Folder::open(Path::new(store))?;
        Ok((Store::Folder(Box::new(folder), Looked::default()), looked.troubles))
    }

    /// What is in it.
    pub fn documents(&self) -> &Memory {
        match self {
            Store::Folder(folder, _) => folder.documents(),
            Store::Couch(index) => index.documents(),
        }
    }

    /// To change documents, in a thread that may wait: what is written is in [`Store::documents`] a moment later.
    pub fn storage(&self) -> Arc<dyn Storage> {
        match self {
            Store::Folder(folder, _) => folder.storage().clone(),
            Store::Couch(index) => index.storage().clone(),
        }
    }

    /// Takes in at once what was just written to [`Store::storage`]: this document is there now, or is not.
    pub fn take(&mut self, database: &str, id: &str, json: Option<&Json>) {
        match self {
            Store::Folder(folder, looked) => folder.look_at_document(database, id, looked),
            Store::Couch(index) => index.take_document(database, id, json),
        }
    }

    /// To poll for reading, where there is something that tells of changes.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Store::Folder(..) => None,
            Store::Couch(index) => Some(index.fd()),
        }
    }

    /// Takes in what has changed, some at a time: how many documents, and what is wrong with some. Zero until a round
    /// over a folder is over.
    pub fn look(&mut self) -> (usize, Vec<String>) {
        match self {
            Store::Folder(folder, looked) => match folder.look(bounds::PROVISIONER_WATCH, looked) {
                true => {
                    let looked = std::mem::take(looked);
                    (looked.changed, looked.troubles)
                }
                false => (0, Vec::new()),
            },
            Store::Couch(index) => index.look(),
        }
    }
}

/// A store that is written to only: nothing of it is read beforehand.
///
/// # Errors
/// There is no such folder, or an address is none.
pub fn writer(store: &str) -> Result<Box<dyn Storage>, String> {
    if is_couch(store) {
        let cluster = Arc::new(super::couch::Cluster::new(nodes(store)?)?);
        return Ok(Box::new(Writer::new(cluster)));
    }
    match Path::new(store) {
        path if path.is_dir() => Ok(Box::new(Files::at(path))),
        _ => Err(format!("{store}: there is no such folder")),
    }
}
