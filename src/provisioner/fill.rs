//! Placeholders: `{NAME}` in a template is replaced by its value, literally and in one pass. What a value holds is
//! never looked at again: not a placeholder in it, not a `$1`, not a backslash. Names that are not known stay, and
//! `{{NAME}}` keeps its outer braces.

/// `text` with its placeholders replaced. `value` is asked for each name between braces, as it is written there.
/// Control characters of values are left out: no phone's value has one, and a line break would begin another setting.
pub fn fill(text: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let known = name(after).and_then(|(name, tail)| Some((value(name)?, tail)));
        match known {
            Some((value, tail)) => {
                out.extend(value.chars().filter(|c| !c.is_control()));
                rest = tail;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The name that ends at the next `}`, and what follows it.
fn name(text: &str) -> Option<(&str, &str)> {
    let (name, tail) = text.split_once('}')?;
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    (!name.is_empty() && name.bytes().all(plain)).then_some((name, tail))
}

#[cfg(test)]
mod test {
    use super::*;

    fn values(name: &str) -> Option<String> {
        match name {
            "A" => Some("{B}".to_string()),
            "B" => Some("$1\\0".to_string()),
            "NL" => Some("one\r\ntwo: 2\u{85}\0".to_string()),
            _ => None,
        }
    }

    #[test]
    fn one_pass_and_literal() {
        for (text, filled) in [
            ("{A}{B}", "{B}$1\\0"),
            ("{{A}} {a} {C} {", "{{B}} {a} {C} {"),
            ("{A {B}}", "{A $1\\0}"),
            ("{NL}\n", "onetwo: 2\n"),
            ("{}é{A}", "{}é{B}"),
        ] {
            assert_eq!(fill(text, &values), filled, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_value_comes_out_as_it_is(before in "[^{]{0,9}", value in "[^\\p{Cc}]{0,60}", after in "[^{]{0,9}") {
            let filled = fill(&format!("{before}{{X}}{after}"), &|n| (n == "X").then(|| value.clone()));
            proptest::prop_assert_eq!(filled, format!("{before}{value}{after}"));
        }

        #[test]
        fn unknown_stays(text in ".{0,80}") {
            proptest::prop_assert_eq!(fill(&text, &|_| None), text);
        }
    }
}
