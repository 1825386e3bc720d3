//! Those whose word a host takes: somebody who signs manifests, with a key made for the test, and
//! an operator who keeps a lock file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use minisign::KeyPair;
use portcullis::authoring::Claims;
use portcullis::verify::{Artifact, Lock, LockedPlugin, Manifest, Platform, PublicKey, SignedManifest, Subject};

/// Somebody who signs manifests.
pub(crate) struct Publisher(KeyPair);

impl Publisher {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_unencrypted_keypair().unwrap())
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.0.pk.to_base64().parse().unwrap()
    }

    /// Describes the plugin at `path` in a manifest where a host looks for it, and signs that.
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

/// Where the manifest of the plugin at `path` belongs.
pub(crate) fn manifest_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.join(Manifest::INSIDE);
    }
    let mut name = path.as_os_str().to_os_string();
    name.push(Manifest::SUFFIX);
    name.into()
}

/// Writes a lock file to `path` in which `subject` was agreed to under the name `plugin`, for this
/// machine.
pub(crate) fn lock(path: &Path, plugin: &str, subject: Subject) {
    let mut locked = LockedPlugin::default();
    locked.artifacts = BTreeMap::from([(Platform::current(), Artifact::new(subject, None))]);
    let mut lock = Lock::new(path);
    lock.insert(plugin.parse().unwrap(), locked);
    lock.write().unwrap();
}
