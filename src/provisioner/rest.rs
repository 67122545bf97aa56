//! What the web UI of Kazoo asks for: the tree of phones, and how many keys a model has.

use super::documents::Documents;
use super::json::Json;

/// The answer's body for a path that is no phone's.
pub fn answer(path: &str, documents: &dyn Documents) -> String {
    let segments: Vec<&str> = path.split('/').collect();
    if segments.contains(&"phones") {
        let tree = documents.tree();
        return format!("{{\"data\":{}}}", tree.map_or("null".to_string(), |t: std::sync::Arc<Json>| t.to_ascii()));
    }
    let Some(ui) = segments.iter().rposition(|s| *s == "ui") else { return String::new() };
    let id = segments.get(ui..).unwrap_or_default().join("/");
    let keys = documents.template(&id).map_or(0, |t| t.phone_keys.saturating_add(t.module_keys));
    format!(
        "{{\"success\": true,\"data\": {{\"template\": {{\"feature_keys\": {{\"iterate\": \"{keys}\"}}, \"lines\": {{ \"iterate\": 0, \"text\": \"Lines\" }} }} }} }}"
    )
}
