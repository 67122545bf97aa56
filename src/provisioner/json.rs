//! JSON that keeps the order of its keys: a phone reads its settings in the order of the template.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::HashMap;
use std::fmt;

/// A JSON value. Numbers are kept as the text that they are printed as.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Json {
    /// `null`
    #[default]
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number, as text.
    Number(String),
    /// A string.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// An object: keys in their order, each once. Of a repeated key the first place and the last value count.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one value.
    ///
    /// # Errors
    /// Says at which line and column it is no JSON, or nested deeper than 128.
    pub fn parse(bytes: &[u8]) -> Result<Json, String> {
        serde_json::from_slice(bytes).map_err(|e| e.to_string())
    }

    /// The member of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.entries().iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// The member of an object, taken out: `null` is left in its place.
    pub fn take(&mut self, key: &str) -> Option<Json> {
        match self {
            Json::Object(entries) => entries.iter_mut().find(|(k, _)| k == key).map(|(_, v)| std::mem::take(v)),
            _ => None,
        }
    }

    /// The member at this path of objects.
    pub fn at(&self, path: &[&str]) -> Option<&Json> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// Keys and values of an object; of anything else none.
    pub fn entries(&self) -> &[(String, Json)] {
        match self {
            Json::Object(entries) => entries,
            _ => &[],
        }
    }

    /// A string or a number as text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Json::String(s) | Json::Number(s) => Some(s),
            _ => None,
        }
    }

    /// A string.
    pub fn string(text: impl Into<String>) -> Json {
        Json::String(text.into())
    }

    /// Puts a member in its place, or at the end. No effect on what is no object.
    pub fn set(&mut self, key: &str, value: Json) {
        if let Json::Object(entries) = self {
            match entries.iter_mut().find(|(k, _)| k == key) {
                Some((_, old)) => *old = value,
                None => entries.push((key.to_string(), value)),
            }
        }
    }

    /// Compact JSON in ASCII, with `/` as `\/`: the form in which web UIs have always had it from this provisioner.
    pub fn to_ascii(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// JSON for people: a line each, two blanks a level, UTF-8.
    pub fn to_pretty(&self) -> String {
        let mut out = String::new();
        self.write_pretty(&mut out, 0);
        out.push('\n');
        out
    }

    fn write_pretty(&self, out: &mut String, depth: usize) {
        let line = |out: &mut String, depth: usize| {
            out.push('\n');
            (0..depth).for_each(|_| out.push_str("  "));
        };
        match self {
            Json::Array(items) if !items.is_empty() => {
                for (i, item) in items.iter().enumerate() {
                    out.push(if i == 0 { '[' } else { ',' });
                    line(out, depth + 1);
                    item.write_pretty(out, depth + 1);
                }
                line(out, depth);
                out.push(']');
            }
            Json::Object(entries) if !entries.is_empty() => {
                for (i, (key, value)) in entries.iter().enumerate() {
                    out.push(if i == 0 { '{' } else { ',' });
                    line(out, depth + 1);
                    out.push_str(&serde_json::Value::from(key.as_str()).to_string());
                    out.push_str(": ");
                    value.write_pretty(out, depth + 1);
                }
                line(out, depth);
                out.push('}');
            }
            Json::String(s) => out.push_str(&serde_json::Value::from(s.as_str()).to_string()),
            other => other.write(out),
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Json::Number(n) => out.push_str(n),
            Json::String(s) => write_string(out, s),
            Json::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(entries) => {
                out.push('{');
                for (i, (key, value)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_string(out, key);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Only its shape: documents hold passwords.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(_) => f.write_str("a boolean"),
            Json::Number(_) => f.write_str("a number"),
            Json::String(_) => f.write_str("a string"),
            Json::Array(items) => f.debug_list().entries(items).finish(),
            Json::Object(entries) => f.debug_map().entries(entries.iter().map(|(k, v)| (k, v))).finish(),
        }
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='\u{7f}' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Json, D::Error> {
        d.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_string()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = seq.next_element()? {
            out.push(item);
        }
        Ok(Json::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut out: Vec<(String, Json)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        while let Some((key, value)) = map.next_entry::<String, Json>()? {
            match places.get(&key).and_then(|at| out.get_mut(*at)) {
                Some((_, old)) => *old = value,
                None => {
                    places.insert(key.clone(), out.len());
                    out.push((key, value));
                }
            }
        }
        Ok(Json::Object(out))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn order_and_repeated_keys() {
        let json = Json::parse(br#"{"z":1,"a":-2.50,"z":"last","b":[true,null,{}]}"#).unwrap();
        assert_eq!(json.to_ascii(), r#"{"z":"last","a":-2.5,"b":[true,null,{}]}"#);
        assert_eq!(json.at(&["a"]).and_then(Json::text), Some("-2.5"));
        assert_eq!(json.at(&["z", "x"]), None);
        assert!(Json::parse(b"{} {}").is_err());
        assert!(Json::parse("[".repeat(200).as_bytes()).is_err());
    }

    #[test]
    fn large_numbers_come_back_as_they_were_printed() {
        for number in [
            "666666666666626666662",
            "1.7976931348623157e308",
            "5e-324",
            "-0.1234567890123456789",
            "18446744073709551616",
        ] {
            let json = Json::parse(number.as_bytes()).unwrap();
            assert_eq!(Json::parse(json.to_ascii().as_bytes()).unwrap(), json, "{number}");
        }
    }

    #[test]
    fn pretty() {
        let json = Json::parse(r#"{"a":[1,"é/"],"b":{},"c":[]}"#.as_bytes()).unwrap();
        assert_eq!(json.to_pretty(), "{\n  \"a\": [\n    1,\n    \"é/\"\n  ],\n  \"b\": {},\n  \"c\": []\n}\n");
    }

    #[test]
    fn ascii() {
        let text = Json::string("a/\"\\\n\u{1}\u{7f}é😀");
        assert_eq!(text.to_ascii(), "\"a\\/\\\"\\\\\\n\\u0001\u{7f}\\u00e9\\ud83d\\ude00\"");
    }

    proptest::proptest! {
        #[test]
        fn there_and_back(text in ".{0,40}", bytes: Vec<u8>) {
            let json = Json::Object(vec![(text.clone(), Json::Array(vec![Json::string(text), Json::Null]))]);
            proptest::prop_assert_eq!(Json::parse(json.to_ascii().as_bytes()), Ok(json.clone()));
            proptest::prop_assert_eq!(Json::parse(json.to_pretty().as_bytes()), Ok(json));
            if let Ok(json) = Json::parse(&bytes) {
                proptest::prop_assert_eq!(Json::parse(json.to_ascii().as_bytes()), Ok(json));
            }
        }
    }
}
