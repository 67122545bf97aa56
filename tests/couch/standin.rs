//! A stand-in for CouchDB 3, where `server.js` is no help: it has `_db_updates` and `_dbs_info`, which that one has not, and it is fast enough for a
//! thousand databases. It answers what the provisioner asks and nothing else, from memory, in the forms of
//! CouchDB's documentation; it checks nothing. It counts requests by database.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

#[derive(Default)]
struct Database {
    seq: u64,
    /// Revision, position and text, by id.
    docs: BTreeMap<String, (u64, u64, String)>,
    by_seq: BTreeMap<u64, String>,
}

#[derive(Default)]
struct State {
    databases: BTreeMap<String, Database>,
    /// Names in the order of their changes.
    updates: Vec<String>,
    requests: BTreeMap<String, usize>,
}

#[derive(Clone)]
pub struct StandIn {
    state: Arc<(Mutex<State>, Condvar)>,
    pub port: u16,
    updates: bool,
    infos: bool,
}

impl StandIn {
    /// With or without `_db_updates` and `_dbs_info`.
    pub fn start(updates: bool, infos: bool) -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let out = StandIn { state: Arc::default(), port, updates, infos };
        let server = out.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        out
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn put(&self, database: &str, id: &str, json: &str) {
        let (state, changed) = &*self.state;
        let mut state = state.lock().unwrap();
        let db = state.databases.entry(database.to_string()).or_default();
        db.seq += 1;
        let old = db.docs.get(id).map_or((0, 0), |(rev, seq, _)| (*rev, *seq));
        db.by_seq.remove(&old.1);
        db.by_seq.insert(db.seq, id.to_string());
        db.docs.insert(id.to_string(), (old.0 + 1, db.seq, json.to_string()));
        state.updates.push(database.to_string());
        changed.notify_all();
    }

    /// Requests since the last time, by the first part of their path.
    pub fn requests(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.state.0.lock().unwrap().requests)
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut stream = stream;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
            let target = line.split(' ').nth(1)?.to_string();
            let mut length = 0usize;
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).ok()?;
                if header.trim().is_empty() {
                    break;
                }
                if let Some(n) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().ok()?;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let name = path.trim_start_matches('/').split('/').next()?.replace("%2F", "/");
            *self.state.0.lock().unwrap().requests.entry(name.clone()).or_default() += 1;
            if name == "_db_updates" && self.updates {
                return self.feed(stream);
            }
            let (status, text) = self.answer(&name, path, query, &body);
            write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n", text.len()).ok()?;
            stream.write_all(text.as_bytes()).ok()?;
        }
    }

    fn feed(&self, mut stream: TcpStream) -> Option<()> {
        let (state, changed) = &*self.state;
        let mut at = state.lock().unwrap().updates.len();
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n").ok()?;
        loop {
            let mut guard = state.lock().unwrap();
            if guard.updates.len() == at {
                guard = changed.wait_timeout(guard, Duration::from_secs(2)).unwrap().0;
            }
            let names: Vec<String> = guard.updates[at..].to_vec();
            drop(guard);
            at += names.len();
            let mut text: String = names
                .iter()
                .map(|name| format!("{{\"db_name\":\"{name}\",\"type\":\"updated\",\"seq\":\"{at}-x\"}}\n"))
                .collect();
            if text.is_empty() {
                text.push('\n');
            }
            write!(stream, "{:x}\r\n{text}\r\n", text.len()).ok()?;
        }
    }

    fn answer(&self, name: &str, path: &str, query: &str, body: &[u8]) -> (u16, String) {
        let state = self.state.0.lock().unwrap();
        let parameter = |name: &str| query.split('&').find_map(|p| p.strip_prefix(&format!("{name}=")));
        let asked: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let keys = || asked["keys"].as_array().into_iter().flatten().filter_map(|k| k.as_str());
        let missing = (404, r#"{"error":"not_found","reason":"missing"}"#.to_string());
        let rev = |n: u64| format!("{n}-{n:032x}");
        match name {
            "" => (200, r#"{"couchdb":"Welcome","version":"3.3.3"}"#.to_string()),
            "_all_dbs" => (200, serde_json::json!(state.databases.keys().collect::<Vec<_>>()).to_string()),
            "_dbs_info" if self.infos => {
                let row = |k: &str| match state.databases.get(k) {
                    Some(db) => format!(r#"{{"key":"{k}","info":{{"update_seq":"{}-x"}}}}"#, db.seq),
                    None => format!(r#"{{"key":"{k}","error":"not_found"}}"#),
                };
                (200, format!("[{}]", keys().map(row).collect::<Vec<_>>().join(",")))
            }
            _ => {
                let Some(db) = state.databases.get(name) else { return missing };
                let docs = parameter("include_docs") == Some("true");
                let doc = |id: &str| {
                    let (n, _, text) = &db.docs[id];
                    format!(r#""doc":{{"_id":"{id}","_rev":"{}",{}"#, rev(*n), &text.trim_start()[1..])
                };
                if path.ends_with("/_changes") {
                    let since: u64 = parameter("since").and_then(|s| s.split('-').next()?.parse().ok()).unwrap_or(0);
                    let limit: usize = parameter("limit").and_then(|l| l.parse().ok()).unwrap_or(usize::MAX);
                    let mut last = db.seq.min(since);
                    let rows: Vec<String> = db
                        .by_seq
                        .range(since + 1..)
                        .take(limit)
                        .map(|(seq, id)| {
                            last = *seq;
                            let more = if docs { format!(",{}", doc(id)) } else { String::new() };
                            let rev = rev(db.docs[id].0);
                            format!(r#"{{"seq":"{seq}-x","id":"{id}","changes":[{{"rev":"{rev}"}}]{more}}}"#)
                        })
                        .collect();
                    (
                        200,
                        format!("{{\"results\":[\n{}\n],\n\"last_seq\":\"{last}-x\",\"pending\":0}}", rows.join(",\n")),
                    )
                } else if path.ends_with("/_all_docs") {
                    let row = |id: &str| match db.docs.get(id) {
                        Some((n, ..)) => {
                            format!(r#"{{"id":"{id}","key":"{id}","value":{{"rev":"{}"}},{}}}"#, rev(*n), doc(id))
                        }
                        None => format!(r#"{{"key":"{id}","error":"not_found"}}"#),
                    };
                    (200, format!(r#"{{"total_rows":1,"rows":[{}]}}"#, keys().map(row).collect::<Vec<_>>().join(",")))
                } else {
                    missing
                }
            }
        }
    }
}
