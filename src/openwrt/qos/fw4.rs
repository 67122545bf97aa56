//! fw4: marks (DSCP) in the firewall. What shapes the line, here or at the provider, gives marked packets the right of way,
//! and so does WiFi. Unmarked is normal, so rule 3 needs nothing.
//!
//! Both rules are from zone to zone, which fw4 has in `mangle_forward`. Ours stand at the end: the last mark is the one that
//! stays. No rule takes EF from others on the LAN: phones mark their own packets so, also for servers that nobody named.

use super::plan::Plan;
use super::router::Router;
use super::safe::{Block, Rule, Word};
use super::{Ask, File};

pub(super) fn plan(plan: &mut Plan, router: &Router, blocks: &[Block]) {
    if !router.files.contains_key(&File::Firewall) {
        plan.trouble.push("there is no /etc/config/firewall, so packets cannot be marked".into());
        return;
    }
    let wan = router.wan();
    let (zones, notes) = router.lan(&wan);
    plan.notes.extend(notes);
    let Some(line) = wan.zone else {
        plan.trouble.push("/etc/config/firewall has no zone 'wan' (and none with masq '1'), so it is not known where calls leave the router".into());
        return;
    };
    if zones.is_empty() {
        plan.trouble.push(
            "no zone of /etc/config/firewall has a network with phones; look at list network of config agent 'main', and \
             at the networks of the zones"
                .into(),
        );
        return;
    }
    let mut ask = Ask::default();
    for (i, zone) in zones.iter().enumerate() {
        let rule = |role, name: &'static str, src: &Word, dest: &Word| {
            let rule = Rule::new("rule", role, i).option("name", name);
            rule.option("src", src).option("dest", dest).option("proto", "udp")
        };
        let to = rule("to", "phoneprov to media server", zone, &line).items("dest_ip", blocks.iter());
        ask.sections.push(to.option("target", "DSCP").option("set_dscp", "EF").done());
        let from = rule("from", "phoneprov from media server", &line, zone).items("src_ip", blocks.iter());
        ask.sections.push(from.option("target", "DSCP").option("set_dscp", "EF").done());
    }
    plan.files.insert(File::Firewall, ask);
}
