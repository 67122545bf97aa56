use super::*;
use crate::proto::url::rewrite;

pub(in crate::proto::url) const ROUTER: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(192, 168, 1, 1), 8480);
pub(in crate::proto::url) const SNOM: Values<'static> =
    Values { mac: Some(Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc])), model: None, version: None, ip: None };

pub(in crate::proto::url) fn mapping(template: &str, upstream: &str, provpass: &str) -> Mapping {
    Mapping::new("snom", &Template::parse(template).unwrap(), upstream, provpass).unwrap()
}

fn snom() -> Mapping {
    mapping("{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}", "https://Prov.example.net", "pa/ss wörd")
}

#[test]
fn the_default_snom() {
    let m = snom();
    assert_eq!(m.origin(), "https://prov.example.net:443");
    assert_eq!(m.entry(&SNOM, ROUTER), "http://192.168.1.1:8480/snom/settings.php?mac=000413aabbcc");
    assert_eq!(m.entry(&Values::default(), ROUTER), "http://192.168.1.1:8480/snom/settings.php?mac={mac}");
    let secret = "pass=pa%2Fss%20w%C3%B6rd";
    for (rest, url) in [
        ("settings.php?mac=000413AABBCC", format!("/prov/snom/settings.php?mac=000413AABBCC&{secret}")),
        ("settings.php?mac=1&pass=guess", format!("/prov/snom/settings.php?mac=1&{secret}")),
        ("settings.php?pass&mac=1&p%61ss=x;pass=", format!("/prov/snom/settings.php?{secret}&mac=1&{secret};{secret}")),
        ("settings.php", format!("/prov/snom/settings.php?{secret}")),
        ("settings.php?", format!("/prov/snom/settings.php?{secret}")),
        ("firmware.php?pass=&x=%20", format!("/prov/snom/firmware.php?{secret}&x=%20")),
        ("firmware.php?x", "/prov/snom/firmware.php?x".into()),
        ("lang/settings.php", "/prov/snom/lang/settings.php".into()),
        ("-/prov/snom/settings.php?a", format!("/prov/snom/settings.php?a&{secret}")),
        ("-/other/settings.php?a=b;c", "/other/settings.php?a=b;c".into()),
        ("-//x", "//x".into()),
        ("-", "/".into()),
        ("-?x", "/?x".into()),
        ("-x", "/prov/snom/-x".into()),
        ("", "/prov/snom/".into()),
    ] {
        assert_eq!(m.upstream_url(rest, &SNOM), Ok(format!("https://prov.example.net{url}")), "{rest}");
    }
    for rest in ["a b", "a#b", "ä", "a\r\nb"] {
        assert_eq!(m.upstream_url(rest, &SNOM), Err(MapError::Target));
    }
    assert!(!format!("{m:?}").contains("pa/ss"));
}

#[test]
fn the_default_mitel() {
    let m = Mapping::new("mitel", &Template::parse("{upstream}/prov/mitel").unwrap(), "http://h:8080/", "").unwrap();
    assert_eq!(m.entry(&SNOM, ROUTER), "http://192.168.1.1:8480/mitel/mitel");
    assert_eq!(m.upstream_url("mitel", &SNOM).unwrap(), "http://h:8080/prov/mitel");
    // what a phone makes of the entry URL, which to it is a folder
    assert_eq!(m.upstream_url("mitel/00085DAABBCC.cfg", &SNOM).unwrap(), "http://h:8080/prov/mitel/00085DAABBCC.cfg");
    assert_eq!(
        m.lan_url("http://h:8080/prov/mitel/x", ROUTER, &SNOM).unwrap(),
        "http://192.168.1.1:8480/mitel/mitel/x"
    );
}

