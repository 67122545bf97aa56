//! Asks the running agent over its control socket.

use super::args::{Args, CONFIG};
use super::text::say;
use super::{DONE, FAILED};
use serde_json::{json, Value};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `option run_dir` where none is given.
const RUN_DIR: &str = "/var/run/phoneprov";
/// Longest answer: 4,096 phones with their configs.
const ANSWER: u64 = 16 * 1024 * 1024;
/// A refresh takes as long as the upstream may.
pub(super) const PATIENCE: Duration = Duration::from_secs(310);

/// Where the agent listens; an error where that cannot be known.
fn socket(args: &Args) -> Result<PathBuf, String> {
    if let Some(socket) = &args.socket {
        return Ok(socket.clone());
    }
    let of = |run_dir: &str| Path::new(run_dir).join("control.sock");
    if let Ok((config, _)) = super::setup::config(args) {
        return Ok(config.agent.run_dir.join("control.sock"));
    }
    match std::fs::read_to_string(&args.config) {
        // a mistake in it is `check`'s business: the agent runs on with what it read before
        Ok(text) => Ok(of(run_dir(&text).unwrap_or(RUN_DIR))),
        Err(_) if args.config == Path::new(CONFIG) => Ok(of(RUN_DIR)),
        Err(e) => Err(format!("{}: {e}; it says where the agent listens, as --socket would", args.config.display())),
    }
}

/// The `run_dir` of a config that does not parse.
fn run_dir(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let named = (words.next(), words.next()) == (Some("option"), Some("run_dir"));
        words.next().filter(|_| named).map(|v| v.trim_matches(['\'', '"'])).filter(|v| !v.is_empty())
    })
}

/// One request, one answer: the result, or a sentence that says why there is none.
pub(super) fn call(args: &Args, request: &Value) -> Result<Value, String> {
    call_within(args, request, PATIENCE)
}

/// Connects, and waits at the most so long even where the agent takes no more connections.
fn connect(path: &Path, patience: Duration) -> std::io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_write_timeout(Some(patience))?;
    socket.set_read_timeout(Some(patience))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket.into())
}

/// As [`call`], for who cannot wait that long: each step (connect, send, answer) takes `patience` at the most.
pub(super) fn call_within(args: &Args, request: &Value, patience: Duration) -> Result<Value, String> {
    ask(args, request, patience).map_err(|failure| match failure {
        Failure::NotRunning(why) | Failure::Silent(why) | Failure::Said(why) => why,
    })
}

/// Why there is no result, in a sentence.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nobody listens.
    NotRunning(String),
    /// Somebody does, and does not answer as the agent would.
    Silent(String),
    /// The agent said so, or the socket cannot be had.
    Said(String),
}

/// As [`call_within`], for who must know why.
pub(super) fn ask(args: &Args, request: &Value, patience: Duration) -> Result<Value, Failure> {
    let path = socket(args).map_err(Failure::Said)?;
    let silent = |e: std::io::Error| {
        Failure::Silent(match e.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => format!(
                "the agent does not answer (nothing came within {} s); if that stays, restart it with /etc/init.d/phoneprov restart",
                patience.as_secs()
            ),
            _ => format!("the agent did not answer: {e}"),
        })
    };
    let stream = connect(&path, patience).map_err(|e| match e.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => Failure::NotRunning(format!(
            "the agent is not running (no answer on {}); start it with /etc/init.d/phoneprov start",
            path.display()
        )),
        ErrorKind::PermissionDenied => Failure::Said(format!("{}: only root may ask the agent", path.display())),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => silent(e),
        _ => Failure::Said(format!("{}: {e}", path.display())),
    })?;
    let exchange = || -> std::io::Result<String> {
        (&stream).write_all(format!("{request}\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(&stream).take(ANSWER).read_line(&mut line)?;
        Ok(line)
    };
    let line = exchange().map_err(silent)?;
    let mut answer: Value = serde_json::from_str(&line)
        .map_err(|_| Failure::Silent("the agent ended the connection without an answer".to_string()))?;
    match answer.get("ok") {
        Some(Value::Bool(true)) => Ok(answer.get_mut("result").map(Value::take).unwrap_or_default()),
        _ => Err(Failure::Said(answer.get("error").and_then(Value::as_str).unwrap_or("no reason given").to_string())),
    }
}

/// Asks, and prints the answer as JSON or by `print`.
pub(super) fn show(args: &Args, request: &Value, print: fn(&Value)) -> i32 {
    judge(args, request, print, |_| true)
}

/// The same where an answer may say that what was asked for did not come about.
pub(super) fn judge(args: &Args, request: &Value, print: fn(&Value), good: fn(&Value) -> bool) -> i32 {
    match call(args, request) {
        Ok(result) => {
            if args.json {
                say!("{result:#}");
            } else {
                print(&result);
            }
            if good(&result) {
                DONE
            } else {
                FAILED
            }
        }
        Err(why) => failed(args, &why),
    }
}

/// Says why, in the form that was asked for.
pub(super) fn failed(args: &Args, why: &str) -> i32 {
    if args.json {
        say!("{:#}", json!({"error": why}));
    } else {
        eprintln!("phoneprov: {why}");
    }
    FAILED
}

#[cfg(test)]
mod test {
    use super::run_dir;

    #[test]
    fn run_dir_of_a_broken_config() {
        assert_eq!(run_dir("config agent\n\toption run_dir '/a/b'\noptoin x\n"), Some("/a/b"));
        assert_eq!(run_dir("option  run_dir\t/c\n"), Some("/c"));
        for none in ["", "option run_dirs /c", "option run_dir ''", "#option run_dir '/c'"] {
            assert_eq!(run_dir(none), None, "{none}");
        }
    }
}
