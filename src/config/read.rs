//! A file's text to [`Config`], by the table. Every problem is collected, not only the first.

use super::problem::{shown, suggestion, without_controls, Problem, Problems};
use super::table::{self, OPTIONS, SECTIONS};
use super::types::{Agent, Config, DhcpMode, Enrol, PinnedPhone, Qos, QosBackend, Secret, VendorSection};
use super::vendors::KnownVendor;
use super::{template, value};
use crate::proto::mac::{Mac, MacPattern};
use crate::proto::uci::{self, Entry};
use crate::proto::url::Template;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// Items of one list option; more is no config but a mistake, and would cost memory and time.
const LIST_ITEMS: usize = 256;
/// Problems that are told, beside the fatal ones.
const PROBLEMS: usize = 200;

/// A config that can be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// With defaults wherever a value was missing or bad.
    pub config: Config,
    /// What is wrong with the file but does not keep the agent from its job, by line.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// Reads a config file. `file` names it in messages; `known` are the brands that the program knows, for what
    /// holds where a vendor section is silent. Fails when the agent could not do its job with it.
    pub fn read(text: &str, file: &str, known: &[KnownVendor]) -> Result<Loaded, Problems> {
        let (config, problems) = read_all(text, file, known, cfg!(feature = "https"));
        finish(config, problems)
    }
}

/// Good enough to run?
pub(super) fn finish(config: Config, problems: Vec<Problem>) -> Result<Loaded, Problems> {
    if problems.iter().any(|p| p.fatal) {
        return Err(Problems(problems));
    }
    Ok(Loaded { config, warnings: problems })
}

/// Reads what can be read. `https`: does this build speak it?
pub(super) fn read_all(text: &str, file: &str, known: &[KnownVendor], https: bool) -> (Config, Vec<Problem>) {
    let (parsed, errors) = uci::parse_all(text);
    let mut reader = Reader { file, known, problems: Vec::new() };
    for error in &errors {
        reader.report(error.line, true, error.message.clone());
    }
    let groups = reader.group(&parsed);
    let (agent, agent_at) = reader.agent(&groups, errors.is_empty());
    let (vendors, templates) = reader.vendors(&groups);
    let phones = reader.phones(&groups, &vendors);
    let qos = reader.qos(&groups);
    let config = Config { agent, vendors, phones, qos };
    // with a part of the file unread, what seems missing may only be lost
    if errors.is_empty() && config.agent.enabled {
        reader.whole(&config, &agent_at, &templates, https);
    }
    let mut problems = reader.problems;
    problems.sort_by_key(|p| p.line);
    hide_secrets(&parsed, &mut problems);
    (config, problems)
}

/// No message is made of a secret; should one hold it all the same (the password written where another value
/// belongs), it is taken out here.
fn hide_secrets(parsed: &uci::File, problems: &mut [Problem]) {
    let entries = parsed.sections.iter().flat_map(|s| &s.entries);
    for secret in entries.filter(|e| e.name == "provpass" && e.value.len() >= 4).map(|e| &e.value) {
        // as it is, and as a message would show it
        for form in [without_controls(secret), shown(secret)] {
            for problem in problems.iter_mut().filter(|p| p.message.contains(&form)) {
                problem.message = problem.message.replace(&form, "***");
            }
        }
    }
}

/// Sections of one name as UCI sees them: one section.
struct Group<'a> {
    kind: &'static str,
    name: Option<&'a str>,
    line: u32,
    entries: Vec<&'a Entry>,
}

/// What a section says of one option, unchecked.
struct Raw<'a> {
    opt: &'static table::Opt,
    /// Of the entry that counts, for a list its first.
    line: u32,
    /// Each with its line.
    values: Vec<(u32, &'a str)>,
}

/// Checked values of one section.
pub(super) struct Values {
    section: &'static str,
    /// Option, line of what counts, values in canonical form (none when what was given is bad).
    given: Vec<(&'static str, u32, Vec<String>)>,
}

impl Values {
    fn default(&self, name: &str) -> &'static str {
        table::find(self.section, name).map_or("", |o| o.default)
    }

