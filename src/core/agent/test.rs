//! Timelines of the whole agent: what comes in at which second, what goes out.

use super::*;
use crate::bounds;
use crate::config::known_vendors;
use crate::core::answer::{Body, Label};
use crate::core::outcome::{Outcome, Reason};
use crate::core::types::{FetchError, FetchHead, Sha256};
use crate::proto::http::{parse_request, Parsed};
use crate::proto::sip::phone::Subscribe;
use crate::proto::sip::Message;
use serde_json::{json, Value};
use std::collections::HashMap;
use std::net::Ipv4Addr;

const CONFIG: &str = "
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
const ROUTER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 1), 5060);

fn config(text: &str) -> Config {
    Config::read(text, "test", &known_vendors()).expect("a good config").config
}

fn mac(n: u16) -> Mac {
    let [a, b] = n.to_be_bytes();
    Mac([0, 4, 0x13, 0, a, b])
}

fn ip(n: u16) -> Ipv4Addr {
    // none of them is the router's own
    let [a, b] = n.to_be_bytes();
    Ipv4Addr::new(192, 168, a + 16, b)
}

/// The neighbour table.
struct Table(HashMap<Ipv4Addr, Mac>);

impl Lan for Table {
    fn mac_of(&self, ip: Ipv4Addr) -> Option<Mac> {
        self.0.get(&ip).copied()
    }
}

/// An agent in virtual time.
struct World {
    agent: Agent,
    lan: Table,
    start: Instant,
    ms: u64,
    next: RequestId,
    out: Vec<Action>,
}

impl World {
    fn new() -> World {
        World::with(Loaded::default())
    }

    fn with(loaded: Loaded) -> World {
        let start = Instant::now();
        let now = Now { mono: start, unix: 1_800_000_000 };
        let mut agent = Agent::new(config(CONFIG), loaded, 7, now);
        let lan = Device { name: "br-lan".into(), index: 2, addresses: vec![(Ipv4Addr::new(192, 168, 1, 1), 16)] };
        agent.set_devices(vec![lan], now);
        let lan = Table((0..2000).map(|n| (ip(n), mac(n))).collect());
        World { agent, lan, start, ms: 0, next: 0, out: vec![] }
    }

    fn now(&self) -> Now {
        Now { mono: self.start + Duration::from_millis(self.ms), unix: 1_800_000_000 + self.ms / 1000 }
    }

    fn pass(&mut self, ms: u64) {
        let end = self.ms + ms;
        loop {
            let at = self.agent.poll_at().saturating_duration_since(self.start).as_millis() as u64;
            if at > end {
                break;
            }
            self.ms = self.ms.max(at);
            self.agent.timeout(self.now(), &mut self.out);
            let again = self.agent.poll_at();
            assert!(again > self.now().mono, "what was due is done: else the loop spins");
        }
        self.ms = end;
    }

    fn get_from(&mut self, from: Ipv4Addr, target: &str) -> RequestId {
        self.next += 1;
        let head = format!("GET {target} HTTP/1.1\r\nHost: r\r\n\r\n");
        let Ok(Parsed::Whole { request, .. }) = parse_request(head.as_bytes()) else { panic!("{target}") };
        let (now, from) = (self.now(), SocketAddrV4::new(from, 40_000));
        self.agent.request(self.next, 0, from, &request, &self.lan, now, &mut self.out);
        self.next
    }

    /// Phone `n` asks for its own config.
    fn get(&mut self, n: u16) -> RequestId {
        self.get_from(ip(n), &format!("/snom/settings.php?mac={}", mac(n).hex_upper()))
    }

