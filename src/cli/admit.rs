//! `phoneprov admit MINUTES`

use super::args::Args;
use super::call::show;
use super::text::{field, number, say, span};
use crate::bounds;
use serde_json::{json, Value};
use std::time::SystemTime;

/// Minutes out of an argument. The error is for the command line.
pub(super) fn minutes(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|m| *m <= bounds::ADMIT_MINUTES).ok_or_else(|| {
        format!("'{text}' is no number of minutes; give 1 to {}, or 0 to close the window", bounds::ADMIT_MINUTES)
    })
}

pub(super) fn run(args: &Args) -> i32 {
    let minutes = args.rest.first().and_then(|text| minutes(text).ok());
    show(args, &json!({"op": "admit", "minutes": minutes}), print)
}

fn print(result: &Value) {
    say!("{}", window(result));
}

/// What the window is like, of `status` or `admit`.
pub(super) fn window(enrol: &Value) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let refused = match number(enrol, "refused") {
        0 => String::new(),
        n => format!("; {n} at the door (phoneprov phones)"),
    };
    match (field(enrol, "mode"), enrol.get("open_until").and_then(Value::as_u64)) {
        ("open", _) => "every phone of an enabled vendor".to_string(),
        ("list", _) => format!("the phones of the config{refused}"),
        (_, Some(until)) => format!(
            "the window is open for {} more, {} admitted{refused}",
            span(until.saturating_sub(now)),
            number(enrol, "admitted")
        ),
        _ => format!("the window is closed: known phones only{refused}"),
    }
}
