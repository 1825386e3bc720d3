//! Why no connection between the right two processes came about.

use std::io;
use std::path::PathBuf;

use crate::Escaped;

/// No connection to the plugin came about. The plugin was killed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// What lies at the announced path is no socket, or belongs to another user. No connection was
    /// attempted.
    #[error("{} is no socket of the plugin's user", Escaped::path(path))]
    InvalidSocket {
        /// The path.
        path: PathBuf,
    },
    /// The address cannot be connected to.
    #[error("connecting to the plugin's address failed")]
    Connect(#[source] io::Error),
    /// Another process than the one that was launched listens there. Nothing was sent to it.
    #[error("process {found} listens at the plugin's address, not the plugin, which is process {expected}")]
    UnexpectedPeer {
        /// The process that was launched.
        expected: u32,
        /// The process that listens; 0 if it lies outside this pid namespace.
        found: u32,
    },
    /// It could not be found out who listens there, so nothing was sent.
    #[error("it cannot be found out which process listens at the plugin's address")]
    UnknownPeer(#[source] io::Error),
    /// HTTP/2 could not be started.
    #[error("HTTP/2 with the plugin could not be started")]
    Http2(#[source] Box<dyn std::error::Error + Send + Sync>),
}
