//! Calls of Kazoo's, from their bytes to documents.

use super::perform::{perform, plan, Done, Work};
use super::*;
use crate::provisioner::documents::Documents;
use crate::provisioner::memory::Memory;
use crate::provisioner::storage::{Files, Storage};
use proptest::prelude::*;

const ACC: &str = "4b6a";

/// A store in a folder, and the index that a provisioner has of it.
struct Office {
    _dir: tempfile::TempDir,
    files: Files,
    memory: Memory,
}

impl Office {
    fn new() -> Office {
        let dir = tempfile::tempdir().unwrap();
        Office { files: Files::at(dir.path()), _dir: dir, memory: Memory::shipped() }
    }

    fn call(&mut self, method: &str, path: &str, body: &str) -> Result<Done, Wrong> {
        let method = if method == "GET" { Method::Get } else { Method::Other(method.to_string()) };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let call = read(&method, &path.split('/').collect::<Vec<_>>(), query, body.as_bytes())?;
        let work = match plan(call, &self.memory, &|database| self.memory.ids(database)) {
            Ok(work) => work,
            Err(done) => return Ok(done),
        };
        if let Work::Change(orders) = &work {
            for order in orders {
                assert!(order.database.starts_with("account/"), "{}", order.database);
                assert!(order.id == ACCOUNT || order.id.starts_with("device-") || order.id.starts_with("user-"));
            }
        }
        let done = perform(&work, &self.files, Some("given"));
        for (database, id, _) in &done.touched {
            match self.files.get(database, id).unwrap() {
                Some(json) => {
                    assert!(json.get("_id").is_none() && json.get("pvt_type").is_some(), "{database} {id}");
                    self.memory.put(database, id, json).unwrap();
                }
                None => self.memory.remove(database, id),
            }
        }
        Ok(done)
    }

