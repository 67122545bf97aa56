//! The arguments of a call, as a web user sent them: ubus passes on whatever types it gets.

use super::table::{Arg, Kind, Method};
use crate::bounds;
use crate::proto::mac::Mac;
use serde_json::{Map, Value};

/// What rpcd adds to a call of its own.
const SESSION: &str = "ubus_rpc_session";

/// Arguments that the method takes, each what the table says, MACs in one spelling.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Args(Map<String, Value>);

impl Args {
    /// Reads the object that came for `method`; nothing at all counts as an empty one. The error is a sentence for the
    /// caller, who made the mistake.
    pub fn parse(method: &Method, input: &[u8]) -> Result<Args, String> {
        if input.len() > bounds::RPCD_ARGS {
            return Err(format!("the arguments are larger than {} KiB", bounds::RPCD_ARGS / 1024));
        }
        let given = match input.trim_ascii() {
            [] => Map::new(),
            text => match serde_json::from_slice(text) {
                Ok(Value::Object(given)) => given,
                Ok(_) => return Err("the arguments are no JSON object".to_string()),
                // what came is not shown: it may be a password in the wrong place
                Err(e) => return Err(format!("the arguments are no JSON (column {})", e.column())),
            },
        };
        let mut out = Map::new();
        for (name, value) in given {
            let Some(arg) = method.args.iter().find(|a| a.name == name) else {
                if name == SESSION {
                    continue;
                }
                let takes = method.args.iter().map(|a| a.name).collect::<Vec<_>>().join(", ");
                let takes = if takes.is_empty() { "none".to_string() } else { takes };
                return Err(format!("{} has no argument '{}'; it takes {takes}", method.name, shown(&name)));
            };
            // a form sends null for a field that was left empty
            if !value.is_null() {
                out.insert(name, checked(arg, value)?);
            }
        }
        if let Some(missing) = method.args.iter().find(|a| a.needed && !out.contains_key(a.name)) {
            return Err(format!("{} needs the argument {}", method.name, missing.name));
        }
        Ok(Args(out))
    }

    /// A text, where it was given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Any argument, where it was given.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Is nothing given?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a request of the control socket.
    pub fn request(&self, op: &str) -> Value {
        let mut request = self.0.clone();
        request.insert("op".to_string(), op.into());
        Value::Object(request)
    }

