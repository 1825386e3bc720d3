//! `plugins.lock`: the plugins that people agreed to run, by digest, kept in version control and
//! reviewed there. Reads it; explicit commands change it (`authoring`).
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

use crate::limits::sources::LOCK_FILE_BYTES;
use crate::verify::sources::document::Document;
use crate::verify::{Digest, Platform, PluginName, PublicKey, SourceError, Version};

pub(crate) const FORMAT: &str = "portcullis-lock/1";

/// The locked plugins, each with one artifact for each platform.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    pub(crate) path: PathBuf,
    pub(crate) plugins: BTreeMap<PluginName, LockedPlugin>,
}

/// One plugin in a lock file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LockedPlugin {
    /// The version, if it is known.
    pub version: Option<Version>,
    /// The lowest version that may be locked: the highest minimum of the publisher's manifests so
    /// far.
    pub minimum_version: Option<Version>,
    /// A note for reviewers.
    pub note: Option<String>,
    /// The artifacts, by platform.
    pub artifacts: BTreeMap<Platform, Artifact>,
}

/// The locked bytes of a plugin for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Artifact {
    /// The digest of the bytes.
    pub subject: Subject,
    /// The key that signed the manifest of the artifact, if there is one.
    pub signed_by: Option<PublicKey>,
}

/// The digest of a locked artifact, and what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// The digest of the plugin, which is one file.
    File(Digest),
    /// The digest of the manifest in the plugin, which is a directory.
    Manifest(Digest),
}

impl Subject {
    /// The digest alone.
    pub fn digest(self) -> Digest {
        match self {
            Self::File(digest) | Self::Manifest(digest) => digest,
        }
    }
}

impl Artifact {
    /// An artifact with its signer, if there is one.
    pub fn new(subject: Subject, signed_by: Option<PublicKey>) -> Self {
        Self { subject, signed_by }
    }
}

impl Lock {
    /// An empty lock, to be written to `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), plugins: BTreeMap::new() }
    }

    /// Reads the lock file at `path`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, names no plugin, names one twice, or is malformed.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        read::parse(&Document::read(path.as_ref(), LOCK_FILE_BYTES)?)
    }

    /// Reads a lock file from memory. Errors name it `path`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Result<Self, SourceError> {
        read::parse(&Document::new(path, bytes))
    }

    /// The file that the lock was read from and is written to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All plugins, sorted by name.
    pub fn plugins(&self) -> impl ExactSizeIterator<Item = (&PluginName, &LockedPlugin)> {
        self.plugins.iter()
    }

    /// The plugin with this name, if it is locked.
    pub fn plugin(&self, name: &PluginName) -> Option<&LockedPlugin> {
        self.plugins.get(name)
    }

    /// The artifact of a plugin for `machine`: the one for that platform, or else the one for any.
    pub fn artifact(&self, name: &PluginName, machine: &Platform) -> Option<&Artifact> {
        let artifacts = &self.plugins.get(name)?.artifacts;
        artifacts.get(machine).or_else(|| artifacts.get(&Platform::any()))
    }

    /// Locks a plugin, and returns the one that it replaces. Checks nothing.
    pub fn insert_plugin(&mut self, name: PluginName, plugin: LockedPlugin) -> Option<LockedPlugin> {
        self.plugins.insert(name, plugin)
    }

    /// Removes a plugin and returns it. Checks nothing.
    pub fn remove_plugin(&mut self, name: &PluginName) -> Option<LockedPlugin> {
        self.plugins.remove(name)
    }
}

#[cfg(test)]
mod tests;
