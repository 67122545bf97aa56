//! Which setting of an export goes into which section, and which becomes a placeholder.
//!
//! A rule is a line: `SECTION SETTING`, or `SECTION SETTING = VALUE`. The section is one of `account base behavior tone key`, or `-` for
//! what no template shall have. The setting's name may hold `*` for anything, and `{ACCOUNT}` for the number of the line: that of the first line
//! becomes the placeholder, other lines are left out. In XML, `name[idx]` means that the attribute `idx` has the line's number, and
//! `name/` all of an element that holds settings. The first rule that fits counts; what none fits goes into `behavior`. `#` begins a comment.

use crate::provisioner::json::Json;

/// Sections in the order of templates, with their settings.
pub struct Sections(pub Vec<(&'static str, Json)>);

/// Rules in their order.
pub struct Rules(Vec<Rule>);

struct Rule {
    /// Index in [`NAMES`]; none: left out.
    section: Option<usize>,
    pattern: String,
    /// The attribute that has the line's number.
    attribute: Option<String>,
    value: Option<String>,
}

const NAMES: [&str; 5] = ["account", "base", "behavior", "tone", "key"];
const MEMBERS: [&str; 5] = ["cfg_account", "cfg_base", "cfg_behavior", "cfg_tone", "cfg_key"];
const BEHAVIOR: usize = 2;
const ACCOUNT: &str = "{ACCOUNT}";
/// The line that templates are made of.
const FIRST: &str = "1";
/// `*` in one pattern: more would take long to fit.
const STARS: usize = 3;
/// Bytes of a pattern, and of a name that is looked for. The longest setting of any phone has 80.
const NAME: usize = 256;

impl Rules {
    /// Those that come with the program, for brands that have some.
    pub fn of(brand: &str) -> Option<&'static str> {
        match brand {
            "snom" => Some(include_str!("snom.rules")),
            "mitel" => Some(include_str!("mitel.rules")),
            "yealink" => Some(include_str!("yealink.rules")),
            _ => None,
        }
    }

    /// Reads rules.
    ///
    /// # Errors
    /// The line's number, what is wrong in it, and what would be right.
    pub fn read(text: &str) -> Result<Rules, String> {
        let mut out = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| format!("line {number}: {what}; write SECTION SETTING [= VALUE]");
            let (section, rest) = line.split_once([' ', '\t']).ok_or_else(|| wrong("there is no setting"))?;
            let section = match NAMES.iter().position(|n| *n == section) {
                None if section == "-" => None,
                None => return Err(wrong(&format!("'{}' is no section", section.escape_debug()))),
                found => found,
            };
            let (pattern, value) = match rest.split_once(" = ") {
                Some((pattern, value)) => (pattern.trim(), Some(value.trim().to_string())),
                None => (rest.trim(), None),
            };
            let (pattern, attribute) = match pattern.strip_suffix(']').and_then(|p| p.split_once('[')) {
                Some((pattern, attribute)) => (pattern, Some(attribute.to_string())),
                None => (pattern, None),
            };
            if pattern.matches('*').count() > STARS || pattern.matches(ACCOUNT).count() > 1 {
                return Err(wrong("too many * or {ACCOUNT}"));
            }
            if pattern.len() > NAME {
                return Err(wrong("the setting's name is too long"));
            }
            out.push(Rule { section, pattern: pattern.to_string(), attribute, value });
        }
        Ok(Rules(out))
    }

    /// The rule for a name, and the line's number in it, as a range.
    fn find<'a>(&'a self, name: &str, attribute: impl Fn(&str) -> bool) -> Option<(&'a Rule, Option<(usize, usize)>)> {
        if name.len() > NAME {
            return None;
        }
        self.0.iter().find_map(|rule| {
            if rule.attribute.as_deref().is_some_and(|a| !attribute(a)) {
                return None;
            }
            fits(&rule.pattern, name, 0).map(|number| (rule, number))
        })
    }

    /// Sections of an export that is lines.
    pub fn plain(&self, lines: &Json) -> Sections {
        let mut out: [Vec<(String, Json)>; 5] = Default::default();
        for (key, value) in lines.entries() {
            let (section, key, new) = match self.find(key, |_| false) {
                Some((rule, number)) => match (rule.section, numbered(key, number)) {
                    (Some(section), Some(key)) => (section, key, rule.value.as_deref()),
                    _ => continue,
                },
                None => (BEHAVIOR, key.clone(), None),
            };
            let old = value.get("value").and_then(Json::text).unwrap_or_default();
            let value = match new {
                // exports that have a blank before the value keep it
                Some(new) if old.starts_with(' ') => value_of(&format!(" {new}")),
                Some(new) => value_of(new),
                None => value.clone(),
            };
            if let Some(section) = out.get_mut(section) {
                section.push((key, value));
            }
        }
        sections(out)
    }

    /// Sections of an export that is XML, as [`super::tree_of`] has read it.
    pub fn xml(&self, tree: &Json) -> Sections {
        let mut out: [Vec<(String, Json)>; 5] = Default::default();
        let root = tree.entries().first().map(|(_, root)| root.entries()).unwrap_or_default();
        for (tag, value) in root.iter().filter(|(tag, _)| !tag.starts_with('@')) {
            match self.find(&format!("{tag}/"), |_| false) {
                Some((rule, _)) if rule.pattern.ends_with('/') => {
                    if let Some(section) = rule.section.and_then(|s| out.get_mut(s)) {
                        section.push((tag.clone(), value.clone()));
                    }
                    continue;
                }
                _ => {}
            }
            let holds = value.entries().iter().any(|(name, _)| !name.starts_with('@'));
            if !holds {
                self.setting(tag, value, &mut out);
                continue;
            }
            let mut inner: [Vec<(String, Json)>; 5] = Default::default();
            for (name, value) in value.entries().iter().filter(|(name, _)| !name.starts_with('@')) {
                self.setting(name, value, &mut inner);
            }
            let attributes = value.get("@attributes");
            for (section, mut settings) in out.iter_mut().zip(inner) {
                if !settings.is_empty() {
                    settings.extend(attributes.map(|a| ("@attributes".to_string(), a.clone())));
                    section.push((tag.clone(), Json::Object(settings)));
                }
            }
        }
        sections(out)
    }

    /// A setting, perhaps several of one name: each goes where its rule says.
    fn setting(&self, name: &str, value: &Json, out: &mut [Vec<(String, Json)>; 5]) {
        let items = match value {
            Json::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut kept: [Vec<Json>; 5] = Default::default();
        for item in items {
            let has = |attribute: &str| item.at(&["@attributes", attribute]).is_some();
            let mut item = item.clone();
            let section = match self.find(name, has) {
                None => Some(BEHAVIOR),
                Some((rule, _)) => {
                    if let Some(attribute) = &rule.attribute {
                        if item.at(&["@attributes", attribute]).and_then(Json::text) != Some(FIRST) {
                            continue;
                        }
                        let mut attributes = item.get("@attributes").cloned().unwrap_or_default();
                        attributes.set(attribute, Json::string(ACCOUNT));
                        item.set("@attributes", attributes);
                    }
                    match (&rule.value, &item) {
                        (Some(value), Json::Object(_)) => item.set("@value", Json::string(value)),
                        (Some(value), _) => item = Json::string(value),
                        (None, _) => {}
                    }
                    rule.section
                }
            };
            if let Some(section) = section.and_then(|s| kept.get_mut(s)) {
                section.push(item);
            }
        }
        for (section, mut items) in out.iter_mut().zip(kept) {
            match items.len() {
                0 => {}
                1 => section.extend(items.pop().map(|one| (name.to_string(), one))),
                _ => section.push((name.to_string(), Json::Array(items))),
            }
        }
    }
}

