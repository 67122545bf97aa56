use super::*;
use proptest::prelude::*;

/// The `.out` files are what the real `uci export` (openwrt/uci, 2025) makes of the `.in` files, less its first line.
#[test]
fn reads_and_writes_as_the_real_uci() {
    let cases = [
        ("words", include_str!("../../../tests/data/uci/words.in"), include_str!("../../../tests/data/uci/words.out")),
        ("merge", include_str!("../../../tests/data/uci/merge.in"), include_str!("../../../tests/data/uci/merge.out")),
        ("crlf", include_str!("../../../tests/data/uci/crlf.in"), include_str!("../../../tests/data/uci/crlf.out")),
        ("noend", include_str!("../../../tests/data/uci/noend.in"), include_str!("../../../tests/data/uci/noend.out")),
        (
            "network",
            include_str!("../../../tests/data/uci/network.in"),
            include_str!("../../../tests/data/uci/network.out"),
        ),
    ];
    for (name, text, right) in cases {
        let file = parse(text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(write(&file).unwrap(), right, "{name}");
        // and the canonical form is its own canonical form
        assert_eq!(write(&parse(right).unwrap()).unwrap(), right, "{name}");
    }
}

#[test]
fn lines_of_everything() {
    let text = "# c\n\nconfig a 'b'\n\toption m 'x\ny'\n\tlist l 1; list l 2\n\toption c \\\nd\nconfig e\n";
    let file = parse(text).unwrap();
    let [b, e] = &file.sections[..] else { panic!("{file:?}") };
    assert_eq!((b.line, b.kind.as_str(), b.name.as_deref()), (3, "a", Some("b")));
    let entries: Vec<_> = b.entries.iter().map(|e| (e.line, e.name.as_str(), e.value.as_str(), e.list)).collect();
    assert_eq!(entries, [(4, "m", "x\ny", false), (6, "l", "1", true), (6, "l", "2", true), (7, "c", "d", false)]);
    assert_eq!((e.line, e.kind.as_str(), e.name.as_deref()), (9, "e", None));
    assert_eq!(parse("package ab-c\n").unwrap().package.as_deref(), Some("ab-c"));
}

#[test]
fn get_is_what_counts() {
    let file = parse("config a\noption x 1\noption x 2\noption y 1\noption y ''\nlist l p\nlist l q").unwrap();
    let a = &file.sections[0];
    assert_eq!((a.get("x"), a.get("y"), a.get("l"), a.get("z")), (Some("2"), Some("1"), Some("q"), None));
}

#[test]
fn errors_name_the_line_and_the_right_form() {
    for (text, line, part) in [
        ("config a\nfoo bar\n", 2, "begins with config, option or list"),
        ("config\n", 1, "config needs a section type"),
        ("config a 'b-c'\n", 1, "section name 'b-c' may only hold letters, digits and _; write it as b_c"),
        ("config a\n\n\toption\n", 3, "option needs a name and a value"),
        ("config a\n\tlist '' x\n", 2, "list needs a name and a value"),
        ("config a\n\toption x-y 1\n", 2, "write it as x_y"),
        ("config a\n\toption x two words\n", 2, "put a value with blanks into quotes: option x 'value'"),
        ("option x 1\n", 1, "before the first config line"),
        ("config a\noption x 'open\n\n", 2, "the ' that opens here is never closed"),
        ("config a\noption x \"open\\\n", 2, "the \" that opens here is never closed"),
        ("config a b c\n", 1, "too many words"),
        ("config t1 same\n\nconfig t2 same\n", 3, "of type t2 here and of type t1 in line 1"),
        ("config a\noption x 'a\0b'\n", 2, "NUL"),
        ("config ä\n", 1, "printable ASCII"),
        ("package a/b\n", 1, "package needs a name"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.line, line, "{text:?}: {error}");
        assert!(error.message.contains(part), "{text:?}: {error}");
    }
}

#[test]
fn every_mistake_is_told_and_the_rest_is_read() {
    let text = "config a 'x-y'\n\toption lost 1\nbad\nconfig b 'ok'\n\toption k v\n\toption a b c\n\toption l w\n";
    let (file, errors) = parse_all(text);
    assert_eq!(errors.iter().map(|e| e.line).collect::<Vec<_>>(), [1, 3, 6]);
    assert_eq!(file.sections.len(), 1);
    assert_eq!((file.sections[0].get("k"), file.sections[0].get("l")), (Some("v"), Some("w")));
}

#[test]
fn a_runaway_quote_is_found_and_no_value_told() {
    let (_, errors) =
        parse_all("config agent 'main'\n\toption provpass 'geheim\n\toption port '8480'\n\toption pnp '1'\n");
    assert!(!errors.is_empty());
    for error in &errors {
        assert!(error.message.contains("begins in line 2") || error.line == 2, "{error}");
        assert!(!error.message.contains("geheim") && !error.message.contains("8480"), "{error}");
    }
    let (_, errors) = parse_all("config agent 'main'\n\toption provpass geheim hidden\nhidden2'\n");
    assert_eq!(errors.len(), 2);
    assert!(errors.iter().all(|e| !e.message.contains("geheim") && !e.message.contains("hidden")), "{errors:?}");
}

#[test]
fn bounds_hold() {
    let big = format!("config a\n{}", "#".repeat(crate::bounds::UCI_FILE));
    assert!(parse(&big).unwrap_err().message.contains("larger than 1024 KiB"));
    let (file, errors) = parse_all(&"c a\n".repeat(crate::bounds::UCI_SECTIONS + 10));
    assert_eq!((file.sections.len(), errors.len()), (crate::bounds::UCI_SECTIONS, 1));
    let (file, errors) = parse_all(&format!("c a\n{}", "l a\n".repeat(crate::bounds::UCI_ENTRIES + 10)));
    assert_eq!((file.sections[0].entries.len(), errors.len()), (crate::bounds::UCI_ENTRIES, 1));
    assert_eq!(parse_all(&"x\n".repeat(1000)).1.len(), crate::bounds::UCI_ERRORS);
}

#[test]
fn the_writer_refuses_what_would_not_be_read_back() {
    let mut file = File::default();
    file.sections.push(Section::new("a", Some("b c")));
    assert!(write(&file).unwrap_err().contains("section name 'b c'"));
    file.sections = vec![Section::new("a b", None)];
    assert!(write(&file).unwrap_err().contains("section type 'a b'"));
    file.sections = vec![Section::new("a", None)];
    file.sections[0].option("x\n", "1");
    assert!(write(&file).is_err());
    file.sections[0].entries.clear();
    file.sections[0].option("x", "a\0");
    assert!(write(&file).unwrap_err().contains("NUL"));
}

fn without_lines(file: &File) -> File {
    let mut file = file.clone();
    for section in &mut file.sections {
        section.line = 0;
        section.entries.iter_mut().for_each(|e| e.line = 0);
    }
    file.package = None;
    file
}

fn any_file() -> impl Strategy<Value = File> {
    let entry = ("[a-z]{1,2}", "\\PC{0,12}|[ \t\n\r'\"\\\\#;a]{0,8}", any::<bool>())
        .prop_map(|(name, value, list)| Entry { line: 0, name, value, list });
    let section =
        ("[a-z-]{1,3}|[!-~]{1,4}", proptest::option::of("[a-z_0-9]{1,4}"), prop::collection::vec(entry, 0..8))
            .prop_map(|(kind, name, entries)| Section { line: 0, kind, name, entries });
    prop::collection::vec(section, 0..6).prop_map(|mut sections| {
        // one name, one type
        let mut seen = std::collections::HashMap::new();
        for s in &mut sections {
            if let Some(name) = &s.name {
                s.kind = seen.entry(name.clone()).or_insert(s.kind.clone()).clone();
            }
        }
        File { package: None, sections }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(file in any_file()) {
        let text = write(&file).unwrap();
        let again = parse(&text).unwrap();
        prop_assert_eq!(without_lines(&again), without_lines(&file.merged()));
    }

    #[test]
    fn merging_is_done_once(file in any_file()) {
        prop_assert_eq!(file.merged().merged(), file.merged());
    }

    #[test]
    fn total(text in "(\\PC|[\n\t\r '\"\\\\#;\0]|config |option |list |package |'x' |a ){0,60}") {
        let (file, errors) = parse_all(&text);
        prop_assert_eq!(parse(&text).is_ok(), errors.is_empty());
        // what was read can be written, and reads back as the same
        let again = parse(&write(&file).unwrap()).unwrap();
        prop_assert_eq!(without_lines(&again), without_lines(&file.merged()));
    }
}
