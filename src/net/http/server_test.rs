//! The server with clients on loopback, turned by hand.

use super::*;
use crate::core::answer::{Body, Label};
use crate::net::mailbox::Mailbox;
use crate::net::ready::wait;
use crate::net::stream::Stream;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::Arc;

struct Rig {
    server: Server,
    port: u16,
    store: crate::store::Store,
    streams: HashMap<StreamId, Arc<Stream>>,
    asked: Vec<Asked>,
    left: Vec<RequestId>,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::store::open(folder.path()).unwrap().store;
        let mut server = Server::new(LAN);
        let lo = Device { name: "lo".into(), index: 1, addresses: vec![(Ipv4Addr::LOCALHOST, 8)] };
        let (port, troubles) = server.listen(&[lo], 0);
        assert!(troubles.is_empty());
        let (streams, asked, left) = (HashMap::new(), vec![], vec![]);
        Rig { server, port, store, streams, asked, left, _folder: folder }
    }

    fn client(&self, text: &str) -> TcpStream {
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        client.write_all(text.as_bytes()).unwrap();
        client
    }

    /// One turn of the loop. Did any socket move?
    fn turn(&mut self, wait_ms: u64) -> bool {
        let now = Instant::now();
        let ready = wait(&self.server.fds(now), Duration::from_millis(wait_ms));
        let left = self.server.turn(&ready, Instant::now(), &mut self.asked);
        self.left.extend(left);
        ready.contains(&true)
    }

    fn until_asked(&mut self) -> Asked {
        for _ in 0..100 {
            self.turn(20);
            if let Some(asked) = self.asked.pop() {
                return asked;
            }
        }
        panic!("no request came");
    }

    fn answer(&mut self, id: RequestId, answer: &Answer) -> Result<(), Box<(Asked, Unserved)>> {
        let source = Source { store: &self.store, streams: &self.streams, rewrite: &|_, _, _| None };
        let mut bodies = Bodies::default();
        self.server.answer(id, answer, &mut bodies, &source, Instant::now(), &mut self.asked)
    }

    /// After something has happened the loop comes to rest.
    fn rests(&mut self) -> bool {
        (0..20).any(|_| !self.turn(20))
    }
}

fn reset(client: TcpStream) {
    let socket = Socket::from(client);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

fn file(id: StreamId) -> Answer {
    let body = Body::Stream(id);
    Answer { status: 200, label: Label::Fresh, age: None, body, rewrite: None, retry_after: None }
}

#[test]
fn who_hangs_up_while_he_waits_is_reported_and_does_not_keep_the_loop_awake() {
    let mut rig = Rig::new();
    let client = rig.client("GET /snom/a HTTP/1.1\r\nHost: r\r\n\r\n");
    let asked = rig.until_asked();
    reset(client);
    assert!(rig.rests());
    assert_eq!(rig.left, [asked.id]);
}

#[test]
fn who_hangs_up_while_a_file_is_still_coming_does_not_keep_the_loop_awake() {
    let mut rig = Rig::new();
    let mailbox = Mailbox::new().unwrap();
    let stream = Stream::new(mailbox.post());
    stream.begin(Some(1000), true);
    stream.push(b"some");
    rig.streams.insert(5, stream.clone());
    let mut client = rig.client("GET /snom/a.bin HTTP/1.1\r\nHost: r\r\n\r\n");
    let asked = rig.until_asked();
    assert!(rig.answer(asked.id, &file(5)).is_ok());
    let mut got = [0; 4096];
    assert!(client.read(&mut got).unwrap() > 0);
    reset(client);
    assert!(rig.rests());
    assert!(rig.server.connections.is_empty());
}

#[test]
fn what_was_sent_behind_a_file_that_is_still_coming_is_answered_after_it() {
    let mut rig = Rig::new();
    let mailbox = Mailbox::new().unwrap();
    let stream = Stream::new(mailbox.post());
    stream.begin(Some(8), true);
    stream.push(b"some");
    rig.streams.insert(5, stream.clone());
    let second = "GET /snom/b HTTP/1.1\r\nHost: r\r\n\r\n";
    let _client = rig.client(&format!("GET /snom/a.bin HTTP/1.1\r\nHost: r\r\n\r\n{second}"));
    let asked = rig.until_asked();
    assert!(rig.answer(asked.id, &file(5)).is_ok());
    assert!(rig.rests() && rig.asked.is_empty());
    stream.push(b"more");
    stream.end(true);
    rig.server.feed(Instant::now());
    assert_eq!(rig.until_asked().request.target, "/snom/b");
}

#[test]
fn who_said_that_he_will_send_no_more_is_answered() {
    let mut rig = Rig::new();
    let mut client = rig.client("GET /snom/a HTTP/1.0\r\n\r\n");
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let asked = rig.until_asked();
    assert!(rig.rests());
    assert!(rig.answer(asked.id, &Answer::error(404, "no")).is_ok());
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 404"), "{text}");
}

#[test]
fn who_comes_too_late_for_a_file_is_decided_again() {
    let mut rig = Rig::new();
    let _client = rig.client("GET /snom/a.bin HTTP/1.1\r\nHost: r\r\n\r\n");
    let asked = rig.until_asked();
    let Err(again) = rig.answer(asked.id, &file(9)) else { panic!("there is no such file") };
    assert!(matches!(*again, (Asked { id, .. }, Unserved::Missed(9)) if id == asked.id));
    assert!(rig.answer(asked.id, &Answer::error(503, "no")).is_ok(), "and can still be answered");
}

#[test]
fn those_who_wait_for_a_silent_upstream_make_room_in_the_end() {
    let mut rig = Rig::new();
    let waiting: Vec<TcpStream> = (0..bounds::HTTP_CONNECTIONS)
        .map(|i| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let own = Ipv4Addr::new(127, 0, 3, i as u8 + 1);
            socket.bind(&SocketAddr::from((own, 0)).into()).unwrap();
            socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, rig.port)).into()).unwrap();
            let mut stream = TcpStream::from(socket);
            stream.write_all(b"GET /snom/a HTTP/1.1\r\nHost: r\r\n\r\n").unwrap();
            stream
        })
        .collect();
    while rig.asked.len() < bounds::HTTP_CONNECTIONS {
        assert!(rig.turn(50));
    }
    rig.asked.clear();
    let _late = rig.client("GET /snom/late HTTP/1.1\r\nHost: r\r\n\r\n");
    assert!(rig.rests() && rig.asked.is_empty() && rig.left.is_empty(), "not at once");
    let then = Instant::now() - Duration::from_secs(7);
    rig.server.connections.iter_mut().for_each(|c| c.since = then);
    assert_eq!(rig.until_asked().request.target, "/snom/late");
    assert_eq!(rig.left.len(), 1, "and whoever was sent away is reported");
    drop(waiting);
}

