//! The init script, run by busybox' ash in a scratch root against stand-ins (see main.rs).

use crate::can;
use crate::router::{of, rules, Router};

const COPY: &str = "/var/run/phoneprov-config/phoneprov";
const LAN: &str = "\toption enabled '1'\n\tlist network 'lan'\n";

fn router(name: &str) -> Option<Router> {
    can(&format!("package: {name}"), true, &["busybox", "make", "tar", "chroot", "ldd"]).then(Router::new)
}

/// What procd is told between opening and closing the instance, without the firewall's data.
fn instance(record: &[String]) -> Vec<&str> {
    let from = record.iter().position(|l| l == "procd_open_instance main").map_or(record.len(), |i| i + 1);
    let to = record.iter().position(|l| l == "procd_open_data").unwrap_or(record.len());
    record.get(from..to).unwrap_or_default().iter().map(String::as_str).collect()
}

#[test]
fn one_network_in_a_jail() {
    let Some(r) = router("one network") else { return };
    r.commit(LAN);
    let record = r.init("boot");
    let command = format!("/usr/sbin/phoneprov run --config {COPY} --uci /var/run/phoneprov-config --device br-lan");
    assert_eq!(
        instance(&record),
        [
            &format!("procd_set_param command {command}"),
            "procd_set_param respawn 3600 5 0",
            "procd_set_param limits core=0 0",
            "procd_set_param stdout 1",
            "procd_set_param stderr 1",
            "procd_set_param env PHONEPROV_FIXED=/etc/phoneprov /var/run/phoneprov ",
            "procd_set_param user phoneprov",
            "procd_set_param group phoneprov",
            "procd_set_param no_new_privs 1",
            "procd_set_param capabilities /etc/capabilities/phoneprov.json",
            "procd_add_jail phoneprov procfs",
            "procd_add_jail_mount /var/run/phoneprov-config",
            "procd_add_jail_mount /etc/ssl/certs",
            "procd_add_jail_mount /etc/resolv.conf",
            "procd_add_jail_mount /etc/hosts",
            "procd_add_jail_mount_rw /etc/phoneprov /var/run/phoneprov",
        ]
    );
    assert_eq!(rules(&record), ["lan tcp 8480", "lan udp 5060"]);
    // within the instance: so they go with it
    let at = |line: &str| record.iter().position(|l| l == line).unwrap_or_else(|| panic!("{line}: {record:?}"));
    assert!(
        at("procd_open_data") > at("procd_open_instance main") && at("procd_close_data") < at("procd_close_instance")
    );
    assert_eq!(of(&record, "procd_add_reload_trigger"), ["phoneprov firewall dhcp qos sqm qosify"]);
    assert_eq!(of(&record, "procd_add_reload_interface_trigger"), ["lan"]);
    // as root, before procd is told of anything
    assert_eq!(
        of(&record, "phoneprov "),
        [
            "prepare --config /etc/config/phoneprov",
            "dhcp apply --device br-lan",
            "qos apply --device br-lan --wan eth1"
        ]
    );
    assert!(at("phoneprov dhcp apply --device br-lan") < at("procd_open_instance main"));

    // the agent can read the copy and nobody else can; root's file stays as it was; the folders are the agent's
    assert_eq!(r.owner("/etc/config/phoneprov"), (0, 0, 0o600));
    assert_eq!(r.owner("/tmp/run/phoneprov-config"), (0, 5960, 0o750));
    assert_eq!(r.owner("/tmp/run/phoneprov-config/phoneprov"), (0, 5960, 0o640));
    assert_eq!(r.read("/tmp/run/phoneprov-config/phoneprov"), r.read("/etc/config/phoneprov"));
    assert_eq!(r.owner("/tmp/run/phoneprov-config/dhcp"), (0, 5960, 0o640));
    assert_eq!(r.read("/tmp/run/phoneprov-config/dhcp"), r.read("/etc/config/dhcp"));
    for folder in ["/etc/phoneprov", "/tmp/run/phoneprov"] {
        assert_eq!(r.owner(folder), (5960, 5960, 0o700), "{folder}");
    }
    assert!(!record.iter().any(|l| l.contains("geheim")), "no password on a command line: {record:?}");
}

