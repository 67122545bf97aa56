//! UCI files (`/etc/config/*`): a total, bounded reader that knows the line of everything, and a writer of the form
//! that `uci commit` leaves behind.
//!
//! The grammar is that of OpenWrt's libuci, seen from outside: `package NAME`, `config TYPE ['NAME']`, `option K V`,
//! `list K V`, one a line or parted by `;`. A word is made of bare text, `'…'` (no escapes) and `"…"` (a backslash
//! takes the next character as it is) that touch each other: `'it'\''s all'`. A `#` outside quotes begins a comment,
//! even in the middle of a word; a backslash before the line's end continues it; quoted text may run over lines.
//!
//! Compared with the real `uci` over thousands of generated files, this reader takes a little more: a continuation
//! among blanks, and a second command after `bare;` (which libuci loses). It reads nothing differently.

mod read;
#[cfg(test)]
mod test;
mod write;

pub use read::{parse, parse_all, parse_with_places, Span};
pub use write::write;

use std::collections::HashMap;
use std::fmt;

/// A UCI file as it is written: every entry in its place. [`File::merged`] makes of it what it means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Name of the last `package` line. Files in `/etc/config` have none: there the file's name counts.
    pub package: Option<String>,
    /// In file order.
    pub sections: Vec<Section>,
}

/// `config TYPE ['NAME']` with its options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Line of the `config`, from 1; 0 when made by the program.
    pub line: u32,
    /// `interface` in `config interface 'lan'`.
    pub kind: String,
    /// `lan` in `config interface 'lan'`; `None` for an anonymous section.
    pub name: Option<String>,
    /// In file order.
    pub entries: Vec<Entry>,
}

/// One `option` or `list` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Line where it begins, from 1; 0 when made by the program.
    pub line: u32,
    /// Option name.
    pub name: String,
    /// Value without quotes. UCI reads over an `option` whose value is empty.
    pub value: String,
    /// `list` rather than `option`?
    pub list: bool,
}

/// A syntax error: where, and what would be right. Values are never quoted in it, for they may be secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// From 1.
    pub line: u32,
    /// One clause, without the line.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl Section {
    /// An empty section; `None` for an anonymous one.
    pub fn new(kind: &str, name: Option<&str>) -> Section {
        Section { line: 0, kind: kind.into(), name: name.map(Into::into), entries: Vec::new() }
    }

    /// Adds `option NAME 'VALUE'` at the end.
    pub fn option(&mut self, name: &str, value: impl Into<String>) -> &mut Section {
        self.entries.push(Entry { line: 0, name: name.into(), value: value.into(), list: false });
        self
    }

    /// Adds `list NAME 'VALUE'` at the end.
    pub fn item(&mut self, name: &str, value: impl Into<String>) -> &mut Section {
        self.entries.push(Entry { line: 0, name: name.into(), value: value.into(), list: true });
        self
    }

    /// The value that counts of an option: the last one written that is not empty. Of a list, its last item.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries.iter().rev().find(|e| e.name == name && !e.value.is_empty()).map(|e| e.value.as_str())
    }
}

impl File {
    /// What the file means to UCI: sections of one name are one section, at the first one's place; a later `option`
    /// replaces what was there, an empty one is as if it were not written; `list` adds to what was there, and its
    /// items stand together.
    pub fn merged(&self) -> File {
        let mut out = File { package: self.package.clone(), sections: Vec::new() };
        let mut at: HashMap<&str, usize> = HashMap::new();
        for section in &self.sections {
            let known = section.name.as_deref().and_then(|name| at.get(name)).and_then(|i| out.sections.get_mut(*i));
            if let Some(first) = known {
                first.entries.extend(section.entries.iter().cloned());
                continue;
            }
            if let Some(name) = section.name.as_deref() {
                at.insert(name, out.sections.len());
            }
            out.sections.push(section.clone());
        }
        for section in &mut out.sections {
            section.entries = merged_entries(std::mem::take(&mut section.entries));
        }
        out
    }
}

/// One group of entries for each name; groups in the order in which their names came to stay.
fn merged_entries(entries: Vec<Entry>) -> Vec<Entry> {
    let mut groups: Vec<Vec<Entry>> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    for mut entry in entries {
        if entry.value.is_empty() && !entry.list {
            continue;
        }
        let group = at.get(&entry.name).and_then(|i| groups.get_mut(*i));
        match group {
            Some(group) if entry.list => {
                // an option that a list follows is the list's first item
                group.iter_mut().for_each(|e| e.list = true);
                entry.list = true;
                group.push(entry);
            }
            Some(group) => {
                group.clear();
                group.push(entry);
            }
            None => {
                at.insert(entry.name.clone(), groups.len());
                groups.push(vec![entry]);
            }
        }
    }
    groups.into_iter().flatten().collect()
}
