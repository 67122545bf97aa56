//! What is in the package, and what it says of itself.

use crate::{can, repo, run, words};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

pub const EPOCH: &str = "1700000000";
pub const ARCHITECTURE: &str = "x86_64";

pub fn pack(words: &[&str]) -> Command {
    let mut c = Command::new(repo("openwrt-package/pack/pack.sh"));
    c.args(words).env("SOURCE_DATE_EPOCH", EPOCH).env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    c
}

fn make_ipk(folder: &Path) -> PathBuf {
    let folder_name = folder.to_str().expect("text");
    run(&mut pack(&["ipk", ARCHITECTURE, env!("CARGO_BIN_EXE_phoneprov"), folder_name]));
    folder.join(format!("phoneprov_{}-r1_{ARCHITECTURE}.ipk", env!("CARGO_PKG_VERSION")))
}

/// The package of the binary that cargo has built, made once.
pub fn ipk() -> &'static Path {
    static MADE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, file) = MADE.get_or_init(|| {
        let dir = TempDir::new().expect("a folder");
        let file = make_ipk(dir.path());
        (dir, file)
    });
    file
}

/// The members of an ipk, unpacked: `data.tar.gz`, `control.tar.gz`, `debian-binary`.
pub fn members(ipk: &Path) -> TempDir {
    let dir = TempDir::new().expect("a folder");
    run(Command::new("tar").arg("-xzf").arg(ipk).arg("-C").arg(dir.path()));
    dir
}

/// mode, owner and name of each entry of a packed tar, in its order, checked to be of [`EPOCH`].
pub fn list(file: &Path) -> Vec<String> {
    let text = run(Command::new("tar").args(["--utc", "--full-time", "--numeric-owner", "-tvzf"]).arg(file));
    let line = |l: &str| {
        let f: Vec<&str> = l.split_whitespace().collect();
        assert_eq!(f[3..5], ["2023-11-14", "22:13:20"], "{l}");
        format!("{} {} {}", f[0], f[1], f[5..].join(" "))
    };
    text.lines().map(line).collect()
}

pub fn read(tar: &Path, member: &str) -> String {
    run(Command::new("tar").arg("-xzOf").arg(tar).arg(member))
}

/// Neither name nor time in the header (`gzip -n`).
fn assert_bare_gzip(file: &Path) {
    let bytes = fs::read(file).expect("it is there");
    assert_eq!(bytes[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0], "{}", file.display());
}

