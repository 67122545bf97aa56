//! `Test` says in a few lines what a lab is made of; `start` makes it; `Lab` is what a test then talks to.

use crate::agent::Agent;
use crate::bodies::{Body, PROVPASS};
use crate::netns::{self, Ns};
use crate::phone::Phone;
use crate::upstream::{self, Running, Upstream};
use crate::{bodies, faulty, tls};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{chown, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use tempfile::TempDir;

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
const PORT: u16 = 8480;
/// Whom the agents become: nobody of this machine.
pub const USER: u32 = 5960;

/// What a lab shall be. Phones get 192.168.77.11, .12, … in the order of the calls.
pub struct Test {
    name: String,
    bridges: Vec<(String, Ipv4Addr)>,
    phones: Vec<Plug>,
    upstream: Upstream,
    options: Vec<(String, String)>,
    lists: Vec<(String, String)>,
    vendors: Vec<(String, bool, Vec<String>, String)>,
    extra: String,
    verbose: bool,
    limits: Vec<String>,
    through: Vec<String>,
    user: Option<String>,
    lacks: Vec<String>,
    uci: Vec<(String, String)>,
    network: bool,
    tmpfs: Option<u32>,
    agent: bool,
    needs: Vec<&'static str>,
}

/// A phone that shall be: its MAC, the bridge it is plugged into, and its address; without one it asks DHCP.
struct Plug {
    mac: String,
    bridge: String,
    address: Option<String>,
}

impl Test {
    /// snom and mitel enabled as in the default config, upstream nginx without a file, quick time-outs.
    pub fn new(name: &str) -> Test {
        let options = [
            ("fresh_wait", "2"),
            ("fresh_for", "0"),
            ("upstream_timeout", "5"),
            ("dhcp", "off"),
            ("provpass", PROVPASS),
        ];
        let vendor = |name: &str, ouis: &[&str], url: &str| {
            (name.to_string(), true, ouis.iter().map(|o| o.to_string()).collect(), url.to_string())
        };
        Test {
            name: name.into(),
            bridges: vec![("br-lan".into(), ROUTER)],
            phones: Vec::new(),
            upstream: Upstream::nginx(),
            options: options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            lists: Vec::new(),
            vendors: vec![
                vendor("snom", &["00:04:13:*:*:*"], "{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}"),
                vendor("mitel", &["00:08:5d:*:*:*"], "{upstream}/prov/mitel"),
            ],
            extra: String::new(),
            verbose: true,
            limits: Vec::new(),
            through: Vec::new(),
            user: Some(USER.to_string()),
            lacks: Vec::new(),
            uci: Vec::new(),
            network: false,
            tmpfs: None,
            agent: true,
            needs: vec!["ip", "nft"],
        }
    }

    /// One phone more.
    pub fn phone(self, mac: &str) -> Test {
        let address = format!("192.168.77.{}/24", 11 + self.phones.len());
        self.phone_at(mac, &address)
    }

    /// A phone with an address of its own choice (`192.168.99.5/24`: on the cable, but not of the subnet).
    pub fn phone_at(mut self, mac: &str, address: &str) -> Test {
        let mac = mac.to_ascii_lowercase();
        self.phones.push(Plug { mac, bridge: "br-lan".into(), address: Some(address.into()) });
        self
    }

    /// A phone without an address, for a DHCP client to get one, on this bridge.
    pub fn phone_by_dhcp(mut self, mac: &str, bridge: &str) -> Test {
        self.phones.push(Plug { mac: mac.to_ascii_lowercase(), bridge: bridge.into(), address: None });
        self
    }

    /// One network more on the router: a bridge with this address, /24. The agent serves it only with `list device`.
    pub fn bridge(mut self, name: &str, address: Ipv4Addr) -> Test {
        self.bridges.push((name.into(), address));
        self
    }

    /// What answers behind the router.
    pub fn upstream(mut self, upstream: Upstream) -> Test {
        self.upstream = upstream;
        self
    }

    /// An option of `config agent 'main'`; the last word on a name counts. `{dir}` is the lab's folder.
    pub fn option(mut self, name: &str, value: &str) -> Test {
        self.options.retain(|(n, _)| n != name);
        self.options.push((name.into(), value.into()));
        self
    }

    /// A value of a list option of `config agent 'main'`.
    pub fn list(mut self, name: &str, value: &str) -> Test {
        self.lists.push((name.into(), value.into()));
        self
    }

    /// One vendor more, or another form of one.
    pub fn vendor(mut self, name: &str, oui: &str, url: &str) -> Test {
        self.vendors.retain(|v| v.0 != name);
        self.vendors.push((name.into(), true, vec![oui.into()], url.into()));
        self
    }

    /// One `list oui` more of a vendor that is there.
    pub fn oui(mut self, vendor: &str, oui: &str) -> Test {
        for v in self.vendors.iter_mut().filter(|v| v.0 == vendor) {
            v.2.push(oui.into());
        }
        self
    }

    /// `option enabled '0'` for this vendor.
    pub fn vendor_off(mut self, name: &str) -> Test {
        for v in self.vendors.iter_mut().filter(|v| v.0 == name) {
            v.1 = false;
        }
        self
    }

    /// Lines of UCI at the end of the config.
    pub fn config(mut self, lines: &str) -> Test {
        self.extra.push_str(lines);
        self
    }

    /// Without `--verbose`: for tests that make very many lines.
    pub fn quiet(mut self) -> Test {
        self.verbose = false;
        self
    }

    /// A limit as prlimit takes it: `--nofile=40`.
    pub fn limit(mut self, limit: &str) -> Test {
        self.limits.push(limit.into());
        self
    }

    /// The user that the agent becomes by itself; `None`: whom it takes when nobody is named.
    pub fn user(mut self, user: Option<&str>) -> Test {
        self.user = user.map(str::to_string);
        self
    }

    /// It is started through this command line, not by root: `setpriv …`.
    pub fn through(mut self, line: &str) -> Test {
        self.through = line.split_whitespace().map(str::to_string).collect();
        self.user = None;
        self
    }

    /// A file of OpenWrt's config, such as `dhcp`; the agent looks for them in `{dir}/config`.
    pub fn uci(mut self, file: &str, text: &str) -> Test {
        self.uci.push((file.into(), text.into()));
        self
    }

    /// `list network 'lan'`, and what it is in OpenWrt's config, instead of `list device 'br-lan'`.
    pub fn network_lan(mut self) -> Test {
        self.network = true;
        let text = format!(
            "\nconfig interface 'lan'\n\toption device 'br-lan'\n\toption proto 'static'\n\toption ipaddr '{ROUTER}'\n\
             \toption netmask '255.255.255.0'\n"
        );
        self.uci("network", &text)
    }

    /// The agent runs without this capability: `net_raw`.
    pub fn without_capability(mut self, name: &str) -> Test {
        self.lacks.push(name.into());
        self
    }

    /// `state_dir` is a file system of its own of so many KiB.
    pub fn small_disk(mut self, kib: u32) -> Test {
        self.tmpfs = Some(kib);
        self
    }

    /// The lab only: the test itself takes the agent's place.
    pub fn without_agent(mut self) -> Test {
        self.agent = false;
        self
    }

    /// A program the test needs beside ip and nft (nginx where it is the upstream is known).
    pub fn needs(mut self, program: &'static str) -> Test {
        self.needs.push(program);
        self
    }

    /// Makes it all and waits until the agent is ready. `None`: cannot be here, said so.
    pub fn start(mut self) -> Option<Lab> {
        if self.upstream.needs_nginx() {
            self.needs.push("nginx");
        }
        if self.upstream.is_https() {
            self.needs.push("openssl");
        }
        if let Some(why) = missing(&self.needs) {
            crate::skip(&self.name, &why);
            return None;
        }
        let dir = TempDir::with_prefix_in(format!("{}-", self.name), crate::scratch()).expect("a folder");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).expect("the agent's user finds its way");
        let serial = netns::serial();
        let wan = Ns::new(serial, "wan");
        let router = Ns::new(serial, "router");
        netns::cable((&router, "wan", None), (&wan, "eth0", None));
        router.ip("addr add 10.77.0.1/24 dev wan");
        wan.ip(&format!("addr add {}/24 dev eth0", upstream::ADDRESS));
        for (i, (bridge, address)) in self.bridges.iter().enumerate() {
            router.ip(&format!("link add {bridge} address {} type bridge", router_mac(i)));
            router.ip(&format!("link set {bridge} up"));
            router.ip(&format!("addr add {address}/24 dev {bridge}"));
        }
        // a way to every address: where the agent stays silent it does so by its own decision
        router.ip("route add default dev br-lan");
        router.etc(
            "hosts",
            &format!(
                "127.0.0.1 localhost\n{a} {}\n{a} {}\n{a} wrong.example.test\n",
                tls::NAME,
                faulty::OTHER,
                a = upstream::ADDRESS
            ),
        );
        router.etc("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
        let mut phones = Vec::new();
        for (i, plug) in self.phones.iter().enumerate() {
            let ns = Ns::new(serial, &format!("phone{i}"));
            netns::cable((&ns, "eth0", Some(&plug.mac)), (&router, &format!("lan{i}"), None));
            router.ip(&format!("link set lan{i} master {}", plug.bridge));
            let mut ip = Ipv4Addr::UNSPECIFIED;
            if let Some(address) = &plug.address {
                ns.ip(&format!("addr add {address} dev eth0"));
                ns.ip("route add default dev eth0");
                ip = address.split('/').next().and_then(|a| a.parse().ok()).expect("an IPv4 address");
            }
            let bridge = self.bridges.iter().position(|b| b.0 == plug.bridge).expect("a bridge of this lab");
            phones.push(Phone {
                ns,
                dir: dir.path().to_path_buf(),
                mac: plug.mac.clone(),
                ip,
                agent: SocketAddr::from((self.bridges[bridge].1, PORT)),
                router_mac: router_mac(bridge),
            });
        }
        let upstream = Running::start(wan, dir.path(), self.upstream.clone());
        let agent = self.agent_in(router, dir.path());
        let lab = Lab {
            agent,
            phones,
            upstream,
            mount: self.tmpfs.map(|_| dir.path().join("state")),
            dir: Some(dir),
            name: self.name,
        };
        if self.agent {
            lab.agent.start();
        }
        Some(lab)
    }

    fn agent_in(&self, router: Ns, dir: &Path) -> Agent {
        let (state_dir, run_dir) = (dir.join("state"), dir.join("run"));
        if let Some(kib) = self.tmpfs {
            fs::create_dir(&state_dir).expect("a folder");
            netns::run(
                Command::new("mount")
                    .args(["-t", "tmpfs", "-o", &format!("size={kib}k,mode=0700"), "lab"])
                    .arg(&state_dir),
            );
        }
        let uci = dir.join("config");
        for (file, text) in &self.uci {
            fs::create_dir_all(&uci).expect("a folder");
            fs::write(uci.join(file), text).expect("written");
        }
        let scheme = if self.upstream.is_https() { "https" } else { "http" };
        let served = if self.network { "network 'lan'" } else { "device 'br-lan'" };
        let mut text = format!("config agent 'main'\n\toption enabled '1'\n\tlist {served}\n");
        let mut option = |name: &str, value: &str| text.push_str(&format!("\toption {name} '{value}'\n"));
        for (name, value) in [
            ("upstream", format!("{scheme}://{}", tls::NAME)),
            ("port", PORT.to_string()),
            ("state_dir", state_dir.display().to_string()),
            ("run_dir", run_dir.display().to_string()),
        ] {
            if !self.options.iter().any(|(n, _)| n == name) {
                option(name, &value);
            }
        }
        if self.upstream.is_https() {
            option("ca_file", &tls::folder().join("ca.pem").display().to_string());
        }
        for (name, value) in &self.options {
            option(name, &value.replace("{dir}", &dir.display().to_string()));
        }
        for (name, value) in &self.lists {
            text.push_str(&format!("\tlist {name} '{value}'\n"));
        }
        for (name, enabled, ouis, url) in &self.vendors {
            text.push_str(&format!("config vendor '{name}'\n\toption enabled '{}'\n", u8::from(*enabled)));
            for oui in ouis {
                text.push_str(&format!("\tlist oui '{oui}'\n"));
            }
            text.push_str(&format!("\toption url '{url}'\n"));
        }
        text.push_str(&self.extra);
        let config = dir.join("phoneprov.uci");
        fs::write(&config, text).expect("written");
        // as the init script leaves it: root's, and readable for the agent
        fs::set_permissions(&config, fs::Permissions::from_mode(0o640)).expect("set");
        chown(&config, None, Some(USER)).expect("root may");
        Agent {
            router,
            config,
            state_dir,
            run_dir,
            log: dir.join("agent.log"),
            verbose: self.verbose,
            limits: self.limits.clone(),
            through: self.through.clone(),
            user: self.user.clone(),
            lacks: self.lacks.clone(),
            uci: (!self.uci.is_empty()).then_some(uci),
            http: SocketAddr::from((ROUTER, PORT)),
            child: Mutex::default(),
        }
    }
}

/// Of the router on its bridge of this number.
fn router_mac(bridge: usize) -> String {
    format!("02:77:00:00:00:{:02x}", bridge + 1)
}

/// Why a lab cannot be here.
fn missing(programs: &[&str]) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("needs root for network namespaces".into());
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let found = |p: &str| path.split(':').chain(["/usr/sbin", "/sbin"]).any(|d| Path::new(d).join(p).is_file());
    programs.iter().find(|p| !found(p)).map(|p| format!("needs {p} (tests/install-peers.sh installs it)"))
}

