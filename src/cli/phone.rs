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
    }
    let events: Vec<&Value> = p.get("events").and_then(Value::as_array).into_iter().flatten().collect();
    if !events.is_empty() {
        say!();
    }
    for event in events {
        say!("{}: {}: {}", ago(event.get("time")), field(event, "kind"), field(event, "text"));
    }
}
