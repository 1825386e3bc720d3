//! The bytes that will run: brought to a place where they can no longer change, then hashed there.
//! Decides nothing about the digest.

use std::ffi::CString;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, io};

use rustix::fs::{MemfdFlags, OFlags, SealFlags};
use rustix::io::Errno;

use crate::Digest;
use crate::fs::{LocationError, Ownership, PrivateDirectory};
use crate::limits::verify as limits;
use crate::sys::Mapping;
use crate::timing::verify as timing;
use crate::verify::bytes::format;
use crate::verify::bytes::plugin_file::{PluginFile, is_noexec};
use crate::verify::decision::error::ExamineError;
use crate::verify::{Refusal, VerifyError};

/// How the verified bytes are kept unchanged between the moment they are hashed and the moment they
/// run.
///
/// Chosen by the caller and reported; never changed silently when it cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecMode {
    /// A copy in sealed memory (memfd_create(2), fcntl(2) `F_ADD_SEALS`), which nobody can change,
    /// not even this process.
    Sealed,
    /// A copy on disk in a directory that only this process's user may enter. For machines that
    /// forbid executing memory, and for plugins that look for themselves on disk. Another process
    /// of the same user could change it.
    PrivateCopy,
    /// The file itself, kept open: proof against replacement by name, not against a writer of the
    /// file.
    PinnedFd,
}

impl fmt::Display for ExecMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sealed => "sealed",
            Self::PrivateCopy => "private copy",
            Self::PinnedFd => "pinned descriptor",
        })
    }
}

/// An executable in its final place, with the digest of what lies there.
#[derive(Debug)]
pub(crate) struct ProgramImage {
    /// What execveat(2) is given.
    pub(crate) file: File,
    pub(crate) digest: Digest,
    pub(crate) mode: ExecMode,
    pub(crate) size: u64,
    /// Holds a private copy's directory for as long as the image may be launched.
    directory: Option<PrivateDirectory>,
}

impl ProgramImage {
    /// Refuses what the kernel would not run by itself. Looks at the image, not at the file that it
    /// came from.
    pub(crate) fn check_format(&self) -> Result<(), ExamineError> {
        format::check(&self.file)
    }

    /// Lets the sealed image be executed and not read. For a host that is not root the kernel then
    /// makes the plugin non-dumpable from its first instruction, so that other processes of the
    /// same user can neither attach to it nor read its environment (proc(5), ptrace(2)).
    ///
    /// Seals do not cover the permission to read, and a plugin may change that of its own image: to
    /// be called before each launch.
    pub(crate) fn make_execute_only(&self) -> io::Result<()> {
        match self.mode {
            ExecMode::Sealed => self.file.set_permissions(Permissions::from_mode(0o111)),
            _ => Ok(()),
        }
    }

    /// Takes a private copy off the disk, for a program that runs when nobody is left to do so. The
    /// descriptor keeps the bytes.
    pub(crate) fn remove_from_disk(&self) -> io::Result<()> {
        match &self.directory {
            Some(directory) => std::fs::remove_dir_all(directory.path()),
            None => Ok(()),
        }
    }

    /// Copies into memory, seals, then hashes what is sealed: from then on it cannot change.
    pub(crate) fn sealed(source: &PluginFile, name: &Path) -> Result<Self, ExamineError> {
        let file = memory(name)?;
        let size = source.copy_to(&file)?;
        let image = Self { file, digest: Digest::of([]), mode: ExecMode::Sealed, size, directory: None };
        image.make_execute_only().map_err(ExamineError::io("making its image executable"))?;
        seal(&image.file).map_err(ExamineError::io("sealing its image"))?;
        let digest = hash_sealed(&image.file).map_err(ExamineError::io("hashing its image"))?;
        Ok(Self { digest, ..image })
    }

