//! Whose phone is it? From the MAC, the User-Agent, the Event header and the DHCP vendor class id.

use super::text;
use super::types::Vendor;
use crate::proto::mac::{Mac, MacPattern};

/// Prefixes that several makers' devices carry, whatever section names them: RTX makes snom's M300 to M900, and
/// DECT bases for others.
const SHARED_PREFIXES: &[[u8; 3]] = &[[0x00, 0x08, 0x7b]];

/// Does a MAC of this pattern prove the brand by itself? Where not, the phone must say it besides: see [`detect`].
pub fn is_proof(vendor: &Vendor, pattern: &MacPattern) -> bool {
    // a pattern has six fixed digits at the least
    let shared = |[a, b, c]: &[u8; 3]| pattern.to_string().starts_with(&format!("{a:02x}:{b:02x}:{c:02x}:"));
    pattern.digits() == 12 || (vendor.oui_is_proof && !SHARED_PREFIXES.iter().any(shared))
}

/// One configured vendor section.
#[derive(Clone)]
pub struct Active {
    /// What is known of the brand; [`super::GENERIC`] for a name the binary does not know.
    pub vendor: &'static Vendor,
    /// The section's name.
    pub name: String,
    /// Serve its phones?
    pub enabled: bool,
    /// The section's MAC patterns (not the brand's defaults).
    pub ouis: Vec<MacPattern>,
}

/// What is known of a phone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// Its MAC, as it says or as the neighbour table says.
    pub mac: Option<Mac>,
    /// SIP or HTTP User-Agent.
    pub user_agent: Option<&'a str>,
    /// The Event header's `vendor` (or `vender`) parameter, unquoted.
    pub event_vendor: Option<&'a str>,
    /// Vendor class id (DHCP option 60), as printable text.
    pub class_id: Option<&'a str>,
}

/// The answer; the numbers are places in the list of sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detected {
    /// A phone of this enabled section.
    Vendor(usize),
    /// A phone of this section, which is switched off: it gets no answer.
    Disabled(usize),
    /// No phone of ours.
    Unknown,
}

/// Finds the section of a phone.
///
/// The MAC decides. It is the one thing a phone cannot leave out or word in its own way, while Event may say
/// `vendor="OEM"` (snom, VTech) or a trading name, and a User-Agent may be missing. So:
///
/// * The longest pattern that matches wins, among all sections, enabled or not: a disabled section with a longer
///   pattern keeps its phones from an enabled one with a shorter. Of equally long ones an enabled section goes first
///   (the admin wants it served), then one whose brand the phone names itself, then the first in the file.
/// * A User-Agent of another brand does not count against an OUI that is a proof: rebranded phones (Attimo by
///   Fanvil, ClearlyIP by Htek, VTech with a snom OUI) name their seller there.
/// * Where the OUI is on other devices too ([`Vendor::oui_is_proof`] is false, or a shared prefix), the User-Agent,
///   Event or vendor class id must name the brand; a router or camera that happens to ask gets nothing. A full MAC as pattern is
///   the admin's own word for that one device and needs no second proof.
/// * A MAC without a match is a stranger, whatever its User-Agent says: texts are easily said, another responder may
///   serve that phone, and what the agent would hand out are SIP passwords.
/// * Only without any MAC (AudioCodes, or a neighbour table that does not know the source) do the User-Agent,
///   then Event, then the class id decide, so that the answer can be logged and asked again with a MAC.
pub fn detect(sections: &[Active], evidence: &Evidence) -> Detected {
    let best = match evidence.mac {
        Some(mac) => by_mac(sections, evidence, mac),
        None => by_text(sections, evidence),
    };
    match best {
        Some(i) if sections.get(i).is_some_and(|s| s.enabled) => Detected::Vendor(i),
        Some(i) => Detected::Disabled(i),
        None => Detected::Unknown,
    }
}

