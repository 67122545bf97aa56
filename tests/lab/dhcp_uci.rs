//! The form of OpenWrt: `dhcp apply` writes sections into /etc/config/dhcp. The router's own script makes directives of
//! them; here a STAND-IN does, by the documented rules of that script (phone-facts 2.4), and the real dnsmasq serves them.

use crate::build::{Lab, Test};
use crate::dhcp::{base, dnsmasq};
use crate::dhcp_client::{words, Ask, Client, CLIENTS};
use crate::dhcp_packet::{Capture, Packet};
use crate::dhcp_troubles::{told, untold};
use crate::dhcpd::{Dhcpd, Spec};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// /etc/config/dhcp as an OpenWrt router has it after the first boot, and a host and a tag of the admin's.
const STOCK: &str = "\nconfig dnsmasq\n\toption domainneeded '1'\n\toption boguspriv '1'\n\toption filterwin2k '0'\n\
\toption localise_queries '1'\n\toption rebind_protection '1'\n\toption rebind_localhost '1'\n\toption local '/lan/'\n\
\toption domain 'lan'\n\toption expandhosts '1'\n\toption nonegcache '0'\n\toption cachesize '1000'\n\
\toption authoritative '1'\n\toption readethers '1'\n\toption leasefile '/tmp/dhcp.leases'\n\
\toption resolvfile '/tmp/resolv.conf.d/resolv.conf.auto'\n\toption nonwildcard '1'\n\toption localservice '1'\n\
\toption ednspacket_max '1232'\n\nconfig dhcp 'lan'\n\toption interface 'lan'\n\toption start '100'\n\
\toption limit '100'\n\toption leasetime '12h'\n\toption dhcpv4 'server'\n\tlist dhcp_option '6,192.168.77.1'\n\n\
config dhcp 'wan'\n\toption interface 'wan'\n\toption ignore '1'\n\nconfig odhcpd 'odhcpd'\n\toption maindhcp '0'\n\
\toption leasefile '/tmp/hosts/odhcpd'\n\toption leasetrigger '/usr/sbin/odhcpd-update'\n\toption loglevel '4'\n\n\
config host\n\toption name 'printer'\n\toption mac '02:aa:bb:00:00:05'\n\toption ip '192.168.77.199'\n\toption tag 'prn'\n\n\
config tag 'prn'\n\tlist dhcp_option '42,192.168.77.9'\n";

/// One section of a UCI file in the form that `uci commit` leaves: type, name, and (option, values).
struct Section {
    kind: String,
    name: String,
    options: Vec<(String, Vec<String>)>,
}

impl Section {
    fn all(text: &str) -> Vec<Section> {
        let bare = |word: &str| {
            let inner = word.trim().strip_prefix('\'').and_then(|w| w.strip_suffix('\'')).unwrap_or(word.trim());
            assert!(!inner.contains('\''), "this reader is of the canonical form only: {word}");
            inner.to_string()
        };
        let mut sections: Vec<Section> = Vec::new();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let (word, rest) = line.split_once(' ').expect("a word and more");
            let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
            if word == "config" {
                sections.push(Section { kind: bare(name), name: bare(value), options: Vec::new() });
                continue;
            }
            assert!(["option", "list"].contains(&word), "{line}");
            let options = &mut sections.last_mut().expect("a section first").options;
            match options.iter_mut().find(|(n, _)| n == name) {
                Some((_, values)) => values.push(bare(value)),
                None => options.push((name.into(), vec![bare(value)])),
            }
        }
        sections
    }

    fn values(&self, name: &str) -> &[String] {
        self.options.iter().find(|(n, _)| n == name).map_or(&[], |(_, v)| v)
    }

    fn value(&self, name: &str) -> &str {
        self.values(name).first().map_or("", |v| v)
    }

    /// As the script's `for o in $option` has them: parted at blanks.
    fn words(&self, name: &str) -> Vec<&str> {
        self.values(name).iter().flat_map(|v| v.split_whitespace()).collect()
    }
}

