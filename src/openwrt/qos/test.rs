//! Every back end on the files of a router as it is delivered, and of one that somebody has worked on (tests/data/qos):
//! applied, applied again, with other media servers, and removed. Then: what no input whatever may bring into a file.
//! UPDATE_DOCS=1 writes the expected files anew.

use super::edit::without;
use super::*;
use crate::config::Qos;
use crate::proto::uci;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn folder(site: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/qos").join(site)
}

fn router(site: &str) -> Router {
    let read = |name: &str| std::fs::read_to_string(folder(site).join(name)).unwrap();
    Router {
        network: read("network"),
        files: File::ALL.into_iter().map(|f| (f, read(f.name()))).collect(),
        installed: Installed { qos_scripts: true, fw4: true, sqm: true, qosify: true },
        networks: vec!["lan".into(), "voice".into()],
        ..Router::default()
    }
}

fn qos(upload: u32, download: u32) -> Qos {
    Qos { enabled: true, backend: QosBackend::Auto, mediaservers: Vec::new(), upload, download }
}

fn blocks(all: &[&str]) -> Vec<Block> {
    all.iter().map(|b| Block::parse(b).unwrap_or_else(|| panic!("{b}"))).collect()
}

/// As `apply` does it, on texts.
fn apply(router: &Router, plan: &Plan) -> Router {
    let mut out = router.clone();
    for (file, text) in &mut out.files {
        let ask = plan.files.get(file).cloned().unwrap_or_default();
        if let Some(new) = change(text, *file, &ask).unwrap_or_else(|e| panic!("{file:?}: {e}")) {
            *text = new;
        }
    }
    out.addresses = plan.addresses.clone();
    out
}

fn expect(site: &str, backend: Backend, state: &str, before: &Router, now: &Router) {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (file, text) in now.files.iter().filter(|(file, text)| before.files.get(file) != Some(text)) {
        texts.insert(file.name().into(), text.clone());
    }
    texts.extend(now.addresses.iter().map(|text| ("50-phoneprov.conf".to_string(), text.clone())));
    assert!(!texts.is_empty(), "{site} {backend:?} {state}");
    for (name, text) in texts {
        let path = folder(site).join(format!("{}.{name}.{state}", backend.name()));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, expected, "{}", path.display());
    }
}

#[test]
fn applied_again_changed_and_removed_on_the_files_of_two_routers() {
    for site in ["stock", "busy"] {
        let before = router(site);
        for backend in Backend::ALL {
            let first = blocks(&["198.51.100.20"]);
            let one = plan(backend, &before, &qos(9000, 90000), &first);
            assert_eq!(one.trouble, Vec::<String>::new(), "{site} {backend:?}");
            let after = apply(&before, &one);
            expect(site, backend, "after", &before, &after);
            assert_eq!(written(&after).into_iter().collect::<Vec<_>>(), first);
            // again: what is planned for the files as they are now is what is there
            let again = plan(backend, &after, &qos(9000, 90000), &first);
            assert_eq!(again, one, "{site} {backend:?}");
            for (file, text) in &after.files {
                let ask = again.files.get(file).cloned().unwrap_or_default();
                assert_eq!(change(text, *file, &ask), Ok(None), "{site} {backend:?} {file:?}");
                // and after `uci commit` by somebody else
                let canonical = uci::write(&uci::parse(text).unwrap()).unwrap();
                assert_eq!(change(&canonical, *file, &ask), Ok(None), "{site} {backend:?} {file:?}");
            }
            // other servers, two of them, and other speeds
            let second = blocks(&["203.0.113.9", "192.0.2.0/24", "2001:db8::9"]);
            let second: Vec<Block> =
                second.into_iter().filter(|b| backend != Backend::Qosify || b.is_single()).collect();
            let other = plan(backend, &after, &qos(5000, 50000), &second);
            let changed = apply(&after, &other);
            expect(site, backend, "changed", &before, &changed);
            let fresh = apply(&before, &plan(backend, &before, &qos(5000, 50000), &second));
            assert_eq!((&changed.files, &changed.addresses), (&fresh.files, &fresh.addresses), "{site} {backend:?}");
            // another back end takes the place of this one
            for next in Backend::ALL {
                let moved = apply(&changed, &plan(next, &changed, &qos(9000, 90000), &first));
                let direct = apply(&before, &plan(next, &before, &qos(9000, 90000), &first));
                assert_eq!((moved.files, moved.addresses), (direct.files, direct.addresses), "{backend:?} {next:?}");
            }
            // removed, also from what `uci commit` made of it
            assert_eq!(apply(&changed, &Plan::default()).files, before.files, "{site} {backend:?}");
            for (file, text) in &changed.files {
                let canonical = |text: &str| uci::write(&uci::parse(text).unwrap()).unwrap();
                let gone = without(&canonical(text), *file).unwrap();
                assert_eq!(canonical(&gone), canonical(&before.files[file]), "{site} {backend:?} {file:?}");
            }
        }
    }
}

