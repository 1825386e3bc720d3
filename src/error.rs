//! Every failure until a plugin is ready: one variant per stage.

use std::fmt;

use crate::Escaped;
use crate::event::RecordError;
use crate::handshake::HandshakeError;
use crate::launch::{Exit, LaunchError};
use crate::rpc::RpcError;
use crate::tls::TlsError;
use crate::transport::TransportError;
use crate::verify::VerifyError;

/// A plugin could not be launched. If there was a process, the host killed it and its process
/// group; only a process that left the group can still run. Removing a private directory with large
/// files may take a moment longer than the call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes of the plugin were not verified. Nothing was executed.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// No key and certificate could be made for the launch. Nothing was executed.
    #[error(transparent)]
    Identity(TlsError),
    /// The process could not be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The process was started but did not become ready. It was killed.
    #[error(transparent)]
    Start(#[from] Box<StartError>),
    /// An event could not be recorded: the verification or the launch, and nothing was executed; or
    /// the proofs about the process, which was killed.
    #[error("the launch could not be recorded, so the plugin was not started or was killed")]
    Record(#[source] RecordError),
}

impl Error {
    /// Whether the host refused the plugin because of its bytes or its behaviour. Otherwise the
    /// machine failed, or the plugin did not come up.
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

    /// The name of the failure for programs, in kebab-case. Stable between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Verify(error) => error.code(),
            Self::Identity(error) => error.code(),
            Self::Launch(error) => error.code(),
            Self::Start(error) => error.fault.code(),
            Self::Record(_) => "not-recorded",
        }
    }

    /// One sentence with advice for a person. `None` if there is no advice.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Verify(error) => error.hint(),
            Self::Record(_) => Some("free disk space for the audit log, or move the log away from the plugins"),
            Self::Identity(_) | Self::Launch(_) | Self::Start(_) => None,
        }
    }

    /// The expected value, where two values were compared.
    pub fn expected(&self) -> Option<String> {
        match self {
            Self::Verify(error) => error.expected(),
            Self::Identity(error) => error.expected(),
            Self::Start(error) => error.fault.expected(),
            Self::Launch(_) | Self::Record(_) => None,
        }
    }

    /// The value that was found instead, where two values were compared.
    pub fn actual(&self) -> Option<String> {
        match self {
            Self::Verify(error) => error.actual(),
            Self::Identity(error) => error.actual(),
            Self::Start(error) => error.fault.actual(),
            Self::Launch(_) | Self::Record(_) => None,
        }
    }
}

/// A plugin's process was started but did not become ready. It was killed.
#[derive(Debug)]
#[non_exhaustive]
pub struct StartError {
    /// The failure.
    pub fault: StartFault,
    /// The exit of the process, if it ended within half a second without being killed.
    pub exit: Option<Exit>,
    /// The last bytes that the process wrote to its standard error, at most 4 KiB. Foreign text:
    /// print it with [`Escaped`].
    pub stderr: Vec<u8>,
}

/// The failure of a plugin's start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartFault {
    /// The host rejected the handshake line.
    #[error(transparent)]
    Handshake(HandshakeError),
    /// The host could not connect to the launched process.
    #[error(transparent)]
    Transport(TransportError),
    /// The TLS handshake failed.
    #[error(transparent)]
    Tls(TlsError),
    /// The host is connected, but the plugin is not serving.
    #[error(transparent)]
    Rpc(RpcError),
    /// The process ended before the plugin was ready.
    #[error("the plugin's process ended before the plugin was ready")]
    Exited,
    /// The start timeout passed.
    #[error("the plugin was not ready in time: the host was still waiting for {waiting_for}")]
    Timeout {
        /// The phase that had not ended.
        waiting_for: StartPhase,
    },
}

impl StartFault {
    /// Whether a plugin that exits can cause this failure, so that its exit is the better reason.
    pub(crate) fn may_be_an_exit(&self) -> bool {
        match self {
            Self::Handshake(fault) => matches!(fault, HandshakeError::Ended { .. }),
            Self::Transport(fault) => matches!(fault, TransportError::Connect(_) | TransportError::Http2(_)),
            Self::Tls(fault) => matches!(fault, TlsError::Closed | TlsError::Failed(_)),
            Self::Rpc(fault) => matches!(fault, RpcError::Health { .. }),
            Self::Exited | Self::Timeout { .. } => false,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Handshake(fault) => fault.code(),
            Self::Transport(fault) => fault.code(),
            Self::Tls(fault) => fault.code(),
            Self::Rpc(RpcError::NotServing { .. }) => "not-serving",
            Self::Rpc(RpcError::Health { .. }) => "health-check-failed",
            Self::Exited => "exited-early",
            Self::Timeout { .. } => "start-timeout",
        }
    }

    fn expected(&self) -> Option<String> {
        match self {
            Self::Handshake(fault) => fault.expected(),
            Self::Transport(fault) => fault.expected(),
            Self::Tls(fault) => fault.expected(),
            Self::Rpc(_) | Self::Exited | Self::Timeout { .. } => None,
        }
    }

    fn actual(&self) -> Option<String> {
        match self {
            Self::Handshake(fault) => fault.actual(),
            Self::Transport(fault) => fault.actual(),
            Self::Tls(fault) => fault.actual(),
            Self::Rpc(_) | Self::Exited | Self::Timeout { .. } => None,
        }
    }
}

/// The phases of a plugin's start after its process runs, in order. Each displays as the thing that
/// the host waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartPhase {
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
    /// The record of the start.
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
    /// The source of the fault. The fault's own text is part of this error's.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.fault.source()
    }
}
