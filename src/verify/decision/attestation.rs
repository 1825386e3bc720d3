//! Who says that a plugin may run, and who says nothing of it. Values for decisions and people;
//! nothing is looked up here.

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
pub enum Attestation {
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
        signed_by: Option<PublicKey>,
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

impl Attestation {
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

impl fmt::Display for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("the policy, which names its digest"),
            Self::Checksums { path } => write!(f, "the checksum file {}", Escaped::path(path)),
            Self::Lock { path, signed_by: None } => write!(f, "the lock file {}", Escaped::path(path)),
            Self::Lock { path, signed_by: Some(key) } => {
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
pub enum MissingAttestation {
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

impl MissingAttestation {
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
                f.write_str("the manifest that was given is about another plugin:")?;
                plugins.iter().try_for_each(|plugin| write!(f, " {plugin}"))
            }
            Self::NotConfigured(kind) => write!(f, "the policy has no source of the kind '{kind}'"),
        }
    }
}

/// A manifest that was found or given for a plugin.
#[derive(Debug)]
pub(super) struct FoundManifest {
    pub(super) manifest: Manifest,
    /// Who signed it, if that was asked and a trusted key did.
    pub(super) key: Option<PublicKey>,
}

impl From<SignedManifest> for FoundManifest {
    fn from(signed: SignedManifest) -> Self {
        Self { manifest: signed.manifest().clone(), key: Some(*signed.key()) }
    }
}

/// What was said.
#[derive(Debug, Default)]
pub(super) struct Attestations {
    /// Those who go by the plugin's name, and the digest that each of them says.
    by_name: Vec<(Attestation, Digest)>,
    pub(super) missing: Vec<MissingAttestation>,
    /// The version that they speak of, where it is known.
    version: Option<Version>,
}

impl Attestations {
    /// Hears every source that goes by names about the plugin.
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
                    // Not missing: whoever can take the manifest away would otherwise free the
                    // plugin of what was agreed to.
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

    /// The one digest that everybody who goes by the name says, if anybody does.
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

    /// Everybody who vouches for the plugin that `subject` stands for: the digest of its file, or
    /// of its manifest if it is a directory.
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
