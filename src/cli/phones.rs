//! `phoneprov phones`

use super::args::Args;
use super::call::show;
use super::text::{field, say, seen, state, table};
use serde_json::{json, Value};

pub(super) fn run(args: &Args) -> i32 {
    show(args, &json!({"op": "phones"}), print)
}

fn print(result: &Value) {
    let phones: &[Value] = result.get("phones").and_then(Value::as_array).map_or(&[], Vec::as_slice);
    if phones.is_empty() {
        say!(
            "No phone has been seen yet. Is it plugged into a served network, and its vendor enabled? Try: phoneprov probe"
        );
        return;
    }
    let heads = ["MAC", "VENDOR", "MODEL", "ADDRESS", "SEEN", "CONFIG"];
    let mut rows = vec![heads.iter().map(|s| s.to_string()).collect::<Vec<_>>()];
    for p in phones {
        rows.push(vec![
            field(p, "mac").to_string(),
            field(p, "vendor").to_string(),
            field(p, "model").to_string(),
            field(p, "ip").to_string(),
            seen(p),
            state(p.get("config").unwrap_or(&Value::Null)),
        ]);
    }
    say!("{}", table(&rows).trim_end());
}
