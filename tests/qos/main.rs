//! Rules for calls on packets: media of fax calls beside bulk that fills a line of 2 Mbit/s in both directions.
//!
//! In user-mode-linux (`uml.rs`): LAN, router with NAT, modem, provider, media server, and 20 ms away a server for bulk, as
//! network namespaces. The line is slow at the modem and at the provider, each with one long queue. The rules are what
//! `phoneprov qos apply` writes, brought into force by `rules.rs`. `cargo test --test qos` is a short run that asserts what
//! is lost; `make bench-qos` prints the figures. Delays are shown and never asserted: they are this machine's as well.
//! `QOS_CALLS`, `QOS_CALL_SECONDS`, `QOS_LINES`, `QOS_UDP`, `QOS_DOWNLOAD` and `QOS_RTT` for other runs of the bench;
//! `QOS_VERBOSE=1` shows the router's commands and queues.
#![forbid(unsafe_code)]

mod rules;
mod traffic;
mod uml;

use rules::WAN;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

const MEDIA: &str = "198.51.100.20";
const BULK: &str = "192.0.2.20";
/// kbit/s of the line, and what the router shapes to.
const LINE: u64 = 2000;
const SHAPED: u64 = 1700;
/// Packets in the queue before the line: a second and more.
const QUEUE: u64 = 200;
/// kbit/s of a call in one direction, with Ethernet headers.
const CALL: u64 = 86;
/// Calls at once: 9 are less than half of what the router shapes to, 4 less than the quarter that CAKE gives voice.
const MANY: u64 = 9;
const FEW: u64 = 4;
const PER_SECOND: u64 = 50;
/// Seconds of bulk before the first call: what TCP sends until it knows the line has to leave the provider's queue.
const BEFORE: u64 = 12;

/// Milliseconds to the server of bulk and back.
const RTT: u64 = 20;

/// Another figure for the bench, from the environment.
fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(otherwise)
}

#[derive(Clone, Copy, PartialEq)]
enum Rules {
    None,
    QosScripts,
    Cake,
    /// CAKE, and the provider hands calls over with the mark EF.
    CakeMarked,
}

impl Rules {
    fn name(self) -> &'static str {
        match self {
            Rules::None => "no rules",
            Rules::QosScripts => "qos-scripts",
            Rules::Cake => "sqm (CAKE)",
            Rules::CakeMarked => "sqm (CAKE), calls come marked EF",
        }
    }
}

/// A run: what shapes, how many calls of how many seconds, and bulk UDP in each direction in kbit/s.
#[derive(Clone, Copy)]
struct Run {
    rules: Rules,
    lines: u64,
    calls: u64,
    seconds: u64,
    udp: u64,
}

/// One direction: packets, and microseconds.
#[derive(Debug, Default)]
struct Media {
    sent: u64,
    received: u64,
    mean: u64,
    p50: u64,
    p99: u64,
    max: u64,
    tcp: u64,
    udp: u64,
}

impl Media {
    fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }
}

