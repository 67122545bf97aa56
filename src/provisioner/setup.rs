//! What a new store is given: the templates that come with the program, their tree, and views for those who look into CouchDB.
//!
//! Each such document has a mark, the sum of what was written. While it fits, nobody has edited the document, and a later version may take
//! its place.

use super::import::phonetree::TREE;
use super::json::Json;
use super::shipped;
use super::storage::OWN;
use sha2::{Digest, Sha256};

/// The field that has the mark.
const MARK: &str = "pvt_phoneprov";

/// Views of the database of templates, as web UIs and scripts of kazoo-provision's time ask for them.
const VIEWS: &str = r#"{
    "language": "javascript",
    "views": {
        "listings_tree": {
            "map": "function (doc) { if (doc.pvt_type === 'provisionertree' && !doc.pvt_deleted) { emit(doc._id, {data: doc.data}); } }"
        },
        "listings_by_brand": {
            "map": "function (doc) { if (doc.pvt_type === 'provisioner' && !doc.pvt_deleted) { emit([doc.endpoint_brand, doc.endpoint_family, doc.endpoint_model], {id: doc._id}); } }"
        }
    }
}"#;

/// Ids and documents. `views` only where somebody can ask for them.
pub fn documents(views: bool) -> Vec<(String, Json)> {
    let mut out: Vec<(String, Json)> = shipped::documents().collect();
    out.push((TREE.to_string(), shipped::tree()));
    if views {
        out.extend(Json::parse(VIEWS.as_bytes()).ok().map(|json| ("_design/provisioner".to_string(), json)));
    }
    for (_, json) in &mut out {
        let mark = Json::String(sum(json));
        json.set(MARK, mark);
    }
    out
}

/// What is to be done with one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It is not there, or as an earlier version has written it, or may be overwritten.
    Write,
    /// It is there already.
    Same,
    /// An admin has edited it, or it came from elsewhere.
    Keep,
}

/// Is `new` to be written in place of `old`?
pub fn plan(old: Option<&Json>, new: &Json, force: bool) -> Plan {
    let Some(old) = old else { return Plan::Write };
    if sum(old) == sum(new) {
        return Plan::Same;
    }
    let untouched = old.get(MARK).and_then(Json::text).is_some_and(|mark| mark == sum(old));
    if untouched || force {
        Plan::Write
    } else {
        Plan::Keep
    }
}

/// The sum of what a document says, whatever the order of its members: stores change that.
fn sum(json: &Json) -> String {
    let mut hash = Sha256::new();
    let mut members: Vec<&(String, Json)> =
        json.entries().iter().filter(|(k, _)| k != MARK && !OWN.contains(&k.as_str())).collect();
    members.sort_by(|a, b| a.0.cmp(&b.0));
    for (key, value) in members {
        add(&mut hash, &Json::string(key.as_str()));
        add(&mut hash, value);
    }
    hash.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect()
}

fn add(hash: &mut Sha256, json: &Json) {
    match json {
        Json::Array(items) => {
            hash.update(b"[");
            items.iter().for_each(|item| add(hash, item));
            hash.update(b"]");
        }
        Json::Object(entries) => {
            hash.update(b"{");
            let mut members: Vec<&(String, Json)> = entries.iter().collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            for (key, value) in members {
                add(hash, &Json::string(key.as_str()));
                add(hash, value);
            }
            hash.update(b"}");
        }
        other => {
            hash.update(other.to_ascii().as_bytes());
            hash.update(b",");
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_edit_is_kept_and_what_nobody_touched_is_renewed() {
        for (_, new) in documents(true) {
            assert_eq!(plan(None, &new, false), Plan::Write);
            assert_eq!(plan(Some(&new), &new, true), Plan::Same);
            let mut earlier = new.clone();
            earlier.set("views", json("[1]"));
            let mark = sum(&earlier);
            earlier.set(MARK, Json::String(mark));
            earlier.set("_rev", json("\"7-x\""));
            assert_eq!(plan(Some(&earlier), &new, false), Plan::Write, "an earlier version");
            earlier.set("views", json("[2]"));
            assert_eq!(plan(Some(&earlier), &new, false), Plan::Keep, "edited");
            assert_eq!(plan(Some(&earlier), &new, true), Plan::Write);
        }
        assert_eq!(plan(Some(&json("{}")), &json("{\"a\":1}"), false), Plan::Keep, "of somebody else");
        assert_eq!(documents(true).len(), documents(false).len() + 1);
    }

    #[test]
    fn the_order_of_members_does_not_count() {
        let same = sum(&json(r#"{"a":{"x":1,"y":[1,2]},"b":null}"#));
        assert_eq!(same, sum(&json(r#"{"_id":"i","b":null,"a":{"y":[1,2],"x":1},"_rev":"1"}"#)));
        for other in [
            r#"{"a":{"x":1,"y":[2,1]},"b":null}"#,
            r#"{"a":{"x":"1","y":[1,2]},"b":null}"#,
            r#"{"a":{"x":1},"y":[1,2],"b":null}"#,
            r#"{"a":{"x":1,"y":[1,2]}}"#,
        ] {
            assert_ne!(same, sum(&json(other)), "{other}");
        }
    }
}
