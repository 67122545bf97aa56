//! Exports that are XML, as the JSON that templates are made of.

use crate::bounds;
use crate::provisioner::json::Json;
use quick_xml::events::{BytesStart, Event};
use quick_xml::Reader;
use std::collections::HashMap;

/// An element that is open.
struct Element {
    tag: String,
    attributes: Vec<(String, Json)>,
    children: Vec<(String, Json)>,
    /// Where each child's name stands, and how many of them there are.
    places: HashMap<String, (usize, usize)>,
    text: String,
    cdata: Option<String>,
}

/// Reads a document: `{root: value}`. An element with text is that text, without blanks around it; with children an object, several of
/// one name a list at the place of the first; attributes are `@attributes`, beside them the text is `@value`; CDATA is `@cdata`.
/// Comments and processing instructions are left out, as are text beside children, prefixes of attributes, declarations of namespaces,
/// and entities that XML itself does not define.
///
/// # Errors
/// It is not well-formed, has no root or more than one, or is nested too deep. The sentence quotes nothing of it.
pub fn tree_of(text: &str) -> Result<Json, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Json> = None;
    loop {
        let line = |reader: &Reader<&[u8]>| {
            let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(text.len());
            text.as_bytes().get(..at).unwrap_or_default().iter().filter(|b| **b == b'\n').count() + 1
        };
        let event = reader.read_event().map_err(|_| format!("not well-formed near line {}", line(&reader)))?;
        let closed = match event {
            Event::Start(tag) => {
                if root.is_some() {
                    return Err(format!("a second root element near line {}", line(&reader)));
                }
                if open.len() >= bounds::IMPORT_DEPTH {
                    return Err(format!("nested too deep near line {}", line(&reader)));
                }
                open.push(element(&tag).ok_or_else(|| format!("a bad attribute near line {}", line(&reader)))?);
                None
            }
            Event::Empty(tag) => {
                if root.is_some() {
                    return Err(format!("a second root element near line {}", line(&reader)));
                }
                Some(element(&tag).ok_or_else(|| format!("a bad attribute near line {}", line(&reader)))?)
            }
            Event::End(_) => open.pop(),
            Event::Text(piece) => {
                let piece = piece.decode().map_err(|_| "not UTF-8".to_string())?;
                match open.last_mut() {
                    Some(element) => element.text.push_str(&piece),
                    None if piece.trim_matches('\u{feff}').trim().is_empty() => {}
                    None => return Err(format!("text outside of the root element near line {}", line(&reader))),
                }
                None
            }
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref() {
                    Ok(Some(c)) => Some(c),
                    Ok(None) => match &*reference {
                        b"lt" => Some('<'),
                        b"gt" => Some('>'),
                        b"amp" => Some('&'),
                        b"quot" => Some('"'),
                        b"apos" => Some('\''),
                        _ => None,
                    },
                    Err(_) => return Err(format!("not well-formed near line {}", line(&reader))),
                };
                match open.last_mut() {
                    Some(element) => element.text.extend(character),
                    None => return Err(format!("text outside of the root element near line {}", line(&reader))),
                }
                None
            }
            Event::CData(piece) => {
                let piece = piece.decode().map_err(|_| "not UTF-8".to_string())?;
                if let Some(element) = open.last_mut() {
                    element.cdata.get_or_insert_default().push_str(&piece);
                }
                None
            }
            Event::Eof => break,
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => None,
        };
        let Some(element) = closed else { continue };
        let tag = element.tag.clone();
        let value = element.value();
        match open.last_mut() {
            Some(parent) => parent.add(tag, value),
            None => root = Some(Json::Object(vec![(tag, value)])),
        }
    }
    match root {
        Some(root) if open.is_empty() => Ok(root),
        Some(_) | None if !open.is_empty() => Err("cut off: the last end tags are missing".to_string()),
        _ => Err("no XML element".to_string()),
    }
}

