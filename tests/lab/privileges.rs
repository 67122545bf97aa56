//! Who the agent is on the machine: started by root it is root no more, and holds the capabilities that it needs and no
//! other; started as somebody else, as procd does it in a jail, it works too. All other labs run as the first one.

use crate::build::{Lab, Test, USER};
use crate::faulty::Fault;
use crate::verbs::hup;
use crate::{eventually, http, netns, sip};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{chown, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const SNOM: &str = "00:04:13:00:00:01";
const NET_BIND_SERVICE: u64 = 1 << 10;
const NET_RAW: u64 = 1 << 13;

/// What /proc says of one thread of a process.
fn status(path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path.join("status")).expect("the agent runs");
    let pair = |line: &str| line.split_once(':').map(|(k, v)| (k.to_string(), v.trim().to_string()));
    text.lines().filter_map(pair).collect()
}

/// Looks at each thread: nobody's root, and these capabilities only.
#[track_caller]
fn assert_is(t: &Lab, uid: u32, capabilities: u64, bounding: u64) {
    let tasks = format!("/proc/{}/task", t.agent().pid());
    let mut threads = 0;
    for task in fs::read_dir(tasks).expect("the agent runs") {
        let task = status(&task.expect("a thread").path());
        let of = |name: &str| task.get(name).cloned().unwrap_or_default();
        let four = [uid; 4].map(|u| u.to_string()).join("\t");
        assert_eq!((of("Uid"), of("Gid"), of("Groups")), (four.clone(), four, String::new()));
        let set = |name: &str| u64::from_str_radix(&of(name), 16).expect("a number");
        assert_eq!((set("CapEff"), set("CapPrm")), (capabilities, capabilities), "{task:?}");
        assert_eq!((set("CapInh"), set("CapAmb"), set("CapBnd")), (0, 0, bounding), "{task:?}");
        assert_eq!(of("NoNewPrivs"), "1");
        threads += 1;
    }
    assert!(threads >= 2, "the loop and the disk");
}

/// PnP and a config, fresh.
#[track_caller]
fn assert_serves(t: &Lab, tag: &str) {
    let phone = t.phone(0);
    let config = t.put_snom(0, tag);
    let message = sip::fixture("snom-d120").message(&phone.hex(), phone.ip, 5060);
    eventually("an answer to the SUBSCRIBE", Duration::from_secs(8), || {
        let got = phone.subscribe(&message, 5060, Duration::from_millis(400), 1);
        got.iter().any(|d| d.text.starts_with("NOTIFY "))
    });
    eventually("the config", Duration::from_secs(8), || {
        phone.try_get(&phone.config_target(), &[]).is_ok_and(|a| a.status == 200 && a.body == config)
    });
    assert_eq!(t.agent().entry(SNOM)["ip"], phone.ip.to_string(), "the neighbour table can be read");
}

#[track_caller]
fn assert_owned(path: &Path, uid: u32, mode: u32) {
    let meta = fs::symlink_metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (owner, of) = ((meta.uid(), meta.gid()), meta.mode() & 0o777);
    assert_eq!((owner, of), ((uid, uid), mode), "{}", path.display());
}

/// All that the agent made is its user's, and for nobody else.
fn assert_files(t: &Lab, uid: u32) {
    let (state, run) = (t.agent().state_dir(), t.agent().run_dir());
    let stored = t.agent().stored();
    assert!(stored.0.len() >= 4, "{stored:?}");
    for (path, entry) in &stored.0 {
        assert_owned(path, uid, if entry.folder { 0o700 } else { 0o600 });
    }
    assert_owned(state, uid, 0o700);
    assert_owned(run, uid, 0o700);
    assert_owned(&run.join("control.sock"), uid, 0o600);
    assert_owned(&run.join("status.json"), uid, 0o600);
}

