//! The errors of opening a log and of recording in it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::Escaped;
use crate::audit::evidence::checkpoint::CheckpointError;
use crate::audit::reader::verifier::LogFault;

/// A log cannot be opened for writing. No record was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogOpenError {
    /// A system call failed.
    #[error("cannot open the log: {}", Escaped::path(path))]
    #[non_exhaustive]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Another user can rename files in the directory of the log.
    #[error(
        "{}: another user can rename files in this directory (owner {owner}, mode {mode:04o}); a log needs a directory that only this user and root can write",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    UntrustedDirectory {
        /// The directory of the log or one above it.
        path: PathBuf,
        /// The owner of the directory.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not a regular file.
    #[error("{} is {kind}, expected a regular file", Escaped::path(path))]
    #[non_exhaustive]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// The kind of file that was found.
        kind: &'static str,
    },
    /// The file has another owner, other permissions than 0600, or a second name.
    #[error(
        "{}: a log must be owned by its writer, with mode 0600 and one hard link; found owner {owner}, mode {mode:04o} and {links} hard links",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its permission bits.
        mode: u32,
        /// The number of its hard links.
        links: u64,
    },
    /// The log is in a directory that belongs to plugins.
    #[error("the log {} must not be in {}, which belongs to plugins", Escaped::path(path), Escaped::path(directory))]
    #[non_exhaustive]
    InPluginDirectory {
        /// The log.
        path: PathBuf,
        /// The directory.
        directory: PathBuf,
    },
    /// Another writer holds the writer lock.
    #[error("{}: another writer has this log open", Escaped::path(path))]
    #[non_exhaustive]
    Busy {
        /// The log.
        path: PathBuf,
    },
    /// The log was changed, or the file is not a log.
    #[error(
        "{}:{line}: {fault}; inspect it with `plugin-verify audit verify` and start a new log",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: u64,
        /// The damage.
        fault: LogFault,
    },
    /// The log was written with another key.
    #[error(
        "{}: the log belongs to the key {}, expected {}",
        Escaped::path(path),
        Escaped::new(found),
        Escaped::new(expected)
    )]
    #[non_exhaustive]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// The verifier key of the caller.
        expected: String,
        /// The verifier key in the log.
        found: String,
    },
    /// The checkpoint file is not a valid checkpoint of this log.
    #[error("{}: invalid checkpoint file", Escaped::path(path))]
    #[non_exhaustive]
    Checkpoint {
        /// The checkpoint file.
        path: PathBuf,
        /// The reason.
        source: CheckpointError,
    },
    /// The log has fewer records than its checkpoint file covers: it was truncated or replaced by
    /// an older copy.
    #[error("{}: the log has {found} records, but its checkpoint file covers {covered}", Escaped::path(path))]
    #[non_exhaustive]
    Truncated {
        /// The log.
        path: PathBuf,
        /// How many records the checkpoint file covers.
        covered: u64,
        /// How many records the log has.
        found: u64,
    },
    /// The log has other records than its checkpoint file covers.
    #[error("{}: the first {covered} records are not the ones that the checkpoint file covers", Escaped::path(path))]
    #[non_exhaustive]
    Rewritten {
        /// The log.
        path: PathBuf,
        /// How many records the checkpoint file covers.
        covered: u64,
    },
    /// The checkpoint file covers records of an earlier segment, and the segments since then are
    /// missing or changed.
    #[error(
        "{}: the checkpoint file covers {covered} records, the current file starts at record {first}, and the files in between are missing or changed",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    Disconnected {
        /// The log.
        path: PathBuf,
        /// How many records the checkpoint file covers.
        covered: u64,
        /// The index of the first record in the current segment.
        first: u64,
    },
    /// Full segments exist, but the current one is missing.
    #[error("{}: the current file of the log is missing, but older ones exist", Escaped::path(path))]
    #[non_exhaustive]
    Missing {
        /// The log.
        path: PathBuf,
    },
    /// The `opened` record cannot be written.
    #[error("{}: cannot write the first record", Escaped::path(path))]
    #[non_exhaustive]
    First {
        /// The log.
        path: PathBuf,
        /// Why.
        source: LogError,
    },
}

/// An event cannot be recorded.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The disk is full or failed. The record is not in the log.
    #[error("cannot write the audit log")]
    Write(#[source] Arc<io::Error>),
    /// The queue of the writer is full.
    #[error("the audit log is busy: too many events are waiting to be recorded")]
    Busy,
    /// The record would be longer than a line of the log may be.
    #[error("the event is too large for a record")]
    TooLarge,
    /// The log was closed.
    #[error("the audit log is closed")]
    Closed,
    /// The log is in a directory that belongs to plugins.
    #[error("the log {} must not be in {}, which belongs to plugins", Escaped::path(path), Escaped::path(directory))]
    #[non_exhaustive]
    InPluginDirectory {
        /// The log.
        path: PathBuf,
        /// The directory.
        directory: PathBuf,
    },
}

impl From<io::Error> for LogError {
    fn from(error: io::Error) -> Self {
        Self::Write(Arc::new(error))
    }
}
