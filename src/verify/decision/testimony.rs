//! What the sources of a policy say of one plugin, before its bytes are looked at. They must agree;
//! one of them must speak.

use super::examine::Asked;
use super::{Policy, Silence, SourceKind, Voucher};
use crate::verify::Refusal;
use crate::verify::decision::error::Obstacle;
use crate::verify::{
    ChecksumFault, Digest, Manifest, PublicKey, SignedManifest, SourceError, SourceFault, Subject, Version,
};

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
pub(super) struct Testimony {
    /// Those who go by the plugin's name, and the digest that each of them says.
    tied: Vec<(Voucher, Digest)>,
    pub(super) silent: Vec<Silence>,
    /// The version that they speak of, where it is known.
    version: Option<Version>,
}

impl Testimony {
    /// Hears every source that goes by names about the plugin.
    pub(super) fn hear(policy: &Policy, asked: &Asked<'_>, manifest: Option<&FoundManifest>) -> Result<Self, Obstacle> {
        let mut heard = Self::default();
        heard.hear_checksums(policy, asked)?;
        heard.hear_lock(policy, asked, manifest)?;
        heard.hear_manifest(policy, asked, manifest)?;
        heard.check_version(policy, asked)?;
        Ok(heard)
    }

    fn hear_checksums(&mut self, policy: &Policy, asked: &Asked<'_>) -> Result<(), Obstacle> {
        let Some(checksums) = &policy.checksums else { return Ok(()) };
        let path = checksums.path().to_path_buf();
        match checksums.digest_for(asked.path) {
            Ok(digest) => self.tied.push((Voucher::Checksums { path }, digest)),
            Err(SourceError { fault: SourceFault::Checksums(ChecksumFault::NotListed { .. }), .. }) => {
                self.silent.push(Silence::NotListed { path });
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn hear_lock(
        &mut self,
        policy: &Policy,
        asked: &Asked<'_>,
        manifest: Option<&FoundManifest>,
    ) -> Result<(), Obstacle> {
        let Some(lock) = &policy.lock else { return Ok(()) };
        let (name, platform) = (asked.name()?, &asked.platform);
        let Some(artifact) = lock.artifact(name, platform) else {
            let (path, name, platform) = (lock.path().to_path_buf(), name.clone(), platform.clone());
            self.silent.push(Silence::NotLocked { path, name, platform });
            return Ok(());
        };
        let voucher = Voucher::Lock { path: lock.path().to_path_buf(), vouched_by: artifact.vouched_by };
        self.version = lock.plugin(name).and_then(|plugin| plugin.version.clone());
        let digest = match artifact.subject {
            Subject::File(digest) => digest,
            Subject::Manifest(expected) => {
                let Some(FoundManifest { manifest, .. }) = manifest else {
                    // Not silence: whoever can take the manifest away would otherwise free the
                    // plugin of what was agreed to.
                    return Err(Refusal::NoManifest { path: asked.manifest_path() }.into());
                };
                if manifest.digest() != expected {
                    return Err(Refusal::ManifestMismatch { expected, actual: manifest.digest() }.into());
                }
                asked.subject_of(manifest)?
            }
        };
        self.tied.push((voucher, digest));
        Ok(())
    }

    fn hear_manifest(
        &mut self,
        policy: &Policy,
        asked: &Asked<'_>,
        found: Option<&FoundManifest>,
    ) -> Result<(), Obstacle> {
        let Some(FoundManifest { manifest, key }) = found else {
            if asked.wants_manifest {
                self.silent.push(Silence::NoManifest { path: asked.manifest_path() });
            } else if !policy.manifests.is_empty() {
                self.silent.push(Silence::OtherPlugins { plugins: policy.manifests.keys().cloned().collect() });
            }
            return Ok(());
        };
        self.version = Some(manifest.version().clone());
        if let Some(key) = *key {
            let (path, version) = (manifest.path().to_path_buf(), manifest.version().clone());
            self.tied.push((Voucher::Manifest { path, version, key }, asked.subject_of(manifest)?));
        }
        Ok(())
    }

    fn check_version(&self, policy: &Policy, asked: &Asked<'_>) -> Result<(), Obstacle> {
        let Some(minimum) = policy.minimum_version(asked) else { return Ok(()) };
        match &self.version {
            None => Err(Refusal::VersionUnknown { minimum }.into()),
            Some(version) if *version < minimum => Err(Refusal::Rollback { version: version.clone(), minimum }.into()),
            Some(_) => Ok(()),
        }
    }

    /// The one digest that everybody who goes by the name says, if anybody does.
    pub(super) fn agreed(&self) -> Result<Option<Digest>, Obstacle> {
        let Some((first, one)) = self.tied.first() else { return Ok(None) };
        match self.tied.iter().find(|(_, digest)| digest != one) {
            None => Ok(Some(*one)),
            Some((second, other)) => {
                let vouchers = Box::new((first.clone(), second.clone()));
                Err(Refusal::Contradiction { vouchers, one: *one, other: *other }.into())
            }
        }
    }

    /// Everybody who vouches for the plugin that `subject` stands for: the digest of its file, or
    /// of its manifest if it is a directory.
    pub(super) fn vouchers(&self, policy: &Policy, subject: Digest) -> Result<Vec<Voucher>, Obstacle> {
        let mut vouchers: Vec<_> = self.tied.iter().map(|(voucher, _)| voucher.clone()).collect();
        if policy.allowed.contains(&subject) {
            vouchers.push(Voucher::Allow);
        }
        match policy.required.iter().find(|kind| vouchers.iter().all(|voucher| voucher.kind() != **kind)) {
            Some(kind) => Err(Refusal::RequiredSource { silence: self.silence_of(policy, *kind) }.into()),
            None => Ok(vouchers),
        }
    }

    fn silence_of(&self, policy: &Policy, kind: SourceKind) -> Silence {
        let said = self.silent.iter().find(|silence| silence.kind() == kind);
        match (said, kind) {
            (Some(silence), _) => silence.clone(),
            (None, SourceKind::Allow) if !policy.allowed.is_empty() => Silence::NotAllowed,
            (None, kind) => Silence::NotConfigured(kind),
        }
    }
}
