//! Answers of CouchDB: taken apart in pieces of any size, and taken in as changes of a database. The first byte says how large the pieces are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::provisioner::couch::known::{Database, Totals, Way};
use phoneprov::provisioner::couch::nodes::nodes;
use phoneprov::provisioner::couch::rows::Rows;
use phoneprov::provisioner::couch::{number, since, Row};
use phoneprov::provisioner::json::Json;
use std::collections::HashSet;

const LIMIT: usize = 256;

fn rows(bytes: &[u8], piece: usize) -> (Vec<Option<Vec<u8>>>, Option<Vec<u8>>) {
    let (mut rows, mut out) = (Rows::new(LIMIT), Vec::new());
    for bytes in bytes.chunks(piece.max(1)) {
        rows.push(bytes, &mut |row| out.push(row.ok().map(<[u8]>::to_vec)));
    }
    (out, rows.end())
}

fuzz_target!(|input: &[u8]| {
    let Some((piece, answer)) = input.split_first() else { return };
    let (found, around) = rows(answer, usize::from(*piece));
    assert_eq!((&found, &around), (&rows(answer, 1).0, &rows(answer, 1).1), "pieces do not matter");
    assert!(found.iter().flatten().all(|row| row.len() <= LIMIT));
    let (mut database, totals) = (Database::new("account/a"), Totals::default());
    for row in found.into_iter().flatten() {
        if let Some(row) = Json::parse(&row).ok().and_then(Row::read) {
            let (id, rev, deleted) = (row.id.clone(), row.rev.clone(), row.deleted);
            database.take(row, &totals);
            let again = Row { id, rev, deleted, doc: None };
            assert!(!database.differs(&again, &totals), "what was taken in is known");
        }
    }
    if let Some(position) = around.and_then(|a| Json::parse(&a).ok()).and_then(|a| a.get("last_seq").and_then(since)) {
        assert!(database.at(1, &position));
        assert!(database.way(1) == Way::Since(position.clone()));
        let _ = number(&position);
    }
    database.retain(&HashSet::new(), &totals);
    assert_eq!(totals.kept.into_inner(), 0);
    if let Ok(text) = std::str::from_utf8(answer) {
        let _ = nodes(text);
    }
});
