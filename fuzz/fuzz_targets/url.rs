//! Templates, the mapping, and rewriting. Input: template, password, target and body, parted by line feeds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::proto::mac::Mac;
use phoneprov::proto::url::{redact, resource_name, rewrite, Mapping, Parts, Template, Values};
use std::net::{Ipv4Addr, SocketAddrV4};

const UPSTREAM: &str = "https://prov.example.net:8443/t";

fuzz_target!(|data: &[u8]| {
    let router = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 1), 8480);
    let mut lines = data.splitn(4, |b| *b == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let template = String::from_utf8_lossy(line());
    let provpass = String::from_utf8_lossy(line());
    let target = String::from_utf8_lossy(line());
    let body = line();
    let mac = Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]);
    let values = Values { mac: Some(mac), model: Some("snom D785"), version: None, ip: None };
    if let Some(parts) = Parts::parse(&target) {
        if let Some(joined) = parts.join(&template) {
            assert!(Parts::parse(&joined).is_some());
        }
    }
    let name = resource_name(&target, mac);
    assert_eq!(resource_name(&name, mac), name);
    let _ = redact(&target, &[&provpass]);
    let Ok(template) = Template::parse(&template) else { return };
    let Ok(mapping) = Mapping::new("snom", &template, UPSTREAM, &provpass) else { return };
    let entry = mapping.entry(&values, router);
    let rest = entry.strip_prefix("http://192.168.1.1:8480/snom/").expect("all entries begin so");
    if let Ok(url) = mapping.upstream_url(rest, &values) {
        assert_eq!(Parts::parse(&url).expect("an absolute URL").origin(), mapping.origin());
    }
    let clean = mapping.lan_target(&target);
    assert_eq!(mapping.lan_target(&clean), clean);
    if let Ok(url) = mapping.upstream_url(&target, &values) {
        assert_eq!(Parts::parse(&url).expect("an absolute URL").origin(), mapping.origin());
        let lan = mapping.lan_url(&url, router, &values).expect("of the upstream's origin");
        assert!(lan.starts_with("http://192.168.1.1:8480/snom/"));
    }
    if let Some(out) = rewrite(body, &[&mapping], router, &values) {
        // each match has a scheme and a host, and grows by no more than this
        assert!(out.len() <= body.len() + body.len() / 8 * 32 + 32);
        assert_eq!(rewrite(&out, &[&mapping], router, &values), None);
    }
    let _ = mapping.contains_secret(body);
});
