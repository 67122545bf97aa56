//! Reads the command line.

use super::{Verb, VERBS};
use crate::proto::mac::Mac;
use crate::sorted::SortedMap;
use lexopt::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;

/// Where OpenWrt has the config.
pub(super) const CONFIG: &str = "/etc/config/phoneprov";
/// Where OpenWrt has the config files of all packages.
pub(super) const UCI: &str = "/etc/config";
/// Where the init script keeps copies of it for the agent, who may not read these files (openwrt-package/files/phoneprov.init).
pub(super) const COPIES: &str = "/var/run/phoneprov-config";

/// Options that take one word, and are only looked at by the verbs that have them.
const WORDS: &[&str] = &[
    "store",
    "store-file",
    "file",
    "host",
    "listen",
    "proxy",
    "brand",
    "family",
    "model",
    "keys",
    "module-keys",
    "rules",
    "delimiter",
    "wan",
    "every",
    "jobs",
    "files",
    "kazoo-token-file",
    "kazoo-allow",
    "kazoo-urlpass-file",
];

/// What was given.
#[derive(Clone, Debug)]
pub(super) struct Args {
    pub(super) json: bool,
    pub(super) config: PathBuf,
    pub(super) socket: Option<PathBuf>,
    pub(super) devices: Vec<String>,
    pub(super) vendor: Option<String>,
    pub(super) mac: Option<Mac>,
    pub(super) reboot: bool,
    /// Name or number of the user to become.
    pub(super) user: Option<String>,
    pub(super) verbose: bool,
    /// Folder of OpenWrt's own config files; `None`: [`UCI`].
    pub(super) uci: Option<PathBuf>,
    pub(super) no_reload: bool,
    pub(super) force: bool,
    /// Values of [`WORDS`].
    pub(super) words: SortedMap<&'static str, String>,
    /// Arguments that are no options.
    pub(super) rest: Vec<String>,
}

