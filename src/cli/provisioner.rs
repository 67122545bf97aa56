//! `phoneprov provisioner`: the upstream side, in the foreground.

use super::args::Args;
use super::{run, setup};
use super::{DONE, FAILED, USAGE};
use crate::net::provisioner::Serving;
use crate::provisioner::folder::Folder;
use log::LevelFilter;
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

/// Where it listens unless told: a reverse proxy with TLS stands before it.
const LISTEN: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8481);

pub(super) fn run(args: &Args) -> i32 {
    let Some(store) = args.words.get("store") else {
        eprintln!("phoneprov: 'provisioner' needs --store DIR");
        return USAGE;
    };
    let listen = match args.words.get("listen").map_or(Ok(LISTEN), |text| text.parse()) {
        Ok(listen) => listen,
        Err(_) => {
            eprintln!("phoneprov: --listen needs an IPv4 address and a port, such as {LISTEN}");
            return USAGE;
        }
    };
    setup::log(if args.verbose { LevelFilter::Debug } else { LevelFilter::Info });
    super::harden::harden();
    room_for_connections();
    match start(Path::new(store), listen) {
        Ok(serving) => {
            log::info!("provisioner: phoneprov {} at http://{}", env!("CARGO_PKG_VERSION"), serving.address());
            serving.run();
            log::info!("provisioner: ended");
            DONE
        }
        Err(why) => {
            log::error!("{why}");
            FAILED
        }
    }
}

/// As many descriptors as the system grants: the usual soft limit is 1,024, and so many connections alone are allowed.
fn room_for_connections() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(e) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        log::warn!("provisioner: at most {} open files: {e}", limit.current.unwrap_or_default());
    }
}

fn start(store: &Path, listen: SocketAddrV4) -> Result<Serving, String> {
    let (folder, looked) = Folder::open(store)?;
    looked.troubles.iter().for_each(|t| log::warn!("store: {t}"));
    let counts = folder.documents().counts();
    log::info!(
        "store: {}: {} devices, {} users, {} accounts, {} templates",
        store.display(),
        counts.devices,
        counts.users,
        counts.accounts,
        counts.templates
    );
    let signals = run::signals().map_err(|e| format!("cannot catch signals: {e}"))?;
    Serving::start(folder, listen, signals)
}
