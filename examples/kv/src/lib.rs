//! The key/value example: what its host and its plugin share.
//!
//! Version 1 of its protocol is the KV service of go-plugin's published example, so that either
//! program also works with a Go counterpart. Version 2 adds [`store_proto`]: values of any size in
//! pieces, versions, and changes as they happen.
#![forbid(unsafe_code)]

mod generated;
mod key;
mod store;

pub use generated::kv as proto;
pub use generated::store as store_proto;
pub use key::{KEY_LIMIT, Key, KeyFault};
pub use store::{Change, Entry, Listing, Mismatch, Store, StoreError, Value};

/// The largest value in bytes that the example takes.
pub const VALUE_LIMIT: usize = 64 * 1024 * 1024;

/// The largest message in bytes of the KV service: a value and its key.
pub const KV_MESSAGE_LIMIT: usize = VALUE_LIMIT + 64 * 1024;

/// The largest piece in bytes in which the Store service sends a value.
pub const CHUNK_LIMIT: usize = 64 * 1024;

/// The largest message in bytes of the Store service: a piece of a value, or a key and numbers.
pub const STORE_MESSAGE_LIMIT: usize = CHUNK_LIMIT + 8 * 1024;

/// The trailer of the Store service that holds the version which a key has instead of the expected
/// one.
pub const VERSION_TRAILER: &str = "kv-version";
