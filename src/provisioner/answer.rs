//! From a request to its answer. No clock and no socket: the time is an argument.

use super::documents::{Device, Documents, Template};
use super::guesses::Guesses;
use super::limit::Recent;
use super::phone::{Brand, Line, Phone};
use super::xml::BadName;
use super::{firmware, render, rest, shared};
use crate::bounds;
use crate::proto::http::{split_target, Request};
use crate::proto::mac::{Mac, MacPattern};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// What is sent back. No `Debug`: there may be passwords in it.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header lines, but for those of the framing.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// For the log.
    pub outcome: Outcome,
}

/// What became of a request. `Display` is a clause for the log, without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This phone has its configuration, with so many lines.
    Config(Mac, usize),
    /// A boot file, or a pointer to a firmware.
    Other,
    /// Nothing, and why. The phone is told 200 and an empty body: it tries again later, quietly.
    Refused(Option<Mac>, Refusal),
    /// Answered to a web UI.
    Rest,
    /// This file of those that are the same for all phones: the answer is for where there is none.
    File(String),
    /// 404
    NotFound,
}

/// Why a phone gets nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The User-Agent is none of this brand's phones.
    Agent,
    /// No MAC in the request.
    NoMac,
    /// The User-Agent has another MAC than the URL.
    OtherMac,
    /// The MAC is none of this brand's.
    Oui,
    /// There is no device with this MAC.
    Unknown,
    /// The accounts of its devices do not exist.
    NoAccount,
    /// `provision_enabled` is not true, or there is no `urlpass`.
    Disabled,
    /// The password is wrong.
    Password,
    /// There were too many wrong ones from its address: this one was not looked at.
    Guesses,
    /// It was answered a moment ago.
    TooSoon,
    /// There is no such template: its id.
    NoTemplate(String),
    /// The template has a name in it that XML does not have.
    BadTemplate(String, BadName),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Agent => f.write_str("the User-Agent is none of this brand's phones"),
            Refusal::NoMac => f.write_str("no MAC in the request"),
            Refusal::OtherMac => f.write_str("the User-Agent has another MAC than the URL"),
            Refusal::Oui => f.write_str("the MAC is none of this brand's"),
            Refusal::Unknown => f.write_str("no device has this MAC"),
            Refusal::NoAccount => f.write_str("the device's account is missing (pvt_account_id)"),
            Refusal::Disabled => f.write_str("provision_enabled of the account is not true, or it has no urlpass"),
            Refusal::Password => f.write_str("wrong password"),
            Refusal::Guesses => f.write_str("too many wrong passwords from its address"),
            Refusal::TooSoon => f.write_str("answered less than 6 s ago"),
            Refusal::NoTemplate(id) => write!(f, "there is no template {}", id.escape_debug()),
            Refusal::BadTemplate(id, why) => write!(f, "template {}: {why}", id.escape_debug()),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Config(mac, lines) => {
                write!(f, "{mac}: config, {lines} line{}", if *lines == 1 { "" } else { "s" })
            }
            Outcome::Refused(Some(mac), why) => write!(f, "{mac}: refused: {why}"),
            Outcome::Refused(None, why) => write!(f, "refused: {why}"),
            Outcome::Other => f.write_str("a file that is of no line"),
            Outcome::Rest => f.write_str("web UI"),
            Outcome::File(name) => write!(f, "the file {}", name.escape_debug()),
            Outcome::NotFound => f.write_str("no such URL"),
        }
    }
}

/// Who may have a phone's lines.
#[derive(Clone, Copy)]
pub enum Access<'a> {
    /// Who knows the password, and only of accounts that are enabled.
    Password(&'a str),
    /// The admin.
    All,
}

/// A phone's configuration, or its boot file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// Of the phone.
    Config,
    /// `aastra.cfg`, `startup.cfg`, `yealink.cfg`
    Boot,
}

impl File {
    /// By the name of the file that a phone asks for.
    pub fn named(name: &str) -> File {
        match name.to_ascii_lowercase().as_str() {
            "aastra.cfg" | "startup.cfg" | "yealink.cfg" => File::Boot,
            _ => File::Config,
        }
    }
}

impl Brand {
    /// By the path's folder, or a template's `endpoint_brand`. What has no folder of its own is served in snom's.
    pub fn of(name: &str) -> Option<Brand> {
        match name {
            "snom" => Some(Brand::Snom),
            "mitel" | "aastra" => Some(Brand::Mitel),
            "yealink" => Some(Brand::Yealink),
            _ => None,
        }
    }