#[test]
fn the_archive_is_an_ipk_with_every_file_in_its_place() {
    if !can("package: layout", false, &["make", "tar"]) {
        return;
    }
    assert_eq!(
        list(ipk()),
        ["-rw-r--r-- 0/0 ./debian-binary", "-rw-r--r-- 0/0 ./data.tar.gz", "-rw-r--r-- 0/0 ./control.tar.gz"]
    );
    let m = members(ipk());
    assert_eq!(fs::read_to_string(m.path().join("debian-binary")).expect("text"), "2.0\n");
    for file in [ipk(), &m.path().join("data.tar.gz"), &m.path().join("control.tar.gz")] {
        assert_bare_gzip(file);
    }
    assert_eq!(
        list(&m.path().join("control.tar.gz")),
        [
            "drwxr-xr-x 0/0 ./",
            "-rw-r--r-- 0/0 ./conffiles",
            "-rw-r--r-- 0/0 ./control",
            "-rwxr-xr-x 0/0 ./postinst",
            "-rwxr-xr-x 0/0 ./postinst-pkg",
            "-rwxr-xr-x 0/0 ./prerm"
        ]
    );
    assert_eq!(
        list(&m.path().join("data.tar.gz")),
        [
            "drwxr-xr-x 0/0 ./",
            "drwxr-xr-x 0/0 ./etc/",
            "drwxr-xr-x 0/0 ./etc/capabilities/",
            "-rw-r--r-- 0/0 ./etc/capabilities/phoneprov.json",
            "drwxr-xr-x 0/0 ./etc/config/",
            "-rw------- 0/0 ./etc/config/phoneprov",
            "drwxr-xr-x 0/0 ./etc/hotplug.d/",
            "drwxr-xr-x 0/0 ./etc/hotplug.d/dhcp/",
            "-rw-r--r-- 0/0 ./etc/hotplug.d/dhcp/50-phoneprov",
            "drwxr-xr-x 0/0 ./etc/init.d/",
            "-rwxr-xr-x 0/0 ./etc/init.d/phoneprov",
            "drwxr-xr-x 0/0 ./lib/",
            "drwxr-xr-x 0/0 ./lib/upgrade/",
            "drwxr-xr-x 0/0 ./lib/upgrade/keep.d/",
            "-rw-r--r-- 0/0 ./lib/upgrade/keep.d/phoneprov",
            "drwxr-xr-x 0/0 ./usr/",
            "drwxr-xr-x 0/0 ./usr/libexec/",
            "drwxr-xr-x 0/0 ./usr/libexec/rpcd/",
            "lrwxrwxrwx 0/0 ./usr/libexec/rpcd/phoneprov -> ../../sbin/phoneprov",
            "drwxr-xr-x 0/0 ./usr/sbin/",
            "-rwxr-xr-x 0/0 ./usr/sbin/phoneprov"
        ]
    );
    let data = m.path().join("data.tar.gz");
    for (installed, source) in [
        ("./etc/config/phoneprov", "phoneprov.config"),
        ("./etc/init.d/phoneprov", "phoneprov.init"),
        ("./etc/capabilities/phoneprov.json", "phoneprov.json"),
        ("./etc/hotplug.d/dhcp/50-phoneprov", "phoneprov.hotplug-dhcp"),
    ] {
        let text = fs::read_to_string(repo("openwrt-package/files").join(source)).expect("text");
        assert_eq!(read(&data, installed), text, "{installed}");
    }
    // as rpcd starts it
    let root = TempDir::new().expect("a folder");
    run(Command::new("tar").arg("-xzf").arg(&data).arg("-C").arg(root.path()));
    let plugin = root.path().join("usr/libexec/rpcd/phoneprov");
    assert!(run(Command::new(plugin).arg("list")).starts_with("{\"accept\":{"));
    // the stored configs are kept by sysupgrade, though no package brings them
    assert_eq!(read(&data, "./lib/upgrade/keep.d/phoneprov"), "/etc/phoneprov/\n");
}

