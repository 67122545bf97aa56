//! The command line: one file a verb, one table of all of them.

mod accept;
mod admit;
mod args;
mod call;
mod check;
mod demo;
mod dhcp;
mod events;
mod forget;
mod handover;
mod harden;
#[cfg(feature = "provisioner")]
mod import;
mod phone;
mod phones;
mod prepare;
mod privileges;
mod probe;
#[cfg(feature = "provisioner")]
mod provisioner;
mod qos;
mod refresh;
mod reject;
#[cfg(feature = "provisioner")]
mod render;
mod resync;
mod rollback;
mod rpcd;
mod run;
mod setup;
#[cfg(feature = "provisioner")]
mod setup_store;
mod softphone;
mod status;
#[cfg(feature = "provisioner")]
mod store;
mod text;
mod user;

use args::Args;
use std::ffi::OsString;
use text::say;

/// Exit codes of all verbs (design section 8).
const DONE: i32 = 0;
const FAILED: i32 = 1;
const USAGE: i32 = 2;

/// One verb: its line in `--help` is here and nowhere else.
struct Verb {
    name: &'static str,
    /// Arguments as shown in the help.
    args: &'static str,
    help: &'static str,
    /// Options beside those that all verbs have.
    options: &'static [&'static str],
    run: fn(&Args) -> i32,
}

const VERBS: &[Verb] = &[
    Verb {
        name: "run",
        args: "[--device D]... [--uci DIR] [--user U]",
        help: "the agent, in the foreground; logs to stderr. SIGHUP reads the config again, SIGTERM ends",
        options: &["device", "uci", "user", "verbose"],
        run: run::run,
    },
    Verb {
        name: "prepare",
        args: "[--user U]",
        help: "as root: make the folders of the config, and give them to the user that the agent runs as",
        options: &["user"],
        run: prepare::run,
    },
    Verb {
        name: "demo",
        args: "",
        help: "a snom and a Mitel plug in on loopback, the upstream dies, they get their configs again",
        options: &["verbose"],
        run: demo::run,
    },
    Verb {
        name: "probe",
        args: "[--vendor V] [--mac M] [--device D]",
        help: "be a phone on the LAN: say what it would get, and where it fails",
        options: &["vendor", "mac", "device"],
        run: probe::run,
    },
    Verb { name: "check", args: "", help: "read the config and name every mistake", options: &[], run: check::run },
    Verb { name: "status", args: "", help: "the agent, its upstream, its store", options: &[], run: status::run },
    Verb { name: "phones", args: "", help: "all phones, a line each", options: &[], run: phones::run },
    Verb { name: "phone", args: "MAC", help: "one phone: its configs and its story", options: &[], run: phone::run },
    Verb { name: "events", args: "", help: "what happened last", options: &[], run: events::run },
    Verb {
        name: "refresh",
        args: "MAC|all",
        help: "ask the upstream for a phone's configs now",
        options: &[],
        run: refresh::run,
    },
    Verb {
        name: "resync",
        args: "MAC|all [--reboot]",
        help: "tell a phone to fetch its config again (SIP NOTIFY check-sync)",
        options: &["reboot"],
        run: resync::run,
    },
    Verb {
        name: "accept",
        args: "MAC|all",
        help: "take what the guard holds or a rollback keeps back; all: and let accounts change for guard_window",
        options: &[],
        run: accept::run,
    },
    Verb {
        name: "reject",
        args: "MAC|all",
        help: "drop what the guard holds: phones keep their last good",
        options: &[],
        run: reject::run,
    },
    Verb {
        name: "rollback",
        args: "MAC|all [N]",
        help: "serve the config N before the newest (1) until accept; all: of phones whose account changed",
        options: &[],
        run: rollback::run,
    },
    Verb {
        name: "admit",
        args: "MINUTES",
        help: "let unknown phones in for so long (enrol 'window'); 0 ends it",
        options: &[],
        run: admit::run,
    },
    Verb {
        name: "forget",
        args: "MAC|all",
        help: "remove a phone and its stored configs",
        options: &[],
        run: forget::run,
    },
    Verb {
        name: "dhcp",
        args: "print [uci|dnsmasq] | apply | remove | seen [--uci DIR] [--device D] [--no-reload]",
        help: "what dnsmasq tells phones by DHCP: show it, write it, take it away; seen: for the hook of the router's DHCP server",
        options: &["uci", "device", "no-reload"],
        run: dhcp::run,
    },
    Verb {
        name: "qos",
        args: "print [qos-scripts|fw4|sqm|qosify] | apply | remove | watch [--uci DIR] [--device D] [--wan D] [--no-reload]",
        help: "bandwidth for calls to the media servers: show the rules, write them, take them away; watch: follow their names",
        options: &["uci", "device", "wan", "every", "no-reload"],
        run: qos::run,
    },
    Verb {
        name: "rpcd",
        args: "list | call METHOD | job ID [--jobs DIR] [--uci DIR]",
        help: "the ubus object phoneprov, for rpcd: its methods, or one call with its arguments on stdin; job: for its own use",
        options: &["jobs", "uci"],
        run: rpcd::run,
    },
    #[cfg(feature = "provisioner")]
    Verb {
        name: "render",
        args: "--store DIR --mac M [--file F]",
        help: "print a phone's configuration as the provisioner would send it",
        options: &["store", "store-file", "mac", "file", "host"],
        run: render::run,
    },
    #[cfg(feature = "provisioner")]
    Verb {
        name: "import",
        args: "xml|plain FILE --brand B --family F --model M",
        help: "make a template from settings that a phone has exported",
        options: &["store", "store-file", "brand", "family", "model", "keys", "module-keys", "rules", "delimiter"],
        run: import::run,
    },
    #[cfg(feature = "provisioner")]
    Verb {
        name: "provisioner",
        args: "--store DIR|URL,... [--listen ADDRESS:PORT]",
        help: "serve phones and web UIs from a store, in the foreground; logs to stderr",
        options: &["store", "store-file", "listen", "proxy", "files", "kazoo-token-file", "kazoo-allow", "kazoo-urlpass-file", "verbose"],
        run: provisioner::run,
    },
    #[cfg(feature = "provisioner")]
    Verb {
        name: "setup",
        args: "--store DIR|URL,... [--force]",
        help: "load templates and their tree into a store; what an admin has edited stays, unless --force",
        options: &["store", "store-file", "force"],
        run: setup_store::run,
    },
];

/// Runs the command line and returns the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> i32 {
    match args::parse(rpcd::as_plugin(args.into_iter().collect())) {
        Ok(args::Parsed::Help) => {
            say!("{}", help().trim_end());
            DONE
        }
        Ok(args::Parsed::Version) => {
            say!("phoneprov {}", env!("CARGO_PKG_VERSION"));
            DONE
        }
        Ok(args::Parsed::Verb(verb, args)) => (verb.run)(&args),
        Err(why) => {
            eprintln!("phoneprov: {why}; see phoneprov --help");
            USAGE
        }
    }
}

fn help() -> String {
    let mut out = String::from(
        "phoneprov: SIP desk phones are plugged in and simply work\n\nphoneprov VERB [--json] [--config FILE] [--socket PATH]\n\n",
    );
    for verb in VERBS {
        let head = format!("{} {}", verb.name, verb.args);
        out.push_str(&format!("  {:<44}{}\n", head.trim_end(), verb.help));
    }
    out.push_str(
        "\n  --json           print JSON\n  --config FILE    default /etc/config/phoneprov\n  --socket PATH    the agent's control socket\n  --version, --help\n\nExit code: 0 done, 1 failed, 2 wrong usage.\n",
    );
    out
}
