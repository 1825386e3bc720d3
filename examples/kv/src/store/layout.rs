//! How a store lies in its file: the tables, and how a file of the first release becomes one with
//! versions. Reads and writes no value.

use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, TableError, WriteTransaction,
};

use super::StoreError;

/// Values by key. All that files of the first release have.
pub(super) const VALUES: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("values");

/// The version and size in bytes of each value, by the same keys: a listing need not read values.
pub(super) const ENTRIES: TableDefinition<'static, &str, (u64, u64)> = TableDefinition::new("entries");

/// How many changes there have been, under [`CHANGES`].
pub(super) const COUNTERS: TableDefinition<'static, &str, u64> = TableDefinition::new("counters");
pub(super) const CHANGES: &str = "changes";

/// What a value counts as that was put before there were versions.
pub(super) const FIRST_VERSION: u64 = 1;

/// Makes the tables that are not there, and enters the values that are in no list yet.
pub(super) fn prepare(database: &Database) -> Result<(), StoreError> {
    // A transaction that writes waits for the disk.
    if !is_complete(database)? {
        let transaction = database.begin_write()?;
        complete(&transaction)?;
        transaction.commit()?;
    }
    Ok(())
}

fn is_complete(database: &Database) -> Result<bool, StoreError> {
    let transaction = database.begin_read()?;
    let counted =
        match (transaction.open_table(VALUES), transaction.open_table(ENTRIES), transaction.open_table(COUNTERS)) {
            (Ok(values), Ok(entries), Ok(counters)) => {
                // A program of the first release may have put more since.
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
    Ok(counted)
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
    let least = if values.is_empty()? { 0 } else { FIRST_VERSION };
    counters.insert(CHANGES, counted.max(least))?;
    Ok(())
}
