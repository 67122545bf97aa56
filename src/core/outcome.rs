//! What asking the upstream came to (design section 7).

use crate::core::types::{FetchError, FetchHead, Sha256};
use crate::vendor::{Identity, Vendor, Verdict};
use std::fmt;
use std::sync::Arc;

/// Why the last good is served instead of what the upstream has. `Display` is the word of the X-Phoneprov header
/// and of the JSON answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Out of reach, silent, or 5xx.
    Down,
    /// 401, 403, an empty 200, a known refusal text.
    Refused,
    /// 404, 410.
    Gone,
    /// Answered with something this vendor's phone cannot read.
    Broken,
    /// The account in it is another one, or gone, and of too many phones at once: the guard.
    Held,
    /// The admin went back to an older generation (`rollback`).
    Pinned,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Down => "down",
            Reason::Refused => "refused",
            Reason::Gone => "gone",
            Reason::Broken => "broken",
            Reason::Held => "held",
            Reason::Pinned => "pinned",
        })
    }
}

/// The outcome of one fetch of a config. `Debug` shows no byte of it.
#[derive(Clone)]
pub enum Outcome {
    /// 200, and good for this vendor's phone.
    Good {
        /// Validators and the like.
        head: FetchHead,
        /// As received.
        body: Arc<[u8]>,
        /// Of the body.
        sha256: Sha256,
        /// Whose account is in it.
        identity: Identity,
    },
    /// 200, an answer of one moment: passed on, never stored.
    Temporary {
        /// As received.
        body: Arc<[u8]>,
    },
    /// 304
    NotModified,
    /// 200 without a byte. The original provisioner says so to whom it does not know, and to whoever asks a second
    /// time within six seconds (phone-facts 3.4): worth one more try.
    Empty,
    /// Anything else; the text is a clause for admins.
    Bad(Reason, String),
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Good { body, .. } => write!(f, "Good({} bytes)", body.len()),
            Outcome::Temporary { body } => write!(f, "Temporary({} bytes)", body.len()),
            Outcome::NotModified => f.write_str("NotModified"),
            Outcome::Empty => f.write_str("Empty"),
            Outcome::Bad(reason, why) => write!(f, "Bad({reason}, {why:?})"),
        }
    }
}

impl Outcome {
    /// Did the upstream itself answer, even if only to say that it cannot (5xx)? Then it may be this one resource
    /// that it stumbles over. `judge` words it so.
    pub fn is_status(&self) -> bool {
        matches!(self, Outcome::Bad(_, why) if why.starts_with(STATUS))
    }
}

/// How the text of an answer with an unusable status begins.
const STATUS: &str = "status ";

/// Judges an answer to a request for a config. Runs on the fetch thread, because checking costs more than the rest.
pub fn judge(vendor: &Vendor, file: &str, answer: Result<(FetchHead, Vec<u8>), FetchError>) -> Outcome {
    let (head, body) = match answer {
        Ok(whole) => whole,
        Err(e) if e.is_down() => return Outcome::Bad(Reason::Down, e.to_string()),
        Err(FetchError::Refused(why)) => return Outcome::Bad(Reason::Refused, why),
        Err(e) => return Outcome::Bad(Reason::Broken, e.to_string()),
    };
    match head.status {
        200 if body.is_empty() => Outcome::Empty,
        200 => match (vendor.check)(file, &body) {
            Verdict::Good => Outcome::Good {
                sha256: Sha256::of(&body),
                identity: vendor.identity(file, &body),
                head,
                body: body.into(),
            },
            Verdict::Temporary => Outcome::Temporary { body: body.into() },
            Verdict::Refused(why) => Outcome::Bad(Reason::Refused, why.to_string()),
            Verdict::Broken(why) => Outcome::Bad(Reason::Broken, why),
        },
        304 => Outcome::NotModified,
        401 | 403 => Outcome::Bad(Reason::Refused, format!("{STATUS}{}", head.status)),
        404 | 410 => Outcome::Bad(Reason::Gone, format!("{STATUS}{}", head.status)),
        // 408 and 429 are of the moment, as 5xx are
        s @ (408 | 429 | 500..=599) => Outcome::Bad(Reason::Down, format!("{STATUS}{s}")),
        s => Outcome::Bad(Reason::Broken, format!("{STATUS}{s}")),
    }
}
