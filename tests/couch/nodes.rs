//! Two nodes, and what becomes of phones and changes when one dies.

use super::server::Couch;
use super::{database, device, user, Provisioner, ACCOUNT};
use phoneprov::proto::mac::Mac;
use phoneprov::provisioner::json::Json;
use phoneprov::provisioner::storage::Storage;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap()
}

/// Phones `from..to`, ten in an account.
fn fill(store: &dyn Storage, from: usize, to: usize) {
    for n in from..to {
        let database = database(n / 10);
        if n % 10 == 0 {
            store.put(&database, "acc", &json(ACCOUNT)).unwrap();
        }
        store.put(&database, &format!("d{n}"), &json(&device(n, &format!("of-{n}")))).unwrap();
        store.put(&database, &format!("u{n}"), &json(&user(n))).unwrap();
    }
}

/// Copies all of a node to another: what the nodes of a cluster do by themselves. Their positions differ.
fn replicate(from: &Couch, to: &Couch) {
    let Json::Array(names) = json(&from.request("GET", "/_all_dbs", "").1) else { panic!("a list") };
    for name in names.iter().rev().filter_map(Json::text) {
        let name_in_url = name.replace('/', "%2F");
        to.request("PUT", &format!("/{name_in_url}"), "");
        let target = format!("{}/{name_in_url}", to.url());
        let body = format!(r#"{{"source":"{name}","target":"{target}"}}"#);
        let (status, answer) = from.request("POST", "/_replicate", &body);
        assert_eq!(status, 200, "{answer}");
    }
}

/// How long until the phone has this password in its configuration.
fn until_served(prov: &Provisioner, n: usize, password: &str, most: Duration) -> Duration {
    let begun = Instant::now();
    loop {
        let text = prov.get(n).unwrap();
        if text.contains(password) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < most, "phone {n} is not served {password}:\n{}", prov.log.lock().unwrap().join("\n"));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_node_dies_while_a_thousand_phones_ask() {
    let Some(a) = Couch::start(None) else { return };
    let b = Couch::start(None).unwrap();
    fill(&*a.storage(), 0, 1000);
    replicate(&a, &b);
    let prov = Provisioner::start(&format!("{},{}", a.url(), b.url()));
    let (asked, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut a = Some(a);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (prov, asked, failed) = (&prov, &asked, &failed);
            scope.spawn(move || {
                for n in (client..1000).step_by(8) {
                    let good = prov.get(n).is_ok_and(|text| text.contains(&format!("of-{n}<")));
                    failed.fetch_add(usize::from(!good), Ordering::Relaxed);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while asked.load(Ordering::Relaxed) < 400 {
            std::thread::sleep(Duration::from_millis(1));
        }
        a.take().unwrap().kill();
    });
    println!("couch: a node killed after 400 of 1000 requests: {} failed", failed.load(Ordering::Relaxed));
    assert_eq!(failed.load(Ordering::Relaxed), 0);
    // and the other one is followed: a changed device, a new one, one that is gone
    prov.said(&format!("{}: following", b.url()), Duration::from_secs(20));
    let store = b.storage();
    store.put(&database(1000), "acc", &json(ACCOUNT)).unwrap();
    store.put(&database(1000), "d2000", &json(&device(2000, "new"))).unwrap();
    until_served(&prov, 2000, "new<", Duration::from_secs(20));
    store.delete(&database(1000), "d2000").unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    let refused = format!("{}: refused: no device has this MAC", Mac::parse(&super::mac(2000)).unwrap());
    while !prov.log.lock().unwrap().iter().any(|line| line.contains(&refused)) {
        assert!(Instant::now() < until, "a device that is gone is served");
        let _ = prov.get(2000);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_change_is_served_within_a_second() {
    let Some(couch) = Couch::start(None) else { return };
    let store = couch.storage();
    fill(&*store, 0, 200);
    let prov = Provisioner::start(&couch.url());
    let mut times: Vec<Duration> = (0..20)
        .map(|n| {
            // at all moments of a round
            std::thread::sleep(Duration::from_millis(n * 37 % 400));
            // it has another MAC from now on: a phone that is asked for before has no second answer for a while
            let (n, mac) = (n as usize * 10, n as usize + 100_000);
            let changed = device(mac, &format!("changed-{n}"));
            store.put(&database(n / 10), &format!("d{n}"), &json(&changed)).unwrap();
            until_served(&prov, mac, &format!("changed-{n}<"), Duration::from_secs(20))
        })
        .collect();
    times.sort();
    println!("couch: a changed device of 20 accounts is served after {:?}, at most {:?}", times[10], times[19]);
    // on a machine that has other work to do, half of them
    assert!(times[10] < Duration::from_secs(1), "{times:?}");
}

#[test]
fn without_any_node_phones_are_served_and_the_log_says_so() {
    let Some(couch) = Couch::start(Some("admin:p@ss,1")) else { return };
    let with_user = format!("http://admin:p%40ss%2C1@127.0.0.1:{}", couch.port);
    let store = phoneprov::net::store::writer(&with_user).unwrap();
    fill(&*store, 0, 10);
    let why = couch.storage().get("account/x", "y").unwrap_err().to_string();
    assert!(why.contains("refuses the user"), "{why}");
    let prov = Provisioner::start(&with_user);
    let port = couch.kill();
    prov.said("no node answers, phones are served from what was read", Duration::from_secs(20));
    assert!(prov.get(3).unwrap().contains("of-3<"));
    // it comes back empty: that is none of its nodes
    let empty = Couch::at(port, Some("admin:p@ss,1")).unwrap();
    store.put("account/other", "acc", &json(ACCOUNT)).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert!(prov.get(4).unwrap().contains("of-4<"));
    // and then with what it had, and a change
    fill(&*store, 0, 10);
    store.put(&database(0), "d5", &json(&device(5, "later"))).unwrap();
    until_served(&prov, 5, "later<", Duration::from_secs(20));
    let log = prov.log.lock().unwrap().join("\n");
    assert!(!log.contains("p@ss") && !log.contains("p%40ss") && !log.contains("YWRtaW"), "{log}");
    drop(empty);
}

#[test]
fn a_store_that_nobody_answers_for_is_said_so() {
    let out = std::process::Command::new(super::BINARY)
        .args(["render", "--mac", "000413000001"])
        .env("PHONEPROV_STORE", "http://u:hidden@127.0.0.1:1,http://127.0.0.1:2")
        .output()
        .unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(said.contains("http://127.0.0.1:1: cannot connect") && !said.contains("hidden"), "{said}");
}
