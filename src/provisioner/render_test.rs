use super::super::memory::{Memory, TEMPLATES};
use super::super::phone::Line;
use super::*;
use crate::proto::mac::Mac;
use std::sync::Arc;

const DATABASE: &str = "account/a";
const MAC: Mac = Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]);

fn quoted(text: &str) -> String {
    Json::string(text).to_ascii()
}

/// A phone with two lines and a key of each kind; every value that a customer can write is `value`.
fn memory(value: &str, generator: &str, cfg: &str) -> Memory {
    let v = quoted(value);
    let mut memory = Memory::default();
    let mut put = |database: &str, id: &str, json: String| {
        memory.put(database, id, Json::parse(json.as_bytes()).unwrap()).unwrap();
    };
    let key = |n: u32, kind: &str, value: &str| format!(r#""{n}":{{"type":{kind},"value":{value}}}"#);
    let keys = [
        key(1, "\"presence\"", "\"u1\""),
        key(2, "\"speed_dial\"", &v),
        key(3, "\"parking\"", &v),
        key(4, "\"personal_parking\"", &v),
        key(5, &v, "1"),
        // as Kazoo's provisioner_v5 brings them
        format!(r#""6":{{"type":"presence","value":{v},"presence_id":{v},"label":{v}}}"#),
    ]
    .join(",");
    for (id, line) in [("d1", 1), ("d2", 2)] {
        put(
            DATABASE,
            id,
            format!(
                r#"{{"pvt_type":"device","mac_address":"000413aabbcc","pvt_account_id":"a","owner_id":"u{line}","name":{v},
                "sip":{{"username":{v},"password":{v}}},"provision":{{"provstring":{v},"feature_keys":{{{keys}}}}}}}"#
            ),
        );
    }
    for id in ["u1", "u2"] {
        put(
            DATABASE,
            id,
            format!(
                r#"{{"pvt_type":"user","first_name":{v},"last_name":{v},"presence_id":{v},"language":{v},"timezone":{v},
                "caller_id":{{"internal":{{"name":{v}}}}}}}"#
            ),
        );
    }
    put(
        DATABASE,
        "a",
        format!(
            r#"{{"pvt_type":"account","realm":{v},"language":{v},"timezone":{v},"provision":{{"provision_enabled":true,
            "urlpass":{v},"provisionuser":{v},"provisionpass":{v},"admin_password":{v}}}}}"#
        ),
    );
    put(
        TEMPLATES,
        "ui/b/f/m-1",
        format!(
            r#"{{"pvt_generator":"{generator}","pvt_counter":1,"endpoint_brand":"yealink",
            "usr_keys":{{"setable_phone_keys":"2","setable_module_keys":"36","setable_phone_key_counter":"1"}},{cfg}}}"#
        ),
    );
    memory
}

fn phone(brand: Brand, memory: &Memory, host: &str) -> Phone {
    let line = |device: Arc<_>| {
        let device: Arc<super::super::documents::Device> = device;
        Line {
            account: memory.account(DATABASE, &device.account).unwrap(),
            user: memory.user(DATABASE, &device.owner),
            device,
        }
    };
    Phone {
        brand,
        template: memory.template("ui/b/f/m-1").unwrap(),
        lines: memory.devices(MAC).into_iter().map(line).collect(),
        host: host.to_string(),
    }
}

fn render(brand: Brand, value: &str, generator: &str, cfg: &str) -> String {
    let memory = memory(value, generator, cfg);
    let rendered = config(&phone(brand, &memory, "host"), &memory).unwrap();
    String::from_utf8(rendered.body).unwrap()
}

/// All names that any brand has.
const NAMES: &str = "{ACCOUNT}{SIPAUTHNAME}{SIPSECRET}{SIPUSERNAME}{SIPCALLERID}{PROXY_SERVER}{LANGUAGE_IDX}{PROVPASS}{MAC}\
                     {NAME}{INTERNAL}{PROV_PHONE_USER}{PROV_PHONE_PASS}{SETTING_SERVER}{CONFERENCE_LABEL}{PRESENCE_ID}{PROV_SERVER}\
                     {PROV_PASSWORD}{LANGUAGE_URL}{TIMEZONE}{TIMEZONE_PREFIX}";

