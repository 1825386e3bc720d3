//! The key/value example: the store, the protocol and the limits that its host and its plugin
//! share.
//!
//! Version 1 of the protocol is the KV service of go-plugin's published example, so both programs
//! also work with a Go counterpart. Version 2 adds [`store_proto`]: streamed values, versions, and
//! change notifications.
#![forbid(unsafe_code)]

mod generated;
mod key;
pub mod limits;
mod store;
pub mod timing;

pub use generated::kv as proto;
pub use generated::store as store_proto;
pub use key::{Key, KeyError};
pub use store::{Change, Entry, Listing, Mismatch, Store, StoreError, Value};

/// The trailer in which the Store service returns the current version of a key when it differs from
/// the expected version.
pub const VERSION_TRAILER: &str = "kv-version";

/// Compiles the blocks of Rust in README.md, which call this example.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
