//! The package: built from the files in openwrt-package, read back, unpacked into a scratch root, and its init script
//! run there by busybox' ash.
//!
//! OpenWrt's own parts (rc.common, functions.sh, procd.sh, network.sh, the package manager) are not here: what the
//! script meets in the scratch root are stand-ins of tests/data/openwrt that write down what they are asked. The script, the
//! package's scripts, the binary and the files are the real ones. Needs root (for chroot) and busybox; without them a
//! test says `skipped`, and fails with `CI=true`.
#![forbid(unsafe_code)]

mod luci;
mod pack;
mod router;
mod service;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A file of the repository.
fn repo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// May a test that needs these programs, and root, run?
fn can(name: &str, root: bool, programs: &[&str]) -> bool {
    let found = |p: &&&str| {
        Command::new("sh").args(["-c", &format!("command -v {p}")]).output().is_ok_and(|o| o.status.success())
    };
    let why = match programs.iter().find(|p| !found(p)) {
        Some(missing) => format!("needs {missing} (tests/install-peers.sh installs it)"),
        None if root && !rustix::process::geteuid().is_root() => "needs root for chroot".to_string(),
        None => return true,
    };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{name}: {why}");
    let _ = writeln!(std::io::stderr(), "skipped: {name}: {why}");
    false
}

/// Runs to the end; panics with its words when it fails.
#[track_caller]
fn run(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(out.status.success(), "{command:?}: {}", words(&out));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn words(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}
