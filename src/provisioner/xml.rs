//! A template's section as XML (generator `json2xml`): elements from depth 1, two blanks a level.

use super::json::Json;
use std::fmt;

/// A tag or attribute name that XML does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName(pub String);

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no name of an XML element or attribute", self.0.escape_default())
    }
}

/// Appends the elements of a section, each text and attribute passed through `fill`. What has no element gives an
/// empty line.
///
/// # Errors
/// A name in the section is none of XML; what was appended so far is of no use.
pub fn section(out: &mut String, section: &Json, fill: &dyn Fn(&str) -> String) -> Result<(), BadName> {
    let begin = out.len();
    for (tag, value) in section.entries().iter().filter(|(tag, _)| !tag.starts_with('@')) {
        element(out, tag, value, 1, fill)?;
    }
    if out.len() == begin {
        out.push('\n');
    }
    Ok(())
}

fn element(
    out: &mut String,
    tag: &str,
    value: &Json,
    depth: usize,
    fill: &dyn Fn(&str) -> String,
) -> Result<(), BadName> {
    if !is_name(tag) {
        return Err(BadName(tag.to_string()));
    }
    match value {
        Json::Array(items) if !items.is_empty() => {
            return items.iter().try_for_each(|item| element(out, tag, item, depth, fill));
        }
        Json::Object(entries) if entries.first().is_some_and(|(key, _)| is_index(key)) => {
            return entries.iter().try_for_each(|(_, item)| element(out, tag, item, depth, fill));
        }
        _ => {}
    }
    indent(out, depth);
    out.push('<');
    out.push_str(tag);
    for (name, value) in value.get("@attributes").map(Json::entries).unwrap_or_default() {
        if !is_name(name) {
            return Err(BadName(name.clone()));
        }
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        escape(out, &fill(scalar(value)), true);
        out.push('"');
    }
    if let Some(text) = value.get("@value") {
        leaf(out, tag, |out| escape(out, &fill(scalar(text)), false));
    } else if let Some(text) = value.get("@cdata") {
        leaf(out, tag, |out| cdata(out, &fill(scalar(text))));
    } else {
        match value {
            Json::Array(_) => out.push_str("/>\n"),
            Json::Object(entries) => {
                let mut children = entries.iter().filter(|(key, _)| key != "@attributes").peekable();
                if children.peek().is_none() {
                    out.push_str("/>\n");
                    return Ok(());
                }
                out.push_str(">\n");
                for (tag, child) in children {
                    element(out, tag, child, depth + 1, fill)?;
                }
                indent(out, depth);
                close(out, tag);
            }
            _ => leaf(out, tag, |out| escape(out, &fill(scalar(value)), false)),
        }
    }
    Ok(())
}

fn indent(out: &mut String, depth: usize) {
    (0..depth).for_each(|_| out.push_str("  "));
}

fn leaf(out: &mut String, tag: &str, text: impl FnOnce(&mut String)) {
    out.push('>');
    text(out);
    close(out, tag);
}

fn close(out: &mut String, tag: &str) {
    out.push_str("</");
    out.push_str(tag);
    out.push_str(">\n");
}

fn scalar(value: &Json) -> &str {
    match value {
        Json::Bool(true) => "true",
        Json::Bool(false) => "false",
        other => other.text().unwrap_or_default(),
    }
}

/// Escapes text, or an attribute's value in double quotes. Characters that XML does not have are left out.
pub fn escape(out: &mut String, text: &str, attribute: bool) {
    for c in text.chars().filter(|c| is_char(*c)) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            '\n' if attribute => out.push_str("&#10;"),
            '\t' if attribute => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            c => out.push(c),
        }
    }
}

fn cdata(out: &mut String, text: &str) {
    out.push_str("<![CDATA[");
    let text: String = text.chars().filter(|c| is_char(*c)).collect();
    out.push_str(&text.replace("]]>", "]]]]><![CDATA[>"));
    out.push_str("]]>");
}

/// XML 1.0 section 2.2.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn is_index(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit())
}

/// The names that templates may use: ASCII, as all phones' settings are, and one prefix at the most (a second colon
/// is no name where namespaces are read).
fn is_name(name: &str) -> bool {
    let local = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
    };
    match name.split_once(':') {
        Some((prefix, rest)) => local(prefix) && local(rest),
        None => local(name),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn xml(json: &str) -> Result<String, BadName> {
        let mut out = String::new();
        section(&mut out, &Json::parse(json.as_bytes()).unwrap(), &|t| t.replace("{X}", "<\"&]]>"))?;
        Ok(out)
    }

    #[test]
    fn forms() {
        for (json, expected) in [
            ("{}", "\n"),
            ("null", "\n"),
            ("\"text\"", "\n"),
            (r#"{"a":""}"#, "  <a></a>\n"),
            (r#"{"a":null,"b":false,"c":1.5}"#, "  <a></a>\n  <b>false</b>\n  <c>1.5</c>\n"),
            (r#"{"a":{},"b":[],"c":{"@attributes":{"k":true}}}"#, "  <a/>\n  <b/>\n  <c k=\"true\"/>\n"),
            (r#"{"a":["x","y"],"b":{"0":"x","1":"y"}}"#, "  <a>x</a>\n  <a>y</a>\n  <b>x</b>\n  <b>y</b>\n"),
            (
                r#"{"a":{"@attributes":{"i":"{X}"},"@value":"{X}","c":"no"}}"#,
                "  <a i=\"&lt;&quot;&amp;]]&gt;\">&lt;\"&amp;]]&gt;</a>\n",
            ),
            (
                r#"{"a":{"b":{"c":{"@cdata":"{X}"}}}}"#,
                "  <a>\n    <b>\n      <c><![CDATA[<\"&]]]]><![CDATA[>]]></c>\n    </b>\n  </a>\n",
            ),
        ] {
            assert_eq!(xml(json).as_deref(), Ok(expected), "{json}");
        }
        for name in ["a b", "1a", "", "a{X}", "a:b:c", "é", "a>"] {
            assert_eq!(xml(&format!("{{\"{name}\":1}}")), Err(BadName(name.to_string())));
            let attribute = format!("{{\"a\":{{\"@attributes\":{{\"{name}\":1}}}}}}");
            assert_eq!(xml(&attribute), Err(BadName(name.to_string())));
        }
    }

    proptest::proptest! {
        #[test]
        fn well_formed_whatever_the_value(value in "\\PC{0,30}|[<>&\"'\\]\\r\\n\\t\\x00{}$é😀]{0,30}") {
            let json = r#"{"a":{"@attributes":{"k":"{X}"},"@value":"{X}"},"b":{"@cdata":"{X}"},"c":{"d":["{X}"]}}"#;
            let mut out = String::from("<settings>\n");
            section(&mut out, &Json::parse(json.as_bytes()).unwrap(), &|t| t.replace("{X}", &value)).unwrap();
            out.push_str("</settings>");
            let mut reader = quick_xml::Reader::from_str(&out);
            reader.config_mut().check_end_names = true;
            let kept: String = value.chars().filter(|c| is_char(*c)).collect();
            loop {
                match reader.read_event().unwrap() {
                    quick_xml::events::Event::Eof => break,
                    quick_xml::events::Event::Start(tag) if tag.name().as_ref() == b"a" => {
                        let attribute = tag.try_get_attribute("k").unwrap().unwrap();
                        let text = quick_xml::escape::unescape(std::str::from_utf8(&attribute.value).unwrap()).unwrap();
                        proptest::prop_assert_eq!(text, kept.clone());
                    }
                    _ => {}
                }
            }
        }
    }
}
