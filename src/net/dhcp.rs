//! One raw socket for each served device, to hear DHCP whoever serves it, and to answer as a server does: to a phone
//! by its MAC, whatever the neighbour table says.

use crate::bounds;
use crate::config::{Config, DhcpMode};
use crate::core::agent::Device;
use crate::net::mailbox::{Letter, Mailbox};
use crate::proto::dhcp::{filter, Frame, SERVER};
use crate::proto::mac::Mac;
use pnet_datalink::Channel;
use socket2::{Domain, SockFilter, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Frames of one device before it is the others' turn.
pub(crate) const TURN: usize = 64;

/// How often it is looked at whether the router's own DHCP server does its part.
const CHECK: Duration = Duration::from_secs(60);
/// And how often while it does not: whoever mends it wants to see that it is mended.
const CHECK_TROUBLE: Duration = Duration::from_secs(5);

/// Reads that server's settings: what keeps phones on these devices from being told, a sentence each.
pub type Settings = Arc<dyn Fn(&Config, &[Device]) -> Vec<String> + Send + Sync>;

/// The sockets of all devices, and what is wrong.
#[derive(Default)]
pub(crate) struct Watch {
    taps: Vec<Option<Tap>>,
    /// Why some device has none.
    closed: Vec<String>,
    /// What the last look at the router's own server found.
    found: Vec<String>,
    /// Is there anything to look at?
    wanted: bool,
    checked: Option<Instant>,
    checking: bool,
}

impl Watch {
    /// One for each device, in their order.
    pub(crate) fn taps(&self) -> &[Option<Tap>] {
        &self.taps
    }

    /// All that is wrong, a sentence each.
    pub(crate) fn troubles(&self) -> Vec<String> {
        self.closed.iter().chain(&self.found).cloned().collect()
    }

    /// Opens what is missing for these devices; sockets of devices that are as they were `before` stay. None on
    /// loopback (the demo).
    pub(crate) fn open(&mut self, devices: &[Device], before: &[Device], mode: DhcpMode) {
        let mut old = std::mem::take(&mut self.taps);
        self.closed.clear();
        let served = |d: &Device| mode != DhcpMode::Off && d.addresses.iter().any(|(ip, _)| !ip.is_loopback());
        for (i, device) in devices.iter().enumerate() {
            let kept = if before.get(i) == Some(device) { old.get_mut(i).and_then(Option::take) } else { None };
            let tap = match kept {
                _ if !served(device) => None,
                Some(tap) => Some(tap),
                None => Tap::open(device).map_err(|e| self.closed.push(trouble(&device.name, &e))).ok(),
            };
            self.taps.push(tap);
        }
        self.wanted = mode == DhcpMode::Dnsmasq && devices.iter().any(served);
        if !self.wanted {
            self.found.clear();
        }
        self.checked = None;
    }

    /// Looks at the router's own server when it is time: in a thread, since it reads files, which reports by a
    /// [`Letter::DhcpChecked`]. True: there are sockets to be tried again.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        mailbox: &Mailbox,
        settings: Option<&Settings>,
        config: &Config,
        devices: &[Device],
    ) -> bool {
        let pause = if self.found.is_empty() { CHECK } else { CHECK_TROUBLE };
        let young = self.checked.is_some_and(|at| now.saturating_duration_since(at) < pause);
        if young || self.checking {
            return false;
        }
        let again = self.checked.is_some() && !self.closed.is_empty();
        self.checked = Some(now);
        if self.wanted {
            let post = mailbox.post();
            let settings = settings.map(|read| (Arc::clone(read), config.clone(), devices.to_vec()));
            let look = move || {
                let mut found: Vec<String> = nobody_serves().into_iter().collect();
                if let Some((read, config, devices)) = settings {
                    found.extend(read(&config, &devices));
                }
                post.send(Letter::DhcpChecked(found));
            };
            self.checking = std::thread::Builder::new().name("dhcp".into()).spawn(look).is_ok();
        }
        again
    }

    /// The thread has reported.
    pub(crate) fn checked(&mut self, found: Vec<String>) {
        self.checking = false;
        self.found = if self.wanted { found } else { Vec::new() };
    }
}

