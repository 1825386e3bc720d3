//! Plugins that are directories.

use std::io::ErrorKind;

use super::*;

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
fn bundle_copy_holds_only_manifest_files_read_only() {
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
fn mismatching_bundle_file_is_refused_without_leftovers() {
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
                matches!(**reason, Refusal::Symlink { .. })
            }
            _ => false,
        };
        assert!(expected, "{reason}: {result:?}");
        assert_eq!(fs::read_dir(&directory.copies).unwrap().count(), 0);
    }
}

#[test]
fn inaccessible_file_is_not_reported_missing() {
    let directory = Directory::new();
    let top = directory.path();
    fs::rename(top.join("lib"), top.join("aside")).unwrap();
    fs::write(top.join("lib"), "no directory").unwrap();
    let result = directory.policy().verify(&top);
    assert!(
        matches!(&result, Err(VerifyError::Unchecked { source, .. }) if source.kind() == ErrorKind::NotADirectory),
        "{result:?}"
    );
    assert_eq!(fs::read_dir(&directory.copies).unwrap().count(), 0);
}

#[test]
fn directory_without_accepted_manifest_is_refused() {
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
fn locked_manifest_needs_no_signature() {
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
fn missing_locked_manifest_has_no_substitute() {
    let fixture = Fixture::new();
    let publisher = Publisher::new();
    fixture.publish(&publisher, &claims());
    let agreed = digest(&fixture.manifest_path());
    // An older program that the policy names as well, as it may for another plugin, must not get in
    // by the loss of the manifest.
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
fn interpreter_is_verified_like_the_program() {
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
fn bundled_interpreter_must_be_executable() {
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
fn only_the_interpreter_comes_from_the_cache() {
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
fn bundle_runs_from_copies_only() {
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
