use super::*;
use crate::config::{self, Config};
use crate::openwrt::sections;
use crate::proto::mac::{Mac, MacPattern};
use crate::proto::uci::{self, Section};
use crate::vendor::{self, detect, Active, Detected, Evidence};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;

fn config(text: &str) -> Config {
    let text = format!(
        "config agent 'main'\n\toption enabled 1\n\tlist network lan\n\toption upstream 'http://p.example'\n{text}"
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("phoneprov");
    std::fs::write(&path, &text).unwrap();
    match config::load(&path, &config::known_vendors()) {
        Ok(loaded) => loaded.config,
        Err(problems) => panic!("{problems}\n{text}"),
    }
}

fn served() -> Vec<Served> {
    let one = |device: &str, network: &str, address| Served {
        device: device.into(),
        network: Some(network.into()),
        address: Ipv4Addr::from(address),
    };
    vec![one("br-lan", "lan", [192, 168, 1, 1]), one("br-guest", "guest", [10, 0, 0, 1])]
}

fn vendor(name: &str, more: &str) -> String {
    format!("config vendor '{name}'\n\toption enabled 1\n{more}")
}

/// A request as dnsmasq sees it.
struct Request<'a> {
    mac: Mac,
    device: &'a str,
    class: &'a str,
}

/// What dnsmasq would send of these directives, by its rules (phone-facts 2.3): all tags that match are set, the device's
/// name is one; a value is sent when each of its tags is set, and none of those with `!`; of values for one option the
/// last line wins. `option → value`.
fn sent(directives: &[String], request: &Request) -> HashMap<String, String> {
    let mut tags: BTreeSet<&str> = BTreeSet::from([request.device]);
    for line in directives {
        let (what, value) = line.split_once('=').unwrap();
        let (tag, value) = value.split_once(',').unwrap();
        let tag = tag.trim_start_matches("set:");
        let set = match what {
            "dhcp-mac" => value.split(':').zip(request.mac.0).all(|(p, b)| p == "*" || p == format!("{b:02x}")),
            "dhcp-vendorclass" => request.class.contains(value),
            _ => continue,
        };
        if set {
            tags.insert(tag);
        }
    }
    let mut out = HashMap::new();
    for line in directives.iter().filter_map(|l| l.strip_prefix("dhcp-option-force=")) {
        let mut rest = line;
        let mut all = true;
        while let Some((tag, after)) = rest.strip_prefix("tag:").and_then(|r| r.split_once(',')) {
            all &= match tag.strip_prefix('!') {
                Some(not) => !tags.contains(not),
                None => tags.contains(tag),
            };
            rest = after;
        }
        let at = rest.find(",\"").or(rest.rfind(',')).unwrap();
        if all {
            out.insert(rest[..at].to_string(), rest[at + 1..].trim_matches('"').to_string());
        }
    }
    out
}

fn url(directives: &[String], mac: &str, device: &str, class: &str) -> Option<String> {
    let request = Request { mac: Mac::parse(mac).unwrap(), device, class };
    sent(directives, &request).remove("66")
}

#[test]
fn each_phone_its_own_and_others_nothing() {
    let config = config(&[vendor("snom", ""), vendor("mitel", ""), vendor("gigaset", "")].concat());
    let plan = plan(&config, &served());
    assert_eq!((plan.refused.as_slice(), plan.vendors()), (&[][..], vec!["snom", "mitel", "gigaset"]));
    let all = plan.directives();
    let snom = |router| Some(format!("http://{router}:8480/snom/settings.php?mac={{mac}}"));
    assert_eq!(url(&all, "000413000001", "br-lan", ""), snom("192.168.1.1"));
    assert_eq!(url(&all, "1c7126000001", "br-guest", "anything"), snom("10.0.0.1"));
    assert_eq!(url(&all, "000413000001", "br-wan", ""), None);
    assert_eq!(url(&all, "020000000001", "br-lan", "snomD120"), None);
    let mitel = sent(&all, &Request { mac: Mac::parse("00085d000001").unwrap(), device: "br-lan", class: "" });
    let right = [
        ("66", "http://192.168.1.1:8480/mitel/mitel"),
        ("encap:43,2", "http://192.168.1.1:8480/mitel/mitel"),
        ("encap:43,3", "0b"),
    ];
    assert_eq!(mitel, right.map(|(k, v)| (k.to_string(), v.to_string())).into());
    let gigaset = sent(&all, &Request { mac: Mac::parse("7c2f80000001").unwrap(), device: "br-lan", class: "" });
    assert_eq!(gigaset.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(["114", "66"]));
}

