//! The files and directories that a program leads to, and who may put something else there. Looks
//! at owners and modes; opens nothing.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::Escaped;
use crate::fs::{Ownership, Redirection, Resolution, resolve};
use crate::verify::bytes::linkage::{Linkage, SearchPathKind};

/// More directories than any program is made to search, and more than are looked at.
pub(super) const ENTRIES_LIMIT: usize = 128;

/// Where somebody other than root and this process's user decides what is found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exposure {
    /// What they can write or replace: a file, a directory, or a symbolic link.
    pub path: PathBuf,
    /// Its owner's user id.
    pub owner: u32,
    /// Its permission bits.
    pub mode: u32,
}

/// A file or directory that a program leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExternalFile {
    /// Its full path.
    pub path: PathBuf,
    /// Whether there is anything; unknown where that could not be found out.
    pub exists: Option<bool>,
    /// Where others decide what is found there, or could put something.
    pub exposure: Option<Exposure>,
}

/// One directory of a search path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SearchEntry {
    /// Which search path it is from.
    pub kind: SearchPathKind,
    /// As it is written. An empty one stands for the directory in which the program is started.
    pub text: OsString,
    /// Whether it begins where the file lies (`$ORIGIN`).
    pub origin: bool,
    /// What the loader would search if it started the file where it lies. Nothing for a relative
    /// one, which depends on where the program is started, and for one with a variable whose value
    /// only the loader knows (`$LIB`, `$PLATFORM`).
    pub place: Option<ExternalFile>,
}

impl ExternalFile {
    /// Looks at a directory that things are searched in.
    pub(super) fn directory(path: PathBuf) -> Self {
        let found = resolve(&path);
        Self::found(path, found)
    }

    /// Looks at a file that is used by this name: its directories, and who may write the file
    /// itself.
    pub(super) fn file(path: PathBuf) -> Self {
        let found = resolve(&path);
        let mut outside = Self::found(path, found);
        if outside.exposure.is_none()
            && let Ok(status) = std::fs::metadata(&outside.path)
        {
            outside.exposure = Exposure::of_file(&outside.path, Ownership::of(&status));
        }
        outside
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
    /// Who may write a file itself.
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
    /// All of a program that lies in the directory `origin`, up to a limit.
    pub(super) fn all(linkage: &Linkage, origin: &Path) -> Vec<Self> {
        let paths = linkage.search_paths.iter();
        let entries =
            paths.flat_map(|path| path.text.as_bytes().split(|byte| *byte == b':').map(|text| (path.kind, text)));
        entries.take(ENTRIES_LIMIT).map(|(kind, text)| Self::read(kind, text, origin)).collect()
    }

    fn read(kind: SearchPathKind, text: &[u8], origin: &Path) -> Self {
        let (expanded, uses_origin) = expand(text, origin);
        let place = expanded.filter(|path| path.is_absolute()).map(ExternalFile::directory);
        Self { kind, text: OsStr::from_bytes(text).to_owned(), origin: uses_origin, place }
    }

    /// Whether what is searched depends on the directory in which the program is started.
    pub fn is_relative(&self) -> bool {
        !matches!(self.text.as_bytes(), [b'/' | b'$', ..])
    }
}

/// The text with `$ORIGIN` replaced, and whether it was there; no text if there is another variable
/// in it.
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
        write!(f, "user {} owns {} and its mode is {:04o}", self.owner, Escaped::path(&self.path), self.mode)
    }
}
