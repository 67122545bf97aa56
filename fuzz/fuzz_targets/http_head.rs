//! Request heads, targets and ranges: nothing panics, what is accepted is bounded, and means the same read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::bounds;
use phoneprov::proto::http::{host_address, parse_range, parse_request, split_target, BodyKind, Parsed, ResponseHead};

fuzz_target!(|data: &[u8]| {
    match parse_request(data) {
        Ok(Parsed::Whole { request, head_len }) => {
            assert!(head_len <= data.len() && head_len <= bounds::HTTP_HEAD);
            assert!(request.headers.len() <= bounds::HTTP_HEADERS);
            // an absolute-form target without a path gets its `/` here
            assert!(request.target.len() <= bounds::HTTP_TARGET + 1);
            let (path, _) = split_target(&request.target).expect("checked when read");
            assert!(path.starts_with('/') && !path.split('/').any(|s| s == ".."));
            assert!(!matches!(request.body, BodyKind::Length(n) if n > bounds::HTTP_BODY));
            // more bytes behind the head change nothing
            assert_eq!(parse_request(&data[..head_len]), Ok(Parsed::Whole { request: request.clone(), head_len }));
            let mut head = ResponseHead::new(200);
            for (name, value) in &request.headers {
                head.header(name, value);
            }
            let bytes = head.to_bytes(Some(0), request.keep_alive);
            assert!(bytes.ends_with(b"\r\n\r\n"));
            assert_eq!(bytes.windows(4).filter(|w| w == b"\r\n\r\n").count(), 1);
        }
        Ok(Parsed::Partial) => assert!(data.len() < bounds::HTTP_HEAD),
        Err(e) => assert!([400, 413, 414, 431, 501].contains(&e.status())),
    }
    let text = String::from_utf8_lossy(data);
    let _ = split_target(&text);
    if let Some((address, port)) = host_address(&text) {
        // one spelling only: what a browser would take for another host is none
        let digits = text.split_once(':').map_or("", |(_, digits)| digits);
        assert_eq!(port, digits.parse().ok());
        let again = if port.is_some() { format!("{address}:{digits}") } else { address.to_string() };
        assert_eq!(again, text);
    }
    if let Some(range) = parse_range(&text) {
        for length in [0, 1, 1000, u64::MAX] {
            if let Some(bytes) = range.resolve(length) {
                assert!(bytes.start < bytes.end && bytes.end <= length);
            }
        }
    }
});