fn value_of(text: &str) -> Json {
    Json::Object(vec![("value".to_string(), Json::string(text))])
}

fn sections(of: [Vec<(String, Json)>; 5]) -> Sections {
    let json = |entries: Vec<(String, Json)>| if entries.is_empty() { Json::Null } else { Json::Object(entries) };
    Sections(MEMBERS.into_iter().zip(of.map(json)).collect())
}

/// The key with the first line's number as placeholder; `None` for another line's.
fn numbered(key: &str, number: Option<(usize, usize)>) -> Option<String> {
    let Some((from, to)) = number else { return Some(key.to_string()) };
    if key.get(from..to)? != FIRST {
        return None;
    }
    Some([key.get(..from)?, ACCOUNT, key.get(to..)?].concat())
}

/// Does all of `text`, which begins at `at` of the name, fit the pattern? And where is the line's number?
fn fits(pattern: &str, text: &str, at: usize) -> Option<Option<(usize, usize)>> {
    if let Some(rest) = pattern.strip_prefix('*') {
        return text
            .char_indices()
            .map(|(i, _)| i)
            .chain([text.len()])
            .find_map(|i| fits(rest, text.get(i..)?, at + i));
    }
    if let Some(rest) = pattern.strip_prefix(ACCOUNT) {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        return fits(rest, text.get(digits..)?, at + digits).map(|_| Some((at, at + digits)));
    }
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => Some(None),
        (Some(p), Some(t)) if p == t => {
            fits(pattern.get(p.len_utf8()..)?, text.get(t.len_utf8()..)?, at + t.len_utf8())
        }
        _ => None,
    }
}

