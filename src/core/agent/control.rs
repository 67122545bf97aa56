//! What the control socket asks for. One JSON object in (`{"op":"phones"}`), one out
//! (`{"ok":true,"result":…}` or `{"ok":false,"error":"…"}`).

use super::{Action, Agent};
use crate::core::answer::{Answer, Body, Label};
use crate::core::cache::Waiter;
use crate::core::now::Now;
use crate::core::types::ResourceKey;
use crate::proto::mac::Mac;
use serde_json::{json, Value};
use std::collections::HashMap;
use std::net::SocketAddrV4;

/// Number of one control connection's request.
pub type ControlId = u32;

/// Control requests that are answered later.
#[derive(Default)]
pub(super) struct Waiting {
    /// `refresh`: each config is told under a number of its own.
    refreshes: HashMap<u32, (ControlId, ResourceKey)>,
    open: HashMap<ControlId, Collected>,
    resyncs: HashMap<u32, ControlId>,
    next: u32,
}

/// What has come so far for one request.
#[derive(Default)]
struct Collected {
    left: usize,
    results: Vec<Value>,
}

fn failed(error: impl Into<String>) -> Value {
    json!({"ok": false, "error": error.into()})
}

fn done(result: Value) -> Value {
    json!({"ok": true, "result": result})
}

impl Agent {
    /// A control request. It is answered by [`Action::Control`], now or later.
    pub fn control(&mut self, id: ControlId, request: &Value, now: Now, out: &mut Vec<Action>) {
        let answer = match request.get("op").and_then(Value::as_str).unwrap_or_default() {
            "status" => Some(done(self.status_json(now))),
            "phones" => {
                let after = request.get("after").and_then(Value::as_str).and_then(Mac::parse);
                Some(done(self.phones_json(after, now)))
            }
            "events" => {
                let count = request.get("count").and_then(Value::as_u64).unwrap_or(u64::MAX);
                let all: Vec<_> = self.events.iter().collect();
                let skip = all.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
                Some(done(json!({"events": all.get(skip..).unwrap_or_default()})))
            }
            "phone" => Some(match self.mac_argument(request) {
                Ok(Some(mac)) => match self.phone_json(mac, now) {
                    Some(phone) => done(phone),
                    None => failed(format!("{mac} has not been seen")),
                },
                Ok(None) => failed("which phone? give its MAC"),
                Err(why) => failed(why),
            }),
            "seen" => Some(match self.dhcp_seen(request, now) {
                Ok(result) => done(result),
                Err(why) => failed(why),
            }),
            "accept" | "reject" | "rollback" => {
                match self.mac_argument(request).and_then(|mac| self.decide(request, mac, now, out)) {
                    Ok(result) => {
                        out.push(Action::ControlWritten(id, done(result)));
                        None
                    }
                    Err(why) => Some(failed(why)),
                }
            }
            "forget" => Some(match self.mac_argument(request) {
                Ok(mac) => self.forget(mac, now, out),
                Err(why) => failed(why),
            }),
            "admit" => {
                let minutes = request.get("minutes").and_then(Value::as_u64);
                Some(self.admit(minutes, now).map_or_else(failed, done))
            }
            "refresh" => match self.mac_argument(request) {
                Ok(mac) => self.refresh(id, mac, now, out),
                Err(why) => Some(failed(why)),
            },
            "resync" => match self.mac_argument(request) {
                Ok(mac) => self.resync(id, mac, request.get("reboot") == Some(&Value::Bool(true)), now, out),
                Err(why) => Some(failed(why)),
            },
            _ => Some(failed(
                "unknown request; the agent may be older than this command: restart it with /etc/init.d/phoneprov restart",
            )),
        };
        if let Some(answer) = answer {
            out.push(Action::Control(id, answer));
        }
    }

