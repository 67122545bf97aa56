//! What a phone is told by DHCP: the options of its brand, with the URL that PnP gives too.

use crate::bounds;
use crate::proto::url::{MapError, Mapping, Values};
use crate::vendor::{DhcpValue, Vendor};
use std::net::SocketAddrV4;

/// One option, or one part of an option, with its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Given {
    /// Option number.
    pub code: u8,
    /// Sub-option, where the value is encapsulated.
    pub sub: Option<u8>,
    /// The value.
    pub value: GivenValue,
}

/// The value of a [`Given`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GivenValue {
    /// Printable ASCII without blanks, quotes and backslashes.
    Text(String),
    /// One byte.
    Byte(u8),
}

/// The option that ends with a NUL on the wire, as dnsmasq sends it (phone-facts 2.3): readers of C strings rely on it.
const TFTP_SERVER_NAME: u8 = 66;
/// Ends encapsulated options (RFC 2132 section 8.4).
const END: u8 = 255;

/// What a phone of the section `vendor`/`mapping` is told by DHCP on a network where the router is `router`.
///
/// With a MAC in `values` the URL has it. Without, the URL has what the brand's phones replace by their own MAC
/// ([`Vendor::dhcp_mac`]). The error says why there is no such URL, and what to do.
pub fn given(
    vendor: &Vendor,
    mapping: &Mapping,
    values: &Values<'_>,
    router: SocketAddrV4,
) -> Result<Vec<Given>, String> {
    let name = mapping.vendor();
    let (lower, upper) = vendor.dhcp_mac.map_or((None, None), |mac| (mac.lower, mac.upper));
    // first with marks that no URL has: to a phone, $MA before a letter would be another macro
    let marks = (lower.map(|_| "\u{1}"), upper.map(|_| "\u{2}"));
    let mut url = mapping.entry_for_dhcp(values, router, marks).map_err(|e| match e {
        MapError::Unknown(hole) => format!(
            "vendor '{name}': its url needs {hole}, which DHCP cannot fill in for phones of this brand; \
             let the url end in a folder (…/), to which they add their file name"
        ),
        e => format!("vendor '{name}': {e}"),
    })?;
    for (mark, own) in [("\u{1}", lower), ("\u{2}", upper)] {
        let Some(own) = own else { continue };
        let runs_on = url.split(mark).skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
        if own.starts_with('$') && runs_on {
            return Err(format!(
                "vendor '{name}': its url has a letter or digit right behind the MAC, for which the phone is told {own}; \
                 put another character between them"
            ));
        }
        url = url.replace(mark, own);
    }
    if let Some(c) = url.chars().find(|c| !is_plain(*c)) {
        return Err(format!(
            "vendor '{name}': its url has the character {}, which DHCP settings cannot hold; percent-encode it",
            c.escape_debug()
        ));
    }
    let all: Vec<Given> = vendor
        .dhcp
        .iter()
        .map(|option| Given {
            code: option.code,
            sub: option.sub,
            value: match option.value {
                DhcpValue::Url => GivenValue::Text(url.clone()),
                DhcpValue::Byte(byte) => GivenValue::Byte(byte),
            },
        })
        .collect();
    fits(name, &all)?;
    Ok(all)
}

/// May it stand in a quoted value of dnsmasq's, in a UCI value, and in the word list of a shell?
fn is_plain(c: char) -> bool {
    c.is_ascii_graphic() && !['"', '\'', '\\', '`'].contains(&c)
}