fn plain_cfg() -> String {
    let line = |section: &str| format!(r#""cfg_{section}":{{"{section}{{ACCOUNT}}":{{"value":"{NAMES}"}}}}"#);
    ["account", "base", "behavior", "tone", "key"].map(line).join(",")
}

#[test]
fn snom() {
    let cfg = r#""cfg_account":{"p":{"@attributes":{"idx":"{ACCOUNT}"},"@value":"{SIPAUTHNAME}"}},"cfg_tone":{"t":"{ACCOUNT}"}"#;
    assert_eq!(
        render(Brand::Snom, "v", "json2xml", cfg),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<settings>\n  <p idx=\"1\">v</p>\n  <p idx=\"2\">v</p>\n\n\n  <t>2</t>\n\
         <functionKeys>\n<fkey idx=\"0\" context=\"active\" label=\"v\" perm=\"RW\">dest &lt;sip:v@v;user=phone&gt;|*8</fkey>\n\
         <fkey idx=\"1\" context=\"active\" label=\"Speeddial\" perm=\"RW\">dest v</fkey>\n\
         <fkey idx=\"2\" context=\"active\" label=\"Parking\" perm=\"RW\">orbit v</fkey>\n\
         <fkey idx=\"3\" context=\"active\" label=\"My PArking\" perm=\"RW\">orbit v</fkey>\n\
         <fkey idx=\"5\" context=\"active\" label=\"v\" perm=\"RW\">dest &lt;sip:v@v;user=phone&gt;|*8</fkey>\n</functionKeys>\n\
         <tbook e=\"2\">\n</tbook>\n</settings>\n"
    );
}

#[test]
fn mitel() {
    let cfg = r#""cfg_account":{"l{ACCOUNT}":{"value":" {SIPSECRET}"}},"cfg_base":{"no":{}},"cfg_tone":{"tone":{"value":" 1"}}"#;
    let text = render(Brand::Mitel, "v", "json2plain", cfg);
    let expected = "l1: v\nl2: v\ntone: 1\n\nprgkey1 type: blf\nprgkey1 label: v\nprgkey1 value: v\nprgkey1 line: 0\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.ends_with(
        "expmod1 key2 type: blf\nexpmod1 key2 label: My Parking\nexpmod1 key2 value: v\nexpmod1 key2 line: 0\n\
         expmod1 key4 type: blf\nexpmod1 key4 label: v\nexpmod1 key4 value: v\nexpmod1 key4 line: 0\n"
    ));
}

#[test]
fn yealink() {
    let cfg = r#""cfg_account":{"account.{ACCOUNT}.p":{"value":"{SIPSECRET}"}},"cfg_key":{"k":{"value":"1"}}"#;
    let text = render(Brand::Yealink, "v", "json2plain", cfg);
    let expected =
        "#!version:1.0.0.1\naccount.1.p = v\n#!version:1.0.0.1\naccount.2.p = v\nk = 1\nlinekey.1.type = 16\n\
                    linekey.1.line = 1\nlinekey.1.value = v\nlinekey.1.label = v v\nlinekey.1.extension = %NULL%\n\
                    linekey.1.pickup_value = *8\nlinekey.2.type = 13\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("\nexpansion_module.1.key.1.type = 56\n"), "{text}");
}

#[test]
fn boot_files_have_no_account_in_them() {
    let memory = memory("secret", "json2plain", &plain_cfg().replace("{NAME}", "{PROV_SERVER_URL}{NAME}"));
    for (brand, host) in [(Brand::Mitel, "prov.example"), (Brand::Yealink, "{PROV_SERVER_URL}")] {
        let text = String::from_utf8(boot(&phone(brand, &memory, "prov.example")).body).unwrap();
        assert!(text.contains(host) && !text.contains("secret"), "{text}");
    }
}

fn well_formed(xml: &str) -> Result<(), quick_xml::Error> {
    let mut reader = quick_xml::Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut depth = 0usize;
    loop {
        match reader.read_event()? {
            quick_xml::events::Event::Start(tag) => {
                depth += 1;
                for attribute in tag.attributes() {
                    attribute?.unescape_value()?;
                }
            }
            quick_xml::events::Event::End(_) => depth -= 1,
            quick_xml::events::Event::Text(text) => {
                quick_xml::escape::unescape(std::str::from_utf8(&text).unwrap()).map_err(quick_xml::Error::from)?;
                assert!(depth > 0 || text.iter().all(u8::is_ascii_whitespace));
            }
            quick_xml::events::Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

const XML: &str = r#""cfg_account":{"p":{"@attributes":{"a":"NAMES"},"@value":"NAMES"}},"cfg_base":{"c":{"@cdata":"NAMES"}},"cfg_tone":{"t":"NAMES"}"#;

/// Holds for every value a customer can write, in every field.
fn holds(value: &str) -> Result<(), proptest::test_runner::TestCaseError> {
    let xml = render(Brand::Snom, value, "json2xml", &XML.replace("NAMES", NAMES));
    proptest::prop_assert!(well_formed(&xml).is_ok(), "{}", xml);
    for brand in [Brand::Snom, Brand::Mitel, Brand::Yealink] {
        let lines = |value: &str| {
            let text = render(brand, value, "json2plain", &plain_cfg());
            let names = text.split(['\n', '\r', '\u{b}', '\u{c}', '\u{85}']).map(|line| {
                let end = line.find([':', '=']).unwrap_or(line.len());
                line.get(..end).unwrap_or_default().trim().to_string()
            });
            names.collect::<Vec<_>>()
        };
        proptest::prop_assert_eq!(lines(value), lines("v"));
    }
    Ok(())
}

#[test]
fn hostile_values() {
    let long = "é<&\"'😀".repeat(400);
    for value in [
        "<&\"'",
        "]]>",
        "$1",
        "${1}",
        "\\1\\\\",
        "{MAC}",
        "{{SIPSECRET}}",
        "a\nadmin password: 1",
        "a\r\nb = 1",
        "\u{b}x: 1",
        "\0",
        "\u{85}b: 1",
        "😀",
        "\u{fffe}",
        "<!--",
        "-->",
        "&#0;",
        "",
        " ",
        "en-US",
        "Europe/Zurich",
        &long,
    ] {
        holds(value).unwrap_or_else(|e| panic!("{value:?}: {e}"));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]
    #[test]
    fn any_value(value in ".{0,40}|[<>&\"'{}\\[\\]$\\\\\\r\\n:= A-Z_]{0,40}") {
        holds(&value)?;
    }
}
