//! The phone's side of PnP: what `probe`, `demo` and tests send and read.

use super::build::Builder;
use super::message::Message;
use super::text;
use super::Error;
use std::net::SocketAddrV4;

/// A SUBSCRIBE as phones send it. An empty string leaves out the header or parameter.
#[derive(Clone, Copy, Debug)]
pub struct Subscribe<'a> {
    /// User part with the MAC: `MAC%3a000413aabbcc` (snom), `MAC0015657322ff` (Yealink), `MAC%3AC074AD112233`.
    pub uri_user: &'a str,
    /// `224.0.1.75`, or the DNS domain as snom has it.
    pub domain: &'a str,
    /// Event parameter.
    pub vendor: &'a str,
    /// Event parameter.
    pub model: &'a str,
    /// Event parameter.
    pub version: &'a str,
    /// User-Agent.
    pub user_agent: &'a str,
    /// Address and port it is sent from.
    pub source: SocketAddrV4,
    /// Call-ID, whole.
    pub call_id: &'a str,
    /// CSeq number.
    pub cseq: u32,
    /// From tag.
    pub tag: &'a str,
    /// Branch of the Via, with its `z9hG4bK`.
    pub branch: &'a str,
}

impl Subscribe<'_> {
    /// The datagram.
    ///
    /// # Errors
    /// When a field is no single line of text.
    pub fn build(&self) -> Result<Vec<u8>, Error> {
        let source = self.source.to_string();
        let uri = ["sip:", self.uri_user, "@", self.domain].concat();
        let mut b = Builder::request("SUBSCRIBE", &uri);
        b.header("Via", &["SIP/2.0/UDP ", &source, &given(self.branch, &[";branch=", self.branch]), ";rport"]);
        b.header("From", &["<", &uri, ">", &given(self.tag, &[";tag=", self.tag])]);
        b.header("To", &["<", &uri, ">"]);
        b.header("Call-ID", &[self.call_id]);
        b.header("CSeq", &[&self.cseq.to_string(), " SUBSCRIBE"]);
        b.header("Contact", &["<sip:", &source, ">"]);
        b.header("Max-Forwards", &["70"]);
        if !self.user_agent.is_empty() {
            b.header("User-Agent", &[self.user_agent]);
        }
        let mut event = "ua-profile;profile-type=\"device\"".to_string();
        for (name, value) in [("vendor", self.vendor), ("model", self.model), ("version", self.version)] {
            event.push_str(&given(value, &[";", name, "=\"", value, "\""]));
        }
        b.header("Event", &[&event]);
        b.header("Expires", &["0"]);
        b.header("Accept", &["application/url"]);
        b.finish(b"")
    }
}

/// `pieces` in one, unless `value` is empty.
fn given(value: &str, pieces: &[&str]) -> String {
    if value.is_empty() {
        String::new()
    } else {
        pieces.concat()
    }
}

/// The phone's 200 to a NOTIFY that came from `from`.
///
/// # Errors
/// When the NOTIFY lacks what a response copies.
pub fn ok(notify: &Message<'_>, from: SocketAddrV4, tag: &str) -> Result<Vec<u8>, Error> {
    Builder::answer(notify, 200, "OK", from, tag)?.finish(b"")
}

/// The URL in a NOTIFY: its whole body, blanks and line ends around it left out.
///
/// # Errors
/// When it is no NOTIFY, or the body is not one printable word.
pub fn url<'a>(notify: &Message<'a>) -> Result<&'a str, Error> {
    if notify.method() != Some("NOTIFY") {
        return Err(Error::StartLine);
    }
    let body = std::str::from_utf8(notify.body).map_err(|_| Error::Bad("body"))?.trim();
    match body.is_empty() {
        true => Err(Error::Missing("body")),
        false if !text::is_printable(body) || body.contains(' ') => Err(Error::Bad("body")),
        false => Ok(body),
    }
}
