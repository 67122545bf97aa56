//! The real dnsmasq as a DHCP server of a lab: in the router's namespace, or in that of another box on the LAN.

use crate::netns::Ns;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// One dnsmasq. It ends with this.
pub struct Dhcpd {
    dir: PathBuf,
    child: Child,
}

/// What it shall serve.
pub struct Spec {
    lines: Vec<String>,
    files: Vec<PathBuf>,
}

impl Spec {
    /// Leases of an hour on 192.168.77.100 to .199, for `br-lan`: as a router has them, DNS but for the port.
    pub fn lan() -> Spec {
        Spec::on("br-lan", Ipv4Addr::new(192, 168, 77, 100))
    }

    /// A hundred addresses from `first` on, for the clients of one interface.
    pub fn on(device: &str, first: Ipv4Addr) -> Spec {
        let [a, b, c, d] = first.octets();
        let dns = format!("dhcp-option=6,{a}.{b}.{c}.1");
        let lines = [
            "port=0",
            "user=root",
            "bind-dynamic",
            "dhcp-authoritative",
            "no-ping",
            "log-dhcp",
            "domain=lab.test",
            &dns, // with port=0 there is no DNS to be told of otherwise
        ];
        let spec = Spec { lines: lines.map(str::to_string).to_vec(), files: Vec::new() };
        spec.and(device, Ipv4Addr::new(a, b, c, d))
    }

    /// Nothing yet: every line is the test's.
    pub fn empty() -> Spec {
        Spec { lines: Vec::new(), files: Vec::new() }
    }

    /// One interface more.
    pub fn and(self, device: &str, first: Ipv4Addr) -> Spec {
        let [a, b, c, d] = first.octets();
        self.line(&format!("interface={device}"))
            .line(&format!("dhcp-range={first},{a}.{b}.{c}.{},255.255.255.0,1h", d + 99))
    }

    /// Leases of another time than an hour.
    pub fn lease(mut self, time: &str) -> Spec {
        for line in self.lines.iter_mut().filter(|l| l.starts_with("dhcp-range=")) {
            *line = line.replace(",1h", &format!(",{time}"));
        }
        self
    }

    /// A directive.
    pub fn line(mut self, line: &str) -> Spec {
        self.lines.push(line.into());
        self
    }

    /// A file of directives.
    pub fn file(mut self, file: &Path) -> Spec {
        self.files.push(file.to_path_buf());
        self
    }

    /// Starts it in `ns`, with no lease given yet; its files are in `dir`. Panics with its words when it does not start.
    pub fn start(&self, ns: &Ns, dir: &Path) -> Dhcpd {
        fs::create_dir_all(dir).expect("a folder");
        let base = dir.join("dnsmasq.conf");
        let mut text = self.lines.join("\n");
        text.push_str(&format!("\ndhcp-leasefile={}\n", dir.join("leases").display()));
        for file in &self.files {
            text.push_str(&format!("conf-file={}\n", file.display()));
        }
        fs::write(&base, text).expect("written");
        let _ = fs::remove_file(dir.join("leases"));
        let log = fs::File::create(dir.join("dnsmasq.log")).expect("a log");
        let child = ns
            .command("dnsmasq")
            .args(["--keep-in-foreground", "--log-facility=-", "--pid-file="])
            .arg(format!("--conf-file={}", base.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let mut dhcpd = Dhcpd { dir: dir.to_path_buf(), child: child.expect("dnsmasq") };
        let begin = Instant::now();
        // it says this when its sockets are open
        while !dhcpd.log().contains("DHCP, IP range") {
            let ended = dhcpd.child.try_wait().expect("a child");
            assert!(ended.is_none(), "dnsmasq ended: {ended:?}\n{}", dhcpd.log());
            assert!(begin.elapsed() < Duration::from_secs(5), "dnsmasq does not start\n{}", dhcpd.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        dhcpd
    }
}

impl Dhcpd {
    /// What it said since its start; `log-dhcp` has it tell every packet.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("dnsmasq.log")).unwrap_or_default()
    }

    /// Its leases: one a line, `expiry mac address name client-id`.
    pub fn leases(&self) -> String {
        fs::read_to_string(self.dir.join("leases")).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Dhcpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("--- dnsmasq in {}\n{}---", self.dir.display(), self.log());
        }
    }
}
