//! Removes private directories with all that is in them, within bounds and without following a
//! link: at once, or in a thread of its own.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::private_directory::MARKER;
use crate::Escaped;
use crate::worker::Worker;

/// What is removed at once when a directory is dropped: a few sockets. Everything else is for the
/// thread.
const QUICK_ENTRIES: usize = 8;

/// How deep and how much is gone into. A plugin that leaves more leaves it on disk. No files of our
/// own are deeper.
pub(super) const DEPTH: u32 = 40;
pub(super) const ENTRIES: u32 = 10_000;

static REMOVER: Worker<Leftover> = Worker::new("portcullis-remover", |leftovers| {
    while let Ok(leftover) = leftovers.recv() {
        leftover.remove();
    }
});

/// Removes a directory in a thread of its own.
pub(super) fn remove_in_a_while(leftover: Leftover) {
    if let Err(error) = REMOVER.send(leftover) {
        tracing::warn!(%error, "a private directory cannot be removed");
    }
}

/// A directory that is still to be removed.
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

    /// Removes it, without following a link and without going deeper or on longer than the limits.
    pub(super) fn remove(self) {
        self.remove_within(&mut ENTRIES.clone());
    }

    /// Removes so many entries, and leaves what is more to the thread.
    pub(super) fn remove_at_once(self, mut entries: u32) {
        // Opened once more, because the thread reads the directory from its beginning, and under
        // the lock.
        let opened = open_directory(self.handle.as_fd(), Path::new("."));
        let emptied = opened.and_then(|directory| empty(directory, DEPTH, &mut entries));
        if emptied.and_then(|()| std::fs::remove_dir(&self.path)).is_err() {
            remove_in_a_while(self);
        }
    }

    pub(super) fn remove_within(self, budget: &mut u32) {
        let Self { path, handle } = self;
        if let Err(error) = empty(handle, DEPTH, budget).and_then(|()| std::fs::remove_dir(&path)) {
            tracing::warn!(path = ?Escaped::path(&path), %error, "a private directory could not be removed");
        }
    }
}

pub(super) fn open_directory(at: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, path, flags, Mode::empty())?)
}

/// Removes a directory with nothing in it but the marker and a few sockets, as nearly all are.
/// Otherwise it is left to the thread: to remove a large file takes long, and this may run where
/// nothing may.
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

/// Removes everything in a directory.
pub(super) fn empty(directory: OwnedFd, depth: u32, budget: &mut u32) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other("there are directories nested too deeply in it"));
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
        *budget = budget.checked_sub(1).ok_or_else(|| io::Error::other("there are too many files in it"))?;
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
