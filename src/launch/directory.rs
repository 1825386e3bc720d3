//! The private directory of one launch: where the plugin's socket lies, and where nobody else may go. Removed with all that the
//! plugin left in it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::Permissions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::{LaunchError, cleaner};
use crate::Escaped;
use crate::verify::{NameFault, PREFIX, PlaceFault, RANDOM, refuse_name, trusted};

/// In each of our directories, so that a directory which merely has such a name is never taken for one.
const MARKER: &str = ".portcullis";

/// How often another directory is made because the last one was taken away at once.
const ATTEMPTS: u32 = 16;

/// What is removed at once when a directory is dropped: a few sockets. Everything else is for the cleaner thread.
const QUICK_ENTRIES: usize = 8;

/// How deep and how much the cleaner goes into what a plugin left behind. A plugin that leaves more leaves it on disk.
const DEPTH: u32 = 32;
const ENTRIES: u32 = 10_000;

/// A directory with mode 0700 that lives as long as this value.
///
/// It is locked (flock(2)) meanwhile, so that a later host can tell the directory of a live host from one that a killed host left
/// behind, and remove the latter.
#[derive(Debug)]
pub(crate) struct PrivateDirectory {
    path: PathBuf,
    /// There until the drop. Holds the lock.
    handle: Option<OwnedFd>,
}

impl PrivateDirectory {
    /// Makes a directory below `parent`, in which nobody else may be able to rename or remove it.
    pub(crate) fn create(parent: &Path) -> Result<Self, LaunchError> {
        let failed = |source| LaunchError::Directory { path: parent.to_path_buf(), source };
        let parent = trusted(parent).map_err(|fault| match fault {
            PlaceFault::Open { directory, owner, mode } => {
                LaunchError::UnsafeDirectory { path: directory, owner, mode }
            }
            PlaceFault::Io(error) => failed(error),
        })?;
        refuse_name(&parent).map_err(|fault| match fault {
            NameFault::Characters => LaunchError::PathCharacters { path: parent.clone() },
            NameFault::TooLong { limit } => LaunchError::PathTooLong { path: parent.clone(), limit },
        })?;
        sweep_once(&parent);
        for _ in 0..ATTEMPTS {
            if let Some(directory) = Self::try_create(&parent).map_err(failed)? {
                return Ok(directory);
            }
        }
        Err(failed(io::Error::other("somebody locks each new directory there at once")))
    }

