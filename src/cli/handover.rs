//! Gives the agent's folders to the user that it becomes.
//!
//! That user may have been taken over by an attacker, and what is in these folders is then of his choosing, while we
//! are root. So everything is done through open descriptors: no link is followed, a name that changes under us leads
//! nowhere else, and a file with a second name (a hard link to somebody else's file) is left alone.

use super::user::User;
use crate::config::Agent;
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Folders in each other: the store has three, and documents are up to eight deep in a folder of it.
const DEPTH: u8 = 10;
/// Entries looked at in one folder, as the store does.
const ENTRIES: usize = 65_536;

/// Makes `state_dir` and `run_dir` where they are missing, and gives them with all that is in them to `user`; so, too, the folder of
/// documents of an upstream `file://`, which holds passwords of phones as `state_dir` does.
///
/// # Errors
/// A sentence that names the folder. One that is in use for something else (`option state_dir '/etc'`), or that another
/// user made, is not taken.
pub(super) fn folders(agent: &Agent, user: &User) -> Result<(), String> {
    for (option, path) in [("state_dir", &agent.state_dir), ("run_dir", &agent.run_dir)] {
        // what an admin has put there already, before the agent was there
        let documents = agent.documents().and_then(|d| d.strip_prefix(path).ok()?.iter().next()?.to_str());
        folder(path, documents, user).map_err(|why| format!("{option} {}: {why}", path.display()))?;
    }
    // of its documents the agent says itself what it cannot read
    if let Some(path) = agent.documents().filter(|path| !path.starts_with(&agent.state_dir)) {
        // a disk that is not there yet must not look like an office without phones
        let given = if path.is_dir() { folder(path, None, user) } else { Ok(()) };
        if let Err(why) = given {
            log::warn!("upstream file://{}: {why}", path.display());
        }
    }
    Ok(())
}

/// One folder; `known` is a name that it may hold though others than root can look into it.
fn folder(path: &Path, known: Option<&str>, user: &User) -> Result<(), String> {
    use std::os::unix::fs::DirBuilderExt;
    let words = |e: Errno| std::io::Error::from(e).to_string();
    if !path.is_dir() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|e| format!("cannot be made: {e}"))?;
    }
    let top = top(path)?;
    let stat = rustix::fs::fstat(&top).map_err(words)?;
    if stat.st_uid != user.uid {
        // what another user put there would count as ours
        if stat.st_uid != 0 {
            let (owner, path) = (stat.st_uid, path.display());
            return Err(format!(
                "belongs to user {owner}; look at what is in it, then run: chown -R {} {path}",
                user.name
            ));
        }
        let open = Mode::from_raw_mode(stat.st_mode).intersects(Mode::RWXG | Mode::RWXO);
        if open && names(top.as_fd()).map_err(words)?.any(|name| known != Some(name.as_str())) {
            return Err("is a folder of root's with files in it; name one for the agent alone, or an empty one".into());
        }
        if open && known.is_some() {
            rustix::fs::fchmod(&top, Mode::RWXU).map_err(words)?;
        }
    }
    give(top.as_fd(), &stat, user).map_err(words)?;
    inside(top.as_fd(), &stat, user, DEPTH);
    Ok(())
}

/// Opens the folder itself. It may be a link that root made, to a larger disk.
fn top(path: &Path) -> Result<OwnedFd, String> {
    let words = |e: Errno| std::io::Error::from(e).to_string();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags | OFlags::NOFOLLOW, Mode::empty()) {
        Err(Errno::LOOP | Errno::NOTDIR) => {
            let owner = rustix::fs::lstat(path).map_err(words)?.st_uid;
            if owner != 0 {
                return Err(format!("is a link, or no folder, of user {owner}; remove it, or name another folder"));
            }
            rustix::fs::open(path, flags, Mode::empty()).map_err(words)
        }
        other => other.map_err(words),
    }
}

/// All in an open folder. What cannot be had stays as it is: the agent reports what it cannot read.
fn inside(folder: BorrowedFd<'_>, top: &Stat, user: &User, depth: u8) {
    let Ok(names) = names(folder) else { return };
    for name in names {
        let Ok(entry) = open(folder, &name, OFlags::PATH) else { continue };
        let Ok(stat) = rustix::fs::fstat(&entry) else { continue };
        // another file system is mounted here: not ours
        if stat.st_dev != top.st_dev {
            continue;
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                // opened anew for reading: it may be another folder by now, so it is looked at again
                let Ok(folder) = open(folder, &name, OFlags::RDONLY | OFlags::DIRECTORY) else { continue };
                let Ok(stat) = rustix::fs::fstat(&folder) else { continue };
                let given = give(folder.as_fd(), &stat, user);
                if given.is_ok() && stat.st_dev == top.st_dev && depth > 0 {
                    inside(folder.as_fd(), top, user, depth - 1);
                }
            }
            FileType::RegularFile | FileType::Socket if stat.st_nlink == 1 => {
                let _ = give(entry.as_fd(), &stat, user);
            }
            _ => {}
        }
    }
}

