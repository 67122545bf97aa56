//! URL templates: `{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}`.

use super::escape::encode;
use super::parts::{is_clean, Parts};
use crate::proto::http::split_target;
use crate::proto::mac::Mac;
use std::net::Ipv4Addr;

/// What is known of the phone that a URL is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Values<'a> {
    /// `{mac}`, `{MAC}`, `{mac:}`, `{mac-}`
    pub mac: Option<Mac>,
    /// `{model}`
    pub model: Option<&'a str>,
    /// `{version}`
    pub version: Option<&'a str>,
    /// `{ip}`: the phone's address.
    pub ip: Option<Ipv4Addr>,
}

/// A checked URL template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What the URL begins with, up to its path: `None` is `{upstream}`.
    pub(super) base: Option<String>,
    /// The path: empty, or beginning with `/`.
    pub(super) path: Vec<Piece>,
    /// The query's parameters; `None` when there is no `?`.
    pub(super) query: Option<Vec<Param>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Hole(Hole),
}

/// One parameter of a query. Without `=`, all of it is the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Param {
    pub name: Option<String>,
    pub value: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hole {
    Upstream,
    Provpass,
    MacLower,
    MacUpper,
    MacColons,
    MacDashes,
    Model,
    Version,
    Ip,
    Vendor,
}

const HOLES: [(&str, Hole); 10] = [
    ("{upstream}", Hole::Upstream),
    ("{provpass}", Hole::Provpass),
    ("{mac}", Hole::MacLower),
    ("{MAC}", Hole::MacUpper),
    ("{mac:}", Hole::MacColons),
    ("{mac-}", Hole::MacDashes),
    ("{model}", Hole::Model),
    ("{version}", Hole::Version),
    ("{ip}", Hole::Ip),
    ("{vendor}", Hole::Vendor),
];

impl Hole {
    /// As written in a template.
    pub fn name(self) -> &'static str {
        HOLES.iter().find(|(_, hole)| *hole == self).map_or("{}", |(name, _)| name)
    }

    pub fn is_mac(self) -> bool {
        matches!(self, Hole::MacLower | Hole::MacUpper | Hole::MacColons | Hole::MacDashes)
    }
}

/// What is the same for all phones of a vendor section.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub upstream: &'a str,
    pub provpass: &'a str,
    pub vendor: &'a str,
}

/// Appends a hole's value, percent-encoded; `false` when it is not known.
pub(super) fn fill(out: &mut String, hole: Hole, site: Site<'_>, values: &Values<'_>) -> bool {
    let mac = |separator, upper| values.mac.map(|m| m.join(separator, upper));
    let value = match hole {
        Hole::Upstream => Some(site.upstream.to_string()),
        Hole::Provpass => Some(site.provpass.to_string()),
        Hole::Vendor => Some(site.vendor.to_string()),
        Hole::MacLower => mac("", false),
        Hole::MacUpper => mac("", true),
        Hole::MacColons => mac(":", false),
        Hole::MacDashes => mac("-", false),
        Hole::Model => values.model.map(str::to_string),
        Hole::Version => values.version.map(str::to_string),
        Hole::Ip => values.ip.map(|ip| ip.to_string()),
    };
    match value {
        Some(value) => {
            encode(out, &value, b":");
            true
        }
        None => false,
    }
}

