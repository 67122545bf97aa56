//! `phoneprov dhcp apply` and `remove` as processes: beside others that change the file, and killed at any instant.

use rustix::fs::{flock, FlockOperation};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const BEFORE: &str = include_str!("data/dhcp/odd.before");

/// A folder of UCI files, `dhcp` among them, and the agent's config.
struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new(before: &str) -> Site {
        let site = Site { dir: tempfile::tempdir().unwrap() };
        fs::write(site.dhcp(), before).unwrap();
        fs::write(
            site.path("network"),
            "config interface 'lan'\n\toption device 'br-lan'\n\toption proto 'static'\n\toption ipaddr '192.168.1.1'\n",
        )
        .unwrap();
        site.config("phoneprov", "");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn dhcp(&self) -> PathBuf {
        self.path("dhcp")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.dhcp()).unwrap()
    }

    fn config(&self, name: &str, more: &str) {
        let text = format!(
            "config agent 'main'\n\toption enabled '1'\n\tlist network 'lan'\n\toption upstream 'http://p.example'\n{more}\
             config vendor 'snom'\n\toption enabled '1'\nconfig vendor 'mitel'\n\toption enabled '1'\n\
             config vendor 'cisco'\n\toption enabled '1'\n"
        );
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, config: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_phoneprov"));
        command.arg("dhcp").args(words).arg("--uci").arg(self.dir.path()).arg("--config").arg(self.path(config));
        command
    }

    /// Runs to the end: exit code, output, errors.
    fn run(&self, words: &[&str]) -> (i32, String, String) {
        ended(self.command("phoneprov", words).output().unwrap())
    }

    /// Temporary files that are there.
    fn left_over(&self) -> BTreeSet<String> {
        let names = fs::read_dir(self.dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|n| n.starts_with(".dhcp.uci-")).collect()
    }
}

fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn identity(path: &Path) -> (u64, i64, i64) {
    let meta = fs::metadata(path).unwrap();
    (meta.ino(), meta.mtime(), meta.mtime_nsec())
}

