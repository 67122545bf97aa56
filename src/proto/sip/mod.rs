//! SIP messages (RFC 3261) over UDP: bytes to types and back.
//!
//! [`message`] reads a datagram; [`uri`], [`via`] and [`event`] read what stands in its headers; [`facts`] says what a
//! SUBSCRIBE tells of the phone; [`build`] writes requests and responses; [`phone`] is the phone's side, for
//! `probe`, `demo` and tests.

use std::fmt;

pub mod build;
pub mod event;
pub mod facts;
pub mod message;
pub mod phone;
#[cfg(test)]
mod test;
pub mod text;
pub mod uri;
pub mod via;

pub use build::Builder;
pub use event::Event;
pub use facts::Facts;
pub use message::{Message, Name, Start};
pub use uri::{NameAddr, Params, Uri};
pub use via::Via;

/// Why a datagram is no SIP message that we read, or a message cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Larger than [`crate::bounds::SIP_DATAGRAM`].
    TooLong,
    /// More header lines than [`crate::bounds::SIP_HEADERS`].
    TooManyHeaders,
    /// The first line is neither a request line nor a status line of SIP/2.0.
    StartLine,
    /// A header line without a colon or with a name that is no token.
    HeaderLine,
    /// A CR, NUL or another control character in the middle of a line.
    Control,
    /// The named header is missing.
    Missing(&'static str),
    /// The named header cannot be read, stands twice, or is too long to be copied.
    Bad(&'static str),
    /// Fewer bytes of body than Content-Length says.
    Truncated,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::TooLong => f.write_str("the SIP message is too long"),
            Error::TooManyHeaders => f.write_str("the SIP message has too many header lines"),
            Error::StartLine => f.write_str("the first line is not SIP/2.0"),
            Error::HeaderLine => f.write_str("a header line has no name"),
            Error::Control => f.write_str("a header holds a control character"),
            Error::Missing(name) => write!(f, "the SIP message has no {name}"),
            Error::Bad(name) => write!(f, "the SIP message has an unusable {name}"),
            Error::Truncated => f.write_str("the body is shorter than Content-Length"),
        }
    }
}

impl std::error::Error for Error {}
