//! Text to [`File`].

use super::{Entry, Error, File, Section};
use crate::bounds;
use std::collections::HashMap;
use std::ops::Range;

/// Reads a file; the first mistake ends it.
pub fn parse(text: &str) -> Result<File, Error> {
    let (file, errors) = parse_all(text);
    match errors.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(file),
    }
}

/// Reads what can be read and tells every mistake (up to [`bounds::UCI_ERRORS`]): after one it goes on in the next
/// line. Options of a `config` line that is wrong are left out, never given to the section before it.
pub fn parse_all(text: &str) -> (File, Vec<Error>) {
    let mut reader = Reader::new(text);
    let mut errors = Vec::new();
    if text.len() > bounds::UCI_FILE {
        errors.push(too_large());
        return (reader.file, errors);
    }
    while errors.len() < bounds::UCI_ERRORS {
        match reader.command() {
            Ok(true) => {}
            Ok(false) => break,
            Err(mut error) => {
                // the usual cause of a mistake that makes no sense where it shows
                if let Some(line) = reader.over_lines.filter(|line| *line < error.line) {
                    error.message.push_str(&format!(
                        " (the quoted value that begins in line {line} runs over several lines: is its closing quote missing?)"
                    ));
                }
                errors.push(error);
                reader.skip_line();
            }
        }
    }
    (reader.file, errors)
}

/// Where a command stands: bytes from its first word to behind its last, and the number of the section that it begins or
/// belongs to (`None` for `package`).
pub type Span = (Range<usize>, Option<usize>);

/// Reads a file as [`parse`] does, and tells where each of its commands stands, in file order.
pub fn parse_with_places(text: &str) -> Result<(File, Vec<Span>), Error> {
    let mut reader = Reader::new(text);
    if text.len() > bounds::UCI_FILE {
        return Err(too_large());
    }
    let mut places = Vec::new();
    loop {
        let options = reader.entries;
        let sections = reader.file.sections.len();
        if !reader.command()? {
            return Ok((reader.file, places));
        }
        let of_section = reader.entries > options || reader.file.sections.len() > sections;
        let section = reader.file.sections.len().checked_sub(1).filter(|_| of_section);
        places.push((reader.begin..reader.pos, section));
    }
}

fn too_large() -> Error {
    Error { line: 1, message: format!("the file is larger than {} KiB", bounds::UCI_FILE / 1024) }
}

/// Section and option names: what a shell variable can hold.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Section types: any printable ASCII but the blank.
pub(super) fn is_type(kind: &str) -> bool {
    !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_graphic())
}

/// Where options go.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Before the first section.
    Top,
    /// Into the last section.
    Section,
    /// Nowhere: the `config` line was wrong and has been told.
    Lost,
}