    /// The fetches that were started: number and URL.
    fn jobs(&mut self) -> Vec<(u64, String)> {
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

    fn job(&mut self) -> (u64, String) {
        let mut jobs = self.jobs();
        assert_eq!(jobs.len(), 1, "one fetch: {jobs:?}");
        jobs.remove(0)
    }

    fn upstream(&mut self, id: u64, outcome: Outcome) {
        let now = self.now();
        self.agent.fetched(id, outcome, now, &mut self.out);
    }

    /// The disk writes what it was given.
    fn flash(&mut self) -> usize {
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
    fn told(&mut self, id: RequestId) -> Option<Answer> {
        let at = self.out.iter().position(|a| matches!(a, Action::Answer(i, _) if *i == id))?;
        let Action::Answer(_, answer) = self.out.remove(at) else { unreachable!() };
        Some(answer)
    }

    fn status_of(&mut self, id: RequestId) -> Option<(u16, Label)> {
        self.told(id).map(|a| (a.status, a.label))
    }

    /// Phone `n` has this config for good.
    fn serve(&mut self, n: u16, body: &str) {
        let id = self.get(n);
        let (job, _) = self.job();
        self.upstream(job, good(body));
        assert_eq!(self.flash(), 1);
        assert_eq!(self.status_of(id), Some((200, Label::Fresh)));
        self.pass(15_000);
        self.out.clear();
    }

    fn control(&mut self, request: Value) -> Option<Value> {
        let now = self.now();
        self.agent.control(1, &request, now, &mut self.out);
        self.controlled()
    }

    fn controlled(&mut self) -> Option<Value> {
        let at = self.out.iter().position(|a| matches!(a, Action::Control(..)))?;
        let Action::Control(_, value) = self.out.remove(at) else { unreachable!() };
        Some(value)
    }

    fn reload(&mut self, text: &str) {
        let now = self.now();
        self.agent.reload(config(text), now, &mut self.out);
    }

    fn shared_done(&mut self, id: u64, result: Result<(FetchHead, u64), FetchError>) {
        let now = self.now();
        self.agent.stream_done(id, result, now, &mut self.out);
    }
}

fn good(body: &str) -> Outcome {
    let head = FetchHead { status: 200, etag: Some(format!("\"{body}\"")), ..FetchHead::default() };
    Outcome::Good { head, sha256: Sha256::of(body.as_bytes()), body: body.as_bytes().to_vec().into() }
}

fn down() -> Outcome {
    Outcome::Bad(Reason::Down, "refused the connection".into())
}

fn head(length: u64) -> FetchHead {
    FetchHead { status: 200, length: Some(length), ..FetchHead::default() }
}

#[test]
fn a_subscribe_is_answered_with_the_url_and_strangers_hear_nothing() {
    let mut w = World::new();
    let subscribe = |hex: &str, from: Ipv4Addr| {
        let phone = Subscribe {
            uri_user: &format!("MAC%3a{hex}"),
            domain: "224.0.1.75",
            vendor: "snom",
            model: "snomD785",
            version: "10.1",
            user_agent: "snomD785/10.1",
            source: SocketAddrV4::new(from, 5060),
            call_id: hex,
            cseq: 1,
            tag: "1",
            branch: "z9hG4bK1",
        };
        phone.build().unwrap()
    };
    let now = w.now();
    for (hex, from) in [("00041300aa01", ip(9)), ("001122334455", ip(8)), ("00041300aa02", Ipv4Addr::new(10, 0, 0, 1))]
    {
        let from = SocketAddrV4::new(from, 5060);
        w.agent.datagram(0, ROUTER, from, &subscribe(hex, *from.ip()), &w.lan, now, &mut w.out);
    }
    let sent: Vec<(&SocketAddrV4, &[u8])> = w
        .out
        .iter()
        .filter_map(|a| match a {
            Action::Sip { to, bytes, .. } => Some((to, bytes.as_slice())),
            _ => None,
        })
        .collect();
    assert_eq!(sent.len(), 2, "200 and NOTIFY, to the one phone");
    assert!(sent.iter().all(|(to, _)| *to.ip() == ip(9)));
    let notify = Message::parse(sent[1].1).unwrap();
    let url = crate::proto::sip::phone::url(&notify).unwrap();
    assert_eq!(url, "http://192.168.1.1:8480/snom/settings.php?mac=00041300aa01");
    w.pass(40_000);
    assert!(w.out.iter().filter(|a| matches!(a, Action::Sip { .. })).count() < 8, "and it ends");
}

#[test]
fn a_get_is_fetched_stored_and_answered() {
    let mut w = World::new();
    let a = w.get(1);
    let (id, url) = w.job();
    assert_eq!(url, "https://prov.example.net/prov/snom/settings.php?mac=000413000001&pass=topsecret");
    w.upstream(id, good("one"));
    assert_eq!(w.told(a).map(|_| ()), None, "not before it is safe");
    assert_eq!(w.flash(), 1);
    let answer = w.told(a).unwrap();
    assert_eq!((answer.status, answer.label, answer.age), (200, Label::Fresh, Some(0)));
    assert!(w.out.iter().any(|a| matches!(a, Action::PutPhone(r) if r.mac == mac(1).to_string())));
    let status = w.control(json!({"op": "status"})).unwrap().to_string();
    let phone = w.control(json!({"op": "phone", "mac": mac(1).to_string()})).unwrap().to_string();
    assert!(!status.contains("topsecret") && !phone.contains("topsecret"));
}

#[test]
fn a_stranger_with_no_config_leaves_nothing_on_flash() {
    let mut w = World::new();
    let a = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, Outcome::Bad(Reason::Gone, "status 404".into()));
    assert_eq!(w.status_of(a), Some((404, Label::None)));
    w.pass(70_000);
    assert!(!w.out.iter().any(|a| matches!(a, Action::PutPhone(_) | Action::Store(..))));
}

#[test]
fn while_the_upstream_is_down_one_probe_at_a_time_finds_out_when_it_is_back() {
    let mut w = World::new();
    for n in 1..=3 {
        w.serve(n, &format!("config {n}"));
    }
    let a = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, down());
    assert_eq!(w.status_of(a), Some((200, Label::LastGood(Reason::Down))));
    for n in 2..=3 {
        let b = w.get(n);
        assert_eq!(w.status_of(b), Some((200, Label::LastGood(Reason::Down))), "at once");
    }
    assert_eq!(w.jobs(), [], "nobody else asks");
    let mut probes = 0;
    for _ in 0..30 {
        w.pass(10_000);
        for (id, _) in w.jobs() {
            probes += 1;
            w.upstream(id, down());
        }
        w.get(2);
    }
    assert!((5..=8).contains(&probes), "{probes} probes in 300 s");
    w.pass(60_000);
    let (id, _) = w.job();
    w.upstream(id, good("new"));
    w.flash();
    w.out.clear();
    w.pass(15_000);
    let b = w.get(3);
    let (id, _) = w.job();
    w.upstream(id, good("new 3"));
    w.flash();
    assert_eq!(w.status_of(b), Some((200, Label::Fresh)), "all are served anew");
}

