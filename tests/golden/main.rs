//! The provisioner against recordings of the one that it succeeds: equal byte for byte, or listed in
//! `deviations.toml` with the reason. The recordings are not in this repository: without them the test says `skipped`.
//!
//! `UPDATE_DEVIATIONS=1` writes the diffs and sums of the listed cases anew, and adds new ones without a reason, which
//! then fail until somebody has read them and named it.
#![cfg(feature = "provisioner")]

mod deviations;
mod diff;
mod imports;
mod outside;
mod replay;

use deviations::Deviations;
use phoneprov::provisioner::json::Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The recordings: `shared/golden` in a folder above, or where the variable says.
fn recordings() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("PHONEPROV_GOLDEN") {
        return Some(path.into());
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|a| a.join("shared/golden")).find(|p| p.is_dir())
}

fn read(path: &Path) -> Json {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Json::parse(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What a case came to, as text: what is compared, and shown where it differs.
struct Case {
    id: String,
    recorded: Vec<u8>,
    ours: Vec<u8>,
}

#[test]
fn golden() {
    let Some(folder) = recordings() else {
        println!("golden: skipped: no folder shared/golden above this one");
        return;
    };
    let listed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/deviations.toml");
    let mut deviations = Deviations::read(&listed);
    let update = std::env::var_os("UPDATE_DEVIATIONS").is_some();
    let mut cases: Vec<Case> = replay::all(&folder);
    cases.extend(imports::all(&folder));
    let mut equal = 0;
    let mut by_row: BTreeMap<String, usize> = BTreeMap::new();
    let mut deviating = 0;
    let mut failing = Vec::new();
    for case in &cases {
        if case.recorded == case.ours {
            equal += 1;
            if deviations.get(&case.id).is_some() {
                failing.push(format!("{}: is listed, and equal", case.id));
            }
            continue;
        }
        if update {
            deviations.set(&case.id, &case.recorded, &case.ours);
        }
        match deviations.get(&case.id).map(|d| (d, d.explains(&case.recorded, &case.ours))) {
            None => failing.push(format!(
                "{}: differs, and is not listed:\n{}",
                case.id,
                diff::lines(&case.recorded, &case.ours)
            )),
            Some((_, Err(why))) => failing.push(format!("{}: {why}", case.id)),
            Some((deviation, Ok(()))) => {
                deviating += 1;
                for row in &deviation.rows {
                    if !deviations.rows.contains_key(row) {
                        failing.push(format!("{}: '{row}' is no row", case.id));
                    }
                    *by_row.entry(row.clone()).or_default() += 1;
                }
            }
        }
    }
    for id in deviations.ids() {
        if !cases.iter().any(|c| c.id == id) {
            failing.push(format!("{id}: listed, and there is no such case"));
        }
    }
    for row in deviations.rows.keys() {
        if !by_row.contains_key(row) {
            failing.push(format!("row '{row}': no case needs it"));
        }
    }
    if update {
        deviations.write(&listed);
    }
    println!("golden: {} cases: {equal} equal, {deviating} deviating, {} failing", cases.len(), failing.len());
    for (row, count) in &by_row {
        println!("golden: {count:>4} {row}: {}", deviations.rows.get(row).map_or("?", String::as_str));
    }
    assert!(cases.len() > 100, "only {} cases in {}", cases.len(), folder.display());
    assert!(failing.is_empty(), "{}", failing.join("\n"));
}
