//! Inspects one file: opens it without side effects and collects facts and warnings. Never executes
//! the file.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Content, Exposure, ExternalFile, FileCapabilities, Remark, SearchEntry, remark};
use crate::Escaped;
use crate::fs::{Ownership, RegularFileError, Symlinks, open_regular, resolve};
use crate::verify::bytes::format;
use crate::verify::bytes::plugin_file::PluginFile;
use crate::verify::bytes::view::ByteView;
use crate::verify::decision::error::ExamineError;
use crate::verify::{Digest, Policy, Refusal};

/// Facts and warnings about a file, collected without running it.
///
/// ```
/// use portcullis::inspect::Inspection;
///
/// let inspection = Inspection::of("/bin/sh")?;
/// for remark in &inspection.remarks {
///     println!("{remark}");
/// }
/// # Ok::<(), portcullis::inspect::InspectError>(())
/// ```
///
/// Nothing here is a guarantee: the file can change during the inspection and afterwards, and its
/// headers may be forged. A [`Policy`] decides whether a file may run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The file as the caller named it.
    pub path: PathBuf,
    /// The canonical path, without symbolic links.
    pub location: PathBuf,
    /// The target of the symbolic link, if the path is one.
    pub link: Option<PathBuf>,
    /// The size in bytes.
    pub size: u64,
    /// The SHA-256 of the file. `None` if it is larger than [`Policy::DEFAULT_SIZE_LIMIT`].
    pub digest: Option<Digest>,
    /// Its permission bits, with the set-ID and sticky bits.
    pub mode: u32,
    /// Its owner's user id.
    pub owner: u32,
    /// Its group's id.
    pub group: u32,
    /// Its file capabilities.
    pub capabilities: Option<FileCapabilities>,
    /// Its format.
    pub content: Content,
    /// The program that the kernel starts to run it: a dynamic loader, or the interpreter of a
    /// script. `None` if the file names it by a relative path.
    pub interpreter: Option<ExternalFile>,
    /// The directories that the loader searches for its libraries before those of the system.
    pub search: Vec<SearchEntry>,
    /// The component of its path, or the file itself, that others can change.
    pub exposure: Option<Exposure>,
    /// The reason why a policy would refuse the file even if it allowed the digest.
    pub refusal: Option<Refusal>,
    /// Warnings: everything that the digest does not cover, and unusual properties.
    pub remarks: Vec<Remark>,
}

/// Why a file could not be inspected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The path leads to something other than a regular file.
    #[error("{} is {kind}, not a regular file", Escaped::path(path))]
    #[non_exhaustive]
    NotRegular {
        /// The file as the caller named it.
        path: PathBuf,
        /// The kind of file that was found.
        kind: &'static str,
    },
    /// A system call failed.
    #[error("cannot inspect {}: {doing} failed", Escaped::path(path))]
    #[non_exhaustive]
    Unreadable {
        /// The file as the caller named it.
        path: PathBuf,
        /// The step that failed.
        doing: &'static str,
        /// The error of the system call.
        source: io::Error,
    },
}

impl InspectError {
    /// Its name for programs, in kebab-case. Stable between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotRegular { .. } => "not-regular",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

/// Makes an error for `map_err` from the step that failed.
fn failed(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> InspectError {
    move |source| InspectError::Unreadable { path: path.to_path_buf(), doing, source }
}

impl Inspection {
    /// Inspects the file at `path`, through symbolic links. Reads and hashes it, which blocks;
    /// executes nothing.
    ///
    /// # Errors
    ///
    /// The path does not lead to a regular file, or the file cannot be read. A file that is not a
    /// program is not an error.
    pub fn of(path: impl AsRef<Path>) -> Result<Self, InspectError> {
        let path = path.as_ref();
        let location = path.canonicalize().map_err(failed(path, "following its path"))?;
        let file = open_regular(&location, Symlinks::Follow).map_err(|error| match error {
            RegularFileError::Io(error) => failed(path, "opening it")(error),
            RegularFileError::NotRegular { kind } => InspectError::NotRegular { path: path.to_path_buf(), kind },
        })?;
        let mut inspection = Self::look(path, location, &file)?;
        inspection.follow();
        inspection.remarks = remark::all(&inspection);
        Ok(inspection)
    }

    /// Collects the facts of the open file itself.
    fn look(path: &Path, location: PathBuf, file: &File) -> Result<Self, InspectError> {
        let status = file.metadata().map_err(failed(path, "looking at it"))?;
        let absolute = std::path::absolute(path).map_err(failed(path, "following its path"))?;
        let resolution = resolve(&absolute).map_err(failed(path, "following its path"))?;
        let redirection = resolution.redirection.map(Exposure::from);
        Ok(Self {
            path: path.to_path_buf(),
            link: std::fs::read_link(path).ok(),
            size: status.len(),
            digest: digest(file, status.len()).map_err(failed(path, "hashing it"))?,
            mode: status.mode() & 0o7777,
            owner: status.uid(),
            group: status.gid(),
            capabilities: FileCapabilities::read(file).map_err(failed(path, "reading its capabilities"))?,
            content: Content::of_file(file).map_err(failed(path, "reading it"))?,
            interpreter: None,
            search: Vec::new(),
            exposure: redirection.or_else(|| Exposure::of_file(&location, Ownership::of(&status))),
            refusal: refusal(file).map_err(|(doing, source)| failed(path, doing)(source))?,
            remarks: Vec::new(),
            location,
        })
    }

    /// Describes the files and directories that the content names.
    fn follow(&mut self) {
        let origin = self.location.parent().unwrap_or(Path::new("/"));
        if let Content::Elf(executable) = &self.content {
            self.search = SearchEntry::all(&executable.linkage, origin);
        }
        let interpreter = self.content.interpreter().map(Path::new).filter(|path| path.is_absolute());
        self.interpreter = interpreter.map(|path| ExternalFile::file(path.to_path_buf()));
    }
}

impl Content {
    /// The name of the program that the kernel starts to run this file.
    pub fn interpreter(&self) -> Option<&OsStr> {
        match self {
            Self::Elf(executable) => executable.linkage.interpreter.as_deref(),
            Self::Script(script) => Some(script.interpreter.as_os_str()).filter(|name| !name.is_empty()),
            _ => None,
        }
    }
}

/// Hashes the file up to the size that it had when it was opened. `None` if that is too large.
fn digest(file: &File, size: u64) -> io::Result<Option<Digest>> {
    if size > Policy::DEFAULT_SIZE_LIMIT {
        return Ok(None);
    }
    Digest::read(ByteView::of_file(file)?.cursor()).map(Some)
}

/// Returns the refusal of a policy that allows the digest.
fn refusal(file: &File) -> Result<Option<Refusal>, (&'static str, io::Error)> {
    let copy = file.try_clone().map_err(|error| ("looking at it", error))?;
    match PluginFile::of(copy, Policy::DEFAULT_SIZE_LIMIT).and_then(|_| format::check(file)) {
        Ok(()) => Ok(None),
        Err(ExamineError::Refusal(refusal)) => Ok(Some(refusal)),
        Err(ExamineError::Io { doing, source }) => Err((doing, source)),
        // Neither check reads a trust source.
        Err(ExamineError::Source(error)) => Err(("looking at it", io::Error::other(error))),
    }
}
