//! The Event header (RFC 6665 section 8.2.1) with the parameters of `ua-profile` (RFC 6080 and the drafts before it).

use super::text;
use super::uri::Params;
use crate::bounds;

/// `ua-profile;profile-type="device";vendor="snom";model="snomD120";version="10.1.39.11"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event package: a token.
    pub package: &'a str,
    /// Parameters, quoted or not, in any order.
    pub params: Params<'a>,
}

impl<'a> Event<'a> {
    /// Reads the header's value.
    pub fn parse(value: &'a str) -> Option<Event<'a>> {
        let (package, params) = text::cut(value, b';');
        let package = package.trim();
        text::is_token(package).then_some(Event { package, params: Params(params) })
    }

    /// Is it the package of phones that ask for their configuration?
    pub fn is_ua_profile(&self) -> bool {
        self.package.eq_ignore_ascii_case("ua-profile")
    }

    /// `vendor`, or `vender` as Panasonic spells it.
    pub fn vendor(&self) -> Option<&'a str> {
        self.word("vendor").or_else(|| self.word("vender"))
    }

    /// `model`, unless it says nothing: `OEM` (snom, VTech), `VOIP PHONE` (Fanvil) or the vendor's name (Atcom).
    pub fn model(&self) -> Option<&'a str> {
        let same = |model: &str, other: &str| model.eq_ignore_ascii_case(other);
        self.word("model")
            .filter(|m| !same(m, "OEM") && !same(m, "VOIP PHONE") && !self.vendor().is_some_and(|v| same(m, v)))
    }

    /// `version`: the firmware.
    pub fn version(&self) -> Option<&'a str> {
        self.word("version")
    }

    /// A parameter that is fit to be shown and kept: 1 to 64 bytes of printable ASCII without quotes or backslashes.
    fn word(&self, name: &str) -> Option<&'a str> {
        self.params.get(name).map(str::trim).filter(|v| (1..=64).contains(&v.len()) && is_plain(v))
    }

    /// The header as it goes back in the NOTIFY: the parameters that are well formed, as they were written, and not
    /// more than [`bounds::SIP_ECHO`] bytes.
    pub fn echo(&self) -> String {
        let mut out = String::with_capacity(self.params.0.len() + self.package.len() + 1);
        out.push_str(self.package);
        for (name, value) in self.params.iter() {
            let fits = match value {
                None => true,
                Some(v) if v.starts_with('"') => v.len() >= 2 && v.ends_with('"') && is_plain(text::unquote(v)),
                Some(v) => text::is_token(v),
            };
            let length = name.len() + value.map_or(0, |v| v.len() + 1) + 1;
            if fits && text::is_token(name) && out.len() + length <= bounds::SIP_ECHO {
                out.push(';');
                out.push_str(name);
                if let Some(value) = value {
                    out.push('=');
                    out.push_str(value);
                }
            }
        }
        out
    }
}

fn is_plain(s: &str) -> bool {
    text::is_printable(s) && !s.contains(['"', '\\'])
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn parameters() {
        let e =
            Event::parse(r#"ua-profile;profile-type="device";vendor="snom";model="snomD120";version="10.1""#).unwrap();
        assert!(e.is_ua_profile());
        assert_eq!((e.vendor(), e.model(), e.version()), (Some("snom"), Some("snomD120"), Some("10.1")));
        let e = Event::parse("ua-profile ; Model=KX-HDV130 ;vender=Panasonic").unwrap();
        assert_eq!((e.vendor(), e.model(), e.version()), (Some("Panasonic"), Some("KX-HDV130"), None));
        for nothing in [r#"vendor="OEM";model="OEM""#, r#"model="VOIP PHONE""#, "vendor=ATCOM;model=Atcom", "model="] {
            let text = format!("ua-profile;{nothing}");
            assert_eq!(Event::parse(&text).unwrap().model(), None, "{nothing}");
        }
        assert!(!Event::parse("check-sync;reboot=false").unwrap().is_ua_profile());
        assert_eq!(Event::parse("ua profile"), None);
        assert_eq!(Event::parse(";a"), None);
    }

    #[test]
    fn echo_keeps_what_is_well_formed() {
        let whole = r#"ua-profile;profile-type="device";model="VOIP PHONE";x;effective-by=0"#;
        assert_eq!(Event::parse(whole).unwrap().echo(), whole);
        let e = Event::parse("ua-profile;a=\"é\";b=(;c=\"x\\\"\";d=\"open;e=1").unwrap();
        assert_eq!(e.echo(), "ua-profile");
        let long = format!("ua-profile;a={};b=1", "x".repeat(bounds::SIP_ECHO));
        assert_eq!(Event::parse(&long).unwrap().echo(), "ua-profile;b=1");
    }

    proptest::proptest! {
        #[test]
        fn total_and_echo_is_stable(s in "[a-z-]{1,10}(;[a-z\"=\\\\ é(]{0,10}){0,5}|.{0,40}") {
            if let Some(e) = Event::parse(&s) {
                let _ = (e.vendor(), e.model(), e.version());
                let echo = e.echo();
                proptest::prop_assert!(text::is_printable(&echo));
                proptest::prop_assert_eq!(Event::parse(&echo).unwrap().echo(), echo);
            }
        }

        #[test]
        fn words_come_back(model in "[a-zA-Z0-9][a-zA-Z0-9 .-]{0,30}[a-z0-9]", quoted in proptest::bool::ANY) {
            proptest::prop_assume!(!["oem", "voip phone"].contains(&model.to_lowercase().as_str()));
            let q = if quoted { "\"" } else { "" };
            let text = format!("ua-profile;model={q}{model}{q}");
            proptest::prop_assert_eq!(Event::parse(&text).unwrap().model(), Some(model.as_str()));
        }
    }
}
