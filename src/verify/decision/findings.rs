//! The answer of a policy about one plugin, with everything that it rests on. A value for people
//! and logs; decides nothing.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Attestation, MissingAttestation, VerifiedPlugin};
use crate::Escaped;
use crate::verify::{Digest, ExecMode, VerifyError};

/// Whether a plugin may run, what was found on the way to that answer, and why not if it may not.
///
/// Its `Display` explains it, a line for each finding.
#[derive(Debug)]
#[must_use = "a decision that nobody looks at decides nothing"]
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

    /// What was found, in the order in which it was looked at.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The plugin, ready to be launched, or why it may not be.
    ///
    /// # Errors
    ///
    /// The refusal, or what kept the policy from deciding.
    pub fn outcome(&self) -> Result<&VerifiedPlugin, &VerifyError> {
        self.outcome.as_ref()
    }

    /// The same, without the findings.
    ///
    /// # Errors
    ///
    /// The refusal, or what kept the policy from deciding.
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

/// One thing that a policy found out about a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// It was found beneath the plugin directory, without a link on the way, and nobody else may
    /// write any step of it.
    Location {
        /// The plugin directory.
        directory: PathBuf,
    },
    /// A source says that it may run.
    Attested(Attestation),
    /// A source says nothing of it.
    Missing(MissingAttestation),
    /// The digests of its parts are not among those that are denied.
    NotDenied {
        /// How many digests the policy denies.
        entries: usize,
    },
    /// The bytes that will run are in place, and this is their digest.
    Image {
        /// The SHA-256.
        digest: Digest,
        /// How they are kept unchanged.
        mode: ExecMode,
        /// Whether they came from the cache.
        cached: bool,
    },
    /// Every file of the manifest has its digest, in a directory where nothing else is.
    Bundle {
        /// How many files there are.
        files: usize,
    },
    /// What the program would load is what the policy allows.
    Linkage,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Location { directory } => {
                write!(f, "place    beneath {}, which nobody else may write", Escaped::path(directory))
            }
            Self::Attested(attestation) => write!(f, "vouched  by {attestation}"),
            Self::Missing(missing) => write!(f, "silent   {missing}"),
            Self::NotDenied { entries } => write!(f, "denied   no, not by any of {entries} digests"),
            Self::Image { digest, mode, cached } => {
                let source = if *cached { "from the cache" } else { "read and hashed" };
                write!(f, "image    sha256 {digest}, {mode}, {source}")
            }
            Self::Bundle { files } => write!(f, "bundle   {files} files, each with its digest"),
            Self::Linkage => f.write_str("linkage  as the policy allows"),
        }
    }
}
