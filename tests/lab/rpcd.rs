//! The ubus object `phoneprov` as rpcd calls it, with the real agent behind: what a web page does with phones.

use crate::agent::binary;
use crate::bodies::{self, SIP_PASSWORD};
use crate::build::{Lab, Test};
use crate::faulty::Fault;
use serde_json::{json, Value};
use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const SNOM: &str = "00:04:13:00:00:01";
const MITEL: &str = "00:08:5d:00:00:02";
/// `option provpass`, as it is; a quote in it ends and begins the quoted text of UCI.
const ODD: &str = "g'e h%im&p=1/$(x)\"\\zü";

/// Calls on the router, each a process, and all that was ever answered.
struct Page<'a> {
    lab: &'a Lab,
    seen: Mutex<String>,
}

impl<'a> Page<'a> {
    fn new(lab: &'a Lab) -> Page<'a> {
        Page { lab, seen: Mutex::default() }
    }

    fn call(&self, method: &str, args: Value) -> Value {
        let mut c = self.lab.agent().router().command(binary());
        c.args(["rpcd", "call", method, "--config"]).arg(self.lab.agent().config_file());
        c.arg("--jobs").arg(self.lab.dir().join("jobs"));
        let mut child = c.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        child.stdin.take().expect("piped").write_all(args.to_string().as_bytes()).expect("written");
        let out = child.wait_with_output().expect("it ends");
        let text = String::from_utf8(out.stdout).expect("text");
        let errors = String::from_utf8(out.stderr).expect("text");
        self.seen.lock().unwrap().push_str(&format!("{method}: {text}{errors}\n"));
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{method}: {e}: {text}"));
        assert!(answer.is_object() && errors.is_empty(), "{method}: {text} {errors}");
        answer
    }

    fn good(&self, method: &str, args: Value) -> Value {
        let answer = self.call(method, args);
        assert_eq!(answer.get("error"), None, "{method}: {answer}");
        answer
    }

    fn error(&self, method: &str, args: Value) -> String {
        let answer = self.call(method, args);
        answer["error"].as_str().unwrap_or_else(|| panic!("{method}: {answer}")).to_string()
    }

    /// Starts a job and follows it to its end; gives that, and how many steps were seen on the way.
    fn follow(&self, method: &str, args: Value) -> (Value, Vec<usize>) {
        let id = self.good(method, args)["job"].as_str().expect("a job").to_string();
        let begin = Instant::now();
        let mut steps = Vec::new();
        loop {
            let job = self.call("job", json!({"id": id}));
            let count = job["steps"].as_array().expect("steps").len();
            if steps.last() != Some(&count) {
                steps.push(count);
            }
            if job["state"] != "running" {
                return (job, steps);
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "{method}: {job}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What a job came to.
    fn done(&self, method: &str, args: Value) -> Value {
        let (job, _) = self.follow(method, args);
        assert_eq!(job["state"], "done", "{method}: {job}");
        job["result"].clone()
    }

    fn list(&self, mac: &str) -> Value {
        self.good("phone", json!({"mac": mac}))["configs"][0]["list"].clone()
    }
}

fn one(mac: &str) -> Value {
    json!({"mac": mac})
}

fn lab(name: &str) -> Test {
    Test::new(name).phone(SNOM).phone(MITEL).option("provpass", &ODD.replace('\'', "'\\''"))
}

#[test]
fn every_method() {
    let Some(t) = lab("rpcd").start() else { return };
    let page = Page::new(&t);
    t.put_snom(0, "one");
    t.put_mitel(1, "one");
    assert_eq!((t.phone(0).config().status, t.phone(1).config().status), (200, 200));

    let status = page.good("status", json!({"ubus_rpc_session": "00"}));
    assert_eq!((&status["running"], &status["phones"]["served"]), (&json!(true), &json!(2)), "{status}");
    let macs = |answer: &Value| -> Vec<String> {
        answer["phones"].as_array().unwrap().iter().map(|p| p["mac"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(macs(&page.good("phones", json!({}))), [SNOM, MITEL]);
    assert_eq!(macs(&page.good("phones", json!({"after": SNOM}))), [MITEL]);
    assert_eq!(page.good("events", json!({"count": 2}))["events"].as_array().unwrap().len(), 2);
    assert!(page.error("phone", one("00:04:13:99:99:99")).contains("has not been seen"));
    let list = page.list("000413000001");
    assert_eq!((list.as_array().unwrap().len(), &list[0]["difference"]), (1, &Value::Null), "{list}");

    // generations, and what changed
    t.put_snom(0, "two");
    assert_eq!(page.done("refresh", one(SNOM))["configs"][0]["result"], "fresh");
    let list = page.list(SNOM);
    assert_eq!(
        (&list[0]["number"], &list[0]["current"], &list[1]["number"]),
        (&json!(2), &json!(true), &json!(1)),
        "{list}"
    );
    assert_eq!(
        (&list[0]["difference"], &list[1]["difference"]),
        (&json!("1 setting changed: phone_name"), &Value::Null)
    );
    let words = t.agent().verb(&["phone", SNOM]);
    let words = String::from_utf8_lossy(&words.stdout).into_owned();
    assert!(words.contains("bytes (served): 1 setting changed: phone_name\n"), "{words}");
    assert_eq!(page.done("rollback", json!({"mac": SNOM, "back": 1}))["configs"]["count"], 1);
    let account = bodies::snom("x", "three", 2000);
    t.upstream().put_of("/prov/snom/settings.php", &t.phone(0).hex(), account);
    page.done("refresh", one(SNOM));
    let list = page.list(SNOM);
    assert_eq!((&list[0]["held"], &list[0]["number"]), (&json!(true), &Value::Null), "{list}");
    let difference = list[0]["difference"].as_str().unwrap();
    assert!(difference.starts_with("another account; ") && difference.contains("user_name1"), "{difference}");
    assert_eq!((&list[2]["pinned"], &list[2]["current"]), (&json!(true), &json!(true)), "{list}");
    assert_eq!(page.done("reject", one(SNOM))["configs"]["count"], 1);
    assert_eq!(page.done("accept", one(SNOM))["configs"]["count"], 1);
    let (job, _) = page.follow("accept", one(SNOM));
    assert_eq!(job["state"], "failed", "nothing is left: {job}");
    assert!(job["error"].as_str().is_some_and(|e| e.contains(SNOM)), "{job}");
    let resync = page.done("resync", json!({"mac": SNOM, "reboot": true}));
    assert!(resync["phones"][0]["result"].as_str().unwrap().starts_with("no answer within 5 s"), "{resync}");
    assert!(page.done("refresh", one("all"))["started"].is_u64());

    assert!(page.error("admit", json!({"minutes": 5})).contains("enrol"));
    assert_eq!(page.good("forget", one(MITEL))["forgotten"], 1);
    assert_eq!(macs(&page.good("phones", json!({}))), [SNOM]);

    // what is about the config
    assert_eq!(page.good("check", json!({}))["ok"], true);
    let config = page.good("config", json!({}));
    assert_eq!(
        (&config["sections"][0]["provpass_set"], &config["sections"][0]["options"]["provpass"]),
        (&json!(true), &Value::Null)
    );
    assert!(page.good("options", json!({}))["types"].is_array());
    let typed = json!({"type": "agent", "option": "provpass", "value": "x\ny"});
    assert_eq!(page.good("check", typed)["message"], "provpass holds a control character; is a quote missing?");

    // bad arguments do nothing
    for (method, args) in [
        ("forget", json!({})),
        ("forget", json!({"mac": "all", "really": true})),
        ("forget", json!({"mac": ["all"]})),
        ("refresh", json!({"mac": "all; reboot"})),
        ("probe", json!({"device": "-h"})),
        ("resync", json!([SNOM])),
    ] {
        page.error(method, args);
    }
    assert_eq!(macs(&page.good("phones", json!({}))), [SNOM]);

    // the agent dies
    t.agent().kill9();
    let dead = page.call("status", json!({}));
    assert!(dead["running"] == false && dead["error"].as_str().unwrap().contains("is not running"), "{dead}");
    t.agent().start();
    assert_eq!(page.good("status", json!({}))["running"], true);
}

#[test]
fn a_probe_shows_its_steps_while_it_runs() {
    let Some(t) = lab("rpcd-probe").start() else { return };
    let page = Page::new(&t);
    t.upstream().fail(Fault::Silent);
    let (job, seen) = page.follow("probe", json!({"vendor": "snom"}));
    let result = &job["result"];
    assert_eq!(
        (&job["state"], &result["ok"], &job["steps"]),
        (&json!("done"), &json!(false), &result["steps"]),
        "{job}"
    );
    let steps: Vec<&str> = job["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["phone", "SUBSCRIBE", "NOTIFY", "GET"]);
    assert!(seen.contains(&3), "the first three were there while the upstream was waited for: {seen:?}");
    // what a probe cannot begin with
    let (job, _) = page.follow("probe", json!({"vendor": "nokia"}));
    assert!(job["state"] == "failed" && job["error"].as_str().unwrap().contains("no vendor 'nokia'"), "{job}");
    let (job, _) = page.follow("probe", json!({"device": "eth9"}));
    assert!(job["error"].as_str().unwrap().contains("eth9 is down"), "{job}");
}

#[test]
fn twenty_pages_at_once() {
    let Some(t) = lab("rpcd-many").start() else { return };
    let page = Page::new(&t);
    for tag in ["one", "two", "three"] {
        t.put_snom(0, tag);
        assert_eq!(t.phone(0).config().status, 200);
    }
    let calls = [("status", json!({})), ("phones", json!({})), ("phone", one(SNOM)), ("events", json!({}))];
    let began = Instant::now();
    thread::scope(|s| {
        for i in 0..20 {
            let (method, args) = calls[i % calls.len()].clone();
            let page = &page;
            s.spawn(move || (0..3).for_each(|_| _ = page.good(method, args.clone())));
        }
    });
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    t.agent().assert_alive();
    assert_eq!(page.list(SNOM)[0]["difference"], "1 setting changed: phone_name");
}

#[test]
fn no_secret_is_answered() {
    let Some(t) = lab("rpcd-secret").start() else { return };
    let page = Page::new(&t);
    // a config that holds the password where nobody expects it, and one that changes
    let body = |tag: &str| {
        format!("<settings><phone-settings><a perm=\"\">{tag}</a><user_pass idx=\"1\">{SIP_PASSWORD}{tag}</user_pass></phone-settings></settings>")
    };
    for tag in ["one", "two"] {
        t.upstream().put_of("/prov/snom/settings.php", &t.phone(0).hex(), body(tag));
        assert_eq!(t.phone(0).config().status, 200);
    }
    let difference = page.list(SNOM)[0]["difference"].clone();
    assert_eq!(difference, "2 settings changed: a, user_pass1");
    let config = t.agent().config_file();
    let good = fs::read_to_string(config).unwrap();
    let written = ODD.replace('\'', "'\\''");
    let encoded: String = ODD.bytes().map(|b| format!("%{b:02X}")).collect();
    let fault = |fault| t.upstream().fail(fault);
    let look = || {
        for method in ["status", "phones", "events", "check", "config", "options"] {
            page.call(method, json!({}));
        }
        page.call("phone", one(SNOM));
        page.follow("refresh", one(SNOM));
        page.follow("probe", json!({}));
    };
    look();
    for f in [Fault::Status(401), Fault::RedirectElsewhere, Fault::Refused] {
        fault(f);
        look();
    }
    for wrong in [
        good.replace("{upstream}/prov/snom/", &format!("http://joe:{encoded}@h.example/{encoded}/")),
        good.replace("{provpass}'", &format!("{encoded}'")),
        good.replace("option provpass", "option propvass"),
        good.replace(&format!("'{written}'"), &format!("'{written}")),
    ] {
        assert_ne!(wrong, good);
        fs::write(config, &wrong).unwrap();
        for method in ["check", "config"] {
            page.call(method, json!({}));
        }
    }
    fs::write(config, good).unwrap();
    let mut seen = page.seen.into_inner().unwrap();
    for entry in fs::read_dir(t.dir().join("jobs")).unwrap() {
        seen.push_str(&String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()));
    }
    let json = serde_json::to_string(ODD).unwrap();
    for form in [ODD, json.trim_matches('"'), &encoded, &encoded.to_lowercase(), SIP_PASSWORD] {
        let at = seen.find(form);
        assert_eq!(at, None, "{form}: {}", at.and_then(|at| seen.get(at.saturating_sub(300)..at + 40)).unwrap_or(""));
    }
    assert!(seen.len() > 20_000, "there is something to look through");
}
