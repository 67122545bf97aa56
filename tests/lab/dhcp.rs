//! DHCP option 66 as phones get it: real clients with phones' MACs, the real dnsmasq with the file that
//! `phoneprov dhcp apply` wrote, and the bytes of the cable.

use crate::build::{Lab, Test};
use crate::dhcp_client::{words, Ask, Client, Lease, CLIENTS, PROGRAMS};
use crate::dhcp_packet::{inner, shown, Capture, Packet, OFFER};
use crate::dhcpd::{Dhcpd, Spec};
use crate::{bodies, say};
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// What a phone of this MAC is told.
struct Told {
    mac: &'static str,
    name: &'static str,
    /// Option 66; none for a stranger.
    url: Option<&'static str>,
    /// And option 43.
    more: More,
    /// What the phone makes of the URL when it fetches its config.
    fetches: fn(&str, &str) -> String,
}

/// What is in option 43.
#[derive(PartialEq)]
enum More {
    Nothing,
    /// The URL again, as it is.
    Url,
    /// Sub-option 2, the URL, and 3, one byte of zero.
    Parts,
}

fn snom_fetches(url: &str, mac: &str) -> String {
    url.replace("{mac}", &mac.to_ascii_uppercase())
}

const SNOM_URL: Option<&str> = Some("http://192.168.77.1:8480/snom/settings.php?mac={mac}");

const PHONES: [Told; 5] = [
    Told { mac: "00:04:13:00:00:01", name: "snom", url: SNOM_URL, more: More::Nothing, fetches: snom_fetches },
    Told {
        mac: "1c:71:26:00:00:02",
        name: "snom (new OUI)",
        url: SNOM_URL,
        more: More::Nothing,
        fetches: snom_fetches,
    },
    Told {
        mac: "00:08:5d:00:00:03",
        name: "mitel",
        url: Some("http://192.168.77.1:8480/mitel/mitel"),
        more: More::Parts,
        fetches: |url, mac| format!("{url}/{}.cfg", mac.to_ascii_uppercase()),
    },
    Told {
        mac: "00:15:65:00:00:04",
        name: "yealink",
        url: Some("http://192.168.77.1:8480/yealink/"),
        more: More::Url,
        fetches: |url, mac| format!("{url}{mac}.cfg"),
    },
    Told {
        mac: "02:aa:bb:00:00:05",
        name: "a stranger",
        url: None,
        more: More::Nothing,
        fetches: |_, _| String::new(),
    },
];

/// The router's dnsmasq is told by a file of ours; the phones of [`PHONES`] are plugged in and have no address.
pub fn lab(name: &str) -> Test {
    let mut test = base(name);
    for phone in &PHONES {
        test = test.phone_by_dhcp(phone.mac, "br-lan");
    }
    test
}

/// The same without any phone.
pub fn base(name: &str) -> Test {
    let mut test = Test::new(name)
        .option("dhcp", "dnsmasq")
        .option("dnsmasq_conf", "{dir}/ours.conf")
        .oui("snom", "1c:71:26:*:*:*")
        .vendor("yealink", "00:15:65:*:*:*", "{upstream}/prov/yealink/");
    for program in PROGRAMS {
        test = test.needs(program);
    }
    test
}

/// The file that `dhcp apply` writes, brought up to date.
pub fn apply(t: &Lab) -> PathBuf {
    // the machine's own dnsmasq, should it have one, has no part in this
    let out = t.agent().verb_on_router(&["dhcp", "apply", "--no-reload"]);
    assert!(out.status.success(), "{}", words(&out));
    t.dir().join("ours.conf")
}

/// dnsmasq in the router, with our file or without.
pub fn dnsmasq(t: &Lab, spec: Spec) -> Dhcpd {
    spec.start(t.agent().router(), &t.dir().join("dnsmasq"))
}

/// A packet less what differs from run to run, and less our options.
fn lease_of(packet: &Packet) -> Packet {
    let mut p = packet.clone();
    p.xid = 0;
    p.options.retain(|(number, _)| ![66, 43].contains(number));
    p.options.sort();
    p
}

