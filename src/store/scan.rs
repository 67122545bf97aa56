//! The look at the disk when the agent starts: what an interrupted write left is removed, every file is read and
//! checked, damaged ones are set aside, and what is not ours is left alone.

use super::aside;
use super::disk::{Disk, Folder, Unread};
use super::error::StoreError;
use super::file::{self, Wrong};
use super::limit::{Index, Kept};
use super::name;
use super::Show;
use crate::bounds;
use crate::core::types::{GenerationMeta, PhoneRecord, ResourceKey};
use crate::proto::mac::Mac;
use rustix::io::Errno;
use std::fmt::Write;

/// Generations of one key that are taken; `history` is far less.
const GENERATIONS: usize = 64;
/// Bytes of a phone's record: a few short strings, and the names of its configs where something was decided about
/// them.
pub(super) const PHONE_MAX: usize = 64 * 1024;
/// Sentences about single files; more are counted only.
const SENTENCES: usize = 64;

const FOREIGN: &str = "it belongs to another user, or others may write it";

/// One resource that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whose config, and which.
    pub key: ResourceKey,
    /// Ascending by number, never empty; the last is the last good.
    pub generations: Vec<GenerationMeta>,
    /// The config that is held beside them.
    pub candidate: Option<GenerationMeta>,
}

#[derive(Default)]
pub(super) struct Scan {
    pub(super) index: Index,
    pub(super) found: Vec<Found>,
    pub(super) phones: Vec<PhoneRecord>,
    pub(super) damaged: Vec<String>,
    tally: Tally,
}

/// What is only counted.
#[derive(Default)]
struct Tally {
    more_damaged: usize,
    not_ours: usize,
    other_version: usize,
    too_many: usize,
    unremoved: usize,
}

/// Why a stored file is not taken.
pub(super) enum Unusable {
    Missing,
    NotAFile,
    OtherVersion,
    Damaged(&'static str),
    Failed(StoreError),
}

/// Reads and checks one generation; its name and folder must say what is in it.
pub(super) fn load(folder: &Folder, mac: Mac, name: &str) -> Result<(file::Head, Vec<u8>), Unusable> {
    let bytes = match folder.read(name, file::FILE_MAX) {
        Ok(bytes) => bytes,
        Err(Unread::Missing) => return Err(Unusable::Missing),
        Err(Unread::NotAFile) => return Err(Unusable::NotAFile),
        Err(Unread::Foreign) => return Err(Unusable::Damaged(FOREIGN)),
        Err(Unread::TooLarge) => return Err(Unusable::Damaged("it is larger than any stored config")),
        Err(Unread::Failed(error)) => return Err(Unusable::Failed(error)),
    };
    let head = file::parse(&bytes).map_err(|wrong| match wrong {
        Wrong::Version => Unusable::OtherVersion,
        Wrong::Damaged(why) => Unusable::Damaged(why),
    })?;
    let stem = name::stem(&head.key);
    let fits = name == name::generation(&stem, head.meta.number) || name == name::candidate(&stem);
    if head.key.mac != mac || !fits {
        return Err(Unusable::Damaged("it is the content of another file"));
    }
    Ok((head, bytes))
}

/// Looks at all of `configs`.
pub(super) fn scan(disk: &Disk, root: &Folder, configs: &Folder, show: &mut Show<'_>) -> Result<Scan, StoreError> {
    let mut scan = Scan::default();
    let mut phones = 0;
    for entry in configs.names()? {
        if entry.starts_with(name::UNFINISHED) {
            if remove_unfinished(disk, configs, &entry).is_err() {
                scan.tally.unremoved += 1;
            }
        } else if let Some(mac) = name::parse_folder(&entry) {
            phones += 1;
            match configs.folder(&entry) {
                _ if phones > bounds::RESOURCES => scan.tally.too_many += 1,
                Ok(folder) => scan.phone(disk, root, &folder, mac, show),
                Err(error) if !matches!(error.errno(), Some(Errno::LOOP | Errno::NOTDIR)) => {
                    scan.say(error.to_string())
                }
                Err(_) => scan.tally.not_ours += 1,
            }
        } else {
            scan.tally.not_ours += 1;
        }
    }
    scan.summary();
    Ok(scan)
}

/// Removes what an interrupted write or `forget` left: a file, or a folder with its files.
pub(super) fn remove_unfinished(disk: &Disk, parent: &Folder, entry: &str) -> Result<(), StoreError> {
    let Ok(folder) = parent.folder(entry) else { return disk.unlink(parent, entry) };
    for file in folder.names()? {
        disk.unlink(&folder, &file)?;
    }
    disk.remove_folder(parent, entry)
}

impl Scan {
    fn phone(&mut self, disk: &Disk, root: &Folder, folder: &Folder, mac: Mac, show: &mut Show<'_>) {
        let names = match folder.names() {
            Ok(names) => names,
            Err(error) => return self.say(error.to_string()),
        };
        let mut generations: Vec<(&str, u32)> = Vec::new();
        let mut candidates: Vec<&str> = Vec::new();
        let begin = self.found.len();
        for entry in &names {
            if entry.starts_with(name::UNFINISHED) {
                if disk.unlink(folder, entry).is_err() {
                    self.tally.unremoved += 1;
                }
            } else if entry == name::PHONE {
                self.record(disk, root, folder, mac);
            } else if let Some(generation) = name::parse_generation(entry) {
                generations.push(generation);
            } else if name::parse_candidate(entry).is_some() {
                candidates.push(entry);
            } else {
                self.tally.not_ours += 1;
            }
        }
        generations.sort_unstable();
        for list in generations.chunk_by(|a, b| a.0 == b.0) {
            let surplus = list.len().saturating_sub(GENERATIONS);
            self.tally.too_many += surplus;
            if self.found.len() >= bounds::RESOURCES {
                self.tally.too_many += list.len() - surplus;
                continue;
            }
            let mut found: Option<Found> = None;
            for (stem, number) in list.iter().skip(surplus) {
                let file = name::generation(stem, *number);
                match load(folder, mac, &file) {
                    // two keys with one stem cannot both be written, so one of them is foreign
                    Ok((head, _)) if found.as_ref().is_some_and(|f| f.key != head.key) => self.tally.not_ours += 1,
                    Ok((head, bytes)) => {
                        self.index.add(&head.key, Kept::new(&head.meta, bytes.len() as u64));
                        show(&head.key, &head.meta, bytes.get(head.body_at..).unwrap_or_default());
                        match &mut found {
                            Some(found) => found.generations.push(head.meta),
                            None => {
                                let generations = vec![head.meta];
                                found = Some(Found { key: head.key, generations, candidate: None });
                            }
                        }
                    }
                    Err(Unusable::Missing) => {}
                    Err(Unusable::NotAFile) => self.tally.not_ours += 1,
                    Err(Unusable::OtherVersion) => self.tally.other_version += 1,
                    Err(Unusable::Damaged(why)) => {
                        let sentence = aside::set_aside(disk, root, mac, folder, &file, why);
                        self.say(sentence);
                    }
                    Err(Unusable::Failed(error)) => self.say(error.to_string()),
                }
            }
            self.found.extend(found);
        }
        for file in candidates {
            match load(folder, mac, file) {
                Ok((head, bytes)) => {
                    let own = self.found.get_mut(begin..).unwrap_or_default();
                    match own.iter_mut().find(|f| f.key == head.key) {
                        Some(found) => {
                            self.index.set_candidate(&head.key, Kept::new(&head.meta, bytes.len() as u64));
                            show(&head.key, &head.meta, bytes.get(head.body_at..).unwrap_or_default());
                            found.candidate = Some(head.meta);
                        }
                        // nothing is left that it could be held back from
                        None => {
                            if disk.unlink(folder, file).is_err() {
                                self.tally.unremoved += 1;
                            }
                        }
                    }
                }
                Err(Unusable::Missing) => {}
                Err(Unusable::NotAFile) => self.tally.not_ours += 1,
                Err(Unusable::OtherVersion) => self.tally.other_version += 1,
                Err(Unusable::Damaged(why)) => {
                    let sentence = aside::set_aside(disk, root, mac, folder, file, why);
                    self.say(sentence);
                }
                Err(Unusable::Failed(error)) => self.say(error.to_string()),
            }
        }
    }

