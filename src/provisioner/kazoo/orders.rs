//! From a call to the documents that it changes. What is stored of them comes in when they are changed ([`Order::apply`]).

use super::{made, text, v5, Call, Line, Place, ACCOUNT};
use crate::proto::mac::Mac;
use crate::provisioner::documents::Documents;
use crate::provisioner::json::Json;
use sha2::{Digest, Sha256};

/// A document to be changed.
pub struct Order {
    /// `account/ID`
    pub database: String,
    /// Of the document.
    pub id: String,
    /// How.
    pub what: What,
}

/// How a document is changed.
pub enum What {
    /// It goes.
    Delete,
    /// It becomes this.
    Put(Json),
    /// An account: it becomes this, and keeps what only we know of it.
    Account(Json),
    /// An account that must be there: it gets this realm if it has none.
    Realm(String),
    /// Of [`v5`]: these changes to an account.
    V5Account(v5::Changes),
    /// Of [`v5`]: these changes to a device. The documents of its lines are made from the result ([`v5_lines`]).
    V5Device(Mac, v5::Changes),
}

/// Of a document that Kazoo told us of: what it said, where that is merged with what it says later. It also lets such a
/// device's template be found by model alone.
pub const TOLD: &str = "kazoo";

/// Database of an account.
pub fn database(account: &str) -> String {
    format!("account/{account}")
}

/// A device's document.
pub fn device_id(mac: Mac) -> String {
    format!("device-{}", mac.hex())
}

/// A user's document, for an id that Kazoo gave.
fn user_id(id: &str) -> String {
    format!("user-{id}")
}

/// The account that a database belongs to.
pub fn account_of(database: &str) -> String {
    database.strip_prefix("account/").unwrap_or(database).replace('/', "")
}

/// What a call changes. `ids` are those of the documents in a database.
pub fn of(call: Call, documents: &dyn Documents, ids: &dyn Fn(&str) -> Vec<String>) -> Vec<Order> {
    let order = |account: &str, id: &str, what| Order { database: database(account), id: id.to_string(), what };
    match call {
        Call::Look(_) | Call::Search(_) | Call::Defaults(_) => Vec::new(),
        Call::Put(Place { account, mac: None }, document) => {
            vec![order(&account, ACCOUNT, What::Account(public(document, &["available_apps", "apps"])))]
        }
        Call::Put(Place { account, mac: Some(mac) }, document) => {
            let owner = match text(&document, &["owner_id"]) {
                id if id.len() <= 64
                    && !id.is_empty()
                    && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) =>
                {
                    id
                }
                _ => mac.hex(),
            };
            let realm = text(&document, &["sip", "realm"]);
            vec![
                order(&account, ACCOUNT, What::Realm(realm)),
                order(&account, &user_id(&owner), What::Put(user(&document))),
                order(&account, &device_id(mac), What::Put(device(document, mac, &owner))),
            ]
        }
        Call::Merge(Place { account, mac: None }, changes) => vec![order(&account, ACCOUNT, What::V5Account(changes))],
        Call::Merge(Place { account, mac: Some(mac) }, changes) => {
            let realm = v5::lines(&changes.data)
                .first()
                .and_then(|n| v5::line(&changes.data, *n))
                .map_or(String::new(), |line| text(line, &["sip", "realm"]));
            let mut all = vec![order(&account, &device_id(mac), What::V5Device(mac, changes))];
            if !realm.is_empty() {
                all.push(order(&account, ACCOUNT, What::Realm(realm)));
            }
            all
        }
        Call::Line(mac, line) => {
            let account = by_realm(line.form, &line.realm);
            // nobody tells us when a phone goes to another account
            let own = database(&account);
            let start = database(line.form);
            let others = documents.devices(mac).into_iter().filter(|d| *d.database != *own);
            let others = others.filter(|d| d.database.strip_prefix(&*start).is_some_and(|rest| rest.starts_with('_')));
            let mut all: Vec<Order> = others
                .map(|d| Order { database: d.database.to_string(), id: d.stored.clone(), what: What::Delete })
                .collect();
            all.push(order(&account, ACCOUNT, What::Realm(line.realm.clone())));
            all.push(order(&account, &user_id(&mac.hex()), What::Put(shown(&line.label))));
            all.push(order(&account, &device_id(mac), What::Put(of_line(mac, &line))));
            all
        }
        Call::Delete(Place { account, mac: Some(mac) }) => {
            let own = device_id(mac);
            let of_device = |id: &String| *id == own || id.strip_prefix(&own).is_some_and(|rest| rest.starts_with('-'));
            let mut all: Vec<String> = ids(&database(&account)).into_iter().filter(of_device).collect();
            // it may have been stored a moment ago
            all.push(own.clone());
            all.dedup();
            all.iter().map(|id| order(&account, id, What::Delete)).collect()
        }
        Call::Delete(Place { account, mac: None }) => {
            ids(&database(&account)).iter().map(|id| order(&account, id, What::Delete)).collect()
        }
    }
}

