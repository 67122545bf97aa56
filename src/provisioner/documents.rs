//! The documents that a provisioner works from: devices, users and accounts as Kazoo keeps them, and templates. Read
//! from JSON into what is used of them. None of these types has `Debug`: they hold passwords.

use super::json::Json;
use crate::proto::mac::Mac;
use std::sync::Arc;

/// Where documents come from. Everything here must be answered from memory: it is asked for each request.
pub trait Documents {
    /// The devices with this MAC, which are the lines of the phone: in the order of database name, then MAC as written,
    /// then document id.
    fn devices(&self, mac: Mac) -> Vec<Arc<Device>>;
    /// The account of this id, in this database.
    fn account(&self, database: &str, id: &str) -> Option<Arc<Account>>;
    /// The user of this id, in this database.
    fn user(&self, database: &str, id: &str) -> Option<Arc<User>>;
    /// The template of this id: `ui/{brand}/{family}/{model}`.
    fn template(&self, id: &str) -> Option<Arc<Template>>;
    /// A template of this brand by its model alone, whatever its family: for who knows no more. Of several the first
    /// by id; the case of letters does not count.
    fn by_model(&self, brand: &str, model: &str) -> Option<Arc<Template>>;
    /// The phone tree for the web UI.
    fn tree(&self) -> Option<Arc<Json>>;
}

/// What a document is, by its `pvt_type`.
pub enum Document {
    /// `device`
    Device(Device),
    /// `user`
    User(User),
    /// `account`
    Account(Account),
    /// `provisioner`
    Template(Box<Template>),
    /// `provisionertree`
    Tree(Json),
    /// Anything else, or deleted.
    Other,
}

/// One line of a phone.
pub struct Device {
    /// `_id`
    pub id: String,
    /// Under what it is stored, where that is another name.
    pub stored: String,
    /// Name of the database that it is in.
    pub database: Arc<str>,
    /// `mac_address`
    pub mac: Mac,
    /// `mac_address` as written: lines are ordered by it.
    pub mac_text: String,
    /// `pvt_account_id`
    pub account: String,
    /// `owner_id`
    pub owner: String,
    /// `name`
    pub name: String,
    /// `provision.endpoint_brand`
    pub brand: String,
    /// `provision.endpoint_family`
    pub family: String,
    /// `provision.endpoint_model`
    pub model: String,
    /// `provision.feature_keys`, in their order
    pub keys: Vec<FeatureKey>,
    /// `provision.provstring`
    pub provstring: String,
    /// `sip.username`
    pub sip_username: String,
    /// `sip.password`
    pub sip_password: String,
    /// `media.audio.tx_volume` in thousandths
    pub tx_volume: i64,
    /// `media.audio.rx_volume` in thousandths
    pub rx_volume: i64,
    /// It came from Kazoo by a call ([`super::kazoo`]): which template it has may be known less exactly.
    pub told: bool,
}

/// A function key.
pub struct FeatureKey {
    /// From 1; from 0 where the document has a list.
    pub number: u32,
    /// What it does.
    pub kind: KeyKind,
    /// A user's id for `Presence`, text for the others.
    pub value: String,
    /// For `Presence`, where the document has it itself: who is watched.
    pub user: Option<Arc<User>>,
}

/// What a function key does. Other types in a document are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `presence`
    Presence,
    /// `speed_dial`
    SpeedDial,
    /// `parking`
    Parking,
    /// `personal_parking`
    PersonalParking,
}

/// Who has a line.
#[derive(Default)]
pub struct User {
    /// `_id`
    pub id: String,
    /// `last_name` and `first_name`, in this order: what a phone shows
    pub display: String,
    /// `last_name`
    pub last_name: String,
    /// `presence_id`
    pub presence_id: String,
    /// `caller_id.internal.name`
    pub internal_name: String,
    /// `language`
    pub language: String,
    /// `timezone`
    pub timezone: String,
}