#[test]
fn directories_with_placeholders() {
    let m = mapping("{upstream}/p/{provpass}/{MAC}/{model}.cfg", "https://h/t", "s3cr&t");
    assert_eq!(m.entry(&SNOM, ROUTER), "http://192.168.1.1:8480/snom/.cfg");
    assert_eq!(m.upstream_url("x.cfg", &SNOM).unwrap(), "https://h/t/p/s3cr%26t/000413AABBCC/x.cfg");
    assert_eq!(m.upstream_url("x.cfg", &Values::default()), Err(MapError::Unknown("{MAC}")));
    for url in ["https://h/t/p/s3cr%26t/000413aabbcc/a?b", "http://H/t/p/s3cr&t/000413AABBCC/a?b"] {
        assert_eq!(m.lan_url(url, ROUTER, &SNOM).unwrap(), "http://192.168.1.1:8480/snom/a?b");
    }
    assert_eq!(m.lan_url("http://other/t/p", ROUTER, &SNOM), None);
    assert_eq!(m.lan_url("/t/p", ROUTER, &SNOM), None);
}

#[test]
fn a_folder_url_makes_each_file_an_entry() {
    let m = mapping("{upstream}/prov/?key={provpass}", "https://h", "secret");
    assert_eq!(m.entry(&SNOM, ROUTER), "http://192.168.1.1:8480/snom/");
    assert_eq!(m.upstream_url("cfg000413aabbcc.xml", &SNOM).unwrap(), "https://h/prov/cfg000413aabbcc.xml?key=secret");
    assert_eq!(m.upstream_url("fw/x.bin", &SNOM).unwrap(), "https://h/prov/fw/x.bin");
}

#[test]
fn the_phone_fills_the_file_name() {
    let m = mapping("{upstream}/c/{model}-{mac}.cfg?k={provpass}", "https://h", "secret");
    for (rest, entry) in [
        ("D785-000413AABBCC.cfg", true),
        ("-.cfg", true),
        ("a.cfg-.cfg", true),
        ("D785.cfg", false),
        ("a-b.cfgs", false),
    ] {
        let url = m.upstream_url(rest, &SNOM).unwrap();
        assert_eq!(url.ends_with("?k=secret"), entry, "{rest}");
    }
}

#[test]
fn targets_for_names_and_logs() {
    let m = snom();
    for (rest, clean) in [
        ("settings.php?mac=1", "settings.php?mac=1"),
        ("settings.php?mac=1&pass=old", "settings.php?mac=1"),
        ("settings.php?pass=old&mac=1", "settings.php?mac=1"),
        ("settings.php?pass=old", "settings.php"),
        ("settings.php?mac=1&x=pa%2fss+w%c3%b6rd", "settings.php?mac=1&x="),
        ("fw.php?a&pass=old&b", "fw.php?a&pass=&b"),
        ("fw.php?a&pass=&b", "fw.php?a&pass=&b"),
        ("-/prov/snom/settings.php?pass=old", "-/prov/snom/settings.php?pass="),
        ("fw.php", "fw.php"),
    ] {
        assert_eq!(m.lan_target(rest), clean, "{rest}");
        assert_eq!(m.lan_target(clean), clean);
    }
    let mac = Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]);
    for (target, name) in [
        ("settings.php?mac=000413AABBCC", "settings.php?mac={mac}"),
        ("00:04:13:aa:bb:cc/00%3a04%3A13%3aaa%3abb%3acc-000413aabbcc.cfg", "{mac}/{mac}-{mac}.cfg"),
        ("000413aabbcd-000413aabbcc", "000413aabbcd-{mac}"),
        ("y000000000028.cfg", "y000000000028.cfg"),
        ("", ""),
    ] {
        assert_eq!(resource_name(target, mac), name);
    }
}

