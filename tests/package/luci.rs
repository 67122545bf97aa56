//! The packages of an app for LuCI: its files, and its translations, which are read back here as LuCI reads them.

use crate::pack::{list, members, pack, read, stand_in_of_apk, EPOCH};
use crate::router::{of, Router};
use crate::{can, repo, run, words};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const NEEDS: [&str; 3] = ["make", "tar", "python3"];

/// An app with one of each: a page, a menu, a script, a translation.
fn sample_app() -> TempDir {
    let app = TempDir::new().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = app.path().join(path);
        fs::create_dir_all(path.parent().expect("below the app")).expect("made");
        fs::write(path, text).expect("written");
    };
    write(
        "Makefile",
        "include $(TOPDIR)/rules.mk\n\nPKG_NAME:=luci-app-sample\nPKG_VERSION:=1.2.3\nPKG_RELEASE:=4\n\
         LUCI_TITLE:=LuCI support for a sample\nLUCI_DEPENDS:=+luci-base +sample @HAS_FLASH\nPKG_LICENSE:=MPL-2.0\n\
         PKG_MAINTAINER:=Some One <one@example.net>\nLUCI_NAME:=$(PKG_NAME)\n\
         include $(firstword $(wildcard $(TOPDIR)/feeds/*/luci.mk))\n",
    );
    write("htdocs/luci-static/resources/view/sample/status.js", "'use strict';\n");
    write("root/usr/share/luci/menu.d/luci-app-sample.json", "{}\n");
    write("root/usr/libexec/sample", "#!/bin/sh\n");
    write("po/templates/sample.pot", "");
    write("po/de/sample.po", &fs::read_to_string(repo("tests/data/luci/sample.po")).expect("text"));
    // as after a checkout by somebody with another umask
    let mode = |path: &str, mode| {
        fs::set_permissions(app.path().join(path), fs::Permissions::from_mode(mode)).expect("set");
    };
    mode("root/usr/libexec/sample", 0o700);
    mode("root/usr/share/luci/menu.d/luci-app-sample.json", 0o600);
    mode("htdocs/luci-static", 0o700);
    app
}

fn pack_luci(format: &str, app: &Path, out: &Path) -> Command {
    pack(&["luci", format, app.to_str().expect("text"), out.to_str().expect("text")])
}

#[test]
fn an_app_and_its_language_are_a_package_each() {
    if !can("package: LuCI", false, &NEEDS) {
        return;
    }
    let (app, out) = (sample_app(), TempDir::new().expect("a folder"));
    run(&mut pack_luci("ipk", app.path(), out.path()));
    let mut made: Vec<_> = fs::read_dir(out.path()).expect("made").flatten().map(|e| e.file_name()).collect();
    made.sort();
    assert_eq!(made, ["luci-app-sample_1.2.3-r4_all.ipk", "luci-i18n-sample-de_1.2.3-r4_all.ipk"]);

    let m = members(&out.path().join(&made[0]));
    let (data, control) = (m.path().join("data.tar.gz"), m.path().join("control.tar.gz"));
    let files: Vec<String> = list(&data).into_iter().filter(|l| !l.ends_with('/')).collect();
    assert_eq!(
        files,
        [
            "-rwxr-xr-x 0/0 ./usr/libexec/sample",
            "-rw-r--r-- 0/0 ./usr/share/luci/menu.d/luci-app-sample.json",
            "-rw-r--r-- 0/0 ./www/luci-static/resources/view/sample/status.js"
        ]
    );
    assert!(list(&data).iter().all(|l| !l.ends_with('/') || l.starts_with("drwxr-xr-x 0/0 ")));
    assert_eq!(
        list(&control),
        [
            "drwxr-xr-x 0/0 ./",
            "-rw-r--r-- 0/0 ./control",
            "-rwxr-xr-x 0/0 ./postinst",
            "-rwxr-xr-x 0/0 ./postinst-pkg",
            "-rwxr-xr-x 0/0 ./prerm"
        ]
    );
    let fields = format!(
        "Package: luci-app-sample\nVersion: 1.2.3-r4\nDepends: luci-base, sample\nSource: luci-app-sample\nSourceName: luci-app-sample\n\
         License: MPL-2.0\nSection: luci\nSourceDateEpoch: {EPOCH}\nMaintainer: Some One <one@example.net>\nArchitecture: all\n"
    );
    let text = read(&control, "./control");
    assert!(text.starts_with(&fields) && text.ends_with("\nDescription: LuCI support for a sample\n"), "{text}");

    let m = members(&out.path().join(&made[1]));
    let (data, control) = (m.path().join("data.tar.gz"), m.path().join("control.tar.gz"));
    let text = read(&control, "./control");
    assert!(text.contains("\nDepends: luci-app-sample\n") && text.contains("\nArchitecture: all\n"), "{text}");
    assert!(text.ends_with("\nDescription: luci-app-sample: Deutsch (German) translation\n"), "{text}");
    let files: Vec<String> = list(&data).into_iter().filter(|l| !l.ends_with('/')).collect();
    assert_eq!(
        files,
        [
            "-rw-r--r-- 0/0 ./etc/uci-defaults/luci-i18n-sample-de",
            "-rw-r--r-- 0/0 ./usr/lib/lua/luci/i18n/sample.de.lmo"
        ]
    );
    assert_eq!(
        read(&data, "./etc/uci-defaults/luci-i18n-sample-de"),
        "uci set luci.languages.de='Deutsch (German)'; uci commit luci\n"
    );

    // the same again
    let again = TempDir::new().expect("a folder");
    run(&mut pack_luci("ipk", app.path(), again.path()));
    for name in made {
        assert!(fs::read(again.path().join(&name)).expect("made") == fs::read(out.path().join(&name)).expect("made"));
    }
}