    /// `None` is `all`, which has to be said: a caller that leaves the MAC out by mistake shall not forget all phones.
    fn mac_argument(&self, request: &Value) -> Result<Option<Mac>, String> {
        match request.get("mac").and_then(Value::as_str) {
            None => Err("which phone? give its MAC".to_string()),
            Some("all") => Ok(None),
            Some(text) => Mac::parse(text).map(Some).ok_or_else(|| {
                let shown: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
                format!("'{shown}' is no MAC; write it as 00:04:13:aa:bb:cc")
            }),
        }
    }

    fn forget(&mut self, mac: Option<Mac>, now: Now, out: &mut Vec<Action>) -> Value {
        let known = match mac {
            Some(mac) => usize::from(self.directory.forget(mac) | self.cache.of(mac).next().is_some()),
            None => {
                let all: Vec<(Mac, bool)> =
                    self.directory.sorted().iter().map(|p| (p.mac, p.record.is_some())).collect();
                // the store's "all" are those with configs; some have a record alone
                let recorded = all.iter().filter(|(_, recorded)| *recorded);
                out.extend(recorded.map(|(m, _)| Action::Forget(Some(*m))));
                all.iter().filter(|(m, _)| self.directory.forget(*m)).count()
            }
        };
        let mut outs = Vec::new();
        self.fetches.forget(mac);
        self.conflicts.forget(mac);
        self.cache.forget(mac, now, &mut outs);
        self.run_cache(outs, now, out);
        if mac.is_none() {
            let mut outs = Vec::new();
            self.shared.clear(&mut outs);
            self.run_shared(outs, now, out);
        }
        out.push(Action::Forget(mac));
        let text = if mac.is_some() { "forgotten by the admin" } else { "all phones were forgotten by the admin" };
        self.events.push(now.unix, "phone", mac, text.to_string());
        match (mac, known) {
            (Some(mac), 0) => failed(format!("{mac} is not known")),
            _ => done(json!({"forgotten": known})),
        }
    }

    fn refresh(&mut self, id: ControlId, mac: Option<Mac>, now: Now, out: &mut Vec<Action>) -> Option<Value> {
        let enabled = |vendor: usize| self.actives.get(vendor).is_some_and(|a| a.enabled);
        let Some(mac) = mac else {
            let all = self.cache.iter().filter(|(_, e)| enabled(e.how().vendor));
            let keys: Vec<ResourceKey> = all.map(|(k, _)| k.clone()).collect();
            let started = keys.len();
            self.fetches.probe_now(now);
            self.refresh_later(keys, now, out);
            return Some(done(json!({"started": started})));
        };
        let of = self.cache.of(mac).filter(|(_, e)| enabled(e.how().vendor));
        let keys: Vec<ResourceKey> = of.map(|(k, _)| k.clone()).collect();
        let mut outs = Vec::new();
        if keys.is_empty() {
            return Some(failed(format!("{mac} has not asked for a config yet, so there is none to refresh")));
        }
        self.control.open.insert(id, Collected { left: keys.len(), results: Vec::new() });
        for key in keys {
            let Some(how) = self.cache.get(&key).map(|e| e.how().clone()) else { continue };
            self.control.next = self.control.next.wrapping_add(1);
            let waiter = self.control.next;
            self.control.refreshes.insert(waiter, (id, key.clone()));
            self.cache.ask(&key, how, Waiter::Control(waiter), None, true, now, &mut outs);
        }
        self.run_cache(outs, now, out);
        None
    }

