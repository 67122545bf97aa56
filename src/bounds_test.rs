//! docs/bounds.md has a row for each bound, with its value, and each row names a test that exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn each_bound_has_a_row_and_each_row_a_test() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = include_str!("bounds.rs");
    let table = fs::read_to_string(top.join("docs/bounds.md")).unwrap();
    let mut rows = BTreeSet::new();
    for row in table.lines().filter(|l| l.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").map(|c| c.trim_matches(['|', ' '])).collect();
        let [name, value, beyond, met] = cells[..] else { panic!("four cells: {row}") };
        let (name, value) = (name.trim_matches('`'), value.trim_matches('`'));
        assert!(rows.insert(name.to_string()), "{name} has two rows");
        let line = source.lines().find(|l| l.starts_with(&format!("pub const {name}: ")));
        let line = line.unwrap_or_else(|| panic!("there is no bound {name}"));
        assert!(line.ends_with(&format!(" = {value};")), "{name} is not {value}: {line}");
        assert!(!beyond.is_empty(), "{name}: what happens beyond it?");
        let (file, test) = met.trim_matches('`').split_once("` `").unwrap_or_else(|| panic!("file and test: {met}"));
        let text = fs::read_to_string(top.join(file)).unwrap_or_else(|e| panic!("{name}: {file}: {e}"));
        let there = text.contains(&format!("fn {test}(")) && text.contains("#[test]");
        assert!(there, "{name}: {file} has no test {test}");
    }
    let bounds = source.lines().filter_map(|l| l.strip_prefix("pub const ")?.split(':').next());
    let missing: Vec<&str> = bounds.filter(|b| !rows.contains(*b)).collect();
    assert!(missing.is_empty(), "no row in docs/bounds.md, and perhaps no test: {missing:?}");
}
