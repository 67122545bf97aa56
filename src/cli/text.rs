//! Small pieces of the verbs' output.

use serde_json::Value;
use std::fmt;
use std::io::{stdout, Write};
use std::time::SystemTime;

/// A line to standard output. Unlike println! it does not panic when the reader has gone away (`| head -1`).
macro_rules! say {
    () => { $crate::cli::text::line(format_args!("")) };
    ($($text:tt)*) => { $crate::cli::text::line(format_args!($($text)*)) };
}
pub(super) use say;

/// See [`say`].
pub(super) fn line(text: fmt::Arguments<'_>) {
    let mut out = stdout().lock();
    let _ = out.write_fmt(text).and_then(|()| out.write_all(b"\n"));
}

/// A string field, or "-".
pub(super) fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("-")
}

/// A number field, or 0.
pub(super) fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// `3 min ago`: what people read first. `never` for none.
pub(super) fn ago(value: Option<&Value>) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    match value.and_then(Value::as_u64).filter(|at| *at > 0) {
        None => "never".to_string(),
        Some(at) => format!("{} ago", span(now.saturating_sub(at))),
    }
}

/// When a phone was last seen; one that is known from before the agent's start may not have been since.
pub(super) fn seen(phone: &Value) -> String {
    match number(phone, "last_seen") {
        0 => "not since the start".to_string(),
        _ => ago(phone.get("last_seen")),
    }
}

/// Seconds in the largest fitting unit.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `fresh`, `last-good (down: refused the connection)`, `none (…)`.
pub(super) fn state(config: &Value) -> String {
    let state = field(config, "state");
    let reason = config.get("reason").and_then(Value::as_str);
    let why = config.get("why").and_then(Value::as_str);
    let flash = if config.get("on_flash") == Some(&Value::Bool(false)) { ", in RAM only" } else { "" };
    // "held (held: …)" says nothing twice
    match (reason.filter(|r| *r != state), why) {
        (None, Some(w)) if ["held", "pinned"].contains(&state) => format!("{state} ({w}){flash}"),
        (Some(r), Some(w)) => format!("{state} ({r}: {w}){flash}"),
        (Some(r), None) => format!("{state} ({r}){flash}"),
        _ => format!("{state}{flash}"),
    }
}

/// What `accept`, `reject` and `rollback` did, a line each. Gives their number.
pub(super) fn decided(result: &Value) -> u64 {
    let configs = result.get("configs").unwrap_or(&Value::Null);
    let list = configs.get("list").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for config in list {
        say!("{} {}: {}", field(config, "mac"), field(config, "name"), field(config, "result"));
    }
    let count = number(configs, "count");
    match count.saturating_sub(list.len() as u64) {
        0 => {}
        more => say!("and {more} more"),
    }
    count
}

/// Rows with their columns aligned.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
