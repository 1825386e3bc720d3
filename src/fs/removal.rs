//! Removes private directories and their contents, within bounds and without following symbolic
//! links: in the calling thread, or in the remover thread.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::private_directory::MARKER;
use crate::Escaped;
use crate::limits::fs::{QUICK_ENTRIES, REMOVAL_DEPTH, REMOVAL_ENTRIES};
use crate::worker::Worker;

static REMOVER: Worker<Leftover> = Worker::new("portcullis-remover", |leftovers| {
    while let Ok(leftover) = leftovers.recv() {
        leftover.remove();
    }
});

/// Hands a directory to the remover thread. A failure is logged.
pub(super) fn remove_in_background(leftover: Leftover) {
    if let Err(error) = REMOVER.send(leftover) {
        tracing::warn!(%error, "cannot start the thread that removes private directories");
    }
}

/// A private directory that is still to be removed.
#[derive(Debug)]
pub(super) struct Leftover {
    path: PathBuf,
    /// Holds the lock.
    handle: OwnedFd,
}

impl Leftover {
    pub(super) fn new(path: PathBuf, handle: OwnedFd) -> Self {
        Self { path, handle }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn remove(self) {
        self.remove_within(&mut REMOVAL_ENTRIES.clone());
    }

    /// Removes up to `entries` entries, and hands the rest to the remover thread.
    pub(super) fn remove_now(self, mut entries: u32) {
        // A second descriptor, because reading moves the position of the first one, from which the
        // thread would go on, and because the first one holds the lock.
        let opened = open_directory(self.handle.as_fd(), Path::new("."));
        let emptied = opened.and_then(|directory| empty(directory, REMOVAL_DEPTH, &mut entries));
        if emptied.and_then(|()| std::fs::remove_dir(&self.path)).is_err() {
            remove_in_background(self);
        }
    }

    /// Removes it, and counts each entry against `budget`. A failure is logged.
    pub(super) fn remove_within(self, budget: &mut u32) {
        let Self { path, handle } = self;
        if let Err(error) = empty(handle, REMOVAL_DEPTH, budget).and_then(|()| std::fs::remove_dir(&path)) {
            tracing::warn!(path = ?Escaped::path(&path), %error, "cannot remove a private directory");
        }
    }
}

pub(super) fn open_directory(at: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, path, flags, Mode::empty())?)
}

/// Removes a directory that holds only the marker and a few sockets, as nearly all do. Returns
/// false if it holds more: unlinking a large file takes long, and a drop may run on an asynchronous
/// thread.
pub(super) fn remove_quickly(handle: BorrowedFd<'_>, path: &Path) -> bool {
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

/// Removes everything in `directory`, and counts each entry against `budget`.
pub(super) fn empty(directory: OwnedFd, depth: u32, budget: &mut u32) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other(format!("it contains directories more than {REMOVAL_DEPTH} levels deep")));
    }
    // The entries of a directory that its owner may not write cannot be removed.
    rustix::fs::fchmod(&directory, Mode::RWXU)?;
    let mut entries = Dir::new(directory)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        *budget = budget.checked_sub(1).ok_or_else(|| io::Error::other("it contains too many files"))?;
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

/// Opens a directory whose mode may forbid its owner to open it.
fn open_closed_directory(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = rustix::fs::openat(at, name, flags, Mode::empty())?;
    // chmod(2) through the descriptor changes exactly this directory, even if its name leads to
    // another one by now. fchmod(2) rejects a descriptor that was opened with O_PATH.
    rustix::fs::chmod(format!("/proc/self/fd/{}", found.as_raw_fd()), Mode::RWXU)?;
    open_directory(found.as_fd(), Path::new("."))
}
