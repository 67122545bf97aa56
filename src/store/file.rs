//! One generation's file: a text header, an empty line, and the exact bytes of the body.
//!
//! ```text
//! phoneprov generation 1
//! vendor: snom
//! mac: 00:04:13:aa:bb:cc
//! name: settings.php?mac={mac}
//! number: 3
//! sha256: (of the body, 64 hex digits)
//! size: 20480
//! stored-at: 1700000000
//! etag: "5f2a"                                  (when there is one)
//! last-modified: Tue, 14 Nov 2023 22:13:20 GMT  (when there is one)
//! target: settings.php?mac=000413AABBCC
//! header: User-Agent: …                         (any number)
//! check: (SHA-256 of all the bytes before this line)
//! ```
//!
//! In values a backslash is written `\\` and a control character `\x0a`; in the name of a `header:` so is the colon.
//! There is exactly one way to write each header, and anything else is damage.

use crate::bounds;
use crate::core::types::{GenerationMeta, ResourceKey, Sha256};
use crate::proto::mac::Mac;
use std::fmt::Write;
use std::iter::Peekable;
use std::str::Split;

/// Largest header, in bytes: a target of 2 KiB and 8 KiB of request headers, with every byte escaped, and room.
pub const HEAD_MAX: usize = 64 * 1024;
/// Largest file, in bytes.
pub const FILE_MAX: usize = bounds::CONFIG_BODY + HEAD_MAX;

const MAGIC: &str = "phoneprov generation ";
const VERSION: &str = "1";

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose config, and which.
    pub key: ResourceKey,
    /// What is known of it.
    pub meta: GenerationMeta,
    /// Where the body begins, in bytes from the file's begin.
    pub body_at: usize,
}

/// Why a file is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Another version of the agent wrote it: not for us, and not damaged either.
    Version,
    /// It is not what was written. The text is a clause.
    Damaged(&'static str),
}

/// Writes the header, with the empty line after it.
pub fn write_head(key: &ResourceKey, meta: &GenerationMeta) -> Vec<u8> {
    let mut out = String::with_capacity(512);
    out.push_str(MAGIC);
    out.push_str(VERSION);
    out.push('\n');
    line(&mut out, "vendor", &key.vendor);
    line(&mut out, "mac", &key.mac.to_string());
    line(&mut out, "name", &key.name);
    line(&mut out, "number", &meta.number.to_string());
    line(&mut out, "sha256", &meta.sha256.to_string());
    line(&mut out, "size", &meta.size.to_string());
    line(&mut out, "stored-at", &meta.stored_at.to_string());
    if let Some(etag) = &meta.etag {
        line(&mut out, "etag", etag);
    }
    if let Some(date) = &meta.last_modified {
        line(&mut out, "last-modified", date);
    }
    line(&mut out, "target", &meta.target);
    for (name, value) in &meta.headers {
        out.push_str("header: ");
        escape(&mut out, name, true);
        out.push_str(": ");
        escape(&mut out, value, false);
        out.push('\n');
    }
    let check = Sha256::of(out.as_bytes()).to_string();
    line(&mut out, "check", &check);
    out.push('\n');
    out.into_bytes()
}

/// Reads and checks the header; the body is not looked at.
pub fn parse_head(bytes: &[u8]) -> Result<Head, Wrong> {
    let window = bytes.get(..HEAD_MAX).unwrap_or(bytes);
    let damaged = Err(Wrong::Damaged("its header is damaged"));
    let Some(rest) = window.strip_prefix(MAGIC.as_bytes()) else {
        return Err(Wrong::Damaged("it is not a stored config"));
    };
    let version = rest.split(|b| *b == b'\n').next().unwrap_or_default();
    let number = (1..=9).contains(&version.len()) && version.iter().all(u8::is_ascii_digit);
    if number && version != VERSION.as_bytes() {
        return Err(Wrong::Version);
    }
    let Some(lines) = window.windows(2).position(|pair| pair == b"\n\n") else {
        return damaged;
    };
    let (Some(text), Some(whole)) = (window.get(..lines), window.get(..lines + 2)) else {
        return damaged;
    };
    let Some((key, meta)) = std::str::from_utf8(text).ok().and_then(parse_lines) else {
        return damaged;
    };
    // This proves the check line too, and that no second spelling of a header exists.
    if write_head(&key, &meta) != whole {
        return damaged;
    }
    Ok(Head { key, meta, body_at: whole.len() })
}

/// Reads and checks a whole file, body too.
pub fn parse(bytes: &[u8]) -> Result<Head, Wrong> {
    let head = parse_head(bytes)?;
    let body = bytes.get(head.body_at..).unwrap_or_default();
    if body.len() as u64 != head.meta.size {
        return Err(Wrong::Damaged("its length is not the stored one"));
    }
    if Sha256::of(body) != head.meta.sha256 {
        return Err(Wrong::Damaged("its SHA-256 is not the stored one"));
    }
    Ok(head)
}