#[test]
fn a_pinned_phone_gets_what_its_own_vendor_gets_and_nothing_else() {
    let pin = |mac: &str, vendor: &str| format!("config phone\n\toption mac '{mac}'\n\toption vendor '{vendor}'\n");
    let config = config(
        &[
            vendor("mitel", ""),
            vendor("snom", ""),
            "config vendor 'yealink'\n".into(),
            pin("00:04:13:00:00:01", "mitel"),
            pin("00:08:5d:00:00:01", "snom"),
            pin("00:04:13:00:00:02", "yealink"),
            "config phone\n\toption mac '00:04:13:00:00:03'\n".into(),
        ]
        .concat(),
    );
    let all = plan(&config, &served()).directives();
    let whose = |mac| url(&all, mac, "br-lan", "").map(|u| u.split('/').nth(3).unwrap_or_default().to_string());
    assert_eq!(whose("000413000001").as_deref(), Some("mitel"));
    assert_eq!(whose("00085d000001").as_deref(), Some("snom"));
    // its vendor is switched off
    assert_eq!(whose("000413000002"), None);
    assert_eq!((whose("000413000003").as_deref(), whose("00085d000002").as_deref()), (Some("snom"), Some("mitel")));
    // nothing of the other brand's further options
    let snom = sent(&all, &Request { mac: Mac::parse("00085d000001").unwrap(), device: "br-lan", class: "" });
    assert_eq!(snom.len(), 1, "{snom:?}");
}

#[test]
fn oui_is_not_enough_where_routers_have_it_too() {
    let text = [
        vendor("cisco", "\tlist oui 00:02:fd:*:*:*\n\tlist oui 00:0e:08:00:00:07\n"),
        vendor("snom", "\tlist oui 00:08:7b:*:*:*\n"),
    ];
    let plan = plan(&config(&text.concat()), &served());
    assert_eq!(plan.refused, [] as [&str; 0]);
    let all = plan.directives();
    for (mac, class, told) in [
        ("0002fd000001", "", false),
        ("0002fd000001", "Cisco AP c1240", false),
        ("0002fd000001", "Cisco SPA501G", true),
        ("0002fd000001", "Cisco Systems, Inc. IP Phone CP-7960G", true),
        // the admin's own word for that one
        ("000e08000007", "", true),
        ("000e08000008", "Cisco SPA501G", false),
        ("00087b000001", "", false),
        ("00087b000001", "snomM700", true),
    ] {
        assert_eq!(url(&all, mac, "br-lan", class).is_some(), told, "{mac} {class}");
        // and the agent itself is of the same opinion
    }
    let plan = super::plan(&config(&vendor("htek", "\tlist oui 00:08:7b:*:*:*\n")), &served());
    assert!(
        plan.vendors().is_empty() && plan.refused[0].contains("prefix 00:08:7b:*:*:* is on other devices too"),
        "{plan:?}"
    );
}

#[test]
fn a_refused_vendor_does_not_keep_others() {
    let text = [vendor("mitel", "\toption url '{upstream}/{mac}.cfg'\n"), vendor("snom", "")];
    let plan = plan(&config(&text.concat()), &served());
    assert_eq!(plan.vendors(), ["snom"]);
    assert!(plan.refused.len() == 1 && plan.refused[0].contains("vendor 'mitel': its url needs {mac}"), "{plan:?}");
}

