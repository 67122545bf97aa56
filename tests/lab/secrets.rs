//! `provpass` goes upstream and nowhere else; a SIP password goes to its phone and nowhere else.

use crate::bodies::{PROVPASS, SIP_PASSWORD};
use crate::build::Test;
use crate::faulty::Fault;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::process::Output;

const SNOM: &str = "00:04:13:00:00:01";
const MITEL: &str = "00:08:5d:00:00:02";
const NEW: &str = "00:04:13:00:00:03";

/// Texts that were looked through, each with what it is.
#[derive(Default)]
struct Texts(Vec<(String, String)>);

impl Texts {
    fn add(&mut self, what: impl Into<String>, text: impl Into<String>) {
        self.0.push((what.into(), text.into()));
    }

    fn output(&mut self, what: &str, out: Output) {
        self.add(what, String::from_utf8_lossy(&out.stdout).into_owned());
        self.add(format!("{what} (stderr)"), String::from_utf8_lossy(&out.stderr).into_owned());
    }

    fn hold_none(&self, secrets: &[&str]) {
        for (what, text) in &self.0 {
            for secret in secrets {
                // also as it looks percent-encoded, in base64 and in hex
                let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
                let forms = [secret.to_string(), secret.replace('-', "%2D"), base64(secret.as_bytes()), hex];
                for form in forms {
                    assert!(!text.to_lowercase().contains(&form.to_lowercase()), "{what} holds {form}:\n{text}");
                }
            }
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut s = String::new();
    for three in bytes.chunks_exact(3) {
        let n = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        for shift in [18, 12, 6, 0] {
            s.push(char::from(DIGITS[(n >> shift) as usize & 63]));
        }
    }
    s
}

#[test]
fn no_secret_leaves() {
    let t = Test::new("secrets").phone(SNOM).phone(MITEL).phone(NEW).needs("sipp");
    // a template that has the secret in its path too
    let mitel = "{upstream}/prov/{provpass}/mitel";
    let Some(t) = t.vendor("mitel", "00:08:5d:*:*:*", mitel).start() else { return };
    let mut texts = Texts::default();
    t.put_snom(0, "secret");
    t.upstream().put(
        &format!("/prov/{PROVPASS}/mitel/{}.cfg", t.phone(1).hex_upper()),
        crate::bodies::mitel(
            "x",
            &format!(
                "http://prov.example.test/prov/{PROVPASS}/mitel/lang_de.txt http://prov.example.test/x?pass={PROVPASS}"
            ),
            4_000,
        ),
    );
    for fixture in ["snom-d120", "snom-370", "snom-m700"] {
        let got = t.phone(0).sipp(fixture);
        texts.add(fixture, got.log);
        texts.add("url", got.url.expect("a URL"));
    }
    let look = |texts: &mut Texts, when: &str| {
        for (i, p) in t.phones().iter().enumerate() {
            for target in [
                p.config_target(),
                "/".into(),
                "/snom".into(),
                "/snom/".into(),
                "/mitel/".into(),
                "/snom/-/".into(),
                "/snom/-/nothing?x".into(),
                format!("/nobody/{PROVPASS}-in-the-request-is-not-ours"),
                "/snom/../../etc/passwd".into(),
                "/snom/settings.php".into(),
            ] {
                let Ok(a) = p.try_get(&target, &[]) else { continue };
                let what = format!("{when}: phone {i} {target}");
                texts.add(format!("{what} (headers)"), format!("{:?}", a.headers));
                if a.status != 200 {
                    if !target.contains(PROVPASS) {
                        texts.add(format!("{what} (body)"), a.text());
                    }
                } else {
                    assert!(!a.text().contains(PROVPASS), "{what}: provpass on the LAN:\n{}", a.text());
                }
            }
        }
        for verb in [&["status"][..], &["phones"], &["phone", SNOM], &["phone", MITEL], &["events"], &["refresh"]] {
            texts.output(&format!("{when}: {verb:?}"), t.agent().verb(verb));
            texts.output(&format!("{when}: {verb:?} --json"), t.agent().verb(&[verb, &["--json"]].concat()));
        }
    };
    look(&mut texts, "good");
    assert_eq!(t.phone(0).config().status, 200);
    assert_eq!(t.phone(1).config().status, 200);
    for (name, fault) in [
        ("refused", Fault::Refused),
        ("404", Fault::Status(404)),
        ("401", Fault::Status(401)),
        ("500", Fault::Status(500)),
        ("reset", Fault::Rst),
        ("html", Fault::HtmlOk),
        ("truncated", Fault::Truncated),
        ("loop", Fault::RedirectLoop),
        ("elsewhere", Fault::RedirectElsewhere),
        ("headers", Fault::EndlessHeaders),
        (
            "other vendor's",
            Fault::Bytes(format!("#!version:1.0.0.1\naccount.1.password = {SIP_PASSWORD}\n").into_bytes()),
        ),
    ] {
        t.upstream().fail(fault);
        look(&mut texts, name);
    }
    texts.output("check", t.agent().verb(&["check"]));
    texts.output("check --json", t.agent().verb(&["check", "--json"]));
    texts.output("resync", t.agent().verb(&["resync", SNOM]));
    texts.output("forget", t.agent().verb(&["forget", MITEL]));
    let command_line = std::fs::read(format!("/proc/{}/cmdline", t.agent().pid())).unwrap_or_default();
    texts.add("command line", String::from_utf8_lossy(&command_line).into_owned());
    // a config in which the option itself is wrong: the message must not say its value
    let config = t.agent().config_file();
    let good = std::fs::read_to_string(config).unwrap();
    for (what, wrong) in [
        ("unended quote", good.replace(&format!("'{PROVPASS}'"), &format!("'{PROVPASS}"))),
        ("too many words", good.replace(&format!("'{PROVPASS}'"), &format!("'x' '{PROVPASS}'"))),
        ("mistyped name", good.replace("option provpass", "option propvass")),
        ("as a list", good.replace("option provpass", "list provpass")),
        ("no url", good.replace("{upstream}/prov/", &format!("htp:/{PROVPASS}/"))),
    ] {
        assert_ne!(wrong, good, "{what}");
        std::fs::write(config, wrong).unwrap();
        texts.output(what, t.agent().verb(&["check"]));
    }
    std::fs::write(config, good).unwrap();
    t.agent().kill9();
    texts.add("log", t.agent().log());
    let status = std::fs::read(t.agent().run_dir().join("status.json")).unwrap_or_default();
    texts.add("status.json", String::from_utf8_lossy(&status).into_owned());
    assert!(t.agent().log().len() > 2_000, "trace is on: there is something to look through");
    texts.hold_none(&[PROVPASS, SIP_PASSWORD]);
}

#[test]
fn files_are_for_root_only() {
    let Some(t) = Test::new("secrets-modes").phone(SNOM).phone(MITEL).start() else { return };
    t.put_snom(0, "one");
    t.put_mitel(1, "one");
    t.upstream().put("/prov/mitel/6731i.st", vec![7u8; 100_000]);
    assert_eq!(t.phone(0).config().status, 200);
    assert_eq!(t.phone(1).config().status, 200);
    assert_eq!(t.phone(1).get("/mitel/6731i.st").status, 200);
    let mut files = 0;
    for dir in [t.agent().state_dir(), t.agent().run_dir()] {
        for (path, entry) in crate::agent::Stored::of(dir).0 {
            let kind = std::fs::symlink_metadata(&path).unwrap();
            if path == t.agent().run_dir() && !entry.folder {
                continue;
            }
            if kind.file_type().is_socket() {
                assert_eq!(kind.mode() & 0o077, 0, "{path:?}: who may connect controls the agent: {:o}", kind.mode());
                continue;
            }
            let text = std::fs::read(&path).unwrap_or_default();
            let secret = [PROVPASS, SIP_PASSWORD].iter().any(|s| text.windows(s.len()).any(|w| w == s.as_bytes()));
            if dir == t.agent().state_dir() || secret {
                assert_eq!(entry.mode & 0o077, 0, "{path:?} is {:o}", entry.mode);
            }
            assert!(!text.windows(PROVPASS.len()).any(|w| w == PROVPASS.as_bytes()), "{path:?} holds provpass");
            files += usize::from(!entry.folder);
        }
    }
    assert!(files >= 2, "there was something to look at");
    let top = std::fs::metadata(t.agent().state_dir()).unwrap().mode() & 0o777;
    assert_eq!(top, 0o700, "state_dir is {top:o}");
}
