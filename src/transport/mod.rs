//! Stage 5: HTTP/2 between two ends that have proven who they are. The `h2` crate speaks the
//! protocol; this stage decides who is connected, when bytes are sent, and how much is buffered.
//!
//! A host connects once for each launch. If the connection is lost, calls fail; the host does not
//! connect again, because another process may listen at that address by then.
//!
//! | file | job |
//! |---|---|
//! | `connection` | the host's end: socket, process and certificate of the plugin, checked in this order |
//! | `channel` | calls over a connection, for tonic's generated clients |
//! | `response` | the response to a call, and the status if there is none |
//! | `listener` | the plugin's end: a private socket, and who may connect |
//! | `server` | calls of accepted connections, for tonic's generated servers |
//! | `body` | bodies in both directions, and flow control |
//! | `headers`, `deadline` | the fields that this stage reads or removes |
//! | `socket` | a stream socket in the runtime, with read-ahead |
#![forbid(unsafe_code)]

mod body;
#[cfg(feature = "host")]
mod channel;
#[cfg(feature = "host")]
mod connection;
mod deadline;
mod error;
mod headers;
#[cfg(feature = "plugin")]
mod listener;
#[cfg(feature = "host")]
mod response;
#[cfg(feature = "plugin")]
mod server;
mod socket;

use std::hint::black_box;
use std::sync::Once;

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

use crate::limits::transport::RETAINED_HEAP_BYTES;

/// Makes glibc's allocator retain the memory of a few large messages from one call to the next.
/// Other allocators ignore it. Runs once per process.
///
/// glibc returns the end of its heap to the kernel when more than twice the largest block that was
/// ever mapped and freed is unused there (mallopt(3), `M_MMAP_THRESHOLD` and `M_TRIM_THRESHOLD`).
/// Messages of a megabyte are just above the default: each would return its memory, and the next
/// would fetch it and have the kernel fill it with zeros. That took more than half of the time of a
/// call.
fn retain_heap() {
    static ONCE: Once = Once::new();
    // Never written to, so it costs address space and no memory. `black_box` keeps the optimizer
    // from removing it.
    ONCE.call_once(|| drop(black_box(Vec::<u8>::with_capacity(RETAINED_HEAP_BYTES))));
}

#[cfg(test)]
#[cfg(all(feature = "host", feature = "plugin"))]
mod tests;
