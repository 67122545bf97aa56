//! The tree of phones that web UIs offer: brands, families, models.

use super::{name, Model};
use crate::provisioner::json::Json;

/// The id of its document.
pub const TREE: &str = "phonetree";

/// The tree's document with this model in it; a new one where there is none.
pub fn with(tree: Option<Json>, model: &Model<'_>) -> Json {
    let mut tree = match tree {
        Some(tree @ Json::Object(_)) => tree,
        _ => object(vec![
            ("_id", Json::string(TREE)),
            ("pvt_type", Json::string("provisionertree")),
            ("data", object(vec![])),
        ]),
    };
    let Model { brand, family, model, .. } = model;
    // as web UIs know them: only Yealink's have the family in them
    let id = if *brand == "yealink" { format!("{brand}_{family}_{model}") } else { format!("{brand}_{model}") };
    let entry = object(vec![("name", name(model)), ("id", Json::String(id))]);
    let none = || object(vec![]);
    let path = [
        ("data", none()),
        (brand, branch(brand, brand, "families")),
        ("families", none()),
        (family, branch(&format!("{brand}_{family}"), family, "models")),
        ("models", none()),
    ];
    put(&mut tree, &path, model, entry);
    let views = tree.get("views").and_then(Json::text).and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
    tree.set("views", Json::Number(views.saturating_add(1).to_string()));
    tree
}

fn object(entries: Vec<(&str, Json)>) -> Json {
    Json::Object(entries.into_iter().map(|(k, v)| (k.to_string(), v)).collect())
}

fn branch(id: &str, text: &str, below: &str) -> Json {
    object(vec![("id", Json::string(id)), ("name", name(text)), (below, object(vec![]))])
}

/// Puts a member where the path of objects leads. What is missing there, or no object, becomes what stands beside its name.
fn put(at: &mut Json, path: &[(&str, Json)], key: &str, value: Json) {
    let Some(((name, new), rest)) = path.split_first() else { return at.set(key, value) };
    if !matches!(at.get(name), Some(Json::Object(_))) {
        at.set(name, new.clone());
    }
    if let Json::Object(entries) = at {
        if let Some((_, below)) = entries.iter_mut().find(|(k, _)| k == name) {
            put(below, rest, key, value);
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn model<'a>(brand: &'a str, family: &'a str, model: &'a str) -> Model<'a> {
        Model { brand, family, model, phone_keys: 0, module_keys: 0 }
    }

    #[test]
    fn models_are_added() {
        let mut tree = with(None, &model("snom", "3xx", "300"));
        tree = with(Some(tree), &model("snom", "3xx", "320-1"));
        tree = with(Some(tree), &model("yealink", "t4x", "t48g"));
        tree = with(Some(tree), &model("snom", "3xx", "300"));
        assert_eq!(
            tree.to_ascii(),
            concat!(
                r#"{"_id":"phonetree","pvt_type":"provisionertree","data":{"snom":{"id":"snom","name":"snom","families":{"3xx":{"id":"snom_3xx","#,
                r#""name":"3xx","models":{"300":{"name":300,"id":"snom_300"},"320-1":{"name":"320-1","id":"snom_320-1"}}}}},"#,
                r#""yealink":{"id":"yealink","name":"yealink","families":{"t4x":{"id":"yealink_t4x","name":"t4x","#,
                r#""models":{"t48g":{"name":"t48g","id":"yealink_t4x_t48g"}}}}}},"views":4}"#
            )
        );
        assert!(with(Some(Json::Null), &model("a", "b", "c"))
            .at(&["data", "a", "families", "b", "models", "c"])
            .is_some());
    }
}
