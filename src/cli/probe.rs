//! `phoneprov probe`: be a phone on the LAN, and say what it would get and where it fails.

use super::args::Args;
use super::call::{call, failed};
use super::softphone::{SoftPhone, BRANDS, OTHER};
use super::text::{field, say};
use super::{setup, DONE, FAILED};
use crate::net::interfaces;
use crate::proto::mac::Mac;
use serde_json::{json, Value};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// How long a phone waits for the NOTIFY.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a probe has to say while it runs.
pub(super) enum Said<'a> {
    /// A step is done: `{"step","ok","text"}`.
    Step(&'a Value),
    /// Something is wrong beside the steps, and decides nothing.
    Note(&'a str),
}

/// What came of it.
pub(super) struct Outcome {
    pub(super) ok: bool,
    pub(super) steps: Vec<Value>,
    pub(super) notes: Vec<String>,
}

pub(super) fn run(args: &Args) -> i32 {
    let outcome = probe(args, &mut |said| match said {
        _ if args.json => {}
        Said::Step(step) => {
            let ok = step.get("ok") == Some(&Value::Bool(true));
            say!("{} {}: {}", if ok { "ok    " } else { "FAILED" }, field(step, "step"), field(step, "text"));
        }
        Said::Note(text) => say!("note   {text}"),
    });
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(why) => return failed(args, &why),
    };
    if args.json {
        say!("{:#}", outcome.to_json());
    }
    if outcome.ok {
        DONE
    } else {
        FAILED
    }
}

/// Plays a phone, and tells `watch` of each step. The error says why it could not begin.
pub(super) fn probe(args: &Args, watch: &mut dyn FnMut(Said<'_>)) -> Result<Outcome, String> {
    let mut report = Report { watch, steps: Vec::new(), notes: Vec::new() };
    let ok = prepare(args)?.run(args, &mut report);
    Ok(Outcome { ok, steps: report.steps, notes: report.notes })
}

impl Outcome {
    pub(super) fn to_json(&self) -> Value {
        json!({"ok": self.ok, "steps": self.steps, "notes": self.notes})
    }
}

/// A phone, where it stands, and what the config says of it.
struct Probe {
    phone: SoftPhone,
    device: String,
    vendor: String,
    enabled: bool,
}

/// Who the phone is and where it stands.
fn prepare(args: &Args) -> Result<Probe, String> {
    let (config, _) = setup::config(args).map_err(|e| e.to_string())?;
    let file = args.config.display();
    let section = match args.vendor.as_deref() {
        Some(named) => config.vendors.iter().find(|v| v.name == named).ok_or_else(|| {
            let all: Vec<&str> = config.vendors.iter().map(|v| v.name.as_str()).collect();
            format!("{file} has no vendor '{named}', only {}", all.join(", "))
        })?,
        None => config.vendors.iter().find(|v| v.enabled).ok_or_else(|| {
            format!("no vendor is enabled in {file}; set option enabled '1' in one, or name one with --vendor")
        })?,
    };
    let brand = BRANDS.iter().find(|b| b.vendor == section.name).unwrap_or(&OTHER);
    let mac = match args.mac {
        Some(mac) => mac,
        None => {
            let first = section.ouis.first().ok_or_else(|| format!("vendor '{}' has no oui", section.name))?;
            // an address of the brand that hardly any real phone has
            let text = first.to_string().replace('*', "fe");
            Mac::parse(&text).ok_or_else(|| format!("give --mac: '{first}' does not lead to one"))?
        }
    };
    let device = match args.devices.first() {
        Some(device) => device.clone(),
        None => setup::devices(args, &config)?.swap_remove(0),
    };
    let address: Ipv4Addr = interfaces()
        .into_iter()
        .find(|d| d.name == device)
        .and_then(|d| d.addresses.first().map(|(a, _)| *a))
        .ok_or_else(|| format!("device {device} is down or has no IPv4 address; see ip addr show {device}"))?;
    let phone = SoftPhone::new(brand, mac, address)?;
    Ok(Probe { phone, device, vendor: section.name.clone(), enabled: section.enabled })
}

struct Report<'a> {
    watch: &'a mut dyn FnMut(Said<'_>),
    steps: Vec<Value>,
    notes: Vec<String>,
}

