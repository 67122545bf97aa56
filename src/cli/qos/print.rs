//! `phoneprov qos print`: what `apply` would write, and all that an admin wants to know before.

use super::super::args::Args;
use super::super::text::say;
use super::super::{setup, DONE, FAILED};
use super::apply::{intent, off, Intent};
use super::lookup::Lookup;
use super::{site, suggest};
use crate::config::Config;
use crate::openwrt::qos::{rules, Backend, Block, File, Plan};
use crate::proto::uci;
use serde_json::{json, Value};

pub(super) fn run(args: &Args, backend: Option<&str>) -> Result<i32, String> {
    let (config, intent) = look(args, backend.and_then(Backend::by_name))?;
    if args.json {
        say!("{:#}", answer(&config, &intent)?);
        return Ok(DONE);
    }
    if let Some(backend) = intent.choice.chosen {
        say!("# {}: {}", backend.name(), intent.choice.why);
    }
    for (name, text) in texts(&intent.plan)? {
        say!("# {name}\n{}\n", text.trim());
    }
    off(&config).iter().for_each(|why| eprintln!("phoneprov: {why}: apply would write nothing"));
    intent.plan.notes.iter().chain(&intent.plan.trouble).for_each(|why| eprintln!("phoneprov: {why}"));
    Ok(if intent.plan.trouble.is_empty() { DONE } else { FAILED })
}

/// The same as JSON.
pub(in crate::cli) fn report(args: &Args) -> Result<Value, String> {
    let (config, intent) = look(args, None)?;
    answer(&config, &intent)
}

fn look(args: &Args, backend: Option<Backend>) -> Result<(Config, Intent), String> {
    let (config, _) = setup::config(args).map_err(|e| e.to_string())?;
    let mut args = args.clone();
    if let Some(device) = site::queue_device(&args) {
        // the init script has asked the router, and named it
        args.words.get_or_insert_with("wan", || device);
    }
    let servers = Lookup::new().all(&config.qos.mediaservers);
    let intent = intent(&args, &config, servers, backend);
    Ok((config, intent))
}

/// Each file with what of ours is in it.
fn texts(plan: &Plan) -> Result<Vec<(String, String)>, String> {
    let mut out = Vec::new();
    for file in File::ALL {
        let Some(ask) = plan.files.get(&file) else { continue };
        let mut sections = ask.sections.clone();
        if let Some(borrowed) = &ask.borrowed {
            let mut section = uci::Section::new(borrowed.kind, Some(&borrowed.name));
            for (name, value) in &borrowed.options {
                section.option(name, value);
            }
            sections.push(section);
        }
        out.push((format!("/etc/config/{}", file.name()), uci::write(&uci::File { package: None, sections })?));
    }
    out.extend(plan.addresses.iter().map(|text| ("/etc/qosify/50-phoneprov.conf".to_string(), text.clone())));
    Ok(out)
}

fn answer(config: &Config, intent: &Intent) -> Result<Value, String> {
    let off = off(config);
    let blocks: Vec<Block> = intent.blocks.iter().copied().collect();
    let offers: Vec<Value> = intent
        .offers
        .iter()
        .map(|o| json!({"name": o.backend.name(), "available": o.available, "why": o.why, "means": o.means}))
        .collect();
    let rules: Vec<Value> = rules(&blocks)
        .into_iter()
        .map(|r| {
            json!({"number": r.number, "target": r.target, "source": r.source, "destination": r.destination,
                   "proto": r.proto, "text": r.text})
        })
        .collect();
    let servers: Vec<Value> = intent
        .servers
        .iter()
        .map(|s| {
            let addresses: Vec<String> = s.blocks.iter().map(Block::to_string).collect();
            json!({"host": s.host, "addresses": addresses, "error": s.error})
        })
        .collect();
    let files: Vec<Value> =
        texts(&intent.plan)?.into_iter().map(|(path, text)| json!({"path": path, "text": text.trim()})).collect();
    let asked = !intent.plan.files.is_empty() || intent.plan.addresses.is_some();
    let trouble = Some(intent.plan.trouble.join("; ")).filter(|t| !t.is_empty() && off.is_none());
    Ok(json!({
        "enabled": off.is_none(),
        "backend": {"chosen": intent.choice.chosen.map(Backend::name), "why": intent.choice.why},
        "backends": offers,
        "suggestions": suggest::suggestions(config),
        "rules": rules,
        "files": files,
        "notes": intent.plan.notes,
        "state": {"applied": asked && site::is_written(&intent.router, &intent.plan), "servers": servers, "trouble": trouble},
    }))
}
