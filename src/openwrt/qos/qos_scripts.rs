//! qos-scripts: classes of HFSC, chosen by iptables. The first `config classify` that matches a connection decides, so ours
//! stand first. A packet from the line has no address that a rule could match yet; it has the class of its connection, which
//! rule 1 chose when the router's side sent its first packet.
//!
//! `config default` and `config reclassify` are asked again for each packet, with the connection's class kept in the lower half of the
//! mark only: so the `default` rules that the package brings would move a call into Express from its second packet on. A
//! `reclassify` of ours before them sets both halves, and `default` looks at packets without the upper one only. A `reclassify`
//! of the admin's comes later, and so still counts.

use super::plan::Plan;
use super::router::Router;
use super::safe::{borrowed, Block, Rule, Safe, Word};
use super::{Ask, File};
use crate::config::Qos;
use crate::proto::uci::Section;

pub(super) fn plan(plan: &mut Plan, router: &Router, qos: &Qos, blocks: &[Block]) {
    let sections = router.sections(File::Qos);
    let (four, six): (Vec<&Block>, Vec<&Block>) = blocks.iter().partition(|b| b.is_ipv4());
    if !six.is_empty() {
        plan.notes.push(format!("qos-scripts has rules for IPv4 only: {} left out", list(&six)));
    }
    if four.is_empty() {
        plan.trouble.push("no media server has an IPv4 address, and qos-scripts needs one".into());
        return;
    }
    // its generator fails as a whole at a class that is not there
    let classes: Vec<&str> =
        sections.iter().filter(|s| s.kind == "classgroup").filter_map(|s| s.get("classes")).collect();
    for class in ["Priority", "Normal"] {
        if classes.is_empty() || !classes.iter().all(|all| all.split_whitespace().any(|c| c == class)) {
            plan.trouble.push(format!(
                "/etc/config/qos has a classgroup without the class {class}, and a rule for a class that is not there ends all of \
                 qos-scripts; add it to option classes, as in the file that the package brings"
            ));
            return;
        }
    }
    let later = sections.iter().filter(|s| s.kind == "classify").count();
    if later > 0 {
        plan.notes.push(format!(
            "{later} other classify rule{} of /etc/config/qos come{} after rule 3, which takes all that is not for a media server: \
             {} not looked at while ours are there",
            if later == 1 { "" } else { "s" },
            if later == 1 { "s" } else { "" },
            if later == 1 { "it is" } else { "they are" },
        ));
    }
    let mut ask = Ask::default();
    for kind in ["classify", "reclassify"] {
        let keep = kind == "reclassify";
        let rule = |role, number| Rule::new(kind, role, number).option("target", "Priority");
        for (i, block) in four.iter().copied().enumerate() {
            let to = rule(if keep { "keep_to" } else { "to" }, i).option("dsthost", block).option("proto", "udp");
            ask.sections.push(to.option("comment", "phoneprov to media server").done());
            let from = rule(if keep { "keep_from" } else { "from" }, i).option("srchost", block).option("proto", "udp");
            ask.sections.push(from.option("comment", "phoneprov from media server").done());
        }
    }
    let rest = Rule::new("classify", "rest", 0).option("target", "Normal");
    ask.sections.push(rest.option("comment", "phoneprov everything else").done());
    match line(router, &sections) {
        None => plan.trouble.push(
            "which network is the line to the provider is not known (no zone 'wan' in /etc/config/firewall): add config interface \
             with enabled, upload and download to /etc/config/qos"
                .into(),
        ),
        Some(network) => {
            let there = sections.iter().find(|s| is_interface(s) && s.name.as_deref() == Some(network.as_str()));
            // without option enabled it is on
            let on = there.is_some_and(|s| !matches!(s.get("enabled"), Some("0" | "off" | "false" | "no" | "disabled")));
            let mut options: Vec<(&'static str, Safe)> = Vec::new();
            if qos.upload > 0 {
                options.push(("upload", qos.upload.into()));
            }
            if qos.download > 0 {
                options.push(("download", qos.download.into()));
            }
            match (qos.upload > 0 && qos.download > 0, on) {
                // what the package brings is off, and set to the speed of ISDN
                (false, false) => {
                    options.clear();
                    plan.trouble.push(format!(
                        "qos-scripts does nothing yet: the interface '{network}' of /etc/config/qos is off; set option upload and \
                         option download (kbit/s) of config qos 'qos' to a little less than the line has"
                    ));
                }
                (true, false) => options.insert(0, ("enabled", "1".into())),
                _ => {}
            }
            if !options.is_empty() {
                ask.borrowed = Some(borrowed("interface", &network, options));
            }
        }
    }
    plan.files.insert(File::Qos, ask);
}

fn is_interface(section: &Section) -> bool {
    section.kind == "interface"
}

/// The interface section that is the line: of the network in the zone of the provider, else the only one.
fn line(router: &Router, sections: &[Section]) -> Option<Word> {
    router.wan().network.or_else(|| {
        let mut all = sections.iter().filter(|s| is_interface(s));
        let only = all.next()?.name.as_deref().and_then(Word::new).filter(Word::is_name);
        only.filter(|_| all.next().is_none())
    })
}

pub(super) fn list(blocks: &[&Block]) -> String {
    let all: Vec<String> = blocks.iter().map(|b| b.to_string()).collect();
    match all.as_slice() {
        [one] => format!("{one} is"),
        all => format!("{} are", all.join(", ")),
    }
}
