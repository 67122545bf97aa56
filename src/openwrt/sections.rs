//! Sections of ours in a UCI file of others: put in, replaced and taken out again, without a change to any other byte.
//!
//! `uci` writes a file anew, without its comments, and commits whatever else is staged. So the text is worked on here.
//! How the file ended is kept by the way in which ours are added, and so needs no mark of its own that `uci commit`
//! would lose:
//!
//! | the file ends with | ours begin with | and end with |
//! |---|---|---|
//! | an empty line (as `uci` writes it) | `config` | an empty line |
//! | a line, or it is empty | an empty line | a line |
//! | no line feed | a line feed and an empty line | no line feed |

use crate::proto::uci::{self, Section, Span};
use std::ops::Range;

/// Which sections of a file are ours.
#[derive(Clone, Copy)]
pub struct Ours {
    /// Their names begin so.
    pub prefix: &'static str,
    /// And they are of one of these types.
    pub kinds: &'static [&'static str],
}

impl Ours {
    /// Is this one of them?
    pub fn has(&self, section: &Section) -> bool {
        self.kinds.contains(&section.kind.as_str())
            && section.name.as_deref().is_some_and(|name| name.starts_with(self.prefix))
    }
}

/// The text with our sections as they are in `new` (none: taken out), or `None` when it has them so already. The error is
/// `LINE: why`, or a clause: why this file is left alone.
pub fn replace(text: &str, ours: Ours, new: &[Section]) -> Result<Option<String>, String> {
    let (file, places) = uci::parse_with_places(text).map_err(|e| format!("{}: {}", e.line, e.message))?;
    let (mine, others) = split(&file, ours);
    let wanted: Vec<Section> = new.iter().map(bare).collect();
    if same(&mine, &wanted) {
        return Ok(None);
    }
    let taken = |s: &&Section| s.name.is_some() && new.iter().any(|n| n.name == s.name);
    if let Some(section) = file.sections.iter().find(|s| !ours.has(s) && taken(s)) {
        return Err(taken_name(section));
    }
    let mut out = text.to_string();
    take_out(&mut out, text, &file, &places, &|s| ours.has(s))?;
    append(&mut out, new)?;
    let (again, others_again) = match uci::parse(&out) {
        Ok(file) => split(&file, ours),
        Err(e) => return Err(format!("the change would make line {} unreadable: {}", e.line, e.message)),
    };
    if others_again != others || !same(&again, &wanted) {
        return Err("the change would touch other sections; look at its last lines".into());
    }
    Ok(Some(out))
}

/// The text with sections of ours, which it does not have yet, before the first section of one of the types `before`: each
/// with an empty line behind it, which goes with it. At the end where there is no such section. Errors as of [`replace`].
pub fn put_before(text: &str, before: &[&str], new: &[Section]) -> Result<String, String> {
    let (file, places) = uci::parse_with_places(text).map_err(|e| format!("{}: {}", e.line, e.message))?;
    let taken = |s: &&Section| s.name.is_some() && new.iter().any(|n| n.name == s.name);
    if let Some(section) = file.sections.iter().find(taken) {
        return Err(taken_name(section));
    }
    let mut out = text.to_string();
    let first = file.sections.iter().position(|s| before.contains(&s.kind.as_str()));
    match first.and_then(|first| places.iter().find(|(_, section)| *section == Some(first))) {
        None => append(&mut out, new)?,
        Some((place, _)) => {
            let start = lines_of(text, place).start;
            if places.iter().any(|(p, _)| p.start < place.start && start < p.end) {
                let line = 1 + text.get(..start).unwrap_or_default().matches('\n').count();
                return Err(format!(
                    "{line}: begins with one section and ends with another; put them on lines of their own"
                ));
            }
            let canonical = uci::write(&uci::File { package: None, sections: new.to_vec() })?;
            out.insert_str(start, canonical.trim_start_matches('\n'));
        }
    }
    let others = |text: &str| -> Result<Vec<Section>, String> {
        let file =
            uci::parse(text).map_err(|e| format!("the change would make line {} unreadable: {}", e.line, e.message))?;
        let is_new = |s: &Section| s.name.is_some() && new.iter().any(|n| n.name == s.name);
        Ok(file.merged().sections.iter().filter(|s| !is_new(s)).map(bare).collect())
    };
    if others(&out)? != others(text)? {
        return Err("the change would touch other sections; look at its last lines".into());
    }
    Ok(out)
}