    /// The folder of its templates.
    fn folder(self) -> &'static str {
        match self {
            Brand::Snom => "snom",
            Brand::Mitel => "mitel",
            Brand::Yealink => "yealink",
        }
    }

    fn is_agent(self, agent: &str) -> bool {
        let has = |needle: &str| agent.to_ascii_lowercase().contains(needle);
        match self {
            Brand::Snom => has("snom"),
            Brand::Mitel => has("aastra") || has("mitel"),
            Brand::Yealink => has("yealink"),
        }
    }

    /// The prefixes that the IEEE has given these makers, as far as they are on desk phones.
    fn has(self, mac: Mac) -> bool {
        let prefixes: &[&str] = match self {
            Brand::Snom => &["000413", "1c7126"],
            Brand::Mitel => &["00085d", "1400e9", "08000f"],
            Brand::Yealink => &[
                "001565", "249ad8", "3497d7", "44dbd2", "644f56", "805e0c", "805ec0", "b061a9", "c4fc22", "ec1da9",
                "f01653",
            ],
        };
        prefixes.iter().filter_map(|p| MacPattern::parse(p).ok()).any(|p| p.matches(mac))
    }
}

/// A phone's request, taken apart.
struct Asked<'a> {
    brand: Brand,
    file: File,
    mac: Option<Mac>,
    agent: &'a str,
    phonetyp: Option<&'a str>,
    pass: String,
    host: String,
    from: Option<IpAddr>,
}

/// Answers requests. What it remembers is when phones were last answered, and who has tried wrong passwords.
#[derive(Default)]
pub struct Provisioner {
    recent: Recent,
    guesses: Guesses,
    /// The password for all that is asked.
    pass: Option<String>,
}

impl Provisioner {
    /// For an agent in the same program, which asks with this password, and as often as it likes.
    pub fn in_process(pass: &str) -> Provisioner {
        Provisioner { pass: Some(pass.to_string()), ..Provisioner::default() }
    }

    /// This phone's configuration has changed, or with `None` that of any: its next request is answered, however soon it
    /// comes.
    pub fn changed(&mut self, mac: Option<Mac>) {
        match mac {
            Some(mac) => self.recent.forget(mac),
            None => self.recent.forget_all(),
        }
    }

    /// The answer to a request of this program itself at `now` (a clock that only goes on).
    pub fn answer(&mut self, request: &Request, documents: &dyn Documents, now: Duration) -> Answer {
        self.answer_to(None, request, documents, now)
    }

    /// The answer to a request of this address, which may not try any number of passwords.
    pub fn answer_to(
        &mut self,
        from: Option<IpAddr>,
        request: &Request,
        documents: &dyn Documents,
        now: Duration,
    ) -> Answer {
        let Some((path, query)) = split_target(&request.target) else { return not_found() };
        let query = Query::read(query.unwrap_or_default());
        let below = path.strip_prefix("/provisioner").unwrap_or(path);
        let host = host(request.header("host").unwrap_or_default());
        let header = request.header("user-agent").unwrap_or_default();
        let agent = query.get("user_agent").unwrap_or(header);
        let (folder, name) = match below.strip_prefix("/prov/").map(|rest| rest.split_once('/')) {
            Some(Some((folder, name))) => (folder, name),
            Some(None) => return not_found(),
            None => match below.strip_prefix("/m3/") {
                Some("settings/settings.php") => ("snom", "settings.php"),
                Some("firmware/firmware.php") => ("snom", "firmware/firmware.php"),
                Some(_) => return not_found(),
                None => return web(path, request, documents),
            },
        };
        let Some(brand) = Brand::of(folder) else { return file(folder, name) };
        if brand == Brand::Snom && name == "firmware/firmware.php" {
            let body = firmware::pointer(agent, &host).unwrap_or_default();
            return plain("text/html; charset=UTF-8", body.into_bytes(), Outcome::Other);
        }
        let Some((in_name, of)) = file_of(brand, name, &request.target) else { return file(folder, name) };
        let asked_mac = query.get("mac").or(in_name);
        let asked = Asked {
            brand,
            file: of,
            mac: asked_mac.and_then(|m| Mac::parse(m.trim())),
            agent,
            phonetyp: query.get("phonetyp"),
            pass: self.pass.as_deref().or(query.get("pass")).unwrap_or_default().to_string(),
            host,
            from,
        };
        let as_written = asked_mac.unwrap_or_default().to_string();
        match self.phone(&asked, &as_written, documents, now) {
            Ok(answer) => answer,
            Err((mac, why)) => plain("text/html; charset=UTF-8", Vec::new(), Outcome::Refused(mac, why)),
        }
    }