    fn list(&self, name: &str) -> Vec<String> {
        self.given.iter().find(|(n, ..)| *n == name).map(|(.., values)| values.clone()).unwrap_or_default()
    }

    fn text(&self, name: &str) -> String {
        self.list(name).pop().unwrap_or_else(|| self.default(name).to_string())
    }

    fn line(&self, name: &str) -> Option<u32> {
        self.given.iter().find(|(n, ..)| *n == name).map(|(_, line, _)| *line)
    }

    fn flag(&self, name: &str) -> bool {
        self.text(name) == "1"
    }

    fn int(&self, name: &str) -> u32 {
        // both the value and the default have been checked
        self.text(name).parse().unwrap_or(0)
    }

    fn seconds(&self, name: &str, unit: u64) -> Duration {
        Duration::from_secs(u64::from(self.int(name)) * unit)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.text(name)).filter(|text| !text.is_empty()).map(PathBuf::from)
    }
}

/// Where the agent's section stands and which line its upstream has, for messages.
struct AgentAt {
    line: u32,
    upstream: Option<u32>,
}

/// What a vendor's template holds, with the line to blame.
struct TemplateAt {
    vendor: usize,
    line: u32,
    template: Template,
}

pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) known: &'a [KnownVendor],
    pub(super) problems: Vec<Problem>,
}

/// The section type of this name, as the table has it.
pub(super) fn section_type(name: &str) -> Result<&'static str, String> {
    if let Some((kind, _)) = SECTIONS.iter().find(|(kind, _)| *kind == name) {
        return Ok(kind);
    }
    let mut hint = suggestion(name, SECTIONS.iter().map(|(kind, _)| *kind));
    if hint.is_empty() {
        hint = "; there are agent, vendor, phone and qos".into();
    }
    Err(format!("unknown section type '{}'{hint}", shown(name)))
}

/// How each message about a section of this type begins.
pub(super) fn context(kind: &str, name: Option<&str>) -> String {
    match (kind, name) {
        ("vendor", Some(name)) => format!("vendor '{name}': "),
        ("phone" | "qos", _) => format!("{kind}: "),
        _ => String::new(),
    }
}

