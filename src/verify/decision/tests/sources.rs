//! Who may vouch for a plugin, and what speaks against it.

use super::*;

#[test]
fn lock_file_allows_exactly_its_named_artifacts() {
    let fixture = Fixture::new();
    let policy = Policy::new().with_lock(fixture.lock());
    let verified = policy.verify(fixture.plugin()).unwrap();
    assert_eq!(kinds(&verified), [SourceKind::Lock]);
    assert_eq!(verified.subject(), Subject::File(fixture.digest));

    let other = fixture.directory().join("other");
    fs::rename(fixture.plugin(), &other).unwrap();
    assert!(matches!(refusal(policy.verify(&other)), Refusal::NotAttested { missing } if missing.len() == 1));
    assert!(policy.verify_as(name("kv"), &other).is_ok());

    fs::rename(&other, fixture.plugin()).unwrap();
    let actual = fixture.tamper();
    let fresh = Policy::new().with_lock(fixture.lock());
    let mismatch = Refusal::DigestMismatch { expected: vec![fixture.digest], actual };
    assert_eq!(refusal(fresh.verify(fixture.plugin())), mismatch);
}

#[test]
fn locked_plugin_comes_from_the_cache() {
    let fixture = Fixture::new();
    let policy = Policy::new().with_lock(fixture.lock());
    assert!(!policy.verify(fixture.plugin()).unwrap().was_cached());
    assert!(policy.verify(fixture.plugin()).unwrap().was_cached());
}

#[test]
fn checksum_list_allows_files_by_listed_name() {
    let fixture = Fixture::new();
    let list = fixture.place.path().join("SHA256SUMS");
    fs::write(&list, format!("{}  plugins/kv\n{}  zip\n", fixture.digest, Digest::of("zip"))).unwrap();
    let policy = Policy::new().with_checksums(Checksums::read(&list).unwrap());
    assert_eq!(kinds(&policy.verify(fixture.plugin()).unwrap()), [SourceKind::Checksums]);
    let other = fixture.directory().join("other");
    fs::copy(fixture.plugin(), &other).unwrap();
    assert_eq!(
        refusal(policy.verify(&other)),
        Refusal::NotAttested { missing: vec![MissingAttestation::NotListed { path: list }] }
    );
    fs::copy(fixture.plugin(), fixture.directory().join("zip")).unwrap();
    assert!(matches!(refusal(policy.verify(fixture.directory().join("zip"))), Refusal::DigestMismatch { .. }));
}

#[test]
fn file_with_unusable_name_needs_explicit_name() {
    let fixture = Fixture::new();
    let odd = fixture.directory().join("-kv");
    fs::rename(fixture.plugin(), &odd).unwrap();
    assert_eq!(refusal(Policy::new().with_lock(fixture.lock()).verify(&odd)), Refusal::Unnamed);
    assert!(Policy::new().allow(fixture.digest).verify(&odd).is_ok());
}

#[test]
fn signed_manifest_allows_its_file() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let policy = || Policy::new().trust(publisher.key());
    let verified = policy().verify(fixture.plugin()).unwrap();
    assert!(matches!(verified.attestations(), [Attestation::Manifest { key, .. }] if *key == publisher.key()));

    let actual = fixture.tamper();
    assert!(matches!(refusal(policy().verify(fixture.plugin())),
        Refusal::DigestMismatch { actual: found, .. } if found == actual));
}

#[test]
fn manifest_without_trusted_signature_is_refused() {
    let fixture = Fixture::new();
    let (publisher, stranger) = (Publisher::new(), Publisher::new());
    let policy = Policy::new().trust(publisher.key());
    assert!(matches!(refusal(policy.verify(fixture.plugin())), Refusal::NotAttested { .. }), "there is no manifest");

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
fn copied_key_id_grants_no_trust() {
    let fixture = Fixture::new();
    let (publisher, rival) = (Publisher::new(), Publisher::new());
    let mut taken = BASE64.decode(rival.key().to_string()).unwrap();
    taken[2..10].copy_from_slice(&BASE64.decode(publisher.key().to_string()).unwrap()[2..10]);
    let taken: PublicKey = BASE64.encode(taken).parse().unwrap();
    assert_eq!(taken.id(), publisher.key().id());
    fixture.publish(&publisher, &claims());
    let verified = Policy::new().trust(taken).trust(publisher.key()).verify(fixture.plugin()).unwrap();
    assert!(matches!(verified.attestations(), [Attestation::Manifest { key, .. }] if *key == publisher.key()));
    assert!(matches!(
        source_fault(Policy::new().trust(taken).verify(fixture.plugin())),
        SourceFault::Signature(crate::verify::SignatureFault::Mismatch { .. })
    ));
}

#[test]
fn key_trusted_for_one_plugin_covers_no_other() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let policy = |plugin: &str| Policy::new().trust_for(publisher.key(), [name(plugin)]);
    assert!(policy("kv").verify(fixture.plugin()).is_ok());
    assert!(matches!(refusal(policy("zip").verify(fixture.plugin())), Refusal::NotAttested { .. }));
}

