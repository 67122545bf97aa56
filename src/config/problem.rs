//! What is wrong with a config file, where, and what would be right.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named.
    pub file: String,
    /// From 1; 0 when it is about the file as a whole.
    pub line: u32,
    /// What is wrong and what would be right, in one line, without secrets.
    pub message: String,
    /// Can the agent not do its job with this? Otherwise it warns and goes on.
    pub fatal: bool,
}

impl fmt::Display for Problem {
    /// `FILE:LINE: message`, as compilers write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All problems of a file that cannot be used; at least one is fatal. `Display` writes one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(problem, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A value as messages show it: not longer than a line is wide, and without control characters.
pub(super) fn shown(value: &str) -> String {
    let mut out: String = value.chars().take(60).collect();
    if out.len() < value.len() {
        out.push('…');
    }
    without_controls(&out)
}

/// Control characters (a line feed would forge a log line) written as escapes.
pub(super) fn without_controls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// `; did you mean 'x'?` for the word that `name` most likely is a slip of, else nothing.
pub(super) fn suggestion<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, words) {
        Some(word) => format!("; did you mean '{word}'?"),
        None => String::new(),
    }
}

/// The nearest of `words` by edit distance, when it is near enough to be meant: a third of the longer one's length.
fn nearest<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    words
        .map(|word| (distance(name, word), word))
        .filter(|(distance, word)| *distance * 3 <= word.len().max(name.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Insertions, deletions, changes and swaps of neighbours that make `b` of `a`. Bytes suffice: option names are ASCII.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // our own words are short: beyond this it is no slip, and the work stays bounded
    if a.len().max(b.len()) > 64 {
        return usize::MAX / 4;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX / 4);
            let mut best = (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, d) in [
            ("", "", 0),
            ("snom", "snom", 0),
            ("snomm", "snom", 1),
            ("prot", "port", 1),
            ("", "abc", 3),
            ("pnp", "", 3),
        ] {
            assert_eq!(distance(a, b), d, "{a} {b}");
            assert_eq!(distance(b, a), d, "{b} {a}");
        }
    }

    #[test]
    fn only_near_words_are_suggested() {
        let words = || ["port", "pnp", "upstream", "upstream_timeout"].into_iter();
        assert_eq!(nearest("prot", words()), Some("port"));
        assert_eq!(nearest("upsteam", words()), Some("upstream"));
        assert_eq!(nearest("colour", words()), None);
        assert_eq!(nearest(&"p".repeat(100_000), words()), None);
    }

    #[test]
    fn display() {
        let mut p = Problem { file: "config/phoneprov".into(), line: 12, message: "x".into(), fatal: false };
        assert_eq!(p.to_string(), "config/phoneprov:12: x");
        p.line = 0;
        assert_eq!(p.to_string(), "config/phoneprov: x");
        assert_eq!(Problems(vec![p.clone(), p]).to_string(), "config/phoneprov: x\nconfig/phoneprov: x");
        assert_eq!(shown("a\nb"), "a\\nb");
    }
}
