//! One vendor section's URLs on the LAN and at the upstream (design section 6):
//! `/{vendor}/{rest}` is `{directory of url}/{rest}`, and `/{vendor}/-/{path}` is `{origin of url}/{path}`.

use super::escape::spelled;
use super::parts::{is_clean, Parts};
use super::template::{fill, split_path, Hole, Param, Piece, Site, Template, Values};
use crate::proto::http::split_target;
use crate::proto::mac::Mac;
use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddrV4;

/// Shorter passwords occur in texts by chance, and are not looked for there.
const SECRET_SHOWS: usize = 6;

/// The mapping of one vendor section. `Debug` shows no secret.
#[derive(Clone)]
pub struct Mapping {
    vendor: String,
    upstream: String,
    provpass: String,
    /// `https://host`, with a port that is not the scheme's own.
    base: String,
    /// As [`Parts::origin`] has it.
    origin: String,
    pub(super) host: String,
    pub(super) port: u16,
    /// Begins and ends with `/`.
    directory: Vec<Piece>,
    last: Vec<Piece>,
    query: Option<Vec<Param>>,
}

/// Why there is no upstream URL for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// The URL's template needs this of the phone, and it is not known.
    Unknown(&'static str),
    /// The target holds bytes that no URL has.
    Target,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MapError::Unknown(hole) => write!(f, "the vendor's url needs {hole}, which is not known of this phone"),
            MapError::Target => f.write_str("the request's URL has something in it that is not served"),
        }
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping").field("vendor", &self.vendor).field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Mapping {
    /// The mapping of the section `vendor` with this template, `option upstream` and `option provpass`. The error says
    /// what is wrong with them, without quoting any.
    pub fn new(vendor: &str, template: &Template, upstream: &str, provpass: &str) -> Result<Mapping, String> {
        if vendor.is_empty() || !vendor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err("a vendor's name must be of letters, digits and _".into());
        }
        let base = template.base.as_deref().unwrap_or(upstream).trim_end_matches('/');
        let Some(parts) = Parts::parse(base) else {
            return Err("option upstream must be like https://prov.example.net".into());
        };
        if !parts.target.is_empty() && split_target(parts.target).is_none_or(|(_, query)| query.is_some()) {
            return Err("option upstream must be like https://prov.example.net, without a ? in it".into());
        }
        let mut path = Vec::with_capacity(template.path.len() + 1);
        match parts.target {
            "" if template.path.is_empty() => path.push(Piece::Text("/".into())),
            start => path.push(Piece::Text(start.into())),
        }
        path.extend(template.path.iter().cloned());
        path.retain(|p| *p != Piece::Text(String::new()));
        let (directory, last) = split_path(&path);
        let mapping = Mapping {
            vendor: vendor.into(),
            upstream: upstream.into(),
            provpass: provpass.into(),
            base: parts.base(),
            origin: parts.origin(),
            host: parts.host.to_ascii_lowercase(),
            port: parts.port,
            directory,
            last,
            query: template.query.clone(),
        };
        if mapping.last.iter().any(|p| matches!(p, Piece::Text(text) if mapping.shows_in(text))) {
            return Err("the url's file name holds the provpass, and the phone must know the file name".into());
        }
        if mapping.secrets().any(|p| p.name.is_none()) {
            return Err("the url has the provpass in a parameter without a name; write name={provpass}".into());
        }
        Ok(mapping)
    }

    /// Name of the vendor section, and first path segment on the LAN.
    pub fn vendor(&self) -> &str {
        &self.vendor
    }

    /// The upstream's `scheme://host:port`, always with the port.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The URL that a phone is told by PnP. A MAC that is not known stays as its placeholder, which snom fills in itself;
    /// anything else not known becomes empty.
    pub fn entry(&self, values: &Values<'_>, router: SocketAddrV4) -> String {
        let keep = |hole: Hole| Ok::<_, MapError>(if hole.is_mac() { hole.name() } else { "" });
        self.lan_entry(values, router, &keep).unwrap_or_default()
    }

    /// The same URL for a phone of which `values` is known, as DHCP gives it: a MAC that is not known becomes what the
    /// phone itself replaces by its own, in lower and in upper case. What cannot be filled in at all is an error.
    pub fn entry_for_dhcp(
        &self,
        values: &Values<'_>,
        router: SocketAddrV4,
        own_mac: (Option<&'static str>, Option<&'static str>),
    ) -> Result<String, MapError> {
        let own = |hole: Hole| {
            let own = match hole {
                Hole::MacLower => own_mac.0,
                Hole::MacUpper => own_mac.1,
                _ => None,
            };
            own.ok_or(MapError::Unknown(hole.name()))
        };
        self.lan_entry(values, router, &own)
    }

    /// The entry URL; `unknown` says what stands for a placeholder whose value is not known.
    fn lan_entry<E>(
        &self,
        values: &Values<'_>,
        router: SocketAddrV4,
        unknown: &dyn Fn(Hole) -> Result<&'static str, E>,
    ) -> Result<String, E> {
        let mut out = lan_base(router, &self.vendor);
        out.push('/');
        self.put_lan(&mut out, &self.last, values, unknown)?;
        let mut separator = '?';
        for param in self.query.iter().flatten().filter(|p| !self.is_secret(p)) {
            out.push(separator);
            separator = '&';
            if let Some(name) = &param.name {
                out.push_str(name);
                out.push('=');
            }
            self.put_lan(&mut out, &param.value, values, unknown)?;
        }
        Ok(out)
    }

    /// The upstream's URL, with the secret, for what a phone asked for below `/{vendor}/`: path and query as sent.
    ///
    /// The secret parameters' values replace whatever the phone sent under their names; a request for the entry URL gets
    /// those that it does not have. Where the template's URL ends in `/`, each file directly in that folder is an entry:
    /// phones put their file name behind such a URL.
    pub fn upstream_url(&self, rest_target: &str, values: &Values<'_>) -> Result<String, MapError> {
        if !is_clean(rest_target) {
            return Err(MapError::Target);
        }
        let (rest, query) = split_query(rest_target);
        let mut url = self.base.clone();
        let entry = match origin_path(rest) {
            Some(path) => {
                url.push_str(if path.is_empty() { "/" } else { path });
                self.match_directory(path.as_bytes(), values).is_some_and(|n| self.is_entry(path.get(n..)))
            }
            None => {
                self.put(&mut url, &self.directory, values)?;
                url.push_str(rest);
                self.is_entry(Some(rest))
            }
        };
        if let Some(query) = query {
            url.push('?');
            for (before, segment) in segments(query) {
                url.push_str(before);
                match self.secret_named(name_of(segment).as_bytes()) {
                    Some(param) => self.put_secret(&mut url, param, values)?,
                    None => url.push_str(segment),
                }
            }
        }
        let mut separator = match query {
            None => "?",
            Some("") => "",
            Some(_) => "&",
        };
        for param in self.secrets().filter(|_| entry) {
            let name = param.name.as_deref().unwrap_or_default();
            if query.is_none_or(|q| !segments(q).any(|(_, s)| is_name(name_of(s).as_bytes(), name))) {
                url.push_str(separator);
                separator = "&";
                self.put_secret(&mut url, param, values)?;
            }
        }
        Ok(url)
    }

    /// A request's target below `/{vendor}/` as it may be stored, named and logged: values of the secret parameters are
    /// taken out, whatever the phone sent, and for the entry URL the parameters themselves: [`Mapping::upstream_url`] puts
    /// them in again.
    ///
    /// Where the template's URL is a folder written without its slash (`…/prov/mitel`), a phone may put its file name
    /// behind the entry URL (`/mitel/mitel/aastra.cfg`) or, as people do who know the folder, behind the vendor
    /// (`/mitel/aastra.cfg`): both come out as the first.
    pub fn lan_target<'a>(&self, rest_target: &'a str) -> Cow<'a, str> {
        match self.folder() {
            Some(folder) if origin_path(split_query(rest_target).0).is_none() => {
                let below = rest_target.strip_prefix(folder);
                match below.is_some_and(|b| b.is_empty() || b.starts_with(['/', '?'])) {
                    true => self.without_secrets(rest_target),
                    false => Cow::Owned(self.without_secrets(&format!("{folder}/{rest_target}")).into_owned()),
                }
            }
            _ => self.without_secrets(rest_target),
        }
    }

    /// The last segment of the template's URL, where that is a folder by its looks: no placeholder, no dot, no query.
    fn folder(&self) -> Option<&str> {
        match (&self.last[..], &self.query) {
            ([Piece::Text(text)], None) if !text.is_empty() && !text.contains('.') => Some(text),
            _ => None,
        }
    }

    fn without_secrets<'a>(&self, rest_target: &'a str) -> Cow<'a, str> {
        let (rest, query) = split_query(rest_target);
        let Some(query) = query else { return Cow::Borrowed(rest_target) };
        let entry = origin_path(rest).is_none() && self.is_entry(Some(rest));
        let mut out = String::with_capacity(rest_target.len());
        out.push_str(rest);
        let mut changed = false;
        let mut first = true;
        for (before, segment) in segments(query) {
            let (name, value) = segment.split_once('=').unwrap_or((segment, ""));
            let named = self.secret_named(name.as_bytes()).is_some();
            if named && entry {
                changed = true;
                continue;
            }
            out.push_str(if first { "?" } else { before });
            first = false;
            if named || self.is_provpass(value.as_bytes()) {
                changed |= segment.len() != name.len() + 1;
                out.push_str(name);
                out.push('=');
            } else {
                out.push_str(segment);
            }
        }
        if changed {
            Cow::Owned(out)
        } else {
            Cow::Borrowed(rest_target)
        }
    }

    /// The LAN URL for an absolute URL of the upstream's origin, without the secret; `None` for any other.
    pub fn lan_url(&self, url: &str, router: SocketAddrV4, values: &Values<'_>) -> Option<String> {
        Parts::parse(url).filter(|p| self.is_upstream(p.host.as_bytes(), p.port))?;
        String::from_utf8(super::rewrite(url.as_bytes(), &[self], router, values)?).ok()
    }

    /// Does the password occur in this body? After [`super::rewrite`] that means that the upstream has put it
    /// somewhere else than into its URLs. Passwords of less than six bytes are not looked for.
    pub fn contains_secret(&self, body: &[u8]) -> bool {
        let secret = self.provpass.as_bytes();
        secret.len() >= SECRET_SHOWS && body.windows(secret.len()).any(|w| w == secret)
    }

    /// Is that host and port the upstream's? Its other usual ports count too: providers behind a TLS proxy print
    /// `http://`, or no port.
    pub(super) fn is_upstream(&self, host: &[u8], port: u16) -> bool {
        (port == self.port || port == 80 || port == 443) && host.eq_ignore_ascii_case(self.host.as_bytes())
    }

    /// Length of the directory at the start of a path, the secret in it in any spelling.
    pub(super) fn match_directory(&self, path: &[u8], values: &Values<'_>) -> Option<usize> {
        let mut rest = path;
        for piece in &self.directory {
            let used = match piece {
                Piece::Text(text) => rest.starts_with(text.as_bytes()).then_some(text.len())?,
                Piece::Hole(Hole::Provpass) if self.provpass.is_empty() => 0,
                Piece::Hole(Hole::Provpass) => spelled(rest, self.provpass.as_bytes())?,
                Piece::Hole(hole) => {
                    let mut value = String::new();
                    if !fill(&mut value, *hole, self.site(), values) {
                        return None;
                    }
                    let start = rest.get(..value.len())?;
                    let same =
                        start == value.as_bytes() || (hole.is_mac() && start.eq_ignore_ascii_case(value.as_bytes()));
                    same.then_some(value.len())?
                }
            };
            rest = rest.get(used..)?;
        }
        Some(path.len() - rest.len())
    }

    /// Is that a secret parameter's name, as a query has it?
    pub(super) fn secret_named(&self, name: &[u8]) -> Option<&Param> {
        self.secrets().find(|p| is_name(name, p.name.as_deref().unwrap_or_default()))
    }

    /// Is that the password, in any spelling?
    pub(super) fn is_provpass(&self, value: &[u8]) -> bool {
        spelled(value, self.provpass.as_bytes()) == Some(value.len())
    }

    /// Is the password so long that it hardly stands in a text by chance?
    pub(super) fn is_secret_long(&self) -> bool {
        self.provpass.len() >= SECRET_SHOWS
    }

    /// Length of the password's spelling at the start of a text.
    pub(super) fn provpass_at(&self, text: &[u8]) -> Option<usize> {
        spelled(text, self.provpass.as_bytes())
    }

    /// Length of the longest secret parameter's name, when each byte is escaped.
    pub(super) fn longest_name(&self) -> usize {
        self.secrets().filter_map(|p| p.name.as_deref()).map(|n| n.len() * 6).max().unwrap_or(0)
    }

    fn secrets(&self) -> impl Iterator<Item = &Param> {
        self.query.iter().flatten().filter(|p| self.is_secret(p))
    }

    /// Holds the placeholder, or the password itself.
    fn is_secret(&self, param: &Param) -> bool {
        param.value.iter().any(|piece| match piece {
            Piece::Text(text) => self.is_provpass(text.as_bytes()) || self.shows_in(text),
            Piece::Hole(hole) => *hole == Hole::Provpass,
        })
    }

    /// Is the password part of a template's text?
    fn shows_in(&self, text: &str) -> bool {
        self.provpass.len() >= SECRET_SHOWS
            && (0..text.len()).any(|at| text.as_bytes().get(at..).is_some_and(|t| self.provpass_at(t).is_some()))
    }

    fn site(&self) -> Site<'_> {
        Site { upstream: &self.upstream, provpass: &self.provpass, vendor: &self.vendor }
    }

    fn put(&self, out: &mut String, pieces: &[Piece], values: &Values<'_>) -> Result<(), MapError> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Hole(hole) if fill(out, *hole, self.site(), values) => {}
                Piece::Hole(hole) => return Err(MapError::Unknown(hole.name())),
            }
        }
        Ok(())
    }

    fn put_lan<E>(
        &self,
        out: &mut String,
        pieces: &[Piece],
        values: &Values<'_>,
        unknown: &dyn Fn(Hole) -> Result<&'static str, E>,
    ) -> Result<(), E> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Hole(Hole::Provpass) => {}
                Piece::Hole(hole) if fill(out, *hole, self.site(), values) => {}
                Piece::Hole(hole) => out.push_str(unknown(*hole)?),
            }
        }
        Ok(())
    }

    fn put_secret(&self, out: &mut String, param: &Param, values: &Values<'_>) -> Result<(), MapError> {
        out.push_str(param.name.as_deref().unwrap_or_default());
        out.push('=');
        self.put(out, &param.value, values)
    }

    /// Is this path below the directory the template's file? What stands for a placeholder may be anything but a
    /// folder: the phone spells its MAC and model its own way.
    pub(super) fn is_entry(&self, rest: Option<&str>) -> bool {
        let Some(rest) = rest.filter(|r| !r.contains('/')) else { return false };
        let mut pattern: Vec<Option<u8>> = Vec::new();
        for piece in &self.last {
            match piece {
                Piece::Text(text) => pattern.extend(text.bytes().map(Some)),
                Piece::Hole(_) => pattern.push(None),
            }
        }
        pattern.is_empty() || glob(&pattern, rest.as_bytes())
    }
}

