//! A file and all that can be told of it: opened without side effects, never executed.

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

/// What was found out about a file without running it.
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
/// None of it is a promise: the file can change while it is looked at and afterwards, and what it
/// says about itself may be a lie. What may run is for a [`Policy`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The file as the caller named it.
    pub path: PathBuf,
    /// Where the file lies, without symbolic links.
    pub location: PathBuf,
    /// What the symbolic link says, if the path is one.
    pub link: Option<PathBuf>,
    /// The size in bytes.
    pub size: u64,
    /// The SHA-256 of the file; nothing for one that is larger than [`Policy::DEFAULT_SIZE_LIMIT`].
    pub digest: Option<Digest>,
    /// Its permission bits, the set-ID and sticky bits among them.
    pub mode: u32,
    /// Its owner's user id.
    pub owner: u32,
    /// Its group's id.
    pub group: u32,
    /// The capabilities that it carries.
    pub capabilities: Option<FileCapabilities>,
    /// What it is.
    pub content: Content,
    /// The program that the kernel runs in its place: a dynamic loader, or the interpreter of a
    /// script. Nothing if it is named by a relative path.
    pub interpreter: Option<ExternalFile>,
    /// The directories in which its libraries are searched before those of the system.
    pub search: Vec<SearchEntry>,
    /// Where others decide what is found under its path, or may write it.
    pub exposure: Option<Exposure>,
    /// For what a policy would refuse it even if it allowed the digest.
    pub refusal: Option<Refusal>,
    /// What there is to be warned of: what the digest does not cover, and what is out of the
    /// ordinary.
    pub remarks: Vec<Remark>,
}

/// Why a file could not be inspected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// Only a regular file can be inspected.
    #[error("{} is {kind}, not a regular file", Escaped::path(path))]
    #[non_exhaustive]
    NotRegular {
        /// The file as the caller named it.
        path: PathBuf,
        /// What it is instead.
        kind: &'static str,
    },
    /// The system did not let it be inspected.
    #[error("{} could not be inspected: {doing} failed", Escaped::path(path))]
    #[non_exhaustive]
    Unreadable {
        /// The file as the caller named it.
        path: PathBuf,
        /// The step that failed.
        doing: &'static str,
        /// The system's answer.
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

/// For `map_err`: the step that failed.
fn failed(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> InspectError {
    move |source| InspectError::Unreadable { path: path.to_path_buf(), doing, source }
}

impl Inspection {
    /// Inspects the file at `path`, through symbolic links. Reads and hashes it, which blocks;
    /// executes nothing.
    ///
    /// # Errors
    ///
    /// The path leads to no regular file, or to one that cannot be read. A file that is no program
    /// is no error.
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

    /// What the open file itself says.
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

    /// Looks at the places that the content leads to.
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
    /// The program that the kernel runs in the place of this one, as it is named.
    pub fn interpreter(&self) -> Option<&OsStr> {
        match self {
            Self::Elf(executable) => executable.linkage.interpreter.as_deref(),
            Self::Script(script) => Some(script.interpreter.as_os_str()).filter(|name| !name.is_empty()),
            _ => None,
        }
    }
}

/// The digest of as much as the file held when it was opened, unless that is too much.
fn digest(file: &File, size: u64) -> io::Result<Option<Digest>> {
    if size > Policy::DEFAULT_SIZE_LIMIT {
        return Ok(None);
    }
    Digest::read(ByteView::of_file(file)?.cursor()).map(Some)
}

/// What a policy that allows the digest would say.
fn refusal(file: &File) -> Result<Option<Refusal>, (&'static str, io::Error)> {
    let copy = file.try_clone().map_err(|error| ("looking at it", error))?;
    match PluginFile::of(copy, Policy::DEFAULT_SIZE_LIMIT).and_then(|_| format::check(file)) {
        Ok(()) => Ok(None),
        Err(ExamineError::Refusal(refusal)) => Ok(Some(refusal)),
        Err(ExamineError::Io { doing, source }) => Err((doing, source)),
        // Neither of the two asks a source of truth.
        Err(ExamineError::Source(error)) => Err(("looking at it", io::Error::other(error))),
    }
}
