//! `phoneprov rpcd` as rpcd starts it: a process for each call, arguments on stdin. Here without an agent, or with a
//! socket that says what an agent might; tests/lab/rpcd.rs has the real one.
#![forbid(unsafe_code)]

use phoneprov::bounds;
use serde_json::{json, Value};
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_phoneprov");
const CONFIG: &str =
    "config agent 'main'\n\toption enabled '1'\n\tlist device 'lo'\n\toption upstream 'http://p.example'\n\
    \toption provpass 'ge heim'\nconfig vendor 'snom'\n\toption enabled '1'\n";

/// A folder with a config, a place for the socket, and one for jobs.
struct Site(TempDir);

impl Site {
    fn new(config: &str) -> Site {
        let site = Site(tempfile::tempdir().unwrap());
        fs::write(site.path("config"), config).unwrap();
        fs::set_permissions(site.path("config"), Permissions::from_mode(0o600)).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn job(&self, name: &str) -> PathBuf {
        self.path("jobs").join(name)
    }

    fn run(&self, method: &str, input: &[u8]) -> Output {
        let mut command = Command::new(BINARY);
        command.args(["rpcd", "call", method]).arg("--config").arg(self.path("config"));
        command.arg("--socket").arg(self.path("sock")).arg("--jobs").arg(self.path("jobs"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input); // it may not want it all
        child.wait_with_output().unwrap()
    }

    /// The answer, which is one JSON object on one line whatever happens.
    fn raw(&self, method: &str, input: &[u8]) -> Value {
        let out = self.run(method, input);
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(out.stderr.is_empty() && text.lines().count() == 1, "{method}: {out:?}", out = text);
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert!(answer.is_object() && text.len() <= bounds::RPCD_ANSWER + 1, "{method}: {text}");
        answer
    }

    fn call(&self, method: &str, args: Value) -> Value {
        self.raw(method, args.to_string().as_bytes())
    }

    fn error(&self, method: &str, args: Value) -> String {
        let answer = self.call(method, args);
        answer["error"].as_str().unwrap_or_else(|| panic!("{method}: {answer}")).to_string()
    }

    fn start(&self, method: &str, args: Value) -> String {
        let answer = self.call(method, args);
        answer["job"].as_str().unwrap_or_else(|| panic!("{method}: {answer}")).to_string()
    }

    fn look(&self, id: &str) -> Value {
        self.call("job", json!({"id": id}))
    }

    fn until(&self, id: &str, state: &str) -> Value {
        let began = Instant::now();
        loop {
            let job = self.look(id);
            if job["state"] == state {
                return job;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "{id} is not {state}: {job}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn listen(&self) -> UnixListener {
        UnixListener::bind(self.path("sock")).unwrap()
    }

    fn jobs(&self) -> Vec<String> {
        let mut all: Vec<String> =
            fs::read_dir(self.path("jobs")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        all.sort();
        all
    }
}

/// The next request on a socket, and where its answer goes.
fn asked(listener: &UnixListener) -> (Value, UnixStream) {
    let (stream, _) = listener.accept().unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    (serde_json::from_str(&line).unwrap(), stream)
}

/// Processes with these words in their command line.
fn processes(word: &str) -> Vec<(u32, String)> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|e| e.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let line =
        |pid: u32| fs::read(format!("/proc/{pid}/cmdline")).map(|b| String::from_utf8_lossy(&b).replace('\0', " "));
    pids.filter_map(|pid| Some((pid, line(pid).ok()?))).filter(|(_, line)| line.contains(word)).collect()
}

#[test]
fn rpcd_starts_it_by_its_link() {
    let site = Site::new(CONFIG);
    fs::create_dir(site.path("rpcd")).unwrap();
    let link = site.path("rpcd/phoneprov");
    symlink(BINARY, &link).unwrap();
    let run = |program: &Path, words: &[&str]| {
        let out = Command::new(program).args(words).stdin(Stdio::null()).output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap())
    };
    let (code, list) = run(&link, &["list"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((code, &list["refresh"]), (Some(0), &json!({"mac": ""})));
    let (code, options) = run(&link, &["call", "options"]);
    let options: Value = serde_json::from_str(&options).unwrap();
    assert!(code == Some(0) && options["types"][0]["type"] == "agent");
    let (code, none) = run(&link, &["call", "nothing"]);
    assert_eq!((code, none.as_str()), (Some(1), "{\"error\":\"there is no method 'nothing'\"}\n"));
    // no other verb under that name: who may call one method shall not get at all of them
    assert_eq!(run(&link, &["status"]), (Some(2), String::new()));
    assert_eq!(run(Path::new(BINARY), &["list"]).0, Some(0));
}

#[test]
fn without_an_agent_it_says_so() {
    let site = Site::new(CONFIG);
    for (method, args) in [
        ("status", json!({})),
        ("phones", json!({})),
        ("phone", json!({"mac": "00:04:13:00:00:01"})),
        ("events", json!({})),
        ("forget", json!({"mac": "all"})),
        ("admit", json!({"minutes": 5})),
    ] {
        let answer = site.call(method, args);
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains("is not running") && error.contains("start it with"), "{method}: {answer}");
        assert_eq!(answer["running"], json!(false), "{method}: {answer}");
    }
    let id = site.start("refresh", json!({"mac": "all"}));
    let job = site.until(&id, "failed");
    assert!(job["error"].as_str().unwrap().contains("is not running"), "{job}");
    // and why it would not start
    fs::write(site.path("config"), CONFIG.replace("enabled '1'\n\tlist", "enabled '0'\n\tlist")).unwrap();
    assert!(site.error("status", json!({})).contains("option enabled is 0"));
    fs::write(site.path("config"), "config agent\n\toption enabled 1\n").unwrap();
    assert!(site.error("status", json!({})).contains("would not start"));
    // what needs no agent still answers
    for method in ["check", "options", "config"] {
        assert_eq!(site.call(method, json!({})).get("error"), None, "{method}");
    }
    // a socket that was left, one that ends without a word, and one that is silent
    drop(site.listen());
    assert_eq!(site.call("status", json!({}))["running"], json!(false));
    fs::remove_file(site.path("sock")).unwrap();
    let listener = site.listen();
    let end = thread::scope(|s| {
        s.spawn(|| drop(asked(&listener)));
        site.error("status", json!({}))
    });
    assert!(end.contains("without an answer"), "{end}");
    let began = Instant::now();
    let silent = site.call("status", json!({}));
    let took = began.elapsed();
    assert!(silent["error"].as_str().unwrap().contains("does not answer"), "{silent}");
    assert_eq!(silent.get("running"), None, "nobody knows");
    assert!((bounds::RPCD_SECONDS..18).contains(&took.as_secs()), "{took:?}: a page waits 20 s");
}

#[test]
fn odd_input_is_an_error_and_no_more() {
    let site = Site::new(CONFIG);
    for input in [&b"\xff\xfe"[..], b"{", b"[]", b"{\"mac\":\"\\ud800\"}", b"null", &vec![b' '; bounds::RPCD_ARGS + 1]]
    {
        assert!(site.raw("status", input)["error"].is_string());
    }
    assert!(site.error("forget", json!({})).contains("needs the argument mac"));
    assert!(!site.path("jobs").exists(), "nothing was done");
    // who sends no end is not waited for for ever; and it ends with what it started
    let long = site
        .run("check", json!({"type": "agent", "option": "upstream", "value": "x".repeat(4096)}).to_string().as_bytes());
    let long: Value = serde_json::from_slice(&long.stdout).unwrap();
    assert_eq!(long["message"], json!("upstream is no URL; write it as https://host/path"));
}

#[test]
fn a_job_lives_on_and_tells_how_far_it_is() {
    let site = Site::new(CONFIG);
    let listener = site.listen();
    let args = json!({"mac": "000413AABBCC", "name": "a $(b) 'c'\u{e4}"});
    let id = site.start("rollback", args);
    let (request, mut stream) = asked(&listener);
    assert_eq!(request, json!({"op": "rollback", "mac": "00:04:13:aa:bb:cc", "name": "a $(b) 'c'\u{e4}"}));
    // its words on the command line are its number and places
    let (pid, line) = processes(&id).pop().unwrap();
    assert!(!line.contains("00:04:13") && !line.contains("$("), "{line}");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap();
    assert_eq!(session, pid.to_string(), "a session of its own: {stat}");
    assert_eq!(site.look(&id), json!({"id": id, "method": "rollback", "state": "running", "steps": []}));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(site.path("jobs")), mode(site.job(&format!("{id}.job")))), (0o700, 0o600));
    stream.write_all(b"{\"ok\":true,\"result\":{\"configs\":{\"count\":0,\"list\":[]}}}\n").unwrap();
    let job = site.until(&id, "done");
    assert_eq!(job["result"]["configs"]["count"], json!(0));
    assert_eq!(mode(site.job(&format!("{id}.json"))), 0o600);
    // the agent's own refusal
    let id = site.start("accept", json!({"mac": "all"}));
    let (_, mut stream) = asked(&listener);
    stream.write_all(b"{\"ok\":false,\"error\":\"nothing is held\"}\n").unwrap();
    assert_eq!(site.until(&id, "failed")["error"], json!("nothing is held"));
    // killed
    let id = site.start("reject", json!({"mac": "all"}));
    let _open = asked(&listener);
    let (pid, _) = processes(&id).pop().unwrap();
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    assert!(site.until(&id, "failed")["error"].as_str().unwrap().contains("ended before it was done"));
    assert!(site.error("job", json!({"id": "0123456789abcdef"})).contains("there is no job"));
}

#[test]
fn a_long_result_is_cut() {
    let site = Site::new(CONFIG);
    let listener = site.listen();
    let id = site.start("resync", json!({"mac": "all"}));
    let (_, mut stream) = asked(&listener);
    let phones: Vec<Value> = (0..bounds::PHONES).map(|n| json!({"mac": n, "result": "x".repeat(100)})).collect();
    let answer = json!({"ok": true, "result": {"phones": phones}});
    stream.write_all(format!("{answer}\n").as_bytes()).unwrap();
    let job = site.until(&id, "done");
    let left = job["result"]["phones"].as_array().unwrap().len() as u64;
    assert_eq!(left + job["result"]["more"].as_u64().unwrap(), bounds::PHONES as u64, "{left}");
}

#[test]
fn jobs_are_bounded() {
    let site = Site::new(CONFIG);
    let listener = site.listen();
    let running: Vec<String> = (0..bounds::RPCD_JOBS).map(|_| site.start("refresh", json!({"mac": "all"}))).collect();
    let streams: Vec<UnixStream> = running.iter().map(|_| asked(&listener).1).collect();
    assert!(site.error("probe", json!({})).contains("wait until one has ended"));
    for mut stream in streams {
        stream.write_all(b"{\"ok\":true,\"result\":{\"started\":0}}\n").unwrap();
    }
    for id in &running {
        site.until(id, "done");
    }
    let finish = || {
        let id = site.start("refresh", json!({"mac": "all"}));
        asked(&listener).1.write_all(b"{\"ok\":true,\"result\":{\"started\":0}}\n").unwrap();
        site.until(&id, "done");
        // the lock goes with the process, a moment after the report
        let began = Instant::now();
        while !processes(&id).is_empty() && began.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(5));
        }
        id
    };
    let more: Vec<String> = (0..bounds::RPCD_JOBS_KEPT).map(|_| finish()).collect();
    assert_eq!(site.jobs().iter().filter(|n| n.ends_with(".job")).count(), bounds::RPCD_JOBS_KEPT);
    assert!(running.iter().all(|id| site.look(id)["error"].is_string()), "the oldest went");
    assert_eq!(site.look(&more[1])["state"], json!("done"));
    let old = SystemTime::now() - Duration::from_secs(bounds::RPCD_JOB_SECONDS + 60);
    for id in &more {
        File::options().write(true).open(site.job(&format!("{id}.job"))).unwrap().set_modified(old).unwrap();
    }
    let last = finish();
    assert_eq!(site.jobs(), [format!("{last}.job"), format!("{last}.json"), "lock".to_string()]);
}