#[test]
fn what_is_left_as_it_is_and_what_is_said() {
    let (stock, busy) = (router("stock"), router("busy"));
    let one = blocks(&["198.51.100.20"]);
    let said = |router: &Router, backend, upload| {
        let plan = plan(backend, router, &qos(upload, upload), &one);
        (plan.trouble.join("\n"), plan.notes.join("\n"))
    };
    // without speeds a line that is off is not switched on: it is set to the speed of ISDN
    let (trouble, notes) = said(&stock, Backend::QosScripts, 0);
    assert!(trouble.contains("interface 'wan' of /etc/config/qos is off; set option upload"), "{trouble}");
    assert!(notes.contains("2 other classify rules of /etc/config/qos come after rule 3"), "{notes}");
    let plain = plan(Backend::QosScripts, &stock, &qos(0, 0), &one);
    assert_eq!(plain.files[&File::Qos].borrowed, None);
    // one that is on keeps what nobody set
    let set = plan(Backend::QosScripts, &busy, &qos(0, 4000), &one).files[&File::Qos].borrowed.clone().unwrap();
    assert_eq!((set.name.as_str(), set.options), ("dsl", vec![("download", "4000".to_string())]));
    assert_eq!(said(&busy, Backend::QosScripts, 0).0, "");
    for backend in [Backend::Sqm, Backend::Qosify] {
        assert!(said(&stock, backend, 0).0.contains("does nothing yet"), "{backend:?}");
    }
    // a queue of the admin's own is not touched
    let (trouble, notes) = said(&busy, Backend::Sqm, 9000);
    assert_eq!(trouble, "");
    assert!(
        notes.contains("a queue of yours on pppoe-dsl") && notes.contains("option script 'layer_cake.qos'"),
        "{notes}"
    );
    assert!(!plan(Backend::Sqm, &busy, &qos(1, 1), &one).files.contains_key(&File::Sqm));
    let mut right = busy.clone();
    let queue = "config queue\n\toption enabled 1\n\toption interface pppoe-dsl\n\toption qdisc cake\n\toption script layer_cake.qos\n\
                 \toption squash_dscp 0\n\toption squash_ingress 0\n\toption iqdisc_opts 'x diffserv4'\n\toption eqdisc_opts diffserv4\n";
    right.files.insert(File::Sqm, queue.into());
    assert!(!said(&right, Backend::Sqm, 9000).1.contains("queue of yours"));
    assert!(notes.contains("flow offloading is on") && !said(&stock, Backend::Fw4, 0).1.contains("offloading"));
    // IPv6, blocks
    let mixed = blocks(&["2001:db8::1", "198.51.100.0/24"]);
    assert_eq!(
        plan(Backend::QosScripts, &stock, &qos(1, 1), &mixed).notes[0],
        "qos-scripts has rules for IPv4 only: 2001:db8::1 is left out"
    );
    assert!(plan(Backend::QosScripts, &stock, &qos(1, 1), &mixed[..1]).trouble[0].contains("needs one"));
    let plan_of = plan(Backend::Qosify, &stock, &qos(1, 1), &mixed);
    assert!(plan_of.trouble[0].contains("single addresses only: 198.51.100.0/24 is left out"));
    assert!(plan_of.addresses.unwrap().ends_with("\n2001:db8::1\tvoice\n"));
    // nothing to write rules for: not even rule 3
    assert_eq!(plan(Backend::QosScripts, &stock, &qos(1, 1), &[]), Plan::default());
}

