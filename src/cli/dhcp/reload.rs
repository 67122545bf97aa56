//! Has dnsmasq read its settings again. SIGHUP is not enough: it reads leases and hosts anew, not these.

use super::super::args::{Args, COPIES, UCI};
use crate::bounds;
use crate::openwrt::file;
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
    if args.no_reload || elsewhere(args) {
        return None;
    }
    const INIT: &str = "/etc/init.d/dnsmasq";
    const SYSTEMD: &str = "/run/systemd/system";
    let (command, there) = match form {
        Form::Uci => ([INIT, "reload"].as_slice(), INIT),
        Form::Conf if Path::new(SYSTEMD).exists() => (["systemctl", "try-restart", "dnsmasq"].as_slice(), SYSTEMD),
        // its reload is for a change of UCI
        Form::Conf => ([INIT, "restart"].as_slice(), INIT),
    };
    if !Path::new(there).exists() {
        return Some("restart dnsmasq, so that it reads this (SIGHUP is not enough)".into());
    }
    Some(match run(command, bounds::RELOAD_SECONDS * 1000) {
        Ok(()) => "dnsmasq has been told".into(),
        Err(why) => format!("{} {why}; restart dnsmasq by hand", command.join(" ")),
    })
}

/// Are the files those of another machine?
pub(in crate::cli) fn elsewhere(args: &Args) -> bool {
    args.uci.as_deref().is_some_and(|dir| dir.canonicalize().ok() != Path::new(UCI).canonicalize().ok())
}

/// Gives the agent the UCI file as it is now, where it looks at a copy: it would report for ever what is no longer so.
/// Whatever fails is said, and is no failure: the next reload of the service does it too.
pub(super) fn refresh_copy(args: &Args) {
    if elsewhere(args) {
        return;
    }
    let copy = Path::new(COPIES).join("dhcp");
    let Ok(text) = std::fs::read_to_string(Path::new(UCI).join("dhcp")) else { return };
    if copy.exists() {
        if let Err(why) = file::edit(&copy, &|old| Ok((old != text).then(|| text.clone()))) {
            eprintln!("phoneprov: {why}; status may be out of date until /etc/init.d/phoneprov reload");
        }
    }
}

/// Runs it to its end, for so many milliseconds at the most.
pub(in crate::cli) fn run(command: &[&str], limit: u64) -> Result<(), String> {
    let [program, arguments @ ..] = command else { return Ok(()) };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|e| format!("cannot be run: {e}"))?;
    const LOOK: Duration = Duration::from_millis(50);
    for _ in 0..(limit / LOOK.as_millis() as u64) {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("failed ({status})")),
            Ok(None) => sleep(LOOK),
            Err(e) => return Err(format!("cannot be waited for: {e}")),
        }
    }
    let _ = child.kill().and_then(|()| child.wait());
    Err(format!("did not end within {} s", limit.div_ceil(1000)))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn who_does_not_end_is_ended() {
        assert_eq!(run(&["true"], 5000), Ok(()));
        assert!(run(&["false"], 5000).unwrap_err().contains("failed"));
        assert_eq!(run(&["sleep", "60"], 200), Err("did not end within 1 s".to_string()));
    }
}
