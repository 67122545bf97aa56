//! What the benches share: an arena of namespaces (or, without root, of loopback addresses), the agent in it, tables.
#![allow(dead_code)]

use crate::netns::{self, Ns};
use crate::process;
use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The agent's HTTP port, as in its defaults.
pub const PORT: u16 = 8480;

/// Router, LAN and provider.
pub struct Arena {
    /// (router, lan, wan); none without root: all is on loopback then.
    spaces: Option<(Ns, Ns, Ns)>,
    /// The router on the LAN.
    pub router: Ipv4Addr,
    /// The provider.
    pub upstream: Ipv4Addr,
    /// The device the agent serves.
    pub device: &'static str,
    pub dir: TempDir,
}

impl Arena {
    /// With `phones` addresses on the LAN.
    pub fn new(phones: usize) -> Arena {
        let scratch = std::env::temp_dir().join(format!("phoneprov-bench-{}", rustix::process::geteuid().as_raw()));
        fs::create_dir_all(&scratch).expect("a temporary folder");
        let dir = TempDir::with_prefix_in("bench-", scratch).expect("a folder");
        if !rustix::process::geteuid().is_root() {
            println!("(no root: everything on loopback)");
            let (router, upstream) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
            return Arena { spaces: None, router, upstream, device: "lo", dir };
        }
        let serial = netns::serial();
        let (router, lan, wan) = (Ns::new(serial, "router"), Ns::new(serial, "lan"), Ns::new(serial, "wan"));
        netns::cable((&router, "br-lan", None), (&lan, "eth0", None));
        netns::cable((&router, "wan", None), (&wan, "eth0", None));
        router.ip("addr add 10.88.0.1/16 dev br-lan");
        router.ip("addr add 10.77.0.1/24 dev wan");
        wan.ip("addr add 10.77.0.2/24 dev eth0");
        let batch: String = (0..phones).map(|i| format!("addr add {}/16 dev eth0\n", lan_address(i))).collect();
        let file = dir.path().join("addresses");
        fs::write(&file, batch).expect("written");
        netns::run(Command::new("ip").args(["-n", lan.name(), "-batch"]).arg(&file));
        lan.ip("route add default dev eth0");
        // The router knows its phones by their DHCP a moment ago. (Unlike here, where permanent entries do not count,
        // a kernel keeps no more than 1,024 neighbours by default: with more phones gc_thresh3 must be raised.)
        let mac = lan.ip("-br link show eth0").split_whitespace().nth(2).unwrap_or("").to_string();
        let batch: String = (0..phones)
            .map(|i| format!("neigh replace {} lladdr {mac} nud permanent dev br-lan\n", lan_address(i)))
            .collect();
        fs::write(&file, batch).expect("written");
        netns::run(Command::new("ip").args(["-n", router.name(), "-batch"]).arg(&file));
        Arena {
            spaces: Some((router, lan, wan)),
            router: Ipv4Addr::new(10, 88, 0, 1),
            upstream: Ipv4Addr::new(10, 77, 0, 2),
            device: "br-lan",
            dir,
        }
    }

    /// Address of a phone.
    pub fn phone(&self, i: usize) -> Ipv4Addr {
        match self.spaces {
            Some(_) => lan_address(i),
            None => Ipv4Addr::new(127, 1, 1 + (i / 250) as u8, 1 + (i % 250) as u8),
        }
    }

    /// MAC that phone says it has.
    pub fn mac(&self, i: usize) -> String {
        format!("000413{i:06x}")
    }

    /// No namespaces?
    pub fn is_loopback(&self) -> bool {
        self.spaces.is_none()
    }

    /// Where a SUBSCRIBE goes: the PnP group; on loopback, which carries no multicast from 127/8, the router itself.
    pub fn group(&self) -> SocketAddr {
        let group = Ipv4Addr::new(224, 0, 1, 75);
        SocketAddr::from((if self.spaces.is_some() { group } else { self.router }, 5060))
    }

    pub fn in_router<T>(&self, f: impl FnOnce() -> T) -> T {
        inside(self.spaces.as_ref().map(|s| &s.0), f)
    }

    pub fn in_lan<T>(&self, f: impl FnOnce() -> T) -> T {
        inside(self.spaces.as_ref().map(|s| &s.1), f)
    }

    pub fn in_wan<T>(&self, f: impl FnOnce() -> T) -> T {
        inside(self.spaces.as_ref().map(|s| &s.2), f)
    }

    /// A program on the router.
    pub fn router_command(&self, program: impl AsRef<OsStr>) -> Command {
        self.spaces.as_ref().map_or_else(|| Command::new(&program), |s| s.0.command(&program))
    }

    /// Lets the kernel of the router join the PnP group for programs that cannot.
    pub fn join_group(&self, join: bool) {
        if let Some((router, _, _)) = &self.spaces {
            router.ip(&format!("addr {} 224.0.1.75/32 dev br-lan autojoin", if join { "add" } else { "del" }));
        }
    }