/// Is there room for all of it? One option alone may be as long as an option can be: many phones take larger packets.
fn fits(name: &str, all: &[Given]) -> Result<(), String> {
    let wire = encode(all);
    for (code, value) in &wire {
        let nul = usize::from(*code == TFTP_SERVER_NAME);
        if value.len() > bounds::DHCP_OPTION {
            return Err(format!(
                "vendor '{name}': DHCP option {code} would be {} bytes long, and {} is the limit; give it a shorter url",
                value.len() - nul,
                bounds::DHCP_OPTION - nul
            ));
        }
    }
    let sizes: Vec<usize> = wire.iter().map(|(_, value)| value.len() + 2).collect();
    if !(have_room(sizes.iter()) && have_room(sizes.iter().rev())) {
        let codes: Vec<String> = wire.iter().map(|(code, _)| code.to_string()).collect();
        let what = if codes.len() > 1 { "options" } else { "option" };
        return Err(format!(
            "vendor '{name}': DHCP {what} {} would be {} bytes long, too long for a packet beside a lease; give it a \
             shorter url",
            codes.join(", "),
            sizes.iter().sum::<usize>()
        ));
    }
    Ok(())
}

/// Does each have its place when they come in this order, each going where there is room first?
fn have_room<'a>(mut sizes: impl Iterator<Item = &'a usize>) -> bool {
    let mut rooms = bounds::DHCP_ROOM;
    sizes.all(|size| match rooms.iter_mut().find(|room| **room >= *size) {
        Some(room) => {
            *room -= size;
            true
        }
        None => false,
    })
}

