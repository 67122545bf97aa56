//! The provisioner: a document and a request become an answer. The input is a JSON document, an empty line, and a request (or text to be
//! imported). The document takes the place of the account, the owner, the device or the template of a phone; which of them, the
//! length of the request says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::proto::http::{parse_request, Parsed, Request};
use phoneprov::provisioner::answer::{Outcome, Provisioner};
use phoneprov::provisioner::import::rules::Rules;
use phoneprov::provisioner::import::{lines, tree_of};
use phoneprov::provisioner::json::Json;
use phoneprov::provisioner::memory::{Memory, TEMPLATES};
use std::time::Duration;

const DEVICE: &str = r#"{"pvt_type":"device","mac_address":"MAC","pvt_account_id":"acc","owner_id":"user","sip":{"username":"u","password":"p"},
    "provision":{"endpoint_brand":"BRAND","endpoint_family":"f","endpoint_model":"m","feature_keys":{"1":{"type":"presence","value":"user"},"9":{"type":"parking","value":"*3"}}}}"#;
const TEMPLATE: &str = r#"{"endpoint_brand":"BRAND","pvt_generator":"json2GENERATOR","usr_keys":{"setable_phone_keys":"4"},
    "cfg_account":{"a":{"@attributes":{"k":"{SIPSECRET}"},"@value":"{SIPCALLERID}","value":"{INTERNAL}"}},"cfg_base":{"b":{"@cdata":"{PROVPASS}","value":"{TX}"}}}"#;
const ACCOUNT: &str = r#"{"pvt_type":"account","realm":"r","provision":{"provision_enabled":true,"urlpass":"right"}}"#;
const USER: &str = r#"{"pvt_type":"user","last_name":"l","first_name":"f","presence_id":"1"}"#;

fn memory() -> Memory {
    let mut memory = Memory::default();
    let mut put = |database: &str, id: &str, json: &str| {
        memory.put(database, id, Json::parse(json.as_bytes()).unwrap()).unwrap();
    };
    for (brand, mac, generator) in
        [("snom", "000413aabbcc", "xml"), ("mitel", "00085daabbcc", "plain"), ("yealink", "001565aabbcc", "plain")]
    {
        put("account/a", brand, &DEVICE.replace("MAC", mac).replace("BRAND", brand));
        let template = TEMPLATE.replace("GENERATOR", generator).replace("BRAND", brand);
        put(TEMPLATES, &format!("ui/{brand}/f/m"), &template);
    }
    put("account/a", "acc", ACCOUNT);
    put("account/a", "user", USER);
    memory
}

fn request(target: &str, agent: &str) -> Request {
    let text = format!("GET {target} HTTP/1.1\r\nHost: h\r\nUser-Agent: {agent}\r\n\r\n");
    match parse_request(text.as_bytes()) {
        Ok(Parsed::Whole { request, .. }) => request,
        other => panic!("{other:?}"),
    }
}

fn check(request: &Request, memory: &Memory) {
    let answer = Provisioner::default().answer(request, memory, Duration::from_secs(100));
    assert!(matches!(answer.status, 200 | 404));
    if let Outcome::Refused(..) = answer.outcome {
        assert!(answer.body.is_empty());
    }
    let is_xml = answer.headers.iter().any(|(name, value)| *name == "Content-Type" && value.starts_with("text/xml"));
    if is_xml {
        let text = std::str::from_utf8(&answer.body).unwrap();
        let mut reader = quick_xml::Reader::from_str(text);
        let mut depth = 0;
        loop {
            match reader.read_event().unwrap() {
                quick_xml::events::Event::Start(tag) => {
                    depth += 1;
                    tag.attributes().for_each(|a| _ = a.unwrap().unescape_value().unwrap());
                }
                quick_xml::events::Event::End(_) => depth -= 1,
                quick_xml::events::Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(depth, 0);
    }
}

fuzz_target!(|input: &[u8]| {
    let at = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let (document, rest) = (&input[..at], input.get(at + 2..).unwrap_or_default());
    let text = String::from_utf8_lossy(rest);

    for rules in ["snom", "mitel", "yealink"].into_iter().filter_map(Rules::of) {
        let rules = Rules::read(rules).unwrap();
        let _ = rules.plain(&lines(&text, ":"));
        if let Ok(tree) = tree_of(&text) {
            let _ = rules.xml(&tree);
        }
    }
    let _ = Rules::read(&text);

    let mut requests = vec![
        request("/prov/snom/settings.php?mac=000413aabbcc&pass=right", "snom370"),
        request("/prov/mitel/00085DAABBCC.cfg?pass=right", "Aastra"),
        request("/prov/yealink/001565aabbcc.cfg?pass=right", "Yealink"),
        request("/ui/snom/f/m", ""),
        request("/phones", ""),
    ];
    if let Ok(Parsed::Whole { request, .. }) = parse_request(rest) {
        requests.push(request);
    }
    let Ok(document) = Json::parse(document) else { return };
    assert_eq!(Json::parse(document.to_ascii().as_bytes()).as_ref(), Ok(&document));
    for (database, id) in [
        ("account/a", "acc"),
        ("account/a", "user"),
        ("account/a", "snom"),
        (TEMPLATES, "ui/snom/f/m"),
        (TEMPLATES, "ui/mitel/f/m"),
    ] {
        let mut memory = memory();
        let _ = memory.put(database, id, document.clone());
        requests.iter().for_each(|request| check(request, &memory));
        memory.remove(database, id);
        requests.iter().for_each(|request| check(request, &memory));
    }
});