    /// Copies to a directory of its own below `place`, closes the copy for writing, then hashes it.
    pub(crate) fn private_copy(source: &PluginFile, name: &Path, place: &Path) -> Result<Self, ExamineError> {
        let directory = private_directory(place)?.removed_on_drop(1);
        let path = directory.path().join(file_name(name));
        let (written, size) = write_copy(source, &path)?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(&path)
            .map_err(ExamineError::io("opening its private copy"))?;
        same_file(&file, &written).map_err(ExamineError::io("finding its private copy again"))?;
        if is_noexec(&file).map_err(ExamineError::io("looking at the mount of its private copy"))? {
            return Err(Refusal::CopyNotExecutable { directory: place.to_path_buf() }.into());
        }
        let digest = Digest::of_file(&file).map_err(ExamineError::io("hashing its private copy"))?;
        Ok(Self { file, digest, mode: ExecMode::PrivateCopy, size, directory: Some(directory) })
    }

    /// Keeps the file itself, if nobody but root and this user may write it.
    pub(crate) fn pinned(source: PluginFile) -> Result<Self, ExamineError> {
        if Ownership::new(source.owner, source.mode).others_can_write() {
            return Err(Refusal::WritableByOthers { mode: source.mode, owner: source.owner }.into());
        }
        let digest = Digest::of_file(&source.file).map_err(ExamineError::io("hashing it"))?;
        let size = source.file.metadata().map_err(ExamineError::io("looking at it"))?.size();
        Ok(Self { file: source.file, digest, mode: ExecMode::PinnedFd, size, directory: None })
    }
}

impl ProgramImage {
    /// Takes a private copy that was made and closed for writing already, as part of a bundle that
    /// is held elsewhere, and hashes what it took.
    pub(crate) fn copied(source: PluginFile, directory: &Path) -> Result<Self, ExamineError> {
        if is_noexec(&source.file).map_err(ExamineError::io("looking at the mount of its private copy"))? {
            return Err(Refusal::CopyNotExecutable { directory: directory.to_path_buf() }.into());
        }
        let (digest, size) = Digest::with_size(&source.file).map_err(ExamineError::io("hashing its private copy"))?;
        Ok(Self { file: source.file, digest, mode: ExecMode::PrivateCopy, size, directory: None })
    }
}

/// A directory for copies below `place`.
pub(crate) fn private_directory(place: &Path) -> Result<PrivateDirectory, ExamineError> {
    PrivateDirectory::create(place).map_err(|fault| match fault {
        LocationError::WritableByOthers { directory, owner, mode } => {
            Refusal::OpenDirectory { directory, owner, mode }.into()
        }
        LocationError::Io(error) => ExamineError::io("making a directory for its private copy")(error),
    })
}

/// An empty file in memory that can be executed and sealed.
fn memory(name: &Path) -> Result<File, ExamineError> {
    // The kernel shows at most 249 bytes of it (memfd_create(2)), and a file name holds no NUL.
    let name = name.file_name().unwrap_or_default().as_bytes();
    let name = CString::new(&name[..name.len().min(200)]).unwrap_or_default();
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let created = match rustix::fs::memfd_create(&name, flags | MemfdFlags::EXEC) {
        // Before Linux 6.3 the flag was unknown and every memfd executable.
        Err(Errno::INVAL) => rustix::fs::memfd_create(&name, flags),
        other => other,
    };
    match created {
        Ok(descriptor) => Ok(File::from(descriptor)),
        Err(Errno::ACCESS) => Err(Refusal::SealedExecUnavailable.into()),
        Err(error) => Err(ExamineError::io("making an image in memory")(error)),
    }
}

/// An empty sealed image, made as every other, to see whether this machine makes such a thing.
pub(crate) fn try_sealing() -> Result<File, VerifyError> {
    let name = Path::new("an empty image");
    let sealed = || {
        let file = memory(name)?;
        file.set_permissions(Permissions::from_mode(0o111)).map_err(ExamineError::io("making it executable"))?;
        seal(&file).map_err(ExamineError::io("sealing it"))?;
        Ok(file)
    };
    sealed().map_err(|error: ExamineError| error.at(name))
}

fn seal(file: &File) -> io::Result<()> {
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    let add = |seals| patiently(|| rustix::fs::fcntl_add_seals(file, seals));
    match add(seals | SealFlags::EXEC) {
        // Before Linux 6.3 the permission bits could not be sealed; they only decide who may
        // execute.
        Err(Errno::INVAL) => add(seals)?,
        other => other?,
    }
    if rustix::fs::fcntl_get_seals(file)?.contains(seals) {
        Ok(())
    } else {
        Err(io::Error::other("the kernel did not keep the seals"))
    }
}