/// The text without one section, whoever's it is.
pub(super) fn without(text: &str, kind: &str, name: &str) -> Result<String, String> {
    let (file, places) = uci::parse_with_places(text).map_err(|e| format!("{}: {}", e.line, e.message))?;
    let is_it = |s: &Section| s.kind == kind && s.name.as_deref() == Some(name);
    let mut out = text.to_string();
    take_out(&mut out, text, &file, &places, &is_it)?;
    Ok(out)
}

fn taken_name(section: &Section) -> String {
    let name = section.name.as_deref().unwrap_or_default();
    format!("{}: section '{name}' is of type {}; rename it, the name is ours", section.line, section.kind)
}

/// What the file means: our sections and those of others, without line numbers.
fn split(file: &uci::File, ours: Ours) -> (Vec<Section>, Vec<Section>) {
    file.merged().sections.iter().map(bare).partition(|s| ours.has(s))
}

pub(super) fn bare(section: &Section) -> Section {
    let mut out = section.clone();
    out.line = 0;
    out.entries.iter_mut().for_each(|e| e.line = 0);
    out
}

/// The order of sections has no meaning for what we write.
fn same(a: &[Section], b: &[Section]) -> bool {
    a.len() == b.len() && a.iter().all(|s| b.contains(s))
}

/// Takes the sections that are `mine` out of `out`, which is `text`.
fn take_out(
    out: &mut String,
    text: &str,
    file: &uci::File,
    places: &[Span],
    mine: &dyn Fn(&Section) -> bool,
) -> Result<(), String> {
    let mine_at = |section: Option<usize>| section.and_then(|i| file.sections.get(i)).is_some_and(mine);
    // from the end, so that the places before stay where they are
    let mut rest = places;
    while let Some((last, before)) = rest.split_last() {
        if !mine_at(last.1) {
            rest = before;
            continue;
        }
        let count = rest.iter().rev().take_while(|place| place.1 == last.1).count();
        let (before, section) = rest.split_at_checked(rest.len() - count).unwrap_or((&[], rest));
        cut(out, text, section, places, &mine_at)?;
        rest = before;
    }
    Ok(())
}

/// Takes the lines of one section's commands out of `out`, which is `text` up to the end of this section at least.
fn cut(
    out: &mut String,
    text: &str,
    section: &[Span],
    all: &[Span],
    mine: &dyn Fn(Option<usize>) -> bool,
) -> Result<(), String> {
    // whole lines, one range where they touch: comments of others between them stay
    let mut lines: Vec<Range<usize>> = Vec::new();
    for (place, _) in section {
        let whole = lines_of(text, place);
        match lines.last_mut() {
            Some(before) if before.end >= whole.start => before.end = before.end.max(whole.end),
            _ => lines.push(whole),
        }
    }
    for whole in &lines {
        let shared = all.iter().find(|(p, s)| !mine(*s) && p.start < whole.end && whole.start < p.end);
        if let Some((p, _)) = shared {
            let line = 1 + text.get(..p.start).unwrap_or_default().matches('\n').count();
            return Err(format!("{line}: has one of our sections on the same line; put them on lines of their own"));
        }
    }
    let last = lines.len().saturating_sub(1);
    let mut blank_is_gone = false;
    for (i, whole) in lines.iter().enumerate().rev() {
        let (mut start, mut end) = (whole.start, whole.end.min(out.len()));
        if i == last {
            let after = out.get(end..).unwrap_or_default();
            if let Some(blank) = ["\n", "\r\n"].iter().find(|b| after.starts_with(**b)) {
                end += blank.len();
                blank_is_gone = true;
            }
        }
        let before = out.get(..start).unwrap_or_default();
        if i == 0 && !blank_is_gone {
            let unended = out.get(start..end).is_some_and(|s| !s.ends_with('\n'));
            if unended && before.ends_with("\n\n") {
                start -= 2;
            } else if let Some(blank) = blank_before(before) {
                start -= blank;
            }
        }
        out.replace_range(start..end, "");
    }
    Ok(())
}

