//! What a page has not saved yet, checked by the same code as a file, and in the same words.

use super::problem::Problem;
use super::read::{context, read_all, section_type, Reader};
use super::vendors::KnownVendor;
use crate::proto::uci::{self, Entry, File, Section};

/// One value as it was typed, or all values of a list. The error is what `check` would say of it; where `name` (of the
/// section) is given, it begins as there.
pub fn check_value(
    kind: &str,
    name: Option<&str>,
    option: &str,
    values: &[String],
    list: bool,
    known: &[KnownVendor],
) -> Result<(), String> {
    let kind = section_type(kind)?;
    let begin = name.map_or_else(String::new, |name| context(kind, Some(name)));
    let entry = |value: &String| Entry { line: 0, name: option.to_string(), value: value.clone(), list };
    let entries: Vec<Entry> = values.iter().map(entry).collect();
    let mut reader = Reader { file: "", known, problems: Vec::new() };
    reader.values(kind, &begin, &entries.iter().collect::<Vec<_>>());
    match reader.problems.into_iter().next() {
        Some(problem) => Err(problem.message),
        None => Ok(()),
    }
}

/// One section of a config that is not saved yet.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Its type.
    pub kind: String,
    /// Its name; for an anonymous section only what the page calls it.
    pub name: Option<String>,
    /// Has it no name in the file?
    pub anonymous: bool,
    /// Options, each with its value or values.
    pub options: Vec<(String, Vec<String>, bool)>,
}

/// One problem of such a config, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Index of the section, where it is about one.
    pub section: Option<usize>,
    /// The option, where it is about one.
    pub option: Option<String>,
    /// As `check` says it; a section stands where a line would.
    pub message: String,
    /// Would the agent not start?
    pub fatal: bool,
}

/// A config as it would be. It takes the way of the saved one: written as `uci commit` does, and read again.
pub fn check_sections(given: &[Given], known: &[KnownVendor]) -> Vec<Told> {
    let told = |message| vec![Told { section: None, option: None, message, fatal: true }];
    let mut file = File::default();
    for one in given {
        let name = one.name.as_deref().filter(|_| !one.anonymous);
        if let Some(name) = name.filter(|n| file.sections.iter().any(|s| s.name.as_deref() == Some(n))) {
            return told(format!("two sections have the name '{}'", super::problem::shown(name)));
        }
        let mut section = Section::new(&one.kind, name);
        for (option, values, list) in &one.options {
            for value in values {
                match list {
                    true => section.item(option, value),
                    false => section.option(option, value),
                };
            }
        }
        file.sections.push(section);
    }
    let text = match uci::write(&file) {
        Ok(text) => text,
        Err(why) => return told(why),
    };
    let (_, problems) = read_all(&text, "", known, cfg!(feature = "https"));
    let (read, _) = uci::parse_all(&text);
    problems.into_iter().map(|p| place(p, &read, given)).collect()
}

