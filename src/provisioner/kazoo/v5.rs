//! `provisioner_v5`: changes to accounts and devices that are merged into what is stored. Kazoo writes families and models as
//! its provisioner of then had them.

use super::{account, mac, object, text, Call, Place, Wrong};
use crate::bounds;
use crate::proto::http::Method;
use crate::provisioner::json::Json;
use std::collections::HashMap;

/// What a POST says.
pub struct Changes {
    /// `create_if_missing`
    pub create: bool,
    /// `merge`: into what is stored, level by level; else in place of it.
    pub merge: bool,
    /// `data`
    pub data: Json,
}

/// Reads a call: `accounts/ID`, `devices/ID/MAC`, `devices/search/MAC`.
///
/// # Errors
/// See [`Wrong`].
pub fn read(method: &Method, path: &[&str], body: &[u8]) -> Result<Call, Wrong> {
    let place = match path {
        ["devices", "search", device] if *method == Method::Get => return Ok(Call::Search(mac(device)?)),
        ["accounts", id] => Place { account: account(id)?, mac: None },
        ["devices", id, device] => Place { account: account(id)?, mac: Some(mac(device)?) },
        _ => return Err(Wrong::Path),
    };
    match method {
        Method::Get => Ok(Call::Look(place)),
        Method::Other(m) if m == "POST" || m == "PUT" => {
            let body = object(body)?;
            let flag = |name| body.get(name) == Some(&Json::Bool(true));
            match body.get("data") {
                Some(data @ Json::Object(_)) => {
                    let (create, merge) = (flag("create_if_missing"), flag("merge"));
                    Ok(Call::Merge(place, Changes { create, merge, data: data.clone() }))
                }
                _ => Err(Wrong::Body("the body has no object 'data'")),
            }
        }
        Method::Other(m) if m == "DELETE" => Ok(Call::Delete(place)),
        _ => Err(Wrong::Method),
    }
}

/// `new` over `old`: objects member by member, at every level; of anything else the new one counts.
pub fn merged(old: Json, new: &Json) -> Json {
    match (old, new) {
        (Json::Object(mut entries), Json::Object(changes)) => {
            // objects may have as many members as fit into a call
            let places: HashMap<String, usize> =
                entries.iter().enumerate().map(|(at, (n, _))| (n.clone(), at)).collect();
            for (name, value) in changes {
                match places.get(name).and_then(|at| entries.get_mut(*at)) {
                    Some((_, old)) => *old = merged(std::mem::take(old), value),
                    None => entries.push((name.clone(), value.clone())),
                }
            }
            Json::Object(entries)
        }
        (_, new) => new.clone(),
    }
}

/// The numbers of a device's lines, from 0.
pub fn lines(data: &Json) -> Vec<u32> {
    let lines = data.at(&["settings", "lines"]);
    let mut numbers: Vec<u32> = match lines {
        Some(Json::Array(items)) => (0u32..).zip(items).map(|(n, _)| n).collect(),
        // one that was taken away is null
        Some(object) => {
            object.entries().iter().filter(|(_, v)| *v != Json::Null).filter_map(|(n, _)| n.parse().ok()).collect()
        }
        None => Vec::new(),
    };
    numbers.sort_unstable();
    numbers.dedup();
    numbers.retain(|n| usize::try_from(*n).is_ok_and(|n| n < bounds::PROVISIONER_LINES));
    numbers
}

/// One of them.
pub fn line(data: &Json, number: u32) -> Option<&Json> {
    match data.at(&["settings", "lines"])? {
        Json::Array(items) => items.get(usize::try_from(number).ok()?),
        object => object.get(&number.to_string()),
    }
}

/// The keys of a device, in the form that documents have them in. Those of `combo_keys` are at the numbers that
/// `feature_keys` leave free.
pub fn keys(data: &Json) -> Json {
    let mut out: Vec<(String, Json)> = Vec::new();
    for list in ["feature_keys", "combo_keys"] {
        for (number, key) in data.at(&["settings", list]).map(Json::entries).unwrap_or_default() {
            // a key that was taken away is null
            let Some(key) = key.get("key").filter(|k| !k.entries().is_empty()) else { continue };
            if out.len() >= bounds::KAZOO_KEYS || out.iter().any(|(n, _)| n == number) {
                continue;
            }
            let (kind, value, label) = (text(key, &["type"]), text(key, &["value"]), text(key, &["label"]));
            let mut made = vec![
                ("type".to_string(), Json::string(kind.clone())),
                ("value".to_string(), Json::string(value.clone())),
            ];
            if kind == "presence" {
                // no user's id here, but what the phone shall watch
                made.push(("presence_id".to_string(), Json::string(value)));
                made.push(("label".to_string(), Json::string(label)));
            }
            out.push((number.clone(), Json::Object(made)));
        }
    }
    Json::Object(out)
}

/// Models of Yealink that Kazoo knows by their number, with the letter that they have as phones.
const YEALINK: &[(&str, &str)] = &[
    ("t19", "t19p"),
    ("t21", "t21p"),
    ("t22", "t22p"),
    ("t23", "t23p"),
    ("t26", "t26p"),
    ("t27", "t27p"),
    ("t28", "t28p"),
    ("t29", "t29g"),
    ("t32", "t32g"),
    ("t38", "t38g"),
    ("t41", "t41p"),
    ("t42", "t42g"),
    ("t46", "t46g"),
    ("t48", "t48g"),
];

/// Brand, family and model as templates have them, from what Kazoo wrote: in lower case, but for the model. It takes an `f` from the
/// beginning of a family; what it left is found by the model ([`crate::provisioner::documents::Documents::by_model`]).
pub fn endpoint(data: &Json) -> [String; 3] {
    let [brand, family, model] = ["brand", "family", "model"].map(|name| text(data, &[name]));
    let lower = model.to_ascii_lowercase();
    let model = match YEALINK.iter().find(|(short, _)| *short == lower) {
        Some((_, long)) => long.to_string(),
        None => model,
    };
    [brand.to_ascii_lowercase(), family.to_ascii_lowercase(), model]
}
