//! Whose account: each brand's configs, and what must not make a difference.

use super::test::{bodies, data, everyone, vendor};
use super::*;
use proptest::prelude::*;

/// Brand, file name, sample with the account `user_a1b2c3` (at `alpha.sip.example`, where it names a registrar).
const SAMPLES: &[(&str, &str, &str)] = &[
    ("snom", "settings.php", "snom-settings.xml"),
    ("snom", "snom370-000413AABBCC.htm", "snom-pre.htm"),
    ("snom", "snom370.htm", "snom-bare.txt"),
    ("snom", "000413aabbcc.cfg", "snom-m3.cfg"),
    ("snom", "000413aabbcc.htm", "snom-dect.xml"),
    ("mitel", "00085DAABBCC.cfg", "mitel-mac.cfg"),
    ("mitel", "MN_08000FAABBCC.cfg", "mitel-53xx.cfg"),
    ("mitel", "MN_08000FAABBCC.cfg", "mitel-53xx-users.cfg"),
    ("yealink", "001565aabbcc.cfg", "yealink-mac.cfg"),
    ("grandstream", "cfgc074ad112233.xml", "grandstream.xml"),
    ("grandstream", "cfgc074ad112233.xml", "grandstream-2.xml"),
    ("fanvil", "0c383e112233.cfg", "fanvil.txt.cfg"),
    ("fanvil", "0c383e112233.cfg", "fanvil.xml.cfg"),
    ("htek", "cfg001fc1112233.xml", "htek-account.xml"),
    ("gigaset", "7C2F80112233.xml", "gigaset-account.xml"),
    ("gigaset", "7C2F80112233.xml", "gigaset-n510.xml"),
    ("panasonic", "Config0080F0112233.cfg", "panasonic.cfg"),
    ("polycom", "0004f2112233.cfg", "polycom-account.cfg"),
    ("akuvox", "0c1105112233.cfg", "akuvox.cfg"),
    ("cisco", "spa504G.cfg", "cisco.xml"),
    ("cisco", "SEP0002FD112233.cnf.xml", "cisco-device.xml"),
    ("cisco", "SIP0002FD112233.cnf", "cisco.cnf"),
];

fn of(brand: &str, file: &str, body: &[u8]) -> Identity {
    vendor(brand).identity(file, body)
}

/// The sample with all of one text replaced.
fn with(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(body).replace(from, to).into_bytes()
}

#[test]
fn every_sample_is_a_good_config_with_an_account() {
    for (brand, file, sample) in SAMPLES {
        let body = data(sample);
        assert_eq!((vendor(brand).check)(file, &body), Verdict::Good, "{sample}");
        assert!(matches!(of(brand, file, &body), Identity::Account(_)), "{sample}: {:?}", of(brand, file, &body));
        assert_eq!(GENERIC.identity(file, &body), Identity::Unknown);
    }
}

#[test]
fn another_user_and_another_registrar_are_seen() {
    for (brand, file, sample) in SAMPLES {
        let body = data(sample);
        let before = of(brand, file, &body);
        for (from, to) in [("user_a1b2c3", "user_z9"), ("alpha.sip.example", "beta.sip.example")] {
            let changed = with(&body, from, to);
            if changed == body {
                assert_eq!(from, "alpha.sip.example", "{sample} has no user");
                continue;
            }
            assert_eq!(before.change(of(brand, file, &changed)), Some(Change::Changed), "{sample}: {from}");
        }
        let none = of(brand, file, &with(&with(&body, "user_a1b2c3", ""), "alpha.sip.example", ""));
        assert_eq!((none, before.change(none)), (Identity::None, Some(Change::Lost)), "{sample}");
    }
}

#[test]
fn passwords_names_blanks_and_line_ends_are_of_no_meaning() {
    for (brand, file, sample) in SAMPLES {
        let body = data(sample);
        let before = of(brand, file, &body);
        for (from, to) in [
            ("Pw8xYz12", "other"),
            ("Muster", "Meier"),
            ("\n", "\r\n"),
            ("\n", "\n\n"),
            ("  ", "      "),
            ("alpha.sip.example", "ALPHA.sip.example:5060"),
            ("5060", "5062"),
        ] {
            assert_eq!(of(brand, file, &with(&body, from, to)), before, "{sample}: {from:?}");
        }
    }
}