#[test]
fn refused() {
    let parsed = |t: &str| Template::parse(t).unwrap();
    for (template, upstream, provpass, says) in [
        ("{upstream}/x", "", "", "option upstream"),
        ("{upstream}/x", "prov.example.net", "", "option upstream"),
        ("{upstream}/x", "https://h/?x", "", "without a ?"),
        ("{upstream}/x", "https://h/../x", "", "option upstream"),
        ("{upstream}/my-secret.cfg", "https://h", "secret", "file name"),
        ("{upstream}/x?secret", "https://h", "secret", "name={provpass}"),
    ] {
        let error = Mapping::new("snom", &parsed(template), upstream, provpass).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    assert!(Mapping::new("../x", &parsed("{upstream}"), "http://h", "").is_err());
    // typed in instead of the placeholder
    let m = mapping("{upstream}/secret/x?a=my-secret&b=c", "https://h", "secret");
    assert_eq!(m.entry(&SNOM, ROUTER), "http://192.168.1.1:8480/snom/x?b=c");
    assert_eq!(m.upstream_url("x?b=c", &SNOM).unwrap(), "https://h/secret/x?b=c&a=my-secret");
}

proptest::proptest! {
    /// The phone asks for what it was told, and the upstream sees what the template says.
    #[test]
    fn round_trip(
        directory in "(/[a-z]{1,4}|/\\{provpass\\}|/\\{mac\\}){0,3}/",
        last in "([a-z]{1,4}|\\{mac\\}|\\{MAC\\}|\\{model\\}){0,2}",
        before in "([a-z]=[0-9]|[a-z]=\\{mac:\\}){0,1}",
        secret in proptest::bool::ANY,
        provpass in "[A-Z0-9 /&;=%\"ö]{6,12}",
    ) {
        let mut query: Vec<&str> = if before.is_empty() { vec![] } else { vec![&before] };
        if secret {
            query.push("key={provpass}");
        }
        let mut template = format!("{{upstream}}{directory}{last}");
        if !query.is_empty() {
            template.push('?');
            template.push_str(&query.join("&"));
        }
        let values = Values { model: Some("D785"), ..SNOM };
        let parsed = Template::parse(&template).unwrap();
        let m = Mapping::new("snom", &parsed, "https://h:444/t", &provpass).unwrap();
        let entry = m.entry(&values, ROUTER);
        let rest = entry.strip_prefix("http://192.168.1.1:8480/snom/").unwrap();
        let whole = parsed.expand("https://h:444/t", &provpass, "snom", &values);
        proptest::prop_assert_eq!(m.upstream_url(rest, &values).unwrap(), whole.clone());
        proptest::prop_assert!(!crate::proto::url::redact(&entry, &[&provpass]).contains("***"));
        // and back again
        let lan = m.lan_url(&whole, ROUTER, &values).unwrap();
        proptest::prop_assert_eq!(lan, entry);
    }

    #[test]
    fn total(rest in "[ -~é]{0,30}|(-|/|pass|=|&|;|\\?|settings.php|%61|000413aabbcc){0,10}") {
        let m = snom();
        let clean = m.lan_target(&rest).into_owned();
        proptest::prop_assert_eq!(m.lan_target(&clean), clean.clone());
        let _ = resource_name(&rest, Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]));
        if let Ok(url) = m.upstream_url(&rest, &SNOM) {
            let parts = Parts::parse(&url).unwrap();
            proptest::prop_assert_eq!(parts.origin(), m.origin());
            let lan = String::from_utf8(rewrite(url.as_bytes(), &[&m], ROUTER, &SNOM).unwrap()).unwrap();
            proptest::prop_assert!(!crate::proto::url::redact(&lan, &["pa/ss wörd"]).contains("***"), "{}", lan);
        }
    }
}

#[test]
fn a_folder_without_its_slash_is_found_both_ways() {
    let template = Template::parse("{upstream}/prov/mitel").unwrap();
    let m = Mapping::new("mitel", &template, "http://prov.example.net", "secret99").unwrap();
    let values = Values::default();
    for (asked, upstream) in [
        ("mitel/aastra.cfg", "/prov/mitel/aastra.cfg"),
        ("aastra.cfg", "/prov/mitel/aastra.cfg"),
        ("sub/x.cfg?a=1", "/prov/mitel/sub/x.cfg?a=1"),
        ("mitel", "/prov/mitel"),
        ("mitel?x", "/prov/mitel?x"),
        ("mitelx", "/prov/mitel/mitelx"),
        ("-/other/x", "/other/x"),
    ] {
        let target = m.lan_target(asked);
        assert_eq!(m.lan_target(&target), target, "{asked}: canonical");
        assert_eq!(m.upstream_url(&target, &values).unwrap(), format!("http://prov.example.net{upstream}"));
    }
}
