//! The event log: the last things that happened, for `phoneprov events` and LuCI, each also a log line.

use crate::bounds;
use crate::core::now::Now;
use crate::core::types::UnixTime;
use crate::proto::mac::Mac;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Event {
    /// Counts up from 1 since the agent's start.
    pub seq: u32,
    /// When.
    pub time: UnixTime,
    /// Stable key: `pnp`, `dhcp`, `config`, `guard`, `upstream`, `store`, `device`, `phone`, `agent`.
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
    crowd: Crowd,
}

/// Events of this minute that anybody on the LAN can bring about.
#[derive(Default)]
struct Crowd {
    since: Option<Instant>,
    told: usize,
    untold: u32,
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
        if !self.was_told(time, kind, mac, &text) {
            self.push(time, kind, mac, text);
        }
    }

    fn was_told(&self, time: UnixTime, kind: &'static str, mac: Option<Mac>, text: &str) -> bool {
        let mac = mac.map(|m| m.to_string());
        let told = self.ring.iter().rev().take_while(|e| time.saturating_sub(e.time) < 60);
        told.into_iter().any(|e| e.kind == kind && e.mac == mac && e.text == text)
    }

    /// As [`EventLog::push`], for what many strangers can bring about at once, each under another name: so many in a
    /// minute are told, the rest are counted; the same again within a minute is neither.
    pub fn push_crowd(&mut self, now: Now, kind: &'static str, mac: Option<Mac>, text: String) {
        let over = self.crowd.since.is_none_or(|at| now.mono.saturating_duration_since(at) >= MINUTE);
        if over {
            let untold = std::mem::take(&mut self.crowd).untold;
            self.crowd.since = Some(now.mono);
            if untold > 0 {
                let text = format!("{untold} more such events in the minute before were not told one by one: a flood?");
                self.push(now.unix, kind, None, text);
            }
        }
        if self.crowd.told >= bounds::CROWD_EVENTS {
            self.crowd.untold = self.crowd.untold.saturating_add(1);
            return;
        }
        if self.was_told(now.unix, kind, mac, &text) {
            return;
        }
        self.crowd.told += 1;
        self.push(now.unix, kind, mac, text);
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.ring.iter()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_crowd_does_not_wash_the_log_out() {
        let mut log = EventLog::default();
        let start = Instant::now();
        log.push(1, "upstream", None, "is down".to_string());
        for i in 0..10_000u64 {
            let now = Now { mono: start + Duration::from_millis(i), unix: 100 + i / 1000 };
            log.push_crowd(now, "pnp", None, format!("{i} asked"));
        }
        assert_eq!(log.iter().count(), 1 + bounds::CROWD_EVENTS);
        let now = Now { mono: start + Duration::from_secs(61), unix: 161 };
        log.push_crowd(now, "pnp", None, "one asked".to_string());
        let last: Vec<&str> = log.iter().rev().take(2).map(|e| e.text.as_str()).collect();
        assert_eq!(last[0], "one asked");
        assert!(last[1].starts_with(&format!("{} more such events", 10_000 - bounds::CROWD_EVENTS)), "{last:?}");
        assert_eq!(log.iter().next().map(|e| e.kind), Some("upstream"));
        for i in 0..2 * bounds::EVENTS as u64 {
            log.push(i, "agent", None, "x".into());
        }
        assert_eq!(log.iter().count(), bounds::EVENTS);
    }
}
