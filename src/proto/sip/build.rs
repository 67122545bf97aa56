//! Writing messages. Nothing that is not one line of text gets into a head: [`Builder`] refuses it in one place.

use super::message::{Message, Name};
use super::via::Via;
use super::Error;
use crate::bounds;
use std::net::SocketAddrV4;

/// A message under way. Pieces with control characters (CR, LF, NUL …) spoil it, and [`Builder::finish`] says so.
pub struct Builder {
    out: Vec<u8>,
    spoiled: bool,
}

impl Builder {
    /// A request line.
    pub fn request(method: &str, uri: &str) -> Builder {
        let mut b = Builder { out: Vec::with_capacity(768), spoiled: uri.is_empty() || uri.contains([' ', '\t']) };
        b.line(&[method, " ", uri, " SIP/2.0"]);
        b
    }

    /// A status line.
    pub fn response(code: u16, reason: &str) -> Builder {
        let mut b = Builder { out: Vec::with_capacity(512), spoiled: !(100..=699).contains(&code) };
        b.line(&["SIP/2.0 ", &code.to_string(), " ", reason]);
        b
    }

    /// The response to `request` as RFC 3261 section 8.2.6 has it: all its Via, the topmost with the packet's source
    /// stamped in, its From, To (with `tag` where it has none), Call-ID and CSeq.
    ///
    /// # Errors
    /// When one of these is missing, cannot be read or is longer than [`bounds::SIP_ECHO`].
    pub fn answer(
        request: &Message<'_>,
        code: u16,
        reason: &str,
        from: SocketAddrV4,
        tag: &str,
    ) -> Result<Builder, Error> {
        let mut b = Builder::response(code, reason);
        let mut first = true;
        for value in request.list(Name::Via) {
            let via = Via::parse(value).filter(|_| value.len() <= bounds::SIP_ECHO).ok_or(Error::Bad("Via"))?;
            match first {
                true => b.header("Via", &[&via.stamped(from)]),
                false => b.header("Via", &[value]),
            };
            first = false;
        }
        if first {
            return Err(Error::Missing("Via"));
        }
        request.from()?;
        b.header("From", &[echoed(request, Name::From)?]);
        let to = echoed(request, Name::To)?;
        match request.to()?.params.get("tag") {
            Some("") => return Err(Error::Bad("To")),
            Some(_) => b.header("To", &[to]),
            None => b.header("To", &[to, ";tag=", tag]),
        };
        request.call_id()?;
        b.header("Call-ID", &[echoed(request, Name::CallId)?]);
        let (number, method) = request.cseq()?;
        b.header("CSeq", &[&number.to_string(), " ", method]);
        Ok(b)
    }

    /// One header; the value in pieces.
    pub fn header(&mut self, name: &str, value: &[&str]) -> &mut Builder {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        self.line(value);
        self
    }

    fn line(&mut self, pieces: &[&str]) {
        for piece in pieces {
            self.spoiled |= piece.bytes().any(|b| (b < b' ' && b != b'\t') || b == 0x7f);
            self.out.extend_from_slice(piece.as_bytes());
        }
        self.out.extend_from_slice(b"\r\n");
    }

    /// Adds Content-Length, the blank line and the body.
    ///
    /// # Errors
    /// [`Error::Control`] when a piece was no single line of text, [`Error::TooLong`] over [`bounds::SIP_DATAGRAM`].
    pub fn finish(mut self, body: &[u8]) -> Result<Vec<u8>, Error> {
        self.header("Content-Length", &[&body.len().to_string()]);
        if self.spoiled {
            return Err(Error::Control);
        }
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(body);
        match self.out.len() > bounds::SIP_DATAGRAM {
            true => Err(Error::TooLong),
            false => Ok(self.out),
        }
    }
}

/// A header of `message` that is about to be sent back.
///
/// # Errors
/// When it is missing or longer than [`bounds::SIP_ECHO`].
pub fn echoed<'a>(message: &'a Message<'_>, name: Name) -> Result<&'a str, Error> {
    let value = message.first(name).ok_or(Error::Missing(name.long()))?;
    if value.len() > bounds::SIP_ECHO {
        Err(Error::Bad(name.long()))
    } else {
        Ok(value)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::proto::sip::Start;
    use proptest::prelude::*;

    #[test]
    fn control_characters_spoil() {
        for bad in ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "a\u{7f}"] {
            let mut b = Builder::request("NOTIFY", "sip:a@b");
            b.header("Event", &["ok", bad]);
            assert_eq!(b.finish(b""), Err(Error::Control), "{bad:?}");
            assert!(Builder::request("NOTIFY", bad).finish(b"").is_err());
            assert!(Builder::response(200, bad).finish(b"").is_err());
        }
        assert!(Builder::request("NOTIFY", "sip:a b").finish(b"").is_err());
        assert_eq!(Builder::response(200, "OK").finish(&[0; bounds::SIP_DATAGRAM]), Err(Error::TooLong));
    }

    #[test]
    fn every_via_goes_back() {
        let text = "OPTIONS sip:a SIP/2.0\r\nv: SIP/2.0/UDP 10.0.0.9;rport, SIP/2.0/TCP b;branch=2\r\n\
            Via: SIP/2.0/UDP c\r\nf: <sip:f>;tag=1\r\nt: sip:t\r\ni: x\r\nCSeq:  7   OPTIONS\r\n\r\n";
        let request = Message::parse(text.as_bytes()).unwrap();
        let from = "10.0.0.9:4000".parse().unwrap();
        let bytes = Builder::answer(&request, 200, "OK", from, "T").unwrap().finish(b"").unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.9;rport=4000;received=10.0.0.9\r\n\
             Via: SIP/2.0/TCP b;branch=2\r\nVia: SIP/2.0/UDP c\r\nFrom: <sip:f>;tag=1\r\nTo: sip:t;tag=T\r\n\
             Call-ID: x\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
    }

    proptest! {
        #[test]
        fn round_trip(method in "[A-Z]{1,10}", uri in "[!-~]{1,40}", id in "[!-~]{1,40}", n in 0u32..1 << 31,
                      from in "[a-z0-9.]{1,20}", agent in "[!-~]([ -~]{0,40}[!-~])?", body in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut b = Builder::request(&method, &uri);
            b.header("Call-ID", &[&id]).header("CSeq", &[&n.to_string(), " ", &method]);
            b.header("From", &["<sip:", &from, ">;tag=x"]).header("User-Agent", &[&agent]);
            let bytes = b.finish(&body).unwrap();
            let m = Message::parse(&bytes).unwrap();
            prop_assert_eq!(m.start, Start::Request { method: &method, uri: &uri });
            prop_assert_eq!(m.call_id(), Ok(id.as_str()));
            prop_assert_eq!(m.cseq(), Ok((n, method.as_str())));
            prop_assert_eq!(m.from().unwrap().tag(), Some("x"));
            prop_assert_eq!(m.first(Name::UserAgent), Some(agent.as_str()));
            prop_assert_eq!(m.body, &body[..]);
        }

        #[test]
        fn answer_round_trip(code in 100u16..700, reason in "[A-Za-z]{0,10}") {
            let bytes = Builder::response(code, &reason).finish(b"").unwrap();
            let m = Message::parse(&bytes).unwrap();
            prop_assert_eq!(m.start, Start::Response { code, reason: &reason });
        }
    }
}
