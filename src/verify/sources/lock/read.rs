//! Parses a lock file, and rejects one that contradicts itself. Reads no plugin.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{Artifact, FORMAT, Lock, LockedPlugin, Subject};
use crate::limits::sources::LOCK_NOTE_CHARACTERS;
use crate::verify::sources::document::Document;
use crate::verify::sources::toml_document::{self, RawVersion};
use crate::verify::{Digest, Platform, PluginName, PublicKey, SourceError, SourceFault, Version};

/// Why a lock file contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockFault {
    /// Two entries have the name of one plugin.
    #[error("plugin {name} appears twice")]
    Plugin {
        /// Its name.
        name: PluginName,
    },
    /// A plugin has two artifacts for one platform.
    #[error("plugin {name} has two artifacts for {platform}")]
    Platform {
        /// The plugin.
        name: PluginName,
        /// The platform.
        platform: Platform,
    },
    /// A plugin has no artifact.
    #[error("plugin {name} has no artifact")]
    NoArtifact {
        /// The plugin.
        name: PluginName,
    },
    /// An artifact has neither `sha256` nor `manifest`, or both.
    #[error("an artifact needs exactly one of `sha256` and `manifest`")]
    Subject,
    /// The version is below the minimum version.
    #[error("the version is below the minimum version {minimum}")]
    Minimum {
        /// The minimum version.
        minimum: Version,
    },
    /// A note is too long or not one line.
    #[error("a note must be one line of at most {LOCK_NOTE_CHARACTERS} characters, without control characters")]
    Note,
}

impl LockFault {
    /// Its name for programs, in kebab-case. Stable between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Plugin { .. } => "lock-plugin",
            Self::Platform { .. } => "lock-platform",
            Self::NoArtifact { .. } => "lock-no-artifact",
            Self::Subject => "lock-subject",
            Self::Minimum { .. } => "lock-minimum",
            Self::Note => "lock-note",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLock {
    #[serde(rename = "format")]
    _format: String,
    #[serde(default, rename = "plugin")]
    plugins: Vec<Spanned<RawPlugin>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPlugin {
    name: PluginName,
    version: Option<RawVersion>,
    minimum_version: Option<RawVersion>,
    note: Option<String>,
    #[serde(default, rename = "artifact")]
    artifacts: Vec<Spanned<RawArtifact>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawArtifact {
    platform: Platform,
    sha256: Option<Digest>,
    manifest: Option<Digest>,
    #[serde(rename = "vouched-by")]
    signed_by: Option<PublicKey>,
}

pub(super) fn parse(document: &Document) -> Result<Lock, SourceError> {
    let raw: RawLock = toml_document::read(document, FORMAT)?;
    let mut lock = Lock::new(document.path());
    for entry in raw.plugins {
        let offset = entry.span().start;
        let (name, plugin) = plugin(document, offset, entry.into_inner())?;
        if lock.plugins.insert(name.clone(), plugin).is_some() {
            return Err(at(document, offset, LockFault::Plugin { name }));
        }
    }
    match lock.plugins.is_empty() {
        true => Err(document.fault(None, SourceFault::Empty)),
        false => Ok(lock),
    }
}

fn at(document: &Document, offset: usize, fault: LockFault) -> SourceError {
    document.fault(Some(document.line_of(offset)), fault)
}

fn plugin(document: &Document, offset: usize, written: RawPlugin) -> Result<(PluginName, LockedPlugin), SourceError> {
    let RawPlugin { name, version, minimum_version, note, artifacts } = written;
    let mut plugin = LockedPlugin {
        version: version.map(|written| written.0),
        minimum_version: minimum_version.map(|written| written.0),
        note,
        artifacts: BTreeMap::new(),
    };
    for entry in artifacts {
        let offset = entry.span().start;
        let RawArtifact { platform, sha256, manifest, signed_by } = entry.into_inner();
        let subject = match (sha256, manifest) {
            (Some(digest), None) => Subject::File(digest),
            (None, Some(digest)) => Subject::Manifest(digest),
            _ => return Err(at(document, offset, LockFault::Subject)),
        };
        if plugin.artifacts.insert(platform.clone(), Artifact { subject, signed_by }).is_some() {
            return Err(at(document, offset, LockFault::Platform { name, platform }));
        }
    }
    match fault(&name, &plugin) {
        None => Ok((name, plugin)),
        Some(fault) => Err(at(document, offset, fault)),
    }
}

pub(crate) fn fault(name: &PluginName, plugin: &LockedPlugin) -> Option<LockFault> {
    if plugin.artifacts.is_empty() {
        return Some(LockFault::NoArtifact { name: name.clone() });
    }
    if plugin
        .note
        .as_ref()
        .is_some_and(|note| note.chars().count() > LOCK_NOTE_CHARACTERS || note.chars().any(char::is_control))
    {
        return Some(LockFault::Note);
    }
    match (&plugin.version, &plugin.minimum_version) {
        (Some(version), Some(minimum)) if version < minimum => Some(LockFault::Minimum { minimum: minimum.clone() }),
        _ => None,
    }
}
