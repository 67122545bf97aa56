//! `phoneprov render`: the configuration of one phone, from a store, without asking anybody.

use super::args::Args;
use super::store;
use super::text::say;
use super::{DONE, FAILED, USAGE};
use crate::net::store::Store;
use crate::provisioner::answer::{phone, Access, File};
use crate::provisioner::render;
use std::io::Write;

pub(super) fn run(args: &Args) -> i32 {
    let named = store::named(args);
    let (Ok(Some(named)), Some(mac)) = (&named, args.mac) else {
        eprintln!("phoneprov: {}", named.err().unwrap_or_else(|| "'render' needs --store DIR and --mac M".to_string()));
        return USAGE;
    };
    let (store, troubles) = match Store::open(named, false, |_| {}) {
        Ok(opened) => opened,
        Err(why) => {
            eprintln!("phoneprov: {why}");
            return FAILED;
        }
    };
    troubles.iter().for_each(|t| eprintln!("phoneprov: {t}"));
    let host = args.words.get("host").map_or("localhost", String::as_str);
    let phone = match phone(store.documents(), None, mac, (host, ""), Access::All) {
        Ok(phone) => phone,
        Err(why) => {
            eprintln!("phoneprov: {mac}: {why}");
            return FAILED;
        }
    };
    let file = args.words.get("file").map_or(File::Config, |name| File::named(name));
    let rendered = match file {
        File::Boot => render::boot(&phone),
        File::Config => match render::config(&phone, store.documents()) {
            Ok(rendered) => rendered,
            Err(why) => {
                eprintln!("phoneprov: {mac}: template {}: {why}", phone.template.id);
                return FAILED;
            }
        },
    };
    if args.json {
        let body = match std::str::from_utf8(&rendered.body) {
            Ok(text) => text.to_string(),
            // of the m3, in ISO-8859-1
            Err(_) => rendered.body.iter().map(|b| char::from(*b)).collect(),
        };
        say!(
            "{}",
            serde_json::json!({
                "mac": mac.to_string(),
                "template": phone.template.id,
                "lines": phone.lines.len(),
                "content_type": rendered.content_type,
                "body": body,
            })
        );
    } else {
        let _ = std::io::stdout().lock().write_all(&rendered.body);
    }
    DONE
}
