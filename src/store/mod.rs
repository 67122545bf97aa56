//! Generations on disk: the last good configs survive reboots, power cuts and a full flash.
//!
//! Below the state folder: `configs/{12 hex of the MAC}/` for each phone, in it `{vendor}-{16 hex of the SHA-256 of the
//! key's name}.{number}` for each generation (format: [`mod@file`]), perhaps a `….candidate` that is held, and `phone.json`; `damaged/` has what was found
//! damaged. A file is written under another name, brought to the disk, renamed, and the folder brought to the disk
//! too: it is whole or not there. A phone is forgotten by renaming its folder, so that it is wholly there or wholly
//! gone as well.

mod aside;
mod candidate;
mod disk;
mod error;
pub mod file;
mod limit;
mod look;
mod name;
mod scan;
mod write;

#[cfg(test)]
mod crash;
#[cfg(test)]
mod fault;
#[cfg(test)]
mod held_test;
#[cfg(test)]
mod test;

pub use error::{Failed, StoreError};
pub use look::last_goods;
pub use scan::Found;

use crate::bounds;
use crate::core::types::{GenerationMeta, PhoneRecord, ResourceKey, Sha256};
use crate::proto::mac::Mac;
use disk::{Disk, Folder};
use limit::{Index, Kept};
use rustix::io::Errno;
use scan::Unusable;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// The stored configs. One agent at a time may have a state folder open.
pub struct Store {
    root: PathBuf,
    disk: Disk,
    /// Writers are one at a time; readers of good files never take this.
    writer: Mutex<Writer>,
    /// Copy of the index' sum, so that a status does not wait for a slow flash.
    bytes: Mutex<u64>,
}

struct Writer {
    index: Index,
    /// Is it certain that the names of the state folder and of `configs` are on the disk?
    settled_above: bool,
    /// Is it certain that the names in `configs` are on the disk?
    settled: bool,
}

/// What was there at the start.
pub struct Opened {
    /// The store, ready.
    pub store: Store,
    /// All resources, by phone.
    pub found: Vec<Found>,
    /// All phones with a record.
    pub phones: Vec<PhoneRecord>,
    /// One sentence for each file that is not used: which, why, and where it is now.
    pub damaged: Vec<String>,
}

/// A config was stored, or was stored already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Under which number: the given one, or that of the last good when the bytes are the same.
    pub number: u32,
    /// Generations that were removed to stay within the limits.
    pub removed: Vec<(ResourceKey, u32)>,
    /// Bytes written to the disk; 0 when the last good has the same bytes.
    pub bytes_written: u64,
}

/// Opens the store below `state_dir` (made when it is not there), checks every file, sets damaged ones aside and
/// removes what interrupted writes left. Works on a full or read-only disk too, as long as the folders are there.
pub fn open(state_dir: &Path) -> Result<Opened, StoreError> {
    open_on(state_dir, Disk::default(), &mut |_, _, _| {})
}

/// Shows a config: whose it is, what is known of it, its bytes.
pub type Show<'a> = dyn FnMut(&ResourceKey, &GenerationMeta, &[u8]) + 'a;

/// As [`open`]; each generation and each held config is also shown once, while its bytes are in memory.
pub fn open_showing(state_dir: &Path, show: &mut Show<'_>) -> Result<Opened, StoreError> {
    open_on(state_dir, Disk::default(), show)
}

fn open_on(state_dir: &Path, disk: Disk, show: &mut Show<'_>) -> Result<Opened, StoreError> {
    let root = match Folder::open(state_dir) {
        Err(error) if error.errno() == Some(Errno::NOENT) => {
            make_state_dir(state_dir)?;
            Folder::open(state_dir)?
        }
        other => other?,
    };
    // made by a package or by hand, perhaps too open; on a read-only disk it stays as it is
    if std::fs::metadata(state_dir).is_ok_and(|m| m.permissions().mode() & 0o077 != 0) {
        let _ = std::fs::set_permissions(state_dir, std::fs::Permissions::from_mode(0o700));
    }
    let configs = ensure(&disk, &root, name::CONFIGS, &mut false)?;
    let scan = scan::scan(&disk, &root, &configs, show)?;
    let bytes = Mutex::new(scan.index.bytes());
    let writer = Mutex::new(Writer { index: scan.index, settled_above: false, settled: false });
    let store = Store { root: state_dir.to_path_buf(), disk, writer, bytes };
    Ok(Opened { store, found: scan.found, phones: scan.phones, damaged: scan.damaged })
}

fn make_state_dir(path: &Path) -> Result<(), StoreError> {
    let failed =
        |e: std::io::Error| StoreError::new("make the folder", path, Errno::from_io_error(&e).unwrap_or(Errno::IO));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(failed)
}

