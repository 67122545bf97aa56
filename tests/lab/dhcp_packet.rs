//! DHCP as it was on the cable: tcpdump captures, this file reads what it wrote. What a client says of its own lease is
//! another thing: some leave out what they do not understand.

use crate::netns::Ns;
use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Message types of option 53.
pub const DISCOVER: u8 = 1;
pub const OFFER: u8 = 2;
pub const REQUEST: u8 = 3;
pub const ACK: u8 = 5;
pub const INFORM: u8 = 8;

/// One DHCP packet of a capture.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// As `00:04:13:00:00:01`.
    pub from_mac: String,
    pub to_mac: String,
    pub from: Ipv4Addr,
    pub to: Ipv4Addr,
    /// 1 from a client, 2 from a server.
    pub op: u8,
    pub xid: u32,
    pub flags: u16,
    pub ciaddr: Ipv4Addr,
    pub yiaddr: Ipv4Addr,
    pub siaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub chaddr: String,
    /// The 64 bytes of `sname` and the 128 of `file`, as they are.
    pub sname: Vec<u8>,
    pub file: Vec<u8>,
    /// In the order of the packet, pad and end left out.
    pub options: Vec<(u8, Vec<u8>)>,
}

/// On one line, and without what is zero.
impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} → {} {}, op {}", self.from_mac, self.from, self.to_mac, self.to, self.op)?;
        let addresses = [("ci", self.ciaddr), ("yi", self.yiaddr), ("si", self.siaddr), ("gi", self.giaddr)];
        for (name, address) in addresses.iter().filter(|(_, a)| !a.is_unspecified()) {
            write!(f, ", {name}addr {address}")?;
        }
        write!(f, ", chaddr {}, xid {:08x}, flags {:04x}", self.chaddr, self.xid, self.flags)?;
        for (name, bytes) in [("sname", &self.sname), ("file", &self.file)] {
            let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1);
            if end > 0 {
                write!(f, ", {name} {}", shown(&bytes[..end]))?;
            }
        }
        self.options.iter().try_for_each(|(number, value)| write!(f, ", {number}={}", shown(value)))
    }
}

impl Packet {
    /// The first option of this number.
    pub fn option(&self, number: u8) -> Option<&[u8]> {
        self.options.iter().find(|(n, _)| *n == number).map(|(_, v)| v.as_slice())
    }

    /// Option 53.
    pub fn kind(&self) -> u8 {
        self.option(53).and_then(|v| v.first().copied()).unwrap_or(0)
    }

    /// Option 55: what the client asks for.
    pub fn asked(&self) -> &[u8] {
        self.option(55).unwrap_or_default()
    }

    /// An Ethernet frame; `None` when it holds no DHCP.
    fn read(frame: &[u8]) -> Option<Packet> {
        let ip = frame.get(14..).filter(|_| frame.get(12..14) == Some(&[8, 0]))?;
        let head = usize::from(ip.first()? & 15) * 4;
        let udp = ip.get(head..).filter(|_| ip.get(9) == Some(&17))?;
        let port = |i: usize| Some(u16::from_be_bytes(udp.get(i..i + 2)?.try_into().ok()?));
        if ![67, 68].contains(&port(0)?) || ![67, 68].contains(&port(2)?) {
            return None;
        }
        let dhcp = udp.get(8..usize::from(port(4)?))?;
        let address = |from: &[u8], i: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(from.get(i..i + 4)?).ok()?));
        let mac = |m: &[u8]| m.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":");
        let mut options = options(dhcp.get(240..).filter(|_| dhcp.get(236..240) == Some(&[99, 130, 83, 99]))?)?;
        // option overload (RFC 2132 9.3): where there was no room, `file` and `sname` hold options, too
        let overload = options.iter().find(|(n, _)| *n == 52).and_then(|(_, v)| v.first().copied()).unwrap_or(0);
        for (bit, field) in [(1, dhcp.get(108..236)?), (2, dhcp.get(44..108)?)] {
            if overload & bit != 0 {
                options.extend(self::options(field)?);
            }
        }
        Some(Packet {
            to_mac: mac(frame.get(..6)?),
            from_mac: mac(frame.get(6..12)?),
            from: address(ip, 12)?,
            to: address(ip, 16)?,
            op: *dhcp.first()?,
            xid: u32::from_be_bytes(dhcp.get(4..8)?.try_into().ok()?),
            flags: u16::from_be_bytes(dhcp.get(10..12)?.try_into().ok()?),
            ciaddr: address(dhcp, 12)?,
            yiaddr: address(dhcp, 16)?,
            siaddr: address(dhcp, 20)?,
            giaddr: address(dhcp, 24)?,
            chaddr: mac(dhcp.get(28..34)?),
            sname: dhcp.get(44..108)?.to_vec(),
            file: dhcp.get(108..236)?.to_vec(),
            options,
        })
    }
}