/// Hashes sealed memory where it lies, or, where that cannot be mapped, as any other file.
fn hash_sealed(file: &File) -> io::Result<Digest> {
    match Mapping::of_sealed(file) {
        Ok(bytes) => Ok(Digest::of(bytes)),
        Err(_) => Digest::of_file(file),
    }
}

/// Memory that the kernel is just moving about cannot be sealed (fcntl(2), `EBUSY`). On a machine
/// with much to do that happens, and it does not last.
fn patiently(mut attempt: impl FnMut() -> rustix::io::Result<()>) -> rustix::io::Result<()> {
    for _ in 1..limits::SEAL_ATTEMPTS {
        match attempt() {
            Err(Errno::BUSY) => std::thread::sleep(timing::SEAL_PAUSE),
            other => return other,
        }
    }
    attempt()
}

/// Writes the copy, and returns what it was written to: the descriptor for writing is closed,
/// because a file that is open for writing cannot be executed.
fn write_copy(source: &PluginFile, path: &Path) -> Result<(Metadata, u64), ExamineError> {
    let copy = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(ExamineError::io("making its private copy"))?;
    let size = source.copy_to(&copy)?;
    copy.set_permissions(Permissions::from_mode(0o500))
        .map_err(ExamineError::io("making its private copy executable"))?;
    Ok((copy.metadata().map_err(ExamineError::io("looking at its private copy"))?, size))
}

/// Makes sure that what was opened by path is what was written.
pub(crate) fn same_file(opened: &File, written: &Metadata) -> io::Result<()> {
    let opened = opened.metadata()?;
    let identity = |of: &Metadata| (of.dev(), of.ino(), of.uid(), of.mode(), of.nlink());
    if identity(&opened) == identity(written) && written.nlink() == 1 {
        Ok(())
    } else {
        Err(io::Error::other("another file has taken its place"))
    }
}

fn file_name(path: &Path) -> PathBuf {
    path.file_name().map_or_else(|| "plugin".into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn every_seal_is_asked_for_by_itself() {
        let file = memory(Path::new("image")).unwrap();
        // Sealing that a file may be executed implies the other seals, for one that may be
        // (fcntl(2), F_SEAL_EXEC).
        file.set_permissions(Permissions::from_mode(0o600)).unwrap();
        seal(&file).unwrap();
        let seals = rustix::fs::fcntl_get_seals(&file).unwrap();
        assert!(seals.contains(SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL), "{seals:?}");
    }

    #[test]
    fn only_sealed_memory_is_mapped_for_hashing() {
        let mut content = vec![0; 3 * 4096 + 17];
        content.iter_mut().zip(0_u32..).for_each(|(byte, index)| *byte = (index % 251) as u8);
        let file = memory(Path::new("image")).unwrap();
        file.write_all_at(&content, 0).unwrap();
        assert!(Mapping::of_sealed(&file).is_err());
        assert!(Mapping::of_sealed(&File::open("/proc/self/exe").unwrap()).is_err());
        seal(&file).unwrap();
        assert_eq!(Mapping::of_sealed(&file).unwrap().as_ref(), content);
        assert_eq!(hash_sealed(&file).unwrap(), Digest::of(&content));
    }

    #[test]
    fn empty_sealed_memory_is_hashed_unmapped() {
        let file = memory(Path::new("image")).unwrap();
        seal(&file).unwrap();
        assert_eq!(hash_sealed(&file).unwrap(), Digest::of([]));
    }

    #[test]
    fn busy_memory_is_sealed_later_or_given_up() {
        let busy_for = |times| {
            let mut attempts = 0..times;
            patiently(|| attempts.next().map_or(Ok(()), |_| Err(Errno::BUSY)))
        };
        assert_eq!(busy_for(3), Ok(()));
        assert_eq!(busy_for(limits::SEAL_ATTEMPTS), Err(Errno::BUSY));
        assert_eq!(patiently(|| Err(Errno::INVAL)), Err(Errno::INVAL));
    }
}
