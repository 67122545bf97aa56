//! A store that is a folder of JSON files, for people and programs to write.
//!
//! `brand_provisioner/ui/snom/3xx/320.json` is the document `ui/snom/3xx/320` of the database `brand_provisioner`. Any other file
//! is a document of the database that its folder names: `account/office/desk1.json` is `desk1` of `account/office`.
//! Bytes that are not fit for file names are written as `%2F`. Names that begin with a dot are not looked at, nor are links.

use super::json::Json;
use super::memory::{Memory, TEMPLATES};
use crate::bounds;
use std::collections::HashMap;
use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A folder and the index of what is in it.
pub struct Folder {
    root: PathBuf,
    memory: Memory,
    files: HashMap<PathBuf, Seen>,
    /// Folders that this round has still to look at, with their depth.
    left: Vec<(PathBuf, usize)>,
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

/// What a store cannot do. `Display` says where, what happened, and what to do.
#[derive(Debug)]
pub enum FolderError {
    /// A file or folder cannot be read or written.
    Io(PathBuf, &'static str, io::Error),
    /// A name that no file can have.
    Name(String),
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FolderError::Io(path, what, why) => write!(f, "{}: cannot {what}: {why}", path.display()),
            FolderError::Name(name) => {
                write!(f, "'{}' cannot be a document's name; use a shorter one", name.escape_debug())
            }
        }
    }
}

impl std::error::Error for FolderError {}

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
    /// It is no folder, or cannot be read.
    pub fn open(root: &Path) -> Result<(Folder, Looked), FolderError> {
        Folder::with_room(root, bounds::PROVISIONER_DOCUMENTS)
    }

    fn with_room(root: &Path, room: usize) -> Result<(Folder, Looked), FolderError> {
        fs::read_dir(root).map_err(|e| FolderError::Io(root.to_path_buf(), "read this folder", e))?;
        let mut folder = Folder {
            root: root.to_path_buf(),
            memory: Memory::shipped(),
            files: HashMap::new(),
            left: Vec::new(),
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

    /// Looks at the next files, about so many, and takes in what has changed; round after round. True when a round has
    /// ended.
    pub fn look(&mut self, most: usize, looked: &mut Looked) -> bool {
        if self.left.is_empty() {
            self.round = self.round.wrapping_add(1);
            self.whole = true;
            self.left.push((self.root.clone(), 0));
        }
        let mut count = 0usize;
        while let Some((folder, depth)) = self.left.pop() {
            count = count.saturating_add(1 + self.look_at(&folder, depth, looked));
            if count >= most && !self.left.is_empty() {
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

    fn look_at(&mut self, folder: &Path, depth: usize, looked: &mut Looked) -> usize {
        let Ok(entries) = fs::read_dir(folder) else {
            // gone since its parent was read is told by the next round
            self.whole = false;
            return 0;
        };
        let mut count = 0;
        for entry in entries {
            let Ok(entry) = entry else {
                self.whole = false;
                continue;
            };
            count += 1;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let (path, Ok(metadata)) = (entry.path(), entry.metadata()) else { continue };
            if metadata.is_dir() {
                if depth + 1 < bounds::PROVISIONER_DEPTH {
                    self.left.push((path, depth + 1));
                }
            } else if metadata.is_file() && path.extension().is_some_and(|e| e == "json") {
                self.file(path, &metadata, looked);
            }
        }
        count
    }

    fn file(&mut self, path: PathBuf, metadata: &Metadata, looked: &mut Looked) {
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

    /// A document as it is in its file, or `None` where there is none.
    ///
    /// # Errors
    /// Its name cannot be one, or it is there and cannot be read.
    pub fn read(&self, database: &str, id: &str) -> Result<Option<Json>, String> {
        let path = self.path(database, id).map_err(|e| e.to_string())?;
        match path.try_exists() {
            Ok(false) => Ok(None),
            _ => read(&path).map(Some).map_err(|why| format!("{}: {why}", path.display())),
        }
    }

    /// Writes a document: it has its old content or its new one, at every instant. What it has already is not written
    /// again. It is in the index with the next [`Folder::look`].
    ///
    /// # Errors
    /// Says which file could not be written.
    pub fn write(&self, database: &str, id: &str, json: &Json) -> Result<(), FolderError> {
        let path = self.path(database, id)?;
        let text = json.to_pretty();
        if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.root);
        let error = |what, e| FolderError::Io(path.clone(), what, e);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| error("make its folder", e))?;
        let temporary = folder.join(format!(".write-{}", std::process::id()));
        let put = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(folder)?.sync_all()
        };
        put().map_err(|e| {
            let _ = fs::remove_file(&temporary); // the first error is the one that matters
            error("write", e)
        })
    }

    fn path(&self, database: &str, id: &str) -> Result<PathBuf, FolderError> {
        let mut path = self.root.clone();
        let in_id = if database == TEMPLATES { id.split('/').collect() } else { vec![id] };
        let parts: Vec<String> = database.split('/').chain(in_id).map(encode).collect();
        let Some((last, folders)) = parts.split_last() else { return Err(FolderError::Name(id.to_string())) };
        let bad = |part: &String| part.is_empty() || part.len() > 240;
        if parts.iter().any(bad) || parts.len() > bounds::PROVISIONER_DEPTH {
            return Err(FolderError::Name(id.to_string()));
        }
        path.extend(folders);
        path.push(format!("{last}.json"));
        Ok(path)
    }
}

/// Database and id by the place of a file; `None` for what is in no folder, or is not UTF-8.
fn names(root: &Path, path: &Path) -> Option<(String, String)> {
    let parts: Option<Vec<String>> =
        path.strip_prefix(root).ok()?.with_extension("").iter().map(|part| decode(part.to_str()?)).collect();
    let parts = parts?;
    let (last, folders) = parts.split_last()?;
    match folders.split_first()? {
        (first, inner) if first == TEMPLATES => {
            let id = inner.iter().chain([last]).cloned().collect::<Vec<_>>().join("/");
            Some((first.clone(), id))
        }
        _ => Some((folders.join("/"), last.clone())),
    }
}

fn encode(part: &str) -> String {
    let mut out = String::new();
    for (i, b) in part.bytes().enumerate() {
        // a dot would hide the file, or take its last part for an ending
        if b.is_ascii_alphanumeric() || b"-_~@+".contains(&b) || (b == b'.' && i > 0) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

fn decode(part: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = part.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push((high << 4 | low) as u8);
    }
    String::from_utf8(out).ok()
}

fn read(path: &Path) -> Result<Json, String> {
    let cannot = |e: io::Error| format!("cannot be read: {e}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(bounds::PROVISIONER_DOCUMENT + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > bounds::PROVISIONER_DOCUMENT {
        return Err(format!("is larger than {} bytes", bounds::PROVISIONER_DOCUMENT));
    }
    Json::parse(&bytes).map_err(|e| format!("is no JSON: {e}"))
}

#[cfg(test)]
#[path = "folder_test.rs"]
mod test;
