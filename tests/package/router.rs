//! A scratch root with the package in it, busybox, and stand-ins of what OpenWrt has around an init script.

use crate::pack::{ipk, members};
use crate::{repo, run, words};
use std::fs;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

pub struct Router {
    dir: TempDir,
}

/// Programs with their libraries, at the places where these are.
fn copy_program(root: &Path, program: &Path, to: &str) {
    copy(program, &root.join(to));
    let text = Command::new("ldd").arg(program).output().map(|o| words(&o)).unwrap_or_default();
    for library in text.split_whitespace().filter(|w| w.starts_with('/')) {
        let there = root.join(library.trim_start_matches('/'));
        if !there.exists() {
            copy(Path::new(library), &there);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("below the root")).expect("made");
    fs::copy(from, to).unwrap_or_else(|e| panic!("{} to {}: {e}", from.display(), to.display()));
}

impl Router {
    /// Unpacked as a package manager does it, the package's user made, a jail possible, nothing configured.
    pub fn new() -> Router {
        let router = Router { dir: TempDir::new().expect("a folder") };
        let root = router.dir.path();
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("set");
        let package = members(ipk());
        run(Command::new("tar").arg("-xzpf").arg(package.path().join("data.tar.gz")).arg("-C").arg(root));
        let scripts = root.join("package");
        fs::create_dir(&scripts).expect("made");
        run(Command::new("tar").arg("-xzpf").arg(package.path().join("control.tar.gz")).arg("-C").arg(&scripts));

        for folder in ["bin", "dev", "tmp/run", "etc/rc.d", "etc/ssl/certs", "sbin"] {
            fs::create_dir_all(root.join(folder)).expect("made");
        }
        symlink("tmp", root.join("var")).expect("made");
        run(Command::new("mknod").args(["-m", "666"]).arg(root.join("dev/null")).args(["c", "1", "3"]));
        copy_program(root, Path::new("/bin/busybox"), "bin/busybox");
        router.sh("/bin/busybox --install -s /bin");
        let data = repo("tests/data/openwrt");
        for file in ["etc/rc.common", "lib/functions.sh", "lib/functions/procd.sh", "lib/functions/network.sh"] {
            copy(&data.join(file), &root.join(file));
        }
        fs::set_permissions(root.join("etc/rc.common"), fs::Permissions::from_mode(0o755)).expect("set");
        router.write("etc/passwd", "root:x:0:0:::\nphoneprov:x:5960:5960:::\n");
        router.write("etc/group", "root:x:0:\nphoneprov:x:5960:\n");
        router.write("etc/resolv.conf", "nameserver 127.0.0.1\n");
        router.write("etc/hosts", "127.0.0.1 localhost\n");
        router.write("networks", "lan br-lan up\nvoice br-voice up\nwan eth1 up wan\n");
        router
            .write("etc/config/network", "config interface 'lan'\nconfig interface 'voice'\nconfig interface 'wan'\n");
        router.write("etc/config/dhcp", "config dhcp 'lan'\n\toption interface 'lan'\n");
        router.write(
            "etc/config/firewall",
            "config zone\n\toption name 'lan'\n\tlist network 'lan'\n\
             config zone\n\toption name 'wan'\n\tlist network 'wan'\n\tlist network 'wan6'\n\
             config zone 'phones'\n\toption name 'telephones'\n\toption network 'voice other'\n\
             config rule\n\toption name 'x'\n",
        );
        // the real program, but what it is asked is written down, and other packages' configs are left alone
        fs::rename(root.join("usr/sbin/phoneprov"), root.join("usr/sbin/phoneprov.real")).expect("moved");
        copy_program(root, Path::new(env!("CARGO_BIN_EXE_phoneprov")), "usr/sbin/phoneprov.real");
        router.program(
            "usr/sbin/phoneprov",
            "#!/bin/sh\n. /lib/functions.sh\nrecord phoneprov \"$@\"\ncase $1 in\n\
             dhcp) [ ! -e /dhcp-fails ] || { echo 'no dnsmasq here'; exit 1; }\n\
             [ ! -e /dhcp-real ] || exec /usr/sbin/phoneprov.real \"$@\" --no-reload ;;\n\
             qos) [ ! -e /qos-real ] || exec /usr/sbin/phoneprov.real \"$@\" --no-reload ;;\n\
             *) exec /usr/sbin/phoneprov.real \"$@\" ;;\nesac\n",
        );
        router.program("sbin/ujail", "#!/bin/sh\n");
        router
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).expect("written");
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub fn program(&self, path: &str, text: &str) {
        self.write(path, text);
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).expect("set");
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// (user, group, mode)
    pub fn owner(&self, path: &str) -> (u32, u32, u32) {
        let meta = fs::symlink_metadata(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        (meta.uid(), meta.gid(), meta.mode() & 0o7777)
    }

    /// /etc/config/phoneprov, as `uci commit` leaves it: a new file of root's with the mode of the old one.
    pub fn commit(&self, main: &str) {
        let text = format!(
            "config agent 'main'\n\toption upstream 'http://192.0.2.1'\n\toption provpass 'geheim'\n{main}\n\
             config vendor 'snom'\n\toption enabled '1'\n\tlist oui '00:04:13:*:*:*'\n\
             \toption url '{{upstream}}/s?mac={{mac}}'\n"
        );
        self.write("etc/config/.new", &text);
        fs::set_permissions(self.path("etc/config/.new"), fs::Permissions::from_mode(0o600)).expect("set");
        fs::rename(self.path("etc/config/.new"), self.path("etc/config/phoneprov")).expect("renamed");
    }

    fn chroot(&self) -> Command {
        let mut c = Command::new("chroot");
        c.arg(self.dir.path()).env_clear().env("PATH", "/bin:/sbin:/usr/sbin:/usr/bin");
        c
    }

    pub fn sh(&self, line: &str) -> String {
        run(self.chroot().args(["/bin/busybox", "ash", "-c", line]))
    }

    /// Runs the init script, and gives what was asked of the stand-ins meanwhile.
    #[track_caller]
    pub fn init(&self, action: &str) -> Vec<String> {
        self.script("/etc/init.d/phoneprov", &[action], &[])
    }

    /// Runs any script.
    #[track_caller]
    pub fn script(&self, script: &str, args: &[&str], env: &[(&str, &str)]) -> Vec<String> {
        let _ = fs::remove_file(self.path("record"));
        let mut c = self.chroot();
        c.arg(script).args(args).envs(env.iter().copied());
        let out: Output = c.output().expect("chroot runs");
        let said = words(&out);
        assert!(!said.contains("not found") && !said.contains("syntax"), "{script} {args:?}: {said}");
        let record = fs::read_to_string(self.path("record")).unwrap_or_default();
        record.lines().map(|l| l.replace('\t', " ")).collect()
    }
}

/// The lines that begin with this.
pub fn of<'a>(record: &'a [String], begin: &str) -> Vec<&'a str> {
    record.iter().filter_map(|l| l.strip_prefix(begin)).map(str::trim_start).collect()
}

/// Firewall rules as "zone protocol port".
pub fn rules(record: &[String]) -> Vec<String> {
    let mut rules = Vec::new();
    let mut open: Option<Vec<&str>> = None;
    for line in record {
        match (line.as_str(), &mut open) {
            ("json_add_object ", _) => open = Some(Vec::new()),
            ("json_close_object", Some(strings)) => {
                let value =
                    |name: &str| strings.iter().find_map(|s| s.strip_prefix(&format!("{name} "))).unwrap_or("-");
                assert_eq!((value("type"), value("target"), value("family")), ("rule", "ACCEPT", "ipv4"), "{record:?}");
                rules.push(format!("{} {} {}", value("src"), value("proto"), value("dest_port")));
                open = None;
            }
            (other, Some(strings)) => strings.extend(other.strip_prefix("json_add_string ")),
            _ => {}
        }
    }
    rules
}
