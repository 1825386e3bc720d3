//! Why a source of truth cannot be used: which file, which line, what is wrong there.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::Escaped;
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::{ChecksumFault, KeyFault, LockFault, ManifestFault, PolicyFault, SignatureFault};

/// A checksum file, manifest, lock file, policy, key or signature cannot be used, so it vouches for
/// nothing.
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

impl SourceError {
    pub(crate) fn explanation(&self) -> Explanation {
        self.fault.explanation()
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
    /// Somebody else may write it, who would then decide what may run.
    #[error("user {owner} owns it and its mode is {mode:04o}: others could write it, and so decide what may run")]
    WritableByOthers {
        /// The owner's user id.
        owner: u32,
        /// The permission bits.
        mode: u32,
    },
    /// It has more tables, lists and keys than any file of its kind and size has reason to have.
    #[error("it has far more tables, lists and keys than a file of its size has reason to have")]
    TooComplex,
    /// It is a document of another kind or of a version that is not known here.
    #[error("its format is {:?}; expected {expected:?}", Escaped::new(found))]
    Format {
        /// The format that was asked for.
        expected: &'static str,
        /// The format that it says it has, cut after 64 characters.
        found: String,
    },
    /// It is no TOML, or not with these keys and values.
    #[error("{}", Escaped::new(message))]
    Toml {
        /// What the parser says, cut after 300 characters.
        message: String,
    },
    /// The parts of a manifest do not fit together.
    #[error(transparent)]
    Manifest(#[from] ManifestFault),
    /// The parts of a lock file do not fit together.
    #[error(transparent)]
    Lock(#[from] LockFault),
    /// The parts of a policy do not fit together.
    #[error(transparent)]
    Policy(#[from] PolicyFault),
    /// It is no list of digests, or gives none.
    #[error(transparent)]
    Checksums(#[from] ChecksumFault),
    /// It holds no public key.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// It holds no signature, or one that does not prove what it should.
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
