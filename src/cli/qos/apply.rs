//! `phoneprov qos apply` and `phoneprov qos remove`.

use super::super::args::Args;
use super::super::text::say;
use super::super::{setup, DONE, FAILED};
use super::lookup::{Lookup, Server};
use super::site;
use crate::config::Config;
use crate::openwrt::qos::{choose, offers, plan, written, Backend, Block, Choice, Offer, Plan, Router};
use serde_json::json;
use std::collections::BTreeSet;

/// What is to be done, and all that it was made of.
pub(super) struct Intent {
    pub(super) router: Router,
    pub(super) offers: Vec<Offer>,
    pub(super) choice: Choice,
    pub(super) servers: Vec<Server>,
    pub(super) blocks: BTreeSet<Block>,
    pub(super) plan: Plan,
}

/// Why nothing of ours is to be there.
pub(super) fn off(config: &Config) -> Option<&'static str> {
    match (config.agent.enabled, config.qos.enabled) {
        (false, _) => Some("option enabled of config agent 'main' is '0'"),
        (_, false) => Some("option enabled of config qos 'qos' is '0'"),
        _ => None,
    }
}

/// What the config and the router come to. While a name has no address, nothing that was written before is taken away:
/// whose addresses those are is not known.
pub(super) fn intent(args: &Args, config: &Config, servers: Vec<Server>, backend: Option<Backend>) -> Intent {
    let router = site::router(args, config);
    let offers = offers(&router);
    let mut choice = choose(backend.or(Backend::wanted(config.qos.backend)), &offers);
    if backend.is_some() {
        choice.why = "as it would be with this one".into();
    }
    let mut blocks: BTreeSet<Block> = servers.iter().flat_map(|s| s.blocks.iter().copied()).collect();
    let mut trouble: Vec<String> = choice.trouble.iter().cloned().collect();
    let unknown: Vec<String> =
        servers.iter().filter_map(|s| s.error.as_ref().map(|why| format!("{}: {why}", s.host))).collect();
    if !unknown.is_empty() {
        let before = written(&router);
        let kept = before.difference(&blocks).count();
        let kept = if kept > 0 { "; the addresses that were written before stay" } else { "" };
        trouble.push(format!("mediaserver {}{kept}", unknown.join(", ")));
        blocks.extend(before);
    }
    if config.qos.mediaservers.is_empty() {
        trouble.push("no media server is named: add list mediaserver 'media.example.net' to config qos 'qos'".into());
    }
    let list: Vec<Block> = blocks.iter().copied().collect();
    let mut made = match choice.chosen.filter(|_| choice.trouble.is_none()) {
        Some(backend) => plan(backend, &router, &config.qos, &list),
        None => Plan::default(),
    };
    made.notes.splice(0..0, choice.note.iter().cloned());
    trouble.append(&mut made.trouble);
    made.trouble = trouble;
    Intent { router, offers, choice, servers, blocks, plan: made }
}

/// Writes what the config says, and has it read. Where it says nothing, what is there is taken away.
pub(super) fn apply(args: &Args) -> Result<i32, String> {
    let (config, _) = setup::config(args).map_err(|e| e.to_string())?;
    if let Some(why) = off(&config) {
        eprintln!("phoneprov: {}: {why}, so there are no rules for calls", args.config.display());
        return remove(args);
    }
    let servers = Lookup::new().all(&config.qos.mediaservers);
    let intent = intent(args, &config, servers, None);
    let changed = site::write(args, &intent.plan);
    let told = site::reload(args, &changed);
    let mut trouble = intent.plan.trouble.clone();
    trouble.extend(changed.wrong.iter().cloned());
    let files: Vec<String> = changed.files.iter().map(|f| f.display().to_string()).collect();
    let blocks: Vec<String> = intent.blocks.iter().map(Block::to_string).collect();
    let name = intent.choice.chosen.map(Backend::name);
    if args.json {
        say!(
            "{:#}",
            json!({"backend": name, "why": intent.choice.why, "changed": files, "servers": blocks, "notes": intent.plan.notes,
                   "trouble": trouble, "reload": told})
        );
    } else {
        if let Some(name) = name {
            say!("{name}: {}", intent.choice.why);
        }
        match files.as_slice() {
            [] => say!("nothing to change; media servers: {}", list(&blocks)),
            files => files.iter().for_each(|file| say!("{file}: written; media servers: {}", list(&blocks))),
        }
        told.iter().for_each(|line| say!("{line}"));
        intent.plan.notes.iter().chain(&trouble).for_each(|why| eprintln!("phoneprov: {why}"));
    }
    Ok(if trouble.is_empty() { DONE } else { FAILED })
}

/// Takes away whatever is ours, in all files.
pub(super) fn remove(args: &Args) -> Result<i32, String> {
    let changed = site::write(args, &Plan::default());
    let told = site::reload(args, &changed);
    let files: Vec<String> = changed.files.iter().map(|f| f.display().to_string()).collect();
    if args.json {
        say!(
            "{:#}",
            json!({"changed": !files.is_empty(), "removed_from": files, "refused": changed.wrong, "reload": told})
        );
    } else {
        match files.as_slice() {
            // of a file that could not be read nobody knows it
            [] if !changed.wrong.is_empty() => {}
            [] => say!("no rules for calls are in the router's settings"),
            files => files.iter().for_each(|file| say!("{file}: what was ours is gone")),
        }
        told.iter().for_each(|line| say!("{line}"));
        changed.wrong.iter().for_each(|why| eprintln!("phoneprov: {why}"));
    }
    Ok(if changed.wrong.is_empty() { DONE } else { FAILED })
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".into(),
        names => names.join(", "),
    }
}
