//! The answer of a policy about one plugin, with the findings behind it. Values for people and
//! logs; decides nothing.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Attestation, MissingAttestation, VerifiedPlugin};
use crate::Escaped;
use crate::verify::{Digest, ExecMode, VerifyError};

/// Whether a plugin may run, why not if it may not, and the findings of each check.
///
/// `Display` prints the answer, then a line for each finding.
#[derive(Debug)]
#[must_use = "an unread decision has no effect"]
pub struct Decision {
    path: PathBuf,
    findings: Vec<Finding>,
    outcome: Result<VerifiedPlugin, VerifyError>,
}

impl Decision {
    pub(super) fn new(path: &Path, findings: Vec<Finding>, outcome: Result<VerifiedPlugin, VerifyError>) -> Self {
        Self { path: path.to_path_buf(), findings, outcome }
    }

    /// The plugin as the caller named it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it may run.
    pub fn is_allowed(&self) -> bool {
        self.outcome.is_ok()
    }

    /// The findings, in the order of the checks.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The plugin, ready for launch, or why it may not run.
    ///
    /// # Errors
    ///
    /// The refusal, or the error that prevented a decision.
    pub fn outcome(&self) -> Result<&VerifiedPlugin, &VerifyError> {
        self.outcome.as_ref()
    }

    /// As [`outcome`](Self::outcome), by value and without the findings.
    ///
    /// # Errors
    ///
    /// The refusal, or the error that prevented a decision.
    pub fn into_outcome(self) -> Result<VerifiedPlugin, VerifyError> {
        self.outcome
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(_) => write!(f, "{} may run", Escaped::path(&self.path))?,
            Err(error) => write!(f, "{error}")?,
        }
        for finding in &self.findings {
            write!(f, "\n  {finding}")?;
        }
        Ok(())
    }
}

/// The result of one check of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// It is beneath the plugin directory. No component of its path is a symbolic link or writable
    /// by an untrusted user.
    Location {
        /// The plugin directory.
        directory: PathBuf,
    },
    /// A source accepts it.
    Attested(Attestation),
    /// A source has no entry for it.
    Missing(MissingAttestation),
    /// The policy denies none of its digests.
    NotDenied {
        /// How many digests the policy denies.
        entries: usize,
    },
    /// The image that will run is ready.
    Image {
        /// The SHA-256.
        digest: Digest,
        /// How the image is protected against changes.
        mode: ExecMode,
        /// Whether the image came from the cache.
        cached: bool,
    },
    /// Every file of the manifest was copied into an empty private directory and has its digest.
    Bundle {
        /// How many files there are.
        files: usize,
    },
    /// The policy accepts the linkage of the program.
    Linkage,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Location { directory } => {
                write!(f, "location beneath {}, writable by trusted users only", Escaped::path(directory))
            }
            Self::Attested(attestation) => write!(f, "accepted by {attestation}"),
            Self::Missing(missing) => write!(f, "missing  {missing}"),
            Self::NotDenied { entries } => write!(f, "denied   by none of {entries} digests"),
            Self::Image { digest, mode, cached } => {
                let source = if *cached { "from the cache" } else { "read and hashed" };
                write!(f, "image    sha256 {digest}, {mode}, {source}")
            }
            Self::Bundle { files } => write!(f, "bundle   {files} files, each with its digest"),
            Self::Linkage => f.write_str("linkage  as the policy allows"),
        }
    }
}