    /// As JSON, which [`Args::parse`] reads again.
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// A text as an error shows it: short, on one line.
pub fn shown(text: &str) -> String {
    let mut out: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

/// The value in the form that the rest of the program takes.
fn checked(arg: &Arg, value: Value) -> Result<Value, String> {
    let name = arg.name;
    let text = || match &value {
        Value::String(text) => Ok(text.as_str()),
        _ => Err(format!("{name} must be a text")),
    };
    match arg.kind {
        Kind::Mac | Kind::MacOrAll => {
            let text = text()?;
            if text == "all" && arg.kind == Kind::MacOrAll {
                return Ok(value);
            }
            let mac = Mac::parse(text);
            mac.map(|m| m.to_string().into())
                .ok_or_else(|| format!("'{}' is no MAC; write it as 00:04:13:aa:bb:cc", shown(text)))
        }
        Kind::Flag => match (&value, value.as_u64()) {
            (Value::Bool(_), _) => Ok(value),
            (_, Some(0)) => Ok(false.into()),
            (_, Some(1)) => Ok(true.into()),
            _ => Err(format!("{name} must be true or false")),
        },
        Kind::Number(min, max) => match value.as_u64() {
            Some(n) if (min..=max).contains(&n) => Ok(value),
            _ => Err(format!("{name} must be a whole number from {min} to {max}")),
        },
        Kind::Id => match text()? {
            id if super::job::is_id(id) => Ok(value),
            id => Err(format!("'{}' is no job", shown(id))),
        },
        Kind::Word => match text()? {
            word if is_word(word) => Ok(value),
            word => Err(format!("{name} '{}' may only hold letters, digits and _, and is at most 64", shown(word))),
        },
        Kind::Device => match text()? {
            device if is_device(device) => Ok(value),
            device => Err(format!("{name} '{}' is no network device", shown(device))),
        },
        Kind::Text(max) => match text()? {
            text if text.len() > max => Err(format!("{name} is longer than {max} bytes")),
            text if text.chars().any(char::is_control) => Err(format!("{name} holds a control character")),
            _ => Ok(value),
        },
        Kind::Values => match values(&value) {
            true => Ok(value),
            false => Err(format!(
                "{name} must be a text or a list of texts, at most {} of {} bytes",
                bounds::RPCD_LIST,
                bounds::RPCD_VALUE
            )),
        },
        Kind::Sections => sections(name, &value).map(|()| value.clone()),
    }
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The kernel's own rule (dev_valid_name), and nothing that a command line could take for an option.
fn is_device(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.@:".contains(&b);
    (1..=15).contains(&text.len()) && !matches!(text, "." | "..") && !text.starts_with('-') && text.bytes().all(fine)
}

/// A text or a list of texts, none too long. What is in them is for the config's own check to say.
fn values(value: &Value) -> bool {
    let fine = |v: &Value| v.as_str().is_some_and(|s| s.len() <= bounds::RPCD_VALUE);
    match value {
        Value::Array(all) => all.len() <= bounds::RPCD_LIST && all.iter().all(fine),
        one => fine(one),
    }
}

fn sections(name: &str, value: &Value) -> Result<(), String> {
    let wrong = |i: usize, what: &str| Err(format!("{name}: section {i}: {what}"));
    let Value::Array(all) = value else { return Err(format!("{name} must be a list of sections")) };
    if all.len() > bounds::RPCD_SECTIONS {
        return Err(format!("{name} has more than {} sections", bounds::RPCD_SECTIONS));
    }
    let short = |v: &Value| v.as_str().is_some_and(|s| s.len() <= 64 && !s.chars().any(char::is_control));
    for (i, section) in all.iter().enumerate() {
        let Value::Object(section) = section else { return wrong(i, "it is no object") };
        for (field, value) in section {
            let fine = match field.as_str() {
                "type" => short(value),
                "name" => value.is_null() || short(value),
                "anonymous" => value.is_boolean(),
                "options" => value.as_object().is_some_and(|all| {
                    all.len() <= bounds::RPCD_LIST && all.iter().all(|(n, v)| n.len() <= 64 && values(v))
                }),
                _ => return wrong(i, &format!("it has a field '{}'", shown(field))),
            };
            if !fine {
                return wrong(i, &format!("its {field} is not what it should be, or too long"));
            }
        }
        if !section.contains_key("type") {
            return wrong(i, "it has no type");
        }
    }
    Ok(())
}

#[cfg(test)]
mod test {
    use super::super::table;
    use super::*;
    use serde_json::json;

    fn parse(method: &str, input: &str) -> Result<Args, String> {
        Args::parse(table::find(method).unwrap(), input.as_bytes())
    }

    #[test]
    fn right_ones_come_in_one_form() {
        for (method, input, right) in [
            ("status", "", json!({})),
            ("status", " \n", json!({})),
            ("status", r#"{"ubus_rpc_session":"00ff"}"#, json!({})),
            ("phone", r#"{"mac":"000413AABBCC"}"#, json!({"mac": "00:04:13:aa:bb:cc"})),
            ("forget", r#"{"mac":"all"}"#, json!({"mac": "all"})),
            ("resync", r#"{"mac":"all","reboot":1}"#, json!({"mac": "all", "reboot": true})),
            ("resync", r#"{"mac":"all","reboot":null}"#, json!({"mac": "all"})),
            ("events", r#"{"count":0}"#, json!({"count": 0})),
            ("probe", r#"{"vendor":"snom","device":"br-lan.2"}"#, json!({"vendor": "snom", "device": "br-lan.2"})),
        ] {
            assert_eq!(parse(method, input).map(|a| a.to_json()), Ok(right), "{method} {input}");
        }
        let args = parse("rollback", r#"{"mac":"000413aabbcc","back":2}"#).unwrap();
        assert_eq!(args.request("rollback"), json!({"op": "rollback", "mac": "00:04:13:aa:bb:cc", "back": 2}));
    }

    #[test]
    fn wrong_ones_are_refused_with_a_reason() {
        let nested = "[".repeat(10_000);
        for (method, input, part) in [
            ("status", "[]", "no JSON object"),
            ("status", "1", "no JSON object"),
            ("status", "{", "no JSON (column 1)"),
            ("status", nested.as_str(), "no JSON"),
            ("status", "\u{0}", "no JSON"),
            ("status", r#"{"x":1}"#, "status has no argument 'x'; it takes none"),
            ("phone", r#"{"mca":"x"}"#, "phone has no argument 'mca'; it takes mac"),
            ("phone", "{}", "phone needs the argument mac"),
            ("phone", r#"{"mac":null}"#, "phone needs the argument mac"),
            ("phone", r#"{"mac":7}"#, "mac must be a text"),
            ("phone", r#"{"mac":"all"}"#, "'all' is no MAC"),
            ("phone", r#"{"mac":"00:04"}"#, "'00:04' is no MAC; write it as 00:04:13:aa:bb:cc"),
            ("forget", r#"{"mac":["all"]}"#, "mac must be a text"),
            ("forget", r#"{"op":"accept","mac":"all"}"#, "no argument 'op'"),
            ("resync", r#"{"mac":"all","reboot":"yes"}"#, "reboot must be true or false"),
            ("resync", r#"{"mac":"all","reboot":2}"#, "reboot must be true or false"),
            ("rollback", r#"{"mac":"all","back":0}"#, "back must be a whole number from 1"),
            ("rollback", r#"{"mac":"all","back":1.5}"#, "back must be"),
            ("rollback", r#"{"mac":"all","back":"1"}"#, "back must be"),
            ("rollback", r#"{"mac":"all","name":"a\nb"}"#, "control character"),
            ("admit", r#"{"minutes":-1}"#, "from 0 to 1440"),
            ("admit", r#"{"minutes":1441}"#, "from 0 to 1440"),
            ("events", r#"{"count":501}"#, "from 0 to 500"),
            ("job", r#"{"id":"../../etc/shadow"}"#, "is no job"),
            ("probe", r#"{"vendor":"snom --mac x"}"#, "letters, digits"),
            ("probe", r#"{"vendor":"$(reboot)"}"#, "letters, digits"),
            ("probe", r#"{"device":"--config"}"#, "no network device"),
            ("probe", r#"{"device":"../x"}"#, "no network device"),
            ("probe", r#"{"mac":"all"}"#, "no MAC"),
            ("check", r#"{"value":[1]}"#, "a text or a list of texts"),
            ("check", r#"{"sections":{}}"#, "a list of sections"),
            ("check", r#"{"sections":[1]}"#, "section 0: it is no object"),
            ("check", r#"{"sections":[{"name":"x"}]}"#, "section 0: it has no type"),
            ("check", r#"{"sections":[{"type":"agent","options":[]}]}"#, "its options"),
            ("check", r#"{"sections":[{"type":"agent","options":{"a":{}}}]}"#, "its options"),
            ("check", r#"{"sections":[{"type":"agent",".index":1}]}"#, "it has a field '.index'"),
        ] {
            let error = parse(method, input).unwrap_err();
            assert!(error.contains(part), "{method} {input}: {error}");
        }
    }

    #[test]
    fn bounds_hold() {
        let text = |n: usize| "x".repeat(n);
        let value = |n| json!({"type": "agent", "option": "port", "value": text(n)}).to_string();
        assert!(parse("check", &value(bounds::RPCD_VALUE)).is_ok());
        assert!(parse("check", &value(bounds::RPCD_VALUE + 1)).is_err());
        let list = |n| json!({"type": "agent", "option": "port", "value": vec!["x"; n]}).to_string();
        assert!(
            parse("check", &list(bounds::RPCD_LIST)).is_ok() && parse("check", &list(bounds::RPCD_LIST + 1)).is_err()
        );
        let sections = |n| json!({"sections": vec![json!({"type": "phone"}); n]}).to_string();
        assert!(parse("check", &sections(bounds::RPCD_SECTIONS)).is_ok());
        assert!(parse("check", &sections(bounds::RPCD_SECTIONS + 1)).unwrap_err().contains("more than 4096"));
        let long = format!("{}{{}}", " ".repeat(bounds::RPCD_ARGS - 2));
        assert!(
            parse("status", &long).is_ok() && parse("status", &format!("{long} ")).unwrap_err().contains("256 KiB")
        );
        assert!(parse("rollback", &json!({"mac": "all", "name": text(1025)}).to_string()).is_err());
        // what is longest is still a request that the agent reads
        let longest = json!({"mac": "all", "back": u32::MAX, "name": "\"".repeat(1024)}).to_string();
        let request = parse("rollback", &longest).unwrap().request("rollback").to_string();
        assert!(request.len() < bounds::CONTROL_REQUEST);
    }

    proptest::proptest! {
        /// Anything at all is read or refused; what is read is read again as the same, and errors stay short.
        #[test]
        fn total(
            method in 0..table::METHODS.len(),
            input in "(\\{(\"(mac|reboot|back|id|value|sections|vendor|count|minutes)\":(\"\\PC{0,6}\"|[0-9.e-]{1,3}|true|null|\\[\\]|\\{\\}),?){0,3}\\})|\\PC{0,60}",
        ) {
            let method = &table::METHODS[method];
            match Args::parse(method, input.as_bytes()) {
                Ok(args) => proptest::prop_assert_eq!(Args::parse(method, args.to_json().to_string().as_bytes()), Ok(args)),
                Err(why) => proptest::prop_assert!(why.len() < 300 && !why.contains('\n'), "{}", why),
            }
        }
    }
}
