//! Changing a file that other programs change too, or one that is ours alone. A name has its old bytes or its new bytes,
//! at every instant, whoever is killed.
//!
//! libuci locks the file itself (flock on its inode), writes a temporary file beside it, gives the lock back, and renames.
//! Two of its habits lose changes between two programs, even between two `uci commit`: it renames after it has given the
//! lock back, and it does not look whether the file that it waited for still is the one at the path. So beside taking
//! the same lock, a change here waits for libuci's temporary file to be gone, looks at the path again before it renames,
//! and after that writes the new bytes into the old file too, which has no name any more: who waits for its lock reads
//! them there.

use crate::bounds;
use rustix::fs::{FlockOperation, Gid, Mode, Uid};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(20);
/// Temporary files of ours are `.NAME.uci-phoneprovPID`; libuci's are `.NAME.uci-` and six letters.
const MARK: &str = "phoneprov";

/// Changes the file at `path` by `change`, which gets its text and returns the new one, `Ok(None)` to leave it as it is, or why
/// it must not be changed (`LINE: why`, or a clause). Returns whether the file was written. Mode and owner stay.
///
/// Errors name the file and what to do. Waits up to [`bounds::FILE_LOCK_SECONDS`] for others.
pub fn edit(path: &Path, change: &dyn Fn(&str) -> Result<Option<String>, String>) -> Result<bool, String> {
    let shown = path.display();
    let failed = |what: &str, e: std::io::Error| format!("{shown}: {what}: {e}");
    // as often as somebody else replaces the file just then
    for _ in 0..bounds::FILE_TRIES {
        let real = fs::canonicalize(path).map_err(|e| failed("cannot be opened", e))?;
        let file = OpenOptions::new().read(true).write(true).open(&real).map_err(|e| failed("cannot be opened", e))?;
        lock(&file).map_err(|why| format!("{shown}: {why}"))?;
        if !is_at(&file, &real) {
            continue;
        }
        let mut bytes = Vec::new();
        (&file).take(bounds::UCI_FILE as u64 + 1).read_to_end(&mut bytes).map_err(|e| failed("cannot be read", e))?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => {
                let line = 1 + e.as_bytes().iter().take(e.utf8_error().valid_up_to()).filter(|b| **b == b'\n').count();
                return Err(format!("{shown}:{line}: has bytes that are not UTF-8; the file is left alone"));
            }
        };
        let new = match change(&text) {
            Ok(Some(new)) => new,
            Ok(None) => return Ok(false),
            // "12: why" becomes FILE:12: why
            Err(why) if why.starts_with(|c: char| c.is_ascii_digit()) => {
                return Err(format!("{shown}:{why}; the file is left alone"));
            }
            Err(why) => return Err(format!("{shown}: {why}; the file is left alone")),
        };
        let temporary = Temporary::write(&real, &new, &file).map_err(|e| failed("cannot be written", e))?;
        others_gone(&real);
        if !is_at(&file, &real) {
            continue;
        }
        temporary.rename(&real).map_err(|e| failed("cannot be written", e))?;
        if file.metadata().is_ok_and(|m| m.nlink() == 0) {
            // for those that wait for its lock; nobody is hurt when it fails
            let _ = file.write_all_at(new.as_bytes(), 0).and_then(|()| file.set_len(new.len() as u64));
        }
        return Ok(true);
    }
    Err(format!("{shown}: others change it all the time; try again"))
}

/// Writes a file that is ours: it begins with `header`, and nobody else's file is replaced. Mode 0644. Returns whether it was
/// written; a file that has this text already is not.
pub fn put(path: &Path, header: &str, text: &str) -> Result<bool, String> {
    let failed = |e: std::io::Error| format!("{}: cannot be written: {e}", path.display());
    let old = match ours(path, header)? {
        Some(old) if old == text => return Ok(false),
        old => old,
    };
    // a link's target, where there is one
    let real = if old.is_some() { fs::canonicalize(path).map_err(failed)? } else { path.to_path_buf() };
    Temporary::create(&real, text, 0o644, None).and_then(|temporary| temporary.rename(&real)).map_err(failed)?;
    Ok(true)
}

