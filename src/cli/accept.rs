//! `phoneprov accept MAC|all`

use super::args::Args;
use super::call::show;
use super::text::{decided, say};
use serde_json::{json, Value};

pub(super) fn run(args: &Args) -> i32 {
    show(args, &json!({"op": "accept", "mac": args.rest.first()}), print)
}

fn print(result: &Value) {
    let n = decided(result);
    if let Some(minutes) = result.get("open_minutes").and_then(Value::as_u64) {
        say!("accounts may change freely for {minutes} min");
    }
    if n > 0 {
        say!("phones have it when they next ask; to make them: phoneprov resync MAC|all");
    }
}
