//! Checkpoints (c2sp.org/tlog-checkpoint): the size of a log and the root over its records, signed.
//! Whoever keeps one can tell later whether the log that they are shown still begins with the same
//! records.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::note::{NoteError, NoteSigner, NoteVerifier, open_note};
use crate::Digest;
use crate::Escaped;

/// What a log was at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// How many records it had.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The log `origin` with `size` records under `root`.
    pub fn new(origin: impl Into<String>, size: u64, root: Digest) -> Self {
        Self { origin: origin.into(), size, root }
    }

    /// The checkpoint as a signed note.
    ///
    /// # Errors
    ///
    /// When the origin cannot be a line of a note.
    pub fn sign(&self, signer: &NoteSigner) -> Result<String, NoteError> {
        let root = BASE64.encode(self.root.as_bytes());
        if self.origin.is_empty() || self.origin.contains('\n') {
            return Err(NoteError::Text);
        }
        signer.sign(&format!("{}\n{}\n{root}\n", self.origin, self.size))
    }

    /// Reads a checkpoint of the log `origin` that one of `verifiers` signed: each of them is
    /// believed about that log. Lines that it has besides are passed over, as its definition asks
    /// for; they are signed too.
    ///
    /// # Errors
    ///
    /// When it is not signed as it must be, is about another log, or is no checkpoint.
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

/// A number as it must be written: digits, and no zero before others.
fn size(text: &str) -> Option<u64> {
    let fine = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    fine.then(|| text.parse().ok()).flatten()
}

fn root(text: &str) -> Option<Digest> {
    Some(<[u8; Digest::LENGTH]>::try_from(BASE64.decode(text).ok()?).ok()?.into())
}

/// A text is no checkpoint that can be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It is not signed as it must be.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// It has another form.
    #[error("it is no checkpoint: a name, a size and a root, each on a line, and no empty lines")]
    Form,
    /// Its size is no number.
    #[error("its size is no decimal number")]
    Size,
    /// Its root is no hash.
    #[error("its root is not the base64 of {} bytes", Digest::LENGTH)]
    Root,
    /// It is about another log.
    #[error("it is about the log {}, not {}", Escaped::new(found), Escaped::new(expected))]
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
