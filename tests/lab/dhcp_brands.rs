//! The other brands, with the sections that the package ships: each gets the options that it reads, and a device that
//! shares a prefix with phones gets them only when its class id says that it is one.

use crate::build::Test;
use crate::dhcp::{apply, dnsmasq};
use crate::dhcp_client::{Ask, Client, PROGRAMS};
use crate::dhcp_packet::{shown, Capture};
use crate::dhcpd::Spec;

/// What a client of this MAC and class id is told: (option, text) in the order of their numbers.
struct Case {
    mac: &'static str,
    class: Option<&'static str>,
    told: &'static [(u8, &'static str)],
}

const fn case(mac: &'static str, class: Option<&'static str>, told: &'static [(u8, &'static str)]) -> Case {
    Case { mac, class, told }
}

const CISCO: &[(u8, &str)] =
    &[(66, "http://192.168.77.1:8480/cisco/$MA.cfg\\00"), (160, "http://192.168.77.1:8480/cisco/$MA.cfg")];
const SNOM: &[(u8, &str)] = &[(66, "http://192.168.77.1:8480/snom/settings.php?mac={mac}\\00")];

const CASES: &[Case] = &[
    case(
        "7c:2f:80:00:00:01",
        Some("Gigaset_N510_IP_PRO"),
        &[(66, "http://192.168.77.1:8480/gigaset/\\00"), (114, "http://192.168.77.1:8480/gigaset/")],
    ),
    case(
        "00:04:f2:00:00:02",
        Some("Polycom-VVX400"),
        &[(66, "http://192.168.77.1:8480/polycom/\\00"), (160, "http://192.168.77.1:8480/polycom/")],
    ),
    case("00:80:f0:00:00:03", Some("Panasonic"), &[(66, "http://192.168.77.1:8480/panasonic/Config{MAC}.cfg\\00")]),
    case(
        "0c:38:3e:00:00:04",
        Some("Fanvil X4"),
        &[(43, "http://192.168.77.1:8480/fanvil/"), (66, "http://192.168.77.1:8480/fanvil/\\00")],
    ),
    case("00:1f:c1:00:00:05", None, &[(66, "http://192.168.77.1:8480/htek/\\00")]),
    case("0c:11:05:00:00:06", None, &[(66, "http://192.168.77.1:8480/akuvox/\\00")]),
    // prefixes that phones share with cameras, routers and switches
    case("00:0e:08:00:00:07", Some("Cisco SPA501G"), CISCO),
    case("00:0e:08:00:00:08", Some("LINKSYS SPA-942"), CISCO),
    case("00:0e:08:00:00:09", Some("Cisco AP c1130"), &[]),
    case("00:0e:08:00:00:0a", None, &[]),
    case("00:0b:82:00:00:0b", Some("Grandstream GXP2170"), &[(66, "http://192.168.77.1:8480/grandstream/\\00")]),
    case("00:0b:82:00:00:0c", Some("Grandstream GXV3610"), &[]),
    // a class id alone makes no phone
    case("02:aa:bb:00:00:0d", Some("snomD785"), &[]),
    // `config phone` says what a MAC is, whatever its prefix
    case("02:aa:bb:00:00:0e", None, SNOM),
    case("00:08:5d:00:00:0f", Some("AastraIPPhone6731i"), SNOM),
];

#[test]
fn every_brand_gets_the_options_that_it_reads() {
    let shipped = include_str!("../../openwrt-package/files/phoneprov.config");
    let mut sections = String::new();
    for section in shipped.split("\nconfig ").filter(|s| s.starts_with("vendor ")) {
        if !["'snom'", "'mitel'"].iter().any(|name| section.starts_with(&format!("vendor {name}"))) {
            sections.push_str(&format!("config {}\n", section.replace("option enabled '0'", "option enabled '1'")));
        }
    }
    for mac in ["02:aa:bb:00:00:0e", "00:08:5d:00:00:0f"] {
        sections.push_str(&format!("config phone\n\toption mac '{mac}'\n\toption vendor 'snom'\n"));
    }
    let mut test = Test::new("dhcp-brands").option("dhcp", "dnsmasq").option("dnsmasq_conf", "{dir}/ours.conf");
    test = PROGRAMS.iter().fold(test.config(&sections), |test, program| test.needs(program));
    for case in CASES {
        test = test.phone_by_dhcp(case.mac, "br-lan");
    }
    let Some(t) = test.start() else { return };
    let ours = apply(&t);
    let _server = dnsmasq(&t, Spec::lan().file(&ours));
    for (i, case) in CASES.iter().enumerate() {
        let cable = Capture::start(&t.phone(i).ns, "eth0", &t.dir().join(format!("phone{i}.pcap")));
        for asks in [true, false] {
            let mut ask = Ask::by(Client::Udhcpc);
            for number in [43, 66, 114, 128, 150, 159, 160].into_iter().filter(|_| asks) {
                ask = ask.option(number);
            }
            if let Some(class) = case.class {
                ask = ask.class(class);
            }
            let ack = ask.lease(t.phone(i), &cable).ack;
            let of_a_lease = [1, 3, 6, 15, 28, 51, 53, 54, 58, 59];
            let others = ack.options.iter().filter(|(number, _)| !of_a_lease.contains(number));
            let mut told: Vec<(u8, String)> = others.map(|(number, value)| (*number, shown(value))).collect();
            told.sort();
            let expected: Vec<(u8, String)> = case.told.iter().map(|(n, text)| (*n, text.to_string())).collect();
            assert_eq!(told, expected, "{} {:?}, asking: {asks}", case.mac, case.class);
        }
    }
}