/// The options as they are on the wire, in the bytes that dnsmasq sends for them: 66 ends with a NUL; encapsulated values
/// of one option stand together, the later ones first, and end with 255.
pub fn encode(all: &[Given]) -> Vec<(u8, Vec<u8>)> {
    let mut out: Vec<(u8, Vec<u8>)> = Vec::new();
    for given in all {
        let mut value = match &given.value {
            GivenValue::Text(text) => text.clone().into_bytes(),
            GivenValue::Byte(byte) => vec![*byte],
        };
        if given.code == TFTP_SERVER_NAME && given.sub.is_none() {
            value.push(0);
        }
        let Some(sub) = given.sub else {
            out.push((given.code, value));
            continue;
        };
        // a value too long for its length byte is refused by `fits`, for the option is longer still
        let mut part = vec![sub, u8::try_from(value.len()).unwrap_or(u8::MAX)];
        part.append(&mut value);
        match out.iter_mut().find(|(code, _)| *code == given.code) {
            Some((_, whole)) => {
                part.append(whole);
                *whole = part;
            }
            None => {
                part.push(END);
                out.push((given.code, part));
            }
        }
    }
    out
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::proto::mac::Mac;
    use crate::proto::url::Template;
    use crate::vendor::{by_name, ALL, GENERIC};
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    const ROUTER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 1), 8480);
    const NONE: Values<'static> = Values { mac: None, model: None, version: None, ip: None };
    const ONE: Values<'static> =
        Values { mac: Some(Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc])), model: Some("D1 20"), version: None, ip: None };

    fn told(name: &str, url: &str, values: &Values<'_>) -> Result<Vec<Given>, String> {
        let vendor = by_name(name).unwrap_or(&GENERIC);
        let mapping = Mapping::new(name, &Template::parse(url).unwrap(), "https://prov.example.net", "geheim").unwrap();
        given(vendor, &mapping, values, ROUTER)
    }

    fn text(code: u8, sub: Option<u8>, text: &str) -> Given {
        Given { code, sub, value: GivenValue::Text(text.into()) }
    }

    fn url(name: &str, template: &str, values: &Values<'_>) -> Result<String, String> {
        told(name, template, values).map(|all| match &all[0].value {
            GivenValue::Text(text) => text.clone(),
            GivenValue::Byte(_) => panic!("{all:?}"),
        })
    }

    #[test]
    fn defaults_of_all_brands() {
        for vendor in ALL {
            let mapping =
                Mapping::new(vendor.name, &Template::parse(vendor.url).unwrap(), "https://p.example", "geheim")
                    .unwrap();
            let all = given(vendor, &mapping, &NONE, ROUTER).unwrap();
            assert_eq!(all.len(), vendor.dhcp.len(), "{}", vendor.name);
            assert!(!format!("{all:?}").contains("geheim"));
            // with the phone's own MAC it is what PnP says
            let known = given(vendor, &mapping, &ONE, ROUTER).unwrap();
            let pnp = GivenValue::Text(mapping.entry(&ONE, ROUTER));
            assert!(known.iter().all(|g| g.value == pnp || g.value == GivenValue::Byte(0)), "{known:?}");
        }
        let snom = "http://192.168.1.1:8480/snom/settings.php?mac=";
        let template = "{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}";
        assert_eq!(told("snom", template, &NONE), Ok(vec![text(66, None, &format!("{snom}{{mac}}"))]));
        assert_eq!(told("snom", template, &ONE), Ok(vec![text(66, None, &format!("{snom}000413aabbcc"))]));
        let mitel = "http://192.168.1.1:8480/mitel/mitel";
        assert_eq!(
            told("mitel", "{upstream}/prov/mitel", &NONE),
            Ok(vec![
                text(66, None, mitel),
                text(43, Some(2), mitel),
                Given { code: 43, sub: Some(3), value: GivenValue::Byte(0) }
            ])
        );
    }

    #[test]
    fn placeholders_become_the_phones_own() {
        let at = |rest: &str| Ok(format!("http://192.168.1.1:8480/{rest}"));
        assert_eq!(url("cisco", "{upstream}/{mac}.cfg", &NONE), at("cisco/$MA.cfg"));
        assert_eq!(url("cisco", "{upstream}/{MAC}.cfg?x={mac}", &NONE), at("cisco/$MAU.cfg?x=$MA"));
        assert_eq!(url("cisco", "{upstream}/{MAC}{mac-}.cfg", &ONE), at("cisco/000413AABBCC00-04-13-aa-bb-cc.cfg"));
        assert_eq!(url("fanvil", "{upstream}/{mac}.cfg", &NONE), at("fanvil/$mac.cfg"));
        assert_eq!(url("panasonic", "{upstream}/Config{MAC}.cfg", &NONE), at("panasonic/Config{MAC}.cfg"));
        assert_eq!(url("snom", "{upstream}/{MAC}.xml?v={vendor}", &NONE), at("snom/{mac}.xml?v=snom"));
        assert_eq!(url("snom", "{upstream}/{mac}/", &NONE), at("snom/"));
        assert_eq!(url("other", "{upstream}/x/", &NONE), at("other/"));
        assert_eq!(url("snom", "{upstream}/x?m={model}", &ONE), at("snom/x?m=D1%2020"));
    }

    #[test]
    fn refused_with_what_to_do() {
        for (name, template, values, says) in [
            ("mitel", "{upstream}/{mac}.cfg", &NONE, "vendor 'mitel': its url needs {mac}, which DHCP cannot fill in"),
            ("other", "{upstream}/{mac}.cfg", &NONE, "let the url end in a folder"),
            ("panasonic", "{upstream}/{mac}.cfg", &NONE, "needs {mac}"),
            ("fanvil", "{upstream}/{MAC}.cfg", &NONE, "needs {MAC}"),
            ("snom", "{upstream}/{mac:}.cfg", &NONE, "needs {mac:}"),
            ("snom", "{upstream}/x?{model}", &NONE, "needs {model}"),
            ("snom", "{upstream}/x?{version}", &ONE, "needs {version}"),
            ("snom", "{upstream}/x?{ip}", &ONE, "needs {ip}"),
            ("cisco", "{upstream}/{mac}x.cfg", &NONE, "is told $MA; put another character between"),
            ("cisco", "{upstream}/{mac}U.cfg", &NONE, "another character between"),
            ("cisco", "{upstream}/{MAC}1.cfg", &NONE, "another character between"),
            ("fanvil", "{upstream}/{mac}1.cfg", &NONE, "another character between"),
            ("snom", "{upstream}/it's", &NONE, "character \\', which DHCP settings cannot hold; percent-encode it"),
        ] {
            let error = told(name, template, values).unwrap_err();
            assert!(error.contains(says), "{template}: {error}");
        }
        assert!(told("cisco", "{upstream}/{mac}x.cfg", &ONE).is_ok());
    }

    #[test]
    fn lengths() {
        let long = |name: &str, n: usize| {
            // "http://192.168.1.1:8480/NAME/"
            told(name, &format!("{{upstream}}/{}", "x".repeat(n - 24 - name.len() - 1)), &NONE)
        };
        // dnsmasq 2.90 leaves a longer one out, without a word, for clients that take 576 bytes (tests/lab/dhcp.rs)
        assert_eq!(encode(&long("snom", 205).unwrap())[0].1.len(), 206);
        assert_eq!(
            long("snom", 206).unwrap_err(),
            "vendor 'snom': DHCP option 66 would be 209 bytes long, too long for a packet beside a lease; give it a shorter url"
        );
        assert_eq!(
            long("snom", 255).unwrap_err(),
            "vendor 'snom': DHCP option 66 would be 255 bytes long, and 254 is the limit; give it a shorter url"
        );
        // two bytes of head and one of end, and the three of 43.3
        assert_eq!(encode(&long("mitel", 110).unwrap())[1].1.len(), 116);
        assert!(long("mitel", 250).unwrap_err().contains("DHCP option 43 would be 256 bytes long, and 255 is"));
        // dnsmasq 2.90, a lease with domain, host name, two DNS servers and NTP: 110 arrives, of 120 only 66
        assert_eq!(
            long("mitel", 120).unwrap_err(),
            "vendor 'mitel': DHCP options 66, 43 would be 251 bytes long, too long for a packet beside a lease; \
             give it a shorter url"
        );
        assert!(long("polycom", 120).is_ok() && long("polycom", 130).is_err());
    }

    #[test]
    fn wire_form() {
        let byte = Given { code: 43, sub: Some(3), value: GivenValue::Byte(0) };
        // phone-facts 2.3 #5, seen from dnsmasq
        assert_eq!(
            encode(&[text(66, None, "http://a/"), text(43, Some(2), "http://a/"), byte, text(160, None, "u")]),
            [(66, b"http://a/\0".to_vec()), (43, b"\x03\x01\0\x02\x09http://a/\xff".to_vec()), (160, b"u".to_vec())]
        );
        assert_eq!(encode(&[text(66, None, "x"), text(43, None, "x")])[1], (43, b"x".to_vec()));
        assert_eq!(encode(&[]), []);
    }

    proptest! {
        #[test]
        fn what_is_given_is_plain_and_fits(
            which in 0..ALL.len(),
            file in "[ -~]{0,20}|[a-z]{0,300}",
            hole in "|\\{mac\\}|\\{MAC\\}|\\{mac:\\}|\\{model\\}|\\{ip\\}",
            model in prop::option::of("\\PC{0,40}"),
            mac in prop::option::of(any::<[u8; 6]>()),
        ) {
            let vendor = ALL[which];
            let Ok(template) = Template::parse(&format!("{{upstream}}/{file}{hole}")) else { return Ok(()) };
            let Ok(mapping) = Mapping::new(vendor.name, &template, "http://h", "geheim") else { return Ok(()) };
            let values = Values { mac: mac.map(Mac), model: model.as_deref(), version: None, ip: None };
            if let Ok(all) = given(vendor, &mapping, &values, ROUTER) {
                for g in &all {
                    if let GivenValue::Text(text) = &g.value {
                        prop_assert!(text.chars().all(is_plain) && text.starts_with("http://192.168.1.1:8480/"));
                    }
                }
                prop_assert!(encode(&all).iter().all(|(_, v)| v.len() <= 255));
            }
        }
    }
}
