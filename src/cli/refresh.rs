//! `phoneprov refresh MAC|all`

use super::args::Args;
use super::call::show;
use super::text::{field, number};
use serde_json::{json, Value};

pub(super) fn run(args: &Args) -> i32 {
    show(args, &json!({"op": "refresh", "mac": args.rest.first()}), print)
}

fn print(result: &Value) {
    match result.get("configs").and_then(Value::as_array) {
        Some(configs) => {
            for config in configs {
                println!("{}: {}", field(config, "name"), field(config, "result"));
            }
        }
        None => println!("{} configs are being asked for; see phoneprov phones", number(result, "started")),
    }
}
