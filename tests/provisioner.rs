//! `phoneprov provisioner` and `phoneprov render` as they are seen from outside: a store of files, phones that ask.
#![cfg(feature = "provisioner")]

use phoneprov::bounds;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_phoneprov");

fn put(store: &Path, name: &str, json: &str) {
    let path = store.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, json).unwrap();
}

/// An office with a snom and a Mitel.
fn office(store: &Path) {
    put(
        store,
        "account/office/account.json",
        r#"{"_id":"acc","pvt_type":"account","realm":"office.example","timezone":"Europe/Zurich",
            "provision":{"provision_enabled":true,"urlpass":"right"}}"#,
    );
    put(
        store,
        "account/office/anna.json",
        r#"{"_id":"u1","pvt_type":"user","last_name":"Muster","first_name":"Anna"}"#,
    );
    for (brand, mac) in [("snom", "00:04:13:aa:bb:01"), ("mitel", "00:08:5d:aa:bb:02")] {
        put(
            store,
            &format!("account/office/{brand}.json"),
            &format!(
                r#"{{"pvt_type":"device","mac_address":"{mac}","owner_id":"u1","pvt_account_id":"acc",
                "sip":{{"username":"{brand}1","password":"of-{brand}"}},
                "provision":{{"endpoint_brand":"{brand}","endpoint_family":"f","endpoint_model":"m"}}}}"#
            ),
        );
    }
    put(
        store,
        "brand_provisioner/ui/snom/f/m.json",
        r#"{"pvt_generator":"json2xml","endpoint_brand":"snom","cfg_account":{"user_pass":"{SIPSECRET}"}}"#,
    );
    put(
        store,
        "brand_provisioner/ui/mitel/f/m.json",
        r#"{"pvt_generator":"json2plain","endpoint_brand":"mitel","cfg_account":{"sip password":{"value":" {SIPSECRET}"}},
            "cfg_base":{"http server":{"value":"{PROV_SERVER_URL}"}}}"#,
    );
}

struct Provisioner {
    child: Child,
    address: String,
}