fn life_goes_on(t: &Lab, check: impl Fn()) {
    assert_serves(t, "one");
    check();
    // a reload
    let file = t.agent().config_file();
    let text = fs::read_to_string(file).expect("read");
    fs::write(file, text.replace("option history", "option grace '6'\n\toption history") + "\n").expect("written");
    hup(t);
    let events = t.agent().events().to_string();
    assert!(events.contains("the config was read again"), "{events}");
    assert_serves(t, "two");
    // the device goes and comes back, as another one: all its sockets are opened anew
    let router = t.agent().router();
    router.ip("link del br-lan");
    router.ip("link add br-lan address 02:77:00:00:00:01 type bridge");
    router.ip("link set lan0 master br-lan");
    router.ip("link set br-lan up");
    router.ip("addr add 192.168.77.1/24 dev br-lan");
    assert_serves(t, "three");
    // and after a restart there is what was stored
    let last = t.put_snom(0, "four");
    assert_eq!(t.phone(0).config().body, last);
    t.agent().restart();
    t.upstream().fail(Fault::Rst);
    assert_eq!(t.phone(0).config().body, last);
    check();
}

#[test]
fn started_by_root_it_is_the_user_phoneprov() {
    let Some(t) = Test::new("priv-root").phone(SNOM).user(None).without_agent().start() else { return };
    // what an agent that ran as root has left
    fs::create_dir(t.agent().state_dir()).expect("made");
    fs::set_permissions(t.agent().state_dir(), fs::Permissions::from_mode(0o700)).expect("set");
    fs::create_dir(t.agent().state_dir().join("configs")).expect("made");
    fs::set_permissions(t.agent().state_dir().join("configs"), fs::Permissions::from_mode(0o700)).expect("set");
    let line = format!("root:x:0:0::/root:/bin/sh\nphoneprov:x:{USER}:{USER}::/var/run/phoneprov:/bin/false\n");
    t.agent().router().etc("passwd", &line);
    t.agent().start();
    assert!(t.agent().log().contains(&format!("user phoneprov ({USER}), capabilities NET_RAW")), "{}", t.agent().log());
    life_goes_on(&t, || {
        assert_is(&t, USER, NET_RAW, 0);
        assert_files(&t, USER);
    });
    assert!(!t.agent().log().contains("cannot read it again"), "{}", t.agent().log());
}

#[test]
fn without_such_a_user_it_is_root_with_nothing_more() {
    let Some(t) = Test::new("priv-none").phone(SNOM).user(None).without_agent().start() else { return };
    t.agent().router().etc("passwd", "root:x:0:0::/root:/bin/sh\n");
    t.agent().start();
    assert!(t.agent().log().contains("user root (0), as there is no user phoneprov"), "{}", t.agent().log());
    life_goes_on(&t, || {
        assert_is(&t, 0, NET_RAW, 0);
        assert_files(&t, 0);
    });
}

