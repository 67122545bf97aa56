//! Real DHCP clients in the place of a phone's. They keep to the namespace and the lab's folder: own scripts, configs,
//! lease and pid files; dhcpcd, whose folders are compiled in, finds empty ones mounted there for itself alone.

use crate::dhcp_packet::{Capture, Packet, ACK};
use crate::phone::Phone;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Which program asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    Udhcpc,
    Dhclient,
    Dhcpcd,
}

/// All of them.
pub const CLIENTS: [Client; 3] = [Client::Udhcpc, Client::Dhclient, Client::Dhcpcd];

/// The programs that a test with [`CLIENTS`] needs, and what captures and reads.
pub const PROGRAMS: [&str; 6] = ["dnsmasq", "udhcpc", "dhclient", "dhcpcd", "tcpdump", "tshark"];

/// How one client asks.
#[derive(Debug, Clone)]
pub struct Ask {
    client: Client,
    options: Vec<u8>,
    hostname: Option<String>,
    class: Option<String>,
}

/// What came of it: the packets are those of the cable.
#[derive(Debug)]
pub struct Lease {
    /// All DHCP packets of this exchange, in their order.
    pub packets: Vec<Packet>,
    /// The answer that gave the address.
    pub ack: Packet,
}

impl Lease {
    pub fn ip(&self) -> Ipv4Addr {
        self.ack.yiaddr
    }

    /// What the client asked for: option 55 of its first packet.
    pub fn asked(&self) -> &[u8] {
        self.packets.first().map(Packet::asked).unwrap_or_default()
    }
}

impl Ask {
    /// Asks for what any client asks for: netmask, router, DNS.
    pub fn by(client: Client) -> Ask {
        Ask { client, options: vec![1, 3, 6], hostname: None, class: None }
    }

    /// Asks for this option, too.
    pub fn option(mut self, number: u8) -> Ask {
        self.options.push(number);
        self
    }

    /// Option 12.
    pub fn hostname(mut self, name: &str) -> Ask {
        self.hostname = Some(name.into());
        self
    }

    /// Option 60.
    pub fn class(mut self, class: &str) -> Ask {
        self.class = Some(class.into());
        self
    }

    /// Gets a lease for this phone, which has no address before and this one after. Panics when there is none.
    pub fn lease(&self, phone: &Phone, capture: &Capture) -> Lease {
        phone.ns.ip("addr flush dev eth0");
        let before = capture.packets().len();
        let out = self.run(phone, None);
        assert!(out.status.success(), "{self:?} of {}: {}", phone.mac, words(&out));
        let mac = phone.mac.clone();
        let ack = capture.wait("the ACK of a lease", before, |p| p.kind() == ACK && p.chaddr == mac);
        let has = phone.ns.ip("-4 -o addr show dev eth0");
        assert!(has.contains(&format!(" {}/24 ", ack.yiaddr)), "{self:?} did not take {}: {has}", ack.yiaddr);
        Lease { packets: capture.packets().split_off(before), ack }
    }

    /// The client runs to its end, and whatever it gets is in the capture. With `inform` (dhcpcd alone of the three can)
    /// it sends a DHCPINFORM for that address.
    pub fn run(&self, phone: &Phone, inform: Option<Ipv4Addr>) -> Output {
        let dir = phone.dir.join(format!("dhcp-{}", crate::netns::serial()));
        fs::create_dir(&dir).expect("a folder");
        match self.client {
            Client::Udhcpc => self.udhcpc(phone, &dir),
            Client::Dhclient => self.dhclient(phone, &dir),
            Client::Dhcpcd => self.dhcpcd(phone, &dir, inform),
        }
    }

    fn udhcpc(&self, phone: &Phone, dir: &Path) -> Output {
        let script = script(
            dir,
            "#!/bin/sh\n\
             case $1 in bound|renew) ip addr flush dev $interface; ip addr add $ip/$mask dev $interface;; esac\n",
        );
        let mut c = phone.ns.command("udhcpc");
        c.args(["-i", "eth0", "-f", "-n", "-q", "-t", "5", "-T", "1", "-o", "-s"]).arg(script);
        c.arg("-p").arg(dir.join("pid"));
        for number in &self.options {
            c.args(["-O", &number.to_string()]);
        }
        if let Some(name) = &self.hostname {
            c.args(["-x", &format!("hostname:{name}")]);
        }
        c.args(["-V", self.class.as_deref().unwrap_or("")]);
        output(&mut c)
    }