/// Option 66, and all that 43 holds, for the table.
fn told(packet: &Packet) -> String {
    let mut words = Vec::new();
    if let Some(value) = packet.option(66) {
        words.push(format!("66={}", shown(value)));
    }
    match packet.option(43) {
        Some(whole) if whole.starts_with(b"http") => words.push(format!("43={}", shown(whole))),
        whole => {
            let parts = inner(whole.unwrap_or_default()).into_iter();
            words.extend(parts.map(|(number, value)| format!("43.{number}={}", shown(&value))));
        }
    }
    if words.is_empty() {
        words.push("none of ours".into());
    }
    words.join(" ")
}

/// All phones at once, as after a power cut.
fn lease_each(t: &Lab, ask: &Ask, captures: &[Capture]) -> Vec<Lease> {
    std::thread::scope(|scope| {
        let all: Vec<_> =
            captures.iter().enumerate().map(|(i, c)| scope.spawn(move || ask.lease(t.phone(i), c))).collect();
        all.into_iter().map(|thread| thread.join().expect("a lease")).collect()
    })
}

#[test]
fn each_client_of_each_brand_gets_its_own_url_and_the_same_lease() {
    let Some(t) = lab("dhcp-matrix").needs("curl").start() else { return };
    let yealink =
        format!("#!version:1.0.0.1\naccount.1.user_name = u\naccount.1.password = {}\n", bodies::SIP_PASSWORD);
    t.upstream().put("/prov/yealink/001565000004.cfg", yealink.clone());
    let bodies = [
        Some(t.put_snom(0, "0").0),
        Some(t.put_snom(1, "1").0),
        Some(t.put_mitel(2, "2").0),
        Some(yealink.into_bytes()),
        None,
    ];
    let captures: Vec<Capture> = (0..PHONES.len())
        .map(|i| Capture::start(&t.phone(i).ns, "eth0", &t.dir().join(format!("phone{i}.pcap"))))
        .collect();
    let ours = apply(&t);
    let mut table = String::from("client    phone           asks 66  the router's answer\n");
    let mut cases: Vec<(Client, bool)> = Vec::new();
    for client in CLIENTS {
        cases.extend([(client, true), (client, false)]);
    }
    for (client, asks) in cases {
        let ask = if asks { Ask::by(client).option(66) } else { Ask::by(client) };
        // each with no lease given before, so that a phone's address depends on its MAC alone
        let server = dnsmasq(&t, Spec::lan());
        let without = lease_each(&t, &ask, &captures);
        drop(server);
        let _server = dnsmasq(&t, Spec::lan().file(&ours));
        for (i, (phone, lease)) in PHONES.iter().zip(lease_each(&t, &ask, &captures)).enumerate() {
            let what = format!("{client:?} of {} asking for 66: {asks}", phone.name);
            assert_eq!(lease.asked().contains(&66), asks, "{what}: the client does as the test says");
            let replies = |l: &[Packet]| l.iter().filter(|p| p.op == 2).map(lease_of).collect::<Vec<_>>();
            assert_eq!(replies(&lease.packets), replies(&without[i].packets), "{what}: the lease is as without us");
            assert!(without[i].packets.iter().all(|p| p.option(66).is_none() && p.option(43).is_none()), "{what}");
            let octets = lease.ip().octets();
            assert!(octets[..3] == [192, 168, 77] && (100..200).contains(&octets[3]), "{what}: {}", lease.ip());
            assert!(lease.packets.iter().any(|p| p.kind() == OFFER), "{what}: {:?}", lease.packets);
            // RFC 2132 9.4 has no NUL there; dnsmasq puts one, and phones are used to it (phone-facts 2.3)
            let url = phone.url.map(|u| [u.as_bytes(), &[0]].concat());
            for reply in lease.packets.iter().filter(|p| p.op == 2) {
                assert!(reply.option(66) == url.as_deref(), "{what}: {}", told(reply));
                assert!(reply.sname.iter().chain(&reply.file).all(|b| *b == 0), "{what}: {reply:?}");
                let whole = reply.option(43);
                match phone.more {
                    More::Nothing => assert_eq!(whole, None, "{what}"),
                    More::Url => assert!(whole == phone.url.map(str::as_bytes), "{what}: {}", told(reply)),
                    More::Parts => {
                        let mut parts = inner(whole.unwrap_or_default());
                        parts.sort();
                        let url = phone.url.unwrap_or_default().as_bytes().to_vec();
                        assert_eq!(parts, [(2, url), (3, vec![0])], "{what}: {}", told(reply));
                    }
                }
            }
            table.push_str(&format!(
                "{:<9} {:<15} {:<8} {}\n",
                format!("{client:?}").to_lowercase(),
                phone.name,
                if asks { "yes" } else { "no" },
                told(&lease.ack)
            ));
            if let (Some(url), Some(body)) = (lease.ack.option(66), &bodies[i]) {
                let url = String::from_utf8(url.strip_suffix(&[0]).unwrap_or(url).to_vec()).expect("text");
                let got = t.phone(i).curl(&(phone.fetches)(&url, &t.phone(i).hex()));
                assert_eq!((got.0, &got.1 .0), (200, body), "{what}: {url}");
                assert_eq!(t.agent().entry(phone.mac)["ip"], lease.ip().to_string(), "{what}");
            }
        }
    }
    say(&table);
    // another reader of the same file sees the same
    for (i, phone) in PHONES.iter().enumerate() {
        let seen = captures[i].tshark("dhcp.option.type == 66", &["dhcp.option.tftp_server_name"]);
        assert_eq!(seen.len(), if phone.url.is_some() { 12 } else { 0 }, "{}: {seen:?}", phone.name);
        assert!(seen.iter().all(|s| s.first().map(String::as_str) == phone.url), "{}: {seen:?}", phone.name);
    }
}

