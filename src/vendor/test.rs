//! Tables over all brands: User-Agents, file names, bodies; and what no input may do.

use super::*;
use crate::proto::mac::Mac;
use proptest::prelude::*;

pub(super) fn vendor(name: &str) -> &'static Vendor {
    if name == "generic" {
        &GENERIC
    } else {
        by_name(name).unwrap()
    }
}

pub(super) fn everyone() -> impl Iterator<Item = &'static Vendor> {
    ALL.iter().copied().chain([&GENERIC])
}

pub(super) fn data(file: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/vendor").join(file);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Good configs: brand, name the phone asks for, file.
const GOOD: &[(&str, &str, &str)] = &[
    ("snom", "settings.php", "snom-settings.xml"),
    ("snom", "snom370-000413AABBCC.htm", "snom-pre.htm"),
    ("snom", "snom370.htm", "snom-bare.txt"),
    ("snom", "000413aabbcc.cfg", "snom-m3.cfg"),
    ("mitel", "00085DAABBCC.cfg", "mitel-mac.cfg"),
    ("mitel", "MN_08000FAABBCC.cfg", "mitel-53xx.cfg"),
    ("yealink", "001565aabbcc.cfg", "yealink-mac.cfg"),
    ("yealink", "001565aabbcc.boot", "yealink.boot"),
    ("grandstream", "cfgc074ad112233.xml", "grandstream.xml"),
    ("fanvil", "0c383e112233.cfg", "fanvil.txt.cfg"),
    ("fanvil", "0c383e112233.cfg", "fanvil.xml.cfg"),
    ("htek", "cfg001fc1112233.xml", "htek.xml"),
    ("gigaset", "7C2F80112233.xml", "gigaset.xml"),
    ("panasonic", "Config0080F0112233.cfg", "panasonic.cfg"),
    ("polycom", "0004f2112233.cfg", "polycom.cfg"),
    ("akuvox", "0c1105112233.cfg", "akuvox.cfg"),
    ("cisco", "spa504G.cfg", "cisco.xml"),
];

#[test]
fn names_are_unique_and_found() {
    for v in ALL {
        assert!(std::ptr::eq(by_name(&v.name.to_uppercase()).unwrap(), *v));
        assert!(v.url.starts_with("{upstream}/prov/") && !v.ouis.is_empty(), "{}", v.name);
        for oui in v.ouis {
            let pattern = crate::proto::mac::MacPattern::parse(oui).unwrap();
            assert_eq!(&pattern.to_string(), oui);
            let owners = ALL.iter().filter(|o| o.ouis.contains(oui)).count();
            assert_eq!(owners, 1, "{oui}");
        }
    }
    assert!(by_name("generic").is_none() && by_name("").is_none());
    assert_eq!(vendor("snom").url, "{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}");
    assert_eq!(vendor("mitel").url, "{upstream}/prov/mitel");
}

#[test]
fn user_agents() {
    // brand, User-Agent (phone-facts 3.1 and 1.3), model, firmware, MAC
    let table: &[(&str, &str, &str, &str, &str)] = &[
        (
            "snom",
            "Mozilla/4.0 (compatible; snom320-SIP 6.5.20; snom320 jffs2 v3.36; snom320 linux 3.38)",
            "320",
            "6.5.20",
            "",
        ),
        ("snom", "Mozilla/4.0 (compatible; snom320-SIP 7.3.30 1.1.3-u)", "320", "7.3.30", ""),
        ("snom", "Mozilla/4.0 (compatible; snom320-SIP 8.4.18 1.1.3-s)", "320", "8.4.18", ""),
        ("snom", "Mozilla/4.0 (compatible; snom710-SIP 8.7.3.19 1.1.5-IFX-05.01.12)", "710", "8.7.3.19", ""),
        (
            "snom",
            "Mozilla/4.0 (compatible; snom710-SIP 8.7.5.35 1.1.5-IFX-05.01.12 000413741767)",
            "710",
            "8.7.5.35",
            "000413741767",
        ),
        ("snom", "Mozilla/4.0 (compatible; snom870-SIP 8.4.35 SPEAr300 SNOM 1.4)", "870", "8.4.35", ""),
        ("snom", "Mozilla/4.0 (compatible; snomPA1-SIP 8.4.35 1.1.3-s)", "PA1", "8.4.35", ""),
        (
            "snom",
            "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004-g9ba52f5 000413922D24 SXM:0 UXM:0)",
            "D785",
            "10.1.33.33",
            "000413922D24",
        ),
        (
            "snom",
            "Mozilla/4.0 (compatible; snomD785-SIP 10.1.169.16 2010.12-00001-gd311851f1 (Feb 25 2019 - 14:19:43) 00041396D9B4 SXM:0 UXM:0 UXMC:0)",
            "D785",
            "10.1.169.16",
            "00041396D9B4",
        ),
        ("snom", "Mozilla/4.0 (compatible; snom lid 3605)", "", "", ""),
        ("snom", "Mozilla/4.0 (compatible; snom m9 9.1.43)", "m9", "9.1.43", ""),
        ("snom", "Mozilla/4.0 (compatible; Snom M900 05.20.0001 000413b60680)", "M900", "05.20.0001", "000413b60680"),
        ("snom", "snomD120/10.1.39.11", "D120", "10.1.39.11", ""),
        ("snom", "snomM700/03.23.0005 (MAC=000413600001; SER= 00000; HW=255)", "M700", "03.23.0005", "000413600001"),
        (
            "mitel",
            "Aastra57i MAC:00-08-5D-19-00-01 V:2.0.1.1055-0035-00-A1",
            "57i",
            "2.0.1.1055-0035-00-A1",
            "00085D190001",
        ),
        ("mitel", "Aastra6731i MAC:00-08-5D-23-74-29 V:3.2.0.70-SIP", "6731i", "3.2.0.70", "00085D237429"),
        ("mitel", "Aastra6863i MAC:00-08-5D-40-90-5F V:4.1.0.128-SIP", "6863i", "4.1.0.128", "00085D40905F"),
        ("mitel", "Mitel6915 MAC:14-00-E9-1B-E2-41 V:6.4.0.140-SIP", "6915", "6.4.0.140", "1400E91BE241"),
        ("mitel", "Aastra 6867i/4.2.0.2023", "6867i", "4.2.0.2023", ""),
        ("yealink", "Yealink SIP-T46G 28.72.0.1 00:15:65:4a:a9:37", "T46G", "28.72.0.1", "0015654aa937"),
        ("yealink", "yealink SIP-T18 18.0.0.80 00:15:65:27:3e:05", "T18", "18.0.0.80", "001565273e05"),
        ("yealink", "Yealink SIP VP-T49G 51.80.0.75 00:15:65:84:b5:4a", "VP-T49G", "51.80.0.75", "00156584b54a"),
        ("yealink", "Yealink W52P 25.30.0.2 00:15:65:40:ae:35", "W52P", "25.30.0.2", "00156540ae35"),
        ("yealink", "Yealink SIP-T58 58.80.0.5 001565f429a4", "T58", "58.80.0.5", "001565f429a4"),
        ("yealink", "Yealink SIP-T85W 185.87.0.10 44:db:d2:00:00:01", "T85W", "185.87.0.10", "44dbd2000001"),
        ("yealink", "Yealink SIP-T21P 34.72.14.6", "T21P", "34.72.14.6", ""),
        (
            "grandstream",
            "Grandstream Model HW GXP1628 SW 1.0.4.138 DevId c074ad2bd859 V1.6B",
            "GXP1628",
            "1.0.4.138",
            "c074ad2bd859",
        ),
        (
            "grandstream",
            "Grandstream GXP2000 (gxp2000e.bin:1.2.5.3/boot55e.bin:1.1.6.9) DevId 000b82112233",
            "GXP2000",
            "1.2.5.3",
            "000b82112233",
        ),
        ("grandstream", "Grandstream BT110 1.0.8.33", "BT110", "1.0.8.33", ""),
        ("grandstream", "Grandstream GRP2612W 1.0.5.67", "GRP2612W", "1.0.5.67", ""),
        ("fanvil", "Fanvil X4 2.10.2.6887 0c383e07e16c", "X4", "2.10.2.6887", "0c383e07e16c"),
        ("htek", "Htek UC903 2.0.4.2 00:1f:c1:1c:22:a9", "UC903", "2.0.4.2", "001fc11c22a9"),
        ("akuvox", "Akuvox R20K 20.30.4.50 0c:11:05:00:00:01", "R20K", "20.30.4.50", "0c1105000001"),
        ("panasonic", "Panasonic_KX-UT113/01.133 (0080f0c8c381)", "KX-UT113", "01.133", "0080f0c8c381"),
        (
            "gigaset",
            "Gigaset N720 DM PRO/70.089.00.000.000;7C2F80CA21E4",
            "N720 DM PRO",
            "70.089.00.000.000",
            "7C2F80CA21E4",
        ),
        (
            "gigaset",
            "Gigaset N870 IP PRO/83.V2.11.0+build.a546b91;7C2F80E0D605;Handset=2",
            "N870 IP PRO",
            "83.V2.11.0+build.a546b91",
            "7C2F80E0D605",
        ),
        ("polycom", "FileTransport PolycomVVX-VVX_400-UA/4.1.4.7430 Type/Application", "VVX_400", "4.1.4.7430", ""),
        ("polycom", "FileTransport PolycomVVX-VVX_400-UA/4.1.4.7430 Type/Updater", "VVX_400", "4.1.4.7430", ""),
        ("cisco", "Linksys/SPA-942-6.1.5(a) (88019FA42805)", "SPA-942", "6.1.5", "88019FA42805"),
        ("cisco", "Cisco/SPA508G-7.4.4 (0002FDFF2103)(CBT141400UK)", "SPA508G", "7.4.4", "0002FDFF2103"),
        ("cisco", "Cisco-CP-8841-3PCC/11.0.1 (00562b043615)", "CP-8841-3PCC", "11.0.1", "00562b043615"),
        ("", "ALE M3-CE 2.11.01.1604 3c28a620089e", "", "", ""),
        ("", "Mozilla/4.0 (compatible; AVAYA/J179-4.1.3.0.6 (MAC:c81fea83e85a)", "", "", ""),
        ("", "AUDC-IPPhone/2.2.8.61 (440HDG-Rev0; 00908F602AAC)", "", "", ""),
        ("", "Flyingvoice FIP13G V0.6.24 00:21:F2:22:AE:F1", "", "", ""),
        ("", "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0", "", "", ""),
        ("", "Yealinkish/1", "", "", ""),
        ("", "curl/8.1 venomsnom", "", "", ""),
        ("", "", "", "", ""),
    ];
    for (brand, agent, model, firmware, mac) in table {
        for v in everyone() {
            let facts = (v.user_agent)(agent);
            if v.name != *brand {
                assert_eq!(facts, None, "{} takes {agent}", v.name);
                continue;
            }
            let facts = facts.unwrap_or_else(|| panic!("{brand}: {agent}"));
            assert_eq!(facts.model.as_deref().unwrap_or_default(), *model, "{agent}");
            assert_eq!(facts.firmware.as_deref().unwrap_or_default(), *firmware, "{agent}");
            assert_eq!(facts.mac, Mac::parse(mac), "{agent}");
        }
    }
}

#[test]
fn kinds_of_files() {
    use FileKind::{Config, Shared};
    let table: &[(&str, &[&str], &[&str])] = &[
        (
            "snom",
            &[
                "settings.php",
                "snom370.htm",
                "snomD735-000413AABBCC.htm",
                "000413AABBCC.xml",
                "000413aabbcc.cfg",
                "firmware.php",
                "",
            ],
            &[
                "gui_lang_DE.xml",
                "web_lang.xml",
                "lang_de.xml",
                "snomD735-10.1.54.13-SIP-r.bin",
                "ring.wav",
                "logo.png",
                "ca.pem",
            ],
        ),
        (
            "mitel",
            &[
                "security.tuz",
                "aastra.tuz",
                "aastra.cfg",
                "startup.cfg",
                "6869i.cfg",
                "00085DAABBCC.cfg",
                "00085DAABBCC.tuz",
                "startup.lic",
                "00085DAABBCC.lic",
                "MN_Generic.cfg",
            ],
            &["6869i.st", "lang_de.txt", "LANG_FR.TXT", "tone.wav", "cert.crt"],
        ),
        (
            "yealink",
            &[
                "001565aabbcc.boot",
                "y000000000000.boot",
                "y000000000028.cfg",
                "001565aabbcc.cfg",
                "001565aabbcc-local.cfg",
                "local.cfg",
                "contact.xml",
            ],
            &["T46-28.86.0.15.rom", "001.GUI.English.lang", "lang-de.txt", "Ring1.wav", "wall.jpg", "logo.dob"],
        ),
        (
            "grandstream",
            &["cfgc074ad112233", "cfgc074ad112233.xml", "cfggrp2612w.xml", "cfg.xml"],
            &["ring1.bin", "gxp1628fw.bin", "phonebook.xml", "gs_phonebook.xml"],
        ),
        (
            "polycom",
            &["0004f2112233.cfg", "000000000000.cfg", "sip.cfg", "0004f2112233-directory.xml"],
            &["sip.ld", "3111-40000-001.sip.ld", "SoundPointIPWelcome.wav"],
        ),
        ("fanvil", &["f0X4hw1.100.cfg", "0c383e112233.cfg"], &["x4-6904-P0.12.11.z", "x4.swu"]),
        ("htek", &["cfg001fc1112233.xml", "cfg000000000000.xml"], &["fw903.rom"]),
        ("panasonic", &["KX-HDV130.cfg", "Config0080F0112233.cfg"], &["HDV130.fw"]),
        ("gigaset", &["7C2F80112233.xml"], &["merkurv2.bin"]),
        (
            "cisco",
            &[
                "spa504G.cfg",
                "spa000e08112233.cfg",
                "SEP000E08112233.cnf.xml",
                "XMLDefault.cnf.xml",
                "CTLSEP000E08112233.tlv",
            ],
            &["spa50x-30x-7-6-2f.bin", "SIP45.9-4-2.loads"],
        ),
        ("akuvox", &["0c1105112233.cfg"], &["R20.rom"]),
        (
            "generic",
            &["a.cfg", "x.htm", "46xxsettings.txt", "J100Supgrade.txt", "sipconfig-00809f112233.txt"],
            &["fw.bin", "a.zip"],
        ),
    ];
    for (name, configs, shared) in table {
        for (files, expected) in [(configs, Config), (shared, Shared)] {
            for file in *files {
                assert_eq!((vendor(name).kind)(file), expected, "{name} {file}");
            }
        }
    }
}

#[test]
fn good_configs_are_good_for_their_brand_and_broken_for_others() {
    for (brand, file, path) in GOOD {
        let body = data(path);
        for v in everyone() {
            let verdict = (v.check)(file, &body);
            let shares_form = match (v.name, *brand) {
                ("generic", _) => true,
                // snom firmware in a Gigaset case
                ("gigaset", "snom") => *path == "snom-settings.xml",
                // any root but the well-known of others; phones read the attributes
                // any `key = value`
                ("akuvox", "panasonic") => true,
                (own, brand) => own == brand,
            };
            if shares_form {
                assert_eq!(verdict, Verdict::Good, "{} {path}", v.name);
            } else {
                assert!(matches!(verdict, Verdict::Broken(_)), "{} takes {path}: {verdict:?}", v.name);
            }
        }
    }
}

#[test]
fn reasons_name_the_other_brand() {
    let why = |brand: &str, file: &str| match (vendor(brand).check)("x.cfg", &data(file)) {
        Verdict::Broken(why) => why,
        v => panic!("{brand} {file}: {v:?}"),
    };
    assert_eq!(why("snom", "mitel-mac.cfg"), "a Mitel config, not a snom config");
    assert_eq!(why("mitel", "snom-settings.xml"), "a snom config, not a Mitel config");
    assert_eq!(why("mitel", "yealink-mac.cfg"), "a Yealink config, not a Mitel config");
    assert_eq!(why("yealink", "mitel-mac.cfg"), "a Mitel config, not a Yealink config");
    assert_eq!(why("snom", "grandstream.xml"), "a Grandstream config, not a snom config");
    assert_eq!(why("htek", "panasonic.cfg"), "a Panasonic config, not an Htek config");
}

#[test]
fn answers_of_one_moment() {
    let snom = vendor("snom").check;
    assert_eq!(snom("settings.php", &data("snom-firmware.htm")), Verdict::Temporary);
    assert_eq!(snom("settings.php", b"<html><pre>\nfirmware: http://x/fw.bin\n</pre></html>"), Verdict::Temporary);
    assert_eq!(
        snom("settings.php", b"<firmware-settings>\n<firmware>x</firmware>\n</firmware-settings>"),
        Verdict::Temporary
    );
    let whole = b"<settings><firmware-settings/><phone-settings><a/></phone-settings></settings>";
    assert_eq!(snom("settings.php", whole), Verdict::Good);
    let yealink = vendor("yealink").check;
    assert_eq!(yealink("001565aabbcc.cfg", &data("yealink-firmware.cfg")), Verdict::Temporary);
    // pages of the phones' XML browsers
    let page = b"<AastraIPPhoneTextScreen><Title>x</Title></AastraIPPhoneTextScreen>";
    assert_eq!((vendor("mitel").check)("directory.php", page), Verdict::Temporary);
    assert_eq!(snom("directory.php", b"<SnomIPPhoneMenu><a/></SnomIPPhoneMenu>"), Verdict::Temporary);
}

#[test]
fn refusals_are_refusals_for_all() {
    for v in everyone() {
        for body in [
            "",
            "\r\n ",
            "access denied",
            "file not found",
            "invalid mac address",
            "<!-- // No! See log for details. // -->",
        ] {
            for file in ["000413aabbcc.cfg", "settings.php", "security.tuz", "fw.bin"] {
                let verdict = (v.check)(file, body.as_bytes());
                assert!(matches!(verdict, Verdict::Refused(_)), "{} {file} {body:?}: {verdict:?}", v.name);
            }
        }
    }
    let comment = (vendor("grandstream").check)("cfgc074ad112233", b"# No!\n");
    assert_eq!(comment, Verdict::Refused("the upstream answered with a comment only"));
}

#[test]
fn pages_and_messages_are_broken_for_all() {
    let bodies = [
        "<!DOCTYPE html><html><head><title>404</title></head></html>",
        "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><hr><center>nginx</center></body></html>",
        "<html><body><form action=login><pre>please log in</pre></form></body></html>",
        "<html><head><title>Error</title></head><pre>\nerror: 17\nmodule: prov\n</pre></html>",
        "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><body/></html>",
        "{\"error\":\"not found\"}",
        "<br />\n<b>Fatal error</b>:  Uncaught Error in <b>/x.php</b> on line <b>3</b><br />",
    ];
    for v in everyone() {
        for body in bodies {
            for file in ["000413aabbcc.cfg", "settings.php", "security.tuz", "fw.bin"] {
                let verdict = (v.check)(file, body.as_bytes());
                assert!(matches!(verdict, Verdict::Broken(_)), "{} {file} {body:?}: {verdict:?}", v.name);
            }
        }
        // a warning in front of, or in, an otherwise good config
        for (brand, file, path) in GOOD.iter().filter(|(brand, ..)| *brand == v.name) {
            let mut body = b"<br />\n<b>Warning</b>:  x in <b>/y.php</b> on line <b>3</b><br />\n".to_vec();
            body.extend(data(path));
            assert!(matches!((v.check)(file, &body), Verdict::Broken(_)), "{brand} {path}");
        }
    }
}

#[test]
fn encrypted_and_opaque_files() {
    let noise: Vec<u8> = (0..64u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mitel = vendor("mitel").check;
    assert_eq!(mitel("security.tuz", &noise), Verdict::Good);
    assert_eq!(mitel("startup.lic", b"<licence/>"), Verdict::Good);
    assert!(matches!(mitel("startup.cfg", &noise), Verdict::Broken(_)));
    let yealink = vendor("yealink").check;
    assert_eq!(yealink("001565aabbcc.cfg", &noise), Verdict::Good);
    assert!(matches!(yealink("001565aabbcc.cfg", &noise[..63]), Verdict::Broken(_)));
    assert_eq!((vendor("cisco").check)("spa504G.cfg", b"\x1f\x8b\x08\0\0\0\0\0"), Verdict::Good);
    assert!(matches!((vendor("snom").check)("settings.php", &noise), Verdict::Broken(_)));
    let big = vec![0x55u8; crate::bounds::CONFIG_BODY + 1];
    assert_eq!((vendor("mitel").check)("6869i.st", &big), Verdict::Good);
    assert!(matches!((vendor("mitel").check)("startup.cfg", &big), Verdict::Broken(_)));
}

#[test]
fn latin1_marks_and_line_ends() {
    let check = vendor("snom").check;
    let xml = b"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\r\n<settings><a x='\xe4'>M\xfcller</a></settings>\r\n";
    assert_eq!(check("settings.php", xml), Verdict::Good);
    assert_eq!(check("snom370.htm", b"<HTML><PRE>\r\nuser_realname1!: M\xfcller\r\n</PRE></HTML>\r\n"), Verdict::Good);
    assert_eq!((vendor("mitel").check)("aastra.cfg", b"sip line1 display name: M\xfcller\r\n"), Verdict::Good);
}

#[test]
fn what_a_phone_cannot_read_is_broken() {
    let broken = |brand: &str, body: &[u8]| match (vendor(brand).check)("x.cfg", body) {
        Verdict::Broken(why) => why,
        v => panic!("{brand}: {v:?}"),
    };
    assert_eq!(broken("snom", b"<settings/>"), "an empty document, not a snom config");
    assert_eq!(
        broken("snom", b"<html><pre>\nuser_name1!: x\n"),
        "a snom config that is cut off: </pre> or </html> is missing"
    );
    assert!(broken("snom", b"<settings><a><Meier> Tom</a></settings>").contains("closes another element"));
    let bomb = b"<!DOCTYPE s [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><settings><a>&b;</a></settings>";
    assert!(broken("snom", bomb).contains("document type"));
    assert!(broken("yealink", b"account.1.enable = 1\n").contains("the first line is not #!version"));
    assert!(broken("yealink", b"#!version:1.0.0.1\n").contains("without any setting"));
    assert!(broken("grandstream", b"P47=alpha.sip.example\n").contains("plain P values"));
    assert!(broken("fanvil", b"<<VOIP CONFIG FILE>>Version:2\r\nSIP :1\r\n").contains("END OF FILE"));
    assert!(broken("mitel", b"error: no such phone\n").contains("not a Mitel config"));
    assert!(broken("mitel", b"Sorry, we are down.\n").contains("not a Mitel config"));
}

#[test]
fn fallbacks() {
    for v in everyone() {
        let expected = (v.name == "mitel").then_some("aastra.cfg");
        assert_eq!((v.fallback)("startup.cfg"), expected, "{}", v.name);
        assert_eq!((v.fallback)("aastra.cfg"), None);
    }
}

/// All recorded answers of a provisioner (`index.json` as in the project's corpus), when `PHONEPROV_GOLDEN` names its
/// folder: everything rendered for a phone is good or temporary, every refusal is refused, and what is neither is
/// known by name.
#[test]
fn recorded_answers() {
    let Some(folder) = std::env::var_os("PHONEPROV_GOLDEN").map(std::path::PathBuf::from) else {
        println!("skipped: PHONEPROV_GOLDEN does not name a folder of recorded answers");
        return;
    };
    let index = std::fs::read_to_string(folder.join("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let (mut counts, mut wrong) = (std::collections::BTreeMap::new(), Vec::new());
    for case in index.as_array().unwrap() {
        let text = |key: &str| case[key].as_str().unwrap_or_default();
        let target = case["request"]["url"].as_str().unwrap_or_default();
        let brand = target.split('/').find_map(|s| by_name(if s == "aastra" { "mitel" } else { s }));
        let (Some(brand), Some(200)) = (brand, case["status"].as_u64()) else { continue };
        if text("kind") == "rest" {
            continue;
        }
        let body = std::fs::read(folder.join(text("response_file"))).unwrap();
        let file = target.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let verdict = (brand.check)(file, &body);
        let id = text("id");
        let name = match &verdict {
            Verdict::Good => "good",
            Verdict::Temporary => "temporary",
            Verdict::Refused(_) => "refused",
            Verdict::Broken(_) => "broken",
        };
        *counts.entry((brand.name, name)).or_insert(0u32) += 1;
        // what the recorded provisioner does wrong: half documents, foreign templates, names that are not escaped
        let spoilt = [
            "probe-",
            "plain-serialisation",
            "cisco-303g",
            "panasonic-via",
            "xml-special-names",
            "320-key-odd",
            "t46p-2-keys",
            "yealink-yealink-cfg",
        ];
        let spoilt = spoilt.iter().any(|s| id.contains(s));
        let expected: &[&str] = match (body.is_empty(), spoilt) {
            (true, _) => &["refused"],
            (false, true) => &["good", "broken"],
            (false, false) if id.contains("firmware-") && id.starts_with("snom") => &["temporary"],
            (false, false) => &["good"],
        };
        if !expected.contains(&name) {
            wrong.push(format!("{id}: {verdict:?}"));
        }
        if name == "broken" {
            println!("{id}: {verdict:?}");
        }
    }
    println!("{counts:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(counts.get(&("snom", "good")).is_some_and(|n| *n > 20));
}

/// Bytes that look like a config often enough to reach deep into the checks.
pub(super) fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "<settings>",
        "</settings>",
        "<html>",
        "<pre>",
        "</pre>",
        "</html>",
        "<?xml version=\"1.0\"?>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<!DOCTYPE x [",
        "#!version:1.0.0.1\n",
        "a = b\n",
        "sip line1 user: x\n",
        "name!: x\r",
        "%A%: b\n",
        "&amp;",
        "&",
        "<a x='",
        "'>",
        "/>",
        "{\"",
        "\u{feff}",
        "<<VOIP CONFIG FILE>>",
        "P47=1\n",
        "<b>Warning</b>:",
        "\0",
        "x",
        "\n",
        "# Panasonic SIP Phone Standard Format File #",
        "<firmware-settings>",
        "Warning: a on line 1\n",
    ]);
    let mixed = prop::collection::vec(words, 0..24).prop_map(|w| w.concat().into_bytes());
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), mixed]
}

