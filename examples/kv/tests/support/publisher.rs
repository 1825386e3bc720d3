//! A publisher that signs manifests with a new key, and the lock file of an operator.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use minisign::KeyPair;
use portcullis::authoring::Claims;
use portcullis::verify::{Artifact, Lock, LockedPlugin, Manifest, Platform, PublicKey, SignedManifest, Subject};

/// A publisher of signed manifests.
pub(crate) struct Publisher(KeyPair);

impl Publisher {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_unencrypted_keypair().unwrap())
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.0.pk.to_base64().parse().unwrap()
    }

    /// Writes and signs the manifest of the plugin at `path`, where a host looks for it.
    pub(crate) fn publish(&self, path: &Path, claims: &Claims) {
        let manifest = manifest_of(path);
        fs::write(&manifest, claims.describe(path).unwrap()).unwrap();
        self.sign(&manifest);
    }

    /// Signs a manifest.
    pub(crate) fn sign(&self, manifest: &Path) {
        let bytes = fs::read(manifest).unwrap();
        let signature = minisign::sign(None, &self.0.sk, bytes.as_slice(), None, None).unwrap();
        fs::write(SignedManifest::beside(manifest), signature.to_string()).unwrap();
    }
}

/// The path of the manifest for the plugin at `path`.
pub(crate) fn manifest_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.join(Manifest::INSIDE);
    }
    let mut name = path.as_os_str().to_os_string();
    name.push(Manifest::SUFFIX);
    name.into()
}

/// Writes a lock file that holds `subject` for this platform under the name `plugin`.
pub(crate) fn lock(path: &Path, plugin: &str, subject: Subject) {
    let mut locked = LockedPlugin::default();
    locked.artifacts = BTreeMap::from([(Platform::current(), Artifact::new(subject, None))]);
    let mut lock = Lock::new(path);
    lock.insert_plugin(plugin.parse().unwrap(), locked);
    lock.write().unwrap();
}
