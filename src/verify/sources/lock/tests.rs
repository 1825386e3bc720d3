//! Lock files: read, rejected with their line, and written whole.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;
use crate::authoring::{LockRefusal, LockWriteError};
use crate::verify::{SourceError, SourceFault};

const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn head() -> String {
    format!("format = \"{FORMAT}\"\n")
}

fn artifact(platform: &str) -> String {
    format!("[[plugin.artifact]]\nplatform = \"{platform}\"\nsha256 = \"{DIGEST}\"\n")
}

fn plugin(name: &str) -> String {
    format!("[[plugin]]\nname = \"{name}\"\n")
}

fn name(text: &str) -> PluginName {
    text.parse().unwrap()
}

fn locked() -> Lock {
    let mut lock = Lock::new("plugins.lock");
    let digest: Digest = DIGEST.parse().unwrap();
    let vouched = Artifact::new(Subject::File(digest), Some(KEY.parse().unwrap()));
    let kv = LockedPlugin {
        version: Some(Version::new(1, 2, 0)),
        minimum_version: Some(Version::new(1, 0, 0)),
        note: Some("asked for by \"ops\"".into()),
        artifacts: BTreeMap::from([
            (Platform::current(), vouched),
            ("plan9-vax".parse().unwrap(), Artifact::new(Subject::Manifest(digest), None)),
        ]),
    };
    let any = BTreeMap::from([(Platform::any(), Artifact::new(Subject::File(digest), None))]);
    lock.insert_plugin(name("zip"), LockedPlugin { artifacts: any, ..LockedPlugin::default() });
    lock.insert_plugin(name("kv"), kv);
    lock
}

#[test]
fn written_lock_is_sorted_and_read_back() {
    let lock = locked();
    let text = lock.to_text();
    assert_eq!(Lock::from_bytes("plugins.lock", text.as_bytes()).unwrap(), lock);
    let names: Vec<_> = text.lines().filter(|line| line.starts_with("name")).collect();
    assert_eq!(names, ["name = \"kv\"", "name = \"zip\""]);
    assert_eq!(Lock::from_bytes("plugins.lock", text.as_bytes()).unwrap().to_text(), text);
}

#[test]
fn artifact_is_for_one_platform_or_any() {
    let lock = locked();
    let here = Platform::current();
    assert!(lock.artifact(&name("kv"), &here).unwrap().signed_by.is_some());
    assert!(lock.artifact(&name("kv"), &"linux-other".parse().unwrap()).is_none());
    assert!(lock.artifact(&name("zip"), &here).is_some());
    assert!(lock.artifact(&name("none"), &here).is_none());
}

#[test]
fn ambiguous_or_empty_list_is_refused_with_line() {
    let kv = plugin("kv");
    let any = artifact("any");
    for (text, line, expected) in [
        (String::new(), None, "it contains no entry"),
        (head(), None, "it contains no entry"),
        (head() + &kv, Some(2), "plugin kv has no artifact"),
        (head() + &kv + &any + &kv + &any, Some(7), "plugin kv appears twice"),
        (head() + &kv + &any + &any, Some(7), "plugin kv has two artifacts for any"),
        (
            head() + &kv + "[[plugin.artifact]]\nplatform = \"any\"\n",
            Some(4),
            "an artifact needs exactly one of `sha256` and `manifest`",
        ),
        (
            head() + &kv + &any + &format!("manifest = \"{DIGEST}\"\n"),
            Some(4),
            "an artifact needs exactly one of `sha256` and `manifest`",
        ),
        (
            head() + &kv + "version = \"1.0.0\"\nminimum-version = \"1.0.1\"\n" + &any,
            Some(2),
            "the version is below the minimum version 1.0.1",
        ),
        (
            head() + &kv + "note = \"a\\nb\"\n" + &any,
            Some(2),
            "a note must be one line of at most 500 characters, without control characters",
        ),
    ] {
        let error = Lock::from_bytes("lock", text.as_bytes()).unwrap_err();
        assert_eq!((error.line, error.fault.to_string().as_str()), (line, expected), "{text}");
    }
    for broken in ["unknown = 1", "sha256 = \"abc\"", "vouched-by = \"abc\"", "x = [", "platform = \"any\""] {
        let error = Lock::from_bytes("lock", head() + &kv + &any + broken).unwrap_err();
        assert!(matches!(error.fault, SourceFault::Toml { .. }), "{broken}: {error}");
        assert!(error.line.is_some(), "{broken}");
    }
}

