//! Rules for the location of plugins and for their libraries, and the text of the decisions.

use super::*;

#[test]
fn location_is_checked_for_cached_plugins_too() {
    let fixture = Fixture::new();
    let policy = Policy::new().allow(fixture.digest).with_directory(fixture.directory());
    assert!(policy.verify("kv").is_ok());
    assert!(policy.verify("kv").unwrap().was_cached());
    assert_eq!(policy.verify("kv").unwrap().directory(), Some(fixture.directory().as_path()));
    set_mode(&fixture.plugin(), 0o777);
    assert!(matches!(refusal(policy.verify("kv")), Refusal::UntrustedOwner { mode: 0o777, .. }));
    fs::rename(fixture.plugin(), fixture.directory().join("aside")).unwrap();
    symlink("aside", fixture.plugin()).unwrap();
    assert_eq!(refusal(policy.verify(fixture.plugin())), Refusal::Symlink { path: fixture.plugin() });
    assert!(matches!(refusal(policy.verify("/bin/sh")), Refusal::OutsideDirectory { .. }));
}

#[test]
fn policy_decides_who_may_own_plugins() {
    let fixture = Fixture::new();
    let policy = Policy::new().allow(fixture.digest).with_directory(fixture.directory());
    assert!(policy.verify("kv").is_ok());
    let nobody = policy.with_owners(Owners::only([]));
    assert!(matches!(refusal(nobody.verify("kv")), Refusal::UntrustedOwner { .. }));
}

#[test]
fn manifest_in_plugin_directory_follows_same_rules() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let policy = Policy::new().trust(publisher.key()).with_directory(fixture.directory());
    assert!(policy.verify("kv").is_ok());
    set_mode(&fixture.manifest_path(), 0o666);
    let refused = refusal(policy.verify("kv"));
    let Refusal::Document { path, reason } = refused else { panic!("{refused:?}") };
    assert!(path.ends_with("kv.manifest.toml") && matches!(*reason, Refusal::UntrustedOwner { mode: 0o666, .. }));
}

#[test]
fn size_limit_applies_to_cached_plugins() {
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
            "kv may run\n  location beneath {directory}, writable by trusted users only\n  \
             accepted by the lock file plugins.lock\n  \
             accepted by the manifest kv.manifest.toml of version 1.2.0, signed by key {id}\n  \
             denied   by none of 1 digests\n  \
             image    sha256 {digest}, sealed, read and hashed"
        )
    );
    assert_eq!(decision.findings().len(), 5);
    assert_eq!(decision.findings()[0], Finding::Location { directory: fixture.directory() });
    let refused = policy.deny(digest).decide("kv");
    assert!(!refused.is_allowed());
    assert!(
        refused.to_string().starts_with(&format!("kv is refused: the policy denies {digest}\n  location ")),
        "{refused}"
    );
}

#[test]
fn a_source_that_says_nothing_is_named() {
    let path = || PathBuf::from("so\u{1b}urce");
    let locked = MissingAttestation::NotLocked { path: path(), name: name("kv"), platform: Platform::any() };
    for (missing, expected) in [
        (MissingAttestation::NotAllowed, "the policy does not name its digest"),
        (MissingAttestation::NotListed { path: path() }, r"the checksum file so\u{1b}urce does not list it"),
        (locked, r"the lock file so\u{1b}urce has no plugin kv for any"),
        (MissingAttestation::NoManifest { path: path() }, r"there is no manifest so\u{1b}urce"),
        (MissingAttestation::NotConfigured(SourceKind::Lock), "the policy has no source of the kind 'lock'"),
    ] {
        assert_eq!(missing.to_string(), expected);
    }
}

#[test]
fn linkage_rule_applies_to_cached_programs() {
    let fixture = Fixture::new();
    let policy = Policy::new().allow(fixture.digest);
    assert!(policy.verify(fixture.plugin()).is_ok());
    // This test is no static program.
    let strict = policy.clone().with_linkage(LinkageRule::new().only_static());
    assert_eq!(refusal(strict.verify(fixture.plugin())), Refusal::Linkage(LinkageFault::Dynamic));
    let strict = policy.with_linkage(LinkageRule::new().only_libraries(["libnone.so"]));
    assert!(matches!(refusal(strict.verify(fixture.plugin())), Refusal::Linkage(LinkageFault::Library { .. })));
}
