//! Names of files and folders in the store: keys to names and back.

use crate::core::types::{ResourceKey, Sha256};
use crate::proto::mac::Mac;

/// Below the state folder: one folder a phone.
pub(super) const CONFIGS: &str = "configs";
/// Below the state folder: what was found damaged.
pub(super) const DAMAGED: &str = "damaged";
/// In a phone's folder: its [`crate::core::types::PhoneRecord`].
pub(super) const PHONE: &str = "phone.json";
/// How all that is not finished begins. Only the agent makes such names, so it may remove them.
pub(super) const UNFINISHED: &str = ".tmp-";
/// The file being written. One name is enough, as one write runs at a time, and so they cannot pile up either.
pub(super) const WRITING: &str = ".tmp-write";

/// How the name of a held config ends.
const CANDIDATE: &str = ".candidate";
/// Longest vendor section name that is stored, in bytes.
const VENDOR_MAX: usize = 64;
/// Hex digits of the name's SHA-256 in a file name.
const HASH: usize = 16;

/// May this vendor name stand in a file name?
pub(super) fn vendor_fits(vendor: &str) -> bool {
    (1..=VENDOR_MAX).contains(&vendor.len())
        && vendor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// `{vendor}-{16 hex}`: the file name of all generations of one key, without the number.
pub(super) fn stem(key: &ResourceKey) -> String {
    let mut stem = key.vendor.clone();
    stem.push('-');
    let hash = Sha256::of(key.name.as_bytes()).to_string();
    stem.push_str(hash.get(..HASH).unwrap_or_default());
    stem
}

/// `{stem}.{number}`
pub(super) fn generation(stem: &str, number: u32) -> String {
    format!("{stem}.{number}")
}

/// `{stem}.candidate`: the held config of a key.
pub(super) fn candidate(stem: &str) -> String {
    format!("{stem}{CANDIDATE}")
}

/// The stem of a held config's file name; `None` when it is not exactly one of ours.
pub(super) fn parse_candidate(name: &str) -> Option<&str> {
    name.strip_suffix(CANDIDATE).filter(|stem| stem_fits(stem))
}

/// The stem and number of a generation's file name; `None` when it is not exactly one of ours.
pub(super) fn parse_generation(name: &str) -> Option<(&str, u32)> {
    let (stem, digits) = name.rsplit_once('.')?;
    let number: u32 = digits.parse().ok()?;
    let ours = number > 0 && !digits.starts_with(['0', '+']) && stem_fits(stem);
    ours.then_some((stem, number))
}

fn stem_fits(stem: &str) -> bool {
    stem.rsplit_once('-').is_some_and(|(vendor, hash)| {
        vendor_fits(vendor) && hash.len() == HASH && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The phone of a folder; `None` when the name is not exactly one of ours.
pub(super) fn parse_folder(name: &str) -> Option<Mac> {
    Mac::parse(name).filter(|mac| mac.hex() == name)
}

/// Where a phone's folder is while it is being removed.
pub(super) fn forgetting(mac: Mac) -> String {
    format!("{UNFINISHED}forget-{}", mac.hex())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn there_and_back() {
        let key =
            ResourceKey { vendor: "my-snom_2".into(), mac: Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]), name: "a/b?c".into() };
        let stem = stem(&key);
        assert_eq!(stem, "my-snom_2-9e3e4499b4a1cb91");
        assert_eq!(parse_generation(&generation(&stem, 17)), Some((stem.as_str(), 17)));
        assert_eq!(parse_candidate(&candidate(&stem)), Some(stem.as_str()));
        assert_eq!(parse_candidate("x.candidate"), None);
        assert_eq!(parse_folder("000413aabbcc"), Some(key.mac));
    }

    #[test]
    fn other_names_are_not_ours() {
        for name in [
            "",
            ".",
            "snom-d35bf81ebd75fe3c",
            "snom-d35bf81ebd75fe3c.",
            "snom-d35bf81ebd75fe3c.0",
            "snom-d35bf81ebd75fe3c.01",
            "snom-d35bf81ebd75fe3c.+1",
            "snom-d35bf81ebd75fe3c.4294967296",
            "snom-D35bf81ebd75fe3c.1",
            "snom-d35bf81ebd75fe3.1",
            "-d35bf81ebd75fe3c.1",
            "../x-d35bf81ebd75fe3c.1",
            "snöm-d35bf81ebd75fe3c.1",
        ] {
            assert_eq!(parse_generation(name), None, "{name}");
        }
        for name in ["000413AABBCC", "00:04:13:aa:bb:cc", "000413aabbc", "", ".."] {
            assert_eq!(parse_folder(name), None, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn total(name in ".{0,60}") {
            if let Some((stem, number)) = parse_generation(&name) {
                proptest::prop_assert_eq!(generation(stem, number), name.clone());
            }
            let _ = parse_folder(&name);
        }
    }
}
