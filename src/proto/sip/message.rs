//! One datagram as a SIP message (RFC 3261 section 7): start line, headers, body.

use super::text::{self, is_token};
use super::uri::NameAddr;
use super::via::Via;
use super::{Error, Event};
use crate::bounds;
use std::borrow::Cow;
use std::str::from_utf8;

/// The headers that something here reads; all others are [`Name::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Name {
    Accept,
    CallId,
    Contact,
    ContentLength,
    ContentType,
    CSeq,
    Event,
    Expires,
    From,
    SubscriptionState,
    To,
    UserAgent,
    Via,
    Other,
}

/// Long names, compact forms (RFC 3261 section 7.3.3, RFC 6665 section 8.4), and what they are. The compact names of headers
/// that nothing here reads (`e k s u`) are here so that they are known to be no misspelling.
const NAMES: [(&str, &str, Name); 17] = [
    ("Accept", "", Name::Accept),
    ("Call-ID", "i", Name::CallId),
    ("Contact", "m", Name::Contact),
    ("Content-Length", "l", Name::ContentLength),
    ("Content-Type", "c", Name::ContentType),
    ("CSeq", "", Name::CSeq),
    ("Event", "o", Name::Event),
    ("Expires", "", Name::Expires),
    ("From", "f", Name::From),
    ("Subscription-State", "", Name::SubscriptionState),
    ("To", "t", Name::To),
    ("User-Agent", "", Name::UserAgent),
    ("Via", "v", Name::Via),
    ("Content-Encoding", "e", Name::Other),
    ("Supported", "k", Name::Other),
    ("Subject", "s", Name::Other),
    ("Allow-Events", "u", Name::Other),
];

impl Name {
    /// Of a header name in any case, long or compact.
    pub fn parse(name: &str) -> Name {
        let known = |(long, short, _): &&(&str, &str, Name)| {
            name.eq_ignore_ascii_case(long) || (!short.is_empty() && name.eq_ignore_ascii_case(short))
        };
        NAMES.iter().find(known).map_or(Name::Other, |(_, _, name)| *name)
    }

    /// The long name; empty for [`Name::Other`].
    pub fn long(self) -> &'static str {
        if self == Name::Other {
            return "";
        }
        NAMES.iter().find(|(_, _, name)| *name == self).map_or("", |(long, _, _)| long)
    }
}

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start<'a> {
    /// A request.
    Request {
        /// As written: methods are case-sensitive.
        method: &'a str,
        /// The Request-URI as written: printable ASCII or UTF-8 without blanks.
        uri: &'a str,
    },
    /// A response.
    Response {
        /// 100 to 699.
        code: u16,
        /// Reason phrase, possibly empty.
        reason: &'a str,
    },
}

/// One header line, unfolded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Header<'a> {
    name: Name,
    value: Cow<'a, str>,
}

