//! The disaster drill: forty phones with good configs, each a namespace with its own MAC (`verify_mac` is on), and then
//! the provider's database goes wrong for all of them. `make lab T=disaster` prints a line for each way.

use crate::bodies::{self, Body};
use crate::build::{Lab, Test};
use crate::eventually;
use crate::faulty::{Reply, Request};
use crate::http::Answer;
use crate::upstream::Upstream;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const PHONES: usize = 40;
/// `guard_share` 20 % of 40.
const LIMIT: usize = 8;

/// What the provider's database is like.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Database {
    Good,
    NoAccounts,
    OtherTenant,
    Empty,
    Missing,
    LoginPage,
    Garbage,
    HalfSwapped,
}

/// The last two digits of the MAC in a request.
fn asked(target: &str) -> Option<u8> {
    let at = ["000413", "00085D"].iter().find_map(|oui| target.find(oui))?;
    u8::from_str_radix(target.get(at + 10..at + 12)?, 16).ok()
}

fn is_mitel(n: u8) -> bool {
    n >= 30
}

fn mac(n: u8) -> String {
    format!("{}:00:00:{n:02x}", if is_mitel(n) { "00:08:5d" } else { "00:04:13" })
}

fn hex(n: u8) -> String {
    mac(n).replace(':', "")
}

/// The config that phone `n` ought to have.
fn own(n: u8) -> Body {
    if is_mitel(n) {
        bodies::mitel(&hex(n), "good", 6_000)
    } else {
        bodies::snom(&hex(n), "good", 6_000)
    }
}

fn text(n: u8) -> String {
    String::from_utf8_lossy(&own(n)).into_owned()
}

/// What the upstream says of phone `n`.
fn answer(database: Database, n: u8) -> Reply {
    let body = match database {
        Database::Good => text(n),
        Database::NoAccounts if is_mitel(n) => "download protocol: HTTP\nsip line1 user name:\n".into(),
        Database::NoAccounts => text(n).lines().filter(|l| !l.contains("<user_")).collect::<Vec<_>>().join("\n"),
        Database::OtherTenant => text(n).replace("sip.example.test", "sip.other-tenant.test"),
        Database::Empty => String::new(),
        Database::Missing => return Reply::new(404, bodies::error_page()),
        Database::LoginPage => String::from_utf8_lossy(&bodies::error_page()).into_owned(),
        Database::Garbage if is_mitel(n) => "zzzz: 1\nqqqq: %%%\n".into(),
        Database::Garbage => "<?xml version=\"1.0\"?>\n<settings><phone-settings><zzzz idx=\"1\">%%%</zzzz></phone-settings></settings>\n".into(),
        // of a pair each gets the other's
        Database::HalfSwapped if n % 4 < 2 => text(n ^ 1),
        Database::HalfSwapped => text(n),
    };
    Reply::new(200, body)
}

struct Office {
    lab: Lab,
    database: Arc<Mutex<Database>>,
}

fn office(name: &str) -> Option<Office> {
    let database = Arc::new(Mutex::new(Database::Good));
    let now = database.clone();
    let upstream = Upstream::script(move |request: &Request| match asked(&request.target) {
        Some(n) => answer(*now.lock().unwrap(), n),
        None => Reply::new(404, ""),
    });
    let mut test = Test::new(name).upstream(upstream).quiet();
    for n in 0..PHONES as u8 {
        test = test.phone(&mac(n));
    }
    let lab = test.start()?;
    let office = Office { lab, database };
    let got = office.all_boot(Database::Good);
    assert_eq!(office.with_their_own(&got), PHONES);
    Some(office)
}

impl Office {
    /// All phones ask at once, as after a power cut.
    fn all_boot(&self, database: Database) -> Vec<Answer> {
        *self.database.lock().unwrap() = database;
        thread::scope(|scope| {
            let asking: Vec<_> = self.lab.phones().iter().map(|p| scope.spawn(move || p.config())).collect();
            asking.into_iter().map(|a| a.join().expect("an answer")).collect()
        })
    }

    fn with_their_own(&self, got: &[Answer]) -> usize {
        got.iter().enumerate().filter(|(n, a)| a.status == 200 && a.body == own(*n as u8)).count()
    }

    fn guard(&self) -> Value {
        self.lab.agent().status()["guard"].clone()
    }

