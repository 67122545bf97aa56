//! The same requests to the running binary, over HTTP, with the documents in a folder and in CouchDB: its answers are those of the replay within
//! this process, and so equal to the recording or a listed deviation.

#[path = "../couch/server.rs"]
mod server;

use crate::deviations::Deviations;
use crate::{read, recordings, replay};
use phoneprov::net::store::writer;
use phoneprov::provisioner::json::Json;
use phoneprov::provisioner::memory::TEMPLATES;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[test]
fn golden_from_outside() {
    let store = tempfile::tempdir().unwrap();
    replay_from(store.path().to_str().unwrap(), "folder");
}

#[test]
fn golden_from_couchdb() {
    if let Some(couch) = server::Couch::start(None) {
        replay_from(&couch.url(), "CouchDB");
    }
}

fn replay_from(store: &str, name: &str) {
    let Some(folder) = recordings() else {
        println!("golden: skipped: no folder shared/golden above this one");
        return;
    };
    let documents = writer(store).unwrap();
    for (id, document) in replay::shipped_documents(&folder.join("_common/templates.json")) {
        documents.put(TEMPLATES, &id, &document).unwrap();
    }
    let deviations = Deviations::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/deviations.toml"));
    let Json::Array(index) = read(&folder.join("index.json")) else { panic!("index.json is a list") };
    let inside = replay::all(&folder);
    let (mut equal, mut deviating, mut failing) = (0, 0, Vec::new());
    let mut by_row: BTreeMap<String, usize> = BTreeMap::new();
    for entry in &index {
        let text = |path: &[&str]| entry.at(path).and_then(Json::text).unwrap_or_default();
        let Some(expected) = inside.iter().find(|c| c.id == text(&["id"])) else { continue };
        let case = read(&folder.join(text(&["case_file"])));
        let of_case = replay::documents(&case);
        for (database, id, document) in &of_case {
            documents.put(database, id, document).unwrap();
        }
        let twice = entry.at(&["request", "sent_before"]).is_some();
        let answer = ask(store, &case, twice, expected.ours.starts_with(b"only with the password\n"));
        match deviations.get(&expected.id) {
            _ if answer == expected.recorded => equal += 1,
            Some(listed) if answer == expected.ours && listed.explains(&expected.recorded, &answer).is_ok() => {
                deviating += 1;
                listed.rows.iter().for_each(|row| *by_row.entry(row.clone()).or_default() += 1);
            }
            _ => failing.push(format!(
                "{}: the binary answers otherwise:\n{}",
                expected.id,
                crate::diff::lines(&expected.ours, &answer)
            )),
        }
        for (database, id, _) in &of_case {
            documents.delete(database, id).unwrap();
        }
    }
    println!(
        "golden: {name}: {} requests to the binary: {equal} equal, {deviating} deviating, {} failing",
        inside.len(),
        failing.len()
    );
    for (row, count) in &by_row {
        println!("golden: {name}: {count:>4} {row}");
    }
    assert!(failing.is_empty(), "{}", failing.join("\n"));
    assert_eq!(equal + deviating, inside.len());
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ask(store: &str, case: &Json, twice: bool, with_password: bool) -> Vec<u8> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_phoneprov"))
        .args(["provisioner", "--listen", "127.0.0.1:0", "--store"])
        .arg(store)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let running = Running(child);
    let address =
        lines.by_ref().map(Result::unwrap).find_map(|l| Some(l.split_once(" at http://")?.1.trim().to_string()));
    let address = address.expect("it says where it listens");
    let reading = std::thread::spawn(move || lines.for_each(drop));
    let field = |name: &str| case.at(&["request", name]).and_then(Json::text).unwrap_or_default();
    let get = |url: &str| {
        let mut head =
            format!("{} {url} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", field("method"), field("host"));
        for (name, value) in case.at(&["request", "headers"]).map(Json::entries).unwrap_or_default() {
            head.push_str(&format!("{name}: {}\r\n", value.text().unwrap()));
        }
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "{head}\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    };
    let mut url = field("url").to_string();
    if twice {
        get(&url);
    }
    if with_password {
        let pass = case.get("databases").and_then(replay::urlpass).unwrap();
        url = format!("{url}{}pass={pass}", if url.contains('?') { '&' } else { '?' });
    }
    let answer = get(&url);
    drop(running);
    reading.join().unwrap();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap();
    let header = |name: &str| {
        let line = head.lines().find(|l| l.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name)))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    let note: &[u8] = if with_password { b"only with the password\n" } else { b"" };
    [note, &replay::text(status, header, &answer[end + 4..])].concat()
}
