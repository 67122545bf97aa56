//! What the agent may do on the machine: started as root it becomes another user, and in any case keeps only the
//! capabilities that it needs. It must happen before the first thread is made: these are properties of a thread, which
//! new ones inherit.

use super::handover;
use super::user::{self, User};
use crate::config::Agent;
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::thread::{self, CapabilitiesSecureBits as Bits, CapabilitySet, CapabilitySets};

/// Below this a port is the system's (RFC 6335 section 6).
const FIRST_FREE_PORT: u16 = 1024;
/// Bits of the kernel's capability sets; those that a kernel does not know are refused by it.
const CAPABILITIES: u32 = 64;

/// May this port be opened by anybody? 0 is "any free one".
pub(super) fn is_free(port: u16) -> bool {
    port == 0 || port >= FIRST_FREE_PORT
}

/// What the agent needs for as long as it runs: raw sockets for DHCP, opened again when a device comes back, and on
/// kernels before 5.7 the binding of a socket to its device; and a low port, if one is set.
fn needed(port: u16) -> CapabilitySet {
    let mut all = CapabilitySet::NET_RAW;
    all.set(CapabilitySet::NET_BIND_SERVICE, !is_free(port));
    all
}

/// As root: gives the folders to the user and becomes that user. As somebody else: keeps what is needed of what there
/// is. Returns a line for the log.
///
/// # Errors
/// A sentence, when root cannot be left: the agent then does not run.
pub(super) fn settle(named: Option<&str>, agent: &Agent) -> Result<String, String> {
    let needed = needed(agent.port);
    if !rustix::process::geteuid().is_root() {
        if named.is_some() {
            return Err("--user: only root can become another user; leave it out".to_string());
        }
        return restrict(needed);
    }
    let user = user::find(named)?;
    handover::folders(agent, &user)?;
    let have = leave_root(&user, needed).map_err(|(what, e)| {
        let why = std::io::Error::from(e);
        format!("cannot become user {}: {what}: {why}; start the agent as that user, or with --user root", user.name)
    })?;
    let why = match named.is_none() && user.uid == 0 {
        true => format!(", as there is no user {}", user::DEFAULT),
        false => String::new(),
    };
    Ok(format!("user {} ({}){why}, {}", user.name, user.uid, told(needed, have)))
}

/// What is had of what is needed.
fn told(needed: CapabilitySet, have: CapabilitySet) -> String {
    match have == needed {
        true => format!("capabilities {}", names(have)),
        false => format!("without the capabilities {}: what needs them is not served", names(needed.difference(have))),
    }
}

fn leave_root(user: &User, needed: CapabilitySet) -> Result<CapabilitySet, (&'static str, Errno)> {
    thread::set_no_new_privs(true).map_err(|e| ("no_new_privs", e))?;
    // In a container root may lack the right to these two. They matter only to a program that we would execute, and
    // there is none.
    for bit in 0..CAPABILITIES {
        let _ = thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit));
    }
    let locked = Bits::NO_ROOT | Bits::NO_ROOT_LOCKED | Bits::NO_CAP_AMBIENT_RAISE | Bits::NO_CAP_AMBIENT_RAISE_LOCKED;
    let _ = thread::set_capabilities_secure_bits(locked);
    let sets = thread::capabilities(None).map_err(|e| ("reading capabilities", e))?;
    thread::set_keep_capabilities(true).map_err(|e| ("keeping capabilities", e))?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    thread::set_thread_groups(&[]).map_err(|e| ("setgroups", e))?;
    thread::set_thread_res_gid(gid, gid, gid).map_err(|e| ("setgid", e))?;
    thread::set_thread_res_uid(uid, uid, uid).map_err(|e| ("setuid", e))?;
    let have = needed & sets.permitted;
    keep(have).map_err(|e| ("setting capabilities", e))?;
    thread::set_keep_capabilities(false).map_err(|e| ("forgetting capabilities", e))?;
    Ok(have)
}

/// Not root: no capability can be had that is not there already, but one that is not needed can go.
fn restrict(needed: CapabilitySet) -> Result<String, String> {
    let failed = |e: Errno| format!("cannot set capabilities: {}", std::io::Error::from(e));
    thread::set_no_new_privs(true).map_err(failed)?;
    let have = thread::capabilities(None).map_err(failed)?.permitted & needed;
    // a kernel before 4.3 has no ambient set
    let _ = thread::clear_ambient_capability_set();
    keep(have).map_err(failed)?;
    Ok(format!("user {}, {}", rustix::process::geteuid().as_raw(), told(needed, have)))
}

fn keep(set: CapabilitySet) -> Result<(), Errno> {
    let sets = CapabilitySets { effective: set, permitted: set, inheritable: CapabilitySet::empty() };
    thread::set_capabilities(None, sets)
}

fn names(set: CapabilitySet) -> String {
    set.iter_names().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn only_what_is_needed() {
        for (port, set) in [(8480, "NET_RAW"), (0, "NET_RAW"), (80, "NET_BIND_SERVICE, NET_RAW"), (1024, "NET_RAW")] {
            assert_eq!(names(needed(port)), set, "{port}");
        }
    }
}
