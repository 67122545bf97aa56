//! What `status`, `phones` and `phone` show (design section 8). No secret can get in: URLs are shown as origins, and
//! targets are those of the LAN, which have none.

use super::decide::held_json;
use super::fetches::file_of;
use super::generations::{self, Comparison};
use super::Agent;
use crate::core::answer::Label;
use crate::core::cache::Entry;
use crate::core::directory::Phone;
use crate::core::now::Now;
use crate::core::outcome::Reason;
use crate::core::types::ResourceKey;
use crate::proto::mac::Mac;
use crate::vendor;
use serde_json::{json, Value};

impl Agent {
    pub(super) fn status_json(&self, now: Now) -> Value {
        let upstreams: Vec<Value> = self
            .fetches
            .upstreams()
            .map(|u| {
                json!({
                    "url": u.origin,
                    "state": if u.down.is_some() { "down" } else { "up" },
                    "last_ok": u.last_ok,
                    "last_error": u.last_error.map(|(_, why)| why),
                    "last_error_at": u.last_error.map(|(at, _)| at),
                })
            })
            .collect();
        // before the first fetch nothing is known of the upstream
        let upstream = upstreams.first().cloned().unwrap_or_else(|| {
            let origin = self.sections.iter().flatten().next().map_or("", |s| s.origin.as_str());
            json!({"url": origin, "state": "unknown", "last_ok": null, "last_error": null, "last_error_at": null})
        });
        let on_last_good = |p: &&&Phone| self.main_config(p.mac).is_some_and(|(_, e)| state(e).0 == "last-good");
        let phones = self.directory.sorted();
        let devices: Vec<Value> = self
            .devices
            .iter()
            .filter(|d| !d.name.is_empty())
            .map(|d| {
                let addresses: Vec<String> = d.addresses.iter().map(|(a, p)| format!("{a}/{p}")).collect();
                json!({"name": d.name, "addresses": addresses})
            })
            .collect();
        let vendors: Vec<&str> = self.actives.iter().filter(|a| a.enabled).map(|a| a.name.as_str()).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "time": now.unix,
            "uptime": now.mono.saturating_duration_since(self.started.mono).as_secs(),
            "devices": devices,
            "troubles": self.troubles,
            "panics": self.panics,
            "port": self.config.agent.port,
            "vendors": vendors,
            "upstream": upstream,
            "upstreams": upstreams,
            "phones": {
                "known": phones.len(),
                "served": phones.iter().filter(|p| p.record.is_some()).count(),
                "last_good": phones.iter().filter(on_last_good).count(),
                "held": self.cache.held_phones().0,
            },
            "enrol": self.enrol_json(now),
            "cache": {
                "bytes": self.store.bytes,
                "max": self.config.agent.cache_max,
                "written": self.store.written,
                "trouble": self.store.trouble,
                "shared_bytes": self.shared.bytes(),
                "shared_max": self.config.agent.shared_max,
            },
            "guard": self.guard_json(now),
            "dhcp": self.dhcp_json(),
            "pnp": {"enabled": self.config.agent.pnp},
            "clock": if now.clock_is_set() { "set" } else { "not set" },
        })
    }

    /// All phones by MAC, or so many behind one.
    pub(super) fn phones_json(&self, after: Option<Mac>, count: Option<usize>, now: Now) -> Value {
        let mut all = self.directory.sorted();
        all.retain(|p| after.is_none_or(|mac| p.mac > mac));
        let more = all.len().saturating_sub(count.unwrap_or(all.len()));
        all.truncate(all.len() - more);
        let phones: Vec<Value> = all.into_iter().map(|p| self.summary(p, now)).collect();
        match more {
            0 => json!({"phones": phones}),
            more => json!({"phones": phones, "more": more}),
        }
    }

    /// With it the generations that are to be compared, config by config.
    pub(super) fn phone_json(&self, mac: Mac, now: Now) -> Option<(Value, Vec<Comparison>)> {
        let mut value = self.summary(self.directory.get(mac)?, now);
        let mut configs: Vec<(&ResourceKey, &Entry)> = self.cache.of(mac).collect();
        configs.sort_unstable_by_key(|(k, _)| *k);
        let mut compared = Vec::new();
        let configs: Vec<Value> = configs
            .into_iter()
            .map(|(key, entry)| {
                let mut config = config_json(key, entry);
                let (list, kept) = generations::list(entry);
                config["list"] = list;
                let vendor = vendor::by_name(&key.vendor).unwrap_or(&vendor::GENERIC);
                compared.push(Comparison { key: key.clone(), vendor, file: file_of(&key.name).to_string(), kept });
                config
            })
            .collect();
        let wanted = mac.to_string();
        let events: Vec<_> = self.events.iter().filter(|e| e.mac.as_deref() == Some(&wanted)).collect();
        if let Value::Object(map) = &mut value {
            map.insert("configs".to_string(), json!(configs));
            map.insert("events".to_string(), json!(events));
        }
        Some((value, compared))
    }

    fn summary(&self, phone: &Phone, now: Now) -> Value {
        let mut seen_by = Vec::new();
        if phone.by_pnp {
            seen_by.push("pnp");
        }
        if phone.by_http {
            seen_by.push("http");
        }
        if phone.by_dhcp {
            seen_by.push("dhcp");
        }
        // what waits for the admin stands before all
        let decided = self.cache.of(phone.mac).find(|(_, e)| e.held().is_some() || e.pinned().is_some());
        let config = decided.or(self.main_config(phone.mac));
        json!({
            "mac": phone.mac.to_string(),
            "vendor": phone.vendor,
            "model": phone.model,
            "firmware": phone.firmware,
            "ip": phone.ip.map(|ip| ip.to_string()),
            "hostname": phone.hostname,
            "first_seen": phone.record.as_ref().map_or(phone.first_seen, |r| r.first_seen),
            "last_seen": phone.last_seen,
            "seen_by": seen_by,
            "conflict": self.conflicts.of(phone.mac, now.mono).map(|c| json!({"text": c.text, "at": c.at})),
            "config": config.map_or_else(
                || match phone.refused.is_some() && !self.is_enrolled(phone.mac, now) {
                    true => json!({"state": "refused", "reason": "it is not enrolled (option enrol)"}),
                    false => json!({"state": "none", "reason": "it has not asked for its config yet"}),
                },
                |(key, entry)| config_json(key, entry),
            ),
        })
    }

    /// The config that stands for the phone: the one that names its MAC, the newest where there are several.
    pub(super) fn main_config(&self, mac: Mac) -> Option<(&ResourceKey, &Entry)> {
        self.cache.of(mac).max_by_key(|(k, e)| {
            let stored = e.current().map(|m| (m.stored_at, m.size));
            (stored.is_some(), k.name.contains("{mac}"), stored)
        })
    }
}

