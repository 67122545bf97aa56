//! `phoneprov probe`: be a phone on the LAN, and say what it would get and where it fails.

use super::args::Args;
use super::call::failed;
use super::softphone::{Brand, SoftPhone, BRANDS};
use super::{setup, DONE, FAILED};
use crate::net::interfaces;
use crate::proto::mac::Mac;
use serde_json::{json, Value};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

pub(super) fn run(args: &Args) -> i32 {
    match prepare(args) {
        Ok((phone, device)) => probe(args, phone, &device),
        Err(why) => failed(args, &why),
    }
}

/// Who the phone is and where it stands.
fn prepare(args: &Args) -> Result<(SoftPhone, String), String> {
    let (config, _) = setup::config(args).map_err(|e| e.to_string())?;
    let named = args.vendor.as_deref();
    let section = config
        .vendors
        .iter()
        .find(|v| named.map_or(v.enabled, |n| v.name == n))
        .ok_or_else(|| format!("no vendor '{}' in {}", named.unwrap_or("enabled"), args.config.display()))?;
    let brand: &'static Brand = BRANDS
        .iter()
        .find(|b| b.vendor == section.name)
        .or(BRANDS.first())
        .ok_or("this build knows no phone to imitate")?;
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
    Ok((SoftPhone::new(brand, mac, address)?, device))
}

struct Report {
    json: bool,
    steps: Vec<Value>,
}

impl Report {
    fn step(&mut self, name: &str, ok: bool, text: String) {
        if !self.json {
            println!("{} {name}: {text}", if ok { "ok    " } else { "FAILED" });
        }
        self.steps.push(json!({"step": name, "ok": ok, "text": text}));
    }

    fn end(self, ok: bool) -> i32 {
        if self.json {
            println!("{:#}", json!({"ok": ok, "steps": self.steps}));
        }
        if ok {
            DONE
        } else {
            FAILED
        }
    }
}

fn probe(args: &Args, mut phone: SoftPhone, device: &str) -> i32 {
    let mut report = Report { json: args.json, steps: Vec::new() };
    let who = format!("a {} phone with MAC {} on {device}", phone.brand.vendor, phone.mac);
    report.step("phone", true, who);
    let group = SocketAddrV4::new(Ipv4Addr::new(224, 0, 1, 75), 5060);
    let told = match phone.subscribe(group, Duration::from_secs(5)) {
        Ok(told) => told,
        Err(why) => {
            let text = format!(
                "{why}; is the agent running (phoneprov status), is PnP on (option pnp), is the vendor enabled, does the firewall let UDP 5060 in from {device}?"
            );
            report.step("SUBSCRIBE", false, text);
            return report.end(false);
        }
    };
    let after = told.after.as_secs_f64() * 1000.0;
    report.step("SUBSCRIBE", true, format!("answered by {} after {after:.1} ms", told.by));
    report.step("NOTIFY", true, told.url.clone());
    let mut all = true;
    for url in phone.urls(&told.url) {
        match phone.get(&url, Duration::from_secs(30)) {
            Ok(got) if got.status == 200 => {
                let text = format!("{url}: {} bytes, {}, sha256 {}", got.body.len(), got.label, got.sha256);
                report.step("GET", true, text);
            }
            // phones go on when an optional file is missing; the last one is their own
            Ok(got)
                if got.status == 404 && !url.contains(&phone.mac.hex()) && !url.contains(&phone.mac.hex_upper()) =>
            {
                report.step("GET", true, format!("{url}: not there, which phones take"));
            }
            Ok(got) => {
                let text = String::from_utf8_lossy(&got.body).into_owned();
                report.step("GET", false, format!("{url}: status {}: {}", got.status, text.trim()));
                all = false;
            }
            Err(why) => {
                report.step("GET", false, format!("{url}: {why}"));
                all = false;
            }
        }
    }
    report.end(all)
}
