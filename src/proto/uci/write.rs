//! The form that `uci commit` writes: an empty line before each section and at the end, tab indent, single quotes.

use super::read::{is_name, is_type};
use super::File;

/// Writes what the file means ([`File::merged`]), byte for byte as `uci commit` would: without a `package` line and
/// without comments. Fails, and names the place, when a section or option has a name that UCI would not read back, or
/// a value holds a NUL.
pub fn write(file: &File) -> Result<String, String> {
    let mut out = String::new();
    for section in &file.merged().sections {
        if !is_type(&section.kind) {
            return Err(format!("section type '{}' is none that UCI can hold", section.kind.escape_debug()));
        }
        out.push_str("\nconfig ");
        // bare, as uci writes it, unless that would not be read back
        if section.kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)) {
            out.push_str(&section.kind);
        } else {
            quoted(&mut out, &section.kind);
        }
        if let Some(name) = &section.name {
            checked(name, "section")?;
            out.push(' ');
            quoted(&mut out, name);
        }
        out.push('\n');
        for entry in &section.entries {
            checked(&entry.name, "option")?;
            if entry.value.contains('\0') {
                return Err(format!("the value of option '{}' holds a NUL", entry.name));
            }
            out.push_str(if entry.list { "\tlist " } else { "\toption " });
            out.push_str(&entry.name);
            out.push(' ');
            quoted(&mut out, &entry.value);
            out.push('\n');
        }
    }
    out.push('\n');
    Ok(out)
}

fn checked(name: &str, what: &str) -> Result<(), String> {
    if is_name(name) {
        return Ok(());
    }
    Err(format!("{what} name '{}' may only hold letters, digits and _", name.escape_debug()))
}

fn quoted(out: &mut String, value: &str) {
    out.push('\'');
    for (i, part) in value.split('\'').enumerate() {
        if i > 0 {
            out.push_str("'\\''");
        }
        out.push_str(part);
    }
    out.push('\'');
}
