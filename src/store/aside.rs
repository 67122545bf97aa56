//! Damaged files: moved to a folder of their own, where an admin can look at them and nothing serves them.

use super::disk::{Disk, Folder};
use super::error::StoreError;
use super::name;
use crate::proto::mac::Mac;

/// Files kept in the folder. More damage than this is a dying flash, and the next file tells nothing new.
const FILES: usize = 16;
/// Bytes kept in the folder; the newest file stays whatever its size.
const BYTES: u64 = 1024 * 1024;
const SUFFIX: &str = ".damaged";

/// Moves `file` of a phone's folder aside and returns a sentence about it. The sentence also says when that could not
/// be done; then the file stays where it is and is used for nothing.
pub(super) fn set_aside(disk: &Disk, root: &Folder, mac: Mac, folder: &Folder, file: &str, why: &str) -> String {
    let what = format!("{}/{}/{file}: {why}", name::CONFIGS, mac.hex());
    match shift(disk, root, mac, folder, file) {
        Ok(to) => format!("{what}; set aside as {}/{to}", name::DAMAGED),
        Err(error) => format!("{what}; left there unused, as it could not be set aside: {error}"),
    }
}

fn shift(disk: &Disk, root: &Folder, mac: Mac, from: &Folder, file: &str) -> Result<String, StoreError> {
    let damaged = match root.folder(name::DAMAGED) {
        Err(error) if error.errno() == Some(rustix::io::Errno::NOENT) => {
            disk.make_folder(root, name::DAMAGED)?;
            root.folder(name::DAMAGED)?
        }
        other => other?,
    };
    // numbered, because the clock of a router says nothing about which came first
    let mut files = list(&damaged)?;
    let seq = files.last().map_or(1, |(seq, _)| seq.saturating_add(1));
    let to = format!("{seq:06}-{}-{file}{SUFFIX}", mac.hex());
    disk.rename(from, file, &damaged, &to)?;
    files.push((seq, to.clone()));
    let mut bytes = 0u64;
    for (at, (_, old)) in files.iter().rev().enumerate() {
        bytes = bytes.saturating_add(damaged.size(old));
        if at > 0 && (at >= FILES || bytes > BYTES) {
            disk.unlink(&damaged, old)?;
        }
    }
    Ok(to)
}

/// Removes what was set aside of a phone.
pub(super) fn forget(disk: &Disk, root: &Folder, mac: Mac) -> Result<(), StoreError> {
    let Ok(damaged) = root.folder(name::DAMAGED) else { return Ok(()) };
    for (_, file) in list(&damaged)? {
        if file.split('-').nth(1) == Some(mac.hex().as_str()) {
            disk.unlink(&damaged, &file)?;
        }
    }
    Ok(())
}

/// Our files, oldest first.
fn list(damaged: &Folder) -> Result<Vec<(u32, String)>, StoreError> {
    let mut files = Vec::new();
    for file in damaged.names()? {
        let seq = file.split('-').next().and_then(|seq| seq.parse().ok());
        if let (Some(seq), true) = (seq, file.ends_with(SUFFIX)) {
            files.push((seq, file));
        }
    }
    files.sort();
    Ok(files)
}
