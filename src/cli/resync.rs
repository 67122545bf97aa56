//! `phoneprov resync MAC|all [--reboot]`

use super::args::Args;
use super::call::judge;
use super::text::{field, say};
use serde_json::{json, Value};

pub(super) fn run(args: &Args) -> i32 {
    judge(args, &json!({"op": "resync", "mac": args.rest.first(), "reboot": args.reboot}), print, accepted)
}

fn phones(result: &Value) -> impl Iterator<Item = &Value> {
    result.get("phones").and_then(Value::as_array).into_iter().flatten()
}

/// Did all of them take it?
fn accepted(result: &Value) -> bool {
    phones(result).all(|p| field(p, "result") == "accepted")
}

fn print(result: &Value) {
    for phone in phones(result) {
        say!("{}: {}", field(phone, "mac"), field(phone, "result"));
    }
}
