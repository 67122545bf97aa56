//! `phoneprov qos` as a process, on the files of two routers (tests/data/qos): applied, applied again, changed, removed, killed
//! at any instant; names of media servers that change, that cannot be looked up, and that are watched.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const FILES: [&str; 4] = ["firewall", "qos", "sqm", "qosify"];
const BACKENDS: [&str; 4] = ["qos-scripts", "fw4", "sqm", "qosify"];
const ADDRESSES: &str = "50-phoneprov.conf";
const ONE: &[&str] = &["198.51.100.20"];

fn data(site: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/qos").join(site)
}

/// A folder with a router's files, and the agent's config.
struct Site {
    name: &'static str,
    dir: tempfile::TempDir,
}

impl Site {
    fn new(name: &'static str, backend: &str, servers: &[&str]) -> Site {
        let site = Site { name, dir: tempfile::tempdir().unwrap() };
        for file in FILES.iter().chain(&["network"]) {
            fs::copy(data(name).join(file), site.path(file)).unwrap();
        }
        site.config(backend, servers, 9000, "");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self, backend: &str, servers: &[&str], upload: u32, more: &str) {
        let servers: String = servers.iter().map(|s| format!("\tlist mediaserver '{s}'\n")).collect();
        let text = format!(
            "config agent 'main'\n\toption enabled '1'\n\tlist network 'lan'\n\tlist network 'voice'\n\toption upstream 'http://p.example'\n\
             config vendor 'snom'\n\toption enabled '1'\nconfig qos 'qos'\n\toption enabled '1'\n\toption backend '{backend}'\n\
             \toption upload '{upload}'\n\toption download '{upload}0'\n{servers}{more}"
        );
        fs::write(self.path("phoneprov"), text).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_phoneprov"));
        self.with(&mut command, words);
        command
    }

    fn with(&self, command: &mut Command, words: &[&str]) {
        command.arg("qos").args(words).arg("--uci").arg(self.dir.path()).arg("--config").arg(self.path("phoneprov"));
    }

    /// Runs to the end: exit code, output, errors.
    fn run(&self, words: &[&str]) -> (i32, String, String) {
        ended(self.command(words).output().unwrap())
    }

    /// What all files hold; the file of addresses, where there is one, among them.
    fn texts(&self) -> BTreeMap<String, String> {
        let all = FILES.iter().chain(&[ADDRESSES]);
        all.filter_map(|f| Some((f.to_string(), fs::read_to_string(self.path(f)).ok()?))).collect()
    }

    fn identities(&self) -> Vec<(u64, i64, i64)> {
        let all = FILES.iter().chain(&[ADDRESSES]).filter_map(|f| fs::metadata(self.path(f)).ok());
        all.map(|m| (m.ino(), m.mtime(), m.mtime_nsec())).collect()
    }

    /// As they are delivered, with those that this back end is expected to have changed.
    fn expected(&self, backend: &str, state: &str) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for file in FILES.iter().chain(&[ADDRESSES]) {
            let changed = data(self.name).join(format!("{backend}.{file}.{state}"));
            let text = fs::read_to_string(changed).or_else(|_| fs::read_to_string(data(self.name).join(file)));
            out.extend(text.ok().map(|text| (file.to_string(), text)));
        }
        out
    }
}

fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn each_back_end_on_two_routers() {
    for name in ["stock", "busy"] {
        for backend in BACKENDS {
            let site = Site::new(name, backend, ONE);
            let before = site.texts();
            let (code, out, err) = site.run(&["apply"]);
            assert_eq!(code, 0, "{name} {backend}: {out}{err}");
            assert!(out.contains(": written; media servers: 198.51.100.20\n"), "{out}");
            assert_eq!(site.texts(), site.expected(backend, "after"), "{name} {backend}");
            // nothing is touched by a second one
            let once = site.identities();
            let (code, out, _) = site.run(&["apply"]);
            assert!(code == 0 && out.contains("nothing to change; media servers: 198.51.100.20"), "{out}");
            assert_eq!(site.identities(), once, "{name} {backend}");
            let report: Value = serde_json::from_str(&site.run(&["print", "--json"]).1).unwrap();
            assert_eq!((&report["state"]["applied"], &report["backend"]["chosen"]), (&true.into(), &backend.into()));
            // other servers, other speeds
            let mut other = vec!["203.0.113.9", "2001:db8::9"];
            other.extend((backend != "qosify").then_some("192.0.2.77/24"));
            site.config(backend, &other, 5000, "");
            let report: Value = serde_json::from_str(&site.run(&["print", "--json"]).1).unwrap();
            assert_eq!(report["state"]["applied"], false);
            assert_eq!(site.run(&["apply"]).0, 0);
            assert_eq!(site.texts(), site.expected(backend, "changed"), "{name} {backend}");
            assert_eq!(site.run(&["remove"]).0, 0);
            assert_eq!(site.texts(), before, "{name} {backend}");
            let removed = site.identities();
            let (code, out, _) = site.run(&["remove"]);
            assert!(code == 0 && out.contains("no rules for calls"), "{out}");
            assert_eq!(site.identities(), removed);
        }
    }
}

