//! A phone's network card: whole Ethernet frames out and in, and DHCP messages to put in them.

use crate::netns::Ns;
use phoneprov::proto::dhcp::Frame;
use phoneprov::proto::mac::Mac;
use pnet_datalink::{Channel, Config, DataLinkReceiver, DataLinkSender};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

/// A raw socket on `eth0`.
pub struct Card {
    pub mac: Mac,
    sender: Box<dyn DataLinkSender>,
    receiver: Box<dyn DataLinkReceiver>,
}

impl Card {
    pub fn of(ns: &Ns) -> Card {
        ns.inside(|| {
            let eth0 = pnet_datalink::interfaces().into_iter().find(|i| i.name == "eth0").expect("eth0");
            let config =
                Config { read_timeout: Some(Duration::from_millis(50)), promiscuous: false, ..Config::default() };
            match pnet_datalink::channel(&eth0, config) {
                Ok(Channel::Ethernet(sender, receiver)) => {
                    Card { mac: Mac(eth0.mac.expect("a MAC").octets()), sender, receiver }
                }
                Ok(_) => panic!("no Ethernet"),
                Err(e) => panic!("{e}"),
            }
        })
    }

    pub fn send(&mut self, frame: &[u8]) {
        self.sender.send_to(frame, None).expect("room").expect("sent");
    }

    /// DHCP messages for a client that come within `how_long`: the frame's bytes.
    pub fn receive(&mut self, how_long: Duration) -> Vec<Vec<u8>> {
        let begin = Instant::now();
        let mut all = Vec::new();
        while begin.elapsed() < how_long {
            let Ok(bytes) = self.receiver.next() else { continue };
            if Frame::parse(bytes).is_some_and(|f| f.to.port() == 68) {
                all.push(bytes.to_vec());
            }
        }
        all
    }
}

/// A client's DHCP message.
pub fn client(mac: Mac, kind: u8, ciaddr: Ipv4Addr, options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut m = vec![1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0];
    m.extend(ciaddr.octets());
    m.resize(28, 0);
    m.extend(mac.0);
    m.resize(236, 0);
    m.extend([99, 130, 83, 99, 53, 1, kind]);
    for (code, value) in options {
        m.extend([*code, value.len() as u8]);
        m.extend(*value);
    }
    m.push(255);
    m.resize(m.len().max(300), 0);
    m
}

/// In a frame to everybody.
pub fn frame(from_mac: Mac, from: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let (from, to) = (SocketAddrV4::new(from, 68), SocketAddrV4::new(Ipv4Addr::BROADCAST, 67));
    Frame { from_mac, to_mac: Mac([0xff; 6]), from, to, payload }.build().expect("not too large")
}

/// With a VLAN tag.
pub fn tagged(frame: &[u8], tag: u16) -> Vec<u8> {
    let [a, b] = tag.to_be_bytes();
    [&frame[..12], &[0x81, 0, a, b], &frame[12..]].concat()
}
