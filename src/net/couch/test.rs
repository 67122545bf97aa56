//! Against stand-ins on loopback, one for each way a node can behave.

use super::sync::{Letter, Sync};
use super::*;
use crate::net::mailbox::Waker;
use crate::provisioner::couch::nodes::nodes;
use crate::provisioner::storage::{Storage, StorageError};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::sync_channel;
use std::sync::Arc;
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
