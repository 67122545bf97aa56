use super::super::documents::Documents;
use super::super::json::Json;
use super::super::memory::{Counts, TEMPLATES};
use super::super::storage::Storage;
use super::*;
use crate::proto::mac::Mac;

const MAC: Mac = Mac([0, 4, 0x13, 0xaa, 0xbb, 0xcc]);

fn device(name: &str) -> Json {
    let json = format!(r#"{{"pvt_type":"device","mac_address":"000413aabbcc","name":"{name}"}}"#);
    Json::parse(json.as_bytes()).unwrap()
}

fn look(folder: &mut Folder) -> Looked {
    let mut looked = Looked::default();
    while !folder.look(1, &mut looked) {}
    looked
}

#[test]
fn what_is_written_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (mut folder, looked) = Folder::open(dir.path()).unwrap();
    assert_eq!(looked, Looked::default());
    let template = Json::parse(br#"{"_id":"ui/snom/3xx/320","pvt_generator":"json2xml"}"#).unwrap();
    folder.storage().put(TEMPLATES, "ui/snom/3xx/320", &template).unwrap();
    folder.storage().put("account/a/b", "../x %/é.json", &device("one")).unwrap();
    assert_eq!(look(&mut folder), Looked { changed: 2, troubles: vec![] });
    assert!(folder.documents().template("ui/snom/3xx/320").is_some());
    let devices = folder.documents().devices(MAC);
    assert_eq!((&*devices[0].database, devices[0].id.as_str()), ("account/a/b", "../x %/é.json"));
    assert_eq!(folder.storage().get("account/a/b", "../x %/é.json"), Ok(Some(device("one"))));
    assert_eq!(look(&mut folder), Looked::default());
    assert!(dir.path().join("brand_provisioner/ui/snom/3xx/320.json").is_file());
    let mode = fs::metadata(dir.path().join("account/a/b/%2E.%2Fx%20%25%2F%C3%A9.json.json")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600, "there are passwords in it");
}

#[test]
fn a_file_may_have_another_name_than_its_document() {
    let dir = tempfile::tempdir().unwrap();
    let (mut folder, _) = Folder::open(dir.path()).unwrap();
    let user = Json::parse(br#"{"_id":"u1","pvt_type":"user","last_name":"Muster"}"#).unwrap();
    folder.storage().put("account/a", "anna", &user).unwrap();
    look(&mut folder);
    assert_eq!(folder.documents().user("account/a", "u1").unwrap().last_name, "Muster");
    let path = |name: &str| dir.path().join("account/a").join(name);
    fs::rename(path("anna.json"), path("anna2.json")).unwrap();
    look(&mut folder);
    assert!(folder.documents().user("account/a", "u1").is_some(), "a new name, the same user");
    fs::remove_file(path("anna2.json")).unwrap();
    look(&mut folder);
    assert!(folder.documents().user("account/a", "u1").is_none());
}

#[test]
fn changes_and_removals_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let (mut folder, _) = Folder::open(dir.path()).unwrap();
    for n in 0..5 {
        folder.storage().put(&format!("account/{n}"), "d", &device("one")).unwrap();
    }
    assert_eq!(look(&mut folder).changed, 5);
    folder.storage().put("account/3", "d", &device("two")).unwrap();
    assert_eq!(look(&mut folder).changed, 1);
    let names = |f: &Folder| f.documents().devices(MAC).iter().map(|d| d.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&folder), ["one", "one", "one", "two", "one"]);
    fs::remove_dir_all(dir.path().join("account/0")).unwrap();
    assert_eq!(look(&mut folder).changed, 1);
    assert_eq!(names(&folder), ["one", "one", "two", "one"]);
}

#[test]
fn a_file_that_is_being_written_in_place_keeps_what_it_had() {
    let dir = tempfile::tempdir().unwrap();
    let (mut folder, _) = Folder::open(dir.path()).unwrap();
    folder.storage().put("account/a", "d", &device("one")).unwrap();
    look(&mut folder);
    let path = dir.path().join("account/a/d.json");
    fs::write(&path, "{\"pvt_type\":").unwrap();
    let looked = look(&mut folder);
    assert!(looked.troubles[0].starts_with(&format!("{}: is no JSON", path.display())), "{:?}", looked.troubles);
    assert_eq!(folder.documents().counts(), Counts { devices: 1, ..Counts::default() });
    assert_eq!(look(&mut folder), Looked::default(), "told once");
    fs::write(&path, r#"{"pvt_type":"device","mac_address":"zz"}"#).unwrap();
    assert!(look(&mut folder).troubles[0].contains("mac_address"));
    assert_eq!(folder.documents().counts(), Counts::default());
}

#[test]
fn what_is_no_document_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let put = |path: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, device("x").to_pretty()).unwrap();
    };
    for path in ["top.json", "account/a/.hidden.json", "account/a/x.txt", "account/.git/x.json", "account/a/%zz.json"] {
        put(path);
    }
    put(&format!("account/{}x.json", "d/".repeat(20)));
    std::os::unix::fs::symlink("/", dir.path().join("account/all")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("top.json"), dir.path().join("account/link.json")).unwrap();
    let (folder, looked) = Folder::open(dir.path()).unwrap();
    assert_eq!((looked, folder.documents().counts()), (Looked::default(), Counts::default()));
    assert!(Folder::open(&dir.path().join("none")).is_err_and(|e| e.contains("cannot read this folder")));
}

