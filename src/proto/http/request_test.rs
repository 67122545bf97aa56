use super::*;

fn whole(text: &str) -> Request {
    match parse_request(text.as_bytes()) {
        Ok(Parsed::Whole { request, head_len }) => {
            assert_eq!(head_len, text.len(), "{text:?}");
            request
        }
        other => panic!("{text:?}: {other:?}"),
    }
}

fn status(text: &str) -> u16 {
    match parse_request(text.as_bytes()) {
        Err(e) => e.status(),
        Ok(other) => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn a_snom_asks() {
    let text = "GET /snom/settings.php?mac=000413AABBCC HTTP/1.1\r\nHost: 192.168.1.1:8480\r\nUser-Agent: Mozilla/4.0 \
                (compatible; snom370-SIP 8.7.5.35)\r\nAccept-Language: en\r\nConnection: close\r\n\r\n";
    let request = whole(text);
    assert_eq!(request.method, Method::Get);
    assert_eq!(request.target, "/snom/settings.php?mac=000413AABBCC");
    assert!(request.http11 && !request.keep_alive);
    assert_eq!(request.body, BodyKind::None);
    assert_eq!(request.headers.len(), 4);
    assert_eq!(request.header("user-agent"), Some("Mozilla/4.0 (compatible; snom370-SIP 8.7.5.35)"));
    assert_eq!(request.header("Range"), None);
    for cut in 0..text.len() {
        assert_eq!(parse_request(&text.as_bytes()[..cut]), Ok(Parsed::Partial), "{cut}");
    }
}

#[test]
fn old_and_odd_phones() {
    let request = whole("GET /mitel/aastra.cfg HTTP/1.0\r\n\r\n");
    assert!(!request.http11 && !request.keep_alive);
    assert!(whole("GET / HTTP/1.0\r\nConnection: Keep-Alive, x\r\n\r\n").keep_alive);
    assert!(whole("\r\n\r\nHEAD / HTTP/1.1\nHost: x\n\n").keep_alive);
    assert_eq!(whole("POST / HTTP/1.1\r\nHost:\r\n\r\n").method, Method::Other("POST".into()));
    let bytes = b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent:  T\xe9l\xe9phone\t\r\n\r\nrest";
    let Ok(Parsed::Whole { request, head_len }) = parse_request(bytes) else { panic!() };
    assert_eq!(request.header("user-agent"), Some("Téléphone"));
    assert_eq!(super::super::latin1("Téléphone").unwrap(), b"T\xe9l\xe9phone");
    assert_eq!(&bytes[head_len..], b"rest");
}

#[test]
fn targets() {
    let target = |t: &str| whole(&format!("GET {t} HTTP/1.1\r\nHost: x\r\n\r\n")).target;
    assert_eq!(target("http://192.168.1.1:8480/snom/a?b"), "/snom/a?b");
    let authority = |t: &str| whole(&format!("GET {t} HTTP/1.1\r\nHost: x\r\n\r\n")).authority;
    assert_eq!(authority("http://192.168.1.1:8480/snom/a?b").as_deref(), Some("192.168.1.1:8480"));
    assert_eq!(authority("http://u@h?x").as_deref(), Some("u@h"));
    assert_eq!(authority("/http://h/"), None);
    assert_eq!(target("HTTPS://x"), "/");
    assert_eq!(target("http://x?a=b"), "/?a=b");
    for bad in [
        "*",
        "x:80",
        "ftp://x/y",
        "http:///y",
        "http://",
        "http://x/../y",
        "http://x#y",
        "/a#b",
        "/a/../b",
        "/%2e%2e/",
        "/é",
    ] {
        assert_eq!(status(&format!("GET {bad} HTTP/1.1\r\nHost: x\r\n\r\n")), 400, "{bad}");
    }
}

#[test]
fn bodies() {
    let body = |lines: &str| {
        parse_request(format!("PUT / HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n").as_bytes()).map(|p| match p {
            Parsed::Whole { request, .. } => request.body,
            Parsed::Partial => panic!("{lines:?}"),
        })
    };
    assert_eq!(body("Content-Length: 0"), Ok(BodyKind::None));
    assert_eq!(body("content-length: 12"), Ok(BodyKind::Length(12)));
    assert_eq!(body("Transfer-Encoding: Chunked"), Ok(BodyKind::Chunked));
    let status = |lines: &str| body(lines).unwrap_err().status();
    assert_eq!(status("Content-Length: 4000000000"), 413);
    assert_eq!(status("Content-Length: 18446744073709551616"), 413);
    assert_eq!(status("Transfer-Encoding: gzip, chunked"), 501);
    for lines in [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length:",
        "Content-Length: 0x5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ] {
        assert_eq!(status(lines), 400, "{lines}");
    }
    assert_eq!(
        super::parse_request(b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap_err().status(),
        400
    );
}

#[test]
fn heads_that_two_readers_see_differently() {
    for text in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03",
        "SUBSCRIBE sip:x SIP/2.0\r\n\r\n",
    ] {
        assert_eq!(status(text), 400, "{text:?}");
    }
}

#[test]
fn sizes() {
    let long = |n: usize| format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(n));
    assert_eq!(whole(&long(bounds::HTTP_TARGET - 1)).target.len(), bounds::HTTP_TARGET);
    assert_eq!(status(&long(bounds::HTTP_TARGET)), 414);
    assert_eq!(status(&format!("GET /{}", "a".repeat(bounds::HTTP_TARGET + 100))), 414);
    let many = |n: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(n));
    assert_eq!(whole(&many(bounds::HTTP_HEADERS - 1)).headers.len(), bounds::HTTP_HEADERS);
    assert_eq!(status(&many(bounds::HTTP_HEADERS)), 431);
    let big = |n: usize| format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "b".repeat(n));
    let frame = big(0).len();
    assert_eq!(whole(&big(bounds::HTTP_HEAD - frame)).headers.len(), 2);
    assert_eq!(status(&big(bounds::HTTP_HEAD - frame + 1)), 431);
    assert_eq!(status(&"\r\n".repeat(bounds::HTTP_HEAD)), 431);
    let body = |n: u64| format!("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: {n}\r\n\r\n");
    assert_eq!(whole(&body(bounds::HTTP_BODY)).body, BodyKind::Length(bounds::HTTP_BODY));
    assert_eq!(status(&body(bounds::HTTP_BODY + 1)), 413);
}

proptest::proptest! {
    #[test]
    fn total(bytes in proptest::collection::vec(0u8..=255, 0..300)) {
        let _ = parse_request(&bytes);
    }

    /// What is taken can be written again and reads the same, and no prefix of it was ever refused.
    #[test]
    fn round_trip(
        target in "/[a-zA-Z0-9._~?&={}%-]{0,40}",
        lines in proptest::collection::vec(("[a-zA-Z-]{1,12}", "[!-~\u{a1}-\u{ff}]{0,20}"), 0..6),
    ) {
        let mut bytes = format!("GET {target} HTTP/1.1\r\nHost: x\r\n").into_bytes();
        for (name, value) in &lines {
            bytes.extend_from_slice(format!("{name}: ").as_bytes());
            bytes.extend_from_slice(&super::super::latin1(value).unwrap());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        if let Ok(Parsed::Whole { request, head_len }) = parse_request(&bytes) {
            proptest::prop_assert_eq!(head_len, bytes.len());
            proptest::prop_assert_eq!(request.target, target);
            proptest::prop_assert_eq!(&request.headers[1..], &lines[..]);
            for cut in 0..bytes.len() {
                proptest::prop_assert_eq!(parse_request(&bytes[..cut]), Ok(Parsed::Partial));
            }
        }
    }
}
