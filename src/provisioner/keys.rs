//! Function keys. Keys 1 to `setable_phone_keys` are on the phone; what comes after them is on its expansion modules,
//! in order.

use super::documents::{FeatureKey, KeyKind, Template, User};
use super::xml::escape;

/// What keys need beside themselves.
pub struct Keys<'a> {
    /// Of the first line's device.
    pub keys: &'a [FeatureKey],
    /// The phone's template.
    pub template: &'a Template,
    /// Of the first line's account.
    pub realm: &'a str,
    /// A user by id, of the first line's account.
    pub user: &'a dyn Fn(&str) -> Option<std::sync::Arc<User>>,
}

/// Keys of one module where the template does not say: the most that any has.
const MODULE_KEYS: u32 = 36;

enum Position {
    Phone(u32),
    /// Module from 1, key from 1.
    Module(u32, u32),
}

impl Keys<'_> {
    fn position(&self, number: u32) -> Position {
        let t = self.template;
        match number.checked_sub(t.phone_keys) {
            None | Some(0) => Position::Phone(number),
            Some(beyond) => {
                let each = match t.module_keys / t.modules.max(1) {
                    0 => MODULE_KEYS,
                    n => n,
                };
                Position::Module((beyond - 1) / each + 1, (beyond - 1) % each + 1)
            }
        }
    }

    fn watched(&self, key: &FeatureKey) -> Option<std::sync::Arc<User>> {
        key.user.clone().or_else(|| (self.user)(&key.value))
    }

    /// snom counts all keys in a row, from 0, modules behind the phone.
    pub fn snom(&self, out: &mut String) {
        for key in self.keys {
            let (label, text) = match key.kind {
                KeyKind::Presence => {
                    let user = self.watched(key);
                    let presence = user.as_ref().map_or("", |u| &u.presence_id);
                    let text = format!("dest <sip:{presence}@{};user=phone>|*8", self.realm);
                    (user.map(|u| u.last_name.clone()).unwrap_or_default(), text)
                }
                KeyKind::SpeedDial => ("Speeddial".to_string(), format!("dest {}", key.value)),
                KeyKind::Parking => ("Parking".to_string(), format!("orbit {}", key.value)),
                KeyKind::PersonalParking => ("My PArking".to_string(), format!("orbit {}", key.value)),
            };
            out.push_str(&format!("<fkey idx=\"{}\" context=\"active\" label=\"", i64::from(key.number) - 1));
            escape(out, &printable(&label), true);
            out.push_str("\" perm=\"RW\">");
            escape(out, &printable(&text), false);
            out.push_str("</fkey>\n");
        }
    }

    /// `prgkeyN` on the phone, `expmodM keyN` on a module.
    pub fn mitel(&self, out: &mut String) {
        for key in self.keys {
            let (kind, label, value) = match key.kind {
                KeyKind::Presence => {
                    let user = self.watched(key);
                    // caller_id is optional in Kazoo
                    let label = user.as_ref().map_or("", |u| match u.internal_name.as_str() {
                        "" => &u.display,
                        name => name,
                    });
                    ("blf", label.to_string(), user.as_ref().map(|u| u.presence_id.clone()).unwrap_or_default())
                }
                KeyKind::SpeedDial => ("speed_dial", "Speeddial".to_string(), key.value.clone()),
                KeyKind::Parking => ("park", "Parking".to_string(), key.value.clone()),
                KeyKind::PersonalParking => ("blf", "My Parking".to_string(), key.value.clone()),
            };
            let name = match self.position(key.number) {
                Position::Phone(n) => format!("prgkey{n}"),
                Position::Module(m, n) => format!("expmod{m} key{n}"),
            };
            for (setting, value) in [("type", kind), ("label", &*label), ("value", &*value), ("line", "0")] {
                out.push_str(&format!("{name} {setting}: {}\n", printable(value)));
            }
        }
    }

    /// `linekey.N` on the phone, `expansion_module.M.key.N` on a module.
    pub fn yealink(&self, out: &mut String) {
        const NONE: &str = "%NULL%";
        for key in self.keys {
            let user = self.watched(key);
            let (kind, value, label, pickup) = match key.kind {
                KeyKind::Presence => {
                    ("16", user.as_ref().map_or("", |u| &u.presence_id), user.as_ref().map_or("", |u| &u.display), "*8")
                }
                KeyKind::SpeedDial => ("13", &*key.value, "Speeddial", NONE),
                KeyKind::Parking => ("56", &*key.value, "Park", NONE),
                KeyKind::PersonalParking => ("56", &*key.value, "Pers. Park", NONE),
            };
            let name = match self.position(key.number) {
                Position::Phone(n) => format!("linekey.{n}"),
                Position::Module(m, n) => format!("expansion_module.{m}.key.{n}"),
            };
            let settings = [
                ("type", kind),
                ("line", "1"),
                ("value", value),
                ("label", label),
                ("extension", NONE),
                ("pickup_value", pickup),
            ];
            for (setting, value) in settings {
                out.push_str(&format!("{name}.{setting} = {}\n", printable(value)));
            }
        }
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod test {
    use super::super::documents::Document;
    use super::super::json::Json;
    use super::*;
    use std::sync::Arc;

    fn template(id: &str, phone: u32, modules: u32) -> Template {
        let json = format!(
            r#"{{"_id":"{id}","pvt_generator":"json2plain","usr_keys":{{"setable_phone_keys":"{phone}","setable_module_keys":"{modules}"}}}}"#
        );
        match Document::read(&Arc::from("x"), "", Json::parse(json.as_bytes()).unwrap()) {
            Ok(Document::Template(t)) => *t,
            _ => panic!("no template"),
        }
    }

    fn names(id: &str, phone: u32, modules: u32, numbers: &[u32]) -> Vec<String> {
        let key =
            |n: &u32| FeatureKey { number: *n, kind: KeyKind::Parking, value: "*31\r\nadmin: 1".into(), user: None };
        let keys: Vec<FeatureKey> = numbers.iter().map(key).collect();
        let template = template(id, phone, modules);
        let mut out = String::new();
        Keys { keys: &keys, template: &template, realm: "", user: &|_| None }.mitel(&mut out);
        assert_eq!(out.lines().count(), 4 * numbers.len(), "nothing makes another line");
        out.lines().step_by(4).map(|l| l.trim_end_matches(" type: park").to_string()).collect()
    }

    #[test]
    fn modules_follow_the_phone() {
        assert_eq!(names("ui/m/f/1", 8, 0, &[0, 1, 8, 9]), ["prgkey0", "prgkey1", "prgkey8", "expmod1 key1"]);
        let two = names("ui/m/f/1-2", 6, 72, &[6, 7, 42, 43, 78, 5]);
        assert_eq!(two, ["prgkey6", "expmod1 key1", "expmod1 key36", "expmod2 key1", "expmod2 key36", "prgkey5"]);
        assert_eq!(names("ui/m/f/1-2", 6, 40, &[26, 27]), ["expmod1 key20", "expmod2 key1"]);
    }
}
