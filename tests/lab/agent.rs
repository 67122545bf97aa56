//! The agent of a lab: the real binary in the namespace `router`, started, asked, killed and started again.

use crate::netns::Ns;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// The binary under test: the one cargo built, or that of `LAB_AGENT` (such as one for another machine under qemu).
pub fn binary() -> PathBuf {
    std::env::var_os("LAB_AGENT").unwrap_or_else(|| OsString::from(env!("CARGO_BIN_EXE_phoneprov"))).into()
}

/// The agent of one lab.
pub struct Agent {
    pub(crate) router: Ns,
    pub(crate) config: PathBuf,
    pub(crate) state_dir: PathBuf,
    pub(crate) run_dir: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) verbose: bool,
    /// Options of prlimit, such as `--nofile=40`.
    pub(crate) limits: Vec<String>,
    /// The words before it on the command line: `setpriv …`.
    pub(crate) through: Vec<String>,
    /// `--user`, unless it starts as somebody else.
    pub(crate) user: Option<String>,
    /// Folder of OpenWrt's config files, in place of /etc/config.
    pub(crate) uci: Option<PathBuf>,
    /// Capabilities that it does not have, such as `net_raw`.
    pub(crate) lacks: Vec<String>,
    pub(crate) http: SocketAddr,
    pub(crate) child: Mutex<Option<Child>>,
}

impl Agent {
    /// The namespace it runs in.
    pub fn router(&self) -> &Ns {
        &self.router
    }

    /// Its config file, to be changed before a restart.
    pub fn config_file(&self) -> &Path {
        &self.config
    }

    /// `option state_dir`
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// `option run_dir`
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// Starts it and waits until `status` answers.
    pub fn start(&self) {
        self.spawn();
        self.wait_ready();
    }