#[test]
fn only_the_phones_of_the_list() {
    let text = [
        vendor("snom", ""),
        vendor("cisco", ""),
        "config phone\n\toption mac '00:04:13:00:00:01'\n".into(),
        "config phone\n\toption mac '00:02:fd:00:00:01'\n".into(),
        "config phone\n\toption mac '02:00:00:00:00:01'\n".into(),
    ];
    let mut config = config(&text.concat());
    config.agent.enrol = config::Enrol::List;
    let all = plan(&config, &served()).directives();
    for (mac, class, told) in [
        ("000413000001", "", true),
        ("000413000002", "", false),
        ("0002fd000001", "", false),
        ("0002fd000001", "Cisco SPA501G", true),
        ("0002fd000002", "Cisco SPA501G", false),
        ("020000000001", "", false),
    ] {
        assert_eq!(url(&all, mac, "br-lan", class).is_some(), told, "{mac} {class}");
    }
}

#[test]
fn names_of_sections_and_tags_are_nobody_elses() {
    // vendors whose names look like parts of other names
    let text = [
        vendor("snom", "\tlist oui 000413\n\tlist oui 200a0d3\n"),
        vendor("snom_000413", "\tlist oui 000413aabbcc\n\toption url '{upstream}/x/'\n"),
        vendor("snom_", "\tlist oui 000413aabbdd\n\toption url '{upstream}/x/'\n"),
        vendor("_snom", "\tlist oui 000413aabbde\n\toption url '{upstream}/x/'\n"),
        vendor("snom_not", "\tlist oui 000413aabbdf\n\toption url '{upstream}/x/'\n"),
        vendor("cisco", "\tlist oui 000e08\n\tlist oui 000e08111111\n"),
        vendor("cisco_oui", "\tlist oui 000e08000000\n\toption url '{upstream}/x/'\n"),
        vendor("cisco_class", "\tlist oui 000e09\n\toption url '{upstream}/x/'\n"),
    ];
    let plan = plan(&config(&text.concat()), &served());
    let sections = plan.sections();
    let names: BTreeSet<&str> = sections.iter().filter_map(|s| s.name.as_deref()).collect();
    assert_eq!(names.len(), sections.len(), "{names:?}");
    assert!(sections.iter().all(|s| OURS.has(s)));
    // 200a0d3: half a byte is sixteen whole ones
    assert!(names.contains("phoneprov_snom_000413") && names.contains("phoneprov_snom_200a0d3f"), "{names:?}");
    let tags: Vec<&str> = plan.groups.iter().map(|g| g.tag.as_str()).collect();
    assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), tags.len());
}

/// What dnsmasq's init script makes of our sections, by its documented rules (see the head of uci.rs). This is a stand-in for
/// that script, which belongs to OpenWrt's dnsmasq package.
fn by_init_script(sections: &[Section]) -> Vec<String> {
    let mut out = Vec::new();
    let of = |kind: &'static str| sections.iter().filter(move |s| s.kind == kind);
    let get = |s: &Section, option: &str| s.get(option).unwrap().to_string();
    for s in of("mac") {
        out.push(format!("dhcp-mac={},{}", get(s, "networkid"), get(s, "mac")));
    }
    for s in of("tag") {
        assert_eq!(s.get("force"), Some("1"));
        let name = s.name.as_deref().unwrap();
        let joined = s
            .entries
            .iter()
            .filter(|e| e.name == "dhcp_option")
            .map(|e| e.value.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        out.extend(joined.split(' ').map(|o| format!("dhcp-option-force=tag:{name},{o}")));
    }
    for s in of("vendorclass") {
        out.push(format!("dhcp-vendorclass=set:{},{}", get(s, "networkid"), get(s, "vendorclass")));
    }
    out
}

fn everything() -> Config {
    let all: String = vendor::ALL.iter().map(|v| vendor(v.name, "")).collect();
    let more = vendor("other", "\tlist oui 20:0a:0d:3\n\toption url '{upstream}/x/'\n");
    config(&format!("{all}{more}config phone\n\toption mac '00:04:13:00:00:01'\n\toption vendor mitel\n"))
}

#[test]
fn both_forms_say_the_same() {
    let plan = plan(&everything(), &served());
    assert_eq!(plan.refused, [] as [&str; 0]);
    // as it is read back from the file
    let file = uci::parse(&plan.uci().unwrap()).unwrap().merged();
    let set = |lines: Vec<String>| lines.iter().map(|l| l.replace("=set:", "=")).collect::<BTreeSet<String>>();
    let (one, other) = (set(by_init_script(&file.sections)), set(plan.directives()));
    assert_eq!(one, other);
    assert_eq!(other.len(), plan.directives().len());
    assert!(plan.conf().starts_with(HEADER) && plan.conf().ends_with("\n"));
}

/// Files of `/etc/config/dhcp` before and after, with the phones of three brands. UPDATE_DOCS=1 writes the latter.
#[test]
fn samples() {
    let plan = plan(
        &config(&[vendor("snom", ""), vendor("mitel", ""), vendor("cisco", "\tlist oui 00:0e:08:*:*:*\n")].concat()),
        &served(),
    );
    let sections = plan.sections();
    for name in ["stock", "hosts", "odd", "instances", "noend", "crlf", "empty"] {
        let path = |kind: &str| format!("{}/tests/data/dhcp/{name}.{kind}", env!("CARGO_MANIFEST_DIR"));
        let before = std::fs::read_to_string(path("before")).unwrap();
        let after = sections::replace(&before, OURS, &sections).unwrap().unwrap();
        if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
            std::fs::write(path("after"), &after).unwrap();
        }
        assert_eq!(after, std::fs::read_to_string(path("after")).unwrap(), "{name}");
        assert_eq!(sections::replace(&after, OURS, &sections), Ok(None), "{name}");
        assert_eq!(sections::replace(&after, OURS, &[]).unwrap().as_deref(), Some(&before[..]), "{name}");
        assert_eq!(troubles(&plan, &served(), &[], Some(&after)), [] as [&str; 0], "{name}");
    }
}