/// A SIP message. No string in it holds a control character other than a tab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The first line.
    pub start: Start<'a>,
    headers: Vec<Header<'a>>,
    /// As long as Content-Length says; without Content-Length the rest of the datagram (RFC 3261 section 18.3).
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads one datagram. Blank lines before the start line are skipped (section 7.5), bare LF ends a line too,
    /// folded lines are joined by one blank, a header whose value is no UTF-8 is left out, and a head that ends with the datagram instead of a blank line passes (some responders leave it out).
    ///
    /// # Errors
    /// Everything else that is wrong, by kind. The headers that name a transaction (From, To, Call-ID, CSeq) and
    /// Content-Length must not stand twice; that they are there and can be read is asked by their readers below.
    pub fn parse(datagram: &'a [u8]) -> Result<Message<'a>, Error> {
        if datagram.len() > bounds::SIP_DATAGRAM {
            return Err(Error::TooLong);
        }
        let mut rest = datagram;
        let first = loop {
            let line = next_line(&mut rest).ok_or(Error::StartLine)??;
            if !line.is_empty() {
                break line;
            }
        };
        let start = start_line(first)?;
        let mut headers: Vec<Header<'a>> = Vec::with_capacity(20);
        let mut lines = 0;
        // false after a header that was left out: what is folded below it goes with it
        let mut kept = false;
        while let Some(line) = next_line(&mut rest) {
            let line = line?;
            if line.is_empty() {
                break;
            }
            lines += 1;
            if lines > bounds::SIP_HEADERS {
                return Err(Error::TooManyHeaders);
            }
            if matches!(line.first(), Some(b' ' | b'\t')) {
                match (kept, headers.last_mut(), from_utf8(line)) {
                    (true, Some(last), Ok(more)) => {
                        let value = last.value.to_mut();
                        value.push(' ');
                        value.push_str(more.trim());
                    }
                    (_, None, _) if lines == 1 => return Err(Error::HeaderLine),
                    (true, _, Err(_)) => {
                        headers.pop();
                        kept = false;
                    }
                    _ => {}
                }
                continue;
            }
            let colon = line.iter().position(|b| *b == b':').ok_or(Error::HeaderLine)?;
            let (name, value) = line.split_at(colon);
            let name = from_utf8(name).map_err(|_| Error::HeaderLine)?.trim_end();
            if !is_token(name) {
                return Err(Error::HeaderLine);
            }
            let value = from_utf8(value.get(1..).unwrap_or_default());
            kept = value.is_ok();
            if let Ok(value) = value {
                headers.push(Header { name: Name::parse(name), value: Cow::Borrowed(value.trim()) });
            }
        }
        let mut message = Message { start, headers, body: rest };
        for name in [Name::From, Name::To, Name::CallId, Name::CSeq, Name::ContentLength] {
            if message.all(name).nth(1).is_some() {
                return Err(Error::Bad(name.long()));
            }
        }
        if let Some(length) = message.first(Name::ContentLength) {
            let length = number(length).ok_or(Error::Bad("Content-Length"))?;
            message.body = rest.get(..length as usize).ok_or(Error::Truncated)?;
        }
        Ok(message)
    }

    /// The value of the first header of this name.
    pub fn first(&self, name: Name) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all headers of this name, one for each line.
    pub fn all(&self, name: Name) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |h| h.name == name).map(|h| &*h.value)
    }

    /// The elements of all lines of a header that is a comma-separated list: Via, Contact, Accept.
    pub fn list(&self, name: Name) -> impl Iterator<Item = &str> {
        self.all(name).flat_map(|value| text::split(value, b','))
    }

    /// The method of a request.
    pub fn method(&self) -> Option<&'a str> {
        match self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// Status code of a response.
    pub fn code(&self) -> Option<u16> {
        match self.start {
            Start::Request { .. } => None,
            Start::Response { code, .. } => Some(code),
        }
    }

    /// Call-ID: one word.
    pub fn call_id(&self) -> Result<&str, Error> {
        let id = self.first(Name::CallId).ok_or(Error::Missing("Call-ID"))?;
        match id.is_empty() || id.contains(char::is_whitespace) {
            true => Err(Error::Bad("Call-ID")),
            false => Ok(id),
        }
    }

    /// CSeq: number (below 2³¹, section 8.1.1.5) and method.
    pub fn cseq(&self) -> Result<(u32, &str), Error> {
        let value = self.first(Name::CSeq).ok_or(Error::Missing("CSeq"))?;
        let mut words = value.split_ascii_whitespace();
        let number = words.next().and_then(number).filter(|n| *n < 1 << 31);
        match (number, words.next(), words.next()) {
            (Some(number), Some(method), None) if is_token(method) => Ok((number, method)),
            _ => Err(Error::Bad("CSeq")),
        }
    }

    /// From.
    pub fn from(&self) -> Result<NameAddr<'_>, Error> {
        self.address(Name::From)
    }

    /// To.
    pub fn to(&self) -> Result<NameAddr<'_>, Error> {
        self.address(Name::To)
    }

    fn address(&self, name: Name) -> Result<NameAddr<'_>, Error> {
        let value = self.first(name).ok_or(Error::Missing(name.long()))?;
        NameAddr::parse(value).ok_or(Error::Bad(name.long()))
    }

    /// The topmost Via.
    pub fn top_via(&self) -> Result<Via<'_>, Error> {
        let value = self.list(Name::Via).next().ok_or(Error::Missing("Via"))?;
        Via::parse(value).ok_or(Error::Bad("Via"))
    }

    /// The Event header.
    pub fn event(&self) -> Result<Event<'_>, Error> {
        let value = self.first(Name::Event).ok_or(Error::Missing("Event"))?;
        Event::parse(value).ok_or(Error::Bad("Event"))
    }
}

/// The next line without its end, and `None` at the end of the datagram.
fn next_line<'a>(rest: &mut &'a [u8]) -> Option<Result<&'a [u8], Error>> {
    if rest.is_empty() {
        return None;
    }
    let (line, after) = match rest.iter().position(|b| *b == b'\n') {
        Some(at) => (rest.get(..at)?, rest.get(at + 1..)?),
        None => (*rest, &[][..]),
    };
    *rest = after;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let clean = line.iter().all(|b| (*b >= b' ' && *b != 0x7f) || *b == b'\t');
    Some(if clean { Ok(line) } else { Err(Error::Control) })
}

fn start_line(line: &[u8]) -> Result<Start<'_>, Error> {
    let line = from_utf8(line).map_err(|_| Error::StartLine)?.trim_end();
    if line.contains('\t') {
        return Err(Error::StartLine);
    }
    if let Some(rest) = text::strip_prefix_ignore_case(line, "SIP/2.0 ") {
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        return match number(code) {
            Some(n @ 100..=699) if code.len() == 3 => Ok(Start::Response { code: n as u16, reason }),
            _ => Err(Error::StartLine),
        };
    }
    let mut words = line.split(' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(method), Some(uri), Some(version), None)
            if is_token(method) && !uri.is_empty() && version.eq_ignore_ascii_case("SIP/2.0") =>
        {
            Ok(Start::Request { method, uri })
        }
        _ => Err(Error::StartLine),
    }
}

/// Decimal digits only: `parse` alone would take a sign.
pub(super) fn number(s: &str) -> Option<u32> {
    s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse().ok()).flatten()
}
