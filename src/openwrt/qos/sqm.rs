//! sqm-scripts: a queue of CAKE with diffserv4 on the line, for what [`super::fw4`] marks. What comes from the line is queued
//! before the firewall can mark it; there CAKE goes by the provider's marks, and else keeps thin streams ahead of thick ones.

use super::plan::Plan;
use super::router::Router;
use super::safe::{Rule, Word};
use super::{Ask, File};
use crate::config::Qos;
use crate::proto::uci::{self, Section};

/// Without `ingress`, which also counts what CAKE drops: UDP that sends on beyond its share then gets nothing through, its
/// queue grows until CAKE's memory is full, and from there on calls lose packets and wait for seconds (docs/qos.md, measured).
const INGRESS: &str = "diffserv4 nat dual-dsthost";
const EGRESS: &str = "diffserv4 nat dual-srchost";

pub(super) fn plan(plan: &mut Plan, router: &Router, qos: &Qos) {
    let Some(device) = router.wan().device.filter(|d| d.as_str().len() <= 15) else {
        plan.trouble.push(
            "which device is the line to the provider is not known: name it (--wan DEVICE), or bring the network in zone 'wan' up".into(),
        );
        return;
    };
    let sections = router.sections(File::Sqm);
    let queues = || sections.iter().filter(|s| s.kind == "queue" && s.get("interface") == Some(device.as_str()));
    if let Some(theirs) = queues().find(|s| s.get("enabled") == Some("1")) {
        plan.notes.extend(by_hand(theirs, &device));
        return;
    }
    if qos.upload == 0 || qos.download == 0 {
        plan.trouble.push(
            "sqm does nothing yet: set option upload and option download (kbit/s) of config qos 'qos' to a little less than the \
             line has"
                .into(),
        );
        return;
    }
    let queue = Rule::new("queue", "wan", 0)
        .option("enabled", "1")
        .option("interface", &device)
        .option("download", qos.download)
        .option("upload", qos.upload)
        .option("qdisc", "cake")
        .option("script", "layer_cake.qos")
        // the next and the one before iqdisc_opts unfold them in LuCI
        .option("qdisc_advanced", "1")
        .option("squash_dscp", "0")
        .option("squash_ingress", "0")
        .option("qdisc_really_really_advanced", "1")
        .option("iqdisc_opts", INGRESS)
        .option("eqdisc_opts", EGRESS)
        .option("linklayer", "none");
    plan.files.insert(File::Sqm, Ask { sections: vec![queue.done()], borrowed: None });
}

/// The device of our queue in the text of `/etc/config/sqm`.
pub fn queue_device(text: &str) -> Option<String> {
    let merged = uci::parse_all(text).0.merged();
    let ours = merged.sections.iter().find(|s| s.kind == "queue" && s.name.as_deref() == Some("phoneprov_wan"))?;
    ours.get("interface").map(str::to_string)
}

/// What is to be set in a queue of the admin's own, if anything.
fn by_hand(queue: &Section, device: &Word) -> Option<String> {
    let diffserv = |name| queue.get(name).is_some_and(|v| v.split_whitespace().any(|w| w == "diffserv4"));
    let mut set: Vec<String> = Vec::new();
    for (name, value) in
        [("qdisc", "cake"), ("script", "layer_cake.qos"), ("squash_dscp", "0"), ("squash_ingress", "0")]
    {
        if queue.get(name) != Some(value) {
            set.push(format!("option {name} '{value}'"));
        }
    }
    for (name, value) in [("iqdisc_opts", INGRESS), ("eqdisc_opts", EGRESS)] {
        if !diffserv(name) {
            set.push(format!("option {name} '{value}'"));
        }
    }
    (!set.is_empty()).then(|| {
        format!(
            "/etc/config/sqm has a queue of yours on {device}, which is left as it is and keeps its speeds; so that it gives calls the right of way, set \
             in it: {}",
            set.join(", ")
        )
    })
}
