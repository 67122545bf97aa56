use super::read::read_all;
use super::table::{Kind, OPTIONS, SECTIONS};
use super::*;
use crate::proto::mac::{Mac, MacPattern};
use crate::proto::uci;
use proptest::prelude::*;
use std::path::PathBuf;
use std::time::Duration;

const SHIPPED: &str = include_str!("../../openwrt-package/files/phoneprov.config");

/// The example of design section 3.
const EXAMPLE: &str = "\
config agent 'main'
	option enabled '1'
	list network 'lan'
	list device 'br-lan'
	option upstream 'https://prov.example.net'
	option provpass 'secret'
	option port '8480'
	option pnp '1'
	option dhcp 'dnsmasq'
	option upstream_timeout '20'
	option fresh_wait '4'
	option fresh_for '10'
	option grace '7'
	option history '3'
	option cache_max '2048'
	option rewrite '1'
	option verify_mac '1'
	option enrol 'open'
	option guard_share '20'
	option ca_file ''
	option state_dir '/etc/phoneprov'
	option run_dir '/var/run/phoneprov'
config vendor 'snom'
	option enabled '1'
	list oui '00:04:13:*:*:*'
	option url '{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}'
config vendor 'mitel'
	option enabled '1'
	list oui '00:08:5d:*:*:*'
	option url '{upstream}/prov/mitel'
config phone
	option mac '00:04:13:aa:bb:cc'
	option vendor 'snom'
config qos 'qos'
	option enabled '0'
	option backend 'auto'
	list mediaserver 'media.example.net'
	option upload '9000'
	option download '90000'
";

fn read(text: &str) -> (Config, Vec<Problem>) {
    read_all(text, "config/phoneprov", &known_vendors(), true)
}

/// `LINE message` of each problem, fatal ones with a `!`.
fn told(text: &str) -> Vec<String> {
    let mark = |p: &Problem| if p.fatal { "!" } else { "" };
    read(text).1.iter().map(|p| format!("{}{} {}", mark(p), p.line, p.message)).collect()
}

/// An enabled config with these lines in the agent's section (from line 2) and behind it.
fn enabled(agent: &str, rest: &str) -> String {
    format!(
        "config agent 'main'\n{agent}\n\toption enabled '1'\n\tlist network 'lan'\n{rest}\nconfig vendor 'mitel'\n\toption enabled '1'\n"
    )
}

const UP: &str = "\toption upstream 'http://p.example'";

#[test]
fn the_example_is_read_without_a_problem() {
    let (config, problems) = read(EXAMPLE);
    assert_eq!(problems, []);
    let right = Config {
        agent: Agent {
            enabled: true,
            networks: vec!["lan".into()],
            devices: vec!["br-lan".into()],
            upstream: "https://prov.example.net".into(),
            provpass: Secret::new("secret"),
            port: 8480,
            pnp: true,
            dhcp: DhcpMode::Dnsmasq,
            dnsmasq_conf: None,
            upstream_timeout: Duration::from_secs(20),
            fresh_wait: Duration::from_secs(4),
            fresh_for: Duration::from_secs(10),
            grace: Duration::from_secs(7 * 86400),
            history: 3,
            cache_max: 2048 * 1024,
            shared_max: 8192 * 1024,
            rewrite: true,
            redirect_origins: vec![],
            verify_mac: true,
            enrol: Enrol::Open,
            guard_share: 20,
            guard_min: 2,
            guard_window: Duration::from_secs(3600),
            ca_file: None,
            state_dir: PathBuf::from("/etc/phoneprov"),
            run_dir: PathBuf::from("/var/run/phoneprov"),
        },
        vendors: vec![
            VendorSection {
                name: "snom".into(),
                enabled: true,
                ouis: vec![MacPattern::parse("00:04:13:*:*:*").unwrap()],
                url: "{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}".into(),
            },
            VendorSection {
                name: "mitel".into(),
                enabled: true,
                ouis: vec![MacPattern::parse("00:08:5d:*:*:*").unwrap()],
                url: "{upstream}/prov/mitel".into(),
            },
        ],
        phones: vec![PinnedPhone { mac: Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]), vendor: Some("snom".into()) }],
        qos: Qos {
            enabled: false,
            backend: QosBackend::Auto,
            mediaservers: vec!["media.example.net".into()],
            upload: 9000,
            download: 90000,
        },
    };
    assert_eq!(config, right);
    // the defaults are those of the example
    let (bare, problems) = read("config agent 'main'\n");
    assert_eq!(problems, []);
    let agent = Agent {
        enabled: false,
        networks: vec![],
        devices: vec![],
        upstream: String::new(),
        provpass: Secret::default(),
        ..right.agent
    };
    assert_eq!(bare.agent, agent);
}

