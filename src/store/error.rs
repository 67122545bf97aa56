//! What can go wrong in the store, in words for an admin.

use rustix::io::Errno;
use std::fmt;
use std::path::{Path, PathBuf};

/// A step on the disk that failed. No file name of the store has a secret in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What was being done, as a clause: `write`.
    pub doing: &'static str,
    /// To which file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub errno: Errno,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.doing, self.path.display(), self.errno)
    }
}

/// Errors of the store. After each of them all that was stored before is still there and is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The flash is full.
    NoSpace(Failed),
    /// More than the agent may keep; nothing was written and nothing removed.
    Full {
        /// What would be kept at the least: every last good and the new one.
        need: u64,
        /// What may be kept.
        max: u64,
        /// Of what: `bytes` or `resources`.
        unit: &'static str,
    },
    /// The file system is mounted read-only (also what the kernel makes of one with errors).
    ReadOnly(Failed),
    /// The agent may not.
    Permission(Failed),
    /// A stored file is not what was written. The text says which, why, and where it is now.
    Damaged(String),
    /// No such generation.
    NotFound,
    /// The caller's values cannot be stored: a mistake in the program, not on the disk.
    Invalid(&'static str),
    /// Any other failure of the disk.
    Io(Failed),
}

impl StoreError {
    /// Sorts a failed step by what an admin has to do about it.
    pub(super) fn new(doing: &'static str, path: &Path, errno: Errno) -> StoreError {
        let failed = Failed { doing, path: path.to_path_buf(), errno };
        match errno {
            Errno::NOSPC | Errno::DQUOT => StoreError::NoSpace(failed),
            Errno::ROFS => StoreError::ReadOnly(failed),
            Errno::ACCESS | Errno::PERM => StoreError::Permission(failed),
            _ => StoreError::Io(failed),
        }
    }

    /// What the system said, where it was asked.
    pub(super) fn errno(&self) -> Option<Errno> {
        match self {
            StoreError::NoSpace(f) | StoreError::ReadOnly(f) | StoreError::Permission(f) | StoreError::Io(f) => {
                Some(f.errno)
            }
            _ => None,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::NoSpace(at) => {
                write!(f, "{at}; what was stored before is kept and served: free some space there or lower cache_max")
            }
            StoreError::Full { need, max, unit: "bytes" } => write!(
                f,
                "the newest configs alone need {need} bytes and cache_max is {max}: raise cache_max or forget phones that are gone"
            ),
            StoreError::Full { need, max, unit } => {
                write!(f, "this would be {need} {unit} and the agent keeps {max}: forget phones that are gone")
            }
            StoreError::ReadOnly(at) => {
                write!(f, "{at}; what was stored before is served: make the file system writable (see dmesg)")
            }
            StoreError::Permission(at) => write!(f, "{at}: give the folder to the user of the agent, with mode 0700"),
            StoreError::Damaged(what) => f.write_str(what),
            StoreError::NotFound => f.write_str("no such generation is stored"),
            StoreError::Invalid(why) => write!(f, "this cannot be stored: {why}; please report it"),
            StoreError::Io(at) => write!(f, "{at}; check the disk (see dmesg)"),
        }
    }
}

impl std::error::Error for StoreError {}
