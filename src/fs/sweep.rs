//! Finds and removes the private directories that killed hosts left behind. Never touches the
//! directory of a running host or of another user.

use std::collections::HashSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation};

use super::Ownership;
use super::private_directory::{MARKER, PREFIX, RANDOM};
use super::removal::{Leftover, open_directory};
use crate::Escaped;
use crate::limits::fs::REMOVAL_ENTRIES;

/// Removes the directories that killed hosts left in `parent`, in a new thread so that no launch
/// waits for it. Does nothing if this process has swept `parent` before.
pub(super) fn sweep_once(parent: &Path) {
    static SWEPT: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !swept.get_or_insert_default().insert(parent.to_path_buf()) {
        return;
    }
    let parent = parent.to_path_buf();
    let sweep = move || {
        if let Err(error) = sweep(&parent) {
            tracing::debug!(path = ?Escaped::path(&parent), %error, "cannot list stale private directories");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("portcullis-sweep".into()).spawn(sweep) {
        tracing::debug!(%error, "cannot start the thread that removes stale private directories");
    }
}

pub(super) fn sweep(parent: &Path) -> io::Result<()> {
    let mut budget = REMOVAL_ENTRIES;
    for entry in std::fs::read_dir(parent)? {
        let name = entry?.file_name();
        if is_our_name(name.as_bytes())
            && let Some(stale) = stale(parent.join(name))
        {
            tracing::debug!(path = ?Escaped::path(stale.path()), "removing the private directory of a killed host");
            stale.remove_within(&mut budget);
        }
    }
    Ok(())
}

fn is_our_name(name: &[u8]) -> bool {
    let random = name.strip_prefix(PREFIX.as_bytes()).unwrap_or_default();
    random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric)
}

/// The directory at `path` if a killed host left it: owned by this user, with mode 0700 and the
/// marker, and not locked.
fn stale(path: PathBuf) -> Option<Leftover> {
    let handle = open_directory(CWD, &path).ok()?;
    let status = rustix::fs::fstat(&handle).ok()?;
    let ownership = Ownership::new(status.st_uid, status.st_mode);
    let ours = ownership.is_own() && ownership.mode == 0o700;
    let marker = rustix::fs::statat(&handle, MARKER, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let marked = FileType::from_raw_mode(marker.st_mode) == FileType::RegularFile && marker.st_size == 0;
    let locked = || rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive).is_err();
    (ours && marked && !locked()).then_some(Leftover::new(path, handle))
}