#[test]
fn every_option_reaches_its_field() {
    let text = "\
config agent 'main'
	list redirect_origin 'https://CDN.example.net/'
	option upstream 'HTTP://P.example:81/base/'
	option port '1'
	option pnp 'off'
	option dhcp 'responder'
	option dnsmasq_conf '/etc/dnsmasq.d/p.conf'
	option upstream_timeout '2'
	option fresh_wait '3'
	option fresh_for '5'
	option grace '0'
	option history '6'
	option cache_max '64'
	option shared_max '0'
	option rewrite 'no'
	option verify_mac 'false'
	option enrol 'window'
	option guard_share '8'
	option guard_min '9'
	option guard_window '11'
	option ca_file '/ca'
	option state_dir '/s'
	option run_dir '/r'
config qos 'qos'
	option enabled 'true'
	option backend 'qos-scripts'
	list mediaserver 'a.example'
";
    let (config, problems) = read(text);
    assert_eq!(problems, []);
    let right = Agent {
        enabled: false,
        networks: vec![],
        devices: vec![],
        upstream: "http://p.example:81/base".into(),
        provpass: Secret::default(),
        port: 1,
        pnp: false,
        dhcp: DhcpMode::Responder,
        dnsmasq_conf: Some("/etc/dnsmasq.d/p.conf".into()),
        upstream_timeout: Duration::from_secs(2),
        fresh_wait: Duration::from_secs(3),
        fresh_for: Duration::from_secs(5),
        grace: Duration::ZERO,
        history: 6,
        cache_max: 64 * 1024,
        shared_max: 0,
        rewrite: false,
        redirect_origins: vec!["https://cdn.example.net".into()],
        verify_mac: false,
        enrol: Enrol::Window,
        guard_share: 8,
        guard_min: 9,
        guard_window: Duration::from_secs(660),
        ca_file: Some("/ca".into()),
        state_dir: "/s".into(),
        run_dir: "/r".into(),
    };
    assert_eq!(config.agent, right);
    assert!(config.qos.enabled && config.qos.backend == QosBackend::QosScripts);
    for (word, backend) in [("fw4", QosBackend::Fw4), ("sqm", QosBackend::Sqm), ("qosify", QosBackend::Qosify)] {
        let (config, _) = read(&format!("config agent 'main'\nconfig qos 'qos'\n\toption backend '{word}'\n"));
        assert_eq!(config.qos.backend, backend);
    }
    let words = |dhcp, enrol| format!("config agent 'main'\n\toption dhcp '{dhcp}'\n\toption enrol '{enrol}'\n");
    let agent = read(&words("off", "list")).0.agent;
    assert_eq!((agent.dhcp, agent.enrol), (DhcpMode::Off, Enrol::List));
}

#[test]
fn the_table_is_sound() {
    for (i, o) in OPTIONS.iter().enumerate() {
        assert!(SECTIONS.iter().any(|(section, _)| *section == o.section), "{}", o.name);
        assert!(!OPTIONS[..i].iter().any(|p| (p.section, p.name) == (o.section, o.name)), "{} twice", o.name);
        if !o.default.is_empty() {
            assert!(!o.kind.is_list());
            assert_eq!(value::check(o.kind, o.name, o.default).as_deref(), Ok(o.default), "{}", o.name);
        }
        if let Kind::Int { min, max, .. } = o.kind {
            assert!(min < max);
            for good in [min, max] {
                assert!(value::check(o.kind, o.name, &good.to_string()).is_ok());
            }
            assert!(value::check(o.kind, o.name, &(u64::from(max) + 1).to_string()).is_err());
            assert!(min == 0 || value::check(o.kind, o.name, &(min - 1).to_string()).is_err());
        }
    }
}

