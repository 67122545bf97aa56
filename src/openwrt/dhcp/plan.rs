//! Which MACs are told what, on which device.

use crate::config::{Config, Enrol};
use crate::core::given::{given, Given};
use crate::proto::mac::{Mac, MacPattern};
use crate::proto::url::{Mapping, Template, Values};
use crate::vendor::{self, Vendor};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A served device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// `br-lan`
    pub device: String,
    /// Logical network, where it was named so: `lan`.
    pub network: Option<String>,
    /// The router's (first) address there.
    pub address: Ipv4Addr,
}

/// All that phones are to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub(super) groups: Vec<Group>,
    /// Vendor sections that cannot be told of, wholly or in part: sentences that say why, and what to do.
    pub refused: Vec<String>,
}

/// Phones of one vendor section that are told the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Name of the vendor section.
    pub vendor: String,
    /// The tag that [`Group::macs`] set; begins with the prefix that all of ours has.
    pub tag: String,
    pub macs: Vec<MacPattern>,
    /// Prefixes and MACs among these that are another section's.
    pub except: Vec<MacPattern>,
    /// Their vendor class id must have one of these parts; empty: no second proof is needed.
    pub marks: &'static [&'static str],
    /// Per device.
    pub told: Vec<(String, Vec<Given>)>,
}

impl Plan {
    /// Names of the vendor sections whose phones are told something.
    pub fn vendors(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.groups.iter().map(|g| g.vendor.as_str()).collect();
        names.dedup();
        names
    }
}

/// The name that all of ours begin with: a section of `/etc/config/dhcp`, a tag of dnsmasq.
pub(super) const PREFIX: &str = "phoneprov_";

/// A tag, or a section's name, of a vendor section. No two are the same for different sections: `_` in a vendor's name is
/// doubled, and what is added has none.
pub(super) fn name(vendor: &str, role: &str) -> String {
    let separator = if role.is_empty() { "" } else { "_" };
    format!("{PREFIX}{}{separator}{role}", vendor.replace('_', "__"))
}

/// The tag of MACs that match a group, and are none of its phones.
pub(super) fn except_tag(group: &Group) -> String {
    format!("{}not", tag_with_separator(group))
}

/// The tag of a vendor class id that names the brand.
pub(super) fn class_tag(group: &Group) -> String {
    name(&group.vendor, "class")
}

/// The group's tag, ready for another part.
pub(super) fn tag_with_separator(group: &Group) -> String {
    let own = name(&group.vendor, "");
    if group.tag == own {
        format!("{own}_")
    } else {
        group.tag.clone()
    }
}

/// Whose is a MAC of this pattern, unless it is also of a longer one?
struct Claim {
    pattern: MacPattern,
    /// An enabled vendor section, by its place in the config; `None`: nobody that is served.
    owner: Option<usize>,
    /// Is the MAC proof enough ([`vendor::is_proof`])?
    proof: bool,
}

/// What phones are to be told. `detect`'s rules hold (the longest pattern, enabled before disabled, `config phone` before all),
/// as far as they can without the phone's own words.
pub fn plan(config: &Config, served: &[Served]) -> Plan {
    let mut plan = Plan::default();
    let claims = claims(config);
    for (i, section) in config.vendors.iter().enumerate().filter(|(_, s)| s.enabled) {
        let rules = vendor::by_name(&section.name).unwrap_or(&vendor::GENERIC);
        let told = match told(config, i, rules, served) {
            Ok(told) => told,
            Err(why) => {
                plan.refused.push(why);
                continue;
            }
        };
        for proof in [true, false] {
            let own: Vec<MacPattern> =
                claims.iter().filter(|c| c.owner == Some(i) && c.proof == proof).map(|c| c.pattern).collect();
            if own.is_empty() {
                continue;
            }
            if !proof && rules.class_marks.is_empty() {
                plan.refused.push(format!(
                    "vendor '{}': its prefix {} is on other devices too, and how its phones name themselves by DHCP is not \
                     known: they are not told; name them one by one with config phone",
                    section.name,
                    own.first().map(MacPattern::to_string).unwrap_or_default()
                ));
                continue;
            }
            let others: Vec<MacPattern> = claims.iter().filter(|c| c.owner != Some(i)).map(|c| c.pattern).collect();
            for (level, (macs, except)) in levels(own, &others).into_iter().enumerate() {
                let role = match (proof, level) {
                    (true, 0) => String::new(),
                    (true, n) => format!("in{n}"),
                    (false, 0) => "oui".into(),
                    (false, n) => format!("oui{n}"),
                };
                plan.groups.push(Group {
                    vendor: section.name.clone(),
                    tag: name(&section.name, &role),
                    macs,
                    except,
                    marks: if proof { &[] } else { rules.class_marks },
                    told: told.clone(),
                });
            }
        }
    }
    plan
}

