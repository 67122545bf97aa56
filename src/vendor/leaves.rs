//! The settings of an XML config, one by one, without building a tree.

use super::text;
use quick_xml::events::{BytesStart, Event};
use quick_xml::Reader;

/// Deepest nesting, as in the check of the outline.
const DEPTH: usize = 64;
/// Bytes of text kept of one element; account data is far shorter.
const TEXT: usize = 512;

/// One element at its end.
pub(super) struct Leaf<'a> {
    tag: &'a BytesStart<'a>,
    parent: Option<&'a BytesStart<'a>>,
    /// Its text, less that before its last child.
    pub text: &'a [u8],
    /// Its `idx`, `index`, `button` or `Line`, else that of the nearest element around it.
    pub index: Option<&'a [u8]>,
}

impl Leaf<'_> {
    /// Name of the element.
    pub(super) fn name(&self) -> &[u8] {
        self.tag.name().into_inner()
    }

    /// Name and index, as if it were one word: `user_name1`.
    pub(super) fn numbered(&self) -> Vec<u8> {
        let mut name = self.name().to_vec();
        name.extend_from_slice(self.index.unwrap_or_default());
        name
    }

    /// An attribute's value as written.
    pub(super) fn attribute(&self, name: &str) -> Option<Vec<u8>> {
        attribute(self.tag, name)
    }

    /// An attribute of the element around it.
    pub(super) fn of_parent(&self, name: &str) -> Option<Vec<u8>> {
        attribute(self.parent?, name)
    }

    /// All attributes.
    pub(super) fn attributes(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = self.tag.attributes();
        all.with_checks(false).flatten().map(|a| (a.key.as_ref().to_vec(), a.value.to_vec())).collect()
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<Vec<u8>> {
    let mut all = tag.attributes();
    all.with_checks(false).flatten().find(|a| a.key.as_ref() == name.as_bytes()).map(|a| a.value.to_vec())
}

struct Open<'a> {
    tag: BytesStart<'a>,
    index: Option<Vec<u8>>,
}

/// Shows every element at its end. `false`: this is no XML that can be read to its end.
pub(super) fn leaves(body: &[u8], mut show: impl FnMut(&Leaf<'_>)) -> bool {
    let mut reader = Reader::from_reader(text::trim_start(body));
    reader.config_mut().allow_dangling_amp = true;
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut words: Vec<u8> = Vec::new();
    let add = |words: &mut Vec<u8>, parts: &[&[u8]]| {
        for part in parts {
            let room = TEXT.saturating_sub(words.len());
            words.extend_from_slice(part.get(..room).unwrap_or(part));
        }
    };
    loop {
        let Ok(event) = reader.read_event() else { return false };
        match event {
            Event::Start(tag) => {
                words.clear();
                if open.len() >= DEPTH {
                    return false;
                }
                let index = index_of(&tag);
                open.push(Open { tag, index });
            }
            Event::Empty(tag) => {
                words.clear();
                let index = index_of(&tag);
                end(&open, &Open { tag, index }, &[], &mut show);
            }
            Event::End(_) => {
                if let Some(last) = open.pop() {
                    end(&open, &last, words.trim_ascii(), &mut show);
                }
                words.clear();
            }
            Event::Text(text) => add(&mut words, &[&text]),
            Event::CData(text) => add(&mut words, &[&text]),
            Event::GeneralRef(name) => add(&mut words, &[b"&", &name, b";"]),
            Event::DocType(_) => return false,
            Event::Eof => return open.is_empty(),
            _ => {}
        }
    }
}

fn index_of(tag: &BytesStart<'_>) -> Option<Vec<u8>> {
    ["idx", "index", "button", "Line"].iter().find_map(|name| attribute(tag, name))
}

fn end(around: &[Open<'_>], this: &Open<'_>, text: &[u8], show: &mut impl FnMut(&Leaf<'_>)) {
    let index = this.index.as_deref().or_else(|| around.iter().rev().find_map(|o| o.index.as_deref()));
    show(&Leaf { tag: &this.tag, parent: around.last().map(|o| &o.tag), text, index });
}

#[cfg(test)]
mod test {
    use super::*;

    fn seen(body: &str) -> (Vec<String>, bool) {
        let mut all = Vec::new();
        let whole = leaves(body.as_bytes(), |leaf| {
            let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
            all.push(format!("{}={}", text(&leaf.numbered()), text(leaf.text)));
        });
        (all, whole)
    }

    #[test]
    fn names_indices_and_texts() {
        let (all, whole) = seen(
            "\u{feff}<?xml version='1.0'?><a>\n<b idx='2'> x&amp;y <!-- z --></b><line index=\"7\"><c><![CDATA[d]]></c><e/></line></a>",
        );
        assert!(whole);
        assert_eq!(all, ["b2=x&amp;y", "c7=d", "e7=", "line7=", "a="]);
    }

    #[test]
    fn what_is_not_whole_is_said() {
        for bad in ["<a>", "<a></b>", "<a", "<!DOCTYPE a><a/>", &"<a>".repeat(100)] {
            assert!(!seen(bad).1, "{bad}");
        }
        let long = format!("<a>{}</a>", "x".repeat(10_000));
        assert_eq!(seen(&long).0[0].len(), TEXT + 2);
    }
}
