//! One phone of a lab: a namespace with one interface that has the phone's MAC.

use crate::bodies::Body;
use crate::http::{self, Answer};
use crate::netns::{run, Ns};
use crate::sip::{self, Outcome};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// SIP PnP's group.
pub const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 1, 75), 5060);

/// Longest that a test waits for an answer that shall come.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A phone.
pub struct Phone {
    pub(crate) ns: Ns,
    pub(crate) dir: PathBuf,
    /// As `00:04:13:00:00:01`.
    pub mac: String,
    /// 0.0.0.0 where a DHCP client gets it.
    pub ip: Ipv4Addr,
    /// The agent's address and HTTP port on the phone's LAN.
    pub agent: SocketAddr,
    /// MAC of the router on the phone's LAN.
    pub(crate) router_mac: String,
}

/// What came to a phone's SIP port, and when after the SUBSCRIBE.
#[derive(Debug, Clone)]
pub struct Datagram {
    pub after: Duration,
    pub from: SocketAddr,
    pub text: String,
}

impl Phone {
    /// Twelve digits, lower case.
    pub fn hex(&self) -> String {
        self.mac.replace(':', "").to_ascii_lowercase()
    }

    /// Twelve digits, upper case.
    pub fn hex_upper(&self) -> String {
        self.hex().to_ascii_uppercase()
    }

    /// What a phone of this make sends.
    pub fn user_agent(&self) -> String {
        let upper = self.hex_upper();
        let dashes = self.mac.replace(':', "-").to_ascii_uppercase();
        match &self.hex()[..6] {
            "000413" | "1c7126" => {
                format!("Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004-g9ba52f5 {upper} SXM:0 UXM:0)")
            }
            "00085d" | "1400e9" => format!("Aastra6731i MAC:{dashes} V:3.2.2.56-SIP"),
            "001565" | "805e0c" => format!("Yealink SIP-T46G 28.72.0.1 {}", self.mac),
            "000b82" | "c074ad" => format!("Grandstream Model HW GXP1628 SW 1.0.4.138 DevId {}", self.hex()),
            "0c383e" => format!("Fanvil X4 2.10.2.6887 {}", self.hex()),
            _ => "Lab/1.0".to_string(),
        }
    }

    /// Where this make asks for its config, on the LAN.
    pub fn config_target(&self) -> String {
        match &self.hex()[..6] {
            "000413" | "1c7126" => format!("/snom/settings.php?mac={}", self.hex_upper()),
            "00085d" | "1400e9" => format!("/mitel/{}.cfg", self.hex_upper()),
            "001565" | "805e0c" => format!("/yealink/{}.cfg", self.hex()),
            _ => panic!("no config target for {}", self.mac),
        }
    }

    /// GET of its config with its own User-Agent.
    pub fn config(&self) -> Answer {
        self.get(&self.config_target())
    }

    /// GET with the phone's User-Agent on a new connection. Panics when no answer comes.
    pub fn get(&self, target: &str) -> Answer {
        self.try_get(target, &[]).unwrap_or_else(|e| panic!("GET {target} from {}: {e}", self.agent))
    }