#[test]
fn a_line_that_is_switched_off_is_none() {
    for (brand, file, sample, on, off) in [
        ("snom", "x.htm", "snom-pre.htm", "language!: Deutsch", "user_active1!: off"),
        ("yealink", "x.cfg", "yealink-mac.cfg", "account.1.enable = 1", "account.1.enable = 0"),
        ("grandstream", "x.xml", "grandstream.xml", "<P271>1<", "<P271>0<"),
        ("grandstream", "x.xml", "grandstream-2.xml", ">Yes<", ">No<"),
        ("akuvox", "x.cfg", "akuvox.cfg", "Enable = 1", "Enable = 0"),
        ("gigaset", "x.xml", "gigaset-n510.xml", "value=\"0x1\"", "value=\"0x0\""),
        ("panasonic", "x.cfg", "panasonic.cfg", "PHONE_NUMBER_1", "LINE_ENABLE_1=\"Disabled\"\nPHONE_NUMBER_1"),
        ("cisco", "x.cfg", "cisco.xml", "<Proxy_1_", "<Line_Enable_1_ ua=\"na\">No</Line_Enable_1_><Proxy_1_"),
    ] {
        let body = data(sample);
        let changed = with(&body, on, off);
        assert_ne!(changed, body, "{sample}");
        assert_eq!(of(brand, file, &body).change(of(brand, file, &changed)), Some(Change::Lost), "{sample}");
    }
}

#[test]
fn lines_count_and_their_order_does_not() {
    let line = |n: u8, user: &str| {
        format!("sip line{n} auth name: {user}\nsip line{n} user name: {user}\nsip line{n} registrar ip: a.example\n")
    };
    let mitel = |lines: &[&str]| of("mitel", "00085DAABBCC.cfg", lines.concat().as_bytes());
    let (a, b) = (line(1, "anna"), line(2, "beat"));
    assert_eq!(mitel(&[&a, &b]), mitel(&[&b, &a]));
    assert_eq!(mitel(&[&a, &b]), mitel(&[&line(1, "beat"), &line(2, "anna")]));
    assert_ne!(mitel(&[&a, &b]), mitel(&[&a]));
    assert_ne!(mitel(&[&a, &line(2, "anna")]), mitel(&[&a]), "the same account on two lines is two lines");
    // for all lines, and the old mark before a key
    assert_eq!(
        mitel(&["sip user name: anna\nsip registrar ip: a.example\n"]),
        mitel(&["!sip line1 user name: anna\nsip line1 proxy ip: a.example\nsip line1 registrar ip: 0.0.0.0\n"])
    );
    let yealink = |text: &str| of("yealink", "x.cfg", format!("#!version:1.0.0.1\n{text}").as_bytes());
    assert_eq!(yealink("account.1.user_name = a\naccount.2.user_name = %NULL%\n"), yealink("account.1.user_name=a\n"));
}

#[test]
fn what_has_no_account_by_its_nature_has_none() {
    for (brand, file, body) in [
        ("mitel", "startup.cfg", "download protocol: HTTP\nauto resync mode: 3\nsip blf subscription period: 360\n"),
        ("mitel", "6731i.cfg", "prgkey1 type: blf\nprgkey1 value: 201\n"),
        ("snom", "snom370.xml", "<setting-files><file url=\"http://x/a.xml\"/></setting-files>"),
        ("snom", "a.xml", "<settings><phone-settings><language>Deutsch</language></phone-settings></settings>"),
        ("snom", "a.xml", "<gui-languages><language url=\"http://x\" name=\"Deutsch\"/></gui-languages>"),
        ("snom", "a.xml", "<tbook><item><name>Anna</name><number>1</number></item></tbook>"),
        ("yealink", "y000000000028.cfg", "#!version:1.0.0.1\nlocal_time.time_zone = +1\n"),
        ("yealink", "001565aabbcc.boot", "#!version:1.0.0.1\ninclude:config \"a.cfg\"\n"),
        ("polycom", "000000000000.cfg", "<APPLICATION APP_FILE_PATH=\"sip.ld\" CONFIG_FILES=\"a.cfg\"/>"),
        ("gigaset", "x.xml", "<provisioning><nvm><param name=\"a\" value=\"b\"/></nvm></provisioning>"),
    ] {
        assert_eq!((vendor(brand).check)(file, body.as_bytes()), Verdict::Good, "{brand} {file}");
        assert_eq!(of(brand, file, body.as_bytes()), Identity::None, "{brand} {file}");
    }
    // but a common file that names the registrar has something to lose
    let startup = |host: &str| of("mitel", "startup.cfg", format!("sip registrar ip: {host}\n").as_bytes());
    assert_eq!(startup("a.example").change(startup("b.example")), Some(Change::Changed));
    assert_eq!(startup("a.example").change(startup("")), Some(Change::Lost));
}

