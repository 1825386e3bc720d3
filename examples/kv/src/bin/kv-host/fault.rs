//! What comes instead of a result, and the exit status that it means. Foreign words are cut and
//! escaped.

use std::fmt;

use cli_support::Exit;
use portcullis::verify::SourceError;
use portcullis::{Error, Escaped};
use tonic::{Code, Status};

use crate::audit::NotIntact;
use crate::caller::{CallError, Peer};

/// How much of a foreign message is shown.
const MESSAGE_LIMIT: usize = 1000;

/// [`Exit::Refused`] for a refused plugin, a trust source with a fault, a key without a value or
/// with another version, and a log that is not intact; [`Exit::Failed`] for everything else.
pub(crate) fn exit(error: &anyhow::Error) -> Exit {
    let refused = error.downcast_ref::<Error>().is_some_and(Error::is_refusal)
        || error.downcast_ref::<SourceError>().is_some_and(|error| !error.is_unreadable());
    let refused = refused || error.downcast_ref::<NotIntact>().is_some();
    let answered = error.downcast_ref::<Answer>().map(|answer| answer.code);
    if refused || matches!(answered, Some(Code::NotFound | Code::Aborted)) { Exit::Refused } else { Exit::Failed }
}

/// What the peer answered instead of a result.
#[derive(Debug)]
pub(crate) struct Answer {
    peer: Peer,
    code: Code,
    message: String,
}

impl Answer {
    pub(crate) fn new(peer: Peer, status: &Status) -> Self {
        Self { peer, code: status.code(), message: status.message().chars().take(MESSAGE_LIMIT).collect() }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered: {} ({:?})", self.peer, Escaped::new(&self.message), self.code)
    }
}

impl std::error::Error for Answer {}

/// For `map_err` where a call to `peer` is made.
pub(crate) fn told(peer: Peer) -> impl Fn(CallError) -> anyhow::Error {
    move |error| match error {
        CallError::Answered(status) => Answer::new(peer, &status).into(),
        other => other.into(),
    }
}

/// What is passed on of a status: its code, the start of its message, and the one trailer that is
/// known.
pub(crate) fn passed_on(status: &Status) -> Status {
    let message: String = status.message().chars().take(MESSAGE_LIMIT).collect();
    let mut passed = Status::new(status.code(), message);
    let version = status.metadata().get(kv::VERSION_TRAILER).and_then(|version| version.to_str().ok()?.parse().ok());
    if let Some(version) = version {
        passed.metadata_mut().insert(kv::VERSION_TRAILER, u64::into(version));
    }
    passed
}
