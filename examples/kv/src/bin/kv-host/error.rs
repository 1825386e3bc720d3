//! Errors of a command and the exit status of each. Text from a peer is cut and escaped before a
//! person sees it.

use std::fmt;

use cli_support::Exit;
use kv::VERSION_TRAILER;
use kv::limits::PEER_MESSAGE_CHARS;
use portcullis::verify::SourceError;
use portcullis::{Error, Escaped};
use tonic::{Code, Status};

use crate::audit::LogNotIntact;
use crate::client::{CallError, Peer};

/// [`Exit::Refused`] for a refused plugin, a faulty trust source, a key without a value or with
/// another version, and a log that is not intact; [`Exit::Failed`] for everything else.
pub(crate) fn exit(error: &anyhow::Error) -> Exit {
    let is_refused = error.downcast_ref::<Error>().is_some_and(Error::is_refusal)
        || error.downcast_ref::<SourceError>().is_some_and(|error| !error.is_unreadable())
        || error.downcast_ref::<LogNotIntact>().is_some();
    let code = error.downcast_ref::<PeerError>().map(|error| error.code);
    if is_refused || matches!(code, Some(Code::NotFound | Code::Aborted)) { Exit::Refused } else { Exit::Failed }
}

/// A gRPC status that a peer returned instead of a result.
#[derive(Debug)]
pub(crate) struct PeerError {
    peer: Peer,
    code: Code,
    message: String,
}

impl PeerError {
    pub(crate) fn new(peer: Peer, status: &Status) -> Self {
        Self { peer, code: status.code(), message: shortened(status) }
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} returned {:?}: {}", self.peer, self.code, Escaped::new(&self.message))
    }
}

impl std::error::Error for PeerError {}

/// For `map_err`: names the peer in the error of a call.
pub(crate) fn from_peer(peer: Peer) -> impl Fn(CallError) -> anyhow::Error {
    move |error| match error {
        CallError::Status(status) => PeerError::new(peer, &status).into(),
        other => other.into(),
    }
}

/// The part of a plugin's status that a serving host passes on: the code, the start of the message,
/// and the version trailer if it is a number. A plugin cannot send its callers anything else.
pub(crate) fn sanitize(status: &Status) -> Status {
    let mut sanitized = Status::new(status.code(), shortened(status));
    let version = status.metadata().get(VERSION_TRAILER).and_then(|version| version.to_str().ok()?.parse().ok());
    if let Some(version) = version {
        sanitized.metadata_mut().insert(VERSION_TRAILER, u64::into(version));
    }
    sanitized
}

fn shortened(status: &Status) -> String {
    status.message().chars().take(PEER_MESSAGE_CHARS).collect()
}
