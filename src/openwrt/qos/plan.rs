//! What of ours is to be in each file, for the addresses that calls go to.

use super::edit::Ask;
use super::safe::Block;
use super::{fw4, qos_scripts, qosify, sqm, Backend, File, Router, HEADER, PREFIX};
use crate::bounds;
use crate::config::Qos;
use crate::proto::uci;
use std::collections::{BTreeMap, BTreeSet};

/// All that is to be written, and said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// By file; nothing of ours is to be in the others.
    pub files: BTreeMap<File, Ask>,
    /// The file of addresses that qosify reads.
    pub addresses: Option<String>,
    /// What keeps rules from being written or from working, with what to do.
    pub trouble: Vec<String>,
    /// What the admin should know.
    pub notes: Vec<String>,
}

/// The plan for a back end. Blocks are sorted here, so their order changes nothing.
pub fn plan(backend: Backend, router: &Router, qos: &Qos, blocks: &[Block]) -> Plan {
    let mut plan = Plan::default();
    let blocks = fewest(blocks, &mut plan);
    if blocks.is_empty() {
        return plan;
    }
    if router.offloads() {
        plan.notes.push(
            "flow offloading is on (option flow_offloading of /etc/config/firewall): after its first packets a connection \
             goes past all rules for calls; switch it off while the line is slower than the router"
                .into(),
        );
    }
    match backend {
        Backend::QosScripts => qos_scripts::plan(&mut plan, router, qos, &blocks),
        Backend::Fw4 => fw4::plan(&mut plan, router, &blocks),
        Backend::Sqm => {
            fw4::plan(&mut plan, router, &blocks);
            sqm::plan(&mut plan, router, qos);
        }
        Backend::Qosify => qosify::plan(&mut plan, router, qos, &blocks),
    }
    plan
}

/// Without blocks that lie within others, and no more than there may be.
fn fewest(blocks: &[Block], plan: &mut Plan) -> Vec<Block> {
    let all: BTreeSet<Block> = blocks.iter().copied().collect();
    let outer = |b: &&Block| !all.iter().any(|other| other != *b && other.covers(b));
    let mut out: Vec<Block> = all.iter().filter(outer).copied().collect();
    if out.len() > bounds::QOS_BLOCKS {
        plan.trouble.push(format!(
            "the media servers have {} addresses, and rules are written for {}; name their block instead (203.0.113.0/24)",
            out.len(),
            bounds::QOS_BLOCKS
        ));
        out.truncate(bounds::QOS_BLOCKS);
    }
    out
}

/// One of the three rules, in the words of the original system.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RuleText {
    pub number: u8,
    pub target: &'static str,
    pub source: String,
    pub destination: String,
    pub proto: &'static str,
    pub text: String,
}

/// The rules that a plan for these is, as people read them.
pub fn rules(blocks: &[Block]) -> Vec<RuleText> {
    let blocks = fewest(blocks, &mut Plan::default());
    let mut out = Vec::new();
    let all = || "all".to_string();
    for block in &blocks {
        let text = format!("Priority: UDP from all to media server {block}");
        let (source, destination) = (all(), block.to_string());
        out.push(RuleText { number: 1, target: "priority", source, destination, proto: "udp", text });
    }
    for block in &blocks {
        let text = format!("Priority: UDP from media server {block} to all");
        let (source, destination) = (block.to_string(), all());
        out.push(RuleText { number: 2, target: "priority", source, destination, proto: "udp", text });
    }
    if !blocks.is_empty() {
        let text = "Normal: everything else".to_string();
        out.push(RuleText { number: 3, target: "normal", source: all(), destination: all(), proto: "all", text });
    }
    out
}

/// The blocks that ours in the files are for, as they are now.
pub fn written(router: &Router) -> BTreeSet<Block> {
    let mut out = BTreeSet::new();
    for text in router.files.values() {
        let merged = uci::parse_all(text).0.merged();
        let ours = merged.sections.iter().filter(|s| s.name.as_deref().is_some_and(|n| n.starts_with(PREFIX)));
        let values = ours.flat_map(|s| &s.entries).filter(|e| matches!(e.name.as_str(), "dsthost" | "dest_ip"));
        out.extend(values.filter_map(|e| Block::parse(&e.value)));
    }
    let addresses = router.addresses.as_deref().filter(|text| text.starts_with(HEADER)).unwrap_or_default();
    out.extend(addresses.lines().filter_map(|line| Block::parse(line.split('\t').next()?)));
    out
}
