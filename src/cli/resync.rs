//! `phoneprov resync MAC|all [--reboot]`

use super::args::Args;
use super::call::show;
use super::text::field;
use serde_json::{json, Value};

pub(super) fn run(args: &Args) -> i32 {
    show(args, &json!({"op": "resync", "mac": args.rest.first(), "reboot": args.reboot}), print)
}

fn print(result: &Value) {
    for phone in result.get("phones").and_then(Value::as_array).into_iter().flatten() {
        println!("{}: {}", field(phone, "mac"), field(phone, "result"));
    }
}
