//! Writing keys and certificates: new files only, whole or not at all, keys readable only by their
//! owner. Reads nothing.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use portcullis::Escaped;
use portcullis::fs::{FileMode, create_file};

use crate::{Certificate, PrivateKey};

const KEY_MODE: u32 = 0o600;
const CERTIFICATE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o700;

/// The files that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The certificate in PEM, mode 0644.
    pub certificate: PathBuf,
    /// The key in PKCS #8 in PEM, mode 0600.
    pub key: PathBuf,
}

/// The file name of the certificate of `name`.
pub(crate) fn certificate_name(name: &str) -> String {
    format!("{name}.pem")
}

/// The file name of the key of `name`.
pub(crate) fn key_name(name: &str) -> String {
    format!("{name}-key.pem")
}

/// Writes both files of `name`, or neither.
pub(crate) fn write_pair(
    directory: &Path,
    name: &str,
    certificate: &Certificate,
    key: &PrivateKey,
) -> Result<Written, FileError> {
    let made = make(directory)?;
    let written = write_both(directory, name, certificate, key);
    if made && written.is_err() {
        // Fails if the directory is not empty, which keeps files that others put there.
        let _ = fs::remove_dir(directory);
    }
    written
}

fn write_both(directory: &Path, name: &str, certificate: &Certificate, key: &PrivateKey) -> Result<Written, FileError> {
    let written = Written { certificate: directory.join(certificate_name(name)), key: directory.join(key_name(name)) };
    create(&written.key, KEY_MODE, key.pem())?;
    create(&written.certificate, CERTIFICATE_MODE, &certificate.pem()).inspect_err(|_| {
        // This call created the key file, and a key without its certificate is useless.
        let _ = fs::remove_file(&written.key);
    })?;
    Ok(written)
}

fn create(path: &Path, mode: u32, contents: &str) -> Result<(), FileError> {
    create_file(path, FileMode::Exact(mode), contents.as_bytes()).map_err(|error| FileError::of(path, error))
}

/// Creates a directory, and returns whether it was missing.
fn make(directory: &Path) -> Result<bool, FileError> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(FileError::of(directory, error)),
    }
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A file with that name exists. It was not changed.
    #[error("{} already exists; existing files are never overwritten", Escaped::path(path))]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// The file could not be written. No partial file is left.
    #[error("cannot write {}", Escaped::path(path))]
    Unwritable {
        /// The path.
        path: PathBuf,
        /// The cause.
        #[source]
        error: io::Error,
    },
}

impl FileError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "exists",
            Self::Unwritable { .. } => "not-written",
        }
    }
}

impl FileError {
    fn of(path: &Path, error: io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ => Self::Unwritable { path, error },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::{AutoMtls, Profile};

    fn write(directory: &Path) -> Result<Written, FileError> {
        AutoMtls::generate(Profile::Portcullis).unwrap().write(directory)
    }

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn keys_are_readable_by_their_owner_only() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("new");
        let written = write(&directory).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&written.key), 0o600);
        assert_eq!(mode(&written.certificate), 0o644);
        assert_eq!(mode(&directory) & 0o077, 0);
        assert_eq!(names(&directory), ["auto-mtls-key.pem", "auto-mtls.pem"]);
    }

    #[test]
    fn occupied_names_leave_nothing_behind() {
        let place = tempfile::tempdir().unwrap();
        for occupied in ["auto-mtls.pem", "auto-mtls-key.pem"] {
            let directory = place.path().join(format!("{occupied}-is-there"));
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join(occupied), "mine").unwrap();
            let error = write(&directory).unwrap_err();
            assert!(matches!(&error, FileError::Exists { path } if path.ends_with(occupied)), "{error}");
            assert_eq!(names(&directory), [occupied]);
            assert_eq!(fs::read_to_string(directory.join(occupied)).unwrap(), "mine");
        }
    }

    #[test]
    fn symlinks_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        symlink(place.path().join("elsewhere"), place.path().join("auto-mtls-key.pem")).unwrap();
        assert!(matches!(write(place.path()), Err(FileError::Exists { .. })));
        assert_eq!(names(place.path()), ["auto-mtls-key.pem"]);
    }
}
