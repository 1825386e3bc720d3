//! A directory that only this process's user may enter and that exists as long as a value: for the
//! sockets of one launch, or the copies of one plugin. A later process removes it if this one is
//! killed.

use std::fs::Permissions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::Ownership;
use super::removal::{self, Leftover, open_directory};
use super::sweep::sweep_once;
use super::trusted_path::{LocationError, trusted_directory};
use crate::limits::fs::{CREATE_ATTEMPTS, ENTRIES_MARGIN, SOCKET_DIRECTORY_BYTES};

/// The name of a private directory is this prefix and [`RANDOM`] random letters and digits.
pub(super) const PREFIX: &str = "portcullis-";
pub(super) const RANDOM: usize = 12;

/// An empty file in each private directory. A directory that merely has a matching name lacks it,
/// and is never removed.
pub(super) const MARKER: &str = ".portcullis";

/// A directory with mode 0700, removed when this value is dropped.
///
/// It stays locked (flock(2)) until then. A later host that finds it unlocked knows that its host
/// was killed, and removes it.
#[derive(Debug)]
pub(crate) struct PrivateDirectory {
    path: PathBuf,
    /// Holds the lock. `Some` until the drop.
    handle: Option<OwnedFd>,
    removal: Removal,
}

/// Which thread removes the entries when the directory is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removal {
    /// The drop removes a few sockets. Anything else goes to the remover thread, because a plugin
    /// may have left any amount of it.
    Background,
    /// The drop removes up to this many entries, because this process created them and may be about
    /// to end. The remover thread gets the rest.
    OnDrop(u32),
}

impl PrivateDirectory {
    /// Creates a directory in `parent`, and removes the directories there that killed hosts left.
    ///
    /// # Errors
    ///
    /// If others could rename the new directory or one above it, or it cannot be created.
    pub(crate) fn create(parent: &Path) -> Result<Self, LocationError> {
        let parent = trusted_directory(parent)?;
        sweep_once(&parent);
        for _ in 0..CREATE_ATTEMPTS {
            if let Some(directory) = Self::try_create(&parent).map_err(LocationError::Io)? {
                return Ok(directory);
            }
        }
        Err(LocationError::Io(io::Error::other("another process keeps locking each new private directory there")))
    }

    /// Makes the drop itself remove `entries` files and directories.
    pub(crate) fn removed_on_drop(mut self, entries: usize) -> Self {
        self.removal = Removal::OnDrop(u32::try_from(entries).unwrap_or(u32::MAX).saturating_add(ENTRIES_MARGIN));
        self
    }

    /// `None` if another process locked the new directory first.
    fn try_create(parent: &Path) -> io::Result<Option<Self>> {
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(RANDOM)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let handle = open_directory(CWD, made.path())?;
        // Locked before the marker exists: the sweep of another host removes a marked directory
        // that is not locked.
        match rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let status = rustix::fs::fstat(&handle)?;
        let found = Ownership::new(status.st_uid, status.st_mode);
        if !found.is_own() || found.mode != 0o700 {
            return Err(io::Error::other(
                "a new directory there does not have the owner and mode that it was created with",
            ));
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::openat(&handle, MARKER, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Some(Self { path: made.keep(), handle: Some(handle), removal: Removal::Background }))
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
            Removal::OnDrop(entries) => Leftover::new(path, handle).remove_now(entries),
            Removal::Background if removal::remove_quickly(handle.as_fd(), &path) => {}
            Removal::Background => removal::remove_in_background(Leftover::new(path, handle)),
        }
    }
}

/// Why sockets in private directories below a path could not be addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SocketPathError {
    #[error("its path contains '|' or a line break, which separate the fields and lines of the handshake")]
    Separator,
    #[error("its path is longer than {limit} bytes, so the path of a socket in it would be too long")]
    TooLong { limit: usize },
}

/// Rejects a parent of private directories if the path of a socket in them could not be written in
/// a handshake line or would be too long for an address.
pub(crate) fn check_socket_directory(parent: &Path) -> Result<(), SocketPathError> {
    const LIMIT: usize = SOCKET_DIRECTORY_BYTES - 1 - PREFIX.len() - RANDOM;
    let name = parent.as_os_str().as_bytes();
    if name.iter().any(|byte| matches!(byte, b'|' | b'\n' | b'\r')) {
        Err(SocketPathError::Separator)
    } else if name.len() > LIMIT {
        Err(SocketPathError::TooLong { limit: LIMIT })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
