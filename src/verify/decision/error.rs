//! Why a plugin was not verified, sorted by who must act: the publisher, the operator or the
//! administrator of the machine.

use std::io;
use std::path::{Path, PathBuf};

use crate::Escaped;
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::{BundlePath, Refusal, SourceError};

/// A plugin was not verified. Nothing was executed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The policy refuses the plugin.
    #[error("{} is refused: {reason}", Escaped::path(path))]
    #[non_exhaustive]
    Refused {
        /// The file as the caller named it.
        path: PathBuf,
        /// Why.
        reason: Refusal,
    },
    /// The plugin could not be read, so it may not run.
    #[error("{} could not be checked: {doing} failed", Escaped::path(path))]
    #[non_exhaustive]
    Unchecked {
        /// The file as the caller named it.
        path: PathBuf,
        /// The step that failed, as part of the sentence "{doing} failed".
        doing: &'static str,
        /// The error of the system call.
        source: io::Error,
    },
    /// A source of the policy cannot be used, so the plugin may not run.
    #[error("{} is refused: {source}", Escaped::path(path))]
    #[non_exhaustive]
    Source {
        /// The file as the caller named it.
        path: PathBuf,
        /// The fault in the checksum file, manifest, signature or lock file.
        source: SourceError,
    },
}

impl VerifyError {
    /// Whether this is a verdict on the plugin or on one of its sources. `false` when a file could
    /// not be read: that says nothing about the plugin.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { .. } => true,
            Self::Unchecked { .. } => false,
            Self::Source { source, .. } => !source.is_unreadable(),
        }
    }
}

impl VerifyError {
    pub(crate) fn explanation(&self) -> Explanation {
        match self {
            Self::Refused { reason, .. } => reason.explanation(),
            Self::Unchecked { .. } => Explanation::new("unchecked"),
            Self::Source { source, .. } => source.explanation(),
        }
    }
}

explained!(VerifyError);

/// The error of one step of an examination, before the plugin's path is added.
#[derive(Debug)]
pub(crate) enum ExamineError {
    Refusal(Refusal),
    Io { doing: &'static str, source: io::Error },
    Source(SourceError),
}

impl ExamineError {
    /// For `map_err`: the step that failed with a system error.
    pub(crate) fn io<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { doing, source: source.into() }
    }

    pub(crate) fn at(self, path: &Path) -> VerifyError {
        let path = path.to_path_buf();
        match self {
            Self::Refusal(reason) => VerifyError::Refused { path, reason },
            Self::Io { doing, source } => VerifyError::Unchecked { path, doing, source },
            Self::Source(source) => VerifyError::Source { path, source },
        }
    }

    /// Adds the file of the plugin that a refusal is about.
    pub(crate) fn within(self, path: &BundlePath) -> Self {
        self.map(|reason| Refusal::File { path: path.clone(), reason })
    }

    pub(crate) fn of_document(self, path: &Path) -> Self {
        self.map(|reason| Refusal::Document { path: path.to_path_buf(), reason })
    }

    pub(crate) fn of_interpreter(self, path: &Path) -> Self {
        self.map(|reason| Refusal::Interpreter { path: path.to_path_buf(), reason })
    }

    fn map(self, about: impl FnOnce(Box<Refusal>) -> Refusal) -> Self {
        match self {
            Self::Refusal(reason) => about(Box::new(reason)).into(),
            other => other,
        }
    }
}

impl From<Refusal> for ExamineError {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<SourceError> for ExamineError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}
