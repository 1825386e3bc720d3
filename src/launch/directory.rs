//! The private directory of one launch: where the plugin's socket lies, and where nobody else may go. Removed with all that the
//! plugin left in it.

use std::collections::HashSet;
use std::fs::Permissions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags};
use tempfile::TempDir;

use super::LaunchError;
use crate::Escaped;

const PREFIX: &str = "portcullis-";

/// A socket's path has at most 107 bytes (unix(7)); peers append `/plugin` and up to twenty digits.
const PATH_LIMIT: usize = 107 - 28;

/// How deep and how much the removal goes into what a plugin left behind. A plugin that leaves more leaves it on disk.
const SWEEP_DEPTH: u32 = 32;
const SWEEP_ENTRIES: u32 = 10_000;

/// A directory with mode 0700 that lives as long as this value.
///
/// It is locked (flock(2)) meanwhile, so that a later host can tell the directory of a live host from one that a killed host left
/// behind, and remove the latter.
#[derive(Debug)]
pub(crate) struct PrivateDirectory {
    path: PathBuf,
    /// Open for the lock's sake.
    _lock: OwnedFd,
}

impl PrivateDirectory {
    /// Makes a directory below `parent`, in which nobody else may be able to rename or remove it.
    pub(crate) fn create(parent: &Path) -> Result<Self, LaunchError> {
        let failed = |source| LaunchError::Directory { path: parent.to_path_buf(), source };
        let parent = parent.canonicalize().map_err(failed)?;
        refuse_unsafe(&parent)?;
        sweep_stale_once(&parent);
        // A sweep by another host may take a directory between its creation and its lock; then make another.
        for _ in 0..16 {
            if let Some(directory) = Self::try_create(&parent).map_err(failed)? {
                return match directory.path.as_os_str().len() {
                    length if length > PATH_LIMIT => {
                        Err(LaunchError::PathTooLong { path: directory.path.clone(), limit: PATH_LIMIT })
                    }
                    _ => Ok(directory),
                };
            }
        }
        Err(failed(io::Error::other("it keeps being removed")))
    }

    fn try_create(parent: &Path) -> io::Result<Option<Self>> {
        let made =
            tempfile::Builder::new().prefix(PREFIX).permissions(Permissions::from_mode(0o700)).tempdir_in(parent)?;
        let Ok(lock) = open_directory(CWD, made.path()) else { return Ok(None) };
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
        let status = rustix::fs::fstat(&lock)?;
        if status.st_nlink == 0 {
            return Ok(None);
        }
        if status.st_uid != rustix::process::geteuid().as_raw() || status.st_mode & 0o7777 != 0o700 {
            return Err(io::Error::other(
                "a new directory there does not have the owner and mode that it was made with",
            ));
        }
        Ok(Some(Self { path: TempDir::keep(made), _lock: lock }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!(path = %Escaped::path(&self.path), %error, "a private directory could not be removed");
        }
    }
}

/// Refuses a place where another user could put something else under our directory's name.
fn refuse_unsafe(parent: &Path) -> Result<(), LaunchError> {
    let trusted = [0, rustix::process::geteuid().as_raw()];
    for ancestor in parent.ancestors() {
        let status = std::fs::metadata(ancestor)
            .map_err(|source| LaunchError::Directory { path: ancestor.to_path_buf(), source })?;
        let sticky = status.mode() & 0o1000 != 0;
        if !trusted.contains(&status.uid()) || (status.mode() & 0o022 != 0 && !sticky) {
            return Err(LaunchError::UnsafeDirectory {
                path: ancestor.to_path_buf(),
                owner: status.uid(),
                mode: status.mode() & 0o7777,
            });
        }
    }
    Ok(())
}

fn open_directory(at: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, path, flags, Mode::empty())?)
}

