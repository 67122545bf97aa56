//! The steps that change the disk, each a method of [`Disk`]: the one place where tests make a step fail or the
//! machine stop. Everything is done relative to open folders, and no symbolic link inside the store is followed.

use super::error::StoreError;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::{retry_on_intr, Errno};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

#[cfg(test)]
use super::fault::{Fault, Op};

/// Entries read of one folder. More than a store can have; it bounds the time that a stranger's folder costs.
const ENTRIES: usize = 65_536;

/// An open folder, and its path for messages.
pub(super) struct Folder {
    fd: OwnedFd,
    pub(super) path: PathBuf,
}

/// What there is of a file that was to be read.
pub(super) enum Unread {
    /// Nothing of that name.
    Missing,
    /// A link, a folder, a device: nothing that the store wrote.
    NotAFile,
    /// Another user's, or others may write it: it need not be what the store wrote.
    Foreign,
    /// More than the limit.
    TooLarge,
    /// The system said no.
    Failed(StoreError),
}

impl Folder {
    /// Opens a folder whose path may lead through links (the state folder itself may be one).
    pub(super) fn open(path: &Path) -> Result<Folder, StoreError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))
            .map_err(|e| StoreError::new("open the folder", path, e))?;
        Ok(Folder { fd, path: path.to_path_buf() })
    }

    /// Opens a folder in this one; a link there is an error.
    pub(super) fn folder(&self, name: &str) -> Result<Folder, StoreError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| rustix::fs::openat(&self.fd, name, flags, Mode::empty()))
            .map_err(|e| StoreError::new("open the folder", &path, e))?;
        Ok(Folder { fd, path })
    }

    /// Names in this folder, sorted, [`ENTRIES`] at the most. Names that are not UTF-8 come lossily: they match nothing
    /// of ours.
    pub(super) fn names(&self) -> Result<Vec<String>, StoreError> {
        let failed = |e| StoreError::new("list the folder", &self.path, e);
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy();
            if name != "." && name != ".." {
                names.push(name.into_owned());
            }
            if names.len() == ENTRIES {
                break;
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Reads a regular file of at most `limit` bytes.
    pub(super) fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>, Unread> {
        self.read_of(name, limit, false)
    }

    /// As [`Folder::read`]; `anybodys`: whoever owns it, for one who only looks.
    pub(super) fn read_of(&self, name: &str, limit: usize, anybodys: bool) -> Result<Vec<u8>, Unread> {
        let failed = |e| Unread::Failed(StoreError::new("read", &self.path.join(name), e));
        // NONBLOCK: opening a stranger's FIFO must not wait for its other end
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match retry_on_intr(|| rustix::fs::openat(&self.fd, name, flags, Mode::empty())) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Err(Unread::Missing),
            Err(Errno::LOOP | Errno::NXIO) => return Err(Unread::NotAFile),
            Err(e) => return Err(failed(e)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Unread::NotAFile);
        }
        let us = rustix::process::geteuid().as_raw();
        if !anybodys && ((stat.st_uid != us && stat.st_uid != 0) || stat.st_mode & 0o022 != 0) {
            return Err(Unread::Foreign);
        }
        let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
        if size > limit {
            return Err(Unread::TooLarge);
        }
        let mut bytes = Vec::with_capacity(size.saturating_add(1));
        let mut file = File::from(fd).take(limit as u64 + 1);
        file.read_to_end(&mut bytes).map_err(|e| failed(errno_of(&e)))?;
        if bytes.len() > limit {
            Err(Unread::TooLarge)
        } else {
            Ok(bytes)
        }
    }

    /// Bytes of an entry, links not followed.
    pub(super) fn size(&self, name: &str) -> u64 {
        rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0))
    }
}

/// The changing steps. Counts the bytes written.
#[derive(Default)]
pub(super) struct Disk {
    written: Mutex<u64>,
    #[cfg(test)]
    pub(super) fault: std::sync::Arc<Fault>,
}