#[test]
fn two_networks_their_zones_and_what_is_not_served() {
    let Some(r) = router("two networks") else { return };
    r.commit("\toption enabled '1'\n\tlist network 'lan'\n\tlist network 'voice'\n\toption port '8999'\n");
    let record = r.init("start");
    let command =
        "command /usr/sbin/phoneprov run --config /var/run/phoneprov-config/phoneprov --uci /var/run/phoneprov-config \
                   --device br-lan --device br-voice";
    assert_eq!(instance(&record)[0], format!("procd_set_param {command}"));
    assert_eq!(rules(&record), ["lan tcp 8999", "lan udp 5060", "telephones tcp 8999", "telephones udp 5060"]);
    assert_eq!(of(&record, "procd_add_reload_interface_trigger"), ["lan", "voice"]);

    // both in one zone: opened once. Without PnP its port stays closed.
    r.write("/etc/config/firewall", "config zone\n\toption name 'lan'\n\tlist network 'voice'\n\tlist network 'lan'\n");
    r.commit("\toption enabled '1'\n\tlist network 'lan'\n\tlist network 'voice'\n\toption pnp '0'\n");
    assert_eq!(rules(&r.init("start")), ["lan tcp 8480"]);
    // a zone that names nothing has the network of its name; a port that is none is what the agent takes it for
    r.write("/etc/config/firewall", "config zone\n\toption name 'lan'\nconfig zone\n\toption name 'voice'\n");
    r.commit("\toption enabled '1'\n\tlist network 'voice'\n\toption port '80;reboot'\n");
    assert_eq!(rules(&r.init("start")), ["voice tcp 8480", "voice udp 5060"]);
    // no firewall at all
    r.remove("/etc/config/firewall");
    assert_eq!(rules(&r.init("start")), Vec::<String>::new());
}

#[test]
fn devices_by_name_and_networks_that_are_down() {
    let Some(r) = router("devices") else { return };
    r.commit("\toption enabled '1'\n\tlist device 'br-voice'\n\tlist device 'eth7'\n\tlist network 'lan'\n");
    let record = r.init("start");
    let command = &instance(&record)[0];
    assert!(command.ends_with(" --device br-voice --device eth7"), "{command}");
    assert_eq!(rules(&record), ["telephones tcp 8480", "telephones udp 5060"], "the zone of the network on it");
    r.write("/etc/config/firewall", "config zone\n\toption name 'seven'\n\tlist device 'eth7'\n");
    assert_eq!(rules(&r.init("start")), ["seven tcp 8480", "seven udp 5060"]);

    // a network that is down has its device all the same: the agent waits for its address
    r.commit("\toption enabled '1'\n\tlist network 'lan'\n\tlist network 'voice'\n");
    r.write("/networks", "lan br-lan up\nvoice br-voice down\n");
    assert!(instance(&r.init("start"))[0].ends_with(" --device br-lan --device br-voice"));
    // one without: it is said, and its trigger waits
    r.write("/networks", "lan br-lan up\n");
    let record = r.init("start");
    assert!(instance(&record)[0].ends_with(" --device br-lan"));
    assert!(of(&record, "logger").iter().any(|l| l.contains("network 'voice' has no device")), "{record:?}");
    assert_eq!(of(&record, "procd_add_reload_interface_trigger"), ["lan", "voice"]);
    r.write("/networks", "");
    let record = r.init("start");
    assert!(instance(&record).is_empty() && of(&record, "logger").iter().any(|l| l.contains("no device to serve")));
    assert_eq!(of(&record, "procd_add_reload_interface_trigger"), ["lan", "voice"]);
}

#[test]
fn where_there_is_no_jail_root_starts_it() {
    for missing in ["sbin/ujail", "etc/capabilities/phoneprov.json", "etc/passwd"] {
        let Some(r) = router("no jail") else { return };
        r.commit(LAN);
        if missing != "etc/passwd" {
            r.init("start"); // it was in a jail before
        }
        r.remove(missing);
        let record = r.init("start");
        let all = instance(&record).join("\n");
        assert!(all.contains("procd_set_param command") && rules(&record).len() == 2, "{missing}: {record:?}");
        for word in ["user", "group", "capabilities", "jail"] {
            assert!(!all.contains(word), "without {missing}: {word}: {all}");
        }
        // without the user the copy is root's alone
        let owner = if missing == "etc/passwd" { (0, 0, 0o600) } else { (0, 5960, 0o640) };
        assert_eq!(r.owner("/tmp/run/phoneprov-config/phoneprov"), owner, "{missing}");
    }
}