#[test]
fn one_thing_that_the_upstream_stumbles_over_does_not_keep_the_others_on_their_last_good() {
    let mut w = World::new();
    w.serve(1, "one");
    // never good: a status alone proves nothing
    let odd = w.get_from(ip(2), "/snom/odd.htm?mac=000413000002");
    let (id, _) = w.job();
    w.upstream(id, Outcome::Bad(Reason::Down, "status 500".into()));
    assert_eq!(w.status_of(odd), Some((503, Label::None)));
    let a = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, good("one"));
    assert_eq!(w.status_of(a), Some((200, Label::Unchanged)));
    // what was good once and now hangs does; asking for it again and again does not keep it so
    w.serve(3, "three");
    w.get(3);
    let (id, _) = w.job();
    w.upstream(id, down());
    let mut seconds = 0;
    loop {
        seconds += 10;
        w.get(3);
        w.pass(10_000);
        let jobs = w.jobs();
        let other = jobs.iter().any(|(_, url)| !url.contains("000413000003"));
        jobs.into_iter().for_each(|(id, _)| w.upstream(id, if other { good("one") } else { down() }));
        if other {
            break;
        }
        assert!(seconds < 60, "only the one that hangs is tried");
    }
    w.pass(15_000);
    w.out.clear();
    w.get(1);
    assert_eq!(w.jobs().len(), 1, "the upstream is asked again");
}

