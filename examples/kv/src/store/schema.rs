//! The tables of the database file, and the migration of files that the first release wrote. The
//! calls of the store are in `mod.rs`.

use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, TableError, WriteTransaction,
};

use super::StoreError;

/// Values by key. The only table in files of the first release.
pub(super) const VALUES: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("values");

/// The version and the size in bytes of each value, by key: a listing reads no values.
pub(super) const ENTRIES: TableDefinition<'static, &str, (u64, u64)> = TableDefinition::new("entries");

/// The number of changes so far, under [`CHANGES`].
pub(super) const COUNTERS: TableDefinition<'static, &str, u64> = TableDefinition::new("counters");
pub(super) const CHANGES: &str = "changes";

/// The version of every value that was stored before versions existed.
pub(super) const FIRST_VERSION: u64 = 1;

/// Creates missing tables and adds an entry for each value that has none.
pub(super) fn prepare(database: &Database) -> Result<(), StoreError> {
    // Reading first saves a write transaction, which always waits for the disk.
    if !is_complete(database)? {
        let transaction = database.begin_write()?;
        complete(&transaction)?;
        transaction.commit()?;
    }
    Ok(())
}

fn is_complete(database: &Database) -> Result<bool, StoreError> {
    let transaction = database.begin_read()?;
    let complete =
        match (transaction.open_table(VALUES), transaction.open_table(ENTRIES), transaction.open_table(COUNTERS)) {
            (Ok(values), Ok(entries), Ok(counters)) => {
                // A program of the first release may have opened the file again and added values.
                values.len()? == entries.len()? && counters.get(CHANGES)?.is_some()
            }
            (values, entries, counters) => {
                for error in [values.err(), entries.err(), counters.err()].into_iter().flatten() {
                    if !matches!(error, TableError::TableDoesNotExist(_)) {
                        return Err(error.into());
                    }
                }
                false
            }
        };
    Ok(complete)
}

fn complete(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let values = transaction.open_table(VALUES)?;
    let mut entries = transaction.open_table(ENTRIES)?;
    for value in values.iter()? {
        let (key, value) = value?;
        if entries.get(key.value())?.is_none() {
            entries.insert(key.value(), (FIRST_VERSION, value.value().len() as u64))?;
        }
    }
    let mut counters = transaction.open_table(COUNTERS)?;
    let counted = counters.get(CHANGES)?.map_or(0, |count| count.value());
    // The next change must not reuse the version that the migrated values just got.
    let least = if values.is_empty()? { 0 } else { FIRST_VERSION };
    counters.insert(CHANGES, counted.max(least))?;
    Ok(())
}
