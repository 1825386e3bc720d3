//! Finds the private directories of hosts that were killed, and removes them. Touches nothing that
//! a live host holds, and nothing of anybody else's.

use std::collections::HashSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation};

use super::location::{PREFIX, RANDOM};
use super::private_directory::MARKER;
use super::removal::{ENTRIES, Leftover, open_directory};
use crate::Escaped;

/// Removes what hosts that were killed left below `parent`: once for each place in the life of this
/// process, in a thread of its own, because nobody should wait for that.
pub(super) fn sweep_once(parent: &Path) {
    static SWEPT: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !swept.get_or_insert_default().insert(parent.to_path_buf()) {
        return;
    }
    let parent = parent.to_path_buf();
    let sweep = move || {
        if let Err(error) = sweep(&parent) {
            tracing::debug!(path = ?Escaped::path(&parent), %error, "stale private directories cannot be looked for");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("portcullis-sweep".into()).spawn(sweep) {
        tracing::debug!(%error, "stale private directories are not looked for");
    }
}

pub(super) fn sweep(parent: &Path) -> io::Result<()> {
    let mut budget = ENTRIES;
    for entry in std::fs::read_dir(parent)? {
        let name = entry?.file_name();
        if is_our_name(name.as_bytes())
            && let Some(stale) = stale(parent.join(name))
        {
            tracing::debug!(path = ?Escaped::path(stale.path()), "removing the private directory of a host that is gone");
            stale.remove_within(&mut budget);
        }
    }
    Ok(())
}

fn is_our_name(name: &[u8]) -> bool {
    let random = name.strip_prefix(PREFIX.as_bytes()).unwrap_or_default();
    random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric)
}

/// A directory that we made, for a host that is gone: ours, private, marked, and locked by nobody.
fn stale(path: PathBuf) -> Option<Leftover> {
    let handle = open_directory(CWD, &path).ok()?;
    let status = rustix::fs::fstat(&handle).ok()?;
    let ours = status.st_uid == rustix::process::geteuid().as_raw() && status.st_mode & 0o7777 == 0o700;
    let marker = rustix::fs::statat(&handle, MARKER, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let marked = FileType::from_raw_mode(marker.st_mode) == FileType::RegularFile && marker.st_size == 0;
    let locked = || rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive).is_err();
    (ours && marked && !locked()).then_some(Leftover::new(path, handle))
}
