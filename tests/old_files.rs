//! Files that the first release wrote (`tests/fixtures/format-1`): the library still reads,
//! verifies and continues them. No test writes to the fixtures.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use portcullis::audit::proof::InclusionProof;
use portcullis::audit::verifier::{TrustAnchors, VerificationReport, verify, verify_lines};
use portcullis::audit::{Log, LogKey, NoteVerifier};
use portcullis::event::Event;
use portcullis::verify::{Lock, Platform, PublicKey, SignedManifest, SourceKind, Subject};
use portcullis::{Chain, Policy};
use tempfile::TempDir;

/// The public key of `log`. A verifier that has no secrets knows only this.
const KEY: &str = "kv-host/vm/e220c97bb16ebb11+ffc5764f+AeheYzCX4X5MMbkDk5dAdGm3shAexJHkzNwa6rWlh/HX";

const ORIGIN: &str = "kv-host/vm/e220c97bb16ebb11";

/// The public key of `killed/log`.
const KILLED_KEY: &str = "kv-host/vm/7d5a524a35c309cf+dcde4415+AS0YJ0eK2cQ9VAWoxGPaxrFbke1R5Xo6WnGlhmUYotkm";

/// The SHA-256 of `true`.
const DIGEST: &str = "87858b6b4d11ebf4caff9c548fb26bd9da6dea051cc22b61006afb180c2793a3";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1").join(name)
}

/// Copies files of the fixtures into a new directory, with the modes that the library requires.
fn copies(names: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in names {
        let copy = directory.path().join(Path::new(name).file_name().unwrap());
        fs::copy(fixture(name), &copy).unwrap();
        let mode = if *name == "true" { 0o755 } else { 0o600 };
        fs::set_permissions(&copy, Permissions::from_mode(mode)).unwrap();
    }
    directory
}

fn verifier(key: &str) -> NoteVerifier {
    key.parse().unwrap()
}

/// Verifies the log in `directory`, and returns the kinds of its events.
fn verified(directory: &Path, trust: &TrustAnchors) -> (VerificationReport, Vec<&'static str>) {
    let mut kinds = Vec::new();
    let report = verify_lines(directory.join("log"), trust, |_, record| {
        kinds.push(record.unwrap().event().as_ref().map(Event::kind).unwrap());
    });
    (report.unwrap(), kinds)
}

#[test]
fn log_verifies_against_key_and_checkpoint() {
    let checkpoint = fs::read_to_string(fixture("log.checkpoint")).unwrap();
    let trust = TrustAnchors::none().key(verifier(KEY)).checkpoint("log.checkpoint", checkpoint);
    let report = verify(fixture("log"), &trust).unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert!(report.is_key_trusted && report.origin.as_deref() == Some(ORIGIN), "{report:?}");
    assert_eq!((report.first, report.next, report.uncovered()), (0, 100, 0));
    assert_eq!((report.totals.openings, report.totals.lost), (report.totals.kinds["closed"], 0));
    assert_eq!((report.totals.open_calls().count(), report.totals.open_launches().count()), (0, 0));
}

#[test]
fn every_event_of_the_log_is_read() {
    let (_, kinds) = verified(&fixture(""), &TrustAnchors::none().key(verifier(KEY)));
    let expected = ["opened", "verification", "launch", "handshake", "connection", "ready", "call", "returned"];
    assert_eq!(kinds.len(), 100);
    for kind in expected.into_iter().chain(["exit", "shutdown", "checkpoint", "closed"]) {
        assert!(kinds.contains(&kind), "{kind}");
    }
}

#[test]
fn changed_log_fails_verification() {
    let directory = copies(&["log"]);
    let path = directory.path().join("log");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"outcome\":\"OK\"", "\"outcome\":\"NO\"", 1)).unwrap();
    let report = verify(&path, &TrustAnchors::none().key(verifier(KEY))).unwrap();
    assert!(!report.is_intact() && report.damaged.is_some());
}