struct Reader<'a> {
    text: &'a str,
    /// Byte position, always at a character's begin.
    pos: usize,
    /// Where the last command begins.
    begin: usize,
    /// Of `pos`, from 1.
    line: u32,
    /// Line of the first quoted text that runs over a line's end into what looks like the next command.
    over_lines: Option<u32>,
    file: File,
    place: Place,
    entries: usize,
    /// Name of a section → its type and line.
    types: HashMap<String, (String, u32)>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Reader<'a> {
        Reader {
            text,
            pos: 0,
            begin: 0,
            line: 1,
            over_lines: None,
            file: File::default(),
            place: Place::Top,
            entries: 0,
            types: HashMap::new(),
        }
    }
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.pos + ahead).copied()
    }

    /// One ASCII byte on.
    fn bump(&mut self) {
        if self.peek() == Some(b'\n') {
            self.line = self.line.saturating_add(1);
        }
        self.pos += 1;
    }

    /// The text up to the next byte that `stop` is true for. `stop` is true for ASCII only, so characters stay whole.
    fn run(&mut self, stop: fn(u8) -> bool) -> &str {
        let rest = self.text.get(self.pos..).unwrap_or("");
        let len = rest.bytes().position(stop).unwrap_or(rest.len());
        self.pos += len;
        rest.get(..len).unwrap_or("")
    }

    fn skip_line(&mut self) {
        self.run(|b| b == b'\n');
    }

    /// Length of a backslash with the line's end behind it, at `pos`.
    fn continuation(&self) -> Option<usize> {
        match (self.peek()?, self.peek_at(1), self.peek_at(2)) {
            (b'\\', Some(b'\n'), _) => Some(2),
            (b'\\', Some(b'\r'), Some(b'\n')) => Some(3),
            (b'\\', None, _) => Some(1),
            _ => None,
        }
    }

    /// Takes a continuation, if one is here.
    fn skip_continuation(&mut self) -> bool {
        let len = self.continuation().unwrap_or(0);
        (0..len).for_each(|_| self.bump());
        len > 0
    }

    /// Blanks within a line.
    fn skip_blank(&mut self) {
        while self.peek().is_some_and(|b| b != b'\n' && is_space(b)) || self.continuation().is_some() {
            if !self.skip_continuation() {
                self.bump();
            }
        }
    }

    fn error<T>(&self, line: u32, message: impl Into<String>) -> Result<T, Error> {
        Err(Error { line, message: message.into() })
    }

    /// Reads one command with its line's end. `false` at the end of the text.
    fn command(&mut self) -> Result<bool, Error> {
        loop {
            self.skip_blank();
            match self.peek() {
                None => return Ok(false),
                Some(b'#') => self.skip_line(),
                Some(b'\n' | b';') => self.bump(),
                Some(_) => break,
            }
        }
        let line = self.line;
        self.begin = self.pos;
        let word = self.run(is_space).to_string();
        // uci takes the first letter for the whole word
        match word.as_str() {
            "package" | "p" => self.package(line)?,
            "config" | "c" => self.config(line)?,
            "option" | "o" => self.entry(line, false)?,
            "list" | "l" => self.entry(line, true)?,
            // the word itself may be a piece of a secret whose quotes are wrong
            _ => return self.error(line, "a line begins with config, option or list; this one does not"),
        }
        Ok(true)
    }

    fn package(&mut self, line: u32) -> Result<(), Error> {
        let name = self.word()?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return self.error(line, "package needs a name of letters, digits, _ and -");
        }
        self.end("package NAME")?;
        self.file.package = Some(name);
        Ok(())
    }

    fn config(&mut self, line: u32) -> Result<(), Error> {
        self.place = Place::Lost;
        let kind = self.word()?;
        if kind.is_empty() {
            return self.error(line, "config needs a section type, as in: config vendor 'snom'");
        }
        if !is_type(&kind) {
            return self.error(line, "the section type has a character that is not printable ASCII");
        }
        let name = self.word()?;
        if !name.is_empty() && !is_name(&name) {
            let right: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            return self.error(line, self.name_message("section name", &name, &right));
        }
        self.end("config TYPE 'NAME'")?;
        let name = Some(name).filter(|name| !name.is_empty());
        if let Some(name) = &name {
            match self.types.get(name) {
                Some((other, first)) if *other != kind => {
                    let message = format!(
                        "section '{name}' is of type {kind} here and of type {other} in line {first}; rename one of them"
                    );
                    return self.error(line, message);
                }
                Some(_) => {}
                None => {
                    self.types.insert(name.clone(), (kind.clone(), line));
                }
            }
        }
        if self.file.sections.len() >= bounds::UCI_SECTIONS {
            self.pos = self.text.len();
            return self.error(line, format!("more than {} sections", bounds::UCI_SECTIONS));
        }
        self.file.sections.push(Section { line, kind, name, entries: Vec::new() });
        self.place = Place::Section;
        Ok(())
    }

    fn entry(&mut self, line: u32, list: bool) -> Result<(), Error> {
        let what = if list { "list" } else { "option" };
        let name = self.word()?;
        if name.is_empty() {
            return self.error(line, format!("{what} needs a name and a value, as in: {what} name 'value'"));
        }
        if !is_name(&name) {
            let right: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            return self.error(line, self.name_message(&format!("{what} name"), &name, &right));
        }
        let value = self.word()?;
        if value.contains('\0') {
            return self.error(line, format!("the value of {what} '{name}' holds a NUL byte; take it out"));
        }
        self.end(&format!("{what} {name} 'value'"))?;
        if self.entries >= bounds::UCI_ENTRIES {
            self.pos = self.text.len();
            return self.error(line, format!("more than {} options", bounds::UCI_ENTRIES));
        }
        match self.place {
            Place::Top => self.error(line, format!("{what} '{name}' stands before the first config line")),
            Place::Lost => Ok(()),
            Place::Section => {
                self.entries += 1;
                if let Some(section) = self.file.sections.last_mut() {
                    section.entries.push(Entry { line, name, value, list });
                }
                Ok(())
            }
        }
    }

    /// Names are quoted in messages, but not when a quote ran away before: then a name may be a piece of a value.
    fn name_message(&self, what: &str, name: &str, right: &str) -> String {
        if self.over_lines.is_some() || name.len() > 64 {
            return format!("the {what} may only hold letters, digits and _");
        }
        format!("{what} '{}' may only hold letters, digits and _; write it as {right}", name.escape_debug())
    }

    /// The next word of this command; empty when there is none (UCI makes no difference).
    fn word(&mut self) -> Result<String, Error> {
        self.skip_blank();
        let mut out = String::new();
        while let Some(b) = self.peek() {
            match b {
                b'\'' | b'"' => self.quoted(b, &mut out)?,
                b'#' | b';' => break,
                b'\\' => {
                    if !self.skip_continuation() {
                        self.bump();
                        self.take_char(&mut out);
                    }
                }
                _ if is_space(b) => break,
                _ => out.push_str(self.run(|b| is_space(b) || b"'\"#;\\".contains(&b))),
            }
        }
        Ok(out)
    }

    fn quoted(&mut self, quote: u8, out: &mut String) -> Result<(), Error> {
        let begin = self.line;
        self.bump();
        loop {
            out.push_str(self.run(|b| b"'\"\\\n".contains(&b)));
            match self.peek() {
                None => {
                    let mark = quote as char;
                    return self.error(
                        begin,
                        format!("the {mark} that opens here is never closed; end the value with {mark}"),
                    );
                }
                Some(b) if b == quote => {
                    self.bump();
                    return Ok(());
                }
                Some(b'\n') => {
                    self.take_char(out);
                    let next = self.text.get(self.pos..).unwrap_or("").trim_start();
                    if ["option", "list", "config"].iter().any(|word| next.starts_with(word)) {
                        self.over_lines.get_or_insert(begin);
                    }
                }
                Some(b'\\') if quote == b'"' => {
                    if !self.skip_continuation() {
                        self.bump();
                        self.take_char(out);
                    }
                }
                Some(_) => self.take_char(out),
            }
        }
    }

    /// Takes the next character as it is.
    fn take_char(&mut self, out: &mut String) {
        if let Some(c) = self.text.get(self.pos..).and_then(|rest| rest.chars().next()) {
            out.push(c);
            if c == '\n' {
                self.line = self.line.saturating_add(1);
            }
            self.pos += c.len_utf8();
        }
    }

    /// Nothing may follow but a comment, `;` or the line's end.
    fn end(&mut self, form: &str) -> Result<(), Error> {
        self.skip_blank();
        match self.peek() {
            None | Some(b'\n' | b'#' | b';') => Ok(()),
            Some(_) => self.error(self.line, format!("too many words; put a value with blanks into quotes: {form}")),
        }
    }
}

/// C's `isspace`, which is what libuci asks.
fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}
