//! `phoneprov dhcp print`: what `apply` would write, in either form.

use super::super::args::Args;
use super::super::text::say;
use super::super::{setup, DONE, FAILED};
use crate::openwrt::dhcp::plan;
use serde_json::json;

pub(super) fn run(args: &Args, form: Option<&str>) -> Result<i32, String> {
    let (config, _) = setup::config(args).map_err(|e| e.to_string())?;
    let (served, without) = setup::served(args, &config)?;
    let plan = plan(&config, &served);
    let form = form.unwrap_or(if config.agent.dnsmasq_conf.is_some() { "dnsmasq" } else { "uci" });
    let text = if form == "uci" { plan.uci()?.trim_start().to_string() } else { plan.conf() };
    let mut refused = plan.refused;
    refused.extend(without.iter().map(|device| super::apply::without_address(device)));
    if args.json {
        say!("{:#}", json!({"form": form, "text": text, "refused": refused}));
    } else {
        say!("{}", text.trim_end());
        refused.iter().for_each(|why| eprintln!("phoneprov: {why}"));
    }
    Ok(if refused.is_empty() { DONE } else { FAILED })
}
