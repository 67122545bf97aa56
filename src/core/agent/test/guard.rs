//! The disaster: forty phones with good configs, and then the upstream's database goes wrong. In virtual time, with a
//! flash that is read back after a restart.

use super::world::*;
use crate::core::agent::identity_of;
use crate::core::types::{GenerationMeta, PhoneRecord, ResourceKey};

pub(super) type Generation = (GenerationMeta, Vec<u8>);

/// Phones, an upstream that has one answer for each, and a flash.
pub(super) struct Office {
    pub(super) w: World,
    pub(super) flash: BTreeMap<ResourceKey, Vec<Generation>>,
    held: BTreeMap<ResourceKey, Generation>,
    records: BTreeMap<String, PhoneRecord>,
    /// Held configs that were written.
    writes: usize,
}

pub(super) fn own(n: u16) -> String {
    format!("user_name1!: user{n}\nuser_host1!: sip.example\nlanguage!: Deutsch\n")
}

fn lost(n: u16) -> String {
    format!("language!: Deutsch\nphone_name!: {n}\n")
}

pub(super) fn tenant(n: u16) -> String {
    format!("user_name1!: user{n}\nuser_host1!: other.example\n")
}

impl Office {
    fn new(phones: u16) -> Office {
        let mut o = Office::empty(CONFIG);
        for n in 0..phones {
            assert_eq!(o.boot(n, &own(n)), ("fresh".into(), own(n)));
        }
        o.w.pass(20_000);
        assert_eq!(o.guard()["state"], "quiet");
        o
    }

    pub(super) fn empty(config: &str) -> Office {
        let mut w = World::new();
        w.reload(config);
        let empty = BTreeMap::new;
        Office { w, flash: BTreeMap::new(), held: BTreeMap::new(), records: empty(), writes: 0 }
    }

    /// Does what the agent says, until it waits for the upstream or for time.
    pub(super) fn settle(&mut self) {
        loop {
            let mut rest = Vec::new();
            let mut moved = false;
            for action in std::mem::take(&mut self.w.out) {
                let now = self.w.now();
                let w = &mut self.w;
                moved = true;
                match action {
                    Action::Store(key, meta, body) => {
                        let number = meta.number;
                        self.flash.entry(key.clone()).or_default().push((meta, body.to_vec()));
                        w.agent.stored(&key, number, Ok((number, vec![])), (1, 1), now, &mut w.out);
                    }
                    Action::Candidate(key, meta, body) => {
                        self.writes += 1;
                        let sha256 = meta.sha256;
                        self.held.insert(key.clone(), (meta, body.to_vec()));
                        w.agent.candidate_stored(&key, sha256, Ok(()), now, &mut w.out);
                    }
                    Action::DropCandidate(key) => _ = self.held.remove(&key),
                    Action::Accept(key, meta) => {
                        let number = meta.number;
                        let taken = self.held.remove(&key).filter(|(m, _)| m.sha256 == meta.sha256);
                        let result = taken.map(|(_, body)| {
                            self.flash.entry(key.clone()).or_default().push((meta, body));
                            (number, vec![])
                        });
                        let result = result.ok_or("no such generation is stored".to_string());
                        w.agent.stored(&key, number, result, (1, 1), now, &mut w.out);
                    }
                    Action::DropNewer(key, number) => {
                        self.flash.entry(key).or_default().retain(|(m, _)| m.number <= number);
                    }
                    Action::PutPhone(record) => _ = self.records.insert(record.mac.clone(), record),
                    other => {
                        moved = false;
                        rest.push(other);
                    }
                }
            }
            let more = !self.w.out.is_empty();
            rest.append(&mut self.w.out);
            self.w.out = rest;
            if !moved && !more {
                return;
            }
            if !self.w.out.iter().any(|a| !matches!(a, Action::Answer(..) | Action::Fetch { .. } | Action::Control(..)))
            {
                return;
            }
        }
    }