#[test]
fn ours_come_first_of_their_kind_or_are_put_there_again() {
    let stock = router("stock");
    let one = plan(Backend::QosScripts, &stock, &qos(9, 9), &blocks(&["198.51.100.20"]));
    let ask = &one.files[&File::Qos];
    let right = change(&stock.files[&File::Qos], File::Qos, ask).unwrap().unwrap();
    let kinds = |text: &str| -> Vec<(String, bool)> {
        let all = uci::parse(text).unwrap().sections.into_iter();
        let ours = |s: &uci::Section| s.name.as_deref().is_some_and(|n| n.starts_with(PREFIX));
        all.filter(|s| s.kind == "default" || s.kind.ends_with("classify"))
            .map(|s| (s.kind.clone(), ours(&s)))
            .collect()
    };
    let expected = [("classify", 3), ("classify", 0), ("classify", 0), ("reclassify", 2), ("default", 0)];
    let expected = expected.iter().flat_map(|(kind, ours)| vec![(kind.to_string(), *ours > 0); *ours.max(&1)]);
    assert_eq!(kinds(&right)[..8], expected.collect::<Vec<_>>()[..]);
    // somebody's `default` put before them
    let moved = format!("config default\n\toption target 'Bulk'\n\n{right}");
    let again = change(&moved, File::Qos, ask).unwrap().unwrap();
    assert_eq!(
        kinds(&again)[..3],
        [("reclassify".into(), true), ("reclassify".into(), true), ("default".into(), false)]
    );
    // a file that has none of these types, with and without a line feed at its end
    for end in ["", "\n", "\n\n"] {
        let bare = format!("config interface 'wan'\n\toption enabled '1'{end}");
        let with = change(&bare, File::Qos, ask).unwrap().unwrap();
        assert_eq!(kinds(&with).len(), 5, "{with}");
        assert_eq!(change(&with, File::Qos, ask), Ok(None));
        assert_eq!(change(&with, File::Qos, &Ask::default()), Ok(Some(bare)));
    }
}

#[test]
fn what_is_not_there_is_named() {
    let one = blocks(&["198.51.100.20"]);
    let trouble = |backend, file: File, text: &str| {
        let mut router = router("stock");
        router.files.insert(file, text.into());
        plan(backend, &router, &qos(9, 9), &one).trouble.join("\n")
    };
    let zone = "config zone\n\toption name wan\n\tlist network wan\n";
    for (backend, file, text, why) in [
        (Backend::Fw4, File::Firewall, "", "has no zone 'wan'"),
        (Backend::Fw4, File::Firewall, zone, "no zone of /etc/config/firewall has a network with phones"),
        (Backend::QosScripts, File::Qos, "config interface wan\n", "without the class Priority"),
        (
            Backend::QosScripts,
            File::Qos,
            "config classgroup a\n\toption classes Priority\n",
            "without the class Normal",
        ),
        (Backend::Qosify, File::Qosify, "config interface wan\n", "no class 'voice'"),
        (Backend::Qosify, File::Qosify, "config class voice\n", "does not read /etc/qosify/50-phoneprov.conf"),
    ] {
        let said = trouble(backend, file, text);
        assert!(said.contains(why), "{backend:?} {text}: {said}");
    }
    let mut router = router("stock");
    router.files.insert(File::Firewall, "config zone\n\toption name 'wan'\n\tlist network 'nope'\n".into());
    assert!(plan(Backend::Sqm, &router, &qos(9, 9), &one).trouble.join("\n").contains("which device is the line"));
    router.wan = Some("eth7".into());
    let made = plan(Backend::Sqm, &router, &qos(9, 9), &one);
    assert_eq!(made.files[&File::Sqm].sections[0].get("interface"), Some("eth7"));
    router.files.clear();
    assert!(plan(Backend::Fw4, &router, &qos(9, 9), &one).trouble[0].contains("there is no /etc/config/firewall"));
}

#[test]
fn no_more_addresses_than_there_may_be() {
    let many: Vec<Block> = (0..100).map(|n| Block::parse(&format!("203.0.{n}.1")).unwrap()).collect();
    let made = plan(Backend::QosScripts, &router("stock"), &qos(9, 9), &many);
    assert!(made.trouble[0].contains("have 100 addresses, and rules are written for 64"), "{:?}", made.trouble);
    assert_eq!(made.files[&File::Qos].sections.len(), 4 * crate::bounds::QOS_BLOCKS + 1);
    // one block holds them all
    let wide: Vec<Block> = many.into_iter().chain(blocks(&["203.0.0.0/16"])).collect();
    assert_eq!(plan(Backend::QosScripts, &router("stock"), &qos(9, 9), &wide).files[&File::Qos].sections.len(), 5);
}

