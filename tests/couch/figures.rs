//! A thousand accounts: how long reading takes, how soon changes are served in each way of finding them, and how much a request
//! costs. `cargo test --release --test couch -- --ignored --nocapture figures` prints them for 50,000 phones.

use super::standin::StandIn;
use super::{database, device, mac, user, Provisioner, ACCOUNT};
use phoneprov::proto::http::{parse_request, Parsed};
use phoneprov::proto::mac::Mac;
use phoneprov::provisioner::answer::{Outcome, Provisioner as Answering};
use phoneprov::provisioner::documents::{Account, Device, Documents, Template, User};
use phoneprov::provisioner::json::Json;
use phoneprov::provisioner::memory::Memory;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// So many phones in each of so many accounts, each with its user.
fn fill(couch: &StandIn, accounts: usize, phones: usize) {
    for account in 0..accounts {
        let database = database(account);
        couch.put(&database, "acc", ACCOUNT);
        for n in account * phones..(account + 1) * phones {
            couch.put(&database, &format!("d{n}"), &device(n, &format!("of-{n}")));
            couch.put(&database, &format!("u{n}"), &user(n));
        }
    }
}

/// Changes devices of several accounts: the times until each is served, sorted. `spare`: MACs that no other device has, from here on.
fn changes(couch: &StandIn, prov: &Provisioner, accounts: usize, spare: usize, count: usize) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..count)
        .map(|i| {
            std::thread::sleep(Duration::from_millis(i as u64 * 53 % 700));
            let account = i * 31 % accounts;
            couch.put(&database(account), &format!("new{i}"), &device(spare + i, "changed"));
            let begun = Instant::now();
            while !prov.get(spare + i).unwrap().contains("changed<") {
                assert!(begun.elapsed() < Duration::from_secs(60), "{}", prov.log.lock().unwrap().join("\n"));
                std::thread::sleep(Duration::from_millis(2));
            }
            begun.elapsed()
        })
        .collect();
    times.sort();
    times
}

