//! Asks the running agent over its control socket.

use super::args::Args;
use super::{DONE, FAILED};
use serde_json::{json, Value};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Longest answer: 4,096 phones with their configs.
const ANSWER: u64 = 16 * 1024 * 1024;
/// A refresh takes as long as the upstream may.
const PATIENCE: Duration = Duration::from_secs(310);

fn socket(args: &Args) -> PathBuf {
    if let Some(socket) = &args.socket {
        return socket.clone();
    }
    // a config that cannot be read is `check`'s business; the default is right nearly always
    let run_dir = super::setup::config(args).map(|(config, _)| config.agent.run_dir);
    run_dir.unwrap_or_else(|_| PathBuf::from("/var/run/phoneprov")).join("control.sock")
}

/// One request, one answer: the result, or a sentence that says why there is none.
pub(super) fn call(args: &Args, request: &Value) -> Result<Value, String> {
    let path = socket(args);
    let stream = UnixStream::connect(&path).map_err(|e| match e.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => format!(
            "the agent is not running (no answer on {}); start it with /etc/init.d/phoneprov start",
            path.display()
        ),
        ErrorKind::PermissionDenied => format!("{}: only root may ask the agent", path.display()),
        _ => format!("{}: {e}", path.display()),
    })?;
    let exchange = || -> std::io::Result<String> {
        stream.set_read_timeout(Some(PATIENCE))?;
        (&stream).write_all(format!("{request}\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(&stream).take(ANSWER).read_line(&mut line)?;
        Ok(line)
    };
    let line = exchange().map_err(|e| format!("the agent did not answer: {e}"))?;
    let mut answer: Value =
        serde_json::from_str(&line).map_err(|_| "the agent ended the connection without an answer".to_string())?;
    match answer.get("ok") {
        Some(Value::Bool(true)) => Ok(answer.get_mut("result").map(Value::take).unwrap_or_default()),
        _ => Err(answer.get("error").and_then(Value::as_str).unwrap_or("no reason given").to_string()),
    }
}

/// Asks, and prints the answer as JSON or by `print`.
pub(super) fn show(args: &Args, request: &Value, print: fn(&Value)) -> i32 {
    match call(args, request) {
        Ok(result) => {
            if args.json {
                println!("{result:#}");
            } else {
                print(&result);
            }
            DONE
        }
        Err(why) => failed(args, &why),
    }
}

/// Says why, in the form that was asked for.
pub(super) fn failed(args: &Args, why: &str) -> i32 {
    if args.json {
        println!("{:#}", json!({"error": why}));
    } else {
        eprintln!("phoneprov: {why}");
    }
    FAILED
}