/// Removes a file that is ours. Returns whether there was one.
pub fn take_away(path: &Path, header: &str) -> Result<bool, String> {
    if ours(path, header)?.is_none() {
        return Ok(false);
    }
    let failed = |e: std::io::Error| format!("{}: cannot be removed: {e}", path.display());
    fs::remove_file(path).map_err(failed)?;
    sync_folder(path).map_err(failed)?;
    Ok(true)
}

/// The text of a file that begins with `header`; `None` where there is none. An error for one that is not ours.
fn ours(path: &Path, header: &str) -> Result<Option<String>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|f| f.take(bounds::UCI_FILE as u64).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.starts_with(header.as_bytes()) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Ok(_) => Err(format!(
            "{}: was not written by phoneprov and is left alone; move it away, or name another file where an option does",
            path.display()
        )),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("{}: cannot be read: {e}", path.display())),
    }
}

/// Takes the lock that libuci takes.
fn lock(file: &File) -> Result<(), String> {
    for _ in 0..(bounds::FILE_LOCK_SECONDS * 1000 / LOOK.as_millis() as u64) {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => sleep(LOOK),
            // libuci goes on without, too
            Err(Errno::NOSYS) => return Ok(()),
            Err(e) => return Err(format!("cannot be locked: {e}")),
        }
    }
    Err(format!(
        "another program has held its lock for {} s; end that program (fuser names it), and try again",
        bounds::FILE_LOCK_SECONDS
    ))
}

/// Is this open file the one at the path?
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Waits until no temporary file of libuci's for `path` is there: it has no lock any more, and is about to become `path`. One
/// that a killed program left is not waited for longer than [`bounds::FILE_OTHERS_SECONDS`].
fn others_gone(path: &Path) {
    for _ in 0..(bounds::FILE_OTHERS_SECONDS * 1000 / LOOK.as_millis() as u64) {
        if !temporaries(path).iter().any(|(_, own)| !own) {
            return;
        }
        sleep(LOOK);
    }
}

/// Temporary files for `path`, each with whether it is one of ours.
fn temporaries(path: &Path) -> Vec<(PathBuf, bool)> {
    let (Some(folder), Some(start)) = (path.parent(), start(path)) else { return Vec::new() };
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let one = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.ok()?;
        let name = entry.file_name();
        let rest = name.to_str()?.strip_prefix(&start)?;
        let own = rest.starts_with(MARK);
        (own || rest.len() == 6).then(|| (entry.path(), own))
    };
    entries.filter_map(one).take(bounds::FILE_TEMPORARIES).collect()
}

