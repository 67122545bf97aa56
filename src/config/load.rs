//! Opens a config file.

use super::problem::{Problem, Problems};
use super::read::{finish, read_all, Loaded};
use super::vendors::KnownVendor;
use crate::bounds;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Reads the config file at `path`, with [`super::Config::read`]'s rules. A file that holds a password and that
/// others may read is warned of; one that others may write is refused.
pub fn load(path: &Path, known: &[KnownVendor]) -> Result<Loaded, Problems> {
    let name = path.display().to_string();
    let fatal =
        |line: u32, message: String| Err(Problems(vec![Problem { file: name.clone(), line, message, fatal: true }]));
    let mut bytes = Vec::new();
    let opened = File::open(path).and_then(|file| {
        let meta = file.metadata()?;
        file.take(bounds::UCI_FILE as u64 + 1).read_to_end(&mut bytes)?;
        Ok(meta)
    });
    let meta = match opened {
        Ok(meta) => meta,
        Err(error) => {
            return fatal(
                0,
                match error.kind() {
                    ErrorKind::NotFound => "there is no such file; name another with --config".into(),
                    _ => format!("cannot be read: {error}"),
                },
            );
        }
    };
    let mode = meta.mode();
    // whoever may write it says where all phones get their configs from
    if mode & 0o022 != 0 {
        let message =
            format!("can be written by others (mode {:04o}); look at it, then run: chmod 600 {name}", mode & 0o7777);
        return fatal(0, message);
    }
    let us = rustix::process::geteuid().as_raw();
    if meta.uid() != 0 && meta.uid() != us {
        let message =
            format!("belongs to user {}, who can change it; look at it, then run: chown root {name}", meta.uid());
        return fatal(0, message);
    }
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        // cut at the bound, possibly within a character: the reader tells that it is too large
        Err(_) if bytes.len() > bounds::UCI_FILE => {
            return fatal(0, format!("is larger than {} KiB", bounds::UCI_FILE / 1024));
        }
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or(&[]);
            let line = before.iter().filter(|b| **b == b'\n').count() as u32 + 1;
            return fatal(line, "has a character that is not UTF-8; write it in ASCII or UTF-8".into());
        }
    };
    let (config, mut problems) = read_all(text, &name, known, cfg!(feature = "https"));
    // root may let the agent's group read what is his
    let (mode, allowed) = (meta.mode(), if meta.uid() == 0 { 0o740 } else { 0o700 });
    if mode & 0o777 & !allowed != 0 && !config.agent.provpass.is_empty() {
        let message = format!(
            "holds provpass, but others than its owner have access (mode {:04o}); run: chmod 600 {name}",
            mode & 0o7777
        );
        problems.insert(0, Problem { file: name.clone(), line: 0, message, fatal: false });
    }
    finish(config, problems)
}

#[cfg(test)]
mod test {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(bytes: &[u8], mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("phoneprov");
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_password_that_others_can_read_is_warned_of() {
        let text = b"config agent 'main'\n\toption provpass 'geheim'\n";
        let by_root = rustix::process::geteuid().is_root();
        let group = if by_root { 0 } else { 1 };
        for (mode, warnings) in [(0o600, 0), (0o400, 0), (0o640, group), (0o604, 1)] {
            let (_dir, path) = file(text, mode);
            let loaded = load(&path, &[]).unwrap();
            assert_eq!(loaded.warnings.len(), warnings, "{mode:o} {:?}", loaded.warnings);
            if let Some(w) = loaded.warnings.first() {
                assert_eq!(w.line, 0);
                assert!(w.message.contains("chmod 600") && !w.message.contains("geheim"), "{w}");
            }
        }
        let (_dir, path) = file(b"config agent 'main'\n", 0o644);
        assert_eq!(load(&path, &[]).unwrap().warnings, []);
    }

    #[test]
    fn a_file_that_others_can_change_is_refused() {
        let text = b"config agent 'main'\n\toption provpass 'geheim'\n";
        for mode in [0o620, 0o602, 0o666] {
            let (_dir, path) = file(text, mode);
            let problems = load(&path, &[]).unwrap_err().0;
            assert!(problems[0].fatal && problems[0].message.contains("can be written by others"), "{mode:o}");
        }
        if rustix::process::geteuid().is_root() {
            let (_dir, path) = file(text, 0o600);
            std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
            let problems = load(&path, &[]).unwrap_err().0;
            assert!(
                problems[0].message.contains("belongs to user 65534") && problems[0].message.contains("chown root")
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_fatal() {
        let (dir, path) = file(b"config agent 'main'\n\toption provpass 'g\xff'\n", 0o600);
        let problems = load(&path, &[]).unwrap_err().0;
        assert_eq!((problems.len(), problems[0].line, problems[0].fatal), (1, 2, true));
        let problems = load(&dir.path().join("none"), &[]).unwrap_err().0;
        assert!(problems[0].fatal && problems[0].message.contains("no such file"), "{problems:?}");
        let problems = load(dir.path(), &[]).unwrap_err().0;
        assert!(problems[0].fatal && problems[0].message.contains("cannot be read"), "{problems:?}");
        let (_dir, path) = file(&vec![b'#'; bounds::UCI_FILE + 10], 0o600);
        assert!(load(&path, &[]).unwrap_err().to_string().contains("larger than 1024 KiB"));
    }
}
