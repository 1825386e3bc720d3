//! Who may vouch for what, on real files, real signatures and real directories.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use minisign::KeyPair;
use tempfile::TempDir;

use super::*;
use crate::verify::{
    Artifact, BundlePath, Claims, Expiry, LockedPlugin, Manifest, Platform, Refusal, SourceFault, VerifyError,
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
    lock.insert(name(plugin), LockedPlugin { artifacts, ..LockedPlugin::default() });
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
    plugin.vouchers().iter().map(Voucher::kind).collect()
}

#[test]
fn a_lock_file_allows_exactly_what_was_agreed_to_under_that_name() {
    let fixture = Fixture::new();
    let policy = Policy::new().with_lock(fixture.lock());
    let verified = policy.verify(fixture.plugin()).unwrap();
    assert_eq!(kinds(&verified), [SourceKind::Lock]);
    assert_eq!(verified.subject(), Subject::File(fixture.digest));

    let other = fixture.directory().join("other");
    fs::rename(fixture.plugin(), &other).unwrap();
    assert!(matches!(refusal(policy.verify(&other)), Refusal::NotVouched { silent } if silent.len() == 1));
    assert!(policy.verify_as(name("kv"), &other).is_ok());

    fs::rename(&other, fixture.plugin()).unwrap();
    let actual = fixture.tamper();
    let fresh = Policy::new().with_lock(fixture.lock());
    let mismatch = Refusal::DigestMismatch { expected: vec![fixture.digest], actual };
    assert_eq!(refusal(fresh.verify(fixture.plugin())), mismatch);
}

#[test]
fn a_plugin_that_the_lock_file_names_comes_from_the_cache_too() {
    let fixture = Fixture::new();
    let policy = Policy::new().with_lock(fixture.lock());
    assert!(!policy.verify(fixture.plugin()).unwrap().was_cached());
    assert!(policy.verify(fixture.plugin()).unwrap().was_cached());
}

#[test]
fn a_list_of_digests_allows_what_it_has_under_that_name() {
    let fixture = Fixture::new();
    let list = fixture.place.path().join("SHA256SUMS");
    fs::write(&list, format!("{}  plugins/kv\n{}  zip\n", fixture.digest, Digest::of("zip"))).unwrap();
    let policy = Policy::new().with_checksums(Checksums::read(&list).unwrap());
    assert_eq!(kinds(&policy.verify(fixture.plugin()).unwrap()), [SourceKind::Checksums]);
    let other = fixture.directory().join("other");
    fs::copy(fixture.plugin(), &other).unwrap();
    assert_eq!(refusal(policy.verify(&other)), Refusal::NotVouched { silent: vec![Silence::NotListed { path: list }] });
    fs::copy(fixture.plugin(), fixture.directory().join("zip")).unwrap();
    assert!(matches!(refusal(policy.verify(fixture.directory().join("zip"))), Refusal::DigestMismatch { .. }));
}

#[test]
fn a_file_without_a_plugins_name_needs_one_where_names_count() {
    let fixture = Fixture::new();
    let odd = fixture.directory().join("-kv");
    fs::rename(fixture.plugin(), &odd).unwrap();
    assert_eq!(refusal(Policy::new().with_lock(fixture.lock()).verify(&odd)), Refusal::Unnamed);
    assert!(Policy::new().allow(fixture.digest).verify(&odd).is_ok());
}

#[test]
fn a_signed_manifest_allows_the_file_that_it_is_about() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let policy = || Policy::new().trust(publisher.key());
    let verified = policy().verify(fixture.plugin()).unwrap();
    assert!(matches!(verified.vouchers(), [Voucher::Manifest { key, .. }] if *key == publisher.key()));

    let actual = fixture.tamper();
    assert!(matches!(refusal(policy().verify(fixture.plugin())),
        Refusal::DigestMismatch { actual: found, .. } if found == actual));
}

#[test]
fn a_manifest_without_a_good_signature_by_a_trusted_key_is_refused() {
    let fixture = Fixture::new();
    let (publisher, stranger) = (Publisher::new(), Publisher::new());
    let policy = Policy::new().trust(publisher.key());
    assert!(matches!(refusal(policy.verify(fixture.plugin())), Refusal::NotVouched { .. }), "there is no manifest");

    fixture.publish(&stranger, &claims());
    assert!(matches!(
        source_fault(policy.verify(fixture.plugin())),
        SourceFault::Signature(crate::verify::SignatureFault::Untrusted { .. })
    ));

    fixture.publish(&publisher, &claims());
    let text = fs::read_to_string(fixture.manifest_path()).unwrap();
    fs::write(fixture.manifest_path(), text.replace("1.2.0", "1.2.1")).unwrap();
    assert!(matches!(
        source_fault(policy.verify(fixture.plugin())),
        SourceFault::Signature(crate::verify::SignatureFault::Mismatch { .. })
    ));

    let signature = SignedManifest::beside(&fixture.manifest_path());
    fs::remove_file(&signature).unwrap();
    assert_eq!(refusal(policy.verify(fixture.plugin())), Refusal::Unsigned { signature });
}

