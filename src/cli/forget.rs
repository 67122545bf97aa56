//! `phoneprov forget MAC|all`

use super::args::Args;
use super::call::show;
use super::text::{number, say};
use serde_json::{json, Value};

pub(super) fn run(args: &Args) -> i32 {
    show(args, &json!({"op": "forget", "mac": args.rest.first()}), print)
}

fn print(result: &Value) {
    let n = number(result, "forgotten");
    say!("forgot {n} phone{}", if n == 1 { "" } else { "s" });
}