fn element(start: &BytesStart<'_>) -> Option<Element> {
    let tag = std::str::from_utf8(start.name().as_ref()).ok()?.to_string();
    let mut attributes: Vec<(String, Json)> = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let name = std::str::from_utf8(attribute.key.as_ref()).ok()?;
        if name == "xmlns" || name.starts_with("xmlns:") {
            continue;
        }
        let name = name.split_once(':').map_or(name, |(_, local)| local).to_string();
        let raw = std::str::from_utf8(&attribute.value).ok()?;
        let value = Json::string(quick_xml::escape::unescape(raw).ok()?);
        match attributes.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => attributes.push((name, value)),
        }
    }
    let (text, places) = (String::new(), HashMap::new());
    Some(Element { tag, attributes, children: Vec::new(), places, text, cdata: None })
}

impl Element {
    fn add(&mut self, tag: String, value: Json) {
        let (at, count) = self.places.entry(tag.clone()).or_insert((self.children.len(), 0));
        *count += 1;
        match (self.children.get_mut(*at), *count) {
            (Some((_, Json::Array(items))), 3..) => items.push(value),
            (Some((_, first)), _) => *first = Json::Array(vec![std::mem::take(first), value]),
            (None, _) => self.children.push((tag, value)),
        }
    }

    fn value(self) -> Json {
        let text = Json::string(self.text.trim());
        let attributes =
            (!self.attributes.is_empty()).then_some(("@attributes".to_string(), Json::Object(self.attributes)));
        let mut entries = self.children;
        if entries.is_empty() {
            match (self.cdata, attributes.is_some()) {
                (Some(cdata), _) => entries.push(("@cdata".to_string(), Json::String(cdata))),
                (None, true) => entries.push(("@value".to_string(), text)),
                (None, false) => return text,
            }
        }
        entries.extend(attributes);
        Json::Object(entries)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::provisioner::xml::section;

    #[test]
    fn forms() {
        for (xml, json) in [
            ("<r/>", r#"{"r":""}"#),
            ("<r>1<!-- c -->2<?p x?></r>", r#"{"r":"12"}"#),
            ("<r><a>1</a><!-- c --><b>2</b><a>3</a><a/></r>", r#"{"r":{"a":["1","3",""],"b":"2"}}"#),
            ("<r>x<a>1</a>y</r>", r#"{"r":{"a":"1"}}"#),
            (
                r#"<r x:k="&lt;" xmlns:x="u"><a i="1"> t&amp;&#233; </a><a><![CDATA[<]]></a></r>"#,
                r#"{"r":{"a":[{"@value":"t&\u00e9","@attributes":{"i":"1"}},{"@cdata":"<"}],"@attributes":{"k":"<"}}}"#,
            ),
        ] {
            assert_eq!(tree_of(xml).map(|j| j.to_ascii()).as_deref(), Ok(json), "{xml}");
        }
    }

    #[test]
    fn what_is_no_document() {
        for xml in ["", " ", "text", "<a/><b/>", "<a></b>", "<a>", "<a/>x", "<a b></a>", "<a>&#xffffffff;</a>", "&lt;"]
        {
            assert!(tree_of(xml).is_err(), "{xml}");
        }
        let nested = |depth| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(tree_of(&nested(bounds::IMPORT_DEPTH)).is_ok());
        assert!(tree_of(&nested(bounds::IMPORT_DEPTH + 1)).is_err_and(|e| e.starts_with("nested too deep")));
        let deep = "<a>".repeat(10_000);
        assert!(tree_of(&deep).is_err_and(|e| e.starts_with("nested too deep")));
    }

    proptest::proptest! {
        #[test]
        fn total(xml in ".{0,60}|[<>/a!\\[\\]CDATA&;\"= -]{0,60}") {
            let _ = tree_of(&xml);
        }

        #[test]
        fn there_and_back(text in "[^\\p{Cc}\\u{fffe}\\u{ffff}]{0,20}", attribute in "[^\\p{Cc}\\u{fffe}\\u{ffff}]{0,20}") {
            let json = Json::Object(vec![("a".to_string(), Json::Object(vec![
                ("@value".to_string(), Json::string(text.trim())),
                ("@attributes".to_string(), Json::Object(vec![("k".to_string(), Json::String(attribute))])),
            ]))]);
            let mut xml = String::new();
            section(&mut xml, &json, &str::to_string).unwrap();
            proptest::prop_assert_eq!(tree_of(&xml), Ok(json));
        }
    }
}
