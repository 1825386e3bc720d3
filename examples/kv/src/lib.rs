//! The key/value example: what its host and its plugin share.
//!
//! On the wire it is the KV service of go-plugin's published example, so that either program also works with a Go counterpart.
#![forbid(unsafe_code)]

mod generated;
mod store;

pub use generated::kv as proto;
pub use store::{Store, StoreError};

/// The largest value that the example takes. Its messages are a little larger.
pub const VALUE_LIMIT: usize = portcullis::MESSAGE_LIMIT - 64 * 1024;