impl Template {
    /// Reads a template. The error is a clause that follows the word `url`: what is wrong and what would be right. It
    /// quotes nothing but placeholders.
    ///
    /// It begins with `{upstream}` or `http(s)://host`. `{provpass}` may stand in a directory or in a parameter's
    /// value, where it can be taken out for the LAN, but not in the file name, which the phone must know.
    pub fn parse(text: &str) -> Result<Template, String> {
        let wrong = |why: &str| Err(why.to_string());
        if !is_clean(text) {
            return wrong("holds a blank, a quote or another character that no URL has; percent-encode it");
        }
        let mut pieces = pieces(text)?.into_iter();
        let (base, first) = match pieces.next() {
            Some(Piece::Hole(Hole::Upstream)) => (None, None),
            Some(Piece::Text(start)) => {
                let host = start.find("://").map_or(0, |at| at + 3);
                let end = start.get(host..).and_then(|s| s.find(['/', '?'])).map_or(start.len(), |at| at + host);
                match start.split_at_checked(end) {
                    Some((base, rest)) if Parts::parse(base).is_some() => {
                        (Some(base.to_string()), Some(Piece::Text(rest.to_string())))
                    }
                    _ => return wrong("must begin with {upstream}, http://host or https://host"),
                }
            }
            _ => return wrong("must begin with {upstream}, http://host or https://host"),
        };
        let mut path = Vec::new();
        let mut query: Option<Vec<Piece>> = None;
        for piece in first.into_iter().filter(|p| *p != Piece::Text(String::new())).chain(pieces) {
            match (&mut query, piece) {
                (Some(query), piece) => query.push(piece),
                (None, Piece::Text(text)) => match text.split_once('?') {
                    Some((before, after)) => {
                        path.push(Piece::Text(before.to_string()));
                        query = Some(vec![Piece::Text(after.to_string())]);
                    }
                    None => path.push(Piece::Text(text)),
                },
                (None, Piece::Hole(Hole::Upstream)) => return wrong("may have {upstream} at its beginning only"),
                (None, hole) => path.push(hole),
            }
        }
        path.retain(|p| *p != Piece::Text(String::new()));
        match path.first() {
            None => {}
            Some(Piece::Text(start)) if start.starts_with('/') => {}
            _ => return wrong("must go on with / or ? behind the host"),
        }
        let plain: String = path.iter().map(|p| if let Piece::Text(text) = p { text.as_str() } else { "x" }).collect();
        if !path.is_empty() && split_target(&plain).is_none() {
            return wrong("has a path with . or .. segments, encoded slashes or a % that is no escape");
        }
        let (_, last) = split_path(&path);
        if last.contains(&Piece::Hole(Hole::Provpass)) {
            return wrong("has {provpass} in its file name; put it into a parameter, or a / behind it");
        }
        let query = query.map(params).transpose()?;
        Ok(Template { base, path, query })
    }

    /// Does it begin with `{upstream}`, rather than with a host of its own?
    pub fn is_below_upstream(&self) -> bool {
        self.base.is_none()
    }

    /// Has it a host of its own that speaks https?
    pub fn is_own_https(&self) -> bool {
        self.base.as_deref().and_then(Parts::parse).is_some_and(|parts| parts.https)
    }

    /// Does the password stand in it?
    pub fn holds_provpass(&self) -> bool {
        let holds = |pieces: &[Piece]| pieces.contains(&Piece::Hole(Hole::Provpass));
        holds(&self.path) || self.query.iter().flatten().any(|param| holds(&param.value))
    }

    /// The whole URL, with the secret: for the upstream only. `upstream` is the option's value; what is not known of
    /// the phone becomes empty.
    #[cfg(test)]
    pub fn expand(&self, upstream: &str, provpass: &str, vendor: &str, values: &Values<'_>) -> String {
        let site = Site { upstream, provpass, vendor };
        let mut out = match &self.base {
            Some(base) => base.clone(),
            None => upstream.trim_end_matches('/').to_string(),
        };
        let put = |out: &mut String, pieces: &[Piece]| {
            for piece in pieces {
                match piece {
                    Piece::Text(text) => out.push_str(text),
                    Piece::Hole(hole) => {
                        fill(out, *hole, site, values);
                    }
                }
            }
        };
        put(&mut out, &self.path);
        for (i, param) in self.query.iter().flatten().enumerate() {
            out.push(if i == 0 { '?' } else { '&' });
            if let Some(name) = &param.name {
                out.push_str(name);
                out.push('=');
            }
            put(&mut out, &param.value);
        }
        out
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        if !before.is_empty() {
            out.push(Piece::Text(before.to_string()));
        }
        match HOLES.iter().find_map(|(name, hole)| Some((hole, from.strip_prefix(name)?))) {
            Some((hole, after)) => {
                out.push(Piece::Hole(*hole));
                rest = after;
            }
            None => {
                let names: Vec<&str> = HOLES.iter().map(|(name, _)| *name).collect();
                let part: String = from.chars().take(12).collect();
                return Err(format!("has '{part}', which is no placeholder; there are {}", names.join(" ")));
            }
        }
    }
    if !rest.is_empty() {
        out.push(Piece::Text(rest.to_string()));
    }
    Ok(out)
}

fn params(pieces: Vec<Piece>) -> Result<Vec<Param>, String> {
    let mut out = Vec::new();
    let mut param = Param { name: None, value: Vec::new() };
    for piece in pieces {
        let Piece::Text(text) = piece else {
            param.value.push(piece);
            continue;
        };
        for (i, part) in text.split('&').enumerate() {
            if i > 0 {
                out.push(std::mem::replace(&mut param, Param { name: None, value: Vec::new() }));
            }
            let mut value = part;
            if param.name.is_none() {
                if let Some((name, rest)) = part.split_once('=') {
                    if !param.value.is_empty() {
                        return Err("has a placeholder in a parameter's name; it can stand in the value only".into());
                    }
                    param.name = Some(name.to_string());
                    value = rest;
                }
            }
            if !value.is_empty() {
                param.value.push(Piece::Text(value.to_string()));
            }
        }
    }
    out.push(param);
    // nameless, or in a text and hole mix without `=`: nothing to find it again by
    let bad =
        |p: &Param| p.name.as_deref().unwrap_or_default().is_empty() && p.value.contains(&Piece::Hole(Hole::Provpass));
    if out.iter().any(bad) {
        return Err("has {provpass} in a parameter without a name; write name={provpass}".into());
    }
    Ok(out)
}