proptest! {
    #[test]
    fn check_is_total_and_says_nothing_of_the_body(file in ".{0,24}", body in bodies()) {
        for v in everyone() {
            if let Verdict::Broken(why) = (v.check)(&file, &body) {
                prop_assert!(!why.is_empty() && why.len() < 200 && why.chars().all(|c| (' '..='~').contains(&c)));
            }
            let _ = (v.kind)(&file);
            let _ = (v.fallback)(&file);
        }
    }

    #[test]
    fn user_agent_facts_are_printable(agent in prop_oneof![
        ".{0,200}",
        "(snom|Mitel|Aastra|Yealink|Grandstream|Fanvil|Htek|Gigaset|Panasonic|FileTransport Poly|Akuvox|Cisco|Linksys)[ /_-]?.{0,150}",
    ]) {
        for facts in everyone().filter_map(|v| (v.user_agent)(&agent)) {
            for fact in [facts.model, facts.firmware].into_iter().flatten() {
                prop_assert!(!fact.is_empty() && fact.len() <= 64 && fact.chars().all(|c| (' '..='~').contains(&c)), "{fact:?}");
            }
        }
    }

    #[test]
    fn a_cut_off_snom_config_is_never_good(mac in any::<[u8; 6]>(), cut in any::<prop::sample::Index>()) {
        let check = vendor("snom").check;
        let xml = sample_config("snom", Mac(mac), 1, "http://192.0.2.1/snom").unwrap_or_default();
        for body in [xml, data("snom-pre.htm")] {
            let whole = body.trim_ascii_end();
            prop_assert_eq!(check("settings.php", whole), Verdict::Good);
            let part = &whole[..cut.index(whole.len())];
            let verdict = check("settings.php", part);
            prop_assert!(!matches!(verdict, Verdict::Good | Verdict::Temporary), "{} of {}: {:?}", part.len(), whole.len(), verdict);
        }
    }
}

#[test]
fn a_snom_config_cut_off_anywhere_is_not_good() {
    let check = vendor("snom").check;
    for path in ["snom-settings.xml", "snom-pre.htm", "snom-firmware.htm"] {
        let body = data(path);
        // what follows the root's end tag (blanks, a comment) may be missing
        let end = body.windows(2).rposition(|w| w == b"s>" || w == b"l>").map(|at| at + 2).unwrap();
        for cut in 0..end {
            let verdict = check("settings.php", &body[..cut]);
            assert!(!matches!(verdict, Verdict::Good | Verdict::Temporary), "{path} cut at {cut}: {verdict:?}");
        }
    }
}