#[test]
fn apk_packages_of_an_app_are_for_every_architecture() {
    if !can("package: LuCI for apk", false, &NEEDS) {
        return;
    }
    let (app, dir) = (sample_app(), TempDir::new().expect("a folder"));
    fs::remove_dir_all(app.path().join("po")).expect("removed");
    let (out, record) = (dir.path().join("out"), dir.path().join("record"));
    stand_in_of_apk(dir.path(), &record);
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap_or_default());
    run(pack_luci("apk", app.path(), &out).env("PATH", path));
    assert!(out.join("luci-app-sample-1.2.3-r4.apk").is_file());
    let asked = fs::read_to_string(&record).expect("asked");
    for info in ["arch:noarch", "depends:luci-base sample", "version:1.2.3-r4"] {
        assert!(asked.contains(&format!("--info\n{info}\n")), "{info}: {asked}");
    }
    for script in ["post-install", "post-upgrade"] {
        let text = fs::read_to_string(dir.path().join(format!("record.{script}"))).expect("a script");
        let (before, after) = text.split_once("\ndefault_postinst\n").expect("what all packages do");
        assert!(after.contains("/etc/init.d/rpcd reload") && !before.contains("rpcd"), "{text}");
    }
    let lists = fs::read_dir(dir.path().join("record.files/lib/apk/packages")).expect("a folder");
    let names: Vec<_> = lists.flatten().map(|e| e.file_name()).collect();
    assert_eq!(names, ["luci-app-sample.list"]);
}

#[test]
fn after_the_installation_luci_and_rpcd_look_again() {
    if !can("package: LuCI's script", true, &["busybox", "make", "tar", "python3", "chroot", "ldd"]) {
        return;
    }
    let (app, out) = (sample_app(), TempDir::new().expect("a folder"));
    run(&mut pack_luci("ipk", app.path(), out.path()));
    let m = members(&out.path().join("luci-app-sample_1.2.3-r4_all.ipk"));
    let r = Router::new();
    r.program("postinst-pkg", &read(&m.path().join("control.tar.gz"), "./postinst-pkg"));
    r.program("etc/init.d/rpcd", "#!/bin/sh\n. /lib/functions.sh\nrecord rpcd \"$@\"\n");
    let caches = "/tmp/luci-indexcache.00.json /tmp/luci-indexcache /tmp/luci-modulecache";
    r.sh(&format!("mkdir {caches}; touch /tmp/luci-modulecache/x /tmp/other"));
    // an image that is being built
    assert!(r.script("/postinst-pkg", &[], &[("IPKG_INSTROOT", "/image")]).is_empty());
    assert!(r.path("/tmp/luci-modulecache/x").exists());
    // a router
    assert_eq!(of(&r.script("/postinst-pkg", &[], &[]), "rpcd"), ["reload"]);
    assert_eq!(r.sh(&format!("ls -d {caches} /tmp/other 2>/dev/null || true")), "/tmp/other\n");
    // one without rpcd, by a package manager that stops at an error
    r.remove("etc/init.d/rpcd");
    assert_eq!(r.sh("set -e; . /postinst-pkg; echo done"), "done\n");
}

