//! A directory that only this process's user may enter, for as long as a value lives: sockets of
//! one launch, copies of one plugin. Found and removed by a later process if this one is killed.

use std::fs::Permissions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::location::{PREFIX, PlaceFault, RANDOM, trusted};
use super::removal::{self, Leftover, open_directory};
use super::sweep::sweep_once;

/// In each of our directories, so that a directory which merely has such a name is never taken for
/// one.
pub(super) const MARKER: &str = ".portcullis";

/// How often another directory is made because the last one was taken away at once.
const ATTEMPTS: u32 = 16;

/// A directory with mode 0700 that lives as long as this value.
///
/// It is locked (flock(2)) meanwhile, so that a later host can tell the directory of a live host
/// from one that a killed host left behind, and remove the latter.
#[derive(Debug)]
pub(crate) struct PrivateDirectory {
    path: PathBuf,
    /// There until the drop. Holds the lock.
    handle: Option<OwnedFd>,
    removal: Removal,
}

/// Who removes what is in a directory when it is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removal {
    /// A few sockets go at once; anything else takes a thread of its own, because a plugin may have
    /// left it there.
    Patient,
    /// The drop itself, because we put it there and this process may be about to end; so many
    /// entries, and a thread goes on with what is more.
    AtOnce(u32),
}

impl PrivateDirectory {
    /// Makes a directory below `parent`, in which nobody else may be able to rename or remove it.
    pub(crate) fn create(parent: &Path) -> Result<Self, PlaceFault> {
        let parent = trusted(parent)?;
        sweep_once(&parent);
        for _ in 0..ATTEMPTS {
            if let Some(directory) = Self::try_create(&parent).map_err(PlaceFault::Io)? {
                return Ok(directory);
            }
        }
        Err(PlaceFault::Io(io::Error::other("somebody locks each new directory there at once")))
    }

    /// For `entries` files and directories of our own: they are gone when the drop is over.
    pub(crate) fn removed_at_once(mut self, entries: usize) -> Self {
        // With our marker, and a little of what may have come to them.
        self.removal = Removal::AtOnce(u32::try_from(entries).unwrap_or(u32::MAX).saturating_add(16));
        self
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
        Ok(Some(Self { path: made.keep(), handle: Some(handle), removal: Removal::Patient }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        let path = std::mem::take(&mut self.path);
        match self.removal {
            Removal::AtOnce(entries) => Leftover::new(path, handle).remove_at_once(entries),
            Removal::Patient if removal::remove_quickly(handle.as_fd(), &path) => {}
            Removal::Patient => removal::remove_in_a_while(Leftover::new(path, handle)),
        }
    }
}