fn by_mac(sections: &[Active], evidence: &Evidence, mac: Mac) -> Option<usize> {
    let matches = sections.iter().enumerate().filter_map(|(i, section)| {
        let digits = section.ouis.iter().filter(|p| p.matches(mac)).map(MacPattern::digits).max()?;
        Some((digits, section.enabled, says(section.vendor, evidence), std::cmp::Reverse(i)))
    });
    let (digits, _, named, std::cmp::Reverse(i)) = matches.max()?;
    let section = sections.get(i)?;
    let pattern = section.ouis.iter().find(|p| p.digits() == digits && p.matches(mac))?;
    (named || is_proof(section.vendor, pattern)).then_some(i)
}

fn by_text(sections: &[Active], evidence: &Evidence) -> Option<usize> {
    let first = |test: &dyn Fn(&Vendor) -> bool| {
        let enabled = sections.iter().position(|s| s.enabled && test(s.vendor));
        enabled.or_else(|| sections.iter().position(|s| test(s.vendor)))
    };
    first(&|v| agent_says(v, evidence))
        .or_else(|| first(&|v| event_says(v, evidence)))
        .or_else(|| first(&|v| class_says(v, evidence)))
}

fn says(vendor: &Vendor, evidence: &Evidence) -> bool {
    agent_says(vendor, evidence) || event_says(vendor, evidence) || class_says(vendor, evidence)
}

fn class_says(vendor: &Vendor, evidence: &Evidence) -> bool {
    evidence.class_id.is_some_and(|class| (vendor.class_id)(class).is_some())
}

fn agent_says(vendor: &Vendor, evidence: &Evidence) -> bool {
    evidence.user_agent.is_some_and(|agent| (vendor.user_agent)(agent).is_some())
}

fn event_says(vendor: &Vendor, evidence: &Evidence) -> bool {
    evidence.event_vendor.is_some_and(|name| vendor.event_vendors.iter().any(|v| name.trim().eq_ignore_ascii_case(v)))
}