#[test]
fn a_publisher_who_takes_the_id_of_anothers_key_takes_nothing_else() {
    let fixture = Fixture::new();
    let (publisher, rival) = (Publisher::new(), Publisher::new());
    let mut taken = BASE64.decode(rival.key().to_string()).unwrap();
    taken[2..10].copy_from_slice(&BASE64.decode(publisher.key().to_string()).unwrap()[2..10]);
    let taken: PublicKey = BASE64.encode(taken).parse().unwrap();
    assert_eq!(taken.id(), publisher.key().id());
    fixture.publish(&publisher, &claims());
    let verified = Policy::new().trust(taken).trust(publisher.key()).verify(fixture.plugin()).unwrap();
    assert!(matches!(verified.vouchers(), [Voucher::Manifest { key, .. }] if *key == publisher.key()));
    assert!(matches!(
        source_fault(Policy::new().trust(taken).verify(fixture.plugin())),
        SourceFault::Signature(crate::verify::SignatureFault::Mismatch { .. })
    ));
}

#[test]
fn a_key_that_is_trusted_for_one_plugin_says_nothing_of_another() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let policy = |plugin: &str| Policy::new().trust_for(publisher.key(), [name(plugin)]);
    assert!(policy("kv").verify(fixture.plugin()).is_ok());
    assert!(matches!(refusal(policy("zip").verify(fixture.plugin())), Refusal::NotVouched { .. }));
}

#[test]
fn a_signed_plugin_in_the_place_of_another_is_refused() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &Claims::new(name("zip"), Version::new(1, 0, 0)));
    let other = Refusal::OtherPlugin { expected: name("kv"), found: name("zip") };
    assert_eq!(refusal(Policy::new().trust(publisher.key()).verify(fixture.plugin())), other);
    let given = SignedManifest::read(fixture.manifest_path(), &[publisher.key()]).unwrap();
    let policy = Policy::new().with_manifest(given);
    let silence = Silence::OtherPlugins { plugins: vec![name("zip")] };
    assert_eq!(refusal(policy.verify(fixture.plugin())), Refusal::NotVouched { silent: vec![silence.clone()] });
    let required = policy.allow(fixture.digest).require(SourceKind::Manifest).verify(fixture.plugin());
    assert_eq!(refusal(required), Refusal::RequiredSource { silence });
}

#[test]
fn a_manifest_that_is_given_stands_for_the_one_beside_the_plugin() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let given = SignedManifest::read(fixture.manifest_path(), &[publisher.key()]).unwrap();
    fixture.publish(&Publisher::new(), &claims());
    let policy = Policy::new().with_manifest(given);
    assert_eq!(kinds(&policy.verify(fixture.plugin()).unwrap()), [SourceKind::Manifest]);
    let other = policy.verify_as(name("zip"), fixture.plugin());
    assert!(matches!(refusal(other), Refusal::NotVouched { .. }));
}

#[test]
fn a_manifest_of_several_files_is_not_about_a_file_that_is_one_of_them() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    let whole = fixture.place.path().join("whole");
    fs::create_dir(&whole).unwrap();
    fs::copy(fixture.plugin(), whole.join("kv")).unwrap();
    fs::write(whole.join("module"), "what the program needs").unwrap();
    fs::write(fixture.manifest_path(), claims().with_program(path("kv")).describe(&whole).unwrap()).unwrap();
    publisher.sign(&fixture.manifest_path());
    let policy = Policy::new().trust(publisher.key());
    assert_eq!(refusal(policy.verify(fixture.plugin())), Refusal::ManifestOfDirectory);
}

#[test]
fn a_manifest_that_cannot_be_looked_for_is_not_one_that_is_missing() {
    let fixture = Fixture::new();
    // With the manifest's suffix the name is longer than any file's (NAME_MAX in limits.h).
    let long = fixture.directory().join("k".repeat(250));
    fs::rename(fixture.plugin(), &long).unwrap();
    let policy = Policy::new().trust(Publisher::new().key()).allow(fixture.digest);
    let unchecked = policy.verify_as(name("kv"), &long);
    assert!(
        matches!(&unchecked, Err(VerifyError::Source { source, .. }) if matches!(source.fault, SourceFault::Unreadable(_))),
        "{unchecked:?}"
    );
}

#[test]
fn an_expired_or_foreign_manifest_is_refused() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    let policy = Policy::new().trust(publisher.key());
    let yesterday = Expiry::at(SystemTime::now() - Duration::from_secs(24 * 60 * 60));
    fixture.publish(&publisher, &claims().with_expiry(yesterday));
    assert_eq!(refusal(policy.verify(fixture.plugin())), Refusal::Expired { expires: yesterday });
    fixture.publish(&publisher, &claims().with_platform("plan9-vax".parse().unwrap()));
    assert!(matches!(refusal(policy.verify(fixture.plugin())), Refusal::OtherPlatform { .. }));
}

#[test]
fn a_version_below_the_minimum_is_refused_whoever_sets_it() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let minimum = Version::new(1, 2, 1);
    let rollback = Refusal::Rollback { version: Version::new(1, 2, 0), minimum: minimum.clone() };
    let policy = || Policy::new().trust(publisher.key());
    let by_policy = policy().with_minimum_version(name("kv"), minimum.clone());
    assert_eq!(refusal(by_policy.verify(fixture.plugin())), rollback);

    let mut lock = fixture.lock();
    let locked = lock.plugin(&name("kv")).unwrap().clone();
    lock.insert(name("kv"), LockedPlugin { minimum_version: Some(minimum.clone()), ..locked });
    assert_eq!(refusal(policy().with_lock(lock.clone()).verify(fixture.plugin())), rollback);
    let unknown = Policy::new().with_lock(lock).verify(fixture.plugin());
    assert_eq!(refusal(unknown), Refusal::VersionUnknown { minimum });
    assert!(policy().with_minimum_version(name("kv"), Version::new(1, 2, 0)).verify(fixture.plugin()).is_ok());
}

