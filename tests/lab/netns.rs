//! Network namespaces of one test: made by it, removed with it, and swept up when a killed run left some behind.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Once;

const NAMES: &str = "/run/netns";
const PREFIX: &str = "pp";

/// One network namespace. Dropping it ends the processes in it and removes it with all its interfaces.
pub struct Ns {
    name: String,
}

/// A number for all namespaces of one lab, so that labs of one process do not meet: `pp{pid}-{serial}-router`.
pub fn serial() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Ns {
    /// Makes `pp{pid}-{serial}-{role}` with its loopback up and IPv6 off (so that a silent host is silent).
    pub fn new(serial: u32, role: &str) -> Ns {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(sweep);
        let ns = Ns { name: format!("{PREFIX}{}-{serial}-{role}", std::process::id()) };
        run(Command::new("ip").args(["netns", "add", &ns.name]));
        ns.sysctl("net/ipv6/conf/all/disable_ipv6", "1");
        ns.sysctl("net/ipv6/conf/default/disable_ipv6", "1");
        ns.ip("link set lo up");
        ns
    }

    /// As `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside. `ip` replaces itself by the program, so the child's id is the program's.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut c = Command::new("ip");
        c.args(["netns", "exec", &self.name]).arg(program);
        c
    }

    /// Runs a command line (parted at blanks) inside and gives its output; panics with its words when it fails.
    pub fn run(&self, line: &str) -> String {
        let mut words = line.split_whitespace();
        run(self.command(words.next().expect("a program")).args(words))
    }

    /// `ip -n NAME …`
    pub fn ip(&self, line: &str) -> String {
        run(Command::new("ip").args(["-n", &self.name]).args(line.split_whitespace()))
    }

    /// `nft -f -` inside.
    pub fn nft(&self, script: &str) {
        let mut child = self
            .command("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nft starts");
        child.stdin.take().expect("piped").write_all(script.as_bytes()).expect("nft reads");
        let out = child.wait_with_output().expect("nft ends");
        assert!(out.status.success(), "nft: {}\n{script}", String::from_utf8_lossy(&out.stderr));
    }

    /// Writes below /proc/sys of this namespace.
    pub fn sysctl(&self, path: &str, value: &str) {
        self.inside(|| {
            let file = format!("/proc/sys/{path}");
            fs::write(&file, value).unwrap_or_else(|e| panic!("{file}: {e}"));
        });
    }

    /// Runs `f` with the calling thread inside: sockets made there stay there after it.
    pub fn inside<T>(&self, f: impl FnOnce() -> T) -> T {
        struct Back(fs::File);
        impl Drop for Back {
            fn drop(&mut self) {
                rustix::thread::move_into_link_name_space(self.0.as_fd(), None).expect("back to the old namespace");
            }
        }
        let _back = Back(fs::File::open("/proc/thread-self/ns/net").expect("own namespace"));
        let there = fs::File::open(Path::new(NAMES).join(&self.name)).expect("namespace exists");
        rustix::thread::move_into_link_name_space(there.as_fd(), None).expect("enter namespace (root only)");
        f()
    }

    /// Text that programs started inside find at `/etc/{file}`.
    pub fn etc(&self, file: &str, text: &str) {
        let dir = Path::new("/etc/netns").join(&self.name);
        fs::create_dir_all(&dir).expect("/etc/netns is writable");
        fs::write(dir.join(file), text).expect("/etc/netns is writable");
    }
}

impl Drop for Ns {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Two interfaces joined by a cable: (namespace, name, MAC or none) each.
pub fn cable(a: (&Ns, &str, Option<&str>), b: (&Ns, &str, Option<&str>)) {
    let mac = |m: Option<&str>| m.map(|m| format!("address {m}")).unwrap_or_default();
    let line = format!(
        "link add {} {} netns {} type veth peer name {} {} netns {}",
        a.1,
        mac(a.2),
        a.0.name,
        b.1,
        mac(b.2),
        b.0.name
    );
    run(Command::new("ip").args(line.split_whitespace()));
    a.0.ip(&format!("link set {} up", a.1));
    b.0.ip(&format!("link set {} up", b.1));
}

/// Runs to the end; gives stdout, panics with stderr.
pub fn run(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        out.status.success(),
        "{command:?}: {}\n{}{}",
        out.status,
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn remove(name: &str) {
    if let Ok(out) = Command::new("ip").args(["netns", "pids", name]).output() {
        for pid in String::from_utf8_lossy(&out.stdout).lines() {
            let _ = Command::new("kill").args(["-KILL", pid.trim()]).stderr(Stdio::null()).status();
        }
    }
    let _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
    let _ = fs::remove_dir_all(Path::new("/etc/netns").join(name));
}

/// Removes what labs of processes that are gone left behind.
fn sweep() {
    let Ok(entries) = fs::read_dir(NAMES) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(PREFIX).and_then(|r| r.split_once('-')).and_then(|(p, _)| p.parse::<u32>().ok());
        if pid.is_some_and(|p| !Path::new("/proc").join(p.to_string()).exists()) {
            remove(&name);
        }
    }
}
