//! What can be said of the process at the other end of a socket.

use std::fmt;

/// Who made the other end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Child(PeerCheck),
    /// Another process, by its number (0: the kernel does not say).
    Other(u32),
}

/// How it was established that the process at the other end of the plugin's socket is the one that
/// was launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerCheck {
    /// By comparing pidfds (`SO_PEERPIDFD`, Linux 6.5 and 6.9).
    PidFd,
    /// By comparing process numbers (`SO_PEERCRED`): the kernel has no more.
    ProcessId,
    /// Not at all: a TCP connection names no process. The pinned certificate alone tells who
    /// answers.
    CertificateOnly,
}

impl fmt::Display for PeerCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PidFd => "pidfd",
            Self::ProcessId => "process number",
            Self::CertificateOnly => "certificate only",
        })
    }
}