#[test]
fn a_manifest_that_is_allowed_by_its_digest_tells_no_version_of_another_file() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    // The manifest of a newer release, beside an older program that is allowed as well.
    let older = fixture.digest;
    fixture.tamper();
    fixture.publish(&publisher, &claims());
    fs::remove_file(SignedManifest::beside(&fixture.manifest_path())).unwrap();
    fs::copy(std::env::current_exe().unwrap(), fixture.plugin()).unwrap();
    let policy = Policy::new().trust(publisher.key()).allow(older).allow(digest(&fixture.manifest_path()));
    let policy = policy.with_minimum_version(name("kv"), Version::new(1, 2, 0));
    let signature = SignedManifest::beside(&fixture.manifest_path());
    assert_eq!(refusal(policy.verify(fixture.plugin())), Refusal::Unsigned { signature });
}

#[test]
fn what_is_denied_does_not_run_whoever_vouches_for_it() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let denied = Refusal::Denied { digest: fixture.digest };
    for policy in [
        Policy::new().allow(fixture.digest),
        Policy::new().allow(fixture.digest).allow(Digest::of("another")),
        Policy::new().with_lock(fixture.lock()),
        Policy::new().trust(publisher.key()),
    ] {
        assert!(policy.verify(fixture.plugin()).is_ok());
        // The image is in the cache now, which both share.
        assert_eq!(refusal(policy.clone().deny(fixture.digest).verify(fixture.plugin())), denied);
    }
    let manifest = digest(&fixture.manifest_path());
    let policy = Policy::new().trust(publisher.key()).deny(manifest);
    assert_eq!(refusal(policy.verify(fixture.plugin())), Refusal::Denied { digest: manifest });
    let given = SignedManifest::read(fixture.manifest_path(), &[publisher.key()]).unwrap();
    let policy = Policy::new().with_manifest(given).deny(manifest);
    assert_eq!(refusal(policy.verify(fixture.plugin())), Refusal::Denied { digest: manifest });
}

#[test]
fn every_required_source_must_vouch() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let both = Policy::new().trust(publisher.key()).with_lock(fixture.lock());
    let both = both.require(SourceKind::Manifest).require(SourceKind::Lock);
    let verified = both.verify(fixture.plugin()).unwrap();
    assert_eq!(kinds(&verified), [SourceKind::Lock, SourceKind::Manifest]);

    let third = both.clone().require(SourceKind::Allow);
    let missing = Refusal::RequiredSource { silence: Silence::NotConfigured(SourceKind::Allow) };
    assert_eq!(refusal(third.verify(fixture.plugin())), missing);
    let other = both.clone().require(SourceKind::Allow).allow(Digest::of("another"));
    let missing = Refusal::RequiredSource { silence: Silence::NotAllowed };
    assert_eq!(refusal(other.verify(fixture.plugin())), missing);
    assert!(both.allow(fixture.digest).require(SourceKind::Allow).verify(fixture.plugin()).is_ok());

    fs::remove_file(fixture.manifest_path()).unwrap();
    let both = Policy::new().trust(publisher.key()).with_lock(fixture.lock()).require(SourceKind::Manifest);
    let silence = Silence::NoManifest { path: fixture.manifest_path() };
    assert_eq!(refusal(both.verify(fixture.plugin())), Refusal::RequiredSource { silence });
}

#[test]
fn sources_that_say_different_things_are_no_sources() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let other = Digest::of("another release");
    let lock = lock_of("kv", Subject::File(other));
    let refused = refusal(Policy::new().trust(publisher.key()).with_lock(lock).verify(fixture.plugin()));
    assert!(
        matches!(&refused, Refusal::Contradiction { one, other: two, .. } if *one == other && *two == fixture.digest)
    );
    assert!(refused.to_string().contains("plugins.lock says"), "{refused}");
    // The lock file speaks of this name, so that a digest that is allowed for whatever name does not help.
    let lock = lock_of("kv", Subject::File(other));
    let refused = refusal(Policy::new().allow(fixture.digest).with_lock(lock).verify(fixture.plugin()));
    assert_eq!(refused, Refusal::DigestMismatch { expected: vec![other], actual: fixture.digest });
}

#[test]
fn the_place_is_looked_at_also_for_what_is_in_the_cache() {
    let fixture = Fixture::new();
    let policy = Policy::new().allow(fixture.digest).with_directory(fixture.directory());
    assert!(policy.verify("kv").is_ok());
    assert!(policy.verify("kv").unwrap().was_cached());
    set_mode(&fixture.plugin(), 0o777);
    assert!(matches!(refusal(policy.verify("kv")), Refusal::UnsafeOwner { mode: 0o777, .. }));
    fs::rename(fixture.plugin(), fixture.directory().join("aside")).unwrap();
    symlink("aside", fixture.plugin()).unwrap();
    assert_eq!(refusal(policy.verify(fixture.plugin())), Refusal::Link { path: fixture.plugin() });
    assert!(matches!(refusal(policy.verify("/bin/sh")), Refusal::OutsideDirectory { .. }));
}

