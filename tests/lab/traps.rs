//! What the original provisioner does to phones (phone-facts 3.4), and what a phone gets of it through the agent.

use crate::bodies::{self, PROVPASS};
use crate::build::Test;
use crate::eventually;
use crate::faulty::{Reply, Request};
use crate::upstream::Upstream;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const SNOM: &str = "00:04:13:00:00:01";
const MITEL: &str = "00:08:5d:00:00:02";

/// The original's lock: a second request of the same MAC within 6 s gets 200 and nothing.
fn locking(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Upstream {
    let last: Mutex<HashMap<String, Instant>> = Mutex::default();
    Upstream::script(move |r: &Request| {
        let mac = r.target.split("mac=").nth(1).map(|m| m.chars().take(12).collect::<String>()).unwrap_or_default();
        let mut last = last.lock().unwrap();
        if last.get(&mac).is_some_and(|at| at.elapsed() < Duration::from_secs(6)) {
            return Reply::new(200, "").header("Content-Type", "text/html");
        }
        last.insert(mac, Instant::now());
        answer(r)
    })
}

#[test]
fn second_request_within_six_seconds() {
    let upstream = locking(|_| Reply::new(200, bodies::snom("x", "once in 6 s", 12_000)));
    let t = Test::new("trap-lock")
        .phone(SNOM)
        .upstream(upstream)
        .option("fresh_for", "10")
        .option("upstream_timeout", "20");
    let Some(t) = t.start() else { return };
    let first = t.phone(0).config();
    assert_eq!(first.status, 200);
    for _ in 0..3 {
        let again = t.phone(0).config(); // phones ask twice
        assert!(
            again.status == 200 && again.body == first.body && again.elapsed < Duration::from_millis(500),
            "{again:?}"
        );
    }
    assert_eq!(t.upstream().hits().len(), 1, "an answer this young is served without asking");
}

#[test]
fn empty_answer_of_the_lock_is_asked_for_once_more() {
    // somebody else (another agent, the phone itself) has just asked for this MAC: our first answer is empty
    let asked = Mutex::new(None::<Instant>);
    let upstream = Upstream::script(move |_| {
        let mut asked = asked.lock().unwrap();
        match *asked {
            None => {
                *asked = Some(Instant::now());
                Reply::new(200, "")
            }
            Some(at) if at.elapsed() < Duration::from_secs(6) => Reply::new(200, ""),
            Some(_) => Reply::new(200, bodies::snom("x", "after the lock", 12_000)),
        }
    });
    let t = Test::new("trap-empty").phone(SNOM).upstream(upstream).option("upstream_timeout", "20");
    let Some(t) = t.start() else { return };
    let a = t.phone(0).config();
    assert_eq!(a.status, 200, "{}", a.text());
    assert!(a.text().contains("after the lock"));
    assert!((Duration::from_secs(6)..Duration::from_secs(12)).contains(&a.elapsed), "{:?}", a.elapsed);
    assert_eq!(t.upstream().hits().len(), 2, "once more, not again and again");
}

#[test]
fn wrong_content_type_decides_nothing() {
    for (i, kind) in ["text/html", "application/json", "text/html; charset=UTF-8"].into_iter().enumerate() {
        let body = bodies::snom("000413000001", kind, 12_000);
        let mitel = bodies::mitel("00085d000002", kind, 8_000);
        let (b, m) = (body.clone(), mitel.clone());
        let script = move |r: &Request| {
            Reply::new(200, if r.target.contains("mitel") { m.clone() } else { b.clone() }).header("Content-Type", kind)
        };
        let t = Test::new(&format!("trap-type{i}")).phone(SNOM).phone(MITEL).upstream(Upstream::script(script));
        let Some(t) = t.start() else { return };
        assert_eq!(t.phone(0).config().body, body, "{kind}");
        assert_eq!(t.phone(1).config().body, mitel, "{kind}");
    }
}

#[test]
fn startup_cfg_becomes_aastra_cfg() {
    let Some(t) = Test::new("trap-startup").phone(MITEL).start() else { return };
    let body = bodies::mitel("all", "aastra.cfg", 700);
    t.upstream().put("/prov/mitel/aastra.cfg", body.clone());
    for file in ["aastra.cfg", "startup.cfg"] {
        let a = t.phone(0).get(&format!("/mitel/{file}"));
        assert_eq!((a.status, &a.body), (200, &body), "{file}: {}", a.text());
    }
    let own = bodies::mitel("all", "a startup.cfg of its own", 700);
    t.upstream().put("/prov/mitel/startup.cfg", own.clone());
    eventually("an upstream that has startup.cfg gives it", Duration::from_secs(70), || {
        t.phone(0).get("/mitel/startup.cfg").body == own
    });
}

#[test]
fn urls_inside_lead_back_to_the_agent() {
    let text = |host: &str| {
        let plain = String::from_utf8(bodies::snom("000413000001", "urls", 3_000).0).unwrap();
        let more = format!(
            "  <setting_server perm=\"\">http://{host}/prov/snom/settings.php?mac={{mac}}&amp;pass={PROVPASS}</setting_server>\n  \
             <gui_languages>http://{host}/prov/snom/lang/de.xml</gui_languages>\n  <logo>http://{host}/media/logo.png</logo>\n  \
             <other>http://cdn.example.org/x</other>\n </phone-settings>"
        );
        plain.replacen(" </phone-settings>", &more, 1)
    };
    // as the original builds them: from the Host header it was asked with
    let script = move |r: &Request| Reply::new(200, text(r.header("Host").unwrap_or("none")));
    let Some(t) = Test::new("trap-urls").phone(SNOM).upstream(Upstream::script(script)).start() else { return };
    let a = t.phone(0).config();
    let served = a.text();
    assert_eq!(t.upstream().hits()[0].host, "prov.example.test", "the upstream is asked by its own name");
    assert!(!served.contains(PROVPASS), "{served}");
    assert!(!served.contains("prov.example.test"), "{served}");
    assert!(served.contains("http://192.168.77.1:8480/snom/settings.php?mac={mac}<"), "{served}");
    assert!(served.contains("http://192.168.77.1:8480/snom/lang/de.xml"), "{served}");
    assert!(served.contains("http://192.168.77.1:8480/snom/-/media/logo.png"), "{served}");
    assert!(served.contains("http://cdn.example.org/x"), "others' URLs stay: {served}");
    assert_eq!(a.header("Content-Length"), Some(a.body.len().to_string().as_str()));
    assert!(a.whole);
}

#[test]
fn rewrite_off_leaves_bytes_alone() {
    let body = "<settings>\n <phone-settings>\n  <logo>http://prov.example.test/media/logo.png</logo>\n </phone-settings>\n</settings>\n";
    let t = Test::new("trap-norewrite").phone(SNOM).option("rewrite", "0");
    let Some(t) = t.upstream(Upstream::script(move |_| Reply::new(200, body))).start() else { return };
    assert_eq!(t.phone(0).config().text(), body);
}

#[test]
fn firmware_interstitial_is_served_and_not_stored() {
    let config = bodies::snom("000413000001", "the config", 12_000);
    let interstitial = "<html lang=\"en\">\n<pre>\nupdate_policy$: auto_update\npnp_config$: off\nfirmware_status: \
                        http://prov.example.test/provisioner/prov/snom/firmware/firmware.php?mac=000413000001\n</pre>\n</html>\n";
    let Some(t) = Test::new("trap-firmware").phone(SNOM).phone("00:04:13:00:00:09").start() else { return };
    let target = "/prov/snom/settings.php";
    t.upstream().put_of(target, "000413000001", config.clone());
    assert_eq!(t.phone(0).config().body, config);
    let before = t.agent().stored();
    t.upstream().put_of(target, "000413000001", interstitial);
    t.upstream().put_of(target, "000413000009", interstitial);
    for i in [0, 1] {
        let a = t.phone(i).config();
        assert!(a.status == 200 && a.text().contains("firmware_status"), "phone {i}: {}", a.text());
    }
    assert_eq!(t.agent().entry(SNOM)["config"]["sha256"], bodies::sha256(&config));
    assert!(crate::agent::Stored::holding(t.agent().state_dir(), interstitial.as_bytes()).is_empty());
    for (path, sum) in before.sums() {
        if path.to_string_lossy().contains(".tmp-") {
            continue; // the phone's record was just being written
        }
        let now = t.agent().stored();
        assert!(now.sums().get(path) == Some(&sum) || !path.to_string_lossy().contains("000413000001"), "{path:?}");
    }
    t.upstream().fail(crate::faulty::Fault::Refused);
    assert_eq!(t.phone(0).config().body, config, "the last good is the config");
    assert_eq!(t.phone(1).config().status, 503, "and the other never had one");
}

#[test]
fn a_text_config_that_looks_like_html_is_good() {
    let body = "<html>\n<pre>\nuser_name1$: anna\nuser_host1$: sip.example.test\nlanguage$: Deutsch\n</pre>\n</html>\n";
    let Some(t) =
        Test::new("trap-htmltext").phone(SNOM).upstream(Upstream::script(move |_| Reply::new(200, body))).start()
    else {
        return;
    };
    let a = t.phone(0).config();
    assert_eq!((a.status, a.text().as_str()), (200, body));
    assert_eq!(t.agent().entry(SNOM)["config"]["sha256"], bodies::sha256(body.as_bytes()));
}

#[test]
fn another_address_does_not_get_a_phones_config() {
    let Some(t) = Test::new("trap-steal").phone(SNOM).phone("00:04:13:00:00:09").start() else { return };
    let body = t.put_snom(0, "mine");
    assert_eq!(t.phone(0).config().body, body);
    let stolen = t.phone(1).get(&t.phone(0).config_target());
    assert_eq!(stolen.status, 403, "verify_mac: {}", stolen.text());
    assert!(!stolen.text().contains(bodies::SIP_PASSWORD));
}

#[test]
fn shared_files_come_once_and_in_ranges() {
    let firmware: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    let Some(t) = Test::new("trap-shared").phone(MITEL).phone("00:08:5d:00:00:03").start() else { return };
    t.upstream().put("/prov/mitel/6731i.st", firmware.clone());
    for p in t.phones() {
        let a = p.get("/mitel/6731i.st");
        assert!(a.status == 200 && a.whole && *a.body == firmware, "{}: {} bytes", a.status, a.body.len());
    }
    let part = t.phone(0).get_with("/mitel/6731i.st", &[("Range", "bytes=1000-1999")]);
    assert_eq!((part.status, &part.body[..]), (206, &firmware[1000..2000]));
    assert_eq!(part.header("Content-Range"), Some("bytes 1000-1999/3000000"));
    assert_eq!(t.upstream().hits().iter().filter(|h| h.target.contains("6731i.st")).count(), 1, "one fetch for all");
    let stored = t.agent().stored();
    assert!(stored.0.values().all(|e| e.size < 1_000_000), "shared files are not for the flash");
    t.upstream().forget_hits();
    for _ in 0..5 {
        assert_eq!(t.phone(0).get("/mitel/none.st").status, 404);
    }
    assert_eq!(t.upstream().hits().len(), 1, "a 404 of a shared file is remembered for 60 s");
}