#[test]
fn the_shipped_config_is_right_canonical_and_knows_every_vendor() {
    let (config, problems) = read(SHIPPED);
    assert_eq!(problems, []);
    assert!(!config.agent.enabled);
    // what `uci commit` would make of it, so that a commit changes nothing but what the admin changed
    assert_eq!(uci::write(&uci::parse(SHIPPED).unwrap()).unwrap(), SHIPPED);
    assert_eq!(config.vendors.len(), known_vendors().len());
    for (section, known) in config.vendors.iter().zip(known_vendors()) {
        assert_eq!(section.name, known.name);
        assert_eq!(section.url, known.url);
        assert_eq!(section.ouis.iter().map(ToString::to_string).collect::<Vec<_>>(), known.ouis);
        assert_eq!(section.enabled, matches!(known.name, "snom" | "mitel"));
    }
    // what it says beside `enabled` and `network` are the defaults
    let defaults = read("config agent 'main'\n\tlist network 'lan'\n").0;
    assert_eq!((config.agent, config.qos), (defaults.agent, defaults.qos));
}

#[test]
fn the_shipped_config_runs_once_the_upstream_is_set() {
    let text = SHIPPED.replacen(
        "option enabled '0'",
        "option enabled '1'\n\toption upstream 'https://p.example'\n\toption provpass 'x'",
        1,
    );
    assert_eq!(told(&text), Vec::<String>::new());
}

#[test]
fn problems_say_where_what_and_what_would_be_right() {
    let text = "\
config agent 'main'
	option enabled '1'
	list network 'lan'
	option upsteam 'http://x'
	option upstream 'http://p.example'
	option port '99999'
	option pnp 'maybe'
	option dhcp 'dnsmaq'
	option history '2'
	option history '4'
	option ca_file 'ca.pem'
	list state_dir '/a'

config vendor 'snom'
	option enabled '1'
	option oui '00:04:13 00:04:1'
	option url '{upstream}/{mca}'

config vendor 'snomm'
	option enabled '0'

config vendr 'x'

config vendor

config phone
	option mac '00:04'

config phone
	option vendor 'snom'

config phone
	option mac '00:08:5d:00:00:01'
	option vendor 'mital'

config vendor 'mitel'
	option enabled '1'

config vendor 'mitel'
	list oui '00:08:5d:*:*:*'
";
    assert_eq!(
        told(text),
        [
            "4 unknown option 'upsteam'; did you mean 'upstream'?",
            "6 port '99999' is out of range; write 1 to 65535; 8480 is used",
            "7 pnp 'maybe' is neither yes nor no; write 1 or 0; 1 is used",
            "8 dhcp 'dnsmaq' is none of dnsmasq, responder, off; did you mean 'dnsmasq'?; dnsmasq is used",
            "10 history is here again, before in line 9; the last one counts",
            "11 ca_file 'ca.pem' is no absolute path; begin it with /",
            "16 vendor 'snom': oui '00:04:1' has 5 digits; write it as 00:04:13:*:*:*",
            "17 vendor 'snom': url has the unknown placeholder {mca}; did you mean 'mac'?",
            "19 vendor 'snomm' is no known brand; did you mean 'snom'?",
            "22 unknown section type 'vendr'; did you mean 'vendor'?",
            "24 a vendor section needs a name, as in: config vendor 'snom'; left out",
            "27 phone: mac '00:04' is no MAC address; write it as 00:04:13:aa:bb:cc",
            "29 phone: needs option mac '00:04:13:aa:bb:cc'; left out",
            "34 phone: there is no section config vendor 'mital'; did you mean 'mitel'?",
            "39 section 'mitel' is here again, first in line 36; write its options in one place",
        ]
    );
    let (config, _) = read(text);
    assert_eq!((config.agent.port, config.agent.pnp, config.agent.history), (8480, true, 4));
    assert_eq!(config.agent.state_dir, PathBuf::from("/a"));
    // the bad url is not replaced by another one
    assert!(!config.vendors[0].enabled && config.vendors[0].url.is_empty());
    assert_eq!(config.vendors[2].ouis.len(), 1);
    assert_eq!(config.phones.len(), 1);
    let loaded = Config::read(text, "config/phoneprov", &known_vendors()).unwrap();
    assert_eq!(
        loaded.warnings[5].to_string(),
        "config/phoneprov:11: ca_file 'ca.pem' is no absolute path; begin it with /"
    );
}

