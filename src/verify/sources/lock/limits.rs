//! Where a lock file stops being one, and what is left when it cannot be written.

use super::*;
use crate::authoring::LockWriteError;
use crate::verify::{SourceError, SourceFault};

fn name() -> PluginName {
    "kv".parse().unwrap()
}

fn lock(path: impl Into<PathBuf>, plugin: LockedPlugin) -> Lock {
    let artifacts = BTreeMap::from([(Platform::any(), Artifact::new(Subject::File(Digest::of("kv")), None))]);
    let mut lock = Lock::new(path);
    lock.insert(name(), LockedPlugin { artifacts, ..plugin });
    lock
}

fn read_back(plugin: LockedPlugin) -> Result<Lock, SourceError> {
    Lock::from_bytes("lock", lock("lock", plugin).to_text())
}

#[test]
fn what_is_removed_is_returned_and_no_longer_agreed_to() {
    let mut lock = lock("lock", LockedPlugin::default());
    let agreed = lock.plugin(&name()).cloned();
    assert_eq!(lock.remove(&name()), agreed);
    assert_eq!(lock.plugin(&name()), None);
    assert_eq!(lock.remove(&name()), None);
}

#[test]
fn a_note_is_as_long_as_it_may_be_and_no_longer() {
    let noted = |length: usize| LockedPlugin { note: Some("ž".repeat(length)), ..LockedPlugin::default() };
    assert!(read_back(noted(500)).is_ok());
    assert!(matches!(read_back(noted(501)).unwrap_err().fault, SourceFault::Lock(LockFault::Note)));
}

#[test]
fn the_lowest_version_may_be_the_one_that_was_agreed_to() {
    let version = Some(Version::new(1, 2, 0));
    let plugin = LockedPlugin { minimum_version: version.clone(), version, ..LockedPlugin::default() };
    assert!(read_back(plugin).is_ok());
}

#[test]
fn a_link_that_leads_nowhere_is_not_replaced() {
    let place = tempfile::tempdir().unwrap();
    let circle = place.path().join("plugins.lock");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let refused = lock(&circle, LockedPlugin::default()).write();
    assert!(matches!(refused, Err(LockWriteError::Io { .. })), "{refused:?}");
    assert!(circle.is_symlink());
}
