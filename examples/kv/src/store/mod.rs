//! The store: values, versions and changes in one redb database file. Calls block on the disk and
//! on each other; gRPC is outside.

mod schema;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use redb::{Database, Range, ReadableDatabase, ReadableTable, WriteTransaction};
use tokio::sync::broadcast;

use self::schema::{CHANGES, COUNTERS, ENTRIES, FIRST_VERSION, VALUES};
use crate::Key;
use crate::limits::{CHANGE_BACKLOG, STORE_CACHE_BYTES};

/// Why an operation of the store failed.
pub type StoreError = redb::Error;

/// Versioned values by key, on disk. A change is durable when its call returns. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    database: Database,
    /// Held from the start of a change until receivers have it. Without it, two changes could
    /// commit in one order and reach receivers in the other.
    changes: Mutex<broadcast::Sender<Change>>,
}

/// A value with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Value {
    /// The number of the change that stored the value.
    pub version: u64,
    /// The bytes of the value.
    pub bytes: Bytes,
}

/// The key does not have the expected version. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The current version of the key, 0 if it has no value.
    pub current: u64,
}

/// One change of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The key whose value was stored or deleted.
    pub key: Arc<str>,
    /// The number of the change.
    pub version: u64,
    /// The size of the new value in bytes; `None` for a deletion.
    pub size: Option<u64>,
}

/// One key of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The version of its value.
    pub version: u64,
    /// The size of its value in bytes.
    pub size: u64,
}

/// A snapshot of the keys with one prefix, ordered by their bytes. Later changes do not show.
pub struct Listing {
    entries: Range<'static, &'static str, (u64, u64)>,
    prefix: String,
    left: u64,
}

impl Store {
    /// Opens the store in `directory`, which must exist, and creates the file if it is missing.
    /// Values that were stored before versions existed get version 1.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, is damaged, or is open in another process.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let database = Database::builder().set_cache_size(STORE_CACHE_BYTES).create(directory.join("kv.redb"))?;
        schema::prepare(&database)?;
        Ok(Self(Arc::new(Shared { database, changes: Mutex::new(broadcast::Sender::new(CHANGE_BACKLOG)) })))
    }

    /// Returns the value of `key`, or `None` if it has none.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn get(&self, key: &Key) -> Result<Option<Value>, StoreError> {
        let transaction = self.0.database.begin_read()?;
        let Some(value) = transaction.open_table(VALUES)?.get(key.as_str())? else { return Ok(None) };
        let entry = transaction.open_table(ENTRIES)?.get(key.as_str())?;
        let version = entry.map_or(FIRST_VERSION, |entry| entry.value().0);
        Ok(Some(Value { version, bytes: Bytes::copy_from_slice(value.value()) }))
    }

    /// Stores a value durably and returns its version.
    ///
    /// # Errors
    ///
    /// If the file cannot be written. The old value is then unchanged.
    pub fn put(&self, key: &Key, value: &[u8]) -> Result<u64, StoreError> {
        self.change(key, Some(value), |transaction, _| next_version(transaction))
    }

    /// Stores a value if the version of `key` is `expected`, 0 for no value. Returns the new
    /// version.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or written. The old value is then unchanged.
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

    /// Deletes the value of `key` durably. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or written. The value is then unchanged.
    pub fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let deleted = self.change(key, None, |transaction, current| match current {
            0 => Ok(None),
            _ => next_version(transaction).map(Some),
        })?;
        Ok(deleted.is_some())
    }

    /// Lists at most `limit` keys that start with `prefix`, as of now.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn list(&self, prefix: &str, limit: u64) -> Result<Listing, StoreError> {
        let entries = self.0.database.begin_read()?.open_table(ENTRIES)?;
        Ok(Listing { entries: entries.range(prefix..)?, prefix: prefix.into(), left: limit })
    }

    /// Returns the current version and a receiver of every later change, in order. A receiver more
    /// than [`CHANGE_BACKLOG`] changes behind loses the oldest and gets an error. Slow receivers
    /// never block writers.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn changes(&self) -> Result<(u64, broadcast::Receiver<Change>), StoreError> {
        // The lock keeps a change from committing between the read and the subscription, where the
        // receiver would miss it.
        let changes = self.0.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = self.0.database.begin_read()?.open_table(COUNTERS)?;
        let version = counters.get(CHANGES)?.map_or(0, |count| count.value());
        Ok((version, changes.subscribe()))
    }

    /// Changes `key` if `decide` returns a new version for it. `decide` gets the current version, 0
    /// for no value.
    fn change<D: Decision>(
        &self,
        key: &Key,
        value: Option<&[u8]>,
        decide: impl FnOnce(&WriteTransaction, u64) -> Result<D, StoreError>,
    ) -> Result<D, StoreError> {
        // A panic under the lock leaves the database as it was (redb aborts the transaction), so a
        // poisoned lock is safe to use.
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
        // Sending fails if there is no receiver, which is fine.
        let _ = changes.send(Change { key: key.as_str().into(), version, size });
        Ok(decision)
    }
}

impl Iterator for Listing {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let entry = self.entries.next()?.map_err(StoreError::from).map(|(key, entry)| {
            let (version, size) = entry.value();
            Entry { key: key.value().to_owned(), version, size }
        });
        let is_match = entry.as_ref().is_ok_and(|entry| entry.key.starts_with(&self.prefix));
        // Keys are sorted, so the first one without the prefix ends the listing. So does an error.
        self.left = if is_match { self.left - 1 } else { 0 };
        (is_match || entry.is_err()).then_some(entry)
    }
}

/// The outcome of a change: a new version, or none.
trait Decision {
    fn version(&self) -> Option<u64>;
}

impl Decision for u64 {
    fn version(&self) -> Option<u64> {
        Some(*self)
    }
}

impl Decision for Option<u64> {
    fn version(&self) -> Option<u64> {
        *self
    }
}

impl Decision for Result<u64, Mismatch> {
    fn version(&self) -> Option<u64> {
        self.as_ref().ok().copied()
    }
}

fn next_version(transaction: &WriteTransaction) -> Result<u64, StoreError> {
    let mut counters = transaction.open_table(COUNTERS)?;
    let counted = counters.get(CHANGES)?.map_or(0, |count| count.value());
    let next =
        counted.checked_add(1).ok_or_else(|| StoreError::Corrupted("the change counter is at its maximum".into()))?;
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
