//! What keeps option 66 from the phones: the agent says so in `status` with what to do, `probe` says it too, and it is
//! said no more when it is mended.

use crate::build::Lab;
use crate::dhcp::{apply, base, dnsmasq};
use crate::dhcp_client::{Ask, Client};
use crate::dhcp_packet::{shown, Capture};
use crate::dhcpd::Spec;
use crate::eventually;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

const SNOM: &str = "00:04:13:00:00:01";
/// The agent looks once in a while.
const SOON: Duration = Duration::from_secs(20);

/// A snom that asks DHCP, and a box at 192.168.77.2 that may serve it.
fn lab(name: &str) -> Option<Lab> {
    base(name).phone_by_dhcp(SNOM, "br-lan").phone_at("02:77:00:00:00:77", "192.168.77.2/24").start()
}

/// `dhcp.troubles` of `status`, one a line.
pub fn troubles(t: &Lab) -> String {
    let status = t.agent().status();
    let all = status["dhcp"]["troubles"].as_array().cloned().unwrap_or_else(|| panic!("{status}"));
    let lines: Vec<&str> = all.iter().filter_map(|t| t.as_str()).collect();
    assert_eq!(status["dhcp"]["state"], if lines.is_empty() { "ok" } else { "trouble" }, "{status}");
    lines.join("\n")
}

/// `status` and `probe`, as people read them, both say all of `words`.
pub fn told(t: &Lab, words: &[&str]) {
    eventually(&format!("status says {words:?}"), SOON, || words.iter().all(|w| troubles(t).contains(w)));
    for verb in [&["status"][..], &["probe", "--vendor", "snom", "--device", "br-lan"]] {
        let out = t.agent().verb_on_router(verb);
        let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(words.iter().all(|w| text.contains(w)), "{verb:?} says {words:?}: {text}");
    }
}

pub fn untold(t: &Lab) {
    eventually(&format!("nothing is wrong any more: {}", troubles(t)), SOON, || troubles(t).is_empty());
    let status = t.agent().verb_on_router(&["status"]);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(!text.contains("dhcp apply") && !text.contains("port 67"), "{text}");
}

/// Option 66 of a new lease.
fn url(t: &Lab) -> String {
    let cable = Capture::start(&t.phone(0).ns, "eth0", &t.dir().join(format!("{}.pcap", crate::netns::serial())));
    let ack = Ask::by(Client::Udhcpc).option(66).lease(t.phone(0), &cable).ack;
    shown(ack.option(66).unwrap_or_default())
}

#[test]
fn the_router_has_a_new_address() {
    let Some(t) = lab("dhcp-moved") else { return };
    let ours = apply(&t);
    let server = dnsmasq(&t, Spec::lan().file(&ours));
    assert!(url(&t).starts_with("http://192.168.77.1:8480/"));
    untold(&t);
    let router = t.agent().router();
    router.ip("addr add 192.168.77.9/24 dev br-lan");
    router.ip("addr del 192.168.77.1/24 dev br-lan");
    // deleting the first address of a subnet may take the others along, as the kernel's settings have it
    if !router.ip("-4 addr show dev br-lan").contains("192.168.77.9/24") {
        router.ip("addr add 192.168.77.9/24 dev br-lan");
    }
    told(&t, &["phoneprov dhcp apply"]);
    drop(server);
    let ours = apply(&t);
    let _server = dnsmasq(&t, Spec::lan().file(&ours));
    assert!(url(&t).starts_with("http://192.168.77.9:8480/snom/settings.php"), "{}", url(&t));
    untold(&t);
}

#[test]
fn dnsmasq_is_not_running() {
    let Some(t) = lab("dhcp-none") else { return };
    let ours = apply(&t);
    told(&t, &["UDP port 67", "start dnsmasq"]);
    let server = dnsmasq(&t, Spec::lan().file(&ours));
    untold(&t);
    drop(server);
    // while nothing is wrong it looks once a minute, and after a reload at once
    let _ = Command::new("kill").args(["-HUP", &t.agent().pid().to_string()]).status();
    told(&t, &["UDP port 67", "start dnsmasq"]);
}

#[test]
fn nothing_was_applied_yet() {
    let Some(t) = lab("dhcp-unapplied") else { return };
    let _server = dnsmasq(&t, Spec::lan());
    told(&t, &["phoneprov dhcp apply"]);
    apply(&t);
    untold(&t);
}

#[test]
fn another_server_answers() {
    let Some(t) = lab("dhcp-foreign") else { return };
    let ours = apply(&t);
    let own = dnsmasq(&t, Spec::lan().file(&ours));
    untold(&t);
    // the quicker one wins where both are there: here it shall be the other one
    drop(own);
    let spec = Spec::on("eth0", Ipv4Addr::new(192, 168, 77, 100)).line("dhcp-option=66,\"http://192.168.77.2/\"");
    let other = spec.start(&t.phone(1).ns, &t.dir().join("box"));
    assert_eq!(url(&t), "http://192.168.77.2/\\00");
    told(&t, &["192.168.77.2", "br-lan", "responder"]);
    drop(other);
    let _own = dnsmasq(&t, Spec::lan().file(&ours));
    // it is remembered for hours; an agent that starts anew knows nothing of it
    t.agent().restart();
    assert!(url(&t).starts_with("http://192.168.77.1:8480/"));
    untold(&t);
}