impl Reader<'_> {
    fn full(&self) -> bool {
        self.problems.len() >= PROBLEMS
    }

    fn report(&mut self, line: u32, fatal: bool, message: impl Into<String>) {
        if fatal || !self.full() {
            let message = without_controls(&message.into());
            self.problems.push(Problem { file: self.file.to_string(), line, message, fatal });
        }
    }

    fn group<'f>(&mut self, parsed: &'f uci::File) -> Vec<Group<'f>> {
        let mut groups: Vec<Group> = Vec::new();
        let mut at: HashMap<&str, usize> = HashMap::new();
        for section in &parsed.sections {
            let kind = match section_type(&section.kind) {
                Ok(kind) => kind,
                Err(why) => {
                    self.report(section.line, false, why);
                    continue;
                }
            };
            let name = section.name.as_deref();
            let first = name.and_then(|name| at.get(name)).and_then(|i| groups.get_mut(*i));
            if let Some(first) = first {
                first.entries.extend(&section.entries);
                let line = first.line;
                let name = name.unwrap_or("");
                self.report(
                    section.line,
                    false,
                    format!("section '{name}' is here again, first in line {line}; write its options in one place"),
                );
                continue;
            }
            if let Some(name) = name {
                at.insert(name, groups.len());
            }
            groups.push(Group { kind, name, line: section.line, entries: section.entries.iter().collect() });
        }
        groups
    }

    /// Checks the options of one section. `context` begins each message.
    pub(super) fn values(&mut self, section: &'static str, context: &str, entries: &[&Entry]) -> Values {
        let mut raw: Vec<Raw> = Vec::new();
        // UCI reads over empty options
        for entry in entries.iter().filter(|e| !e.value.is_empty()) {
            let Some(opt) = table::find(section, &entry.name) else {
                if !self.full() {
                    let names = OPTIONS.iter().filter(|o| o.section == section).map(|o| o.name);
                    let hint = suggestion(&entry.name, names);
                    self.report(entry.line, false, format!("{context}unknown option '{}'{hint}", shown(&entry.name)));
                }
                continue;
            };
            let values: Vec<(u32, &str)> = if opt.kind.is_list() && !entry.list {
                // the older way to write a list
                entry.value.split_whitespace().map(|part| (entry.line, part)).collect()
            } else {
                vec![(entry.line, entry.value.as_str())]
            };
            match raw.iter_mut().find(|r| r.opt.name == opt.name) {
                None => raw.push(Raw { opt, line: entry.line, values }),
                Some(r) if opt.kind.is_list() && entry.list => r.values.extend(values),
                Some(r) => {
                    let first = std::mem::replace(&mut r.line, entry.line);
                    r.values = values;
                    let name = opt.name;
                    self.report(
                        entry.line,
                        false,
                        format!("{context}{name} is here again, before in line {first}; the last one counts"),
                    );
                }
            }
        }
        let mut given = Vec::with_capacity(raw.len());
        for Raw { opt, line, values: items } in raw {
            let mut values: Vec<String> = Vec::new();
            for (line, item) in items {
                match value::check(opt.kind, opt.name, item) {
                    Ok(_) if values.len() >= LIST_ITEMS => {
                        self.report(line, false, format!("{context}{} has more than {LIST_ITEMS} items", opt.name));
                        break;
                    }
                    Ok(value) if values.contains(&value) => {}
                    Ok(value) => values.push(value),
                    Err(why) if opt.default.is_empty() => self.report(line, false, format!("{context}{why}")),
                    Err(why) => self.report(line, false, format!("{context}{why}; {} is used", opt.default)),
                }
            }
            given.push((opt.name, line, values));
        }
        Values { section, given }
    }

    /// The section that there is one of, by its usual name or else the first.
    fn single<'g, 'f>(&mut self, groups: &'g [Group<'f>], kind: &str, name: &str) -> Option<&'g Group<'f>> {
        let of_kind = || groups.iter().filter(|g| g.kind == kind);
        let chosen = of_kind().find(|g| g.name == Some(name)).or_else(|| of_kind().next())?;
        if chosen.name != Some(name) {
            self.report(
                chosen.line,
                false,
                format!("the {kind} section has another name; write: config {kind} '{name}'"),
            );
        }
        for other in of_kind().filter(|g| !std::ptr::eq(*g, chosen)) {
            let line = chosen.line;
            self.report(other.line, false, format!("a second {kind} section; only the one in line {line} counts"));
        }
        Some(chosen)
    }

    fn agent(&mut self, groups: &[Group], whole_file: bool) -> (Agent, AgentAt) {
        let group = self.single(groups, "agent", "main");
        if group.is_none() && whole_file {
            self.report(0, true, "has no agent section; add: config agent 'main'");
        }
        let v = self.values("agent", "", group.map_or(&[], |g| &g.entries));
        let agent = Agent {
            enabled: v.flag("enabled"),
            networks: v.list("network"),
            devices: v.list("device"),
            upstream: v.text("upstream"),
            provpass: Secret::new(v.text("provpass")),
            port: u16::try_from(v.int("port")).unwrap_or(0),
            pnp: v.flag("pnp"),
            dhcp: match v.text("dhcp").as_str() {
                "responder" => DhcpMode::Responder,
                "off" => DhcpMode::Off,
                _ => DhcpMode::Dnsmasq,
            },
            dnsmasq_conf: v.path("dnsmasq_conf"),
            upstream_timeout: v.seconds("upstream_timeout", 1),
            fresh_wait: v.seconds("fresh_wait", 1),
            fresh_for: v.seconds("fresh_for", 1),
            grace: v.seconds("grace", 24 * 60 * 60),
            history: v.int("history"),
            cache_max: u64::from(v.int("cache_max")) * 1024,
            shared_max: u64::from(v.int("shared_max")) * 1024,
            rewrite: v.flag("rewrite"),
            redirect_origins: v.list("redirect_origin"),
            verify_mac: v.flag("verify_mac"),
            enrol: match v.text("enrol").as_str() {
                "window" => Enrol::Window,
                "list" => Enrol::List,
                _ => Enrol::Open,
            },
            guard_share: v.int("guard_share"),
            guard_min: v.int("guard_min"),
            guard_window: v.seconds("guard_window", 60),
            ca_file: v.path("ca_file"),
            state_dir: v.path("state_dir").unwrap_or_default(),
            run_dir: v.path("run_dir").unwrap_or_default(),
        };
        (agent, AgentAt { line: group.map_or(0, |g| g.line), upstream: v.line("upstream") })
    }

    fn vendors(&mut self, groups: &[Group]) -> (Vec<VendorSection>, Vec<TemplateAt>) {
        let mut vendors: Vec<VendorSection> = Vec::new();
        let mut templates = Vec::new();
        let mut owners: HashMap<MacPattern, usize> = HashMap::new();
        for group in groups.iter().filter(|g| g.kind == "vendor") {
            let Some(name) = group.name else {
                self.report(group.line, false, "a vendor section needs a name, as in: config vendor 'snom'; left out");
                continue;
            };
            let context = context("vendor", Some(name));
            let v = self.values("vendor", &context, &group.entries);
            let known = self.known.iter().find(|k| k.name.eq_ignore_ascii_case(name)).copied();
            if known.is_none() && !self.full() {
                // another name is a brand of the admin's own; one that is nearly known is a slip
                let hint = suggestion(name, self.known.iter().map(|k| k.name));
                if !hint.is_empty() {
                    self.report(group.line, false, format!("vendor '{name}' is no known brand{hint}"));
                }
            }
            let mut ouis = v.list("oui");
            if ouis.is_empty() {
                ouis = known.map_or(Vec::new(), |k| k.ouis.iter().map(|o| o.to_string()).collect());
            }
            let ouis: Vec<MacPattern> = ouis.iter().filter_map(|o| MacPattern::parse(o).ok()).collect();
            let mut url = v.text("url");
            let mut enabled = v.flag("enabled");
            if url.is_empty() && v.line("url").is_none() {
                url = known.map_or("", |k| k.url).to_string();
                if url.is_empty() && enabled {
                    let message =
                        format!("{context}has no url, and the program knows none for this name; add option url");
                    self.report(group.line, false, message);
                }
            }
            // a bad url has been told; another one than the admin's is not asked in its place
            enabled = enabled && !url.is_empty();
            let index = vendors.len();
            if enabled {
                for oui in &ouis {
                    match owners.get(oui).and_then(|i| vendors.get(*i)) {
                        Some(owner) => {
                            let message = format!(
                                "{context}oui {oui} belongs to vendor '{}' already; that one counts",
                                owner.name
                            );
                            self.report(v.line("oui").unwrap_or(group.line), false, message);
                        }
                        None => {
                            owners.insert(*oui, index);
                        }
                    }
                }
                if let Ok(template) = template::check(&url) {
                    templates.push(TemplateAt { vendor: index, line: v.line("url").unwrap_or(group.line), template });
                }
            }
            vendors.push(VendorSection { name: name.to_string(), enabled, ouis, url });
        }
        (vendors, templates)
    }

    fn phones(&mut self, groups: &[Group], vendors: &[VendorSection]) -> Vec<PinnedPhone> {
        let mut phones: Vec<PinnedPhone> = Vec::new();
        let mut lines: HashMap<Mac, u32> = HashMap::new();
        for group in groups.iter().filter(|g| g.kind == "phone") {
            let v = self.values("phone", &context("phone", None), &group.entries);
            let Some(mac) = Mac::parse(&v.text("mac")) else {
                if v.line("mac").is_none() {
                    self.report(group.line, false, "phone: needs option mac '00:04:13:aa:bb:cc'; left out");
                }
                continue;
            };
            if let Some(first) = lines.get(&mac) {
                let message = format!("phone: {mac} is here again, first in line {first}; left out");
                self.report(group.line, false, message);
                continue;
            }
            lines.insert(mac, group.line);
            let vendor = Some(v.text("vendor")).filter(|name| !name.is_empty());
            let lost = vendor.as_deref().filter(|name| !self.full() && !vendors.iter().any(|s| s.name == *name));
            if let Some(name) = lost {
                let hint = suggestion(name, vendors.iter().map(|s| s.name.as_str()));
                let line = v.line("vendor").unwrap_or(group.line);
                self.report(line, false, format!("phone: there is no section config vendor '{name}'{hint}"));
            }
            phones.push(PinnedPhone { mac, vendor });
        }
        phones
    }

    fn qos(&mut self, groups: &[Group]) -> Qos {
        let group = self.single(groups, "qos", "qos");
        let context = context("qos", None);
        let v = self.values("qos", &context, group.map_or(&[], |g| &g.entries));
        if v.flag("enabled") && v.line("mediaserver").is_none() {
            let line = v.line("enabled").unwrap_or(0);
            let message = format!("{context}mediaserver is not set; add list mediaserver 'media.example.net'");
            self.report(line, false, message);
        }
        Qos {
            enabled: v.flag("enabled"),
            backend: match v.text("backend").as_str() {
                "qos-scripts" => QosBackend::QosScripts,
                "fw4" => QosBackend::Fw4,
                "sqm" => QosBackend::Sqm,
                "qosify" => QosBackend::Qosify,
                _ => QosBackend::Auto,
            },
            mediaservers: v.list("mediaserver"),
            upload: v.int("upload"),
            download: v.int("download"),
        }
    }

    /// What only shows when all of an enabled agent's config is seen together.
    fn whole(&mut self, config: &Config, at: &AgentAt, templates: &[TemplateAt], https: bool) {
        let agent = &config.agent;
        if agent.networks.is_empty() && agent.devices.is_empty() {
            self.report(at.line, true, "no network is served; add list network 'lan' (or list device 'br-lan')");
        }
        if templates.is_empty() {
            let message = "no vendor with a usable url is enabled, so there is no phone to serve; \
                           enable one in its config vendor section";
            self.report(at.line, true, message);
        }
        let name_of = |t: &TemplateAt| config.vendors.get(t.vendor).map_or("", |v| v.name.as_str());
        let needs_upstream = templates.iter().find(|t| t.template.is_below_upstream() && agent.upstream.is_empty());
        if let Some(user) = needs_upstream {
            let bad = at.upstream.and_then(|line| {
                self.problems.iter_mut().find(|p| p.line == line && p.message.starts_with("upstream "))
            });
            match bad {
                Some(problem) => problem.fatal = true,
                None => {
                    let message = format!(
                        "upstream is not set, but the url of vendor '{}' needs it; \
                         add option upstream 'https://prov.example.net'",
                        name_of(user)
                    );
                    self.report(at.line, true, message);
                }
            }
        }
        let no_https = "this build has no https; use http:// or a build with the feature https";
        if !https && agent.upstream.starts_with("https:") {
            self.report(at.upstream.unwrap_or(at.line), false, format!("upstream is https, but {no_https}"));
        }
        for template in templates {
            let name = name_of(template);
            if !https && template.template.is_own_https() {
                self.report(template.line, false, format!("vendor '{name}': url is https, but {no_https}"));
            }
            let unset = agent.provpass.is_empty() && agent.documents().is_none();
            if template.template.holds_provpass() && unset {
                let message = format!(
                    "vendor '{name}': url uses {{provpass}}, but provpass is not set; \
                     set it, or take the parameter out of the url"
                );
                self.report(template.line, false, message);
            }
        }
        if agent.documents().is_some() && agent.provpass.is_empty() {
            let message = "upstream is a folder of documents, but provpass is not set; \
                           set it to the urlpass of the accounts in that folder";
            self.report(at.upstream.unwrap_or(at.line), false, message);
        }
        if agent.enrol == Enrol::List && config.phones.is_empty() {
            let message = "enrol 'list' serves only config phone sections, and there is none";
            self.report(at.line, false, message);
        }
    }
}
