//! Request heads of phones, over `httparse`, with what it leaves open decided: sizes, framing, targets.

use super::target::split_target;
use crate::bounds;
use std::fmt;

/// What a buffer of received bytes holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Not yet a whole head: read more.
    Partial,
    /// A head.
    Whole {
        /// The request.
        request: Request,
        /// Bytes of the buffer that it took; the body, if any, begins there.
        head_len: usize,
    },
}

/// A request without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method
    pub method: Method,
    /// Path and query as sent, beginning with `/`; [`split_target`] takes it.
    pub target: String,
    /// Host and port of a target in absolute form, as sent; Host may say something else.
    pub authority: Option<String>,
    /// HTTP/1.1, not 1.0.
    pub http11: bool,
    /// Names as sent; values read as ISO-8859-1, without blanks around them. In the order of arrival.
    pub headers: Vec<(String, String)>,
    /// May another request follow on the connection?
    pub keep_alive: bool,
    /// What follows the head.
    pub body: BodyKind,
}

impl Request {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// All headers of that name, in any case, in their order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// A request's method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// Any other: to be answered with 405.
    Other(String),
}

/// How a request's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// No body.
    None,
    /// That many bytes, at most [`bounds::HTTP_BODY`], or what else the reader said.
    Length(u64),
    /// Chunked.
    Chunked,
}

/// Why a head is refused. `Display` is one line for the answer's body; close the connection after it, since nobody
/// knows where the next request would begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// 400; the text says what is wrong.
    Bad(&'static str),
    /// 413
    BodyTooLarge,
    /// 414
    TargetTooLong,
    /// 431
    HeadTooLarge,
    /// 501
    UnknownTransferCoding,
}

impl HeadError {
    /// The status to answer with.
    pub fn status(self) -> u16 {
        match self {
            HeadError::Bad(_) => 400,
            HeadError::BodyTooLarge => 413,
            HeadError::TargetTooLong => 414,
            HeadError::HeadTooLarge => 431,
            HeadError::UnknownTransferCoding => 501,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeadError::Bad(why) => why,
            HeadError::BodyTooLarge => "the request has too large a body",
            HeadError::TargetTooLong => "the URL is too long",
            HeadError::HeadTooLarge => "the request's headers are too many or too long",
            HeadError::UnknownTransferCoding => "only the transfer coding chunked is known",
        })
    }
}

/// Bytes of a request line beside its target: the longest method anybody sends, `HTTP/1.1`, blanks, line end.
const LINE_REST: usize = 32;

/// Reads the request head at the start of `buf`, which holds all that was received since the last request. Empty lines
/// before it are skipped (RFC 9112 section 2.2), and a bare LF ends a line: some phones send it. A `buf` of more than
/// [`bounds::HTTP_HEAD`] bytes is never `Partial`.
///
/// # Errors
/// See [`HeadError`]. Beside what is no HTTP/1 at all, these are the shapes by which two readers could see different
/// requests (RFC 9112 section 11.2): repeated Content-Length, Content-Length with Transfer-Encoding, folded lines, blanks
/// before the colon, bytes that are no part of a URL.
pub fn parse_request(buf: &[u8]) -> Result<Parsed, HeadError> {
    parse_request_with(buf, bounds::HTTP_BODY)
}

