//! Who may vouch for what, on real files, real signatures and real directories.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use minisign::KeyPair;
use tempfile::TempDir;

mod bundled;
mod bundles;
mod files;
mod places;
mod sources;

use super::*;
use crate::authoring::Claims;
use crate::verify::{
    Artifact, BundlePath, Expiry, LockedPlugin, Manifest, Platform, Refusal, SourceFault, VerifyError,
};
use crate::verify::{
    Checksums, Digest, ExecMode, Lock, Owners, PluginName, PublicKey, SignedManifest, Subject, Version,
};

/// Somebody who signs manifests.
struct Publisher(KeyPair);

impl Publisher {
    fn new() -> Self {
        Self(KeyPair::generate_unencrypted_keypair().unwrap())
    }

    fn key(&self) -> PublicKey {
        self.0.pk.to_base64().parse().unwrap()
    }

    /// Signs the file at `path`, and puts the signature beside it.
    fn sign(&self, path: &Path) {
        let signature = minisign::sign(None, &self.0.sk, fs::read(path).unwrap().as_slice(), None, None).unwrap();
        fs::write(SignedManifest::beside(path), signature.to_string()).unwrap();
    }
}

/// A plugin directory with the program `kv` in it: this test itself, under another name.
struct Fixture {
    place: TempDir,
    digest: Digest,
}

impl Fixture {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("plugins");
        fs::create_dir(&directory).unwrap();
        set_mode(&directory, 0o755);
        let plugin = directory.join("kv");
        fs::copy(std::env::current_exe().unwrap(), &plugin).unwrap();
        set_mode(&plugin, 0o755);
        let digest = digest(&plugin);
        Self { place, digest }
    }

    fn directory(&self) -> PathBuf {
        self.place.path().canonicalize().unwrap().join("plugins")
    }

    fn plugin(&self) -> PathBuf {
        self.directory().join("kv")
    }

    fn tamper(&self) -> Digest {
        use std::os::unix::fs::FileExt;
        File::options().write(true).open(self.plugin()).unwrap().write_all_at(b"tampered", 1000).unwrap();
        digest(&self.plugin())
    }

    /// A lock file in which `kv` is agreed to.
    fn lock(&self) -> Lock {
        lock_of("kv", Subject::File(self.digest))
    }

    fn manifest_path(&self) -> PathBuf {
        self.directory().join("kv.manifest.toml")
    }

    /// Puts a manifest beside the plugin, signed by `publisher`.
    fn publish(&self, publisher: &Publisher, claims: &Claims) {
        fs::write(self.manifest_path(), claims.describe(self.plugin()).unwrap()).unwrap();
        publisher.sign(&self.manifest_path());
    }
}

fn lock_of(plugin: &str, subject: Subject) -> Lock {
    let mut lock = Lock::new("plugins.lock");
    let artifacts = BTreeMap::from([(Platform::current(), Artifact::new(subject, None))]);
    lock.insert_plugin(name(plugin), LockedPlugin { artifacts, ..LockedPlugin::default() });
    lock
}

fn claims() -> Claims {
    Claims::new(name("kv"), Version::new(1, 2, 0))
}

fn name(text: &str) -> PluginName {
    text.parse().unwrap()
}

fn digest(path: &Path) -> Digest {
    Digest::read(File::open(path).unwrap()).unwrap()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn refusal(result: Result<VerifiedPlugin, VerifyError>) -> Refusal {
    match result {
        Err(VerifyError::Refused { reason, .. }) => reason,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[track_caller]
fn source_fault(result: Result<VerifiedPlugin, VerifyError>) -> SourceFault {
    match result {
        Err(error @ VerifyError::Source { .. }) => {
            assert!(error.is_refusal());
            let VerifyError::Source { source, .. } = error else { unreachable!() };
            source.fault
        }
        other => panic!("expected a bad source, got {other:?}"),
    }
}

fn kinds(plugin: &VerifiedPlugin) -> Vec<SourceKind> {
    plugin.attestations().iter().map(Attestation::kind).collect()
}

fn path(text: &str) -> BundlePath {
    text.parse().unwrap()
}