#[test]
fn a_ca_file_is_in_the_jail() {
    let Some(r) = router("ca_file") else { return };
    r.commit(&format!("{LAN}\toption ca_file '/etc/own-ca.pem'\n\toption state_dir '/mnt/state'\n"));
    r.write("/etc/own-ca.pem", "x");
    r.remove("/etc/hosts");
    let record = r.init("start");
    assert_eq!(
        of(&record, "procd_add_jail_mount "),
        ["/var/run/phoneprov-config", "/etc/ssl/certs", "/etc/resolv.conf", "/etc/own-ca.pem"],
        "what is not there cannot be mounted"
    );
    assert_eq!(of(&record, "procd_add_jail_mount_rw "), ["/mnt/state /var/run/phoneprov"]);
    assert_eq!(r.owner("/mnt/state"), (5960, 5960, 0o700));
}

#[test]
fn the_agent_in_its_jail_sees_the_file_of_dnsmasq() {
    let Some(r) = router("dnsmasq_conf") else { return };
    r.commit(&format!("{LAN}\toption dnsmasq_conf '/tmp/dnsmasq.d/phoneprov.conf'\n"));
    r.sh("mkdir /tmp/dnsmasq.d");
    let mounts = |record: &[String]| of(record, "procd_add_jail_mount ").join(" ");
    assert!(mounts(&r.init("start")).ends_with(" /etc/hosts /tmp/dnsmasq.d"));
    // its folder is not mounted where there is more in it
    r.commit(&format!("{LAN}\toption dnsmasq_conf '/etc/phones.conf'\n"));
    assert!(mounts(&r.init("start")).ends_with(" /etc/hosts"));
}

#[test]
fn the_agent_in_its_jail_sees_its_documents() {
    let Some(r) = router("documents") else { return };
    let upstream = |folder: &str| {
        r.commit(LAN);
        r.sh(&format!("mkdir -p {folder}/account/office"));
        r.sh(&format!("sed -i 's|http://192.0.2.1|file://{folder}|' /etc/config/phoneprov"));
        r.write(&format!("{folder}/account/office/account.json"), "{}");
        r.sh(&format!("chmod 700 {folder}"));
    };
    let mounts = |record: &[String]| of(record, "procd_add_jail_mount ").join(" ");
    // in state_dir they are there, and the agent's, with it
    upstream("/etc/phoneprov/db");
    let record = r.init("start");
    assert!(mounts(&record).ends_with(" /etc/hosts"), "{record:?}");
    assert_eq!(r.owner("/etc/phoneprov/db/account/office/account.json").0, 5960);
    // elsewhere they are made the agent's, who may only read them there
    upstream("/srv/phones");
    assert!(mounts(&r.init("start")).ends_with(" /etc/hosts /srv/phones"));
    assert_eq!(r.owner("/srv/phones/account/office/account.json").0, 5960);
}

#[test]
fn disabled_it_is_not_there_and_what_it_wrote_goes() {
    let Some(r) = router("disabled") else { return };
    // as it is shipped
    let record = r.init("boot");
    assert!(instance(&record).is_empty() && !record.iter().any(|l| l.starts_with("procd_open")), "{record:?}");
    assert_eq!(of(&record, "phoneprov "), ["dhcp remove", "qos remove"]);
    assert_eq!(
        of(&record, "procd_add_reload_trigger"),
        ["phoneprov firewall dhcp qos sqm qosify"],
        "it waits to be enabled"
    );
    assert_eq!(of(&record, "procd_add_reload_interface_trigger"), [""; 0]);
    // switched on in LuCI, and off again
    r.commit(LAN);
    assert_eq!(instance(&r.init("reload")).len(), 16);
    r.commit("\toption enabled '0'\n\tlist network 'lan'\n");
    let record = r.init("reload");
    assert!(instance(&record).is_empty(), "{record:?}");
    assert_eq!(of(&record, "phoneprov "), ["dhcp remove", "qos remove"]);
    assert!(!r.path("/tmp/run/phoneprov-config").exists(), "no copy of the password is left");
}

