//! A folder of JSON files that documents are written to. [`super::super::folder`] says which file has which document.

use super::{next, Change, Storage, StorageError};
use crate::bounds;
use crate::provisioner::json::Json;
use crate::provisioner::memory::TEMPLATES;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A folder. A document has its old content or its new one, at every instant.
pub struct Files {
    root: PathBuf,
    /// One change at a time, from what is read to what is written.
    writing: Mutex<()>,
    /// Files that were changed since somebody asked for them.
    written: Mutex<Vec<PathBuf>>,
}

impl Files {
    /// The store in this folder.
    pub fn at(root: &Path) -> Files {
        Files { root: root.to_path_buf(), writing: Mutex::new(()), written: Mutex::default() }
    }

    /// The file of a document that is written. Others may have put it into a file of another name.
    pub(in crate::provisioner) fn path(&self, database: &str, id: &str) -> Result<PathBuf, StorageError> {
        let mut path = self.root.clone();
        let in_id = if database == TEMPLATES { id.split('/').collect() } else { vec![id] };
        let parts: Vec<String> = database.split('/').chain(in_id).map(encode).collect();
        let Some((last, folders)) = parts.split_last() else { return Err(StorageError::Name(id.to_string())) };
        let bad = |part: &String| part.is_empty() || part.len() > 240;
        if parts.iter().any(bad) || parts.len() > bounds::PROVISIONER_DEPTH {
            return Err(StorageError::Name(id.to_string()));
        }
        path.extend(folders);
        path.push(format!("{last}.json"));
        Ok(path)
    }

    /// The files that were written or removed since this was last called: at most so many that looking at all would not be as good.
    pub(in crate::provisioner) fn written(&self) -> Vec<PathBuf> {
        std::mem::take(&mut self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, path: &Path) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() < bounds::PROVISIONER_WATCH {
            written.push(path.to_path_buf());
        }
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), StorageError> {
        let folder = path.parent().unwrap_or(&self.root);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|e| failed(path, "make its folder", &e))?;
        let temporary = folder.join(format!(".write-{}", std::process::id()));
        let put = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            File::open(folder)?.sync_all()
        };
        put().map_err(|e| {
            let _ = fs::remove_file(&temporary); // the first error is the one that matters
            failed(path, "write", &e)
        })
    }

    fn remove(&self, path: &Path) -> Result<(), StorageError> {
        let folder = path.parent().unwrap_or(&self.root);
        let remove = || -> io::Result<()> {
            fs::remove_file(path)?;
            File::open(folder)?.sync_all()
        };
        remove().map_err(|e| failed(path, "remove", &e))
    }
}

fn failed(path: &Path, what: &str, why: &io::Error) -> StorageError {
    StorageError::Failed(format!("{}: cannot {what}: {why}", path.display()))
}

impl Storage for Files {
    fn get(&self, database: &str, id: &str) -> Result<Option<Json>, StorageError> {
        let path = self.path(database, id)?;
        match path.try_exists() {
            Ok(false) => Ok(None),
            _ => read(&path).map(Some).map_err(|why| StorageError::Failed(format!("{}: {why}", path.display()))),
        }
    }

    fn update(
        &self,
        database: &str,
        id: &str,
        change: &mut dyn FnMut(Option<&Json>) -> Option<Json>,
    ) -> Result<Change, StorageError> {
        let path = self.path(database, id)?;
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let done = |change: Change| {
            self.note(&path);
            change
        };
        let old = self.get(database, id)?;
        match change(old.as_ref()).map(|new| next(old.as_ref(), new)) {
            None if old.is_none() => Ok(Change::Same),
            None => self.remove(&path).map(|()| done(Change::Deleted)),
            new if new == old => Ok(Change::Same),
            Some(new) => {
                let text = new.to_pretty();
                if text.len() as u64 > bounds::PROVISIONER_DOCUMENT {
                    return Err(StorageError::Failed(format!(
                        "{}: larger than {} bytes, and would not be read again",
                        path.display(),
                        bounds::PROVISIONER_DOCUMENT
                    )));
                }
                self.write(&path, &text).map(|()| done(if old.is_some() { Change::Replaced } else { Change::New }))
            }
        }
    }
}

