//! Response heads.

use super::{is_token, latin1};

/// The head of an answer, written all at once.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    status: u16,
    lines: Vec<u8>,
}

impl ResponseHead {
    /// An answer with this status; outside 100 to 999 it becomes 500.
    pub fn new(status: u16) -> ResponseHead {
        ResponseHead { status: if (100..=999).contains(&status) { status } else { 500 }, lines: Vec::new() }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Adds a header. Refused (`false`, nothing added): a name that is no token, a value with CR, LF or another
    /// control character or one beyond ISO-8859-1, and the framing headers, which [`ResponseHead::to_bytes`] writes.
    pub fn header(&mut self, name: &str, value: &str) -> bool {
        let framing = ["content-length", "connection", "transfer-encoding"];
        if name.is_empty() || !name.bytes().all(is_token) || framing.iter().any(|f| name.eq_ignore_ascii_case(f)) {
            return false;
        }
        let Some(value) = latin1(value) else { return false };
        self.lines.extend_from_slice(name.as_bytes());
        self.lines.extend_from_slice(b": ");
        self.lines.extend_from_slice(&value);
        self.lines.extend_from_slice(b"\r\n");
        true
    }

    /// The whole head up to and with the empty line. `length` is the body's, in bytes; `None` where the status has no
    /// body (1xx, 204, 304). `keep_alive` says whether the connection takes another request afterwards.
    pub fn to_bytes(&self, length: Option<u64>, keep_alive: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.lines.len() + 96);
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(reason_phrase(self.status).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.lines);
        if let Some(length) = length {
            out.extend_from_slice(b"Content-Length: ");
            out.extend_from_slice(length.to_string().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        // said in both cases: HTTP/1.0 and HTTP/1.1 differ in what silence means
        out.extend_from_slice(if keep_alive {
            b"Connection: keep-alive\r\n\r\n"
        } else {
            b"Connection: close\r\n\r\n"
        });
        out
    }
}

/// The usual words for a status (RFC 9110 section 15), or none.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn whole_heads() {
        let mut head = ResponseHead::new(200);
        assert!(head.header("Content-Type", "text/xml; charset=ä"));
        assert_eq!(
            head.to_bytes(Some(5), true),
            b"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=\xe4\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"
        );
        assert_eq!(
            ResponseHead::new(304).to_bytes(None, false),
            b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(ResponseHead::new(7).status(), 500);
    }

    #[test]
    fn no_header_makes_another() {
        let mut head = ResponseHead::new(200);
        for (name, value) in [
            ("X", "a\r\nB: c"),
            ("X", "a\nb"),
            ("X", "a\rb"),
            ("X", "a\0"),
            ("X", "€"),
            ("X\r\nY", "a"),
            ("", "a"),
            ("X Y", "a"),
            ("X:", "a"),
            ("Content-length", "7"),
            ("connection", "close"),
            ("Transfer-Encoding", "chunked"),
        ] {
            assert!(!head.header(name, value), "{name:?}: {value:?}");
        }
        assert_eq!(head.to_bytes(None, false), b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    }

    proptest::proptest! {
        #[test]
        fn one_line_each(name in ".{0,12}", value in ".{0,40}") {
            let mut head = ResponseHead::new(200);
            let lines = 3 + usize::from(head.header(&name, &value));
            let bytes = head.to_bytes(None, true);
            proptest::prop_assert_eq!(bytes.iter().filter(|b| **b == b'\n').count(), lines);
            proptest::prop_assert_eq!(bytes.iter().filter(|b| **b == b'\r').count(), lines);
        }
    }
}
