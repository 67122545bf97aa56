//! Has dnsmasq read its settings again. SIGHUP is not enough: it reads leases and hosts anew, not these.

use super::super::args::{Args, UCI};
use crate::bounds;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// What was changed.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// `/etc/config/dhcp`
    Uci,
    /// A file of dnsmasq's own.
    Conf,
}

/// Reloads dnsmasq, unless the files are those of another machine, or `--no-reload`. Returns what was done, or is to be done, in
/// a sentence.
pub(super) fn reload(args: &Args, form: Form) -> Option<String> {
    let elsewhere =
        args.uci.as_deref().is_some_and(|dir| dir.canonicalize().ok() != Path::new(UCI).canonicalize().ok());
    if args.no_reload || elsewhere {
        return None;
    }
    let (command, there) = match form {
        Form::Uci => (["/etc/init.d/dnsmasq", "reload"].as_slice(), "/etc/init.d/dnsmasq"),
        Form::Conf => (["systemctl", "try-restart", "dnsmasq"].as_slice(), "/run/systemd/system"),
    };
    if !Path::new(there).exists() {
        return Some("restart dnsmasq, so that it reads this (SIGHUP is not enough)".into());
    }
    Some(match run(command) {
        Ok(()) => "dnsmasq has been told".into(),
        Err(why) => format!("{} {why}; restart dnsmasq by hand", command.join(" ")),
    })
}

fn run(command: &[&str]) -> Result<(), String> {
    let [program, arguments @ ..] = command else { return Ok(()) };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|e| format!("cannot be run: {e}"))?;
    const LOOK: Duration = Duration::from_millis(50);
    for _ in 0..(bounds::RELOAD_SECONDS * 1000 / LOOK.as_millis() as u64) {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("failed ({status})")),
            Ok(None) => sleep(LOOK),
            Err(e) => return Err(format!("cannot be waited for: {e}")),
        }
    }
    let _ = child.kill().and_then(|()| child.wait());
    Err(format!("did not end within {} s", bounds::RELOAD_SECONDS))
}
