//! The whole of [`Policy::verify`], on real files.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use tempfile::TempDir;

use super::bytes::image;
use super::bytes::plugin_file::PluginFile;
use super::decision::error;
use super::*;

/// A directory with a program in it: this test itself, under another name.
struct Fixture {
    directory: TempDir,
    plugin: PathBuf,
    digest: Digest,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let plugin = directory.path().join("plugin");
        fs::copy(std::env::current_exe().unwrap(), &plugin).unwrap();
        let digest = Digest::read(File::open(&plugin).unwrap()).unwrap();
        Self { directory, plugin, digest }
    }

    fn policy(&self) -> Policy {
        Policy::new().allow(self.digest)
    }

    fn refusal(&self, path: impl AsRef<Path>) -> Refusal {
        refusal(self.policy().verify(path))
    }
}

fn refusal(result: Result<VerifiedPlugin, VerifyError>) -> Refusal {
    match result {
        Err(VerifyError::Refused { reason, .. }) => reason,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn default_image_is_sealed_with_file_digest() {
    let fixture = Fixture::new();
    let verified = fixture.policy().verify(&fixture.plugin).unwrap();
    assert_eq!(verified.digest(), fixture.digest);
    assert_eq!(verified.mode(), ExecMode::Sealed);
    assert_eq!(verified.size(), fs::metadata(&fixture.plugin).unwrap().len());
    assert_eq!(verified.path(), fixture.plugin);
    assert!(!verified.was_cached());
}

#[test]
fn an_empty_policy_allows_nothing() {
    assert_eq!(refusal(Policy::new().verify("/bin/true")), Refusal::NothingAllowed);
}

#[test]
fn mismatch_names_expected_and_actual_digests() {
    let fixture = Fixture::new();
    let others = [Digest::of(b"one"), Digest::of(b"two")];
    let policy = Policy::new().allow(others[0]).allow(others[1]);
    let error = policy.verify(&fixture.plugin).unwrap_err().to_string();
    for digest in [others[0], others[1], fixture.digest] {
        assert!(error.contains(&digest.to_string()), "{error}");
    }
    assert!(matches!(refusal(Policy::new().allow(others[0]).verify(&fixture.plugin)),
        Refusal::DigestMismatch { expected, actual } if expected == [others[0]] && actual == fixture.digest));
}

#[test]
fn refusal_lists_expected_digests_and_silent_sources() {
    let [one, two] = [Digest::of("one"), Digest::of("two")];
    let mismatch = Refusal::DigestMismatch { expected: vec![one, two], actual: Digest::of("three") };
    assert!(mismatch.to_string().contains(&format!("\n  expected {one}\n        or {two}\n  actual   ")), "{mismatch}");
    let silent = Refusal::NotAttested {
        missing: vec![MissingAttestation::NotAllowed, MissingAttestation::NotConfigured(SourceKind::Lock)],
    };
    let lines = [MissingAttestation::NotAllowed, MissingAttestation::NotConfigured(SourceKind::Lock)]
        .map(|it| format!("\n  {it}"));
    assert!(silent.to_string().ends_with(&lines.concat()), "{silent}");
}

#[test]
fn nobody_can_change_a_sealed_image() {
    let fixture = Fixture::new();
    let verified = fixture.policy().verify(&fixture.plugin).unwrap();
    let mut image = &verified.image.file;
    assert_eq!(image.write(b"x").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(image.set_len(0).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    let reopened = OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", image.as_raw_fd()));
    assert!(reopened.and_then(|mut file| file.write(b"x")).is_err());
    assert!(rustix::fs::fcntl_add_seals(image, rustix::fs::SealFlags::FUTURE_WRITE).is_err());
    assert_eq!(image.metadata().unwrap().mode() & 0o7777, 0o111);
}

#[test]
fn only_regular_files_are_inspected_without_blocking() {
    let fixture = Fixture::new();
    let fifo = fixture.directory.path().join("fifo");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o700), 0).unwrap();
    let socket = fixture.directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let started = Instant::now();
    for (path, kind) in [
        (fifo.as_path(), "a FIFO"),
        (&socket, "a socket"),
        (fixture.directory.path(), "a directory"),
        (Path::new("/dev/zero"), "a device"),
    ] {
        assert_eq!(fixture.refusal(path), Refusal::NotRegular { kind });
    }
    assert!(started.elapsed() < Duration::from_secs(5), "a special file blocked");
}

#[test]
fn fifo_swapped_in_does_not_block() {
    let fixture = Fixture::new();
    let program = PluginFile::open(&fixture.plugin, Policy::DEFAULT_SIZE_LIMIT).unwrap().file;
    assert!(rustix::fs::fcntl_getfl(&program).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
}

#[test]
fn a_missing_file_is_unchecked_not_refused() {
    let error = Policy::new().allow(Digest::of(b"")).verify("/nonexistent/\u{1b}plugin").unwrap_err();
    assert!(matches!(&error, VerifyError::Unchecked { source, .. } if source.kind() == io::ErrorKind::NotFound));
    assert_eq!(error.to_string(), r"/nonexistent/\u{1b}plugin could not be checked: opening it failed");
    assert!(!error.is_refusal());
}

#[test]
fn oversized_file_is_refused_unread() {
    let fixture = Fixture::new();
    let sparse = fixture.directory.path().join("sparse");
    File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
    set_mode(&sparse, 0o755);
    assert_eq!(fixture.refusal(&sparse), Refusal::TooLarge { limit: Policy::DEFAULT_SIZE_LIMIT });
    let size = fs::metadata(&fixture.plugin).unwrap().len();
    assert!(fixture.policy().with_size_limit(size).verify(&fixture.plugin).is_ok());
    let below = fixture.policy().with_size_limit(size - 1).verify(&fixture.plugin);
    assert_eq!(refusal(below), Refusal::TooLarge { limit: size - 1 });
}

#[test]
fn limits_are_those_that_are_documented() {
    const MIB: u64 = 1 << 20;
    assert_eq!((Policy::DEFAULT_SIZE_LIMIT, ImageCache::DEFAULT_BUDGET), (1024 * MIB, 512 * MIB));
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("sparse");
    let file = File::create(&path).unwrap();
    set_mode(&path, 0o600);
    let refused = |expected: u64, read: fn(&Path) -> Option<SourceError>| {
        file.set_len(expected + 1).unwrap();
        let fault = read(&path).unwrap().fault;
        assert!(matches!(fault, SourceFault::TooLarge { limit } if limit == expected), "{expected}: {fault:?}");
    };
    refused(16 * MIB, |path| Manifest::read(path).err());
    refused(4 * MIB, |path| Lock::read(path).err());
    refused(128 * MIB, |path| Checksums::read(path).err());
    refused(MIB, |path| Policy::read(path).err());
    refused(16 * 1024, |path| Signature::read(path).err());
}

#[test]
fn growing_file_is_cut_at_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("growing");
    fs::write(&path, [0; 10]).unwrap();
    set_mode(&path, 0o755);
    let source = PluginFile::open(&path, 100).unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&[0; 1000]).unwrap();
    let target = tempfile::tempfile().unwrap();
    assert!(matches!(source.copy_to(&target), Err(error::ExamineError::Refusal(Refusal::TooLarge { limit: 100 }))));
    assert!(target.metadata().unwrap().len() <= 101);
}

#[test]
fn set_id_and_non_executable_files_are_refused() {
    let fixture = Fixture::new();
    for (mode, expected) in [
        (0o4755, Refusal::SetId { mode: 0o4755 }),
        (0o2755, Refusal::SetId { mode: 0o2755 }),
        (0o644, Refusal::NotExecutable { mode: 0o644 }),
    ] {
        set_mode(&fixture.plugin, mode);
        assert_eq!(fixture.refusal(&fixture.plugin), expected);
    }
}

#[test]
fn file_capabilities_are_refused() {
    let fixture = Fixture::new();
    // cap_net_raw=ep, as setcap(8) writes it: revision 2, effective, permitted bit 13.
    let mut capability = [0; 20];
    capability[..8].copy_from_slice(&[1, 0, 0, 2, 0, 0x20, 0, 0]);
    match rustix::fs::setxattr(&fixture.plugin, "security.capability", &capability, XattrFlags::empty()) {
        Ok(()) => assert_eq!(fixture.refusal(&fixture.plugin), Refusal::FileCapabilities),
        Err(error) => eprintln!("SKIPPED: this user or file system cannot set file capabilities: {error}"),
    }
}

#[test]
fn matching_digest_does_not_allow_scripts() {
    let directory = tempfile::tempdir().unwrap();
    for (content, script) in [(&b"#!/bin/sh\nexit 0\n"[..], true), (b"", false)] {
        let path = directory.path().join("file");
        fs::write(&path, content).unwrap();
        set_mode(&path, 0o755);
        match refusal(Policy::new().allow(Digest::of(content)).verify(&path)) {
            Refusal::Script { interpreter } if script => assert_eq!(interpreter, "/bin/sh"),
            Refusal::Format(Format::Empty) if !script => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_cached_image_outlives_its_file() {
    let fixture = Fixture::new();
    let policy = fixture.policy();
    policy.verify(&fixture.plugin).unwrap();
    fs::write(&fixture.plugin, "tampered").unwrap();
    let after_change = policy.verify(&fixture.plugin).unwrap();
    fs::remove_file(&fixture.plugin).unwrap();
    let after_removal = policy.verify(&fixture.plugin).unwrap();
    for verified in [after_change, after_removal] {
        assert!(verified.was_cached());
        assert_eq!(Digest::of_file(&verified.image.file).unwrap(), fixture.digest);
    }
    assert!(fixture.policy().verify(&fixture.plugin).is_err(), "another policy has another cache");
}

#[test]
fn cache_evicts_least_recently_used_over_budget() {
    let fixture = Fixture::new();
    let size = fs::metadata(&fixture.plugin).unwrap().len();
    let appended = |byte: u8| {
        let path = fixture.directory.path().join(format!("plugin-{byte}"));
        fs::copy(&fixture.plugin, &path).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&[byte]).unwrap();
        let digest = Digest::read(File::open(&path).unwrap()).unwrap();
        (path, digest)
    };
    let cache = ImageCache::with_budget(2 * size + 10);
    let cached = |(path, digest): &(PathBuf, Digest)| {
        Policy::new().allow(*digest).with_cache(cache.clone()).verify(path).unwrap().was_cached()
    };
    let (one, two, three) = (appended(1), appended(2), appended(3));
    assert_eq!([cached(&one), cached(&two), cached(&one), cached(&three)], [false, false, true, false]);
    assert_eq!(cache.size(), 2 * (size + 1));
    assert_eq!([cached(&one), cached(&two)], [true, false]);

    let kept = cache.size();
    let large = appended(4);
    OpenOptions::new().append(true).open(&large.0).unwrap().set_len(3 * size).unwrap();
    let large = (large.0.clone(), Digest::read(File::open(&large.0).unwrap()).unwrap());
    assert!(!cached(&large));
    assert_eq!(cache.size(), kept, "an image over the budget took others along");

    let small = ImageCache::with_budget(size - 1);
    let policy = fixture.policy().with_cache(small.clone());
    assert!(!policy.verify(&fixture.plugin).unwrap().was_cached());
    assert!(!policy.verify(&fixture.plugin).unwrap().was_cached());
    assert_eq!(small.size(), 0);
}

#[test]
fn a_failure_is_not_remembered() {
    let fixture = Fixture::new();
    let policy = fixture.policy();
    let good = fs::read(&fixture.plugin).unwrap();
    fs::write(&fixture.plugin, b"wrong").unwrap();
    assert!(policy.verify(&fixture.plugin).is_err());
    fs::write(&fixture.plugin, good).unwrap();
    assert!(!policy.verify(&fixture.plugin).unwrap().was_cached());
    assert!(policy.verify(&fixture.plugin).unwrap().was_cached());
}

#[test]
fn threads_that_want_the_same_image_share_one() {
    const THREADS: usize = 8;
    let fixture = Fixture::new();
    let policy = fixture.policy();
    let together = Barrier::new(THREADS);
    let made = thread::scope(|scope| {
        let launches: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    together.wait();
                    policy.verify(&fixture.plugin).unwrap()
                })
            })
            .collect();
        launches.into_iter().map(|launch| launch.join().unwrap()).filter(|verified| !verified.was_cached()).count()
    });
    assert_eq!(made, 1);
}

