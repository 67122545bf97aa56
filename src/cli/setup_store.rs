//! `phoneprov setup`: a store gets the templates that come with the program.

use super::args::Args;
use super::store::{self, Progress};
use super::text::say;
use super::{DONE, FAILED, USAGE};
use crate::net::store::writer;
use crate::provisioner::couch::nodes::is_couch;
use crate::provisioner::json::Json;
use crate::provisioner::memory::TEMPLATES;
use crate::provisioner::setup::{documents, plan, Plan};
use crate::provisioner::storage::Change;

pub(super) fn run(args: &Args) -> i32 {
    let named = match store::named(args) {
        Ok(Some(named)) => named,
        Ok(None) => {
            eprintln!("phoneprov: 'setup' needs --store: a folder, or http://user:password@host:5984");
            return USAGE;
        }
        Err(why) => {
            eprintln!("phoneprov: {why}");
            return FAILED;
        }
    };
    match setup(args, &named) {
        Ok(()) => DONE,
        Err(why) => {
            eprintln!("phoneprov: {why}");
            FAILED
        }
    }
}

fn setup(args: &Args, named: &str) -> Result<(), String> {
    let store = writer(named)?;
    let documents = documents(is_couch(named));
    let mut progress = Progress::new(documents.len());
    let (mut new, mut replaced, mut same, mut kept) = (Vec::new(), Vec::new(), 0usize, Vec::new());
    for (id, document) in documents {
        let mut planned = Plan::Same;
        let change = store
            .update(TEMPLATES, &id, &mut |old: Option<&Json>| {
                planned = plan(old, &document, args.force);
                if planned == Plan::Write {
                    Some(document.clone())
                } else {
                    old.cloned()
                }
            })
            .map_err(|e| e.to_string())?;
        let word = match (planned, change) {
            (Plan::Keep, _) => "edited, kept",
            (_, Change::New) => "new",
            (_, Change::Replaced) => "replaced",
            _ => "the same",
        };
        progress.step();
        if progress.lines() && word != "the same" {
            eprintln!("{id}: {word}");
        }
        match word {
            "edited, kept" => kept.push(id),
            "new" => new.push(id),
            "replaced" => replaced.push(id),
            _ => same += 1,
        }
    }
    if args.json {
        say!(
            "{}",
            serde_json::json!({
                "store": store::shown(named), "new": new, "replaced": replaced, "same": same, "kept": kept,
            })
        );
        return Ok(());
    }
    let (fresh, again) = (new.len(), replaced.len());
    say!("{}: {fresh} new, {again} replaced, {same} the same, {} kept as edited", store::shown(named), kept.len());
    if !kept.is_empty() {
        say!("kept: {}; --force overwrites them", kept.join(", "));
    }
    Ok(())
}
