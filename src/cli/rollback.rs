//! `phoneprov rollback MAC|all [N]`

use super::args::Args;
use super::call::judge;
use super::text::{decided, field, say};
use serde_json::{json, Value};

pub(super) fn run(args: &Args) -> i32 {
    let back = args.rest.get(1).and_then(|n| n.parse::<u32>().ok());
    let request = json!({"op": "rollback", "mac": args.rest.first(), "back": back});
    judge(args, &request, print, |result| failed(result).next().is_none())
}

/// Configs that could not be taken back.
fn failed(result: &Value) -> impl Iterator<Item = &Value> {
    result.get("failed").and_then(Value::as_array).into_iter().flatten()
}

fn print(result: &Value) {
    let n = decided(result);
    for config in failed(result) {
        say!("{} {}: not taken back: {}", field(config, "mac"), field(config, "name"), field(config, "why"));
    }
    if n > 0 {
        say!("phones have it when they next ask; to make them: phoneprov resync MAC|all. To end it: phoneprov accept MAC|all");
    }
}