/// Section and option in the place of a line, which nobody sees.
fn place(problem: Problem, read: &File, given: &[Given]) -> Told {
    let at = |line: u32| match line {
        0 => None,
        line => read.sections.iter().rposition(|s| s.line <= line),
    };
    let section = at(problem.line);
    let entries = section.and_then(|i| read.sections.get(i)).map(|s| s.entries.as_slice()).unwrap_or_default();
    let option = entries.iter().find(|e| e.line == problem.line).map(|e| e.name.clone());
    let mut message = problem.message;
    if let Some((before, after)) = message.split_once(" in line ") {
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = after.split_at_checked(digits).unwrap_or((after, ""));
        let other = number.parse().ok().and_then(at).and_then(|i| given.get(i).map(|g| (i, g)));
        if let Some((i, other)) = other {
            let nth = given.iter().take(i + 1).filter(|g| g.kind == other.kind).count();
            let name = match other.name.as_deref().filter(|_| !other.anonymous) {
                Some(name) => format!("{} '{name}'", other.kind),
                None => format!("{} section {nth}", other.kind),
            };
            message = format!("{before} in {name}{rest}");
        }
    }
    Told { section, option, message, fatal: problem.fatal }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::config::{known_vendors, Config};

    fn one(kind: &str, option: &str, value: &str) -> Result<(), String> {
        check_value(kind, None, option, &[value.to_string()], false, &known_vendors())
    }

    #[test]
    fn a_value_as_it_is_typed() {
        assert_eq!(one("agent", "port", "8480"), Ok(()));
        assert_eq!(one("agent", "port", ""), Ok(()), "UCI reads over it");
        assert_eq!(
            one("agent", "port", "http"),
            Err("port 'http' is no whole number; write 1 to 65535, without a unit; 8480 is used".into())
        );
        assert_eq!(one("agent", "prot", "1"), Err("unknown option 'prot'; did you mean 'port'?".into()));
        assert_eq!(one("vendr", "url", "1"), Err("unknown section type 'vendr'; did you mean 'vendor'?".into()));
        let bad = check_value("vendor", Some("snom"), "oui", &["00:04:13".into(), "00:04:1".into()], true, &[]);
        assert_eq!(bad, Err("vendor 'snom': oui '00:04:1' has 5 digits; write it as 00:04:13:*:*:*".into()));
    }

    /// What is refused as typed, a file with it is refused for, in the same words; odd values come through as they are.
    #[test]
    fn the_same_words_as_for_a_file() {
        let long = "x".repeat(4096);
        let odd = [
            "8481",
            "it's",
            "a \"b\"",
            "$(reboot)",
            "`x`",
            "zürich",
            "\\",
            "a\nb",
            " ",
            "#",
            long.as_str(),
            "\u{1b}[m",
            "'\\''",
        ];
        let cases = [
            ("agent", "port"),
            ("agent", "provpass"),
            ("agent", "upstream"),
            ("agent", "dhcp"),
            ("agent", "ca_file"),
            ("phone", "mac"),
            ("qos", "mediaserver"),
        ];
        for (kind, option) in cases {
            for value in odd {
                let name = match kind {
                    "agent" => Some("main"),
                    "qos" => Some("qos"),
                    _ => None,
                };
                let typed =
                    check_value(kind, name.or(Some("x")), option, &[value.to_string()], false, &known_vendors());
                let main = Given { kind: "agent".into(), name: Some("main".into()), ..Given::default() };
                let options = vec![(option.to_string(), vec![value.to_string()], false)];
                let with = Given {
                    kind: kind.into(),
                    name: name.map(Into::into),
                    anonymous: name.is_none(),
                    options: options.clone(),
                };
                let all = if kind == "agent" { vec![with] } else { vec![main, with] };
                let told: Vec<Told> = check_sections(&all, &known_vendors())
                    .into_iter()
                    .filter(|t| t.option.as_deref() == Some(option))
                    .collect();
                let first = told.first().map(|t| t.message.clone());
                assert_eq!(typed.err(), first, "{kind} {option} {value:?}");
                assert!(told.iter().all(|t| t.section == Some(all.len() - 1)), "{told:?}");
            }
        }
    }

    #[test]
    fn places_instead_of_lines() {
        let phone = |mac: &str| Given {
            kind: "phone".into(),
            name: Some("cfg01".into()),
            anonymous: true,
            options: vec![("mac".into(), vec![mac.into()], false)],
        };
        let main = Given { kind: "agent".into(), name: Some("main".into()), ..Given::default() };
        let twice = [main.clone(), phone("00:04:13:00:00:01"), phone("000413000001")];
        let told = check_sections(&twice, &[]);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].message, "phone: 00:04:13:00:00:01 is here again, first in phone section 1; left out");
        assert_eq!(told[0].section, Some(2));
        let second = Given { name: Some("other".into()), ..main.clone() };
        let told = check_sections(&[main.clone(), second], &[]);
        assert_eq!(told[0].message, "a second agent section; only the one in agent 'main' counts");
        assert_eq!(check_sections(&[], &[])[0].message, "has no agent section; add: config agent 'main'");
        assert!(check_sections(&[main.clone(), main], &[])[0].message.contains("two sections have the name"));
        let nul = Given {
            kind: "agent".into(),
            name: Some("main".into()),
            options: vec![("port".into(), vec!["\0".into()], false)],
            ..Given::default()
        };
        assert!(check_sections(&[nul], &[])[0].message.contains("NUL"));
    }

    proptest::proptest! {
        /// Whatever a page sends, it is checked as the file would be that LuCI makes of it.
        #[test]
        fn as_the_saved_file(values in proptest::collection::vec("\\PC{0,40}|[ -~\n\t']{0,30}", 1..4)) {
            let names = ["upstream", "provpass", "network"];
            let options: Vec<_> = names.iter().zip(&values).map(|(n, v)| (n.to_string(), vec![v.clone()], false)).collect();
            let main = Given { kind: "agent".into(), name: Some("main".into()), anonymous: false, options };
            let told = check_sections(std::slice::from_ref(&main), &[]);
            let mut file = File::default();
            let mut section = Section::new("agent", Some("main"));
            for (option, values, _) in &main.options {
                section.option(option, &values[0]);
            }
            file.sections.push(section);
            let saved = Config::read(&uci::write(&file).unwrap(), "", &[]);
            let problems = saved.map_or_else(|p| p.0, |l| l.warnings);
            proptest::prop_assert_eq!(told.len(), problems.len());
            for (told, problem) in told.iter().zip(&problems) {
                proptest::prop_assert_eq!(&told.message, &problem.message);
            }
        }
    }
}
