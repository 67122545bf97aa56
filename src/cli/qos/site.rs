//! The router's files: where they are, what is in them, and the change of each.

use super::super::args::{Args, UCI};
use super::super::dhcp::reload::{elsewhere, run};
use crate::bounds;
use crate::config::Config;
use crate::openwrt::file;
use crate::openwrt::qos::{change, queue_device as device, Ask, File, Installed, Plan, Router, HEADER};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Beside `/etc/config`.
const ADDRESSES: &str = "../qosify/50-phoneprov.conf";

fn uci(args: &Args) -> &Path {
    args.uci.as_deref().unwrap_or(Path::new(UCI))
}

fn path(args: &Args, file: File) -> PathBuf {
    uci(args).join(file.name())
}

fn addresses(args: &Args) -> PathBuf {
    match elsewhere(args) {
        // of another machine: beside the others
        true => uci(args).join("50-phoneprov.conf"),
        false => uci(args).join(ADDRESSES),
    }
}

/// A file's text; `None` where there is none. One that cannot be read is told of when it is to be changed.
fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path).and_then(|f| f.take(bounds::UCI_FILE as u64 + 1).read_to_end(&mut bytes)).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is known of the router. Where the files are those of another machine, its programs are known by them.
pub(super) fn router(args: &Args, config: &Config) -> Router {
    let mut router = Router {
        network: read(&uci(args).join("network")).unwrap_or_default(),
        addresses: read(&addresses(args)),
        wan: args.words.get("wan").cloned(),
        networks: config.agent.networks.clone(),
        devices: args.devices.iter().chain(&config.agent.devices).cloned().collect(),
        ..Router::default()
    };
    if !config.agent.devices.is_empty() {
        // as the agent takes it
        router.networks.clear();
    }
    for file in File::ALL {
        router.files.extend(read(&path(args, file)).map(|text| (file, text)));
    }
    let there = |file: File, program: &str| match elsewhere(args) {
        true => router.files.contains_key(&file),
        false => Path::new(program).exists(),
    };
    router.installed = Installed {
        qos_scripts: there(File::Qos, "/usr/lib/qos/generate.sh"),
        fw4: there(File::Firewall, "/sbin/fw4"),
        sqm: there(File::Sqm, "/etc/init.d/sqm"),
        qosify: there(File::Qosify, "/etc/init.d/qosify"),
    };
    router
}

/// The device of our queue, where there is one.
pub(super) fn queue_device(args: &Args) -> Option<String> {
    device(&read(&path(args, File::Sqm))?)
}

/// What was done to the files.
#[derive(Default)]
pub(super) struct Changed {
    /// Those that were written.
    pub(super) files: Vec<PathBuf>,
    /// Whose they are, for [`reload`].
    programs: Vec<File>,
    /// Those that could not be.
    pub(super) wrong: Vec<String>,
}

/// Brings all files to what the plan says: what it does not name loses what is ours.
pub(super) fn write(args: &Args, plan: &Plan) -> Changed {
    let mut changed = Changed::default();
    let nothing = Ask::default();
    let mut note = |path: PathBuf, program: File, done: Result<bool, String>| match done {
        Ok(true) => {
            changed.files.push(path);
            if !changed.programs.contains(&program) {
                changed.programs.push(program);
            }
        }
        Ok(false) => {}
        Err(why) => changed.wrong.push(why),
    };
    let conf = addresses(args);
    let done = match &plan.addresses {
        Some(text) => file::put(&conf, HEADER, text),
        None => file::take_away(&conf, HEADER),
    };
    note(conf, File::Qosify, done);
    for which in File::ALL {
        let (path, ask) = (path(args, which), plan.files.get(&which).unwrap_or(&nothing));
        if !path.exists() {
            continue;
        }
        let done = file::edit(&path, &|text| change(text, which, ask));
        note(path, which, done);
    }
    changed
}

/// Would [`write`] change nothing?
pub(super) fn is_written(router: &Router, plan: &Plan) -> bool {
    let nothing = Ask::default();
    let same = |(file, text): (&File, &String)| {
        matches!(change(text, *file, plan.files.get(file).unwrap_or(&nothing)), Ok(None))
    };
    let ours = router.addresses.as_deref().filter(|text| text.starts_with(HEADER));
    router.files.iter().all(same) && ours == plan.addresses.as_deref()
}

/// Has those read their settings whose files were changed. Returns a sentence for each.
pub(super) fn reload(args: &Args, changed: &Changed) -> Vec<String> {
    if args.no_reload || elsewhere(args) {
        return Vec::new();
    }
    let one = |program: &File| {
        let script = format!("/etc/init.d/{}", program.name());
        if !Path::new(&script).exists() {
            return format!("{script} is not there to be told of the change");
        }
        match run(&[&script, "reload"], bounds::RELOAD_SECONDS * 1000) {
            Ok(()) => format!("{} has been told", program.name()),
            Err(why) => format!("{script} reload {why}; restart it by hand"),
        }
    };
    changed.programs.iter().map(one).collect()
}
