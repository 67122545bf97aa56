//! What a phone is told: decided here, turned into bytes by [`crate::net`].

use crate::core::outcome::Reason;
use crate::core::types::ResourceKey;
use crate::proto::mac::Mac;
use std::fmt;
use std::sync::Arc;

/// Number of one waiting HTTP request, given by the server.
pub type RequestId = u32;
/// Number of one shared file in RAM.
pub type StreamId = u32;

/// An answer to one request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200 (also where a Range makes it 206 in the end), 400, 403, 404, 405, 421, 429, 500, 503.
    pub status: u16,
    /// For the X-Phoneprov header.
    pub label: Label,
    /// Seconds since the body came from the upstream.
    pub age: Option<u64>,
    /// What is sent.
    pub body: Body,
    /// The upstream's URLs in the body become the router's, as this vendor section (by index) and phone have them.
    pub rewrite: Option<(usize, Mac)>,
    /// Retry-After, in seconds.
    pub retry_after: Option<u32>,
}

/// The X-Phoneprov header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Right from the upstream, or so young that asking again makes no sense.
    Fresh,
    /// The upstream has the same bytes.
    Unchanged,
    /// The upstream has none, or none that this phone could use.
    LastGood(Reason),
    /// No body of the upstream.
    None,
}

/// Where the body's bytes are. `Debug` shows none of them.
#[derive(Clone)]
pub enum Body {
    /// A reason in words, one line.
    Text(String),
    /// In memory.
    Bytes(Arc<[u8]>),
    /// On flash.
    Stored(ResourceKey, u32),
    /// A shared file in RAM, perhaps still arriving.
    Stream(StreamId),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Text(text) => write!(f, "Text({text:?})"),
            Body::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Body::Stored(key, number) => write!(f, "Stored({key:?}, {number})"),
            Body::Stream(id) => write!(f, "Stream({id})"),
        }
    }
}

impl Answer {
    /// An error with a reason.
    pub fn error(status: u16, text: impl Into<String>) -> Answer {
        Answer {
            status,
            label: Label::None,
            age: None,
            body: Body::Text(text.into()),
            rewrite: None,
            retry_after: (status == 503).then_some(10),
        }
    }
}