    /// Starts the agent with these lines in its main section, and waits for its port.
    pub fn agent(&self, name: &str, upstream_port: u16, lines: &str) -> Agent {
        let dir = self.dir.path().join(name);
        for sub in ["state", "run"] {
            fs::create_dir_all(dir.join(sub)).expect("a folder");
        }
        let config = dir.join("phoneprov.uci");
        let text = format!(
            "config agent 'main'\n\toption enabled '1'\n\tlist device '{}'\n\toption upstream 'http://{}:{upstream_port}'\n\
             \toption provpass 'x'\n\toption dhcp 'off'\n\toption verify_mac '0'\n\toption cache_max '65536'\n\
             \toption state_dir '{}'\n\toption run_dir '{}'\n{lines}\
             config vendor 'snom'\n\toption enabled '1'\n\tlist oui '00:04:13:*:*:*'\n\
             \toption url '{{upstream}}/prov/snom/settings.php?mac={{mac}}&pass={{provpass}}'\n\
             config vendor 'mitel'\n\toption enabled '1'\n\tlist oui '00:08:5d:*:*:*'\n\toption url '{{upstream}}/prov/mitel'\n",
            self.device,
            self.upstream,
            dir.join("state").display(),
            dir.join("run").display(),
        );
        fs::write(&config, text).expect("written");
        let log = fs::File::create(dir.join("log")).expect("a log");
        let child = self
            .router_command(binary())
            .args(["run", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .spawn()
            .expect("the agent starts");
        let mut agent = Agent { child, log: dir.join("log") };
        self.wait_port(SocketAddr::from((self.router, PORT)), || agent.ended());
        agent
    }

    /// Waits until something listens on the router.
    pub fn wait_port(&self, addr: SocketAddr, mut ended: impl FnMut() -> Option<String>) {
        let begin = Instant::now();
        while self.in_router(|| TcpStream::connect(addr)).is_err() {
            if let Some(why) = ended() {
                eprintln!("ended instead of listening on {addr}: {why}");
                std::process::exit(1);
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "{addr} does not answer");
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(Duration::from_millis(300)); // its other threads
    }

    /// Waits until the agent's PnP responder hears the group, or 5 s.
    pub fn wait_pnp(&self, message: &str, socket: &UdpSocket, to: SocketAddr) {
        let mut b = [0u8; 2048];
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        for _ in 0..25 {
            let _ = socket.send_to(message.as_bytes(), to);
            if socket.recv_from(&mut b).is_ok() {
                thread::sleep(Duration::from_secs(1)); // sipp loses what comes in its first moments
                return;
            }
        }
    }
}

fn inside<T>(ns: Option<&Ns>, f: impl FnOnce() -> T) -> T {
    match ns {
        Some(ns) => ns.inside(f),
        None => f(),
    }
}

fn lan_address(i: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 88, 1 + (i / 250) as u8, 1 + (i % 250) as u8)
}

/// The binary under test: cargo's, or that of `LAB_AGENT`.
pub fn binary() -> PathBuf {
    std::env::var_os("LAB_AGENT").unwrap_or_else(|| env!("CARGO_BIN_EXE_phoneprov").into()).into()
}

/// An agent that runs; it ends with this.
pub struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!("{status}\n{}", fs::read_to_string(&self.log).unwrap_or_default()))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Resident memory of these processes in kB: as the sum of RSS, and as PSS (shared pages counted once).
pub fn memory(pids: &[u32]) -> (u64, u64) {
    let rss = pids.iter().map(|p| process::status(*p, "VmRSS")).sum();
    let pss = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("Pss:"));
        line.and_then(|v| v.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    (rss, pids.iter().map(pss).sum())
}

/// CPU seconds of these processes.
pub fn cpu(pids: &[u32]) -> f64 {
    pids.iter().map(|p| process::cpu_seconds(*p)).sum()
}

/// The value below which `percent` of all are, in ms.
pub fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).map_or(f64::NAN, |d| d.as_secs_f64() * 1000.0)
}

/// Rows under a head, columns as wide as they need.
pub fn table(title: &str, head: &[&str], rows: &[Vec<String>]) {
    println!("\n{title}");
    let width = |i: usize| {
        rows.iter()
            .filter_map(|r| r.get(i))
            .map(|c| c.chars().count())
            .chain([head[i].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let line = |cells: Vec<&str>| {
        let mut s = String::from(" ");
        for (i, c) in cells.iter().enumerate() {
            let w = width(i);
            s.push_str(&if i == 0 { format!(" {c:<w$}") } else { format!("  {c:>w$}") });
        }
        println!("{s}");
    };
    line(head.to_vec());
    for row in rows {
        line(row.iter().map(String::as_str).collect());
    }
}

/// Is this program here? Says so when not.
pub fn found(program: &str, what: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let here = path.split(':').chain(["/usr/sbin", "/sbin"]).any(|d| Path::new(d).join(program).is_file());
    if !here {
        println!("skipped: {what}: needs {program} (tests/install-peers.sh installs it)");
    }
    here
}