#[test]
fn applied_once_and_removed_without_a_trace() {
    let site = Site::new(BEFORE);
    fs::set_permissions(site.dhcp(), fs::Permissions::from_mode(0o640)).unwrap();
    let (code, out, err) = site.run(&["apply"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("dhcp: written; phones of snom, mitel, cisco on br-lan (192.168.1.1)\n"), "{out}");
    assert_eq!(fs::metadata(site.dhcp()).unwrap().mode() & 0o7777, 0o640);
    assert!(site.text().starts_with(BEFORE) && site.text().contains("config tag 'phoneprov_snom'\n"));
    let once = identity(&site.dhcp());
    let (code, out, _) = site.run(&["apply"]);
    assert!(code == 0 && out.contains("nothing to change"), "{out}");
    assert_eq!(identity(&site.dhcp()), once);
    let (code, out, _) = site.run(&["apply", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["changed"], &report["vendors"][0]), (0, &false.into(), &"snom".into()));
    assert_eq!(site.run(&["remove"]).0, 0);
    assert_eq!(site.text(), BEFORE);
    let removed = identity(&site.dhcp());
    let (code, out, _) = site.run(&["remove"]);
    assert!(code == 0 && out.contains("nothing of phoneprov"), "{out}");
    assert_eq!(identity(&site.dhcp()), removed);
    assert_eq!(site.left_over(), BTreeSet::new());
}

#[test]
fn where_nothing_is_to_be_told_what_was_is_removed() {
    for more in ["\toption dhcp 'off'\n", "\toption dhcp 'responder'\n", "\toption enabled '0'\n"] {
        let site = Site::new(BEFORE);
        assert_eq!(site.run(&["apply"]).0, 0);
        site.config("phoneprov", more);
        let (code, _, err) = site.run(&["apply"]);
        assert!(code == 0 && err.contains("so dnsmasq is told nothing"), "{more}: {err}");
        assert_eq!(site.text(), BEFORE, "{more}");
    }
}

#[test]
fn of_a_file_that_cannot_be_read_nothing_is_said() {
    let site = Site::new("config 'broken\n");
    let (code, out, err) = site.run(&["remove"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("dhcp:1: "), "{err}");
}

#[test]
fn a_device_of_a_network_has_the_address_of_its_config() {
    let site = Site::new(BEFORE);
    fs::write(site.path("network"), fs::read_to_string(site.path("network")).unwrap() + "config interface 'wifi'\n")
        .unwrap();
    site.config("phoneprov", "\tlist network 'wifi'\n");
    let (code, _, err) = site.run(&["apply"]);
    assert!(code == 1 && err.contains("network 'wifi' has no device"), "{err}");
    let (code, out, err) = site.run(&["apply", "--device", "br-lan"]);
    assert!(code == 0 && out.contains(" on br-lan (192.168.1.1)"), "{out}{err}");
    let (code, _, err) = site.run(&["apply", "--device", "br-lan", "--device", "wlan7"]);
    assert!(code == 1 && err.contains("wlan7 has no IPv4 address"), "{err}");
}

#[test]
fn refused_with_what_to_do() {
    let site = Site::new(BEFORE);
    let text = fs::read_to_string(site.path("phoneprov")).unwrap();
    fs::write(site.path("phoneprov"), text.replace("'mitel'\n", "'mitel'\n\toption url '{upstream}/{mac}.cfg'\n"))
        .unwrap();
    let (code, _, err) = site.run(&["apply"]);
    assert!(code == 1 && err.lines().count() == 1 && err.contains("vendor 'mitel': its url needs {mac}"), "{err}");
    assert!(site.text().contains("phoneprov_snom") && !site.text().contains("phoneprov_mitel"));
    fs::write(site.dhcp(), "config dhcp 'lan'\n\toption x 'open\n").unwrap();
    let (code, _, err) = site.run(&["apply"]);
    assert!(
        code == 1 && err.contains("dhcp:2: the ' that opens here is never closed") && err.contains("left alone"),
        "{err}"
    );
    assert_eq!(site.text(), "config dhcp 'lan'\n\toption x 'open\n");
    fs::remove_file(site.dhcp()).unwrap();
    let (code, _, err) = site.run(&["apply"]);
    assert!(code == 1 && err.contains("there is no such file; install dnsmasq, or set option dnsmasq_conf"), "{err}");
    assert_eq!(site.run(&["remove"]).0, 0);
    fs::write(site.path("network"), "config interface 'lan'\n\toption device 'nowhere0'\n\toption proto 'dhcp'\n")
        .unwrap();
    fs::write(site.dhcp(), BEFORE).unwrap();
    let (code, _, err) = site.run(&["apply"]);
    assert!(code == 1 && err.contains("nowhere0 has no IPv4 address"), "{err}");
    assert_eq!((site.text().as_str(), site.run(&["frob"]).0), (BEFORE, 2));
}

#[test]
fn a_link_stays_a_link() {
    let site = Site::new(BEFORE);
    let real = tempfile::tempdir().unwrap();
    fs::rename(site.dhcp(), real.path().join("dhcp.real")).unwrap();
    symlink(real.path().join("dhcp.real"), site.dhcp()).unwrap();
    assert_eq!(site.run(&["apply"]).0, 0);
    assert!(fs::symlink_metadata(site.dhcp()).unwrap().is_symlink() && site.text().contains("phoneprov_snom"));
    assert_eq!(site.run(&["remove"]).0, 0);
    assert_eq!(site.text(), BEFORE);
}

#[test]
fn one_file_of_dnsmasq() {
    let site = Site::new(BEFORE);
    let conf = site.path("phones.conf");
    site.config("phoneprov", &format!("\toption dnsmasq_conf '{}'\n", conf.display()));
    assert_eq!(site.run(&["apply"]).0, 0);
    assert_eq!(site.text(), BEFORE);
    let meta = fs::metadata(&conf).unwrap();
    assert_eq!(meta.mode() & 0o7777, 0o644);
    let printed = site.run(&["print", "dnsmasq"]).1;
    assert_eq!(fs::read_to_string(&conf).unwrap(), printed);
    let once = identity(&conf);
    assert_eq!(site.run(&["apply"]).0, 0);
    assert_eq!(identity(&conf), once);
    if let Ok(test) = Command::new("dnsmasq").arg("--test").arg("-C").arg(&conf).output() {
        assert!(test.status.success(), "{test:?}");
    } else {
        eprintln!("skipped: no dnsmasq here to look at the file");
    }
    assert_eq!(site.run(&["remove"]).0, 0);
    assert!(!conf.exists());
    fs::write(&conf, "# mine\nport=0\n").unwrap();
    for words in [&["apply"], &["remove"]] {
        let (code, _, err) = site.run(words);
        assert!(code == 1 && err.contains("was not written by phoneprov and is left alone"), "{err}");
    }
    assert_eq!(fs::read_to_string(&conf).unwrap(), "# mine\nport=0\n");
}

#[test]
fn waits_for_the_lock_and_sees_what_came_meanwhile() {
    let site = Site::new(BEFORE);
    let held = OpenOptions::new().read(true).write(true).open(site.dhcp()).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    let mut apply = site.command("phoneprov", &["apply"]).stdout(Stdio::null()).spawn().unwrap();
    sleep(Duration::from_millis(300));
    assert!(apply.try_wait().unwrap().is_none() && site.text() == BEFORE);
    // as libuci does: another file takes the name, and then the lock is given back
    let newer = format!("{BEFORE}config host 'newer'\n");
    fs::write(site.path("other"), &newer).unwrap();
    fs::rename(site.path("other"), site.dhcp()).unwrap();
    drop(held);
    assert!(apply.wait().unwrap().success());
    assert!(site.text().starts_with(&newer) && site.text().contains("phoneprov_snom"));
    assert_eq!(site.run(&["remove"]).0, 0);
    assert_eq!(site.text(), newer);
}

#[test]
fn who_waits_for_the_lock_reads_what_was_written() {
    let site = Site::new(BEFORE);
    // libuci opens, waits for the lock, and reads this file, though it has lost its name
    let mut waiting = File::open(site.dhcp()).unwrap();
    assert_eq!(site.run(&["apply"]).0, 0);
    let mut text = String::new();
    waiting.read_to_string(&mut text).unwrap();
    assert_eq!(text, site.text());
    let mut waiting = File::open(site.dhcp()).unwrap();
    assert_eq!(site.run(&["remove"]).0, 0);
    text.clear();
    waiting.read_to_string(&mut text).unwrap();
    assert_eq!(text, BEFORE);
}

#[test]
fn gives_up_when_the_lock_is_never_free() {
    let site = Site::new(BEFORE);
    let held = File::open(site.dhcp()).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    let (code, _, err) = site.run(&["apply"]);
    assert!(code == 1 && err.contains("another program has held its lock for 10 s"), "{err}");
    assert_eq!(site.text(), BEFORE);
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
fn killed_at_any_instant_the_file_is_whole() {
    let site = Site::new(BEFORE);
    site.config("other", "\toption port '8081'\n");
    let jobs = [("phoneprov", "apply"), ("other", "apply"), ("phoneprov", "remove")];
    let mut whole = vec![BEFORE.to_string()];
    let mut longest = Duration::ZERO;
    for (config, word) in jobs {
        let begin = Instant::now();
        assert!(site.command(config, &[word]).output().unwrap().status.success());
        longest = longest.max(begin.elapsed());
        whole.push(site.text());
    }
    assert_eq!(whole[0], whole[3]);
    let mut dice = Dice(7);
    let (mut killed, mut runs, mut changed, mut most) = (0, 0, 0, 0);
    while killed < 220 && runs < 3000 {
        let (config, word) = jobs[dice.below(3) as usize];
        let before = site.text();
        let mut child = site.command(config, &[word]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_micros(dice.below(longest.as_micros() as u64)));
        child.kill().unwrap();
        killed += i32::from(child.wait().unwrap().code().is_none());
        runs += 1;
        let now = site.text();
        changed += i32::from(now != before);
        assert!(whole.contains(&now), "{config} {word}: {now}");
        most = most.max(site.left_over().len());
    }
    eprintln!("{killed} of {runs} killed before their end, {changed} changed the file; at most {most} temporary files");
    assert!(killed >= 220 && changed >= 20, "{killed} {changed}");
    // a next run takes away what killed ones left
    assert!(most <= 2, "{most}");
    assert_eq!(site.run(&["remove"]).0, 0);
    assert_eq!(site.run(&["apply"]).0, 0);
    assert_eq!(site.left_over(), BTreeSet::new());
    assert_eq!(site.run(&["remove"]).0, 0);
    assert_eq!(site.text(), BEFORE);
}
