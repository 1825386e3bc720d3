//! Who says that a plugin may run, and who says nothing of it. Values for decisions and people;
//! nothing is looked up here.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::Escaped;
use crate::verify::{Platform, PluginName, PublicKey, Version};

/// A kind of source that a policy can be given, and can require to vouch for a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SourceKind {
    /// Digests that the policy itself names.
    Allow,
    /// A checksum file.
    Checksums,
    /// A lock file.
    Lock,
    /// A signed manifest.
    Manifest,
}

impl SourceKind {
    pub(super) const ALL: [Self; 4] = [Self::Allow, Self::Checksums, Self::Lock, Self::Manifest];
}

impl fmt::Display for SourceKind {
    /// The word for it in a policy file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Checksums => "checksums",
            Self::Lock => "lock",
            Self::Manifest => "manifest",
        })
    }
}

impl FromStr for SourceKind {
    type Err = SourceKindError;

    fn from_str(text: &str) -> Result<Self, SourceKindError> {
        Self::ALL.into_iter().find(|kind| kind.to_string() == text).ok_or(SourceKindError)
    }
}

/// A text names no [`SourceKind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a source is one of: allow, checksums, lock, manifest")]
#[non_exhaustive]
pub struct SourceKindError;

/// Somebody who says that exactly these bytes may run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Voucher {
    /// The policy names the digest.
    Allow,
    /// A checksum file lists it under the plugin's name.
    #[non_exhaustive]
    Checksums {
        /// The checksum file.
        path: PathBuf,
    },
    /// It was agreed to in a lock file.
    #[non_exhaustive]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Who had signed it when it was agreed to, as the lock file says.
        vouched_by: Option<PublicKey>,
    },
    /// A manifest names it, and the manifest is signed by a trusted key.
    #[non_exhaustive]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The version that it is about.
        version: Version,
        /// Who signed it.
        key: PublicKey,
    },
}

impl Voucher {
    /// What kind of source it is.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Allow => SourceKind::Allow,
            Self::Checksums { .. } => SourceKind::Checksums,
            Self::Lock { .. } => SourceKind::Lock,
            Self::Manifest { .. } => SourceKind::Manifest,
        }
    }
}

impl fmt::Display for Voucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("the policy, which names its digest"),
            Self::Checksums { path } => write!(f, "the checksum file {}", Escaped::path(path)),
            Self::Lock { path, vouched_by: None } => write!(f, "the lock file {}", Escaped::path(path)),
            Self::Lock { path, vouched_by: Some(key) } => {
                write!(f, "the lock file {}, on the word of key {}", Escaped::path(path), key.id())
            }
            Self::Manifest { path, version, key } => {
                write!(f, "the manifest {} of version {version}, signed by key {}", Escaped::path(path), key.id())
            }
        }
    }
}

/// A source that says nothing of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Silence {
    /// Its digest is not among those that the policy names.
    NotAllowed,
    /// A checksum file does not list it.
    #[non_exhaustive]
    NotListed {
        /// The checksum file.
        path: PathBuf,
    },
    /// A lock file has nothing for it on this machine.
    #[non_exhaustive]
    NotLocked {
        /// The lock file.
        path: PathBuf,
        /// The plugin.
        name: PluginName,
        /// The machine.
        platform: Platform,
    },
    /// No manifest was found for it.
    #[non_exhaustive]
    NoManifest {
        /// Where it would have been, or what it would have been called.
        path: PathBuf,
    },
    /// The manifests that the policy was given are about other plugins.
    #[non_exhaustive]
    OtherPlugins {
        /// Those plugins.
        plugins: Vec<PluginName>,
    },
    /// The policy has no source of this kind at all.
    NotConfigured(SourceKind),
}

impl Silence {
    /// What kind of source it is.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::NotAllowed => SourceKind::Allow,
            Self::NotListed { .. } => SourceKind::Checksums,
            Self::NotLocked { .. } => SourceKind::Lock,
            Self::NoManifest { .. } | Self::OtherPlugins { .. } => SourceKind::Manifest,
            Self::NotConfigured(kind) => *kind,
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed => f.write_str("the policy does not name its digest"),
            Self::NotListed { path } => write!(f, "the checksum file {} does not list it", Escaped::path(path)),
            Self::NotLocked { path, name, platform } => {
                write!(f, "the lock file {} has no plugin {name} for {platform}", Escaped::path(path))
            }
            Self::NoManifest { path } => write!(f, "there is no manifest {}", Escaped::path(path)),
            Self::OtherPlugins { plugins } => {
                f.write_str("the manifest that was given is about another plugin:")?;
                plugins.iter().try_for_each(|plugin| write!(f, " {plugin}"))
            }
            Self::NotConfigured(kind) => write!(f, "the policy has no source of the kind '{kind}'"),
        }
    }
}
