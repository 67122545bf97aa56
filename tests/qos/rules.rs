//! From what `phoneprov qos apply` wrote to commands: what qos-scripts, or the firewall and sqm-scripts, would make of it.
//!
//! Those programs are in no Debian package. This is their layout in our words, for the options that the files here use;
//! another one is an error, not passed over.

use phoneprov::proto::uci::{self, Section};

/// The line's device on the router, and that of the LAN.
pub const WAN: &str = "wan0";
const LAN: &str = "lan0";
/// Where what comes in is queued.
const IFB: &str = "ifb0";

type Commands = Result<Vec<String>, String>;

fn sections(text: &str) -> Result<Vec<Section>, String> {
    Ok(uci::parse(text).map_err(|e| e.to_string())?.merged().sections)
}

fn needed<'a>(section: &'a Section, name: &str) -> Result<&'a str, String> {
    section.get(name).ok_or_else(|| format!("config {} without {name}", section.kind))
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// A class of qos-scripts in one direction.
struct Class {
    number: usize,
    priority: f64,
    /// kbit/s that it is sure of.
    rate: f64,
    /// Bytes, for the burst.
    packet: f64,
    /// Milliseconds, or 0.
    delay: f64,
}

/// /etc/config/qos: HFSC with a class for each kind, fq_codel in it, and marks that the connection remembers.
pub fn qos_scripts(text: &str) -> Commands {
    let all = sections(text)?;
    let of = |kind: &str| all.iter().find(|s| s.kind == kind).ok_or(format!("no config {kind}"));
    let (line, group) = (of("interface")?, of("classgroup")?);
    if line.get("enabled") != Some("1") {
        return Err("the line is not switched on".to_string());
    }
    let names: Vec<&str> = needed(group, "classes")?.split_whitespace().collect();
    let class = |name: &str| names.iter().position(|n| *n == name).map(|i| i + 1).ok_or(format!("no class {name}"));
    let default = class(needed(group, "default")?)?;
    let mut out = Vec::new();
    for (device, speed, suffix) in [(WAN, "upload", "up"), (IFB, "download", "down")] {
        let speed = number(needed(line, speed)?)?;
        let value = |name: &str, option: &str, otherwise: f64| -> Result<f64, String> {
            let named = |n: &str| all.iter().find(|s| s.kind == "class" && s.name.as_deref() == Some(n));
            let found = named(&format!("{name}_{suffix}")).and_then(|s| s.get(option));
            found.or_else(|| named(name).and_then(|s| s.get(option))).map_or(Ok(otherwise), number)
        };
        let mut classes = Vec::new();
        for (i, name) in names.iter().enumerate() {
            classes.push(Class {
                number: i + 1,
                priority: value(name, "priority", 1.0)?,
                rate: value(name, "avgrate", 0.0)? * speed / 100.0,
                packet: value(name, "packetsize", 1500.0)?,
                delay: value(name, "packetdelay", 0.0)?,
            });
        }
        out.extend(hfsc(device, speed, default, &classes, suffix == "up"));
    }
    out.push(format!("tc qdisc add dev {WAN} ingress"));
    out.push(format!(
        "tc filter add dev {WAN} parent ffff: protocol ip prio 1 u32 match u32 0 0 flowid 1:1 action connmark action mirred egress redirect dev {IFB}"
    ));
    out.extend(marks(&all, class)?);
    Ok(out)
}

fn hfsc(device: &str, speed: f64, default: usize, classes: &[Class], up: bool) -> Vec<String> {
    let mut out = vec![
        format!("ip link set {device} up txqueuelen 5"),
        format!("tc qdisc add dev {device} root handle 1: hfsc default {default}0"),
        format!("tc class add dev {device} parent 1: classid 1:1 hfsc sc rate {speed}kbit ul rate {speed}kbit"),
    ];
    let priorities: f64 = classes.iter().map(|c| c.priority).sum();
    // classes that have a rate and no delay of their own share, by priority, what a burst may take of the rest of the line
    let bursting = |c: &&Class| c.rate > 0.0 && c.delay == 0.0;
    let burst = |c: &Class| 2.0 * c.packet * 1000.0 / (speed * 1024.0);
    let longest = classes.iter().filter(bursting).map(burst).fold(0.0, f64::max);
    let mut rest = longest * (speed - classes.iter().map(|c| c.rate).sum::<f64>());
    let sharing: f64 = classes.iter().filter(bursting).map(|c| c.priority).sum();
    for class in classes {
        let (mut first, mut time) = (0.0, 0.0);
        if bursting(&class) {
            let share = rest * class.priority / sharing;
            rest -= share;
            time = burst(class);
            first = class.rate + share / time;
        } else if class.rate > 0.0 {
            time = class.delay;
        }
        let (n, us) = (class.number, (time * 1000.0) as u64);
        let sure = if first > 0.0 {
            format!(" rt m1 {}kbit d {us}us m2 {}kbit", first as u64, class.rate as u64)
        } else {
            String::new()
        };
        let share = (speed * class.priority / priorities) as u64;
        out.push(format!(
            "tc class add dev {device} parent 1:1 classid 1:{n}0 hfsc{sure} ls m1 {}kbit d {us}us m2 {share}kbit ul rate {speed}kbit",
            first as u64
        ));
        out.push(format!("tc qdisc add dev {device} parent 1:{n}0 handle {n}00: fq_codel limit 800 quantum 300 noecn"));
        // the upper half of the mark counts upwards, the lower half downwards; the other one where that is not set
        let halves = [format!("0x{n:x}0/0xf0"), format!("0x0{n:x}/0x0f")];
        for (i, half) in [usize::from(!up), usize::from(up)].into_iter().enumerate() {
            out.push(format!(
                "tc filter add dev {device} parent 1: prio {} protocol ip handle {} fw flowid 1:{n}0",
                n * 2 + i,
                halves[half]
            ));
        }
    }
    out
}

