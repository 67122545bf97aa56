//! May we trust what is in our folders, and write there? Not where another user could change it: stored configs would
//! be his, and what we write as root would go where his links lead.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Checks `dir`, the value of `option`. One that is not there is good: it is made by us. The error says what to do.
pub(crate) fn check(option: &str, dir: &Path) -> Result<(), String> {
    let us = rustix::process::geteuid().as_raw();
    let trusted = |uid: u32| uid == us || uid == 0;
    let failed = |why: String| Err(format!("option {option}: {} {why}", dir.display()));
    let entry = match std::fs::symlink_metadata(dir) {
        Ok(entry) => entry,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return failed(format!("cannot be looked at: {e}")),
    };
    if entry.is_symlink() && !trusted(entry.uid()) {
        return failed(format!("is a link made by user {}: remove it, or name another folder", entry.uid()));
    }
    let folder = match std::fs::metadata(dir) {
        Ok(folder) => folder,
        Err(e) => return failed(format!("is a link that leads nowhere: {e}; remove it, or make the folder it names")),
    };
    if !folder.is_dir() {
        return failed("is no folder: remove it, or name another".into());
    }
    if !trusted(folder.uid()) {
        return failed(format!(
            "belongs to user {}, who could change what is in it: look at it, then run chown root, or name another folder",
            folder.uid()
        ));
    }
    if folder.mode() & 0o022 != 0 {
        return failed(format!(
            "can be written by others (mode {:04o}): look at what is in it, then run chmod 700 {}",
            folder.mode() & 0o7777,
            dir.display()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod test {
    use super::*;
    use std::fs::{set_permissions, Permissions};
    use std::os::unix::fs::{lchown, symlink, PermissionsExt};

    #[test]
    fn whose_folder_it_is() {
        let top = tempfile::tempdir().unwrap();
        let dir = top.path().join("state");
        assert_eq!(check("state_dir", &dir), Ok(()), "not there yet");
        std::fs::create_dir(&dir).unwrap();
        for (mode, good) in [(0o700, true), (0o755, true), (0o770, false), (0o702, false), (0o1777, false)] {
            set_permissions(&dir, Permissions::from_mode(mode)).unwrap();
            let said = check("state_dir", &dir);
            assert_eq!(said.is_ok(), good, "{mode:o} {said:?}");
            if let Err(why) = said {
                assert!(why.starts_with("option state_dir: ") && why.contains("chmod 700"), "{why}");
            }
        }
        set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
        let link = top.path().join("link");
        symlink(&dir, &link).unwrap();
        assert_eq!(check("state_dir", &link), Ok(()), "an admin may have put it on a stick");
        symlink("nowhere", top.path().join("dead")).unwrap();
        assert!(check("state_dir", &top.path().join("dead")).unwrap_err().contains("leads nowhere"));
        std::fs::write(top.path().join("file"), "").unwrap();
        assert!(check("run_dir", &top.path().join("file")).unwrap_err().contains("is no folder"));
        // only root can give files away
        if rustix::process::geteuid().is_root() {
            lchown(&link, Some(65_534), None).unwrap();
            assert!(check("state_dir", &link).unwrap_err().contains("a link made by user 65534"));
            lchown(&dir, Some(65_534), None).unwrap();
            assert!(check("state_dir", &dir).unwrap_err().contains("belongs to user 65534"));
        }
    }
}
