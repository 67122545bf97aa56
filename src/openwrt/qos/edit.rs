//! The text of a file with ours in it, or without.

use super::{File, PREFIX};
use crate::openwrt::sections::{bare, put_before, replace, Ours};
use crate::openwrt::settings::{self, borrow, give_back, Borrowed};
use crate::proto::uci::{self, Section};

/// What of ours is to be in a file; by default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Sections of ours, in this order.
    pub sections: Vec<Section>,
    /// Options of ours in a section of others.
    pub borrowed: Option<Borrowed>,
}

/// Types whose order among themselves counts; ours are of the first of these types, and stand before those of others.
const ORDERED: [&[&str]; 2] = [&["classify"], &["reclassify", "default"]];

fn ours(file: File) -> Ours {
    let kinds: &[&str] = match file {
        File::Qos => &["classify", "reclassify", settings::MEMORY.0],
        File::Firewall => &["rule"],
        File::Sqm => &["queue"],
        File::Qosify => &[settings::MEMORY.0],
    };
    Ours { prefix: PREFIX, kinds }
}

/// Sections that may be borrowed in a file.
const BORROWED: &str = "interface";

/// The text without anything of ours.
pub(super) fn without(text: &str, file: File) -> Result<String, String> {
    let given = give_back(text, BORROWED)?;
    Ok(replace(&given, ours(file), &[])?.unwrap_or(given))
}

/// The text with what is asked and nothing else of ours, or `None` when it means that already. The error is `LINE: why`, or a
/// clause: why this file is left alone.
pub fn change(text: &str, file: File, ask: &Ask) -> Result<Option<String>, String> {
    let base = without(text, file)?;
    let (mut out, memory) = match &ask.borrowed {
        Some(borrowed) => borrow(&base, borrowed)?,
        None => (base, None),
    };
    let mut last = ask.sections.clone();
    for kinds in ORDERED {
        let (first, rest): (Vec<Section>, Vec<Section>) =
            last.into_iter().partition(|s| Some(&s.kind.as_str()) == kinds.first());
        if !first.is_empty() {
            out = put_before(&out, kinds, &first)?;
        }
        last = rest;
    }
    last.extend(memory);
    if !last.is_empty() {
        // a type that no section has: at the end
        out = put_before(&out, &[], &last)?;
    }
    if out == text || means_the_same(text, &out)? {
        return Ok(None);
    }
    Ok(Some(out))
}

/// The same sections, and those whose order counts in the same order.
fn means_the_same(a: &str, b: &str) -> Result<bool, String> {
    let read = |text: &str| -> Result<Vec<Section>, String> {
        let file = uci::parse(text).map_err(|e| format!("{}: {}", e.line, e.message))?;
        Ok(file.merged().sections.iter().map(bare).collect())
    };
    let (a, b) = (read(a)?, read(b)?);
    let in_order = |all: &[Section]| -> Vec<Vec<Section>> {
        let of = |kinds: &[&str]| all.iter().filter(|s| kinds.contains(&s.kind.as_str())).cloned().collect();
        ORDERED.iter().map(|kinds| of(kinds)).collect()
    };
    Ok(a.len() == b.len() && a.iter().all(|s| b.contains(s)) && in_order(&a) == in_order(&b))
}