#[test]
fn what_cannot_be_read_is_unknown() {
    let noise: Vec<u8> = (0..=255).collect();
    for v in everyone() {
        assert_eq!(v.identity("000413AABBCC.tuz", b"sip line1 user name: a\n"), Identity::Unknown, "{}", v.name);
        assert_eq!(v.identity("x.cfg", &noise), Identity::Unknown, "{}", v.name);
    }
    assert_eq!(of("cisco", "x.cfg", b"\x1f\x8b\x08"), Identity::Unknown);
    assert_eq!(of("snom", "x.xml", b"<settings><a></settings>"), Identity::Unknown);
}

#[test]
fn demo_configs() {
    let mac = crate::proto::mac::Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]);
    let other = crate::proto::mac::Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcd]);
    for (brand, file) in [("snom", "settings.php"), ("mitel", "000413AABBCC.cfg")] {
        let config = |mac, revision| of(brand, file, &sample_config(brand, mac, revision, "http://a.example").unwrap());
        assert!(matches!(config(mac, 1), Identity::Account(_)));
        assert_eq!(config(mac, 1), config(mac, 2));
        assert_eq!(config(mac, 1).change(config(other, 1)), Some(Change::Changed));
    }
}

/// Recorded answers of a provisioner, when `PHONEPROV_GOLDEN` names their folder: what is rendered for a phone has an
/// account.
#[test]
fn recorded_configs_have_an_account() {
    let Some(folder) = std::env::var_os("PHONEPROV_GOLDEN").map(std::path::PathBuf::from) else {
        println!("skipped: PHONEPROV_GOLDEN does not name a folder of recorded answers");
        return;
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let id = entry.file_name().into_string().unwrap();
        let Ok(body) = std::fs::read(entry.path().join("response.body")) else { continue };
        let brand = if id.starts_with("snom-") {
            "snom"
        } else if id.starts_with("mitel-6") {
            "mitel"
        } else if id.starts_with("yealink-t") {
            "yealink"
        } else {
            continue;
        };
        if (vendor(brand).check)("x.cfg", &body) == Verdict::Good {
            seen += 1;
            assert!(matches!(of(brand, "x.cfg", &body), Identity::Account(_)), "{id}");
        }
    }
    println!("{seen} recorded configs");
    assert!(seen > 30);
}

proptest! {
    #[test]
    fn total_and_silent(file in ".{0,24}", body in bodies()) {
        for v in everyone() {
            let shown = format!("{:?}", v.identity(&file, &body));
            prop_assert!(shown.len() < 32, "{}", shown);
            prop_assert_eq!(v.identity(&file, &body), v.identity(&file, &body));
        }
    }

    /// Settings of other names, anywhere between the lines, change nothing.
    #[test]
    fn other_settings_are_of_no_meaning(words in prop::collection::vec("[a-z]{1,8}", 1..8), at in any::<prop::sample::Index>()) {
        for (brand, file, sample, form) in [
            ("snom", "x.htm", "snom-bare.txt", "zz_#!: v"),
            ("mitel", "x.cfg", "mitel-mac.cfg", "zz #: v"),
            ("yealink", "x.cfg", "yealink-mac.cfg", "zz.#.user_name = v"),
            ("akuvox", "x.cfg", "akuvox.cfg", "Config.zz.# = v"),
            ("panasonic", "x.cfg", "panasonic.cfg", "ZZ_#=\"v\""),
        ] {
            let text = String::from_utf8(data(sample)).unwrap().replace('\r', "\n");
            let mut lines: Vec<String> = text.lines().map(String::from).collect();
            let before = of(brand, file, lines.join("\n").as_bytes());
            for word in &words {
                // not before the first line, which some brands need
                let at = 1 + at.index(lines.len());
                lines.insert(at.min(lines.len()), form.replace('#', word));
            }
            prop_assert_eq!(of(brand, file, lines.join("\n").as_bytes()), before, "{}", sample);
        }
    }
}
