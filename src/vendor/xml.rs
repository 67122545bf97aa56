//! Is a body whole XML with the right root? Streaming and bounded: nothing is built, nothing expanded.
//!
//! Strict where a phone would be lost: a cut-off document, tags that do not match, a second root, text around it, a
//! document type (entity bombs live there). Lenient where upstreams are known to be sloppy and phones to live with
//! it: the original provisioner writes names and URLs with a bare `&`.

use super::text;
use super::types::Verdict;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::{BytesStart, Event};
use quick_xml::Reader;

/// Deepest nesting. Configs have up to 6 levels.
const DEPTH: usize = 64;

/// What is known of a whole document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outline<'a> {
    /// Name of the root element (of the first one, when several are allowed).
    pub root: &'a [u8],
    /// Elements directly below the root.
    pub children: usize,
    /// The name all children have, when it is the same.
    pub only: Option<&'a [u8]>,
}

/// Reads to the end. `several`: more than one root is right (Mitel's fragments). The error says what is wrong and in
/// which line, without any of the body.
pub(super) fn outline(body: &[u8], several: bool) -> Result<Outline<'_>, String> {
    let start = text::trim_start(body);
    let skipped = body.len() - start.len();
    let mut reader = Reader::from_reader(start);
    reader.config_mut().allow_dangling_amp = true;
    let mut depth = 0usize;
    let mut found: Option<Outline> = None;
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(e) => return Err(complaint(&e, body, skipped + reader.error_position() as usize)),
        };
        let here =
            |what: &str| Err(format!("{what} in line {}", line(body, skipped + reader.buffer_position() as usize)));
        match event {
            Event::Start(tag) => {
                if let Err(what) = enter(&mut found, tag, depth, several, start) {
                    return here(what);
                }
                depth += 1;
                if depth > DEPTH {
                    return here("XML nested deeper than any config");
                }
            }
            Event::Empty(tag) => {
                if let Err(what) = enter(&mut found, tag, depth, several, start) {
                    return here(what);
                }
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(t) if depth == 0 && !t.trim_ascii().is_empty() => {
                return here("text outside of the root element");
            }
            Event::CData(_) | Event::GeneralRef(_) if depth == 0 => return here("text outside of the root element"),
            Event::DocType(_) => return here("XML with a document type, which no phone's config has,"),
            Event::Eof => break,
            _ => {}
        }
    }
    if depth > 0 {
        return Err("XML that is cut off: the last end tags are missing".into());
    }
    found.ok_or_else(|| "no XML element".into())
}

/// Notes a start tag.
fn enter<'a>(
    found: &mut Option<Outline<'a>>,
    tag: BytesStart<'_>,
    depth: usize,
    several: bool,
    body: &'a [u8],
) -> Result<(), &'static str> {
    // the name lies in the body; the event lends it only until the next one
    let name = tag.name();
    let name = inside(body, name.as_ref());
    match (depth, found) {
        (0, found @ None) => *found = Some(Outline { root: name, children: 0, only: None }),
        (0, Some(_)) if !several => return Err("a second root element"),
        (1, Some(outline)) => {
            outline.only = if outline.children == 0 { Some(name) } else { outline.only.filter(|only| *only == name) };
            outline.children += 1;
        }
        _ => {}
    }
    Ok(())
}

/// `part`, which is a slice of `whole`, with `whole`'s lifetime; empty when it is not.
fn inside<'a>(whole: &'a [u8], part: &[u8]) -> &'a [u8] {
    let from = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    whole.get(from..from.wrapping_add(part.len())).unwrap_or_default()
}

/// In words, by line; the library's own texts quote the body.
fn complaint(error: &Error, body: &[u8], at: usize) -> String {
    let what = match error {
        Error::Syntax(_) => return "XML that is cut off inside a tag or comment".into(),
        Error::IllFormed(IllFormedError::MismatchedEndTag { .. }) => "XML with an end tag that closes another element",
        Error::IllFormed(IllFormedError::UnmatchedEndTag(_)) => "XML with an end tag too many",
        _ => "XML that is not well-formed",
    };
    format!("{what} in line {}", line(body, at))
}

fn line(body: &[u8], at: usize) -> usize {
    1 + body.get(..at).unwrap_or(body).iter().filter(|b| **b == b'\n').count()
}

