//! HTTP/1 heads (RFC 9112): what phones send, and what is answered.
//!
//! Header values are ISO-8859-1 on the wire and `char`s U+0000 to U+00FF here: no byte is lost on the way from a phone
//! to the upstream, whatever alphabet its maker had in mind.

mod range;
mod request;
mod response;
mod target;

pub use range::{parse_range, RangeSpec};
pub use request::{parse_request, parse_request_with, BodyKind, HeadError, Method, Parsed, Request};
pub use response::{reason_phrase, ResponseHead};
pub use target::{host_address, split_target};

/// Is this byte one of a token (RFC 9110 section 5.6.2)?
fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// The bytes of a header value that was read as ISO-8859-1; `None` when a character has no byte there, or is a
/// control character that may not stand in a value (RFC 9110 section 5.5).
pub fn latin1(value: &str) -> Option<Vec<u8>> {
    value
        .chars()
        .map(|c| match u8::try_from(u32::from(c)) {
            Ok(b) if b == b'\t' || (b >= b' ' && b != 0x7f) => Some(b),
            _ => None,
        })
        .collect()
}