/// The socket, and whose frames are sent by it.
pub(crate) struct Tap {
    socket: Socket,
    mac: Mac,
}

impl Tap {
    /// Opens it. Needs CAP_NET_RAW.
    fn open(device: &Device) -> io::Result<Tap> {
        let gone = || io::Error::new(ErrorKind::NotFound, "the device is not there any more");
        let interface = pnet_datalink::interfaces().into_iter().find(|i| i.name == device.name).ok_or_else(gone)?;
        let mac = interface.mac.ok_or_else(|| io::Error::new(ErrorKind::Unsupported, "the device has no MAC"))?;
        // Protocol 0 hears nothing. So the filter is there before the first packet, and nothing else ever gets in.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        let program: Vec<SockFilter> =
            filter::PROGRAM.iter().map(|(code, yes, no, k)| SockFilter::new(*code, *yes, *no, *k)).collect();
        socket.attach_filter(&program)?;
        socket.set_recv_buffer_size(bounds::DHCP_KERNEL_BUFFER)?;
        // pnet ties what it is given to the device, and closes it, when it fails too. Its own ways to read and write
        // would wait in the middle of the loop.
        let config = pnet_datalink::Config {
            socket_fd: Some(socket.try_clone()?.into_raw_fd()),
            promiscuous: false,
            read_buffer_size: 0,
            write_buffer_size: 0,
            ..pnet_datalink::Config::default()
        };
        match pnet_datalink::channel(&interface, config)? {
            Channel::Ethernet(..) => {}
            _ => return Err(io::Error::new(ErrorKind::Unsupported, "the device is no Ethernet")),
        }
        socket.set_nonblocking(true)?;
        Ok(Tap { socket, mac: Mac(mac.octets()) })
    }

    /// One frame, if there is one; what is longer than the buffer is cut off, which its reader notices.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Option<usize> {
        loop {
            match (&self.socket).read(buffer) {
                Ok(n) => return Some(n),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // also the one report that the device went down: it is heard again when it is back
                Err(_) => return None,
            }
        }
    }

    /// Sends a message in a frame of this device.
    pub(crate) fn send(&self, to_mac: Mac, from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> io::Result<()> {
        let frame = Frame { from_mac: self.mac, to_mac, from, to, payload };
        let bytes = frame.build().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "too large"))?;
        (&self.socket).write(&bytes).map(|_| ())
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Why a device is not heard, for the admin.
fn trouble(device: &str, e: &io::Error) -> String {
    let hint = match e.kind() {
        ErrorKind::PermissionDenied => "; run the agent as root, or give it CAP_NET_RAW",
        _ => "",
    };
    format!("DHCP on {device} is neither seen nor answered: no raw socket: {e}{hint}")
}

/// What `/proc/net/udp` says of `option dhcp 'dnsmasq'`: a sentence when no program here serves DHCP.
fn nobody_serves() -> Option<String> {
    let table = std::fs::read_to_string("/proc/net/udp").ok()?;
    (!listens(&table, SERVER)).then(|| {
        "no program on this router serves DHCP (UDP port 67), so phones get no option 66 from it: start dnsmasq, or \
         set option dhcp 'responder' where another box serves DHCP, or 'off'"
            .to_string()
    })
}

/// `sl local_address rem_address …`; addresses as `0100007F:0043`.
fn listens(table: &str, port: u16) -> bool {
    let port = format!("{port:04X}");
    table.lines().skip(1).any(|line| {
        let local = line.split_whitespace().nth(1).and_then(|address| address.split_once(':'));
        local.is_some_and(|(_, p)| p == port)
    })
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn who_listens() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout\n\
                     1234: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 77\n\
                     1235: 0100007F:0035 0100007F:0044 07 00000000:00000000 00:00000000 00000000     0        0 78\n\
                     junk\n";
        assert!(listens(table, 67) && listens(table, 53));
        assert!(!listens(table, 68) && !listens(table, 0x44) && !listens("", 67));
    }
}
