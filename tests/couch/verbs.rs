//! `setup`, `import` and `render` on CouchDB, and where its address may stand.

use super::server::Couch;
use super::{device, mac, ACCOUNT, BINARY};
use phoneprov::provisioner::json::Json;
use phoneprov::provisioner::storage::{Change, Storage};
use std::process::Command;

fn run(store: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let out = Command::new(BINARY).args(args).env("PHONEPROV_STORE", store).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

fn counts(store: &str, args: &[&str]) -> (usize, usize, u64, usize) {
    let (code, out, err) = run(store, args);
    assert_eq!(code, Some(0), "{out}{err}");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let count = |name: &str| json[name].as_array().unwrap().len();
    (count("new"), count("replaced"), json["same"].as_u64().unwrap(), count("kept"))
}

/// Twice is once; an edit stays until it is forced.
fn setup_of(store: &str, storage: &dyn Storage) -> usize {
    let (new, ..) = counts(store, &["provisioner", "setup", "--json"]);
    assert!(new > 50);
    assert_eq!(counts(store, &["setup", "--json"]), (0, 0, new as u64, 0));
    let edit = &mut |old: Option<&Json>| {
        let mut new = old.cloned()?;
        new.set("cfg_tone", Json::Null);
        Some(new)
    };
    assert_eq!(storage.update("brand_provisioner", "ui/snom/3xx/320", edit), Ok(Change::Replaced));
    assert_eq!(counts(store, &["setup", "--json"]), (0, 0, new as u64 - 1, 1));
    let (_, out, err) = run(store, &["setup"]);
    assert!(out.contains("kept: ui/snom/3xx/320; --force overwrites"), "{out}");
    assert!(err.contains("ui/snom/3xx/320: edited, kept"), "{err}");
    assert_eq!(counts(store, &["setup", "--force", "--json"]), (0, 1, new as u64 - 1, 0));
    assert_eq!(counts(store, &["setup", "--json"]), (0, 0, new as u64, 0));
    new
}

#[test]
fn setup_is_done_once_and_keeps_edits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let in_folder = setup_of(path, &*phoneprov::net::store::writer(path).unwrap());
    let Some(couch) = Couch::start(None) else { return };
    assert_eq!(setup_of(&couch.url(), &*couch.storage()), in_folder + 1, "and the views");
    let (status, tree) = couch.request("GET", "/brand_provisioner/_design/provisioner/_view/listings_tree", "");
    assert!(status == 200 && tree.contains(r#""snom_320-1""#), "{tree}");
}

#[test]
fn an_import_and_a_rendering() {
    let Some(couch) = Couch::start(Some("admin:hidden")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (export, named) = (folder.path().join("export.cfg"), folder.path().join("store"));
    std::fs::write(&export, "sip line1 password: other\ntone set: US\n").unwrap();
    std::fs::write(
        &named,
        format!("# the cluster\nhttp://admin:hidden@127.0.0.1:1\nhttp://admin:hidden@127.0.0.1:{}\n", couch.port),
    )
    .unwrap();
    let (export, named) = (export.to_str().unwrap(), named.to_str().unwrap());
    let import =
        ["import", "plain", export, "--brand", "mitel", "--family", "f", "--model", "m", "--store-file", named];
    let (code, out, err) = run("", &import);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("ui/mitel/f/m: new"), "{out}");
    assert!(run("", &import).1.starts_with("ui/mitel/f/m: replaced"));
    let store = phoneprov::net::store::writer(&format!("http://admin:hidden@127.0.0.1:{}", couch.port)).unwrap();
    store.put("account/a", "acc", &Json::parse(ACCOUNT.as_bytes()).unwrap()).unwrap();
    let device = device(7, "of-7").replace("\"snom\"", "\"mitel\"").replace("3xx", "f").replace("\"320\"", "\"m\"");
    store.put("account/a", "d", &Json::parse(device.as_bytes()).unwrap()).unwrap();
    let (code, out, err) = run("", &["render", "--mac", &mac(7), "--store-file", named]);
    assert_eq!((code, out.contains("sip line1 password: of-7")), (Some(0), true), "{out}{err}");
    assert!(!err.contains("hidden"), "{err}");
    let (code, _, err) =
        run("", &["render", "--mac", &mac(7), "--store", &format!("http://admin:hidden@127.0.0.1:{}", couch.port)]);
    assert!(code == Some(0) && err.contains("use --store-file") && !err.contains("hidden"), "{err}");
}

#[test]
fn two_writers_lose_nothing() {
    let Some(couch) = Couch::start(None) else { return };
    let (one, two) = (couch.storage(), couch.storage());
    let write = |store: &dyn Storage, who: &str| {
        for n in 0..10 {
            let add = &mut |old: Option<&Json>| {
                let mut new = old.cloned().unwrap_or(Json::Object(vec![]));
                new.set(&format!("{who}{n}"), Json::Bool(true));
                Some(new)
            };
            while store.update("account/a", "x", add).is_err() {}
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| write(&*one, "a"));
        scope.spawn(|| write(&*two, "b"));
    });
    let document = one.get("account/a", "x").unwrap().unwrap();
    assert_eq!(document.entries().iter().filter(|(k, _)| !k.starts_with('_')).count(), 20);
    assert_eq!(one.delete("account/a", "x"), Ok(Change::Deleted));
    assert_eq!(one.delete("account/a", "x"), Ok(Change::Same));
    assert!(one.put("account/a", "_hidden", &document).is_err());
}
