//! Candidates for this machine and for others, and the inventory of a directory. With real files
//! and signatures.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;

use minisign::KeyPair;

use std::path::{Path, PathBuf};

use crate::authoring::{
    Candidate, CandidateBuilder, CandidateError, Claims, Inventory, InventoryStatus, ManifestError, Overrides,
};
use crate::verify::{
    Artifact, Checksums, Decision, Digest, Format, Lock, LockedPlugin, Manifest, Platform, Policy, PublicKey, Refusal,
    SignedManifest, Subject, VerifyError, Version,
};

/// A directory with the program `kv`, a copy of this test binary.
struct Fixture {
    place: tempfile::TempDir,
    pair: KeyPair,
}

impl Fixture {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let plugin = place.path().join("kv");
        fs::copy(std::env::current_exe().unwrap(), &plugin).unwrap();
        fs::set_permissions(&plugin, Permissions::from_mode(0o755)).unwrap();
        Self { place, pair: KeyPair::generate_unencrypted_keypair().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn plugin(&self) -> CandidateBuilder {
        Candidate::builder(self.path("kv"))
    }

    fn key(&self) -> PublicKey {
        self.pair.pk.to_base64().parse().unwrap()
    }

    /// Writes a signed manifest of `plugin` for `platform` to `path`.
    fn publish(&self, plugin: &Path, path: &Path, platform: Platform) {
        let claims = Claims::new("kv".parse().unwrap(), Version::new(1, 2, 0)).with_platform(platform);
        let text = claims.describe(plugin).unwrap();
        let signature = minisign::sign(None, &self.pair.sk, text.as_bytes(), None, None).unwrap();
        fs::write(path, text).unwrap();
        fs::write(SignedManifest::beside(path), signature.to_string()).unwrap();
    }
}

fn foreign() -> Platform {
    "plan9-vax".parse().unwrap()
}

fn list(fixture: &Fixture, digest: Digest) -> Checksums {
    let path = fixture.path("SHA256SUMS");
    fs::write(&path, format!("{digest}  kv\n")).unwrap();
    Checksums::read(path).unwrap()
}

#[track_caller]
fn refusal(result: Result<Candidate, CandidateError>) -> Refusal {
    match result {
        Err(error @ CandidateError::Verify(_)) => {
            assert!(error.is_refusal());
            let CandidateError::Verify(VerifyError::Refused { reason, .. }) = error else { panic!("{error}") };
            reason
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn candidate_for_this_machine_passes_a_policy() {
    let fixture = Fixture::new();
    let digest = Digest::of_file(&File::open(fixture.path("kv")).unwrap()).unwrap();
    let found = fixture.plugin().examine().unwrap();
    assert_eq!((found.subject(), found.runs_here()), (Subject::File(digest), true));
    assert!(fixture.plugin().with_checksums(list(&fixture, digest)).examine().is_ok());
    let other = fixture.plugin().with_checksums(list(&fixture, Digest::of("another"))).examine();
    assert!(matches!(refusal(other), Refusal::DigestMismatch { .. }));
    fs::write(fixture.path("kv"), "#!/bin/sh\n").unwrap();
    assert!(matches!(refusal(fixture.plugin().examine()), Refusal::Script { .. }));
}

#[test]
fn foreign_file_must_match_its_declared_digests() {
    let fixture = Fixture::new();
    let path = fixture.path("kv");
    fs::write(&path, "a program of Plan 9").unwrap();
    let digest = Digest::of("a program of Plan 9");
    let candidate = || fixture.plugin().with_platform(foreign());
    let found = candidate().examine().unwrap();
    assert_eq!((found.subject(), found.runs_here()), (Subject::File(digest), false));
    assert!(candidate().with_checksums(list(&fixture, digest)).examine().is_ok());
    let other = candidate().with_checksums(list(&fixture, Digest::of("another"))).examine();
    assert!(matches!(refusal(other), Refusal::DigestMismatch { .. }));

    fixture.publish(&path, &fixture.path("kv.manifest.toml"), foreign());
    assert_eq!(candidate().trust(fixture.key()).examine().unwrap().subject(), Subject::File(digest));
    fs::write(&path, "another program").unwrap();
    let differs = candidate().trust(fixture.key()).examine().unwrap_err();
    assert!(matches!(differs, CandidateError::Differs { .. }) && differs.is_refusal(), "{differs}");

    fs::write(&path, "").unwrap();
    assert_eq!(refusal(candidate().examine()), Refusal::Format(Format::Empty));
    File::create(&path).unwrap().set_len(Policy::DEFAULT_SIZE_LIMIT + 1).unwrap();
    assert!(matches!(refusal(candidate().examine()), Refusal::TooLarge { .. }));
}

#[test]
fn foreign_directory_must_match_its_manifest() {
    let fixture = Fixture::new();
    let directory = fixture.path("bundle");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("run"), "a program of Plan 9").unwrap();
    let manifest = directory.join(Manifest::INSIDE);
    fixture.publish(&directory, &manifest, foreign());
    let candidate = || Candidate::builder(&directory).trust(fixture.key());
    let digest = Manifest::read(&manifest).unwrap().digest();
    assert_eq!(candidate().examine().unwrap().subject(), Subject::Manifest(digest));
    fs::write(directory.join("unnamed"), "which is never run").unwrap();
    assert!(candidate().examine().is_ok());
    fs::remove_file(directory.join("run")).unwrap();
    assert!(matches!(candidate().examine(), Err(CandidateError::Differs { .. })));
}

#[test]
fn local_program_is_rejected_for_another_linux() {
    let fixture = Fixture::new();
    let said = |platform: &str| fixture.plugin().with_platform(platform.parse().unwrap()).examine();
    let refused = said("linux-vax").unwrap_err();
    assert!(matches!(refused, CandidateError::OtherPlatform { .. }) && refused.is_refusal(), "{refused}");
    assert!(said("freebsd-vax").is_ok());
}

#[test]
fn caller_and_manifest_must_agree() {
    let fixture = Fixture::new();
    fixture.publish(&fixture.path("kv"), &fixture.path("kv.manifest.toml"), Platform::current());
    let candidate = || fixture.plugin().trust(fixture.key());
    assert!(candidate().with_version(Version::new(1, 2, 0)).examine().is_ok());
    let other = candidate().with_version(Version::new(1, 2, 1)).examine().unwrap_err();
    assert!(matches!(other, CandidateError::Disagreement { .. }) && other.is_refusal(), "{other}");
}

#[test]
fn adding_twice_shows_unchanged() {
    let fixture = Fixture::new();
    let mut lock = Lock::new("plugins.lock");
    let found = fixture.plugin().examine().unwrap();
    assert!(lock.add(&found, Overrides::none()).unwrap().to_string().starts_with("kv: new"));
    assert_eq!(lock.add(&found, Overrides::none()).unwrap().to_string().lines().next(), Some("kv: unchanged"));
}

#[test]
fn unreadable_candidate_is_not_a_refusal() {
    let fixture = Fixture::new();
    let no_manifest = Candidate::builder(fixture.place.path()).examine().unwrap_err();
    assert!(matches!(no_manifest, CandidateError::Source(_)) && !no_manifest.is_refusal(), "{no_manifest}");
    fs::write(fixture.path(Manifest::INSIDE), "no manifest").unwrap();
    assert!(Candidate::builder(fixture.place.path()).examine().unwrap_err().is_refusal());
    let io = ManifestError::Io { path: fixture.path("kv"), source: std::io::Error::other("broken") };
    assert!(!CandidateError::Files(io).is_refusal());
    assert!(CandidateError::Files(ManifestError::TooMany { limit: 1 }).is_refusal());
}

#[test]
fn inventory_reports_missing_and_unknown_files() {
    let fixture = Fixture::new();
    for name in ["kv.manifest.toml", "kv.manifest.toml.minisig", "kv.toml", "zip.manifest.toml"] {
        fs::write(fixture.path(name), "").unwrap();
    }
    let digest = Digest::of_file(&File::open(fixture.path("kv")).unwrap()).unwrap();
    let mut lock = Lock::new(fixture.path("plugins.lock"));
    for (name, platform) in [("kv", Platform::any()), ("missing", Platform::any()), ("zip", foreign())] {
        let artifacts = [(platform, Artifact::new(Subject::File(digest), None))].into();
        lock.insert_plugin(name.parse().unwrap(), LockedPlugin { artifacts, ..LockedPlugin::default() });
    }
    let found = |lock: &Lock| Inventory::of_directory(lock.clone(), fixture.place.path()).unwrap();
    let shown = |inventory: &Inventory| {
        inventory
            .items
            .iter()
            .map(|item| {
                let allowed = match &item.status {
                    InventoryStatus::Missing => None,
                    InventoryStatus::Present(decision) => Some(Decision::is_allowed(decision)),
                };
                (item.name.to_string(), allowed)
            })
            .collect::<Vec<_>>()
    };
    let expected = [("kv".to_owned(), Some(true)), ("missing".to_owned(), None)];
    let unknown = [fixture.path("kv.toml"), fixture.path("zip.manifest.toml")];
    // Whether the lock file is written there already or not.
    for _ in 0..2 {
        let inventory = found(&lock);
        assert_eq!((shown(&inventory), &inventory.unknown), (expected.to_vec(), &unknown.to_vec()));
        assert_eq!(inventory.elsewhere, ["zip".parse().unwrap()]);
        lock.write().unwrap();
    }
}
