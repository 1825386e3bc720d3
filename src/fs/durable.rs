//! Files that are there whole or not at all, also after the power went: written beside their place,
//! synced, moved there, and the name synced too. Decides nothing.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

/// The directory that a path lies in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in the directory of `path` durable.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

/// Puts `bytes` in the place of a file, with this mode whatever the umask is. What was there stays
/// until all of the new is on the disk.
pub(crate) fn replace(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    written_beside(path, mode, bytes)?.persist(path).map_err(|error| error.error)?;
    sync_directory_of(path)
}

/// Puts `bytes` in a new file. What is there already stays, and is an error.
#[cfg(feature = "audit")]
pub(crate) fn create(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    written_beside(path, mode, bytes)?.persist_noclobber(path).map_err(|error| error.error)?;
    sync_directory_of(path).inspect_err(|_| {
        // It is ours: nothing was there before.
        let _ = std::fs::remove_file(path);
    })
}

fn written_beside(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(directory_of(path))?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[cfg(feature = "audit")]
    #[test]
    fn a_file_is_replaced_whole_and_created_only_where_nothing_is() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        create(&path, 0o640, b"first").unwrap();
        assert_eq!(create(&path, 0o600, b"other").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        replace(&path, 0o600, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn a_bare_name_lies_in_the_working_directory() {
        for (path, directory) in [("name", "."), ("a/name", "a"), ("/name", "/")] {
            assert_eq!(directory_of(Path::new(path)), Path::new(directory));
        }
    }
}