/// STAND-IN for the translation that OpenWrt's dnsmasq.init does: the sections that matter to DHCP, each as the facts say.
fn directives(uci: &str) -> Vec<String> {
    let mut lines = vec!["port=0".into(), "user=root".into(), "no-ping".into(), "log-dhcp".into()];
    lines.push("bind-dynamic".to_string());
    for s in Section::all(uci) {
        match s.kind.as_str() {
            "dnsmasq" => {
                lines.push(format!("domain={}", s.value("domain")));
                lines.extend((s.value("authoritative") == "1").then(|| "dhcp-authoritative".to_string()));
            }
            "dhcp" if s.value("ignore") != "1" => {
                let network = s.value("interface");
                assert_eq!(network, "lan", "the only network of this lab");
                let start: u8 = s.value("start").parse().expect("start");
                let last = start + s.value("limit").parse::<u8>().expect("limit") - 1;
                let lease = s.value("leasetime");
                lines.push("interface=br-lan".into());
                lines.push(format!(
                    "dhcp-range=set:{network},192.168.77.{start},192.168.77.{last},255.255.255.0,{lease}"
                ));
                lines.extend(s.words("dhcp_option").iter().map(|o| format!("dhcp-option={network},{o}")));
            }
            "host" => {
                let tag = s.value("tag");
                lines.push(format!("dhcp-host={},set:{tag},{},{}", s.value("mac"), s.value("ip"), s.value("name")));
            }
            "mac" => {
                let network = s.value("networkid");
                // `config_get` of a list gives its values parted by blanks: two MACs in one section would be one wrong one
                let mac = s.values("mac").join(" ");
                lines.push(format!("dhcp-mac={network},{mac}"));
                // no force here
                lines.extend(s.words("dhcp_option").iter().map(|o| format!("dhcp-option={network},{o}")));
            }
            "tag" => {
                let force = if s.value("force") == "1" { "-force" } else { "" };
                lines.extend(s.words("dhcp_option").iter().map(|o| format!("dhcp-option{force}=tag:{},{o}", s.name)));
            }
            "vendorclass" => {
                let network = s.value("networkid");
                lines.push(format!("dhcp-vendorclass={network},{}", s.value("vendorclass")));
            }
            "match" => lines.push(format!("dhcp-match={},{}", s.value("networkid"), s.value("match"))),
            "odhcpd" | "dhcp" => {}
            other => panic!("`config {other}`: this stand-in does not know what the router's script makes of it"),
        }
    }
    lines
}

struct Router {
    t: Lab,
    uci: PathBuf,
}

impl Router {
    fn start(test: Test) -> Option<Router> {
        let t = test.option("dnsmasq_conf", "").network_lan().uci("dhcp", STOCK).start()?;
        let uci = t.dir().join("config");
        Some(Router { t, uci })
    }

    fn dhcp(&self, what: &str) {
        let folder = self.uci.display().to_string();
        let out = self.t.agent().verb_on_router(&["dhcp", what, "--no-reload", "--uci", &folder]);
        assert!(out.status.success(), "dhcp {what}: {}", words(&out));
    }

    /// What an admin does to the file.
    fn edit(&self, from: &str, to: &str) {
        let before = self.text();
        assert!(before.contains(from), "{from}: {before}");
        fs::write(self.uci.join("dhcp"), before.replacen(from, to, 1)).expect("written");
    }

    fn text(&self) -> String {
        fs::read_to_string(self.uci.join("dhcp")).expect("the file")
    }

    /// dnsmasq as the router would have it started.
    fn dnsmasq(&self) -> Dhcpd {
        let spec = directives(&self.text()).iter().fold(Spec::empty(), |spec, line| spec.line(line));
        dnsmasq(&self.t, spec)
    }
}

/// The options that are ours, of an answer.
fn ours(packet: &Packet) -> Vec<(u8, Vec<u8>)> {
    let mut all: Vec<_> =
        packet.options.iter().filter(|(n, _)| [43, 66, 114, 128, 150, 159, 160].contains(n)).cloned().collect();
    all.sort();
    all
}