#[test]
fn what_is_forgotten_while_it_is_fetched_stays_forgotten_and_the_phone_can_begin_anew() {
    let mut w = World::new();
    let a = w.get(1);
    let (old, _) = w.job();
    w.control(json!({"op": "forget", "mac": mac(1).to_string()}));
    assert_eq!(w.status_of(a), Some((404, Label::None)));
    // another file first, then the same again: the old answer must not be taken for either
    let other = w.get_from(ip(1), "/snom/other.htm?mac=000413000001");
    let b = w.get(1);
    let (second, _) = w.job();
    w.upstream(old, good("of before"));
    assert_eq!(w.flash(), 0, "nothing of before is stored");
    w.upstream(second, good("other"));
    w.flash();
    assert_eq!(w.status_of(other), Some((200, Label::Fresh)));
    let (third, _) = w.job();
    w.upstream(third, good("new"));
    w.flash();
    assert_eq!(w.status_of(b), Some((200, Label::Fresh)));
    w.pass(15_000);
    w.get(1);
    assert_eq!(w.jobs().len(), 1, "and the phone's lane is free");
}

#[test]
fn what_is_forgotten_while_it_is_written_says_nothing_of_what_comes_after() {
    let mut w = World::new();
    w.get(1);
    let (id, _) = w.job();
    w.upstream(id, good("one"));
    let written = w.out.iter().position(|a| matches!(a, Action::Store(..))).unwrap();
    let Action::Store(key, meta, _) = w.out.remove(written) else { unreachable!() };
    w.control(json!({"op": "forget", "mac": mac(1).to_string()}));
    let at = |w: &World, what: fn(&Action) -> bool| w.out.iter().position(what);
    assert!(at(&w, |a| matches!(a, Action::Forget(Some(_)))).is_some(), "removed after it was written");
    w.out.clear();
    let b = w.get(1);
    let now = w.now();
    w.agent.stored(&key, meta.number, Ok((meta.number, vec![])), (1, 1), now, &mut w.out);
    assert_eq!(w.status_of(b), None, "it waits for the upstream");
    let (id, _) = w.job();
    w.upstream(id, good("two"));
    assert_eq!(w.flash(), 1);
    assert_eq!(w.status_of(b), Some((200, Label::Fresh)));
}

#[test]
fn a_vendor_that_goes_and_comes_back_by_reload_goes_on_where_it_was() {
    let mut w = World::new();
    w.serve(1, "one");
    let (agent, vendors) = CONFIG.split_once("config vendor 'snom'").unwrap();
    let mitel = vendors.split_once("config vendor 'mitel'").unwrap().1;
    let without = format!("{agent}config vendor 'mitel'{mitel}");
    // one waits, one is being refreshed with nobody waiting
    let waits = w.get(1);
    let (fetching, _) = w.job();
    w.reload(&without);
    assert_eq!(w.status_of(waits), Some((404, Label::None)), "nobody knows what must not reach the LAN");
    let refused = w.get(1);
    assert_eq!(w.status_of(refused), Some((404, Label::None)));
    w.upstream(fetching, down());
    w.pass(200_000);
    assert_eq!(w.jobs(), [], "nothing is asked of nobody");
    w.out.clear();
    w.reload(CONFIG);
    let b = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, good("two"));
    let number = w.out.iter().find_map(|a| match a {
        Action::Store(_, meta, _) => Some(meta.number),
        _ => None,
    });
    assert_eq!(number, Some(2), "the numbers on flash go on");
    w.flash();
    let answer = w.told(b).unwrap();
    assert_eq!((answer.status, answer.rewrite), (200, Some((0, mac(1)))), "with its own section's rules");
}

