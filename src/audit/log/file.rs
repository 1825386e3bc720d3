//! A file of a log as its writer holds it: opened by rules that leave it to this user alone, added
//! to at its end, cut back to what is whole. Knows no records.

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

/// A file of a log, to which records are added.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    path: PathBuf,
    /// The length up to which there are records.
    length: u64,
    /// The length that is known to be on the disk.
    durable: u64,
    /// The length up to which it may grow without asking for room.
    allocated: u64,
    /// Whether something may lie behind `length` that does not belong there.
    has_tail: bool,
    /// Whether its name may not be on the disk yet.
    name_unsynced: bool,
    #[cfg(test)]
    pub(super) faults: std::sync::Arc<super::tests::Faults>,
}

impl LogFile {
    /// Makes a new file. There must be nothing at `path`.
    pub(super) fn create(path: &Path) -> Result<Self, LogOpenError> {
        let failed = |source: io::Error| LogOpenError::Io { path: path.to_path_buf(), source };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            File::from(rustix::fs::openat(CWD, path, flags, Mode::RUSR | Mode::WUSR).map_err(|e| failed(e.into()))?);
        // Whatever the umask was.
        file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self::new(file, path, 0))
    }

    /// Opens a file that is there. `None` if nothing is.
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

    /// The length up to which there are records.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Makes sure that `room` bytes can be added without asking the disk for more. True if it is
    /// so; false if this file system cannot tell.
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
                // There may be room for less.
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

    /// Adds `bytes`, all of them or none, on the disk when this returns if `durably`. What could
    /// not be written is cut off, now or before the next attempt.
    ///
    /// If the disk did not take what was added before either, that is cut off too:
    /// [`length`](Self::length) says where the records end.
    pub(super) fn append(&mut self, bytes: &[u8], durably: bool) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.truncate_tail()?;
        self.check_identity()?;
        self.has_tail = true;
        if let Err(error) = self.write(bytes) {
            // Should this fail too, the next attempt begins with it.
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

    /// Refuses to write where nobody would look for it, or behind what somebody else did to the
    /// file.
    fn check_identity(&self) -> io::Result<()> {
        let (file, named) = (self.file.metadata()?, std::fs::symlink_metadata(&self.path)?);
        if (file.dev(), file.ino()) != (named.dev(), named.ino()) {
            return Err(io::Error::other("the file of the log was taken away, and another is in its place"));
        }
        if file.len() != self.length {
            return Err(io::Error::other("the file of the log was written to or cut by somebody else"));
        }
        Ok(())
    }

    /// Waits until what was added is on the disk. If this fails what was added since the last time
    /// is cut off: the system may have dropped it already (fsync(2)), and would not say so twice.
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
        if self.name_unsynced {
            sync_directory_of(&self.path)?;
            self.name_unsynced = false;
        }
        Ok(())
    }

    /// The file has this name now.
    pub(super) fn renamed(&mut self, path: &Path) {
        self.path = path.to_path_buf();
        self.name_unsynced = true;
    }

    /// Gives back the room that was reserved and not needed.
    pub(super) fn trim(&self) {
        // It is the system's to use, and costs nobody anything meanwhile.
        if !self.has_tail && self.allocated > self.length {
            let _ = self.file.set_len(self.length);
        }
    }

    /// Cuts off what lies behind the records.
    fn truncate_tail(&mut self) -> io::Result<()> {
        if self.has_tail {
            // Cutting gives the room back that was reserved.
            if self.file.metadata()?.len() > self.length {
                self.truncate(self.length)?;
            }
            self.has_tail = false;
        }
        Ok(())
    }

    /// Cuts the file to `length`.
    pub(super) fn truncate(&mut self, length: u64) -> io::Result<()> {
        #[cfg(test)]
        self.faults.cut()?;
        self.file.set_len(length)?;
        (self.length, self.durable, self.allocated) = (length, length.min(self.durable), length);
        Ok(())
    }
}

/// Opens a file that must be a log's: regular, of this user alone, never executable, with one name.
/// `None` if nothing is there.
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
    // Not root's either: this process must be able to add records, and only this user may.
    if !found.is_own() || mode & !0o600 != 0 || links != 1 {
        return Err(LogOpenError::Exposed { path: path.to_path_buf(), owner, mode, links });
    }
    Ok(Some(file))
}

/// The right to write a log. Held until it is dropped, or the process ends.
#[derive(Debug)]
pub(super) struct WriterLock {
    _lock: File,
}

impl WriterLock {
    /// Takes it, by locking the file `<log>.lock` (flock(2)), which stays.
    pub(super) fn acquire(log: &Path) -> Result<Self, LogOpenError> {
        let path = beside(log, ".lock");
        let lock = match open(&path, OFlags::RDWR)? {
            Some(lock) => lock,
            None => match LogFile::create(&path) {
                Ok(made) => made.file,
                // Somebody else was faster.
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
