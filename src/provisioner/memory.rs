//! The index of documents that everything is answered from: what a request needs is found by MAC and by id, whatever
//! the number of accounts.

use super::documents::{Account, Device, Document, Documents, Template, User};
use super::json::Json;
use crate::proto::mac::Mac;
use std::collections::HashMap;
use std::sync::Arc;

/// The database of templates and the phone tree. Those of any other database do not count: accounts' databases are
/// written by customers.
pub const TEMPLATES: &str = "brand_provisioner";

type Id = (Arc<str>, String);

/// A document and the name under which it is stored: one that has got another name is not to be removed with the old.
type Stored<T> = (Arc<T>, String);

/// Documents by what they are looked up by.
#[derive(Default)]
pub struct Memory {
    devices: HashMap<Mac, Vec<Arc<Device>>>,
    accounts: HashMap<Id, Stored<Account>>,
    users: HashMap<Id, Stored<User>>,
    templates: HashMap<String, Stored<Template>>,
    tree: Option<Stored<Json>>,
    /// What each document was taken for: so that it can be found again when it is changed or removed.
    known: HashMap<Id, Kind>,
    databases: HashMap<String, Arc<str>>,
    /// What counts where the database has no template of that id, and no tree.
    shipped: HashMap<String, Arc<Template>>,
    shipped_tree: Option<Arc<Json>>,
}

/// With what it is looked up by: ids are those in the documents, whatever they are stored as.
enum Kind {
    Device(Mac),
    Account(String),
    User(String),
    Template(String),
    Tree,
}

/// How many there are of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Devices with a MAC.
    pub devices: usize,
    /// Users.
    pub users: usize,
    /// Accounts.
    pub accounts: usize,
    /// Templates.
    pub templates: usize,
}

impl Memory {
    /// Nothing but the templates that come with the program.
    pub fn shipped() -> Memory {
        Memory {
            shipped: super::shipped::templates(),
            shipped_tree: super::shipped::tree().get("data").cloned().map(Arc::new),
            ..Memory::default()
        }
    }

    /// Takes a document in, in place of what it was before. `id` is under what it is stored; it is the document's id
    /// where it has no `_id`.
    ///
    /// # Errors
    /// Says what is wrong with the document. It then counts as removed.
    pub fn put(&mut self, database: &str, id: &str, json: Json) -> Result<(), String> {
        self.remove(database, id);
        if !is_read(database) {
            return Ok(());
        }
        let database = self.databases.entry(database.to_string()).or_insert_with(|| Arc::from(database)).clone();
        let of_account = &*database != TEMPLATES;
        let kind = match Document::read(&database, id, json)? {
            Document::Device(device) if of_account => {
                let lines = self.devices.entry(device.mac).or_default();
                let kind = Kind::Device(device.mac);
                fn order(d: &Device) -> (&str, &str, &str) {
                    (&d.database, &d.mac_text, &d.id)
                }
                let at = lines.partition_point(|line| order(line) < order(&device));
                lines.insert(at, Arc::new(Device { stored: id.to_string(), ..device }));
                kind
            }
            Document::Account(account) if of_account => {
                let kind = Kind::Account(account.id.clone());
                self.accounts.insert((database.clone(), account.id.clone()), (Arc::new(account), id.to_string()));
                kind
            }
            Document::User(user) if of_account => {
                let kind = Kind::User(user.id.clone());
                self.users.insert((database.clone(), user.id.clone()), (Arc::new(user), id.to_string()));
                kind
            }
            Document::Template(template) if !of_account => {
                let kind = Kind::Template(template.id.clone());
                self.templates.insert(template.id.clone(), (Arc::new(*template), id.to_string()));
                kind
            }
            Document::Tree(tree) if !of_account => {
                self.tree = Some((Arc::new(tree), id.to_string()));
                Kind::Tree
            }
            _ => return Ok(()),
        };
        self.known.insert((database, id.to_string()), kind);
        Ok(())
    }

    /// Forgets a document.
    pub fn remove(&mut self, database: &str, id: &str) {
        let Some(database) = self.databases.get(database).cloned() else { return };
        let key = (database, id.to_string());
        match self.known.remove(&key) {
            Some(Kind::Device(mac)) => {
                if let Some(lines) = self.devices.get_mut(&mac) {
                    lines.retain(|line| line.database != key.0 || line.stored != key.1);
                    if lines.is_empty() {
                        self.devices.remove(&mac);
                    }
                }
            }
            Some(Kind::Account(id)) => forget(&mut self.accounts, (key.0, id), &key.1),
            Some(Kind::User(id)) => forget(&mut self.users, (key.0, id), &key.1),
            Some(Kind::Template(id)) => forget(&mut self.templates, id, &key.1),
            Some(Kind::Tree) => self.tree = self.tree.take().filter(|(_, stored)| *stored != key.1),
            None => {}
        }
    }

    /// The documents of a database that count, by the names they are stored under. Looks at all there are.
    pub fn ids(&self, database: &str) -> Vec<String> {
        let mut ids: Vec<String> =
            self.known.keys().filter(|(of, _)| **of == *database).map(|(_, stored)| stored.clone()).collect();
        ids.sort_unstable();
        ids
    }

