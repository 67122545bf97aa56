//! The two datagrams that answer a SUBSCRIBE: 200 and NOTIFY (phone-facts 1.5).

use crate::core::notify::Names;
use crate::proto::sip::build::echoed;
use crate::proto::sip::{text, Builder, Error, Message, Name, NameAddr, Uri};
use std::net::SocketAddrV4;

/// The 200.
///
/// # Errors
/// When the SUBSCRIBE lacks what a response copies, or the answer would be too long.
pub fn ok(subscribe: &Message<'_>, local: SocketAddrV4, from: SocketAddrV4, names: &Names) -> Result<Vec<u8>, Error> {
    let mut b = Builder::answer(subscribe, 200, "OK", from, &names.tag)?;
    b.header("Contact", &["<sip:", &local.to_string(), ">"]);
    b.header("Expires", &["0"]);
    b.finish(b"")
}

/// The NOTIFY with `url` as its body.
///
/// # Errors
/// As for [`ok`], and when `url` is not one printable word.
pub fn notify(
    subscribe: &Message<'_>,
    local: SocketAddrV4,
    from: SocketAddrV4,
    names: &Names,
    content_type: &str,
    url: &str,
) -> Result<Vec<u8>, Error> {
    if url.is_empty() || url.contains(' ') || !text::is_printable(url) {
        return Err(Error::Bad("URL"));
    }
    let local = local.to_string();
    let (number, _) = subscribe.cseq()?;
    let mut b = Builder::request("NOTIFY", &request_uri(subscribe, from));
    b.header("Via", &["SIP/2.0/UDP ", &local, ";branch=", &names.branch, ";rport"]);
    b.header("Max-Forwards", &["20"]);
    let us = echoed(subscribe, Name::To)?;
    match subscribe.to()?.tag() {
        Some(_) => b.header("From", &[us]),
        None => b.header("From", &[us, ";tag=", &names.tag]),
    };
    b.header("To", &[echoed(subscribe, Name::From)?]);
    b.header("Call-ID", &[echoed(subscribe, Name::CallId)?]);
    b.header("CSeq", &[&number.saturating_add(1).to_string(), " NOTIFY"]);
    b.header("Contact", &["<sip:", &local, ">"]);
    b.header("Event", &[&subscribe.event()?.echo()]);
    b.header("Subscription-State", &["terminated;reason=timeout"]);
    b.header("Content-Type", &[content_type]);
    b.finish(url.as_bytes())
}

/// The Contact, when it names the address the packet came from, else that address: a Contact cannot send us, or the
/// phone's own reading of it, to a third host.
fn request_uri(subscribe: &Message<'_>, from: SocketAddrV4) -> String {
    let contact = subscribe
        .list(Name::Contact)
        .next()
        .and_then(NameAddr::parse)
        .and_then(|address| Uri::parse(address.uri))
        .filter(|uri| uri.ipv4() == Some(*from.ip()));
    let Some(contact) = contact else {
        return ["sip:", &from.to_string()].concat();
    };
    let (user, at) = match contact.user {
        Some(user) if is_user(user) => (user, "@"),
        _ => ("", ""),
    };
    let port = contact.port.map(|port| format!(":{port}")).unwrap_or_default();
    ["sip:", user, at, contact.host, &port].concat()
}

/// RFC 3261 section 25.1 `userinfo`, of at most 128 bytes.
fn is_user(user: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()%&=+$,;?/:".contains(&b);
    (1..=128).contains(&user.len()) && user.bytes().all(legal)
}
