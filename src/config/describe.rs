//! The table of options for a program that makes forms of it.

use super::table::{Kind, OPTIONS, PLACEHOLDERS, SECTIONS};
use crate::vendor;
use serde_json::{json, Value};

/// Brands that are enabled in the config that the package brings.
const SHIPPED: &[&str] = &["snom", "mitel"];

/// All options by section type, the placeholders of a vendor's `url`, and the brands that the program knows.
pub fn describe() -> Value {
    let types: Vec<Value> = SECTIONS
        .iter()
        .map(|(kind, help)| {
            let of = OPTIONS.iter().filter(|o| o.section == *kind);
            let options: Vec<Value> = of.map(|o| option(o.name, o.kind, o.default, o.help)).collect();
            json!({"type": kind, "help": help, "options": options})
        })
        .collect();
    let placeholders: Vec<Value> =
        PLACEHOLDERS.iter().map(|(name, help)| json!({"name": name, "help": help})).collect();
    let vendors: Vec<Value> = vendor::ALL
        .iter()
        .map(|v| {
            let note = (!v.oui_is_proof).then_some(
                "Other devices have these MAC prefixes too: a phone is served when it also names its brand.",
            );
            json!({
                "name": v.name,
                "label": v.label,
                "oui": v.ouis,
                "url": v.url,
                "enabled": SHIPPED.contains(&v.name),
                "note": note,
            })
        })
        .collect();
    json!({"types": types, "placeholders": placeholders, "vendors": vendors})
}

fn option(name: &str, kind: Kind, default: &str, help: &str) -> Value {
    let (min, max, unit) = match kind {
        Kind::Int { min, max, unit } => (Some(min), Some(max), Some(unit).filter(|u| !u.is_empty())),
        _ => (None, None, None),
    };
    let values = match kind {
        Kind::Choice(words) => Some(words),
        _ => None,
    };
    json!({
        "name": name,
        "list": kind.is_list(),
        "kind": kind.name(),
        "default": Some(default).filter(|d| !d.is_empty()),
        "min": min,
        "max": max,
        "unit": unit,
        "values": values,
        "help": help,
        "secret": kind == Kind::Secret,
    })
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_a_form_needs() {
        let all = describe();
        let find = |kind: &str, name: &str| -> Value {
            let types = all["types"].as_array().unwrap();
            let of = types.iter().find(|t| t["type"] == kind).unwrap()["options"].as_array().unwrap();
            of.iter().find(|o| o["name"] == name).unwrap().clone()
        };
        let grace = find("agent", "grace");
        assert_eq!(
            (&grace["kind"], &grace["min"], &grace["max"], &grace["unit"], &grace["default"]),
            (&json!("int"), &json!(0), &json!(365), &json!("days"), &json!("7"))
        );
        assert_eq!(find("agent", "dhcp")["values"], json!(["dnsmasq", "responder", "off"]));
        assert_eq!(
            (find("agent", "provpass")["secret"].clone(), find("agent", "port")["secret"].clone()),
            (json!(true), json!(false))
        );
        assert_eq!(find("vendor", "oui")["list"], json!(true));
        assert_eq!(find("agent", "upstream")["default"], Value::Null);
        let options: usize =
            all["types"].as_array().unwrap().iter().map(|t| t["options"].as_array().unwrap().len()).sum();
        assert_eq!(options, OPTIONS.len());
        assert_eq!(all["placeholders"].as_array().unwrap().len(), PLACEHOLDERS.len());
        assert_eq!(all["vendors"].as_array().unwrap().len(), vendor::ALL.len());
    }

    #[test]
    fn enabled_is_what_the_package_enables() {
        let shipped = include_str!("../../openwrt-package/files/phoneprov.config");
        let config = Config::read(shipped, "", &crate::config::known_vendors()).unwrap().config;
        let enabled: Vec<&str> = config.vendors.iter().filter(|v| v.enabled).map(|v| v.name.as_str()).collect();
        assert_eq!(enabled, SHIPPED);
    }
}