    /// GET with more headers.
    pub fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.try_get(target, headers).unwrap_or_else(|e| panic!("GET {target} from {}: {e}", self.agent))
    }

    /// GET that may fail.
    pub fn try_get(&self, target: &str, headers: &[(&str, &str)]) -> io::Result<Answer> {
        let agent = self.user_agent();
        let mut all = vec![("User-Agent", agent.as_str()), ("Accept", "*/*")];
        all.extend_from_slice(headers);
        self.ns.inside(|| http::get(self.agent, target, &all, PATIENCE))
    }

    /// A connection to the agent, to say anything on.
    pub fn connect(&self) -> io::Result<TcpStream> {
        self.ns.inside(|| TcpStream::connect_timeout(&self.agent, PATIENCE))
    }

    /// GET by real curl: (status, body).
    pub fn curl(&self, url: &str) -> (u16, Body) {
        let file = self.dir.join(format!("curl-{}", crate::netns::serial()));
        let mut c = self.ns.command("curl");
        c.args(["-sS", "--max-time", "40", "-A", &self.user_agent(), "-w", "%{http_code}", "-o"]).arg(&file).arg(url);
        let status = run(&mut c).trim().parse().expect("a status");
        (status, Body(std::fs::read(&file).unwrap_or_default()))
    }

    /// A UDP socket of the phone. One just closed on this port may still be open for a moment in a program that another
    /// test starts: it has all our descriptors from its fork to its exec.
    pub fn udp(&self, port: u16) -> UdpSocket {
        let begin = Instant::now();
        loop {
            match self.ns.inside(|| UdpSocket::bind((self.ip, port))) {
                Ok(socket) => return socket,
                Err(e) if e.kind() == io::ErrorKind::AddrInUse && begin.elapsed() < Duration::from_secs(1) => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(e) => panic!("{}:{port}: {e}", self.ip),
            }
        }
    }

    /// sipp sends this fixture as this phone would, on the port that real phone uses.
    pub fn sipp(&self, fixture: &str) -> Outcome {
        self.sipp_from(fixture, if fixture == "grandstream" { 5080 } else { 5060 })
    }

    /// The same from another port.
    pub fn sipp_from(&self, fixture: &str, port: u16) -> Outcome {
        let message = sip::fixture(fixture).message(&self.hex(), self.ip, port);
        sip::sipp(&self.ns, &self.dir, &message, (self.ip, port), Duration::from_secs(4))
    }

    /// Sends one message to the group from `port`, and listens there for `how_long`. `answer_after` NOTIFYs (counted
    /// from 1) a 200 goes back; never when it is 0.
    pub fn subscribe(&self, message: &str, port: u16, how_long: Duration, answer_after: usize) -> Vec<Datagram> {
        self.subscribe_to(message, port, SocketAddr::V4(GROUP), how_long, answer_after)
    }

    /// The same, to one address.
    pub fn subscribe_to(
        &self,
        message: &str,
        port: u16,
        to: SocketAddr,
        how_long: Duration,
        answer_after: usize,
    ) -> Vec<Datagram> {
        let socket = self.udp(port);
        let begin = Instant::now();
        socket.send_to(message.as_bytes(), to).expect("sent");
        let mut all: Vec<Datagram> = Vec::new();
        let mut buffer = [0u8; 8192];
        while let Some(left) = how_long.checked_sub(begin.elapsed()).filter(|d| !d.is_zero()) {
            socket.set_read_timeout(Some(left)).expect("a timeout");
            let Ok((n, from)) = socket.recv_from(&mut buffer) else { continue };
            let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
            all.push(Datagram { after: begin.elapsed(), from, text: text.clone() });
            let notifies = all.iter().filter(|d| d.text.starts_with("NOTIFY ")).count();
            if text.starts_with("NOTIFY ") && answer_after > 0 && notifies >= answer_after {
                socket.send_to(ok_to(&text).as_bytes(), from).expect("sent");
            }
        }
        all
    }

    /// Begins to count the packets that come from the router, of any kind (ARP too) but IGMP: a router that joins
    /// a group reports it to the whole cable.
    pub fn count_packets(&self) -> Counter<'_> {
        self.ns.nft(&format!(
            "table netdev lab {{ counter from_router {{ }}; chain in {{ type filter hook ingress device eth0 priority 0; \
             ip protocol igmp accept; ether saddr {} counter name from_router; }}; }}",
            self.router_mac
        ));
        Counter { phone: self }
    }

    /// tcpdump of the phone's cable into `file`, for a look at a failed test. It ends with the returned child's end.
    pub fn capture(&self, file: &Path) -> std::process::Child {
        self.ns
            .command("tcpdump")
            .args(["-U", "-i", "eth0", "-w"])
            .arg(file)
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("tcpdump")
    }
}

/// Counts packets until it is dropped.
pub struct Counter<'a> {
    phone: &'a Phone,
}

impl Counter<'_> {
    /// Packets from the router until now.
    pub fn packets(&self) -> u64 {
        let text = self.phone.ns.run("nft list counter netdev lab from_router");
        let number = text.split("packets ").nth(1).and_then(|r| r.split_whitespace().next());
        number.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("nft says: {text}"))
    }
}

impl Drop for Counter<'_> {
    fn drop(&mut self) {
        self.phone.ns.nft("delete table netdev lab");
    }
}

/// The 200 that a phone sends to a NOTIFY.
pub fn ok_to(notify: &str) -> String {
    let mut ok = String::from("SIP/2.0 200 OK\r\n");
    for line in notify.split("\r\n").skip(1).take_while(|l| !l.is_empty()) {
        let name = line.split(':').next().unwrap_or("").trim().to_ascii_lowercase();
        if ["via", "from", "to", "call-id", "cseq"].contains(&name.as_str()) {
            ok.push_str(line);
            ok.push_str("\r\n");
        }
    }
    ok.push_str("Content-Length: 0\r\n\r\n");
    ok
}
