//! Whose word the host takes for a plugin: its command line as a policy. Checks nothing itself.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{ArgGroup, Args};
use portcullis::audit::Log;
use portcullis::verify::{
    Checksums, Lock, PluginName, PublicKey, SignedManifest, SourceError, SourceKind, VerifiedPlugin,
};
use portcullis::{Digest, Policy, host};

const HEADING: &str = "Who must vouch for the plugin (everybody who is named)";

/// At least one source for a plugin. A policy says it all, so it stands alone.
#[derive(Args)]
#[command(next_help_heading = HEADING)]
#[command(group(ArgGroup::new("sources").multiple(true).args(["sha256", "sums", "lock", "key", "policy"])))]
pub(crate) struct Trust {
    /// The SHA-256 of its file or of the manifest in its directory, in hexadecimal
    #[arg(long, value_name = "HEX")]
    sha256: Option<Digest>,
    /// A list of digests that names its file, as sha256sum writes it
    #[arg(long, value_name = "FILE")]
    sums: Option<PathBuf>,
    /// A lock file that has it for this machine
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// The public key of minisign whose owner signed its manifest
    #[arg(long, value_name = "KEY")]
    key: Option<PublicKey>,
    /// The signed manifest, instead of the one beside its file or in its directory
    #[arg(long, value_name = "FILE", requires = "key")]
    manifest: Option<PathBuf>,
    /// A policy file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sha256", "sums", "lock", "key", "manifest"])]
    policy: Option<PathBuf>,
    /// Its name in lock files and manifests, instead of its file name
    #[arg(long = "as", value_name = "NAME")]
    name: Option<PluginName>,
}

impl Trust {
    /// The plugin at `path`, if everybody vouches for it. A single policy would do for many
    /// plugins, and keep what it verified.
    pub(crate) fn verify(self, path: &Path, log: &Log) -> Result<VerifiedPlugin> {
        let policy = self.policy()?;
        let verified = match self.name {
            Some(name) => host::verify_as(&policy, name, path, log),
            None => host::verify(&policy, path, log),
        };
        Ok(verified?)
    }

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