impl Provisioner {
    fn start(store: &Path) -> Provisioner {
        let mut child = Command::new(BINARY)
            .args(["provisioner", "--listen", "127.0.0.1:0", "--store"])
            .arg(store)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("it says where it listens").unwrap();
            if let Some((_, address)) = line.split_once(" at http://") {
                break address.trim().to_string();
            }
        };
        // the pipe must not fill up
        std::thread::spawn(move || lines.for_each(drop));
        Provisioner { child, address }
    }

    fn get(&self, target: &str, agent: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let host = &self.address;
        write!(stream, "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Provisioner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn phones_are_served() {
    let store = tempfile::tempdir().unwrap();
    office(store.path());
    let prov = Provisioner::start(store.path());
    let snom = prov.get("/prov/snom/settings.php?mac=000413AABB01&pass=right", "snomD785");
    assert!(
        snom.contains("\r\nContent-Type: text/xml; charset=UTF-8\r\n")
            && snom.contains("<user_pass>of-snom</user_pass>"),
        "{snom}"
    );
    let boot = prov.get("/prov/mitel/startup.cfg?pass=right", "Aastra6865i MAC:00-08-5D-AA-BB-02 V:4.2");
    assert!(boot.ends_with(&format!("\r\n\r\nhttp server: {}", prov.address)), "{boot}");
    let mitel = prov.get("/prov/mitel/00085DAABB02.cfg?pass=right", "Aastra6865i MAC:00-08-5D-AA-BB-02 V:4.2");
    assert!(mitel.ends_with("\r\n\r\nsip password: of-mitel\n"), "{mitel}");
    for target in [
        "/prov/mitel/00085DAABB02.cfg",
        "/prov/mitel/00085DAABB02.cfg?pass=wrong",
        "/prov/mitel/00085DAABB03.cfg?pass=right",
    ] {
        let refused = prov.get(target, "Aastra6865i");
        assert!(
            refused.starts_with("HTTP/1.1 200 OK\r\n") && refused.contains("\r\nContent-Length: 0\r\n"),
            "{refused}"
        );
    }
    assert!(prov.get("/prov/x", "snom").starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_changed_document_is_served_changed() {
    let store = tempfile::tempdir().unwrap();
    office(store.path());
    let prov = Provisioner::start(store.path());
    let device = store.path().join("account/office/mitel.json");
    let text = std::fs::read_to_string(&device).unwrap();
    std::fs::write(&device, text.replace("00:08:5d:aa:bb:02", "00:08:5d:aa:bb:09").replace("of-mitel", "new")).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while !prov.get("/prov/mitel/00085DAABB09.cfg?pass=right", "Aastra").ends_with("sip password: new\n") {
        assert!(Instant::now() < until, "the change was not seen");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(prov.get("/prov/mitel/00085DAABB02.cfg?pass=right", "Aastra").contains("Content-Length: 0"));
}

#[test]
fn silent_clients_keep_nobody_waiting() {
    let store = tempfile::tempdir().unwrap();
    office(store.path());
    let prov = Provisioner::start(store.path());
    let silent: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(&prov.address).unwrap();
            stream.write_all(b"GET /prov/").unwrap();
            stream
        })
        .collect();
    assert!(prov.get("/prov/snom/settings.php?mac=000413AABB01&pass=right", "snom").contains("of-snom"));
    drop(silent);
}

/// Connections from 127.0.0.`last` that say nothing.
fn silent(prov: &Provisioner, last: u8, count: usize) -> Vec<TcpStream> {
    let to: SocketAddr = prov.address.parse().unwrap();
    let connect = |_| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        TcpStream::from(socket)
    };
    (0..count).map(connect).collect()
}

#[test]
fn connections_are_bounded() {
    use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
    // this end and the other, which inherits the limit, have a descriptor for each
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let store = tempfile::tempdir().unwrap();
    office(store.path());
    let prov = Provisioner::start(store.path());
    let mut held = silent(&prov, 2, bounds::PROVISIONER_PER_ADDRESS);
    let mut text = String::new();
    silent(&prov, 2, 1).remove(0).read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 429 "), "one more of this address: {text}");
    // others take what is left, and then the places of those who have been silent longest
    let more = 60;
    held.extend(silent(&prov, 3, bounds::PROVISIONER_PER_ADDRESS));
    held.extend(silent(&prov, 4, bounds::PROVISIONER_CONNECTIONS + more - held.len()));
    assert!(prov.get("/prov/snom/settings.php?mac=000413AABB01&pass=right", "snom").contains("of-snom"));
    let open = |stream: &mut TcpStream| {
        stream.set_nonblocking(true).unwrap();
        stream.read(&mut [0]).is_err_and(|e| e.kind() == ErrorKind::WouldBlock)
    };
    let open: Vec<bool> = held.iter_mut().map(open).collect();
    assert_eq!(open.iter().position(|open| *open), Some(more + 1));
    assert_eq!(open.iter().filter(|open| **open).count(), bounds::PROVISIONER_CONNECTIONS - 1);
}

#[test]
fn it_ends_when_it_is_told() {
    let store = tempfile::tempdir().unwrap();
    office(store.path());
    let mut prov = Provisioner::start(store.path());
    let pid = rustix::process::Pid::from_child(&prov.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(prov.child.wait().unwrap().code(), Some(0));
    assert!(TcpStream::connect(&prov.address).is_err());
}

#[test]
fn usage_and_errors() {
    let run = |args: &[&str]| {
        let out = Command::new(BINARY).args(args).output().unwrap();
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    };
    assert_eq!(run(&["provisioner"]).0, Some(2));
    assert_eq!(run(&["provisioner", "--store", "/", "--listen", "nonsense"]).0, Some(2));
    let (code, why) = run(&["provisioner", "--store", "/nonexistent"]);
    assert!(code == Some(1) && why.contains("/nonexistent: cannot read this folder"), "{why}");
    let (code, why) = run(&["render", "--store", "/nonexistent", "--mac", "000413aabb01"]);
    assert!(code == Some(1) && why.contains("/nonexistent"), "{why}");
}

#[test]
fn render_needs_no_password() {
    let store = tempfile::tempdir().unwrap();
    office(store.path());
    put(
        store.path(),
        "account/office/bad.json",
        r#"{"pvt_type":"device","mac_address":"zz","sip":{"password":"hidden"}}"#,
    );
    let run = |args: &[&str]| {
        let out = Command::new(BINARY).args(["render", "--store"]).arg(store.path()).args(args).output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    let (code, text, errors) = run(&["--mac", "00085daabb02"]);
    assert_eq!((code, text.as_str()), (Some(0), "sip password: of-mitel\n"));
    assert!(errors.contains("bad.json: mac_address is no MAC") && !errors.contains("hidden"), "{errors}");
    let (_, text, _) = run(&["--mac", "00085daabb02", "--file", "aastra.cfg", "--host", "h:1", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["body"], &json["lines"]), (&"http server: h:1".into(), &1.into()));
    assert_eq!(run(&["--mac", "000413aabb99"]).0, Some(1));
}

#[test]
fn an_export_becomes_a_template_that_renders() {
    let store = tempfile::tempdir().unwrap();
    office(store.path());
    let export = store.path().join("export.cfg");
    let text = "sip line1 password: other\r\nsip line2 password: second\r\nauto resync time: 19:30\r\ntone set: US\r\nprgkey1 type: blf\r\n";
    std::fs::write(&export, text).unwrap();
    let run = |args: &[&str], stored: bool| {
        let mut command = Command::new(BINARY);
        command
            .args(["import", "plain"])
            .arg(&export)
            .args(["--brand", "mitel", "--family", "f", "--model"])
            .args(args);
        if stored {
            command.arg("--store").arg(store.path());
        }
        let out = command.output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap())
    };
    let (code, printed) = run(&["77", "--keys", "8"], false);
    assert!(code == Some(0) && printed.contains("\"endpoint_model\": 77,"), "{printed}");
    assert!(!store.path().join("brand_provisioner/phonetree.json").exists(), "without a store nothing is written");
    let (code, said) = run(&["m", "--keys", "8", "--json"], true);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (code, &json["replaced"], &json["settings"]["cfg_account"]),
        (Some(0), &true.into(), &1.into()),
        "{said}"
    );
    let render =
        Command::new(BINARY).args(["render", "--mac", "00085daabb02", "--store"]).arg(store.path()).output().unwrap();
    assert_eq!(String::from_utf8(render.stdout).unwrap(), "sip line1 password: of-mitel\ntone set: Europe\n");
    let tree = std::fs::read_to_string(store.path().join("brand_provisioner/phonetree.json")).unwrap();
    assert!(tree.contains("\"mitel_m\"") && tree.contains("\"snom_320-1\""), "{tree}");
    assert_eq!(run(&["../x"], true).0, Some(2));
    std::fs::write(&export, "").unwrap();
    assert_eq!(run(&["m"], true).0, Some(1));
}

/// What the program comes with is what the agent takes for a good config of the brand.
#[test]
fn a_store_without_templates_serves_phones() {
    use phoneprov::vendor::{Verdict, ALL};
    let store = tempfile::tempdir().unwrap();
    office(store.path());
    std::fs::remove_dir_all(store.path().join("brand_provisioner")).unwrap();
    for (brand, family, model, mac, file) in [
        ("snom", "7xx", "D725", "000413aabb11", "settings.php"),
        ("mitel", "68xx", "6867i-1", "00085daabb11", "00085DAABB11.cfg"),
        ("yealink", "t4x", "t46g", "001565aabb11", "001565aabb11.cfg"),
    ] {
        put(
            store.path(),
            &format!("account/office/{model}.json"),
            &format!(
                r#"{{"pvt_type":"device","mac_address":"{mac}","owner_id":"u1","pvt_account_id":"acc",
                "sip":{{"username":"user1","password":"of-{brand}"}},
                "provision":{{"endpoint_brand":"{brand}","endpoint_family":"{family}","endpoint_model":"{model}",
                "feature_keys":{{"1":{{"type":"presence","value":"u1"}},"9":{{"type":"parking","value":"*31"}}}}}}}}"#
            ),
        );
        let out = Command::new(BINARY).args(["render", "--mac", mac, "--store"]).arg(store.path()).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(text.contains(&format!("of-{brand}")) && text.contains("office.example"), "{text}");
        assert!(!text.contains('{'), "no placeholder is left: {text}");
        let vendor = ALL.iter().find(|v| v.name == brand).unwrap();
        assert!(matches!((vendor.check)(file, text.as_bytes()), Verdict::Good), "{text}");
    }
    let prov = Provisioner::start(store.path());
    assert!(prov.get("/ui/snom/7xx/D725", "ui").contains(r#""iterate": "16""#));
    assert!(prov.get("/phones", "ui").contains(r#""mitel_6867i-1""#));
}