#[test]
fn a_document_has_its_greatest_size() {
    let dir = tempfile::tempdir().unwrap();
    let (mut folder, _) = Folder::open(dir.path()).unwrap();
    let mut text = device("large").to_pretty().into_bytes();
    text.resize(usize::try_from(bounds::PROVISIONER_DOCUMENT).unwrap(), b' ');
    let path = dir.path().join("account/a/d.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, &text).unwrap();
    assert_eq!(look(&mut folder), Looked { changed: 1, troubles: vec![] });
    text.push(b' ');
    fs::write(&path, &text).unwrap();
    let why = look(&mut folder).troubles.concat();
    assert!(why.contains("d.json: is larger than 4194304 bytes"), "{why}");
    assert_eq!(folder.documents().devices(MAC).len(), 1, "what it had stays");
}

#[test]
fn no_more_documents_than_there_is_room_for() {
    let dir = tempfile::tempdir().unwrap();
    let (mut folder, _) = Folder::with_room(dir.path(), 3).unwrap();
    assert_eq!(Folder::open(dir.path()).unwrap().0.room, bounds::PROVISIONER_DOCUMENTS);
    for n in 0..5 {
        folder.storage().put("account/a", &format!("d{n}"), &device("one")).unwrap();
    }
    let looked = look(&mut folder);
    assert_eq!((looked.changed, folder.documents().devices(MAC).len()), (3, 3));
    assert!(looked.troubles.concat().ends_with("more than 3 documents; the rest is left out"), "{looked:?}");
    // room that is made is used, though not before the round after
    let known: Vec<PathBuf> = folder.files.keys().take(2).cloned().collect();
    known.iter().for_each(|path| fs::remove_file(path).unwrap());
    look(&mut folder);
    look(&mut folder);
    assert_eq!((folder.documents().devices(MAC).len(), look(&mut folder)), (3, Looked::default()));
}

#[test]
fn folders_are_only_so_deep() {
    let dir = tempfile::tempdir().unwrap();
    let (mut folder, _) = Folder::open(dir.path()).unwrap();
    let within = |folders: usize| format!("account{}", "/f".repeat(folders - 1));
    let deepest = bounds::PROVISIONER_DEPTH - 1;
    folder.storage().put(&within(deepest), "d", &device("one")).unwrap();
    assert!(folder.storage().put(&within(deepest + 1), "d", &device("two")).is_err());
    let deeper = dir.path().join(within(deepest + 1));
    fs::create_dir(&deeper).unwrap();
    fs::write(deeper.join("d.json"), device("two").to_pretty()).unwrap();
    assert_eq!(look(&mut folder).changed, 1);
    assert_eq!(folder.documents().devices(MAC)[0].name, "one");
}

#[test]
fn a_look_comes_to_an_end_before_its_round_does() {
    let dir = tempfile::tempdir().unwrap();
    let (mut folder, _) = Folder::open(dir.path()).unwrap();
    let flat = dir.path().join("account/a");
    fs::create_dir_all(&flat).unwrap();
    for n in 0..bounds::PROVISIONER_WATCH * 2 {
        fs::write(flat.join(format!("d{n}.json")), "{}").unwrap();
    }
    // one folder, and still in pieces
    let mut looked = Looked::default();
    assert!(!folder.look(bounds::PROVISIONER_WATCH, &mut looked));
    assert!(looked.changed > 0 && looked.changed <= bounds::PROVISIONER_WATCH, "{}", looked.changed);
    assert!(!folder.look(bounds::PROVISIONER_WATCH, &mut looked));
    assert!(folder.look(bounds::PROVISIONER_WATCH, &mut looked));
    assert_eq!(looked.changed, bounds::PROVISIONER_WATCH * 2);
}

#[test]
fn what_the_program_writes_is_there_with_the_next_look() {
    let dir = tempfile::tempdir().unwrap();
    let (mut folder, _) = Folder::open(dir.path()).unwrap();
    for n in 0..100 {
        folder.storage().put("account/a", &format!("x{n}"), &Json::Null).unwrap();
    }
    look(&mut folder);
    folder.storage().put("account/b", "d", &device("one")).unwrap();
    let mut looked = Looked::default();
    assert!(!folder.look(1, &mut looked), "not a whole round");
    assert_eq!((looked.changed, folder.documents().devices(MAC).len()), (1, 1));
    folder.storage().delete("account/b", "d").unwrap();
    folder.look(1, &mut looked);
    assert_eq!((looked.changed, folder.documents().devices(MAC).len()), (2, 0));
    look(&mut folder);
    assert_eq!(look(&mut folder), Looked::default());
}
