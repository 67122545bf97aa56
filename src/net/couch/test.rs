//! Against stand-ins on loopback, one for each way a node can behave.

use super::sync::{Letter, Sync};
use super::*;
use crate::net::mailbox::Waker;
use crate::provisioner::couch::nodes::nodes;
use crate::provisioner::storage::{Storage, StorageError};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;

/// A node that gives each request (method and target) what `answer` says: status and body. `None`: silence.
fn node(answer: impl Fn(&str) -> Option<(u16, String)> + Send + std::marker::Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || loop {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut first, mut length) = (String::new(), 0usize);
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 {
                        return;
                    }
                    if first.is_empty() {
                        first.clone_from(&line);
                    }
                    if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = n.trim().parse().unwrap();
                    }
                    if line.trim().is_empty() {
                        break;
                    }
                }
                reader.read_exact(&mut vec![0; length]).unwrap();
                match answer(first.rsplit_once(' ').unwrap().0) {
                    Some((status, body)) => {
                        let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n", body.len());
                        if stream.write_all((head + &body).as_bytes()).is_err() {
                            return;
                        }
                    }
                    None => thread::sleep(Duration::from_secs(60)),
                }
            });
        }
    });
    url
}

fn cluster(urls: &[&str]) -> Cluster {
    Cluster::new(nodes(&urls.join(",")).unwrap()).unwrap()
}