#[test]
fn a_reload_tells_the_agent_and_ends_it_only_where_it_must() {
    let Some(r) = router("reload") else { return };
    r.commit(LAN);
    let first = r.init("start");
    assert!(of(&first, "procd_send_signal").is_empty());
    // an interface event: all is as it was
    let record = r.init("reload");
    assert_eq!(instance(&record), instance(&first), "procd sees no change");
    assert!(of(&record, "procd_send_signal").is_empty(), "{record:?}");
    // another option: told by a signal
    r.commit(&format!("{LAN}\toption grace '9'\n"));
    let record = r.init("reload");
    assert_eq!(instance(&record), instance(&first));
    assert_eq!(record.last().map(String::as_str), Some("procd_send_signal phoneprov * HUP"));
    assert_eq!(
        of(&record, "phoneprov "),
        [
            "prepare --config /etc/config/phoneprov",
            "prepare --config /etc/config/phoneprov",
            "dhcp apply --device br-lan",
            "qos apply --device br-lan --wan eth1"
        ]
    );
    assert!(r.read("/tmp/run/phoneprov-config/phoneprov").contains("grace '9'"));
    assert_eq!(r.owner("/tmp/run/phoneprov-config/phoneprov"), (0, 5960, 0o640));
    // somebody else's settings, which the agent looks at by itself
    r.write("/etc/config/dhcp", "config dhcp 'other'\n");
    let record = r.init("reload");
    assert!(
        of(&record, "procd_send_signal").is_empty()
            && of(&record, "phoneprov ").contains(&"dhcp apply --device br-lan")
    );
    assert!(r.read("/tmp/run/phoneprov-config/dhcp").contains("other"));
    r.remove("/etc/config/dhcp");
    assert_eq!(instance(&r.init("reload")), instance(&first));
    assert!(!r.path("/tmp/run/phoneprov-config/dhcp").exists());
    // another command line: procd starts it anew, and a signal might meet it half awake
    r.commit(&format!("{LAN}\tlist network 'voice'\n"));
    let record = r.init("reload");
    assert_ne!(instance(&record), instance(&first));
    assert!(of(&record, "procd_send_signal").is_empty(), "{record:?}");
    // a mistake: said, and procd is not told anything, so the agent that runs goes on
    r.commit(&format!("{LAN}\toption upstream 'no URL'\n"));
    let record = r.init("reload");
    assert!(!record.iter().any(|l| l.starts_with("open_service") || l.starts_with("procd_")), "{record:?}");
    assert!(of(&record, "logger").iter().any(|l| l.contains("/etc/config/phoneprov:")), "{record:?}");
    assert!(r.read("/tmp/run/phoneprov-config/phoneprov").contains("'voice'"));
    // one that uci cannot read has no sections, as if it were empty: it is not taken for "disabled"
    r.write("/etc/config/phoneprov", "");
    for action in ["reload", "start"] {
        let record = r.init(action);
        assert!(instance(&record).is_empty() && of(&record, "phoneprov dhcp").is_empty(), "{record:?}");
        assert!(!of(&record, "logger").is_empty() && r.path("/tmp/run/phoneprov-config/phoneprov").exists());
    }
    r.commit(&format!("{LAN}\toption upstream 'no URL'\n"));
    // with it the agent would not start either
    assert!(instance(&r.init("restart")).is_empty());
}

