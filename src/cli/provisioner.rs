//! `phoneprov provisioner`: the upstream side, in the foreground.

use super::args::Args;
use super::{run, setup, store};
use super::{DONE, FAILED, USAGE};
use crate::net::provisioner::Serving;
use crate::net::store::Store;
use crate::provisioner::couch::nodes::is_couch;
use crate::provisioner::kazoo::access::Access;
use crate::provisioner::shared;
use log::LevelFilter;
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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
    let kazoo = match kazoo(args) {
        Ok(kazoo) => kazoo,
        Err(why) => {
            eprintln!("phoneprov: {why}");
            return USAGE;
        }
    };
    setup::log(if args.verbose { LevelFilter::Debug } else { LevelFilter::Info });
    super::harden::harden();
    room_for_connections();
    let files = args.words.get("files").map(PathBuf::from);
    let files = files.or_else(|| (!is_couch(&store)).then(|| Path::new(&store).join(shared::FOLDER)));
    let serving = start(&store, listen, proxies, args.json).and_then(|serving| {
        let serving = match files {
            Some(folder) => serving.with_files(folder),
            None => serving,
        };
        match kazoo {
            Some((access, urlpass)) => serving.with_kazoo(access, urlpass),
            None => Ok(serving),
        }
    });
    match serving {
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

/// Who may call as Kazoo does, and the password of accounts that come without one. `None`: nobody.
type Kazoo = Option<(Access, Option<String>)>;

fn kazoo(args: &Args) -> Result<Kazoo, String> {
    let secret = |option: &str| {
        args.words.get(option).map(|file| secret(file).map_err(|why| format!("--{option} {file}: {why}")))
    };
    let urlpass = secret("kazoo-urlpass-file").transpose()?.map(|text| text.trim().to_string());
    let tokens = secret("kazoo-token-file").transpose()?;
    let from = args.words.get("kazoo-allow");
    if tokens.is_none() && from.is_none() {
        return match urlpass {
            Some(_) => Err("--kazoo-urlpass-file is of no use without --kazoo-token-file or --kazoo-allow".to_string()),
            None => Ok(None),
        };
    }
    if urlpass.as_ref().is_some_and(|p| p.is_empty() || p.chars().any(char::is_whitespace)) {
        return Err("--kazoo-urlpass-file: a password is one word".to_string());
    }
    let access = Access::new(&tokens.unwrap_or_default(), from.map_or("", String::as_str))?;
    Ok(Some((access, urlpass)))
}

/// What is in a file that nobody else may read.
fn secret(file: &str) -> Result<String, String> {
    let opened = File::open(file).map_err(|e| e.to_string())?;
    let mode = opened.metadata().map_err(|e| e.to_string())?.mode();
    if mode & 0o077 != 0 {
        return Err(format!("others have access (mode {:04o}); run: chmod 600 {file}", mode & 0o7777));
    }
    let mut text = String::new();
    opened.take(SECRETS).read_to_string(&mut text).map_err(|e| e.to_string())?;
    Ok(text)
}

/// Bytes of a file of secrets: hundreds of them.
const SECRETS: u64 = 64 * 1024;

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
