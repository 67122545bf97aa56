//! A template's section as lines (generator `json2plain`): key, delimiter, value.

use super::json::Json;

/// The lines of a section, keys and values passed through `fill`, without blanks and line ends around all of it.
/// Nothing that stands in a key or a value makes a second line.
///
/// A delimiter's blank and one that the value begins with are one, where `one_blank` says so.
pub fn section(section: &Json, delimiter: &str, one_blank: bool, fill: &dyn Fn(&str) -> String) -> String {
    let mut out = String::new();
    for (key, value) in section.entries() {
        let value = match value.get("value") {
            Some(Json::Bool(true)) => "1",
            Some(value) => value.text().unwrap_or_default(),
            None => "",
        };
        let value = match value.strip_prefix(' ') {
            Some(rest) if one_blank => rest,
            _ => value,
        };
        // "url =" of an export without a value was taken for a key
        let key = match key.strip_suffix(delimiter.trim_end()) {
            Some(key) if value.is_empty() && !delimiter.trim().is_empty() => key,
            _ => key,
        };
        let line = [fill(key), delimiter.to_string(), fill(value)].concat();
        out.extend(line.chars().filter(|c| *c == '\t' || !c.is_control()));
        out.push('\n');
    }
    out.trim_matches([' ', '\t', '\n', '\r', '\0', '\u{b}']).to_string()
}

#[cfg(test)]
mod test {
    use super::*;

    fn plain(json: &str, delimiter: &str) -> String {
        section(&Json::parse(json.as_bytes()).unwrap(), delimiter, false, &|t| t.replace("{X}", "x\ny: 1"))
    }

    #[test]
    fn forms() {
        let json = r##"{"# note":{"value":null},"a":{"value":" 1"},"b{X}":{"value":true},"c":{"value":false},"d":{}}"##;
        assert_eq!(plain(json, ":"), "# note:\na: 1\nbxy: 1:1\nc:\nd:");
        assert_eq!(plain(r#"{"u =":{"value":null},"v =":{"value":"1"}}"#, " = "), "u = \nv = = 1");
        let one = Json::parse(br#"{"a":{"value":"  1"},"b":{"value":"2"}}"#).unwrap();
        assert_eq!(section(&one, ": ", true, &str::to_string), "a:  1\nb: 2");
        for empty in ["null", "{}", "\"0\"", "[]", r#"{"":{"value":"\n"}}"#] {
            assert!(plain(empty, " ").is_empty(), "{empty}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_setting_is_a_line(values: Vec<String>) {
            let entry = |v: &String| (format!("k{v}"), Json::Object(vec![("value".into(), Json::String(v.clone()))]));
            let lines = section(&Json::Object(values.iter().map(entry).collect()), ": ", true, &str::to_string);
            proptest::prop_assert_eq!(lines.split(['\n', '\r']).count(), values.len().max(1));
        }
    }
}