fn give(file: BorrowedFd<'_>, stat: &Stat, user: &User) -> Result<(), Errno> {
    if (stat.st_uid, stat.st_gid) == (user.uid, user.gid) {
        return Ok(()); // nothing to write to flash
    }
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    rustix::fs::chownat(file, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
}

fn open(folder: BorrowedFd<'_>, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn names(folder: BorrowedFd<'_>) -> Result<impl Iterator<Item = String>, Errno> {
    let entries = Dir::read_from(folder)?.take(ENTRIES);
    let name = |e: Result<rustix::fs::DirEntry, Errno>| e.ok()?.file_name().to_str().ok().map(str::to_string);
    Ok(entries.filter_map(name).filter(|n| n != "." && n != ".."))
}

#[cfg(test)]
mod test {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{chown, lchown, symlink, MetadataExt, PermissionsExt};

    fn someone() -> User {
        User { name: "someone".into(), uid: 65534, gid: 65533 }
    }

    fn root() -> bool {
        rustix::process::geteuid().is_root()
    }

    fn owner(path: &Path) -> (u32, u32) {
        let meta = fs::symlink_metadata(path).expect("it is there");
        (meta.uid(), meta.gid())
    }

    #[test]
    fn all_of_ours_and_nothing_else() {
        if !root() {
            eprintln!("skipped: only root can give files away");
            return;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let (state, other) = (dir.path().join("state"), dir.path().join("other"));
        fs::create_dir_all(state.join("configs/000413000001")).expect("made");
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("set");
        for file in ["configs/000413000001/phone.json", "configs/000413000001/a.1"] {
            fs::write(state.join(file), "x").expect("written");
        }
        fs::create_dir(&other).expect("made");
        fs::write(other.join("shadow"), "x").expect("written");
        symlink(other.join("shadow"), state.join("configs/link")).expect("made");
        symlink(&other, state.join("configs/folder")).expect("made");
        fs::hard_link(other.join("shadow"), state.join("configs/second-name")).expect("made");
        fs::set_permissions(other.join("shadow"), fs::Permissions::from_mode(0o640)).expect("set");

        folder(&state, None, &someone()).expect("given");
        for path in ["", "configs", "configs/000413000001", "configs/000413000001/phone.json"] {
            assert_eq!(owner(&state.join(path)), (65534, 65533), "{path}");
        }
        assert_eq!(owner(&other), (0, 0));
        assert_eq!(owner(&other.join("shadow")), (0, 0));
        assert_eq!(owner(&state.join("configs/link")), (0, 0));
        // once more: nothing is written
        let before = fs::metadata(&state).expect("there").ctime_nsec();
        folder(&state, None, &someone()).expect("given");
        assert_eq!(fs::metadata(&state).expect("there").ctime_nsec(), before);
    }

    #[test]
    fn a_folder_of_others_is_not_taken() {
        if !root() {
            eprintln!("skipped: only root can give files away");
            return;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let etc = dir.path().join("etc");
        fs::create_dir(&etc).expect("made");
        fs::set_permissions(&etc, fs::Permissions::from_mode(0o755)).expect("set");
        fs::write(etc.join("passwd"), "x").expect("written");
        let why = folder(&etc, None, &someone()).expect_err("refused");
        assert!(why.contains("a folder of root's with files in it"), "{why}");
        assert_eq!((owner(&etc), owner(&etc.join("passwd"))), ((0, 0), (0, 0)));
        // empty, it is free
        fs::remove_file(etc.join("passwd")).expect("removed");
        folder(&etc, None, &someone()).expect("given");
        assert_eq!(owner(&etc), (65534, 65533));
        // with the documents alone in it, that an admin has put there, it is taken and closed
        let early = dir.path().join("early");
        fs::create_dir_all(early.join("db/account")).expect("made");
        fs::set_permissions(&early, fs::Permissions::from_mode(0o755)).expect("set");
        folder(&early, Some("other"), &someone()).expect_err("refused");
        folder(&early, Some("db"), &someone()).expect("taken");
        assert_eq!(
            (owner(&early.join("db/account")), fs::metadata(&early).expect("there").mode() & 0o777),
            ((65534, 65533), 0o700)
        );
        // of a third user, or behind his link
        let theirs = dir.path().join("theirs");
        fs::create_dir(&theirs).expect("made");
        chown(&theirs, Some(1234), None).expect("root may");
        let why = folder(&theirs, None, &someone()).expect_err("refused");
        assert!(why.contains("belongs to user 1234") && why.contains("chown -R someone"), "{why}");
        let link = dir.path().join("link");
        let secret = dir.path().join("secret");
        fs::create_dir(&secret).expect("made");
        symlink(&secret, &link).expect("made");
        lchown(&link, Some(1234), None).expect("root may");
        let why = folder(&link, None, &someone()).expect_err("refused");
        assert!(why.contains("of user 1234"), "{why}");
        assert_eq!(owner(&secret), (0, 0));
        lchown(&link, Some(0), None).expect("root may");
        folder(&link, None, &someone()).expect("root's link is the admin's");
        assert_eq!(owner(&secret), (65534, 65533));
        // missing, it is made for us alone
        let new = dir.path().join("a/b");
        folder(&new, None, &someone()).expect("made");
        assert_eq!((owner(&new), fs::metadata(&new).expect("there").mode() & 0o777), ((65534, 65533), 0o700));
    }
}