/// The check of a brand whose configs are XML with one of these roots.
pub(super) fn check(brand: &str, body: &[u8], roots: &[&str]) -> Verdict {
    match outline(body, false) {
        Err(why) => Verdict::Broken(why),
        Ok(o) if roots.iter().any(|r| r.as_bytes() == o.root) => {
            if o.children == 0 {
                // a config that sets nothing is a mistake of the provisioner's database
                return text::broken(brand, "an empty document");
            }
            Verdict::Good
        }
        Ok(o) => other(brand, &o),
    }
}

/// The check of a brand whose XML has roots of many names: any but those of others' configs.
pub(super) fn check_any_root(brand: &str, body: &[u8]) -> Verdict {
    match outline(body, false) {
        Err(why) => Verdict::Broken(why),
        Ok(o) => match text::owner_of_root(o.root) {
            Some(what) if what != format!("a {brand} config") => text::broken(brand, what),
            _ if is_page(o.root) => Verdict::Temporary,
            _ => Verdict::Good,
        },
    }
}

fn is_page(root: &[u8]) -> bool {
    text::find(root, b"IPPhone").is_some()
}

/// A document with another root: pages of the phones' XML browsers (`AastraIPPhoneTextScreen`, `SnomIPPhoneMenu`,
/// `YealinkIPPhoneDirectory`, `CiscoIPPhoneText`) come through the same proxy and are answers of one moment.
pub(super) fn other(brand: &str, outline: &Outline) -> Verdict {
    if is_page(outline.root) {
        return Verdict::Temporary;
    }
    text::broken(brand, text::owner_of_root(outline.root).unwrap_or("XML with another root element"))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn whole_documents() {
        let o = outline(
            b"\xef\xbb\xbf <?xml version=\"1.0\"?><!-- a --><a x='>'><b/>t&u &nbsp; <b>\xe4</b></a>\n<!-- -->",
            false,
        );
        assert_eq!(o, Ok(Outline { root: b"a", children: 2, only: Some(b"b") }));
        assert_eq!(outline(b"<a><b/><c/></a>", false).unwrap().only, None);
        assert_eq!(outline(b"<a/><a/>", true).unwrap().root, b"a");
    }

    #[test]
    fn complaints_name_the_line_and_nothing_of_the_body() {
        let table: &[(&[u8], &str)] = &[
            (b"", "no XML element"),
            (b"<a>\n<secret>", "XML that is cut off: the last end tags are missing"),
            (b"<a>\n<b secret='", "XML that is cut off inside a tag or comment"),
            (b"<a>\n<secret></a>", "XML with an end tag that closes another element in line 2"),
            (b"</a>", "XML with an end tag too many in line 1"),
            (b"<a/>\n\n<b/>", "a second root element in line 3"),
            (b"<a/>\nsecret", "text outside of the root element in line 2"),
            (b"<a/>&amp;", "text outside of the root element in line 1"),
            (b"<a/><![CDATA[]]>", "text outside of the root element in line 1"),
            (
                b"<!DOCTYPE a [<!ENTITY b \"secret\">]><a>&b;</a>",
                "XML with a document type, which no phone's config has, in line 1",
            ),
        ];
        for (body, expected) in table {
            assert_eq!(outline(body, false).unwrap_err(), *expected);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nest = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        assert!(outline(nest(DEPTH).as_bytes(), false).is_ok());
        assert!(outline(nest(DEPTH + 1).as_bytes(), false).unwrap_err().contains("nested deeper"));
        assert!(outline("<a>".repeat(300_000).as_bytes(), false).is_err());
    }

    #[test]
    fn roots() {
        assert_eq!(check("snom", b"<x><y/></x>", &["x"]), Verdict::Good);
        assert_eq!(check("snom", b"<x></x>", &["x"]), Verdict::Broken("an empty document, not a snom config".into()));
        assert_eq!(
            check("snom", b"<gs_provision><y/></gs_provision>", &["x"]),
            Verdict::Broken("a Grandstream config, not a snom config".into())
        );
        assert_eq!(check("snom", b"<SnomIPPhoneText><Title/></SnomIPPhoneText>", &["x"]), Verdict::Temporary);
    }
}