#[test]
fn the_rules_in_words() {
    let all: Vec<(u8, String)> =
        rules(&blocks(&["203.0.113.9", "198.51.100.20"])).into_iter().map(|r| (r.number, r.text)).collect();
    let texts = [
        (1, "Priority: UDP from all to media server 198.51.100.20"),
        (1, "Priority: UDP from all to media server 203.0.113.9"),
        (2, "Priority: UDP from media server 198.51.100.20 to all"),
        (2, "Priority: UDP from media server 203.0.113.9 to all"),
        (3, "Normal: everything else"),
    ];
    assert_eq!(all, texts.map(|(n, t)| (n, t.to_string())));
    assert_eq!(rules(&[]), []);
}

#[test]
fn the_best_that_is_there_is_chosen() {
    let all = Installed { qos_scripts: true, fw4: true, sqm: true, qosify: true };
    let pick = |site: &str, installed: Installed, wanted| {
        let mut router = router(site);
        router.installed = installed;
        choose(wanted, &offers(&router))
    };
    let none = Installed::default();
    for (site, installed, chosen, why) in [
        ("stock", all, Some(Backend::Sqm), "sqm-scripts is installed"),
        ("stock", Installed { sqm: false, ..all }, Some(Backend::Qosify), "qosify is installed"),
        (
            "stock",
            Installed { qos_scripts: true, fw4: true, ..none },
            Some(Backend::QosScripts),
            "qos-scripts is installed",
        ),
        ("stock", Installed { fw4: true, ..none }, Some(Backend::Fw4), "calls are only marked; install luci-app-sqm"),
        ("stock", none, None, "nothing is installed that could do it: install luci-app-sqm"),
        ("busy", all, Some(Backend::Sqm), "sqm-scripts is installed and in use"),
        ("busy", Installed { sqm: false, ..all }, Some(Backend::Qosify), "qosify is installed and in use"),
    ] {
        let choice = pick(site, installed, None);
        assert_eq!((choice.chosen, choice.trouble.is_some()), (chosen, chosen.is_none()), "{site} {installed:?}");
        assert!(choice.why.contains(why), "{}", choice.why);
    }
    assert!(pick("busy", all, None).note.unwrap().contains("sqm and qosify and qos-scripts are in use at once"));
    let choice = pick("stock", none, Some(Backend::Qosify));
    assert_eq!(
        choice.trouble.unwrap(),
        "option backend is 'qosify', but qosify is not installed; install it, or set option backend 'auto'"
    );
    assert!(pick("busy", all, Some(Backend::QosScripts)).note.unwrap().contains("sqm is in use too"));
    assert_eq!(pick("busy", all, Some(Backend::Fw4)).note, None);
    // ours do not count as somebody's: the choice does not hold on to itself
    let stock = router("stock");
    let ours = apply(&stock, &plan(Backend::QosScripts, &stock, &qos(9, 9), &blocks(&["198.51.100.20"])));
    assert_eq!(offers(&ours), offers(&stock));
}

const HOSTILE: &[&str] = &[
    "198.51.100.20; reboot",
    "198.51.100.20' -j ACCEPT; '",
    "$(reboot)",
    "`reboot`",
    "198.51.100.20\nreboot",
    "198.51.100.20 -j ACCEPT",
    "198.51.100.20/24;x",
    "198.51.100.20/ 24",
    "198.51.100.20/+24",
    "198.51.100.20/024x",
    "-d",
    "--help",
    "fe80::1%br-lan",
    "fe80::1%$(reboot)",
    "2001:db8::1#x",
    "::ffff:127.0.0.1",
    "0x7f000001",
    "127.1",
    "010.0.0.1",
    "0.0.0.0/0",
    "::/0",
    "224.0.1.75",
    "255.255.255.255",
    "198.51.100.20\0",
    "198.51.100.20\u{2028}",
    "１９８.51.100.20",
    "media.example.net",
    "a\\b",
    "",
    "/",
    "/24",
    "198.51.100.20/33",
    "198.51.100.20/256",
    "2001:db8::/129",
];