#[test]
fn as_procd_starts_it_in_a_jail() {
    let caps = "-all,+net_raw,+net_bind_service";
    let line = format!(
        "setpriv --reuid={USER} --regid={USER} --clear-groups --no-new-privs --inh-caps={caps} --ambient-caps={caps} \
         --bounding-set={caps}"
    );
    let t = Test::new("priv-jail").phone(SNOM).through(&line).needs("setpriv").without_agent().start();
    let Some(t) = t else { return };
    let out = t.agent().verb(&["prepare", "--user", &USER.to_string()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    t.agent().start();
    assert!(t.agent().log().contains(&format!("user {USER}, capabilities NET_RAW")), "{}", t.agent().log());
    life_goes_on(&t, || {
        // the right to a low port is given up, since none is set; a bounding set only root can make smaller
        assert_is(&t, USER, NET_RAW, NET_RAW | NET_BIND_SERVICE);
        assert_files(&t, USER);
    });
}

#[test]
fn without_any_capability_it_says_so_and_serves() {
    let line = format!("setpriv --reuid={USER} --regid={USER} --clear-groups --inh-caps=-all --bounding-set=-all");
    let t = Test::new("priv-bare").phone(SNOM).through(&line).needs("setpriv").without_agent().start();
    let Some(t) = t else { return };
    let out = t.agent().verb(&["prepare", "--user", &USER.to_string()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    t.agent().start();
    assert!(t.agent().log().contains("without the capabilities NET_RAW"), "{}", t.agent().log());
    assert_is(&t, USER, 0, 0);
    assert_serves(&t, "one");
}

#[test]
fn a_low_port_can_be_had_and_is_had_again() {
    let Some(t) = Test::new("priv-port").phone(SNOM).option("port", "80").start() else { return };
    assert_is(&t, USER, NET_RAW | NET_BIND_SERVICE, 0);
    let server = SocketAddr::from(([192, 168, 77, 1], 80));
    let phone = t.phone(0);
    let answers =
        || phone.ns.inside(|| http::get(server, "/nothing", &[], Duration::from_secs(2)).map(|a| a.status == 404));
    assert!(answers().expect("it listens"));
    let router = t.agent().router();
    router.ip("link set br-lan down");
    router.ip("addr del 192.168.77.1/24 dev br-lan");
    eventually("the device is gone", Duration::from_secs(5), || {
        !t.agent().status()["devices"].to_string().contains("192.168.77.1")
    });
    router.ip("link set br-lan up");
    router.ip("addr add 192.168.77.1/24 dev br-lan");
    eventually("port 80 is open again", Duration::from_secs(8), || answers().unwrap_or(false));

    // the other way round: the right was never there, and cannot be had later
    let t = Test::new("priv-port2").phone(SNOM).start().expect("as above");
    let text = fs::read_to_string(t.agent().config_file()).expect("read");
    fs::write(t.agent().config_file(), text.replace("option port '8480'", "option port '80'")).expect("written");
    hup(&t);
    assert!(t.agent().log().contains("option port has changed: that takes effect with the next start"));
}

#[test]
fn what_cannot_be_is_said() {
    let Some(t) = Test::new("priv-wrong").phone(SNOM).without_agent().start() else { return };
    let program = t.agent().copy();
    let run = |user: u32, words: &[&str]| {
        let mut c = Command::new(&program);
        c.args(words).arg("--config").arg(t.agent().config_file());
        if user != 0 {
            c.uid(user).gid(user);
        }
        let out = c.output().expect("it runs");
        let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
        (out.status.code(), said)
    };
    let (code, said) = run(0, &["run", "--user", "nosuchuser"]);
    assert!(code == Some(1) && said.contains("there is no user 'nosuchuser'"), "{said}");
    let (code, said) = run(USER, &["run", "--user", "nobody"]);
    assert!(code == Some(1) && said.contains("only root can become another user"), "{said}");
    let (code, said) = run(0, &["status", "--user", "nobody"]);
    assert!(code == Some(2) && said.contains("takes no --user"), "{said}");

    // the folder of somebody else
    let theirs = t.dir().join("theirs");
    fs::create_dir(&theirs).expect("made");
    fs::write(theirs.join("passwd"), "x").expect("written");
    let text = fs::read_to_string(t.agent().config_file()).expect("read");
    let state = t.agent().state_dir().display().to_string();
    fs::write(t.agent().config_file(), text.replace(&state, &theirs.display().to_string())).expect("written");
    for words in [["run", "--user", "5960"], ["prepare", "--user", "5960"]] {
        let (code, said) = run(0, &words);
        assert!(code == Some(1) && said.contains("state_dir") && said.contains("a folder of root's"), "{said}");
    }
    assert_eq!(fs::metadata(theirs.join("passwd")).expect("there").uid(), 0);
}

#[test]
fn a_config_that_only_root_can_read_works_until_a_reload() {
    let Some(t) = Test::new("priv-config").phone(SNOM).without_agent().start() else { return };
    let file = t.agent().config_file();
    chown(file, Some(0), Some(0)).expect("root may");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("set");
    t.agent().start();
    assert!(t.agent().log().contains("cannot read it again as this user"), "{}", t.agent().log());
    assert_serves(&t, "one");
    hup(&t);
    assert!(t.agent().log().contains("the one before stays in force"), "{}", t.agent().log());
    assert_serves(&t, "two");
    // as the log says it
    netns::run(Command::new("chmod").arg("640").arg(file));
    chown(file, None, Some(USER)).expect("root may");
    hup(&t);
    assert!(t.agent().events().to_string().contains("the config was read again"));
}
