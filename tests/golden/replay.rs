//! Requests of the recordings, answered by ours from the same documents.

use crate::{read, Case};
use phoneprov::proto::http::{parse_request, Parsed, Request};
use phoneprov::provisioner::answer::{Answer, Outcome, Provisioner};
use phoneprov::provisioner::json::Json;
use phoneprov::provisioner::memory::{Memory, TEMPLATES};
use std::path::Path;
use std::time::Duration;

/// Headers of answers that are compared.
const HEADERS: [&str; 6] = [
    "content-type",
    "access-control-allow-origin",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "allow",
    "vary",
];

pub fn all(folder: &Path) -> Vec<Case> {
    let mut memory = shipped(&folder.join("_common/templates.json"));
    let index = read(&folder.join("index.json"));
    let Json::Array(index) = index else { panic!("index.json is a list") };
    let mut out = Vec::new();
    for entry in &index {
        let text = |path: &[&str]| entry.at(path).and_then(Json::text).unwrap_or_default();
        if !matches!(text(&["kind"]), "render" | "refusal" | "rest") {
            continue;
        }
        let case = read(&folder.join(text(&["case_file"])));
        let body = std::fs::read(folder.join(text(&["response_file"]))).unwrap();
        let documents = documents(&case);
        for (database, id, document) in &documents {
            if let Err(why) = memory.put(database, id, document.clone()) {
                println!("golden: {}: {database} {id}: {why}", text(&["id"]));
            }
        }
        let twice = entry.at(&["request", "sent_before"]).is_some();
        out.push(Case {
            id: text(&["id"]).to_string(),
            ours: ours(&case, twice, &memory),
            recorded: recorded(&case, &body),
        });
        for (database, id, _) in &documents {
            memory.remove(database, id);
        }
    }
    out
}

/// The templates that the original ships with, and its phone tree.
fn shipped(path: &Path) -> Memory {
    let mut memory = Memory::default();
    for (id, document) in shipped_documents(path) {
        memory.put(TEMPLATES, &id, document).unwrap();
    }
    memory
}

pub fn shipped_documents(path: &Path) -> Vec<(String, Json)> {
    let json = read(path);
    let mut out = Vec::new();
    for (id, document) in json.get("docs").unwrap().entries() {
        let mut document = document.clone();
        let cfg = document.get("cfg").and_then(Json::text).map(|k| json.at(&["cfg", k]).unwrap().clone());
        for (section, value) in cfg.iter().flat_map(|c| c.entries()) {
            document.set(section, value.clone());
        }
        out.push((id.clone(), document));
    }
    out.extend(json.get("other").unwrap().entries().iter().cloned());
    out
}

pub fn documents(case: &Json) -> Vec<(String, String, Json)> {
    let mut out = Vec::new();
    for (database, documents) in case.get("databases").map(Json::entries).unwrap_or_default() {
        let Json::Array(documents) = documents else { continue };
        for document in documents {
            let id = document.get("_id").and_then(Json::text).unwrap().to_string();
            out.push((database.clone(), id, document.clone()));
        }
    }
    out
}

fn recorded(case: &Json, body: &[u8]) -> Vec<u8> {
    let response = case.get("response").unwrap();
    let status = response.get("status").and_then(Json::text).unwrap();
    let header = |name: &str| response.at(&["headers", name]).and_then(Json::text).map(str::to_string);
    text(status, header, body)
}

pub fn text(status: &str, header: impl Fn(&str) -> Option<String>, body: &[u8]) -> Vec<u8> {
    let mut out = format!("{status}\n");
    for name in HEADERS {
        if let Some(value) = header(name) {
            out.push_str(&format!("{name}: {value}\n"));
        }
    }
    out.push('\n');
    [out.as_bytes(), body].concat()
}

/// Our answer. Where the recorded request has no password, ours must refuse it; then it is asked again with it.
fn ours(case: &Json, twice: bool, memory: &Memory) -> Vec<u8> {
    let field = |name: &str| case.at(&["request", name]).and_then(Json::text).unwrap_or_default();
    let (method, url, host) = (field("method"), field("url"), field("host"));
    let headers = case.at(&["request", "headers"]).map(Json::entries).unwrap_or_default();
    let request = |url: &str| -> Request {
        let mut text = format!("{method} {url} HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {}\r\n", value.text().unwrap()));
        }
        text.push_str("\r\n");
        match parse_request(text.as_bytes()) {
            Ok(Parsed::Whole { request, .. }) => request,
            other => panic!("{url}: {other:?}"),
        }
    };
    let mut provisioner = Provisioner::default();
    let now = Duration::from_secs(1000);
    if twice {
        provisioner.answer(&request(url), memory, now);
    }
    let mut answer = provisioner.answer(&request(url), memory, now);
    let mut note = "";
    let without = url.starts_with("/prov/") && !url.contains("pass=") && !url.contains("firmware.php");
    if without && case.at(&["response", "body_bytes"]).and_then(Json::text) != Some("0") {
        assert!(matches!(answer.outcome, Outcome::Refused(..)) && answer.body.is_empty(), "{url}");
        let separator = if url.contains('?') { '&' } else { '?' };
        let pass = case.get("databases").and_then(urlpass).unwrap();
        answer = provisioner.answer(&request(&format!("{url}{separator}pass={pass}")), memory, now);
        note = "only with the password\n";
    }
    let Answer { status, headers, body, .. } = answer;
    let header = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
    [note.as_bytes(), &text(&status.to_string(), header, &body)].concat()
}

/// The first account's.
pub fn urlpass(databases: &Json) -> Option<&str> {
    databases.entries().iter().find_map(|(_, documents)| match documents {
        Json::Array(documents) => documents.iter().find_map(|d| d.at(&["provision", "urlpass"]).and_then(Json::text)),
        _ => None,
    })
}
