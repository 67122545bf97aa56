//! An agent in virtual time, with a LAN, an upstream and a flash that do as they are told.

pub(super) use super::super::*;
pub(super) use crate::bounds;
pub(super) use crate::config::known_vendors;
pub(super) use crate::core::answer::{Answer, Body, Label};
pub(super) use crate::core::outcome::{Outcome, Reason};
pub(super) use crate::core::types::{FetchError, FetchHead, GenerationMeta, PhoneRecord, Sha256};
pub(super) use crate::proto::http::{parse_request, Parsed};
pub(super) use crate::proto::sip::phone::Subscribe;
pub(super) use crate::proto::sip::Message;
pub(super) use serde_json::{json, Value};
pub(super) use std::collections::HashMap;
pub(super) use std::net::Ipv4Addr;

pub(super) const CONFIG: &str = "
config agent 'main'
	option enabled '1'
	list device 'br-lan'
	option upstream 'https://prov.example.net'
	option provpass 'topsecret'
config vendor 'snom'
	option enabled '1'
	list oui '00:04:13:*:*:*'
	option url '{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}'
config vendor 'mitel'
	option enabled '1'
	list oui '00:08:5d:*:*:*'
	option url '{upstream}/prov/mitel'
";
pub(super) const ROUTER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 1), 5060);

pub(super) fn config(text: &str) -> Config {
    Config::read(text, "test", &known_vendors()).expect("a good config").config
}

pub(super) fn mac(n: u16) -> Mac {
    let [a, b] = n.to_be_bytes();
    Mac([0, 4, 0x13, 0, a, b])
}

pub(super) fn ip(n: u16) -> Ipv4Addr {
    // none of them is the router's own
    let [a, b] = n.to_be_bytes();
    Ipv4Addr::new(192, 168, a + 16, b)
}

/// The neighbour table.
pub(super) struct Table(pub(super) HashMap<Ipv4Addr, Mac>);

impl Lan for Table {
    fn mac_of(&self, _: &str, ip: Ipv4Addr) -> Option<Mac> {
        self.0.get(&ip).copied()
    }
}

/// An agent in virtual time.
pub(super) struct World {
    pub(super) agent: Agent,
    pub(super) lan: Table,
    pub(super) start: Instant,
    pub(super) ms: u64,
    pub(super) next: RequestId,
    pub(super) out: Vec<Action>,
}

impl World {
    pub(super) fn new() -> World {
        World::with(Loaded::default())
    }

