//! Which store a verb works on: `--store`, `--store-file`, or the environment.

use super::args::Args;
use crate::net::couch::{Phase, Status};
use crate::provisioner::couch::nodes::is_couch;
use std::fs::File;
use std::io::{IsTerminal, Read, Write};

/// Where the store may be named so that no list of processes shows its password.
const VARIABLE: &str = "PHONEPROV_STORE";
/// Bytes of a file that names a store.
const FILE: u64 = 64 * 1024;

/// The store of the command line, if any.
///
/// # Errors
/// The file cannot be read, or names none; or two are named.
pub(super) fn named(args: &Args) -> Result<Option<String>, String> {
    match (args.words.get("store"), args.words.get("store-file")) {
        (Some(_), Some(_)) => Err("name one store: --store or --store-file".to_string()),
        (Some(store), None) => {
            if is_couch(store) && store.contains('@') {
                eprintln!(
                    "phoneprov: everybody on this machine can read the password in --store (ps); use --store-file FILE, or {VARIABLE}"
                );
            }
            Ok(Some(store.clone()))
        }
        (None, Some(path)) => {
            let mut text = String::new();
            File::open(path)
                .and_then(|file| file.take(FILE).read_to_string(&mut text))
                .map_err(|e| format!("{path}: cannot be read: {e}"))?;
            // an address a line is as good as commas
            let lines: Vec<&str> =
                text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
            match lines.is_empty() {
                true => Err(format!("{path}: names no store; write http://user:password@host:5984 into it")),
                false => Ok(Some(lines.join(","))),
            }
        }
        (None, None) => Ok(std::env::var(VARIABLE).ok().filter(|store| !store.is_empty())),
    }
}

/// A store's name without user and password.
pub(super) fn shown(store: &str) -> String {
    if !is_couch(store) {
        return store.to_string();
    }
    match crate::provisioner::couch::nodes::nodes(store) {
        Ok(nodes) => nodes.iter().map(|n| n.url.as_str()).collect::<Vec<_>>().join(","),
        Err(_) => "CouchDB".to_string(),
    }
}

/// A state of the store as a line of the log, and as JSON on standard output where that is wanted.
pub(super) fn told(json: bool) -> impl FnMut(&Status) + Send + 'static {
    move |status| {
        let Status { phase, node, databases, documents, words } = status;
        match phase {
            Phase::Reading => log::info!("store: {node}: reading {words}"),
            Phase::Following => {
                log::info!("store: {node}: following {databases} databases, {documents} documents; {words}");
            }
            Phase::Down => log::warn!("store: no node answers, phones are served from what was read: {words}"),
        }
        if json {
            let state = serde_json::json!({"store": {
                "state": phase.word(), "node": node, "databases": databases, "documents": documents, "detail": words,
            }});
            super::text::say!("{state}");
        }
    }
}

/// How far long work is, on a terminal; nothing elsewhere.
pub(super) struct Progress {
    total: usize,
    done: usize,
    shown: bool,
}

impl Progress {
    pub(super) fn new(total: usize) -> Progress {
        Progress { total, done: 0, shown: std::io::stderr().is_terminal() }
    }

    /// One more is done.
    pub(super) fn step(&mut self) {
        self.done += 1;
        if self.shown {
            const WIDTH: usize = 40;
            let full = self.done * WIDTH / self.total.max(1);
            let mut err = std::io::stderr().lock();
            let _ = write!(
                err,
                "\r[{}{}] {}/{}",
                "#".repeat(full.min(WIDTH)),
                " ".repeat(WIDTH.saturating_sub(full)),
                self.done,
                self.total
            );
            if self.done >= self.total {
                let _ = writeln!(err);
            }
        }
    }

    /// Is there no bar? Then a line each tells what is done.
    pub(super) fn lines(&self) -> bool {
        !self.shown
    }
}