    /// Phone `n` asks, and the upstream has this: what it gets, and with which label.
    pub(super) fn boot(&mut self, n: u16, upstream: &str) -> (String, String) {
        let id = self.w.get(n);
        self.settle();
        let jobs = self.w.jobs();
        if let Some((own, _)) = jobs.last() {
            self.w.upstream(*own, good(upstream));
            self.settle();
        }
        // others that are asked for in the background: nothing comes of that
        for _ in 0..3 {
            for (job, _) in self.w.jobs() {
                self.w.upstream(job, Outcome::Bad(Reason::Broken, "cut off".into()));
                self.settle();
            }
        }
        let answer = self.w.told(id).expect("an answer");
        let label = match answer.label {
            Label::Fresh => "fresh".to_string(),
            Label::Unchanged => "unchanged".to_string(),
            Label::LastGood(reason) => reason.to_string(),
            Label::None => format!("{}", answer.status),
        };
        let body = match answer.body {
            Body::Stored(key, number) => {
                let all = &self.flash[&key];
                all.iter().find(|(m, _)| m.number == number).expect("a stored generation").1.clone()
            }
            Body::Bytes(bytes) => bytes.to_vec(),
            _ => vec![],
        };
        (label, String::from_utf8(body).unwrap())
    }

    /// All phones boot, a second apart.
    fn all_boot(&mut self, phones: u16, upstream: impl Fn(u16) -> String) -> Vec<(String, String)> {
        let mut got = Vec::new();
        for n in 0..phones {
            self.w.pass(1_000);
            got.push(self.boot(n, &upstream(n)));
        }
        self.w.pass(15_000);
        got
    }

    /// Power cut and start.
    fn restart(&mut self) {
        let mut loaded = Loaded { phones: self.records.values().cloned().collect(), ..Loaded::default() };
        for (key, all) in &self.flash {
            loaded.configs.push((key.clone(), all.iter().map(|(m, _)| m.clone()).collect()));
            for (meta, body) in all {
                loaded.identities.push((key.clone(), meta.number, identity_of(key, &meta.target, body)));
            }
        }
        for (key, (meta, body)) in &self.held {
            loaded.candidates.push((key.clone(), meta.clone(), identity_of(key, &meta.target, body)));
        }
        let next = self.w.next;
        self.w = World::with(loaded);
        self.w.next = next;
        self.w.pass(1);
        self.settle();
    }

    fn ask(&mut self, request: Value) -> Value {
        let answer = self.w.control(request).expect("an answer at once");
        self.settle();
        answer
    }

    fn done(&mut self, request: Value) -> Value {
        let answer = self.ask(request);
        assert_eq!(answer["ok"], true, "{answer}");
        answer["result"].clone()
    }

    fn status(&mut self) -> Value {
        self.done(json!({"op": "status"}))
    }

    pub(super) fn guard(&mut self) -> Value {
        self.status()["guard"].clone()
    }

    /// What the guard's events say, oldest first.
    fn story(&mut self) -> Vec<String> {
        let events = self.done(json!({"op": "events"}));
        let all = events["events"].as_array().unwrap().clone();
        all.iter().filter(|e| e["kind"] == "guard").map(|e| e["text"].as_str().unwrap().to_string()).collect()
    }

    fn config_of(&mut self, n: u16) -> Value {
        self.done(json!({"op": "phone", "mac": mac(n).to_string()}))["config"].clone()
    }
}

fn kept(got: &[(String, String)]) -> usize {
    got.iter().enumerate().filter(|(n, (_, body))| *body == own(*n as u16)).count()
}

#[test]
fn no_more_than_the_limit_get_a_bad_config() {
    // the config without an account, another tenant's registrar, the account of the next phone, encrypted noise
    let kinds: [fn(u16) -> String; 4] = [lost, tenant, |n| own((n + 1) % 40), |n| format!("\0\u{1}\u{2}\u{3}{n}")];
    for bad in kinds {
        let mut o = Office::new(40);
        let got = o.all_boot(40, bad);
        assert_eq!(kept(&got), 32, "20 % of 40 are 8");
        assert!(got[8..].iter().all(|(label, _)| label == "held"), "{got:?}");
        let guard = o.guard();
        assert_eq!((&guard["state"], &guard["held"], &guard["changed"]), (&json!("holding"), &json!(32), &json!(8)));
        assert_eq!(o.status()["phones"]["held"], 32);
        assert_eq!(o.status()["time"], json!(o.w.now().unix), "what the times of an answer are to be compared with");
        assert_eq!(o.config_of(20)["state"], "held");
        assert_eq!(o.config_of(20)["reason"], "held");
        assert_eq!(o.config_of(3)["state"], "fresh");

        let story = o.story();
        assert_eq!(story.len(), 8 + 1 + 4, "{story:#?}");
        assert!(story[0].contains("phone 1 of the 8 that may within 60 min"), "{}", story[0]);
        assert!(story[7].contains("phone 8 of the 8"));
        assert!(story[8].starts_with("9 of 40 phones changed or lost their account"), "{}", story[8]);
        assert!(story[12].starts_with("20 phones are held"), "{}", story[12]);
        let all = o.done(json!({"op": "events"})).to_string() + &o.status().to_string();
        assert!(!all.contains("user3") && !all.contains("other.example"), "no user and no registrar in it");

        // asked again and again: nothing is written, nothing is told
        let (writes, told) = (o.writes, o.story().len());
        for _ in 0..3 {
            assert_eq!(kept(&o.all_boot(40, bad)), 32);
        }
        assert_eq!((o.writes, o.story().len()), (writes, told));
        assert_eq!(writes, 32, "each held config once");

        // the database is right again: all have theirs, and it ends by itself
        let got = o.all_boot(40, own);
        assert_eq!(kept(&got), 40, "{got:?}");
        let guard = o.guard();
        assert_eq!((&guard["state"], &guard["held"], &guard["changed"]), (&json!("quiet"), &json!(0), &json!(0)));
        assert!(o.held.is_empty());
        assert!(o.story().last().unwrap().contains("watches again"), "{:#?}", o.story());
        assert!(o.records.values().all(|r| r.decided.is_empty()), "{:?}", o.records);
    }
}

