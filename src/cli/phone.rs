//! `phoneprov phone MAC`

use super::args::Args;
use super::call::show;
use super::text::{ago, field, number, say, seen, state};
use serde_json::{json, Value};

pub(super) fn run(args: &Args) -> i32 {
    show(args, &json!({"op": "phone", "mac": args.rest.first()}), print)
}

fn print(p: &Value) {
    say!("{} {} {} {}", field(p, "mac"), field(p, "vendor"), field(p, "model"), field(p, "firmware"));
    let name = p.get("hostname").and_then(Value::as_str).map(|n| format!(" ('{n}')")).unwrap_or_default();
    say!("address {}{name}, seen {}", field(p, "ip"), seen(p));
    if let Some(conflict) = p.get("conflict").filter(|c| c.is_object()) {
        say!("{}: {}", ago(conflict.get("at")), field(conflict, "text"));
    }
    for config in p.get("configs").and_then(Value::as_array).into_iter().flatten() {
        say!("\n{}: {}", field(config, "name"), state(config));
        if let Some(sha256) = config.get("sha256").and_then(Value::as_str) {
            say!(
                "  {} bytes, sha256 {sha256}\n  stored {}, {} generation{}, confirmed {}, served {}",
                number(config, "size"),
                ago(config.get("stored_at")),
                number(config, "generations"),
                if number(config, "generations") == 1 { "" } else { "s" },
                ago(config.get("confirmed_at")),
                ago(config.get("served_at"))
            );
        }
        print_list(config);
    }
    let events: Vec<&Value> = p.get("events").and_then(Value::as_array).into_iter().flatten().collect();
    if !events.is_empty() {
        say!();
    }
    for event in events {
        say!("{}: {}: {}", ago(event.get("time")), field(event, "kind"), field(event, "text"));
    }
}

/// The generations, where there are several: `rollback` counts as they stand here.
fn print_list(config: &Value) {
    let list = config.get("list").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if list.len() < 2 {
        return;
    }
    for item in list {
        let is = |name: &str| item.get(name) == Some(&Value::Bool(true));
        let mut marks = Vec::new();
        marks.extend(is("held").then_some("held"));
        marks.extend(is("pinned").then_some("pinned"));
        marks.extend(is("current").then_some("served"));
        let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
        let count = item.get("number").and_then(Value::as_u64).map_or_else(|| "-".to_string(), |n| n.to_string());
        let what = item.get("difference").and_then(Value::as_str).map(|d| format!(": {d}")).unwrap_or_default();
        say!("    {count:>4}  {}, {} bytes{marks}{what}", ago(item.get("stored_at")), number(item, "size"));
    }
}