/// Opens a folder in `parent`, made when it is not there; then the names in `parent` are no longer `settled`.
fn ensure(disk: &Disk, parent: &Folder, name: &str, settled: &mut bool) -> Result<Folder, StoreError> {
    match parent.folder(name) {
        Err(error) if error.errno() == Some(Errno::NOENT) => {
            *settled = false;
            disk.make_folder(parent, name)?;
            parent.folder(name)
        }
        other => other,
    }
}

impl Store {
    /// Stores a config as the newest generation of its key; when this returns it is on the disk. `meta.number` must be
    /// more than the last good's, `meta.sha256` and `meta.size` those of `body`. Of this key `history` generations are
    /// kept (at least the new one), and of all files `cache_max` bytes: the oldest go first, a last good never.
    /// The same bytes as the last good are not written again.
    ///
    /// # Errors
    /// After each of them everything stored before is still there. [`StoreError::Full`] comes before anything is
    /// written or removed.
    pub fn put(
        &self,
        key: &ResourceKey,
        meta: &GenerationMeta,
        body: &[u8],
        history: u32,
        cache_max: u64,
    ) -> Result<Put, StoreError> {
        let mut writer = self.writer();
        self.put_with(&mut writer, key, meta, body, history, cache_max)
    }

    fn put_with(
        &self,
        writer: &mut Writer,
        key: &ResourceKey,
        meta: &GenerationMeta,
        body: &[u8],
        history: u32,
        cache_max: u64,
    ) -> Result<Put, StoreError> {
        if let Some(last) = writer.index.last(key) {
            if last.sha256 == meta.sha256 {
                return Ok(Put { number: last.number, removed: Vec::new(), bytes_written: 0 });
            }
            if meta.number <= last.number {
                return Err(StoreError::Invalid("its number is not above the last good's"));
            }
        }
        let head = check(key, meta, body)?;
        writer.index.admit(key)?;
        let size = (head.len() as u64).saturating_add(body.len() as u64);
        let plan = writer.index.plan(key, size, history, cache_max)?;

        // left of an `accept` that could not remove it: it must not look held once there is a newer generation
        if writer.index.candidate(key).is_some_and(|c| writer.index.last(key).is_some_and(|l| l.sha256 == c.sha256)) {
            self.remove_candidate(writer, key)?;
        }
        let before = self.disk.written();
        let file = name::generation(&name::stem(key), meta.number);
        self.write(writer, key.mac, &file, &[&head, body])?;
        writer.index.add(key, Kept::new(meta, size));
        let mut removed = Vec::new();
        for victim in plan.candidates {
            let _ = self.remove_candidate(writer, &victim); // as below
        }
        for (victim, number) in plan.generations {
            // One that cannot be removed stays in the index and goes another time. The removals need not reach the
            // disk: a generation too many after a power cut is no harm, and a sync less is less wear.
            if self.remove_generation(&victim, number).is_ok() {
                writer.index.remove(&victim, number);
                removed.push((victim, number));
            }
        }
        self.count(writer);
        let bytes_written = self.disk.written().saturating_sub(before);
        Ok(Put { number: meta.number, removed, bytes_written })
    }

    /// The exact bytes of a generation, checked.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Damaged`] when it is no longer what was written (it has then been set
    /// aside, and an older generation may be the last good now); else what the disk said.
    pub fn read(&self, key: &ResourceKey, number: u32) -> Result<Vec<u8>, StoreError> {
        match self.load(key, number) {
            Ok(body) => Ok(body),
            Err(Unusable::Failed(error)) => Err(error),
            Err(Unusable::Missing | Unusable::NotAFile | Unusable::OtherVersion) => {
                // Perhaps somebody else removed it: then it must not count as stored. Not worth waiting for a writer.
                let writer = match self.writer.try_lock() {
                    Ok(writer) => Some(writer),
                    Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                    Err(TryLockError::WouldBlock) => None,
                };
                if let Some(mut writer) = writer {
                    let gone = || matches!(self.load(key, number), Err(Unusable::Missing));
                    if writer.index.has(key, number) && gone() {
                        writer.index.remove(key, number);
                        self.count(&writer);
                    }
                }
                Err(StoreError::NotFound)
            }
            Err(Unusable::Damaged(_)) => {
                let mut writer = self.writer();
                // again, now that no writer can be replacing it
                match self.load(key, number) {
                    Ok(body) => Ok(body),
                    Err(Unusable::Damaged(why)) => {
                        self.shift(&mut writer, key, number, why).and_then(|what| Err(StoreError::Damaged(what)))
                    }
                    Err(Unusable::Failed(error)) => Err(error),
                    Err(_) => Err(StoreError::NotFound),
                }
            }
        }
    }