#[test]
fn half_of_them_swapped() {
    let mut o = Office::new(40);
    let got = o.all_boot(40, |n| if n % 2 == 0 { own((n + 2) % 40) } else { own(n) });
    assert_eq!(kept(&got), 20 + 12);
    assert_eq!(o.guard()["held"], 12);
}

#[test]
fn other_changes_pass_while_it_holds() {
    let mut o = Office::new(40);
    o.all_boot(40, lost);
    let changed = own(30).replace("Deutsch", "Italiano") + "user_pass1!: new\n";
    assert_eq!(o.boot(30, &changed), ("fresh".into(), changed.clone()));
    assert_eq!(o.guard()["held"], 31, "and it is held no more");
    // a phone that nothing is stored for has nothing to lose
    assert_eq!(o.boot(50, &lost(50)), ("fresh".into(), lost(50)));
    // a password, a display name and a comment of all of them
    let mut o = Office::new(40);
    let got = o.all_boot(40, |n| own(n) + "user_pass1!: x\nuser_realname1!: y\n# z\n");
    assert!(got.iter().all(|(label, _)| label == "fresh"));
    assert_eq!(o.guard()["changed"], 0);
}

#[test]
fn a_restart_in_the_middle() {
    let mut o = Office::new(40);
    // before it holds: what passed still counts
    for n in 0..5 {
        assert_eq!(o.boot(n, &lost(n)).0, "fresh");
    }
    o.restart();
    assert_eq!(o.guard()["changed"], 5);
    let got = o.all_boot(40, lost);
    assert_eq!(kept(&got), 32, "a restart gives nobody a second allowance");
    let writes = o.writes;
    // while it holds
    o.restart();
    let guard = o.guard();
    assert_eq!((&guard["state"], &guard["held"], &guard["changed"]), (&json!("holding"), &json!(32), &json!(8)));
    assert!(
        o.story()[0].contains("since before the restart 32 phones are held: accept or reject; 0 were rejected"),
        "{:?}",
        o.story()
    );
    assert_eq!(o.config_of(20)["state"], "held");
    let got = o.all_boot(40, lost);
    assert_eq!(kept(&got), 32);
    assert_eq!(o.writes, writes, "not written again for the same bytes");
    // what passed goes back by itself, also after a restart
    let got = o.all_boot(40, own);
    assert_eq!(kept(&got), 40);
    assert_eq!(o.guard()["state"], "quiet");
    o.restart();
    assert_eq!(o.guard()["state"], "quiet");
}