#[test]
fn one_address_has_so_many_connections() {
    let mut rig = Rig::new();
    let held: Vec<TcpStream> = (0..bounds::HTTP_PER_ADDRESS).map(|_| rig.client("GET /")).collect();
    assert!(rig.rests());
    let mut more = rig.client("GET /snom/a HTTP/1.1\r\nHost: r\r\n\r\n");
    assert!(rig.rests() && rig.asked.is_empty());
    let mut text = String::new();
    more.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 429 ") && text.contains("Retry-After: "), "{text}");
    drop(held);
    assert!(rig.rests());
    let _again = rig.client("GET /snom/b HTTP/1.1\r\nHost: r\r\n\r\n");
    assert_eq!(rig.until_asked().request.target, "/snom/b");
}

#[test]
fn each_patience_ends() {
    let mut rig = Rig::new();
    // a request that does not become whole; one answered that sends no other; one that does not take its answer
    let slow = rig.client("GET /snom/slow HTT");
    let mut idle = rig.client("GET /snom/idle HTTP/1.1\r\nHost: r\r\n\r\n");
    let asked = rig.until_asked();
    assert!(rig.answer(asked.id, &Answer::error(404, "no")).is_ok());
    assert!(idle.read(&mut [0; 1000]).unwrap() > 0);
    let deaf = rig.client("GET /snom/deaf HTTP/1.1\r\nHost: r\r\n\r\n");
    let asked = rig.until_asked();
    let large = Body::Bytes(vec![b'x'; 64 << 20].into());
    let answer = Answer { status: 200, label: Label::Fresh, age: None, body: large, rewrite: None, retry_after: None };
    assert!(rig.answer(asked.id, &answer).is_ok());
    assert!(rig.rests());
    let mut patiences: Vec<u64> = rig
        .server
        .connections
        .iter()
        .map(|c| c.deadline().unwrap().saturating_duration_since(c.since).as_secs())
        .collect();
    patiences.sort_unstable();
    let all = [bounds::HTTP_REQUEST_SECONDS, bounds::HTTP_WRITE_STALL_SECONDS, bounds::HTTP_IDLE_SECONDS];
    assert_eq!(patiences, all);
    for (left, seconds) in [(2, all[0]), (1, all[1]), (0, all[2])] {
        let now = Instant::now() + Duration::from_secs(seconds + 1);
        rig.server.turn(&[], now, &mut rig.asked);
        assert_eq!(rig.server.connections.len(), left, "after {seconds} s");
    }
    drop((slow, idle, deaf));
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let mut rig = Rig::new();
    let one = "GET /snom/a HTTP/1.1\r\nHost: r\r\n\r\nHEAD /snom/b HTTP/1.1\r\nHost: r\r\n\r\n";
    let mut client = rig.client(&format!("{one}GET /snom/c HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n"));
    for target in ["/snom/a", "/snom/b", "/snom/c"] {
        let asked = rig.until_asked();
        assert_eq!(asked.request.target, target);
        assert!(rig.answer(asked.id, &Answer::error(404, target)).is_ok());
    }
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 404").count(), 3);
    assert!(text.contains("phoneprov: /snom/a") && !text.contains("phoneprov: /snom/b"), "no body for HEAD");
}