#[test]
fn silent_nodes_make_way_in_time() {
    let silent = node(|_| None);
    let cluster = Arc::new(cluster(&[&silent, &node(|_| Some((200, r#"{"version":"3","rows":[]}"#.into())))]));
    let begun = Instant::now();
    assert!(matches!(cluster.hello(0), Err(Trouble::Down(why)) if why.starts_with("no answer in time")));
    let took = begun.elapsed().as_secs();
    assert!((bounds::COUCH_HELLO_SECONDS..bounds::COUCH_HELLO_SECONDS + 3).contains(&took), "{took} s");
    assert_eq!(cluster.hello(1), Ok(()));
    // a writer asks the next one, and from then on that first
    let begun = Instant::now();
    let writer = Writer::new(cluster.clone());
    assert_eq!(writer.get("account/a", "x"), Ok(None));
    let took = begun.elapsed().as_secs();
    assert!((bounds::COUCH_SECONDS..bounds::COUCH_SECONDS + 5).contains(&took), "{took} s");
    assert_eq!(writer.get("account/a", "x"), Ok(None));
    assert!(begun.elapsed().as_secs() < took + bounds::COUCH_SECONDS, "the silent one is not asked again");
}

#[test]
fn an_answer_that_never_ends_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n[");
        while stream.write_all(b"1,").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let mut cluster = cluster(&[&url]);
    assert_eq!(cluster.answer, Duration::from_secs(bounds::COUCH_ANSWER_SECONDS));
    cluster.answer = Duration::from_millis(300);
    let mut rows = 0;
    let result = cluster.ask(0, "/_all_dbs", &Sent::Get, &mut |_| rows += 1);
    assert!(matches!(result, Err(Trouble::Down(why)) if why.starts_with("no whole answer")));
    assert!(rows > 1, "what came was taken");
}

#[test]
fn what_a_node_says_is_said_in_words() {
    let hostile = node(|request| {
        Some(match request {
            "GET /a" => (401, r#"{"error":"unauthorized"}"#.into()),
            "GET /b" => (500, r#"{"error":"<script>\n\u001b[31m"}"#.into()),
            "GET /c" => (200, "<html>".into()),
            "GET /d" => (200, r#"{"rows":["#.into()),
            _ => (200, "{}".into()),
        })
    });
    let cluster = cluster(&[&hostile]);
    let why = |target: &str| cluster.ask(0, target, &Sent::Get, &mut |_| {}).err().map(|e| e.to_string());
    assert!(why("/a").unwrap().starts_with("refuses the user"));
    assert_eq!(why("/b").unwrap(), "answers 500 script31m");
    assert_eq!(why("/c").unwrap(), "its answer is no JSON");
    assert_eq!(why("/d").unwrap(), "its answer is no JSON");
    assert_eq!(cluster.hello(0), Err(Trouble::Down("is no CouchDB".into())));
}

#[test]
fn so_many_databases_are_followed() {
    let url = node(|_| {
        let names: Vec<String> = (0..bounds::COUCH_DATABASES + 10).map(|n| format!("\"account/{n}\"")).collect();
        Some((200, format!("[{},\"_users\",\"account/1-202611\"]", names.join(","))))
    });
    let (sender, _letters) = sync_channel::<Letter>(1);
    let mut sync = Sync::new(Arc::new(cluster(&[&url])), sender, Waker::new().unwrap(), Box::new(|_| {}));
    assert_eq!(sync.names(0), Ok(()));
    assert_eq!(sync.databases.len(), bounds::COUCH_DATABASES);
}

#[test]
fn a_document_that_others_change_all_the_time_is_given_up() {
    let tries = Arc::new(AtomicUsize::new(0));
    let count = tries.clone();
    let url = node(move |request| {
        if request.starts_with("PUT ") {
            count.fetch_add(1, Ordering::Relaxed);
            return Some((409, r#"{"error":"conflict"}"#.into()));
        }
        Some((200, r#"{"rows":[{"id":"x","value":{"rev":"1-a"},"doc":{"_id":"x","_rev":"1-a"}}]}"#.into()))
    });
    let writer = Writer::new(Arc::new(cluster(&[&url])));
    let new = Json::Object(vec![("a".into(), Json::Null)]);
    let why = writer.put("account/a", "x", &new);
    assert!(matches!(why, Err(StorageError::Failed(why)) if why.contains("somebody else changes")));
    assert_eq!(tries.load(Ordering::Relaxed), bounds::COUCH_TRIES);
}

/// Follows these nodes, and what it tells.
fn follow(urls: &[&str]) -> (Index, Arc<Mutex<Vec<Status>>>) {
    let told: Arc<Mutex<Vec<Status>>> = Arc::default();
    let into = told.clone();
    let each = Box::new(move |status: &Status| into.lock().unwrap().push(status.clone()));
    (Index::open(nodes(&urls.join(",")).unwrap(), false, each).unwrap().0, told)
}

/// Looks until this is so.
fn until(index: &mut Index, mut so: impl FnMut(&mut Index) -> bool) {
    let begun = Instant::now();
    while !so(index) {
        assert!(begun.elapsed() < Duration::from_secs(20));
        index.look();
        thread::sleep(Duration::from_millis(5));
    }
}

const DEVICE: &str = r#"{"pvt_type":"device","mac_address":"000413aabbcc"}"#;

fn changes(rows: &[&str], last: &str) -> Option<(u16, String)> {
    Some((200, format!(r#"{{"results":[{}],"last_seq":"{last}"}}"#, rows.join(","))))
}

#[test]
fn databases_that_come_and_go_at_once_do_not_make_a_node_an_empty_one() {
    let feeds = Arc::new(AtomicUsize::new(0));
    let count = feeds.clone();
    let url = node(move |request| match request.split(['?', ' ']).nth(1)? {
        "/" => Some((200, r#"{"version":"3"}"#.into())),
        "/_all_dbs" => Some((200, r#"["account/a","brand_provisioner"]"#.into())),
        "/_db_updates" => {
            count.fetch_add(1, Ordering::Relaxed);
            Some((200, (0..9).map(|n| format!("{{\"db_name\":\"account/gone{n}\"}}\n")).collect()))
        }
        "/account%2Fa/_changes" | "/brand_provisioner/_changes" => changes(&[], "0"),
        _ => Some((404, "{}".into())),
    });
    let (mut index, told) = follow(&[&url]);
    until(&mut index, |_| feeds.load(Ordering::Relaxed) > 1);
    let told: Vec<Phase> = told.lock().unwrap().iter().map(|status| status.phase).collect();
    assert!(!told.contains(&Phase::Down), "{told:?}");
}

#[test]
fn a_database_that_has_lost_all_its_documents_keeps_what_was_known() {
    let lost = Arc::new(AtomicUsize::new(0));
    let read = lost.clone();
    let url = node(move |request| match request.split(['?', ' ']).nth(1)? {
        "/" => Some((200, r#"{"version":"3"}"#.into())),
        "/_all_dbs" => Some((200, r#"["account/a"]"#.into())),
        "/account%2Fa/_changes" if read.load(Ordering::Relaxed) > 0 => {
            read.fetch_add(1, Ordering::Relaxed);
            changes(&[], "0")
        }
        "/account%2Fa/_changes" => {
            changes(&[&format!(r#"{{"id":"d","changes":[{{"rev":"1-a"}}],"doc":{DEVICE}}}"#)], "7-x")
        }
        _ => Some((404, "{}".into())),
    });
    let (mut index, _) = follow(&[&url]);
    until(&mut index, |index| index.documents().counts().devices == 1);
    lost.store(1, Ordering::Relaxed);
    until(&mut index, |_| lost.load(Ordering::Relaxed) > 6);
    assert_eq!(index.documents().counts().devices, 1);
}

#[test]
fn more_rows_than_were_asked_for_are_not_kept() {
    let endless = Arc::new(AtomicUsize::new(0));
    let read = endless.clone();
    let url = node(move |request| match request.split(['?', ' ']).nth(1)? {
        "/" => Some((200, r#"{"version":"3"}"#.into())),
        "/_all_dbs" => Some((200, r#"["account/a"]"#.into())),
        "/account%2Fa/_changes" if read.load(Ordering::Relaxed) > 0 => {
            read.fetch_add(1, Ordering::Relaxed);
            let rows: Vec<String> =
                (0..10_002).map(|n| format!(r#"{{"id":"e{n}","changes":[{{"rev":"1-a"}}]}}"#)).collect();
            changes(&rows.iter().map(String::as_str).collect::<Vec<_>>(), "3-x")
        }
        "/account%2Fa/_changes" => {
            changes(&[&format!(r#"{{"id":"d","changes":[{{"rev":"1-a"}}],"doc":{DEVICE}}}"#)], "7-x")
        }
        "/account%2Fa/_all_docs" => panic!("these rows count for nothing"),
        _ => Some((404, "{}".into())),
    });
    let (mut index, _) = follow(&[&url]);
    until(&mut index, |index| index.documents().counts().devices == 1);
    endless.store(1, Ordering::Relaxed);
    until(&mut index, |_| endless.load(Ordering::Relaxed) > 4);
    assert_eq!(index.documents().counts().devices, 1);
}
