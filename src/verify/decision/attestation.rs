//! The attestations of a policy's sources for one plugin, before its bytes are read, and the
//! reasons why a source gives none. Sources must not contradict each other, and at least one
//! must accept the plugin.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::Policy;
use super::examine::Request;
use crate::Escaped;
use crate::verify::Refusal;
use crate::verify::decision::error::ExamineError;
use crate::verify::{
    ChecksumFault, Digest, Manifest, Platform, PluginName, PublicKey, SignedManifest, SourceError, SourceFault,
    Subject, Version,
};

/// A kind of source that a policy can have and can require.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SourceKind {
    /// Digests in the policy itself.
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
    /// The word in a policy file.
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

/// A text is not the word for a [`SourceKind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a source is one of: allow, checksums, lock, manifest")]
#[non_exhaustive]
pub struct SourceKindError;

/// The statement of one source that exactly these bytes may run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attestation {
    /// The policy contains the digest.
    Allow,
    /// A checksum file lists the digest under the plugin's name.
    #[non_exhaustive]
    Checksums {
        /// The checksum file.
        path: PathBuf,
    },
    /// A lock file contains the digest.
    #[non_exhaustive]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The key that had signed the plugin when it was added to the lock file, if one had.
        signed_by: Option<PublicKey>,
    },
    /// A manifest contains the digest, and a trusted key signed the manifest.
    #[non_exhaustive]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The version in the manifest.
        version: Version,
        /// The key that signed it.
        key: PublicKey,
    },
}

impl Attestation {
    /// The kind of the source.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Allow => SourceKind::Allow,
            Self::Checksums { .. } => SourceKind::Checksums,
            Self::Lock { .. } => SourceKind::Lock,
            Self::Manifest { .. } => SourceKind::Manifest,
        }
    }
}

impl fmt::Display for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("the policy, which names its digest"),
            Self::Checksums { path } => write!(f, "the checksum file {}", Escaped::path(path)),
            Self::Lock { path, signed_by: None } => write!(f, "the lock file {}", Escaped::path(path)),
            Self::Lock { path, signed_by: Some(key) } => {
                write!(f, "the lock file {}, signed by key {}", Escaped::path(path), key.id())
            }
            Self::Manifest { path, version, key } => {
                write!(f, "the manifest {} of version {version}, signed by key {}", Escaped::path(path), key.id())
            }
        }
    }
}

/// Why a source has no attestation for a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissingAttestation {
    /// The policy does not contain its digest.
    NotAllowed,
    /// A checksum file does not list it.
    #[non_exhaustive]
    NotListed {
        /// The checksum file.
        path: PathBuf,
    },
    /// A lock file has no artifact of it for this machine.
    #[non_exhaustive]
    NotLocked {
        /// The lock file.
        path: PathBuf,
        /// The plugin.
        name: PluginName,
        /// The platform of this machine.
        platform: Platform,
    },
    /// It has no manifest.
    #[non_exhaustive]
    NoManifest {
        /// The expected path of the manifest.
        path: PathBuf,
    },
    /// The manifests in the policy are about other plugins.
    #[non_exhaustive]
    OtherPlugins {
        /// Those plugins.
        plugins: Vec<PluginName>,
    },
    /// The policy has no source of this kind.
    NotConfigured(SourceKind),
}

impl MissingAttestation {
    /// The kind of the source.
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

impl fmt::Display for MissingAttestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed => f.write_str("the policy does not name its digest"),
            Self::NotListed { path } => write!(f, "the checksum file {} does not list it", Escaped::path(path)),
            Self::NotLocked { path, name, platform } => {
                write!(f, "the lock file {} has no plugin {name} for {platform}", Escaped::path(path))
            }
            Self::NoManifest { path } => write!(f, "there is no manifest {}", Escaped::path(path)),
            Self::OtherPlugins { plugins } => {
                f.write_str("the manifests of the policy are about other plugins:")?;
                plugins.iter().try_for_each(|plugin| write!(f, " {plugin}"))
            }
            Self::NotConfigured(kind) => write!(f, "the policy has no source of the kind '{kind}'"),
        }
    }
}

/// The manifest of a plugin, from beside it or from the policy.
#[derive(Debug)]
pub(super) struct FoundManifest {
    pub(super) manifest: Manifest,
    /// The trusted key that signed it. `None` if the manifest is pinned by its digest instead.
    pub(super) key: Option<PublicKey>,
}

impl From<SignedManifest> for FoundManifest {
    fn from(signed: SignedManifest) -> Self {
        Self { manifest: signed.manifest().clone(), key: Some(*signed.key()) }
    }
}

/// The attestations of all sources that know plugins by name.
#[derive(Debug, Default)]
pub(super) struct Attestations {
    /// Each attestation with the digest that its source names.
    by_name: Vec<(Attestation, Digest)>,
    pub(super) missing: Vec<MissingAttestation>,
    /// The version of the plugin, where a source states it.
    version: Option<Version>,
}

impl Attestations {
    /// Asks every source that looks plugins up by name.
    pub(super) fn collect(
        policy: &Policy,
        request: &Request<'_>,
        manifest: Option<&FoundManifest>,
    ) -> Result<Self, ExamineError> {
        let mut attestations = Self::default();
        attestations.collect_checksums(policy, request)?;
        attestations.collect_lock(policy, request, manifest)?;
        attestations.collect_manifest(policy, request, manifest)?;
        attestations.check_version(policy, request)?;
        Ok(attestations)
    }