    /// What the events say of the guard, the phones' own lines left out.
    fn story(&self) -> Vec<String> {
        let events = self.lab.agent().events();
        let all = events["events"].as_array().expect("events").iter();
        let guard = all.filter(|e| e["kind"] == "guard" && e["mac"].is_null());
        guard.map(|e| e["text"].as_str().unwrap_or_default().to_string()).collect()
    }

    /// The database is right again: all phones have theirs, and the guard is as it was.
    fn heal(&self) {
        eventually("all phones have their own config again", Duration::from_secs(60), || {
            let got = self.all_boot(Database::Good);
            self.with_their_own(&got) == PHONES && got.iter().all(|a| a.x_phoneprov().0 != "last-good")
        });
        let guard = self.guard();
        assert_eq!((guard["state"].as_str(), guard["changed"].as_u64()), (Some("quiet"), Some(0)), "{guard}");
    }
}

fn reasons(got: &[Answer]) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for a in got {
        let (word, reason, _) = a.x_phoneprov();
        *counts.entry(reason.map_or(word.clone(), |r| format!("{word} {r}"))).or_insert(0) += 1;
    }
    counts.into_iter().map(|(word, n)| format!("{n} {word}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_mistake_in_the_database() {
    let Some(o) = office("disaster") else { return };
    for (letter, what, database, held) in [
        ('a', "configs without an account", Database::NoAccounts, true),
        ('b', "another tenant's registrar", Database::OtherTenant, true),
        ('c', "empty 200", Database::Empty, false),
        ('d', "404", Database::Missing, false),
        ('e', "a login page", Database::LoginPage, false),
        ('f', "garbage of the right syntax", Database::Garbage, true),
        ('g', "half of them swapped", Database::HalfSwapped, true),
    ] {
        let before = o.story().len();
        let got = o.all_boot(database);
        let kept = o.with_their_own(&got);
        let bad = PHONES - kept;
        let guard = o.guard();
        let story: Vec<String> = o.story().split_off(before);
        println!(
            "disaster ({letter}) {what}: {bad} of {PHONES} phones got a bad config ({LIMIT} may), {kept} kept theirs ({}); \
             status: {} with {} held; events: {}",
            reasons(&got),
            guard["state"],
            guard["held"],
            story.first().map_or("none of the guard", |t| t.split(':').next().unwrap_or_default())
        );
        assert!(got.iter().all(|a| a.status == 200), "every phone has a config");
        if held {
            assert_eq!(bad, LIMIT, "as many as may, and no more");
            assert_eq!(guard["state"], "holding");
            assert!(story[0].starts_with("9 of 40 phones changed or lost their account"), "{story:?}");
            // and again: the same
            assert_eq!(o.with_their_own(&o.all_boot(database)), kept);
        } else {
            assert_eq!((bad, guard["state"].as_str()), (0, Some("quiet")), "the last good is kept in any case");
        }
        o.heal();
    }
    o.lab.agent().assert_alive();
}

#[test]
fn accept_reject_rollback_and_a_restart_in_the_middle() {
    let Some(o) = office("decide") else { return };
    let agent = o.lab.agent();
    let size = || agent.stored().sums().len();
    eventually("all is on flash", Duration::from_secs(10), || size() == 2 * PHONES);
    let files = size();

    // a mistake, with the agent killed in the middle
    let got = o.all_boot(Database::NoAccounts);
    assert_eq!(o.with_their_own(&got), PHONES - LIMIT);
    eventually("held configs are on flash", Duration::from_secs(10), || size() == files + LIMIT + (PHONES - LIMIT));
    let before = agent.stored();
    agent.restart();
    let guard = o.guard();
    println!("disaster: killed and started: {guard}; {:?}", o.story());
    assert_eq!(
        (guard["state"].as_str(), guard["held"].as_u64(), guard["changed"].as_u64()),
        (Some("holding"), Some(32), Some(8))
    );
    let got = o.all_boot(Database::NoAccounts);
    assert_eq!(o.with_their_own(&got), PHONES - LIMIT, "{}", reasons(&got));
    assert_eq!(agent.stored().sums(), before.sums(), "nothing was written again");

    // in words: what the admin sees
    let says = |words: &[&str]| String::from_utf8_lossy(&agent.verb(words).stdout).into_owned();
    let status = says(&["status"]);
    let guard = status.lines().find(|l| l.starts_with("guard")).unwrap_or_default();
    assert!(guard.starts_with("guard     holding, began "), "{status}");
    assert!(
        guard.contains("ago: 32 phones on their last good wait for accept or reject, 0 were rejected; "),
        "{status}"
    );
    println!("{guard}");
    let phones = says(&["phones"]);
    let held = phones.lines().filter(|l| l.ends_with("held (in the new config its account is gone)")).count();
    assert_eq!(held, 32, "{phones}");

    // reject: the held bytes go, the phones keep theirs, also after a restart
    let rejected = agent.json(&["reject", "all"]);
    assert_eq!(rejected["configs"]["count"], 32);
    assert_eq!(rejected["passed_before"].as_array().map(Vec::len), Some(LIMIT));
    eventually("their bytes are gone", Duration::from_secs(10), || size() == files + LIMIT);
    let told = o.story().len();
    assert_eq!(o.with_their_own(&o.all_boot(Database::NoAccounts)), PHONES - LIMIT);
    assert_eq!((o.story().len(), size()), (told, files + LIMIT), "not a word, not a byte");
    agent.restart();
    assert_eq!(o.with_their_own(&o.all_boot(Database::NoAccounts)), PHONES - LIMIT);
    println!("disaster: rejected, killed and started: {}", o.guard());

    let again = says(&["reject", "all"]);
    assert_eq!(again, "", "nothing is held any more, which is said on stderr");

    // one command takes it back from those who have it
    let back = says(&["rollback", "all"]);
    println!("{back}");
    assert_eq!(back.lines().filter(|l| l.ends_with(": generation 1 until accept")).count(), LIMIT, "{back}");
    let got = o.all_boot(Database::NoAccounts);
    assert_eq!(o.with_their_own(&got), PHONES, "{}", reasons(&got));
    println!("disaster: rollback all: {} of {PHONES} have their own ({})", o.with_their_own(&got), reasons(&got));
    agent.restart();
    let got = o.all_boot(Database::NoAccounts);
    assert_eq!(o.with_their_own(&got), PHONES, "a pin survives: {}", reasons(&got));

    // the provider mends it; accept ends the pins, and nothing bad comes back
    assert_eq!(o.with_their_own(&o.all_boot(Database::Good)), PHONES);
    println!("{}", says(&["accept", "all"]));
    let got = o.all_boot(Database::Missing);
    assert_eq!(o.with_their_own(&got), PHONES, "{}", reasons(&got));
    assert!(got.iter().all(|a| a.x_phoneprov().1.as_deref() == Some("gone")), "{}", reasons(&got));
    agent.assert_alive();
}

#[test]
fn a_real_migration() {
    let Some(o) = office("migration") else { return };
    let agent = o.lab.agent();
    let got = o.all_boot(Database::OtherTenant);
    assert_eq!(o.with_their_own(&got), PHONES - LIMIT);
    let moved = |got: &[Answer]| got.iter().filter(|a| a.text().contains("sip.other-tenant.test")).count();
    let accepted = agent.json(&["accept", "all"]);
    assert_eq!((accepted["configs"]["count"].as_u64(), accepted["open_minutes"].as_u64()), (Some(32), Some(60)));
    let got = o.all_boot(Database::OtherTenant);
    println!(
        "disaster: accept all: {} of {PHONES} have the new registrar ({}); {}",
        moved(&got),
        reasons(&got),
        o.guard()
    );
    assert_eq!(moved(&got), PHONES);
    // a second change within the window passes too, and the new configs are on flash
    assert_eq!(moved(&o.all_boot(Database::Good)), 0);
    assert_eq!(moved(&o.all_boot(Database::OtherTenant)), PHONES);
    // on a slow disk the last phones do not wait for it longer than fresh_wait
    eventually("all is on flash", Duration::from_secs(30), || {
        let phones = agent.json(&["phones"]);
        phones["phones"]
            .as_array()
            .is_some_and(|p| p.len() == PHONES && p.iter().all(|p| p["config"]["on_flash"] == true))
    });
    agent.restart();
    let got = o.all_boot(Database::Missing);
    assert_eq!(moved(&got), PHONES, "{}", reasons(&got));
    for words in [&["status"][..], &["events"], &["phones"], &["phone", &mac(3)]] {
        let out = String::from_utf8_lossy(&agent.verb(words).stdout).into_owned() + &agent.json(words).to_string();
        assert!(!out.contains("other-tenant") && !out.contains("user_0004"), "{words:?}: {out}");
    }
    assert!(!agent.log().contains("other-tenant") && !agent.log().contains("user_0004"));
}
