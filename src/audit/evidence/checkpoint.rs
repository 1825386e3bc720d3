//! Checkpoints (c2sp.org/tlog-checkpoint): the size of a log and the root over its records, signed.
//! A reader who keeps one can later verify that a log still begins with the same records.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::note::{NoteError, NoteSigner, NoteVerifier, open_note};
use crate::Digest;
use crate::Escaped;

/// The state of a log at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// The number of its records.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Digest,
}

impl Checkpoint {
    /// A checkpoint of the log `origin` with `size` records under `root`.
    pub fn new(origin: impl Into<String>, size: u64, root: Digest) -> Self {
        Self { origin: origin.into(), size, root }
    }

    /// Signs the checkpoint as a note.
    ///
    /// # Errors
    ///
    /// When the origin is empty or not valid in a line of a note.
    pub fn sign(&self, signer: &NoteSigner) -> Result<String, NoteError> {
        let root = BASE64.encode(self.root.as_bytes());
        if self.origin.is_empty() || self.origin.contains('\n') {
            return Err(NoteError::Text);
        }
        signer.sign(&format!("{}\n{}\n{root}\n", self.origin, self.size))
    }

    /// Opens a checkpoint of the log `origin`, signed with at least one of `verifiers`. Each of
    /// these keys is trusted for that log. Extension lines are ignored, as tlog-checkpoint
    /// requires; the signature covers them too.
    ///
    /// # Errors
    ///
    /// When the note is not validly signed, is not a checkpoint, or is of another log.
    pub fn open(note: &str, verifiers: &[NoteVerifier], origin: &str) -> Result<Self, CheckpointError> {
        let (text, _) = open_note(note, verifiers)?;
        let checkpoint = Self::read(text)?;
        if checkpoint.origin == origin {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Origin { expected: origin.to_owned(), found: checkpoint.origin })
        }
    }

    fn read(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let origin = lines.next().filter(|origin| !origin.is_empty()).ok_or(CheckpointError::Form)?;
        let size = lines.next().and_then(size).ok_or(CheckpointError::Size)?;
        let root = lines.next().and_then(root).ok_or(CheckpointError::Root)?;
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Form);
        }
        Ok(Self::new(origin, size, root))
    }
}

/// Parses a decimal number without leading zeros, as tlog-checkpoint requires.
fn size(text: &str) -> Option<u64> {
    let fine = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    fine.then(|| text.parse().ok()).flatten()
}

fn root(text: &str) -> Option<Digest> {
    Some(<[u8; Digest::LENGTH]>::try_from(BASE64.decode(text).ok()?).ok()?.into())
}

/// A checkpoint is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The note is not validly signed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is not a checkpoint.
    #[error("expected a name, a size and a root, each on its own line, and no empty lines")]
    Form,
    /// The size is not a number.
    #[error("the size is not a decimal number below 2^64 without leading zeros")]
    Size,
    /// The root is not a hash.
    #[error("the root is not the base64 of {} bytes", Digest::LENGTH)]
    Root,
    /// The checkpoint is of another log.
    #[error("expected a checkpoint of the log {}, found one of {}", Escaped::new(expected), Escaped::new(found))]
    #[non_exhaustive]
    Origin {
        /// The name of the log.
        expected: String,
        /// The name in the checkpoint.
        found: String,
    },
}

#[cfg(test)]
mod tests;
