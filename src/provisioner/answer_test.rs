use super::super::json::Json;
use super::super::memory::{Memory, TEMPLATES};
use super::*;
use crate::proto::http::{parse_request, Parsed};

const SNOM: &str = "Mozilla/4.0 (compatible; snom370-SIP 8.7.5.35)";
const MITEL: &str = "Aastra6731i MAC:00-08-5D-AA-BB-CC V:3.2.2.56-SIP";
const YEALINK: &str = "Yealink SIP-T48G 35.80.0.70 00:15:65:AA:BB:CC";

fn memory() -> Memory {
    let mut memory = Memory::default();
    let mut put = |database: &str, id: &str, json: &str| {
        memory.put(database, id, Json::parse(json.as_bytes()).unwrap()).unwrap();
    };
    for (brand, mac) in
        [("snom", "00:04:13:aa:bb:cc"), ("mitel", "00:08:5d:aa:bb:cc"), ("yealink", "00:15:65:aa:bb:cc")]
    {
        let generator = if brand == "snom" { "json2xml" } else { "json2plain" };
        put(
            TEMPLATES,
            &format!("ui/{brand}/f/m"),
            &format!(
                r#"{{"endpoint_brand":"{brand}","pvt_generator":"{generator}","usr_keys":{{"setable_phone_keys":"4","setable_module_keys":"20"}},
                "cfg_account":{{"line{{ACCOUNT}}":{{"value":"{{SIPSECRET}}"}}}},"cfg_base":{{"base":{{"value":"{{SIPSECRET}}"}}}}}}"#
            )
            .replace("line{ACCOUNT}\":{\"value\":\"{SIPSECRET}\"}", if brand == "snom" { "line\":\"{SIPSECRET}\"" } else { "line{ACCOUNT}\":{\"value\":\"{SIPSECRET}\"}" }),
        );
        for (database, urlpass, enabled) in
            [("account/a", "right", "true"), ("account/b", "other", "true"), ("account/c", "right", "1")]
        {
            put(
                database,
                brand,
                &format!(
                    r#"{{"pvt_type":"device","mac_address":"{mac}","pvt_account_id":"acc","sip":{{"password":"of {database}"}},
                    "provision":{{"endpoint_brand":"{brand}","endpoint_family":"f","endpoint_model":"m"}}}}"#
                ),
            );
            put(
                database,
                "acc",
                &format!(
                    r#"{{"pvt_type":"account","provision":{{"urlpass":"{urlpass}","provision_enabled":{enabled}}}}}"#
                ),
            );
        }
    }
    memory
}

fn request(target: &str, agent: &str) -> Request {
    let text = format!("GET {target} HTTP/1.1\r\nHost: prov.example\r\nUser-Agent: {agent}\r\n\r\n");
    match parse_request(text.as_bytes()) {
        Ok(Parsed::Whole { request, .. }) => request,
        other => panic!("{target}: {other:?}"),
    }
}

fn ask(target: &str, agent: &str) -> (String, Outcome) {
    let answer = Provisioner::default().answer(&request(target, agent), &memory(), Duration::from_secs(100));
    (String::from_utf8(answer.body).unwrap(), answer.outcome)
}

fn refusal(target: &str, agent: &str) -> Option<Refusal> {
    match ask(target, agent) {
        (body, Outcome::Refused(_, why)) if body.is_empty() => Some(why),
        (_, Outcome::Refused(..)) => panic!("{target}: a refusal has no body"),
        _ => None,
    }
}

