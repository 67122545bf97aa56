//! CouchDB's words: which nodes ([`nodes`]), the rows of its answers while they arrive ([`rows`]), and what is known of a
//! database ([`known`]). No socket and no clock: `net/couch` asks.

pub mod known;
pub mod nodes;
pub mod rows;

use super::json::Json;
use crate::proto::url::segment;

/// The path of a document.
pub fn path(database: &str, id: &str) -> String {
    // a design document's slash is part of the path, not of a name
    match id.strip_prefix("_design/") {
        Some(name) => format!("/{}/_design/{}", segment(database), segment(name)),
        None => format!("/{}/{}", segment(database), segment(id)),
    }
}

/// One row of `_changes`, or of `_all_docs` with its documents.
pub struct Row {
    /// Of the document.
    pub id: String,
    /// Its winning revision.
    pub rev: String,
    /// The document is gone.
    pub deleted: bool,
    /// The document, where it was asked for and is there.
    pub doc: Option<Json>,
}

impl Row {
    /// Reads a row. `None` for what is none, and for keys that are not found.
    pub fn read(mut row: Json) -> Option<Row> {
        let doc = row.take("doc").filter(|doc| matches!(doc, Json::Object(_)));
        let word = |path: &[&str]| row.at(path).and_then(Json::text).map(str::to_string);
        let rev = match row.get("changes") {
            Some(Json::Array(changes)) => {
                changes.first().and_then(|c| c.get("rev")).and_then(Json::text).map(str::to_string)
            }
            _ => word(&["value", "rev"]),
        };
        let yes = |path: &[&str]| row.at(path) == Some(&Json::Bool(true));
        Some(Row { id: word(&["id"])?, rev: rev?, deleted: yes(&["deleted"]) || yes(&["value", "deleted"]), doc })
    }
}

/// How far a feed has been read: a number, a text or (in BigCouch) a list, as it is given back in a query.
pub fn since(seq: &Json) -> Option<String> {
    match seq {
        Json::String(text) | Json::Number(text) => Some(text.clone()),
        Json::Array(_) => Some(seq.to_ascii()),
        _ => None,
    }
}

/// The count of changes in it: that which all of CouchDB's forms begin with.
pub fn number(since: &str) -> Option<u64> {
    let digits = since.trim_start_matches('[');
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

#[cfg(test)]
mod test {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn paths() {
        assert_eq!(path("account/ab/cd", "ui/a b/%"), "/account%2Fab%2Fcd/ui%2Fa%20b%2F%25");
        assert_eq!(path("x", "_design/a/b"), "/x/_design/a%2Fb");
    }

    #[test]
    fn rows_of_all_kinds() {
        let change = r#"{"seq":"3-x","id":"d","changes":[{"rev":"2-b"},{"rev":"1-z"}],"doc":{"a":1}}"#;
        let row = Row::read(json(change)).unwrap();
        assert_eq!((row.id.as_str(), row.rev.as_str(), row.deleted), ("d", "2-b", false));
        assert!(row.doc == Some(json(r#"{"a":1}"#)));
        let gone = Row::read(json(r#"{"id":"d","changes":[{"rev":"3-c"}],"deleted":true,"doc":null}"#)).unwrap();
        assert!(gone.deleted && gone.doc.is_none());
        let listed =
            Row::read(json(r#"{"id":"d","key":"d","value":{"rev":"2-b","deleted":true},"doc":null}"#)).unwrap();
        assert_eq!((listed.rev.as_str(), listed.deleted), ("2-b", true));
        for none in
            [r#"{"key":"x","error":"not_found"}"#, "3", r#"{"id":"d","changes":[]}"#, r#"{"changes":[{"rev":"1"}]}"#]
        {
            assert!(Row::read(json(none)).is_none(), "{none}");
        }
    }

    #[test]
    fn positions_in_all_their_forms() {
        for (seq, text, count) in [
            ("42", "42", Some(42)),
            (r#""42-g1AAA_x""#, "42-g1AAA_x", Some(42)),
            (r#"[42,"g1/x"]"#, r#"[42,"g1\/x"]"#, Some(42)),
            (r#""x""#, "x", None),
        ] {
            assert_eq!(since(&json(seq)).as_deref(), Some(text));
            assert_eq!(number(text), count);
        }
        assert_eq!(since(&Json::Null), None);
    }
}
