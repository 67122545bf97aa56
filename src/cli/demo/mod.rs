//! `phoneprov demo`: the main job, on loopback. A snom and a Mitel plug in and get their configs; the upstream dies;
//! they get the same again. Needs no root and no fixed port.

#[cfg(not(feature = "provisioner"))]
#[path = "stand_in.rs"]
mod upstream;
#[cfg(feature = "provisioner")]
mod upstream;

use super::args::Args;
use super::softphone::{Brand, Got, SoftPhone, BRANDS};
use super::text::{say, table};
use super::{setup, DONE, FAILED};
use crate::config::{Config, Secret};
use crate::core::agent::Device;
use crate::net::runtime::{DeviceSource, Options, Runtime};
use crate::proto::mac::Mac;
use log::LevelFilter;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use upstream::Upstream;

/// The password that the upstream wants, and that no phone may see.
const PASSWORD: &str = "demo-provisioning-secret";
const PATIENCE: Duration = Duration::from_secs(8);
/// The two phones: brand, MAC, address.
const PHONES: [(&str, Mac, Ipv4Addr); 2] = [
    ("snom", Mac([0x00, 0x04, 0x13, 0xaa, 0xbb, 0x01]), Ipv4Addr::new(127, 0, 0, 11)),
    ("mitel", Mac([0x00, 0x08, 0x5d, 0xaa, 0xbb, 0x02]), Ipv4Addr::new(127, 0, 0, 12)),
];

pub(super) fn run(args: &Args) -> i32 {
    setup::log(if args.verbose { LevelFilter::Trace } else { LevelFilter::Warn });
    let mut steps = Steps { json: args.json, begin: Instant::now(), done: Vec::new() };
    let result = play(&mut steps);
    steps.end(result)
}

/// What happened, as it happens and as a table at the end.
struct Steps {
    json: bool,
    begin: Instant,
    done: Vec<(String, String, String)>,
}

impl Steps {
    fn done(&mut self, who: &str, what: &str, figures: String) {
        if !self.json {
            say!("{:>6} ms  {who:<9} {what:<28} {figures}", self.begin.elapsed().as_millis());
        }
        self.done.push((who.to_string(), what.to_string(), figures));
    }