/// A lab that runs. All of it is removed with it; its folder is kept when the test failed.
pub struct Lab {
    agent: Agent,
    phones: Vec<Phone>,
    upstream: Running,
    mount: Option<PathBuf>,
    dir: Option<TempDir>,
    name: String,
}

impl Lab {
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    pub fn phone(&self, i: usize) -> &Phone {
        &self.phones[i]
    }

    pub fn phones(&self) -> &[Phone] {
        &self.phones
    }

    pub fn upstream(&self) -> &Running {
        &self.upstream
    }

    /// A folder for what the test itself keeps.
    pub fn dir(&self) -> &Path {
        self.dir.as_ref().expect("until drop").path()
    }

    /// A snom config for phone `i`, put where its upstream has it. Gives the bytes.
    pub fn put_snom(&self, i: usize, tag: &str) -> Body {
        let body = bodies::snom(&self.phones[i].hex(), tag, 12_000);
        self.upstream.put_of("/prov/snom/settings.php", &self.phones[i].hex_upper(), body.clone());
        body
    }

    /// A Mitel config for phone `i`.
    pub fn put_mitel(&self, i: usize, tag: &str) -> Body {
        let body = bodies::mitel(&self.phones[i].hex(), tag, 8_000);
        self.upstream.put(&format!("/prov/mitel/{}.cfg", self.phones[i].hex_upper()), body.clone());
        body
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.agent.kill9();
        if std::thread::panicking() {
            let log = self.agent.log();
            let from = log.len().saturating_sub(8_000);
            let from = (from..log.len()).find(|i| log.is_char_boundary(*i)).unwrap_or(log.len());
            println!("--- {}: end of the agent's log\n{}\n---", self.name, &log[from..]);
            if let Some(dir) = self.dir.take() {
                println!("kept: {}", dir.keep().display());
            }
        }
        if let Some(mount) = &self.mount {
            let _ = Command::new("umount").arg("-l").arg(mount).status();
        }
    }
}
