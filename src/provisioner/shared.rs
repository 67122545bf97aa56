//! Files that are the same for all phones of a brand (firmware, languages): `/prov/snom/firmware/x.bin` is
//! `snom/firmware/x.bin` in a folder.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// In a store's folder: where they are if no other folder is named.
pub const FOLDER: &str = "files";
/// Of all of them: no phone asks.
pub const CONTENT_TYPE: &str = "application/octet-stream";

/// A file that is there.
pub struct Opened {
    /// To be read from its beginning.
    pub file: File,
    /// Bytes.
    pub size: u64,
    /// Changes with the file.
    pub etag: String,
}

/// The name below the folder for what follows `/prov/` in a URL. `None` for what can be no file's: an empty part, one
/// that begins with a dot, or a character that is no file name's.
pub fn name(below: &str) -> Option<String> {
    let parts: Option<Vec<String>> = below.split('/').map(part).collect();
    let parts = parts.filter(|p| p.len() > 1)?;
    Some(parts.join("/"))
}

fn part(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        bytes.push(match b {
            b'%' => (digit(rest.next())? << 4 | digit(rest.next())?) as u8,
            b => b,
        });
    }
    let name = String::from_utf8(bytes).ok()?;
    let plain =
        !name.is_empty() && !name.starts_with('.') && !name.chars().any(|c| c.is_control() || "/\\".contains(c));
    plain.then_some(name)
}

/// Opens a file by its name as [`name`] gives it. `None` where there is none, or a link that leads out of the folder.
pub fn open(root: &Path, name: &str) -> Option<Opened> {
    let path = root.join(name).canonicalize().ok()?;
    if !path.starts_with(root.canonicalize().ok()?) {
        return None;
    }
    // not before it is known to be a file: the opening of a pipe would wait
    path.metadata().ok().filter(|m| m.is_file())?;
    let file = File::open(path).ok()?;
    let metadata = file.metadata().ok().filter(|m| m.is_file())?;
    let etag = format!("\"{:x}-{:x}-{:x}\"", metadata.mtime(), metadata.mtime_nsec(), metadata.size());
    Some(Opened { file, size: metadata.size(), etag })
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn names() {
        for (below, right) in [
            ("snom/firmware/snom370-8.7.3.25-SIP-f.bin", Some("snom/firmware/snom370-8.7.3.25-SIP-f.bin")),
            ("yealink/lang/4.Espa%C3%B1ol_lang.txt", Some("yealink/lang/4.Español_lang.txt")),
            ("snom", None),
            ("snom/", None),
            ("/x", None),
            ("snom//x", None),
            ("snom/../x", None),
            ("snom/%2e%2e/x", None),
            ("snom/.x", None),
            ("snom/a%2fb", None),
            ("snom/a%5cb", None),
            ("snom/a%00", None),
            ("snom/a%f", None),
            ("snom/%ff", None),
        ] {
            assert_eq!(name(below).as_deref(), right, "{below}");
        }
    }

    #[test]
    fn nothing_outside_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("files");
        std::fs::create_dir_all(root.join("snom/inner")).unwrap();
        std::fs::write(root.join("snom/a.bin"), "12345").unwrap();
        std::fs::write(dir.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink("../../secret", root.join("snom/out")).unwrap();
        std::os::unix::fs::symlink("a.bin", root.join("snom/in")).unwrap();
        assert!(open(&root, "snom/a.bin").is_some_and(|o| o.size == 5));
        assert!(open(&root, "snom/in").is_some());
        for no in ["snom/out", "snom/inner", "snom/none", "../secret"] {
            assert!(open(&root, no).is_none(), "{no}");
        }
    }

    proptest::proptest! {
        #[test]
        fn names_stay_below(below in "\\PC{0,40}|(snom/)?([.%2eEfF/\\\\]|[a-z]){0,20}") {
            if let Some(name) = name(&below) {
                proptest::prop_assert!(name.split('/').all(|p| !p.is_empty() && !p.starts_with('.')));
                proptest::prop_assert!(name.contains('/') && !name.contains(['\\', '\0']));
            }
        }
    }
}
