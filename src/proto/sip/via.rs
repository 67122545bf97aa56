//! Via (RFC 3261 section 20.42) and what a server writes into it (section 18.2.1, RFC 3581 section 4).

use super::text;
use super::uri::{host_port, Params};
use std::net::SocketAddrV4;

/// One Via value: `SIP/2.0/UDP host:port;params`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, as written.
    pub transport: &'a str,
    /// Host of sent-by, as written.
    pub host: &'a str,
    /// Port of sent-by, when given.
    pub port: Option<u16>,
    /// Parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one Via value (not a whole list).
    pub fn parse(value: &'a str) -> Option<Via<'a>> {
        let (head, params) = text::cut(value, b';');
        // blanks may stand around the slashes (section 25.1)
        let (name, rest) = head.split_once('/')?;
        let (version, rest) = rest.split_once('/')?;
        let (transport, sent_by) = rest.trim_start().split_once([' ', '\t'])?;
        if !name.trim().eq_ignore_ascii_case("SIP")
            || version.trim() != "2.0"
            || !text::is_token(transport)
            || !text::is_closed(params)
        {
            return None;
        }
        let (host, port) = host_port(sent_by)?;
        Some(Via { transport, host, port, params: Params(params) })
    }

    /// The branch: the transaction's name.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch").filter(|b| !b.is_empty())
    }

    /// This value as the response carries it: `rport` filled in where it was asked for, `received` added then and
    /// where the packet's source is not what sent-by says.
    pub fn stamped(&self, from: SocketAddrV4) -> String {
        let mut out = String::with_capacity(self.params.0.len() + 80);
        out.push_str("SIP/2.0/");
        out.push_str(self.transport);
        out.push(' ');
        out.push_str(self.host);
        if let Some(port) = self.port {
            out.push(':');
            out.push_str(&port.to_string());
        }
        let mut received = self.host.parse() != Ok(*from.ip());
        for (name, value) in self.params.iter() {
            if name.eq_ignore_ascii_case("received") {
                continue;
            }
            out.push(';');
            out.push_str(name);
            if name.eq_ignore_ascii_case("rport") {
                out.push('=');
                out.push_str(&from.port().to_string());
                received = true;
            } else if let Some(value) = value {
                out.push('=');
                out.push_str(value);
            }
        }
        if received {
            out.push_str(";received=");
            out.push_str(&from.ip().to_string());
        }
        out
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn stamped(via: &str) -> String {
        Via::parse(via).unwrap().stamped("192.168.1.50:5061".parse().unwrap())
    }

    #[test]
    fn stamps() {
        assert_eq!(
            stamped("SIP/2.0/UDP 192.168.1.50:5060;rport"),
            "SIP/2.0/UDP 192.168.1.50:5060;rport=5061;received=192.168.1.50"
        );
        assert_eq!(
            stamped("SIP/2.0/UDP 192.168.1.50:5060;branch=z9hG4bK1"),
            "SIP/2.0/UDP 192.168.1.50:5060;branch=z9hG4bK1"
        );
        assert_eq!(
            stamped("SIP / 2.0 / UDP  phone : 5060 ; branch=\"a;b\" ; received=10.0.0.1;x"),
            "SIP/2.0/UDP phone:5060;branch=\"a;b\";x;received=192.168.1.50"
        );
    }

    #[test]
    fn refused() {
        for s in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/3.0/UDP a",
            "UDP a",
            "SIP/2.0/UDP a:b",
            "SIP/2.0/U(P a",
            "SIP/2.0/UDP a\"",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP a;b=\"c",
        ] {
            assert_eq!(Via::parse(s), None, "{s}");
        }
    }

    proptest::proptest! {
        #[test]
        fn stamped_reads_back(host in "[a-z0-9.]{1,12}", port in proptest::option::of(1u16..), params in "(;[a-z]{1,8}(=[a-zA-Z0-9]{1,6})?){0,4}") {
            let port_text = port.map(|p| format!(":{p}")).unwrap_or_default();
            let text = format!("SIP/2.0/UDP {host}{port_text}{params}");
            let via = Via::parse(&text).unwrap();
            let stamped = via.stamped("10.1.2.3:4".parse().unwrap());
            let again = Via::parse(&stamped).unwrap();
            proptest::prop_assert_eq!((again.host, again.port, again.branch()), (host.as_str(), port, via.branch()));
            proptest::prop_assert_eq!(again.params.get("received"), Some("10.1.2.3"));
        }

        #[test]
        fn total(s in "SIP/2.0/UDP [a:;=\",<> 0-9é]{0,40}|.{0,40}") {
            if let Some(via) = Via::parse(&s) {
                let _ = (via.branch(), via.stamped("10.1.2.3:4".parse().unwrap()));
            }
        }
    }
}
