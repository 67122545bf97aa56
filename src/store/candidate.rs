//! Held configs: beside the generations of a key there may be one that waits for the admin, `{stem}.candidate`, in the
//! same form as a generation. And what the admin's decisions do to generations.

use super::error::StoreError;
use super::limit::Kept;
use super::{check, name, Put, Store, Writer};
use crate::core::types::{GenerationMeta, ResourceKey};

impl Store {
    /// Keeps a held config beside its generations, in the place of the one before. Generations do not make room for
    /// it: it is more likely a mistake than they are. The same bytes are not written again. Gives the bytes written.
    ///
    /// # Errors
    /// As [`Store::put`]; the one before may then be gone. [`StoreError::NotFound`] when there is no generation that it
    /// could wait beside.
    pub fn put_candidate(
        &self,
        key: &ResourceKey,
        meta: &GenerationMeta,
        body: &[u8],
        cache_max: u64,
    ) -> Result<u64, StoreError> {
        let mut writer = self.writer();
        if writer.index.candidate(key).is_some_and(|kept| kept.sha256 == meta.sha256) {
            return Ok(0);
        }
        if writer.index.last(key).is_none() {
            return Err(StoreError::NotFound);
        }
        let head = check(key, meta, body)?;
        let size = (head.len() as u64).saturating_add(body.len() as u64);
        let old = writer.index.candidate(key).map_or(0, |kept| kept.file_size);
        let need = writer.index.bytes().saturating_sub(old).saturating_add(size);
        if need > cache_max {
            // what is held of this config is not the newest any more
            self.remove_candidate(&mut writer, key)?;
            return Err(StoreError::Full { need, max: cache_max, unit: "bytes" });
        }
        let before = self.disk.written();
        let written = self.write(&mut writer, key.mac, &name::candidate(&name::stem(key)), &[&head, body]);
        if let Err(error) = written {
            // perhaps neither the one before nor this one is there now
            let _ = self.remove_candidate(&mut writer, key);
            writer.index.take_candidate(key);
            self.count(&writer);
            return Err(error);
        }
        writer.index.set_candidate(key, Kept::new(meta, size));
        self.count(&writer);
        Ok(self.disk.written().saturating_sub(before))
    }

    /// Removes a held config; that there is none is no error.
    ///
    /// # Errors
    /// What the disk said; it is then still there.
    pub fn drop_candidate(&self, key: &ResourceKey) -> Result<(), StoreError> {
        let mut writer = self.writer();
        self.remove_candidate(&mut writer, key)
    }

    /// Makes the held config the newest generation, under the number and time of `meta`. Cut off in between, both are
    /// there, with the same bytes.
    ///
    /// # Errors
    /// As [`Store::put`]; [`StoreError::NotFound`] when these bytes are not held.
    pub fn accept(
        &self,
        key: &ResourceKey,
        meta: &GenerationMeta,
        history: u32,
        cache_max: u64,
    ) -> Result<Put, StoreError> {
        let bytes = self.read_candidate(key, meta)?;
        let put = {
            // its room is that of the generation to be
            let mut writer = self.writer();
            let kept = writer.index.take_candidate(key);
            let put = self.put_with(&mut writer, key, meta, &bytes, history, cache_max);
            if let Some(kept) = kept {
                writer.index.set_candidate(key, kept);
            }
            self.count(&writer);
            put?
        };
        let _ = self.drop_candidate(key); // the same bytes as the last good: the next start removes it
        Ok(put)
    }

    /// Removes the generations above `number`, the newest first: cut off in between, none that is older is the last
    /// good for it.
    ///
    /// # Errors
    /// Those that could not be removed are still stored.
    pub fn drop_newer(&self, key: &ResourceKey, number: u32) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let mut done = Ok(());
        for newer in writer.index.numbers(key).into_iter().rev().take_while(|n| *n > number) {
            done = self.remove_generation(key, newer);
            if done.is_err() {
                break;
            }
            writer.index.remove(key, newer);
        }
        self.count(&writer);
        done
    }

    /// The exact bytes of a held config.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when these bytes are not held.
    pub fn read_candidate(&self, key: &ResourceKey, meta: &GenerationMeta) -> Result<Vec<u8>, StoreError> {
        let missing = |_| StoreError::NotFound;
        let folder = self.known_folder(key.mac).map_err(missing)?;
        let file = name::candidate(&name::stem(key));
        let (head, mut bytes) = super::scan::load(&folder, key.mac, &file).map_err(|_| StoreError::NotFound)?;
        if head.key != *key || head.meta.sha256 != meta.sha256 {
            return Err(StoreError::NotFound);
        }
        bytes.drain(..head.body_at.min(bytes.len()));
        Ok(bytes)
    }

    pub(super) fn remove_candidate(&self, writer: &mut Writer, key: &ResourceKey) -> Result<(), StoreError> {
        if writer.index.candidate(key).is_none() {
            return Ok(());
        }
        if let Ok(folder) = self.known_folder(key.mac) {
            self.disk.unlink(&folder, &name::candidate(&name::stem(key)))?;
            // else it might be back after a power cut, and the guard would hold on without a reason
            self.disk.sync_folder(&folder)?;
        }
        writer.index.take_candidate(key);
        self.count(writer);
        Ok(())
    }
}
