//! `phoneprov events`

use super::args::Args;
use super::call::show;
use super::text::{ago, field, say};
use serde_json::{json, Value};

pub(super) fn run(args: &Args) -> i32 {
    show(args, &json!({"op": "events"}), print)
}

fn print(result: &Value) {
    for event in result.get("events").and_then(Value::as_array).into_iter().flatten() {
        let mac = event.get("mac").and_then(Value::as_str).map(|m| format!("{m}: ")).unwrap_or_default();
        say!("{}: {}: {mac}{}", ago(event.get("time")), field(event, "kind"), field(event, "text"));
    }
}
