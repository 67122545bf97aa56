use super::super::mapping::test::{mapping, ROUTER, SNOM};
use super::*;

fn snom() -> Mapping {
    mapping("{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}", "https://prov.example.net:8443", "s3cr&t")
}

fn rewritten(text: &str) -> Option<String> {
    rewrite(text.as_bytes(), &[&snom()], ROUTER, &SNOM).map(|b| String::from_utf8(b).unwrap())
}

const LAN: &str = "http://192.168.1.1:8480/snom";

#[test]
fn urls_of_the_upstream() {
    for (text, expected) in [
        ("x: https://prov.example.net:8443/prov/snom/a.xml\r\n", "x: {}/a.xml\r\n"),
        ("<a b=\"HTTP://PROV.example.NET/prov/snom/a.xml\"/>", "<a b=\"{}/a.xml\"/>"),
        ("'http://prov.example.net:443/other/b?c=d#e'", "'{}/-/other/b?c=d#e'"),
        ("http://prov.example.net", "{}/-"),
        ("http://prov.example.net:/", "{}/-/"),
        ("http://prov.example.net?pass=x", "{}/-?pass="),
        ("(http://prov.example.net/prov/snom)", "({}/-/prov/snom)"),
        ("http://prov.example.net/prov/snom/-/x", "{}/-/prov/snom/-/x"),
        ("http://prov.example.net/prov/snom/-\n", "{}/-/prov/snom/-\n"),
        ("http://prov.example.net/prov/snom/", "{}/"),
        ("a http://prov.example.net/a,https://prov.example.net/b", "a {}/-/a,{}/-/b"),
        ("http://http://prov.example.net/b", "http://{}/-/b"),
        ("http://x/?u=http://prov.example.net/b", "http://x/?u={}/-/b"),
    ] {
        assert_eq!(rewritten(text).as_deref(), Some(expected.replace("{}", LAN).as_str()), "{text}");
    }
}

#[test]
fn the_secret_goes() {
    for (query, expected) in [
        ("mac={mac}&pass=s3cr%26t", "mac={mac}&pass="),
        ("pass=anything&amp;mac=1", "pass=&amp;mac=1"),
        ("mac=1&amp;pass=x", "mac=1&amp;pass="),
        ("mac=1&#38;pass=x;y=z", "mac=1&#38;pass=;y=z"),
        ("pass=s3cr&t&mac=1", "pass=&mac=1"),
        ("pass=s3cr&amp;t&amp;mac=1", "pass=&amp;mac=1"),
        ("pass=s3cr%26tail)", "pass=)"),
        ("k=s3cr%26t&l=s3cr%26ta", "k=&l=s3cr%26ta"),
        ("p%61ss=x=y&pass", "p%61ss=&pass"),
        ("n=O'Brien(x)&pass=y' pass=z", "n=O'Brien(x)&pass=' pass=z"),
        ("passing=x&a=b?pass=y", "passing=x&a=b?pass=y"),
        ("u=http://prov.example.net/?pass=x&pass=y", "u={}/-/?pass=&pass="),
        ("n=J\u{f6}rg&pass=x", "n=J\u{f6}rg&pass="),
    ] {
        let text = format!("http://prov.example.net/prov/snom/x?{query}");
        assert_eq!(rewritten(&text), Some(format!("{LAN}/x?{expected}").replace("{}", LAN)), "{query}");
    }
}

#[test]
fn all_else_stays() {
    for text in [
        "",
        "nothing",
        "prov.example.net",
        "http://prov.example.net.evil.com/",
        "http://evil-prov.example.net/",
        "http://prov.example.net@evil.com/",
        "http://u:p@prov.example.net/",
        "http://prov.example.net:81/?pass=x",
        "http://prov.example.net:84430/",
        "http://prov.example.net:99999999/",
        "ftp://prov.example.net/",
        "http:/prov.example.net/",
        "http://",
        "http://[::1",
        "http://192.168.1.1:8480/snom/x?pass=y",
        "http://prov.example.net/\0",
    ] {
        assert_eq!(rewritten(text), None, "{text}");
    }
    let latin1 = b"name: J\xf6rg\nurl: http://prov.example.net/\xff?pass=\xfe&x=\xfd\n\xfc";
    let expected = b"name: J\xf6rg\nurl: http://192.168.1.1:8480/snom/-/\xff?pass=&x=\xfd\n\xfc";
    assert_eq!(rewrite(latin1, &[&snom()], ROUTER, &SNOM).unwrap(), expected);
    assert_eq!(rewrite(b"http://prov.example.net", &[], ROUTER, &SNOM), None);
}

#[test]
fn several_vendors_and_one_machine() {
    let mitel = Mapping::new(
        "mitel",
        &super::super::Template::parse("{upstream}/prov/mitel/").unwrap(),
        "http://prov.example.net",
        "",
    )
    .unwrap();
    let text = b"http://prov.example.net/prov/mitel/a http://prov.example.net/b";
    let out = rewrite(text, &[&snom(), &mitel], ROUTER, &SNOM).unwrap();
    assert_eq!(out, b"http://192.168.1.1:8480/mitel/a http://192.168.1.1:8480/snom/-/b");
    let local = mapping("{upstream}/x/", "http://192.168.1.1", "");
    let once = rewrite(b"http://192.168.1.1/x/y", &[&local], ROUTER, &SNOM).unwrap();
    assert_eq!(once, b"http://192.168.1.1:8480/snom/y");
    let on_80 = SocketAddrV4::new(*ROUTER.ip(), 80);
    assert_eq!(rewrite(b"http://192.168.1.1/x/y", &[&local], on_80, &SNOM), None);
    assert!(snom().contains_secret(b"a s3cr&t b"));
    assert!(!snom().contains_secret(b"a s3cr&"));
    assert!(!mapping("{upstream}/x", "http://h", "short").contains_secret(b"short"));
}

