//! Media servers that one may mean: calls mostly go where phones register, or by the proxy that they are told. Of the stored
//! configs only these names are taken.

use super::lookup::is_name;
use crate::bounds;
use crate::config::Config;
use crate::core::agent::servers_of;
use crate::openwrt::qos::Block;
use crate::store;
use serde_json::{json, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A host with the phones that name it as registrar, and as proxy.
type Hosts = BTreeMap<String, [BTreeSet<String>; 2]>;

/// Most phones first. Without those that the config names already.
pub(super) fn suggestions(config: &Config) -> Vec<Value> {
    let mut hosts = Hosts::new();
    let looked = store::last_goods(&config.agent.state_dir, bounds::QOS_SUGGEST_CONFIGS, &mut |key, meta, body| {
        for (registrar, host) in servers_of(key, &meta.target, body) {
            let usable = Block::parse(&host).is_some_and(|b| b.is_single()) || is_name(&host);
            if usable && !config.qos.mediaservers.contains(&host) {
                let [of_registrar, of_proxy] = hosts.entry(host).or_default();
                let phones = if registrar { of_registrar } else { of_proxy };
                phones.insert(key.mac.to_string());
            }
        }
    });
    // nothing is stored, or it cannot be read: nothing is suggested
    let _ = looked;
    let mut all: Vec<(String, [BTreeSet<String>; 2])> = hosts.into_iter().collect();
    all.sort_by_key(|(_, [registrar, proxy])| std::cmp::Reverse(registrar.len().max(proxy.len())));
    all.truncate(bounds::QOS_SUGGESTIONS);
    all.iter().map(|(host, [registrar, proxy])| suggestion(host, registrar.len(), proxy.len())).collect()
}

fn suggestion(host: &str, registrar: usize, proxy: usize) -> Value {
    let of = |what: &str, n: usize| match n {
        0 => None,
        1 => Some(format!("{what} of 1 phone")),
        n => Some(format!("{what} of {n} phones")),
    };
    let from: Vec<String> = [of("registrar", registrar), of("proxy", proxy)].into_iter().flatten().collect();
    let address = Block::parse(host).map(|b| b.to_string());
    json!({"host": host, "address": address, "from": from.join(", ")})
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::core::types::{GenerationMeta, ResourceKey, Sha256};
    use crate::proto::mac::Mac;

    fn stored(dir: &std::path::Path, n: u8, body: &str) {
        let store = store::open(dir).unwrap().store;
        let key = ResourceKey { vendor: "snom".into(), mac: Mac([0, 4, 0x13, 0, 0, n]), name: "settings.php".into() };
        let meta = GenerationMeta {
            number: 1,
            sha256: Sha256::of(body.as_bytes()),
            size: body.len() as u64,
            stored_at: 0,
            target: "settings.php".into(),
            etag: None,
            last_modified: None,
            headers: Vec::new(),
        };
        store.put(&key, &meta, body.as_bytes(), 3, 1 << 22).unwrap();
    }

    #[test]
    fn from_how_many_phones_and_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "config agent 'main'\n\toption state_dir '{}'\nconfig qos 'qos'\n\tlist mediaserver 'known.example'\n",
            dir.path().display()
        );
        let config = Config::read(&text, "f", &[]).unwrap().config;
        assert_eq!(suggestions(&config), Vec::<Value>::new());
        for n in 0..3 {
            let host = if n == 2 { "198.51.100.7" } else { "Sip.Example.net:5060" };
            stored(
                dir.path(),
                n,
                &format!("user_name1!: 20{n}\nuser_pass1!: geheim\nuser_host1!: {host}\nuser_host2!: known.example\nuser_host3!: $(geheim)\n"),
            );
        }
        let all = suggestions(&config);
        assert_eq!(
            all,
            [
                json!({"host": "sip.example.net", "address": null, "from": "registrar of 2 phones"}),
                json!({"host": "198.51.100.7", "address": "198.51.100.7", "from": "registrar of 1 phone"}),
            ]
        );
    }

    #[test]
    fn bounded() {
        let dir = tempfile::tempdir().unwrap();
        let body: String = (0..99).map(|n| format!("user_host{n}!: h{n}.example\nuser_name{n}!: u\n")).collect();
        stored(dir.path(), 1, &body);
        let text = format!("config agent 'main'\n\toption state_dir '{}'\n", dir.path().display());
        assert_eq!(suggestions(&Config::read(&text, "f", &[]).unwrap().config).len(), bounds::QOS_SUGGESTIONS);
    }
}