/// The commands that the router runs, from what the agent wrote.
fn commands(dir: &Path, rules: Rules) -> Result<Vec<String>, String> {
    let backend = match rules {
        Rules::None => return Ok(Vec::new()),
        Rules::QosScripts => "qos-scripts",
        Rules::Cake | Rules::CakeMarked => "sqm",
    };
    let told = |e: std::io::Error| e.to_string();
    let download = setting("QOS_DOWNLOAD", SHAPED);
    let stock = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/qos/stock");
    for file in ["firewall", "network", "qos", "sqm"] {
        fs::copy(stock.join(file), dir.join(file)).map_err(told)?;
    }
    let config = format!(
        "config agent 'main'\n\toption enabled '1'\n\tlist network 'lan'\n\toption upstream 'http://p.example'\n\
         config vendor 'snom'\n\toption enabled '1'\nconfig qos 'qos'\n\toption enabled '1'\n\toption backend '{backend}'\n\
         \toption upload '{SHAPED}'\n\toption download '{download}'\n\tlist mediaserver '{MEDIA}'\n"
    );
    fs::write(dir.join("phoneprov"), config).map_err(told)?;
    let mut apply = Command::new(env!("CARGO_BIN_EXE_phoneprov"));
    apply
        .args(["qos", "apply", "--no-reload", "--wan", WAN, "--uci"])
        .arg(dir)
        .arg("--config")
        .arg(dir.join("phoneprov"));
    let output = apply.output().map_err(told)?;
    if !output.status.success() {
        return Err(format!(
            "qos apply: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let text = |file: &str| fs::read_to_string(dir.join(file)).map_err(told);
    match rules {
        Rules::QosScripts => rules::qos_scripts(&text("qos")?),
        _ => rules::sqm(&text("firewall")?, &text("sqm")?),
    }
}

/// `init` of the run: networks, rules, traffic, and what the queues counted.
fn script(run: Run, router: &[String]) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let program = program.display();
    let mut out = String::from(
        "#!/bin/sh\nexport PATH=/usr/sbin:/usr/bin:/sbin:/bin\nmount -t proc proc /proc\nmount -t sysfs sys /sys\nmount -t tmpfs run /run\n\
         failed() { echo \"failed: $*\"; echo o >/proc/sysrq-trigger; sleep 9; }\n",
    );
    out += &uml::insmod()?;
    out += "for ns in lan router modem provider media bulk; do ip netns add $ns; ip -n $ns link set lo up; \
            ip netns exec $ns sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'; done\n";
    // packets as they are on a cable: none that only one kernel could hand to itself
    out += "cable() { ip link add $2 netns $1 type veth peer name $5 netns $4 || failed $*; \
            ip -n $1 addr add $3 dev $2; ip -n $4 addr add $6 dev $5; \
            ip -n $1 link set $2 gso_max_segs 1 up; ip -n $4 link set $5 gso_max_segs 1 up; }\n";
    let far = setting("QOS_RTT", RTT) / 2;
    out += &format!(
        "cable lan eth0 192.168.1.2/24 router lan0 192.168.1.1/24\n\
         cable router {WAN} 203.0.113.2/30 modem lan0 203.0.113.1/30\n\
         cable modem dsl0 203.0.113.5/30 provider dsl0 203.0.113.6/30\n\
         cable provider media0 198.51.100.1/24 media eth0 {MEDIA}/24\n\
         cable provider bulk0 192.0.2.1/24 bulk eth0 {BULK}/24\n\
         ip -n lan route add default via 192.168.1.1\n\
         ip -n router route add default via 203.0.113.1\n\
         ip -n modem route add default via 203.0.113.6\n\
         ip -n provider route add 203.0.113.0/30 via 203.0.113.5\n\
         ip -n media route add default via 198.51.100.1\n\
         ip -n bulk route add default via 192.0.2.1\n\
         for ns in modem provider; do\n\
         tc -n $ns qdisc add dev dsl0 root handle 1: tbf rate {LINE}kbit burst 1600 limit 1000000 || failed line\n\
         tc -n $ns qdisc add dev dsl0 parent 1:1 handle 10: pfifo limit {QUEUE} || failed queue\n\
         done\n\
         tc -n provider qdisc add dev bulk0 root netem delay {far}ms limit 5000\n\
         tc -n bulk qdisc add dev eth0 root netem delay {far}ms limit 5000\n"
    );
    // iptables of the old kind, as `iptables` may be the one for nftables
    let inside = |command: &str| {
        let command = command.replace("iptables ", "iptables-legacy ");
        format!("ip netns exec router {command} || failed '{command}'\n")
    };
    out += &inside(&format!("iptables -t nat -A POSTROUTING -o {WAN} -j MASQUERADE"));
    out += &inside("ip link add ifb0 type ifb");
    for command in router {
        out += &inside(command);
    }
    if run.rules == Rules::CakeMarked {
        out += "ip netns exec provider iptables-legacy -t mangle -A FORWARD -i media0 -j DSCP --set-dscp-class EF || failed mark\n";
    }
    let packets = run.seconds * PER_SECOND;
    let whole = BEFORE + run.calls.div_ceil(run.lines) * run.seconds;
    let Run { lines, calls, udp, .. } = run;
    out += &format!(
        "ip netns exec media {program} inside media {packets} & media=$!\n\
         ip netns exec bulk {program} inside bulk-server {udp} {whole} &\n\
         sleep 1\n\
         ip netns exec lan {program} inside bulk-client {BULK} {udp} {whole} &\n\
         sleep {BEFORE}\n\
         ip netns exec lan {program} inside phones {MEDIA} {calls} {lines} {packets} & phones=$!\n\
         wait $phones $media\n"
    );
    out += "for ns in router modem provider; do echo \"queues of $ns\"; tc -n $ns -s qdisc show; done\n\
            echo 'the end'\necho o >/proc/sysrq-trigger\nsleep 9\n";
    Ok(out)
}

/// Upwards and downwards.
fn measure(run: Run) -> Result<[Media; 2], String> {
    let dir = tempfile::Builder::new().prefix("phoneprov-qos-").tempdir().map_err(|e| e.to_string())?;
    let router = commands(dir.path(), run.rules)?;
    let limit = 60 + BEFORE + run.calls.div_ceil(run.lines) * run.seconds * 2;
    let output = uml::run(dir.path(), &script(run, &router)?, limit)?;
    if std::env::var_os("QOS_VERBOSE").is_some() {
        eprintln!("{}\n{output}", router.join("\n"));
    }
    let mut results: HashMap<(&str, &str), Vec<u64>> = HashMap::new();
    for line in output.lines().filter_map(|l| l.strip_prefix("result ")) {
        let mut words = line.split(' ');
        let key = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        results.insert(key, words.filter_map(|w| w.parse().ok()).collect());
    }
    let value = |kind: &'static str, direction: &'static str, i: usize| {
        let found = results.get(&(kind, direction)).and_then(|v| v.get(i)).copied();
        found.ok_or_else(|| format!("no figure {kind} {direction} in:\n{output}"))
    };
    let direction = |d: &'static str| {
        Ok::<Media, String>(Media {
            sent: value("sent", d, 0)?,
            received: value("received", d, 0)?,
            mean: value("received", d, 1)?,
            p50: value("received", d, 2)?,
            p99: value("received", d, 3)?,
            max: value("received", d, 4)?,
            tcp: value("bulk", d, 0)?,
            udp: value("bulk", d, 1)?,
        })
    };
    Ok([direction("up")?, direction("down")?])
}

const HEAD: &str = "| setup | | media sent | lost | mean ms | p50 | p99 | max | bulk that arrived, kbit/s: TCP | UDP |\n|---|---|---|---|---|---|---|---|---|---|";

fn show(run: Run, media: &[Media; 2]) {
    let ms = |us: u64| format!("{}.{}", us / 1000, us % 1000 / 100);
    for (m, direction) in media.iter().zip(["up", "down"]) {
        let share = m.lost() as f64 * 100.0 / m.sent.max(1) as f64;
        let lost = if m.lost() == 0 { "0".to_string() } else { format!("{} ({share:.1} %)", m.lost()) };
        let name = format!("{} calls at once, {}", run.lines, run.rules.name());
        let delays = [m.mean, m.p50, m.p99, m.max].map(ms).join(" | ");
        println!("| {name} | {direction} | {} | {lost} | {delays} | {} | {} |", m.sent, m.tcp, m.udp);
    }
}

const ALL: [Rules; 4] = [Rules::None, Rules::QosScripts, Rules::Cake, Rules::CakeMarked];
/// kbit/s of bulk UDP in each direction; TCP takes what is left of the line.
const UDP: u64 = 500;

/// Measures two at a time, as each is one processor's work, and shows them in their order.
fn measured(runs: &[Run]) -> Result<Vec<(Run, [Media; 2])>, String> {
    let mut out = Vec::new();
    println!("{HEAD}");
    for pair in runs.chunks(2) {
        let results: Vec<Result<[Media; 2], String>> = std::thread::scope(|scope| {
            let threads: Vec<_> = pair.iter().map(|run| scope.spawn(|| measure(*run))).collect();
            threads.into_iter().map(|t| t.join().unwrap_or_else(|_| Err("the thread has panicked".into()))).collect()
        });
        for (run, result) in pair.iter().zip(results) {
            let both = result?;
            show(*run, &both);
            out.push((*run, both));
        }
    }
    Ok(out)
}

fn bench() -> Result<(), String> {
    let (calls, seconds, udp) = (setting("QOS_CALLS", 300), setting("QOS_CALL_SECONDS", 1), setting("QOS_UDP", UDP));
    println!("{calls} calls of {seconds} s, on a line of {LINE} kbit/s, shaped to {SHAPED}; bulk UDP {udp} kbit/s");
    let mut runs = Vec::new();
    for lines in [MANY, FEW].into_iter().filter(|lines| setting("QOS_LINES", *lines) == *lines) {
        runs.extend(ALL.map(|rules| Run { rules, lines, calls, seconds, udp }));
    }
    measured(&runs).map(drop)
}

fn check() -> Result<(), String> {
    let mut wrong = Vec::new();
    let runs = ALL.map(|rules| Run { rules, lines: FEW, calls: 2 * FEW, seconds: 4, udp: UDP });
    for (run, both) in measured(&runs)? {
        let rules = run.rules;
        for (m, direction) in both.iter().zip(["up", "down"]) {
            let mut must = |holds: bool, what: &str| {
                if !holds {
                    wrong.push(format!("{} {direction}: {what}: {m:?}", rules.name()));
                }
            };
            let expected = run.calls * run.seconds * PER_SECOND;
            match rules {
                Rules::None => {
                    must(m.lost() * 100 > expected, "without rules more than 1 % is lost, or nothing was shown")
                }
                // the marks come after that queue: shown, not promised
                Rules::Cake if direction == "down" => {}
                _ => must(m.lost() == 0 && m.sent == expected, "nothing of the calls is lost"),
            }
            must(m.tcp + m.udp > (SHAPED - FEW * CALL) / 2, "bulk uses what the calls leave");
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(wrong.join("\n"))
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.first().map(String::as_str) {
        Some("inside") => traffic::play(words.get(1..).unwrap_or_default()),
        what => match uml::missing() {
            Some(why) if std::env::var("CI").as_deref() == Ok("true") => Err(why),
            Some(why) => {
                println!("skipped: rules for calls on packets: {why}");
                Ok(())
            }
            None if what == Some("bench") => bench(),
            None => check(),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