impl Order {
    /// What the document shall be, by what it is. `urlpass` is the password of accounts that came without one.
    pub fn apply(&self, old: Option<&Json>, urlpass: Option<&str>) -> Option<Json> {
        match &self.what {
            What::Delete => None,
            What::Put(document) => Some(document.clone()),
            What::Account(document) => {
                let mut new = document.clone();
                if new.get("provision").is_none() {
                    if let Some(kept) = old.and_then(|o| o.get("provision")) {
                        new.set("provision", kept.clone());
                    }
                }
                Some(account(new, urlpass))
            }
            What::Realm(realm) => {
                let mut new = old.cloned().unwrap_or_else(|| Json::Object(Vec::new()));
                if text(&new, &["realm"]).is_empty() {
                    new.set("realm", Json::string(realm.clone()));
                }
                Some(account(new, urlpass))
            }
            What::V5Account(changes) => {
                let data = told(old, changes)?;
                let mut new = old.cloned().unwrap_or_else(|| Json::Object(Vec::new()));
                let realm =
                    v5::lines(&data).first().and_then(|n| v5::line(&data, *n)).map(|l| text(l, &["sip", "realm"]));
                for (name, value) in [
                    ("realm", realm.unwrap_or_default()),
                    ("timezone", text(&data, &["settings", "datetime", "time", "timezone"])),
                ] {
                    if !value.is_empty() {
                        new.set(name, Json::string(value));
                    }
                }
                new.set(TOLD, data);
                Some(account(new, urlpass))
            }
            What::V5Device(mac, changes) => {
                let data = told(old, changes)?;
                let first = v5::lines(&data).first().copied().unwrap_or(0);
                let mut new = v5_line(&data, *mac, first, &mac.hex());
                new.set(TOLD, data);
                Some(new)
            }
        }
    }
}

/// What Kazoo has said of a document up to now. `None`: it is not there, and shall not be made.
fn told(old: Option<&Json>, changes: &v5::Changes) -> Option<Json> {
    match old {
        None if !changes.create => None,
        Some(old) if changes.merge => Some(v5::merged(old.get(TOLD).cloned().unwrap_or_default(), &changes.data)),
        _ => Some(changes.data.clone()),
    }
}

/// The documents beside its own that a [`v5`] device has: its users, and a device for each line beyond the first. `old` and `new` are what
/// its document was and is.
pub fn v5_lines(database: &str, mac: Mac, old: Option<&Json>, new: &Json) -> Vec<Order> {
    let Some(data) = new.get(TOLD) else { return Vec::new() };
    let now = v5::lines(data);
    let before = old.and_then(|o| o.get(TOLD)).map(v5::lines).unwrap_or_default();
    let mut all = Vec::new();
    let mut add = |id: String, what| all.push(Order { database: database.to_string(), id, what });
    for (place, number) in now.iter().enumerate() {
        let owner = if place == 0 { mac.hex() } else { format!("{}-{number}", mac.hex()) };
        let name = v5::line(data, *number).map_or(String::new(), |l| text(l, &["basic", "display_name"]));
        let mut user = shown(&name);
        user.set("timezone", Json::string(text(data, &["settings", "datetime", "time", "timezone"])));
        add(user_id(&owner), What::Put(user));
        if place > 0 {
            let mut device = v5_line(data, mac, *number, &owner);
            device.set(TOLD, Json::Bool(true));
            add(format!("{}-{number}", device_id(mac)), What::Put(device));
        }
    }
    for number in before.iter().filter(|n| now.first() == Some(n) || !now.contains(n)) {
        add(format!("{}-{number}", device_id(mac)), What::Delete);
    }
    all
}

