//! Options of ours in a section that is somebody else's: set, with what was there before written down in a section of ours
//! in the same file, and put back from that, byte for byte.
//!
//! The file itself is the only place for it that cannot be lost, or be older than the file: `uci commit` keeps sections
//! that nobody knows. An option that somebody has changed since stays as he left it.

use super::sections::{bare, put_before, without};
use crate::bounds;
use crate::proto::uci::{self, Entry, Section};
use std::ops::Range;

/// Options that another's section is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Borrowed {
    /// Type of the section.
    pub kind: &'static str,
    /// Name of the section; made where there is none.
    pub name: String,
    /// Options with their values.
    pub options: Vec<(&'static str, String)>,
}

/// Type and name of our section that knows how it was.
pub const MEMORY: (&str, &str) = ("phoneprov", "phoneprov_before");

/// Sets the options, and makes the section that knows how it was; `None` where nothing had to be set. `text` must not have such a
/// section. The error is `LINE: why`, or a clause.
pub fn borrow(text: &str, wanted: &Borrowed) -> Result<(String, Option<Section>), String> {
    let mut memory = Section::new(MEMORY.0, Some(MEMORY.1));
    memory.option("section", &wanted.name);
    let merged = parsed(text)?.merged();
    let named = merged.sections.iter().find(|s| s.name.as_deref() == Some(&wanted.name));
    let Some(there) = named else {
        let mut section = Section::new(wanted.kind, Some(&wanted.name));
        memory.option("created", "1");
        for (name, value) in &wanted.options {
            section.option(name, value);
            memory.item("set", format!("{name}={value}"));
        }
        return Ok((put_before(text, &[], &[section])?, Some(memory)));
    };
    if there.kind != wanted.kind {
        return Err(format!("section '{}' is of type {}, not {}", wanted.name, there.kind, wanted.kind));
    }
    let mut out = text.to_string();
    let missing: Vec<_> = wanted.options.iter().filter(|(name, value)| there.get(name) != Some(value)).collect();
    for (name, value) in &missing {
        match command(&out, wanted, name)? {
            Some(place) => {
                let before = out.get(place.clone()).unwrap_or_default();
                if !is_plain(before) {
                    return Err(format!(
                        "{}: option {name} is written in an unusual way; write it as option {name} 'VALUE'",
                        line_at(&out, place.start)
                    ));
                }
                memory.item("was", before);
                out.replace_range(place, &format!("option {name} '{value}'"));
            }
            None => {
                let at = end_of_section(&out, wanted)?;
                out.insert_str(at, &format!("\n\toption {name} '{value}'"));
            }
        }
    }
    // the items of a list stand together, as they do in what is read
    for (name, value) in &missing {
        memory.item("set", format!("{name}={value}"));
    }
    let set = |section: &Section| wanted.options.iter().all(|(name, value)| section.get(name) == Some(value));
    if !same_but(text, &out, wanted)? || !find(&out, wanted)?.is_some_and(|s| set(&s)) {
        return Err(format!("its section '{}' cannot be changed without a change to others", wanted.name));
    }
    Ok((out, (!missing.is_empty()).then_some(memory)))
}

/// Puts back what [`borrow`] changed in a section of type `kind`. The section that knew it stays, for the caller to take away.
pub fn give_back(text: &str, kind: &'static str) -> Result<String, String> {
    let merged = parsed(text)?.merged();
    let is_memory = |s: &&Section| (s.kind.as_str(), s.name.as_deref()) == (MEMORY.0, Some(MEMORY.1));
    let Some(memory) = merged.sections.iter().find(is_memory) else { return Ok(text.to_string()) };
    let set: Vec<(&str, &str)> = values(memory, "set").filter_map(|pair| pair.split_once('=')).collect();
    let mut of = Borrowed { kind, name: memory.get("section").unwrap_or_default().to_string(), options: Vec::new() };
    let Some(there) = find(text, &of)? else { return Ok(text.to_string()) };
    if memory.get("created") == Some("1") {
        let as_made =
            there.entries.len() == set.len() && set.iter().all(|(name, value)| there.get(name) == Some(value));
        return if as_made { without(text, kind, &of.name) } else { Ok(text.to_string()) };
    }
    let mut out = text.to_string();
    for (name, _) in set.iter().filter(|(name, value)| there.get(name) == Some(value)) {
        let Some(place) = command(&out, &of, name)? else { continue };
        match values(memory, "was").find(|raw| is_plain(raw) && option_of(raw).as_deref() == Some(name)) {
            Some(before) => out.replace_range(place, before),
            None => {
                let whole = own_line(&out, &place)?;
                out.replace_range(whole, "");
            }
        }
        of.options.push(("", String::new()));
    }
    match same_but(text, &out, &of)? {
        true => Ok(out),
        false => Err(format!("its section '{}' cannot be put back without a change to others", of.name)),
    }
}

fn values<'a>(section: &'a Section, name: &'a str) -> impl Iterator<Item = &'a str> {
    section.entries.iter().filter(move |e| e.name == name).map(|e| e.value.as_str())
}