#[test]
fn what_the_agent_cannot_work_with_is_fatal() {
    let only = |text: &str, right: &str| {
        let told = told(text);
        assert!(told.len() == 1 && told[0].starts_with(right), "{text}\n{told:?}");
        assert!(right.starts_with('!') == Config::read(text, "f", &known_vendors()).is_err());
    };
    only("", "!0 has no agent section; add: config agent 'main'");
    only("config agent 'main'\n\toption port '1' 2\n", "!2 too many words");
    only(&enabled("", ""), "!1 upstream is not set, but the url of vendor 'mitel' needs it");
    let documents = if cfg!(feature = "provisioner") {
        "2 upstream is a folder of documents, but provpass is not set; set it to the urlpass"
    } else {
        "!2 upstream is a file:// URL, and this build has no provisioner"
    };
    only(&enabled("\toption upstream 'file:///etc/phoneprov/db'", ""), documents);
    only(&enabled("\toption upstream 'https://u:geheim@p.example'", ""), "!2 upstream has a user name or password");
    only(&enabled(UP, "").replace("\tlist network 'lan'\n", ""), "!1 no network is served; add list network 'lan'");
    only(
        &enabled(UP, "").replace("\nconfig vendor 'mitel'\n\toption enabled '1'", ""),
        "!1 no vendor with a usable url",
    );
    // nothing of it matters while the agent is off, or when no url needs the upstream
    assert_eq!(told("config agent 'main'\nconfig vendor 'snom'\n\toption enabled '1'\n"), Vec::<String>::new());
    let own = enabled("", "") + "\toption url 'http://own.example/x'\n";
    assert_eq!(told(&own), Vec::<String>::new());
    // a bad upstream that nobody uses is only a warning
    let own = enabled(
        "\toption upstream 'nonsense'",
        "\nconfig vendor 'acme'\n\toption enabled '1'\n\toption url 'http://h/'",
    )
    .replace("config vendor 'mitel'\n\toption enabled '1'", "config vendor 'mitel'");
    only(&own, "2 upstream is no URL");
}

