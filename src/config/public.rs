//! The config for those who may look at it, and may not know the password.

use super::table::{self, Kind};
use crate::proto::uci;
use serde_json::{json, Map, Value};

/// What stands for a secret.
const HIDDEN: &str = "***";
/// Parts of the names of query parameters whose values are secrets, though nobody said so.
const SECRET_NAMES: &[&str] = &["pass", "pwd", "secret", "token", "auth", "key"];

/// The sections of a config file, less `provpass`; it and other passwords are masked wherever else they stand. Options
/// that are none of ours are left out: a misspelt `provpass` is one. A file that is not UCI to its end is an error: with
/// a quote missing, any value may run into the password.
pub fn public(text: &str) -> Result<Value, String> {
    let (file, errors) = uci::parse_all(text);
    if let Some(error) = errors.first() {
        return Err(format!("it cannot be read: {error}"));
    }
    let file = file.merged();
    let passwords = || file.sections.iter().flat_map(|s| &s.entries).filter(|e| e.name == "provpass");
    let secrets: Vec<&str> = passwords().map(|e| e.value.as_str()).collect();
    let mut sections = Vec::new();
    for section in &file.sections {
        let mut options = Map::new();
        let mut set = false;
        for entry in &section.entries {
            let Some(opt) = table::find(&section.kind, &entry.name) else { continue };
            if opt.kind == Kind::Secret {
                set = true;
                continue;
            }
            let value = masked(opt.kind, &entry.value, &secrets);
            match (options.get_mut(opt.name), entry.list) {
                (Some(Value::Array(items)), true) => items.push(value.into()),
                (_, true) => _ = options.insert(opt.name.to_string(), json!([value])),
                (_, false) => _ = options.insert(opt.name.to_string(), value.into()),
            }
        }
        if !table::SECTIONS.iter().any(|(kind, _)| *kind == section.kind) {
            continue;
        }
        let name = section.name.as_deref().map(|name| if holds(name, &secrets) { HIDDEN } else { name });
        let mut out = json!({"type": section.kind, "name": name, "options": options});
        if section.kind == "agent" {
            out["provpass_set"] = set.into();
        }
        sections.push(out);
    }
    Ok(json!({"sections": sections}))
}

/// A value without the secrets in it.
fn masked(kind: Kind, value: &str, secrets: &[&str]) -> String {
    // a quote is missing, and the value is made of several lines; no value of ours has such a character
    if value.chars().any(char::is_control) {
        return HIDDEN.to_string();
    }
    match kind {
        // in the place of a host's name, too, somebody may write a URL
        Kind::Upstream | Kind::Template | Kind::Origins | Kind::Hosts => url(value, secrets),
        _ if holds(value, secrets) => HIDDEN.to_string(),
        _ => value.to_string(),
    }
}

/// Has it one of the secrets in it, as it is or percent-encoded? Short ones are words that stand anywhere.
fn holds(text: &str, secrets: &[&str]) -> bool {
    let plain = decoded(text.as_bytes());
    let found = |secret: &&&str| match secret.len() {
        0 => false,
        1..=3 => plain == secret.as_bytes() || text == **secret,
        _ => text.contains(**secret) || plain.windows(secret.len()).any(|w| w == secret.as_bytes()),
    };
    secrets.iter().any(|s| found(&s))
}

/// `%41` to `A`, and `+` to a blank.
fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    out
}

/// A URL or template: user and password before the host, and parts of path and query that are secrets, are masked.
fn url(text: &str, secrets: &[&str]) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let (host, path) = match (host.rsplit_once('@'), path.rfind('@')) {
        // a password may hold a slash or another mark that nobody encoded
        (None, Some(at)) if host.contains(':') => (format!("{HIDDEN}@"), path.get(at + 1..).unwrap_or("")),
        (Some((_, host)), _) => (format!("{HIDDEN}@{host}"), path),
        (None, _) => (host.to_string(), path),
    };
    let mut out = if holds(&host, secrets) { format!("{scheme}{HIDDEN}") } else { format!("{scheme}{host}") };
    for piece in path.split_inclusive(['/', '?', '&', '#', ';']) {
        let (text, mark) = match piece.char_indices().last().filter(|(_, c)| "/?&#;".contains(*c)) {
            Some((at, _)) => piece.split_at_checked(at).unwrap_or((piece, "")),
            None => (piece, ""),
        };
        match text.split_once('=') {
            Some((name, value)) if secret_name(name) && !value.is_empty() && !value.contains("{provpass}") => {
                out.push_str(&format!("{name}={HIDDEN}"));
            }
            Some((name, value)) if holds(value, secrets) && !holds(name, secrets) => {
                out.push_str(&format!("{name}={HIDDEN}"));
            }
            _ if holds(text, secrets) => out.push_str(HIDDEN),
            _ => out.push_str(text),
        }
        out.push_str(mark);
    }
    // a secret may hold the very marks that part a URL
    if holds(&out, secrets) {
        return HIDDEN.to_string();
    }
    out
}