#[test]
fn who_may_own_plugins_is_the_policys_to_say() {
    let fixture = Fixture::new();
    let policy = Policy::new().allow(fixture.digest).with_directory(fixture.directory());
    assert!(policy.verify("kv").is_ok());
    let nobody = policy.with_owners(Owners::only([]));
    assert!(matches!(refusal(nobody.verify("kv")), Refusal::UnsafeOwner { .. }));
}

#[test]
fn a_manifest_in_a_plugin_directory_obeys_the_same_rules() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let policy = Policy::new().trust(publisher.key()).with_directory(fixture.directory());
    assert!(policy.verify("kv").is_ok());
    set_mode(&fixture.manifest_path(), 0o666);
    let refused = refusal(policy.verify("kv"));
    let Refusal::Document { path, reason } = refused else { panic!("{refused:?}") };
    assert!(path.ends_with("kv.manifest.toml") && matches!(*reason, Refusal::UnsafeOwner { mode: 0o666, .. }));
}

#[test]
fn the_size_is_limited_also_for_what_is_in_the_cache() {
    let fixture = Fixture::new();
    let size = fs::metadata(fixture.plugin()).unwrap().len();
    let policy = Policy::new().allow(fixture.digest);
    assert!(policy.verify(fixture.plugin()).is_ok());
    assert!(policy.clone().with_size_limit(size).verify(fixture.plugin()).unwrap().was_cached());
    let refused = policy.with_size_limit(size - 1).verify(fixture.plugin());
    assert_eq!(refusal(refused), Refusal::TooLarge { limit: size - 1 });
}

#[test]
fn a_slash_at_the_end_hides_no_manifest() {
    let fixture = Fixture::new();
    fixture.publish(&Publisher::new(), &claims());
    let policy = Policy::new().allow(fixture.digest).with_directory(fixture.directory());
    let policy = policy.trust(Publisher::new().key());
    for path in ["kv", "kv/", "kv/."] {
        let fault = source_fault(policy.verify(path));
        assert!(matches!(fault, SourceFault::Signature(crate::verify::SignatureFault::Untrusted { .. })), "{path}");
    }
}

#[test]
fn a_decision_explains_itself() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let policy = Policy::new().trust(publisher.key()).with_lock(fixture.lock()).deny(Digest::of("a bad release"));
    let policy = policy.with_directory(fixture.directory());
    let decision = policy.decide("kv");
    assert!(decision.is_allowed());
    let (directory, id, digest) = (fixture.directory(), publisher.key().id(), fixture.digest);
    let directory = directory.display();
    assert_eq!(
        decision.to_string(),
        format!(
            "kv may run\n  place    beneath {directory}, which nobody else may write\n  \
             vouched  by the lock file plugins.lock\n  \
             vouched  by the manifest kv.manifest.toml of version 1.2.0, signed by key {id}\n  \
             denied   no, not by any of 1 digests\n  \
             image    sha256 {digest}, sealed, read and hashed"
        )
    );
    assert_eq!(decision.findings().len(), 5);
    assert_eq!(decision.findings()[0], Finding::Place { directory: fixture.directory() });
    let refused = policy.deny(digest).decide("kv");
    assert!(!refused.is_allowed());
    assert!(
        refused.to_string().starts_with(&format!("kv is refused: the policy denies {digest}\n  place ")),
        "{refused}"
    );
}

#[test]
fn a_source_that_says_nothing_is_named() {
    let path = || PathBuf::from("so\u{1b}urce");
    let locked = Silence::NotLocked { path: path(), name: name("kv"), platform: Platform::any() };
    for (silence, expected) in [
        (Silence::NotAllowed, "the policy does not name its digest"),
        (Silence::NotListed { path: path() }, r"the checksum file so\u{1b}urce does not list it"),
        (locked, r"the lock file so\u{1b}urce has no plugin kv for any"),
        (Silence::NoManifest { path: path() }, r"there is no manifest so\u{1b}urce"),
        (Silence::NotConfigured(SourceKind::Lock), "the policy has no source of the kind 'lock'"),
    ] {
        assert_eq!(silence.to_string(), expected);
    }
}

#[test]
fn a_program_that_is_linked_otherwise_is_refused_also_from_the_cache() {
    let fixture = Fixture::new();
    let policy = Policy::new().allow(fixture.digest);
    assert!(policy.verify(fixture.plugin()).is_ok());
    // This test is no static program.
    let strict = policy.clone().with_linkage(LinkageRule::new().only_static());
    assert_eq!(refusal(strict.verify(fixture.plugin())), Refusal::Linkage(LinkageFault::Dynamic));
    let strict = policy.with_linkage(LinkageRule::new().only_libraries(["libnone.so"]));
    assert!(matches!(refusal(strict.verify(fixture.plugin())), Refusal::Linkage(LinkageFault::Library { .. })));
}

/// A plugin that is a directory: a program, a module, and what its manifest does not name.
struct Directory {
    fixture: Fixture,
    publisher: Publisher,
    copies: PathBuf,
}

