//! From a phone to the bytes that it reads: sections in the order of its brand.

use super::documents::{Documents, Generator};
use super::fill::fill;
use super::json::Json;
use super::keys::Keys;
use super::phone::{Brand, Phone};
use super::xml::BadName;
use super::{plain, xml};

/// A configuration. No `Debug`: there are passwords in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Its Content-Type.
    pub content_type: &'static str,
    /// Its bytes.
    pub body: Vec<u8>,
}

const HTML: &str = "text/html; charset=UTF-8";

/// What all sections are made of.
struct Sections<'a> {
    phone: &'a Phone,
    /// Between key and value of plain sections.
    delimiter: &'static str,
    out: String,
}

impl Sections<'_> {
    /// Appends a section with the values of this line. Plain ones end with a line end; what is empty is left out.
    fn push(&mut self, section: &Json, line: usize) -> Result<(), BadName> {
        let filled = |text: &str| fill(text, &|name| self.phone.value(name, line));
        match self.phone.template.generator {
            Generator::Xml => xml::section(&mut self.out, section, &filled),
            Generator::Plain => {
                let text = plain::section(section, self.delimiter, self.phone.is_m3(), &filled);
                if !text.is_empty() {
                    self.out.push_str(&text);
                    self.out.push('\n');
                }
                Ok(())
            }
        }
    }
}

/// The configuration of a phone: all its lines, its keys.
///
/// # Errors
/// The template has a name that XML does not have.
pub fn config(phone: &Phone, documents: &dyn Documents) -> Result<Rendered, BadName> {
    let t = &*phone.template;
    let last = phone.lines.len().saturating_sub(1);
    let delimiter = match phone.brand {
        Brand::Mitel => ":",
        Brand::Snom => ": ",
        Brand::Yealink => " = ",
    };
    let mut s = Sections { phone, delimiter, out: String::new() };
    let first = phone.lines.first();
    let database = first.map_or("", |l| &l.device.database);
    let keys = Keys {
        keys: first.map_or(&[], |l| &l.device.keys),
        template: t,
        realm: first.map_or("", |l| &l.account.realm),
        user: &|id| documents.user(database, id),
    };
    match (phone.brand, t.generator) {
        (Brand::Snom, Generator::Xml) => {
            s.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<settings>\n");
            (0..phone.lines.len()).try_for_each(|i| s.push(&t.account, i))?;
            [&t.base, &t.behavior, &t.tone].into_iter().try_for_each(|section| s.push(section, last))?;
            s.out.push_str("<functionKeys>\n");
            keys.snom(&mut s.out);
            s.out.push_str("</functionKeys>\n<tbook e=\"2\">\n</tbook>\n</settings>\n");
            return Ok(Rendered { content_type: "text/xml; charset=UTF-8", body: s.out.into_bytes() });
        }
        (Brand::Snom, Generator::Plain) => {
            (0..phone.lines.len()).try_for_each(|i| s.push(&t.account, i))?;
            [&t.base, &t.behavior, &t.tone].into_iter().try_for_each(|section| s.push(section, last))?;
        }
        (Brand::Mitel, _) => {
            (0..phone.lines.len()).try_for_each(|i| s.push(&t.account, i))?;
            [&t.behavior, &t.tone].into_iter().try_for_each(|section| s.push(section, last))?;
            let end = s.out.len();
            keys.mitel(&mut s.out);
            if s.out.len() > end {
                s.out.insert(end, '\n');
            }
        }
        (Brand::Yealink, _) => {
            for i in 0..phone.lines.len() {
                let begin = s.out.len();
                s.push(&t.account, i)?;
                if s.out.len() > begin {
                    s.out.insert_str(begin, "#!version:1.0.0.1\n");
                }
            }
            [&t.base, &t.behavior, &t.key, &t.tone].into_iter().try_for_each(|section| s.push(section, last))?;
            keys.yealink(&mut s.out);
        }
    }
    if phone.is_m3() {
        let body = s.out.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
        return Ok(Rendered { content_type: "text/html; charset=iso-8859-1", body });
    }
    Ok(Rendered { content_type: HTML, body: s.out.into_bytes() })
}

/// The file that a phone reads before its own: `aastra.cfg`, `startup.cfg`, `yealink.cfg`. Nothing in it is of one line.
pub fn boot(phone: &Phone) -> Rendered {
    let value = |name: &str| match (phone.brand, name) {
        (Brand::Mitel, "PROV_SERVER_URL") => Some(phone.host.clone()),
        _ => None,
    };
    let text = plain::section(&phone.template.base, ": ", false, &|text| fill(text, &value));
    Rendered { content_type: HTML, body: text.into_bytes() }
}

#[cfg(test)]
#[path = "render_test.rs"]
mod test;
