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

/// How a brand's phone looks on the wire. `{mac}` in the texts is the MAC as twelve digits, `{MAC}` in capitals, `{mac:}`
/// and `{MAC-}` with separators.
pub(super) struct Brand {
    pub(super) vendor: &'static str,
    /// In the Event header.
    event_vendor: &'static str,
    model: &'static str,
    version: &'static str,
    sip_agent: &'static str,
    /// HTTP User-Agent.
    agent: &'static str,
    /// What it asks for behind a folder URL, in its order; it needs the last one, the others may be missing.
    files: &'static [&'static str],
}

/// One phone of each brand (phone-facts 1.3, 3.1 and 3.2).
pub(super) const BRANDS: &[Brand] = &[
    Brand {
        vendor: "snom",
        event_vendor: "snom",
        model: "snomD785",
        version: "10.1.169.16",
        sip_agent: "snomD785/10.1.169.16",
        agent: "Mozilla/4.0 (compatible; snomD785-SIP 10.1.169.16 2010.12-00001-gd311851f1 {MAC} SXM:0 UXM:0 UXMC:0)",
        files: &["snomD785.htm", "snomD785-{MAC}.htm"],
    },
    Brand {
        vendor: "mitel",
        event_vendor: "Aastra",
        model: "6869i",
        version: "4.2.0.181",
        sip_agent: "Aastra 6869i/4.2.0.181",
        agent: "Aastra6869i MAC:{MAC-} V:4.2.0.181-SIP",
        files: &["startup.cfg", "{MAC}.cfg"],
    },
    Brand {
        vendor: "yealink",
        event_vendor: "Yealink",
        model: "T46S",
        version: "66.86.0.15",
        sip_agent: "Yealink SIP-T46S 66.86.0.15",
        agent: "Yealink SIP-T46S 66.86.0.15 {mac:}",
        files: &["y000000000066.cfg", "{mac}.cfg"],
    },
    Brand {
        vendor: "grandstream",
        event_vendor: "Grandstream",
        model: "GXP1628",
        version: "1.0.4.138",
        sip_agent: "Grandstream GXP1628 1.0.4.138",
        agent: "Grandstream Model HW GXP1628 SW 1.0.4.138 DevId {mac}",
        files: &["cfg{mac}", "cfg{mac}.xml"],
    },
    Brand {
        vendor: "fanvil",
        event_vendor: "Fanvil",
        model: "X4",
        version: "2.10.2.6887",
        sip_agent: "Fanvil X4 2.10.2.6887",
        agent: "Fanvil X4 2.10.2.6887 {mac}",
        files: &["f0X4hw1.100.cfg", "{mac}.cfg"],
    },
    Brand {
        vendor: "htek",
        event_vendor: "Htek",
        model: "UC903",
        version: "2.0.4.2",
        sip_agent: "Htek UC903 2.0.4.2",
        agent: "Htek UC903 2.0.4.2 {mac:}",
        files: &["cfg{MAC}.xml"],
    },
    Brand {
        vendor: "gigaset",
        event_vendor: "Gigaset",
        model: "N720 DM PRO",
        version: "70.089.00.000.000",
        sip_agent: "Gigaset N720 DM PRO/70.089.00.000.000",
        agent: "Gigaset N720 DM PRO/70.089.00.000.000;{MAC}",
        files: &["{MAC}.xml"],
    },
    Brand {
        vendor: "panasonic",
        event_vendor: "Panasonic",
        model: "KX-UT113",
        version: "01.133",
        sip_agent: "Panasonic-KX-UT113/01.133",
        agent: "Panasonic_KX-UT113/01.133 ({mac})",
        files: &["Config{MAC}.cfg"],
    },
    Brand {
        vendor: "polycom",
        event_vendor: "Polycom",
        model: "VVX 400",
        version: "4.1.4.7430",
        sip_agent: "PolycomVVX-VVX_400-UA/4.1.4.7430",
        agent: "FileTransport PolycomVVX-VVX_400-UA/4.1.4.7430 Type/Application",
        files: &["{mac}.cfg"],
    },
    Brand {
        vendor: "akuvox",
        event_vendor: "Akuvox",
        model: "R29",
        version: "29.30.10.204",
        sip_agent: "Akuvox R29 29.30.10.204",
        agent: "Akuvox R29 29.30.10.204 {mac}",
        files: &["{MAC}.cfg"],
    },
    Brand {
        vendor: "cisco",
        event_vendor: "Cisco",
        model: "SPA508G",
        version: "7.4.4",
        sip_agent: "Cisco/SPA508G-7.4.4",
        agent: "Cisco/SPA508G-7.4.4 ({MAC})(CBT141400UK)",
        files: &["{mac}.cfg"],
    },
];

/// For a vendor section of the admin's own: nothing is known of its phones.
pub(super) const OTHER: Brand = Brand {
    vendor: "other",
    event_vendor: "",
    model: "",
    version: "",
    sip_agent: "",
    agent: "phoneprov-probe {mac}",
    files: &["{mac}.cfg"],
};

fn fill(text: &str, mac: Mac) -> String {
    text.replace("{mac}", &mac.hex())
        .replace("{MAC}", &mac.hex_upper())
        .replace("{mac:}", &mac.to_string())
        .replace("{MAC-}", &mac.join("-", true))
}

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
            // emulators lack these; the address it is bound to, and the system's default of one hop, do nearly always
            let _ = socket.set_multicast_if_v4(&address);
            let _ = socket.set_multicast_ttl_v4(1);
            Ok(socket.into())
        };
        let socket = open().map_err(|e| format!("cannot open a UDP socket on {address}: {e}"))?;
        let port = socket.local_addr().map_or(0, |a| a.port());
        Ok(SoftPhone { mac, brand, socket, source: SocketAddrV4::new(address, port), calls: 0 })
    }

    /// Asks by PnP, answers the NOTIFY, and returns the URL in it.
    pub(super) fn subscribe(&mut self, server: SocketAddrV4, patience: Duration) -> Result<Told, String> {
        self.calls += 1;
        let mac = self.mac.hex_upper();
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
        // a Mitel takes every URL for a folder
        if !told.ends_with('/') && self.brand.vendor != "mitel" {
            return vec![told];
        }
        let folder = told.trim_end_matches('/');
        self.brand.files.iter().map(|f| format!("{folder}/{}", fill(f, self.mac))).collect()
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
        let agent = fill(self.brand.agent, self.mac);
        let request =
            format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        stream.take(bounds::CONFIG_BODY as u64 * 2).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::vendor::{by_name, ALL};

    #[test]
    fn each_brand_is_one_that_the_agent_takes_it_for() {
        let mac = Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]);
        for vendor in ALL {
            let brand = BRANDS.iter().find(|b| b.vendor == vendor.name).unwrap_or(&OTHER);
            assert_eq!(brand.vendor, vendor.name, "probe can be each brand");
            let facts = (vendor.user_agent)(&fill(brand.agent, mac));
            let facts = facts.unwrap_or_else(|| panic!("{}: its User-Agent is not recognised", brand.vendor));
            assert!(facts.model.is_some() && facts.firmware.is_some(), "{}: {facts:?}", brand.vendor);
            assert!((vendor.user_agent)(brand.sip_agent).is_some(), "{}: SIP User-Agent", brand.vendor);
            assert!(vendor.event_vendors.contains(&&*brand.event_vendor.to_ascii_lowercase()), "{}", brand.vendor);
        }
        assert!(BRANDS.iter().all(|b| by_name(b.vendor).is_some()));
    }
}