#[test]
fn what_the_agent_cannot_change_while_it_runs_starts_it_anew() {
    let Some(r) = router("fixed") else { return };
    for jailed in [true, false] {
        r.commit(LAN);
        let mut before = r.init("start");
        for option in ["state_dir '/mnt/state'", "run_dir '/var/run/other'", "ca_file '/etc/ca.pem'", "port '80'"] {
            r.commit(&format!("{LAN}\toption {option}\n"));
            let record = r.init("reload");
            assert_ne!(instance(&record), instance(&before), "{option}: procd sees it");
            assert!(of(&record, "procd_send_signal").is_empty(), "{option}: {record:?}");
            before = record;
        }
        // from one free port to another it goes without
        r.commit(&format!("{LAN}\toption port '8000'\n"));
        before = r.init("reload");
        r.commit(&format!("{LAN}\toption port '9000'\n"));
        let record = r.init("reload");
        assert_eq!(instance(&record), instance(&before));
        assert_eq!(of(&record, "procd_send_signal"), ["phoneprov * HUP"]);
        assert_eq!(rules(&record), ["lan tcp 9000", "lan udp 5060"]);
        if jailed {
            r.remove("sbin/ujail");
        }
    }
}

#[test]
fn a_failing_verb_is_said_and_does_not_keep_the_agent() {
    let Some(r) = router("dhcp fails") else { return };
    r.commit(LAN);
    r.write("/dhcp-fails", "");
    let record = r.init("start");
    assert_eq!(instance(&record).len(), 16);
    assert!(of(&record, "logger").iter().any(|l| l.ends_with("phoneprov dhcp apply: no dnsmasq here")), "{record:?}");
}

#[test]
fn the_dhcp_servers_settings_come_and_go_with_the_service() {
    let Some(r) = router("dhcp") else { return };
    r.commit(LAN);
    r.write("/dhcp-real", "");
    r.write(
        "/etc/config/network",
        "config interface 'lan'\n\toption device 'br-lan'\n\toption proto 'static'\n\toption ipaddr '192.168.1.1'\n\
         \toption netmask '255.255.255.0'\n",
    );
    let before = r.read("/etc/config/dhcp");
    let record = r.init("start");
    assert!(of(&record, "logger").is_empty(), "{record:?}");
    let with = r.read("/etc/config/dhcp");
    assert!(with.starts_with(&before) && with.contains("phoneprov_") && with.contains("192.168.1.1:8480"), "{with}");
    assert_eq!(r.read("/tmp/run/phoneprov-config/dhcp"), with, "the agent sees what is so now");
    r.init("restart");
    assert_eq!(r.read("/etc/config/dhcp"), with);
    // by hand, without a word to the service
    r.sh("phoneprov dhcp remove");
    assert_eq!(r.read("/etc/config/dhcp"), before);
    assert_eq!(r.read("/tmp/run/phoneprov-config/dhcp"), before, "the agent sees that too");
    r.sh("phoneprov dhcp apply");
    assert_eq!(r.read("/tmp/run/phoneprov-config/dhcp"), with);
    assert_eq!(r.owner("/tmp/run/phoneprov-config/dhcp"), (0, 5960, 0o640));
    r.write("/etc/config/dhcp", &format!("{with}# edited\n"));
    r.sh("phoneprov dhcp apply");
    assert!(r.read("/tmp/run/phoneprov-config/dhcp").ends_with("# edited\n"), "also when nothing is to be written");
    r.write("/etc/config/dhcp", &with);
    // a network that only netifd knows the device of keeps the others from nothing
    r.commit(&format!("{LAN}\tlist network 'voice'\n"));
    let network = r.read("/etc/config/network").replace("192.168.1.1", "192.168.1.2");
    r.write("/etc/config/network", &format!("{network}config interface 'voice'\n\toption proto 'static'\n"));
    r.init("reload");
    let moved = r.read("/etc/config/dhcp");
    assert!(moved.contains("192.168.1.2:8480") && !moved.contains("192.168.1.1:8480"), "{moved}");
    r.init("stop");
    assert_eq!(r.read("/etc/config/dhcp"), before, "without a trace");
}

#[test]
fn the_copy_leads_nowhere_else() {
    let Some(r) = router("copy") else { return };
    r.commit(LAN);
    r.init("start");
    // the agent's user owns run_dir, but cannot write where root writes
    r.write("/etc/shadow", "root:secret\n");
    let out = r.sh("cd /var/run/phoneprov-config && busybox setpriv true; ls -ld . | cut -c 1-10");
    assert_eq!(out, "drwxr-x---\n");
    // links in its own folders are not followed when they are handed over
    r.sh("ln -s /etc/shadow /etc/phoneprov/link; ln /etc/shadow /etc/phoneprov/second; chown -h 5960 /etc/phoneprov/link");
    r.init("restart");
    assert_eq!(r.owner("/etc/shadow").0, 0);
}