/// Whose lines they are.
pub struct Account {
    /// `_id`
    pub id: String,
    /// `realm`
    pub realm: String,
    /// `language`
    pub language: String,
    /// `timezone`
    pub timezone: String,
    /// `provision.provision_enabled` is JSON `true`
    pub enabled: bool,
    /// `provision.urlpass`: what a phone's URL must have as `pass`
    pub urlpass: String,
    /// `provision.provisionuser`
    pub provision_user: String,
    /// `provision.provisionpass`
    pub provision_pass: String,
    /// `provision.admin_password`
    pub admin_password: String,
    /// `provision.firmware_enabled` is true or 1
    pub firmware: bool,
}

/// How a template's sections become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    /// `json2xml`
    Xml,
    /// `json2plain`
    Plain,
}

/// What a model's configuration is made from.
pub struct Template {
    /// `ui/{brand}/{family}/{model}`
    pub id: String,
    /// `endpoint_brand`
    pub brand: String,
    /// `endpoint_family`
    pub family: String,
    /// `pvt_generator`
    pub generator: Generator,
    /// `pvt_counter`: the number of the first line. 1 where it is missing.
    pub first_line: u32,
    /// `usr_keys.setable_phone_keys`
    pub phone_keys: u32,
    /// `usr_keys.setable_module_keys`: of all expansion modules together
    pub module_keys: u32,
    /// `usr_keys.setable_phone_key_counter`: the first line's number where the brand counts lines by it
    pub key_counter: u32,
    /// Number of expansion modules: the model's `-1`, `-2`
    pub modules: u32,
    /// `cfg_account`: once for each line
    pub account: Json,
    /// `cfg_base`
    pub base: Json,
    /// `cfg_behavior`
    pub behavior: Json,
    /// `cfg_tone`
    pub tone: Json,
    /// `cfg_key`
    pub key: Json,
}

impl Document {
    /// Reads a document of a database. `id` counts where the document has no `_id`.
    ///
    /// # Errors
    /// Says which field of a device or template is missing or wrong, and what would be right. Never a field's value
    /// that could be a secret.
    pub fn read(database: &Arc<str>, id: &str, json: Json) -> Result<Document, String> {
        let id = text(&json, &["_id"]).unwrap_or_else(|| id.to_string());
        if !matches!(json.get("pvt_deleted"), None | Some(Json::Null | Json::Bool(false))) {
            return Ok(Document::Other);
        }
        match json.get("pvt_type").and_then(Json::text) {
            Some("device") => Device::read(database, id, &json),
            Some("user") => Ok(Document::User(User::read(id, &json))),
            Some("account") => Ok(Document::Account(Account::read(id, &json))),
            Some("provisionertree") => Ok(json.get("data").map_or(Document::Other, |d| Document::Tree(d.clone()))),
            // older templates have no type
            Some("provisioner") => Template::read(id, json).map(|t| Document::Template(Box::new(t))),
            None if id.starts_with("ui/") => Template::read(id, json).map(|t| Document::Template(Box::new(t))),
            _ => Ok(Document::Other),
        }
    }
}

fn text(json: &Json, path: &[&str]) -> Option<String> {
    json.at(path).and_then(Json::text).map(str::to_string)
}

impl Device {
    /// `Other` where it has no MAC: not every device is a desk phone.
    fn read(database: &Arc<str>, id: String, json: &Json) -> Result<Document, String> {
        let field = |path: &[&str]| text(json, path).unwrap_or_default();
        let mac_text = field(&["mac_address"]);
        if mac_text.is_empty() {
            return Ok(Document::Other);
        }
        let Some(mac) = Mac::parse(mac_text.trim()) else {
            return Err("mac_address is no MAC; write it as 00:04:13:aa:bb:cc".to_string());
        };
        Ok(Document::Device(Device {
            stored: id.clone(),
            id,
            database: database.clone(),
            mac,
            account: field(&["pvt_account_id"]),
            owner: field(&["owner_id"]),
            name: field(&["name"]),
            brand: field(&["provision", "endpoint_brand"]),
            family: field(&["provision", "endpoint_family"]),
            model: field(&["provision", "endpoint_model"]),
            keys: feature_keys(json.at(&["provision", "feature_keys"])),
            provstring: field(&["provision", "provstring"]),
            sip_username: field(&["sip", "username"]),
            sip_password: field(&["sip", "password"]),
            tx_volume: thousandths(&field(&["media", "audio", "tx_volume"])),
            rx_volume: thousandths(&field(&["media", "audio", "rx_volume"])),
            told: json.get(super::kazoo::orders::TOLD).is_some(),
            mac_text,
        }))
    }

