//! A file of a log: opened only if this user alone can access it, appended to, truncated after a
//! failure; and the writer lock. Knows no records.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FallocateFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::error::LogOpenError;
use crate::audit::evidence::segments::beside;
use crate::fs::{Ownership, RegularFileError, Symlinks, open_regular_as, sync_directory_of};
use crate::limits::audit::ALLOCATION_STEP_BYTES;

// Three lengths describe the file.
//
// Bytes up to `durable` survive a crash. Bytes up to `length` are whole lines. Behind `length`, up
// to `allocated`, is space that KEEP_SIZE leaves out of the file size, or the rest of a failed
// write (`has_tail`), which goes before the next write.

/// A file of a log, open for appending.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    path: PathBuf,
    /// The length in bytes of the records.
    length: u64,
    /// The length that was synced.
    durable: u64,
    /// The length up to which disk space is allocated.
    allocated: u64,
    /// Whether a failed write may have left bytes behind `length`.
    has_tail: bool,
    /// Whether the directory entry may not be on disk yet.
    name_unsynced: bool,
    #[cfg(test)]
    pub(super) faults: std::sync::Arc<super::tests::Faults>,
}

impl LogFile {
    /// Creates the file with mode 0600. Fails if `path` exists.
    pub(super) fn create(path: &Path) -> Result<Self, LogOpenError> {
        let failed = |source: io::Error| LogOpenError::Io { path: path.to_path_buf(), source };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            File::from(rustix::fs::openat(CWD, path, flags, Mode::RUSR | Mode::WUSR).map_err(|e| failed(e.into()))?);
        // The umask may have removed bits from the mode of openat(2).
        file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self::new(file, path, 0))
    }

    /// Opens an existing file. `None` if there is none.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, LogOpenError> {
        let Some(file) = open(path, OFlags::RDWR)? else {
            return Ok(None);
        };
        let length = file.metadata().map_err(|source| LogOpenError::Io { path: path.to_path_buf(), source })?.len();
        Ok(Some(Self::new(file, path, length)))
    }

    fn new(file: File, path: &Path, length: u64) -> Self {
        Self {
            file,
            path: path.to_path_buf(),
            length,
            durable: length,
            allocated: length,
            has_tail: false,
            name_unsynced: true,
            #[cfg(test)]
            faults: std::sync::Arc::default(),
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The length in bytes of the records.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Allocates disk space for `bytes` more bytes (fallocate(2)). False if the file system does
    /// not support that.
    pub(super) fn preallocate(&mut self, bytes: u64) -> io::Result<bool> {
        let end = self.length.saturating_add(bytes);
        if end <= self.allocated {
            return Ok(true);
        }
        let rounded = end.next_multiple_of(ALLOCATION_STEP_BYTES);
        let flags = FallocateFlags::KEEP_SIZE;
        for end in [rounded, end] {
            match self.fallocate(flags, end) {
                Ok(()) => {
                    self.allocated = end;
                    return Ok(true);
                }
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(false),
                // There may be space for the exact length, without the rounding.
                Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) if end == rounded => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::NOSPC.into())
    }

    #[cfg(test)]
    pub(super) fn forget_allocation(&mut self) {
        self.allocated = self.length;
    }

    fn fallocate(&self, flags: FallocateFlags, end: u64) -> rustix::io::Result<()> {
        #[cfg(test)]
        self.faults.reserve(end)?;
        let from = self.allocated.max(self.length);
        rustix::io::retry_on_intr(|| rustix::fs::fallocate(&self.file, flags, from, end - from))
    }

    /// Appends all of `bytes` or nothing. With `durably`, they are on disk when this returns. The
    /// rest of a failed write is truncated, now or before the next write.
    ///
    /// A failed sync also truncates earlier bytes that were not synced: [`length`](Self::length) is
    /// the end of the records.
    pub(super) fn append(&mut self, bytes: &[u8], durably: bool) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.truncate_tail()?;
        self.check_identity()?;
        // Set before the write: a partial one leaves bytes behind `length`.
        self.has_tail = true;
        if let Err(error) = self.write(bytes) {
            // If this fails too, the next append starts with it.
            let _ = self.truncate_tail();
            return Err(error);
        }
        self.has_tail = false;
        self.length += bytes.len() as u64;
        if durably { self.sync() } else { Ok(()) }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        let bytes = self.faults.write(&self.file, bytes, self.length)?;
        self.file.write_all_at(bytes, self.length)
    }

    /// Fails if the path no longer leads to this file, or if another process changed its length.
    /// Records would otherwise go to a deleted file, or follow foreign bytes.
    fn check_identity(&self) -> io::Result<()> {
        let (file, named) = (self.file.metadata()?, std::fs::symlink_metadata(&self.path)?);
        if (file.dev(), file.ino()) != (named.dev(), named.ino()) {
            return Err(io::Error::other("the log file was replaced by another file"));
        }
        if file.len() != self.length {
            return Err(io::Error::other("another process changed the length of the log file"));
        }
        Ok(())
    }

    /// Syncs the file. On failure, truncates it to the last synced length: the kernel may have
    /// dropped the dirty pages, and the next fsync(2) would succeed without them.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        match self.try_sync() {
            Ok(()) => {
                self.durable = self.length;
                Ok(())
            }
            Err(error) => {
                self.length = self.durable;
                self.has_tail = true;
                let _ = self.truncate_tail();
                Err(error)
            }
        }
    }

    fn try_sync(&mut self) -> io::Result<()> {
        #[cfg(test)]
        self.faults.sync()?;
        self.file.sync_data()?;
        // After the content: a name that survives a crash leads to a file with its first record.
        if self.name_unsynced {
            sync_directory_of(&self.path)?;
            self.name_unsynced = false;
        }
        Ok(())
    }

    /// Notes the new path after a rename. The next sync includes its directory.
    pub(super) fn renamed(&mut self, path: &Path) {
        self.path = path.to_path_buf();
        self.name_unsynced = true;
    }

    /// Frees disk space that was allocated and not used.
    pub(super) fn trim(&self) {
        // Best effort: on failure the file only takes more space than it needs.
        if !self.has_tail && self.allocated > self.length {
            let _ = self.file.set_len(self.length);
        }
    }

    /// Removes the rest of a failed write.
    fn truncate_tail(&mut self) -> io::Result<()> {
        if self.has_tail {
            // Only if needed: truncating also frees the allocated space.
            if self.file.metadata()?.len() > self.length {
                self.truncate(self.length)?;
            }
            self.has_tail = false;
        }
        Ok(())
    }

    /// Truncates the file to `length` bytes.
    pub(super) fn truncate(&mut self, length: u64) -> io::Result<()> {
        #[cfg(test)]
        self.faults.cut()?;
        self.file.set_len(length)?;
        (self.length, self.durable, self.allocated) = (length, length.min(self.durable), length);
        Ok(())
    }
}