#[test]
fn linear() {
    // each of these made a naive scanner look at the same bytes again and again
    for part in [
        "http://prov.example.net?",
        "http://prov.example.net/?a=",
        "http://",
        "&pass=",
        "h",
        "https://prov.example.net:",
        "=?&;",
    ] {
        let body = format!("http://prov.example.net/?{}", part.repeat(1_000_000 / part.len()));
        let start = std::time::Instant::now();
        let _ = rewrite(body.as_bytes(), &[&snom()], ROUTER, &SNOM);
        assert!(start.elapsed().as_secs() < 10, "{part}");
    }
}

proptest::proptest! {
    #[test]
    fn total_idempotent_bounded(
        bytes in proptest::collection::vec(1u8..=255, 0..60),
        parts in "(http://|HTTPS://|prov\\.example\\.net|:8443|:80|/prov/snom/|/|\\?|&|&amp;|;|=|pass|mac|s3cr%26t|s3cr&t|#|@|\"|\\)| |-|x){0,25}",
    ) {
        let m = snom();
        let _ = rewrite(&bytes, &[&m], ROUTER, &SNOM);
        let body = parts.as_bytes();
        match rewrite(body, &[&m], ROUTER, &SNOM) {
            None => {
                // only left alone where the host does not follow a scheme
                let lower = parts.to_ascii_lowercase();
                let plain = ["http://prov.example.net/", "https://prov.example.net/", "http://prov.example.net:8443/"];
                proptest::prop_assert!(!plain.iter().any(|p| lower.contains(p)), "{}", parts);
            }
            Some(out) => {
                proptest::prop_assert_eq!(rewrite(&out, &[&m], ROUTER, &SNOM), None);
                let matches = parts.to_ascii_lowercase().matches("prov.example.net").count();
                proptest::prop_assert!(out.len() <= body.len() + matches * (25 + "snom".len()));
                let text = String::from_utf8(out).unwrap();
                for url in text.split(LAN).skip(1) {
                    let url = url.split([' ', '"']).next().unwrap();
                    for (at, _) in url.match_indices("pass=") {
                        let starts = url[..at].ends_with(['&', ';', '#']) || (url[..at].ends_with('?') && url[..at].matches('?').count() == 1);
                        let value = &url[at + 5..];
                        let query = url[..at].contains('?');
                        proptest::prop_assert!(!(starts && query) || value.is_empty() || value.starts_with(['&', ';', '#', ')']), "{} in {}", url, text);
                    }
                }
            }
        }
    }
}

#[test]
fn the_entry_url_reads_as_pnp_has_it() {
    let m = mapping("{upstream}/prov/x.php?a=1&pass={provpass}&tok={provpass}", "http://prov.example.net", "s3cret");
    let lan = |query: &str| {
        let body = format!("<u>http://prov.example.net/prov/x.php?{query}</u>");
        let out = rewrite(body.as_bytes(), &[&m], ROUTER, &SNOM).unwrap();
        let out = String::from_utf8(out).unwrap();
        let rest = out.strip_prefix("<u>http://192.168.1.1:8480/snom/x.php").unwrap();
        rest.strip_suffix("</u>").unwrap().to_string()
    };
    assert_eq!(lan("a=1&amp;pass=s3cret&amp;tok=s3cret"), "?a=1");
    assert_eq!(lan("pass=s3cret&amp;a=1"), "?a=1");
    assert_eq!(lan("pass=s3cret"), "");
    assert_eq!(lan("pass=s3cret&tok=x&a=1&b=pass"), "?a=1&b=pass");
    assert_eq!(lan("pass=&amp;a=1&amp;tok="), "?a=1");
    assert_eq!(lan("a=1;pass=s3cret;b=2"), "?a=1;b=2");
}

#[test]
fn the_password_goes_out_of_other_hosts_urls_too() {
    let m = mapping("{upstream}/p?pass={provpass}", "http://prov.example.net", "s3cret-word");
    let out = |body: &str| rewrite(body.as_bytes(), &[&m], ROUTER, &SNOM).map(|b| String::from_utf8(b).unwrap());
    let old = |value: &str| format!("<u>http://old.example.net/p?a=1&amp;pass={value}&amp;b=2</u>");
    assert_eq!(out(&old("s3cret-word")), Some(old("")));
    assert_eq!(out(&old("s3cret%2Dword")), Some(old("")));
    assert_eq!(out(&old("s3cret-words")), None, "another value");
    assert_eq!(out(&old("")), None);
    assert_eq!(out("admin_pass: s3cret-word"), None, "what is no URL is the phone's own business");
    let short = mapping("{upstream}/p?pass={provpass}", "http://prov.example.net", "1");
    assert_eq!(rewrite(old("1").as_bytes(), &[&short], ROUTER, &SNOM), None, "too short to be known by its looks");
}