#[test]
fn a_real_migration_is_accepted_and_runs_to_its_end() {
    let mut o = Office::new(40);
    let got = o.all_boot(20, tenant);
    assert_eq!(got.iter().filter(|(l, _)| l == "held").count(), 12);
    // one by one: it holds on for the others
    let one = o.done(json!({"op": "accept", "mac": mac(10).to_string()}));
    assert_eq!(one["configs"]["count"], 1);
    assert_eq!(o.guard()["held"], 11);
    assert_eq!(o.boot(10, &tenant(10)), ("unchanged".into(), tenant(10)));
    assert_eq!(o.boot(30, &tenant(30)).0, "held");
    let all = o.done(json!({"op": "accept", "mac": "all"}));
    assert_eq!((&all["configs"]["count"], &all["open_minutes"]), (&json!(12), &json!(60)));
    assert_eq!(o.guard()["state"], "open");
    assert!(o.held.is_empty());
    // the rest of the migration
    let got = o.all_boot(40, tenant);
    assert!(got.iter().enumerate().all(|(n, (_, body))| *body == tenant(n as u16)), "{got:?}");
    // served from the store as well
    o.restart();
    assert_eq!(o.guard()["changed"], 0);
    let id = o.w.get(25);
    let job = o.w.job().0;
    o.w.upstream(job, down());
    assert!(matches!(o.w.told(id).unwrap().label, Label::LastGood(Reason::Down)));
    // an hour after it was opened it counts again
    let mut o = Office::new(40);
    o.done(json!({"op": "accept", "mac": "all"}));
    o.w.pass(3_590_000);
    assert_eq!(o.guard()["state"], "open");
    o.w.pass(20_000);
    assert_eq!(o.guard()["state"], "quiet");
    assert_eq!(kept(&o.all_boot(40, tenant)), 32);
}

#[test]
fn rejected_is_held_without_a_word_until_the_upstream_is_right() {
    let mut o = Office::new(40);
    o.all_boot(40, lost);
    let rejected = o.done(json!({"op": "reject", "mac": "all"}));
    assert_eq!(rejected["configs"]["count"], 32);
    assert_eq!(rejected["passed_before"].as_array().unwrap().len(), 8, "who has it already is named");
    assert!(o.held.is_empty(), "their bytes are gone");
    let writes = o.writes;
    for _ in 0..2 {
        let told = o.story().len();
        assert_eq!(kept(&o.all_boot(40, lost)), 32);
        assert_eq!((o.writes, o.story().len()), (writes, told), "{:#?}", o.story());
        let guard = o.guard();
        assert_eq!((&guard["state"], &guard["held"], &guard["rejected"]), (&json!("holding"), &json!(0), &json!(32)));
        assert_eq!(o.config_of(20)["held"]["rejected"], true);
        o.restart();
        // the word of an earlier run
        assert_eq!(o.guard()["rejected"], 32);
        let told_at_start = o.story().len();
        assert_eq!(kept(&o.all_boot(40, lost)), 32);
        assert_eq!(o.story().len(), told_at_start, "{:#?}", o.story());
    }
    assert_eq!(o.ask(json!({"op": "reject", "mac": "all"}))["ok"], false);
    // other bytes are a new question
    assert_eq!(o.boot(20, &tenant(20)).0, "held");
    assert_eq!(o.guard()["held"], 1);
    assert_eq!(kept(&o.all_boot(40, own)), 40);
    assert_eq!(o.guard()["state"], "quiet");
    // what was rejected may be accepted after all: its bytes are asked for again
    o.all_boot(40, tenant);
    o.done(json!({"op": "reject", "mac": "all"}));
    o.done(json!({"op": "accept", "mac": mac(20).to_string()}));
    let job = o.w.job().0;
    o.w.upstream(job, good(&tenant(20)));
    o.settle();
    assert_eq!(o.boot(20, &tenant(20)), ("fresh".into(), tenant(20)));
    assert_eq!(o.guard()["rejected"], 31);
}

#[test]
fn the_window_passes() {
    let mut o = Office::new(40);
    // a phone every ten minutes: a provider's ordinary work
    for n in 0..40 {
        assert_eq!(o.boot(n, &tenant(n)).0, "fresh", "phone {n}");
        o.w.pass(600_000);
    }
    o.w.pass(3_600_000);
    assert_eq!(o.guard()["changed"], 0);
    assert!(o.records.values().all(|r| r.decided.is_empty()));
    // one phone that changes ten times counts once
    for i in 0..10 {
        assert_eq!(o.boot(0, &own(100 + i)).0, "fresh");
        o.w.pass(15_000);
    }
    assert_eq!(o.guard()["changed"], 1);
}

#[test]
fn small_offices_and_odd_limits() {
    // three phones: guard_min 2 decides
    let mut o = Office::new(3);
    assert_eq!(kept(&o.all_boot(3, lost)), 1);
    // nothing may change
    let mut o = Office::empty(
        &CONFIG.replace("option provpass", "option guard_share '0'\n\toption guard_min '0'\n\toption provpass"),
    );
    o.boot(1, &own(1));
    o.w.pass(15_000);
    assert_eq!(o.boot(1, &lost(1)), ("held".into(), own(1)));
    // everything may
    let mut o = Office::empty(&CONFIG.replace("option provpass", "option guard_share '100'\n\toption provpass"));
    o.all_boot(10, own);
    assert_eq!(kept(&o.all_boot(10, lost)), 0);
    assert_eq!(o.guard()["state"], "quiet");
}

