//! Everything that can go wrong until a plugin is ready: one variant per stage.

use std::fmt;

use crate::Escaped;
use crate::event::RecordError;
use crate::handshake::HandshakeError;
use crate::launch::{Exit, LaunchError};
use crate::rpc::RpcError;
use crate::tls::TlsError;
use crate::transport::TransportError;
use crate::verify::VerifyError;

/// A plugin could not be launched. Its process and process group were killed, if there were any;
/// the last of it, such as a directory in which it left large files, may be removed a moment later.
/// Only a process that left the group by itself is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Its bytes were not verified. Nothing was executed.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// No identity could be made for the launch. Nothing was executed.
    #[error(transparent)]
    Identity(TlsError),
    /// Its process could not be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Its process was started and did not become ready. It was killed.
    #[error(transparent)]
    Start(#[from] Box<StartError>),
    /// An event could not be recorded: the verification or the launch, and nothing was executed; or
    /// the proofs about its process, which was killed.
    #[error("the launch could not be recorded, so the plugin was not started or was killed")]
    Record(#[source] RecordError),
}

impl Error {
    /// Whether the plugin was refused, for what it is or does: as against a machine that could not,
    /// or a plugin that did not come up.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Verify(error) => error.is_refusal(),
            Self::Identity(_) | Self::Launch(_) | Self::Record(_) => false,
            Self::Start(error) => match &error.fault {
                StartFault::Handshake(fault) => !matches!(fault, HandshakeError::Ended { .. }),
                StartFault::Transport(fault) => {
                    matches!(fault, TransportError::UnexpectedPeer { .. } | TransportError::InvalidSocket { .. })
                }
                StartFault::Tls(fault) => fault.is_refusal(),
                StartFault::Rpc(_) | StartFault::Exited | StartFault::Timeout { .. } => false,
            },
        }
    }
}

/// A plugin's process was started and did not become ready. It was killed.
#[derive(Debug)]
#[non_exhaustive]
pub struct StartError {
    /// What went wrong.
    pub fault: StartFault,
    /// How the process ended, if it ended by itself within half a second; it was killed otherwise.
    pub exit: Option<Exit>,
    /// The last bytes that it wrote to its standard error, at most 4 KiB. Foreign text: show it
    /// with [`Escaped`].
    pub stderr: Vec<u8>,
}

/// What went wrong while a plugin started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartFault {
    /// Its handshake line was refused.
    #[error(transparent)]
    Handshake(HandshakeError),
    /// No connection to the right process came about.
    #[error(transparent)]
    Transport(TransportError),
    /// The connection could not be secured.
    #[error(transparent)]
    Tls(TlsError),
    /// It is connected and not ready.
    #[error(transparent)]
    Rpc(RpcError),
    /// Its process ended before it was ready.
    #[error("the plugin's process ended before it was ready")]
    Exited,
    /// The start took longer than it may.
    #[error("the plugin was not ready in time: the host was still waiting for {waiting_for}")]
    Timeout {
        /// What had not happened yet.
        waiting_for: Awaited,
    },
}

impl StartFault {
    /// Whether this is also what a host sees of a plugin that exits.
    pub(crate) fn may_be_an_exit(&self) -> bool {
        match self {
            Self::Handshake(fault) => matches!(fault, HandshakeError::Ended { .. }),
            Self::Transport(fault) => matches!(fault, TransportError::Connect(_) | TransportError::Http2(_)),
            Self::Tls(fault) => matches!(fault, TlsError::Closed | TlsError::Failed(_)),
            Self::Rpc(fault) => matches!(fault, RpcError::Health { .. }),
            Self::Exited | Self::Timeout { .. } => false,
        }
    }
}

/// What a host waits for while a plugin starts, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Awaited {
    /// The handshake line.
    #[error("its handshake line")]
    HandshakeLine,
    /// The connection.
    #[error("its listener")]
    Connection,
    /// The TLS handshake.
    #[error("the TLS handshake")]
    Tls,
    /// HTTP/2.
    #[error("HTTP/2")]
    Http2,
    /// The health service.
    #[error("its health service")]
    Health,
    /// The audit log, in which the start is to be recorded.
    #[error("the record of its start in the audit log")]
    Record,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault)?;
        if let Some(exit) = self.exit {
            write!(f, "\n  it ended with {exit}")?;
        }
        if !self.stderr.is_empty() {
            f.write_str("\n  the last it wrote to its standard error:")?;
        }
        for line in self.stderr.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            write!(f, "\n    {}", Escaped::new(line))?;
        }
        Ok(())
    }
}

impl std::error::Error for StartError {
    /// The cause behind the fault, whose own text is part of this one's.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.fault.source()
    }
}