#[test]
fn many_at_once() {
    let site = Site::new(CONFIG);
    let listener = site.listen();
    let count = 20;
    let answers: Vec<Value> = thread::scope(|s| {
        let threads: Vec<_> = (0..count).map(|_| s.spawn(|| site.call("refresh", json!({"mac": "all"})))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let ids: Vec<&str> = answers.iter().filter_map(|a| a["job"].as_str()).collect();
    assert_eq!(ids.len(), bounds::RPCD_JOBS, "{answers:?}");
    assert!(answers.iter().filter(|a| a.get("job").is_none()).all(|a| a["error"].as_str().unwrap().contains("wait")));
    for _ in &ids {
        asked(&listener).1.write_all(b"{\"ok\":true,\"result\":{}}\n").unwrap();
    }
    for id in ids {
        site.until(id, "done");
    }
}

#[test]
fn garbage_in_the_folder_of_jobs() {
    let site = Site::new(CONFIG);
    let listener = site.listen();
    let finish = || {
        let id = site.start("refresh", json!({"mac": "all"}));
        asked(&listener).1.write_all(b"{\"ok\":true,\"result\":{\"started\":0}}\n").unwrap();
        site.until(&id, "done");
        id
    };
    let kept = finish();
    let id = |n: u8| format!("{n:016x}");
    fs::write(site.job(&format!("{}.job", id(1))), "{}").unwrap();
    fs::write(site.job(&format!("{}.json", id(2))), "no order has it").unwrap();
    fs::write(site.job("note.txt"), "x").unwrap();
    fs::create_dir(site.job(&format!("{}.job", id(3)))).unwrap();
    let order = fs::read(site.job(&format!("{kept}.job"))).unwrap();
    fs::write(site.job(&format!("{}.job", id(4))), &order).unwrap();
    fs::write(site.job(&format!("{}.json", id(4))), "{\"steps\":").unwrap();
    fs::write(site.job(&format!("{}.job", id(5))), &order).unwrap();
    symlink("/etc/hostname", site.job(&format!("{}.json", id(5)))).unwrap();
    fs::write(site.job(&format!("{}.job", id(6))), &order).unwrap();
    fs::write(site.job(&format!("{}.json", id(6))), vec![b' '; 3 << 20]).unwrap();
    symlink("/etc/hostname", site.job(&format!("{}.job", id(7)))).unwrap();
    // opened like a file, it would be waited for
    let pipe = site.job(&format!("{}.job", id(8)));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for n in [1, 3, 7, 8] {
        assert!(site.error("job", json!({"id": id(n)})).contains("there is no job"), "{n}");
    }
    for n in [4, 5, 6] {
        let job = site.look(&id(n));
        assert!(job["state"] == "failed" && job["error"].is_string(), "{n}: {job}");
    }
    for n in 0..bounds::RPCD_JOB_FILES {
        fs::write(site.job(&format!("leftover-{n}")), "").unwrap();
    }
    let last = finish();
    finish();
    let left = site.jobs();
    assert!(left.iter().all(|n| !n.starts_with("leftover") && n != "note.txt"), "{left:?}");
    assert!(!left.contains(&format!("{}.json", id(2))) && !pipe.exists(), "{left:?}");
    assert_eq!(site.look(&last)["state"], json!("done"));
    // a folder that is not ours alone is not used
    fs::set_permissions(site.path("jobs"), Permissions::from_mode(0o755)).unwrap();
    assert!(site.error("refresh", json!({"mac": "all"})).contains("not ours alone"));
    fs::remove_dir_all(site.path("jobs")).unwrap();
    fs::write(site.path("jobs"), "").unwrap();
    assert!(site.error("refresh", json!({"mac": "all"})).contains("is no folder"));
    fs::remove_file(site.path("jobs")).unwrap();
    symlink(site.0.path(), site.path("jobs")).unwrap();
    assert!(site.error("job", json!({"id": last})).contains("is no folder"));
}