/// Removes what hosts that were killed left below `parent`: once for each place in the life of this process, in a thread of its own, because
/// nobody should wait for that.
fn sweep_stale_once(parent: &Path) {
    static SWEPT: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !swept.get_or_insert_default().insert(parent.to_path_buf()) {
        return;
    }
    let parent = parent.to_path_buf();
    let sweep = move || {
        if let Err(error) = sweep_stale(&parent) {
            tracing::debug!(path = %Escaped::path(&parent), %error, "stale private directories could not be removed");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("portcullis-sweep".into()).spawn(sweep) {
        tracing::debug!(%error, "stale private directories are not looked for");
    }
}

fn sweep_stale(parent: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(parent)? {
        let name = entry?.file_name();
        // Private copies of images have the same prefix and no lock: they are left to tempfile.
        if !name.as_bytes().starts_with(PREFIX.as_bytes()) || name.as_bytes().starts_with(b"portcullis-image-") {
            continue;
        }
        let path = parent.join(name);
        let Ok(directory) = open_directory(CWD, &path) else { continue };
        let ours = rustix::fs::fstat(&directory)?.st_uid == rustix::process::geteuid().as_raw();
        if ours && rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok() {
            tracing::debug!(path = %Escaped::path(&path), "removing the private directory of a host that is gone");
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes a directory and its content, without following a link and without going deeper or on longer than the limits.
fn remove(path: &Path) -> io::Result<()> {
    let mut budget = SWEEP_ENTRIES;
    empty(open_directory(CWD, path)?.as_fd(), SWEEP_DEPTH, &mut budget)?;
    std::fs::remove_dir(path)
}

fn empty(directory: BorrowedFd<'_>, depth: u32, budget: &mut u32) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other("the plugin left directories nested too deeply"));
    }
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        *budget = budget.checked_sub(1).ok_or_else(|| io::Error::other("the plugin left too many files"))?;
        // What the entry was a moment ago decides only which attempt comes first.
        if entry.file_type() == FileType::Directory {
            let inner = open_directory(directory, Path::new(std::ffi::OsStr::from_bytes(name.to_bytes())))?;
            // A directory that its owner may not write cannot be emptied.
            rustix::fs::fchmod(&inner, Mode::RWXU)?;
            empty(inner.as_fd(), depth - 1, budget)?;
            rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR)?;
        } else {
            rustix::fs::unlinkat(directory, name, AtFlags::empty())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A place of our own: a sticky, world-writable directory like `/tmp`.
    fn place() -> TempDir {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o1777)).unwrap();
        place
    }

    fn entries(path: &Path) -> usize {
        fs::read_dir(path).unwrap().count()
    }

    #[test]
    fn it_is_private_and_removed_with_everything_in_it() {
        let place = place();
        let directory = PrivateDirectory::create(place.path()).unwrap();
        assert_eq!(fs::metadata(directory.path()).unwrap().mode() & 0o7777, 0o700);
        let _socket = UnixListener::bind(directory.path().join("plugin.sock")).unwrap();
        fs::create_dir_all(directory.path().join("a/b")).unwrap();
        fs::write(directory.path().join("a/b/file"), "x").unwrap();
        fs::set_permissions(directory.path().join("a"), Permissions::from_mode(0o500)).unwrap();
        let outside = place.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("keep"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, directory.path().join("link")).unwrap();
        drop(directory);
        assert_eq!(entries(place.path()), 1);
        assert!(outside.join("keep").exists(), "a link was followed");
    }

    #[test]
    fn nesting_without_end_is_left_behind_and_does_no_harm() {
        let place = place();
        let directory = PrivateDirectory::create(place.path()).unwrap();
        let deep = vec!["d"; SWEEP_DEPTH as usize + 8].join("/");
        fs::create_dir_all(directory.path().join(deep)).unwrap();
        let path = directory.path().to_path_buf();
        drop(directory);
        assert!(path.exists());
    }

    #[test]
    fn a_place_where_others_may_rename_is_refused() {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
        let inner = place.path().join("inner");
        fs::create_dir(&inner).unwrap();
        for path in [place.path(), &inner] {
            let error = PrivateDirectory::create(path).unwrap_err();
            assert!(matches!(error, LaunchError::UnsafeDirectory { mode: 0o777, .. }), "{error:?}");
        }
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused_and_nothing_stays() {
        let place = place();
        let long = place.path().join("x".repeat(80));
        fs::create_dir(&long).unwrap();
        let error = PrivateDirectory::create(&long).unwrap_err();
        assert!(matches!(error, LaunchError::PathTooLong { .. }), "{error:?}");
        assert_eq!(entries(&long), 0);
    }

    #[test]
    fn what_a_killed_host_left_is_swept_and_what_a_live_host_holds_stays() {
        let place = place();
        let live = PrivateDirectory::create(place.path()).unwrap();
        let stale = place.path().join("portcullis-stale");
        fs::create_dir(&stale).unwrap();
        fs::write(stale.join("plugin.sock"), "").unwrap();
        fs::create_dir(place.path().join("somebody-elses")).unwrap();
        sweep_stale(place.path()).unwrap();
        assert!(!stale.exists());
        assert!(live.path().exists());
        assert_eq!(entries(place.path()), 2);
    }
}