#[test]
fn write_replaces_whole_or_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("plugins.lock");
    let lock = Lock { path: path.clone(), ..locked() };
    lock.write().unwrap();
    assert_eq!(Lock::read(&path).unwrap(), lock);
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    lock.write().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert!(matches!(Lock::new(&path).write(), Err(LockWriteError::Malformed(_))));
    assert_eq!(Lock::read(&path).unwrap(), lock);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn concurrent_lock_changes_lose_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("plugins.lock");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let _turn = Lock::exclusive(path).unwrap();
                let mut lock = Lock::read(path).unwrap_or_else(|_| Lock::new(path));
                let artifacts =
                    BTreeMap::from([(Platform::any(), Artifact::new(Subject::File(Digest::of("x")), None))]);
                lock.insert_plugin(
                    name(&format!("plugin-{number}")),
                    LockedPlugin { artifacts, ..LockedPlugin::default() },
                );
                lock.write().unwrap();
            });
        }
    });
    assert_eq!(Lock::read(&path).unwrap().plugins().len(), 8);
}

#[test]
fn refusal_names_previous_and_current_keys() {
    // Three keys that differ in their number alone, which stands behind the name of the algorithm.
    let [one, two, other]: [PublicKey; 3] = ["Qf6", "Qg6", "Qh6"].map(|id| KEY.replace("Qf6", id).parse().unwrap());
    let refused = |locked: &[PublicKey], candidate| {
        LockRefusal::OtherSigner { name: name("kv"), locked: locked.to_vec(), candidate }.to_string()
    };
    assert_eq!(
        refused(&[one, two], Some(other)),
        format!(
            "kv is locked as signed by key {} or {}, and the candidate is signed by key {}",
            one.id(),
            two.id(),
            other.id()
        )
    );
    let unsigned = format!("kv is locked as signed by key {}, and the candidate is unsigned", one.id());
    assert_eq!(refused(&[one], None), unsigned);
}

fn lock_with(path: impl Into<PathBuf>, plugin: LockedPlugin) -> Lock {
    let artifacts = BTreeMap::from([(Platform::any(), Artifact::new(Subject::File(Digest::of("kv")), None))]);
    let mut lock = Lock::new(path);
    lock.insert_plugin(name("kv"), LockedPlugin { artifacts, ..plugin });
    lock
}

fn read_back(plugin: LockedPlugin) -> Result<Lock, SourceError> {
    Lock::from_bytes("lock", lock_with("lock", plugin).to_text())
}

#[test]
fn removed_plugin_is_returned_and_unlocked() {
    let mut lock = lock_with("lock", LockedPlugin::default());
    let agreed = lock.plugin(&name("kv")).cloned();
    assert_eq!(lock.remove_plugin(&name("kv")), agreed);
    assert_eq!(lock.plugin(&name("kv")), None);
    assert_eq!(lock.remove_plugin(&name("kv")), None);
}

#[test]
fn note_length_limit_is_inclusive() {
    let noted = |length: usize| LockedPlugin { note: Some("ž".repeat(length)), ..LockedPlugin::default() };
    assert!(read_back(noted(500)).is_ok());
    assert!(matches!(read_back(noted(501)).unwrap_err().fault, SourceFault::Lock(LockFault::Note)));
}

#[test]
fn minimum_version_may_equal_the_locked_version() {
    let version = Some(Version::new(1, 2, 0));
    let plugin = LockedPlugin { minimum_version: version.clone(), version, ..LockedPlugin::default() };
    assert!(read_back(plugin).is_ok());
}

#[test]
fn circular_symlink_is_not_replaced() {
    let place = tempfile::tempdir().unwrap();
    let circle = place.path().join("plugins.lock");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let refused = lock_with(&circle, LockedPlugin::default()).write();
    assert!(matches!(refused, Err(LockWriteError::Io { .. })), "{refused:?}");
    assert!(circle.is_symlink());
}