    /// One config of a `refresh` has an answer.
    pub(super) fn control_told(&mut self, waiter: u32, answer: &Answer, out: &mut Vec<Action>) {
        let Some((id, key)) = self.control.refreshes.remove(&waiter) else { return };
        let Some(collected) = self.control.open.get_mut(&id) else { return };
        let result = match (answer.label, &answer.body) {
            (Label::Fresh, _) => "fresh".to_string(),
            (Label::Unchanged, _) => "unchanged".to_string(),
            (Label::LastGood(reason), _) => format!("last-good; reason={reason}"),
            (Label::None, Body::Text(text)) => text.clone(),
            (Label::None, _) => format!("status {}", answer.status),
        };
        let why = self.cache.get(&key).and_then(|e| e.trouble()).map(|t| t.text.clone());
        collected.results.push(json!({"name": key.name, "result": result, "why": why}));
        collected.left = collected.left.saturating_sub(1);
        if collected.left == 0 {
            let results = self.control.open.remove(&id).map(|c| c.results).unwrap_or_default();
            out.push(Action::Control(id, done(json!({"mac": key.mac.to_string(), "configs": results}))));
        }
    }

    fn resync(
        &mut self,
        id: ControlId,
        mac: Option<Mac>,
        reboot: bool,
        now: Now,
        out: &mut Vec<Action>,
    ) -> Option<Value> {
        if !self.config.agent.pnp {
            return Some(failed("PnP is off (option pnp '0'), and a resync goes out by its socket"));
        }
        let phones: Vec<(Mac, SocketAddrV4, usize, &'static str)> = self
            .directory
            .sorted()
            .into_iter()
            .filter(|p| mac.is_none_or(|m| p.mac == m))
            .filter_map(|p| {
                let rules = self.actives.get(self.section_of(&p.vendor)?)?.vendor.resync;
                let event = if reboot { rules.reboot } else { rules.reload };
                Some((p.mac, SocketAddrV4::new(p.ip?, p.sip_port), p.device, event))
            })
            .collect();
        if phones.is_empty() {
            return Some(failed(match mac {
                Some(mac) => format!("{mac} has not been seen since the agent started, so its address is not known"),
                None => "no phone has been seen since the agent started".to_string(),
            }));
        }
        let mut actions = Vec::new();
        let mut collected = Collected::default();
        for (mac, to, device, event) in phones {
            let own = self.devices.get(device).and_then(|d| d.address_for(*to.ip()));
            let home = own.map(|own| SocketAddrV4::new(own, 5060));
            let sent = match home {
                Some(home) => self
                    .pnp
                    .notify(device, home, to, mac, event, now.mono, &mut actions)
                    .ok_or("too many at once: try again in some seconds"),
                None => Err("its device is down"),
            };
            match sent {
                Ok(resync) => {
                    collected.left += 1;
                    self.control.resyncs.insert(resync, id);
                }
                Err(why) => collected.results.push(json!({"mac": mac.to_string(), "result": why})),
            }
        }
        self.run_pnp(actions, now, out);
        if collected.left == 0 {
            return Some(done(json!({"phones": collected.results})));
        }
        self.control.open.insert(id, collected);
        None
    }

    /// A phone answered a resync, or did not.
    pub(super) fn resync_done(&mut self, resync: u32, mac: Mac, code: Option<u16>, now: Now, out: &mut Vec<Action>) {
        let result = match code {
            Some(200..=299) => "accepted".to_string(),
            Some(code) => format!(
                "refused with status {code}; the phone may take check-sync from its registrar only: restart it by hand"
            ),
            None => "no answer within 5 s; restart the phone by hand".to_string(),
        };
        self.events.push(now.unix, "phone", Some(mac), format!("resync: {result}"));
        let Some(id) = self.control.resyncs.remove(&resync) else { return };
        let Some(collected) = self.control.open.get_mut(&id) else { return };
        collected.results.push(json!({"mac": mac.to_string(), "result": result}));
        collected.left = collected.left.saturating_sub(1);
        if collected.left == 0 {
            let results = self.control.open.remove(&id).map(|c| c.results).unwrap_or_default();
            out.push(Action::Control(id, done(json!({"phones": results}))));
        }
    }

    /// The control connection is gone: nobody waits for the rest.
    pub fn control_gone(&mut self, id: ControlId) {
        self.control.open.remove(&id);
        self.control.refreshes.retain(|_, (of, _)| *of != id);
        self.control.resyncs.retain(|_, of| *of != id);
    }
}