/// The fields in their order, leniently: the caller compares with the one right spelling.
fn parse_lines(text: &str) -> Option<(ResourceKey, GenerationMeta)> {
    let mut lines = text.split('\n').peekable();
    lines.next(); // the magic, which the caller has seen
    let lines = &mut lines;
    let vendor = unescape(field(lines, "vendor")?)?;
    let mac = Mac::parse(field(lines, "mac")?)?;
    let name = unescape(field(lines, "name")?)?;
    let number: u32 = field(lines, "number")?.parse().ok().filter(|n| *n > 0)?;
    let sha256 = Sha256::parse(field(lines, "sha256")?)?;
    let size = field(lines, "size")?.parse().ok()?;
    let stored_at = field(lines, "stored-at")?.parse().ok()?;
    let etag = field(lines, "etag").map(unescape);
    let last_modified = field(lines, "last-modified").map(unescape);
    let target = unescape(field(lines, "target")?)?;
    let mut headers = Vec::new();
    while let Some(header) = field(lines, "header") {
        let (name, value) = header.split_once(": ")?;
        headers.push((unescape(name)?, unescape(value)?));
    }
    // A value that is there but does not unescape is damage, not absence.
    let etag = etag.map_or(Some(None), |v| v.map(Some))?;
    let last_modified = last_modified.map_or(Some(None), |v| v.map(Some))?;
    let meta = GenerationMeta { number, sha256, size, stored_at, etag, last_modified, target, headers };
    Some((ResourceKey { vendor, mac, name }, meta))
}

/// The value of the next line, when it is the one of this name.
fn field<'a>(lines: &mut Peekable<Split<'a, char>>, name: &str) -> Option<&'a str> {
    let value = lines.peek()?.strip_prefix(name)?.strip_prefix(": ")?;
    lines.next();
    Some(value)
}

fn line(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str(": ");
    escape(out, value, false);
    out.push('\n');
}