#[cfg(test)]
mod test {
    use super::super::{lines, tree_of};
    use super::*;

    fn shown(sections: Sections) -> String {
        let kept = sections.0.into_iter().filter(|(_, json)| *json != Json::Null);
        kept.map(|(name, json)| format!("{name} {}\n", json.to_ascii())).collect()
    }

    #[test]
    fn what_comes_with_the_program_can_be_read() {
        for brand in ["snom", "mitel", "yealink"] {
            assert!(Rules::read(Rules::of(brand).unwrap()).is_ok_and(|r| r.0.len() > 5), "{brand}");
        }
        assert!(Rules::of("other").is_none());
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |text: &str| Rules::read(text).err().unwrap();
        assert_eq!(wrong("# x\n\nfoo a"), "line 3: 'foo' is no section; write SECTION SETTING [= VALUE]");
        assert!(wrong("base").starts_with("line 1: there is no setting"));
        assert!(wrong("base ****").contains("too many"));
    }

    #[test]
    fn yealink() {
        let rules = Rules::read(Rules::of("yealink").unwrap()).unwrap();
        let export = "account.1.password = x\naccount.1.enable = 1\naccount.2.password = y\nlinekey.1.type = 16\nnetwork.vlan = 7\nfeatures.x = 1\n";
        assert_eq!(
            shown(rules.plain(&lines(export, " = "))),
            concat!(
                r#"cfg_account {"account.{ACCOUNT}.password":{"value":"{SIPSECRET}"},"account.{ACCOUNT}.enable":{"value":"1"}}"#,
                "\n",
                r#"cfg_behavior {"features.x":{"value":"1"}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn mitel_keeps_its_blanks() {
        let rules = Rules::read(Rules::of("mitel").unwrap()).unwrap();
        let export = "sip line1 password: x\nsip line2 password: y\nlanguage: 1\ntone set: US\nprgkey1 type: blf";
        assert_eq!(
            shown(rules.plain(&lines(export, ":"))),
            concat!(
                r#"cfg_account {"sip line{ACCOUNT} password":{"value":" {SIPSECRET}"}}"#,
                "\n",
                r#"cfg_behavior {"language":{"value":" {LANGUAGE_IDX}"}}"#,
                "\n",
                r#"cfg_tone {"tone set":{"value":" {TONEZONE}"}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn snom() {
        let rules = Rules::read(Rules::of("snom").unwrap()).unwrap();
        let export = r#"<settings><phone-settings e="2"><user_pass idx="1" perm="RW">x</user_pass><user_pass idx="2">y</user_pass>
            <user_ringer idx="1">R</user_ringer><language perm="">English</language><ring>1</ring><fkey idx="1">z</fkey></phone-settings>
            <functionKeys><fkey idx="0"/></functionKeys><gui-languages><language name="a"/></gui-languages></settings>"#;
        assert_eq!(
            shown(rules.xml(&tree_of(export).unwrap())),
            concat!(
                r#"cfg_account {"phone-settings":{"user_pass":{"@value":"{SIPSECRET}","@attributes":{"idx":"{ACCOUNT}","perm":"RW"}},"#,
                r#""user_ringer":{"@value":"R","@attributes":{"idx":"{ACCOUNT}"}},"@attributes":{"e":"2"}}}"#,
                "\n",
                r#"cfg_base {"gui-languages":{"language":{"@value":"","@attributes":{"name":"a"}}}}"#,
                "\n",
                r#"cfg_behavior {"phone-settings":{"language":{"@value":"{LANGUAGE_IDX}","@attributes":{"perm":""}},"ring":"1","@attributes":{"e":"2"}}}"#,
                "\n"
            )
        );
    }

    proptest::proptest! {
        #[test]
        fn any_rules_on_any_settings(rules in "((account|base|-) [a-c*{}1\\[\\]/ACOUNT]{1,12}( = [a-z]{0,3})?\n){0,6}", key in "[a-c1]{0,12}", value in ".{0,9}") {
            if let Ok(rules) = Rules::read(&rules) {
                let _ = rules.plain(&lines(&format!("{key}:{value}"), ":"));
                if let Ok(tree) = tree_of(&format!("<r><w><{key} a=\"1\">x</{key}></w></r>")) {
                    let _ = rules.xml(&tree);
                }
            }
        }
    }
}
