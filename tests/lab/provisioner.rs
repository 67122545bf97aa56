//! From documents to a phone: snom, Mitel and Yealink, the agent, and this program's own provisioner as its upstream: over a
//! folder, over a CouchDB, and in process.

use crate::agent::binary;
use crate::bodies::PROVPASS;
use crate::build::{Lab, Test};
use crate::netns::{run, Ns};
use crate::{eventually, say, skip};
use serde_json::{json, Value};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const PHONES: [(&str, &str, &str, &str); 3] = [
    ("snom", "7xx", "D765", "00:04:13:00:00:01"),
    ("mitel", "67xx", "6731", "00:08:5d:00:00:02"),
    ("yealink", "t4x", "t46g", "00:15:65:00:00:03"),
];

/// A process of the provider's.
struct Server(Child);

impl Server {
    fn kill9(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// Where documents are put.
enum Store {
    Folder(PathBuf),
    /// A CouchDB on this port of the provider's loopback.
    Couch(Server, u16),
}

impl Store {
    /// What `--store` gets.
    fn named(&self) -> String {
        match self {
            Store::Folder(path) => path.display().to_string(),
            Store::Couch(_, port) => format!("http://127.0.0.1:{port}"),
        }
    }

    fn put(&self, ns: &Ns, id: &str, document: &Value) {
        match self {
            Store::Folder(path) => put(path, id, document),
            Store::Couch(_, port) => {
                let url = format!("http://127.0.0.1:{port}/account%2Foffice");
                let curl = |args: &[&str]| run(ns.command("curl").args(["-sS", "--max-time", "20"]).args(args));
                let old: Value = serde_json::from_str(&curl(&[&format!("{url}/{id}")])).expect("JSON");
                let mut document = document.clone();
                if let Some(rev) = old.get("_rev") {
                    document["_rev"] = rev.clone();
                }
                curl(&["-X", "PUT", &url]);
                let text = document.to_string();
                let json = "Content-Type: application/json";
                let told = curl(&["-X", "PUT", "-H", json, "-d", &text, &format!("{url}/{id}")]);
                assert!(told.contains("\"ok\":true"), "{told}");
            }
        }
    }
}

/// Replaced as programs do it, so that it is never half there.
fn put(folder: &Path, id: &str, document: &Value) {
    let folder = folder.join("account/office");
    fs::create_dir_all(&folder).expect("made");
    let new = folder.join(".new");
    fs::write(&new, document.to_string()).expect("written");
    fs::rename(new, folder.join(format!("{id}.json"))).expect("renamed");
}

/// An account, a user, and the device of each phone.
fn office(mut put: impl FnMut(&str, &Value)) {
    put(
        "acc",
        &json!({"_id": "acc", "pvt_type": "account", "realm": "office.example", "timezone": "Europe/Zurich",
            "provision": {"provision_enabled": true, "urlpass": PROVPASS}}),
    );
    put(
        "u1",
        &json!({"_id": "u1", "pvt_type": "user", "first_name": "Anna", "last_name": "Muster", "presence_id": "201"}),
    );
    for (i, (brand, ..)) in PHONES.iter().enumerate() {
        put(brand, &device(i, "first"));
    }
}

fn device(i: usize, password: &str) -> Value {
    let (brand, family, model, mac) = PHONES[i];
    json!({"_id": brand, "pvt_type": "device", "pvt_account_id": "acc", "owner_id": "u1", "mac_address": mac,
        "sip": {"username": format!("user_{brand}"), "password": format!("{password}-of-{brand}")},
        "provision": {"endpoint_brand": brand, "endpoint_family": family, "endpoint_model": model}})
}

fn lab(name: &str) -> Test {
    PHONES.iter().fold(Test::new(name).needs("curl"), |test, (.., mac)| test.phone(mac))
}

/// Each phone has what its document says, and its agent says `state`.
fn served(t: &Lab, state: &str, password: &str) -> Vec<Vec<u8>> {
    let one = |(i, (brand, ..)): (usize, &(&str, &str, &str, &str))| {
        let got = t.phone(i).config();
        assert_eq!(got.status, 200, "{brand}: {}", got.text());
        assert_eq!(got.x_phoneprov().0, state, "{brand}");
        assert!(got.text().contains(&format!("{password}-of-{brand}")), "{brand}: {}", got.text());
        assert!(!got.text().contains(PROVPASS), "{brand}");
        got.body.0.clone()
    };
    PHONES.iter().enumerate().map(one).collect()
}

/// The provisioner in the namespace of the provider.
fn provisioner(ns: &Ns, store: &str) -> Server {
    let mut command = ns.command(binary());
    command.args(["provisioner", "--listen", "10.77.0.2:8481", "--store", store]).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("at http://10.77.0.2:8481"));
    assert!(ready, "it says where it listens");
    std::thread::spawn(move || lines.for_each(drop));
    Server(child)
}

fn over_http(name: &str, make: impl FnOnce(&Lab) -> Option<Store>) {
    let url = |brand: &str| format!("{{upstream}}/prov/{brand}/?pass={{provpass}}");
    let test = lab(name)
        .option("upstream", "http://10.77.0.2:8481")
        .vendor("mitel", "00:08:5d:*:*:*", &url("mitel"))
        .vendor("yealink", "00:15:65:*:*:*", &url("yealink"));
    let Some(t) = test.start() else { return };
    let ns = t.upstream().ns();
    let Some(mut store) = make(&t) else { return };
    office(|id, document| store.put(ns, id, document));
    let mut provisioner = provisioner(ns, &store.named());
    let first = served(&t, "fresh", "first");
    // a changed device: as soon as the store is looked at, and the provisioner answers this phone again
    let begin = Instant::now();
    for (i, (brand, ..)) in PHONES.iter().enumerate() {
        store.put(ns, brand, &device(i, "second"));
    }
    eventually("the changed documents", Duration::from_secs(30), || {
        let changed = |i: usize| t.phone(i).config().text().contains("second-of-");
        (0..PHONES.len()).all(changed)
    });
    let changed = begin.elapsed();
    if let Store::Couch(server, _) = &mut store {
        server.kill9();
        // the provisioner goes on with what it has read
        // after the agent's own second question, and then the six seconds in which none is answered
        std::thread::sleep(Duration::from_secs(15));
        let got = t.phone(0).config();
        assert_eq!(got.x_phoneprov().0, "unchanged");
        assert!(got.text().contains("second-of-snom"));
    }
    provisioner.kill9();
    let begin = Instant::now();
    let last = served(&t, "last-good", "second");
    assert!(first.iter().zip(&last).all(|(a, b)| a != b));
    say(&format!(
        "{name}: changed for three phones after {changed:.1?}; all dead: three configs in {:.1?}\n",
        begin.elapsed()
    ));
}

#[test]
fn over_a_folder() {
    over_http("provisioner-folder", |t| Some(Store::Folder(t.dir().join("db"))));
}

#[test]
fn over_a_couchdb() {
    over_http("provisioner-couchdb", |t| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/couch");
        if !folder.join("node_modules").is_dir() && std::env::var_os("NODE_PATH").is_none() {
            skip("provisioner-couchdb", "needs `npm ci` in tests/couch");
            return None;
        }
        let mut node = t.upstream().ns().command("node");
        node.arg(folder.join("server.js")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = node.spawn().expect("node runs");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("it says its port");
        Some(Store::Couch(Server(child), port))
    });
}

/// `option upstream 'file://…'`, with the vendors' URLs as they are shipped: Mitel's and Yealink's have no password in them.
#[test]
fn in_process() {
    let test = lab("provisioner-in-process").option("upstream", "file://{dir}/db").vendor(
        "yealink",
        "00:15:65:*:*:*",
        "{upstream}/prov/yealink/",
    );
    let Some(t) = test.without_agent().start() else { return };
    let db = t.dir().join("db");
    fs::DirBuilder::new().mode(0o700).create(&db).expect("made");
    t.agent().start();
    // the agent, who is not root, was given the folder
    let owner = |path: &Path| std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).expect("there"));
    assert_eq!(owner(&db), crate::build::USER);
    office(|id, document| put(&db, id, document));
    fs::create_dir_all(db.join("files/mitel")).expect("made");
    fs::write(db.join("files/mitel/lang_de.txt"), "wort\n".repeat(50_000)).expect("written");
    let first = served(&t, "fresh", "first");
    served(&t, "unchanged", "first");
    // the phone's next request has the change
    for round in 0..10 {
        let word = format!("round{round}");
        PHONES.iter().enumerate().for_each(|(i, (brand, ..))| put(&db, brand, &device(i, &word)));
        served(&t, "fresh", &word);
    }
    let language = t.phone(1).get("/mitel/lang_de.txt");
    assert_eq!((language.status, language.body.0.len()), (200, 250_000));
    assert_eq!(t.phone(1).get("/mitel/lang_fr.txt").status, 404);
    let part = t.phone(1).get_with("/mitel/lang_de.txt", &[("Range", "bytes=0-99")]);
    assert_eq!((part.status, part.body.0.len()), (206, 100));
    // a phone that is taken out keeps its last good, and the agent says why
    fs::remove_file(db.join("account/office/snom.json")).expect("removed");
    let refused = |got: &crate::http::Answer| got.header("x-phoneprov").is_some_and(|v| v.contains("reason=refused"));
    assert!(refused(&t.phone(0).config()));
    let events = t.agent().events().to_string();
    assert!(events.contains("no device has this MAC") && !events.contains(PROVPASS), "{events}");
    // nobody can read the documents any more
    fs::rename(&db, t.dir().join("away")).expect("renamed");
    t.agent().restart();
    for i in 0..PHONES.len() {
        assert_eq!(t.phone(i).config().x_phoneprov().0, "last-good");
    }
    let status = t.agent().status().to_string();
    assert!(status.contains("cannot read this folder") && !status.contains(PROVPASS), "{status}");
    fs::rename(t.dir().join("away"), &db).expect("renamed");
    fs::write(db.join("account/office/.new"), device(0, "first").to_string()).expect("written");
    fs::rename(db.join("account/office/.new"), db.join("account/office/snom.json")).expect("renamed");
    t.agent().verb(&["refresh", "all"]);
    eventually("it can be read again", Duration::from_secs(30), || t.phone(0).config().body.0 == first[0]);
}
