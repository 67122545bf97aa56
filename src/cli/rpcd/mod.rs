//! `phoneprov rpcd list|call METHOD`: the ubus object `phoneprov`. rpcd starts the binary under the name
//! /usr/libexec/rpcd/phoneprov with `list`, or with `call` and a method and its arguments on stdin, as root, several
//! at once. One JSON object comes out, whatever happens.

mod here;
mod input;
mod jobs;
mod work;

use super::args::Args as Line;
use super::call::{ask, Failure};
use super::text::say;
use super::{DONE, FAILED, USAGE};
use crate::bounds;
use crate::openwrt::rpcd::answer::fit;
use crate::openwrt::rpcd::args::{shown, Args};
use crate::openwrt::rpcd::table::{self, How, Method};
use serde_json::{json, Value};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// What rpcd gives as arguments when the binary is its plugin becomes the verb.
pub(super) fn as_plugin(mut args: Vec<OsString>) -> Vec<OsString> {
    let parent = args.first().and_then(|name| Path::new(name).parent()).and_then(Path::file_name);
    let first = args.get(1).and_then(|a| a.to_str());
    if parent.is_some_and(|p| p == "rpcd") || matches!(first, Some("list" | "call")) {
        args.insert(1.min(args.len()), "rpcd".into());
    }
    args
}

pub(super) fn run(line: &Line) -> i32 {
    super::harden::harden();
    match (line.rest.first().map(String::as_str), line.rest.get(1)) {
        (Some("call"), Some(name)) => {
            let answer = fit(call(line, name));
            let failed = answer.get("error").is_some();
            say!("{answer}");
            if failed {
                FAILED
            } else {
                DONE
            }
        }
        (Some("job"), Some(id)) => work::run(line, id),
        (Some("list"), None) => {
            say!("{}", table::list());
            DONE
        }
        _ => USAGE,
    }
}

fn error(why: impl Into<String>) -> Value {
    json!({"error": why.into()})
}

/// One call, answered in any case.
fn call(line: &Line, name: &str) -> Value {
    let Some(method) = table::find(name) else { return error(format!("there is no method '{}'", shown(name))) };
    let args = match input::read().and_then(|bytes| Args::parse(method, &bytes)) {
        Ok(args) => args,
        Err(why) => return error(why),
    };
    match method.how {
        How::Agent => agent(line, method, &args),
        How::Job => match jobs::start(line, method, &args) {
            Ok(id) => json!({"job": id}),
            Err(why) => error(why),
        },
        How::Here => here::answer(line, method.name, &args).unwrap_or_else(error),
    }
}

/// What the agent answers at once.
fn agent(line: &Line, method: &Method, args: &Args) -> Value {
    match ask(line, &args.request(method.name), Duration::from_secs(bounds::RPCD_SECONDS)) {
        Ok(mut result) => {
            if method.name == "status" {
                result["running"] = true.into();
            }
            result
        }
        Err(failure) => failed(line, failure),
    }
}

/// Why there is no answer, and whether there is an agent at all.
fn failed(line: &Line, failure: Failure) -> Value {
    match failure {
        Failure::NotRunning(why) => json!({"error": off(line).unwrap_or(why), "running": false}),
        Failure::Silent(why) | Failure::Said(why) => error(why),
    }
}

/// Why an agent that does not run would not start either: where the config says so, that comes first.
fn off(line: &Line) -> Option<String> {
    let file = line.config.display();
    match super::setup::config(line) {
        Ok((config, _)) if !config.agent.enabled => Some(format!(
            "the agent is not running: option enabled is 0 in {file}; set it to 1, then start it with /etc/init.d/phoneprov start"
        )),
        Ok(_) => None,
        Err(problems) => {
            let first = problems.0.into_iter().find(|p| p.fatal)?;
            Some(format!("the agent is not running, and would not start: {first}"))
        }
    }
}