    fn phone(
        &mut self,
        asked: &Asked<'_>,
        mac_as_written: &str,
        documents: &dyn Documents,
        now: Duration,
    ) -> Result<Answer, (Option<Mac>, Refusal)> {
        let by_type = asked.brand == Brand::Snom && asked.phonetyp.is_some();
        if !asked.brand.is_agent(if by_type { asked.phonetyp.unwrap_or_default() } else { asked.agent }) {
            return Err((asked.mac, Refusal::Agent));
        }
        let in_agent = Mac::find(asked.agent);
        let mac = match (asked.mac, asked.brand, asked.file) {
            (Some(mac), ..) => mac,
            // common boot files have no MAC in their name, nor have the DECT bases of snom in theirs
            (None, Brand::Mitel, File::Boot) => in_agent.ok_or((None, Refusal::NoMac))?,
            (None, Brand::Snom, _) if mac_as_written.is_empty() => in_agent.ok_or((None, Refusal::NoMac))?,
            _ => return Err((None, Refusal::NoMac)),
        };
        let refused = |why| (Some(mac), why);
        if in_agent.is_some_and(|m| m != mac) {
            return Err(refused(Refusal::OtherMac));
        }
        if !asked.brand.has(mac) {
            return Err(refused(Refusal::Oui));
        }
        if asked.from.is_some_and(|from| !self.guesses.may_try(from, mac, now)) {
            return Err(refused(Refusal::Guesses));
        }
        let phone = phone(documents, Some(asked.brand), mac, (&asked.host, asked.agent), Access::Password(&asked.pass));
        match (asked.from, &phone) {
            (Some(from), Ok(_)) => self.guesses.right(from, mac),
            (Some(from), Err(Refusal::Password)) => self.guesses.wrong(from, now),
            _ => {}
        }
        let phone = phone.map_err(refused)?;
        if asked.file == File::Boot {
            let boot = render::boot(&phone);
            return Ok(plain(boot.content_type, boot.body, Outcome::Other));
        }
        if self.pass.is_none() && !self.recent.admit(mac, now) {
            return Err(refused(Refusal::TooSoon));
        }
        if asked.brand == Brand::Snom && phone.lines.first().is_some_and(|l| l.account.firmware) {
            let hex = mac.hex_upper();
            if let Some(text) = firmware::instead(asked.phonetyp, asked.agent, &asked.host, &hex) {
                return Ok(plain("text/html; charset=UTF-8", text.into_bytes(), Outcome::Other));
            }
        }
        let rendered = render::config(&phone, documents)
            .map_err(|e| refused(Refusal::BadTemplate(phone.template.id.clone(), e)))?;
        Ok(plain(rendered.content_type, rendered.body, Outcome::Config(mac, phone.lines.len())))
    }
}

/// The phone with this MAC and those of its lines that may be had. Without a brand: that of its template. `host` and `agent` are
/// what the request says.
///
/// # Errors
/// Why there is nothing to be had.
pub fn phone(
    documents: &dyn Documents,
    brand: Option<Brand>,
    mac: Mac,
    (host, agent): (&str, &str),
    access: Access<'_>,
) -> Result<Phone, Refusal> {
    let devices = documents.devices(mac);
    if devices.is_empty() {
        return Err(Refusal::Unknown);
    }
    let mut lines = Vec::new();
    let mut why = Refusal::NoAccount;
    for device in devices.into_iter().take(bounds::PROVISIONER_LINES) {
        let Some(account) = documents.account(&device.database, &device.account) else { continue };
        if let Access::Password(pass) = access {
            if !account.enabled || account.urlpass.is_empty() {
                // a wrong password tells the admin more
                if why == Refusal::NoAccount {
                    why = Refusal::Disabled;
                }
                continue;
            }
            if !same(pass, &account.urlpass) {
                why = Refusal::Password;
                continue;
            }
        }
        let user = documents.user(&device.database, &device.owner);
        lines.push(Line { device, account, user });
    }
    let first = &lines.first().ok_or(why)?.device;
    let template = template(documents, first, brand, agent).ok_or_else(|| Refusal::NoTemplate(first.template()))?;
    let brand = brand.or_else(|| Brand::of(&template.brand)).unwrap_or(Brand::Snom);
    Ok(Phone { brand, template, lines, host: host.to_string() })
}

/// The template of a device. Of one that Kazoo told us of, the family may be spelled another way; and where no model is known, it
/// is what the phone says that it is.
fn template(documents: &dyn Documents, device: &Device, brand: Option<Brand>, agent: &str) -> Option<Arc<Template>> {
    if let Some(template) = documents.template(&device.template()) {
        return Some(template);
    }
    if !device.told {
        return None;
    }
    if !device.model.is_empty() {
        return documents.by_model(&device.brand, &device.model);
    }
    let folder = brand?.folder();
    let words = agent.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| w.bytes().any(|b| b.is_ascii_digit()));
    words.take(AGENT_WORDS).find_map(|word| {
        let lower = word.to_ascii_lowercase();
        let model = ["snom", "aastra", "mitel"].iter().find_map(|name| lower.strip_prefix(name)).unwrap_or(&lower);
        // Mitel's templates have the letter in the newer models only
        documents.by_model(folder, model).or_else(|| documents.by_model(folder, model.strip_suffix('i')?))
    })
}

