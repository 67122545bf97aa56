//! A phone made of software, for `probe` and `demo`: sends the SUBSCRIBE of its brand, takes the NOTIFY, fetches its
//! config.

use crate::bounds;
use crate::core::types::Sha256;
use crate::proto::mac::Mac;
use crate::proto::sip::{phone, Message};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// How a brand's phone looks on the wire.
pub(super) struct Brand {
    pub(super) vendor: &'static str,
    /// In the Event header.
    event_vendor: &'static str,
    model: &'static str,
    version: &'static str,
    /// `{mac}` and friends are not needed: `MAC%3a` and the MAC in this case.
    upper: bool,
    sip_agent: &'static str,
    /// HTTP User-Agent before and after the MAC.
    agent: (&'static str, &'static str, fn(Mac) -> String),
    /// What it asks for behind a folder URL, before its own file.
    pub(super) files: &'static [&'static str],
}

/// One brand for each way that phones behave; others are asked for as snom.
pub(super) const BRANDS: &[Brand] = &[
    Brand {
        vendor: "snom",
        event_vendor: "snom",
        model: "snomD785",
        version: "10.1.169.16",
        upper: true,
        sip_agent: "snomD785/10.1.169.16",
        agent: (
            "Mozilla/4.0 (compatible; snomD785-SIP 10.1.169.16 2010.12-00001-gd311851f1 ",
            " SXM:0 UXM:0 UXMC:0)",
            |mac| mac.hex_upper(),
        ),
        files: &[],
    },
    Brand {
        vendor: "mitel",
        event_vendor: "Aastra",
        model: "6869i",
        version: "4.2.0.181",
        upper: true,
        sip_agent: "Aastra 6869i/4.2.0.181",
        agent: ("Aastra6869i MAC:", " V:4.2.0.181-SIP", |mac| mac.join("-", true)),
        files: &["startup.cfg"],
    },
    Brand {
        vendor: "yealink",
        event_vendor: "Yealink",
        model: "T46S",
        version: "66.86.0.15",
        upper: false,
        sip_agent: "Yealink SIP-T46S 66.86.0.15",
        agent: ("Yealink SIP-T46S 66.86.0.15 ", "", |mac| mac.to_string()),
        files: &["y000000000066.cfg"],
    },
];

pub(super) struct SoftPhone {
    pub(super) mac: Mac,
    pub(super) brand: &'static Brand,
    socket: UdpSocket,
    source: SocketAddrV4,
    calls: u32,
}

/// What came back for a SUBSCRIBE.
pub(super) struct Told {
    pub(super) url: String,
    pub(super) by: SocketAddrV4,
    pub(super) after: Duration,
}

/// What came back for a GET.
pub(super) struct Got {
    pub(super) status: u16,
    /// X-Phoneprov
    pub(super) label: String,
    pub(super) body: Vec<u8>,
    pub(super) sha256: Sha256,
    pub(super) after: Duration,
}

impl SoftPhone {
    /// With its SIP on `address` and any free port.
    pub(super) fn new(brand: &'static Brand, mac: Mac, address: Ipv4Addr) -> Result<SoftPhone, String> {
        let open = || -> std::io::Result<UdpSocket> {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
            socket.bind(&SocketAddr::from((address, 0)).into())?;
            socket.set_multicast_if_v4(&address)?;
            socket.set_multicast_ttl_v4(1)?;
            Ok(socket.into())
        };
        let socket = open().map_err(|e| format!("cannot open a UDP socket on {address}: {e}"))?;
        let port = socket.local_addr().map_or(0, |a| a.port());
        Ok(SoftPhone { mac, brand, socket, source: SocketAddrV4::new(address, port), calls: 0 })
    }

