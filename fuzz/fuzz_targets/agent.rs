//! The whole agent without its sockets, in virtual time: requests, datagrams, DHCP frames, control requests and answers of
//! the upstream in any order. Each request is answered exactly once, in the end; nothing goes to an address that did
//! not send; the password goes to the upstream alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::config::{known_vendors, Config};
use phoneprov::core::agent::{Action, Agent, Asked, Device, Lan, Loaded};
use phoneprov::core::answer::{Body, RequestId};
use phoneprov::core::now::Now;
use phoneprov::core::outcome::judge;
use phoneprov::core::types::{FetchError, FetchHead, FetchJob};
use phoneprov::proto::dhcp::Frame;
use phoneprov::proto::http::{parse_request, Parsed};
use phoneprov::proto::mac::Mac;
use phoneprov::vendor::Vendor;
use std::collections::{BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

const SECRET: &str = "Geheimnis7";
const CONFIGS: [&str; 2] = [
    "config agent 'main'
	option enabled '1'
	list device 'br-lan'
	option upstream 'http://prov.example.net'
	option provpass 'Geheimnis7'
	option dhcp 'responder'
	option guard_min '1'
config vendor 'snom'
	option enabled '1'
	list oui '00:04:13:*:*:*'
	option url '{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}'
config vendor 'mitel'
	option enabled '1'
	list oui '00:08:5d:*:*:*'
	option url '{upstream}/prov/mitel'
",
    "config agent 'main'
	option enabled '1'
	list device 'br-lan'
	option upstream 'http://other.example.net'
	option provpass 'Geheimnis7'
	option verify_mac '0'
	option enrol 'window'
	option grace '0'
	option history '1'
	option cache_max '64'
config vendor 'snom'
	option enabled '1'
	list oui '00:04:13:*:*:*'
	option url '{upstream}/{mac}.htm?p={provpass}'
",
];
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

/// Phone `n` is at `192.168.1.(10+n)`; the last one is not in the table.
struct Table;

fn ip(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 1, 10 + n % 6)
}

impl Lan for Table {
    fn mac_of(&self, _: &str, address: Ipv4Addr) -> Option<Mac> {
        let n = address.octets()[3];
        (10..15).contains(&n).then(|| match n % 2 {
            0 => Mac([0, 4, 0x13, 0, 0, n]),
            _ => Mac([0, 8, 0x5d, 0, 0, n]),
        })
    }
}

