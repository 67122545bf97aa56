//! Exports that are lines: key, delimiter, value.

use crate::provisioner::json::Json;

/// Reads lines as `{key: {"value": value}}`; `null` where there are none. What has no delimiter, such as a comment, is a key
/// without a value. Of a repeated key the first place and the last value count.
///
/// The value begins after the first delimiter, with the blanks that are there; it may have the delimiter in it. Empty lines, lines that begin with the
/// delimiter, and a key `0` are left out; so is a carriage return at the end.
pub fn lines(text: &str, delimiter: &str) -> Json {
    let mut out: Vec<(String, Json)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (key, value) = match line.split_once(delimiter) {
            Some((key, value)) => (key, Json::string(value)),
            // "key =" whose value is empty lost the delimiter's last blank
            None => match line.strip_suffix(delimiter.trim_end()).filter(|_| !delimiter.trim().is_empty()) {
                Some(key) => (key, Json::string("")),
                None => (line, Json::Null),
            },
        };
        if key.is_empty() || key == "0" {
            continue;
        }
        let value = Json::Object(vec![("value".to_string(), value)]);
        match places.get(key).and_then(|at: &usize| out.get_mut(*at)) {
            Some((_, old)) => *old = value,
            None => {
                places.insert(key.to_string(), out.len());
                out.push((key.to_string(), value));
            }
        }
    }
    if out.is_empty() {
        Json::Null
    } else {
        Json::Object(out)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn forms() {
        for (text, delimiter, json) in [
            ("a: 1\r\nb:2:3\n\n# c\na: 4", ":", r##"{"a":{"value":" 4"},"b":{"value":"2:3"},"# c":{"value":null}}"##),
            ("u =\nv = 1 = 2\nw =1", " = ", r#"{"u":{"value":""},"v":{"value":"1 = 2"},"w =1":{"value":null}}"#),
            ("\n\r\n0\n0: 1\n: x\n", ":", "null"),
        ] {
            assert_eq!(lines(text, delimiter).to_ascii(), json, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text(text in ".{0,80}|([a-c0]{0,3}(: ?)?[a-c:]{0,3}\r?\n){0,9}", delimiter in ":| = |=") {
            for (key, value) in lines(&text, &delimiter).entries() {
                proptest::prop_assert!(!key.is_empty() && !key.contains(&delimiter));
                proptest::prop_assert_eq!(value.entries().len(), 1);
            }
        }
    }
}