#[test]
fn the_routers_own_form_tells_phones_the_same_bytes() {
    let mut test = base("dhcp-uci");
    let phones =
        ["00:04:13:00:00:01", "1c:71:26:00:00:02", "00:08:5d:00:00:03", "00:15:65:00:00:04", "02:aa:bb:00:00:05"];
    for mac in phones {
        test = test.phone_by_dhcp(mac, "br-lan");
    }
    let Some(router) = Router::start(test) else { return };
    let t = &router.t;
    router.dhcp("apply");
    let applied = router.text();
    assert_ne!(applied, STOCK);
    assert!(STOCK.lines().all(|l| applied.lines().any(|a| a == l)), "the admin's lines stay:\n{applied}");
    router.dhcp("apply");
    assert_eq!(router.text(), applied, "the second one changes nothing");

    let cables: Vec<Capture> = (0..phones.len())
        .map(|i| Capture::start(&t.phone(i).ns, "eth0", &t.dir().join(format!("phone{i}.pcap"))))
        .collect();
    let lease = |i: usize, ask: &Ask| ask.lease(t.phone(i), &cables[i]).ack;
    for client in CLIENTS {
        for ask in [Ask::by(client), Ask::by(client).option(66).option(43)] {
            let server = router.dnsmasq();
            let by_uci: Vec<Packet> = (0..phones.len()).map(|i| lease(i, &ask)).collect();
            drop(server);
            let _server = plain(t);
            for (i, ack) in by_uci.iter().enumerate() {
                let plain = lease(i, &ask);
                assert_eq!(ours(ack), ours(&plain), "{client:?} of {}: both forms tell the same bytes", phones[i]);
                assert_eq!(ours(ack).is_empty(), i == 4, "{client:?} of {}: {ack:?}", phones[i]);
                assert_eq!(ack.option(51), Some(&(12 * 3600u32).to_be_bytes()[..]), "the router's own lease time");
            }
            // the admin's own host and tag work on: asked for, his NTP server; here, his address
            assert_eq!(by_uci[4].yiaddr.octets(), [192, 168, 77, 199], "{client:?}");
        }
    }

    router.dhcp("remove");
    assert_eq!(router.text(), STOCK, "as it was, byte for byte");
    let _server = router.dnsmasq();
    let ack = lease(0, &Ask::by(Client::Udhcpc).option(66));
    assert_eq!(ours(&ack), [], "and phones are told nothing");
}

/// dnsmasq with the directives of the plain form.
fn plain(t: &Lab) -> Dhcpd {
    let out = t.agent().verb_on_router(&["dhcp", "print", "dnsmasq", "--device", "br-lan"]);
    assert!(out.status.success(), "{}", words(&out));
    let file = t.dir().join("ours.conf");
    fs::write(&file, out.stdout).expect("written");
    dnsmasq(t, Spec::lan().lease("12h").file(&file))
}

#[test]
fn what_is_wrong_with_the_sections_is_told() {
    let Some(router) = Router::start(base("dhcp-uci-troubles").phone_at("02:77:00:00:00:77", "192.168.77.2/24")) else {
        return;
    };
    let t = &router.t;
    let _server = router.dnsmasq();
    told(t, &["has no sections of phoneprov", "run phoneprov dhcp apply"]);
    router.dhcp("apply");
    untold(t);
    // while nothing is wrong it looks once a minute, and after a reload at once
    let look = || {
        let _ = Command::new("kill").args(["-HUP", &t.agent().pid().to_string()]).status();
    };
    router.edit("settings.php", "settings.old");
    look();
    told(t, &["not what the config says", "run phoneprov dhcp apply"]);
    router.dhcp("apply");
    untold(t);
    router.edit("http://192.168.77.1", "http://192.168.77.8");
    look();
    told(t, &["192.168.77.8", "the router is 192.168.77.1 on br-lan now", "run phoneprov dhcp apply"]);
    router.dhcp("apply");
    untold(t);
    router.edit("option maindhcp '0'", "option maindhcp '1'");
    look();
    told(t, &["odhcpd", "maindhcp '0'"]);
    router.edit("option maindhcp '1'", "option maindhcp '0'");
    untold(t);
    router.edit("option interface 'lan'", "option interface 'lan'\n\toption ignore '1'");
    look();
    told(t, &["DHCP is off on network 'lan'", "responder"]);
    router.edit("\n\toption ignore '1'", "");
    untold(t);
}
