//! No type that holds a secret shows it by `Debug`: neither as text nor as a list of its bytes.

use crate::config::{known_vendors, Config, Secret};
use crate::core::answer::{Answer, Body, Label};
use crate::core::outcome::{Outcome, Reason};
use crate::core::types::{FetchHead, Sha256};
use crate::proto::uci;
use crate::proto::url::{Mapping, Template};
use crate::vendor::Identity;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const SECRET: &str = "geheimnis";

const CONFIG: &str = "
config agent 'main'
	option enabled '1'
	list device 'br-lan'
	option upstream 'https://prov.example.net'
	option provpass 'geheimnis'
config vendor 'snom'
	option enabled '1'
	option url '{upstream}/prov?pass={provpass}'
";

#[test]
fn debug_shows_no_secret() {
    let config = Config::read(CONFIG, "test", &known_vendors()).unwrap();
    let (file, _) = uci::parse_all(CONFIG);
    let template = Template::parse("{upstream}/prov?pass={provpass}").unwrap();
    let mapping = Mapping::new("snom", &template, "https://prov.example.net", SECRET).unwrap();
    let body: Arc<[u8]> = SECRET.as_bytes().into();
    let answer = Answer {
        status: 200,
        label: Label::Fresh,
        age: None,
        body: Body::Bytes(body.clone()),
        rewrite: None,
        retry_after: None,
    };
    let (head, sha256, identity) = (FetchHead::default(), Sha256::of(&body), Identity::default());
    let good = Outcome::Good { head, body: body.clone(), sha256, identity };
    let shown = [
        ("Config", format!("{config:#?}")),
        ("Secret", format!("{:?}", Secret::new(SECRET))),
        ("uci::File", format!("{file:#?} {:?}", file.merged())),
        ("Mapping", format!("{mapping:?} {:?}", mapping.upstream_url("", &Default::default()).is_ok())),
        ("Answer", format!("{answer:?} {:?}", answer.body)),
        ("Outcome", format!("{good:?} {:?}", Outcome::Temporary { body })),
        ("Outcome", format!("{:?}", Outcome::Bad(Reason::Down, "why".into()))),
    ];
    let numbers = format!("{:?}", SECRET.as_bytes());
    let numbers = numbers.trim_matches(['[', ']']);
    for (what, text) in shown {
        assert!(!text.is_empty() && !text.contains(SECRET) && !text.contains(numbers), "{what}: {text}");
    }
}

/// The types above are all there are: another one whose derived `Debug` would show a config or a password fails here.
#[test]
fn no_other_type_derives_it() {
    let mut seen = 0;
    visit(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut |path, text| {
        for item in text.split("#[derive(").skip(1) {
            let (derived, rest) = item.split_once(")]").unwrap_or((item, ""));
            let body = rest.split("\n}").next().unwrap_or(rest);
            if derived.contains("Debug") {
                seen += 1;
                for holds in ["Arc<[u8]>", "provpass: String", "body: Vec<u8>", "password: String"] {
                    assert!(!body.contains(holds), "{}: a derived Debug shows {holds}:\n{body}", path.display());
                }
            }
        }
    });
    assert!(seen > 50, "there was something to look at: {seen}");
}

fn visit(dir: &Path, look: &mut dyn FnMut(&Path, &str)) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            visit(&path, look);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("secrets_test.rs") {
            look(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}
