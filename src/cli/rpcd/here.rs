//! Methods that need no agent.

use super::super::args::Args as Line;
use super::super::check::report;
use super::jobs;
use crate::bounds;
use crate::config;
use crate::openwrt::rpcd::args::Args;
use crate::openwrt::rpcd::check::Check;
use serde_json::Value;
use std::fs::File;
use std::io::Read;

pub(super) fn answer(line: &Line, method: &str, args: &Args) -> Result<Value, String> {
    match method {
        "job" => jobs::look(line, args.text("id").unwrap_or_default()),
        "check" => {
            let check = Check::of(args)?;
            Ok(check.answer(&config::known_vendors()).unwrap_or_else(|| report(&line.config)))
        }
        "options" => Ok(config::describe()),
        "config" => public(line),
        "qos" => super::super::qos::report(line),
        other => Err(format!("this version does not answer '{other}'")),
    }
}

/// The config as anybody may see it.
fn public(line: &Line) -> Result<Value, String> {
    let name = line.config.display();
    let mut bytes = Vec::new();
    File::open(&line.config)
        .and_then(|file| file.take(bounds::UCI_FILE as u64 + 1).read_to_end(&mut bytes))
        .map_err(|e| format!("{name}: {e}"))?;
    if bytes.len() > bounds::UCI_FILE {
        return Err(format!("{name} is larger than {} KiB", bounds::UCI_FILE / 1024));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{name} has a character that is not UTF-8"))?;
    config::public(text).map_err(|why| format!("{name}: {why}"))
}
