//! What a SUBSCRIBE tells of the phone that sent it: phone-facts 1.3 and 1.4, in the order of trust given there.

use super::message::{Message, Name, Start};
use super::text;
use super::uri::{NameAddr, Uri};
use crate::proto::mac::Mac;

/// Content type of a body that is one URL.
pub const URL_TYPE: &str = "application/url";

/// What a SUBSCRIBE tells. All of it is the sender's claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    /// From the Request-URI, else To, From or User-Agent.
    pub mac: Option<Mac>,
    /// The Event header's `vendor` (or `vender`), `OEM` included.
    pub event_vendor: Option<&'a str>,
    /// The Event header's `model`, when it says something ([`super::Event::model`]).
    pub model: Option<&'a str>,
    /// The Event header's `version`.
    pub version: Option<&'a str>,
    /// User-Agent, printable ASCII of at most 256 bytes.
    pub user_agent: Option<&'a str>,
    /// Content type for the URL: the one type that Accept names, else `application/url`.
    pub content_type: &'a str,
}

impl<'a> Facts<'a> {
    /// Of a request.
    pub fn of(message: &'a Message<'_>) -> Facts<'a> {
        let event = message.event().ok();
        let user_agent = message.first(Name::UserAgent).filter(|ua| ua.len() <= 256 && text::is_printable(ua));
        let request_uri = match message.start {
            Start::Request { uri, .. } => uri_mac(uri),
            Start::Response { .. } => None,
        };
        let address_mac = |name| message.first(name).and_then(NameAddr::parse).and_then(|a| uri_mac(a.uri));
        let mac = request_uri
            .or_else(|| address_mac(Name::To))
            .or_else(|| address_mac(Name::From))
            .or_else(|| user_agent.and_then(Mac::find));
        Facts {
            mac,
            event_vendor: event.and_then(|e| e.vendor()),
            model: event.and_then(|e| e.model()),
            version: event.and_then(|e| e.version()),
            user_agent,
            content_type: content_type(message),
        }
    }
}

/// The MAC in the user part of a SIP URI: `MAC%3a` + 12 digits (snom, Gigaset, Grandstream with `%3A`), `MAC` + 12
/// digits (Yealink, Akuvox), `MAC=` (Fanvil's OEMs) or `MAC:`, whatever the case.
pub fn uri_mac(uri: &str) -> Option<Mac> {
    let rest = text::strip_prefix_ignore_case(Uri::parse(uri)?.user?, "MAC")?;
    let digits = ["%3a", "%3d", ":", "="].iter().find_map(|sep| text::strip_prefix_ignore_case(rest, sep));
    Mac::parse(digits.unwrap_or(rest))
}

/// The type for the NOTIFY's body: what the phone accepts, when that is exactly one plain type.
fn content_type<'a>(message: &'a Message<'_>) -> &'a str {
    let mut types = message.list(Name::Accept);
    match (types.next(), types.next()) {
        (Some(one), None) if is_plain_type(one) => one,
        _ => URL_TYPE,
    }
}

fn is_plain_type(s: &str) -> bool {
    let token = |part: &str| text::is_token(part) && !part.contains('*');
    s.len() <= 64 && s.split_once('/').is_some_and(|(a, b)| token(a) && token(b))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn mac_spellings() {
        let mac = Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]);
        for user in [
            "MAC%3a000413AABBCC",
            "MAC%3A000413aabbcc",
            "MAC000413aabbcc",
            "mac=000413aabbcc",
            "Mac:000413aabbcc",
            "MAC%3D000413aabbcc",
            "MAC%3a00-04-13-aa-bb-cc",
        ] {
            assert_eq!(uri_mac(&format!("sip:{user}@lan")), Some(mac), "{user}");
            assert_eq!(uri_mac(&format!("SIPS:{user}@224.0.1.75:5060;x=y")), Some(mac), "{user}");
        }
        for uri in [
            "sip:000413aabbcc@lan",
            "sip:MAC%3a000413aabbc@lan",
            "sip:MAC%3a000413aabbccd@lan",
            "sip:MACx000413aabbcc@lan",
            "sip:MAC%3a000413aabbcc",
            "tel:MAC000413aabbcc@lan",
        ] {
            assert_eq!(uri_mac(uri), None, "{uri}");
        }
    }

    fn facts<T>(headers: &str, read: impl Fn(Facts) -> T) -> T {
        let text = format!("SUBSCRIBE sip:224.0.1.75 SIP/2.0\r\nEvent: ua-profile\r\n{headers}\r\n");
        read(Facts::of(&Message::parse(text.as_bytes()).unwrap()))
    }

    #[test]
    fn mac_sources_in_order() {
        let last = |headers: &str| facts(headers, |f| f.mac.map(|m| m.0[5]));
        let (to, from, agent) = (
            "To: <sip:MAC000413000002@x>\r\n",
            "From: <sip:MAC000413000003@x>;tag=1\r\n",
            "User-Agent: Yealink SIP-T53W 96.87.0.16 00:04:13:00:00:04\r\n",
        );
        assert_eq!(last(&format!("{agent}{from}{to}")), Some(2));
        assert_eq!(last(&format!("{agent}{from}")), Some(3));
        assert_eq!(last(agent), Some(4));
        assert_eq!(last("User-Agent: snomM700/03.23.0005 (MAC=000413000005; SER= 00000; HW=255)\r\n"), Some(5));
        assert_eq!(last(""), None);
    }

    #[test]
    fn accept() {
        for (accept, want) in [
            ("", URL_TYPE),
            ("Accept: application/url\r\n", URL_TYPE),
            ("Accept: application/x-gs-ucm-url\r\n", "application/x-gs-ucm-url"),
            ("Accept: application/x-gs-ucm-url, application/url\r\n", URL_TYPE),
            ("Accept: application/x-gs-ucm-url\r\nAccept: text/plain\r\n", URL_TYPE),
            ("Accept: */*\r\n", URL_TYPE),
            ("Accept: application/x;q=1\r\n", URL_TYPE),
            ("Accept: a b/c\r\n", URL_TYPE),
        ] {
            assert_eq!(facts(accept, |f| f.content_type.to_string()), want, "{accept}");
        }
    }

    #[test]
    fn user_agent_must_be_printable() {
        assert_eq!(
            facts("User-Agent: snom370/8.7\r\n", |f| f.user_agent.map(String::from)).as_deref(),
            Some("snom370/8.7")
        );
        assert!(!facts("User-Agent: sn\u{f6}m\r\n", |f| f.user_agent.is_some()));
    }
}
