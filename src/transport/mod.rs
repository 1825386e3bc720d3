//! Stage 5: bytes between two ends that have proven who they are. HTTP/2 is the h2 crate's; who is
//! let in, what is sent when, and what is kept in memory is decided here.
//!
//! The host connects once: a connection that is lost is an error, never a new connection to whoever
//! listens there now.
#![forbid(unsafe_code)]

#[cfg(feature = "host")]
mod channel;
#[cfg(feature = "host")]
mod clean;
#[cfg(feature = "host")]
mod connection;
mod deadline;
mod error;
mod fields;
#[cfg(feature = "plugin")]
mod listener;
mod memory;
mod received;
#[cfg(feature = "host")]
mod response;
mod sending;
#[cfg(feature = "plugin")]
mod server;
mod socket;
mod unsent;

#[cfg(feature = "host")]
pub(crate) use channel::Http2Channel;
#[cfg(feature = "host")]
pub(crate) use connection::{CheckedConnection, DisconnectHandle, TlsSession};
pub use error::TransportError;
#[cfg(feature = "plugin")]
pub(crate) use listener::{Listener, Security};
#[cfg(feature = "host")]
pub(crate) use response::CallFuture;
#[cfg(feature = "plugin")]
pub(crate) use server::serve;

/// The longest frame that is taken and sent. With its header of nine bytes it fills four TLS
/// records (RFC 8446, section 5.1): fewer system calls than with HTTP/2's default of 16 KiB, and no
/// block so large that allocators fetch it from the system by itself.
const FRAME_SIZE: u32 = 4 * 16 * 1024 - 9;

/// How much the other end may send before it is read, in bytes: in one stream, and in all of them.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 5 * 1024 * 1024;

/// The largest list of headers that is taken, in bytes (RFC 9113, section 6.5.2).
const HEADER_LIST_SIZE: u32 = 64 * 1024;

#[cfg(test)]
#[cfg(all(feature = "host", feature = "plugin"))]
mod tests;