#[test]
fn stop_restart_upgrade_shutdown_and_removal() {
    let Some(r) = router("life") else { return };
    r.commit(LAN);
    let asked = |record: &[String]| of(record, "phoneprov dhcp").join(" ");
    assert_eq!(asked(&r.init("start")), "apply --device br-lan");
    let record = r.init("restart");
    assert_eq!(
        (asked(&record), instance(&record).len()),
        ("apply --device br-lan".to_string(), 16),
        "written once, not removed"
    );
    let record = r.init("shutdown");
    assert_eq!((asked(&record).as_str(), of(&record, "kill")), ("", vec!["phoneprov"]));
    let record = r.init("stop");
    assert_eq!((asked(&record).as_str(), of(&record, "kill")), ("remove", vec!["phoneprov"]));
    // who follows the names of media servers would write the rules again
    let at = |what: &str| record.iter().position(|l| l == what).unwrap_or_else(|| panic!("{what}: {record:?}"));
    assert!(at("procd_kill phoneprov qos") < at("phoneprov qos remove"));
    assert!(!r.path("/tmp/run/phoneprov-config").exists());

    // installed, upgraded, removed by the package's own scripts
    let links = || r.sh("ls /etc/rc.d").split_whitespace().collect::<Vec<_>>().join(" ");
    let record = r.script("/package/postinst", &["configure"], &[]);
    assert_eq!((links().as_str(), asked(&record).as_str()), ("K10phoneprov S95phoneprov", "apply --device br-lan"));
    let record = r.script("/package/prerm", &["upgrade"], &[("PKG_UPGRADE", "1")]);
    assert_eq!((asked(&record).as_str(), of(&record, "kill")), ("", vec!["phoneprov"]));
    let record = r.script("/package/postinst", &["configure"], &[("PKG_UPGRADE", "1")]);
    assert_eq!((links().as_str(), asked(&record).as_str()), ("K10phoneprov S95phoneprov", "apply --device br-lan"));
    assert_eq!(instance(&record).len(), 16);
    let record = r.script("/package/prerm", &["remove"], &[]);
    assert_eq!((links().as_str(), asked(&record).as_str()), ("", "remove remove"));
    assert_eq!(of(&record, "kill"), ["phoneprov"]);
    assert!(r.path("/etc/phoneprov").exists() && r.path("/etc/config/phoneprov").exists(), "what the admin made stays");

    // rpcd looks for the plugin; a router may have none
    assert!(r.script("/package/postinst-pkg", &[], &[]).is_empty());
    r.program("etc/init.d/rpcd", "#!/bin/sh\n. /lib/functions.sh\nrecord rpcd \"$@\"\n");
    assert_eq!(r.script("/package/postinst-pkg", &[], &[]), ["rpcd reload"]);
    assert!(r.script("/package/postinst-pkg", &[], &[("IPKG_INSTROOT", "/nowhere")]).is_empty());

    // in an image that is being built nothing runs
    assert!(r.script("/package/postinst", &[], &[("IPKG_INSTROOT", "/nowhere")]).is_empty());
    r.sh("mkdir -p /image/etc/rc.d && touch /image/etc/rc.d/S95phoneprov");
    let record = r.script("/etc/init.d/phoneprov", &["disable"], &[("IPKG_INSTROOT", "/image")]);
    assert!(record.is_empty() && !r.path("/image/etc/rc.d/S95phoneprov").exists(), "{record:?}");
    // disabled while it is stopped: nothing is left to lead phones here after the next start
    assert_eq!(asked(&r.init("disable")), "remove");
}

/// What procd is told of the instance that follows the names of media servers.
fn watch(record: &[String]) -> Option<String> {
    let from = record.iter().position(|l| l == "procd_open_instance qos")?;
    let lines = record.iter().skip(from).take_while(|l| *l != "procd_close_instance");
    let words: Vec<&str> = lines
        .filter_map(|l| l.strip_prefix("procd_set_param command ").or(l.strip_prefix("procd_append_param command ")))
        .collect();
    Some(words.join(" "))
}