fn parsed(text: &str) -> Result<uci::File, String> {
    uci::parse(text).map_err(|e| format!("{}: {}", e.line, e.message))
}

fn find(text: &str, of: &Borrowed) -> Result<Option<Section>, String> {
    let is_it = |s: &Section| s.kind == of.kind && s.name.as_deref() == Some(&of.name);
    Ok(parsed(text)?.merged().sections.into_iter().find(is_it))
}

/// Do both mean the same, but for this section?
fn same_but(a: &str, b: &str, of: &Borrowed) -> Result<bool, String> {
    let others = |text: &str| -> Result<Vec<Section>, String> {
        let merged = parsed(text)?.merged();
        Ok(merged.sections.iter().filter(|s| s.name.as_deref() != Some(&of.name)).map(bare).collect())
    };
    Ok(others(a)? == others(b)?)
}

/// Where a command stands, and the option that it sets; `None` for `config`.
type Command = (Range<usize>, Option<Entry>);

/// Each command of the section.
fn commands(text: &str, of: &Borrowed) -> Result<Vec<Command>, String> {
    let (file, places) = uci::parse_with_places(text).map_err(|e| format!("{}: {}", e.line, e.message))?;
    let mut out = Vec::new();
    for (i, section) in file.sections.iter().enumerate() {
        if section.kind != of.kind || section.name.as_deref() != Some(&of.name) {
            continue;
        }
        let of_section: Vec<&Range<usize>> = places.iter().filter(|(_, at)| *at == Some(i)).map(|(p, _)| p).collect();
        if of_section.len() != section.entries.len() + 1 {
            return Err(format!("{}: this section cannot be followed", section.line));
        }
        let entries = std::iter::once(None).chain(section.entries.iter().cloned().map(Some));
        // without the blanks before a comment or a line feed
        let ended = |place: &Range<usize>| {
            let raw = text.get(place.clone()).unwrap_or_default();
            place.start..place.start + raw.trim_end_matches([' ', '\t', '\r']).len()
        };
        out.extend(of_section.into_iter().map(ended).zip(entries));
    }
    Ok(out)
}

/// The command that counts for this option.
fn command(text: &str, of: &Borrowed, name: &str) -> Result<Option<Range<usize>>, String> {
    let all = commands(text, of)?;
    let is_it = |entry: &Option<Entry>| entry.as_ref().is_some_and(|e| e.name == name && !e.value.is_empty());
    Ok(all.into_iter().rfind(|(_, entry)| is_it(entry)).map(|(place, _)| place))
}

/// Behind the last line of the section, before its line feed.
fn end_of_section(text: &str, of: &Borrowed) -> Result<usize, String> {
    let place = commands(text, of)?.pop().map(|(place, _)| place).unwrap_or_default();
    end_of_line(text, &place)
}

/// The line of a command, with the line feed before it and without its own. An error where it shares the line.
fn own_line(text: &str, place: &Range<usize>) -> Result<Range<usize>, String> {
    let before = text.get(..place.start).unwrap_or_default();
    let start = before.rfind('\n').unwrap_or(0);
    match before.get(start..).is_some_and(|blank| blank.trim().is_empty()) {
        true => Ok(start..end_of_line(text, place)?),
        false => Err(format!("{}: put this on a line of its own", line_at(text, place.start))),
    }
}

/// Before the line feed that ends the line of a command. An error where another command, or a continued line, comes first.
fn end_of_line(text: &str, place: &Range<usize>) -> Result<usize, String> {
    let after = text.get(place.end..).unwrap_or_default();
    let rest = after.split('\n').next().unwrap_or_default();
    let nothing = rest.trim().is_empty() || rest.trim_start().starts_with('#');
    let whole = !text.get(place.clone()).is_some_and(|raw| raw.ends_with('\n'));
    match nothing && whole && !rest.trim_end().ends_with('\\') {
        true => Ok(place.end + rest.strip_suffix('\r').unwrap_or(rest).len()),
        false => Err(format!("{}: put this on a line of its own", line_at(text, place.start))),
    }
}

fn line_at(text: &str, at: usize) -> usize {
    1 + text.get(..at).unwrap_or_default().matches('\n').count()
}

/// One command as people and programs write it: it can be kept and given back without care.
fn is_plain(raw: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b" \t'\"._-:/".contains(&b);
    raw.len() <= bounds::BORROWED_COMMAND && raw.bytes().all(fine)
}