    fn try_create(parent: &Path) -> io::Result<Option<Self>> {
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(RANDOM)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let handle = open_directory(CWD, made.path())?;
        match rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let status = rustix::fs::fstat(&handle)?;
        if status.st_uid != rustix::process::geteuid().as_raw() || status.st_mode & 0o7777 != 0o700 {
            return Err(io::Error::other(
                "a new directory there does not have the owner and mode that it was made with",
            ));
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::openat(&handle, MARKER, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Some(Self { path: made.keep(), handle: Some(handle) }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        if !remove_quickly(handle.as_fd(), &self.path) {
            cleaner::remove(Leftover { path: std::mem::take(&mut self.path), handle });
        }
    }
}

/// A directory that is still to be removed.
#[derive(Debug)]
pub(super) struct Leftover {
    path: PathBuf,
    handle: OwnedFd,
}

impl Leftover {
    /// Removes it, without following a link and without going deeper or on longer than the limits.
    pub(super) fn remove(self) {
        self.remove_within(&mut ENTRIES.clone());
    }

    fn remove_within(self, budget: &mut u32) {
        let Self { path, handle } = self;
        if let Err(error) = empty(handle, DEPTH, budget).and_then(|()| std::fs::remove_dir(&path)) {
            tracing::warn!(path = ?Escaped::path(&path), %error, "a private directory could not be removed");
        }
    }
}

fn open_directory(at: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, path, flags, Mode::empty())?)
}

/// Removes a directory with nothing in it but the marker and a few sockets, as nearly all are. Otherwise it is left to the cleaner: to remove
/// a large file takes long, and this may run where nothing may.
fn remove_quickly(handle: BorrowedFd<'_>, path: &Path) -> bool {
    let Ok(entries) = Dir::read_from(handle) else { return false };
    for (count, entry) in entries.enumerate() {
        let Ok(entry) = entry else { return false };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(status) = rustix::fs::statat(handle, name, AtFlags::SYMLINK_NOFOLLOW) else { return false };
        let quick = FileType::from_raw_mode(status.st_mode) == FileType::Socket || name.to_bytes() == MARKER.as_bytes();
        if !quick || count > QUICK_ENTRIES || status.st_size > 0 {
            return false;
        }
        if rustix::fs::unlinkat(handle, name, AtFlags::empty()).is_err() {
            return false;
        }
    }
    std::fs::remove_dir(path).is_ok()
}

/// Removes everything in a directory.
fn empty(directory: OwnedFd, depth: u32, budget: &mut u32) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other("the plugin left directories nested too deeply"));
    }
    // A directory that its owner may not write cannot be emptied.
    rustix::fs::fchmod(&directory, Mode::RWXU)?;
    let mut entries = Dir::new(directory)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        *budget = budget.checked_sub(1).ok_or_else(|| io::Error::other("the plugin left too many files"))?;
        match rustix::fs::unlinkat(entries.fd()?, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR) => {
                empty(open_closed_directory(entries.fd()?, OsStr::from_bytes(name.to_bytes()))?, depth - 1, budget)?;
                rustix::fs::unlinkat(entries.fd()?, name, AtFlags::REMOVEDIR)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Opens a directory that its owner may have no permission to open.
fn open_closed_directory(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = rustix::fs::openat(at, name, flags, Mode::empty())?;
    // Through the descriptor, so that it is this directory and not what lies under its name by now.
    rustix::fs::chmod(format!("/proc/self/fd/{}", found.as_raw_fd()), Mode::RWXU)?;
    open_directory(found.as_fd(), Path::new("."))
}

/// Removes what hosts that were killed left below `parent`: once for each place in the life of this process, in a thread of its own, because
/// nobody should wait for that.
fn sweep_once(parent: &Path) {
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

fn sweep(parent: &Path) -> io::Result<()> {
    let mut budget = ENTRIES;
    for entry in std::fs::read_dir(parent)? {
        let name = entry?.file_name();
        if is_our_name(name.as_bytes())
            && let Some(stale) = stale(parent.join(name))
        {
            tracing::debug!(path = ?Escaped::path(&stale.path), "removing the private directory of a host that is gone");
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
    (ours && marked && !locked()).then_some(Leftover { path, handle })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixListener;
    use std::time::{Duration, Instant};

    use tempfile::TempDir;

    use super::*;

    /// A place of our own: a sticky, world-writable directory like `/tmp`.
    fn place() -> TempDir {
        let place = tempfile::Builder::new().prefix("p").tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o1777)).unwrap();
        place
    }

    fn entries(path: &Path) -> usize {
        fs::read_dir(path).unwrap().count()
    }

    fn eventually(condition: impl Fn() -> bool) {
        let started = Instant::now();
        while !condition() {
            assert!(started.elapsed() < Duration::from_secs(30), "never happened");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn it_is_private_and_a_socket_in_it_is_gone_with_it_at_once() {
        let place = place();
        let directory = PrivateDirectory::create(place.path()).unwrap();
        assert_eq!(fs::metadata(directory.path()).unwrap().mode() & 0o7777, 0o700);
        let _socket = UnixListener::bind(directory.path().join("plugin.sock")).unwrap();
        drop(directory);
        assert_eq!(entries(place.path()), 0);
    }

    #[test]
    fn whatever_a_plugin_left_in_it_is_removed_and_no_link_is_followed() {
        let place = place();
        let directory = PrivateDirectory::create(place.path()).unwrap();
        fs::create_dir_all(directory.path().join("a/b")).unwrap();
        fs::write(directory.path().join("a/b/file"), "x").unwrap();
        for closed in ["a/b", "a"] {
            fs::set_permissions(directory.path().join(closed), Permissions::from_mode(0o0)).unwrap();
        }
        let outside = place.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("keep"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, directory.path().join("link")).unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o0)).unwrap();
        drop(directory);
        eventually(|| entries(place.path()) == 1);
        assert!(outside.join("keep").exists(), "a link was followed");
    }

    #[test]
    fn nesting_without_end_is_left_behind_and_does_no_harm() {
        let place = place();
        let directory = PrivateDirectory::create(place.path()).unwrap();
        let deep = vec!["d"; DEPTH as usize + 8].join("/");
        fs::create_dir_all(directory.path().join(deep)).unwrap();
        let handle = open_directory(CWD, directory.path()).unwrap();
        assert!(empty(handle, DEPTH, &mut 1000).is_err());
    }

    #[test]
    fn files_without_end_are_left_behind() {
        let place = place();
        let directory = PrivateDirectory::create(place.path()).unwrap();
        (0..20).for_each(|number| fs::write(directory.path().join(number.to_string()), "").unwrap());
        assert!(empty(open_directory(CWD, directory.path()).unwrap(), DEPTH, &mut 10).is_err());
        assert!(entries(directory.path()) >= 10);
    }

    #[test]
    fn a_place_where_others_may_rename_is_refused() {
        let place = place();
        fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
        let error = PrivateDirectory::create(place.path()).unwrap_err();
        assert!(matches!(error, LaunchError::UnsafeDirectory { mode: 0o777, .. }), "{error:?}");
    }

    #[test]
    fn a_path_that_cannot_be_an_address_is_refused_and_nothing_is_made() {
        let place = place();
        for (name, too_long) in [("x".repeat(80), true), ("with|bar".into(), false), ("with\nfeed".into(), false)] {
            let path = place.path().join(name);
            fs::create_dir(&path).unwrap();
            match PrivateDirectory::create(&path).unwrap_err() {
                LaunchError::PathTooLong { .. } => assert!(too_long),
                LaunchError::PathCharacters { .. } => assert!(!too_long),
                other => panic!("{other:?}"),
            }
            assert_eq!(entries(&path), 0);
        }
    }

    #[test]
    fn what_a_killed_host_left_is_swept_and_nothing_else() {
        let place = place();
        let live = PrivateDirectory::create(place.path()).unwrap();
        let make = |name: &str, marked: bool, mode: u32| {
            let path = place.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("file"), "").unwrap();
            if marked {
                fs::write(path.join(MARKER), "").unwrap();
            }
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        let too_deep = make("portcullis-000000000000", true, 0o700);
        fs::create_dir_all(too_deep.join(vec!["d"; DEPTH as usize + 8].join("/"))).unwrap();
        let stale: Vec<_> =
            ["portcullis-aaaaaaaaaaaa", "portcullis-zzzzzzzzzzzz"].map(|name| make(name, true, 0o700)).into();
        let others = [
            make("portcullis-0.1.0", true, 0o700),
            make("portcullis-bbbbbbbbbbbb", false, 0o700),
            make("portcullis-cccccccccccc", true, 0o755),
            make("somebody-elses", true, 0o700),
        ];
        sweep(place.path()).unwrap();
        assert!(stale.iter().all(|path| !path.exists()), "a stale directory stayed");
        assert!(others.iter().all(|path| path.join("file").exists()), "something else was removed");
        assert!(live.path().exists());
    }
}