    fn collect_checksums(&mut self, policy: &Policy, request: &Request<'_>) -> Result<(), ExamineError> {
        let Some(checksums) = &policy.checksums else { return Ok(()) };
        let path = checksums.path().to_path_buf();
        match checksums.digest_for(request.path) {
            Ok(digest) => self.by_name.push((Attestation::Checksums { path }, digest)),
            Err(SourceError { fault: SourceFault::Checksums(ChecksumFault::NotListed { .. }), .. }) => {
                self.missing.push(MissingAttestation::NotListed { path });
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn collect_lock(
        &mut self,
        policy: &Policy,
        request: &Request<'_>,
        manifest: Option<&FoundManifest>,
    ) -> Result<(), ExamineError> {
        let Some(lock) = &policy.lock else { return Ok(()) };
        let (name, platform) = (request.name()?, &request.platform);
        let Some(artifact) = lock.artifact(name, platform) else {
            let (path, name, platform) = (lock.path().to_path_buf(), name.clone(), platform.clone());
            self.missing.push(MissingAttestation::NotLocked { path, name, platform });
            return Ok(());
        };
        let attestation = Attestation::Lock { path: lock.path().to_path_buf(), signed_by: artifact.signed_by };
        self.version = lock.plugin(name).and_then(|plugin| plugin.version.clone());
        let digest = match artifact.subject {
            Subject::File(digest) => digest,
            Subject::Manifest(expected) => {
                let Some(FoundManifest { manifest, .. }) = manifest else {
                    // An error, not a missing attestation: otherwise removing the manifest
                    // would bypass the lock file.
                    return Err(Refusal::NoManifest { path: request.manifest_path() }.into());
                };
                if manifest.digest() != expected {
                    return Err(Refusal::ManifestMismatch { expected, actual: manifest.digest() }.into());
                }
                request.subject_of(manifest)?
            }
        };
        self.by_name.push((attestation, digest));
        Ok(())
    }

    fn collect_manifest(
        &mut self,
        policy: &Policy,
        request: &Request<'_>,
        found: Option<&FoundManifest>,
    ) -> Result<(), ExamineError> {
        let Some(FoundManifest { manifest, key }) = found else {
            if request.wants_manifest {
                self.missing.push(MissingAttestation::NoManifest { path: request.manifest_path() });
            } else if !policy.manifests.is_empty() {
                self.missing
                    .push(MissingAttestation::OtherPlugins { plugins: policy.manifests.keys().cloned().collect() });
            }
            return Ok(());
        };
        self.version = Some(manifest.version().clone());
        if let Some(key) = *key {
            let (path, version) = (manifest.path().to_path_buf(), manifest.version().clone());
            self.by_name.push((Attestation::Manifest { path, version, key }, request.subject_of(manifest)?));
        }
        Ok(())
    }

    fn check_version(&self, policy: &Policy, request: &Request<'_>) -> Result<(), ExamineError> {
        let Some(minimum) = policy.minimum_version(request) else { return Ok(()) };
        match &self.version {
            None => Err(Refusal::VersionUnknown { minimum }.into()),
            Some(version) if *version < minimum => Err(Refusal::Rollback { version: version.clone(), minimum }.into()),
            Some(_) => Ok(()),
        }
    }

    /// The digest that all attestations agree on. `None` if there are no attestations.
    pub(super) fn agreed(&self) -> Result<Option<Digest>, ExamineError> {
        let Some((first, one)) = self.by_name.first() else { return Ok(None) };
        match self.by_name.iter().find(|(_, digest)| digest != one) {
            None => Ok(Some(*one)),
            Some((second, other)) => {
                let attestations = Box::new((first.clone(), second.clone()));
                Err(Refusal::Contradiction { attestations, one: *one, other: *other }.into())
            }
        }
    }

    /// All attestations for the plugin with the digest `subject`: that of its file, or of its
    /// manifest if it is a directory.
    ///
    /// Fails if a source that the policy requires is not among them.
    pub(super) fn attestations(&self, policy: &Policy, subject: Digest) -> Result<Vec<Attestation>, ExamineError> {
        let mut attestations: Vec<_> = self.by_name.iter().map(|(attestation, _)| attestation.clone()).collect();
        if policy.allowed.contains(&subject) {
            attestations.push(Attestation::Allow);
        }
        match policy.required.iter().find(|kind| attestations.iter().all(|attestation| attestation.kind() != **kind)) {
            Some(kind) => Err(Refusal::RequiredSource { missing: self.missing_from(policy, *kind) }.into()),
            None => Ok(attestations),
        }
    }

    fn missing_from(&self, policy: &Policy, kind: SourceKind) -> MissingAttestation {
        let said = self.missing.iter().find(|missing| missing.kind() == kind);
        match (said, kind) {
            (Some(missing), _) => missing.clone(),
            (None, SourceKind::Allow) if !policy.allowed.is_empty() => MissingAttestation::NotAllowed,
            (None, kind) => MissingAttestation::NotConfigured(kind),
        }
    }
}
