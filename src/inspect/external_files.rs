//! The files and directories that a program names, and the users who can replace them. Reads owners
//! and modes; opens no file.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::Escaped;
use crate::fs::{Ownership, Redirection, Resolution, resolve};
use crate::limits::inspect as limits;
use crate::verify::bytes::linkage::{Linkage, SearchPathKind};

/// A place that a user other than root and this process's user can change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exposure {
    /// The file, directory or symbolic link that they can write or replace.
    pub path: PathBuf,
    /// Its owner's user id.
    pub owner: u32,
    /// Its permission bits.
    pub mode: u32,
}

/// A file or directory that a program names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExternalFile {
    /// Its full path.
    pub path: PathBuf,
    /// Whether it exists. `None` if that could not be determined.
    pub exists: Option<bool>,
    /// The component of the path that others can change, if there is one.
    pub exposure: Option<Exposure>,
}

/// One directory of a search path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SearchEntry {
    /// The search path that it is part of.
    pub kind: SearchPathKind,
    /// The text in the file. An empty text means the working directory of the program.
    pub text: OsString,
    /// Whether it is relative to the file's own directory (`$ORIGIN`).
    pub origin: bool,
    /// The directory that the loader searches if the file is started from its present location.
    /// `None` for a relative entry, which depends on the working directory, and for one with a
    /// variable whose value only the loader knows (`$LIB`, `$PLATFORM`).
    pub place: Option<ExternalFile>,
}

impl ExternalFile {
    /// Describes a directory of a search path.
    pub(super) fn directory(path: PathBuf) -> Self {
        let found = resolve(&path);
        Self::found(path, found)
    }

    /// Describes a file: who can change a directory on its path, and who can write the file itself.
    pub(super) fn file(path: PathBuf) -> Self {
        let found = resolve(&path);
        let mut described = Self::found(path, found);
        if described.exposure.is_none()
            && let Ok(status) = std::fs::metadata(&described.path)
        {
            described.exposure = Exposure::of_file(&described.path, Ownership::of(&status));
        }
        described
    }

    fn found(path: PathBuf, found: io::Result<Resolution>) -> Self {
        match found {
            Ok(Resolution { exists, redirection }) => {
                Self { path, exists: Some(exists), exposure: redirection.map(Exposure::from) }
            }
            Err(_) => Self { path, exists: None, exposure: None },
        }
    }
}

impl Exposure {
    /// Returns an exposure if others can write the file itself.
    pub(super) fn of_file(path: &Path, ownership: Ownership) -> Option<Self> {
        let Ownership { owner, mode, .. } = ownership;
        ownership.others_can_write().then(|| Self { path: path.to_path_buf(), owner, mode })
    }
}

impl From<Redirection> for Exposure {
    fn from(redirection: Redirection) -> Self {
        Self { path: redirection.path, owner: redirection.owner, mode: redirection.mode }
    }
}

impl SearchEntry {
    /// Returns the entries of a program in the directory `origin`, up to a limit.
    pub(super) fn all(linkage: &Linkage, origin: &Path) -> Vec<Self> {
        let paths = linkage.search_paths.iter();
        let entries =
            paths.flat_map(|path| path.text.as_bytes().split(|byte| *byte == b':').map(|text| (path.kind, text)));
        entries.take(limits::SEARCH_DIRECTORIES).map(|(kind, text)| Self::read(kind, text, origin)).collect()
    }

    fn read(kind: SearchPathKind, text: &[u8], origin: &Path) -> Self {
        let (expanded, uses_origin) = expand(text, origin);
        let place = expanded.filter(|path| path.is_absolute()).map(ExternalFile::directory);
        Self { kind, text: OsStr::from_bytes(text).to_owned(), origin: uses_origin, place }
    }

    /// Whether the directory depends on the working directory of the program.
    pub fn is_relative(&self) -> bool {
        !matches!(self.text.as_bytes(), [b'/' | b'$', ..])
    }
}

/// Returns the path with `$ORIGIN` replaced, and whether `$ORIGIN` occurred. The path is `None` if
/// the text has another variable.
fn expand(text: &[u8], origin: &Path) -> (Option<PathBuf>, bool) {
    let (mut expanded, mut rest, mut replaced) = (Vec::new(), text, false);
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        expanded.extend(&rest[..at]);
        let after = &rest[at..];
        match after.strip_prefix(b"$ORIGIN").or_else(|| after.strip_prefix(b"${ORIGIN}")) {
            Some(left) => (rest, replaced) = (left, true),
            None => return (None, replaced),
        }
        expanded.extend(origin.as_os_str().as_bytes());
    }
    expanded.extend(rest);
    (Some(PathBuf::from(OsString::from_vec(expanded))), replaced)
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {} owns {}, mode {:04o}", self.owner, Escaped::path(&self.path), self.mode)
    }
}
