//! The lab: network namespaces `router`, `phoneN` and `wan`, real peers in them, and the real agent between.
//!
//! A scenario is a few lines:
//! ```ignore
//! let Some(t) = Test::new("name").phone("00:04:13:00:00:01").start() else { return };
//! let config = t.put_snom(0, "first");
//! assert_eq!(t.phone(0).config().body, config);
//! t.upstream().fail(Fault::Rst);
//! assert_eq!(t.phone(0).config().body, config);
//! ```
//! Labs need root and some programs (tests/install-peers.sh). Without them a test says `skipped` and passes, except
//! with `CI=true`, where it fails. `LAB_AGENT` names another binary to test. What a failed test leaves is printed.
#![forbid(unsafe_code)]
#![allow(dead_code, missing_docs)] // the words of the lab are more than any one scenario uses

mod agent;
mod bodies;
mod build;
mod dhcp_client;
mod dhcp_packet;
mod dhcpd;
mod faulty;
mod frames;
mod http;
mod netns;
mod phone;
mod process;
mod sip;
mod tls;
mod upstream;

// scenarios
mod attack;
mod dhcp;
mod dhcp_brands;
mod dhcp_frames;
mod dhcp_responder;
mod dhcp_troubles;
mod dhcp_uci;
mod dhcp_watch;
mod disaster;
mod faults;
mod hostile;
mod killed;
mod life;
mod pnp;
mod privileges;
#[cfg(feature = "provisioner")]
mod provisioner;
mod rpcd;
mod secrets;
mod selftest;
mod soak;
mod traps;
mod verbs;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Folder for all labs. Short: a control socket's path may have 108 bytes.
fn scratch() -> PathBuf {
    let dir = std::env::temp_dir().join("phoneprov-lab");
    std::fs::create_dir_all(&dir).expect("a temporary folder");
    dir
}

/// A lab that cannot be: a failure in CI, a line that says so elsewhere.
fn skip(name: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{name}: {why}");
    say(&format!("skipped: {name}: {why}\n"));
}

/// Past the test harness, which shows what passing tests print to nobody.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Asks until `f` holds; panics with `what` after `limit`.
fn eventually(what: &str, limit: Duration, mut f: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !f() {
        assert!(begin.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