impl Disk {
    /// Bytes written to files since the start, also those of writes that failed.
    pub(super) fn written(&self) -> u64 {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a folder of mode 0700, whatever the umask.
    pub(super) fn make_folder(&self, parent: &Folder, name: &str) -> Result<(), StoreError> {
        let path = parent.path.join(name);
        let step = || -> Result<(), Errno> {
            #[cfg(test)]
            self.fault.step(Op::MakeFolder(path.clone()))?;
            rustix::fs::mkdirat(&parent.fd, name, Mode::from_raw_mode(0o700))?;
            // the umask can only have taken bits away: nobody else could enter in between
            rustix::fs::chmodat(&parent.fd, name, Mode::from_raw_mode(0o700), AtFlags::empty())
        };
        step().map_err(|e| StoreError::new("make the folder", &path, e))
    }

    /// Makes a new file of mode 0600, whatever the umask.
    pub(super) fn create(&self, folder: &Folder, name: &str) -> Result<File, StoreError> {
        let path = folder.path.join(name);
        let step = || -> Result<File, Errno> {
            #[cfg(test)]
            self.fault.step(Op::Create(path.clone()))?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(0o600);
            let fd = retry_on_intr(|| rustix::fs::openat(&folder.fd, name, flags, mode))?;
            rustix::fs::fchmod(&fd, mode)?;
            Ok(File::from(fd))
        };
        step().map_err(|e| StoreError::new("create", &path, e))
    }

    /// Writes all the bytes.
    pub(super) fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        // under test in two halves, so that there is an instant with half a file
        let (first, rest) = bytes.split_at(if cfg!(test) { bytes.len() / 2 } else { 0 });
        for part in [first, rest].into_iter().filter(|part| !part.is_empty()) {
            let mut step = || -> Result<(), Errno> {
                #[cfg(test)]
                self.fault.step(Op::Write(path.to_path_buf(), part.to_vec()))?;
                let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
                *written = written.saturating_add(part.len() as u64);
                drop(written);
                file.write_all(part).map_err(|e| errno_of(&e))
            };
            step().map_err(|e| StoreError::new("write", path, e))?;
        }
        Ok(())
    }

    /// Brings a file's bytes to the disk.
    pub(super) fn sync(&self, file: &File, path: &Path) -> Result<(), StoreError> {
        let step = || -> Result<(), Errno> {
            #[cfg(test)]
            self.fault.step(Op::Sync(path.to_path_buf()))?;
            retry_on_intr(|| rustix::fs::fsync(file))
        };
        step().map_err(|e| StoreError::new("write", path, e))
    }

    /// Gives an entry another name, in place of what has that name.
    pub(super) fn rename(&self, from: &Folder, old: &str, to: &Folder, new: &str) -> Result<(), StoreError> {
        let path = from.path.join(old);
        let step = || -> Result<(), Errno> {
            #[cfg(test)]
            self.fault.step(Op::Rename(path.clone(), to.path.join(new)))?;
            rustix::fs::renameat(&from.fd, old, &to.fd, new)
        };
        step().map_err(|e| StoreError::new("rename", &path, e))
    }

    /// Removes a file. One that is not there is as good as removed.
    pub(super) fn unlink(&self, folder: &Folder, name: &str) -> Result<(), StoreError> {
        self.remove(folder, name, AtFlags::empty())
    }

    /// Removes an empty folder. One that is not there is as good as removed.
    pub(super) fn remove_folder(&self, parent: &Folder, name: &str) -> Result<(), StoreError> {
        self.remove(parent, name, AtFlags::REMOVEDIR)
    }

    fn remove(&self, folder: &Folder, name: &str, flags: AtFlags) -> Result<(), StoreError> {
        let path = folder.path.join(name);
        let step = || -> Result<(), Errno> {
            #[cfg(test)]
            self.fault.step(Op::Remove(path.clone()))?;
            match rustix::fs::unlinkat(&folder.fd, name, flags) {
                Err(Errno::NOENT) => Ok(()),
                done => done,
            }
        };
        step().map_err(|e| StoreError::new("remove", &path, e))
    }

    /// Brings a folder's names to the disk.
    pub(super) fn sync_folder(&self, folder: &Folder) -> Result<(), StoreError> {
        let step = || -> Result<(), Errno> {
            #[cfg(test)]
            self.fault.step(Op::SyncFolder(folder.path.clone()))?;
            match retry_on_intr(|| rustix::fs::fsync(&folder.fd)) {
                // file systems that write names at once have nothing to do here and say so
                Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
                done => done,
            }
        };
        step().map_err(|e| StoreError::new("write the folder", &folder.path, e))
    }
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
