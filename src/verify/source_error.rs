//! Why a source of truth cannot be used: which file, which line, what is wrong there.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::{KeyFault, SignatureFault};
use crate::Escaped;

/// A checksum file, manifest, lock file, policy, key or signature cannot be used, so it vouches for nothing.
#[derive(Debug)]
#[non_exhaustive]
pub struct SourceError {
    /// The file as the caller named it.
    pub path: PathBuf,
    /// The line, counted from one, where there is one.
    pub line: Option<usize>,
    /// What is wrong.
    pub fault: SourceFault,
}

impl SourceError {
    pub(crate) fn new(path: impl Into<PathBuf>, line: Option<usize>, fault: SourceFault) -> Self {
        Self { path: path.into(), line, fault }
    }

    /// Whether the file could not be read at all, as against one that was read and is wrong.
    pub fn is_unreadable(&self) -> bool {
        matches!(self.fault, SourceFault::Unreadable(_))
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", Escaped::path(Path::new(&self.path)))?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.fault)
    }
}

impl std::error::Error for SourceError {
    /// The cause behind the fault, whose own text is part of this one's.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.fault)
    }
}

/// What is wrong with a source of truth.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceFault {
    /// It could not be read.
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    /// It is no regular file.
    #[error("it is {kind}, not a regular file")]
    NotRegular {
        /// What it is instead.
        kind: &'static str,
    },
    /// It is larger than any file of its kind has reason to be.
    #[error("it is larger than {limit} bytes, the limit for a file of its kind")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// It is no text.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// It names nothing, and so vouches for nothing.
    #[error("it names nothing, and so vouches for nothing")]
    Empty,
    /// It holds no public key.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// It holds no signature, or one that does not prove what it should.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
}