/// A path's directory (up to and with its last `/`) and last segment.
pub(super) fn split_path(path: &[Piece]) -> (Vec<Piece>, Vec<Piece>) {
    let slash = path.iter().rposition(|p| matches!(p, Piece::Text(text) if text.contains('/')));
    let mut directory = Vec::new();
    let mut last = Vec::new();
    for (i, piece) in path.iter().enumerate() {
        match piece {
            Piece::Text(text) if Some(i) == slash => {
                let at = text.rfind('/').map_or(0, |at| at + 1);
                let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
                directory.push(Piece::Text(before.to_string()));
                if !after.is_empty() {
                    last.push(Piece::Text(after.to_string()));
                }
            }
            piece if slash.is_some_and(|s| i < s) => directory.push(piece.clone()),
            piece => last.push(piece.clone()),
        }
    }
    (directory, last)
}

#[cfg(test)]
mod test {
    use super::*;

    const PHONE: Values<'static> = Values {
        mac: Some(Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc])),
        model: Some("snom D785/x"),
        version: Some("10.1&2"),
        ip: Some(Ipv4Addr::new(192, 168, 1, 5)),
    };

    #[test]
    fn expanded() {
        for (template, url) in [
            (
                "{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}",
                "https://h/t/prov/snom/settings.php?mac=000413aabbcc&pass=a%2Fb%26c",
            ),
            ("{upstream}/prov/mitel", "https://h/t/prov/mitel"),
            ("{upstream}", "https://h/t"),
            ("{upstream}?{MAC}", "https://h/t?000413AABBCC"),
            ("http://x:81/{provpass}/{mac:}/{mac-}/", "http://x:81/a%2Fb%26c/00:04:13:aa:bb:cc/00-04-13-aa-bb-cc/"),
            (
                "http://x/{vendor}?m={model}&v={version}&{ip}&u={upstream}",
                "http://x/v?m=snom%20D785%2Fx&v=10.1%262&192.168.1.5&u=https:%2F%2Fh%2Ft%2F",
            ),
            ("http://x?=&&y", "http://x?=&&y"),
        ] {
            let parsed = Template::parse(template).unwrap();
            assert_eq!(parsed.expand("https://h/t/", "a/b&c", "v", &PHONE), url, "{template}");
        }
        let unknown = Template::parse("{upstream}/{mac}/x?m={model}").unwrap();
        assert_eq!(unknown.expand("http://h", "", "v", &Values::default()), "http://h//x?m=");
    }

    #[test]
    fn refused() {
        for (template, says) in [
            ("", "must begin with"),
            ("/prov", "must begin with"),
            ("ftp://h/x", "must begin with"),
            ("http://u:p@h/x", "must begin with"),
            ("http://{vendor}.net/x", "must begin with"),
            ("{mac}/x", "must begin with"),
            ("{upstream}x", "must go on with /"),
            ("{upstream}{mac}", "must go on with /"),
            ("http://h{mac}", "must go on with /"),
            ("{upstream}/{upstream}", "at its beginning only"),
            ("{upstream}/{macs}", "'{macs}', which is no placeholder"),
            ("{upstream}/{mac", "'{mac', which is no placeholder"),
            ("{upstream}/mac}", "'}', which is no placeholder"),
            ("{upstream}/a b", "percent-encode"),
            ("{upstream}/a#b", "percent-encode"),
            ("{upstream}/a/../b", ".. segments"),
            ("{upstream}/{provpass}", "file name"),
            ("{upstream}/x-{provpass}.cfg?y", "file name"),
            ("{upstream}/x?{provpass}", "name={provpass}"),
            ("{upstream}/x?={provpass}", "name={provpass}"),
            ("{upstream}/x?a{mac}=b", "value only"),
        ] {
            let error = Template::parse(template).unwrap_err();
            assert!(error.contains(says), "{template}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn total(text in "(\\{upstream\\}|http://h)?([/?&=a.%]|\\{mac\\}|\\{provpass\\}|\\{){0,12}|.{0,40}") {
            if let Ok(template) = Template::parse(&text) {
                let expanded = template.expand("http://h", "p", "v", &PHONE);
                proptest::prop_assert!(Parts::parse(&expanded).is_some(), "{}", expanded);
            }
        }
    }
}