/// The model in an Event header's `model` parameter, without the brand before it (`snomD120` is a `D120`, as in the
/// User-Agent). `None` for texts that name none: `OEM`, Fanvil's `VOIP PHONE`, the brand itself.
pub fn model_from_event(vendor: &Vendor, model: &str) -> Option<String> {
    let model = model.trim();
    let brand = vendor.event_vendors.iter().find(|b| model.get(..b.len()).is_some_and(|h| h.eq_ignore_ascii_case(b)));
    let bare = brand.and_then(|b| model.get(b.len()..)).unwrap_or(model).trim_matches([' ', '-', '_']);
    let nothing = ["OEM", "VOIP PHONE", "", "ATCOM"].iter().any(|n| bare.eq_ignore_ascii_case(n));
    if nothing {
        None
    } else {
        text::fact(bare)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::vendor::{by_name, ALL, GENERIC};
    use proptest::prelude::*;

    fn section(vendor: &'static Vendor, name: &str, enabled: bool, ouis: &[&str]) -> Active {
        let ouis = ouis.iter().map(|o| MacPattern::parse(o).unwrap()).collect();
        Active { vendor, name: name.into(), enabled, ouis }
    }

    fn defaults() -> Vec<Active> {
        ALL.iter().map(|v| section(v, v.name, ["snom", "mitel"].contains(&v.name), v.ouis)).collect()
    }

    fn seen<'a>(mac: &str, agent: &'a str, event: &'a str) -> Evidence<'a> {
        let some = |t: &'a str| (!t.is_empty()).then_some(t);
        Evidence { mac: Mac::parse(mac), user_agent: some(agent), event_vendor: some(event), class_id: None }
    }

    const CISCO_UA: &str = "Cisco/SPA508G-7.4.4 (0002FDFF2103)(CBT141400UK)";

    #[test]
    fn defaults_find_their_phones() {
        let all = defaults();
        let table = [
            // snom in the words of phone-facts 1.3
            (seen("000413AABBCC", "", "OEM"), Detected::Vendor(0)),
            (seen("1c7126000001", "snomD120/10.1.39.11", "snom"), Detected::Vendor(0)),
            (seen("00085d000001", "", ""), Detected::Vendor(1)),
            // contradiction: the OUI wins
            (seen("000413AABBCC", "Yealink SIP-T46G 28.72.0.1", "Yealink"), Detected::Vendor(0)),
            (seen("001565000001", "", ""), Detected::Disabled(2)),
            // second proof
            (seen("c074ad000001", "", ""), Detected::Unknown),
            (seen("c074ad000001", "Grandstream GRP2612W 1.0.5.67", ""), Detected::Disabled(3)),
            (seen("c074ad000001", "", "Grandstream"), Detected::Disabled(3)),
            (seen("0002fd000001", "Yealink SIP-T46G 28.72.0.1", ""), Detected::Unknown),
            (seen("0002fd000001", CISCO_UA, ""), Detected::Disabled(10)),
            // strangers, whatever they say
            (seen("020000000001", "snomD120/10.1.39.11", "snom"), Detected::Unknown),
            // without a MAC
            (seen("", "snomD120/10.1.39.11", ""), Detected::Vendor(0)),
            (seen("", "", "SNOM"), Detected::Vendor(0)),
            (seen("", "", "OEM"), Detected::Unknown),
            (seen("", "AUDC-IPPhone/2.2.2", ""), Detected::Unknown),
            (seen("", "", ""), Detected::Unknown),
        ];
        for (evidence, expected) in table {
            assert_eq!(detect(&all, &evidence), expected, "{evidence:?}");
        }
    }

    #[test]
    fn the_longest_pattern_wins_even_when_disabled() {
        let snom = by_name("snom").unwrap();
        let all = [
            section(snom, "snom", true, &["00:04:13:*:*:*"]),
            section(&GENERIC, "lab", false, &["00:04:13:aa:b*"]),
            section(&GENERIC, "one", true, &["00:04:13:aa:bb:cc"]),
        ];
        assert_eq!(detect(&all, &seen("000413000000", "", "")), Detected::Vendor(0));
        assert_eq!(detect(&all, &seen("000413aabb00", "", "")), Detected::Disabled(1));
        assert_eq!(detect(&all, &seen("000413aabbcc", "", "")), Detected::Vendor(2));
    }

    #[test]
    fn of_equal_patterns_the_enabled_then_the_named_then_the_first() {
        let fanvil = by_name("fanvil").unwrap();
        let oui = &["0c:38:3e:*:*:*"];
        let off = [section(fanvil, "fanvil", false, oui), section(&GENERIC, "attimo", true, oui)];
        assert_eq!(detect(&off, &seen("0c383e000001", "Fanvil X4 2.10.2.6887", "")), Detected::Vendor(1));
        let both = [section(&GENERIC, "attimo", true, oui), section(fanvil, "fanvil", true, oui)];
        assert_eq!(detect(&both, &seen("0c383e000001", "Fanvil X4 2.10.2.6887", "")), Detected::Vendor(1));
        assert_eq!(detect(&both, &seen("0c383e000001", "", "")), Detected::Vendor(0));
    }

    #[test]
    fn shared_prefixes_and_full_macs() {
        let snom = by_name("snom").unwrap();
        let rtx = [section(snom, "snom", true, &["00:08:7b:*:*:*"])];
        assert_eq!(detect(&rtx, &seen("00087b000001", "", "OEM")), Detected::Unknown);
        assert_eq!(detect(&rtx, &seen("00087b000001", "", "snom")), Detected::Vendor(0));
        let one = [section(by_name("cisco").unwrap(), "cisco", true, &["0002fd000001"])];
        assert_eq!(detect(&one, &seen("0002fd000001", "", "")), Detected::Vendor(0));
    }

    #[test]
    fn a_class_id_is_a_second_proof() {
        let all = defaults();
        let seen = |mac, class| Evidence { mac: Mac::parse(mac), class_id: Some(class), ..Evidence::default() };
        for (mac, class, expected) in [
            ("0002fd000001", "Cisco SPA501G", Detected::Disabled(10)),
            ("0002fd000001", "Cisco Systems, Inc. IP Phone CP-7960G", Detected::Disabled(10)),
            ("0002fd000001", "Cisco AP c1240", Detected::Unknown),
            ("c074ad000001", "Grandstream GRP2612W", Detected::Disabled(3)),
            ("c074ad000001", "Grandstream GXV3611", Detected::Unknown),
            // contradiction: the OUI wins
            ("000413000001", "yealink", Detected::Vendor(0)),
            ("020000000001", "snomD120", Detected::Unknown),
        ] {
            assert_eq!(detect(&all, &seen(mac, class)), expected, "{mac} {class}");
        }
        let rtx = [section(by_name("snom").unwrap(), "snom", true, &["00:08:7b:*:*:*"])];
        assert_eq!(detect(&rtx, &seen("00087b000001", "snomM700")), Detected::Vendor(0));
        assert_eq!(detect(&all, &Evidence { class_id: Some("snomM700"), ..Evidence::default() }), Detected::Vendor(0));
    }

    #[test]
    fn what_proves_a_brand() {
        let proof = |name: &str, oui: &str| is_proof(by_name(name).unwrap(), &MacPattern::parse(oui).unwrap());
        assert!(proof("snom", "00:04:13:*:*:*") && proof("cisco", "0002fd000001") && proof("snom", "00087b000001"));
        assert!(!proof("snom", "00:08:7b:*:*:*") && !proof("snom", "00:08:7b:1*:*:*") && !proof("cisco", "000e08"));
    }

    #[test]
    fn models_of_event_headers() {
        let snom = by_name("snom").unwrap();
        let fanvil = by_name("fanvil").unwrap();
        let table = [
            (snom, "snomD120", Some("D120")),
            (snom, "OEM", None),
            (snom, "snom", None),
            (fanvil, "VOIP PHONE", None),
            (fanvil, "X4", Some("X4")),
            (fanvil, "", None),
        ];
        for (vendor, model, expected) in table {
            assert_eq!(model_from_event(vendor, model).as_deref(), expected, "{model}");
        }
    }

    proptest! {
        #[test]
        fn total(
            mac in prop::option::of(any::<[u8; 6]>()),
            oui in any::<[u8; 3]>(),
            take in any::<bool>(),
            agent in prop::option::of(".{0,80}"),
            event in prop::option::of(".{0,20}"),
            on in prop::collection::vec(any::<bool>(), 12),
        ) {
            let mut all = defaults();
            all.push(section(&GENERIC, "other", true, &[&format!("{:02x}:{:02x}:{:02x}:*:*:*", oui[0], oui[1], oui[2])]));
            for (section, on) in all.iter_mut().zip(&on) { section.enabled = *on; }
            let mac = mac.map(|m| Mac(if take { [oui[0], oui[1], oui[2], m[3], m[4], m[5]] } else { m }));
            let evidence = Evidence { mac, user_agent: agent.as_deref(), event_vendor: event.as_deref(), class_id: None };
            match detect(&all, &evidence) {
                Detected::Vendor(i) => prop_assert!(all[i].enabled),
                Detected::Disabled(i) => prop_assert!(!all[i].enabled),
                Detected::Unknown => {
                    // never for a MAC that an OUI-proof section lists
                    let listed = |s: &Active| s.vendor.oui_is_proof && mac.is_some_and(|m| s.ouis.iter().any(|o| o.matches(m)));
                    let shared = oui == [0, 8, 0x7b];
                    prop_assert!(shared || !all.iter().any(listed) || all.iter().any(|s| !s.vendor.oui_is_proof
                        && mac.is_some_and(|m| s.ouis.iter().any(|o| o.matches(m)))));
                }
            }
        }
    }
}