#[test]
fn private_copy_is_removed_with_its_last_user() {
    let fixture = Fixture::new();
    let parent = tempfile::tempdir().unwrap();
    let policy = fixture.policy().with_private_copy(parent.path());
    let verified = policy.verify(&fixture.plugin).unwrap();
    assert_eq!(verified.mode(), ExecMode::PrivateCopy);
    let directory = fs::read_dir(parent.path()).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(directory.join("plugin")).unwrap().mode() & 0o7777, 0o500);

    fs::write(&fixture.plugin, "tampered").unwrap();
    assert!(policy.verify(&fixture.plugin).is_err(), "a private copy is made anew each time");
    assert_eq!(Digest::of_file(&verified.image.file).unwrap(), fixture.digest);

    drop(verified);
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn unlinked_private_copy_still_runs() {
    let fixture = Fixture::new();
    let parent = tempfile::tempdir().unwrap();
    let verified = fixture.policy().with_private_copy(parent.path()).verify(&fixture.plugin).unwrap();
    verified.image.remove_from_disk().unwrap();
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    assert_eq!(Digest::of_file(&verified.image.file).unwrap(), fixture.digest);
}

#[test]
fn private_copy_needs_directory_others_cannot_rename() {
    let fixture = Fixture::new();
    let parent = tempfile::tempdir().unwrap();
    set_mode(parent.path(), 0o777);
    let refusal = refusal(fixture.policy().with_private_copy(parent.path()).verify(&fixture.plugin));
    assert!(matches!(refusal, Refusal::OpenDirectory { mode: 0o777, .. }), "{refusal:?}");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn a_copy_whose_place_was_taken_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("copy");
    fs::write(&path, "bytes").unwrap();
    let written = fs::metadata(&path).unwrap();
    image::same_file(&File::open(&path).unwrap(), &written).unwrap();
    fs::rename(&path, directory.path().join("aside")).unwrap();
    fs::write(&path, "bytes").unwrap();
    assert!(image::same_file(&File::open(&path).unwrap(), &written).is_err());
}

#[test]
fn pinned_file_must_not_be_writable_by_others() {
    let fixture = Fixture::new();
    let policy = fixture.policy().dangerous_with_pinned_fd();
    set_mode(&fixture.plugin, 0o755);
    let verified = policy.verify(&fixture.plugin).unwrap();
    assert_eq!((verified.mode(), verified.digest()), (ExecMode::PinnedFd, fixture.digest));
    for mode in [0o775, 0o757] {
        set_mode(&fixture.plugin, mode);
        assert!(
            matches!(refusal(policy.verify(&fixture.plugin)), Refusal::WritableByOthers { mode: found, .. } if found == mode)
        );
    }
}
