//! What a file is held against: the arguments that every verb has which verifies, and the policy
//! that they amount to. Verifies nothing.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use portcullis::verify::{
    Checksums, Decision, Digest, ImageCache, Lock, PluginName, Policy, PublicKey, SignedManifest, SourceError,
    SourceKind,
};

const HEADING: &str = "What it is held against (all that is named must vouch)";

/// Where the word about a file comes from, and where the bytes that it is about are kept.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("sources").required(true).multiple(true).args(["sha256", "sums", "lock", "key", "policy"])))]
pub(crate) struct TrustSources {
    /// The SHA-256 that the file must have: 64 hexadecimal digits
    #[arg(long, help_heading = HEADING, value_name = "HEX")]
    sha256: Option<Digest>,

    /// A list of SHA-256, as sha256sum writes it, which must name the file
    #[arg(long, help_heading = HEADING, value_name = "SUMS")]
    sums: Option<PathBuf>,

    /// A lock file, which must name the plugin for this machine
    #[arg(long, help_heading = HEADING, value_name = "LOCK")]
    lock: Option<PathBuf>,

    /// A public key of minisign, or a file with one, whose owner must have signed the plugin's
    /// manifest; may be named several times
    #[arg(long, help_heading = HEADING, value_name = "KEY")]
    key: Vec<KeyArgument>,

    /// The signed manifest, instead of the one that lies beside the file or in the directory
    #[arg(long, help_heading = HEADING, value_name = "MANIFEST", requires = "key")]
    manifest: Option<PathBuf>,

    /// A policy, which says all of this and more
    #[arg(long, help_heading = HEADING, value_name = "POLICY", conflicts_with_all = ["sha256", "sums", "lock", "key", "manifest", "private_copy"])]
    policy: Option<PathBuf>,

    /// The name of the plugin in the lock file and in its manifest, instead of its file name
    #[arg(long = "as", help_heading = HEADING, value_name = "NAME")]
    known_as: Option<PluginName>,

    /// Copy to a private directory below DIR, not to sealed memory
    #[arg(long, help_heading = HEADING, value_name = "DIR")]
    private_copy: Option<PathBuf>,
}

/// A public key as it is named on a command line: itself, or a file that holds it.
#[derive(Debug, Clone)]
pub(crate) enum KeyArgument {
    Key(PublicKey),
    File(PathBuf),
}

impl FromStr for KeyArgument {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::File(text.into()), Self::Key))
    }
}

impl KeyArgument {
    pub(crate) fn read(&self) -> Result<PublicKey, SourceError> {
        match self {
            Self::Key(key) => Ok(*key),
            Self::File(path) => PublicKey::read(path),
        }
    }
}

impl TrustSources {
    /// The policy, or which source of truth cannot be used and why.
    ///
    /// It keeps no image: each file is looked at, also where an earlier one had the digest that it
    /// must have.
    pub(crate) fn policy(&self) -> Result<Policy, SourceError> {
        let nothing_kept = ImageCache::with_budget(0);
        if let Some(policy) = &self.policy {
            return Ok(Policy::read(policy)?.with_cache(nothing_kept));
        }
        let mut policy = Policy::new().with_cache(nothing_kept);
        if let Some(digest) = self.sha256 {
            policy = policy.allow(digest).require(SourceKind::Allow);
        }
        if let Some(sums) = &self.sums {
            policy = policy.with_checksums(Checksums::read(sums)?).require(SourceKind::Checksums);
        }
        if let Some(lock) = &self.lock {
            policy = policy.with_lock(Lock::read(lock)?).require(SourceKind::Lock);
        }
        if !self.key.is_empty() {
            policy = self.with_manifest(policy)?.require(SourceKind::Manifest);
        }
        Ok(match &self.private_copy {
            Some(parent) => policy.with_private_copy(parent),
            None => policy,
        })
    }

    fn with_manifest(&self, policy: Policy) -> Result<Policy, SourceError> {
        let keys = self.key.iter().map(KeyArgument::read).collect::<Result<Vec<_>, _>>()?;
        Ok(match &self.manifest {
            Some(manifest) => policy.with_manifest(SignedManifest::read(manifest, &keys)?),
            None => keys.into_iter().fold(policy, Policy::trust),
        })
    }

    /// What the policy says of a file.
    pub(crate) fn decide(&self, policy: &Policy, file: &Path) -> Decision {
        match &self.known_as {
            Some(name) => policy.decide_as(name.clone(), file),
            None => policy.decide(file),
        }
    }
}
