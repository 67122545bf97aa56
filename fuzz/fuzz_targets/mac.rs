//! Every text is read or refused, and what was read is written so that it reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::proto::mac::{Mac, MacPattern};

fuzz_target!(|text: &str| {
    if let Some((range, mac)) = Mac::find_at(text) {
        assert!(text.get(range).is_some());
        assert_eq!(Mac::parse(&mac.to_string()), Some(mac));
    }
    if let Ok(pattern) = MacPattern::parse(text) {
        assert_eq!(MacPattern::parse(&pattern.to_string()), Ok(pattern));
    }
});
