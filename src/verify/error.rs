//! Why a plugin may not run, or why nobody can tell: sorted by who must act.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::Digest;
use super::format::Format;
use crate::Escaped;

/// A plugin was not verified. Nothing was executed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The file was examined, and it may not run.
    #[error("{} is refused: {reason}", Escaped::path(path))]
    #[non_exhaustive]
    Refused {
        /// The file as the caller named it.
        path: PathBuf,
        /// What is wrong with it.
        reason: Refusal,
    },
    /// The file could not be examined, so it may not run either.
    #[error("{} could not be checked: {doing} failed", Escaped::path(path))]
    #[non_exhaustive]
    Unchecked {
        /// The file as the caller named it.
        path: PathBuf,
        /// The step that failed.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

/// What is wrong with a file that was examined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The policy names no digest, so it allows nothing.
    #[error("the policy names no digest, and so allows nothing")]
    NothingAllowed,
    /// The bytes are not those that the policy names.
    #[error("its SHA-256 is not the expected one\n  expected {}\n  actual   {actual}", Listed(expected))]
    #[non_exhaustive]
    DigestMismatch {
        /// The digests that the policy allows.
        expected: Vec<Digest>,
        /// The digest of the bytes that were read.
        actual: Digest,
    },
    /// Only a regular file can be a plugin.
    #[error("it is {kind}, not a regular file")]
    NotRegular {
        /// What it is instead.
        kind: &'static str,
    },
    /// The file is larger than the policy's limit.
    #[error("it is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Nobody may execute the file.
    #[error("its mode {mode:04o} lets nobody execute it")]
    NotExecutable {
        /// The permission bits.
        mode: u32,
    },
    /// The file has a set-user-ID or set-group-ID bit: it is meant to run with somebody else's rights.
    #[error("its mode {mode:04o} has a set-user-ID or set-group-ID bit")]
    SetId {
        /// The permission bits.
        mode: u32,
    },
    /// The file carries capabilities (capabilities(7)): it is meant to run with more rights than its caller.
    #[error("it carries file capabilities")]
    FileCapabilities,
    /// The file lies on a mount from which nothing may be executed; running a copy would circumvent that.
    #[error("it lies on a mount with the option noexec")]
    NoexecMount,
    /// The file is a script, and the digest says nothing about its interpreter.
    #[error(
        "it is a script for {:?}, and the digest does not cover that program; verify the interpreter and pass the script as an argument",
        Escaped::new(interpreter)
    )]
    Script {
        /// The first line after `#!`, cut after 80 bytes.
        interpreter: String,
    },
    /// The file is no program for this machine.
    #[error("it is {0}")]
    Format(Format),
    /// This machine does not execute sealed memory. [`Policy::with_private_copy`](super::Policy::with_private_copy) is another way.
    #[error(
        "this machine does not execute memory (vm.memfd_noexec=2), and another way than sealed memory was not asked for"
    )]
    SealedExecUnavailable,
    /// The directory for private copies is on a mount from which nothing may be executed.
    #[error("the directory for private copies, {}, is on a mount with the option noexec", Escaped::path(directory))]
    CopyNotExecutable {
        /// The directory.
        directory: PathBuf,
    },
    /// Others could put another file in the place of the private copy.
    #[error(
        "{} is no place for private copies: user {owner} owns it and its mode is {mode:04o}, so others can rename what is in it",
        Escaped::path(directory)
    )]
    OpenDirectory {
        /// The directory that was given, or one above it.
        directory: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// Somebody other than root and this process's user may write the file, and it was to be run where it lies.
    #[error("user {owner} owns it and its mode is {mode:04o}: others may write it while it runs")]
    WritableByOthers {
        /// The permission bits.
        mode: u32,
        /// The owner's user id.
        owner: u32,
    },
}

struct Listed<'a>(&'a [Digest]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, digest) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n        or ")?;
            }
            write!(f, "{digest}")?;
        }
        Ok(())
    }
}

/// What a step of the examination met, before the path is added to it.
#[derive(Debug)]
pub(super) enum Obstacle {
    Refusal(Refusal),
    Io { doing: &'static str, source: io::Error },
}

impl Obstacle {
    /// For `map_err`: the step that failed with a system error.
    pub(super) fn io<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { doing, source: source.into() }
    }

    pub(super) fn at(self, path: &Path) -> VerifyError {
        let path = path.to_path_buf();
        match self {
            Self::Refusal(reason) => VerifyError::Refused { path, reason },
            Self::Io { doing, source } => VerifyError::Unchecked { path, doing, source },
        }
    }
}

impl From<Refusal> for Obstacle {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}
