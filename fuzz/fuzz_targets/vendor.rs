//! The vendor room: the first byte picks the brand, the rest is a file name and, after the first line end, a body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::vendor::{difference, Verdict, ALL, GENERIC};

fuzz_target!(|input: &[u8]| {
    let Some((pick, rest)) = input.split_first() else { return };
    let vendor = ALL.get(usize::from(*pick) % (ALL.len() + 1)).copied().unwrap_or(&GENERIC);
    let at = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    let (file, body) = rest.split_at(at);
    let (file, body) = (String::from_utf8_lossy(file), body.get(1..).unwrap_or_default());
    let printable = |text: &str| text.chars().all(|c| (' '..='~').contains(&c));

    if let Verdict::Broken(why) = (vendor.check)(&file, body) {
        assert!(!why.is_empty() && why.len() < 200 && printable(&why));
    }
    // of two configs only names are said
    let (old, new) = body.split_at(body.len() / 2);
    let words = difference(vendor, &file, old, new, "");
    assert!(!words.is_empty() && words.len() < phoneprov::bounds::DIFFERENCE_WORDS && printable(&words));
    // no user, no registrar gets out
    assert!(format!("{:?}", vendor.identity(&file, body)).len() < 32);
    let _ = (vendor.kind)(&file);
    let _ = (vendor.fallback)(&file);
    for agent in [&*file, &*String::from_utf8_lossy(body)] {
        if let Some(facts) = (vendor.user_agent)(agent) {
            for fact in [facts.model, facts.firmware].into_iter().flatten() {
                assert!(!fact.is_empty() && fact.len() <= 64 && printable(&fact));
            }
        }
    }
});
