//! What a file is held against: the arguments that every verb has which verifies, and the policy that they amount to. Verifies nothing.

use std::path::PathBuf;

use portcullis::verify::{Digest, Policy, SourceError};

/// Where the word about a file comes from, and where the bytes that it is about are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Trust {
    /// The SHA-256 that the file must have: 64 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    sha256: Digest,

    /// Copy to a private directory below DIR, not to sealed memory
    #[arg(long, value_name = "DIR")]
    private_copy: Option<PathBuf>,
}

impl Trust {
    /// The policy, or which source of truth cannot be used and why.
    pub(crate) fn policy(&self) -> Result<Policy, SourceError> {
        let policy = Policy::new().allow(self.sha256);
        Ok(match &self.private_copy {
            Some(parent) => policy.with_private_copy(parent),
            None => policy,
        })
    }
}