/// Two networks of one router and one dnsmasq: 192.168.77.0 on br-lan, 192.168.78.0 on br-guest. The same snom is
/// plugged into each. Gives option 66 of both, and the offers' gateways.
fn two_networks(t: &Lab) -> [(Option<String>, Option<Vec<u8>>); 2] {
    let ours = apply(t);
    let second = Ipv4Addr::new(192, 168, 78, 100);
    let spec = Spec::lan().and("br-guest", second).line("dhcp-option=tag:br-guest,6,192.168.78.1").file(&ours);
    let _server = dnsmasq(t, spec);
    [0, 1].map(|i| {
        let cable = Capture::start(&t.phone(i).ns, "eth0", &t.dir().join(format!("net{i}.pcap")));
        let ack = Ask::by(Client::Udhcpc).option(66).option(43).lease(t.phone(i), &cable).ack;
        assert_eq!(ack.yiaddr.octets()[2], 77 + i as u8, "{ack:?}");
        (ack.option(66).map(shown), ack.option(43).map(<[u8]>::to_vec))
    })
}

#[test]
fn a_network_that_is_not_served_gets_nothing() {
    let test = base("dhcp-guest").bridge("br-guest", Ipv4Addr::new(192, 168, 78, 1));
    let Some(t) =
        test.phone_by_dhcp("00:04:13:00:00:01", "br-lan").phone_by_dhcp("00:04:13:00:00:02", "br-guest").start()
    else {
        return;
    };
    let url = format!("{}\\00", SNOM_URL.expect("there is one"));
    assert_eq!(two_networks(&t), [(Some(url), None), (None, None)]);
}