fn escape(out: &mut String, value: &str, colon: bool) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\0'..='\x1f' | '\x7f' => _ = write!(out, "\\x{:02x}", c as u32),
            ':' if colon => out.push_str("\\x3a"),
            _ => out.push(c),
        }
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.push_str(plain);
        if let Some(after) = escaped.strip_prefix('\\') {
            out.push('\\');
            rest = after;
        } else {
            let hex = escaped.strip_prefix('x')?;
            let byte = u8::from_str_radix(hex.get(..2)?, 16).ok().filter(u8::is_ascii)?;
            out.push(byte as char);
            rest = hex.get(2..)?;
        }
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn sample(body: &[u8]) -> (ResourceKey, GenerationMeta) {
        let key = ResourceKey {
            vendor: "snom".into(),
            mac: Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]),
            name: "settings.php?mac={mac}".into(),
        };
        let meta = GenerationMeta {
            number: 3,
            sha256: Sha256::of(body),
            size: body.len() as u64,
            stored_at: 1_700_000_000,
            etag: Some("\"5f2a\"".into()),
            last_modified: None,
            target: "settings.php?mac=000413AABBCC".into(),
            headers: vec![("User-Agent".into(), "Mozilla/4.0 (compatible; snomD785-SIP 10.1)".into())],
        };
        (key, meta)
    }

    fn file(body: &[u8]) -> Vec<u8> {
        let (key, meta) = sample(body);
        let mut file = write_head(&key, &meta);
        file.extend_from_slice(body);
        file
    }

    #[test]
    fn as_documented() {
        let body = b"<settings/>\n\nx";
        let file = file(body);
        let head =
            "phoneprov generation 1\nvendor: snom\nmac: 00:04:13:aa:bb:cc\nname: settings.php?mac={mac}\nnumber: 3\n\
            sha256: 82b1d9671f1f7d6b1f1bf5d30fa1d2e9b35af3abea55d1c4d8a2b57f2ff0c4aa\nsize: 14\nstored-at: 1700000000\n\
            etag: \"5f2a\"\ntarget: settings.php?mac=000413AABBCC\n\
            header: User-Agent: Mozilla/4.0 (compatible; snomD785-SIP 10.1)\n";
        let head = head
            .replace("82b1d9671f1f7d6b1f1bf5d30fa1d2e9b35af3abea55d1c4d8a2b57f2ff0c4aa", &Sha256::of(body).to_string());
        let expected = format!("{head}check: {}\n\n<settings/>\n\nx", Sha256::of(head.as_bytes()));
        assert_eq!(String::from_utf8(file.clone()).unwrap(), expected);
        let read = parse(&file).unwrap();
        assert_eq!((read.key, read.meta), sample(body));
        assert_eq!(&file[read.body_at..], body);
    }

    #[test]
    fn every_changed_lost_or_added_byte_is_noticed() {
        let good = file(b"some body");
        for i in 0..good.len() {
            for flip in [1u8, 0x20, 0x80] {
                let mut bad = good.clone();
                bad[i] ^= flip;
                assert!(parse(&bad).is_err(), "byte {i} changed by {flip:x}");
            }
            assert!(parse(&good[..i]).is_err(), "cut off at {i}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert_eq!(parse(&longer), Err(Wrong::Damaged("its length is not the stored one")));
        assert!(parse(&good).is_ok());
    }

    #[test]
    fn other_versions_are_not_damage() {
        let good = String::from_utf8(file(b"x")).unwrap();
        assert_eq!(parse(good.replace("generation 1", "generation 2").as_bytes()), Err(Wrong::Version));
        assert_eq!(parse(b"phoneprov generation 17\nanything"), Err(Wrong::Version));
        assert!(matches!(parse(good.replace("generation 1", "generation x").as_bytes()), Err(Wrong::Damaged(_))));
        assert!(matches!(parse(b""), Err(Wrong::Damaged(_))));
    }

    #[test]
    fn a_second_spelling_is_damage() {
        let (key, meta) = sample(b"");
        let text = String::from_utf8(write_head(&key, &meta)).unwrap();
        let seal = |lines: String| format!("{lines}check: {}\n\n", Sha256::of(lines.as_bytes())).into_bytes();
        let lines = text.split("check: ").next().unwrap().to_string();
        assert!(parse_head(&seal(lines.clone())).is_ok());
        for (from, to) in [
            ("number: 3", "number: +3"),
            ("number: 3", "number: 03"),
            ("number: 3", "number: 0"),
            ("number: 3", "number: 4294967296"),
            ("00:04:13:aa", "00:04:13:AA"),
            ("vendor: snom\n", ""),
            ("vendor: snom\n", "vendor: snom\nvendor: snom\n"),
            ("vendor: snom\n", "vendor: sno\\x6d\n"),
            ("etag: \"", "etag: \\xzz\""),
            ("etag: \"", "etag: \\"),
            ("target: ", "extra: x\ntarget: "),
        ] {
            assert!(lines.contains(from));
            assert!(parse_head(&seal(lines.replace(from, to))).is_err(), "{to}");
        }
    }

    fn any_text() -> impl Strategy<Value = String> {
        // control characters, backslashes, colons and other scripts, more often than chance has them
        prop::collection::vec(prop_oneof!["[a-z:\\\\ \n\r\t\u{0}\u{7f}]", any::<char>().prop_map(String::from)], 0..12)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn round_trip(
            vendor in any_text(), name in any_text(), target in any_text(), etag in prop::option::of(any_text()),
            date in prop::option::of(any_text()), headers in prop::collection::vec((any_text(), any_text()), 0..4),
            mac in any::<[u8; 6]>(), number in 1..=u32::MAX, stored_at in any::<u64>(),
            body in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let key = ResourceKey { vendor, mac: Mac(mac), name };
            let meta = GenerationMeta {
                number, sha256: Sha256::of(&body), size: body.len() as u64, stored_at, etag, last_modified: date, target,
                headers,
            };
            let mut file = write_head(&key, &meta);
            let body_at = file.len();
            file.extend_from_slice(&body);
            prop_assert_eq!(parse(&file), Ok(Head { key, meta, body_at }));
        }

        #[test]
        fn total(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(parse(&bytes).is_err());
            let mut sealed = b"phoneprov generation 1\n".to_vec();
            sealed.extend_from_slice(&bytes);
            prop_assert!(parse(&sealed).is_err());
        }

        #[test]
        fn what_is_read_is_written_the_same(
            lines in "(vendor: [a\\\\x]{0,3}\n)?mac: 00:04:13:00:00:0[0-9a]\nname: .{0,5}\nnumber: [0-9]{1,2}\nsha256: 0{64}\n\
                size: [0-9]\nstored-at: [0-9]{1,21}\n(etag: .{0,4}\n)?(last-modified: .{0,4}\n)?target: .{0,4}\n\
                (header: .{0,3}: .{0,3}\n){0,2}",
        ) {
            let lines = format!("phoneprov generation 1\n{lines}");
            let file = format!("{lines}check: {}\n\n", Sha256::of(lines.as_bytes()));
            if let Ok(head) = parse_head(file.as_bytes()) {
                prop_assert_eq!(write_head(&head.key, &head.meta), file.into_bytes());
            }
        }
    }
}