impl Directory {
    fn new() -> Self {
        let fixture = Fixture::new();
        let bundle = fixture.directory().join("bundle");
        fs::create_dir_all(bundle.join("lib/deep")).unwrap();
        fs::rename(fixture.plugin(), bundle.join("run")).unwrap();
        for (file, text) in [("lib/module.py", "module"), ("lib/deep/data", "data")] {
            fs::write(bundle.join(file), text).unwrap();
        }
        for directory in [".", "lib", "lib/deep"] {
            set_mode(&bundle.join(directory), 0o755);
        }
        let copies = fixture.place.path().canonicalize().unwrap().join("copies");
        fs::create_dir(&copies).unwrap();
        let directory = Self { fixture, publisher: Publisher::new(), copies };
        directory.publish(Self::claims());
        directory
    }

    fn claims() -> Claims {
        Claims::new(name("bundle"), Version::new(1, 0, 0)).with_program(path("run"))
    }

    fn path(&self) -> PathBuf {
        self.fixture.directory().join("bundle")
    }

    fn publish(&self, claims: Claims) {
        let manifest = self.path().join(Manifest::INSIDE);
        fs::write(&manifest, claims.describe(self.path()).unwrap()).unwrap();
        self.publisher.sign(&manifest);
    }

    fn policy(&self) -> Policy {
        Policy::new().trust(self.publisher.key()).with_bundle_directory(&self.copies)
    }
}

fn path(text: &str) -> BundlePath {
    text.parse().unwrap()
}