    /// The id of its template.
    pub fn template(&self) -> String {
        format!("ui/{}/{}/{}", self.brand, self.family, self.model)
    }
}

fn feature_keys(json: Option<&Json>) -> Vec<FeatureKey> {
    let key = |number: Option<u32>, json: &Json| {
        let kind = match json.get("type").and_then(Json::text)? {
            "presence" => KeyKind::Presence,
            "speed_dial" => KeyKind::SpeedDial,
            "parking" => KeyKind::Parking,
            "personal_parking" => KeyKind::PersonalParking,
            _ => return None,
        };
        let user = json.get("presence_id").filter(|_| kind == KeyKind::Presence).map(|_| {
            let label = text(json, &["label"]).unwrap_or_default();
            let presence_id = text(json, &["presence_id"]).unwrap_or_default();
            Arc::new(User { display: label.clone(), last_name: label, presence_id, ..User::default() })
        });
        Some(FeatureKey { number: number?, kind, value: text(json, &["value"]).unwrap_or_default(), user })
    };
    match json {
        Some(Json::Array(items)) => (0u32..).zip(items).filter_map(|(n, item)| key(Some(n), item)).collect(),
        Some(json) => json.entries().iter().filter_map(|(n, item)| key(n.parse().ok(), item)).collect(),
        None => Vec::new(),
    }
}

/// A decimal number in thousandths: `-2.5` is -2500. 0 for what is none; large ones end at a million.
fn thousandths(text: &str) -> i64 {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let number = |s: &str| s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse::<i64>().unwrap_or(1_000_000));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    match (whole.is_empty(), number(whole), number(&part)) {
        (false, Some(whole), Some(part)) => sign * (whole.min(1_000_000) * 1000 + part),
        _ => 0,
    }
}

impl User {
    fn read(id: String, json: &Json) -> User {
        let field = |path: &[&str]| text(json, path).unwrap_or_default();
        let last_name = field(&["last_name"]);
        User {
            id,
            display: format!("{last_name} {}", field(&["first_name"])).trim().to_string(),
            last_name,
            presence_id: field(&["presence_id"]),
            internal_name: field(&["caller_id", "internal", "name"]),
            language: field(&["language"]),
            timezone: field(&["timezone"]),
        }
    }
}

impl Account {
    fn read(id: String, json: &Json) -> Account {
        let field = |path: &[&str]| text(json, path).unwrap_or_default();
        Account {
            id,
            realm: field(&["realm"]),
            language: field(&["language"]),
            timezone: field(&["timezone"]),
            enabled: json.at(&["provision", "provision_enabled"]) == Some(&Json::Bool(true)),
            urlpass: field(&["provision", "urlpass"]),
            provision_user: field(&["provision", "provisionuser"]),
            provision_pass: field(&["provision", "provisionpass"]),
            admin_password: field(&["provision", "admin_password"]),
            firmware: match json.at(&["provision", "firmware_enabled"]) {
                Some(Json::Bool(on)) => *on,
                other => other.and_then(Json::text) == Some("1"),
            },
        }
    }
}