fn secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod test {
    use super::*;

    fn url_of(config: &str) -> String {
        let all = public(config).unwrap();
        all["sections"][1]["options"]["url"].as_str().unwrap().to_string()
    }

    fn with(url: &str) -> String {
        url_of(&format!(
            "config agent 'main'\n option provpass 'ge heim/1'\nconfig vendor 'snom'\n option url '{url}'\n"
        ))
    }

    #[test]
    fn urls() {
        for (url, shown) in [
            ("{upstream}/a?mac={mac}&pass={provpass}", "{upstream}/a?mac={mac}&pass={provpass}"),
            ("https://joe:hunter2@h.example/x", "https://***@h.example/x"),
            ("https://joe:hun/ter2@h.example/x", "https://***@h.example/x"),
            ("https://h/x?p=ge%20heim%2F1&mac={mac}", "https://h/x?p=***&mac={mac}"),
            ("https://h/x?p=ge+heim%2f1#x", "https://h/x?p=***#x"),
            ("https://h/ge%20heim%2F1/{mac}.xml", "https://h/***/{mac}.xml"),
            ("https://h/x?p=ge heim/1&m=1", "***"),
            ("https://h/x?password=other&apikey=k&m={mac}", "https://h/x?password=***&apikey=***&m={mac}"),
            ("https://h:81/a@b/{mac}", "https://***@b/{mac}"),
            ("https://joe:hun?ter2@h.example/x", "https://***@h.example/x"),
            ("joe:hun/ter2@h.example/x", "***@h.example/x"),
            ("{upstream}/x?to={mac}@h", "{upstream}/x?to={mac}@h"),
            ("{upstream}/prov/mitel", "{upstream}/prov/mitel"),
            ("https://h/zürich?", "https://h/zürich?"),
        ] {
            assert_eq!(with(url), shown, "{url}");
        }
    }

    #[test]
    fn a_url_where_none_belongs() {
        let all = public(
            "config agent 'main'\n option provpass 'geheim'\nconfig qos 'qos'\n list mediaserver 'https://joe:hunter2@h'\n \
             list mediaserver '203.0.113.0/24'\nconfig vendor 'geheim'\n option enabled 1\n",
        )
        .unwrap();
        assert_eq!(all["sections"][1]["options"]["mediaserver"], json!(["https://***@h", "203.0.113.0/24"]));
        assert_eq!(all["sections"][2]["name"], json!("***"));
    }

    #[test]
    fn sections_without_secrets() {
        let all = public(
            "config agent 'main'\n option port 1\n list network 'lan'\n list network 'geheim'\n option provpass 'geheim'\n option provpas 'geheim'\n\
             config nothing 'x'\n option a 'geheim'\nconfig phone\n option mac 'x'\nconfig agent 'main'\n option port 2\n option upstream 'a\nb'\n",
        )
        .unwrap();
        assert_eq!(
            all,
            json!({"sections": [
                {"type": "agent", "name": "main", "provpass_set": true, "options": {"port": "2", "network": ["lan", "***"], "upstream": "***"}},
                {"type": "phone", "name": null, "options": {"mac": "x"}},
            ]})
        );
        assert_eq!(public("config agent 'main'\n").unwrap()["sections"][0]["provpass_set"], json!(false));
        let error = public("config agent 'main'\n option provpass 'geheim\n").unwrap_err();
        assert!(error.contains("line") && !error.contains("geheim"), "{error}");
        // another secret in the place of a quote
        let lost = public("config agent 'main'\n option upstream 'x\n option provpass 'geheim'\n option port '\n");
        assert!(!format!("{lost:?}").contains("geheim"), "{lost:?}");
    }

    proptest::proptest! {
        #[test]
        fn no_secret_comes_through(secret in "[ -~äß]{4,24}", shape in 0..6usize, encode in proptest::bool::ANY) {
            proptest::prop_assume!(!secret.trim().is_empty() && !"https://h.example/x?pass={provpass}&mac=***".contains(&secret));
            let text: String = match encode {
                true => secret.bytes().map(|b| format!("%{b:02X}")).collect(),
                false => secret.clone(),
            };
            let url = match shape {
                0 => format!("https://joe:{text}@h.example/x"),
                1 => format!("https://h.example/{text}/x"),
                2 => format!("https://h.example/x?a={text}&b=1"),
                3 => format!("https://h.example/x?pass={text}"),
                4 => format!("{text}://h.example/"),
                _ => text.clone(),
            };
            let mut file = uci::File::default();
            let mut agent = uci::Section::new("agent", Some("main"));
            agent.option("provpass", &secret).option("upstream", &url).option("ca_file", format!("/x/{secret}"));
            file.sections.push(agent);
            let shown = public(&uci::write(&file).unwrap()).unwrap().to_string();
            let plain = String::from_utf8_lossy(&decoded(shown.as_bytes())).into_owned();
            let inside = serde_json::to_string(&secret).unwrap();
            let inside = inside.trim_matches('"');
            proptest::prop_assert!(!shown.contains(inside) && !plain.contains(&secret), "{}", shown);
        }
    }
}
