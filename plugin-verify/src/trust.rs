//! The trust sources on the command line of every verb that verifies, and the policy that requires
//! them. Verifies nothing.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use portcullis::verify::{
    Checksums, Decision, Digest, ImageCache, Lock, PluginName, Policy, PublicKey, SignedManifest, SourceError,
    SourceKind,
};

const HEADING: &str = "Trust sources (every one given must accept the file)";

/// The trust sources of a verb that verifies, and the storage of the verified copy.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("sources").required(true).multiple(true).args(["sha256", "sums", "lock", "key", "policy"])))]
pub(crate) struct TrustSources {
    /// Expected SHA-256 of the file: 64 hexadecimal digits
    #[arg(long, help_heading = HEADING, value_name = "HEX")]
    sha256: Option<Digest>,

    /// Checksum list in the format of sha256sum; must list the file
    #[arg(long, help_heading = HEADING, value_name = "SUMS")]
    sums: Option<PathBuf>,

    /// Lock file; must list the plugin for this machine
    #[arg(long, help_heading = HEADING, value_name = "LOCK")]
    lock: Option<PathBuf>,

    /// minisign public key, or a file with one; its owner must have signed the plugin's manifest.
    /// May be repeated
    #[arg(long, help_heading = HEADING, value_name = "KEY")]
    key: Vec<KeyArgument>,

    /// Signed manifest, instead of the one beside the file or in the directory
    #[arg(long, help_heading = HEADING, value_name = "MANIFEST", requires = "key")]
    manifest: Option<PathBuf>,

    /// Policy file; replaces all other trust sources and --private-copy
    #[arg(long, help_heading = HEADING, value_name = "POLICY", conflicts_with_all = ["sha256", "sums", "lock", "key", "manifest", "private_copy"])]
    policy: Option<PathBuf>,

    /// Name of the plugin in the lock file and the manifest, instead of its file name
    #[arg(long = "as", help_heading = HEADING, value_name = "NAME")]
    known_as: Option<PluginName>,

    /// Make the verified copy in a new directory below DIR, instead of in sealed memory
    #[arg(long, help_heading = HEADING, value_name = "DIR")]
    private_copy: Option<PathBuf>,
}

/// A public key on a command line: the key itself, or a file that holds it.
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
    /// The policy that requires every named source.
    ///
    /// It caches no image: each file is read again, even if an earlier one had the same digest.
    ///
    /// # Errors
    ///
    /// The source that cannot be used, and why.
    pub(crate) fn policy(&self) -> Result<Policy, SourceError> {
        let no_cache = ImageCache::with_budget(0);
        if let Some(policy) = &self.policy {
            return Ok(Policy::read(policy)?.with_cache(no_cache));
        }
        let mut policy = Policy::new().with_cache(no_cache);
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

    /// The decision of the policy on a file.
    pub(crate) fn decide(&self, policy: &Policy, file: &Path) -> Decision {
        match &self.known_as {
            Some(name) => policy.decide_as(name.clone(), file),
            None => policy.decide(file),
        }
    }
}