    /// Stores what is known of a phone. `false`: the same is stored already, and nothing was written.
    pub fn put_phone(&self, record: &PhoneRecord) -> Result<bool, StoreError> {
        let mac = Mac::parse(&record.mac).ok_or(StoreError::Invalid("the phone's record has no MAC"))?;
        let bytes = serde_json::to_vec(record).map_err(|_| StoreError::Invalid("the phone's record is no JSON"))?;
        if bytes.len() > scan::PHONE_MAX {
            return Err(StoreError::Invalid("the phone's record is too large"));
        }
        let mut writer = self.writer();
        writer.index.decided(mac, &record.decided);
        let stored = self.known_folder(mac).ok().and_then(|folder| folder.read(name::PHONE, scan::PHONE_MAX).ok());
        if stored.as_ref() == Some(&bytes) {
            return Ok(false);
        }
        self.write(&mut writer, mac, name::PHONE, &[&bytes])?;
        Ok(true)
    }

    /// Removes all of a phone: configs, record, and what was set aside. A phone that is not stored is no error.
    ///
    /// # Errors
    /// The phone is then still there, or (on a disk that is full or dying) its older generations are gone.
    pub fn forget(&self, mac: Mac) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let root = Folder::open(&self.root)?;
        let configs = match root.folder(name::CONFIGS) {
            Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(()),
            other => other?,
        };
        let done = self.forget_in(&mut writer, &configs, mac);
        self.count(&writer);
        done?;
        let _ = aside::forget(&self.disk, &root, mac); // the phone itself is gone, and that folder is bounded
        Ok(())
    }

    /// Removes one config of a phone, all its generations, the last good last.
    ///
    /// # Errors
    /// The generations that could not be removed are still stored.
    pub fn expire(&self, key: &ResourceKey) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let mut done = self.remove_candidate(&mut writer, key);
        for number in writer.index.numbers(key) {
            if done.is_err() {
                break;
            }
            done = self.remove_generation(key, number);
            if done.is_ok() {
                writer.index.remove(key, number);
            }
        }
        self.count(&writer);
        done
    }

    /// All phones of which anything is stored.
    pub fn macs(&self) -> Vec<Mac> {
        self.writer().index.macs()
    }

    /// Moves a generation to `damaged/`, for a caller who found that it is of no use; `why` is a clause ("it has no
    /// settings"). Returns the sentence to report.
    pub fn set_aside(&self, key: &ResourceKey, number: u32, why: &str) -> Result<String, StoreError> {
        let mut writer = self.writer();
        if !writer.index.has(key, number) {
            return Err(StoreError::NotFound);
        }
        self.shift(&mut writer, key, number, why)
    }

    /// Bytes of all generations kept now, headers included. This is what `cache_max` bounds.
    pub fn bytes(&self) -> u64 {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes written to files since the store was opened: the wear of the flash. Writes that failed count too.
    pub fn bytes_written(&self) -> u64 {
        self.disk.written()
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, writer: &Writer) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) = writer.index.bytes();
    }

    /// A phone's folder for writing, made when it is not there, with all names above it certain to be on the disk.
    fn phone_folder(&self, writer: &mut Writer, mac: Mac) -> Result<Folder, StoreError> {
        let root = Folder::open(&self.root)?;
        let configs = ensure(&self.disk, &root, name::CONFIGS, &mut writer.settled_above)?;
        let folder = ensure(&self.disk, &configs, &mac.hex(), &mut writer.settled)?;
        // The first time in any case: an earlier run may have been killed between making a folder and this.
        if !writer.settled_above {
            self.disk.sync_folder(&root)?;
            if let Some(parent) = self.root.parent().and_then(|parent| Folder::open(parent).ok()) {
                let _ = self.disk.sync_folder(&parent); // often not ours, and almost always long on the disk
            }
            writer.settled_above = true;
        }
        if !writer.settled {
            self.disk.sync_folder(&configs)?;
            writer.settled = true;
        }
        Ok(folder)
    }

    /// The folder of a phone, for all but new files.
    fn known_folder(&self, mac: Mac) -> Result<Folder, StoreError> {
        Folder::open(&self.root)?.folder(name::CONFIGS)?.folder(&mac.hex())
    }

    fn load(&self, key: &ResourceKey, number: u32) -> Result<Vec<u8>, Unusable> {
        let folder = self.known_folder(key.mac).map_err(|error| match error.errno() {
            Some(Errno::NOENT) => Unusable::Missing,
            _ => Unusable::Failed(error),
        })?;
        let (head, mut bytes) = scan::load(&folder, key.mac, &name::generation(&name::stem(key), number))?;
        if head.key != *key {
            return Err(Unusable::Missing);
        }
        bytes.drain(..head.body_at.min(bytes.len()));
        Ok(bytes)
    }

    fn remove_generation(&self, key: &ResourceKey, number: u32) -> Result<(), StoreError> {
        let folder = match self.known_folder(key.mac) {
            Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(()),
            other => other?,
        };
        self.disk.unlink(&folder, &name::generation(&name::stem(key), number))
    }

    /// Writes one file of a phone. After an error no new folder and no new generation is left.
    fn write(&self, writer: &mut Writer, mac: Mac, file: &str, parts: &[&[u8]]) -> Result<(), StoreError> {
        let done = self.phone_folder(writer, mac).and_then(|folder| {
            write::replace(&self.disk, &folder, file, parts).map_err(|unwritten| {
                // The caller hears that it is not stored, so it must not be found later. A phone's record has taken
                // the place of the older one, which is gone: better the new one than none.
                if unwritten.renamed && file != name::PHONE {
                    let _ = self.disk.unlink(&folder, file);
                }
                unwritten.error
            })
        });
        if done.is_err() {
            if let Ok(configs) = Folder::open(&self.root).and_then(|root| root.folder(name::CONFIGS)) {
                let _ = self.disk.remove_folder(&configs, &mac.hex()); // refused when there is something in it
            }
        }
        done
    }

    fn shift(&self, writer: &mut Writer, key: &ResourceKey, number: u32, why: &str) -> Result<String, StoreError> {
        let root = Folder::open(&self.root)?;
        let folder = self.known_folder(key.mac)?;
        let file = name::generation(&name::stem(key), number);
        let sentence = aside::set_aside(&self.disk, &root, key.mac, &folder, &file, why);
        writer.index.remove(key, number);
        self.count(writer);
        Ok(sentence)
    }

    fn forget_in(&self, writer: &mut Writer, configs: &Folder, mac: Mac) -> Result<(), StoreError> {
        let (name, going) = (mac.hex(), name::forgetting(mac));
        let folder = match configs.folder(&name) {
            Err(error) if error.errno() == Some(Errno::NOENT) => {
                writer.index.forget(mac);
                return Ok(());
            }
            other => other?,
        };
        scan::remove_unfinished(&self.disk, configs, &going)?; // of an earlier time that failed
        match self.disk.rename(configs, &name, configs, &going) {
            Ok(()) => {}
            // Flash file systems want space for a rename, but not for a removal.
            Err(StoreError::NoSpace(_)) => return self.forget_in_place(writer, configs, &folder, mac),
            Err(error) => return Err(error),
        }
        if let Err(error) = self.disk.sync_folder(configs) {
            if self.disk.rename(configs, &going, configs, &name).is_err() {
                writer.index.forget(mac);
            }
            return Err(error);
        }
        writer.index.forget(mac);
        let _ = scan::remove_unfinished(&self.disk, configs, &going); // else the next start does it
        Ok(())
    }

    /// File by file, the last good last: cut off in the middle, the phone is not served an old config as its newest.
    fn forget_in_place(
        &self,
        writer: &mut Writer,
        configs: &Folder,
        folder: &Folder,
        mac: Mac,
    ) -> Result<(), StoreError> {
        let mut files = folder.names()?;
        files.sort_by_key(|file| name::parse_generation(file).map_or(0, |(_, number)| number));
        for file in files {
            self.disk.unlink(folder, &file)?;
            writer.index.remove_file(mac, &file);
        }
        self.disk.remove_folder(configs, &mac.hex())?;
        writer.index.forget(mac);
        self.disk.sync_folder(configs)
    }
}

/// Can these be stored, and be read again? Returns the header.
fn check(key: &ResourceKey, meta: &GenerationMeta, body: &[u8]) -> Result<Vec<u8>, StoreError> {
    let head = file::write_head(key, meta);
    let wrong = if !name::vendor_fits(&key.vendor) {
        "its vendor's name is not made of letters, digits, _ and -"
    } else if meta.number == 0 {
        "generations count from 1"
    } else if body.len() > bounds::CONFIG_BODY {
        "it is larger than any config"
    } else if head.len() > file::HEAD_MAX {
        "its request headers are too long"
    } else if meta.size != body.len() as u64 || meta.sha256 != Sha256::of(body) {
        "its bytes are not what its description says"
    } else {
        return Ok(head);
    };
    Err(StoreError::Invalid(wrong))
}
