//! `accept`, `reject` and `rollback`; what `status` says of the guard; and what of it was on flash.

use super::fetches::file_of;
use super::{Action, Agent};
use crate::core::cache::{Done, Held, Out, Restored};
use crate::core::guard::State;
use crate::core::now::Now;
use crate::core::types::{Decided, GenerationMeta, ResourceKey};
use crate::proto::mac::Mac;
use crate::sorted::SortedMap;
use crate::vendor::{self, Change, Identity};
use serde_json::{json, Value};

/// Phones named one by one in an answer; the others are counted.
const NAMED: usize = 100;

impl Agent {
    /// One of the three. `None` is `all`. The error is a sentence.
    pub(super) fn decide(
        &mut self,
        request: &Value,
        mac: Option<Mac>,
        now: Now,
        out: &mut Vec<Action>,
    ) -> Result<Value, String> {
        let mut outs = Vec::new();
        let nothing = |what: &str| match mac {
            Some(mac) => format!("{mac}: {what}"),
            None => what.to_string(),
        };
        let result = match request.get("op").and_then(Value::as_str).unwrap_or_default() {
            "accept" => {
                let done = self.cache.accept(mac, now, &mut outs);
                if done.is_empty() && mac.is_some() {
                    return Err(nothing("nothing is held or pinned"));
                }
                let minutes = self.config.agent.guard_window.as_secs() / 60;
                let opened = matches!(self.cache.guard().state(), State::Open { .. });
                let open = (mac.is_none() && opened).then_some(minutes);
                json!({"configs": configs(&done), "open_minutes": open})
            }
            "reject" => {
                let done = self.cache.reject(mac, &mut outs);
                if done.is_empty() {
                    return Err(nothing("nothing is held"));
                }
                // who has the new config already, and is not helped by this
                let mut passed: Vec<String> = self.cache.guard().past().map(|(m, ..)| m.to_string()).collect();
                passed.dedup();
                json!({"configs": configs(&done), "passed_before": passed})
            }
            _ => self.rollback(request, mac, now, &mut outs).map_err(|why| nothing(&why))?,
        };
        self.run_cache(outs, now, out);
        Ok(result)
    }

    fn rollback(&mut self, request: &Value, mac: Option<Mac>, now: Now, outs: &mut Vec<Out>) -> Result<Value, String> {
        let Some(mac) = mac else {
            if request.get("back").is_some_and(|b| !b.is_null()) {
                return Err("rollback all goes back to before the change of the account, and takes no number".into());
            }
            let all = self.cache.rollback_changed(now, outs);
            if all.is_empty() {
                return Err("no phone's account has changed within guard_window".to_string());
            }
            let (done, failed): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
            let done: Vec<Done> = done.into_iter().flatten().collect();
            let failed: Vec<Value> = failed
                .into_iter()
                .filter_map(Result::err)
                .map(|(key, why)| json!({"mac": key.mac.to_string(), "name": key.name, "why": why}))
                .collect();
            return Ok(json!({"configs": configs(&done), "failed": failed}));
        };
        let back = match request.get("back") {
            None | Some(Value::Null) => 1,
            Some(n) => n
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .filter(|n| *n > 0)
                .ok_or("'back' is a number from 1")?,
        };
        let name = request.get("name").and_then(Value::as_str);
        let key = match name {
            Some(name) => self.cache.of(mac).map(|(k, _)| k).find(|k| k.name == name),
            None => self.main_config(mac).map(|(k, _)| k),
        };
        let key = key.cloned().ok_or("it has no such config")?;
        let done = self.cache.rollback(&key, back, now, outs)?;
        Ok(json!({"configs": configs(&[done])}))
    }

    /// The guard, for `status`.
    pub(super) fn guard_json(&self, now: Now) -> Value {
        let guard = self.cache.guard();
        let (held, rejected) = self.cache.held_phones();
        let (state, since, left) = match guard.state() {
            State::Quiet => ("quiet", None, None),
            State::Holding { since } => ("holding", Some(since), None),
            State::Open { since, until } => {
                ("open", Some(since), Some(until.saturating_duration_since(now.mono).as_secs()))
            }
        };
        json!({
            "state": state,
            "held": held,
            "rejected": rejected,
            "changed": guard.changed(),
            "limit": guard.limit(self.cache.known_phones()),
            "since": since,
            "open_for": left,
        })
    }

    /// What was on flash of the guard's and the admin's decisions.
    pub(super) fn restore_decided(
        &mut self,
        identities: Vec<(ResourceKey, u32, Identity)>,
        candidates: Vec<(ResourceKey, GenerationMeta, Identity)>,
        decided: &[(Mac, Decided)],
        now: Now,
    ) {
        let mut all: SortedMap<ResourceKey, Restored> = SortedMap::new();
        for (key, number, identity) in identities {
            all.get_or_insert_with(key, Restored::default).identities.push((number, identity));
        }
        for (key, meta, identity) in candidates {
            all.get_or_insert_with(key, Restored::default).candidate = Some((meta, identity));
        }
        let of: SortedMap<Mac, &Decided> = decided.iter().map(|(mac, d)| (*mac, d)).collect();
        let none = Decided::default();
        let mut outs = Vec::new();
        for (key, restored) in all {
            self.cache.restore(&key, restored, of.get(&key.mac).copied().unwrap_or(&none), now, &mut outs);
        }
        self.cache.resume(decided, now, &mut outs);
        for out in outs {
            match out {
                Out::Guard(mac, text) => self.events.push(now.unix, "guard", mac, text),
                other => self.pending.push(other),
            }
        }
    }
}

/// Whose account is in these bytes, which were asked for as `target`?
pub fn identity_of(key: &ResourceKey, target: &str, body: &[u8]) -> Identity {
    let rules = vendor::by_name(&key.vendor).unwrap_or(&vendor::GENERIC);
    rules.identity(file_of(target), body)
}

/// The registrars (`true`) and proxies in these bytes, which were asked for as `target`.
pub fn servers_of(key: &ResourceKey, target: &str, body: &[u8]) -> Vec<(bool, String)> {
    vendor::by_name(&key.vendor).unwrap_or(&vendor::GENERIC).servers(file_of(target), body)
}

fn configs(done: &[Done]) -> Value {
    let named = done.iter().take(NAMED);
    let list: Vec<Value> =
        named.map(|d| json!({"mac": d.key.mac.to_string(), "name": d.key.name, "result": d.what})).collect();
    json!({"count": done.len(), "list": list})
}

/// What is held, without a word of what is in it.
pub(super) fn held_json(held: &Held) -> Value {
    json!({
        "sha256": held.sha256.to_string(),
        "since": held.since,
        "account": match held.change {
            Some(Change::Lost) => Some("lost"),
            Some(Change::Changed) => Some("changed"),
            None => None,
        },
        "rejected": held.rejected,
    })
}