/// Words of a User-Agent that may be a model: it is among the first.
const AGENT_WORDS: usize = 8;

/// Are these the same? Takes as long for any two passwords of these lengths.
pub(super) fn same(given: &str, right: &str) -> bool {
    let (given, right) = (given.as_bytes(), right.as_bytes());
    let mut differ = u8::from(given.len() != right.len());
    for (i, b) in right.iter().enumerate() {
        differ |= b ^ given.get(i).copied().unwrap_or(!b);
    }
    // keeps the loop from being left early
    std::hint::black_box(differ) == 0
}

/// The MAC in the file's name, as written, and what is asked for. `None`: there is no such file.
fn file_of<'a>(brand: Brand, name: &'a str, target: &str) -> Option<(Option<&'a str>, File)> {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let target = target.to_ascii_lowercase();
    match brand {
        Brand::Snom => match name.strip_prefix("settings")?.strip_suffix(".php")? {
            "" => Some((None, File::Config)),
            mac => mac.strip_prefix('-').filter(|m| hex(m)).map(|m| (Some(m), File::Config)),
        },
        Brand::Mitel => {
            let file = match target.contains("aastra.cfg") || target.contains("startup.cfg") {
                true => File::Boot,
                false => File::Config,
            };
            match name {
                "settings.php" | "aastra.cfg" | "startup.cfg" => Some((None, file)),
                _ => name.strip_suffix(".cfg").filter(|m| hex(m)).map(|m| (Some(m), file)),
            }
        }
        Brand::Yealink => {
            let file = if target.contains("yealink.cfg") { File::Boot } else { File::Config };
            match name {
                "settings.php" | "local.cfg" => Some((None, file)),
                _ => name.strip_suffix(".cfg").filter(|m| hex(m)).map(|m| (Some(m), file)),
            }
        }
    }
}

/// `Host` as it may stand in a URL; empty for anything that is no host and port.
fn host(header: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b);
    if header.bytes().all(plain) {
        header.to_string()
    } else {
        String::new()
    }
}

/// The parameters of a query, decoded. Of equal names the last counts.
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Of a query, or of a form's body.
    pub fn read(query: &str) -> Query {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        };
        Query(query.split('&').map(pair).collect())
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [b, tail @ ..] = rest {
        let digit = |b: Option<&u8>| b.and_then(|b| (*b as char).to_digit(16));
        rest = tail;
        match (b, digit(tail.first()), digit(tail.get(1))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                rest = tail.get(2..).unwrap_or_default();
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(*b),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn plain(content_type: &str, body: Vec<u8>, outcome: Outcome) -> Answer {
    Answer { status: 200, headers: vec![("Content-Type", content_type.to_string())], body, outcome }
}

/// A file for all phones of a brand; its path may have what Aastra was called.
fn file(folder: &str, name: &str) -> Answer {
    let folder = if folder == "aastra" { "mitel" } else { folder };
    match shared::name(&format!("{folder}/{name}")) {
        Some(name) => Answer { outcome: Outcome::File(name), ..not_found() },
        None => not_found(),
    }
}

fn not_found() -> Answer {
    let body = b"phoneprov: there is nothing at this URL\n".to_vec();
    let headers = vec![("Content-Type", "text/plain; charset=utf-8".to_string())];
    Answer { status: 404, headers, body, outcome: Outcome::NotFound }
}

/// The REST of web UIs, which may come from any origin: nothing in it is secret.
fn web(path: &str, request: &Request, documents: &dyn Documents) -> Answer {
    if path == "/" {
        return plain("text/html", Vec::new(), Outcome::Rest);
    }
    let mut answer = plain("application/json", rest::answer(path, documents).into_bytes(), Outcome::Rest);
    let mut header = |name, value: &str| answer.headers.push((name, value.to_string()));
    header("Access-Control-Allow-Origin", "*");
    header("Access-Control-Allow-Credentials", "true");
    if request.header("access-control-request-headers").is_some() {
        header("Access-Control-Allow-Headers", "accept, content-type, x-auth-token, x-kazoo-cluster-id");
        header("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD");
        header("Allow", "GET");
    } else {
        header("Access-Control-Allow-Headers", "content-type,x-auth-token");
        header("Vary", "Accept");
    }
    answer
}

#[cfg(test)]
#[path = "answer_test.rs"]
mod test;