#[test]
fn hostile_addresses_are_none() {
    for text in HOSTILE {
        assert_eq!(Block::parse(text), None, "{text:?}");
        let word = Word::new(text);
        assert!(word.is_none() || word.is_some_and(|w| is_harmless(w.as_str())), "{text:?}");
    }
    for (text, right) in [
        ("198.51.100.77/24", "198.51.100.0/24"),
        ("198.51.100.7/32", "198.51.100.7"),
        ("2001:DB8:0::0009", "2001:db8::9"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("10.0.0.0/08", "10.0.0.0/8"),
    ] {
        assert_eq!(Block::parse(text).map(|b| b.to_string()).as_deref(), Some(right));
    }
    let (wide, narrow, six) = (blocks(&["10.0.0.0/8"])[0], blocks(&["10.1.0.0/16"])[0], blocks(&["2001:db8::/32"])[0]);
    assert!(
        wide.covers(&narrow) && wide.covers(&wide) && !narrow.covers(&wide) && !wide.covers(&six) && !six.covers(&wide)
    );
}

/// Letters, digits and what stands in addresses, names and our own words.
fn is_harmless(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_alphanumeric() || b" .:/_-=".contains(&b))
}

/// Every value of ours that a plan would write.
fn values(plan: &Plan) -> Vec<String> {
    let mut out = Vec::new();
    for ask in plan.files.values() {
        for section in &ask.sections {
            out.extend(section.name.clone());
            out.extend(section.entries.iter().flat_map(|e| [e.name.clone(), e.value.clone()]));
        }
        if let Some(borrowed) = &ask.borrowed {
            out.push(borrowed.name.clone());
            out.extend(borrowed.options.iter().map(|(_, value)| value.clone()));
        }
    }
    let lines = plan.addresses.iter().flat_map(|text| text.lines().skip(1));
    out.extend(lines.flat_map(|line| line.split('\t')).map(str::to_string));
    out
}

fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(HOSTILE).prop_map(str::to_string),
        "[a-z0-9.:/;$`'\"\\\\ \n#|&<>()!*?-]{0,20}",
        prop::sample::select(vec!["wan", "lan", "eth1", "198.51.100.20", "2001:db8::/32"]).prop_map(str::to_string),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn nothing_but_harmless_characters_is_written(
        hosts in prop::collection::vec(nasty(), 0..6),
        zone in nasty(), lan in nasty(), network in nasty(), device in nasty(), given in prop::option::of(nasty()),
        upload in any::<u32>(), download in any::<u32>(),
    ) {
        let quoted = |text: &str| text.replace('\'', "'\\''").replace('\0', "");
        let mut router = router("stock");
        router.wan = given;
        router.networks = vec![lan.clone()];
        router.network.push_str(&format!("\nconfig interface '{}'\n\toption device '{}'\n", quoted(&network), quoted(&device)));
        router.files.insert(File::Firewall, format!(
            "config zone\n\toption name '{}'\n\toption masq 1\n\tlist network '{}'\n\nconfig zone\n\toption name '{}'\n\tlist network '{}'\n",
            quoted(&zone), quoted(&network), quoted(&lan), quoted(&lan)));
        let blocks: Vec<Block> = hosts.iter().filter_map(|h| Block::parse(h)).collect();
        for backend in Backend::ALL {
            let made = plan(backend, &router, &qos(upload, download), &blocks);
            for value in values(&made) {
                prop_assert!(is_harmless(&value), "{:?} {:?}", backend, value);
                prop_assert!(!value.starts_with('-'), "{:?}", value);
            }
            for (file, text) in &router.files {
                let ask = made.files.get(file).cloned().unwrap_or_default();
                if let Ok(Some(with)) = change(text, *file, &ask) {
                    prop_assert_eq!(change(&with, *file, &ask), Ok(None));
                    prop_assert_eq!(change(&with, *file, &Ask::default()), Ok(Some(text.clone())));
                }
            }
        }
    }

    #[test]
    fn a_block_is_read_back_as_it_is_written(text in nasty()) {
        if let Some(block) = Block::parse(&text) {
            let shown = block.to_string();
            prop_assert!(shown.bytes().all(|b| b.is_ascii_hexdigit() || b".:/".contains(&b)));
            prop_assert_eq!(Block::parse(&shown), Some(block));
        }
    }
}