#[test]
fn a_file_that_needs_no_change_is_not_touched() {
    let site = Site::new("stock", "qos-scripts", ONE);
    let before = site.identities();
    assert_eq!(site.run(&["apply"]).0, 0);
    let after = site.identities();
    let changed: Vec<bool> = before.iter().zip(&after).map(|(a, b)| a != b).collect();
    assert_eq!(changed, [false, true, false, false]);
}

#[test]
fn another_back_end_takes_the_place_and_switched_off_nothing_is_left() {
    let site = Site::new("busy", "qos-scripts", ONE);
    let before = site.texts();
    for backend in ["qos-scripts", "sqm", "qosify", "fw4", "qos-scripts"] {
        site.config(backend, ONE, 9000, "");
        assert_eq!(site.run(&["apply"]).0, 0, "{backend}");
        assert_eq!(site.texts(), site.expected(backend, "after"), "{backend}");
    }
    let text = fs::read_to_string(site.path("phoneprov")).unwrap();
    for off in [text.replacen("enabled '1'", "enabled '0'", 1), text.replace("qos'\n\toption enabled '1'", "qos'\n")] {
        fs::write(site.path("phoneprov"), &text).unwrap();
        assert_eq!(site.run(&["apply"]).0, 0);
        fs::write(site.path("phoneprov"), off).unwrap();
        let (code, _, err) = site.run(&["apply"]);
        assert!(code == 0 && err.contains("is '0', so there are no rules for calls"), "{err}");
        assert_eq!(site.texts(), before);
    }
    // a config with a mistake in it is no reason to leave anything
    fs::write(site.path("phoneprov"), &text).unwrap();
    assert_eq!(site.run(&["apply"]).0, 0);
    fs::write(site.path("phoneprov"), "config 'open\n").unwrap();
    assert_eq!((site.run(&["apply"]).0, site.run(&["remove"]).0), (1, 0));
    assert_eq!(site.texts(), before);
}

#[test]
fn refused_with_what_to_do() {
    let site = Site::new("stock", "auto", &[]);
    let said = |site: &Site, words: &[&str]| {
        let (code, _, err) = site.run(words);
        (code, err)
    };
    let (code, err) = said(&site, &["apply"]);
    assert!(code == 1 && err.contains("no media server is named: add list mediaserver"), "{err}");
    fs::write(site.path("firewall"), "config zone\n\toption x 'open\n").unwrap();
    site.config("fw4", ONE, 0, "");
    let (code, err) = said(&site, &["apply"]);
    assert!(code == 1 && err.contains("firewall:2: the ' that opens here is never closed"), "{err}");
    assert_eq!(fs::read_to_string(site.path("firewall")).unwrap(), "config zone\n\toption x 'open\n");
    for file in FILES {
        fs::remove_file(site.path(file)).unwrap();
    }
    site.config("auto", ONE, 9000, "");
    let (code, err) = said(&site, &["apply"]);
    assert!(code == 1 && err.contains("nothing is installed that could do it: install luci-app-sqm"), "{err}");
    site.config("sqm", ONE, 9000, "");
    let (code, err) = said(&site, &["apply"]);
    assert!(code == 1 && err.contains("option backend is 'sqm', but sqm-scripts is not installed"), "{err}");
    // somebody else's file of addresses
    let site = Site::new("stock", "qosify", ONE);
    fs::write(site.path(ADDRESSES), "198.51.100.1 voice\n").unwrap();
    let (code, err) = said(&site, &["apply"]);
    assert!(code == 1 && err.contains("was not written by phoneprov and is left alone"), "{err}");
    assert_eq!(fs::read_to_string(site.path(ADDRESSES)).unwrap(), "198.51.100.1 voice\n");
    assert_eq!(site.run(&["frob"]).0, 2);
}

