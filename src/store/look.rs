//! A look at the stored configs that changes nothing: for others than the agent, while it runs or not.

use super::disk::Folder;
use super::file::{self, FILE_MAX};
use super::{name, Show, StoreError};
use std::collections::BTreeMap;
use std::path::Path;

/// Shows the last good of each config, of `most` at the most, and returns how many were looked at. What is damaged, or goes
/// away meanwhile, is left out.
pub fn last_goods(state_dir: &Path, most: usize, show: &mut Show<'_>) -> Result<usize, StoreError> {
    let configs = Folder::open(state_dir)?.folder(name::CONFIGS)?;
    let mut looked = 0;
    for entry in configs.names()? {
        let Some(mac) = name::parse_folder(&entry) else { continue };
        let Ok(folder) = configs.folder(&entry) else { continue };
        let names = folder.names().unwrap_or_default();
        let mut newest: BTreeMap<&str, u32> = BTreeMap::new();
        for (stem, number) in names.iter().filter_map(|n| name::parse_generation(n)) {
            let at = newest.entry(stem).or_default();
            *at = number.max(*at);
        }
        for (stem, number) in newest {
            if looked == most {
                return Ok(looked);
            }
            looked += 1;
            let Ok(bytes) = folder.read_of(&name::generation(stem, number), FILE_MAX, true) else { continue };
            if let Some(head) = file::parse(&bytes).ok().filter(|head| head.key.mac == mac) {
                show(&head.key, &head.meta, bytes.get(head.body_at..).unwrap_or_default());
            }
        }
    }
    Ok(looked)
}

#[cfg(test)]
mod test {
    use super::super::crash::{key, meta};
    use super::*;

    #[test]
    fn the_newest_of_each_and_nothing_is_changed() {
        let dir = tempfile::tempdir().unwrap();
        let store = super::super::open(dir.path()).unwrap().store;
        let (one, two) = (key(1, "a"), key(2, "b"));
        for (key, number, body) in [(&one, 1, "old"), (&one, 2, "new"), (&two, 1, "other")] {
            store.put(key, &meta(number, body.as_bytes()), body.as_bytes(), 3, 1 << 20).unwrap();
        }
        let damaged = dir.path().join("configs").join(one.mac.hex()).join("zzzz-0123456789abcdef.1");
        std::fs::write(&damaged, b"nothing of ours").unwrap();
        let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
        let looked = last_goods(dir.path(), 9, &mut |key, _, body| seen.push((key.name.clone(), body.to_vec())));
        assert_eq!(looked.unwrap(), 3);
        assert_eq!(seen, [("a".to_string(), b"new".to_vec()), ("b".to_string(), b"other".to_vec())]);
        assert!(damaged.exists());
        assert_eq!(last_goods(dir.path(), 2, &mut |_, _, _| {}).unwrap(), 2);
        assert!(last_goods(&dir.path().join("none"), 2, &mut |_, _, _| {}).is_err());
    }
}