pub(super) enum Parsed {
    Help,
    Version,
    Verb(&'static Verb, Box<Args>),
}

pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Parsed, String> {
    let mut parser = lexopt::Parser::from_iter(args);
    let mut out = Args {
        json: false,
        config: PathBuf::from(CONFIG),
        socket: None,
        devices: Vec::new(),
        vendor: None,
        mac: None,
        reboot: false,
        user: None,
        verbose: false,
        uci: None,
        no_reload: false,
        force: false,
        words: SortedMap::new(),
        rest: Vec::new(),
    };
    let mut verb: Option<&'static Verb> = None;
    let mut used: Vec<&'static str> = Vec::new();
    let text = |v: OsString| v.into_string().map_err(|v| format!("'{}' is not UTF-8", v.to_string_lossy()));
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        match arg {
            Long("help") | Short('h') => return Ok(Parsed::Help),
            Long("version") | Short('V') => return Ok(Parsed::Version),
            Long("json") => out.json = true,
            Long("config") => out.config = parser.value().map_err(|e| e.to_string())?.into(),
            Long("socket") => out.socket = Some(parser.value().map_err(|e| e.to_string())?.into()),
            Long("device") => {
                used.push("device");
                out.devices.push(text(parser.value().map_err(|e| e.to_string())?)?);
            }
            Long("vendor") => {
                used.push("vendor");
                out.vendor = Some(text(parser.value().map_err(|e| e.to_string())?)?);
            }
            Long("mac") => {
                used.push("mac");
                out.mac = Some(mac(&text(parser.value().map_err(|e| e.to_string())?)?)?);
            }
            Long("reboot") => {
                used.push("reboot");
                out.reboot = true;
            }
            Long("user") => {
                used.push("user");
                out.user = Some(text(parser.value().map_err(|e| e.to_string())?)?);
            }
            Long("verbose") | Short('v') => {
                used.push("verbose");
                out.verbose = true;
            }
            Long("uci") => {
                used.push("uci");
                out.uci = Some(parser.value().map_err(|e| e.to_string())?.into());
            }
            Long("no-reload") => {
                used.push("no-reload");
                out.no_reload = true;
            }
            Long("force") => {
                used.push("force");
                out.force = true;
            }
            Long(name) if WORDS.contains(&name) => {
                let name = WORDS.iter().copied().find(|w| *w == name).unwrap_or_default();
                used.push(name);
                out.words.insert(name, text(parser.value().map_err(|e| e.to_string())?)?);
            }
            Value(value) => {
                let value = text(value)?;
                match verb {
                    None => match VERBS.iter().find(|v| v.name == value) {
                        Some(found) => verb = Some(found),
                        None => return Err(format!("no verb '{value}'")),
                    },
                    // also as a part of what it is for
                    Some(of) if of.name == "provisioner" && value == "setup" && out.rest.is_empty() => {
                        verb = VERBS.iter().find(|v| v.name == "setup");
                    }
                    Some(_) => out.rest.push(value),
                }
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    let verb = verb.ok_or("name a verb")?;
    if let Some(option) = used.iter().find(|o| !verb.options.contains(o)) {
        return Err(format!("'{}' takes no --{option}", verb.name));
    }
    if verb.args.starts_with(|c: char| c.is_ascii_lowercase()) && !verb.args.contains("FILE") {
        let all = forms(verb.args);
        return match all.iter().any(|form| fits(form, &out.rest)) {
            true => Ok(Parsed::Verb(verb, Box::new(out))),
            false => Err(format!("'{}' needs one of: {}", verb.name, all.join(", "))),
        };
    }
    // those of its arguments that are no options
    let wanted: Vec<&str> = verb.args.split(' ').take_while(|w| !w.is_empty() && !w.starts_with(['-', '['])).collect();
    let most = wanted.len() + usize::from(verb.args.ends_with(" [N]"));
    if out.rest.len() > most {
        return Err(format!(
            "'{}' takes {} argument{}",
            verb.name,
            ["no", "one", "two"].get(most).unwrap_or(&"fewer"),
            if most == 1 { "" } else { "s" }
        ));
    }
    if let Some(missing) = wanted.get(out.rest.len()) {
        return Err(format!("'{}' needs {missing}", verb.name));
    }
    match out.rest.first() {
        Some(all) if all == "all" && verb.args.contains("all") => {}
        Some(value) if verb.args == "MINUTES" => _ = super::admit::minutes(value)?,
        Some(value) if verb.args.starts_with("MAC") => _ = mac(value)?,
        _ => {}
    }
    let number = out.rest.get(1).filter(|_| verb.args.ends_with("[N]"));
    if let Some(n) = number.filter(|n| !n.parse::<u32>().is_ok_and(|n| n > 0)) {
        return Err(format!("'{n}' is no number from 1"));
    }
    Ok(Parsed::Verb(verb, Box::new(out)))
}

/// The words that a verb takes, from its help: `print [uci|dnsmasq] | apply` is `print`, `print uci`, `print dnsmasq`, `apply`.
fn forms(args: &str) -> Vec<String> {
    let words = args.split(" [--").next().unwrap_or_default();
    let mut out = Vec::new();
    for form in words.split(" | ") {
        let (word, more) = form.split_once(" [").unwrap_or((form, ""));
        out.push(word.to_string());
        let more = more.trim_end_matches(']').split('|').filter(|m| !m.is_empty());
        out.extend(more.map(|m| format!("{word} {m}")));
    }
    out
}

/// Is this one of the forms? A word in capitals stands for any other.
fn fits(form: &str, given: &[String]) -> bool {
    let words: Vec<&str> = form.split(' ').collect();
    let any = |word: &str| word.bytes().all(|b| b.is_ascii_uppercase());
    words.len() == given.len() && words.iter().zip(given).all(|(word, given)| any(word) || word == given)
}

fn mac(text: &str) -> Result<Mac, String> {
    Mac::parse(text).ok_or_else(|| format!("'{text}' is no MAC; write it as 00:04:13:aa:bb:cc"))
}

#[cfg(test)]
mod test {
    use super::*;

    fn line(text: &str) -> Result<Parsed, String> {
        parse(std::iter::once("phoneprov").chain(text.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn usage() {
        let wrong = |text| line(text).err().unwrap_or_default();
        assert_eq!(wrong(""), "name a verb");
        assert_eq!(wrong("frobnicate"), "no verb 'frobnicate'");
        assert_eq!(wrong("phone"), "'phone' needs MAC");
        assert_eq!(wrong("phone 00:04"), "'00:04' is no MAC; write it as 00:04:13:aa:bb:cc");
        assert_eq!(wrong("phone all"), "'all' is no MAC; write it as 00:04:13:aa:bb:cc");
        assert_eq!(wrong("status x"), "'status' takes no arguments");
        assert_eq!(wrong("rollback all 1 2"), "'rollback' takes two arguments");
        assert_eq!(wrong("rollback all 0"), "'0' is no number from 1");
        assert!(matches!(line("rollback 00:04:13:aa:bb:cc 2"), Ok(Parsed::Verb(..))));
        assert_eq!(wrong("status --reboot"), "'status' takes no --reboot");
        let forms = "'dhcp' needs one of: print, print uci, print dnsmasq, apply, remove, seen";
        for text in ["dhcp", "dhcp frob", "dhcp apply now", "dhcp print x"] {
            assert_eq!(wrong(text), forms, "{text}");
        }
        let forms = "'rpcd' needs one of: list, call METHOD, job ID";
        for text in ["rpcd", "rpcd list x", "rpcd call", "rpcd call a b"] {
            assert_eq!(wrong(text), forms, "{text}");
        }
        assert!(line("rpcd call status --jobs /x").is_ok());
        assert_eq!(wrong("status --uci /x"), "'status' takes no --uci");
        let Ok(Parsed::Verb(_, args)) = line("dhcp --uci /x print uci --no-reload") else { panic!() };
        assert_eq!((args.rest.join(" ").as_str(), args.uci, args.no_reload), ("print uci", Some("/x".into()), true));
        assert_eq!(wrong("admit"), "'admit' needs MINUTES");
        for bad in ["admit -- -1", "admit 1441", "admit soon", "admit 00:04:13:aa:bb:cc"] {
            assert!(wrong(bad).contains("give 1 to 1440"), "{bad}");
        }
        assert!(line("admit 0").is_ok() && line("admit 1440").is_ok());
        let Ok(Parsed::Verb(verb, args)) = line("refresh all --json --config /x") else { panic!() };
        assert_eq!((verb.name, args.json, &args.rest[..]), ("refresh", true, &["all".to_string()][..]));
    }
}
