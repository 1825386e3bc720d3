//! Writes files that are complete or absent, even after a power failure. Knows no content.
//!
//! The order of the steps is the guarantee (fsync(2), rename(2)): the content is written to a
//! temporary file in the same directory, that file is synced, it gets its name in one step, and the
//! directory is synced. A crash leaves the old file or the new one, and perhaps a temporary file
//! whose name begins with `.new-`.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// The permission bits of a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "open(2) has no third mode")]
pub enum FileMode {
    /// Exactly these bits, independent of the umask: for secrets, and for files that must be
    /// readable.
    Exact(u32),
    /// These bits without those that the umask clears, as open(2) sets them.
    Masked(u32),
}

/// Writes `bytes` to a new file at `path`. File and name are on disk when this returns.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] if anything is at `path`, a symbolic link too; it is not
/// touched. Any other error if the file cannot be written, or its directory cannot be opened for
/// reading, which a sync needs. No new file is at `path` then. A process that is killed while it
/// writes leaves the content in a file `.new-*` beside `path`, with the same mode.
pub fn create_file(path: &Path, mode: FileMode, bytes: &[u8]) -> io::Result<()> {
    create_file_with(path, mode, |file| file.write_all(bytes))
}

/// [`create_file`] with content that `fill` writes.
pub(crate) fn create_file_with(
    path: &Path,
    mode: FileMode,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    // Opened first: a directory that cannot be synced must fail before anything has changed.
    let directory = File::open(directory_of(path))?;
    write_beside(path, mode, fill)?.persist_noclobber(path).map_err(|error| error.error)?;
    directory.sync_all().inspect_err(|_| {
        // Nothing was at `path` before, so this is the file that was written here.
        let _ = std::fs::remove_file(path);
    })
}

/// Writes `bytes` to `path` in place of the file that is there, if one is. File and name are on
/// disk when this returns. A symbolic link at `path` is replaced, not followed.
///
/// # Errors
///
/// If the file cannot be written, or its directory cannot be opened for reading, which a sync
/// needs. The old file is untouched then, unless only the last step failed: then the new file is at
/// `path`, and a crash may still bring the old one back.
pub fn replace_file(path: &Path, mode: FileMode, bytes: &[u8]) -> io::Result<()> {
    let directory = File::open(directory_of(path))?;
    write_beside(path, mode, |file| file.write_all(bytes))?.persist(path).map_err(|error| error.error)?;
    directory.sync_all()
}

/// The directory that contains `path`: the working directory, `.`, for a bare file name.
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes new and changed names in the directory of `path` durable.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

/// A synced temporary file in the directory of `path`, removed when it is dropped.
fn write_beside(
    path: &Path,
    mode: FileMode,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<NamedTempFile> {
    // The mode that open(2) gets, from which it clears the bits of the umask. A file with an exact
    // mode starts closed, so that a secret is never readable by others in between.
    let opened_with = match mode {
        FileMode::Exact(_) => 0o600,
        FileMode::Masked(bits) => bits,
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(opened_with);
    // `make_in` and not `tempfile_in`, whose errors name the temporary file instead of `path`.
    let mut file = tempfile::Builder::new().prefix(".new-").make_in(directory_of(path), |new| options.open(new))?;
    if let FileMode::Exact(bits) = mode {
        file.as_file().set_permissions(Permissions::from_mode(bits))?;
    }
    fill(file.as_file_mut())?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    const PRIVATE: FileMode = FileMode::Exact(0o600);

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn file_is_created_once_and_replaced_whole() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        create_file(&path, FileMode::Exact(0o640), b"first").unwrap();
        assert_eq!(create_file(&path, PRIVATE, b"other").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((std::fs::read(&path).unwrap(), mode(&path)), (b"first".to_vec(), 0o640));
        replace_file(&path, PRIVATE, b"second").unwrap();
        assert_eq!((std::fs::read(&path).unwrap(), mode(&path)), (b"second".to_vec(), 0o600));
        assert_eq!(names(place.path()), ["file"]);
    }

    #[test]
    fn failed_write_leaves_the_old_file() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        let failing = |file: &mut File| {
            file.write_all(b"half")?;
            Err(io::Error::other("disk on fire"))
        };
        assert_eq!(create_file_with(&path, PRIVATE, failing).unwrap_err().to_string(), "disk on fire");
        assert_eq!(names(place.path()), [""; 0]);
        create_file(&path, PRIVATE, b"old").unwrap();
        assert!(write_beside(&path, PRIVATE, failing).is_err());
        assert_eq!((std::fs::read(&path).unwrap(), names(place.path())), (b"old".to_vec(), vec!["file".into()]));
        // A directory cannot be replaced by a file (rename(2), EISDIR).
        let directory = place.path().join("directory");
        std::fs::create_dir(&directory).unwrap();
        assert!(replace_file(&directory, PRIVATE, b"new").is_err());
        assert_eq!(names(place.path()), ["directory", "file"]);
    }

    #[test]
    fn symlink_is_never_written_through() {
        let place = tempfile::tempdir().unwrap();
        let (link, target) = (place.path().join("link"), place.path().join("target"));
        symlink(&target, &link).unwrap();
        assert_eq!(create_file(&link, PRIVATE, b"new").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(!target.exists());
        replace_file(&link, PRIVATE, b"new").unwrap();
        assert!(!target.exists() && std::fs::symlink_metadata(&link).unwrap().is_file());
    }

    #[test]
    fn only_masked_modes_follow_the_umask() {
        // The umask of a process cannot be read without changing it, so a plain file shows it.
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        File::create(path("plain")).unwrap();
        create_file(&path("masked"), FileMode::Masked(0o666), b"").unwrap();
        create_file(&path("exact"), FileMode::Exact(0o666), b"").unwrap();
        assert_eq!((mode(&path("masked")), mode(&path("exact"))), (mode(&path("plain")), 0o666));
    }

    #[test]
    fn error_does_not_name_the_temporary_file() {
        let place = tempfile::tempdir().unwrap();
        let error = create_file(&place.path().join("none/file"), PRIVATE, b"").unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (io::ErrorKind::NotFound, Some(2)));
        assert!(!error.to_string().contains(".new-"), "{error}");
    }

    #[test]
    fn bare_name_belongs_to_the_working_directory() {
        for (path, directory) in [("name", "."), ("a/name", "a"), ("/name", "/")] {
            assert_eq!(directory_of(Path::new(path)), Path::new(directory));
        }
    }
}
