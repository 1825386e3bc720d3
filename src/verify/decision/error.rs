//! Why a plugin may not run, or why nobody can tell: sorted by who must act.

use std::io;
use std::path::{Path, PathBuf};

use crate::Escaped;
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::{BundlePath, Refusal, SourceError};

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
    /// Something that was to say whether the plugin may run cannot be used, so it may not.
    #[error("{} is refused: {source}", Escaped::path(path))]
    #[non_exhaustive]
    Source {
        /// The file as the caller named it.
        path: PathBuf,
        /// What is wrong with the checksum file, manifest, signature or lock file.
        source: SourceError,
    },
}

impl VerifyError {
    /// Whether the plugin was refused, for what it is or for what is said of it: as against a
    /// machine that could not look.
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

/// What a step of the examination met, before the path is added to it.
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

    /// Says which file of a plugin a refusal is about.
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