/// In words for people and programs: what the phone has, and what is wrong.
fn state(entry: &Entry) -> (&'static str, Option<Reason>) {
    if entry.pinned().is_some() {
        return ("pinned", entry.held().map(|_| Reason::Held));
    }
    if entry.held().is_some() {
        return ("held", entry.trouble().map(|t| t.reason));
    }
    match (entry.current().is_some(), entry.trouble()) {
        (true, None) => match entry.served() {
            Some((Label::Fresh, _)) => ("fresh", None),
            Some((Label::Unchanged, _)) => ("unchanged", None),
            // stored, and since the start neither confirmed nor doubted
            _ => ("stored", None),
        },
        (true, Some(t)) => ("last-good", Some(t.reason)),
        (false, Some(t)) => ("none", Some(t.reason)),
        (false, None) => ("none", None),
    }
}

fn config_json(key: &ResourceKey, entry: &Entry) -> Value {
    let (state, reason) = state(entry);
    let current = entry.current();
    json!({
        "name": key.name,
        "state": state,
        "reason": reason.map(|r| r.to_string()),
        "why": entry.trouble().map(|t| t.text.as_str()),
        "sha256": current.map(|m| m.sha256.to_string()),
        "size": current.map(|m| m.size),
        "stored_at": current.map(|m| m.stored_at),
        "confirmed_at": entry.agreed_at(),
        "served_at": entry.served().map(|(_, at)| at),
        "generations": entry.generations().len(),
        "on_flash": !entry.is_unsaved(),
        "pinned": entry.pinned(),
        "held": entry.held().map(held_json),
    })
}
