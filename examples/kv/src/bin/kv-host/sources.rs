//! The trust sources of the command line, turned into a policy. The library does the checking.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{ArgGroup, Args};
use portcullis::audit::Log;
use portcullis::verify::{
    Checksums, Lock, PluginName, PublicKey, SignedManifest, SourceError, SourceKind, VerifiedPlugin,
};
use portcullis::{Digest, Policy, host};

const HEADING: &str = "Trust sources (every one given must accept the plugin)";

/// At least one trust source. A policy file names its own sources, so it excludes the others.
#[derive(Args)]
#[command(next_help_heading = HEADING)]
#[command(group(ArgGroup::new("sources").multiple(true).args(["sha256", "sums", "lock", "key", "policy"])))]
pub(crate) struct TrustSources {
    /// Require this SHA-256, in hexadecimal, of the file or of the manifest in the directory
    #[arg(long, value_name = "HEX")]
    sha256: Option<Digest>,
    /// Require the digest that this checksum list (as sha256sum writes it) has for the file
    #[arg(long, value_name = "FILE")]
    sums: Option<PathBuf>,
    /// Require the artifact that this lock file names for this platform
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Require a manifest signed with this minisign public key
    #[arg(long, value_name = "KEY")]
    key: Option<PublicKey>,
    /// Read the signed manifest from this file, instead of beside the plugin or in its directory
    #[arg(long, value_name = "FILE", requires = "key")]
    manifest: Option<PathBuf>,
    /// Decide by this policy file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sha256", "sums", "lock", "key", "manifest"])]
    policy: Option<PathBuf>,
    /// Look for the plugin under this name in lock files and manifests, instead of its file name
    #[arg(long = "as", value_name = "NAME")]
    name: Option<PluginName>,
}

impl TrustSources {
    /// Verifies the plugin at `path` and records the decision in `log`. A host with several plugins
    /// would keep one policy, which caches verified files.
    pub(crate) fn verify(self, path: &Path, log: &Log) -> Result<VerifiedPlugin> {
        let policy = self.policy()?;
        let verified = match self.name {
            Some(name) => host::verify_as(&policy, name, path, log),
            None => host::verify(&policy, path, log),
        };
        Ok(verified?)
    }

    /// A policy that requires every given source. `require` matters: without it, one source that
    /// accepts the file would do.
    fn policy(&self) -> Result<Policy, SourceError> {
        if let Some(policy) = &self.policy {
            return Policy::read(policy);
        }
        let mut policy = Policy::new();
        if let Some(digest) = self.sha256 {
            policy = policy.allow(digest).require(SourceKind::Allow);
        }
        if let Some(sums) = &self.sums {
            policy = policy.with_checksums(Checksums::read(sums)?).require(SourceKind::Checksums);
        }
        if let Some(lock) = &self.lock {
            policy = policy.with_lock(Lock::read(lock)?).require(SourceKind::Lock);
        }
        policy = match (self.key, &self.manifest) {
            (None, _) => return Ok(policy),
            (Some(key), None) => policy.trust(key),
            (Some(key), Some(manifest)) => policy.with_manifest(SignedManifest::read(manifest, &[key])?),
        };
        Ok(policy.require(SourceKind::Manifest))
    }
}
