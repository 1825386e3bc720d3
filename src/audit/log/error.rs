//! Why a log cannot be opened, and why something could not be recorded in it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::Escaped;
use crate::audit::CheckpointError;
use crate::audit::reader::verifier::Fault;

/// A log could not be opened for writing. Nothing was written to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogOpenError {
    /// The system refused.
    #[error("{}: the log could not be opened", Escaped::path(path))]
    #[non_exhaustive]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Others can rename what is in its directory.
    #[error(
        "{}: others may rename what is in this directory, which belongs to {owner} and has mode {mode:04o}: a log needs one where nobody else may",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    OpenPlace {
        /// The directory of the log or one above it.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// It is no regular file, or a symbolic link.
    #[error("{}: it is {kind}, and a log is a regular file", Escaped::path(path))]
    #[non_exhaustive]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// It is somebody else's, others may use it, it may be executed, or it has another name too.
    #[error(
        "{}: a log belongs to its writer alone, with mode 0600 and one name; this file belongs to {owner}, has mode {mode:04o} and {links} names",
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
        /// How many names it has.
        links: u64,
    },
    /// It lies in a directory of plugins.
    #[error("{}: a log may not lie in the directory of plugins {}", Escaped::path(path), Escaped::path(directory))]
    #[non_exhaustive]
    AmongPlugins {
        /// The log.
        path: PathBuf,
        /// The directory.
        directory: PathBuf,
    },
    /// Somebody else writes it.
    #[error("{}: another writer has this log open", Escaped::path(path))]
    #[non_exhaustive]
    Busy {
        /// The log.
        path: PathBuf,
    },
    /// It was changed, or it is no log.
    #[error(
        "{}:{line}: {fault}; look at it with `plugin-verify audit verify`, and begin another log",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: u64,
        /// What is wrong there.
        fault: Fault,
    },
    /// It belongs to another key.
    #[error(
        "{}: the log is of {}, and the key that was given is of {}",
        Escaped::path(path),
        Escaped::new(found),
        Escaped::new(expected)
    )]
    #[non_exhaustive]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// The verifier key of the key that was given.
        expected: String,
        /// The one that the log names.
        found: String,
    },
    /// Its checkpoint file cannot be believed.
    #[error("{}: the checkpoint that was kept of the log cannot be believed", Escaped::path(path))]
    #[non_exhaustive]
    Checkpoint {
        /// The checkpoint file.
        path: PathBuf,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// It has fewer records than when its checkpoint file was written: somebody cut it or put an
    /// older one in its place.
    #[error("{}: the log has {found} records, and it had {kept} when its checkpoint was kept", Escaped::path(path))]
    #[non_exhaustive]
    CutShort {
        /// The log.
        path: PathBuf,
        /// How many records it had.
        kept: u64,
        /// How many it has.
        found: u64,
    },
    /// Its records are others than when its checkpoint file was written.
    #[error(
        "{}: the first {kept} records of the log are not those that it had when its checkpoint was kept",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    Rewritten {
        /// The log.
        path: PathBuf,
        /// How many records it had.
        kept: u64,
    },
    /// What lies between its checkpoint file and its current file is not there, or was changed.
    #[error(
        "{}: the log had {kept} records when its checkpoint was kept, its current file begins with record {first}, and the files between do not lead from one to the other",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    Disconnected {
        /// The log.
        path: PathBuf,
        /// How many records it had.
        kept: u64,
        /// The number of the first record in the current file.
        first: u64,
    },
    /// There are older files of it and the current one is missing.
    #[error("{}: the current file of the log is missing, and older ones are there", Escaped::path(path))]
    #[non_exhaustive]
    Missing {
        /// The log.
        path: PathBuf,
    },
    /// The first record could not be written.
    #[error("{}: the first record could not be written", Escaped::path(path))]
    #[non_exhaustive]
    First {
        /// The log.
        path: PathBuf,
        /// Why.
        source: LogError,
    },
}

/// Something could not be recorded.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The disk is full, or it failed. The record is not in the log.
    #[error("the log could not be written")]
    Write(#[source] Arc<io::Error>),
    /// More waits to be recorded than is kept in memory.
    #[error("too much waits to be recorded")]
    Busy,
    /// The event is larger than a record may be.
    #[error("the event is larger than a record may be")]
    TooLarge,
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// The log lies in a directory of plugins.
    #[error("the log {} may not lie in the directory of plugins {}", Escaped::path(path), Escaped::path(directory))]
    #[non_exhaustive]
    AmongPlugins {
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
