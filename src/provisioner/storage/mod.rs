//! What can be done to a store beside being read into [`super::documents::Documents`]: documents are changed, one at a time.
//!
//! Each call may wait for a disk or a server: never in the loop that answers phones. What is written is in the index
//! of documents with the store's next change, like what others write.

mod files;

pub use files::Files;
pub(super) use files::{names, read};

use super::json::Json;
use std::fmt;

/// A store that is written to, by several threads.
pub trait Storage: Send + Sync {
    /// The document as it is stored; `None` where there is none.
    ///
    /// # Errors
    /// See [`StorageError`].
    fn get(&self, database: &str, id: &str) -> Result<Option<Json>, StorageError>;

    /// Changes a document. `change` gets what is stored, and returns what shall be; `None` is no document. It is called again with
    /// the newer one when somebody else has changed the document meanwhile. What is stored already is not written again.
    /// The store's own fields (`_id`, `_rev`, `_attachments`) need not be in the result.
    ///
    /// # Errors
    /// See [`StorageError`]. The document then is what it was, or, when a server fell silent, as it should be.
    fn update(
        &self,
        database: &str,
        id: &str,
        change: &mut dyn FnMut(Option<&Json>) -> Option<Json>,
    ) -> Result<Change, StorageError>;

    /// Stores a document in place of what there may be under this id.
    ///
    /// # Errors
    /// As [`Storage::update`].
    fn put(&self, database: &str, id: &str, document: &Json) -> Result<Change, StorageError> {
        self.update(database, id, &mut |_| Some(document.clone()))
    }

    /// Removes a document.
    ///
    /// # Errors
    /// As [`Storage::update`].
    fn delete(&self, database: &str, id: &str) -> Result<Change, StorageError> {
        self.update(database, id, &mut |_| None)
    }
}

/// What became of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was as it should be.
    Same,
    /// It is there, and was not.
    New,
    /// It was another.
    Replaced,
    /// It was there, and is not.
    Deleted,
}

/// Why a store cannot do what it was asked for. `Display` says where, what happened, and what to do; never a
/// document's content, nor a server's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageError {
    /// No document can have this name.
    Name(String),
    /// The store is there, and said no or made no sense.
    Failed(String),
    /// The store cannot be reached: later it may be.
    Down(String),
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageError::Name(name) => {
                let short: String = name.chars().take(80).collect();
                write!(f, "'{}' cannot be a document's name; use a shorter one", short.escape_debug())
            }
            StorageError::Failed(why) | StorageError::Down(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for StorageError {}

/// Fields that belong to the store, not to whoever writes a document.
pub const OWN: [&str; 3] = ["_id", "_rev", "_attachments"];

/// What is to be stored in place of `old`: `new`, with the store's own fields of `old` where it has none. The revision is always the
/// stored one.
pub fn next(old: Option<&Json>, mut new: Json) -> Json {
    for name in OWN {
        let Some(value) = old.and_then(|old| old.get(name)) else { continue };
        if name == "_rev" || new.get(name).is_none() {
            new.set(name, value.clone());
        }
    }
    new
}
