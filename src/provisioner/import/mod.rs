//! From a phone's exported settings to a template: [`lines`] and [`tree_of`] read them, [`rules`] say which setting goes into
//! which section and what becomes a placeholder, [`document`] is what is stored, [`phonetree`] what web UIs choose from.

pub mod phonetree;
mod plain;
pub mod rules;
mod xml;

pub use plain::lines;
pub use xml::tree_of;

use super::documents::Generator;
use super::json::Json;
use rules::Sections;

/// A model, and what it has room for.
pub struct Model<'a> {
    /// `snom`
    pub brand: &'a str,
    /// `3xx`
    pub family: &'a str,
    /// `320-1`
    pub model: &'a str,
    /// Function keys on the phone.
    pub phone_keys: u32,
    /// Function keys on all of its modules together.
    pub module_keys: u32,
}

impl Model<'_> {
    /// The id of its template.
    pub fn id(&self) -> String {
        format!("ui/{}/{}/{}", self.brand, self.family, self.model)
    }
}

/// A name as documents have it: a number where it is all digits.
pub(super) fn name(text: &str) -> Json {
    let number = text.parse::<u32>().is_ok_and(|n| n.to_string() == text);
    if number {
        Json::Number(text.to_string())
    } else {
        Json::string(text)
    }
}

/// The template's document.
pub fn document(model: &Model<'_>, generator: Generator, sections: Sections) -> Json {
    let text = |s: &str| Json::string(s);
    let keys = [
        ("setable_phone_keys", model.phone_keys.to_string()),
        ("setable_phone_key_counter", "1".to_string()),
        ("setable_phone_key_value", "fkey".to_string()),
        ("setable_module_keys", model.module_keys.to_string()),
        ("setable_module_key_counter", "1".to_string()),
        ("setable_module_key_value", "extkey".to_string()),
    ];
    let mut entries = vec![
        ("endpoint_brand", text(model.brand)),
        ("endpoint_family", text(model.family)),
        ("endpoint_model", name(model.model)),
        ("usr_keys", Json::Object(keys.map(|(k, v)| (k.to_string(), Json::String(v))).into())),
    ];
    entries.extend(sections.0);
    entries.extend([
        ("pvt_counter", Json::Number("1".to_string())),
        ("pvt_type", text("provisioner")),
        ("pvt_generator", text(if generator == Generator::Xml { "json2xml" } else { "json2plain" })),
        ("views", Json::Number("1".to_string())),
        ("_id", Json::String(model.id())),
    ]);
    Json::Object(entries.into_iter().map(|(k, v)| (k.to_string(), v)).collect())
}