    pub(super) fn with(loaded: Loaded) -> World {
        let start = Instant::now();
        let now = Now { mono: start, unix: 1_800_000_000 };
        let mut agent = Agent::new(config(CONFIG), loaded, 7, now);
        let lan = Device { name: "br-lan".into(), index: 2, addresses: vec![(Ipv4Addr::new(192, 168, 1, 1), 16)] };
        agent.set_devices(vec![lan], now);
        let lan = Table((0..2000).map(|n| (ip(n), mac(n))).collect());
        World { agent, lan, start, ms: 0, next: 0, out: vec![] }
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: self.start + Duration::from_millis(self.ms), unix: 1_800_000_000 + self.ms / 1000 }
    }

    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.ms + ms;
        loop {
            let at = self.agent.poll_at().saturating_duration_since(self.start).as_millis() as u64;
            if at > end {
                break;
            }
            self.ms = self.ms.max(at);
            self.agent.timeout(self.now(), &mut self.out);
            let now = self.now();
            self.agent.look_again(&self.lan, now, &mut self.out);
            let again = self.agent.poll_at();
            assert!(again > self.now().mono, "what was due is done: else the loop spins");
        }
        self.ms = end;
    }

    pub(super) fn get_from(&mut self, from: Ipv4Addr, target: &str) -> RequestId {
        self.next += 1;
        let head = format!("GET {target} HTTP/1.1\r\nHost: 192.168.1.1:8480\r\n\r\n");
        let Ok(Parsed::Whole { request, .. }) = parse_request(head.as_bytes()) else { panic!("{target}") };
        let (now, from) = (self.now(), SocketAddrV4::new(from, 40_000));
        let asked = Asked { id: self.next, device: 0, from, request };
        self.agent.request(&asked, &self.lan, now, &mut self.out);
        self.next
    }

    /// Phone `n` asks for its own config.
    pub(super) fn get(&mut self, n: u16) -> RequestId {
        self.get_from(ip(n), &format!("/snom/settings.php?mac={}", mac(n).hex_upper()))
    }

    /// The fetches that were started: number and URL.
    pub(super) fn jobs(&mut self) -> Vec<(u64, String)> {
        let mut jobs = vec![];
        self.out.retain(|action| match action {
            Action::Fetch { job, .. } | Action::FetchShared { job, .. } => {
                jobs.push((job.id, job.url.clone()));
                false
            }
            _ => true,
        });
        jobs
    }

    pub(super) fn job(&mut self) -> (u64, String) {
        let mut jobs = self.jobs();
        assert_eq!(jobs.len(), 1, "one fetch: {jobs:?}");
        jobs.remove(0)
    }

    pub(super) fn upstream(&mut self, id: u64, outcome: Outcome) {
        let now = self.now();
        self.agent.fetched(id, outcome, now, &mut self.out);
    }

    /// The disk writes what it was given.
    pub(super) fn flash(&mut self) -> usize {
        let mut stores = vec![];
        self.out.retain(|action| match action {
            Action::Store(key, meta, _) => {
                stores.push((key.clone(), meta.number));
                false
            }
            _ => true,
        });
        let now = self.now();
        for (key, number) in &stores {
            self.agent.stored(key, *number, Ok((*number, vec![])), (1, 1), now, &mut self.out);
        }
        stores.len()
    }

    /// What this request was told.
    pub(super) fn told(&mut self, id: RequestId) -> Option<Answer> {
        let at = self.out.iter().position(|a| matches!(a, Action::Answer(i, _) if *i == id))?;
        let Action::Answer(_, answer) = self.out.remove(at) else { unreachable!() };
        Some(answer)
    }

    pub(super) fn status_of(&mut self, id: RequestId) -> Option<(u16, Label)> {
        self.told(id).map(|a| (a.status, a.label))
    }

    /// Phone `n` has this config for good.
    pub(super) fn serve(&mut self, n: u16, body: &str) {
        let id = self.get(n);
        let (job, _) = self.job();
        self.upstream(job, good(body));
        assert_eq!(self.flash(), 1);
        assert_eq!(self.status_of(id), Some((200, Label::Fresh)));
        self.pass(15_000);
        self.out.clear();
    }

    pub(super) fn control(&mut self, request: Value) -> Option<Value> {
        let now = self.now();
        self.agent.control(1, &request, now, &mut self.out);
        self.controlled()
    }

    pub(super) fn controlled(&mut self) -> Option<Value> {
        let is =
            |a: &Action| matches!(a, Action::Control(..) | Action::ControlWritten(..) | Action::ControlCompared(..));
        match self.out.remove(self.out.iter().position(is)?) {
            Action::Control(_, value) | Action::ControlWritten(_, value) | Action::ControlCompared(_, value, ..) => {
                Some(value)
            }
            _ => unreachable!(),
        }
    }

    pub(super) fn reload(&mut self, text: &str) {
        let now = self.now();
        self.agent.reload(config(text), now, &mut self.out);
    }

    pub(super) fn shared_done(&mut self, id: u64, result: Result<(FetchHead, u64), FetchError>) {
        let now = self.now();
        self.agent.stream_done(id, result, now, &mut self.out);
    }
}

pub(super) fn good(body: &str) -> Outcome {
    let head = FetchHead { status: 200, etag: Some(format!("\"{body}\"")), ..FetchHead::default() };
    let identity = crate::vendor::by_name("snom").unwrap().identity("settings.php", body.as_bytes());
    Outcome::Good { head, sha256: Sha256::of(body.as_bytes()), body: body.as_bytes().to_vec().into(), identity }
}

pub(super) fn down() -> Outcome {
    Outcome::Bad(Reason::Down, "refused the connection".into())
}

pub(super) fn head(length: u64) -> FetchHead {
    FetchHead { status: 200, length: Some(length), ..FetchHead::default() }
}
