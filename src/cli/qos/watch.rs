//! `phoneprov qos watch`: looks the names of media servers up again and again, and applies what has changed.

use super::super::args::Args;
use super::super::run::signals;
use super::super::{setup, DONE};
use super::apply::{intent, off};
use super::lookup::{Lookup, Server};
use super::site;
use crate::bounds;
use crate::net::ready;
use crate::openwrt::qos::Block;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

pub(super) fn run(args: &Args) -> Result<i32, String> {
    let every = match args.words.get("every") {
        None => bounds::QOS_WATCH_SECONDS,
        Some(text) => text.parse().ok().filter(|s| (1..=86_400).contains(s)).ok_or("--every needs 1 to 86400 (s)")?,
    };
    let mut signals = signals().map_err(|e| format!("cannot catch signals: {e}"))?;
    let lookup = Lookup::new();
    let mut recent = Recent::default();
    let mut told: Option<String> = None;
    loop {
        let end = &signals.end;
        let ended = || ready::wait(&[(end.as_fd(), true, false)], Duration::ZERO) == [true];
        let trouble = turn(args, &lookup, &mut recent, &ended);
        // once for each change: this goes on for ever
        let said = trouble.join("; ");
        if !said.is_empty() && told.as_deref() != Some(&said) {
            eprintln!("phoneprov: {said}");
        } else if said.is_empty() && told.as_deref().is_some_and(|t| !t.is_empty()) {
            eprintln!("phoneprov: all media servers have their rules again");
        }
        told = Some(said);
        let pause = Duration::from_secs(seconds(every, !trouble.is_empty()));
        let moved = ready::wait(&[(signals.end.as_fd(), true, false), (signals.reload.as_fd(), true, false)], pause);
        if moved.first() == Some(&true) {
            return Ok(DONE);
        }
        if moved.last() == Some(&true) {
            let _ = signals.reload.read(&mut [0; 64]);
        }
    }
}

/// Until the next look-up.
fn seconds(every: u64, failed: bool) -> u64 {
    if failed {
        every.min(bounds::QOS_RETRY_SECONDS)
    } else {
        every
    }
}

/// One look-up, and what follows from it. Returns what is wrong.
fn turn(args: &Args, lookup: &Lookup, recent: &mut Recent, ended: &dyn Fn() -> bool) -> Vec<String> {
    let config = match setup::config(args) {
        Ok((config, _)) if off(&config).is_none() => config,
        // the init script is about to end this, and takes the rules away
        Ok(_) => return Vec::new(),
        Err(problems) => return vec![problems.to_string()],
    };
    let mut servers = lookup.all(&config.qos.mediaservers);
    recent.merge(&mut servers, Instant::now());
    // A look-up takes its time. Who has ended this meanwhile, or switched it off, had the rules taken away.
    if ended() || setup::config(args).is_ok_and(|(now, _)| off(&now).is_some()) {
        return Vec::new();
    }
    let intent = intent(args, &config, servers, None);
    let changed = site::write(args, &intent.plan);
    for file in &changed.files {
        eprintln!(
            "phoneprov: {}: written; the media servers have other addresses, or it was not as it should be",
            file.display()
        );
    }
    site::reload(args, &changed).iter().for_each(|line| eprintln!("phoneprov: {line}"));
    let mut trouble = intent.plan.trouble;
    trouble.extend(changed.wrong);
    trouble
}

/// Addresses that names had a while ago. A name of a pool has another few in each answer; without this each would be a
/// change of the firewall, and a write to flash.
#[derive(Default)]
struct Recent {
    seen: BTreeMap<String, BTreeMap<Block, Instant>>,
}

