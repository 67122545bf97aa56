//! What a page wants to have checked, in the config's own terms.

use super::args::Args;
use crate::config::{check_sections, check_value, Given, KnownVendor};
use serde_json::{json, Value};

/// The three forms of `check`.
#[derive(Debug)]
pub enum Check {
    /// The saved file.
    File,
    /// A config as it would be.
    Sections(Vec<Given>),
    /// One option as it was typed.
    Value {
        /// Type of its section.
        kind: String,
        /// Name of its section.
        name: Option<String>,
        /// Its name.
        option: String,
        /// Its value, or all of a list.
        values: Vec<String>,
        /// Did they come as a list?
        list: bool,
    },
}

impl Check {
    /// Which form is meant.
    pub fn of(args: &Args) -> Result<Check, String> {
        let text = |name: &str| args.text(name).map(str::to_string);
        match (args.get("sections"), text("type"), text("option"), args.get("value")) {
            (None, None, None, None) if args.text("name").is_none() => Ok(Check::File),
            (Some(Value::Array(all)), None, None, None) if args.text("name").is_none() => {
                Ok(Check::Sections(all.iter().map(given).collect()))
            }
            (None, Some(kind), Some(option), Some(value)) => {
                let (values, list) = texts(value);
                Ok(Check::Value { kind, name: text("name"), option, values, list })
            }
            _ => Err("check takes nothing, or sections, or type, option, value and perhaps name".to_string()),
        }
    }

    /// The answer, where no file is needed.
    pub fn answer(&self, known: &[KnownVendor]) -> Option<Value> {
        match self {
            Check::File => None,
            Check::Sections(given) => {
                let problems: Vec<Value> = check_sections(given, known)
                    .into_iter()
                    .map(|told| {
                        let section = told.section.and_then(|i| given.get(i));
                        json!({
                            "line": 0,
                            "index": told.section,
                            "type": section.map(|s| s.kind.as_str()),
                            "section": section.and_then(|s| s.name.as_deref()),
                            "option": told.option,
                            "message": told.message,
                            "fatal": told.fatal,
                        })
                    })
                    .collect();
                Some(json!({"ok": problems.is_empty(), "problems": problems}))
            }
            Check::Value { kind, name, option, values, list } => {
                Some(match check_value(kind, name.as_deref(), option, values, *list, known) {
                    Ok(()) => json!({"ok": true}),
                    Err(message) => json!({"ok": false, "message": message}),
                })
            }
        }
    }
}

/// One section; the arguments have been looked at.
fn given(section: &Value) -> Given {
    let text = |name: &str| section.get(name).and_then(Value::as_str).map(str::to_string);
    let name = text("name").filter(|n| !n.is_empty());
    let options = section.get("options").and_then(Value::as_object).into_iter().flatten();
    Given {
        kind: text("type").unwrap_or_default(),
        anonymous: name.is_none() || section.get("anonymous") == Some(&Value::Bool(true)),
        name,
        options: options
            .map(|(name, value)| {
                let (values, list) = texts(value);
                (name.clone(), values, list)
            })
            .collect(),
    }
}

/// One text or several, and whether they came as a list.
fn texts(value: &Value) -> (Vec<String>, bool) {
    match value {
        Value::Array(all) => (all.iter().filter_map(Value::as_str).map(str::to_string).collect(), true),
        one => (one.as_str().map(str::to_string).into_iter().collect(), false),
    }
}

#[cfg(test)]
mod test {
    use super::super::table;
    use super::*;

    fn check(args: Value) -> Result<Value, String> {
        let args = Args::parse(table::find("check").unwrap(), args.to_string().as_bytes())?;
        Check::of(&args).map(|c| c.answer(&[]).unwrap_or(json!("the file")))
    }

    #[test]
    fn three_forms() {
        assert_eq!(check(json!({})), Ok(json!("the file")));
        assert_eq!(check(json!({"type": "agent", "option": "port", "value": "8480"})), Ok(json!({"ok": true})));
        let bad = check(json!({"type": "qos", "name": "qos", "option": "mediaserver", "value": ["a.example", "$(x)"]}));
        let message = bad.unwrap()["message"].as_str().unwrap().to_string();
        assert!(message.starts_with("qos: mediaserver '$(x)' is no host name"), "{message}");
        let sections = check(json!({"sections": [
            {"type": "agent", "name": "main", "options": {"port": "x", "network": ["lan"]}},
            {"type": "phone", "name": "cfg021", "anonymous": true, "options": {}},
        ]}));
        let sections = sections.unwrap();
        assert_eq!(sections["ok"], json!(false));
        let first = &sections["problems"][0];
        assert_eq!((&first["section"], &first["option"], &first["index"]), (&json!("main"), &json!("port"), &json!(0)));
        assert_eq!(
            first["message"],
            json!("port 'x' is no whole number; write 1 to 65535, without a unit; 8480 is used")
        );
        let second = &sections["problems"][1];
        assert_eq!((&second["section"], &second["option"]), (&json!("cfg021"), &Value::Null));
        for mixed in [
            json!({"type": "agent"}),
            json!({"name": "main"}),
            json!({"sections": [], "name": "x"}),
            json!({"sections": [], "type": "agent", "option": "port", "value": "1"}),
            json!({"type": "agent", "option": "port"}),
        ] {
            assert!(check(mixed.clone()).is_err(), "{mixed}");
        }
    }
}
