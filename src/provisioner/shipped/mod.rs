//! Templates that come with the program, for a store that has none of its own: one body a brand, models as data. Written from
//! the vendors' lists of settings.

use super::documents::{Document, Template};
use super::import::phonetree;
use super::import::Model;
use super::json::Json;
use std::collections::HashMap;
use std::sync::Arc;

/// Family, and model with function keys on the phone and on all of its modules.
type Family = (&'static str, &'static [(&'static str, u32, u32)]);

const SNOM: &[Family] = &[
    (
        "3xx",
        &[
            ("300", 6, 0),
            ("320", 12, 0),
            ("320-1", 12, 24),
            ("320-2", 12, 48),
            ("360", 12, 0),
            ("360-1", 12, 24),
            ("360-2", 12, 48),
            ("370", 12, 0),
            ("370-1", 12, 24),
            ("370-2", 12, 48),
            ("D375", 12, 0),
            ("D375-1", 12, 24),
            ("D375-2", 12, 48),
        ],
    ),
    ("7xx", &[("710", 5, 0), ("720", 18, 0), ("760", 12, 0), ("D715", 9, 0), ("D725", 16, 0), ("D765", 12, 0)]),
    ("8xx", &[("820", 4, 0), ("821", 4, 0), ("870", 4, 0)]),
];

const MITEL: &[Family] = &[
    (
        "67xx",
        &[
            ("6730", 8, 0),
            ("6731", 8, 0),
            ("6753", 6, 0),
            ("6753-1", 6, 36),
            ("6753-2", 6, 72),
            ("6755", 6, 0),
            ("6757", 6, 0),
            ("6757-1", 6, 20),
            ("6757-2", 6, 40),
        ],
    ),
    (
        "68xx",
        &[
            ("6863i", 3, 0),
            ("6865i", 8, 0),
            ("6865i-1", 8, 28),
            ("6867i", 6, 0),
            ("6867i-1", 6, 28),
            ("6869i", 6, 0),
            ("6869i-1", 6, 28),
            ("6869i-2", 6, 56),
        ],
    ),
];

const YEALINK: &[Family] = &[
    ("t1x", &[("t19p", 0, 0)]),
    (
        "t2x",
        &[
            ("t21p", 2, 0),
            ("t22p", 3, 0),
            ("t23p", 3, 0),
            ("t26p", 13, 0),
            ("t27p", 21, 0),
            ("t28p", 16, 0),
            ("t29g", 27, 0),
        ],
    ),
    ("t3x", &[("t32g", 3, 0), ("t38g", 16, 0)]),
    (
        "t4x",
        &[
            ("t40p", 3, 0),
            ("t41p", 15, 0),
            ("t42g", 15, 0),
            ("t46g", 27, 0),
            ("t46g-1", 27, 40),
            ("t46g-2", 27, 80),
            ("t48g", 29, 0),
            ("t48g-1", 29, 40),
            ("t48g-2", 29, 80),
        ],
    ),
];

const BRANDS: &[(&str, &str, &[Family])] = &[
    ("snom", include_str!("snom.json"), SNOM),
    ("mitel", include_str!("mitel.json"), MITEL),
    ("yealink", include_str!("yealink.json"), YEALINK),
];

fn models() -> impl Iterator<Item = (Model<'static>, &'static str)> {
    BRANDS.iter().flat_map(|(brand, body, families)| {
        families.iter().flat_map(move |(family, models)| {
            models.iter().map(move |(model, phone_keys, module_keys)| {
                (Model { brand, family, model, phone_keys: *phone_keys, module_keys: *module_keys }, *body)
            })
        })
    })
}

/// All of them as documents, by id.
pub fn documents() -> impl Iterator<Item = (String, Json)> {
    models().filter_map(|(model, body)| {
        let mut json = Json::parse(body.as_bytes()).ok()?;
        let keys = |n: u32| Json::Number(n.to_string());
        let usr_keys = vec![
            ("setable_phone_keys".to_string(), keys(model.phone_keys)),
            ("setable_module_keys".to_string(), keys(model.module_keys)),
        ];
        json.set("usr_keys", Json::Object(usr_keys));
        json.set("endpoint_brand", Json::string(model.brand));
        json.set("endpoint_family", Json::string(model.family));
        json.set("endpoint_model", super::import::name(model.model));
        json.set("pvt_type", Json::string("provisioner"));
        Some((model.id(), json))
    })
}

/// All of them, by id.
pub fn templates() -> HashMap<String, Arc<Template>> {
    let template = |(id, json): (String, Json)| match Document::read(&Arc::from(super::memory::TEMPLATES), &id, json) {
        Ok(Document::Template(template)) => Some((id, Arc::from(template))),
        _ => None,
    };
    documents().filter_map(template).collect()
}

/// The document of their tree for web UIs.
pub fn tree() -> Json {
    models().fold(None, |tree, (model, _)| Some(phonetree::with(tree, &model))).unwrap_or_default()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn all_of_them_are_templates() {
        let templates = templates();
        assert_eq!(templates.len(), models().count(), "each is one, and no id is there twice");
        for (id, t) in &templates {
            assert!(t.account != Json::Null && t.base != Json::Null && t.tone != Json::Null, "{id}");
            assert_eq!(t.modules > 0, t.module_keys > 0, "{id}");
        }
        assert!(tree().at(&["data", "snom", "families", "3xx", "models", "320-1", "id"]).is_some());
    }
}