/// The option that this command sets.
fn option_of(raw: &str) -> Option<String> {
    let file = uci::parse(&format!("config x\n{raw}\n")).ok()?;
    match file.sections.as_slice() {
        [one] => match one.entries.as_slice() {
            [entry] => Some(entry.name.clone()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod test {
    use super::super::sections::{replace, Ours};
    use super::*;
    use proptest::prelude::*;

    const OURS: Ours = Ours { prefix: "phoneprov_", kinds: &["phoneprov"] };

    fn wanted(upload: &str) -> Borrowed {
        let options = vec![("enabled", "1".to_string()), ("upload", upload.to_string())];
        Borrowed { kind: "interface", name: "wan".into(), options }
    }

    fn put(text: &str, upload: &str) -> String {
        let (out, memory) = borrow(text, &wanted(upload)).unwrap();
        match memory {
            Some(memory) => replace(&out, OURS, &[memory]).unwrap().unwrap(),
            None => out,
        }
    }

    fn back(text: &str) -> String {
        let out = give_back(text, "interface").unwrap();
        replace(&out, OURS, &[]).unwrap().unwrap_or(out)
    }

    #[test]
    fn there_and_back_again() {
        for text in [
            "config interface wan\n\toption enabled      0\n\toption upload       128 # slow\n",
            "config interface wan\n\toption enabled \"0\"",
            "config interface 'wan'",
            "config interface 'wan'\r\n\toption other 'x'\r\n\r\nconfig class 'a'\r\n",
            "config interface wan\n\n# about b\nconfig b\n",
            "config interface wan; option enabled 0\nconfig b\n",
            "config interface wan\n\toption upload 1\nconfig b\nconfig interface wan\n\toption upload 2\n\toption upload ''\n",
            "# nothing\n",
            "",
            "config interface 'lan'\n\toption upload '7'\n",
        ] {
            let with = put(text, "9000");
            let section = find(&with, &wanted("")).unwrap().unwrap();
            assert_eq!((section.get("enabled"), section.get("upload")), (Some("1"), Some("9000")), "{text}");
            assert_eq!(back(&with), text, "{with}");
            let canonical = uci::write(&uci::parse(&with).unwrap()).unwrap();
            let plain = uci::write(&uci::parse(&back(&canonical)).unwrap()).unwrap();
            assert_eq!(plain, uci::write(&uci::parse(text).unwrap()).unwrap(), "{text}");
        }
        let there = "config interface wan\n\toption enabled 1\n\toption upload 9000\n";
        assert_eq!(borrow(there, &wanted("9000")), Ok((there.to_string(), None)));
    }

    #[test]
    fn what_somebody_changed_since_stays() {
        let with = put("config interface wan\n\toption enabled 0\n\toption upload 128\n", "9000");
        let changed = with.replacen("upload '9000'", "upload '5000'", 1);
        assert_eq!(back(&changed), "config interface wan\n\toption enabled 0\n\toption upload '5000'\n");
        let made = put("", "9000").replace("enabled '1'", "enabled '1'\n\toption more 'x'");
        assert!(back(&made).contains("option more 'x'"));
        let gone = replace(&with, Ours { prefix: "wan", kinds: &["interface"] }, &[]).unwrap().unwrap();
        assert_eq!(back(&gone), "");
    }

    #[test]
    fn left_alone() {
        for (text, why) in [
            ("config class wan\n", "section 'wan' is of type class, not interface"),
            ("config interface wan\n\toption upload '1;2'\n", "2: option upload is written in an unusual way"),
            ("config interface wan\n\toption upload '1\n2'\n", "2: option upload is written in an unusual way"),
            ("config interface wan; config b\n", "1: put this on a line of its own"),
            ("config interface wan \\\n\n", "1: put this on"),
            ("config interface 'wan\n", "1: "),
        ] {
            let error = borrow(text, &wanted("9")).unwrap_err();
            assert!(error.starts_with(why), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_memory_that_somebody_wrote_does_no_harm() {
        let memory = |was: &str| {
            format!(
                "config interface wan\n\toption upload '9'\nconfig phoneprov 'phoneprov_before'\n\toption section wan\n\
                 \tlist set 'upload=9'\n\tlist was {was}\n"
            )
        };
        let long = format!("'option upload {}'", "1".repeat(bounds::BORROWED_COMMAND));
        for was in ["'config b'", "'option enabled 0'", "'option upload 1\nconfig b'", "'option upload $(x)'", &long] {
            assert_eq!(back(&memory(was)), "config interface wan\n", "{was}");
        }
        assert_eq!(back(&memory("'option upload 1'")), "config interface wan\n\toption upload 1\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn total(text in "(config (interface|b|phoneprov) ('wan'|wan|phoneprov_before)?|[ \t]*(option|list) (upload|enabled|was|set|section|created) ('?[a-z0-9=]{0,3}'?|wan)( # c)?|[ \t\r;\\\\']|\n){0,30}") {
            if let Ok((out, memory)) = borrow(&text, &wanted("9")) {
                let found = find(&out, &wanted("9")).unwrap().unwrap();
                prop_assert_eq!(found.get("upload"), Some("9"));
                if let (Some(memory), false) = (memory, text.contains("phoneprov")) {
                    if let Ok(Some(with)) = replace(&out, OURS, &[memory]) {
                        prop_assert_eq!(back(&with), text.clone());
                    }
                }
            }
            let _ = give_back(&text, "interface");
        }
    }
}