    fn dhclient(&self, phone: &Phone, dir: &Path) -> Output {
        let script = script(
            dir,
            "#!/bin/sh\n\
             case $reason in BOUND|RENEW|REBIND|REBOOT) ip addr flush dev $interface\n\
             ip addr add $new_ip_address/$new_subnet_mask dev $interface;; esac\n",
        );
        let names: Vec<String> = self.options.iter().map(|o| dhclient_name(*o)).collect();
        let mut conf = String::from("timeout 10; initial-interval 1; initial-delay 0; select-timeout 0; reboot 0;\n");
        // one that it has no name for is declared first
        for number in self.options.iter().filter(|n| dhclient_name(**n).starts_with("lab-")) {
            conf.push_str(&format!("option lab-{number} code {number} = string;\n"));
        }
        if let Some(name) = &self.hostname {
            conf.push_str(&format!("send host-name \"{name}\";\n"));
        }
        if let Some(class) = &self.class {
            conf.push_str(&format!("send vendor-class-identifier \"{class}\";\n"));
        }
        conf.push_str(&format!("request {};\n", names.join(", ")));
        fs::write(dir.join("conf"), conf).expect("written");
        let mut c = phone.ns.command("dhclient");
        c.args(["-1", "-v", "-cf"]).arg(dir.join("conf")).arg("-lf").arg(dir.join("leases"));
        c.arg("-pf").arg(dir.join("pid")).arg("-sf").arg(script).arg("eth0");
        let out = output(&mut c);
        // it stays to renew the lease: its job here is done
        let begin = Instant::now();
        while out.status.success() && begin.elapsed() < Duration::from_secs(2) {
            if let Some(pid) = fs::read_to_string(dir.join("pid")).ok().filter(|pid| pid.ends_with('\n')) {
                let _ = Command::new("kill").arg(pid.trim()).stderr(Stdio::null()).status();
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        out
    }

    fn dhcpcd(&self, phone: &Phone, dir: &Path, inform: Option<Ipv4Addr>) -> Output {
        let numbers: Vec<String> = self.options.iter().map(u8::to_string).collect();
        let mut conf = format!("clientid\nnodev\nscript /bin/true\noption {}\n", numbers.join(", "));
        if let Some(name) = &self.hostname {
            conf.push_str(&format!("hostname {name}\n"));
        }
        conf.push_str(&match &self.class {
            Some(class) => format!("vendorclassid {class}\n"),
            None => "vendorclassid\n".to_string(),
        });
        fs::write(dir.join("conf"), conf).expect("written");
        // `ip netns exec` gives each program a mount namespace of its own: nothing of this is seen outside
        let line =
            "mount -t tmpfs lab /run && mount -t tmpfs lab /var/lib/dhcpcd && mkdir /run/dhcpcd && exec dhcpcd \"$@\"";
        let mut c = phone.ns.command("sh");
        c.args(["-ec", line, "dhcpcd", "-4", "-1", "-B", "-A", "-L", "-t", "6", "-f"]).arg(dir.join("conf"));
        if let Some(address) = inform {
            c.arg(format!("--inform={address}/24"));
        }
        output(c.arg("eth0"))
    }
}

/// Stdout and stderr of a program that ends by itself.
fn output(c: &mut Command) -> Output {
    c.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{c:?}: {e}"))
}

/// What a client said.
pub fn words(out: &Output) -> String {
    format!("{}\n{}{}", out.status, String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// A program of this text in `dir`.
pub fn script(dir: &Path, text: &str) -> PathBuf {
    let file = dir.join("script");
    fs::write(&file, format!("{text}exit 0\n")).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
    file
}

/// dhclient asks by name.
fn dhclient_name(number: u8) -> String {
    match number {
        1 => "subnet-mask".into(),
        3 => "routers".into(),
        6 => "domain-name-servers".into(),
        43 => "vendor-encapsulated-options".into(),
        66 => "tftp-server-name".into(),
        other => format!("lab-{other}"),
    }
}
