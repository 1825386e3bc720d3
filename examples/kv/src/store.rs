//! Where the values are kept: one redb database in one directory. Knows nothing of gRPC.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use redb::{Database, ReadableDatabase, TableDefinition, TableError};

const VALUES: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("values");

/// Why the store failed.
pub type StoreError = redb::Error;

/// Values by key, on disk. What was put is durable when [`Store::put`] returns. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Database>);

impl Store {
    /// Opens the store in `directory`, which must exist, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or is damaged, or another process has it open.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let database = Database::create(directory.join("kv.redb"))?;
        // Only a new store is written to here: a transaction waits for the disk.
        if matches!(database.begin_read()?.open_table(VALUES), Err(TableError::TableDoesNotExist(_))) {
            let transaction = database.begin_write()?;
            transaction.open_table(VALUES)?;
            transaction.commit()?;
        }
        Ok(Self(Arc::new(database)))
    }

    /// The value of `key`, if it has one.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let values = self.0.begin_read()?.open_table(VALUES)?;
        Ok(values.get(key)?.map(|value| Bytes::copy_from_slice(value.value())))
    }

    /// Gives `key` a value, durably.
    ///
    /// # Errors
    ///
    /// When the file cannot be written; the old value is still there then.
    pub fn put(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let transaction = self.0.begin_write()?;
        transaction.open_table(VALUES)?.insert(key, value)?;
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_there_after_the_store_was_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        assert_eq!(store.get("a").unwrap(), None);
        store.put("a", b"1").unwrap();
        store.put("a", b"2").unwrap();
        assert!(Store::open(directory.path()).is_err(), "two processes share one store");
        drop(store);
        assert_eq!(Store::open(directory.path()).unwrap().get("a").unwrap().as_deref(), Some(&b"2"[..]));
    }
}
