//! The demo's upstream: the provisioner with the templates that come with it, and a folder of documents of an office
//! with two phones.

use super::{PASSWORD, PHONES};
use crate::net::provisioner::Serving;
use crate::net::runtime::Signals;
use crate::net::store::Store;
use serde_json::json;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;

pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    /// A byte into it ends the thread, as SIGTERM ends a process.
    end: UnixStream,
    _reload: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    /// What it is, for the steps.
    pub(super) const WHAT: &'static str = "embedded provisioner";

    /// With its documents in this folder.
    pub(super) fn start(folder: &Path) -> io::Result<Upstream> {
        let store = folder.join("db");
        documents(&store)?;
        let (end, raise_end) = UnixStream::pair()?;
        let (reload, raise_reload) = UnixStream::pair()?;
        reload.set_nonblocking(true)?;
        let (store, _) = Store::open(&store.display().to_string(), false, |_| {}).map_err(io::Error::other)?;
        let listen = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        let serving = Serving::start(store, listen, Vec::new(), Signals { end, reload }).map_err(io::Error::other)?;
        let address = SocketAddr::V4(serving.address());
        let thread = std::thread::Builder::new().name("upstream".into()).spawn(move || serving.run())?;
        Ok(Upstream { address, end: raise_end, _reload: raise_reload, thread: Some(thread) })
    }

    /// Dies: its port refuses connections from now on.
    pub(super) fn kill(&mut self) {
        let _ = self.end.write_all(b"x");
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An account, a user, and a device for each phone.
fn documents(store: &Path) -> io::Result<()> {
    let account = json!({"_id": "acc", "pvt_type": "account", "realm": "office.example", "timezone": "Europe/Zurich",
        "provision": {"provision_enabled": true, "urlpass": PASSWORD, "provisionuser": "admin", "provisionpass": "4711"}});
    let user =
        json!({"_id": "u1", "pvt_type": "user", "first_name": "Anna", "last_name": "Muster", "presence_id": "201"});
    let folder = store.join("account/office");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("account.json"), account.to_string())?;
    std::fs::write(folder.join("anna.json"), user.to_string())?;
    for (brand, mac, _) in PHONES {
        let (family, model) = if brand == "snom" { ("7xx", "D765") } else { ("68xx", "6869i") };
        let device = json!({"pvt_type": "device", "pvt_account_id": "acc", "owner_id": "u1", "mac_address": mac.to_string(),
            "sip": {"username": format!("user_{brand}"), "password": format!("sip-of-{brand}")},
            "provision": {"endpoint_brand": brand, "endpoint_family": family, "endpoint_model": model,
                "feature_keys": {"1": {"type": "presence", "value": "u1"}, "2": {"type": "parking", "value": "*31"}}}});
        std::fs::write(folder.join(format!("{brand}.json")), device.to_string())?;
    }
    Ok(())
}