    /// Starts it and does not wait.
    pub fn spawn(&self) {
        let mut slot = self.child.lock().unwrap();
        assert!(slot.is_none(), "the agent runs already");
        let log = fs::File::options().create(true).append(true).open(&self.log).expect("a log");
        let mut c = self.router.command("env");
        if !self.limits.is_empty() {
            c.arg("prlimit").args(&self.limits);
        }
        if !self.lacks.is_empty() {
            let list: Vec<String> = self.lacks.iter().map(|name| format!("-{name}")).collect();
            c.arg("setpriv").arg(format!("--bounding-set={}", list.join(",")));
        }
        c.args(&self.through);
        let program = match self.through.is_empty() {
            true => binary(),
            false => self.copy(),
        };
        c.arg(program)
            .args(["run", "--config"])
            .arg(&self.config)
            .args(self.user.iter().flat_map(|u| ["--user", u]))
            .args(self.verbose.then_some("--verbose"))
            .args(self.uci.iter().flat_map(|dir| ["--uci".as_ref(), dir.as_os_str()]))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log);
        *slot = Some(c.spawn().expect("the agent starts"));
    }

    /// The binary at a place where everybody can start it.
    pub fn copy(&self) -> PathBuf {
        let copy = self.config.with_file_name("phoneprov");
        if !copy.exists() {
            fs::copy(binary(), &copy).expect("copied");
        }
        copy
    }

    /// Waits until `status` answers; panics with the log when it ends instead, or takes 10 s.
    pub fn wait_ready(&self) {
        let begin = Instant::now();
        loop {
            let out = self.verb(&["status", "--json"]);
            if out.status.success() && serde_json::from_slice::<Value>(&out.stdout).is_ok_and(|v| v.is_object()) {
                return;
            }
            if let Some(status) = self.ended() {
                panic!("the agent ended at its start: {status}\n{}", self.log());
            }
            let words = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(begin.elapsed() < Duration::from_secs(10), "status fails: {words}\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it and waits only until its HTTP port takes connections: quick, for tests that start it often.
    pub fn start_quick(&self) {
        self.spawn();
        let begin = Instant::now();
        while self.router.inside(|| TcpStream::connect(self.http)).is_err() {
            if let Some(status) = self.ended() {
                panic!("the agent ended at its start: {status}\n{}", self.log());
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "{} does not answer\n{}", self.http, self.log());
            thread::sleep(Duration::from_millis(3));
        }
    }

    /// Has it ended by itself? Its exit status then.
    pub fn ended(&self) -> Option<std::process::ExitStatus> {
        self.child.lock().unwrap().as_mut().and_then(|c| c.try_wait().ok().flatten())
    }

    /// Panics unless it runs and answers `status`.
    pub fn assert_alive(&self) {
        if let Some(status) = self.ended() {
            panic!("the agent ended: {status}\n{}", self.log());
        }
        self.status();
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap().as_ref().map(Child::id).expect("the agent runs")
    }

    /// SIGKILL, and waits for its end.
    pub fn kill9(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; gives the exit status, panics when it takes 10 s.
    pub fn term(&self) -> std::process::ExitStatus {
        let mut child = self.child.lock().unwrap().take().expect("the agent runs");
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        let begin = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("a child") {
                return status;
            }
            if begin.elapsed() > Duration::from_secs(10) {
                let _ = child.kill();
                let _ = child.wait();
                panic!("SIGTERM did not end the agent within 10 s\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGKILL and start.
    pub fn restart(&self) {
        self.kill9();
        self.start();
    }

    /// Any verb of the CLI, with `--config`.
    pub fn verb(&self, words: &[&str]) -> Output {
        Command::new(binary())
            .args(words)
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null())
            .output()
            .expect("the binary runs")
    }

    /// The same on the router, where it sees the router's devices.
    pub fn verb_on_router(&self, words: &[&str]) -> Output {
        let mut c = self.router.command(binary());
        c.args(words).arg("--config").arg(&self.config);
        c.stdin(Stdio::null()).output().expect("the binary runs")
    }

    /// A verb's `--json` answer; panics with its words when it fails.
    pub fn json(&self, words: &[&str]) -> Value {
        let out = self.verb(&[words, &["--json"]].concat());
        assert!(
            out.status.success(),
            "{words:?}: {}\n{}{}\nlog:\n{}",
            out.status,
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr),
            self.log()
        );
        serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|e| panic!("{words:?}: {e}: {}", String::from_utf8_lossy(&out.stdout)))
    }

    pub fn status(&self) -> Value {
        self.json(&["status"])
    }

    pub fn phones(&self) -> Value {
        self.json(&["phones"])
    }

    /// The entry of one MAC in `phones`, or null.
    pub fn entry(&self, mac: &str) -> Value {
        let all = self.phones();
        let found = all["phones"].as_array().and_then(|a| a.iter().find(|p| p["mac"] == mac));
        found.cloned().unwrap_or(Value::Null)
    }

    pub fn phone(&self, mac: &str) -> Value {
        self.json(&["phone", mac])
    }

    pub fn events(&self) -> Value {
        self.json(&["events"])
    }

    pub fn refresh(&self, mac: &str) -> Value {
        self.json(&["refresh", mac])
    }

    pub fn forget(&self, mac: &str) -> Value {
        self.json(&["forget", mac])
    }

    /// Everything it wrote to stdout and stderr, of all its runs.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// A figure of /proc/PID/status: `VmRSS`, `VmHWM` (kB), `Threads`.
    pub fn proc_status(&self, name: &str) -> u64 {
        crate::process::status(self.pid(), name)
    }

    /// Every file and folder below `state_dir`.
    pub fn stored(&self) -> Stored {
        Stored::of(&self.state_dir)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// What is below a folder at one moment: any write shows, even one that was taken back (the folder's time moves).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored(pub BTreeMap<PathBuf, Entry>);

/// One file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub folder: bool,
    pub mode: u32,
    pub inode: u64,
    pub size: u64,
    /// Nanoseconds since 1970: of the content, and of the inode.
    pub times: (i128, i128),
    /// Empty for folders.
    pub sha256: String,
}

impl Stored {
    pub fn of(dir: &Path) -> Stored {
        let mut all = BTreeMap::new();
        visit(dir, &mut all);
        Stored(all)
    }

    /// path → sha256 of all files: what must not change when only bytes count.
    pub fn sums(&self) -> BTreeMap<&Path, &str> {
        self.0.iter().filter(|(_, e)| !e.folder).map(|(p, e)| (p.as_path(), e.sha256.as_str())).collect()
    }

    /// Files that hold these bytes, alone or in a frame of at most 4 KiB.
    pub fn holding(dir: &Path, bytes: &[u8]) -> Vec<PathBuf> {
        let holds = |p: &PathBuf| {
            fs::read(p).is_ok_and(|f| f.len() <= bytes.len() + 4096 && f.windows(bytes.len()).any(|w| w == bytes))
        };
        Stored::of(dir).0.iter().filter(|(_, e)| !e.folder).map(|(p, _)| p.clone()).filter(holds).collect()
    }
}

fn visit(path: &Path, all: &mut BTreeMap<PathBuf, Entry>) {
    let Ok(meta) = fs::symlink_metadata(path) else { return };
    let ns = |s: i64, n: i64| s as i128 * 1_000_000_000 + n as i128;
    let sha256 = match fs::read(path) {
        Ok(bytes) if meta.is_file() => crate::bodies::sha256(&bytes),
        _ => String::new(),
    };
    let entry = Entry {
        folder: meta.is_dir(),
        mode: meta.mode() & 0o7777,
        inode: meta.ino(),
        size: if meta.is_dir() { 0 } else { meta.size() },
        times: (ns(meta.mtime(), meta.mtime_nsec()), ns(meta.ctime(), meta.ctime_nsec())),
        sha256,
    };
    all.insert(path.to_path_buf(), entry);
    if meta.is_dir() {
        for child in fs::read_dir(path).into_iter().flatten().flatten() {
            visit(&child.path(), all);
        }
    }
}