    /// How much there is.
    pub fn counts(&self) -> Counts {
        Counts {
            devices: self.devices.values().map(Vec::len).sum(),
            users: self.users.len(),
            accounts: self.accounts.len(),
            templates: self.templates.len(),
        }
    }

    fn id(&self, database: &str, id: &str) -> Option<Id> {
        Some((self.databases.get(database)?.clone(), id.to_string()))
    }
}

fn forget<K: std::hash::Hash + Eq, T>(of: &mut HashMap<K, Stored<T>>, key: K, stored: &str) {
    if of.get(&key).is_some_and(|(_, name)| name == stored) {
        of.remove(&key);
    }
}

/// Are documents read from this database?
pub fn is_read(database: &str) -> bool {
    database == TEMPLATES || is_account(database)
}

/// Is this an account's database, and not one of its monthly ones (`account/…-201604`)?
fn is_account(database: &str) -> bool {
    let named = database.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("account/"));
    let month = database.rsplit_once('-').map_or("", |(_, month)| month);
    named && !(month.len() == 6 && month.bytes().all(|b| b.is_ascii_digit()))
}

impl Documents for Memory {
    fn devices(&self, mac: Mac) -> Vec<Arc<Device>> {
        self.devices.get(&mac).cloned().unwrap_or_default()
    }

    fn account(&self, database: &str, id: &str) -> Option<Arc<Account>> {
        self.accounts.get(&self.id(database, id)?).map(|(a, _)| a.clone())
    }

    fn user(&self, database: &str, id: &str) -> Option<Arc<User>> {
        self.users.get(&self.id(database, id)?).map(|(u, _)| u.clone())
    }

    fn template(&self, id: &str) -> Option<Arc<Template>> {
        self.templates.get(id).map(|(t, _)| t).or_else(|| self.shipped.get(id)).cloned()
    }

    fn by_model(&self, brand: &str, model: &str) -> Option<Arc<Template>> {
        let fits = |id: &&String| {
            let mut parts = id.split('/');
            parts.next() == Some("ui")
                && parts.next().is_some_and(|b| b.eq_ignore_ascii_case(brand))
                && parts.nth(1).is_some_and(|m| m.eq_ignore_ascii_case(model))
                && parts.next().is_none()
        };
        let own = self.templates.keys().filter(fits).min().and_then(|id| self.templates.get(id)).map(|(t, _)| t);
        own.or_else(|| self.shipped.keys().filter(fits).min().and_then(|id| self.shipped.get(id))).cloned()
    }

    fn tree(&self) -> Option<Arc<Json>> {
        self.tree.as_ref().map(|(t, _)| t).or(self.shipped_tree.as_ref()).cloned()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const MAC: Mac = Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]);

    fn put(memory: &mut Memory, database: &str, id: &str, json: &str) -> Result<(), String> {
        memory.put(database, id, Json::parse(json.as_bytes()).unwrap())
    }

    fn device(mac: &str) -> String {
        format!(r#"{{"pvt_type":"device","mac_address":"{mac}"}}"#)
    }

    #[test]
    fn lines_are_ordered_by_database_mac_and_id() {
        let mut memory = Memory::default();
        for (database, id, mac) in [
            ("account/b", "1", "000413aabbcc"),
            ("account/a", "2", "000413aabbcc"),
            ("account/a", "3", "00:04:13:aa:bb:cc"),
            ("account/a", "1", "000413aabbcc"),
            ("account/a-201604", "1", "000413aabbcc"),
            ("system_config", "1", "000413aabbcc"),
        ] {
            put(&mut memory, database, id, &device(mac)).unwrap();
        }
        let lines = |m: &Memory| m.devices(MAC).iter().map(|d| format!("{} {}", d.database, d.id)).collect::<Vec<_>>();
        // a colon is after a digit
        assert_eq!(lines(&memory), ["account/a 1", "account/a 2", "account/a 3", "account/b 1"]);
    }

    #[test]
    fn a_change_takes_the_place_of_what_was() {
        let mut memory = Memory::default();
        put(&mut memory, "account/a", "1", &device("000413aabbcc")).unwrap();
        put(&mut memory, "account/a", "1", &device("000413aabbcd")).unwrap();
        assert!(memory.devices(MAC).is_empty());
        put(&mut memory, "account/a", "1", r#"{"pvt_type":"user"}"#).unwrap();
        assert_eq!(memory.counts(), Counts { users: 1, ..Counts::default() });
        assert!(put(&mut memory, "account/a", "1", &device("nonsense")).is_err());
        assert_eq!(memory.counts(), Counts::default());
        memory.remove("account/a", "1");
        memory.remove("nowhere", "1");
    }

    #[test]
    fn customers_have_no_templates() {
        let mut memory = Memory::default();
        let template = r#"{"pvt_type":"provisioner","pvt_generator":"json2xml"}"#;
        put(&mut memory, "account/a", "ui/a/b/c", template).unwrap();
        assert!(memory.template("ui/a/b/c").is_none());
        put(&mut memory, TEMPLATES, "ui/a/b/c", template).unwrap();
        assert!(memory.template("ui/a/b/c").is_some());
        put(&mut memory, TEMPLATES, "x", &device("000413aabbcc")).unwrap();
        assert_eq!(memory.counts().devices, 0);
    }
}