#[test]
fn another_upstream_is_asked_without_the_validators_of_the_one_before() {
    let mut w = World::new();
    w.serve(1, "one");
    let validators = |w: &mut World| {
        w.get(1);
        let at = w.out.iter().position(|a| matches!(a, Action::Fetch { .. })).unwrap();
        let Action::Fetch { job, .. } = w.out.remove(at) else { unreachable!() };
        (job.id, job.headers.iter().any(|(n, _)| n == "If-None-Match"))
    };
    let (id, conditional) = validators(&mut w);
    assert!(conditional);
    w.upstream(id, Outcome::NotModified);
    w.reload(&CONFIG.replace("prov.example.net", "other.example.net"));
    let (id, conditional) = validators(&mut w);
    assert!(!conditional, "304 of another upstream would mean nothing");
    w.upstream(id, good("one"));
    w.pass(15_000);
    assert!(validators(&mut w).1);
    // a late answer of the upstream before leaves no trace
    let status = w.control(json!({"op": "status"})).unwrap();
    let upstreams = status["result"]["upstreams"].as_array().unwrap().clone();
    assert_eq!(upstreams.len(), 1, "{upstreams:?}");
}

#[test]
fn a_304_to_whom_nothing_is_stored_is_no_answer() {
    let mut w = World::new();
    let a = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, Outcome::NotModified);
    let answer = w.told(a).unwrap();
    assert_eq!(answer.status, 503);
    assert!(matches!(answer.body, Body::Text(text) if text.contains("304")));
}

#[test]
fn configs_do_not_wait_for_firmware() {
    let mut w = World::new();
    for n in 0..20 {
        w.get_from(ip(1), &format!("/snom/fw{n}.bin"));
    }
    let shared = w.jobs();
    assert_eq!(shared.len(), bounds::SHARED_FETCHES);
    let a = w.get(1);
    let (id, url) = w.job();
    assert!(url.contains("settings.php"));
    w.upstream(id, good("one"));
    w.flash();
    assert_eq!(w.status_of(a), Some((200, Label::Fresh)));
    assert_eq!(w.jobs(), [], "its thread is for configs");
    w.shared_done(shared[0].0, Err(FetchError::Truncated { got: 1 }));
    assert!(w.job().1.contains("/fw"), "the next firmware");
}

#[test]
fn however_often_shared_files_are_asked_for_they_can_be_fetched() {
    let mut w = World::new();
    // 404s, remembered, asked for again: more names than anything in the agent has room for
    for n in 0..2 * bounds::RESOURCES {
        let target = format!("/snom/f{n}.bin");
        w.get_from(ip(1), &target);
        for (id, _) in w.jobs() {
            w.shared_done(id, Ok((FetchHead { status: 404, ..FetchHead::default() }, 0)));
        }
        w.get_from(ip(1), &target);
        w.out.clear();
    }
    let a = w.get_from(ip(1), "/snom/real.bin");
    let (id, url) = w.job();
    assert_eq!(url, "https://prov.example.net/prov/snom/real.bin");
    let now = w.now();
    w.agent.stream_head(id, &head(9), now, &mut w.out);
    assert!(matches!(w.told(a).unwrap().body, Body::Stream(_)));
}

#[test]
fn who_comes_too_late_for_a_file_that_is_not_kept_gets_a_fetch_of_his_own() {
    let mut w = World::new();
    let a = w.get_from(ip(1), "/snom/fw.bin");
    let (first, _) = w.job();
    let now = w.now();
    w.agent.stream_head(first, &head(100 << 20), now, &mut w.out);
    let Some(Body::Stream(stream)) = w.told(a).map(|a| a.body) else { panic!() };
    let b = w.get_from(ip(2), "/snom/fw.bin");
    assert!(matches!(w.told(b).unwrap().body, Body::Stream(s) if s == stream), "it joins");
    // the network finds that its beginning has passed, and asks again with the same request
    w.agent.stream_missed(stream);
    let b = w.get_from(ip(2), "/snom/fw.bin");
    let (second, _) = w.job();
    w.agent.stream_head(second, &head(100 << 20), now, &mut w.out);
    assert!(matches!(w.told(b).unwrap().body, Body::Stream(s) if s != stream));
    w.shared_done(first, Ok((head(100 << 20), 0)));
    assert!(w.out.iter().any(|a| matches!(a, Action::DropStream(s) if *s == stream)));
}