#[test]
fn the_names_of_media_servers_are_followed_where_there_are_any() {
    let Some(r) = router("qos") else { return };
    let qos = |enabled: u8, servers: &[&str]| {
        let servers: String = servers.iter().map(|s| format!("\tlist mediaserver '{s}'\n")).collect();
        r.commit(LAN);
        let text = r.read("/etc/config/phoneprov");
        r.write(
            "/etc/config/phoneprov",
            &format!("{text}\nconfig qos 'qos'\n\toption enabled '{enabled}'\n\toption upload '9000'\n\toption download '90000'\n{servers}"),
        );
    };
    qos(1, &["203.0.113.9", "media.example.net"]);
    let record = r.init("start");
    assert_eq!(of(&record, "procd_add_reload_interface_trigger"), ["lan", "wan"]);
    let command = "/usr/sbin/phoneprov qos watch --device br-lan --wan eth1";
    assert_eq!(watch(&record).as_deref(), Some(command));
    // beside the agent's, which is as it was, and not in its jail
    assert_eq!(instance(&record).len(), 16);
    let at = |line: &str| record.iter().position(|l| l == line).unwrap();
    assert!(at("procd_open_instance qos") > at("procd_close_instance"));
    assert_eq!(of(&record, "procd_set_param user"), ["phoneprov"]);
    for (enabled, servers) in
        [(1, &["203.0.113.9", "203.0.113.0/24", "2001:db8::9"][..]), (0, &["media.example.net"]), (1, &[])]
    {
        qos(enabled, servers);
        let record = r.init("reload");
        assert_eq!(watch(&record), None, "{enabled} {servers:?}");
    }
    qos(0, &["media.example.net"]);
    assert_eq!(of(&r.init("start"), "procd_add_reload_interface_trigger"), ["lan"]);
    // the line has another name
    r.write("/networks", "lan br-lan up\ndsl pppoe-dsl up wan\n");
    qos(1, &["203.0.113.9"]);
    let record = r.init("start");
    assert_eq!(of(&record, "procd_add_reload_interface_trigger"), ["lan", "dsl"]);
    assert!(of(&record, "phoneprov ").contains(&"qos apply --device br-lan --wan pppoe-dsl"));
    // the line is down: the name is followed all the same, and what comes up later is seen
    r.write("/networks", "lan br-lan up\nwan eth1 down wan\n");
    qos(1, &["dead-beef.example"]);
    let record = r.init("start");
    assert_eq!(of(&record, "procd_add_reload_interface_trigger"), ["lan", "wan"]);
    assert_eq!(watch(&record).as_deref(), Some("/usr/sbin/phoneprov qos watch --device br-lan"));
    assert!(of(&record, "phoneprov ").contains(&"qos apply --device br-lan"));
}

#[test]
fn the_rules_for_calls_come_and_go_with_the_service() {
    let Some(r) = router("qos rules") else { return };
    r.write("/qos-real", "");
    r.sh("mkdir -p /sbin /usr/share && touch /sbin/fw4");
    r.write(
        "/etc/config/network",
        "config interface 'lan'\n\toption device 'br-lan'\nconfig interface 'wan'\n\toption device 'eth1'\n",
    );
    let before = r.read("/etc/config/firewall");
    let on = |enabled: u8| {
        r.commit(LAN);
        let text = r.read("/etc/config/phoneprov");
        let qos = format!("{text}\nconfig qos 'qos'\n\toption enabled '{enabled}'\n\tlist mediaserver '203.0.113.9'\n");
        r.write("/etc/config/phoneprov", &qos);
    };
    on(1);
    r.init("start");
    let with = r.read("/etc/config/firewall");
    assert!(with.starts_with(&before) && with.contains("list dest_ip '203.0.113.9'"), "{with}");
    r.init("reload");
    assert_eq!(r.read("/etc/config/firewall"), with);
    on(0);
    r.init("reload");
    assert_eq!(r.read("/etc/config/firewall"), before);
    on(1);
    r.init("reload");
    assert_eq!(r.read("/etc/config/firewall"), with);
    r.init("stop");
    assert_eq!(r.read("/etc/config/firewall"), before);
}
