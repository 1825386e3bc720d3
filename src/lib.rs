//! Portcullis
#[cfg(feature = "host")]
mod error;
mod escape;
#[cfg(feature = "_runtime")]
mod handshake;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "_runtime")]
mod launch;
#[cfg(feature = "_runtime")]
mod protocol;
#[cfg(feature = "_runtime")]
mod rpc;
#[cfg(feature = "_runtime")]
mod tls;
#[cfg(feature = "_runtime")]
mod transport;
pub mod verify;
pub use escape::{Chain, Escaped};
#[cfg(feature = "plugin")]
pub mod plugin;
#[cfg(feature = "host")]
pub use error::Error;
#[cfg(feature = "_runtime")]
pub use protocol::Protocol;
pub use verify::{Digest, Policy};
/// The largest message
pub const MESSAGE_LIMIT: usize = 64 * 1024 * 1024;
