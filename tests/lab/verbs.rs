//! The verbs as an admin uses them: what they print, how they fail, with which exit code.

use crate::agent::{binary, Stored};
use crate::bodies::{self, PROVPASS};
use crate::build::{Lab, Test};
use crate::faulty::{Fault, Reply};
use crate::netns::Ns;
use crate::phone::{ok_to, Phone};
use crate::upstream::Upstream;
use crate::{eventually, sip};
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const SNOM: &str = "00:04:13:00:00:01";
const MITEL: &str = "00:08:5d:00:00:02";
const CONTROL_VERBS: &[&[&str]] = &[
    &["status"],
    &["phones"],
    &["phone", SNOM],
    &["events"],
    &["refresh", SNOM],
    &["refresh", "all"],
    &["resync", SNOM],
    &["resync", "all", "--reboot"],
    &["forget", SNOM],
];

fn run(words: &[&str]) -> (i32, String, String) {
    told(Command::new(binary()).args(words).stdin(Stdio::null()).output().expect("it runs"))
}

fn told(out: Output) -> (i32, String, String) {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (out.status.code().expect("an exit code"), text(&out.stdout), text(&out.stderr))
}

/// A verb in a namespace, with the lab's config.
fn inside(t: &Lab, ns: &Ns, words: &[&str]) -> (i32, String, String) {
    told(ns.command(binary()).args(words).arg("--config").arg(t.agent().config_file()).output().expect("it runs"))
}

fn verb(t: &Lab, words: &[&str]) -> (i32, String, String) {
    told(t.agent().verb(words))
}

