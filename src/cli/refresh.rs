//! `phoneprov refresh MAC|all`

use super::args::Args;
use super::call::judge;
use super::text::{field, number, say};
use serde_json::{json, Value};

pub(super) fn run(args: &Args) -> i32 {
    judge(args, &json!({"op": "refresh", "mac": args.rest.first()}), print, came)
}

fn configs(result: &Value) -> Option<&Vec<Value>> {
    result.get("configs").and_then(Value::as_array)
}

/// Did the upstream give any of them? Of a Mitel's several files most are optional.
fn came(result: &Value) -> bool {
    configs(result).is_none_or(|all| all.iter().any(|c| ["fresh", "unchanged"].contains(&field(c, "result"))))
}

fn print(result: &Value) {
    match configs(result) {
        Some(configs) => {
            for config in configs {
                let why = config.get("why").and_then(Value::as_str).map(|w| format!(" ({w})")).unwrap_or_default();
                say!("{}: {}{why}", field(config, "name"), field(config, "result"));
            }
        }
        None => say!("{} configs are being asked for; see phoneprov phones", number(result, "started")),
    }
}