#[test]
fn troubles_are_told_with_what_to_do() {
    let config = config(&vendor("snom", ""));
    let now = plan(&config, &served());
    let stock = include_str!("../../../tests/data/dhcp/stock.before");
    let applied = sections::replace(stock, OURS, &now.sections()).unwrap().unwrap();
    let told = |text: &str| troubles(&now, &served(), &[], Some(text));
    assert_eq!(told(stock), ["/etc/config/dhcp has no sections of phoneprov: run phoneprov dhcp apply"]);
    assert!(troubles(&now, &served(), &[], None)[0].contains("is not there"));
    assert_eq!(told(&applied), [] as [&str; 0]);
    assert_eq!(
        told(&applied.replace("192.168.1.1:8480", "192.168.7.1:8480")),
        ["the sections of phoneprov in /etc/config/dhcp name 192.168.7.1, and the router is 192.168.1.1 on br-lan now: run phoneprov dhcp apply"]
    );
    for changed in [
        applied.replace(":8480", ":80"),
        applied.replace("force '1'", "force '0'"),
        applied.replace("br-guest", "br-x"),
    ] {
        let all = told(&changed);
        assert!(all.len() == 1 && all[0].contains("are not what the config says now: run"), "{all:?}");
    }
    let all = told(&applied.replace("maindhcp '0'", "maindhcp '1'"));
    assert!(all.len() == 1 && all[0].contains("odhcpd is the DHCP server"), "{all:?}");
    let all = told(&applied.replace("option start '100'", "option ignore '1'"));
    assert!(all.len() == 1 && all[0].contains("DHCP is off on network 'lan' (br-lan)"), "{all:?}");
    assert!(told("config dhcp 'x\n")[0].starts_with("/etc/config/dhcp:1: "));
}