#[test]
fn signed_plugin_under_another_name_is_refused() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &Claims::new(name("zip"), Version::new(1, 0, 0)));
    let other = Refusal::OtherPlugin { expected: name("kv"), found: name("zip") };
    assert_eq!(refusal(Policy::new().trust(publisher.key()).verify(fixture.plugin())), other);
    let given = SignedManifest::read(fixture.manifest_path(), &[publisher.key()]).unwrap();
    let policy = Policy::new().with_manifest(given);
    let missing = MissingAttestation::OtherPlugins { plugins: vec![name("zip")] };
    assert_eq!(refusal(policy.verify(fixture.plugin())), Refusal::NotAttested { missing: vec![missing.clone()] });
    let required = policy.allow(fixture.digest).require(SourceKind::Manifest).verify(fixture.plugin());
    assert_eq!(refusal(required), Refusal::RequiredSource { missing });
}

#[test]
fn given_manifest_replaces_the_one_beside_plugin() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let given = SignedManifest::read(fixture.manifest_path(), &[publisher.key()]).unwrap();
    fixture.publish(&Publisher::new(), &claims());
    let policy = Policy::new().with_manifest(given);
    assert_eq!(kinds(&policy.verify(fixture.plugin()).unwrap()), [SourceKind::Manifest]);
    let other = policy.verify_as(name("zip"), fixture.plugin());
    assert!(matches!(refusal(other), Refusal::NotAttested { .. }));
}

#[test]
fn bundle_manifest_does_not_cover_its_single_file() {
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
fn inaccessible_manifest_is_not_reported_missing() {
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
fn version_below_any_minimum_is_refused() {
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
    lock.insert_plugin(name("kv"), LockedPlugin { minimum_version: Some(minimum.clone()), ..locked });
    assert_eq!(refusal(policy().with_lock(lock.clone()).verify(fixture.plugin())), rollback);
    let unknown = Policy::new().with_lock(lock).verify(fixture.plugin());
    assert_eq!(refusal(unknown), Refusal::VersionUnknown { minimum });
    assert!(policy().with_minimum_version(name("kv"), Version::new(1, 2, 0)).verify(fixture.plugin()).is_ok());
}

#[test]
fn manifest_allowed_by_digest_covers_no_other_file() {
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
fn denied_digest_is_refused_despite_any_source() {
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
    let missing = Refusal::RequiredSource { missing: MissingAttestation::NotConfigured(SourceKind::Allow) };
    assert_eq!(refusal(third.verify(fixture.plugin())), missing);
    let other = both.clone().require(SourceKind::Allow).allow(Digest::of("another"));
    let missing = Refusal::RequiredSource { missing: MissingAttestation::NotAllowed };
    assert_eq!(refusal(other.verify(fixture.plugin())), missing);
    assert!(both.allow(fixture.digest).require(SourceKind::Allow).verify(fixture.plugin()).is_ok());

    fs::remove_file(fixture.manifest_path()).unwrap();
    let both = Policy::new().trust(publisher.key()).with_lock(fixture.lock()).require(SourceKind::Manifest);
    let missing = MissingAttestation::NoManifest { path: fixture.manifest_path() };
    assert_eq!(refusal(both.verify(fixture.plugin())), Refusal::RequiredSource { missing });
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
    // The lock file speaks of this name, so that a digest that is allowed for whatever name does
    // not help.
    let lock = lock_of("kv", Subject::File(other));
    let refused = refusal(Policy::new().allow(fixture.digest).with_lock(lock).verify(fixture.plugin()));
    assert_eq!(refused, Refusal::DigestMismatch { expected: vec![other], actual: fixture.digest });
}