    fn end(self, result: Result<(), String>) -> i32 {
        if self.json {
            let steps: Vec<_> = self
                .done
                .iter()
                .map(|(who, what, figures)| serde_json::json!({"who": who, "what": what, "figures": figures}))
                .collect();
            let error = result.as_ref().err();
            say!("{:#}", serde_json::json!({"ok": error.is_none(), "error": error, "steps": steps}));
        } else {
            let head = ["WHO", "WHAT", "FIGURES"].map(str::to_string).to_vec();
            let rows = self.done.into_iter().map(|(a, b, c)| vec![a, b, c]);
            say!("\n{}", table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
        }
        match result {
            Ok(()) => {
                if !self.json {
                    say!("Every step held.");
                }
                DONE
            }
            Err(why) => {
                eprintln!("phoneprov demo: {why}");
                FAILED
            }
        }
    }
}

fn play(steps: &mut Steps) -> Result<(), String> {
    let folder = Folder::new()?;
    let mut upstream = Upstream::start(&folder.0).map_err(|e| format!("cannot start the upstream: {e}"))?;
    steps.done("upstream", Upstream::WHAT, format!("http://{}", upstream.address));
    let config = config(&upstream, &folder)?;
    let lo = Device { name: "lo".to_string(), index: 1, addresses: vec![(Ipv4Addr::LOCALHOST, 8)] };
    let devices = DeviceSource::Fixed(vec![lo]);
    let options = Options { config, reload: None, devices, sip_port: 0, dhcp_settings: None, signals: None };
    let (send, receive) = std::sync::mpsc::channel();
    // the loop lives on its own thread, as it would in a process of its own
    let agent = std::thread::Builder::new()
        .name("agent".into())
        .spawn(move || {
            let mut runtime = match Runtime::start(options) {
                Ok(runtime) => runtime,
                Err(why) => {
                    let _ = send.send(Err(why));
                    return;
                }
            };
            if let Some(trouble) = runtime.troubles().first() {
                let _ = send.send(Err(trouble.clone()));
                return;
            }
            let _ = send.send(Ok((runtime.http_port(), runtime.sip_port(), runtime.stopper())));
            if let Err(why) = runtime.run() {
                log::error!("agent: {why}");
            }
        })
        .map_err(|e| format!("cannot start a thread: {e}"))?;
    let started = receive.recv().map_err(|_| "the agent ended at its start".to_string())?;
    let (http, sip, stopper) = started?;
    steps.done("agent", "serves", format!("127.0.0.1, http port {http}, PnP port {sip}"));
    let result = phones(steps, &mut upstream, sip);
    stopper.stop();
    let _ = agent.join();
    result
}

fn phones(steps: &mut Steps, upstream: &mut Upstream, sip: u16) -> Result<(), String> {
    let mut first: Vec<(SoftPhone, Vec<(String, Got)>)> = Vec::new();
    for (brand, mac, address) in PHONES {
        let brand: &'static Brand = BRANDS.iter().find(|b| b.vendor == brand).ok_or("no such brand")?;
        let mut phone = SoftPhone::new(brand, mac, address)?;
        let url = subscribe(steps, &mut phone, sip)?;
        let mut files = Vec::new();
        for url in phone.urls(&url) {
            let got = fetch(steps, &phone, &url, "fresh")?;
            files.push((url, got));
        }
        first.push((phone, files));
    }
    let address = upstream.address;
    upstream.kill();
    if std::net::TcpStream::connect(address).is_ok() {
        return Err("the upstream does not die".to_string());
    }
    steps.done("upstream", "killed", format!("http://{address} refuses connections"));
    for (phone, files) in &mut first {
        let told = subscribe(steps, phone, sip)?;
        let urls = phone.urls(&told);
        for ((before, old), url) in files.iter().zip(urls) {
            let got = fetch(steps, phone, &url, "last-good; reason=down")?;
            if got.body != old.body {
                return Err(format!("{before}: other bytes than before: {} and {}", old.sha256, got.sha256));
            }
            steps.done(phone.brand.vendor, "same bytes from the last good", format!("sha256 {}", got.sha256));
        }
    }
    Ok(())
}

fn subscribe(steps: &mut Steps, phone: &mut SoftPhone, sip: u16) -> Result<String, String> {
    let who = phone.brand.vendor;
    // to the group, as a phone does; a machine whose loopback takes no multicast is asked directly
    let group = SocketAddrV4::new(Ipv4Addr::new(224, 0, 1, 75), sip);
    let (told, to) = match phone.subscribe(group, Duration::from_secs(3)) {
        Ok(told) => (told, "224.0.1.75"),
        Err(_) => {
            let direct = SocketAddrV4::new(Ipv4Addr::LOCALHOST, sip);
            (phone.subscribe(direct, PATIENCE).map_err(|e| format!("{who}: SUBSCRIBE: {e}"))?, "127.0.0.1")
        }
    };
    steps.done(who, "SUBSCRIBE", format!("{} asks {to}", phone.mac));
    steps.done(
        who,
        "NOTIFY",
        format!("{} after {:.1} ms, from {}", told.url, told.after.as_secs_f64() * 1000.0, told.by),
    );
    if told.url.contains(PASSWORD) {
        return Err("the URL holds the provisioning password".to_string());
    }
    Ok(told.url)
}

fn fetch(steps: &mut Steps, phone: &SoftPhone, url: &str, label: &str) -> Result<Got, String> {
    let who = phone.brand.vendor;
    let got = phone.get(url, PATIENCE).map_err(|e| format!("{who}: {e}"))?;
    let file = url.rsplit('/').next().unwrap_or_default();
    if got.status != 200 {
        let text = String::from_utf8_lossy(&got.body).into_owned();
        return Err(format!("{who}: {file}: status {}: {}", got.status, text.trim()));
    }
    if !got.label.starts_with(label) {
        return Err(format!("{who}: {file}: expected '{label}', the agent said '{}'", got.label));
    }
    if got.body.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes()) {
        return Err(format!("{who}: {file}: holds the provisioning password"));
    }
    let figures = format!(
        "{file}: {} bytes in {:.1} ms, {}, sha256 {}",
        got.body.len(),
        got.after.as_secs_f64() * 1000.0,
        got.label,
        got.sha256
    );
    steps.done(who, "config fetched", figures);
    Ok(got)
}

/// The shipped config, with the demo's upstream, folders and free ports.
fn config(upstream: &Upstream, folder: &Folder) -> Result<Config, String> {
    let shipped = include_str!("../../../openwrt-package/files/phoneprov.config");
    let loaded = Config::read(shipped, "phoneprov.config", &crate::config::known_vendors());
    let mut config = loaded.map_err(|e| e.to_string())?.config;
    // the provisioner wants the password of all brands
    if let Some(mitel) = config.vendors.iter_mut().find(|v| v.name == "mitel") {
        mitel.url = "{upstream}/prov/mitel/?pass={provpass}".to_string();
    }
    let agent = &mut config.agent;
    agent.enabled = true;
    agent.upstream = format!("http://{}", upstream.address);
    agent.provpass = Secret::new(PASSWORD);
    agent.port = 0;
    // no phone of flesh and blood asks twice within ten seconds and wants to see two different answers
    agent.fresh_for = Duration::ZERO;
    agent.state_dir = folder.0.join("state");
    agent.run_dir = folder.0.join("run");
    Ok(config)
}

/// A folder that is gone when the demo is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder, String> {
        let path = std::env::temp_dir().join(format!("phoneprov-demo-{}", std::process::id()));
        let made = std::fs::DirBuilder::new();
        let make = |mut b: std::fs::DirBuilder| {
            use std::os::unix::fs::DirBuilderExt;
            b.mode(0o700).create(&path)
        };
        make(made).map_err(|e| format!("cannot make {}: {e}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
