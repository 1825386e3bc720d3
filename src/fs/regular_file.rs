//! Opens files that must be regular files. Reads nothing.

use std::fs::{File, FileType};
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

/// Whether a symbolic link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a link is followed or not")]
pub enum Symlinks {
    /// The file that the link points to is opened. Its target must be a regular file.
    Follow,
    /// The link is rejected, as a file that is not regular.
    Refuse,
}

/// A path cannot be opened as a regular file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegularFileError {
    /// The system call failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The path leads to something else.
    #[error("expected a regular file, found {kind}")]
    #[non_exhaustive]
    NotRegular {
        /// The kind of file that was found, with its article: "a directory", "a FIFO", "a device".
        kind: &'static str,
    },
}

/// Opens the regular file at `path` for reading.
///
/// Never blocks, and has no effect on anything but regular files: a FIFO is not waited for, a
/// terminal does not become the controlling one, a device is not touched. The descriptor is closed
/// on exec.
///
/// # Errors
///
/// [`RegularFileError::NotRegular`] if the path leads to anything else, or to a symbolic link that
/// is not to be followed. [`RegularFileError::Io`] if it cannot be opened.
pub fn open_regular(path: &Path, symlinks: Symlinks) -> Result<File, RegularFileError> {
    open_regular_as(path, symlinks, OFlags::RDONLY)
}

/// [`open_regular`] with another access mode.
pub(crate) fn open_regular_as(path: &Path, symlinks: Symlinks, access: OFlags) -> Result<File, RegularFileError> {
    let (found, nofollow) = match symlinks {
        Symlinks::Follow => (std::fs::metadata(path)?, OFlags::empty()),
        Symlinks::Refuse => (std::fs::symlink_metadata(path)?, OFlags::NOFOLLOW),
    };
    // Checked before the open, because open(2) itself has side effects on some devices.
    refuse_other_kinds(found.file_type())?;
    // Another file can take its place until it is open. With these flags the open of a FIFO does
    // not block and a terminal does not become the controlling terminal.
    let flags = access | nofollow | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(io::Error::from)?);
    refuse_other_kinds(file.metadata()?.file_type())?;
    Ok(file)
}

fn refuse_other_kinds(kind: FileType) -> Result<(), RegularFileError> {
    kind_unless_regular(kind).map_or(Ok(()), |kind| Err(RegularFileError::NotRegular { kind }))
}

/// The name of a file type, with its article. `None` for a regular file.
pub(crate) fn kind_unless_regular(kind: FileType) -> Option<&'static str> {
    match kind {
        kind if kind.is_file() => None,
        kind if kind.is_dir() => Some("a directory"),
        kind if kind.is_fifo() => Some("a FIFO"),
        kind if kind.is_socket() => Some("a socket"),
        kind if kind.is_symlink() => Some("a symbolic link"),
        // Linux has no other types than these and devices (inode(7)).
        _ => Some("a device"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixListener;

    use rustix::fs::mknodat;

    use super::*;

    fn kind(path: &Path, symlinks: Symlinks) -> Option<&'static str> {
        match open_regular(path, symlinks) {
            Ok(_) => None,
            Err(RegularFileError::NotRegular { kind }) => Some(kind),
            Err(RegularFileError::Io(error)) => panic!("{}: {error}", path.display()),
        }
    }

    #[test]
    fn only_regular_files_are_opened_without_blocking() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::write(path("file"), "content").unwrap();
        mknodat(CWD, path("fifo"), rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o700), 0).unwrap();
        let _listener = UnixListener::bind(path("socket")).unwrap();
        for symlinks in [Symlinks::Follow, Symlinks::Refuse] {
            assert_eq!(kind(&path("file"), symlinks), None);
            assert_eq!(kind(&path("fifo"), symlinks), Some("a FIFO"));
            assert_eq!(kind(&path("socket"), symlinks), Some("a socket"));
            assert_eq!(kind(place.path(), symlinks), Some("a directory"));
            assert_eq!(kind(Path::new("/dev/null"), symlinks), Some("a device"));
        }
    }

    #[test]
    fn symlink_is_followed_only_on_request() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::write(path("file"), "content").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        std::os::unix::fs::symlink("/dev/null", path("device")).unwrap();
        let mut content = String::new();
        open_regular(&path("link"), Symlinks::Follow).unwrap().read_to_string(&mut content).unwrap();
        assert_eq!(content, "content");
        assert_eq!(kind(&path("device"), Symlinks::Follow), Some("a device"));
        for link in ["link", "device"] {
            assert_eq!(kind(&path(link), Symlinks::Refuse), Some("a symbolic link"));
        }
    }

    #[test]
    fn missing_file_is_an_io_error() {
        let place = tempfile::tempdir().unwrap();
        for symlinks in [Symlinks::Follow, Symlinks::Refuse] {
            match open_regular(&place.path().join("none"), symlinks) {
                Err(RegularFileError::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn opened_file_never_blocks_and_closes_on_exec() {
        let file = open_regular(&std::env::current_exe().unwrap(), Symlinks::Follow).unwrap();
        assert!(rustix::fs::fcntl_getfl(&file).unwrap().contains(OFlags::NONBLOCK));
        assert!(rustix::io::fcntl_getfd(&file).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }
}
