//! The file format of a stored generation: nothing panics, a header has one spelling, and what is read is written
//! the same. The input is tried as it is, and again with the right checks put in, which chance would never find.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::core::types::Sha256;
use phoneprov::store::file;

fuzz_target!(|data: &[u8]| {
    check(data);
    // `lines`, an empty line, `body` → magic, lines with the body's hash and length, check line, body
    let at = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let (lines, body) = (&data[..at], data.get(at + 2..).unwrap_or_default());
    let mut sealed = b"phoneprov generation 1\n".to_vec();
    let facts = format!("sha256: {}\nsize: {}\n", Sha256::of(body), body.len());
    let mut put = false;
    for line in lines.split(|byte| *byte == b'\n') {
        if line.starts_with(b"sha256: ") {
            sealed.extend_from_slice(facts.as_bytes());
            put = true;
        } else if !(put && line.starts_with(b"size: ")) {
            sealed.extend_from_slice(line);
            sealed.push(b'\n');
        }
    }
    let check_line = format!("check: {}\n\n", Sha256::of(&sealed));
    sealed.extend_from_slice(check_line.as_bytes());
    sealed.extend_from_slice(body);
    check(&sealed);
});

fn check(bytes: &[u8]) {
    if let Ok(head) = file::parse_head(bytes) {
        assert_eq!(file::write_head(&head.key, &head.meta), bytes[..head.body_at]);
        assert!(head.meta.number > 0);
    }
    if let Ok(head) = file::parse(bytes) {
        assert_eq!(bytes.len() as u64 - head.body_at as u64, head.meta.size);
        assert_eq!(Sha256::of(&bytes[head.body_at..]), head.meta.sha256);
    }
}
