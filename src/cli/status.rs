//! `phoneprov status`

use super::args::Args;
use super::call::show;
use super::text::{ago, field, number, say, span};
use serde_json::{json, Value};

pub(super) fn run(args: &Args) -> i32 {
    show(args, &json!({"op": "status"}), print)
}

fn print(s: &Value) {
    say!("phoneprov {}, up {}", field(s, "version"), span(number(s, "uptime")));
    for device in s.get("devices").and_then(Value::as_array).into_iter().flatten() {
        let list = |v: &Value| v.as_array().map(|a| a.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
        let addresses = device.get("addresses").and_then(list).filter(|a| !a.is_empty());
        say!(
            "device    {} {}",
            field(device, "name"),
            addresses.unwrap_or_else(|| "down, or without an IPv4 address".to_string())
        );
    }
    for trouble in s.get("troubles").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        say!("          {trouble}");
    }
    let vendors: Vec<&str> =
        s.get("vendors").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    say!("vendors   {}", vendors.join(" "));
    for upstream in s.get("upstreams").and_then(Value::as_array).into_iter().flatten() {
        say!(
            "upstream  {} is {}, last answer {}",
            field(upstream, "url"),
            field(upstream, "state"),
            ago(upstream.get("last_ok"))
        );
        if let Some(error) = upstream.get("last_error").and_then(Value::as_str) {
            say!("          last error {}: {error}", ago(upstream.get("last_error_at")));
        }
    }
    let dhcp = s.get("dhcp").unwrap_or(&Value::Null);
    match field(dhcp, "mode") {
        "off" => say!("dhcp      off"),
        mode => {
            let answered = match number(dhcp, "answered") {
                0 => String::new(),
                n => format!(", {n} answered"),
            };
            say!("dhcp      {mode}, {} packets of phones seen{answered}", number(dhcp, "seen"));
        }
    }
    for trouble in dhcp.get("troubles").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        say!("          {trouble}");
    }
    let phones = s.get("phones").unwrap_or(&Value::Null);
    say!(
        "phones    {} known, {} with a stored config, {} on their last good",
        number(phones, "known"),
        number(phones, "served"),
        number(phones, "last_good")
    );
    let cache = s.get("cache").unwrap_or(&Value::Null);
    say!(
        "store     {} of {} KiB, {} KiB written since the start; shared files {} of {} KiB",
        number(cache, "bytes").div_ceil(1024),
        number(cache, "max") / 1024,
        number(cache, "written").div_ceil(1024),
        number(cache, "shared_bytes").div_ceil(1024),
        number(cache, "shared_max") / 1024
    );
    if let Some(trouble) = cache.get("trouble").and_then(Value::as_str) {
        say!("          {trouble}");
    }
    if field(s, "clock") == "not set" {
        say!("clock     not set: https certificates cannot be checked until it is");
    }
}