#[test]
fn every_url_of_the_original() {
    for (target, agent) in [
        ("/prov/snom/settings.php?mac=000413AABBCC&pass=right", SNOM),
        ("/provisioner/prov/snom/settings.php?mac=00:04:13:aa:bb:cc&pass=right", SNOM),
        ("/prov/snom/settings-000413AABBCC.php?pass=right", SNOM),
        ("/prov/snom/settings.php?mac=000413AABBCC&pass=wrong&pass=right", SNOM),
        ("/prov/snom/settings.php?mac=000413AABBCC&pass=r%69ght&phonetyp=snom300", "curl"),
        ("/prov/snom/settings.php?mac=000413AABBCC&pass=right&user_agent=snomD785", "curl"),
        ("/m3/settings/settings.php?phonetyp=snomm3&pass=right", "snom-m3-SIP/01.17 (MAC=000413AABBCC; SER=0)"),
        ("/prov/mitel/00085DAABBCC.cfg?pass=right", MITEL),
        ("/prov/aastra/00085daabbcc.cfg?pass=right", "Mitel6865i"),
        ("/prov/mitel/settings.php?mac=00085DAABBCC&pass=right", MITEL),
        ("/prov/yealink/001565aabbcc.cfg?pass=right", YEALINK),
        ("/prov/yealink/local.cfg?mac=001565aabbcc&pass=right", YEALINK),
        ("/prov/yealink/settings.php?mac=001565aabbcc&pass=right", "Yealink SIP-T48G"),
    ] {
        let (body, outcome) = ask(target, agent);
        assert!(matches!(outcome, Outcome::Config(_, 1)) && body.contains("of account/a"), "{target}: {outcome}");
        assert!(!body.contains("of account/b"), "{target}: the other account has another password");
        assert!(!body.contains("of account/c"), "{target}: enabled is true, and nothing else");
    }
    for target in ["/prov/mitel/aastra.cfg?pass=right", "/prov/mitel/startup.cfg?pass=right"] {
        assert_eq!(ask(target, MITEL), ("base: {SIPSECRET}".to_string(), Outcome::Other), "{target}");
    }
    for (target, file) in [
        ("/prov/", None),
        ("/prov/snom", None),
        ("/m3/x", None),
        ("/prov/tiptel/x.cfg", Some("tiptel/x.cfg")),
        ("/prov/yealink/y000000000028.cfg", Some("yealink/y000000000028.cfg")),
        (
            "/provisioner/prov/snom/firmware/snom370-8.7.3.25-SIP-f.bin",
            Some("snom/firmware/snom370-8.7.3.25-SIP-f.bin"),
        ),
        ("/prov/aastra/lang_de.txt", Some("mitel/lang_de.txt")),
    ] {
        // 404, unless there is such a file
        let outcome = file.map_or(Outcome::NotFound, |name| Outcome::File(name.to_string()));
        assert_eq!(ask(target, SNOM).1, outcome, "{target}");
    }
}

#[test]
fn refusals() {
    for (target, agent, why) in [
        ("/prov/snom/settings.php?mac=000413AABBCC&pass=right", "Mozilla/5.0", Refusal::Agent),
        ("/prov/snom/settings.php?mac=000413AABBCC&pass=right&phonetyp=x", SNOM, Refusal::Agent),
        ("/prov/snom/settings.php?pass=right", SNOM, Refusal::NoMac),
        ("/prov/snom/settings.php?mac=000413AABBCC0&pass=right", SNOM, Refusal::NoMac),
        ("/prov/snom/settings.php?mac=0011AABBCCDD&pass=right", SNOM, Refusal::Oui),
        ("/prov/snom/settings.php?mac=000413AABBCD&pass=right", SNOM, Refusal::Unknown),
        ("/prov/snom/settings.php?mac=000413AABBCC", SNOM, Refusal::Password),
        ("/prov/snom/settings.php?mac=000413AABBCC&pass=", SNOM, Refusal::Password),
        ("/prov/snom/settings.php?mac=000413AABBCC&pass=righ", SNOM, Refusal::Password),
        ("/prov/mitel/00085DAABBCC.cfg", MITEL, Refusal::Password),
        ("/prov/mitel/aastra.cfg?pass=rightright", MITEL, Refusal::Password),
        ("/prov/mitel/aastra.cfg?pass=right", "Aastra6731i", Refusal::NoMac),
        ("/prov/mitel/00085DAABBCD.cfg?pass=right", MITEL, Refusal::OtherMac),
        ("/prov/yealink/settings.php?file=yealink.cfg&mac=001565aabbcc", YEALINK, Refusal::Password),
        ("/prov/yealink/settings.php?pass=right", YEALINK, Refusal::NoMac),
        ("/prov/yealink/.cfg?pass=right", YEALINK, Refusal::NoMac),
    ] {
        assert_eq!(refusal(target, agent), Some(why), "{target}");
    }
}

