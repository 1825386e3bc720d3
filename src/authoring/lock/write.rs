//! From a [`Lock`] to its file: the same text for the same agreement, and the whole of it or
//! nothing. Decides nothing.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::Escaped;
use crate::fs::{FileMode, directory_of, replace_file};
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::sources::form::quoted;
use crate::verify::sources::lock::FORMAT;
use crate::verify::{Artifact, Lock, Platform, SourceError, Subject};

const HEADER: &str = "\
# The plugins that may run, each by the SHA-256 of its bytes. Review every change of this file.
# Written by `plugin-verify lock`; comments are not kept, a `note` is.
";

impl Lock {
    /// The lock file as text: sorted, so that the same agreement is always the same bytes.
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

    /// Keeps other changers of the lock file at `path` out until the value that is returned is
    /// dropped: hold it from before the file is read until after it was written, and no change of
    /// theirs is lost. Waits for its turn. Readers are not kept out; they always find a whole file.
    ///
    /// It is the directory that is locked (flock(2)), because the file is another one after each
    /// change.
    ///
    /// # Errors
    ///
    /// When the directory cannot be opened or locked.
    pub fn hold(path: impl AsRef<Path>) -> Result<LockHold, LockWriteError> {
        let path = path.as_ref();
        let failed = |source| LockWriteError::Io { path: path.to_path_buf(), source };
        let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let directory = File::open(directory_of(&target)).map_err(failed)?;
        let locked = rustix::io::retry_on_intr(|| rustix::fs::flock(&directory, FlockOperation::LockExclusive));
        locked.map_err(|error| failed(error.into()))?;
        Ok(LockHold { _directory: directory })
    }

    /// Writes the lock file whole, or leaves it as it was: the new text is read back, written
    /// beside it, synced and moved over it. It keeps its permission bits; a new one may be read by
    /// everybody and written by its owner.
    ///
    /// # Errors
    ///
    /// When what was agreed to is no lock file (it names nothing, say), and when it cannot be
    /// written.
    pub fn write(&self) -> Result<(), LockWriteError> {
        let text = self.to_text();
        Self::from_bytes(&self.path, text.as_bytes())?;
        replace(&self.path, text.as_bytes()).map_err(|source| LockWriteError::Io { path: self.path.clone(), source })
    }
}

/// The turn of one who changes a lock file. Over when it is dropped.
#[derive(Debug)]
#[must_use = "the turn is over when this is dropped"]
pub struct LockHold {
    _directory: File,
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link is kept, and what it leads to is replaced.
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
    if let Some(key) = &artifact.vouched_by {
        let _ = writeln!(text, "vouched-by = {}", quoted(&key.to_string()));
    }
}

/// A lock file was not written. What was there is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockWriteError {
    /// What was to be written is no lock file.
    #[error(transparent)]
    Malformed(#[from] SourceError),
    /// The system refused.
    #[error("{} could not be written", Escaped::path(path))]
    #[non_exhaustive]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The system's answer.
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
