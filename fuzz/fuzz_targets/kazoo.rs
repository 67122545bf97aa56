//! Calls of Kazoo's become documents. The input is calls, an empty line between them: a line with method, path and query, and the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phoneprov::proto::http::Method;
use phoneprov::provisioner::json::Json;
use phoneprov::provisioner::kazoo::perform::{perform, plan, Work};
use phoneprov::provisioner::kazoo::{read, ACCOUNT};
use phoneprov::provisioner::memory::Memory;
use phoneprov::provisioner::storage::{next, Change, Storage, StorageError};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// In memory: a disk would be too slow for this.
#[derive(Default)]
struct Shelf(Mutex<BTreeMap<(String, String), Json>>);

impl Storage for Shelf {
    fn get(&self, database: &str, id: &str) -> Result<Option<Json>, StorageError> {
        Ok(self.0.lock().unwrap().get(&(database.to_string(), id.to_string())).cloned())
    }

    fn update(
        &self,
        database: &str,
        id: &str,
        change: &mut dyn FnMut(Option<&Json>) -> Option<Json>,
    ) -> Result<Change, StorageError> {
        let mut all = self.0.lock().unwrap();
        let key = (database.to_string(), id.to_string());
        match change(all.get(&key)) {
            None => all.remove(&key).map_or(Ok(Change::Same), |_| Ok(Change::Deleted)),
            Some(new) => {
                let new = next(all.get(&key), new);
                Ok(all.insert(key, new).map_or(Change::New, |_| Change::Replaced))
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let (shelf, mut memory) = (Shelf::default(), Memory::default());
    let Ok(text) = std::str::from_utf8(data) else { return };
    for call in text.split("\n\n").take(16) {
        let (line, body) = call.split_once('\n').unwrap_or((call, ""));
        let (method, target) = line.split_once(' ').unwrap_or((line, ""));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let method = if method == "GET" { Method::Get } else { Method::Other(method.to_string()) };
        let Ok(call) = read(&method, &path.split('/').collect::<Vec<_>>(), query, body.as_bytes()) else { continue };
        let Ok(work) = plan(call, &memory, &|database| memory.ids(database)) else { continue };
        if let Work::Change(orders) = &work {
            assert!(orders.iter().all(|o| o.id == ACCOUNT || o.id.starts_with("device-") || o.id.starts_with("user-")));
        }
        for (database, id, made) in perform(&work, &shelf, Some("given")).touched {
            assert!(database.starts_with("account/"));
            assert_eq!(made.is_some(), shelf.get(&database, &id).unwrap().is_some());
            match made {
                Some(json) => {
                    assert!(json.get("_id").is_none());
                    memory.put(&database, &id, json).unwrap();
                }
                None => memory.remove(&database, &id),
            }
        }
    }
});
