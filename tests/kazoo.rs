//! Kazoo's four provisioning types against the running provisioner: the exchanges of tests/data/kazoo, and the configs that result.
#![cfg(feature = "provisioner")]

#[allow(dead_code)] // not all of it is asked here
#[path = "couch/server.rs"]
mod server;

use server::Couch;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const TOKEN: &str = "lab-token-of-kazoo-1";

struct Provisioner {
    child: Child,
    address: String,
    /// What it logged.
    log: std::sync::mpsc::Receiver<String>,
}

impl Provisioner {
    fn start(folder: &Path, options: &[&str]) -> Provisioner {
        Provisioner::over(&folder.join("db").display().to_string(), options)
    }

    fn over(store: &str, options: &[&str]) -> Provisioner {
        let mut child = Command::new(env!("CARGO_BIN_EXE_phoneprov"))
            .args(["provisioner", "--listen", "127.0.0.1:0", "--store"])
            .arg(store)
            .args(options)
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let address = loop {
            let line = lines.next().expect("it says where it listens").expect("text");
            if let Some((_, address)) = line.split_once(" at http://") {
                break address.trim().to_string();
            }
        };
        let (send, log) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        Provisioner { child, address, log }
    }

    /// Status and body. Lines of the head end in a bare LF here.
    fn send(&self, head: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        let mut bytes = head.trim_end().replace('\n', "\r\n").into_bytes();
        bytes.extend_from_slice(b"\r\nConnection: close");
        if !body.is_empty() {
            bytes.extend_from_slice(format!("\r\nContent-Length: {}", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        // refused by its length, a large one is read no further than a little: the rest would break the pipe
        bytes.extend_from_slice(&body[..body.len().min(32 * 1024)]);
        stream.write_all(&bytes).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        (head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status"), body.to_string())
    }
}

impl Drop for Provisioner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with an empty store, a file with the token, and one with the password of new accounts.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("db")).expect("made");
    for (name, text) in [("tokens", TOKEN), ("urlpass", "of-new-accounts\n")] {
        std::fs::write(dir.path().join(name), text).expect("written");
        std::fs::set_permissions(dir.path().join(name), std::fs::Permissions::from_mode(0o600)).expect("set");
    }
    dir
}

fn with_token(dir: &Path) -> Provisioner {
    over_store(dir, &dir.join("db").display().to_string())
}

fn over_store(dir: &Path, store: &str) -> Provisioner {
    let path = |name: &str| dir.join(name).display().to_string();
    Provisioner::over(store, &["--kazoo-token-file", &path("tokens"), "--kazoo-urlpass-file", &path("urlpass")])
}

fn holds(what: &str, body: &str, lines: &[&str]) {
    assert!(!(lines.is_empty() && !body.is_empty() && what.starts_with("phone")), "{what}: not empty: {body}");
    for line in lines {
        match line.strip_prefix('!') {
            Some(no) => assert!(!body.contains(no), "{what}: has {no}: {body}"),
            None => assert!(body.contains(line), "{what}: has no {line}: {body}"),
        }
    }
}

/// Plays an exchange. Returns how many calls and phones there were.
fn play(prov: &Provisioner, text: &str) -> (usize, usize) {
    let lines = text.lines().filter(|line| !line.starts_with("# ")).collect::<Vec<_>>().join("\n");
    let mut counts = (0, 0);
    let mut last = (0, String::new());
    for block in lines.split("### ").skip(1) {
        let (title, rest) = block.split_once('\n').unwrap_or((block, ""));
        let wanted: Vec<&str> = rest.lines().filter(|l| !l.is_empty()).collect();
        match title.split_once(' ') {
            Some(("answer", status)) => {
                assert_eq!(last.0.to_string(), status, "{title}: {}", last.1);
                holds(title, &last.1, &wanted);
            }
            Some(("phone", phone)) => {
                let (agent, target) = phone.split_once(" | ").expect("agent and target");
                let (status, body) = prov.send(&format!("GET {target} HTTP/1.1\nHost: p\nUser-Agent: {agent}"), b"");
                assert_eq!(status, 200);
                holds(title, &body, &wanted);
                counts.1 += 1;
            }
            _ => {
                let (head, body) = rest.split_once("\n\n").unwrap_or((rest, ""));
                last = prov.send(head, body.trim_end().as_bytes());
                counts.0 += 1;
            }
        }
    }
    counts
}

const KINDS: [&str; 4] = ["super_awesome_provisioner", "awesome_provisioner", "simple_provisioner", "provisioner_v5"];

/// The same over a CouchDB: what is written there counts at once, too.
#[test]
fn exchanges_over_a_couchdb() {
    let dir = folder();
    for kind in KINDS {
        let Some(couch) = Couch::start(None) else { return };
        let prov = over_store(dir.path(), &couch.url());
        let path = format!("{}/tests/data/kazoo/{kind}.http", env!("CARGO_MANIFEST_DIR"));
        let begin = Instant::now();
        let (calls, phones) = play(&prov, &std::fs::read_to_string(&path).expect("the exchange"));
        println!(
            "kazoo {kind} over CouchDB: {calls} calls, {phones} requests of phones, {} ms",
            begin.elapsed().as_millis()
        );
        // dead, it is told to Kazoo, which tries again
        drop(couch);
        let head = format!("PUT /kazoo/{TOKEN}/api/accounts/a/000413aabb01 HTTP/1.1\nHost: p");
        let (status, text) = prov.send(&head, b"{}");
        assert_eq!((status, text.contains("\"code\":503")), (503, true), "{text}");
    }
}

#[test]
fn exchanges_and_the_configs_that_result() {
    for kind in KINDS {
        let dir = folder();
        let prov = with_token(dir.path());
        let path = format!("{}/tests/data/kazoo/{kind}.http", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("the exchange");
        let begin = Instant::now();
        let (calls, phones) = play(&prov, &text);
        println!("kazoo {kind}: {calls} calls, {phones} requests of phones, {} ms", begin.elapsed().as_millis());
        assert!(calls >= 2 && phones >= 2, "{kind}");
        // what it logged has no secret, and nor has its command line
        std::thread::sleep(Duration::from_millis(100));
        let log: Vec<String> = prov.log.try_iter().collect();
        assert!(log.iter().any(|l| l.contains("kazoo: 127.0.0.1:")), "{log:?}");
        for secret in [TOKEN, "password", "office-pass", "of-new-accounts"] {
            assert!(
                !log.iter().any(|line| line.contains(secret) && !line.contains("wrong password")),
                "{secret}: {log:?}"
            );
        }
        let line = std::fs::read(format!("/proc/{}/cmdline", prov.child.id())).expect("there");
        assert!(!String::from_utf8_lossy(&line).contains(TOKEN));
    }
}

#[test]
fn the_same_after_a_restart() {
    let dir = folder();
    let form = "device[mac]=001565aabb03&sip[realm]=a.example&sip[username]=u&sip[password]=stored";
    let prov = with_token(dir.path());
    let head = format!("POST /kazoo/{TOKEN}/simple HTTP/1.1\nHost: p");
    assert_eq!(prov.send(&head, form.as_bytes()).0, 200);
    drop(prov);
    let prov = with_token(dir.path());
    let agent = "Yealink SIP-T46G 28.83.0.1 00:15:65:aa:bb:03";
    let target = "/prov/yealink/001565aabb03.cfg?pass=of-new-accounts";
    assert!(prov.send(&format!("GET {target} HTTP/1.1\nHost: p\nUser-Agent: {agent}"), b"").1.contains("= stored"));
    // readable for their owner alone
    let mut folders = vec![dir.path().join("db")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry")) {
            let mode = entry.metadata().expect("there").permissions().mode() & 0o077;
            assert_eq!(mode, 0, "{}", entry.path().display());
            match entry.file_type().expect("a type").is_dir() {
                true => folders.push(entry.path()),
                false => files += 1,
            }
        }
    }
    assert_eq!(files, 3);
}

#[test]
fn who_has_no_right_changes_nothing() {
    let form = b"device[mac]=001565aabb03&sip[realm]=a.example&sip[username]=u&sip[password]=p";
    let v5 = br#"{"create_if_missing":true,"merge":true,"data":{"brand":"snom"}}"#;
    let dir = folder();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let tokens = path("tokens");
    let runs: [&[&str]; 3] = [&[], &["--kazoo-token-file", &tokens], &["--kazoo-allow", "192.0.2.0/24"]];
    for options in runs {
        let prov = Provisioner::start(dir.path(), options);
        for (head, body) in [
            ("POST /kazoo/simple HTTP/1.1\nHost: p", &form[..]),
            ("POST /kazoo/another-token-of-x/simple HTTP/1.1\nHost: p", form),
            ("POST /kazoo/devices/abc/000413aabb01 HTTP/1.1\nHost: p", v5),
            ("POST /kazoo/devices/abc/000413aabb01 HTTP/1.1\nHost: p\nX-Auth-Token: x", v5),
            ("GET /kazoo/devices/search/000413aabb01 HTTP/1.1\nHost: p", b""),
            ("DELETE /kazoo/api/accounts/abc HTTP/1.1\nHost: p", b""),
        ] {
            let (status, text) = prov.send(head, body);
            assert_eq!((status, text.contains("\"code\":403")), (403, true), "{options:?} {head}: {text}");
        }
    }
    assert_eq!(std::fs::read_dir(dir.path().join("db")).expect("a folder").count(), 0);
    let prov = Provisioner::start(dir.path(), &["--kazoo-allow", "127.0.0.0/8"]);
    assert_eq!(prov.send("POST /kazoo/simple HTTP/1.1\nHost: p", form).0, 200);
    assert_eq!(prov.send("POST /kazoo/simple HTTP/1.1\nHost: p\nOrigin: http://evil.example", form).0, 403);
    // the account has no password: no phone gets it before an admin has given it one
    let agent = "User-Agent: Yealink SIP-T46G 28.83.0.1 00:15:65:aa:bb:03";
    for pass in ["", "?pass=", "?pass=undefined"] {
        let target = format!("GET /prov/yealink/001565aabb03.cfg{pass} HTTP/1.1\nHost: p\n{agent}");
        assert_eq!(prov.send(&target, b""), (200, String::new()));
    }
}

#[test]
fn bad_calls_cost_themselves() {
    let dir = folder();
    let prov = with_token(dir.path());
    let large = format!("{{\"data\":\"{}\"}}", "x".repeat(1024 * 1024));
    for (head, body, status) in [
        ("POST /kazoo/@/simple", "device[mac]=x", 400),
        ("POST /kazoo/@/simple", "device[mac]=x&sip[realm]=r&sip[username]=u", 400),
        ("GET /kazoo/@/simple", "", 405),
        ("PUT /kazoo/@/api/accounts/a/000413aabb01", "", 400),
        ("PUT /kazoo/@/api/accounts/a/000413aabb01", "[]", 400),
        ("PUT /kazoo/@/api/accounts/a/000413aabb01", "{\"a\":", 400),
        ("POST /kazoo/@/api/accounts/a/000413aabb01", "{\"settings\":7}", 400),
        ("PUT /kazoo/@/api/accounts/%2e%2e/000413aabb01", "{}", 400),
        ("PUT /kazoo/@/api/accounts/a-201604/000413aabb01", "{}", 400),
        ("PUT /kazoo/@/api/accounts/a/b/c", "{}", 404),
        ("PUT /kazoo/@/api/accounts/a/0004", "{}", 400),
        ("POST /kazoo/@/awesome/000413aabb01", "{\"data\":{}}", 400),
        ("GET /kazoo/@/awesome/x", "", 404),
        ("POST /kazoo/@/devices/a/000413aabb01", "{\"data\":[]}", 400),
        ("PATCH /kazoo/@/devices/a/000413aabb01", "{}", 405),
        ("POST /kazoo/@/nothing", "{}", 404),
        ("POST /kazoo/@/devices/a/000413aabb01", &large, 413),
    ] {
        let head = format!("{} HTTP/1.1\nHost: p", head.replace('@', TOKEN));
        let (got, text) = prov.send(&head, body.as_bytes());
        assert_eq!(got, status, "{head}: {text}");
    }
    assert_eq!(std::fs::read_dir(dir.path().join("db")).expect("a folder").count(), 0);
    let chunked = format!("POST /kazoo/{TOKEN}/simple HTTP/1.1\nHost: p\nTransfer-Encoding: chunked");
    assert_eq!(prov.send(&chunked, b"").0, 400);
}

#[test]
fn nobody_but_the_owner_may_read_the_token() {
    let dir = folder();
    let tokens = dir.path().join("tokens");
    let run = |mode: u32, text: &str| {
        std::fs::write(&tokens, text).expect("written");
        std::fs::set_permissions(&tokens, std::fs::Permissions::from_mode(mode)).expect("set");
        let out = Command::new(env!("CARGO_BIN_EXE_phoneprov"))
            .args(["provisioner", "--listen", "127.0.0.1:0", "--kazoo-token-file"])
            .arg(&tokens)
            .arg("--store")
            .arg(dir.path().join("none"))
            .output()
            .expect("run");
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (code, text) = run(0o644, TOKEN);
    assert!(code == Some(2) && text.contains("chmod 600"), "{text}");
    let (code, text) = run(0o600, "short");
    assert!(code == Some(2) && text.contains("token 1") && !text.contains("short"), "{text}");
}

#[test]
fn files_of_a_brand_whole_and_in_part() {
    let dir = folder();
    let firmware = dir.path().join("firmware/snom/firmware");
    std::fs::create_dir_all(&firmware).expect("made");
    let bytes: String = (0..500_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    std::fs::write(firmware.join("snom370-8.7.3.25-SIP-f.bin"), &bytes).expect("written");
    std::fs::write(dir.path().join("secret"), "no").expect("written");
    let folder = dir.path().join("firmware").display().to_string();
    let prov = Provisioner::start(dir.path(), &["--files", &folder]);
    // as the pointer of this provisioner names it
    let pointer =
        prov.send("GET /prov/snom/firmware/firmware.php HTTP/1.1\nHost: h\nUser-Agent: snom370-SIP 8.4", b"").1;
    let url = pointer.split_once("firmware: http://h").expect("a pointer").1.lines().next().expect("a line");
    let get = |target: &str, more: &str| prov.send(&format!("GET {target} HTTP/1.1\nHost: h{more}"), b"");
    assert_eq!(get(url, ""), (200, bytes.clone()));
    assert_eq!(get(url, "\nRange: bytes=100-199"), (206, bytes[100..200].to_string()));
    assert_eq!(get(url, "\nRange: bytes=-10"), (206, bytes[499_990..].to_string()));
    assert_eq!(get(url, "\nRange: bytes=500000-").0, 416);
    assert_eq!(prov.send(&format!("HEAD {url} HTTP/1.1\nHost: h"), b""), (200, String::new()));
    for no in [
        "/prov/snom/firmware/none.bin",
        "/prov/snom/../../secret",
        "/prov/snom/%2e%2e/%2e%2e/secret",
        "/prov/snom/firmware",
    ] {
        assert_ne!(get(no, "").0, 200, "{no}");
    }
}