/// The same, for a reader that takes bodies of at most `most_body` bytes.
///
/// # Errors
/// As [`parse_request`].
pub fn parse_request_with(buf: &[u8], most_body: u64) -> Result<Parsed, HeadError> {
    let mut storage = [httparse::EMPTY_HEADER; bounds::HTTP_HEADERS];
    let mut head = httparse::Request::new(&mut storage);
    let window = buf.get(..bounds::HTTP_HEAD).unwrap_or(buf);
    let head_len = match head.parse(window) {
        Ok(httparse::Status::Complete(n)) => n,
        Ok(httparse::Status::Partial) => {
            let start = buf.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(buf.len());
            let line = buf.get(start..).unwrap_or_default();
            if !line.contains(&b'\n') && line.len() > bounds::HTTP_TARGET + LINE_REST {
                return Err(HeadError::TargetTooLong);
            }
            if buf.len() >= bounds::HTTP_HEAD {
                return Err(HeadError::HeadTooLarge);
            }
            return Ok(Parsed::Partial);
        }
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::HeadTooLarge),
        Err(httparse::Error::Version) => return Err(HeadError::Bad("only HTTP/1.0 and HTTP/1.1 are spoken here")),
        Err(httparse::Error::HeaderName) => return Err(HeadError::Bad("a header line has no proper name")),
        Err(httparse::Error::HeaderValue) => return Err(HeadError::Bad("a header has a control character in it")),
        Err(_) => return Err(HeadError::Bad("this is no HTTP request")),
    };
    let (Some(method), Some(path), Some(version)) = (head.method, head.path, head.version) else {
        return Err(HeadError::Bad("this is no HTTP request"));
    };
    if path.len() > bounds::HTTP_TARGET {
        return Err(HeadError::TargetTooLong);
    }
    let (target, authority) = origin_form(path)?;
    if split_target(&target).is_none() {
        return Err(HeadError::Bad("the URL has something in it that is not served"));
    }
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|h| {
            let value: String = h.value.iter().map(|b| char::from(*b)).collect();
            (h.name.to_string(), value.trim_matches([' ', '\t']).to_string())
        })
        .collect();
    let http11 = version == 1;
    let hosts = values(&headers, "host").count();
    if hosts > 1 || (hosts == 0 && http11) {
        return Err(HeadError::Bad("there must be one Host header"));
    }
    let body = body_kind(&headers, http11, most_body)?;
    let connection = |option: &str| {
        values(&headers, "connection").any(|v| v.split(',').any(|o| o.trim().eq_ignore_ascii_case(option)))
    };
    let keep_alive = !connection("close") && (http11 || connection("keep-alive"));
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        other => Method::Other(other.to_string()),
    };
    Ok(Parsed::Whole { request: Request { method, target, authority, http11, headers, keep_alive, body }, head_len })
}

fn values<'a>(headers: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}

/// Path and query of an origin-form or absolute-form target (RFC 9112 section 3.2), and the latter's authority.
fn origin_form(target: &str) -> Result<(String, Option<String>), HeadError> {
    if target.starts_with('/') {
        return Ok((target.to_string(), None));
    }
    let after = |scheme: &str| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let Some(rest) = after("http://").or_else(|| after("https://")) else {
        return Err(HeadError::Bad("the URL must begin with / or http://"));
    };
    let (authority, rest) = rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len())).unwrap_or_default();
    if authority.is_empty() {
        return Err(HeadError::Bad("the URL names no host"));
    }
    let target = if rest.starts_with('/') { rest.to_string() } else { format!("/{rest}") };
    Ok((target, Some(authority.to_string())))
}

/// RFC 9112 section 6.3, for requests, without any of its leniency.
fn body_kind(headers: &[(String, String)], http11: bool, most: u64) -> Result<BodyKind, HeadError> {
    let mut lengths = values(headers, "content-length");
    let mut codings = values(headers, "transfer-encoding");
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(BodyKind::None),
        (Some(_), Some(_)) => Err(HeadError::Bad("Content-Length and Transfer-Encoding exclude each other")),
        (None, Some(_)) if codings.next().is_some() => Err(HeadError::Bad("there is more than one Transfer-Encoding")),
        (None, Some(_)) if !http11 => Err(HeadError::Bad("HTTP/1.0 has no Transfer-Encoding")),
        (None, Some(coding)) if coding.eq_ignore_ascii_case("chunked") => Ok(BodyKind::Chunked),
        (None, Some(_)) => Err(HeadError::UnknownTransferCoding),
        (Some(_), None) if lengths.next().is_some() => Err(HeadError::Bad("there is more than one Content-Length")),
        (Some(length), None) => {
            // `parse` alone would take a sign
            if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) {
                return Err(HeadError::Bad("Content-Length is no number"));
            }
            match length.parse() {
                Ok(0) => Ok(BodyKind::None),
                Ok(n) if n <= most => Ok(BodyKind::Length(n)),
                _ => Err(HeadError::BodyTooLarge),
            }
        }
    }
}

#[cfg(test)]
#[path = "request_test.rs"]
mod test;
