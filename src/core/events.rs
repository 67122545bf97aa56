//! The event log: the last things that happened, for `phoneprov events` and LuCI, each also a log line.

use crate::bounds;
use crate::core::types::UnixTime;
use crate::proto::mac::Mac;
use std::collections::VecDeque;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Event {
    /// Counts up from 1 since the agent's start.
    pub seq: u32,
    /// When.
    pub time: UnixTime,
    /// Stable key: `pnp`, `dhcp`, `config`, `upstream`, `store`, `device`, `phone`, `agent`.
    pub kind: &'static str,
    /// The phone it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// One sentence for people, without secrets.
    pub text: String,
}

/// A ring of the last [`bounds::EVENTS`] events.
#[derive(Default)]
pub struct EventLog {
    ring: VecDeque<Event>,
    seq: u32,
}

impl EventLog {
    /// Appends, and writes the same as a log line.
    pub fn push(&mut self, time: UnixTime, kind: &'static str, mac: Option<Mac>, text: String) {
        match mac {
            Some(mac) => log::info!(target: "phoneprov", "{kind}: {mac}: {text}"),
            None => log::info!(target: "phoneprov", "{kind}: {text}"),
        }
        self.seq = self.seq.wrapping_add(1);
        if self.ring.len() == bounds::EVENTS {
            self.ring.pop_front();
        }
        self.ring.push_back(Event { seq: self.seq, time, kind, mac: mac.map(|m| m.to_string()), text });
    }

    /// As [`EventLog::push`], for what a stranger can bring about as often as he likes: the same within a minute is
    /// not told again, so that it washes nothing else out.
    pub fn push_once(&mut self, time: UnixTime, kind: &'static str, mac: Option<Mac>, text: String) {
        let mac_text = mac.map(|m| m.to_string());
        let told = self.ring.iter().rev().take_while(|e| time.saturating_sub(e.time) < 60);
        if !told.into_iter().any(|e| e.kind == kind && e.mac == mac_text && e.text == text) {
            self.push(time, kind, mac, text);
        }
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.ring.iter()
    }
}
