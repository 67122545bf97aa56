//! The atomic write: a name has its old bytes or its new bytes, at every instant.

use super::disk::{Disk, Folder};
use super::error::StoreError;
use super::name;
use rustix::io::Errno;

/// Makes `target` in `folder` have these bytes. When this returns, they are on the disk under that name. After an
/// error the name has what it had before, or all of the new bytes when only the last step failed
/// ([`Unwritten::renamed`]); the temporary file is gone unless the disk refuses that too, and then the next write or
/// the next start removes it.
pub(super) fn replace(disk: &Disk, folder: &Folder, target: &str, parts: &[&[u8]]) -> Result<(), Unwritten> {
    if let Err(error) = prepare(disk, folder, target, parts) {
        let _ = disk.unlink(folder, name::WRITING); // the first error is the one that matters
        return Err(Unwritten { error, renamed: false });
    }
    disk.sync_folder(folder).map_err(|error| Unwritten { error, renamed: true })
}

/// Why a write is not known to be on the disk.
pub(super) struct Unwritten {
    pub(super) error: StoreError,
    /// Does the name have the new bytes already, though perhaps not after a power cut?
    pub(super) renamed: bool,
}

fn prepare(disk: &Disk, folder: &Folder, target: &str, parts: &[&[u8]]) -> Result<(), StoreError> {
    let path = folder.path.join(name::WRITING);
    let mut file = match disk.create(folder, name::WRITING) {
        Err(error) if error.errno() == Some(Errno::EXIST) => {
            // what an earlier failure could not remove: writes are one at a time, so it is nobody else's
            disk.unlink(folder, name::WRITING)?;
            disk.create(folder, name::WRITING)?
        }
        other => other?,
    };
    for part in parts {
        disk.write(&mut file, &path, part)?;
    }
    disk.sync(&file, &path)?;
    drop(file);
    disk.rename(folder, name::WRITING, folder, target)
}
