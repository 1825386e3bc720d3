//! Why the host has no connection to the plugin.

use std::io;
use std::path::PathBuf;

use crate::Escaped;

/// The host could not connect to the plugin. It killed the plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The announced path does not lead to a socket that this user owns. The host did not connect.
    #[error("expected a socket of this user at {}, the address that the plugin announced", Escaped::path(path))]
    InvalidSocket {
        /// The announced path.
        path: PathBuf,
    },
    /// connect(2) failed.
    #[error("cannot connect to the plugin's address")]
    Connect(#[source] io::Error),
    /// Another process listens at the plugin's address. The host sent nothing to it.
    #[error("process {found} listens at the plugin's address; expected the plugin, process {expected}")]
    UnexpectedPeer {
        /// The process that was launched.
        expected: u32,
        /// The process that listens, or 0 if it has no number in this pid namespace.
        found: u32,
    },
    /// The kernel did not say which process listens there. The host sent nothing.
    #[error("cannot determine which process listens at the plugin's address")]
    UnknownPeer(#[source] io::Error),
    /// The HTTP/2 preface could not be exchanged.
    #[error("cannot start HTTP/2 with the plugin")]
    Http2(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TransportError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidSocket { .. } => "invalid-socket",
            Self::Connect(_) => "connect-failed",
            Self::UnexpectedPeer { .. } => "unexpected-peer",
            Self::UnknownPeer(_) => "unknown-peer",
            Self::Http2(_) => "http2-failed",
        }
    }

    /// The expected value, if the error compares two.
    pub fn expected(&self) -> Option<String> {
        match self {
            Self::UnexpectedPeer { expected, .. } => Some(expected.to_string()),
            _ => None,
        }
    }

    /// The value that was found instead.
    pub fn actual(&self) -> Option<String> {
        match self {
            Self::UnexpectedPeer { found, .. } => Some(found.to_string()),
            _ => None,
        }
    }
}
