//! The agent looks on when phones ask for an address, whoever gives it, and so knows them before they ask for a config.

use crate::agent::binary;
use crate::build::{Lab, Test};
use crate::dhcp::{apply, base, dnsmasq};
use crate::dhcp_client::{Ask, Client};
use crate::dhcp_packet::Capture;
use crate::dhcpd::Spec;
use crate::eventually;
use serde_json::Value;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

const SNOM: &str = "00:04:13:00:00:01";
const MITEL: &str = "00:08:5d:00:00:02";
const STRANGER: &str = "02:aa:bb:00:00:03";

fn lab(name: &str, mode: &str) -> Option<Lab> {
    phones(base(name).option("dhcp", mode)).start()
}

fn phones(test: Test) -> Test {
    let test = test.phone_by_dhcp(SNOM, "br-lan").phone_by_dhcp(MITEL, "br-lan").phone_by_dhcp(STRANGER, "br-lan");
    test.phone_at("02:77:00:00:00:77", "192.168.77.2/24")
}

/// Phone `i` gets an address as `ask` says. Gives it.
fn lease(t: &Lab, i: usize, ask: &Ask) -> Ipv4Addr {
    let cable = Capture::start(&t.phone(i).ns, "eth0", &t.dir().join(format!("{}.pcap", crate::netns::serial())));
    ask.lease(t.phone(i), &cable).ip()
}

/// Waits until the phone is known with this address, and gives its entry.
fn known(t: &Lab, mac: &str, ip: Ipv4Addr) -> Value {
    eventually(&format!("{mac} is known at {ip}"), Duration::from_secs(3), || {
        t.agent().entry(mac)["ip"] == ip.to_string()
    });
    t.agent().entry(mac)
}

/// What OpenWrt's dnsmasq runs for each lease, as a STAND-IN: names of the environment as its dhcp-script.sh gives them,
/// then the hook in busybox ash, which finds the program and the config where a router has them.
fn hotplug(t: &Lab) -> PathBuf {
    let hook = concat!(env!("CARGO_MANIFEST_DIR"), "/openwrt-package/files/phoneprov.hotplug-dhcp");
    let root = format!(
        "mount -t tmpfs lab /usr/sbin && ln -s {} /usr/sbin/phoneprov && \
         mount -t tmpfs lab /etc && mkdir /etc/config && ln -s {} /etc/config/phoneprov",
        binary().display(),
        t.agent().config_file().display()
    );
    let text = format!(
        "#!/bin/sh\ncase $1 in add) ACTION=add;; old) ACTION=update;; del) ACTION=remove;; *) exit 0;; esac\n\
         export ACTION MACADDR=\"$2\" IPADDR=\"$3\" HOSTNAME=\"$4\"\n\
         exec unshare -m sh -ec '{root} && exec busybox ash -c \". {hook}\"'\n"
    );
    crate::dhcp_client::script(t.dir(), &text)
}

/// With raw sockets forbidden the hook is the only source.
#[test]
fn the_hook_of_the_routers_own_server() {
    let test = phones(base("dhcp-hook")).without_capability("net_raw").needs("busybox").needs("setpriv");
    let Some(t) = test.start() else { return };
    let ours = apply(&t);
    let spec = Spec::lan().file(&ours).line(&format!("dhcp-script={}", hotplug(&t).display()));
    let _server = dnsmasq(&t, spec);
    let trouble = crate::dhcp_troubles::troubles(&t);
    assert!(trouble.contains("br-lan"), "it says what it cannot do: {trouble}");

    let ip = lease(&t, 0, &Ask::by(Client::Dhclient).hostname("reception").class("snomD785"));
    let entry = known(&t, SNOM, ip);
    assert_eq!(
        (&entry["vendor"], &entry["hostname"], &entry["model"], &entry["seen_by"]),
        (&"snom".into(), &"reception".into(), &"D785".into(), &serde_json::json!(["dhcp"])),
        "{entry}"
    );
    lease(&t, 2, &Ask::by(Client::Dhclient).hostname("laptop").class("MSFT 5.0"));
    // words of the client that no shell may take for its own
    let made = t.dir().join("made-by-a-client");
    let class = format!("x';touch {0};$(touch {0})`touch {0}`", made.display());
    let ip = lease(&t, 1, &Ask::by(Client::Udhcpc).class(&class));
    assert_eq!(known(&t, MITEL, ip)["vendor"], "mitel");
    assert!(!made.exists(), "a client's words were run");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(t.agent().phones()["phones"].as_array().map(Vec::len), Some(2), "the stranger is not there");
}

fn watched(t: &Lab) {
    let ip = lease(t, 0, &Ask::by(Client::Dhclient).hostname("reception").class("snomD785"));
    let entry = known(t, SNOM, ip);
    assert_eq!(entry["vendor"], "snom", "{entry}");
    assert_eq!(entry["hostname"], "reception", "{entry}");
    assert_eq!(entry["model"], "D785", "as its User-Agent would have it: {entry}");
    assert_eq!(entry["seen_by"], serde_json::json!(["dhcp"]), "{entry}");
    assert!(entry["first_seen"].as_u64() > Some(1_600_000_000), "{entry}");

    let ip = lease(t, 1, &Ask::by(Client::Udhcpc).class("AastraIPPhone6731i"));
    let entry = known(t, MITEL, ip);
    assert_eq!((&entry["vendor"], &entry["model"]), (&"mitel".into(), &"6731i".into()), "{entry}");
    assert_eq!(entry["hostname"], Value::Null, "{entry}");

    // a phone with a new name, by another program
    let ip = lease(t, 0, &Ask::by(Client::Dhcpcd).hostname("desk-2").class("snomD785"));
    known(t, SNOM, ip);
    eventually("the new name", Duration::from_secs(3), || t.agent().entry(SNOM)["hostname"] == "desk-2");

    // no phone, whatever it calls itself
    lease(t, 2, &Ask::by(Client::Dhclient).hostname("laptop").class("MSFT 5.0"));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(t.agent().entry(STRANGER), Value::Null);
    assert_eq!(t.agent().phones()["phones"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_lease_of_the_routers_own_server() {
    let Some(t) = lab("dhcp-watch-own", "dnsmasq") else { return };
    let ours = apply(&t);
    let _server = dnsmasq(&t, Spec::lan().file(&ours));
    watched(&t);
}

#[test]
fn a_lease_of_another_box() {
    let Some(t) = lab("dhcp-watch-other", "responder") else { return };
    let spec = Spec::on("eth0", Ipv4Addr::new(192, 168, 77, 100));
    let _server = spec.start(&t.phone(3).ns, &t.dir().join("box"));
    watched(&t);
}
