//! The rows of an answer of CouchDB while it arrives, so that no answer is ever in memory whole.
//!
//! Such an answer is a list, or an object with one long list in it. Its elements come out one at a time; what
//! is around them is kept, with the list empty.

use crate::bounds;

/// Takes an answer apart.
pub struct Rows {
    /// Largest row in bytes.
    limit: usize,
    /// Open lists and objects.
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Depth at which the rows are; 0 outside of the list.
    at: usize,
    /// The row that has begun.
    row: Option<Vec<u8>>,
    too_large: bool,
    around: Vec<u8>,
    broken: bool,
}

/// Gets each row.
pub type Each<'a> = dyn FnMut(Result<&[u8], TooLarge>) + 'a;

/// A row that is larger than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl Rows {
    /// With rows of at most so many bytes.
    pub fn new(limit: usize) -> Rows {
        Rows {
            limit,
            depth: 0,
            in_string: false,
            escaped: false,
            at: 0,
            row: None,
            too_large: false,
            around: Vec::new(),
            broken: false,
        }
    }

    /// The next bytes. `each` gets each row that is whole with them.
    pub fn push(&mut self, bytes: &[u8], each: &mut Each<'_>) {
        for b in bytes {
            self.byte(*b, each);
        }
    }

    /// What was around the rows. `None`: the answer was not whole, or is none.
    pub fn end(self) -> Option<Vec<u8>> {
        let whole = self.depth == 0 && !self.in_string && self.row.is_none() && !self.broken;
        whole.then_some(self.around)
    }

    fn byte(&mut self, b: u8, each: &mut Each<'_>) {
        if self.in_string {
            self.keep(b);
            match b {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        if self.at > 0 && self.depth == self.at {
            match b {
                b' ' | b'\t' | b'\r' | b'\n' | b',' => return self.done(each),
                b']' => {
                    self.done(each);
                    self.at = 0;
                }
                _ => self.row = Some(self.row.take().unwrap_or_default()),
            }
        }
        self.keep(b);
        match b {
            b'"' => self.in_string = true,
            b'[' | b'{' => {
                // the one list: it is the answer, or a member of it
                let outer = self.depth == 0 || (self.depth == 1 && self.around.first() == Some(&b'{'));
                self.depth += 1;
                if b == b'[' && self.at == 0 && outer {
                    self.at = self.depth;
                }
            }
            b']' | b'}' => match self.depth.checked_sub(1) {
                Some(depth) => self.depth = depth,
                None => self.broken = true,
            },
            _ => {}
        }
        if self.at > 0 && self.depth < self.at {
            // a list that ends with a brace
            self.broken = true;
            self.at = 0;
        }
    }

    fn keep(&mut self, b: u8) {
        match &mut self.row {
            Some(row) if row.len() >= self.limit => self.too_large = true,
            Some(row) => row.push(b),
            None if self.around.len() >= bounds::COUCH_AROUND => self.broken = true,
            // so that the first byte says what it is
            None if self.around.is_empty() && b.is_ascii_whitespace() => {}
            None => self.around.push(b),
        }
    }

    fn done(&mut self, each: &mut Each<'_>) {
        let Some(row) = self.row.take() else { return };
        each(if std::mem::take(&mut self.too_large) { Err(TooLarge) } else { Ok(&row) });
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &[u8], limit: usize, piece: usize) -> (Vec<String>, Option<String>) {
        let (mut rows, mut out) = (Rows::new(limit), Vec::new());
        for bytes in text.chunks(piece) {
            rows.push(bytes, &mut |row| {
                out.push(row.map_or("too large".to_string(), |row| String::from_utf8_lossy(row).into_owned()));
            });
        }
        (out, rows.end().map(|around| String::from_utf8(around).unwrap()))
    }

    #[test]
    fn answers() {
        let cases: [(&str, &[&str], Option<&str>); 12] = [
            (
                "{\"results\":[\n{\"a\":[1,{\"]\":\"}\\\"\"}]},\n{} ],\n\"last_seq\":\"3-x\",\"pending\":0}\n",
                &[r#"{"a":[1,{"]":"}\""}]}"#, "{}"],
                Some("{\"results\":[],\n\"last_seq\":\"3-x\",\"pending\":0}\n"),
            ),
            (r#" ["a/b","c,d" , 3,null]"#, &[r#""a/b""#, r#""c,d""#, "3", "null"], Some("[]")),
            ("[]", &[], Some("[]")),
            (r#"{"error":"not_found"}"#, &[], Some(r#"{"error":"not_found"}"#)),
            (r#"{"a":{"b":[1]},"rows":[2]}"#, &["2"], Some(r#"{"a":{"b":[1]},"rows":[]}"#)),
            // the second list is of no use, and does no harm
            (r#"{"a":[1],"b":[2]}"#, &["1", "2"], Some(r#"{"a":[],"b":[]}"#)),
            (r#"{"results":[{"a":1},{"b"#, &[r#"{"a":1}"#], None),
            (r#"{"results":[{"a":1}"#, &[r#"{"a":1}"#], None),
            ("[1}", &[], None),
            ("]", &[], None),
            (r#"{"results":["x"#, &[], None),
            ("", &[], Some("")),
        ];
        for (text, expected, around) in cases {
            for piece in [1, 2, 1000] {
                let (found, rest) = rows(text.as_bytes(), 100, piece);
                if around.is_some() {
                    assert_eq!(found, expected, "{text}");
                }
                assert_eq!(rest.as_deref(), around, "{text}");
            }
        }
    }

    #[test]
    fn sizes_have_bounds() {
        assert_eq!(rows(br#"["12345678","1234567"]"#, 9, 3).0, ["too large", "\"1234567\""]);
        let around = |n: usize| rows(format!("{{\"a\":\"{}\"}}", "x".repeat(n)).as_bytes(), 9, 1000).1;
        assert!(around(bounds::COUCH_AROUND - 8).is_some());
        assert!(around(bounds::COUCH_AROUND - 7).is_none());
    }

    proptest! {
        #[test]
        fn total(bytes: Vec<u8>, piece in 1usize..20) {
            let mut rows = Rows::new(10);
            for bytes in bytes.chunks(piece) {
                rows.push(bytes, &mut |row| assert!(row.is_ok_and(|r| r.len() <= 10) || row.is_err()));
            }
            rows.end();
        }

        #[test]
        fn each_row_of_a_list_is_found(items in prop::collection::vec("[ -~é]{0,20}", 0..8), piece in 1usize..20) {
            let text = serde_json::json!({"rows": items, "n": 1}).to_string();
            let (found, around) = rows(text.as_bytes(), 1000, piece);
            let expected: Vec<String> = items.iter().map(|i| serde_json::json!(i).to_string()).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(around.as_deref(), Some("{\"n\":1,\"rows\":[]}"));
        }
    }
}