#[test]
fn print_shows_what_apply_writes() {
    for backend in BACKENDS {
        let site = Site::new("stock", "auto", &["198.51.100.20", "203.0.113.0/24"]);
        let before = site.texts();
        let (_, out, _) = site.run(&["print", backend]);
        assert!(out.starts_with(&format!("# {backend}: ")) && out.contains("198.51.100.20"), "{out}");
        assert_eq!(site.texts(), before);
    }
    let site = Site::new("stock", "auto", &["198.51.100.20", "169.254.1.1"]);
    let (code, out, _) = site.run(&["print", "--json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["enabled"], &report["backend"]["chosen"]), (0, &true.into(), &"sqm".into()));
    assert_eq!(report["backends"].as_array().unwrap().len(), 4);
    for backend in report["backends"].as_array().unwrap() {
        assert!(backend["available"].is_boolean() && backend["why"].is_string() && backend["means"].is_string());
    }
    let numbers: Vec<u64> = report["rules"].as_array().unwrap().iter().filter_map(|r| r["number"].as_u64()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(report["state"]["servers"][0]["addresses"][0], "198.51.100.20");
    let error = report["state"]["servers"][1]["error"].as_str().unwrap();
    assert!(error.contains("no address that a server can have"), "{error}");
    assert!(report["state"]["trouble"].as_str().unwrap().contains("169.254.1.1: is no address"));
    assert_eq!(report["state"]["applied"], false);
}

#[test]
fn hostile_media_servers_do_not_reach_any_file() {
    let hostile = [
        "198.51.100.20;reboot",
        "$(reboot)",
        "`reboot`",
        "198.51.100.20 -j ACCEPT",
        "198.51.100.20'\\''reboot",
        "a|b",
        "a\nb",
        "fe80::1%$(reboot)",
        "-d",
        "198.51.100.0/24;x",
        "../x",
    ];
    for backend in BACKENDS {
        let mut servers = hostile.to_vec();
        servers.push("198.51.100.20");
        let site = Site::new("stock", backend, &servers);
        assert_eq!(site.run(&["apply"]).0, 0, "{backend}");
        assert_eq!(site.texts(), site.expected(backend, "after"), "{backend}");
    }
}

/// Numbers without pattern, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

#[test]
fn killed_at_any_instant_every_file_is_whole() {
    let site = Site::new("busy", "qos-scripts", ONE);
    let mut whole: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut longest = Duration::ZERO;
    let jobs: Vec<(&str, &str)> = BACKENDS.iter().map(|b| (*b, "apply")).chain([("fw4", "remove")]).collect();
    for (backend, word) in &jobs {
        site.config(backend, ONE, 9000, "");
        let begin = Instant::now();
        assert_eq!(site.run(&[word]).0, 0);
        longest = longest.max(begin.elapsed());
        site.texts().into_iter().for_each(|(file, text)| whole.entry(file).or_default().push(text));
    }
    let mut dice = Dice(11);
    let (mut killed, mut runs) = (0, 0);
    while killed < 60 && runs < 1000 {
        let (backend, word) = jobs[dice.below(jobs.len() as u64) as usize];
        site.config(backend, ONE, 9000, "");
        let mut child = site.command(&[word]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_micros(dice.below(longest.as_micros() as u64)));
        child.kill().unwrap();
        killed += i32::from(child.wait().unwrap().code().is_none());
        runs += 1;
        for (file, text) in site.texts() {
            assert!(whole[&file].contains(&text), "{backend} {word} {file}: {text}");
        }
    }
    eprintln!("{killed} of {runs} killed before their end");
    assert!(killed >= 60, "{killed}");
    assert_eq!(site.run(&["remove"]).0, 0);
    assert_eq!(site.texts(), Site::new("busy", "fw4", ONE).texts());
}

/// Runs in a namespace without a network, where /etc/hosts is a file of the test's. `None`: this cannot be done here.
fn with_hosts(site: &Site, words: &[&str]) -> Option<Command> {
    let can = || Command::new("unshare").args(["-mn", "true"]).status().is_ok_and(|s| s.success());
    if !can() {
        eprintln!("skipped: needs root and unshare, for an /etc/hosts of its own");
        return None;
    }
    let mut command = Command::new("unshare");
    // the file itself is bound, so the test writes into it and does not replace it
    command.args(["-mn", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]).arg(site.path("hosts"));
    command.arg(env!("CARGO_BIN_EXE_phoneprov"));
    site.with(&mut command, words);
    Some(command)
}

fn hosts(site: &Site, lines: &str) {
    fs::write(site.path("hosts"), lines).unwrap();
}

const NAME: &str = "media.phoneprov.test";

#[test]
fn names_are_looked_up_and_a_failure_takes_nothing_away() {
    let site = Site::new("stock", "fw4", &[NAME, "192.0.2.1"]);
    let before = site.texts();
    let Some(mut apply) = with_hosts(&site, &["apply"]) else { return };
    hosts(&site, &format!("203.0.113.9 {NAME}\n203.0.113.8 {NAME}\n2001:db8::9 {NAME}\n127.0.0.1 {NAME}\n"));
    let (code, out, err) = ended(apply.output().unwrap());
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("media servers: 192.0.2.1, 203.0.113.8, 203.0.113.9, 2001:db8::9\n"), "{out}");
    // another order of the same is no change
    let once = site.identities();
    hosts(&site, &format!("2001:db8::9 {NAME}\n203.0.113.8 {NAME}\n203.0.113.9 {NAME}\n"));
    assert_eq!(ended(apply.output().unwrap()).0, 0);
    assert_eq!(site.identities(), once);
    // no answer: what is written stays, and it is said
    hosts(&site, "");
    let (code, _, err) = ended(apply.output().unwrap());
    assert!(code == 1 && err.contains(&format!("mediaserver {NAME}: ")), "{err}");
    assert!(err.contains("the addresses that were written before stay"), "{err}");
    assert_eq!(site.identities(), once);
    hosts(&site, &format!("203.0.113.7 {NAME}\n"));
    let (code, out, _) = ended(apply.output().unwrap());
    assert!(code == 0 && out.contains("media servers: 192.0.2.1, 203.0.113.7\n"), "{out}");
    assert_eq!(site.run(&["remove"]).0, 0);
    assert_eq!(site.texts(), before);
    // a name that never had an address: no rules, not even the third
    site.config("qos-scripts", &[NAME], 9000, "");
    hosts(&site, "");
    let (code, _, err) = ended(with_hosts(&site, &["apply"]).unwrap().output().unwrap());
    assert!(code == 1 && !err.contains("stay"), "{err}");
    assert_eq!(site.texts(), before);
}

struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what}");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_watch_follows_the_names_and_ends_when_it_is_told() {
    let site = Site::new("busy", "qos-scripts", &[NAME]);
    let Some(mut command) = with_hosts(&site, &["watch", "--every", "1"]) else { return };
    hosts(&site, &format!("203.0.113.9 {NAME}\n"));
    let mut watch = Watch(command.stderr(Stdio::piped()).spawn().unwrap());
    let text = || fs::read_to_string(site.path("qos")).unwrap();
    until("the first address", || text().contains("dsthost '203.0.113.9'"));
    let once = site.identities();
    sleep(Duration::from_millis(2500));
    assert_eq!(site.identities(), once);
    hosts(&site, &format!("203.0.113.10 {NAME}\n"));
    until("the second address", || text().contains("dsthost '203.0.113.10'"));
    // the one before stays for a while: it may be one of a pool
    assert!(text().contains("dsthost '203.0.113.9'"));
    hosts(&site, "");
    let now = site.identities();
    sleep(Duration::from_millis(2500));
    assert_eq!(site.identities(), now);
    // a change of the config counts at once when it is told
    site.config("qos-scripts", &["192.0.2.1"], 9000, "");
    let pid = rustix::process::Pid::from_child(&watch.0);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    until("the config's address", || text().contains("dsthost '192.0.2.1'") && !text().contains("203.0.113"));
    let begin = Instant::now();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = watch.0.wait().unwrap();
    assert!(status.success() && begin.elapsed() < Duration::from_secs(5), "{status}");
    let mut said = String::new();
    std::io::Read::read_to_string(watch.0.stderr.as_mut().unwrap(), &mut said).unwrap();
    assert_eq!(said.matches(&format!("mediaserver {NAME}: ")).count(), 1, "said once: {said}");
}