fn marks(all: &[Section], class: impl Fn(&str) -> Result<usize, String>) -> Commands {
    let (mut once, mut each) = (Vec::new(), Vec::new());
    for rule in all.iter().filter(|s| ["classify", "default", "reclassify"].contains(&s.kind.as_str())) {
        let number = class(needed(rule, "target")?)?;
        let mark = number | number << 4;
        let (list, chain, unmarked) = match rule.kind.as_str() {
            "classify" => (&mut once, "qos_Default_ct", " -m mark --mark 0/0x0f"),
            "default" => (&mut each, "qos_Default", " -m mark --mark 0/0xf0"),
            _ => (&mut each, "qos_Default", ""),
        };
        for proto in protocols(rule) {
            let mut line = format!("iptables -t mangle -A {chain}{unmarked}");
            line.extend(proto.map(|p| format!(" -p {p}")));
            for entry in &rule.entries {
                let value = &entry.value;
                match entry.name.as_str() {
                    "target" | "proto" | "comment" => {}
                    "srchost" => line += &format!(" -s {value}"),
                    "dsthost" => line += &format!(" -d {value}"),
                    "ports" => line += &format!(" -m multiport --ports {}", value.replace('-', ":")),
                    "portrange" => {
                        let (name, range) = (proto.unwrap_or_default(), value.replace('-', ":"));
                        line += &format!(" -m {name} --sport {range} --dport {range}");
                    }
                    "pktsize" => line += &format!(" -m length --length {}", value.replace('-', ":")),
                    other => return Err(format!("config {} with {other}: not known here", rule.kind)),
                }
            }
            list.push(format!("{line} -j MARK --set-mark {mark}/0xff"));
        }
    }
    let mut out: Vec<String> =
        ["-N qos_Default", "-N qos_Default_ct"].map(|c| format!("iptables -t mangle {c}")).into();
    out.extend(once);
    for rest in [
        "qos_Default_ct -j CONNMARK --save-mark --mask 0xff",
        "qos_Default -j CONNMARK --restore-mark --mask 0x0f",
        "qos_Default -m mark --mark 0/0x0f -j qos_Default_ct",
    ] {
        out.push(format!("iptables -t mangle -A {rest}"));
    }
    out.extend(each);
    out.push("iptables -t mangle -A qos_Default -j CONNMARK --save-mark --mask 0xff".to_string());
    for chain in ["OUTPUT", "FORWARD"] {
        out.push(format!("iptables -t mangle -A {chain} -o {WAN} -j qos_Default"));
    }
    Ok(out)
}

/// Ports without a protocol mean both that have ports.
fn protocols(rule: &Section) -> Vec<Option<&str>> {
    match rule.get("proto") {
        None if rule.get("ports").or(rule.get("portrange")).is_some() => vec![Some("tcp"), Some("udp")],
        proto => vec![proto],
    }
}

/// /etc/config/firewall and /etc/config/sqm: marks, and CAKE for both directions. The rules are iptables' here, for this
/// kernel has no nftables for IP.
pub fn sqm(firewall: &str, queues: &str) -> Commands {
    let mut out = Vec::new();
    let device = |zone: &str| match zone {
        "lan" => Ok(LAN),
        "wan" => Ok(WAN),
        other => Err(format!("no zone {other} here")),
    };
    for rule in sections(firewall)?.iter().filter(|s| s.kind == "rule" && s.get("target") == Some("DSCP")) {
        let mut line = format!(
            "iptables -t mangle -A FORWARD -i {} -o {} -p {}",
            device(needed(rule, "src")?)?,
            device(needed(rule, "dest")?)?,
            needed(rule, "proto")?
        );
        line.extend(rule.get("dest_ip").map(|ip| format!(" -d {ip}")));
        line.extend(rule.get("src_ip").map(|ip| format!(" -s {ip}")));
        out.push(format!("{line} -j DSCP --set-dscp-class {}", needed(rule, "set_dscp")?));
    }
    if out.is_empty() {
        return Err("no rule that marks".to_string());
    }
    let queues = sections(queues)?;
    let queue = queues.iter().find(|s| s.get("enabled") == Some("1")).ok_or("no queue is switched on")?;
    if needed(queue, "interface")? != WAN || needed(queue, "script")? != "layer_cake.qos" {
        return Err("the queue is of another device or script".to_string());
    }
    for (device, speed, options) in [(WAN, "upload", "eqdisc_opts"), (IFB, "download", "iqdisc_opts")] {
        let (speed, options) = (needed(queue, speed)?, needed(queue, options)?);
        out.push(format!("ip link set {device} up"));
        out.push(format!("tc qdisc add dev {device} root cake bandwidth {speed}kbit {options}"));
    }
    out.push(format!("tc qdisc add dev {WAN} ingress"));
    out.push(format!(
        "tc filter add dev {WAN} parent ffff: protocol all prio 10 u32 match u32 0 0 flowid 1:1 action mirred egress redirect dev {IFB}"
    ));
    Ok(out)
}
