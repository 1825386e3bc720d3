//! `plugins.lock`: which bytes people agreed to run, kept in version control and reviewed there.
//! Changed by explicit commands only; nothing is ever added to it because it was seen.
//!
//! ```toml
//! format = "portcullis-lock/1"
//!
//! [[plugin]]
//! name = "kv"
//! version = "1.2.0"
//!
//! [[plugin.artifact]]
//! platform = "linux-aarch64"
//! sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
//!
//! [[plugin.artifact]]
//! platform = "linux-x86_64"
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! vouched-by = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
//! ```

mod read;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use read::LockFault;
pub(crate) use read::fault;

use crate::verify::sources::document::Document;
use crate::verify::{Digest, Platform, PluginName, PublicKey, SourceError, Version};

pub(crate) const FORMAT: &str = "portcullis-lock/1";

/// The largest lock file in bytes: far more than anybody reviews.
const LIMIT: u64 = 4 * 1024 * 1024;

/// What people agreed to run: for each plugin, one artifact for each platform.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    pub(crate) path: PathBuf,
    pub(crate) plugins: BTreeMap<PluginName, LockedPlugin>,
}

/// One plugin in a lock file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LockedPlugin {
    /// The version that was agreed to, where it is known.
    pub version: Option<Version>,
    /// The lowest version that may ever be agreed to: what the publisher's manifests said so far.
    pub minimum_version: Option<Version>,
    /// What a reviewer should know.
    pub note: Option<String>,
    /// What may run, by platform.
    pub artifacts: BTreeMap<Platform, Artifact>,
}

/// What may run on one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Artifact {
    /// The bytes.
    pub subject: Subject,
    /// The key whose owner signed them, if somebody did.
    pub signed_by: Option<PublicKey>,
}

/// What a digest in a lock file is the digest of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// The plugin is one file, and this is it.
    File(Digest),
    /// The plugin is a directory, and this is the manifest in it.
    Manifest(Digest),
}

impl Subject {
    /// The digest, whatever it is of.
    pub fn digest(self) -> Digest {
        match self {
            Self::File(digest) | Self::Manifest(digest) => digest,
        }
    }
}

impl Artifact {
    /// An artifact that was agreed to; `signed_by` signed it, if somebody did.
    pub fn new(subject: Subject, signed_by: Option<PublicKey>) -> Self {
        Self { subject, signed_by }
    }
}

impl Lock {
    /// A lock file that names nothing yet, and will be written to `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), plugins: BTreeMap::new() }
    }

    /// Reads the lock file at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, names no plugin, names one twice, or is malformed.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        read::parse(&Document::read(path.as_ref(), LIMIT)?)
    }

    /// Reads a lock file from `bytes`; `path` is what it is called where something is wrong with
    /// it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Result<Self, SourceError> {
        read::parse(&Document::new(path, bytes))
    }

    /// The file that it was read from, or will be written to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every plugin, in the order of their names.
    pub fn plugins(&self) -> impl ExactSizeIterator<Item = (&PluginName, &LockedPlugin)> {
        self.plugins.iter()
    }

    /// The plugin with this name, if it was agreed to.
    pub fn plugin(&self, name: &PluginName) -> Option<&LockedPlugin> {
        self.plugins.get(name)
    }

    /// What may run under this name on `machine`: an artifact for that platform, or else one for
    /// any.
    pub fn artifact(&self, name: &PluginName, machine: &Platform) -> Option<&Artifact> {
        let artifacts = &self.plugins.get(name)?.artifacts;
        artifacts.get(machine).or_else(|| artifacts.get(&Platform::any()))
    }

    /// Agrees to a plugin: what was there under this name is replaced, and returned.
    pub fn insert_plugin(&mut self, name: PluginName, plugin: LockedPlugin) -> Option<LockedPlugin> {
        self.plugins.insert(name, plugin)
    }

    /// Agrees to a plugin no longer, and returns what was there.
    pub fn remove_plugin(&mut self, name: &PluginName) -> Option<LockedPlugin> {
        self.plugins.remove(name)
    }
}

#[cfg(test)]
mod tests;