struct World {
    agent: Agent,
    start: Instant,
    ms: u64,
    /// Requests that have no answer yet, and all that ever were.
    open: BTreeSet<RequestId>,
    asked: RequestId,
    /// Who has sent a SIP datagram, or a DHCP message.
    spoke: BTreeSet<SocketAddrV4>,
    jobs: VecDeque<(FetchJob, Option<(&'static Vendor, String)>)>,
    disk_works: bool,
}

impl World {
    fn now(&self) -> Now {
        Now { mono: self.start + Duration::from_millis(self.ms), unix: 1_800_000_000 + self.ms / 1000 }
    }

    /// Does what the agent says, and what that leads to.
    fn act(&mut self, mut out: Vec<Action>) {
        let hidden = |bytes: &[u8]| !bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
        while !out.is_empty() {
            let mut more = Vec::new();
            for action in out {
                let now = self.now();
                match action {
                    Action::Sip { to, bytes, .. } => assert!(self.spoke.contains(&to) && hidden(&bytes)),
                    Action::Dhcp { to, payload, .. } => assert!(self.spoke.contains(&to) && hidden(&payload)),
                    Action::Answer(id, answer) => {
                        assert!(self.open.remove(&id), "an answer to nobody, or a second one");
                        if let Body::Text(text) = &answer.body {
                            assert!(hidden(text.as_bytes()));
                        }
                    }
                    Action::Fetch { job, vendor, file } => self.jobs.push_back((job, Some((vendor, file)))),
                    Action::FetchShared { job, .. } => self.jobs.push_back((job, None)),
                    Action::Store(key, meta, _) | Action::Accept(key, meta) => {
                        let result =
                            if self.disk_works { Ok((meta.number, vec![])) } else { Err("no space".to_string()) };
                        self.agent.stored(&key, meta.number, result, (1, 1), now, &mut more);
                    }
                    Action::Candidate(key, meta, _) => {
                        let result = if self.disk_works { Ok(()) } else { Err("no space".to_string()) };
                        self.agent.candidate_stored(&key, meta.sha256, result, now, &mut more);
                    }
                    Action::Control(_, value)
                    | Action::ControlWritten(_, value)
                    | Action::ControlCompared(_, value, ..) => {
                        assert!(hidden(value.to_string().as_bytes()));
                    }
                    Action::Resolve { .. }
                    | Action::DropStream(_)
                    | Action::DropCandidate(_)
                    | Action::DropNewer(..)
                    | Action::PutPhone(_)
                    | Action::Expire(_)
                    | Action::Forget(_) => {}
                }
            }
            out = more;
        }
    }

    /// The oldest fetch ends so.
    fn upstream(&mut self, answer: Result<(FetchHead, Vec<u8>), FetchError>) {
        let Some((job, config)) = self.jobs.pop_front() else { return };
        assert!(job.url.starts_with("http://prov.example.net") || job.url.starts_with("http://other.example.net"));
        let (now, mut out) = (self.now(), Vec::new());
        match config {
            Some((vendor, file)) => self.agent.fetched(job.id, judge(vendor, &file, answer), now, &mut out),
            None => {
                let answer = answer.map(|(head, body)| (head, body.len() as u64));
                if let Ok((head, _)) = &answer {
                    self.agent.stream_head(job.id, head, now, &mut out);
                }
                self.agent.stream_done(job.id, answer, now, &mut out);
            }
        }
        self.act(out);
    }

    fn pass(&mut self, ms: u64) {
        let end = self.ms + ms;
        for turn in 0.. {
            let at = self.agent.poll_at().saturating_duration_since(self.start).as_millis() as u64;
            if at > end {
                break;
            }
            assert!(turn < 10_000, "the loop spins");
            self.ms = self.ms.max(at);
            let (now, mut out) = (self.now(), Vec::new());
            self.agent.tend_clock(now, &mut out);
            self.agent.timeout(now, &mut out);
            self.agent.look_again(&Table, now, &mut out);
            self.act(out);
        }
        self.ms = end;
    }

    fn step(&mut self, what: u8, who: u8, bytes: &[u8]) {
        let (now, mut out) = (self.now(), Vec::new());
        match what % 10 {
            0 | 1 => {
                let Ok(Parsed::Whole { request, .. }) = parse_request(bytes) else { return };
                self.asked += 1;
                self.open.insert(self.asked);
                let from = SocketAddrV4::new(ip(who), 40_000);
                let asked = Asked { id: self.asked, device: 0, from, request };
                self.agent.request(&asked, &Table, now, &mut out);
            }
            2 => {
                let from = SocketAddrV4::new(ip(who), 5060);
                self.spoke.insert(from);
                let local = SocketAddrV4::new(ROUTER, 5060);
                self.agent.datagram(0, local, from, bytes, &Table, now, &mut out);
            }
            3 => {
                if let Some(frame) = Frame::parse(bytes) {
                    self.spoke.insert(frame.from);
                }
                self.agent.dhcp_frame(0, bytes, &Table, now, &mut out);
            }
            4 | 5 => {
                let status = [200, 200, 200, 304, 404, 401, 500, 302][usize::from(who % 8)];
                let head = FetchHead { status, etag: Some(format!("\"{}\"", bytes.len())), ..FetchHead::default() };
                return self.upstream(Ok((head, bytes.to_vec())));
            }
            6 => return self.upstream(Err(FetchError::Connect("refused".into()))),
            7 => return self.pass(u64::from(who) * 97 + bytes.len() as u64 * 1009),
            8 => match serde_json::from_slice(bytes) {
                Ok(request) => self.agent.control(1, &request, now, &mut out),
                Err(_) => self.disk_works = !self.disk_works,
            },
            _ if who % 3 == 0 => {
                if let Some(id) = self.open.pop_first() {
                    self.agent.request_gone(id);
                }
            }
            _ => {
                let text = CONFIGS[usize::from(who % 2)];
                let config = Config::read(text, "fuzz", &known_vendors()).expect("a good config").config;
                self.agent.reload(config, now, &mut out);
            }
        }
        self.act(out);
    }
}

fuzz_target!(|data: &[u8]| {
    let start = Instant::now();
    let config = Config::read(CONFIGS[0], "fuzz", &known_vendors()).expect("a good config").config;
    let now = Now { mono: start, unix: 1_800_000_000 };
    let mut agent = Agent::new(config, Loaded::default(), 7, now);
    agent.set_devices(vec![Device { name: "br-lan".into(), index: 2, addresses: vec![(ROUTER, 24)] }], now);
    let mut world = World {
        agent,
        start,
        ms: 0,
        open: BTreeSet::new(),
        asked: 0,
        spoke: BTreeSet::new(),
        jobs: VecDeque::new(),
        disk_works: true,
    };
    // what, who, two bytes of length, and so many bytes
    let mut rest = data;
    while let [what, who, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (bytes, after) = after.split_at(length);
        world.step(*what, *who, bytes);
        rest = after;
    }
    // at last the upstream is found to be down, and nobody waits any more
    for _ in 0..40 {
        while !world.jobs.is_empty() {
            world.upstream(Err(FetchError::Timeout("the answer")));
        }
        world.pass(10_000);
    }
    let status = world.agent.status(world.now()).to_string();
    assert!(!status.contains(SECRET));
    assert!(world.open.is_empty(), "{} requests have no answer", world.open.len());
});
