//! What a store had at one moment, entry by entry. Holds that moment, and no values.

use redb::Range;

use super::StoreError;

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

/// The keys with one prefix at the moment when it was made, in the order of their bytes. Later
/// changes are not in it.
pub struct Listing {
    entries: Range<'static, &'static str, (u64, u64)>,
    prefix: String,
    left: u64,
}

impl Listing {
    /// `entries` begin with the first key that is not before `prefix`.
    pub(super) fn new(entries: Range<'static, &'static str, (u64, u64)>, prefix: &str, limit: u64) -> Self {
        Self { entries, prefix: prefix.into(), left: limit }
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
        let is_wanted = entry.as_ref().is_ok_and(|entry| entry.key.starts_with(&self.prefix));
        // After the last key with the prefix, and after a failure, there is nothing more.
        self.left = if is_wanted { self.left - 1 } else { 0 };
        (is_wanted || entry.is_err()).then_some(entry)
    }
}
