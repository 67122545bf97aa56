//! `deviations.toml`: the rows are the defects that are corrected, the cases say which of them they show, with the
//! difference and the sum of the corrected output. Only as much of TOML as stands in that file is read.

use crate::diff;
use phoneprov::core::types::Sha256;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Default)]
pub struct Deviations {
    /// Name and sentence of each row.
    pub rows: BTreeMap<String, String>,
    cases: Vec<Deviation>,
}

#[derive(Default)]
pub struct Deviation {
    id: String,
    pub rows: Vec<String>,
    sha256: String,
    diff: String,
}

impl Deviation {
    /// Is this the difference that is listed?
    pub fn explains(&self, recorded: &[u8], ours: &[u8]) -> Result<(), String> {
        if self.rows.is_empty() {
            return Err(format!("no row is named for:\n{}", self.diff));
        }
        let found = diff::lines(recorded, ours);
        if found != self.diff {
            return Err(format!("differs in another way than listed:\n{found}"));
        }
        match Sha256::of(ours).to_string() == self.sha256 {
            true => Ok(()),
            false => Err("the corrected output is not the listed one".to_string()),
        }
    }
}

impl Deviations {
    pub fn read(path: &Path) -> Deviations {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut out = Deviations::default();
        let mut lines = text.lines();
        let mut in_rows = false;
        while let Some(line) = lines.next() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line == "[rows]" {
                in_rows = true;
                continue;
            }
            if line == "[[case]]" {
                in_rows = false;
                out.cases.push(Deviation::default());
                continue;
            }
            let (name, value) = line.split_once(" = ").unwrap_or_else(|| panic!("{}: '{line}'", path.display()));
            let strings = || value.split('"').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>();
            if in_rows {
                out.rows.insert(name.to_string(), strings().concat());
                continue;
            }
            let case = out.cases.last_mut().unwrap_or_else(|| panic!("{}: '{line}' before a case", path.display()));
            match name {
                "id" => case.id = strings().concat(),
                "rows" => case.rows = strings(),
                "sha256" => case.sha256 = strings().concat(),
                "diff" => {
                    let body = lines.by_ref().take_while(|l| *l != "'''");
                    case.diff = body.map(|l| format!("{}\n", unescaped(l))).collect();
                }
                other => panic!("{}: '{other}'", path.display()),
            }
        }
        out
    }

    pub fn get(&self, id: &str) -> Option<&Deviation> {
        self.cases.iter().find(|c| c.id == id)
    }

    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.cases.iter().map(|c| c.id.as_str())
    }

    pub fn set(&mut self, id: &str, recorded: &[u8], ours: &[u8]) {
        let at = self.cases.iter().position(|c| c.id == id).unwrap_or_else(|| {
            self.cases.push(Deviation { id: id.to_string(), ..Deviation::default() });
            self.cases.len() - 1
        });
        self.cases[at].diff = diff::lines(recorded, ours);
        self.cases[at].sha256 = Sha256::of(ours).to_string();
    }

    pub fn write(&self, path: &Path) {
        let head = std::fs::read_to_string(path).unwrap_or_default();
        let mut out: String = head.lines().take_while(|l| l.starts_with('#')).map(|l| format!("{l}\n")).collect();
        out.push_str("\n[rows]\n");
        for (name, text) in &self.rows {
            out.push_str(&format!("{name} = \"{text}\"\n"));
        }
        for case in &self.cases {
            let rows: Vec<String> = case.rows.iter().map(|r| format!("\"{r}\"")).collect();
            let diff: String = case.diff.lines().map(|l| format!("{}\n", escaped(l))).collect();
            let rows = rows.join(", ");
            out.push_str(&format!(
                "\n[[case]]\nid = \"{}\"\nrows = [{rows}]\nsha256 = \"{}\"\ndiff = '''\n{diff}'''\n",
                case.id, case.sha256
            ));
        }
        std::fs::write(path, out).unwrap();
    }
}

/// Carriage returns and trailing blanks would be lost on editors.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\\\").replace('\r', "\\r");
    match line.strip_suffix(' ') {
        Some(line) => format!("{line}\\s"),
        None => line,
    }
}

fn unescaped(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('r') => out.push('\r'),
                Some('s') => out.push(' '),
                other => out.extend(other),
            },
            c => out.push(c),
        }
    }
    out
}