#[test]
fn rollback_pins_until_accept() {
    let mut o = Office::new(40);
    o.all_boot(40, lost);
    assert_eq!(o.done(json!({"op": "rollback", "mac": "all"}))["configs"]["count"], 8);
    let serves = |o: &mut Office, n: u16, upstream: &str, label: &str, body: &str| {
        assert_eq!(o.boot(n, upstream), (label.to_string(), body.to_string()), "phone {n}");
        o.w.pass(15_000);
    };
    // the upstream still has what was rolled back: that is stored already
    let writes = o.writes;
    serves(&mut o, 3, &lost(3), "pinned", &own(3));
    assert_eq!(o.writes, writes);
    assert_eq!(o.config_of(3)["state"], "pinned");
    // something newer waits
    serves(&mut o, 3, &tenant(3), "pinned", &own(3));
    serves(&mut o, 3, &tenant(3), "pinned", &own(3));
    assert_eq!(o.writes, writes + 1);
    let list = o.done(json!({"op": "phone", "mac": mac(3).to_string()}))["configs"][0]["list"].clone();
    let of = |i: usize, field: &str| list[i][field].clone();
    let all: Vec<Value> =
        (0..3).map(|i| json!([of(i, "number"), of(i, "held"), of(i, "pinned"), of(i, "current")])).collect();
    assert_eq!(
        json!(all),
        json!([[null, true, false, false], [2, false, false, false], [1, false, true, true]]),
        "{list}"
    );
    assert_eq!(of(0, "sha256"), Sha256::of(tenant(3).as_bytes()).to_string());
    o.restart();
    serves(&mut o, 3, &tenant(3), "pinned", &own(3));
    assert_eq!(o.writes, writes + 1);
    assert_eq!(o.guard()["held"], 32, "what waits behind a pin is not the guard's");
    o.done(json!({"op": "accept", "mac": mac(3).to_string()}));
    serves(&mut o, 3, &tenant(3), "unchanged", &tenant(3));
    // the upstream goes back to the pinned one: what is newer must not come back with accept
    serves(&mut o, 4, &own(4), "pinned", &own(4));
    o.done(json!({"op": "accept", "mac": mac(4).to_string()}));
    let id = o.w.get(4);
    let job = o.w.job().0;
    o.w.upstream(job, down());
    let answer = o.w.told(id).unwrap();
    let Body::Stored(key, number) = answer.body else { panic!() };
    assert_eq!(o.flash[&key].iter().map(|(m, _)| m.number).collect::<Vec<_>>(), [1]);
    assert_eq!(number, 1);
    // without any word of the upstream accept leads to the newest again
    o.w.pass(120_000);
    o.w.jobs();
    o.done(json!({"op": "accept", "mac": mac(5).to_string()}));
    assert_eq!(o.config_of(5)["pinned"], Value::Null);
    assert_eq!(o.config_of(5)["sha256"], Sha256::of(lost(5).as_bytes()).to_string());
}

#[test]
fn the_end_of_a_mistake_opens_nothing() {
    let mut o = Office::new(40);
    o.all_boot(40, lost);
    o.done(json!({"op": "rollback", "mac": "all"}));
    assert_eq!(kept(&o.all_boot(40, own)), 40);
    assert_eq!(o.boot(7, &own(7)), ("pinned".into(), own(7)));
    o.w.pass(15_000);
    let all = o.done(json!({"op": "accept", "mac": "all"}));
    assert_eq!((&all["configs"]["count"], &all["open_minutes"]), (&json!(8), &Value::Null), "{all}");
    assert_eq!(o.guard()["state"], "quiet");
    assert_eq!(o.boot(7, &own(7)), ("unchanged".into(), own(7)));
    assert_eq!(kept(&o.all_boot(40, lost)), 32, "it watches");
}