impl Recent {
    /// Adds what each name had within [`bounds::QOS_KEEP_SECONDS`], and forgets what is older.
    fn merge(&mut self, servers: &mut [Server], now: Instant) {
        let keep = Duration::from_secs(bounds::QOS_KEEP_SECONDS);
        let hosts: BTreeSet<&str> = servers.iter().map(|s| s.host.as_str()).collect();
        self.seen.retain(|host, _| hosts.contains(host.as_str()));
        for server in servers {
            let seen = self.seen.entry(server.host.clone()).or_default();
            for block in &server.blocks {
                seen.insert(*block, now);
            }
            seen.retain(|_, at| now.saturating_duration_since(*at) < keep);
            while seen.len() > bounds::QOS_BLOCKS {
                let oldest = seen.iter().min_by_key(|(_, at)| **at).map(|(block, _)| *block);
                oldest.map(|block| seen.remove(&block));
            }
            server.blocks = seen.keys().copied().collect();
        }
    }
}

#[cfg(test)]
mod test {
    use super::super::super::args::{parse, Parsed};
    use super::*;

    fn server(addresses: &[&str]) -> Vec<Server> {
        let blocks = addresses.iter().map(|a| Block::parse(a).unwrap()).collect();
        vec![Server { host: "media.example.net".into(), blocks, error: None }]
    }

    #[test]
    fn sooner_while_something_failed() {
        assert_eq!(seconds(bounds::QOS_WATCH_SECONDS, false), 300);
        assert_eq!(seconds(bounds::QOS_WATCH_SECONDS, true), bounds::QOS_RETRY_SECONDS);
        assert_eq!(seconds(1, true), 1);
    }

    #[test]
    fn nothing_is_written_by_a_watch_that_was_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let config = |enabled: &str| {
            let text = format!(
                "config agent 'main'\n\toption enabled '1'\n\tlist network 'lan'\n\toption upstream 'http://p.example'\nconfig vendor 'snom'\n\
                 \toption enabled '1'\nconfig qos 'qos'\n\toption enabled '{enabled}'\n\tlist mediaserver '192.0.2.1'\n"
            );
            std::fs::write(path("phoneprov"), text).unwrap();
        };
        let zones = "config zone\n\toption name 'lan'\n\tlist network 'lan'\nconfig zone\n\toption name 'wan'\n\tlist network 'wan'\n";
        std::fs::write(path("firewall"), zones).unwrap();
        config("1");
        let (uci, file) = (path("."), path("phoneprov"));
        let words = ["phoneprov", "qos", "watch", "--uci", uci.to_str().unwrap(), "--config", file.to_str().unwrap()];
        let Ok(Parsed::Verb(_, args)) = parse(words.iter().map(Into::into)) else { panic!("no verb") };
        let mut recent = Recent::default();
        let mut turn = |ended: &dyn Fn() -> bool| {
            turn(&args, &Lookup::new(), &mut recent, ended);
            std::fs::read_to_string(path("firewall")).unwrap()
        };
        assert_eq!(turn(&|| true), zones);
        // switched off between the begin of a look-up and its end
        let off = || {
            config("0");
            false
        };
        assert_eq!(turn(&off), zones);
        config("1");
        assert!(turn(&|| false).contains("192.0.2.1"));
    }

    #[test]
    fn a_pool_that_shows_a_part_at_a_time_comes_to_rest() {
        let begin = Instant::now();
        let mut recent = Recent::default();
        let mut at = |seconds: u64, addresses: &[&str]| {
            let mut servers = server(addresses);
            recent.merge(&mut servers, begin + Duration::from_secs(seconds));
            servers.remove(0).blocks.iter().map(Block::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(at(0, &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(at(300, &["198.51.100.2"]), "198.51.100.1 198.51.100.2");
        assert_eq!(at(600, &["198.51.100.1"]), "198.51.100.1 198.51.100.2");
        // a failed look-up takes nothing away, an hour without it does
        assert_eq!(at(900, &[]), "198.51.100.1 198.51.100.2");
        assert_eq!(at(300 + bounds::QOS_KEEP_SECONDS, &["198.51.100.1"]), "198.51.100.1");
        let all: Vec<String> = (0..200).map(|n| format!("203.0.113.{n}")).collect();
        for (i, one) in all.iter().enumerate() {
            let blocks = at(10_000 + i as u64, &[one]);
            assert!(blocks.split(' ').count() <= bounds::QOS_BLOCKS && blocks.contains(one.as_str()));
        }
    }
}
