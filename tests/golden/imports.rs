//! Exports of the recordings, imported by ours.

use crate::{read, Case};
use phoneprov::provisioner::documents::Generator;
use phoneprov::provisioner::import::rules::Sections;
use phoneprov::provisioner::import::{document, lines, tree_of, Model};
use phoneprov::provisioner::json::Json;
use std::path::Path;

pub fn all(folder: &Path) -> Vec<Case> {
    let Json::Array(index) = read(&folder.join("index.json")) else { panic!("index.json is a list") };
    let mut out = Vec::new();
    for entry in &index {
        let text = |path: &[&str]| entry.at(path).and_then(Json::text).unwrap_or_default().to_string();
        let id = text(&["id"]);
        if text(&["kind"]) != "import" || id.starts_with("import-edge-") {
            continue;
        }
        let input = folder.join(text(&["request", "input_file"]));
        let output = folder.join(text(&["response_file"]));
        if id.starts_with("import-doc-") {
            documents(&id, &read(&input), &read(&output), &mut out);
            continue;
        }
        let input = std::fs::read_to_string(input).unwrap();
        let ours = imported(&text(&["request", "function"]), &text(&["request", "delimiter"]), &input);
        // a setting a line: so that a difference shows that setting alone
        let parted = |json: &[u8]| String::from_utf8_lossy(json).replace("},\"", "},\n\"").into_bytes();
        let recorded = parted(std::fs::read(output).unwrap().trim_ascii_end());
        out.push(Case { id, recorded, ours: parted(&ours) });
    }
    let Json::Array(edge) = read(&folder.join("import-edge/cases.json")) else { panic!("cases.json is a list") };
    for case in &edge {
        let text = |name: &str| case.get(name).and_then(Json::text).unwrap_or_default();
        let recorded = case.get("output_json").and_then(Json::text).unwrap_or("an error").as_bytes().to_vec();
        let ours = imported(text("function"), text("delimiter"), text("input"));
        out.push(Case { id: format!("import-edge-{}", text("id")), recorded, ours });
    }
    out
}

fn imported(function: &str, delimiter: &str, input: &str) -> Vec<u8> {
    let json = match function {
        "plain2json" => Ok(lines(input, delimiter)),
        _ => tree_of(input),
    };
    json.map_or("an error".to_string(), |json| json.to_ascii()).into_bytes()
}

/// Whole documents, one a model: ours from the recorded sections. The order of the members differs from script to script.
fn documents(id: &str, types: &Json, recorded: &Json, out: &mut Vec<Case>) {
    let (Json::Array(types), Json::Array(recorded)) = (types, recorded) else { panic!("{id}: lists") };
    assert_eq!(types.len(), recorded.len(), "{id}");
    for (kind, recorded) in types.iter().zip(recorded) {
        let text = |json: &Json, name: &str| json.get(name).and_then(Json::text).unwrap().to_string();
        let number = |name: &str| text(kind, name).parse().unwrap();
        let (model, family) = (text(kind, "model"), text(kind, "family"));
        let brand = text(recorded, "endpoint_brand");
        let generator = match text(recorded, "pvt_generator").as_str() {
            "json2xml" => Generator::Xml,
            _ => Generator::Plain,
        };
        let names = ["cfg_account", "cfg_base", "cfg_behavior", "cfg_tone", "cfg_key"];
        let sections = names.iter().filter_map(|n| Some((*n, recorded.get(n)?.clone()))).collect();
        let (phone_keys, module_keys) = (number("keys"), number("ekeys"));
        let described = Model { brand: &brand, family: &family, model: &model, phone_keys, module_keys };
        let ours = document(&described, generator, Sections(sections));
        let sorted = |json: &Json| {
            let mut members: Vec<String> =
                json.entries().iter().map(|(k, v)| format!("{k}: {}\n", v.to_ascii())).collect();
            members.sort();
            members.concat().into_bytes()
        };
        out.push(Case { id: format!("{id}-{model}"), recorded: sorted(recorded), ours: sorted(&ours) });
    }
}