fn v5_line(data: &Json, mac: Mac, number: u32, owner: &str) -> Json {
    let [brand, family, model] = v5::endpoint(data).map(Json::string);
    let nothing = Json::Null;
    let line = v5::line(data, number).unwrap_or(&nothing);
    let field = |name| Json::string(text(line, &["sip", name]));
    made([
        ("pvt_type", Json::string("device")),
        ("pvt_account_id", Json::string(ACCOUNT)),
        ("mac_address", Json::string(mac.to_string())),
        ("owner_id", Json::string(user_id(owner))),
        ("name", Json::string(text(data, &["name"]))),
        ("sip", made([("username", field("username")), ("password", field("password")), ("realm", field("realm"))])),
        (
            "provision",
            made([
                ("endpoint_brand", brand),
                ("endpoint_family", family),
                ("endpoint_model", model),
                ("feature_keys", v5::keys(data)),
            ]),
        ),
    ])
}

/// A document without what is not Kazoo's to say: the store's fields, private ones, and these.
fn public(document: Json, without: &[&str]) -> Json {
    match document {
        Json::Object(mut entries) => {
            entries.retain(|(name, _)| {
                !name.starts_with('_') && !name.starts_with("pvt_") && name != TOLD && !without.contains(&&**name)
            });
            Json::Object(entries)
        }
        other => other,
    }
}

fn account(mut document: Json, urlpass: Option<&str>) -> Json {
    document.set("pvt_type", Json::string("account"));
    if let Some(pass) = urlpass {
        let mut provision = match document.get("provision") {
            Some(there @ Json::Object(_)) => there.clone(),
            _ => Json::Object(Vec::new()),
        };
        if text(&provision, &["urlpass"]).is_empty() && provision.get("provision_enabled").is_none() {
            provision.set("provision_enabled", Json::Bool(true));
            provision.set("urlpass", Json::string(pass));
            document.set("provision", provision);
        }
    }
    document
}

/// A device that came with the fields of its owner.
fn device(document: Json, mac: Mac, owner: &str) -> Json {
    let mut new = public(document, &["apps", "directory", "owner"]);
    new.set("pvt_type", Json::string("device"));
    new.set("pvt_account_id", Json::string(ACCOUNT));
    new.set("mac_address", Json::string(mac.to_string()));
    new.set("owner_id", Json::string(user_id(owner)));
    new.set(TOLD, Json::Bool(true));
    if let Some(Json::Object(provision)) = new.get("provision").cloned() {
        let mut provision = Json::Object(provision);
        if let Some(keys) = provision.get("feature_keys").cloned() {
            provision.set("feature_keys", watched(keys));
        }
        new.set("provision", provision);
    }
    new
}

/// Keys, with the ids that users have here.
fn watched(keys: Json) -> Json {
    let one = |mut key: Json| {
        if text(&key, &["type"]) == "presence" {
            let id = text(&key, &["value"]);
            key.set("value", Json::string(user_id(&id)));
        }
        key
    };
    match keys {
        Json::Object(entries) => Json::Object(entries.into_iter().map(|(n, key)| (n, one(key))).collect()),
        Json::Array(items) => Json::Array(items.into_iter().map(one).collect()),
        other => other,
    }
}

fn user(document: &Json) -> Json {
    let field = |name| Json::string(text(document, &[name]));
    let internal = made([("name", Json::string(text(document, &["caller_id", "internal", "name"])))]);
    made([
        ("pvt_type", Json::string("user")),
        ("first_name", field("first_name")),
        ("last_name", field("last_name")),
        ("presence_id", field("presence_id")),
        ("language", field("language")),
        ("timezone", field("timezone")),
        ("caller_id", made([("internal", internal)])),
    ])
}

fn shown(name: &str) -> Json {
    made([("pvt_type", Json::string("user")), ("last_name", Json::string(name))])
}

fn of_line(mac: Mac, line: &Line) -> Json {
    let [brand, family, model] = line.endpoint.clone().unwrap_or_default().map(Json::string);
    made([
        ("pvt_type", Json::string("device")),
        ("pvt_account_id", Json::string(ACCOUNT)),
        ("mac_address", Json::string(mac.to_string())),
        ("owner_id", Json::string(user_id(&mac.hex()))),
        ("name", Json::string(line.label.clone())),
        (
            "sip",
            made([
                ("username", Json::string(line.username.clone())),
                ("password", Json::string(line.password.clone())),
                ("realm", Json::string(line.realm.clone())),
            ]),
        ),
        ("provision", made([("endpoint_brand", brand), ("endpoint_family", family), ("endpoint_model", model)])),
        (TOLD, Json::Bool(true)),
    ])
}

/// An account for a realm: its letters for people, and what tells it from all others.
fn by_realm(form: &str, realm: &str) -> String {
    let realm = realm.to_ascii_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let short: String = realm.chars().take(32).map(plain).collect();
    let hash: String = Sha256::digest(realm.as_bytes()).iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("{form}_{short}_{hash}")
}