/// What phones of a section are told on each device.
fn told(
    config: &Config,
    section: usize,
    rules: &Vendor,
    served: &[Served],
) -> Result<Vec<(String, Vec<Given>)>, String> {
    let Some(section) = config.vendors.get(section) else { return Ok(Vec::new()) };
    let template = Template::parse(&section.url).map_err(|why| format!("vendor '{}': its url {why}", section.name))?;
    let mapping = Mapping::new(&section.name, &template, config.agent.base(), config.agent.provpass.expose())
        .map_err(|why| format!("vendor '{}': {why}", section.name))?;
    served
        .iter()
        .map(|s| {
            let router = SocketAddrV4::new(s.address, config.agent.port);
            Ok((s.device.clone(), given(rules, &mapping, &Values::default(), router)?))
        })
        .collect()
}

fn claims(config: &Config) -> Vec<Claim> {
    let enabled = |name: &str| config.vendors.iter().position(|v| v.name == name && v.enabled);
    let mut known: HashMap<MacPattern, ()> = HashMap::new();
    let mut claims: Vec<Claim> = Vec::new();
    let mut claim = |claim: Claim| {
        if known.insert(claim.pattern, ()).is_none() {
            claims.push(claim);
        }
    };
    for phone in &config.phones {
        if let Some(name) = &phone.vendor {
            claim(Claim { pattern: MacPattern::of(phone.mac), owner: enabled(name), proof: true });
        }
    }
    for wanted in [true, false] {
        for (i, section) in config.vendors.iter().enumerate().filter(|(_, s)| s.enabled == wanted) {
            let rules = vendor::by_name(&section.name).unwrap_or(&vendor::GENERIC);
            for pattern in &section.ouis {
                let proof = vendor::is_proof(rules, pattern);
                claim(Claim { pattern: *pattern, owner: Some(i).filter(|_| wanted), proof });
            }
        }
    }
    if config.agent.enrol != Enrol::List {
        return claims;
    }
    // the listed phones alone, each by the claim that it would fall under
    let of = |mac: Mac| claims.iter().filter(|c| c.pattern.matches(mac)).max_by_key(|c| c.pattern.digits());
    let listed: HashMap<MacPattern, Claim> = config
        .phones
        .iter()
        .filter_map(|phone| {
            let claim = of(phone.mac)?;
            let pattern = MacPattern::of(phone.mac);
            Some((pattern, Claim { pattern, owner: claim.owner, proof: claim.proof }))
        })
        .collect();
    let mut listed: Vec<Claim> = listed.into_values().collect();
    listed.sort_by_key(|c| c.pattern.hex());
    listed
}

/// A section's patterns in groups, each with the patterns of others that lie within it. All of a group's own that lie within
/// those in turn are in a later group.
fn levels(own: Vec<MacPattern>, others: &[MacPattern]) -> Vec<(Vec<MacPattern>, Vec<MacPattern>)> {
    let mut out = Vec::new();
    let mut rest = own;
    while !rest.is_empty() {
        let inside = |all: &[MacPattern], q: &MacPattern| all.iter().any(|p| p.covers(q) && p != q);
        let cuts: Vec<MacPattern> = others.iter().copied().filter(|q| inside(&rest, q)).collect();
        let (here, later): (Vec<MacPattern>, Vec<MacPattern>) =
            rest.iter().partition(|p| !cuts.iter().any(|q| q.covers(p)));
        let except = cuts.into_iter().filter(|q| inside(&here, q)).collect();
        if here.is_empty() {
            break;
        }
        out.push((here, except));
        rest = later;
    }
    out
}
