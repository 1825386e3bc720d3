//! Where the values are kept: one redb database in one directory. Knows nothing of gRPC, and waits
//! only for the disk.

mod layout;
mod listing;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, WriteTransaction};
use tokio::sync::broadcast;

use self::layout::{CHANGES, COUNTERS, ENTRIES, FIRST_VERSION, VALUES};
pub use self::listing::{Entry, Listing};
use crate::Key;

/// How much of the file is kept in memory.
const CACHE: usize = 128 * 1024 * 1024;

/// How many changes a watcher may be behind before it misses one.
const BACKLOG: usize = 1024;

/// Why the store failed.
pub type StoreError = redb::Error;

/// Values by key, on disk, and a version for each. What was changed is durable when the call
/// returns. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    database: Database,
    /// Whoever holds it changes the store and tells of it: changes are told in their order.
    changes: Mutex<broadcast::Sender<Change>>,
}

/// A value as it was at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Value {
    /// The number of the change that put it.
    pub version: u64,
    /// The value itself.
    pub bytes: Bytes,
}

/// A key does not have the version that was expected. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The version that it has, 0 for none.
    pub current: u64,
}

/// One change of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The key whose value was put or taken away.
    pub key: Arc<str>,
    /// The number of the change.
    pub version: u64,
    /// The size of the new value in bytes; `None` if it was taken away.
    pub size: Option<u64>,
}

impl Store {
    /// Opens the store in `directory`, which must exist, and makes it if it is not there. Values
    /// that were put before there were versions count as version 1.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or is damaged, or another process has it open.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let database = Database::builder().set_cache_size(CACHE).create(directory.join("kv.redb"))?;
        layout::prepare(&database)?;
        Ok(Self(Arc::new(Shared { database, changes: Mutex::new(broadcast::Sender::new(BACKLOG)) })))
    }

    /// The value of `key`, if it has one.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn get(&self, key: &Key) -> Result<Option<Value>, StoreError> {
        let transaction = self.0.database.begin_read()?;
        let Some(value) = transaction.open_table(VALUES)?.get(key.as_str())? else { return Ok(None) };
        let entry = transaction.open_table(ENTRIES)?.get(key.as_str())?;
        let version = entry.map_or(FIRST_VERSION, |entry| entry.value().0);
        Ok(Some(Value { version, bytes: Bytes::copy_from_slice(value.value()) }))
    }

    /// Gives `key` a value, durably, and returns its version.
    ///
    /// # Errors
    ///
    /// When the file cannot be written; the old value is still there then.
    pub fn put(&self, key: &Key, value: &[u8]) -> Result<u64, StoreError> {
        self.change(key, Some(value), |transaction, _| next_version(transaction))
    }

    /// Gives `key` a value if the version that it has is `expected`, 0 for none. Returns the new
    /// version.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written; the old value is still there then.
    pub fn compare_and_swap(
        &self,
        key: &Key,
        expected: u64,
        value: &[u8],
    ) -> Result<Result<u64, Mismatch>, StoreError> {
        self.change(key, Some(value), |transaction, current| {
            if current == expected { next_version(transaction).map(Ok) } else { Ok(Err(Mismatch { current })) }
        })
    }

    /// Takes the value of `key` away, durably. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written; the value is still there then.
    pub fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let deleted = self.change(key, None, |transaction, current| match current {
            0 => Ok(None),
            _ => next_version(transaction).map(Some),
        })?;
        Ok(deleted.is_some())
    }

    /// The keys that start with `prefix`, at most `limit` of them, as they are now.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn list(&self, prefix: &str, limit: u64) -> Result<Listing, StoreError> {
        let entries = self.0.database.begin_read()?.open_table(ENTRIES)?;
        Ok(Listing::new(entries.range(prefix..)?, prefix, limit))
    }

    /// Every change after the version that is returned with it, in their order. Who is more than
    /// 1024 changes behind misses the oldest of them, and is told so. Nobody waits for who does not
    /// read.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn changes(&self) -> Result<(u64, broadcast::Receiver<Change>), StoreError> {
        let changes = self.0.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = self.0.database.begin_read()?.open_table(COUNTERS)?;
        let version = counters.get(CHANGES)?.map_or(0, |count| count.value());
        Ok((version, changes.subscribe()))
    }

    /// Changes `key` if `decide`, which is told its version (0 for none), comes to a new one.
    fn change<D: Decided>(
        &self,
        key: &Key,
        value: Option<&[u8]>,
        decide: impl FnOnce(&WriteTransaction, u64) -> Result<D, StoreError>,
    ) -> Result<D, StoreError> {
        let changes = self.0.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = self.0.database.begin_write()?;
        let current = transaction.open_table(ENTRIES)?.get(key.as_str())?.map_or(0, |entry| entry.value().0);
        let decision = decide(&transaction, current)?;
        let Some(version) = decision.version() else {
            transaction.abort()?;
            return Ok(decision);
        };
        write(&transaction, key, value, version)?;
        transaction.commit()?;
        let size = value.map(|value| value.len() as u64);
        // Nobody may be watching.
        let _ = changes.send(Change { key: key.as_str().into(), version, size });
        Ok(decision)
    }
}

/// What a change came to: the new version, or none.
trait Decided {
    fn version(&self) -> Option<u64>;
}

impl Decided for u64 {
    fn version(&self) -> Option<u64> {
        Some(*self)
    }
}

impl Decided for Option<u64> {
    fn version(&self) -> Option<u64> {
        *self
    }
}

impl Decided for Result<u64, Mismatch> {
    fn version(&self) -> Option<u64> {
        self.as_ref().ok().copied()
    }
}

fn next_version(transaction: &WriteTransaction) -> Result<u64, StoreError> {
    let mut counters = transaction.open_table(COUNTERS)?;
    let counted = counters.get(CHANGES)?.map_or(0, |count| count.value());
    let next = counted.checked_add(1).ok_or_else(|| StoreError::Corrupted("no number is left for a change".into()))?;
    counters.insert(CHANGES, next)?;
    Ok(next)
}

fn write(transaction: &WriteTransaction, key: &Key, value: Option<&[u8]>, version: u64) -> Result<(), StoreError> {
    let mut values = transaction.open_table(VALUES)?;
    let mut entries = transaction.open_table(ENTRIES)?;
    match value {
        Some(value) => {
            values.insert(key.as_str(), value)?;
            entries.insert(key.as_str(), (version, value.len() as u64))?;
        }
        None => {
            values.remove(key.as_str())?;
            entries.remove(key.as_str())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
