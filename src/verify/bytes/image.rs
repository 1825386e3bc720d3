//! The bytes that will run: copied to storage where they cannot change, then hashed there. Does not
//! judge the digest.

use std::ffi::CString;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
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

/// How the verified bytes are protected against changes between hashing and execution.
///
/// The caller chooses the mode, and reports name it. If a mode is unavailable, verification fails;
/// it never falls back to another mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecMode {
    /// A copy in sealed memory (memfd_create(2), fcntl(2) `F_ADD_SEALS`). No process can change it,
    /// not even this one.
    Sealed,
    /// A copy on disk in a directory that only this process's user may enter. For machines that do
    /// not execute memory, and for plugins that open their own file. Another process of the same
    /// user can change it.
    PrivateCopy,
    /// The file itself, kept open. Replacing the path has no effect; writing to the file changes
    /// the bytes that run.
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

/// An executable in its final storage, with the digest of the bytes there.
#[derive(Debug)]
pub(crate) struct ProgramImage {
    /// The descriptor for execveat(2).
    pub(crate) file: File,
    pub(crate) digest: Digest,
    pub(crate) mode: ExecMode,
    pub(crate) size: u64,
    /// The directory of a private copy. Dropping it removes the copy.
    directory: Option<PrivateDirectory>,
}

impl ProgramImage {
    /// Refuses files that the kernel does not execute directly. Checks the image, not the original
    /// file.
    pub(crate) fn check_format(&self) -> Result<(), ExamineError> {
        format::check(&self.file)
    }

    /// Makes the sealed image executable and unreadable. If the host is not root, the kernel then
    /// makes the plugin non-dumpable from its first instruction: other processes of the same user
    /// can neither attach to it nor read its environment (proc(5), ptrace(2)).
    ///
    /// Call it before each launch: seals do not cover the read permission, and a plugin can change
    /// the mode of its own image.
    pub(crate) fn make_execute_only(&self) -> io::Result<()> {
        match self.mode {
            ExecMode::Sealed => self.file.set_permissions(Permissions::from_mode(0o111)),
            _ => Ok(()),
        }
    }

    /// Removes a private copy from disk, for a program that replaces this process, which then
    /// cannot remove it later. The descriptor keeps the bytes.
    pub(crate) fn remove_from_disk(&self) -> io::Result<()> {
        match &self.directory {
            Some(directory) => std::fs::remove_dir_all(directory.path()),
            None => Ok(()),
        }
    }

    /// Copies the file into memory, seals the memory, then hashes it. Hashing comes last: only
    /// sealed bytes cannot change after the hash.
    pub(crate) fn sealed(source: &PluginFile, name: &Path) -> Result<Self, ExamineError> {
        let file = memory(name)?;
        let size = source.copy_to(&file)?;
        let image = Self { file, digest: Digest::of([]), mode: ExecMode::Sealed, size, directory: None };
        image.make_execute_only().map_err(ExamineError::io("making its image executable"))?;
        seal(&image.file).map_err(ExamineError::io("sealing its image"))?;
        let digest = hash_sealed(&image.file).map_err(ExamineError::io("hashing its image"))?;
        Ok(Self { digest, ..image })
    }

    /// Copies the file into a new private directory below `place`, closes the copy, then hashes it.
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

    /// Keeps the file itself. Refuses a file that users other than root and this process's user may
    /// write.
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
    /// Hashes a file of a bundle, which is already a private copy and closed for writing. The
    /// caller keeps the bundle.
    pub(crate) fn copied(source: PluginFile, directory: &Path) -> Result<Self, ExamineError> {
        if is_noexec(&source.file).map_err(ExamineError::io("looking at the mount of its private copy"))? {
            return Err(Refusal::CopyNotExecutable { directory: directory.to_path_buf() }.into());
        }
        let (digest, size) = Digest::with_size(&source.file).map_err(ExamineError::io("hashing its private copy"))?;
        Ok(Self { file: source.file, digest, mode: ExecMode::PrivateCopy, size, directory: None })
    }
}

/// A new private directory for copies below `place`.
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
    // memfd_create(2) allows a name of 249 bytes. A file name has no NUL byte.
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

/// Makes an empty sealed image in the same way as any other, to test whether this machine can.
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
    let add = |seals| retrying_while_busy(|| rustix::fs::fcntl_add_seals(file, seals));
    match add(seals | SealFlags::EXEC) {
        // Linux before 6.3 cannot seal the permission bits. They only decide who may execute the
        // file, so the other seals suffice.
        Err(Errno::INVAL) => add(seals)?,
        other => other?,
    }
    if rustix::fs::fcntl_get_seals(file)?.contains(seals) {
        Ok(())
    } else {
        Err(io::Error::other("the kernel did not keep the seals"))
    }
}

/// Hashes sealed memory through a mapping, without a copy; or as a file if mapping fails.
fn hash_sealed(file: &File) -> io::Result<Digest> {
    match Mapping::of_sealed(file) {
        Ok(bytes) => Ok(Digest::of(bytes)),
        Err(_) => Digest::of_file(file),
    }
}

/// Repeats `attempt` while it fails with EBUSY. The kernel cannot seal memory while it migrates the
/// pages (fcntl(2)); on a busy machine that happens, for milliseconds.
fn retrying_while_busy(mut attempt: impl FnMut() -> rustix::io::Result<()>) -> rustix::io::Result<()> {
    for _ in 1..limits::SEAL_ATTEMPTS {
        match attempt() {
            Err(Errno::BUSY) => std::thread::sleep(timing::SEAL_PAUSE),
            other => return other,
        }
    }
    attempt()
}

/// Writes the copy and returns its metadata and size. Closes the descriptor, because the kernel
/// does not execute a file that is open for writing (ETXTBSY).
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

/// Checks that the file opened by path is the file that was written.
pub(crate) fn same_file(opened: &File, written: &Metadata) -> io::Result<()> {
    let opened = opened.metadata()?;
    let identity = |of: &Metadata| (of.dev(), of.ino(), of.uid(), of.mode(), of.nlink());
    if identity(&opened) == identity(written) && written.nlink() == 1 {
        Ok(())
    } else {
        Err(io::Error::other("the file was replaced by another one"))
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
    fn every_seal_is_requested_explicitly() {
        let file = memory(Path::new("image")).unwrap();
        // For an executable file F_SEAL_EXEC implies the other seals (fcntl(2)), so this test uses
        // one that is not executable.
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
            retrying_while_busy(|| attempts.next().map_or(Ok(()), |_| Err(Errno::BUSY)))
        };
        assert_eq!(busy_for(3), Ok(()));
        assert_eq!(busy_for(limits::SEAL_ATTEMPTS), Err(Errno::BUSY));
        assert_eq!(retrying_while_busy(|| Err(Errno::INVAL)), Err(Errno::INVAL));
    }
}