#[test]
fn each_of_two_networks_gets_its_own_router() {
    let test = base("dhcp-two").bridge("br-guest", Ipv4Addr::new(192, 168, 78, 1)).list("device", "br-guest");
    let test = test.phone_by_dhcp("00:08:5d:00:00:01", "br-lan").phone_by_dhcp("00:08:5d:00:00:02", "br-guest");
    let Some(t) = test.needs("curl").start() else { return };
    let bodies = [t.put_mitel(0, "lan"), t.put_mitel(1, "guest")];
    for (i, (url, whole)) in two_networks(&t).into_iter().enumerate() {
        let expected = format!("http://192.168.{}.1:8480/mitel/mitel", 77 + i);
        assert_eq!(url, Some(format!("{expected}\\00")));
        let parts = inner(&whole.expect("43"));
        let part = |number: u8| parts.iter().filter(|p| p.0 == number).map(|p| shown(&p.1)).collect::<Vec<_>>();
        assert_eq!((part(2), part(3)), (vec![expected.clone()], vec!["\\00".to_string()]), "{parts:?}");
        let got = t.phone(i).curl(&format!("{expected}/{}.cfg", t.phone(i).hex_upper()));
        assert_eq!(got, (200, bodies[i].clone()));
    }
}

/// dnsmasq leaves out what does not fit into the client's packet. What `apply` writes fits, beside the whole lease.
#[test]
fn the_longest_urls_arrive_whole_beside_the_lease() {
    let of = |start: &str, length: usize| format!("{start}{}/", "x".repeat(length - start.len() - 1));
    // as long as `apply` takes them for a brand that is told once, and as the documentation promises for one told twice
    let urls = [of("http://192.168.77.1:8480/snom/", 206), of("http://192.168.77.1:8480/mitel/", 101)];
    let upstream = |url: &str| {
        url.replacen("http://192.168.77.1:8480", "{upstream}", 1).replace("/snom", "").replace("/mitel", "")
    };
    let test = base("dhcp-long")
        .vendor("snom", "00:04:13:*:*:*", &format!("{}?pass={{provpass}}", upstream(&urls[0]).trim_end_matches('/')))
        .vendor("mitel", "00:08:5d:*:*:*", upstream(&urls[1]).trim_end_matches('/'));
    let test = test.phone_by_dhcp("00:04:13:00:00:01", "br-lan").phone_by_dhcp("00:08:5d:00:00:02", "br-lan");
    let Some(t) = test.start() else { return };
    let ours = apply(&t);
    // that promise holds even beside a lease with everything in it
    let plain = || Spec::lan().line("dhcp-option=42,192.168.77.1");
    let full = || plain().line("dhcp-option=42,192.168.77.1,192.168.77.2").line("dhcp-option=119,a.example,b.example");
    let spec = |i: usize| if i == 0 { plain() } else { full() };
    let names = ["snom-000413", "a-phone-with-a-name-of-forty-characters-"];
    for client in CLIENTS {
        for (i, url) in urls.iter().map(|u| u.trim_end_matches('/')).enumerate() {
            let file = t.dir().join(format!("{client:?}-{i}.pcap"));
            let cable = Capture::start(&t.phone(i).ns, "eth0", &file);
            let ask = [12, 15, 28, 42, 43, 66, 119].iter().fold(Ask::by(client), |ask, n| ask.option(*n));
            let ask = ask.hostname(names[i]);
            let server = dnsmasq(&t, spec(i));
            let without = ask.lease(t.phone(i), &cable);
            drop(server);
            let _server = dnsmasq(&t, spec(i).file(&ours));
            let with = ask.lease(t.phone(i), &cable);
            // more options than the packet has room for go into fields that are empty otherwise
            let mut lease = lease_of(&with.ack);
            let overloaded = lease.option(52).is_some();
            lease.options.retain(|(number, _)| *number != 52);
            if overloaded {
                lease.sname.fill(0);
                lease.file.fill(0);
            }
            assert_eq!(lease, lease_of(&without.ack), "{client:?} {i}");
            assert_eq!(with.ack.option(66), Some(&[url.as_bytes(), &[0]].concat()[..]), "{client:?} {i}");
            let part = inner(with.ack.option(43).unwrap_or_default()).into_iter().find(|p| p.0 == 2);
            assert_eq!(part.map(|p| p.1), (i == 1).then(|| url.as_bytes().to_vec()), "{client:?} {i}");
        }
    }
}
