//! The process of one job: out of rpcd's hands, who would end it with the call.

use super::super::args::Args as Line;
use super::super::call::{ask, Failure, PATIENCE};
use super::super::probe::{self, Said};
use super::super::{DONE, FAILED, USAGE};
use super::{failed, input, jobs};
use crate::openwrt::rpcd::answer::fit;
use crate::openwrt::rpcd::args::Args;
use crate::openwrt::rpcd::job::{is_id, read_order, Report};
use crate::proto::mac::Mac;
use serde_json::Value;

pub(super) fn run(line: &Line, id: &str) -> i32 {
    // who started us ends soon, and its session with it
    let _ = rustix::process::setsid();
    let order = input::read().ok().and_then(|bytes| read_order(&bytes));
    let Some((method, args)) = order.filter(|_| is_id(id)) else {
        eprintln!("phoneprov: this verb is for phoneprov rpcd call alone");
        return USAGE;
    };
    let mut report = Report::default();
    let end = match method.name {
        "probe" => probe_job(line, id, &args, &mut report),
        name => ask(line, &args.request(name), PATIENCE).map_err(|f| why(line, f)),
    };
    report.end = Some(end.map(fit));
    match jobs::keep(line, id, &report) {
        Ok(()) => DONE,
        Err(_) => FAILED,
    }
}

fn why(line: &Line, failure: Failure) -> String {
    let said = failed(line, failure);
    said.get("error").and_then(Value::as_str).unwrap_or_default().to_string()
}

/// A probe, whose steps are kept one by one: somebody watches.
fn probe_job(line: &Line, id: &str, args: &Args, report: &mut Report) -> Result<Value, String> {
    let mut line = line.clone();
    line.vendor = args.text("vendor").map(str::to_string);
    line.mac = args.text("mac").and_then(Mac::parse);
    line.devices = args.text("device").map(str::to_string).into_iter().collect();
    let outcome = probe::probe(&line, &mut |said| {
        if let Said::Step(step) = said {
            report.steps.push(step.clone());
            let _ = jobs::keep(&line, id, report); // the end is what counts
        }
    })?;
    Ok(outcome.to_json())
}