#[test]
fn what_is_no_app_is_refused() {
    if !can("package: no LuCI app", false, &NEEDS) {
        return;
    }
    let (app, out) = (sample_app(), TempDir::new().expect("a folder"));
    let refused = |app: &Path, why: &str| {
        let said = pack_luci("ipk", app, out.path()).output().expect("it runs");
        assert!(!said.status.success() && words(&said).contains(why), "{why}: {}", words(&said));
        assert_eq!(fs::read_dir(out.path()).expect("there").count(), 0, "{why}");
    };
    refused(out.path(), "there is no LuCI app in it");
    let makefile = app.path().join("Makefile");
    let text = fs::read_to_string(&makefile).expect("text");
    fs::write(&makefile, text.replace("PKG_NAME:=luci-app-sample", "PKG_NAME:=sample")).expect("written");
    refused(app.path(), "the name of the app is \"sample\"");
    fs::write(&makefile, text).expect("written");
    fs::create_dir(app.path().join("po/tlh")).expect("made");
    refused(app.path(), "po/tlh: the name of this language is not known here");
}

/// A reader of .lmo files, written from the format, and from how a page asks: white space squeezed, then the hash.
struct Lmo {
    bytes: Vec<u8>,
    index: BTreeMap<u32, (u32, u32, u32)>,
}

impl Lmo {
    fn read(file: &Path) -> Lmo {
        let bytes = fs::read(file).expect("made");
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four"));
        let begin = number(bytes.len() - 4) as usize;
        let entries = bytes.len() - 4 - begin;
        assert!(begin % 4 == 0 && entries % 16 == 0, "{begin} {entries}");
        let at = |n: usize| begin + 16 * n;
        let keys: Vec<u32> = (0..entries / 16).map(|n| number(at(n))).collect();
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "LuCI halves its way through it: {keys:x?}");
        let entry = |n: usize| (number(at(n) + 4), number(at(n) + 8), number(at(n) + 12));
        let index = keys.iter().enumerate().map(|(n, key)| (*key, entry(n))).collect();
        Lmo { index, bytes }
    }

    fn of_hash(&self, hash: u32) -> Option<(u32, &str)> {
        let (forms, begin, length) = *self.index.get(&hash)?;
        let bytes = &self.bytes[begin as usize..][..length as usize];
        Some((forms, std::str::from_utf8(bytes).expect("text")))
    }

    fn look_up(&self, context: Option<&str>, text: &str, form: Option<u32>) -> Option<(u32, &str)> {
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut key = context.map(|c| squeezed(c) + "\u{1}").unwrap_or_default() + &squeezed(text);
        key.extend(form.map(|n| format!("\u{2}{n}")));
        self.of_hash(hash(key.as_bytes()))
    }
}

/// SuperFastHash, begun with the length.
fn hash(bytes: &[u8]) -> u32 {
    let half = |b: &[u8]| u32::from(u16::from_le_bytes([b[0], b[1]]));
    let signed = |b: u8| i32::from(b as i8) as u32;
    let mut h = bytes.len() as u32;
    let mut fours = bytes.chunks_exact(4);
    for four in &mut fours {
        h = h.wrapping_add(half(four));
        h = (h << 16) ^ ((half(&four[2..]) << 11) ^ h);
        h = h.wrapping_add(h >> 11);
    }
    match fours.remainder() {
        rest @ [_, _, last] => {
            h = h.wrapping_add(half(rest));
            h ^= h << 16;
            h ^= signed(*last) << 18;
            h = h.wrapping_add(h >> 11);
        }
        rest @ [_, _] => {
            h = h.wrapping_add(half(rest));
            h ^= h << 11;
            h = h.wrapping_add(h >> 17);
        }
        [last] => {
            h = h.wrapping_add(signed(*last));
            h ^= h << 10;
            h = h.wrapping_add(h >> 1);
        }
        _ => {}
    }
    for (left, right) in [(3, 5), (4, 17), (25, 6)] {
        h ^= h << left;
        h = h.wrapping_add(h >> right);
    }
    h
}

fn po2lmo(po: &Path, lmo: &Path) -> Command {
    let mut c = Command::new("python3");
    c.arg(repo("openwrt-package/pack/po2lmo.py")).arg(po).arg(lmo);
    c
}