#[test]
fn changes_are_found_in_each_way() {
    for (updates, infos, says) in [
        (true, true, "the server tells of changes"),
        (false, true, "every database is asked"),
        (false, false, "every database is asked"),
    ] {
        let couch = StandIn::start(updates, infos);
        fill(&couch, 200, 2);
        let prov = Provisioner::start(&couch.url());
        prov.said(says, Duration::from_secs(20));
        // after the first round
        std::thread::sleep(Duration::from_secs(1));
        couch.requests();
        let times = changes(&couch, &prov, 200, 500_000, 9);
        let asked = couch.requests();
        println!(
            "couch: _db_updates {updates}, _dbs_info {infos}: a change in one of 200 accounts is served after {:?}, at most {:?}",
            times[4], times[8]
        );
        assert!(times[4] < Duration::from_secs(1), "{times:?}");
        let changed: Vec<String> = (0..9).map(|i| database(i * 31 % 200)).collect();
        let others = asked.keys().filter(|name| name.starts_with("account/") && !changed.contains(name)).count();
        assert_eq!(others > 0, !updates && !infos, "only those that changed are read: {asked:?}");
        // a new account, too
        couch.put("account/ff/ff/new", "acc", ACCOUNT);
        couch.put("account/ff/ff/new", "d", &device(600_000, "changed"));
        let until = Instant::now() + Duration::from_secs(20);
        while !prov.get(600_000).unwrap().contains("changed<") {
            assert!(Instant::now() < until);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Notes which databases a request looks into.
struct Watched<'a>(&'a Memory, Mutex<Vec<String>>);

impl Documents for Watched<'_> {
    fn devices(&self, mac: Mac) -> Vec<Arc<Device>> {
        let found = self.0.devices(mac);
        self.1.lock().unwrap().extend(found.iter().map(|d| d.database.to_string()));
        found
    }
    fn account(&self, database: &str, id: &str) -> Option<Arc<Account>> {
        self.1.lock().unwrap().push(database.to_string());
        self.0.account(database, id)
    }
    fn user(&self, database: &str, id: &str) -> Option<Arc<User>> {
        self.1.lock().unwrap().push(database.to_string());
        self.0.user(database, id)
    }
    fn template(&self, id: &str) -> Option<Arc<Template>> {
        self.0.template(id)
    }
    fn by_model(&self, brand: &str, model: &str) -> Option<Arc<Template>> {
        self.0.by_model(brand, model)
    }
    fn tree(&self) -> Option<Arc<Json>> {
        self.0.tree()
    }
}

#[test]
fn a_request_touches_the_documents_of_one_account() {
    let mut memory = Memory::shipped();
    for account in 0..1000 {
        let put = |memory: &mut Memory, id: &str, json: &str| {
            memory.put(&database(account), id, Json::parse(json.as_bytes()).unwrap()).unwrap();
        };
        put(&mut memory, "acc", ACCOUNT);
        put(&mut memory, "d", &device(account, "x"));
        put(&mut memory, &format!("u{account}"), &user(account));
    }
    let target = format!("/prov/snom/settings.php?mac={}&pass=right", mac(700));
    let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\nUser-Agent: snom320\r\n\r\n");
    let Ok(Parsed::Whole { request, .. }) = parse_request(head.as_bytes()) else { panic!("a request") };
    let watched = Watched(&memory, Mutex::default());
    let answer = Answering::default().answer(&request, &watched, Duration::from_secs(1));
    assert!(matches!(answer.outcome, Outcome::Config(_, 1)));
    let touched = watched.1.into_inner().unwrap();
    assert!(touched.iter().all(|name| *name == database(700)), "{touched:?}");
    // device, account, owner, and the owner of one key
    assert_eq!(touched.len(), 4, "{touched:?}");
}

/// Resident memory of a process in MB.
fn memory(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
#[ignore = "prints figures: minutes, and all of the machine"]
fn figures() {
    const ACCOUNTS: usize = 1000;
    const PHONES: usize = 50;
    for (updates, infos) in [(true, true), (false, true), (false, false)] {
        let couch = StandIn::start(updates, infos);
        fill(&couch, ACCOUNTS, PHONES);
        let begun = Instant::now();
        let prov = Provisioner::start(&couch.url());
        let build = begun.elapsed();
        println!(
            "couch: _db_updates {updates}, _dbs_info {infos}: {} phones of {ACCOUNTS} accounts ({} documents) read in {build:.1?}, {} MB",
            ACCOUNTS * PHONES,
            ACCOUNTS * (2 * PHONES + 1),
            memory(prov.child.id())
        );
        std::thread::sleep(Duration::from_secs(2));
        let times = changes(&couch, &prov, ACCOUNTS, 500_000, 30);
        println!(
            "couch:   a change is served after {:.0?}, 9 of 10 within {:.0?}, at most {:.0?}",
            times[15], times[26], times[29]
        );
        couch.requests();
        let cpu = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", prov.child.id())).unwrap();
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
            fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
        };
        let before = cpu();
        std::thread::sleep(Duration::from_secs(10));
        let requests: usize = couch.requests().values().sum();
        println!(
            "couch:   following without changes: {:.1} requests/s, {:.1} % of a core",
            requests as f64 / 10.0,
            (cpu() - before) as f64 / 10.0
        );
        let (clients, begun) = (8, Instant::now());
        let all: Mutex<Vec<Duration>> = Mutex::default();
        std::thread::scope(|scope| {
            for client in 0..clients {
                let (prov, all) = (&prov, &all);
                scope.spawn(move || {
                    let mut times = Vec::new();
                    for n in (client..20_000).step_by(clients) {
                        let asked = Instant::now();
                        // spread over all accounts
                        let n = n * 7919 % (ACCOUNTS * PHONES);
                        assert!(prov.get(n).unwrap().contains(&format!("of-{n}<")));
                        times.push(asked.elapsed());
                    }
                    all.lock().unwrap().extend(times);
                });
            }
        });
        let took = begun.elapsed();
        let mut times = all.into_inner().unwrap();
        times.sort();
        println!(
            "couch:   {clients} clients, a connection each time: {:.0} configs/s, half within {:.1?}, 99 of 100 within {:.1?}; {} MB",
            times.len() as f64 / took.as_secs_f64(),
            times[times.len() / 2],
            times[times.len() * 99 / 100],
            memory(prov.child.id())
        );
    }
}