/// From the begin of a place's first line to behind the line feed of its last.
fn lines_of(text: &str, place: &Range<usize>) -> Range<usize> {
    let start = text.get(..place.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    // a place may end with a continued line
    let end = match text.get(place.end.saturating_sub(1)..place.end) {
        Some("\n") => place.end,
        _ => text.get(place.end..).and_then(|after| after.find('\n')).map_or(text.len(), |at| place.end + at + 1),
    };
    start..end
}

/// Length of the empty line that this ends with.
fn blank_before(before: &str) -> Option<usize> {
    let line = ["\r\n", "\n"].into_iter().find(|end| before.ends_with(end))?;
    let rest = before.strip_suffix(line)?;
    (rest.is_empty() || rest.ends_with('\n')).then_some(line.len())
}

/// Adds sections at the end, in the form of `uci commit`.
fn append(out: &mut String, new: &[Section]) -> Result<(), String> {
    if new.is_empty() {
        return Ok(());
    }
    let file = uci::File { package: None, sections: new.to_vec() };
    // "\nconfig …\n\nconfig …\n\n"
    let canonical = uci::write(&file)?;
    let inner = canonical.strip_suffix('\n').unwrap_or(&canonical);
    if blank_before(out).is_some() {
        out.push_str(inner.strip_prefix('\n').unwrap_or(inner));
        out.push('\n');
    } else if out.is_empty() || out.ends_with('\n') {
        out.push_str(inner);
    } else {
        out.push('\n');
        out.push_str(inner.strip_suffix('\n').unwrap_or(inner));
    }
    Ok(())
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    const OURS: Ours = Ours { prefix: "pp_", kinds: &["tag", "mac"] };

    fn new(address: &str) -> Vec<Section> {
        let mut tag = Section::new("tag", Some("pp_snom"));
        tag.option("force", "1").item("dhcp_option", format!("66,\"http://{address}/\"")).item("dhcp_option", "it's");
        let mut mac = Section::new("mac", Some("pp_snom_000413"));
        mac.option("mac", "00:04:13:*:*:*");
        vec![tag, mac]
    }

    fn put(text: &str, address: &str) -> String {
        replace(text, OURS, &new(address)).unwrap().unwrap()
    }

    fn out(text: &str) -> String {
        replace(text, OURS, &[]).unwrap().unwrap()
    }

    const BODY: &str = "config tag 'pp_snom'\n\toption force '1'\n\tlist dhcp_option '66,\"http://a/\"'\n\
                        \tlist dhcp_option 'it'\\''s'\n\nconfig mac 'pp_snom_000413'\n\toption mac '00:04:13:*:*:*'";

    #[test]
    fn appended_in_the_form_of_the_file() {
        for (before, around) in [
            ("\nconfig a\n\toption b 'c'\n\n", ("", "\n\n")),
            ("config a\n", ("\n", "\n")),
            ("config a", ("\n\n", "")),
            ("config a # c", ("\n\n", "")),
            ("", ("\n", "\n")),
            ("\n", ("", "\n\n")),
            ("# only a comment\n", ("\n", "\n")),
            ("config a\r\n\r\n", ("", "\n\n")),
            ("config a\r\n", ("\n", "\n")),
            ("config a\r", ("\n\n", "")),
            ("config a\n\t\n", ("\n", "\n")),
            ("config a\n\n\n\n", ("", "\n\n")),
        ] {
            let with = put(before, "a");
            assert_eq!(with, format!("{before}{}{BODY}{}", around.0, around.1), "{before:?}");
            assert_eq!(replace(&with, OURS, &new("a")), Ok(None), "{before:?}");
            assert_eq!(out(&put(&with, "b")), before, "{before:?}");
        }
        assert_eq!(replace("config a\n", OURS, &[]), Ok(None));
    }

    #[test]
    fn edited_in_between() {
        let before = "# mine\nconfig a\n\toption b 'c'\n\n# last\n";
        let with = put(before, "a");
        // added behind, with and without an empty line
        for more in ["\nconfig d\n\toption e 'f'\n", "config d\n"] {
            assert_eq!(out(&format!("{with}{more}")), format!("{before}{more}"));
        }
        // options of ours changed, a comment put among them, and a name used twice
        let changed = with.replace("\toption force '1'\n", "\toption force '0'\n# why\n\toption x 'y'\n");
        let again = format!("{changed}\nconfig tag pp_snom\n\tlist dhcp_option more\n");
        assert_eq!(out(&again), format!("{before}# why\n"));
        assert!(put(&again, "a").ends_with(&format!("# why\n\n{BODY}\n")));
        // what uci commit makes of it
        let canonical = crate::proto::uci::write(&crate::proto::uci::parse(&with).unwrap()).unwrap();
        assert_eq!(out(&canonical), "\nconfig a\n\toption b 'c'\n\n");
        assert_eq!(replace(&canonical, OURS, &new("a")), Ok(None));
        // before all others
        let first = format!("{BODY}\n\n{before}");
        assert_eq!(out(&first), before);
    }

    #[test]
    fn of_a_type_that_is_not_ours() {
        let text = "config host 'pp_desk'\n\toption name 'x'\n";
        assert_eq!(out(&put(text, "a")), text);
        let error = replace("\nconfig host 'pp_snom'\n", OURS, &new("a")).unwrap_err();
        assert_eq!(error, "2: section 'pp_snom' is of type host; rename it, the name is ours");
    }

    #[test]
    fn left_alone() {
        for (text, why) in [
            ("config a\n\toption x 'y\n", "2: the ' that opens here is never closed"),
            ("config tag 'pp_x'; config a\n", "1: has one of our sections on the same line"),
            ("config a\noption b c; config tag pp_x\n", "2: has one of our sections"),
            ("config tag 'pp_x'\n\toption a 'b'; config a\n", "2: has one"),
        ] {
            let error = replace(text, OURS, &new("a")).unwrap_err();
            assert!(error.starts_with(why), "{text:?}: {error}");
        }
        // all on one line, and all ours
        assert_eq!(out("config a\nconfig tag pp_x; option a b; option c d\n"), "config a\n");
    }

    fn any_text() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "config dhcp 'lan'",
            "config host",
            "config mac 'theirs'",
            "config tag 'a' # b",
            "\toption name 'x'",
            "option name \"a b\" # c",
            "\tlist dhcp_option '6,1.1.1.1'; list l b",
            "\toption m 'two\n\tlines'",
            "\toption c \\",
            "  'd'",
            "# config tag 'pp_snom'",
            "\toption e ''",
            "",
            "",
            " \t",
            "package dhcp",
            "config domain; option name x",
        ]);
        let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n"]);
        let last = prop::sample::select(vec!["", "\n", "\n\n", "\r\n", "\r\n\r\n", "\n\n\n", " ", "\r", "\n\t", "\\"]);
        (prop::collection::vec((line, end), 0..12), last)
            .prop_map(|(lines, last)| {
                let mut text: String = lines.iter().map(|(line, end)| format!("{line}{end}")).collect();
                let kept = text.trim_end_matches(['\n', '\r']).len();
                if kept > 0 {
                    text.truncate(kept);
                }
                text + last
            })
            .prop_filter("no UCI", |text| uci::parse(text).is_ok())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn there_and_back(text in any_text()) {
            match replace(&text, OURS, &new("a")) {
                Ok(with) => {
                    let with = with.unwrap();
                    prop_assert!(with.starts_with(&text));
                    prop_assert_eq!(replace(&with, OURS, &new("a")), Ok(None));
                    let other = put(&with, "b");
                    prop_assert_eq!(out(&other), &text[..]);
                    // and after uci commit
                    let canonical = uci::write(&uci::parse(&with).unwrap()).unwrap();
                    let plain = out(&canonical);
                    let theirs = uci::write(&uci::parse(&text).unwrap()).unwrap();
                    prop_assert_eq!(plain.trim_start(), theirs.trim_start());
                }
                // a continued last line would go on with ours
                Err(why) => prop_assert!(text.trim_end().ends_with('\\'), "{}", why),
            }
        }

        #[test]
        fn total(text in "(\\PC|[\n\t\r '\"\\\\#;]|config |option |list |tag pp_|mac pp_|'x' |a ){0,40}") {
            let file = uci::parse(&text);
            if let Ok(Some(with)) = replace(&text, OURS, &new("a")) {
                let others = |t: &str| split(&uci::parse(t).unwrap(), OURS).1;
                prop_assert_eq!(others(&with), others(&text));
                prop_assert_eq!(others(&out(&with)), others(&text));
            }
            prop_assert!(file.is_ok() || replace(&text, OURS, &[]).is_err());
        }
    }
}