impl Report<'_> {
    fn step(&mut self, name: &str, ok: bool, text: String) {
        let step = json!({"step": name, "ok": ok, "text": text});
        (self.watch)(Said::Step(&step));
        self.steps.push(step);
    }

    fn note(&mut self, text: String) {
        (self.watch)(Said::Note(&text));
        self.notes.push(text);
    }
}

impl Probe {
    /// Did all go well?
    fn run(&mut self, args: &Args, report: &mut Report<'_>) -> bool {
        let text = format!("a {} phone with MAC {} on {}", self.vendor, self.phone.mac, self.device);
        report.step("phone", true, text);
        if !self.enabled {
            let text = format!(
                "vendor '{}' is not enabled in {}, so its phones get no answer; set option enabled '1' in its section and reload the agent",
                self.vendor,
                args.config.display()
            );
            report.step("vendor", false, text);
            return false;
        }
        self.dhcp(args, report);
        let group = SocketAddrV4::new(Ipv4Addr::new(224, 0, 1, 75), 5060);
        let told = match self.phone.subscribe(group, PATIENCE) {
            Ok(told) => told,
            Err(why) => {
                report.step("SUBSCRIBE", false, format!("{why}: {}", self.silence(args)));
                return false;
            }
        };
        let after = told.after.as_secs_f64() * 1000.0;
        report.step("SUBSCRIBE", true, format!("answered by {} after {after:.1} ms", told.by));
        report.step("NOTIFY", true, told.url.clone());
        let urls = self.phone.urls(&told.url);
        let mut all = true;
        for (i, url) in urls.iter().enumerate() {
            let (ok, text) = self.fetch(url, i + 1 == urls.len());
            report.step("GET", ok, format!("{url}: {text}"));
            all &= ok;
        }
        all
    }

    /// What the agent says of DHCP. A hint: the probe itself asks by PnP, and others on the LAN can bring some of it about.
    fn dhcp(&self, args: &Args, report: &mut Report<'_>) {
        let status = call(args, &json!({"op": "status"})).unwrap_or_default();
        let troubles = status.pointer("/dhcp/troubles").and_then(Value::as_array);
        for trouble in troubles.into_iter().flatten().filter_map(Value::as_str) {
            report.note(format!("DHCP: {trouble}"));
        }
    }

    /// Why nobody answered, as far as it can be known.
    fn silence(&self, args: &Args) -> String {
        let status = match call(args, &json!({"op": "status"})) {
            Ok(status) => status,
            Err(why) => return why,
        };
        let texts = |list: &str, field: fn(&Value) -> Option<&str>| -> Vec<String> {
            let all = status.get(list).and_then(Value::as_array).into_iter().flatten();
            all.filter_map(field).map(str::to_string).collect()
        };
        if status.pointer("/pnp/enabled") == Some(&Value::Bool(false)) {
            return "PnP is off (option pnp '0'); phones learn the URL by DHCP only".to_string();
        }
        if !texts("vendors", Value::as_str).contains(&self.vendor) {
            return format!("the agent does not serve vendor '{}' yet; reload it", self.vendor);
        }
        if let Some(trouble) = texts("troubles", Value::as_str).first() {
            return trouble.clone();
        }
        let devices = texts("devices", |d| d.get("name").and_then(Value::as_str));
        if !devices.contains(&self.device) {
            return format!("the agent serves {}, is {} on that network?", devices.join(" and "), self.device);
        }
        format!(
            "the agent runs and serves {}; does MAC {} match an oui of it, and does the firewall let UDP 5060 to 224.0.1.75 in from {}? phoneprov run --verbose says why it is silent",
            self.vendor, self.phone.mac, self.device
        )
    }

    /// One file, and how it went. Phones go on when an optional file is missing, but need the last one.
    fn fetch(&self, url: &str, needed: bool) -> (bool, String) {
        let got = match self.phone.get(url, Duration::from_secs(60)) {
            Ok(got) => got,
            Err(why) => return (false, why),
        };
        if got.status == 200 {
            return (true, format!("{} bytes, {}, sha256 {}", got.body.len(), got.label, got.sha256));
        }
        if got.status == 404 && !needed {
            return (true, "not there, which phones take".to_string());
        }
        let text = String::from_utf8_lossy(&got.body);
        let text = text.trim().trim_start_matches("phoneprov: ");
        let hint = match got.status {
            404 => "; does the provider know this MAC, and are option upstream, the vendor's url and option provpass right?",
            503 => "; see phoneprov status",
            _ => "",
        };
        (false, format!("status {}: {text}{hint}", got.status))
    }
}
