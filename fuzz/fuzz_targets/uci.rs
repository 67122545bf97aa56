//! UCI files: the reader is total, what it reads can be written and reads back as the same, the config that is made of it
//! holds no surprise, and sections of ours leave it as they came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::config::{known_vendors, resolve_networks, Config};
use phoneprov::openwrt::dhcp::OURS;
use phoneprov::openwrt::sections::replace;
use phoneprov::proto::uci::{parse, parse_all, write, File, Section};

/// Without what a canonical file does not keep.
fn meaning(file: &File) -> File {
    let mut file = file.merged();
    file.package = None;
    for section in &mut file.sections {
        section.line = 0;
        section.entries.iter_mut().for_each(|entry| entry.line = 0);
    }
    file
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (file, errors) = parse_all(text);
    assert_eq!(parse(text).is_ok(), errors.is_empty());
    let lines = text.bytes().filter(|b| *b == b'\n').count() as u32 + 1;
    assert!(errors.iter().all(|e| e.line >= 1 && e.line <= lines));

    let canonical = write(&file).expect("what was read can be written");
    let again = parse(&canonical).expect("what was written can be read");
    assert_eq!(meaning(&again), meaning(&file));
    assert_eq!(write(&again).as_deref(), Ok(canonical.as_str()));

    let problems = match Config::read(text, "f", &known_vendors()) {
        Ok(loaded) => {
            assert!(loaded.config.agent.port > 0);
            loaded.warnings
        }
        Err(problems) => {
            assert!(problems.0.iter().any(|p| p.fatal));
            problems.0
        }
    };
    assert!(problems.iter().all(|p| p.line <= lines && !p.message.contains('\n')));
    resolve_networks(text, &["lan".to_string()]);

    let mut ours = Section::new("tag", Some("phoneprov_snom"));
    ours.item("dhcp_option", "66,\"http://192.168.1.1:8480/\"");
    if let Ok(Some(with)) = replace(text, OURS, std::slice::from_ref(&ours)) {
        assert_eq!(replace(&with, OURS, std::slice::from_ref(&ours)), Ok(None));
        if !text.contains("phoneprov_") {
            assert_eq!(replace(&with, OURS, &[]).ok().flatten().as_deref(), Some(text));
        }
    }
});