    fn ok(&mut self, method: &str, path: &str, body: &str) {
        let done = self.call(method, path, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        assert_eq!(done.status, 200, "{method} {path}: {:?}", done.trouble);
    }

    fn account(&self) -> std::sync::Arc<crate::provisioner::documents::Account> {
        self.memory.account("account/4b6a", ACCOUNT).expect("an account")
    }
}

#[test]
fn what_is_sent_cannot_be_what_it_is_not() {
    let mut office = Office::new();
    let put = |o: &mut Office, path: &str, body: &str| o.ok("PUT", &format!("api/accounts/{path}"), body);
    put(
        &mut office,
        ACC,
        r#"{"_id":"other","pvt_type":"device","pvt_deleted":true,"realm":"r","kazoo":{"x":1},"available_apps":[1]}"#,
    );
    let stored = office.files.get("account/4b6a", ACCOUNT).unwrap().unwrap();
    assert_eq!(text(&stored, &["pvt_type"]), "account");
    assert!(["_id", "pvt_deleted", "kazoo", "available_apps"].iter().all(|name| stored.get(name).is_none()));
    // an owner that would be the account, and a key that watches it
    let device = r#"{"owner_id":"account","pvt_account_id":"another","_rev":"9","mac_address":"00:04:13:00:00:09","apps":{},
        "provision":{"feature_keys":{"1":{"type":"presence","value":"u2"}}}}"#;
    put(&mut office, "4B6A/000413aabb01", device);
    let devices = office.memory.devices(Mac::parse("000413aabb01").unwrap());
    let device = devices.first().expect("it counts by the MAC in the URL");
    assert_eq!((&*device.owner, &*device.account, &*device.keys[0].value), ("user-account", ACCOUNT, "user-u2"));
    assert_eq!(office.account().realm, "r");
    // one that is no id at all is the phone's own
    put(&mut office, "4b6a/000413aabb02", r#"{"owner_id":"../../x","first_name":"A"}"#);
    let devices = office.memory.devices(Mac::parse("000413aabb02").unwrap());
    assert_eq!(devices[0].owner, "user-000413aabb02");
}

#[test]
fn the_password_of_accounts() {
    let mut office = Office::new();
    office.ok("PUT", "api/accounts/4b6a", r#"{"realm":"r"}"#);
    assert!(office.account().enabled && office.account().urlpass == "given");
    office.ok("PUT", "api/accounts/4b6a", r#"{"provision":{"provision_enabled":true,"urlpass":"own"}}"#);
    assert_eq!(office.account().urlpass, "own");
    // an account that came without one keeps what it has, whoever writes it
    office.ok("POST", "api/accounts/4b6a", r#"{"settings":{"realm":"r2"}}"#);
    office.ok("POST", "accounts/4b6a", r#"{"merge":true,"data":{"settings":{"lines":[{"sip":{"realm":"r3"}}]}}}"#);
    assert_eq!((office.account().urlpass.as_str(), office.account().realm.as_str()), ("own", "r3"));
    // one that is switched off is not switched on
    office.ok("PUT", "api/accounts/4b6a", r#"{"provision":{"provision_enabled":false}}"#);
    assert!(!office.account().enabled && office.account().urlpass.is_empty());
}

#[test]
fn a_phone_that_goes_to_another_realm_leaves_the_first() {
    let mut office = Office::new();
    let mac = Mac::parse("001565aabb03").unwrap();
    let form = |realm: &str| format!("device[mac]=001565aabb03&sip[realm]={realm}&sip[username]=u&sip[password]=p");
    for realm in ["a-b.example", "a.b.example", "A.B.example"] {
        office.ok("POST", "simple", &form(realm));
        let devices = office.memory.devices(mac);
        assert_eq!(devices.len(), 1, "{realm}");
        let account = office.memory.account(&devices[0].database, &devices[0].account).unwrap();
        assert!(account.realm.eq_ignore_ascii_case(realm), "{realm}: {}", account.realm);
    }
    // a line that another form brought stays
    office.ok("PUT", "api/accounts/4b6a/001565aabb03", r#"{"sip":{"username":"x"}}"#);
    office.ok("POST", "simple", &form("c.example"));
    assert_eq!(office.memory.devices(mac).len(), 2);
}

#[test]
fn merging() {
    let json = |text: &str| Json::parse(text.as_bytes()).unwrap();
    let old = json(r#"{"a":{"b":1,"c":[1,2]},"d":null,"e":"x"}"#);
    let new = json(r#"{"a":{"c":[3],"f":{}},"d":{"g":2},"e":null}"#);
    assert_eq!(v5::merged(old, &new).to_ascii(), r#"{"a":{"b":1,"c":[3],"f":{}},"d":{"g":2},"e":null}"#);
    // a document of a thousand thousand members is no matter
    let wide = |from: usize| Json::Object((from..from + 100_000).map(|n| (n.to_string(), Json::Bool(true))).collect());
    let begin = std::time::Instant::now();
    assert_eq!(v5::merged(wide(0), &wide(50_000)).entries().len(), 150_000);
    assert!(begin.elapsed() < std::time::Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[test]
fn models_and_families_as_kazoo_writes_them() {
    let of = |brand: &str, family: &str, model: &str| {
        let json = format!(r#"{{"brand":"{brand}","family":"{family}","model":"{model}"}}"#);
        v5::endpoint(&Json::parse(json.as_bytes()).unwrap()).join("/")
    };
    assert_eq!(of("Yealink", "t4x", "t46"), "yealink/t4x/t46g");
    assert_eq!(of("yealink", "t4x", "t46g"), "yealink/t4x/t46g");
    assert_eq!(of("yealink", "t2x", "T27"), "yealink/t2x/t27p");
    assert_eq!(of("snom", "3xx", "320"), "snom/3xx/320");
    // what it took the f from is found by the model
    let memory = Memory::shipped();
    assert_eq!(memory.by_model("snom", "d765").map(|t| t.id.clone()).as_deref(), Some("ui/snom/7xx/D765"));
    assert!(memory.by_model("mitel", "320").is_none() && memory.by_model("snom", "").is_none());
}

#[test]
fn bounds_hold() {
    let long = "a".repeat(bounds::KAZOO_ID + 1);
    assert_eq!(account(&long), Err(Wrong::Account));
    assert!(account(&long[1..]).is_ok());
    let keys: Vec<String> =
        (0..2000).map(|n| format!(r#""{n}":{{"key":{{"type":"speed_dial","value":"1"}}}}"#)).collect();
    let data = format!(r#"{{"settings":{{"feature_keys":{{{}}}}}}}"#, keys.join(","));
    let data = Json::parse(data.as_bytes()).unwrap();
    assert_eq!(v5::keys(&data).entries().len(), bounds::KAZOO_KEYS);
    let lines: Vec<String> = (0..2000).map(|n| format!(r#""{n}":{{}}"#)).collect();
    let data = Json::parse(format!(r#"{{"settings":{{"lines":{{{}}}}}}}"#, lines.join(",")).as_bytes()).unwrap();
    assert_eq!(v5::lines(&data).len(), bounds::PROVISIONER_LINES);
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_string()),
        Just("true".to_string()),
        Just("7".to_string()),
        "[a-z0-9.\\-]{0,8}".prop_map(|s| format!("\"{s}\"")),
        Just("{}".to_string()),
        Just("[]".to_string()),
    ]
}

fn document() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "(settings|data|lines|sip|realm|username|password|provision|feature_keys|combo_keys|key|type|value|owner_id|merge)",
        "(create_if_missing|_id|pvt_type|mac_address|kazoo|0|1|63|64|endpoint_model|model|brand|lineloop|globals|urlpass)",
    ];
    value().prop_recursive(4, 40, 5, move |inner| {
        prop::collection::vec((name.clone(), inner), 0..5).prop_map(|members| {
            let members: Vec<String> = members.into_iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
            format!("{{{}}}", members.join(","))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// Whatever is sent, in whatever order: the documents are ours by name and kind, and all of them can be read.
    #[test]
    fn any_calls(calls in prop::collection::vec((
        "(GET|PUT|POST|DELETE)",
        "(api/accounts/(a|b)(/(000413aabb01|001565aabb03))?|(accounts|devices)/(a|b|search)(/(000413aabb01|001565aabb03))?|simple|awesome/000413aabb01)",
        document(),
        any::<bool>(),
    ), 1..12)) {
        let mut office = Office::new();
        for (method, path, body, wrap) in calls {
            let body = if wrap { format!(r#"{{"create_if_missing":true,"merge":true,"data":{body},"settings":{body}}}"#) } else { body };
            let _ = office.call(&method, &path, &body);
        }
        for mac in ["000413aabb01", "001565aabb03"] {
            for device in office.memory.devices(Mac::parse(mac).unwrap()) {
                prop_assert_eq!(&device.account, ACCOUNT);
            }
        }
        for account in ["a", "b"] {
            office.ok("DELETE", &format!("accounts/{account}"), "");
            let left = office.memory.ids(&format!("account/{account}"));
            prop_assert!(left.is_empty());
        }
    }

    #[test]
    fn merging_twice_is_merging_once(old in document(), new in document()) {
        let (old, new) = (Json::parse(old.as_bytes()).unwrap(), Json::parse(new.as_bytes()).unwrap());
        let once = v5::merged(old.clone(), &new);
        prop_assert_eq!(v5::merged(once.clone(), &new), once.clone());
        prop_assert_eq!(v5::merged(old, &once), once);
    }

    #[test]
    fn total(method in "(GET|HEAD|POST|PUT|DELETE|X)", path in "\\PC{0,40}|(awesome|simple|devices/a/)[\\x00-\\x7f]{0,20}", body: Vec<u8>) {
        let method = if method == "GET" { Method::Get } else { Method::Other(method) };
        let _ = read(&method, &path.split('/').collect::<Vec<_>>(), &path, &body);
        let _ = simple::read(&Method::Other("POST".into()), &body);
    }
}
