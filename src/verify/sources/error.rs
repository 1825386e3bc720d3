//! Why a source of trust cannot be used: the file, the line and the fault.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::Escaped;
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::{ChecksumFault, KeyFault, LockFault, ManifestFault, PolicyFault, SignatureFault};

/// Why a checksum file, manifest, lock file, policy, key or signature cannot be used. It accepts no
/// plugin then.
#[derive(Debug)]
#[non_exhaustive]
pub struct SourceError {
    /// The file as the caller named it.
    pub path: PathBuf,
    /// The line, counted from one, if the fault is on one.
    pub line: Option<usize>,
    /// The fault.
    pub fault: SourceFault,
}

impl SourceError {
    pub(crate) fn new(path: impl Into<PathBuf>, line: Option<usize>, fault: SourceFault) -> Self {
        Self { path: path.into(), line, fault }
    }

    /// Whether the file could not be read. False if it was read and is invalid.
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
    /// The cause of the fault. The text of the fault itself is part of this error's text.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.fault)
    }
}

impl SourceError {
    pub(crate) fn explanation(&self) -> Explanation {
        self.fault.explanation()
    }
}

/// A fault of a source of trust.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceFault {
    /// The file could not be read.
    #[error("cannot be read")]
    Unreadable(#[source] io::Error),
    /// The path leads to another kind of file.
    #[error("expected a regular file, found {kind}")]
    NotRegular {
        /// The kind, with an article.
        kind: &'static str,
    },
    /// The file is larger than the limit for its kind.
    #[error("larger than {limit} bytes, the limit for a file of its kind")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is not text.
    #[error("not UTF-8")]
    NotUtf8,
    /// The file has no entry, so it accepts no plugin.
    #[error("it contains no entry")]
    Empty,
    /// Another user could write the file, and so decide what runs.
    #[error("owned by user {owner} with mode {mode:04o}: another user could write it, and so decide what runs")]
    WritableByOthers {
        /// The owner's user id.
        owner: u32,
        /// The permission bits.
        mode: u32,
    },
    /// The file has more tables, lists and keys than a file of its size needs. Building them could
    /// take a thousand times its size in memory.
    #[error("far more tables, lists and keys than a file of its size needs")]
    TooComplex,
    /// The file is of another kind or of an unknown version.
    #[error("expected format {expected:?}, found {:?}", Escaped::new(found))]
    Format {
        /// The expected format.
        expected: &'static str,
        /// The format that the file names, cut after 64 characters.
        found: String,
    },
    /// The file is not TOML, or has other keys or values.
    #[error("{}", Escaped::new(message))]
    Toml {
        /// The message of the parser, cut after 300 characters.
        message: String,
    },
    /// A manifest contradicts itself.
    #[error(transparent)]
    Manifest(#[from] ManifestFault),
    /// A lock file contradicts itself.
    #[error(transparent)]
    Lock(#[from] LockFault),
    /// A policy contradicts itself.
    #[error(transparent)]
    Policy(#[from] PolicyFault),
    /// A checksum file is invalid, or has no digest for a file.
    #[error(transparent)]
    Checksums(#[from] ChecksumFault),
    /// A key file is invalid.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// A signature file is invalid, or the signature does not verify.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
}

impl SourceFault {
    pub(crate) fn explanation(&self) -> Explanation {
        let of = Explanation::new;
        match self {
            Self::Unreadable(_) => of("source-unreadable"),
            Self::NotRegular { kind } => of("source-not-regular").expected("a regular file").actual(kind),
            Self::TooLarge { limit } => of("source-too-large").expected(format_args!("at most {limit} bytes")),
            Self::NotUtf8 => of("source-not-utf8"),
            Self::Empty => of("source-empty"),
            Self::WritableByOthers { owner, mode } => {
                of("source-writable-by-others").actual(format_args!("owner {owner}, mode {mode:04o}"))
            }
            Self::TooComplex => of("source-too-complex"),
            Self::Format { expected, found } => of("source-format").expected(expected).actual(Escaped::new(found)),
            Self::Toml { .. } => of("source-toml"),
            Self::Manifest(fault) => Explanation::new(fault.code()),
            Self::Lock(fault) => Explanation::new(fault.code()),
            Self::Policy(fault) => Explanation::new(fault.code()),
            Self::Checksums(fault) => Explanation::new(fault.code()),
            Self::Key(fault) => Explanation::new(fault.code()),
            Self::Signature(fault) => fault.explanation(),
        }
    }
}

explained!(SourceError, SourceFault);