#[test]
fn wrong_usage_is_2_and_says_what() {
    let table: &[(&[&str], &str)] = &[
        (&[], "name a verb"),
        (&["frobnicate"], "no verb 'frobnicate'"),
        (&["--json"], "name a verb"),
        (&["phone"], "'phone' needs MAC"),
        (&["phone", "all"], "is no MAC"),
        (&["phone", "00:04"], "is no MAC"),
        (&["forget"], "'forget' needs MAC|all"),
        (&["refresh", "all", "all"], "takes one argument"),
        (&["status", "x"], "takes no arguments"),
        (&["status", "--reboot"], "takes no --reboot"),
        (&["resync", SNOM, "--rebot"], "--rebot"),
        (&["probe", "--mac", "zz"], "is no MAC"),
        (&["probe", "--device"], "--device"),
        (&["run", "--config"], "--config"),
    ];
    for (words, part) in table {
        let (code, out, err) = run(words);
        assert_eq!((code, out.as_str()), (2, ""), "{words:?}: {err}");
        assert!(err.contains(part) && err.contains("phoneprov --help"), "{words:?}: {err}");
    }
    let (code, help, err) = run(&["--help"]);
    assert_eq!((code, err.as_str()), (0, ""));
    for verb in "run demo probe check status phones phone events refresh resync forget".split(' ') {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb}: {help}");
        assert_eq!(run(&[verb, "--help"]), (0, help.clone(), String::new()), "{verb} --help");
    }
    let (code, version, _) = run(&["--version"]);
    assert_eq!((code, version), (0, format!("phoneprov {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn the_demo_ends_with_0_and_speaks_json() {
    let (code, out, err) = run(&["demo", "--json"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let out: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(out["ok"], true, "{out}");
    assert!(out["steps"].as_array().is_some_and(|s| s.len() > 10), "{out}");
}

#[test]
fn without_an_agent_they_say_so() {
    let Some(t) = Test::new("verb-off").without_agent().start() else { return };
    for words in CONTROL_VERBS {
        let (code, out, err) = verb(&t, words);
        assert_eq!((code, out.as_str()), (1, ""), "{words:?}: {err}");
        assert!(err.contains("is not running") && err.contains("run/control.sock"), "{words:?}: {err}");
        let (code, out, _) = verb(&t, &[words, &["--json"][..]].concat());
        let out: Value = serde_json::from_str(&out).expect("JSON");
        assert!(code == 1 && out["error"].as_str().is_some_and(|e| e.contains("is not running")), "{words:?}: {out}");
    }
    let missing = run(&["status", "--config", "/nonexistent/phoneprov"]);
    assert!(missing.0 == 1 && missing.2.contains("/nonexistent/phoneprov"), "no other agent is asked: {missing:?}");
}

#[test]
fn not_root() {
    let Some(t) = Test::new("verb-user").phone(SNOM).start() else { return };
    // a place where everybody can start it
    let program = t.dir().join("phoneprov");
    fs::copy(binary(), &program).expect("copied");
    fs::set_permissions(t.dir(), fs::Permissions::from_mode(0o711)).expect("mode");
    let run = |words: &[&str]| {
        let config = t.agent().config_file();
        let out = Command::new(&program).args(words).arg("--config").arg(config).uid(65534).gid(65534).output();
        told(out.expect("it runs"))
    };
    let socket = t.agent().run_dir().join("control.sock");
    let socket = socket.to_str().expect("text");
    for words in [&["status"][..], &["phones", "--socket", socket], &["forget", SNOM, "--socket", socket]] {
        let (code, _, err) = run(words);
        assert_eq!(code, 1, "{err}");
        assert!(err.to_lowercase().contains("permission denied") || err.contains("only root"), "{words:?}: {err}");
    }
    for words in [&["check"][..], &["probe"], &["run"]] {
        let (code, out, err) = run(words);
        let said = format!("{out}{err}");
        assert!(
            code == 1 && said.contains("phoneprov.uci: ") && said.contains("Permission denied"),
            "{words:?}: {said}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let Some(t) = Test::new("verb-pipe").phone(SNOM).start() else { return };
    t.put_snom(0, "one");
    assert_eq!(t.phone(0).config().status, 200);
    for words in [&["events"][..], &["phones"], &["phone", SNOM], &["status", "--json"], &["check"]] {
        let mut c = Command::new(binary());
        c.args(words).arg("--config").arg(t.agent().config_file()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = c.spawn().expect("it runs");
        drop(child.stdout.take());
        let (code, _, err) = told(child.wait_with_output().expect("it ends"));
        assert!(code != 101 && !err.contains("panicked"), "{words:?}: {code} {err}");
    }
}

#[test]
fn check_names_file_and_line() {
    let Some(t) = Test::new("verb-check").phone(SNOM).start() else { return };
    let file = t.agent().config_file();
    let good = fs::read_to_string(file).expect("read");
    let (code, out, _) = verb(&t, &["check"]);
    assert!(code == 0 && out.contains("ok, vendors snom and mitel enabled"), "{out}");
    let lines = good.lines().count();
    fs::write(file, format!("{good}config agent 'more'\n\toption prot '1'\nconfig phone\n\toption mac 'zz'\n"))
        .expect("written");
    let (code, out, _) = verb(&t, &["check"]);
    for line in [lines + 1, lines + 4] {
        assert!(out.contains(&format!("{}:{line}: ", file.display())), "line {line}: {out}");
    }
    assert_eq!(code, 1, "{out}");
    let (code, out, _) = verb(&t, &["check", "--json"]);
    let out: Value = serde_json::from_str(&out).expect("JSON");
    assert!(code == 1 && out["ok"] == false && out["problems"][0]["line"].is_u64(), "{out}");

    // broken beyond use: the running agent is still found by its run_dir
    fs::write(file, format!("{good}optoin x\n")).expect("written");
    let (code, out, _) = verb(&t, &["check"]);
    assert!(code == 1 && out.contains(&format!("{}:{}: ", file.display(), lines + 1)), "{out}");
    let (code, out, err) = verb(&t, &["status"]);
    assert!(code == 0 && out.contains("br-lan 192.168.77.1/24"), "{out}{err}");

    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/openwrt-package/files/phoneprov.config");
    let (code, out, _) = run(&["check", "--config", shipped]);
    assert!(code == 0 && out.contains("the agent is off"), "{out}");
    let (code, _, err) = run(&["run", "--config", shipped]);
    assert!(code == 1 && err.contains("option enabled is 0"), "{err}");
    let (code, out, _) = run(&["check", "--config", "/nonexistent"]);
    assert!(code == 1 && out.contains("/nonexistent: there is no such file"), "{out}");
}

/// The steps of a probe as (name, ok).
fn steps(out: &str) -> (Vec<(String, bool)>, Value) {
    let out: Value = serde_json::from_str(out).unwrap_or_else(|e| panic!("{e}: {out}"));
    let all = out["steps"].as_array().expect("steps");
    (all.iter().map(|s| (s["step"].as_str().unwrap_or("").to_string(), s["ok"] == true)).collect(), out)
}

fn failure(t: &Lab, words: &[&str], step: &str) -> String {
    let begin = Instant::now();
    let (code, out, err) = inside(t, t.agent().router(), &[&["probe"], words].concat());
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{out}");
    let line = out.lines().find(|l| l.starts_with("FAILED")).unwrap_or_else(|| panic!("no failure: {out}"));
    assert!(line.starts_with(&format!("FAILED {step}: ")), "{line}");
    let (_, json, _) = inside(t, t.agent().router(), &[&["probe", "--json"], words].concat());
    let (all, json) = steps(&json);
    assert!(json["ok"] == false && all.last() == Some(&(step.to_string(), false)), "{json}");
    line.to_string()
}

#[test]
fn probe_on_the_router_is_a_phone_and_leaves_no_trace() {
    let yealink = "00:15:65:*:*:*";
    let t = Test::new("probe").phone(SNOM).vendor("yealink", yealink, "{upstream}/prov/yealink/").start();
    let Some(t) = t else { return };
    let www = t.upstream();
    www.put_of("/prov/snom/settings.php", "000413fefefe", bodies::snom("000413fefefe", "p", 2000));
    www.put_of("/prov/snom/settings.php", "000413FEFEFE", bodies::snom("000413fefefe", "p", 2000));
    www.put("/prov/mitel/00085DFEFEFE.cfg", bodies::mitel("00085dfefefe", "p", 2000));
    www.put("/prov/yealink/001565fefefe.cfg", "#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.label = x\n");
    let before = t.agent().stored();
    for (vendor, gets) in [("snom", 1), ("mitel", 2), ("yealink", 2)] {
        let (code, out, err) = inside(&t, t.agent().router(), &["probe", "--vendor", vendor]);
        assert_eq!((code, err.as_str()), (0, ""), "{vendor}: {out}");
        assert!(!out.contains("FAILED") && !out.contains(PROVPASS), "{vendor}: {out}");
        assert_eq!(out.lines().filter(|l| l.starts_with("ok     GET: ")).count(), gets, "{vendor}: {out}");
        assert!(out.lines().last().is_some_and(|l| l.contains(" bytes, fresh; age=0, sha256 ")), "{vendor}: {out}");
    }
    let (code, out, _) = inside(&t, t.agent().router(), &["probe", "--json", "--mac", "00:04:13:fe:fe:fe"]);
    let (all, out) = steps(&out);
    assert!(code == 0 && out["ok"] == true && all.len() == 4, "{out}");
    assert_eq!(t.agent().phones()["phones"], serde_json::json!([]), "a probe is no phone");
    assert_eq!(t.agent().stored(), before, "and nothing of it is on flash");
    assert!(t.agent().events().to_string().contains("00:04:13:fe:fe:fe"), "but it can be followed");
}

#[test]
fn probe_where_a_phone_is() {
    let Some(t) = Test::new("probe-phone").phone(SNOM).start() else { return };
    t.put_snom(0, "one");
    let ns = &t.phone(0).ns;
    let (code, out, _) = inside(&t, ns, &["probe", "--device", "eth0", "--mac", SNOM]);
    assert!(code == 0 && out.contains("fresh; age=0"), "{out}");
    // another MAC's config is not for this address
    let (code, out, _) = inside(&t, ns, &["probe", "--device", "eth0"]);
    assert!(code == 1 && out.contains("FAILED GET") && out.contains("status 403: a config goes only to"), "{out}");
    let (code, _, err) = inside(&t, ns, &["probe", "--device", "eth7"]);
    assert!(code == 1 && err.contains("device eth7 is down or has no IPv4 address"), "{err}");
}

#[test]
fn probe_says_where_it_fails() {
    let answer = |r: &crate::faulty::Request| match r.target.contains("pass=") && !r.target.contains(PROVPASS) {
        true => Reply::new(403, bodies::error_page()),
        false => Reply::new(404, bodies::error_page()),
    };
    let t = Test::new("probe-fails")
        .phone(SNOM)
        .vendor("yealink", "00:15:65:*:*:*", "{upstream}/prov/yealink/")
        .vendor_off("yealink")
        .upstream(Upstream::script(answer))
        .start();
    let Some(t) = t else { return };
    let text = failure(&t, &["--vendor", "yealink"], "vendor");
    assert!(text.contains("vendor 'yealink' is not enabled in") && text.contains("option enabled '1'"), "{text}");
    let (code, _, err) = inside(&t, t.agent().router(), &["probe", "--vendor", "acme"]);
    assert!(code == 1 && err.contains("no vendor 'acme', only snom, mitel, yealink"), "{err}");

    let text = failure(&t, &[], "GET");
    assert!(text.contains("status 404") && text.contains("does the provider know this MAC"), "{text}");
    // a wrong password
    let file = t.agent().config_file();
    let good = fs::read_to_string(file).expect("read");
    fs::write(file, good.replace(PROVPASS, "wrong")).expect("written");
    hup(&t);
    let text = failure(&t, &[], "GET");
    assert!(text.contains("403") && text.contains("option provpass"), "{text}");
    assert!(!text.contains("wrong\""), "{text}");

    t.upstream().fail(Fault::Refused);
    let text = failure(&t, &[], "GET");
    assert!(text.contains("status 503") && text.contains("refused the connection"), "{text}");
    assert!(text.contains("nothing is stored"), "{text}");

    fs::write(file, good.replace("config agent 'main'\n", "config agent 'main'\n\toption pnp '0'\n")).expect("written");
    hup(&t);
    let text = failure(&t, &[], "SUBSCRIBE");
    assert!(text.contains("PnP is off (option pnp '0')"), "{text}");
    t.agent().kill9();
    let text = failure(&t, &[], "SUBSCRIBE");
    assert!(text.contains("the agent is not running"), "{text}");
}

/// SIGHUP, and waits until the agent has said so.
pub fn hup(t: &Lab) {
    let count =
        || t.agent().events()["events"].as_array().map_or(0, |all| all.iter().filter(|e| e["kind"] == "agent").count());
    let before = count();
    let _ = Command::new("kill").args(["-HUP", &t.agent().pid().to_string()]).status();
    eventually("an event of the reload", Duration::from_secs(3), || count() > before);
}

/// Plugs the phone in by its SUBSCRIBE, so that the agent knows where it is.
fn plug(phone: &Phone, fixture: &str) {
    let message = sip::fixture(fixture).message(&phone.hex(), phone.ip, 5060);
    let got = phone.subscribe(&message, 5060, Duration::from_millis(400), 1);
    assert!(got.len() >= 2, "{got:?}");
}

/// A phone that answers the first NOTIFY with this status line, or not at all. Gives what came.
fn listen(socket: UdpSocket, answer: Option<&'static str>) -> thread::JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        let mut buffer = [0u8; 4096];
        socket.set_read_timeout(Some(Duration::from_millis(6500))).expect("a timeout");
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
            if let Some(line) = answer {
                let reply = ok_to(&text).replace("SIP/2.0 200 OK", line);
                socket.send_to(reply.as_bytes(), from).expect("sent");
                socket.set_read_timeout(Some(Duration::from_millis(900))).expect("a timeout");
            }
            all.push(text);
        }
        all
    })
}

#[test]
fn resync_is_the_vendors_notify() {
    let Some(t) = Test::new("resync").phone(SNOM).phone(MITEL).start() else { return };
    let (code, _, err) = verb(&t, &["resync", SNOM]);
    assert!(code == 1 && err.contains("has not been seen"), "{err}");
    plug(t.phone(0), "snom-d120");
    t.put_mitel(1, "one");
    assert_eq!(t.phone(1).config().status, 200, "no SUBSCRIBE comes from a Mitel");
    let table = [
        (0, &["resync", SNOM][..], "check-sync;reboot=false"),
        (0, &["resync", SNOM, "--reboot"], "check-sync;reboot=true"),
        (1, &["resync", MITEL], "check-sync"),
        (1, &["resync", MITEL, "--reboot"], "check-sync"),
    ];
    for (i, words, event) in table {
        let phone = t.phone(i);
        let heard = listen(phone.udp(5060), Some("SIP/2.0 200 OK"));
        let (code, out, err) = verb(&t, words);
        assert_eq!((code, out), (0, format!("{}: accepted\n", phone.mac)), "{err}");
        let heard = heard.join().expect("a thread");
        assert_eq!(heard.len(), 1, "answered, so not repeated: {heard:?}");
        let notify = &heard[0];
        assert!(notify.starts_with(&format!("NOTIFY sip:anonymous@{}:5060 SIP/2.0\r\n", phone.ip)), "{notify}");
        assert_eq!(sip::header(notify, "Event"), Some(event), "{notify}");
        assert_eq!(sip::header(notify, "Content-Length"), Some("0"), "{notify}");
        assert!(
            sip::header(notify, "Via").is_some_and(|v| v.starts_with("SIP/2.0/UDP 192.168.77.1:5060;")),
            "{notify}"
        );
        for name in ["From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "Subscription-State"] {
            assert!(sip::header(notify, name).is_some(), "{name}: {notify}");
        }
    }
}

#[test]
fn resync_tells_a_refusal_from_silence() {
    let Some(t) = Test::new("resync-no").phone(SNOM).start() else { return };
    plug(t.phone(0), "snom-d120");
    let heard = listen(t.phone(0).udp(5060), Some("SIP/2.0 481 Subscription does not exist"));
    let (code, out, _) = verb(&t, &["resync", "all"]);
    assert!(code == 1 && out.contains(": refused with status 481"), "{out}");
    assert_eq!(heard.join().expect("a thread").len(), 1);

    let heard = listen(t.phone(0).udp(5060), None);
    let begin = Instant::now();
    let (code, out, _) = verb(&t, &["resync", SNOM, "--json"]);
    let took = begin.elapsed();
    let out: Value = serde_json::from_str(&out).expect("JSON");
    assert!(
        code == 1 && out["phones"][0]["result"].as_str().is_some_and(|r| r.contains("no answer within 5 s")),
        "{out}"
    );
    assert!(took > Duration::from_secs(4) && took < Duration::from_secs(7), "{took:?}");
    let heard = heard.join().expect("a thread");
    assert!((4..=5).contains(&heard.len()) && heard.iter().all(|m| *m == heard[0]), "{heard:?}");
    let story = t.agent().phone(SNOM)["events"].to_string();
    assert!(story.contains("resync: refused with status 481") && story.contains("resync: no answer"), "{story}");
}

#[test]
fn refresh_says_what_the_upstream_said() {
    let Some(t) = Test::new("refresh").phone(SNOM).start() else { return };
    let (code, _, err) = verb(&t, &["refresh", SNOM]);
    assert!(code == 1 && err.contains("has not asked for a config yet"), "{err}");
    t.put_snom(0, "one");
    assert_eq!(t.phone(0).config().status, 200);
    let line = |(code, out, err): (i32, String, String)| (code, format!("{out}{err}"));
    let name = "settings.php?mac={mac}";
    assert_eq!(line(verb(&t, &["refresh", SNOM])), (0, format!("{name}: unchanged\n")));
    let two = t.put_snom(0, "two");
    assert_eq!(line(verb(&t, &["refresh", SNOM])), (0, format!("{name}: fresh\n")));
    assert_eq!(t.agent().entry(SNOM)["config"]["sha256"], bodies::sha256(&two));
    assert_eq!(t.agent().entry(SNOM)["config"]["generations"], 2);
    t.upstream().fail(Fault::Refused);
    let (code, out) = line(verb(&t, &["refresh", SNOM]));
    assert!(code == 1 && out.starts_with(&format!("{name}: last-good; reason=down (")), "{out}");
    assert!(out.contains("refused the connection"), "{out}");
    t.upstream().heal();
    t.put_snom(0, "three");
    assert_eq!(line(verb(&t, &["refresh", "all"])).0, 0);
    eventually("refresh all stores it", Duration::from_secs(3), || t.agent().entry(SNOM)["config"]["generations"] == 3);
}

#[test]
fn forget_leaves_nothing() {
    let Some(t) = Test::new("forget").phone(SNOM).phone(MITEL).start() else { return };
    t.put_snom(0, "one");
    t.put_mitel(1, "one");
    assert_eq!((t.phone(0).config().status, t.phone(1).config().status), (200, 200));
    let hex = t.phone(0).hex();
    let files = |hex: &str| {
        Stored::of(t.agent().state_dir()).0.keys().filter(|p| p.display().to_string().contains(hex)).count()
    };
    eventually("its files are there", Duration::from_secs(3), || files(&hex) >= 3);
    let (code, out, _) = verb(&t, &["forget", SNOM]);
    assert_eq!((code, out.as_str()), (0, "forgot 1 phone\n"));
    eventually("its files are gone", Duration::from_secs(3), || files(&hex) == 0);
    // a caller of the control socket that leaves out the MAC has not said "all"
    for request in ["{\"op\":\"forget\"}\n", "{\"op\":\"forget\",\"mac\":null}\n", "{\"op\":\"forget\",\"mac\":7}\n"] {
        let mut socket = UnixStream::connect(t.agent().run_dir().join("control.sock")).expect("the agent");
        socket.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains("\"ok\":false") && answer.contains("which phone?"), "{request}: {answer}");
    }
    assert!(files(&t.phone(1).hex()) >= 3, "the others' stay");
    let (code, _, err) = verb(&t, &["phone", SNOM]);
    assert!(code == 1 && err.contains("has not been seen"), "{err}");
    let (code, _, err) = verb(&t, &["forget", SNOM]);
    assert!(code == 1 && err.contains("is not known"), "{err}");
    assert_eq!(t.agent().entry(SNOM), Value::Null);
    t.upstream().fail(Fault::Refused);
    assert_eq!(t.phone(0).config().status, 503, "no last good is left");
    t.upstream().heal();
    let (code, out, _) = verb(&t, &["forget", "all"]);
    assert!(code == 0 && out.starts_with("forgot "), "{out}");
    eventually("all files are gone", Duration::from_secs(3), || Stored::of(t.agent().state_dir()).sums().is_empty());
    t.agent().restart();
    assert_eq!(t.agent().phones()["phones"], serde_json::json!([]));
}

#[test]
fn a_phones_story() {
    let Some(t) = Test::new("story").phone(SNOM).phone("02:00:00:00:00:09").start() else { return };
    let (code, out, _) = verb(&t, &["phones"]);
    assert!(code == 0 && out.contains("No phone has been seen yet") && out.contains("phoneprov probe"), "{out}");
    plug(t.phone(0), "snom-d120");
    let entry = t.agent().entry(SNOM);
    assert_eq!((&entry["config"]["state"], &entry["model"]), (&"none".into(), &"D120".into()), "{entry}");
    t.put_snom(0, "one");
    assert_eq!(t.phone(0).config().status, 200);
    t.upstream().fail(Fault::Refused);
    assert_eq!(t.phone(0).config().status, 200);
    let (code, out, _) = verb(&t, &["phone", SNOM]);
    assert_eq!(code, 0);
    for part in [
        "00:04:13:00:00:01 snom D785",
        "address 192.168.77.11, seen ",
        "settings.php?mac={mac}: last-good (down: ",
        "1 generation, ",
        "asked by PnP, was told http://192.168.77.1:8480/snom/settings.php?mac=000413000001",
        "took the URL",
        "new config settings.php?mac={mac} (",
        "down: ",
    ] {
        assert!(out.contains(part), "{part:?}: {out}");
    }
    let (_, table, _) = verb(&t, &["phones"]);
    assert!(table.starts_with("MAC ") && table.contains("last-good (down: "), "{table}");
    let (_, status, _) = verb(&t, &["status"]);
    assert!(status.contains("is down, last answer ") && status.contains("1 on their last good"), "{status}");
}