impl Template {
    fn read(id: String, mut json: Json) -> Result<Template, String> {
        let generator = match json.get("pvt_generator").and_then(Json::text) {
            Some("json2xml") => Generator::Xml,
            Some("json2plain") => Generator::Plain,
            _ => return Err("pvt_generator must be json2xml or json2plain".to_string()),
        };
        let number = |path: &[&str]| text(&json, path).and_then(|n| n.parse::<u32>().ok());
        let first_line = number(&["pvt_counter"]).unwrap_or(1);
        let phone_keys = number(&["usr_keys", "setable_phone_keys"]).unwrap_or(0);
        let module_keys = number(&["usr_keys", "setable_module_keys"]).unwrap_or(0);
        let key_counter = number(&["usr_keys", "setable_phone_key_counter"]).unwrap_or(1);
        let (brand, family) = (text(&json, &["endpoint_brand"]), text(&json, &["endpoint_family"]));
        let mut section = |name: &str| match &mut json {
            Json::Object(entries) => {
                entries.iter_mut().find(|(k, _)| k == name).map(|(_, v)| std::mem::take(v)).unwrap_or_default()
            }
            _ => Json::Null,
        };
        let modules = id.rsplit('/').next().and_then(|model| model.split_once('-'));
        Ok(Template {
            brand: brand.unwrap_or_default(),
            family: family.unwrap_or_default(),
            generator,
            first_line,
            phone_keys,
            module_keys,
            key_counter,
            modules: modules.and_then(|(_, n)| n.parse().ok()).unwrap_or(0),
            account: section("cfg_account"),
            base: section("cfg_base"),
            behavior: section("cfg_behavior"),
            tone: section("cfg_tone"),
            key: section("cfg_key"),
            id,
        })
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn read(json: &str) -> Result<Document, String> {
        Document::read(&Arc::from("account/x"), "file", Json::parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn devices() {
        let Ok(Document::Device(d)) = read(
            r#"{"pvt_type":"device","mac_address":"0004.13AA.BBCC","provision":{"endpoint_brand":"snom","endpoint_family":"3xx",
            "endpoint_model":300,"feature_keys":{"2":{"type":"parking","value":7},"x":{"type":"parking"},"1":{"type":"line"}}},
            "media":{"audio":{"tx_volume":-2.5,"rx_volume":"4"}}}"#,
        ) else {
            panic!("a device");
        };
        assert_eq!(
            (d.id.as_str(), d.template().as_str(), d.mac.hex().as_str()),
            ("file", "ui/snom/3xx/300", "000413aabbcc")
        );
        assert_eq!(
            d.keys.iter().map(|k| (k.number, k.kind, k.value.as_str())).collect::<Vec<_>>(),
            [(2, KeyKind::Parking, "7")]
        );
        assert_eq!((d.tx_volume, d.rx_volume), (-2500, 4000));
        assert!(matches!(read(r#"{"pvt_type":"device"}"#), Ok(Document::Other)));
        assert!(matches!(
            read(r#"{"pvt_type":"device","mac_address":"000413AABBCC","pvt_deleted":true}"#),
            Ok(Document::Other)
        ));
        assert!(read(r#"{"pvt_type":"device","mac_address":"00041"}"#).is_err_and(|e| e.contains("mac_address")));
    }

    #[test]
    fn accounts_are_enabled_by_true_alone() {
        for (value, enabled) in
            [("true", true), ("1", false), ("\"true\"", false), ("\"false\"", false), ("null", false)]
        {
            let json = format!(r#"{{"pvt_type":"account","provision":{{"provision_enabled":{value}}}}}"#);
            let Ok(Document::Account(account)) = read(&json) else { panic!("an account") };
            assert_eq!(account.enabled, enabled, "{value}");
        }
    }

    #[test]
    fn templates() {
        let json = r#"{"_id":"ui/a/b/6757-2","pvt_generator":"json2plain","usr_keys":{"setable_phone_keys":"6"},"cfg_tone":{"a":1}}"#;
        let Ok(Document::Template(t)) = read(json) else { panic!("a template") };
        assert_eq!((t.phone_keys, t.first_line, t.modules, t.module_keys), (6, 1, 2, 0));
        assert_eq!((&t.account, t.tone.to_ascii().as_str()), (&Json::Null, r#"{"a":1}"#));
        assert!(read(r#"{"_id":"ui/a/b/c","pvt_generator":"system"}"#).is_err());
    }

    #[test]
    fn volumes() {
        for (text, value) in
            [("", 0), ("5", 5000), ("-20", -20_000), ("2.5", 2500), ("-0.1234", -123), ("x", 0), ("-", 0)]
        {
            assert_eq!(thousandths(text), value, "{text}");
        }
        assert_eq!(thousandths("99999999999999999999"), 1_000_000_000);
    }
}