#[test]
fn refresh_all_neither_overflows_nor_marks_anybody_down() {
    let mut w = World::new();
    let count = bounds::FETCH_QUEUE as u16 + 200;
    for n in 0..count {
        w.serve(n, "one");
    }
    let started = w.control(json!({"op": "refresh", "mac": "all"})).unwrap();
    assert_eq!(started["result"]["started"], json!(count));
    let mut fetched = 0;
    loop {
        let jobs = w.jobs();
        assert!(jobs.len() <= bounds::FETCHES / 2, "phones that ask find a free thread");
        if jobs.is_empty() {
            break;
        }
        for (id, _) in jobs {
            fetched += 1;
            w.upstream(id, Outcome::NotModified);
        }
    }
    assert_eq!(fetched, count);
    let phones = w.control(json!({"op": "phones"})).unwrap();
    let states = phones["result"]["phones"].as_array().unwrap().iter().map(|p| p["config"]["reason"].clone());
    assert!(states.into_iter().all(|r| r.is_null()));
}

#[test]
fn refresh_of_one_phone_is_answered_when_all_its_files_are() {
    let mut w = World::new();
    w.serve(1, "one");
    assert_eq!(w.control(json!({"op": "refresh", "mac": mac(1).to_string()})), None);
    let (id, _) = w.job();
    w.upstream(id, down());
    let answer = w.controlled().unwrap();
    assert_eq!(answer["result"]["configs"][0]["result"], "last-good; reason=down");
    // and when the upstream says nothing at all
    assert_eq!(w.control(json!({"op": "refresh", "mac": mac(1).to_string()})), None);
    w.pass(21_000);
    assert!(w.controlled().is_some());
}

#[test]
fn resync_ends_whatever_the_phone_does() {
    let mut w = World::new();
    w.serve(1, "one");
    assert_eq!(w.control(json!({"op": "resync", "mac": mac(1).to_string()})), None);
    assert!(w.out.iter().any(|a| matches!(a, Action::Sip { to, .. } if *to.ip() == ip(1))));
    w.pass(6_000);
    let answer = w.controlled().unwrap();
    assert!(answer["result"]["phones"][0]["result"].as_str().unwrap().contains("no answer"));
}

#[test]
fn no_request_gets_the_config_of_another_phone() {
    let mut w = World::new();
    w.serve(1, "one");
    for target in [
        "/snom/settings.php?mac=000413000001",
        "/snom/settings.php?x=000413000002&mac=000413000001",
        "/snom/settings.php?mac=%30%30%30%34%31%33000001",
        "/snom/settings.php?mac=%2530%25300413000001",
        "/snom/settings.php/x.bin?mac=000413000001&pass=",
        "/snom/-/prov/snom/settings.php/x.bin?mac=00%3A04%3A13%3A00%3A00%3A01&pass=",
    ] {
        let a = w.get_from(ip(2), target);
        assert_eq!(w.status_of(a), Some((403, Label::None)), "{target}");
        assert_eq!(w.jobs(), [], "{target}");
    }
}

#[test]
fn who_hangs_up_leaves_nothing_behind() {
    let mut w = World::new();
    w.serve(1, "one");
    for _ in 0..1000 {
        let a = w.get(1);
        let b = w.get_from(ip(1), "/snom/fw.bin");
        w.agent.request_gone(a);
        w.agent.request_gone(b);
    }
    assert_eq!(w.jobs().len(), 2, "one fetch each goes on");
    w.pass(30_000);
    assert!(!w.out.iter().any(|a| matches!(a, Action::Answer(..))), "nobody is told");
}

#[test]
fn a_phone_with_too_many_files_at_once_is_told_so_and_others_are_served() {
    let mut w = World::new();
    let all: Vec<RequestId> =
        (0..500).map(|i| w.get_from(ip(1), &format!("/snom/x{i}.htm?mac=000413000001"))).collect();
    let refused = all.into_iter().filter(|id| w.status_of(*id).is_some_and(|(s, _)| s == 503)).count();
    assert!(refused > 400, "{refused}");
    w.jobs();
    w.get(2);
    assert_eq!(w.jobs().len(), 1);
}

