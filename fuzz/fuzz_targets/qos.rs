//! Rules for calls: whatever the config's media servers, the router's names and the files of others are, what is written is
//! made of harmless characters, applying twice is applying once, and taking it out gives the file back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::config::{Qos, QosBackend};
use phoneprov::openwrt::qos::{
    change, choose, offers, plan, rules, written, Ask, Backend, Block, File, Installed, Router, Word,
};

fn harmless(value: &str) -> bool {
    !value.starts_with('-') && value.bytes().all(|b| b.is_ascii_alphanumeric() || b" .:/_-=".contains(&b))
}

// Parts end with a line of their own; the last three are files.
fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.splitn(6, "\n%\n");
    let mut part = || parts.next().unwrap_or_default().to_string();
    let (hosts, wan, lan) = (part(), part(), part());
    let blocks: Vec<Block> = hosts.lines().filter_map(Block::parse).collect();
    for block in &blocks {
        assert_eq!(Block::parse(&block.to_string()), Some(*block));
        assert!(harmless(&block.to_string()));
    }
    assert!(Word::new(&wan).is_none_or(|w| harmless(w.as_str())));
    let (network, firewall, other) = (part(), part(), part());
    let router = Router {
        network,
        files: File::ALL
            .into_iter()
            .map(|f| (f, if f == File::Firewall { firewall.clone() } else { other.clone() }))
            .collect(),
        installed: Installed { qos_scripts: true, fw4: true, sqm: true, qosify: true },
        wan: Some(wan).filter(|w| !w.is_empty()),
        networks: vec!["lan".into(), lan.clone()],
        devices: vec![lan],
        ..Router::default()
    };
    let _ = (choose(None, &offers(&router)), rules(&blocks), written(&router));
    let qos = Qos {
        enabled: true,
        backend: QosBackend::Auto,
        mediaservers: Vec::new(),
        upload: data.len() as u32,
        download: 9,
    };
    for backend in Backend::ALL {
        let made = plan(backend, &router, &qos, &blocks);
        for ask in made.files.values() {
            for section in &ask.sections {
                assert!(section.name.as_deref().is_some_and(harmless));
                assert!(section.entries.iter().all(|e| harmless(&e.value)));
            }
            if let Some(borrowed) = &ask.borrowed {
                assert!(harmless(&borrowed.name) && borrowed.options.iter().all(|(_, value)| harmless(value)));
            }
        }
        assert!(made.addresses.iter().flat_map(|t| t.lines().skip(1)).flat_map(|l| l.split('\t')).all(harmless));
        for (file, text) in &router.files {
            let ask = made.files.get(file).cloned().unwrap_or_default();
            let Ok(Some(with)) = change(text, *file, &ask) else { continue };
            assert_eq!(change(&with, *file, &ask), Ok(None));
            if !text.contains("phoneprov") {
                assert_eq!(change(&with, *file, &Ask::default()), Ok(Some(text.clone())));
            }
        }
    }
});