#[test]
fn a_translation_is_found_as_a_page_asks_for_it() {
    if !can("package: translation", false, &["python3", "sha256sum"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let file = dir.path().join("sample.de.lmo");
    run(&mut po2lmo(&repo("tests/data/luci/sample.po"), &file));
    let lmo = Lmo::read(&file);
    for (context, text, form, want) in [
        (None, "Phones", None, Some((1, "Telefone"))),
        (Some("a verb"), "Phones", None, Some((1, "Ruft an"))),
        (None, "%d phone", Some(0), Some((2, "%d Telefon"))),
        (None, "%d phone", Some(1), Some((2, "%d Telefone"))),
        (
            None,
            "The upstream's \"last good\" copy,\n\t\tC:\\phones, served when it is down. ",
            None,
            Some((1, "Die letzte „gute“ Kopie, C:\\phones, wenn die Quelle \"weg\" ist.")),
        ),
        (None, "Änderung überprüfen", None, Some((1, "geprüft"))),
        (None, "ends in é", None, Some((1, "x"))),
        // the page shows these as they are
        (None, "Status", None, None),
        (None, "later", None, None),
        (None, "%d phones", Some(1), None),
    ] {
        assert_eq!(lmo.look_up(context, text, form), want, "{text}");
    }
    assert_eq!(lmo.of_hash(0), Some((0, "nplurals=2; plural=(n != 1);")));
    assert_eq!(lmo.index.len(), 8);
    // LuCI's own po2lmo made the same bytes of this file
    let sum = run(Command::new("sha256sum").arg(&file));
    assert_eq!(&sum[..64], "0fd005b796e0683981022aaaee073e257d4d634fcd96dcbbbf0a64f227b8bd22");
}

#[test]
fn mistakes_in_a_translation_are_named_with_their_line() {
    if !can("package: mistakes", false, &["python3"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let (po, lmo) = (dir.path().join("x.po"), dir.path().join("x.lmo"));
    for (text, line, why) in [
        ("msgid \"a\nmsgstr \"b\"\n", 1, "neither msgctxt, msgid"),
        ("\nmsgid \"a\"\nmsgstr[10] \"b\"\n", 3, "neither msgctxt, msgid"),
        ("# x\n\"a\"\n", 2, "without a msgid"),
        ("msgstr \"a\"\n", 1, "msgstr is not expected"),
        ("msgid \"a\"\nmsgstr \"b\"\nmsgstr \"c\"\n", 3, "msgstr is not expected"),
        ("msgid \"a\"\nmsgid \"b\"\nmsgstr \"c\"\n", 1, "needs msgid and msgstr"),
        ("msgid \"a\"\nmsgstr[0] \"b\"\nmsgstr[1] \"c\"\n", 1, "no msgid_plural"),
        ("msgid \"a\\nb\"\nmsgstr \"c\"\n", 1, "would show \\n"),
        ("msgid \"a\"\nmsgstr \"x \\\\\\t\"\n", 1, "would show \\t"),
        ("msgid \"a\"\nmsgstr \"b\"\n\nmsgid \" a\"\nmsgstr \"c\"\n", 4, "translated before"),
        ("msgid \"a\"\nmsgstr \"\"\n", 1, "nothing in this file is translated"),
        ("", 1, "nothing in this file is translated"),
    ] {
        fs::write(&po, text).expect("written");
        let said = po2lmo(&po, &lmo).output().expect("it runs");
        let want = format!("{}:{line}: ", po.display());
        assert!(!said.status.success(), "{text}");
        assert!(words(&said).starts_with(&want) && words(&said).contains(why), "{text}: {}", words(&said));
        assert!(!lmo.exists(), "{text}");
    }
    fs::write(&po, b"msgid \"a\"\nmsgstr \"\xff\"\n").expect("written");
    assert!(!po2lmo(&po, &lmo).output().expect("it runs").status.success());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_text_is_found_again(pairs in prop::collection::btree_map("[ -~äß„世🙂\u{0}\u{7f}]{1,40}", "[ -~äß„世🙂]{1,40}", 1..60)) {
        if !can("package: any text", false, &["python3"]) {
            return Ok(());
        }
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut wanted = BTreeMap::new();
        let mut po = String::new();
        for (id, text) in &pairs {
            let key = squeezed(id);
            if !key.is_empty() && !wanted.contains_key(&key) {
                po += &format!("msgid \"\"\n\"{}\"\nmsgstr \"{}\"\n", quoted(id), quoted(text));
                wanted.insert(key, text);
            }
        }
        prop_assume!(wanted.iter().any(|(id, text)| id != *text));
        let dir = TempDir::new().expect("a folder");
        let (from, to) = (dir.path().join("x.po"), dir.path().join("x.lmo"));
        fs::write(&from, po).expect("written");
        run(&mut po2lmo(&from, &to));
        let lmo = Lmo::read(&to);
        for (id, text) in wanted {
            let want = (id != *text).then_some((1, text.as_str()));
            prop_assert_eq!(lmo.look_up(None, &id, None), want);
        }
    }
}