#[test]
fn what_is_told_on_a_device_that_is_down_is_no_trouble() {
    let dir = tempfile::tempdir().unwrap();
    let (file, conf) = (dir.path().join("dhcp"), dir.path().join("conf"));
    let of_vendors = [vendor("snom", ""), vendor("cisco", "\tlist oui 00:0e:08:*:*:*\n")].concat();
    let uci_config = config(&of_vendors);
    let mut conf_config = uci_config.clone();
    conf_config.agent.dnsmasq_conf = Some(conf.clone());
    let both = plan(&uci_config, &served());
    std::fs::write(&file, both.uci().unwrap()).unwrap();
    std::fs::write(&conf, both.conf()).unwrap();
    let (up, guest) = (&served()[..1], "br-guest".to_string());
    for config in [&uci_config, &conf_config] {
        assert_eq!(look(config, &served(), &[], &file), [] as [&str; 0]);
        assert_eq!(
            look(config, up, std::slice::from_ref(&guest), &file),
            [] as [&str; 0],
            "apply would change nothing"
        );
        assert_eq!(look(config, up, &[], &file).len(), 1, "it is not served any more");
        // after a reload an agent may have its devices in another order than the config
        let other_way = [served()[1].clone(), served()[0].clone()];
        assert_eq!(look(config, &other_way, &[], &file), [] as [&str; 0]);
        let moved = [Served { address: Ipv4Addr::new(192, 168, 1, 2), ..up[0].clone() }];
        assert_eq!(look(config, &moved, std::slice::from_ref(&guest), &file).len(), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// Whatever the sections are: a MAC is told by DHCP what the agent would tell it by PnP, or nothing where the agent needs
    /// more than the MAC to know it.
    #[test]
    fn dhcp_and_pnp_are_of_one_opinion(
        ouis in prop::collection::vec(prop::collection::vec("000413|0004130|00041301[01]|0004130[01]{5}|000e08|0008[7]b", 0..4), 4),
        on in prop::collection::vec(any::<bool>(), 4),
        pins in prop::collection::vec(("0004130[01]{5}", 0usize..5), 0..3),
        mac in "0004130[01]{5}|000e08000000|00087b000000|020000000000",
    ) {
        let names = ["snom", "mitel", "cisco", "other"];
        let mut text = String::new();
        for ((name, ouis), on) in names.iter().zip(&ouis).zip(&on) {
            let ouis: Vec<&String> = ouis.iter().filter(|o| MacPattern::parse(o).is_ok()).collect();
            // a section without any would have those of its brand
            if ouis.is_empty() { continue }
            text += &format!("config vendor {name}\n\toption enabled {}\n\toption url '{{upstream}}/x/'\n", u8::from(*on));
            ouis.iter().for_each(|o| text += &format!("\tlist oui {o}\n"));
        }
        let mut pinned: HashMap<Mac, Option<&str>> = HashMap::new();
        for (mac, which) in &pins {
            let vendor = names.get(*which).filter(|n| text.contains(&format!("vendor {n}\n")));
            let mac = Mac::parse(mac).unwrap();
            if pinned.insert(mac, vendor.copied()).is_none() {
                text += &format!("config phone\n\toption mac {mac}\n");
                if let Some(v) = vendor { text += &format!("\toption vendor {v}\n"); }
            }
        }
        prop_assume!(text.contains("enabled 1"));
        let config = config(&text);
        let mac = Mac::parse(&mac).unwrap();
        let actives: Vec<Active> = config.vendors.iter().map(|v| Active {
            vendor: vendor::by_name(&v.name).unwrap_or(&vendor::GENERIC),
            name: v.name.clone(),
            enabled: v.enabled,
            ouis: v.ouis.clone(),
        }).collect();
        let right = match config.phones.iter().find(|p| p.mac == mac).and_then(|p| p.vendor.clone()) {
            Some(name) => actives.iter().find(|a| a.name == name && a.enabled).map(|a| a.name.clone()),
            None => match detect(&actives, &Evidence { mac: Some(mac), ..Evidence::default() }) {
                Detected::Vendor(i) => Some(actives[i].name.clone()),
                _ => None,
            },
        };
        let plan = plan(&config, &served());
        let told: BTreeSet<String> = sent(&plan.directives(), &Request { mac, device: "br-lan", class: "" })
            .values()
            .filter_map(|v| Some(v.strip_prefix("http://")?.split('/').nth(1)?.to_string()))
            .collect();
        prop_assert_eq!(told, right.into_iter().collect::<BTreeSet<_>>(), "{}", text);
        let names: BTreeSet<Option<String>> = plan.sections().into_iter().map(|s| s.name).collect();
        prop_assert_eq!(names.len(), plan.sections().len());
    }
}
