//! `phoneprov reject MAC|all`

use super::args::Args;
use super::call::show;
use super::text::{decided, say};
use serde_json::{json, Value};

pub(super) fn run(args: &Args) -> i32 {
    show(args, &json!({"op": "reject", "mac": args.rest.first()}), print)
}

fn print(result: &Value) {
    decided(result);
    let passed: Vec<&str> =
        result.get("passed_before").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if !passed.is_empty() {
        say!(
            "{} phone{} got a changed account before the guard held: phoneprov rollback all takes it back from",
            passed.len(),
            if passed.len() == 1 { "" } else { "s" }
        );
        passed.iter().for_each(|mac| say!("  {mac}"));
    }
}
