//! `phoneprov import`: a phone's exported settings become a template.

use super::args::Args;
use super::store;
use super::text::say;
use super::{DONE, FAILED, USAGE};
use crate::bounds;
use crate::net::store::writer;
use crate::provisioner::documents::Generator;
use crate::provisioner::import::rules::Rules;
use crate::provisioner::import::{document, lines, phonetree, tree_of, Model};
use crate::provisioner::json::Json;
use crate::provisioner::memory::TEMPLATES;
use crate::provisioner::shipped;
use crate::provisioner::storage::{Change, StorageError};
use std::fs::File;
use std::io::Read;

pub(super) fn run(args: &Args) -> i32 {
    match parse(args) {
        Err(why) => {
            eprintln!("phoneprov: {why}");
            USAGE
        }
        Ok((generator, model)) => match import(args, generator, &model) {
            Ok(()) => DONE,
            Err(why) => {
                eprintln!("phoneprov: {why}");
                FAILED
            }
        },
    }
}

fn parse(args: &Args) -> Result<(Generator, Model<'_>), String> {
    let generator = match args.rest.first().map(String::as_str) {
        Some("xml") => Generator::Xml,
        Some("plain") => Generator::Plain,
        _ => return Err("'import' needs xml or plain, then a file".to_string()),
    };
    let name = |option: &str| {
        let value = args.words.get(option).ok_or_else(|| format!("'import' needs --{option}"))?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if value.is_empty() || value.starts_with('.') || !value.bytes().all(plain) {
            return Err(format!("--{option} may have letters, digits, '-', '_' and '.'"));
        }
        Ok(value.as_str())
    };
    let number = |option: &str| match args.words.get(option).map(|n| n.parse::<u32>()) {
        None => Ok(0),
        Some(Ok(n)) if n <= 1000 => Ok(n),
        Some(_) => Err(format!("--{option} needs a number of keys, up to 1000")),
    };
    let (brand, family, model) = (name("brand")?, name("family")?, name("model")?);
    let (phone_keys, module_keys) = (number("keys")?, number("module-keys")?);
    Ok((generator, Model { brand, family, model, phone_keys, module_keys }))
}

fn import(args: &Args, generator: Generator, model: &Model<'_>) -> Result<(), String> {
    let file = args.rest.get(1).map_or("", String::as_str);
    let export = text(file)?;
    let rules = match (args.words.get("rules"), Rules::of(model.brand)) {
        (Some(path), _) => Rules::read(&text(path)?).map_err(|why| format!("{path}: {why}"))?,
        (None, Some(rules)) => Rules::read(rules)?,
        (None, None) => {
            return Err(format!("there are no rules for '{}'; name a file of them with --rules", model.brand))
        }
    };
    let sections = match generator {
        Generator::Xml => rules.xml(&tree_of(&export).map_err(|why| format!("{file}: {why}"))?),
        Generator::Plain => {
            rules.plain(&lines(&export, args.words.get("delimiter").map_or(delimiter(model.brand), |d| d)))
        }
    };
    let counts: Vec<(&str, usize)> = sections.0.iter().map(|(name, json)| (*name, settings(json))).collect();
    if counts.iter().all(|(_, n)| *n == 0) {
        return Err(format!("{file}: there is no setting in it"));
    }
    let document = document(model, generator, sections);
    let Some(named) = store::named(args)? else {
        say!("{}", document.to_pretty().trim_end());
        return Ok(());
    };
    let (store, words) = (writer(&named)?, |e: StorageError| e.to_string());
    let change = store.put(TEMPLATES, &model.id(), &document).map_err(words)?;
    // a tree of its own takes the place of the one that comes with the program: it begins with those models
    let with = &mut |old: Option<&Json>| Some(phonetree::with(Some(old.cloned().unwrap_or_else(shipped::tree)), model));
    store.update(TEMPLATES, phonetree::TREE, with).map_err(words)?;
    if args.json {
        let counts: serde_json::Map<String, serde_json::Value> =
            counts.iter().map(|(name, n)| (name.to_string(), (*n).into())).collect();
        say!("{}", serde_json::json!({"id": model.id(), "replaced": change != Change::New, "settings": counts}));
    } else {
        let counts: Vec<String> = counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
        let what = if change == Change::New { "new" } else { "replaced" };
        say!("{}: {what}; settings: {}", model.id(), counts.join(", "));
    }
    Ok(())
}

/// Between key and value in what phones of this brand export.
fn delimiter(brand: &str) -> &'static str {
    match brand {
        "yealink" | "cisco" => " = ",
        "panasonic" => "=",
        _ => ":",
    }
}

/// Settings of a section: in XML those within its elements.
fn settings(section: &Json) -> usize {
    let within =
        |(name, json): &(String, Json)| match json.entries().iter().filter(|(n, _)| !n.starts_with('@')).count() {
            _ if name.starts_with('@') => 0,
            _ if json.get("value").is_some() => 1,
            0 => 1,
            n => n,
        };
    section.entries().iter().map(within).sum()
}

/// A file as text: UTF-8, or else ISO-8859-1.
fn text(path: &str) -> Result<String, String> {
    let cannot = |e| format!("{path}: cannot be read: {e}");
    let mut bytes = Vec::new();
    File::open(path).map_err(cannot)?.take(bounds::PROVISIONER_DOCUMENT + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > bounds::PROVISIONER_DOCUMENT {
        return Err(format!("{path}: larger than {} bytes: this is no phone's export", bounds::PROVISIONER_DOCUMENT));
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| e.into_bytes().iter().map(|b| char::from(*b)).collect()))
}
