//! What a process that holds passwords does first: its files are its own, and its memory is written nowhere.

use rustix::process::{set_dumpable_behavior, setrlimit, umask, DumpableBehavior, Resource, Rlimit};

pub(super) fn harden() {
    // the control socket, the store and status.json are for us alone, whatever the caller's umask
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    // a core file would hold every config that was in memory; both, since a core_pattern that is a pipe knows no limit
    if let Err(e) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        log::warn!("agent: core dumps cannot be turned off: {e}");
    }
    not_dumpable();
}

/// Once more after each change of user: the kernel then sets it to fs.suid_dumpable (prctl(2), PR_SET_DUMPABLE), which
/// is 2 where systemd's core_pattern is a pipe, and a pipe gets the dump of such a process.
pub(super) fn not_dumpable() {
    if let Err(e) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        log::warn!("agent: core dumps cannot be turned off: {e}");
    }
}