    fn record(&mut self, disk: &Disk, root: &Folder, folder: &Folder, mac: Mac) {
        if self.phones.len() >= bounds::PHONES {
            self.tally.too_many += 1;
            return;
        }
        let why = match folder.read(name::PHONE, PHONE_MAX) {
            Ok(bytes) => match serde_json::from_slice::<PhoneRecord>(&bytes) {
                Ok(record) if Mac::parse(&record.mac) == Some(mac) => {
                    self.index.decided(mac, &record.decided);
                    return self.phones.push(record);
                }
                Ok(_) => "it is the record of another phone",
                Err(_) => "it is no phone's record",
            },
            Err(Unread::Missing) => return,
            Err(Unread::NotAFile) => {
                self.tally.not_ours += 1;
                return;
            }
            Err(Unread::Foreign) => FOREIGN,
            Err(Unread::TooLarge) => "it is larger than any phone's record",
            Err(Unread::Failed(error)) => return self.say(error.to_string()),
        };
        let sentence = aside::set_aside(disk, root, mac, folder, name::PHONE, why);
        self.say(sentence);
    }

    fn say(&mut self, sentence: String) {
        if self.damaged.len() < SENTENCES {
            self.damaged.push(sentence);
        } else {
            self.tally.more_damaged += 1;
        }
    }

    /// One line about all that was only counted.
    fn summary(&mut self) {
        let Tally { more_damaged, not_ours, other_version, too_many, unremoved } = self.tally;
        let mut line = String::new();
        for (count, what) in [
            (more_damaged, "more damaged or unreadable"),
            (not_ours, "not of the agent"),
            (other_version, "of another version of the agent"),
            (too_many, "more than the agent takes"),
            (unremoved, "unfinished that could not be removed"),
        ] {
            if count > 0 {
                _ = write!(line, "{}{count} {what}", if line.is_empty() { "files left alone: " } else { ", " });
            }
        }
        if !line.is_empty() {
            self.damaged.push(format!("{}: {line}", name::CONFIGS));
        }
    }
}
