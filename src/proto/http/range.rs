//! The `Range` header (RFC 9110 section 14): one range of bytes. Anything else is ignored, as the RFC allows, and the
//! whole file is sent.

use std::ops::Range;

/// One range as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// From this byte to the end: `bytes=a-`
    From(u64),
    /// Both ends included: `bytes=a-b`
    Between(u64, u64),
    /// That many last bytes: `bytes=-n`
    Last(u64),
}

/// Reads a Range header's value. `None` for several ranges, other units, or no range at all: send everything.
pub fn parse_range(value: &str) -> Option<RangeSpec> {
    let (unit, set) = value.trim_matches([' ', '\t']).split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim_matches([' ', '\t']).split_once('-')?;
    match (first, last) {
        ("", n) => Some(RangeSpec::Last(number(n)?)),
        (a, "") => Some(RangeSpec::From(number(a)?)),
        (a, b) => {
            let (a, b) = (number(a)?, number(b)?);
            (a <= b).then_some(RangeSpec::Between(a, b))
        }
    }
}

fn number(digits: &str) -> Option<u64> {
    // `parse` alone would take a sign
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        None
    } else {
        digits.parse().ok()
    }
}

impl RangeSpec {
    /// The bytes of a file of `length` bytes, end excluded, never empty; `None`: unsatisfiable (416).
    pub fn resolve(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            RangeSpec::From(first) => first..length,
            RangeSpec::Between(first, last) => first..length.min(last.saturating_add(1)),
            RangeSpec::Last(n) => length.saturating_sub(n)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn forms() {
        for (value, length, bytes) in [
            ("bytes=0-", 10, Some(0..10)),
            ("bytes=3-5", 10, Some(3..6)),
            ("Bytes= 3-5 ", 10, Some(3..6)),
            ("bytes=3-500", 10, Some(3..10)),
            ("bytes=3-18446744073709551615", 10, Some(3..10)),
            ("bytes=-4", 10, Some(6..10)),
            ("bytes=-40", 10, Some(0..10)),
            ("bytes=10-", 10, None),
            ("bytes=-0", 10, None),
            ("bytes=0-", 0, None),
            ("bytes=-1", 0, None),
        ] {
            assert_eq!(parse_range(value).map(|r| r.resolve(length)), Some(bytes), "{value}");
        }
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-3",
            "bytes=1-2,4-5",
            "lines=1-2",
            "bytes=+1-2",
            "bytes=a-",
            "bytes=1-99999999999999999999",
        ] {
            assert_eq!(parse_range(value), None, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn inside(value in "bytes=[0-9]{0,20}-[0-9]{0,20}|.{0,30}", length: u64) {
            if let Some(range) = parse_range(&value).and_then(|r| r.resolve(length)) {
                proptest::prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