#[test]
fn rollback_of_one_phone_by_number() {
    let mut o = Office::new(1);
    for i in 1..3 {
        let body = own(0) + &format!("revision!: {i}\n");
        assert_eq!(o.boot(0, &body).0, "fresh");
        o.w.pass(15_000);
    }
    let one = |back: Value| json!({"op": "rollback", "mac": mac(0).to_string(), "back": back});
    assert_eq!(o.done(one(json!(2)))["configs"]["list"][0]["result"], "generation 1 until accept");
    assert_eq!(o.done(one(Value::Null))["configs"]["list"][0]["result"], "generation 2 until accept");
    assert_eq!(o.boot(0, &own(0)).0, "pinned");
    for (request, why) in [
        (one(json!(3)), "only 2 older generations are stored"),
        (one(json!(0)), "'back' is a number from 1"),
        (json!({"op": "rollback", "mac": mac(9).to_string()}), "it has no such config"),
        (json!({"op": "rollback", "mac": "all"}), "no phone's account has changed within guard_window"),
        (json!({"op": "accept", "mac": mac(9).to_string()}), "nothing is held or pinned"),
        (json!({"op": "accept"}), "which phone? give its MAC"),
    ] {
        let answer = o.ask(request);
        assert!(answer["error"].as_str().unwrap().contains(why), "{answer}");
    }
    // forgetting ends a pin
    o.done(json!({"op": "forget", "mac": mac(0).to_string()}));
    o.flash.clear();
    assert_eq!(o.boot(0, &own(0)).0, "fresh");
}

#[test]
fn without_flash_accept_asks_the_upstream_again() {
    let mut o = Office::new(3);
    o.all_boot(3, tenant);
    o.held.clear(); // removed behind our back, or never written
    o.done(json!({"op": "accept", "mac": mac(2).to_string()}));
    assert!(o.story().last().unwrap().contains("asked for again"), "{:?}", o.story());
    let job = o.w.job().0;
    o.w.upstream(job, good(&tenant(2)));
    o.settle();
    assert_eq!(o.boot(2, &tenant(2)), ("fresh".into(), tenant(2)));
    assert_eq!(o.guard()["state"], "quiet");
}

#[test]
fn the_clock_may_jump() {
    let mut o = Office::new(40);
    for n in 0..8 {
        o.boot(n, &lost(n));
    }
    // NTP arrives, ten years later, and goes back again: the window is our own clock's
    for unix in [2_100_000_000, 0] {
        let now = Now { mono: o.w.now().mono, unix };
        o.w.agent.timeout(now, &mut o.w.out);
        o.settle();
        assert_eq!(o.guard()["changed"], 8);
    }
    assert_eq!(o.boot(20, &lost(20)).0, "held");
}

#[test]
fn who_rejects_what_he_accepted_is_heard() {
    let mut o = Office::new(3);
    o.all_boot(3, tenant);
    o.held.clear(); // its bytes are gone
    o.done(json!({"op": "accept", "mac": mac(2).to_string()}));
    let job = o.w.job().0;
    o.w.upstream(job, Outcome::Bad(Reason::Broken, "cut off".into()));
    o.settle();
    o.done(json!({"op": "reject", "mac": mac(2).to_string()}));
    assert_eq!(o.boot(2, &tenant(2)), ("held".into(), own(2)));
}

#[test]
fn what_passed_before_counts_over_a_restart_as_long_as_without() {
    let mut o = Office::new(40);
    o.all_boot(40, tenant);
    o.w.pass(50 * 60_000);
    // put right for those that were held
    for n in 8..40 {
        assert_eq!(o.boot(n, &own(n)).0, "unchanged");
    }
    assert_eq!((&o.guard()["state"], &o.guard()["changed"]), (&json!("quiet"), &json!(8)));
    let begun: Vec<u64> = o.records.values().flat_map(|r| r.decided.changed.values().map(|c| c.at)).collect();
    let late = o.w.now().unix - 60;
    assert!(begun.len() == 8 && begun.iter().all(|at| *at >= late), "their window began anew: {begun:?}");
}

#[test]
fn a_vendor_that_is_switched_off_holds_nothing_for_the_others() {
    let mut o = Office::new(3);
    o.all_boot(3, tenant);
    assert_eq!(o.guard()["state"], "holding");
    let off =
        CONFIG.replacen("option enabled '1'\n\tlist oui '00:04:13", "option enabled '0'\n\tlist oui '00:04:13", 1);
    assert_ne!(off, CONFIG);
    o.w.reload(&off);
    o.settle();
    assert_eq!(o.guard()["state"], "quiet", "nobody will ever ask for it again");
    o.w.reload(CONFIG);
    o.w.pass(20_000);
    o.settle();
    assert_eq!(o.boot(2, &tenant(2)), ("held".into(), own(2)), "and here it is again");
    assert_eq!(o.guard()["state"], "holding");
}
