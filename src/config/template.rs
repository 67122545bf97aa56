//! URL templates of vendors: are the placeholders known, can the password be hidden, does it make an http(s) URL?

use super::problem::{shown, suggestion};
use super::table::PLACEHOLDERS;
use super::url_check::http_url;

/// What stands for `{upstream}` while a template is tried.
const UPSTREAM: &str = "http://upstream.invalid";

/// A template that was found to be right.
#[derive(Debug, PartialEq)]
pub(super) struct Facts {
    /// Does it hold `{upstream}`?
    pub(super) upstream: bool,
    /// Does it hold `{provpass}`?
    pub(super) provpass: bool,
    /// Does it name `https://` itself?
    pub(super) https: bool,
}

/// Checks a template. The error is a clause that follows the word `url`; it never shows the template, which may hold
/// a password in clear.
pub(super) fn check(text: &str) -> Result<Facts, String> {
    let mut tried = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(open);
        tried.push_str(before);
        let Some(inner) = from.strip_prefix('{') else {
            return Err("has a '}' without '{' before it".into());
        };
        let Some((name, after)) = inner.split_once('}') else {
            return Err("has a '{' without '}' behind it".into());
        };
        let Some((known, _)) = PLACEHOLDERS.iter().find(|(known, _)| *known == name) else {
            let hint = suggestion(name, PLACEHOLDERS.iter().map(|(known, _)| *known));
            let hint = if hint.is_empty() { format!("; there are {}", all_placeholders()) } else { hint };
            return Err(format!("has the unknown placeholder {{{}}}{hint}", shown(name)));
        };
        if *known == "upstream" {
            if open != 0 || !tried.is_empty() {
                return Err("has {upstream} inside; it can only be the beginning".into());
            }
            if !(after.is_empty() || after.starts_with(['/', '?'])) {
                return Err("needs a / behind {upstream}".into());
            }
            tried.push_str(UPSTREAM);
        } else {
            tried.push('x');
        }
        rest = after;
    }
    tried.push_str(rest);
    let url = http_url(&tried)?;

    // where the placeholders stand: behind {upstream}, or behind the template's own host
    let (own_host, path_and_query) = match text.strip_prefix("{upstream}") {
        Some(after) => ("", after),
        None => {
            let host = text.split_once("://").map_or(text, |(_, after)| after);
            host.split_at(host.find(['/', '?']).unwrap_or(host.len()))
        }
    };
    if own_host.contains('{') {
        return Err("has a placeholder in the host, where a phone could choose the server; write the host out".into());
    }
    let path = path_and_query.split('?').next().unwrap_or("");
    if path.rsplit('/').next().is_some_and(|last| last.contains("{provpass}")) {
        return Err("has {provpass} in the last part of the path, which phones get to see; put it into a folder \
                    (/{provpass}/…) or a query parameter (?pass={provpass})"
            .into());
    }
    Ok(Facts {
        upstream: text.starts_with("{upstream}"),
        provpass: text.contains("{provpass}"),
        https: !text.starts_with("{upstream}") && url.is_https(),
    })
}

fn all_placeholders() -> String {
    let all: Vec<String> = PLACEHOLDERS.iter().map(|(name, _)| format!("{{{name}}}")).collect();
    all.join(" ")
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn right_ones() {
        let facts = |upstream, provpass, https| Ok(Facts { upstream, provpass, https });
        for (text, right) in [
            ("{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}", facts(true, true, false)),
            ("{upstream}/prov/mitel", facts(true, false, false)),
            ("{upstream}", facts(true, false, false)),
            ("{upstream}?m={mac}", facts(true, false, false)),
            ("{upstream}/{provpass}/{vendor}/{mac:}.xml", facts(true, true, false)),
            ("http://prov.example.net:8080/{MAC}/{mac-}/{model}/{version}/{ip}", facts(false, false, false)),
            ("HTTPS://prov.example.net/?p={provpass}", facts(false, true, true)),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }

    #[test]
    fn wrong_ones_say_what_would_be_right() {
        for (text, part) in [
            ("{upstrem}/x", "unknown placeholder {upstrem}; did you mean 'upstream'?"),
            ("{upstream}/{colour}", "unknown placeholder {colour}; there are {upstream} {provpass} {mac}"),
            ("{upstream}/{mac", "'{' without '}'"),
            ("{upstream}/mac}", "'}' without '{'"),
            ("{upstream}prov", "needs a / behind {upstream}"),
            ("http://x/{upstream}", "it can only be the beginning"),
            ("{upstream}/prov/{provpass}", "last part of the path"),
            ("{upstream}/{provpass}?mac={mac}", "last part of the path"),
            ("{upstream}/x#{provpass}", "fragment"),
            ("https://{provpass}.example.net/", "placeholder in the host"),
            ("https://{mac}/x", "placeholder in the host"),
            ("https://u:{provpass}@h/x", "put the password into provpass"),
            ("/prov/snom", "write it as https://host/path"),
            ("ftp://h/x", "use http:// or https://"),
            ("{upstream}/a b", "percent-encoded"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn total(text in "(\\{upstream\\}|https?://)?(\\PC|[{}/?#@:]|\\{mac\\}|\\{provpass\\}){0,20}") {
            let _ = check(&text);
        }
    }
}