#[test]
fn new_writer_continues_the_log() {
    let directory = copies(&["log", "log.key"]);
    let (path, key) = (directory.path().join("log"), directory.path().join("log.key"));
    let log = Log::builder(&path, LogKey::read(&key).unwrap()).open().unwrap();
    log.append(Event::application("later", [("a", "b")])).unwrap();
    log.close().unwrap();
    let (report, kinds) = verified(directory.path(), &TrustAnchors::none().key(verifier(KEY)));
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.uncovered(), 0);
    assert_eq!(kinds[100..], ["opened", "application", "closed", "checkpoint"]);
    // The old lines are untouched, byte for byte.
    assert!(fs::read(&path).unwrap().starts_with(&fs::read(fixture("log")).unwrap()));
}

/// The MACs of the uncovered records are in the format of the first release too.
#[test]
fn new_writer_continues_a_killed_hosts_log() {
    let directory = copies(&["killed/log", "killed/log.key"]);
    let trust = TrustAnchors::none().key(verifier(KILLED_KEY));
    let (report, _) = verified(directory.path(), &trust);
    assert_eq!((report.next, report.uncovered()), (12, 12));
    let key = LogKey::read(directory.path().join("log.key")).unwrap();
    Log::builder(directory.path().join("log"), key).open().unwrap().close().unwrap();
    let (report, kinds) = verified(directory.path(), &trust);
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.uncovered(), 0, "{kinds:?}");
}

#[test]
fn inclusion_proof_verifies() {
    let proof: InclusionProof = fs::read_to_string(fixture("proof")).unwrap().parse().unwrap();
    let included = proof.check(&[verifier(KEY)], ORIGIN, None).unwrap();
    assert_eq!((included.record.index(), included.checkpoint.size), (40, 99));
}

/// Checks that `policy` accepts the copy of `true` in `directory`. The program is for one platform.
fn assert_accepts(policy: &Policy, directory: &Path) {
    if Platform::current().to_string() != "linux-x86_64" {
        return eprintln!("SKIPPED: the old program is for linux-x86_64");
    }
    let plugin = policy.verify(directory.join("true")).unwrap_or_else(|error| panic!("{}", Chain::of(&error)));
    assert_eq!(plugin.digest().to_string(), DIGEST);
}

#[test]
fn lock_file_accepts_its_plugin() {
    let lock = Lock::read(fixture("plugins.lock")).unwrap();
    let locked = lock.plugin(&"true".parse().unwrap()).unwrap();
    let artifact = lock.artifact(&"true".parse().unwrap(), &"linux-x86_64".parse().unwrap()).unwrap();
    assert_eq!(artifact.subject, Subject::File(DIGEST.parse().unwrap()));
    assert!(locked.version.is_some() && locked.minimum_version.is_some() && locked.note.is_some());
    let directory = copies(&["true"]);
    let policy = Policy::new().with_lock(lock).require(SourceKind::Lock);
    assert_accepts(&policy, directory.path());
}

#[test]
fn signed_manifest_accepts_its_plugin() {
    let key = PublicKey::read(fixture("publisher.pub")).unwrap();
    let manifest = SignedManifest::read(fixture("true.manifest.toml"), std::slice::from_ref(&key)).unwrap();
    let directory = copies(&["true"]);
    let policy = Policy::new().with_manifest(manifest).require(SourceKind::Manifest);
    assert_accepts(&policy, directory.path());
}

/// Every source together, as an operator writes them.
#[test]
fn policy_file_accepts_the_plugin() {
    let directory = copies(&["true", "plugins.lock", "true.manifest.toml", "true.manifest.toml.minisig"]);
    let path = directory.path().join("policy.toml");
    let key = PublicKey::read(fixture("publisher.pub")).unwrap();
    let text = format!(
        r#"format = "portcullis-policy/1"
directory = "{}"
require = ["allow", "lock", "manifest"]
lock = "plugins.lock"

allow = ["{DIGEST}"]

[[key]]
minisign = "{key}"
"#,
        directory.path().display()
    );
    fs::write(&path, text).unwrap();
    let policy = Policy::read(&path).unwrap();
    assert_accepts(&policy, directory.path());
}