#[test]
fn the_pause_begins_with_an_answer_alone() {
    let memory = memory();
    let mut provisioner = Provisioner::default();
    let mut at = |target: &str, seconds| {
        let answer = provisioner.answer(&request(target, MITEL), &memory, Duration::from_secs(seconds));
        (answer.status, answer.outcome)
    };
    let mac = Mac([0, 8, 0x5d, 0xaa, 0xbb, 0xcc]);
    let config = "/prov/mitel/00085DAABBCC.cfg?pass=right";
    assert!(matches!(at("/prov/mitel/00085DAABBCC.cfg?pass=wrong", 100), (200, Outcome::Refused(..))));
    assert_eq!(at("/prov/mitel/startup.cfg?pass=right", 100), (200, Outcome::Other));
    assert_eq!(at(config, 100), (200, Outcome::Config(mac, 1)));
    assert_eq!(at(config, 105), (200, Outcome::Refused(Some(mac), Refusal::TooSoon)));
    assert_eq!(at("/prov/mitel/startup.cfg?pass=right", 105), (200, Outcome::Other));
    assert_eq!(at(config, 106), (200, Outcome::Config(mac, 1)));
}

#[test]
fn passwords() {
    for (given, right, fits) in [
        ("a", "a", true),
        ("a", "b", false),
        ("a", "ab", false),
        ("ab", "a", false),
        ("1e3", "1000", false),
        ("", "a", false),
    ] {
        assert_eq!(same(given, right), fits, "{given} {right}");
    }
}

#[test]
fn the_admin_needs_no_password() {
    let memory = memory();
    let all = phone(&memory, None, Mac([0, 8, 0x5d, 0xaa, 0xbb, 0xcc]), ("h", ""), Access::All).ok().unwrap();
    assert_eq!((all.brand, all.lines.len()), (Brand::Mitel, 3));
}

#[test]
fn a_phone_has_only_so_many_lines() {
    let mut memory = memory();
    let lines = |memory: &Memory| {
        let mac = Mac([0, 8, 0x5d, 0xaa, 0xbb, 0xcc]);
        phone(memory, None, mac, ("h", ""), Access::All).ok().unwrap().lines.len()
    };
    for n in lines(&memory)..bounds::PROVISIONER_LINES + 2 {
        assert_eq!(lines(&memory), n.min(bounds::PROVISIONER_LINES));
        let device = r#"{"pvt_type":"device","mac_address":"00085daabbcc","pvt_account_id":"acc",
            "provision":{"endpoint_brand":"mitel","endpoint_family":"f","endpoint_model":"m"}}"#;
        memory.put("account/a", &format!("more{n}"), Json::parse(device.as_bytes()).unwrap()).unwrap();
    }
    assert_eq!(lines(&memory), bounds::PROVISIONER_LINES);
}

#[test]
fn the_host_cannot_bring_anything_else_along() {
    assert_eq!(host("[fe80::1]:80"), "[fe80::1]:80");
    assert_eq!(host("a\"b"), "");
    assert_eq!(host("a/b"), "");
}

proptest::proptest! {
    #[test]
    fn any_request(target in "/(prov|m3|ui|phones|provisioner)?/?(snom|mitel|yealink)?/?[!-~]{0,60}", agent in "[ -~]{0,60}") {
        let text = format!("GET {target} HTTP/1.1\r\nHost: h\r\nUser-Agent: {agent}\r\n\r\n");
        if let Ok(Parsed::Whole { request, .. }) = parse_request(text.as_bytes()) {
            let answer = Provisioner::default().answer(&request, &memory(), Duration::ZERO);
            let secret = String::from_utf8_lossy(&answer.body).contains("of account");
            proptest::prop_assert!(!secret || target.contains("right") || target.contains("other"));
        }
    }
}

#[test]
fn an_address_cannot_try_any_number_of_passwords() {
    let mut provisioner = Provisioner::default();
    let now = Duration::from_secs(100);
    let mut ask = |from: &str, mac: &str, pass: &str| {
        let target = format!("/prov/mitel/{mac}.cfg?pass={pass}");
        let from = Some(from.parse().unwrap());
        provisioner.answer_to(from, &request(&target, MITEL), &memory(), now).outcome
    };
    let refused = |outcome: Outcome| match outcome {
        Outcome::Refused(_, why) => Some(why),
        _ => None,
    };
    for _ in 0..bounds::PROVISIONER_GUESSES {
        assert_eq!(refused(ask("192.0.2.1", "00085DAABBCC", "wrong")), Some(Refusal::Password));
    }
    for pass in ["wrong", "right"] {
        assert_eq!(refused(ask("192.0.2.1", "00085DAABBCC", pass)), Some(Refusal::Guesses), "{pass}");
    }
    assert_eq!(refused(ask("192.0.2.2", "00085DAABBCC", "right")), None, "nobody else is locked out");
}