/// Opens a file of a log: regular, owned by this user, mode 0600 or less, one hard link. `None` if
/// there is none.
pub(super) fn open(path: &Path, access: OFlags) -> Result<Option<File>, LogOpenError> {
    let failed = |source: io::Error| LogOpenError::Io { path: path.to_path_buf(), source };
    let file = match open_regular_as(path, Symlinks::Refuse, access) {
        Ok(file) => file,
        Err(RegularFileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(RegularFileError::Io(error)) => return Err(failed(error)),
        Err(RegularFileError::NotRegular { kind }) => {
            return Err(LogOpenError::NotRegular { path: path.to_path_buf(), kind });
        }
    };
    let status = file.metadata().map_err(failed)?;
    let (found, links) = (Ownership::of(&status), status.nlink());
    let Ownership { owner, mode, .. } = found;
    // Not even a file of root passes: the user that writes the log owns it.
    if !found.is_own() || mode & !0o600 != 0 || links != 1 {
        return Err(LogOpenError::Exposed { path: path.to_path_buf(), owner, mode, links });
    }
    Ok(Some(file))
}

/// The exclusive right to write a log, until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct WriterLock {
    _lock: File,
}

impl WriterLock {
    /// Locks the file `<log>.lock` (flock(2)). The file stays: removing it would let two writers
    /// lock two different files. The log itself is not locked, because rotation renames it.
    pub(super) fn acquire(log: &Path) -> Result<Self, LogOpenError> {
        let path = beside(log, ".lock");
        let lock = match open(&path, OFlags::RDWR)? {
            Some(lock) => lock,
            None => match LogFile::create(&path) {
                Ok(made) => made.file,
                // Another process created it first.
                Err(error) => open(&path, OFlags::RDWR)?.ok_or(error)?,
            },
        };
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(Errno::WOULDBLOCK) => Err(LogOpenError::Busy { path: log.to_path_buf() }),
            Err(error) => Err(LogOpenError::Io { path, source: error.into() }),
        }
    }
}