#[test]
fn the_control_file_says_what_the_makefile_says() {
    if !can("package: control", false, &["make", "tar"]) {
        return;
    }
    let m = members(ipk());
    let control = read(&m.path().join("control.tar.gz"), "./control");
    let (fields, description) = control.split_once("Description: ").expect("it is last");
    let fields: Vec<(&str, &str)> = fields.lines().map(|l| l.split_once(": ").expect("a field")).collect();
    let names: Vec<&str> = fields.iter().map(|f| f.0).collect();
    assert_eq!(
        names.join(" "),
        "Package Version Depends Source SourceName License LicenseFiles Section Require-User SourceDateEpoch Maintainer \
         Architecture Installed-Size"
    );
    let of: BTreeMap<&str, &str> = fields.into_iter().collect();
    assert_eq!(of["Package"], "phoneprov");
    assert_eq!(of["Version"], concat!(env!("CARGO_PKG_VERSION"), "-r1"));
    assert_eq!(of["Depends"], "ca-bundle");
    assert_eq!(of["License"], "MPL-2.0");
    assert_eq!(of["Require-User"], "phoneprov=5960:phoneprov=5960");
    assert_eq!((of["Architecture"], of["SourceDateEpoch"]), (ARCHITECTURE, EPOCH));
    let size = run(Command::new("sh").arg("-c").arg(format!("gzip -dc {}/data.tar.gz | wc -c", m.path().display())));
    assert_eq!(of["Installed-Size"], size.trim());
    let mut lines = description.lines();
    assert!(lines.next().is_some_and(|first| first.starts_with("Tells SIP desk phones")), "{description}");
    assert!(lines.clone().count() > 0 && lines.all(|l| l.starts_with(' ') && l.len() > 1), "{description}");
    let conffiles = read(&m.path().join("control.tar.gz"), "./conffiles");
    assert_eq!(conffiles, "/etc/config/phoneprov\n/etc/phoneprov/\n");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    if !can("package: reproducible", false, &["make", "tar"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    // at another time, by a caller with another umask
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let script = repo("openwrt-package/pack/pack.sh");
    let line = format!("umask 077; exec {} ipk {ARCHITECTURE} \"$0\" \"$1\"", script.display());
    run(Command::new("sh")
        .args(["-c", &line, env!("CARGO_BIN_EXE_phoneprov")])
        .arg(dir.path())
        .env("SOURCE_DATE_EPOCH", EPOCH));
    let again = dir.path().join(ipk().file_name().expect("a name"));
    assert!(fs::read(again).expect("made") == fs::read(ipk()).expect("made"), "the two differ");
}

#[test]
fn a_folder_of_packages_is_a_feed() {
    if !can("package: index", false, &["make", "tar"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let folder = dir.path().to_str().expect("text");
    let out = pack(&["index", folder]).output().expect("it runs");
    assert!(!out.status.success() && words(&out).contains("there is no .ipk in it"), "{}", words(&out));
    let name = ipk().file_name().expect("a name").to_str().expect("text");
    fs::copy(ipk(), dir.path().join(name)).expect("copied");
    let small = dir.path().join("binary");
    fs::write(&small, "#!/bin/sh\n").expect("written");
    run(&mut pack(&["ipk", "mips_24kc", small.to_str().expect("text"), folder]));
    run(&mut pack(&["index", folder]));
    let index = fs::read_to_string(dir.path().join("Packages")).expect("made");
    assert_bare_gzip(&dir.path().join("Packages.gz"));
    let unpacked = run(Command::new("gzip").arg("-dc").arg(dir.path().join("Packages.gz")));
    assert_eq!(unpacked, index);
    let entries: Vec<&str> = index.split_terminator("\n\n").collect();
    assert_eq!(entries.len(), 2, "{index}");
    assert!(entries[0].contains("\nArchitecture: mips_24kc\n") && entries[1].contains("\nArchitecture: x86_64\n"));
    let sum = run(Command::new("sha256sum").arg(ipk()));
    let size = fs::metadata(ipk()).expect("made").len();
    let want = format!("\nFilename: {name}\nSize: {size}\nSHA256sum: {}\nDescription: ", &sum[..64]);
    assert!(entries[1].contains(&want), "{want}\n{}", entries[1]);
}

#[test]
fn the_makefile_says_what_the_build_system_wants() {
    if !can("package: Makefile", false, &["make"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let (meta, build) = (dir.path().join("meta"), dir.path().join("build"));
    let buildroot = || {
        let mut make = Command::new("make");
        make.args(["-s", "--no-print-directory", "-C"]).arg(repo("openwrt-package"));
        make.arg(format!("TOPDIR={}", repo("openwrt-package/pack/buildroot").display()));
        make.arg(format!("META={}", meta.display())).arg(format!("PKG_BUILD_DIR={}", build.display()));
        make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        make
    };
    let mut make = buildroot();
    run(make.arg("PACKAGE=phoneprov").args(["metadata", "prepare"]));
    let of = |name: &str| fs::read_to_string(meta.join(name)).expect("a field").trim_end().to_string();
    for (name, value) in [
        ("name", "phoneprov"),
        ("version", concat!(env!("CARGO_PKG_VERSION"), "-r1")),
        ("section", "net"),
        ("category", "Network"),
        ("depends", "ca-bundle"),
        ("build_depends", "rust/host"),
        ("license", "MPL-2.0"),
        ("license_files", "LICENSE"),
        ("userid", "phoneprov=5960:phoneprov=5960"),
        ("conffiles", "/etc/config/phoneprov\n/etc/phoneprov/"),
    ] {
        assert_eq!(of(name), value, "{name}");
    }
    assert!(of("maintainer").contains(" <") && of("maintainer").ends_with('>'), "Name <mail>: {}", of("maintainer"));
    let manifest = fs::read_to_string(repo("Cargo.toml")).expect("text");
    assert!(manifest.contains("license = \"MPL-2.0\"") && manifest.contains("rust-version = \"1.85\""));
    // the check that the feed makes of every program
    let version = run(Command::new(env!("CARGO_BIN_EXE_phoneprov")).arg("--version"));
    assert_eq!(format!("{}-r1", version.trim()), format!("phoneprov {}", of("version")));

    // https, and not what is for servers
    let mut make = buildroot();
    assert_eq!(run(make.arg("compile")), "cargo install --features https --no-default-features\n");

    // what Build/Prepare gives cargo is a whole package, with every file that the code includes
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1", "--manifest-path"]);
    run(cargo.arg(build.join("Cargo.toml")));
    for file in ["Cargo.lock", "LICENSE", "src/main.rs", "openwrt-package/files/phoneprov.config"] {
        assert!(build.join(file).is_file(), "{file}");
    }
}

#[test]
fn literal_rules_of_the_feed() {
    let text = fs::read_to_string(repo("openwrt-package/Makefile")).expect("text");
    assert!(text.contains("\n$(eval $(call BuildPackage,phoneprov))\n"), "a literal name");
    assert!(text.starts_with("# SPDX-License-Identifier: MPL-2.0\n"));
    let block = |name: &str| {
        let begin = format!("\ndefine {name}\n");
        let (_, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{name}"));
        rest.split_once("endef").expect("an end").0.to_string()
    };
    assert!(block("Package/phoneprov").lines().all(|l| l.starts_with("  ") && !l.starts_with("   ")));
    for name in ["Package/phoneprov/conffiles", "Package/phoneprov/postinst"] {
        assert!(block(name).lines().all(|l| l.starts_with(['/', '['])), "{name}: no indentation");
    }
    assert!(block("Package/phoneprov/install").lines().all(|l| l.starts_with('\t')));
    let init = fs::read_to_string(repo("openwrt-package/files/phoneprov.init")).expect("text");
    assert!(init.starts_with("#!/bin/sh /etc/rc.common\n") && init.contains("\nUSE_PROCD=1\n"));
    let caps = fs::read_to_string(repo("openwrt-package/files/phoneprov.json")).expect("text");
    let caps: BTreeMap<String, Vec<String>> = serde_json::from_str(&caps).expect("JSON");
    assert_eq!(caps.len(), 5);
    assert!(caps.values().all(|c| c[..] == ["CAP_NET_RAW", "CAP_NET_BIND_SERVICE"]), "{caps:?}");
}

/// Scripts for sh, by their first line.
fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            // packages of others, that tests are run with
            if !path.ends_with("node_modules") {
                scripts(&path, found);
            }
        } else if fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"#!/bin/sh")) {
            found.push(path);
        }
    }
}

/// The members of our own app's package.
fn luci_app() -> TempDir {
    let dir = TempDir::new().expect("a folder");
    let folder = dir.path().to_str().expect("text");
    run(&mut pack(&["luci", "ipk", repo("luci-app").to_str().expect("text"), folder]));
    members(&dir.path().join(format!("luci-app-phoneprov_{}-r1_all.ipk", env!("CARGO_PKG_VERSION"))))
}

#[test]
fn our_pages_lie_where_luci_looks() {
    if !can("package: our pages", false, &["make", "tar", "python3"]) {
        return;
    }
    let package = luci_app();
    let data = package.path().join("data.tar.gz");
    let files: Vec<String> = list(&data).into_iter().filter(|l| !l.ends_with('/')).collect();
    let menu = read(&data, "./usr/share/luci/menu.d/luci-app-phoneprov.json");
    let menu: serde_json::Value = serde_json::from_str(&menu).expect("JSON");
    let mut views = 0;
    for entry in menu.as_object().expect("entries").values() {
        if entry["action"]["type"] == "view" {
            let path = entry["action"]["path"].as_str().expect("a path");
            let file = format!("-rw-r--r-- 0/0 ./www/luci-static/resources/view/{path}.js");
            assert!(files.contains(&file), "{file}: {files:?}");
            views += 1;
        }
    }
    assert!(views > 0, "{menu}");
    assert!(files.contains(&"-rw-r--r-- 0/0 ./usr/share/rpcd/acl.d/luci-app-phoneprov.json".to_string()));
    let control = read(&package.path().join("control.tar.gz"), "./control");
    assert!(control.contains("\nDepends: luci-base, phoneprov\n"), "{control}");
}

#[test]
fn all_scripts_are_clean() {
    if !can("package: scripts", false, &["shellcheck", "busybox", "make", "tar", "python3"]) {
        return;
    }
    let mut all = Vec::new();
    for folder in ["openwrt-package", "luci-app", "cross", "tests"] {
        scripts(&repo(folder), &mut all);
    }
    assert!(all.len() >= 4, "{all:?}");
    // those that pack.sh makes
    let made = [members(ipk()), luci_app()];
    for package in &made {
        let control = package.path().join("control");
        fs::create_dir(&control).expect("made");
        run(Command::new("tar").arg("-xzf").arg(package.path().join("control.tar.gz")).arg("-C").arg(&control));
        let before = all.len();
        scripts(&control, &mut all);
        assert_eq!(all.len(), before + 3, "{all:?}");
    }
    for script in &all {
        run(Command::new("busybox").args(["ash", "-n"]).arg(script));
    }
    // the stand-ins of tests/data are made of eval
    all.retain(|path| !path.starts_with(repo("tests/data")));
    // what they read by `.` is named from the top folder
    let mut shellcheck = Command::new("shellcheck");
    shellcheck.current_dir(repo("")).args(["-x", "--shell", "dash", "--exclude", "SC3043,SC1091"]).args(&all);
    run(&mut shellcheck);
}

/// Puts into this folder an apk that keeps what it is given at `record`, `record.files`, `record.SCRIPT`, `record.others`.
pub fn stand_in_of_apk(bin: &Path, record: &Path) {
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = mkpkg ] || {{ echo mkpkg; echo \"$*\" >>{record}.others; exit; }}\nprintf '%s\\n' \"$@\" >{record}\n\
         rm -rf {record}.files\nwhile [ $# -gt 0 ]; do case $1 in\n--files) cp -a \"$2\" {record}.files ;;\n\
         --script) cp \"${{2#*:}}\" \"{record}.${{2%%:*}}\" ;;\n--output) echo x >\"$2\" ;;\nesac; shift; done\n",
        record = record.display()
    );
    fs::write(bin.join("apk"), text).expect("written");
    run(Command::new("chmod").arg("755").arg(bin.join("apk")));
}

#[test]
fn apk_packages_are_made_by_apk() {
    if !can("package: apk", false, &["make", "sha256sum"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let binary = dir.path().join("binary");
    fs::write(&binary, "#!/bin/sh\n").expect("written");
    let (binary, out) = (binary.to_str().expect("text"), dir.path().join("out"));
    let words_of = ["apk", "aarch64_generic", binary, out.to_str().expect("text")];
    // a PATH with all but apk
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).expect("made");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    if Command::new("sh").args(["-c", "command -v apk"]).output().is_ok_and(|o| !o.status.success()) {
        let said = pack(&words_of).output().expect("it runs");
        assert!(!said.status.success() && words(&said).contains("apk-tools 3"), "{}", words(&said));
    }
    let record = dir.path().join("record");
    stand_in_of_apk(&bin, &record);
    run(pack(&words_of).env("PATH", path));
    let version = concat!(env!("CARGO_PKG_VERSION"), "-r1");
    assert!(out.join(format!("phoneprov-{version}.apk")).is_file());
    let asked = fs::read_to_string(&record).expect("asked");
    for info in [
        "name:phoneprov",
        &format!("version:{version}"),
        "arch:aarch64_generic",
        "license:MPL-2.0",
        "depends:ca-bundle",
        "origin:phoneprov",
    ] {
        assert!(asked.contains(&format!("--info\n{info}\n")), "{info}: {asked}");
    }
    let others = fs::read_to_string(dir.path().join("record.others")).expect("asked");
    let index =
        format!("mkndx --allow-untrusted --output {}/packages.adb {0}/phoneprov-{version}.apk\n", out.display());
    assert!(others.ends_with(&index), "{others}");
    let files = dir.path().join("record.files");
    let lists = files.join("lib/apk/packages");
    let text = |name: &str| fs::read_to_string(lists.join(name)).expect("a list");
    assert_eq!(text("phoneprov.rusers"), "phoneprov=5960:phoneprov=5960\n");
    assert_eq!(text("phoneprov.conffiles"), "/etc/config/phoneprov\n/etc/phoneprov/\n");
    let sum = run(Command::new("sha256sum").arg(repo("openwrt-package/files/phoneprov.config")));
    assert_eq!(text("phoneprov.conffiles_static"), format!("/etc/config/phoneprov {}\n", &sum[..64]));
    let list = text("phoneprov.list");
    assert!(list.contains("/etc/init.d/phoneprov\n") && list.contains("/usr/sbin/phoneprov\n"), "{list}");
    assert!(files.join("lib/upgrade/keep.d/phoneprov").is_file());
    let script = |name: &str| fs::read_to_string(dir.path().join(format!("record.{name}"))).expect("a script");
    for (name, call) in [("post", "default_postinst"), ("pre", "default_prerm")] {
        let first = script(if name == "post" { "post-install" } else { "pre-deinstall" });
        let upgrade = script(&format!("{name}-upgrade"));
        assert!(first.contains(call) && !first.contains("PKG_UPGRADE"), "{first}");
        assert!(upgrade.contains(call) && upgrade.contains("export PKG_UPGRADE=1"), "{upgrade}");
    }
}