fn everything_in(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap().map(|entry| entry.unwrap()) {
            let mode = entry.metadata().unwrap().mode() & 0o7777;
            let relative = entry.path().strip_prefix(directory).unwrap().display().to_string();
            found.push(format!("{relative} {mode:04o}"));
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_bundle_holds_what_its_manifest_names_and_nothing_else_and_is_read_only() {
    let directory = Directory::new();
    fs::write(directory.path().join("lib/unnamed.py"), "not in the manifest").unwrap();
    fs::write(directory.path().join("sitecustomize.py"), "nor is this").unwrap();
    let verified = directory.policy().verify(directory.path()).unwrap();
    let bundle = verified.bundle().unwrap().to_path_buf();
    let expected = ["lib 0500", "lib/deep 0500", "lib/deep/data 0400", "lib/module.py 0400", "run 0500"];
    assert_eq!(everything_in(&bundle), expected);
    assert_eq!(fs::metadata(&bundle).unwrap().mode() & 0o7777, 0o500);
    assert_eq!(fs::read_to_string(bundle.join("lib/module.py")).unwrap(), "module");
    assert_eq!((verified.digest(), verified.mode()), (directory.fixture.digest, ExecMode::Sealed));
    assert_eq!(verified.name(), bundle.join("run"));
    assert!(verified.arguments().is_empty());
    let manifest = digest(&directory.path().join(Manifest::INSIDE));
    assert_eq!(verified.subject(), Subject::Manifest(manifest));

    drop(verified);
    assert_eq!(fs::read_dir(&directory.copies).unwrap().count(), 0);
}

#[test]
fn a_bundle_with_a_file_that_is_not_as_the_manifest_says_is_refused_and_nothing_is_left() {
    for (change, reason) in [
        (&(|top: &Path| fs::write(top.join("lib/module.py"), "modulE").unwrap()) as &dyn Fn(&Path), "digest"),
        (&|top: &Path| fs::write(top.join("lib/module.py"), "module ").unwrap(), "size"),
        (&|top: &Path| fs::write(top.join("lib/module.py"), "").unwrap(), "size"),
        (&|top: &Path| fs::remove_file(top.join("lib/module.py")).unwrap(), "missing"),
        (
            &|top: &Path| {
                fs::rename(top.join("lib/module.py"), top.join("lib/aside")).unwrap();
                symlink("aside", top.join("lib/module.py")).unwrap();
            },
            "link",
        ),
        (
            &|top: &Path| {
                fs::rename(top.join("lib"), top.join("aside")).unwrap();
                symlink("aside", top.join("lib")).unwrap();
            },
            "link",
        ),
    ] {
        let directory = Directory::new();
        change(&directory.path());
        let result = directory.policy().verify(directory.path());
        let expected = match (&result, reason) {
            (Err(VerifyError::Refused { reason: Refusal::FileDigest { path, .. }, .. }), "digest")
            | (Err(VerifyError::Refused { reason: Refusal::FileSize { path, .. }, .. }), "size") => {
                path.as_str() == "lib/module.py"
            }
            (Err(VerifyError::Refused { reason: Refusal::FileMissing { path }, .. }), "missing") => {
                path.as_str() == "lib/module.py"
            }
            (Err(VerifyError::Refused { reason: Refusal::File { reason, .. }, .. }), "link") => {
                matches!(**reason, Refusal::Link { .. })
            }
            _ => false,
        };
        assert!(expected, "{reason}: {result:?}");
        assert_eq!(fs::read_dir(&directory.copies).unwrap().count(), 0);
    }
}

#[test]
fn a_directory_without_a_manifest_that_somebody_vouches_for_is_refused() {
    let directory = Directory::new();
    let stranger = Policy::new().trust(Publisher::new().key());
    assert!(matches!(source_fault(stranger.verify(directory.path())), SourceFault::Signature(_)));
    let allowed = Policy::new().allow(directory.fixture.digest);
    assert_eq!(refusal(allowed.verify(directory.path())), Refusal::NotRegular { kind: "a directory" });
    fs::remove_file(directory.path().join(SignedManifest::INSIDE)).unwrap();
    assert_eq!(refusal(allowed.verify(directory.path())), Refusal::NotRegular { kind: "a directory" });
    fs::remove_file(directory.path().join(Manifest::INSIDE)).unwrap();
    let refused = refusal(directory.policy().verify(directory.path()));
    assert_eq!(refused, Refusal::NotRegular { kind: "a directory" });
}

#[test]
fn a_manifest_that_was_agreed_to_needs_no_signature() {
    let directory = Directory::new();
    let manifest = digest(&directory.path().join(Manifest::INSIDE));
    fs::remove_file(directory.path().join(SignedManifest::INSIDE)).unwrap();
    let policy = || Policy::new().with_bundle_directory(&directory.copies);
    let lock = |digest| lock_of("bundle", Subject::Manifest(digest));
    assert_eq!(kinds(&policy().with_lock(lock(manifest)).verify(directory.path()).unwrap()), [SourceKind::Lock]);
    assert_eq!(kinds(&policy().allow(manifest).verify(directory.path()).unwrap()), [SourceKind::Allow]);
    // Nor does it matter who signed it where nobody is trusted to.
    Publisher::new().sign(&directory.path().join(Manifest::INSIDE));
    assert_eq!(kinds(&policy().with_lock(lock(manifest)).verify(directory.path()).unwrap()), [SourceKind::Lock]);
    let other = Digest::of("another");
    let mismatch = Refusal::ManifestMismatch { expected: other, actual: manifest };
    // Looked at because the other one was agreed to, and found not to be it.
    fs::write(directory.path().join("unrelated"), "").unwrap();
    let refused = policy().allow(manifest).with_lock(lock(other)).verify(directory.path());
    assert_eq!(refusal(refused), mismatch);
    let file = policy().allow(manifest).with_lock(lock_of("bundle", Subject::File(other))).verify(directory.path());
    assert_eq!(refusal(file), mismatch);
}

#[test]
fn a_manifest_that_was_agreed_to_is_missed_and_no_other_takes_its_place() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let agreed = digest(&fixture.manifest_path());
    // An older program that the policy names as well, as it may for another plugin, must not get in by the loss of the manifest.
    let policy = || Policy::new().allow(fixture.digest).with_lock(lock_of("kv", Subject::Manifest(agreed)));
    assert_eq!(kinds(&policy().verify(fixture.plugin()).unwrap()), [SourceKind::Lock, SourceKind::Allow]);

    let text = fs::read_to_string(fixture.manifest_path()).unwrap();
    fs::write(fixture.manifest_path(), text.replace("1.2.0", "1.0.0")).unwrap();
    let actual = digest(&fixture.manifest_path());
    let mismatch = Refusal::ManifestMismatch { expected: agreed, actual };
    assert_eq!(refusal(policy().verify(fixture.plugin())), mismatch);

    fs::remove_file(fixture.manifest_path()).unwrap();
    let missing = Refusal::NoManifest { path: fixture.manifest_path() };
    assert_eq!(refusal(policy().verify(fixture.plugin())), missing);
    assert_eq!(refusal(policy().trust(publisher.key()).verify(fixture.plugin())), missing);
}

#[test]
fn an_interpreter_runs_the_program_and_is_verified_like_it() {
    let directory = Directory::new();
    let installed = std::env::current_exe().unwrap();
    let with = |claims: Claims| claims.with_installed_interpreter(&installed, vec!["-I".into()]).unwrap();
    let claims = Directory::claims().with_program(path("lib/module.py"));
    directory.publish(with(claims.clone()));
    let verified = directory.policy().verify(directory.path()).unwrap();
    assert_eq!(verified.digest(), digest(&installed));
    assert_eq!(verified.name(), installed.canonicalize().unwrap());
    let script = verified.bundle().unwrap().join("lib/module.py");
    assert_eq!(verified.arguments(), [OsString::from("-I"), script.into_os_string()]);

    directory.publish(claims.with_bundled_interpreter(path("run"), Vec::new()));
    let verified = directory.policy().verify(directory.path()).unwrap();
    assert_eq!(verified.name(), verified.bundle().unwrap().join("run"));
    assert_eq!(verified.digest(), directory.fixture.digest);

    let other = directory.fixture.place.path().join("interpreter");
    fs::copy(&installed, &other).unwrap();
    let claims = Directory::claims().with_program(path("lib/module.py"));
    directory.publish(claims.with_installed_interpreter(&other, Vec::new()).unwrap());
    fs::write(&other, "not what it was").unwrap();
    let refused = refusal(directory.policy().verify(directory.path()));
    assert!(
        matches!(&refused, Refusal::Interpreter { reason, .. } if matches!(**reason, Refusal::DigestMismatch { .. })),
        "{refused:?}"
    );
}

#[test]
fn an_interpreter_among_the_files_must_be_meant_to_be_executed() {
    let directory = Directory::new();
    set_mode(&directory.path().join("run"), 0o644);
    let claims = Directory::claims().with_program(path("lib/module.py"));
    directory.publish(claims.with_bundled_interpreter(path("run"), Vec::new()));
    for policy in [directory.policy(), directory.policy().with_private_copy(&directory.copies)] {
        let refused = refusal(policy.verify(directory.path()));
        assert!(
            matches!(&refused, Refusal::File { reason, .. } if matches!(**reason, Refusal::NotExecutable { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn an_installed_interpreter_comes_from_the_cache_and_the_files_of_the_plugin_do_not() {
    let directory = Directory::new();
    // Another program than any of the plugin's own.
    let interpreter = directory.fixture.plugin();
    fs::copy(directory.path().join("run"), &interpreter).unwrap();
    directory.fixture.tamper();
    let digest = digest(&interpreter);
    let claims = Directory::claims().with_program(path("lib/module.py"));
    directory.publish(claims.with_installed_interpreter(&interpreter, Vec::new()).unwrap());
    let policy = directory.policy();
    assert!(!policy.verify(directory.path()).unwrap().was_cached());
    fs::remove_file(&interpreter).unwrap();
    assert!(policy.verify(directory.path()).unwrap().was_cached());
    fs::write(directory.path().join("lib/module.py"), "modulE").unwrap();
    assert!(matches!(refusal(policy.verify(directory.path())), Refusal::FileDigest { .. }));
    fs::write(directory.path().join("lib/module.py"), "module").unwrap();
    let refused = refusal(policy.deny(digest).verify(directory.path()));
    let Refusal::Interpreter { reason, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(**reason, Refusal::Denied { digest });
}

#[test]
fn a_bundle_with_a_denied_file_is_denied() {
    let directory = Directory::new();
    let module = Digest::of("module");
    assert_eq!(refusal(directory.policy().deny(module).verify(directory.path())), Refusal::Denied { digest: module });
}

#[test]
fn a_bundle_runs_from_copies_only_and_those_can_be_on_disk() {
    let directory = Directory::new();
    let pinned = directory.policy().dangerous_with_pinned_fd();
    assert_eq!(refusal(pinned.verify(directory.path())), Refusal::PinnedDirectory);
    let copied = directory.policy().with_private_copy(&directory.copies).verify(directory.path()).unwrap();
    assert_eq!((copied.mode(), copied.digest()), (ExecMode::PrivateCopy, directory.fixture.digest));
    let size = Manifest::read(directory.path().join(Manifest::INSIDE)).unwrap().size();
    assert!(directory.policy().with_size_limit(size).verify(directory.path()).is_ok());
    let refused = directory.policy().with_size_limit(size - 1).verify(directory.path());
    assert_eq!(refusal(refused), Refusal::TooLarge { limit: size - 1 });
}

/// A policy as a file, beside a plugin directory.
fn policy_file(fixture: &Fixture, text: &str) -> PathBuf {
    let path = fixture.place.path().join("policy.toml");
    fs::write(&path, text).unwrap();
    set_mode(&path, 0o644);
    path
}

fn policy_head(fixture: &Fixture) -> String {
    format!("format = \"portcullis-policy/1\"\ndirectory = \"{}\"\n", fixture.directory().display())
}

#[test]
fn a_policy_file_says_everything_that_a_policy_can_be_told() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let lock = fixture.lock();
    fs::write(fixture.place.path().join("plugins.lock"), lock.to_text()).unwrap();
    set_mode(&fixture.place.path().join("plugins.lock"), 0o644);
    let text = policy_head(&fixture)
        + &format!(
            "require = [\"lock\", \"manifest\", \"allow\"]\nlock = \"plugins.lock\"\nsize-limit = 1000000000\n\
             allow = [\"{}\"]\ndeny = [\"{}\"]\nexecution = \"private-copy\"\ncopies = \".\"\n\
             [[key]]\nminisign = \"{}\"\nplugins = [\"kv\"]\nnote = \"releases\"\n\
             [place]\nowners = [\"root\", \"host\", 12345]\nmode = 0o1755\n\
             [linkage]\nno-search-paths = true\n[minimum-version]\nkv = \"1.2.0\"\n",
            fixture.digest,
            Digest::of("a bad release"),
            publisher.key(),
        );
    let policy = Policy::read(policy_file(&fixture, &text)).unwrap();
    let verified = policy.verify("kv").unwrap();
    assert_eq!(verified.mode(), ExecMode::PrivateCopy);
    assert_eq!(kinds(&verified), [SourceKind::Lock, SourceKind::Manifest, SourceKind::Allow]);
    assert!(matches!(refusal(policy.verify("/bin/sh")), Refusal::OutsideDirectory { .. }));

    let text = text.replace("kv = \"1.2.0\"", "kv = \"1.2.1\"");
    let policy = Policy::read(policy_file(&fixture, &text)).unwrap();
    assert!(matches!(refusal(policy.verify("kv")), Refusal::Rollback { .. }));
}

#[test]
fn a_policy_file_says_how_plugins_are_executed() {
    let fixture = Fixture::new();
    let allow = format!("allow = [\"{}\"]\n", fixture.digest);
    for (execution, mode) in [
        ("", ExecMode::Sealed),
        ("execution = \"sealed\"\n", ExecMode::Sealed),
        ("execution = \"private-copy\"\ncopies = \".\"\n", ExecMode::PrivateCopy),
        ("execution = \"dangerous-pinned-fd\"\n", ExecMode::PinnedFd),
    ] {
        let policy = Policy::read(policy_file(&fixture, &(policy_head(&fixture) + &allow + execution))).unwrap();
        assert_eq!(policy.mode(), mode, "{execution}");
    }
}

#[test]
fn a_policy_file_says_how_programs_are_linked() {
    let fixture = Fixture::new();
    let head = policy_head(&fixture) + &format!("allow = [\"{}\"]\n[linkage]\n", fixture.digest);
    for (rule, is_fine) in
        [("", true), ("no-search-paths = true", true), ("only-static = true", false), ("only-libraries = []", false)]
    {
        let policy = Policy::read(policy_file(&fixture, &(head.clone() + rule))).unwrap();
        match policy.verify("kv") {
            Err(VerifyError::Refused { reason: Refusal::Linkage(_), .. }) => assert!(!is_fine, "{rule}"),
            other => assert!(is_fine && other.is_ok(), "{rule}: {other:?}"),
        }
    }
}

#[test]
fn a_policy_is_checked_before_it_is_put_into_place() {
    let fixture = Fixture::new();
    let text = policy_head(&fixture) + "lock = \"nothing-yet.lock\"\n";
    assert!(Policy::check_bytes("p", text.clone()).is_ok());
    let error = Policy::check_bytes("p", text + "require = [\"manifest\"]\n").unwrap_err();
    assert!(matches!(error.fault, SourceFault::Policy(PolicyFault::RequiredSource { .. })), "{error}");
}

#[test]
fn a_policy_file_that_contradicts_itself_is_refused_with_its_line() {
    let fixture = Fixture::new();
    let allow = format!("allow = [\"{}\"]\n", fixture.digest);
    for (body, line, expected) in [
        (String::new(), None, "it names nothing, and so vouches for nothing"),
        (
            allow.clone() + "require = [\"lock\"]\n",
            Some(4),
            "'lock' is required to vouch, and the policy has no source of that kind, so nothing could ever run",
        ),
        (
            allow.clone() + &allow.replace("allow", "deny"),
            Some(4),
            "is allowed and denied; take it out of one of the two",
        ),
        (allow.clone() + "execution = \"private-copy\"\n", Some(4), "private copies need a directory, `copies`"),
        (
            allow.clone() + "execution = \"path\"\n",
            Some(4),
            "the execution is \"sealed\", \"private-copy\" or \"dangerous-pinned-fd\"",
        ),
        (
            allow.clone() + "[place]\nmode = 0o775\n",
            Some(4),
            "a mode that lets others write is not accepted: whoever may write a plugin decides what runs",
        ),
        (
            allow.clone() + "[place]\nowners = [\"me\"]\n",
            Some(4),
            "an owner is \"root\", \"host\" or the number of a user",
        ),
    ] {
        let error = Policy::read(policy_file(&fixture, &(policy_head(&fixture) + &body))).unwrap_err();
        assert_eq!(error.line, line, "{body}: {error}");
        assert!(error.fault.to_string().ends_with(expected), "{body}: {error}");
    }
    for body in [
        "require = [\"hope\"]",
        "unknown = 1",
        "allow = [\"\"]",
        "lock = 3",
        "[minimum-version]\n\"../kv\" = \"1.0.0\"",
    ] {
        let error = Policy::read(policy_file(&fixture, &(policy_head(&fixture) + &allow + body))).unwrap_err();
        assert!(matches!(error.fault, SourceFault::Toml { .. }), "{body}: {error}");
    }
    let relative = "format = \"portcullis-policy/1\"\ndirectory = \"plugins\"\n".to_owned() + &allow;
    let error = Policy::read(policy_file(&fixture, &relative)).unwrap_err();
    assert!(matches!(error.fault, SourceFault::Policy(PolicyFault::Directory)), "{error}");
}

#[test]
fn a_policy_that_others_may_write_decides_nothing() {
    let fixture = Fixture::new();
    let lock = fixture.place.path().join("plugins.lock");
    fs::write(&lock, fixture.lock().to_text()).unwrap();
    set_mode(&lock, 0o644);
    let path = policy_file(&fixture, &(policy_head(&fixture) + "lock = \"plugins.lock\"\n"));
    assert!(Policy::read(&path).is_ok());
    for (file, mode) in [(&path, 0o664), (&path, 0o646), (&lock, 0o664)] {
        set_mode(file, mode);
        let error = Policy::read(&path).unwrap_err();
        assert!(matches!(error.fault, SourceFault::WritableByOthers { mode: found, .. } if found == mode), "{error}");
        set_mode(file, 0o644);
    }
}

#[test]
fn a_policy_that_others_may_replace_decides_nothing() {
    let fixture = Fixture::new();
    let shared = fixture.place.path().canonicalize().unwrap().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("plugins.lock"), fixture.lock().to_text()).unwrap();
    set_mode(&shared.join("plugins.lock"), 0o644);
    let path = policy_file(&fixture, &(policy_head(&fixture) + "lock = \"shared/plugins.lock\"\n"));
    fs::copy(&path, shared.join("policy.toml")).unwrap();
    let link = fixture.place.path().join("link.toml");
    symlink("shared/policy.toml", &link).unwrap();
    for (mode, fine) in [(0o755, true), (0o1777, true), (0o777, false), (0o775, false)] {
        set_mode(&shared, mode);
        match Policy::read(&path) {
            Ok(_) => assert!(fine, "{mode:o}"),
            Err(error) => assert!(!fine && is_open(&error, &shared), "{error}"),
        }
    }
    let error = Policy::read(&link).unwrap_err();
    assert!(is_open(&error, &shared), "{error}");
    let error = Policy::read(shared.join("none.toml")).unwrap_err();
    assert!(error.is_unreadable(), "{error}");
}

fn is_open(error: &crate::verify::SourceError, directory: &Path) -> bool {
    matches!(error.fault, SourceFault::WritableByOthers { .. }) && error.path == directory
}
