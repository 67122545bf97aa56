//! `phoneprov dhcp apply` and `phoneprov dhcp remove`.

use super::super::args::Args;
use super::super::text::say;
use super::super::{setup, DONE, FAILED};
use super::reload::{refresh_copy, reload, Form};
use crate::config::{Config, DhcpMode};
use crate::openwrt::dhcp::{plan, Plan, HEADER, OURS};
use crate::openwrt::{file, sections};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Writes what the config says, and has dnsmasq read it. Where it says nothing of dnsmasq, what is there is taken away.
pub(super) fn apply(args: &Args) -> Result<i32, String> {
    let (config, _) = setup::config(args).map_err(|e| e.to_string())?;
    if config.agent.dhcp != DhcpMode::Dnsmasq || !config.agent.enabled {
        let why = if config.agent.enabled { "option dhcp is not 'dnsmasq'" } else { "option enabled is '0'" };
        eprintln!("phoneprov: {}: {why}, so dnsmasq is told nothing", args.config.display());
        return take_away(args, config.agent.dnsmasq_conf.as_deref());
    }
    let (served, without) = setup::served(args, &config)?;
    let mut refused: Vec<String> = without.iter().map(|device| without_address(device)).collect();
    if served.is_empty() {
        // what is there may be right again when the devices are up
        return Err(refused.join("; "));
    }
    let plan = plan(&config, &served);
    refused.extend(plan.refused.iter().cloned());
    let (form, path, changed) = write(args, &config, &plan)?;
    refresh_copy(args);
    let reload = if changed { reload(args, form) } else { None };
    if args.json {
        let file = path.display().to_string();
        let vendors = plan.vendors();
        say!(
            "{:#}",
            json!({"file": file, "changed": changed, "vendors": vendors, "refused": refused, "reload": reload})
        );
    } else {
        let on: Vec<String> = served.iter().map(|s| format!("{} ({})", s.device, s.address)).collect();
        let what = if changed { "written" } else { "nothing to change" };
        say!("{}: {what}; phones of {} on {}", path.display(), list(&plan.vendors()), on.join(", "));
        reload.iter().for_each(|line| say!("{line}"));
        refused.iter().for_each(|why| eprintln!("phoneprov: {why}"));
    }
    Ok(if refused.is_empty() { DONE } else { FAILED })
}

/// Takes away whatever is ours.
pub(super) fn remove(args: &Args) -> Result<i32, String> {
    match setup::config(args) {
        Ok((config, _)) => take_away(args, config.agent.dnsmasq_conf.as_deref()),
        Err(problems) => {
            // the package may be on its way out
            eprintln!("phoneprov: {problems}; option dnsmasq_conf is not known");
            take_away(args, None)
        }
    }
}

/// Why a device has no part in it.
pub(super) fn without_address(device: &str) -> String {
    format!("{device} has no IPv4 address, so its phones cannot be told one; run phoneprov dhcp apply when it is up")
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "no vendor".into()
    } else {
        names.join(", ")
    }
}

/// In the form of the config. The other form may be left from before, and would say the same thing in other words.
fn write(args: &Args, config: &Config, plan: &Plan) -> Result<(Form, PathBuf, bool), String> {
    let uci = setup::dhcp_file(args);
    match &config.agent.dnsmasq_conf {
        Some(path) => {
            let text = plan.conf();
            let changed = match plan.vendors().is_empty() {
                true => file::take_away(path, HEADER)?,
                false => file::put(path, HEADER, &text)?,
            };
            Ok((Form::Conf, path.clone(), take_out(&uci)? || changed))
        }
        None => {
            if !uci.exists() {
                return Err(format!(
                    "{}: there is no such file; install dnsmasq, or set option dnsmasq_conf to a file of its conf-dir",
                    uci.display()
                ));
            }
            let sections = plan.sections();
            let changed = file::edit(&uci, &|text| sections::replace(text, OURS, &sections))?;
            Ok((Form::Uci, uci, changed))
        }
    }
}

/// Takes our sections out of the UCI file, where there is one.
fn take_out(uci: &Path) -> Result<bool, String> {
    Ok(uci.exists() && file::edit(uci, &|text| sections::replace(text, OURS, &[]))?)
}

fn take_away(args: &Args, conf: Option<&Path>) -> Result<i32, String> {
    let uci = setup::dhcp_file(args);
    let from_uci = take_out(&uci);
    refresh_copy(args);
    let from_conf = conf.map_or(Ok(false), |path| file::take_away(path, HEADER));
    let gone =
        |path: &Path, taken: &Result<bool, String>| matches!(taken, Ok(true)).then(|| path.display().to_string());
    let files: Vec<String> =
        [gone(&uci, &from_uci), conf.and_then(|path| gone(path, &from_conf))].into_iter().flatten().collect();
    let reloads = [(&from_uci, Form::Uci), (&from_conf, Form::Conf)];
    let changed = reloads.into_iter().find(|(taken, _)| matches!(taken, Ok(true)));
    let reload = changed.and_then(|(_, form)| reload(args, form));
    let wrong: Vec<String> = [from_uci.err(), from_conf.err()].into_iter().flatten().collect();
    if args.json {
        say!("{:#}", json!({"changed": !files.is_empty(), "removed_from": files, "refused": wrong, "reload": reload}));
    } else {
        match files.as_slice() {
            // of a file that could not be read nobody knows it
            [] if !wrong.is_empty() => {}
            [] => say!("nothing of phoneprov is in dnsmasq's settings"),
            files => files.iter().for_each(|file| say!("{file}: what was ours is gone")),
        }
        reload.iter().for_each(|line| say!("{line}"));
        wrong.iter().for_each(|why| eprintln!("phoneprov: {why}"));
    }
    Ok(if wrong.is_empty() { DONE } else { FAILED })
}