/// Database and id by the place of a file; `None` for what is in no folder, or is not UTF-8.
pub fn names(root: &Path, path: &Path) -> Option<(String, String)> {
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

/// What is in a file.
pub fn read(path: &Path) -> Result<Json, String> {
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
mod test {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn documents_are_stored_changed_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::at(dir.path());
        assert_eq!(files.get("account/a", "x"), Ok(None));
        assert_eq!(files.delete("account/a", "x"), Ok(Change::Same));
        assert_eq!(files.put("account/a", "x", &json(r#"{"_rev":"1-a","n":1}"#)), Ok(Change::New));
        let path = dir.path().join("account/a/x.json");
        let before = fs::metadata(&path).unwrap();
        assert_eq!(before.mode() & 0o777, 0o600, "there are passwords in it");
        assert_eq!(files.put("account/a", "x", &json(r#"{"_rev":"9-z","n":1}"#)), Ok(Change::Same));
        assert_eq!(fs::metadata(&path).unwrap().ino(), before.ino(), "not written again");
        let add = &mut |old: Option<&Json>| {
            let mut new = old.cloned()?;
            new.set("more", Json::Bool(true));
            Some(new)
        };
        assert_eq!(files.update("account/a", "x", add), Ok(Change::Replaced));
        assert_eq!(files.update("account/a", "y", add), Ok(Change::Same));
        assert_eq!(files.get("account/a", "x"), Ok(Some(json(r#"{"_rev":"1-a","n":1,"more":true}"#))));
        assert_eq!(files.delete("account/a", "x"), Ok(Change::Deleted));
        assert_eq!(files.get("account/a", "x"), Ok(None));
        assert_eq!(fs::read_dir(dir.path().join("account/a")).unwrap().count(), 0, "nothing is left over");
    }

    #[test]
    fn changes_of_several_threads_are_all_there() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::at(dir.path());
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let files = &files;
                scope.spawn(move || {
                    for n in 0..20 {
                        let add = &mut |old: Option<&Json>| {
                            let mut new = old.cloned().unwrap_or(Json::Object(vec![]));
                            new.set(&format!("{thread} {n}"), Json::Null);
                            Some(new)
                        };
                        files.update("account/a", "x", add).unwrap();
                    }
                });
            }
        });
        assert_eq!(files.get("account/a", "x").unwrap().unwrap().entries().len(), 80);
    }

    #[test]
    fn what_cannot_be_stored_says_why_and_leaves_what_there_is() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::at(dir.path());
        for id in ["", &"x".repeat(300)] {
            let why = files.put("account/a", id, &Json::Null).unwrap_err();
            assert!(why.to_string().contains("cannot be a document's name"), "{why}");
        }
        files.put("account/a", "x", &json("{}")).unwrap();
        let large = Json::string("y".repeat(usize::try_from(bounds::PROVISIONER_DOCUMENT).unwrap()));
        let why = files.put("account/a", "x", &large).unwrap_err();
        assert!(why.to_string().contains("x.json: larger than 4194304 bytes"), "{why}");
        assert_eq!(files.get("account/a", "x"), Ok(Some(json("{}"))));
        fs::write(dir.path().join("account/a/x.json"), "{").unwrap();
        let why = files.put("account/a", "x", &Json::Null).unwrap_err();
        assert!(why.to_string().contains("x.json: is no JSON"), "{why}");
        fs::write(dir.path().join("file"), "").unwrap();
        let why = files.put("file", "x", &json("{}")).unwrap_err();
        assert!(why.to_string().contains("file/x.json: cannot"), "{why}");
    }

    proptest::proptest! {
        #[test]
        fn names_there_and_back(database in "account/[^/\\x00]{1,20}", id in "[^/\\x00]{1,20}") {
            let path = Files::at(Path::new("/store")).path(&database, &id).unwrap();
            proptest::prop_assert!(path.starts_with("/store/account") && !path.to_str().unwrap().contains("/."));
            proptest::prop_assert_eq!(names(Path::new("/store"), &path), Some((database, id)));
        }
    }
}
