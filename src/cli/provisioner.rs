//! `phoneprov provisioner`: the upstream side, in the foreground.

use super::args::Args;
use super::{run, setup, store};
use super::{DONE, FAILED, USAGE};
use crate::net::provisioner::Serving;
use crate::net::store::Store;
use log::LevelFilter;
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

/// Where it listens unless told: a reverse proxy with TLS stands before it.
const LISTEN: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8481);

pub(super) fn run(args: &Args) -> i32 {
    let store = match store::named(args) {
        Ok(Some(store)) => store,
        Ok(None) => {
            eprintln!("phoneprov: 'provisioner' needs --store: a folder, or http://user:password@host:5984");
            return USAGE;
        }
        Err(why) => {
            eprintln!("phoneprov: {why}");
            return FAILED;
        }
    };
    let listen = match args.words.get("listen").map_or(Ok(LISTEN), |text| text.parse()) {
        Ok(listen) => listen,
        Err(_) => {
            eprintln!("phoneprov: --listen needs an IPv4 address and a port, such as {LISTEN}");
            return USAGE;
        }
    };
    let proxies = args.words.get("proxy").map_or("", String::as_str);
    let Ok(proxies) = proxies.split(',').filter(|p| !p.is_empty()).map(|p| p.trim().parse()).collect() else {
        eprintln!("phoneprov: --proxy needs addresses of reverse proxies: 192.0.2.1,192.0.2.2");
        return USAGE;
    };
    setup::log(if args.verbose { LevelFilter::Debug } else { LevelFilter::Info });
    super::harden::harden();
    room_for_connections();
    match start(&store, listen, proxies, args.json) {
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

fn start(named: &str, listen: SocketAddrV4, proxies: Vec<IpAddr>, json: bool) -> Result<Serving, String> {
    let (store, troubles) = Store::open(named, true, store::told(json))?;
    troubles.iter().for_each(|t| log::warn!("store: {t}"));
    let counts = store.documents().counts();
    log::info!(
        "store: {}: {} devices, {} users, {} accounts, {} templates",
        store::shown(named),
        counts.devices,
        counts.users,
        counts.accounts,
        counts.templates
    );
    let signals = run::signals().map_err(|e| format!("cannot catch signals: {e}"))?;
    Serving::start(store, listen, proxies, signals)
}