/// Options until their end, pad left out; `None` when they are cut off.
fn options(mut rest: &[u8]) -> Option<Vec<(u8, Vec<u8>)>> {
    let mut all = Vec::new();
    loop {
        match rest {
            [0, after @ ..] => rest = after,
            [255, ..] | [] => return Some(all),
            [number, length, after @ ..] => {
                let length = usize::from(*length);
                all.push((*number, after.get(..length)?.to_vec()));
                rest = after.get(length..)?;
            }
            _ => return None,
        }
    }
}

/// All DHCP packets of a file that tcpdump writes, or wrote; a record that is not whole yet is left for later.
fn packets(file: &Path) -> Vec<Packet> {
    let bytes = fs::read(file).unwrap_or_default();
    let mut rest = bytes.get(24..).unwrap_or_default();
    let mut all = Vec::new();
    while let Some(length) = rest.get(8..12).map(|l| u32::from_ne_bytes(l.try_into().expect("4 bytes")) as usize) {
        let Some(frame) = rest.get(16..16 + length) else { break };
        all.extend(Packet::read(frame));
        rest = &rest[16 + length..];
    }
    all
}

/// tcpdump on one interface, for as long as this lives.
pub struct Capture {
    file: PathBuf,
    child: Child,
}

impl Capture {
    /// DHCP on `device` of `ns`, from now on, into `file`.
    pub fn start(ns: &Ns, device: &str, file: &Path) -> Capture {
        let mut child = ns
            .command("tcpdump")
            .args(["-U", "--immediate-mode", "-n", "-i", device, "-w"])
            .arg(file)
            .args(["udp port 67 or udp port 68"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tcpdump");
        let mut words = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert!(words.read_line(&mut line).expect("tcpdump's words") > 0, "tcpdump ended on {device}");
        }
        // the pipe stays open for as long as tcpdump may write into it
        std::thread::spawn(move || std::io::copy(&mut words, &mut std::io::sink()));
        Capture { file: file.to_path_buf(), child }
    }

    /// What it has until now.
    pub fn packets(&self) -> Vec<Packet> {
        packets(&self.file)
    }

    /// Waits until a packet is there that `f` holds for, after the first `skip`.
    pub fn wait(&self, what: &str, skip: usize, f: impl Fn(&Packet) -> bool) -> Packet {
        let mut found = None;
        crate::eventually(what, Duration::from_secs(3), || {
            found = self.packets().into_iter().skip(skip).find(|p| f(p));
            found.is_some()
        });
        found.expect("eventually")
    }

    /// tshark reads the same file: a line of tab-parted `fields` for each packet that its display filter shows.
    pub fn tshark(&self, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let mut c = Command::new("tshark");
        c.arg("-n").arg("-r").arg(&self.file).args(["-Y", filter, "-T", "fields"]);
        for field in fields {
            c.args(["-e", field]);
        }
        let text = crate::netns::run(&mut c);
        text.lines().map(|l| l.split('\t').map(str::to_string).collect()).collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes as text where they are text, the rest as `\00`.
pub fn shown(bytes: &[u8]) -> String {
    let show = |b: &u8| if (32..127).contains(b) { (*b as char).to_string() } else { format!("\\{b:02x}") };
    bytes.iter().map(show).collect()
}

/// Sub-options of an encapsulated option (43), until its end or its last byte.
pub fn inner(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    while let [number, length, rest @ ..] = bytes {
        if *number == 255 || rest.len() < usize::from(*length) {
            break;
        }
        let (value, after) = rest.split_at(usize::from(*length));
        all.push((*number, value.to_vec()));
        bytes = after;
    }
    all
}

/// A client's message as bytes: for what no real client would send.
pub fn message(kind: u8, chaddr: &str, ciaddr: Ipv4Addr, giaddr: Ipv4Addr) -> Vec<u8> {
    let mac: Vec<u8> = chaddr.split(':').map(|d| u8::from_str_radix(d, 16).expect("hex digits")).collect();
    let mut m = vec![1, 1, 6, 0, 0x70, 0x68, 0x6f, kind, 0, 0, 0, 0];
    m.extend(ciaddr.octets());
    m.resize(24, 0);
    m.extend(giaddr.octets());
    m.extend(mac);
    m.resize(236, 0);
    m.extend([99, 130, 83, 99, 53, 1, kind, 55, 2, 66, 43, 255]);
    m.resize(300, 0);
    m
}
