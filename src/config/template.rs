//! URL templates of vendors. What a template is, `proto::url` knows; here is only what helps an admin who made a slip.

use super::problem::{shown, suggestion};
use super::table::PLACEHOLDERS;
use crate::proto::url::Template;

/// Checks a template. The error is a clause that follows the word `url`; it never shows the template, which may hold
/// a password in clear.
pub(super) fn check(text: &str) -> Result<Template, String> {
    let names = || PLACEHOLDERS.iter().map(|(name, _)| *name);
    let inner = |part: &'_ str| part.split_once('}').map(|(name, _)| name.to_string());
    let slip = text.split('{').skip(1).filter_map(inner).find(|name| !names().any(|known| known == name));
    let hint = slip.as_deref().map(|name| (name, suggestion(name, names()))).filter(|(_, hint)| !hint.is_empty());
    match hint {
        Some((name, hint)) => Err(format!("has the unknown placeholder {{{}}}{hint}", shown(name))),
        None => Template::parse(text),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn right_ones() {
        for (text, upstream, provpass, https) in [
            ("{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}", true, true, false),
            ("{upstream}/prov/mitel", true, false, false),
            ("{upstream}", true, false, false),
            ("{upstream}?m={mac}", true, false, false),
            ("{upstream}/{provpass}/{vendor}/{mac:}.xml", true, true, false),
            ("http://prov.example.net:8080/{MAC}/{mac-}/{model}/{version}/{ip}", false, false, false),
            ("HTTPS://prov.example.net/?p={provpass}", false, true, true),
        ] {
            let t = check(text).unwrap();
            assert_eq!(
                (t.is_below_upstream(), t.holds_provpass(), t.is_own_https()),
                (upstream, provpass, https),
                "{text}"
            );
        }
    }

    #[test]
    fn documented_placeholders_are_those_that_work() {
        for (name, _) in PLACEHOLDERS.iter().skip(1) {
            assert!(check(&format!("{{upstream}}/{{{name}}}/x")).is_ok(), "{name}");
        }
        let unknown = check("{upstream}/{colour}").unwrap_err();
        assert!(PLACEHOLDERS.iter().all(|(name, _)| unknown.contains(&format!("{{{name}}}"))), "{unknown}");
    }

    #[test]
    fn wrong_ones_say_what_would_be_right() {
        for (text, part) in [
            ("{upstrem}/x", "unknown placeholder {upstrem}; did you mean 'upstream'?"),
            ("{upstream}/{colour}", "'{colour}', which is no placeholder; there are {upstream} {provpass} {mac}"),
            ("{upstream}/{mac", "no placeholder"),
            ("{upstream}/mac}", "no placeholder"),
            ("{upstream}prov", "must go on with / or ?"),
            ("http://x/{upstream}", "at its beginning only"),
            ("{upstream}/prov/{provpass}", "in its file name"),
            ("{upstream}/{provpass}?mac={mac}", "in its file name"),
            ("https://{provpass}.example.net/", "must begin with {upstream}, http://host"),
            ("https://{mac}/x", "must begin with {upstream}, http://host"),
            ("https://u:{provpass}@h/x", "behind the host"),
            ("/prov/snom", "must begin with {upstream}, http://host"),
            ("ftp://h/x", "must begin with {upstream}, http://host"),
            ("{upstream}/a b", "percent-encode"),
            ("{upstream}/x?{provpass}", "without a name"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(check("{upstream}/x#{provpass}").is_err());
    }

    proptest::proptest! {
        #[test]
        fn total(text in "(\\{upstream\\}|https?://)?(\\PC|[{}/?#@:]|\\{mac\\}|\\{provpass\\}){0,20}") {
            let _ = check(&text);
        }
    }
}