#[test]
fn what_a_phone_says_of_itself_does_not_wear_the_flash_out() {
    let mut w = World::new();
    w.serve(1, "one");
    for i in 0..100 {
        let phone = Subscribe {
            uri_user: "MAC%3a000413000001",
            domain: "224.0.1.75",
            vendor: "snom",
            model: "snomD785",
            version: &format!("10.{i}"),
            user_agent: "",
            source: SocketAddrV4::new(ip(1), 5060),
            call_id: &format!("c{i}"),
            cseq: 1,
            tag: "1",
            branch: "z9hG4bK1",
        };
        let (now, bytes) = (w.now(), phone.build().unwrap());
        w.agent.datagram(0, ROUTER, SocketAddrV4::new(ip(1), 5060), &bytes, &w.lan, now, &mut w.out);
        w.pass(10_000);
    }
    let writes = |w: &World| w.out.iter().filter(|a| matches!(a, Action::PutPhone(_))).count();
    assert!(writes(&w) <= 1, "{}", writes(&w));
    w.pass(3_600_000);
    w.out.clear();
    w.get(1);
    assert_eq!(writes(&w), 1, "in the end it is written");
}

#[test]
fn after_a_restart_the_last_good_has_its_age_if_there_is_a_clock() {
    let meta = GenerationMeta {
        number: 3,
        sha256: Sha256::of(b"one"),
        size: 3,
        stored_at: 1_800_000_000 - 1000,
        etag: Some("\"x\"".into()),
        last_modified: None,
        target: "settings.php?mac=000413000001".into(),
        headers: vec![],
    };
    let key = ResourceKey { vendor: "snom".into(), mac: mac(1), name: "settings.php?mac={mac}".into() };
    let loaded = || Loaded { configs: vec![(key.clone(), vec![meta.clone()])], ..Loaded::default() };
    let mut w = World::with(loaded());
    let a = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, down());
    let answer = w.told(a).unwrap();
    assert_eq!((answer.label, answer.age), (Label::LastGood(Reason::Down), Some(1000)));
    assert!(matches!(answer.body, Body::Stored(_, 3)));
    // 1970
    let mut w = World::with(loaded());
    let now = Now { unix: 5, ..w.now() };
    let (request, lan) = (w.get(1), Table(HashMap::new()));
    drop(lan);
    let (id, _) = w.job();
    w.agent.fetched(id, down(), now, &mut w.out);
    assert_eq!(w.told(request).unwrap().age, None, "nobody knows");
}

#[test]
fn each_known_phone_is_refreshed_once_a_night() {
    let mut w = World::new();
    for n in 1..=40 {
        w.serve(n, "one");
    }
    let mut fetched = HashMap::<String, usize>::new();
    for _ in 0..24 * 60 {
        w.pass(60_013);
        for (id, url) in w.jobs() {
            *fetched.entry(url).or_default() += 1;
            w.upstream(id, Outcome::NotModified);
        }
    }
    assert_eq!(fetched.len(), 40);
    assert!(fetched.values().all(|n| *n == 1), "{fetched:?}");
}

#[test]
fn who_is_not_enrolled_gets_neither_url_nor_config() {
    let mut w = World::new();
    w.serve(1, "one");
    let mut closed = config(CONFIG);
    closed.agent.enrol = crate::config::Enrol::Window;
    let now = w.now();
    w.agent.reload(closed.clone(), now, &mut w.out);
    let stranger = w.get(2);
    assert_eq!(w.status_of(stranger), Some((403, Label::None)));
    let known = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, good("one"));
    assert_eq!(w.status_of(known), Some((200, Label::Unchanged)));
    closed.agent.enrol = crate::config::Enrol::List;
    w.agent.reload(closed.clone(), now, &mut w.out);
    let unlisted = w.get(1);
    assert_eq!(w.status_of(unlisted), Some((403, Label::None)));
    closed.phones.push(crate::config::PinnedPhone { mac: mac(2), vendor: None });
    w.agent.reload(closed, now, &mut w.out);
    let listed = w.get(2);
    let (id, _) = w.job();
    w.upstream(id, good("two"));
    w.flash();
    assert_eq!(w.status_of(listed), Some((200, Label::Fresh)));
}
