//! A store that is a folder of JSON files, for people and programs to write.
//!
//! `brand_provisioner/ui/snom/3xx/320.json` is the document `ui/snom/3xx/320` of the database `brand_provisioner`. Any other file
//! is a document of the database that its folder names: `account/office/desk1.json` is `desk1` of `account/office`.
//! Bytes that are not fit for file names are written as `%2F`. Names that begin with a dot are not looked at, nor are links.

use super::memory::Memory;
use super::storage::{names, read, Files};
use crate::bounds;
use std::collections::HashMap;
use std::fs::{self, Metadata, ReadDir};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder and the index of what is in it.
pub struct Folder {
    root: PathBuf,
    storage: Arc<Files>,
    memory: Memory,
    files: HashMap<PathBuf, Seen>,
    /// Folders that this round has still to look at, with their depth.
    left: Vec<(PathBuf, usize)>,
    /// The folder that is being looked at, with its depth.
    at: Option<(ReadDir, usize)>,
    round: u32,
    /// Could all folders of this round be read? What is in one that could not is not taken for removed.
    whole: bool,
    /// So many documents at most: [`bounds::PROVISIONER_DOCUMENTS`].
    room: usize,
}

struct Seen {
    stamp: Stamp,
    database: String,
    id: String,
    round: u32,
}

/// What changes with a file's content: time of change (seconds, nanoseconds), size, number.
type Stamp = (i64, i64, i64, i64, u64, u64);

fn stamp(m: &Metadata) -> Stamp {
    (m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec(), m.size(), m.ino())
}

/// Sentences of one look that are kept: nobody reads more.
const TROUBLES: usize = 100;

/// What a look at the folder came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Documents that are new, changed or gone.
    pub changed: usize,
    /// A sentence for each file that is not as it should be, when it is found and when it changes.
    pub troubles: Vec<String>,
}

impl Folder {
    /// Reads all of a folder.
    ///
    /// # Errors
    /// It is no folder, or cannot be read: says which.
    pub fn open(root: &Path) -> Result<(Folder, Looked), String> {
        Folder::with_room(root, bounds::PROVISIONER_DOCUMENTS)
    }

    fn with_room(root: &Path, room: usize) -> Result<(Folder, Looked), String> {
        fs::read_dir(root).map_err(|e| format!("{}: cannot read this folder: {e}", root.display()))?;
        let mut folder = Folder {
            root: root.to_path_buf(),
            storage: Arc::new(Files::at(root)),
            memory: Memory::shipped(),
            files: HashMap::new(),
            left: Vec::new(),
            at: None,
            round: 0,
            whole: true,
            room,
        };
        let mut looked = Looked::default();
        while !folder.look(usize::MAX, &mut looked) {}
        Ok((folder, looked))
    }

    /// What is in it.
    pub fn documents(&self) -> &Memory {
        &self.memory
    }

    /// To write into it. What is written is in the index with the next [`Folder::look`], however large the folder is.
    pub fn storage(&self) -> &Arc<Files> {
        &self.storage
    }

    /// Looks at the next files, about so many, and takes in what has changed; round after round. True when a round has
    /// ended.
    pub fn look(&mut self, most: usize, looked: &mut Looked) -> bool {
        // what this program itself has written is not waited for
        for path in self.storage.written() {
            self.one(path, looked);
        }
        if self.left.is_empty() && self.at.is_none() {
            self.round = self.round.wrapping_add(1);
            self.whole = true;
            self.left.push((self.root.clone(), 0));
        }
        let mut count = 0usize;
        loop {
            if self.at.is_none() {
                let Some((folder, depth)) = self.left.pop() else { break };
                match fs::read_dir(folder) {
                    Ok(entries) => self.at = Some((entries, depth)),
                    // gone since its parent was read is told by the next round
                    Err(_) => self.whole = false,
                }
                count += 1;
            }
            let Some((entries, depth)) = &mut self.at else { continue };
            let depth = *depth;
            let Some(entry) = entries.next() else {
                self.at = None;
                continue;
            };
            let Ok(entry) = entry else {
                self.whole = false;
                continue;
            };
            count += 1;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                if let Ok(metadata) = entry.metadata() {
                    if metadata.is_dir() {
                        if depth + 1 < bounds::PROVISIONER_DEPTH {
                            self.left.push((entry.path(), depth + 1));
                        }
                    } else {
                        self.file(entry.path(), &metadata, looked);
                    }
                }
            }
            if count >= most {
                return false;
            }
        }
        if self.whole {
            let (round, memory) = (self.round, &mut self.memory);
            self.files.retain(|_, seen| {
                let there = seen.round == round;
                if !there {
                    memory.remove(&seen.database, &seen.id);
                    looked.changed += 1;
                }
                there
            });
        }
        true
    }

    /// Looks at one document at once: it may have been written, or removed, a moment ago.
    pub fn look_at_document(&mut self, database: &str, id: &str, looked: &mut Looked) {
        if let Ok(path) = self.storage.path(database, id) {
            self.one(path, looked);
        }
    }

    /// Takes in one file as it is now, or that it is gone.
    fn one(&mut self, path: PathBuf, looked: &mut Looked) {
        if let Ok(metadata) = fs::symlink_metadata(&path) {
            self.file(path, &metadata, looked);
        } else if let Some(seen) = self.files.remove(&path) {
            self.memory.remove(&seen.database, &seen.id);
            looked.changed += 1;
        }
    }

    fn file(&mut self, path: PathBuf, metadata: &Metadata, looked: &mut Looked) {
        if !metadata.is_file() || path.extension().is_none_or(|e| e != "json") {
            return;
        }
        let stamp = stamp(metadata);
        let round = self.round;
        let known = self.files.len();
        if let Some(seen) = self.files.get_mut(&path) {
            seen.round = round;
            if seen.stamp == stamp {
                return;
            }
            seen.stamp = stamp;
        } else {
            let Some((database, id)) = names(&self.root, &path) else {
                return;
            };
            if known >= self.room {
                if looked.troubles.is_empty() {
                    looked.troubles.push(format!(
                        "{}: more than {} documents; the rest is left out",
                        path.display(),
                        self.room
                    ));
                }
                return;
            }
            self.files.insert(path.clone(), Seen { stamp, database, id, round });
        }
        let Some(seen) = self.files.get(&path) else { return };
        looked.changed += 1;
        // while somebody writes a file in place, what was in it stays
        let told = match read(&path) {
            Ok(json) => self.memory.put(&seen.database, &seen.id, json),
            Err(why) => Err(why),
        };
        if let Err(why) = told {
            if looked.troubles.len() < TROUBLES {
                looked.troubles.push(format!("{}: {why}", path.display()));
            }
        }
    }
}

#[cfg(test)]
#[path = "folder_test.rs"]
mod test;