/// `None` stands for any bytes.
fn glob(pattern: &[Option<u8>], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // where the last `None` was, and up to where it has taken text
    let mut back: Option<(usize, usize)> = None;
    while let Some(b) = text.get(t) {
        match pattern.get(p) {
            Some(Some(want)) if want == b => {
                p += 1;
                t += 1;
            }
            Some(None) => {
                back = Some((p + 1, t));
                p += 1;
            }
            _ => {
                let Some((after, taken)) = back else { return false };
                back = Some((after, taken + 1));
                p = after;
                t = taken + 1;
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(Option::is_none)
}

/// `http://192.168.1.1:8480/snom`
pub(super) fn lan_base(router: SocketAddrV4, vendor: &str) -> String {
    ["http://", &router.to_string(), "/", vendor].concat()
}

/// The path at the origin, if the target is of the form `-/path`: empty, or beginning with `/`.
fn origin_path(rest: &str) -> Option<&str> {
    rest.strip_prefix('-').filter(|path| path.is_empty() || path.starts_with('/'))
}

fn split_query(target: &str) -> (&str, Option<&str>) {
    target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)))
}

/// The segments of a query, each with the separator before it (`&` or `;`; none before the first).
fn segments(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = Some(query);
    let mut before = "";
    std::iter::from_fn(move || {
        let text = rest?;
        let at = text.find(['&', ';']);
        let (segment, separator, after) = match at {
            Some(at) => (text.get(..at)?, text.get(at..at + 1)?, text.get(at + 1..)),
            None => (text, "", None),
        };
        rest = after;
        Some((std::mem::replace(&mut before, separator), segment))
    })
}

fn name_of(segment: &str) -> &str {
    segment.split('=').next().unwrap_or_default()
}

fn is_name(found: &[u8], wanted: &str) -> bool {
    found == wanted.as_bytes() || spelled(found, wanted.as_bytes()) == Some(found.len())
}

/// A target below `/{vendor}/` with each spelling of this phone's MAC written `{mac}`: the name of the resource.
pub fn resource_name(rest_target: &str, mac: Mac) -> String {
    let mut out = String::with_capacity(rest_target.len());
    let mut rest = rest_target;
    while let Some((range, found)) = Mac::find_at(rest) {
        let (Some(before), Some(text), Some(after)) =
            (rest.get(..range.start), rest.get(range.clone()), rest.get(range.end..))
        else {
            break;
        };
        out.push_str(before);
        out.push_str(if found == mac { "{mac}" } else { text });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
#[path = "mapping_test.rs"]
pub(super) mod test;