    /// Asks by PnP, answers the NOTIFY, and returns the URL in it.
    pub(super) fn subscribe(&mut self, server: SocketAddrV4, patience: Duration) -> Result<Told, String> {
        self.calls += 1;
        let mac = if self.brand.upper { self.mac.hex_upper() } else { self.mac.hex() };
        let call_id = format!("{}{}@{}", mac, self.calls, self.source.ip());
        let request = phone::Subscribe {
            uri_user: &format!("MAC%3a{mac}"),
            domain: "224.0.1.75",
            vendor: self.brand.event_vendor,
            model: self.brand.model,
            version: self.brand.version,
            user_agent: self.brand.sip_agent,
            source: self.source,
            call_id: &call_id,
            cseq: 1,
            tag: "42054258",
            branch: &format!("z9hG4bK{mac}{}", self.calls),
        };
        let bytes = request.build().map_err(|e| e.to_string())?;
        self.socket.send_to(&bytes, server).map_err(|e| format!("cannot send to {server}: {e}"))?;
        let begin = Instant::now();
        let mut accepted = false;
        let mut buffer = [0u8; bounds::SIP_DATAGRAM];
        loop {
            let left = patience.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Err(match accepted {
                    true => "200 OK came, but no NOTIFY with a URL".to_string(),
                    false => format!("no answer within {} s", patience.as_secs()),
                });
            }
            let _ = self.socket.set_read_timeout(Some(left));
            let Ok((n, SocketAddr::V4(from))) = self.socket.recv_from(&mut buffer) else { continue };
            let Ok(message) = Message::parse(buffer.get(..n).unwrap_or_default()) else { continue };
            if message.call_id() != Ok(&call_id) {
                continue;
            }
            match message.method() {
                None => accepted |= message.code().is_some_and(|c| (200..300).contains(&c)),
                Some("NOTIFY") => {
                    let url = phone::url(&message).map_err(|e| format!("the NOTIFY has no URL: {e}"))?.to_string();
                    if let Ok(ok) = phone::ok(&message, from, "42054258") {
                        let _ = self.socket.send_to(&ok, from);
                    }
                    return Ok(Told { url, by: from, after: begin.elapsed() });
                }
                Some(_) => {}
            }
        }
    }

    /// The URLs the phone fetches, in its order, from the one it was told.
    pub(super) fn urls(&self, told: &str) -> Vec<String> {
        let told = told.replace("{mac}", &self.mac.hex_upper());
        let folder = told.trim_end_matches('/');
        let own = match self.brand.vendor {
            "mitel" => format!("{folder}/{}.cfg", self.mac.hex_upper()),
            "yealink" => format!("{folder}/{}.cfg", self.mac.hex()),
            _ => return vec![told],
        };
        let mut urls: Vec<String> = self.brand.files.iter().map(|f| format!("{folder}/{f}")).collect();
        urls.push(own);
        urls
    }

    /// Fetches a URL as the phone does.
    pub(super) fn get(&self, url: &str, patience: Duration) -> Result<Got, String> {
        let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url} is no http URL"))?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address: SocketAddrV4 = host
            .parse()
            .or_else(|_| format!("{host}:80").parse())
            .map_err(|_| format!("{host} is no address of a router"))?;
        let begin = Instant::now();
        let bytes = self.exchange(address, host, path, patience).map_err(|e| format!("{address}: {e}"))?;
        let mut headers = [httparse::EMPTY_HEADER; bounds::HTTP_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(&bytes) {
            Ok(httparse::Status::Complete(n)) => n,
            _ => return Err(format!("{address} did not answer in HTTP")),
        };
        let body = bytes.get(length..).unwrap_or_default().to_vec();
        let value = |name: &str| {
            let found = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
            found.map(|h| String::from_utf8_lossy(h.value).into_owned())
        };
        if value("content-length").is_some_and(|n| n != body.len().to_string()) {
            return Err(format!("{address}: the answer was cut off after {} bytes", body.len()));
        }
        Ok(Got {
            status: head.code.unwrap_or(0),
            label: value("x-phoneprov").unwrap_or_default(),
            sha256: Sha256::of(&body),
            body,
            after: begin.elapsed(),
        })
    }

    fn exchange(&self, to: SocketAddrV4, host: &str, path: &str, patience: Duration) -> std::io::Result<Vec<u8>> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((*self.source.ip(), 0)).into())?;
        socket.connect_timeout(&SocketAddr::from(to).into(), patience)?;
        let mut stream: TcpStream = socket.into();
        stream.set_read_timeout(Some(patience))?;
        let (before, after, spell) = self.brand.agent;
        let agent = format!("{before}{}{after}", spell(self.mac));
        let request =
            format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        stream.take(bounds::CONFIG_BODY as u64 * 2).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