#[test]
fn what_only_shows_in_the_whole() {
    let snom = "config vendor 'snom'\n\toption enabled '1'";
    let told_of = |agent: &str, rest: &str, https| {
        let (_, problems) = read_all(&enabled(agent, rest), "f", &known_vendors(), https);
        problems.iter().map(|p| format!("{} {}", p.line, p.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        told_of(UP, snom, true),
        ["5 vendor 'snom': url uses {provpass}, but provpass is not set; set it, or take the parameter out of the url"]
    );
    assert_eq!(told_of(&format!("{UP}\n\toption provpass 'x'"), snom, true), Vec::<String>::new());
    let told = told_of("\toption upstream 'https://p.example'", "", false);
    assert!(told.len() == 1 && told[0].starts_with("2 upstream is https, but this build has no https"), "{told:?}");
    let told = told_of(UP, "config vendor 'acme'\n\toption enabled '1'\n\toption url 'https://h/'", false);
    assert!(told.len() == 1 && told[0].starts_with("7 vendor 'acme': url is https"), "{told:?}");
    assert_eq!(
        told_of(&format!("{UP}\n\toption enrol 'list'"), "", true),
        ["1 enrol 'list' serves only config phone sections, and there is none"]
    );
    assert_eq!(
        told_of(
            UP,
            "config vendor 'acme'\n\toption enabled '1'\n\tlist oui '00085d'\n\toption url '{upstream}/a/'",
            true
        ),
        ["9 vendor 'mitel': oui 00:08:5d:*:*:* belongs to vendor 'acme' already; that one counts"]
    );
    assert_eq!(
        told_of(UP, "config vendor 'acme'\n\toption enabled '1'", true),
        ["5 vendor 'acme': has no url, and the program knows none for this name; add option url"]
    );
    assert_eq!(
        told_of(UP, "config agent 'other'\nconfig qos 'q'", true),
        [
            "5 a second agent section; only the one in line 1 counts",
            "6 the qos section has another name; write: config qos 'qos'"
        ]
    );
}

#[test]
fn lists_are_taken_in_both_forms() {
    let (config, problems) =
        read("config agent 'main'\n\toption network 'lan guest'\n\tlist network 'lan'\n\tlist device 'eth0'\n");
    assert_eq!(problems, []);
    assert_eq!(
        (config.agent.networks, config.agent.devices),
        (vec!["lan".into(), "guest".into()], vec!["eth0".into()])
    );
    let many: String = (0..300).map(|i| format!("\tlist network 'n{i}'\n")).collect();
    let (config, problems) = read(&format!("config agent 'main'\n{many}"));
    assert_eq!((config.agent.networks.len(), problems.len()), (256, 1));
}

#[test]
fn no_secret_is_told() {
    let texts = [
        "config agent 'main'\n\toption provpass 'geheim\n7'\n\toption port 'geheim\n7'\n".to_string(),
        format!("config agent 'main'\n\toption provpass '{0}'\n\toption port '{0}'\n", "geheim".repeat(60)),
        "config agent 'main'\n\toption provpass geheim two\n\tgeheim\n".into(),
        "config agent 'main'\n\toption provpas 'geheim'\n\toption provpass 'geheim\n\toption port '1'\n".into(),
        enabled("\toption upstream 'https://u:geheim@p.example/geheim?geheim#geheim'\n\toption provpass 'geheim'", ""),
        enabled(UP, "config vendor 'snom'\n\toption enabled 1\n\toption url 'http://h/?pass=geheim&{bad}'"),
        "config agent 'main'\n\toption provpass 'geheim'\n\toption port 'geheim'\nconfig geheim\n\toption geheim 1\n"
            .into(),
    ];
    for text in texts {
        let (config, problems) = read(&text);
        assert!(!problems.is_empty(), "{text}");
        for problem in &problems {
            assert!(!problem.to_string().contains("geheim"), "{problem}");
        }
        assert!(!format!("{config:?}").contains("geheim"));
    }
}

#[test]
fn problems_are_bounded_and_one_line_each() {
    let (_, problems) = read(&format!("config agent 'main'\n{}", "\toption colour 1\n".repeat(5000)));
    assert_eq!(problems.len(), 200);
    let told = told("config agent 'main'\n\toption port 'a\nb\u{1b}'\n");
    assert!(told.len() == 1 && told[0].starts_with("2 port 'a\\nb\\u{1b}' is no whole number"), "{told:?}");
}

#[test]
fn rules_for_calls_need_a_media_server() {
    let text = "config agent 'main'\nconfig qos 'qos'\n\toption enabled '1'\n";
    let problems = |text: &str| Config::read(text, "f", &[]).unwrap().warnings;
    let found = problems(text);
    assert_eq!((found.len(), found[0].line), (1, 3));
    assert_eq!(found[0].message, "qos: mediaserver is not set; add list mediaserver 'media.example.net'");
    assert_eq!(problems(&format!("{text}\tlist mediaserver 'a.example'\n")), []);
    for (wrong, said) in [
        (
            "10.0.0.0/33",
            "'10.0.0.0/33' is no host name, address or block; write it as media.example.net, 203.0.113.7 or",
        ),
        ("sip://joe:hunter2@h", "is no host name, address or block; write the host alone, as media.example.net"),
        ("joe:hunter2@h", "is no host name, address or block; write the host alone, as media.example.net"),
    ] {
        let (_, found) = read_all(&format!("{text}\tlist mediaserver '{wrong}'\n"), "f", &[], true);
        let about = found.iter().find(|p| p.line == 4).expect("a problem");
        assert!(about.message.starts_with(&format!("qos: mediaserver {said}")), "{}", about.message);
    }
    assert_eq!(problems(&text.replace("'1'", "'0'")), []);
}

proptest! {
    #[test]
    fn total(text in "(config |option |list |'main'|agent |vendor |phone |qos |enabled |url |oui |mac |provpass |upstream |'1'|'http://h'|\\{upstream\\}|\\{mac\\}|\\PC|[\n\t '\"\\\\#;{}/:*]){0,60}") {
        for https in [true, false] {
            let (_, problems) = read_all(&text, "f", &known_vendors(), https);
            for p in problems {
                prop_assert!(!p.message.chars().any(char::is_control), "{:?}", p);
            }
        }
    }

    /// Whatever the values are, the config that comes out is within the table's bounds.
    #[test]
    fn any_value_ends_within_bounds(name in prop::sample::select(OPTIONS.iter().filter(|o| o.section == "agent").map(|o| o.name).collect::<Vec<_>>()), value in "\\PC{0,20}|-?[0-9]{1,12}") {
        let mut file = uci::File::default();
        let mut section = uci::Section::new("agent", Some("main"));
        section.option(name, value);
        file.sections.push(section);
        let (config, _) = read(&uci::write(&file).unwrap());
        let a = config.agent;
        prop_assert!(a.port > 0 && a.history >= 1 && a.cache_max >= 64 * 1024 && a.guard_share <= 100);
        prop_assert!(a.state_dir.is_absolute() && a.run_dir.is_absolute() && a.fresh_wait >= Duration::from_secs(1));
    }
}