/// `.dhcp.uci-`
fn start(path: &Path) -> Option<String> {
    Some(format!(".{}.uci-", path.file_name()?.to_str()?))
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// A temporary file of ours, locked as long as it is in use; dropped, it is gone.
struct Temporary {
    path: PathBuf,
    _file: File,
}

impl Temporary {
    /// With the mode and owner of `like`.
    fn write(target: &Path, text: &str, like: &File) -> std::io::Result<Temporary> {
        let meta = like.metadata()?;
        Temporary::create(target, text, meta.mode() & 0o7777, Some((meta.uid(), meta.gid())))
    }

    fn create(target: &Path, text: &str, mode: u32, owner: Option<(u32, u32)>) -> std::io::Result<Temporary> {
        let start = start(target).ok_or(std::io::ErrorKind::InvalidInput)?;
        remove_left_over(target);
        let path = target.with_file_name(format!("{start}{MARK}{}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let temporary = Temporary { path, _file: file.try_clone()? };
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        file.write_all(text.as_bytes())?;
        let now = file.metadata()?;
        if let Some((uid, gid)) = owner.filter(|owner| *owner != (now.uid(), now.gid())) {
            rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        // after the owner, for that takes some bits away
        file.set_permissions(fs::Permissions::from_mode(Mode::from_raw_mode(mode).as_raw_mode()))?;
        file.sync_all()?;
        Ok(temporary)
    }

    fn rename(self, target: &Path) -> std::io::Result<()> {
        fs::rename(&self.path, target)?;
        // there is no such name any more for `drop` to remove
        sync_folder(target)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes temporary files that killed runs of ours left: nobody holds their locks.
fn remove_left_over(target: &Path) {
    for (path, _) in temporaries(target).into_iter().filter(|(_, own)| *own) {
        let free =
            File::open(&path).is_ok_and(|f| rustix::fs::flock(&f, FlockOperation::NonBlockingLockExclusive).is_ok());
        if free {
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn site(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dhcp");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    fn add(text: &str) -> Result<Option<String>, String> {
        Ok(Some(format!("{text}b\n")))
    }

    #[test]
    fn waits_for_what_is_about_to_take_the_name() {
        let (dir, path) = site(b"a\n");
        // uci commit between giving the lock back and renaming
        let theirs = dir.path().join(".dhcp.uci-Xy12ab");
        fs::write(&theirs, "a\nnew\n").unwrap();
        let target = path.clone();
        let renames = std::thread::spawn(move || {
            sleep(Duration::from_millis(200));
            fs::rename(theirs, target).unwrap();
        });
        assert_eq!(edit(&path, &add), Ok(true));
        renames.join().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\nnew\nb\n");
    }

    #[test]
    fn what_killed_programs_left_does_not_stop_it() {
        let (dir, path) = site(b"a\n");
        let names = [".dhcp.uci-abcdef", ".dhcp.uci-phoneprov1", ".dhcp.uci-phoneprov4194305", ".other.uci-phoneprov1"];
        names.iter().for_each(|n| fs::write(dir.path().join(n), "half").unwrap());
        let own = format!(".dhcp.uci-phoneprov{}", std::process::id());
        fs::write(dir.path().join(own), "half").unwrap();
        assert_eq!(edit(&path, &add), Ok(true));
        let mut left: Vec<String> =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        // theirs is theirs to remove
        assert_eq!(left, [".dhcp.uci-abcdef", ".other.uci-phoneprov1", "dhcp"]);
    }

    #[test]
    fn left_alone() {
        let (dir, path) = site(b"a\n");
        let before = fs::metadata(&path).unwrap();
        assert_eq!(edit(&path, &|_| Ok(None)), Ok(false));
        let shown = path.display();
        assert_eq!(edit(&path, &|_| Err("7: no".into())), Err(format!("{shown}:7: no; the file is left alone")));
        assert_eq!(edit(&path, &|_| Err("no".into())), Err(format!("{shown}: no; the file is left alone")));
        let after = fs::metadata(&path).unwrap();
        assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::write(&path, b"a\n\xff").unwrap();
        assert!(edit(&path, &add).unwrap_err().starts_with(&format!("{shown}:2: has bytes")));
        assert!(edit(dir.path(), &add).unwrap_err().contains("cannot be opened"));
        assert!(edit(&dir.path().join("none"), &add).unwrap_err().contains("cannot be opened"));
    }

    #[test]
    fn mode_and_owner_stay() {
        let (_dir, path) = site(b"a\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        // where the tests are root
        let owner =
            rustix::process::getuid().is_root().then(|| std::os::unix::fs::chown(&path, Some(7), Some(8)).unwrap());
        assert_eq!(edit(&path, &add), Ok(true));
        let meta = fs::metadata(&path).unwrap();
        assert_eq!(meta.mode() & 0o7777, 0o604);
        assert!(owner.is_none() || (meta.uid(), meta.gid()) == (7, 8));
    }

    #[test]
    fn a_file_of_ones_own() {
        let (dir, path) = site(b"# ours\nold\n");
        assert_eq!(put(&path, "# ours", "# ours\nnew\n"), Ok(true));
        assert_eq!(put(&path, "# ours", "# ours\nnew\n"), Ok(false));
        assert_eq!(take_away(&path, "# ours"), Ok(true));
        assert_eq!(take_away(&path, "# ours"), Ok(false));
        assert_eq!(put(&path, "# ours", "# ours\n"), Ok(true));
        fs::write(&path, "theirs").unwrap();
        assert!(put(&path, "# ours", "# ours\n").unwrap_err().contains("was not written by phoneprov"));
        assert!(take_away(&path, "# ours").is_err());
        assert!(put(&dir.path().join("none/x"), "# ours", "# ours\n").unwrap_err().contains("cannot be written"));
    }
}
