//! qosify: a file of addresses with their class, and an interface that CAKE is on. It looks at the far address of a packet
//! only, so a line of its file is rules 1 and 2 together, and for TCP as well.

use super::plan::Plan;
use super::qos_scripts::list;
use super::router::Router;
use super::safe::{borrowed, Block, Safe};
use super::{Ask, File};
use crate::config::Qos;

/// What our file of addresses begins with.
pub const HEADER: &str = "# Written by phoneprov, and by it alone: ";

pub(super) fn plan(plan: &mut Plan, router: &Router, qos: &Qos, blocks: &[Block]) {
    let sections = router.sections(File::Qosify);
    let (single, wide): (Vec<&Block>, Vec<&Block>) = blocks.iter().partition(|b| b.is_single());
    if !wide.is_empty() {
        plan.trouble.push(format!(
            "qosify has rules for single addresses only: {} left out; name the servers themselves",
            list(&wide)
        ));
    }
    if single.is_empty() {
        return;
    }
    if !sections.iter().any(|s| s.kind == "class" && s.name.as_deref() == Some("voice")) {
        plan.trouble
            .push("/etc/config/qosify has no class 'voice'; add it, as in the file that the package brings".into());
        return;
    }
    let reads = |value: &str| {
        value.split_whitespace().any(|v| v == "/etc/qosify/*.conf" || v == "/etc/qosify/50-phoneprov.conf")
    };
    if !sections.iter().flat_map(|s| &s.entries).any(|e| e.name == "defaults" && reads(&e.value)) {
        plan.trouble.push(
            "/etc/config/qosify does not read /etc/qosify/50-phoneprov.conf: add list defaults '/etc/qosify/*.conf'"
                .into(),
        );
    }
    let mut text = format!("{HEADER}phoneprov qos apply writes it anew, phoneprov qos remove takes it away.\n");
    single.iter().for_each(|block| text.push_str(&format!("{block}\tvoice\n")));
    plan.addresses = Some(text);
    let Some(network) = router.wan().network else {
        plan.trouble.push(
            "which network is the line to the provider is not known (no zone 'wan' in /etc/config/firewall): add config interface \
             with bandwidth_up and bandwidth_down to /etc/config/qosify"
                .into(),
        );
        return;
    };
    let is_line = |s: &&crate::proto::uci::Section| {
        s.kind == "interface"
            && (s.name.as_deref() == Some(network.as_str()) || s.get("name") == Some(network.as_str()))
    };
    let there = sections.iter().find(is_line);
    let off = there.is_none_or(|s| matches!(s.get("disabled"), Some("1" | "on" | "true" | "yes" | "enabled")));
    if qos.upload == 0 || qos.download == 0 {
        if off {
            plan.trouble.push(format!(
                "qosify does nothing yet: the interface '{network}' of /etc/config/qosify is off; set option upload and option download \
                 (kbit/s) of config qos 'qos' to a little less than the line has"
            ));
        }
        return;
    }
    let Some(section) = there.map_or(Some(network.clone()), |s| s.name.as_deref().and_then(super::Word::new)) else {
        plan.trouble.push(format!(
            "the interface '{network}' of /etc/config/qosify needs a name: config interface '{network}'"
        ));
        return;
    };
    let options: Vec<(&'static str, Safe)> = vec![
        ("name", (&network).into()),
        ("disabled", "0".into()),
        ("bandwidth_up", Safe::kbit(qos.upload)),
        ("bandwidth_down", Safe::kbit(qos.download)),
        ("mode", "diffserv4".into()),
    ];
    plan.files
        .insert(File::Qosify, Ask { sections: Vec::new(), borrowed: Some(borrowed("interface", &section, options)) });
}
