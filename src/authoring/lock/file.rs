//! Writes a [`Lock`] to its file: equal locks give equal bytes, and the file is replaced whole or
//! not at all. Checks no plugin.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::Escaped;
use crate::fs::{FileMode, directory_of, replace_file};
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::sources::lock::FORMAT;
use crate::verify::sources::toml_document::quoted;
use crate::verify::{Artifact, Lock, Platform, SourceError, Subject};

const HEADER: &str = "\
# The plugins that may run, each by the SHA-256 of its bytes. Review every change of this file.
# Written by `plugin-verify lock`; comments are not kept, a `note` is.
";

impl Lock {
    /// The text of the lock file. Sorted, so that equal locks give equal bytes.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}format = {}\n", quoted(FORMAT));
        for (name, plugin) in &self.plugins {
            // Writing to a string does not fail.
            let _ = write!(text, "\n[[plugin]]\nname = {}\n", quoted(name.as_str()));
            let versions = [("version", &plugin.version), ("minimum-version", &plugin.minimum_version)];
            for (key, version) in versions.into_iter().filter_map(|(key, version)| Some((key, version.as_ref()?))) {
                let _ = writeln!(text, "{key} = {}", quoted(&version.to_string()));
            }
            if let Some(note) = &plugin.note {
                let _ = writeln!(text, "note = {}", quoted(note));
            }
            for (platform, artifact) in &plugin.artifacts {
                write_artifact(&mut text, platform, artifact);
            }
        }
        text
    }

    /// Waits until no other process changes the lock file at `path`, and keeps others from changing
    /// it until the guard is dropped. Hold the guard from before the file is read until after it is
    /// written, so that no change is lost. Readers need no guard: they always find a whole file.
    ///
    /// Blocks.
    ///
    /// # Errors
    ///
    /// If the directory cannot be opened or locked.
    pub fn exclusive(path: impl AsRef<Path>) -> Result<LockFileGuard, LockWriteError> {
        let path = path.as_ref();
        let failed = |source| LockWriteError::Io { path: path.to_path_buf(), source };
        let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        // The directory is locked (flock(2)), not the file: each change puts a new file in its
        // place.
        let directory = File::open(directory_of(&target)).map_err(failed)?;
        let locked = rustix::io::retry_on_intr(|| rustix::fs::flock(&directory, FlockOperation::LockExclusive));
        locked.map_err(|error| failed(error.into()))?;
        Ok(LockFileGuard { _directory: directory })
    }

    /// Replaces the lock file, whole or not at all; it is on disk when this returns. The file keeps
    /// its permission bits, and a new one gets mode 0644. A symbolic link is kept, and its target
    /// replaced.
    ///
    /// # Errors
    ///
    /// If the text would not be a valid lock file, such as one without plugins, or if it cannot be
    /// written.
    pub fn write(&self) -> Result<(), LockWriteError> {
        let text = self.to_text();
        Self::from_bytes(&self.path, text.as_bytes())?;
        replace(&self.path, text.as_bytes()).map_err(|source| LockWriteError::Io { path: self.path.clone(), source })
    }
}

/// The exclusive right to change a lock file, until it is dropped.
#[derive(Debug)]
#[must_use = "others may change the lock file when this is dropped"]
pub struct LockFileGuard {
    _directory: File,
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // The target of a symbolic link is replaced, not the link.
    let (target, mode) = match path.canonicalize() {
        Ok(target) => {
            let mode = std::fs::metadata(&target)?.mode() & 0o777;
            (target, mode)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (path.to_path_buf(), 0o644),
        Err(error) => return Err(error),
    };
    replace_file(&target, FileMode::Exact(mode), bytes)
}

fn write_artifact(text: &mut String, platform: &Platform, artifact: &Artifact) {
    let _ = write!(text, "\n[[plugin.artifact]]\nplatform = {}\n", quoted(&platform.to_string()));
    let _ = match artifact.subject {
        Subject::File(digest) => writeln!(text, "sha256 = \"{digest}\""),
        Subject::Manifest(digest) => writeln!(text, "manifest = \"{digest}\""),
    };
    if let Some(key) = &artifact.signed_by {
        let _ = writeln!(text, "vouched-by = {}", quoted(&key.to_string()));
    }
}

/// A lock file was not written. An existing file is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockWriteError {
    /// The text would not be a valid lock file.
    #[error(transparent)]
    Malformed(#[from] SourceError),
    /// A system call failed.
    #[error("cannot write {}", Escaped::path(path))]
    #[non_exhaustive]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl LockWriteError {
    pub(crate) fn explanation(&self) -> Explanation {
        match self {
            Self::Malformed(error) => error.explanation(),
            Self::Io { .. } => Explanation::new("lock-write-io"),
        }
    }
}

explained!(LockWriteError);
