//! The same requests to the running binary, over HTTP, with the documents in a folder: its answers are those of the replay within this process.

use crate::{read, recordings, replay};
use phoneprov::provisioner::json::Json;
use phoneprov::provisioner::memory::TEMPLATES;
use phoneprov::provisioner::storage::{Files, Storage};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn golden_from_outside() {
    let Some(folder) = recordings() else {
        println!("golden: skipped: no folder shared/golden above this one");
        return;
    };
    let store = tempfile::tempdir().unwrap();
    let files = Files::at(store.path());
    for (id, document) in replay::shipped_documents(&folder.join("_common/templates.json")) {
        files.put(TEMPLATES, &id, &document).unwrap();
    }
    let Json::Array(index) = read(&folder.join("index.json")) else { panic!("index.json is a list") };
    let inside = replay::all(&folder);
    let mut count = 0;
    for entry in &index {
        let text = |path: &[&str]| entry.at(path).and_then(Json::text).unwrap_or_default();
        let Some(expected) = inside.iter().find(|c| c.id == text(&["id"])) else { continue };
        let case = read(&folder.join(text(&["case_file"])));
        let documents = replay::documents(&case);
        for (database, id, document) in &documents {
            files.put(database, id, document).unwrap();
        }
        let twice = entry.at(&["request", "sent_before"]).is_some();
        let answer = ask(store.path(), &case, twice, expected.ours.starts_with(b"only with the password\n"));
        assert!(answer == expected.ours, "{}: the binary answers otherwise", expected.id);
        count += 1;
        let accounts = store.path().join("account");
        if accounts.exists() {
            std::fs::remove_dir_all(accounts).unwrap();
        }
        for (database, id, _) in documents.iter().filter(|(database, ..)| database == TEMPLATES) {
            std::fs::remove_file(store.path().join(database).join(format!("{id}.json"))).unwrap();
        }
    }
    println!("golden: {count} requests answered by the binary as within the test");
    assert_eq!(count, inside.len());
}

fn ask(store: &Path, case: &Json, twice: bool, with_password: bool) -> Vec<u8> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_phoneprov"))
        .args(["provisioner", "--listen", "127.0.0.1:0", "--store"])
        .arg(store)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines.by_ref().map(Result::unwrap).find_map(|l| Some(l.split_once("http://")?.1.trim().to_string()));
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
    child.kill().unwrap();
    child.wait().unwrap();
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
