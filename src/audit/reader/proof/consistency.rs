//! The proof that a log only grew between two checkpoints:
//!
//! ```text
//! portcullis-consistency/1
//! old <the older checkpoint, in base64>
//! new <the newer checkpoint, in base64>
//! <a hash, in base64>
//! ...
//! ```

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{ProofError, hash_line, parse_hashes};
use crate::Digest;
use crate::audit::evidence::tree::verify_consistency;
use crate::audit::{Checkpoint, NoteVerifier};
use crate::limits::audit::PROOF_BYTES;

const FIRST: &str = "portcullis-consistency/1";
const OLD: &str = "old ";
const NEW: &str = "new ";

/// The proof that the log of one checkpoint begins with the log of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    old: String,
    new: String,
    hashes: Vec<Digest>,
}

/// The result of a valid consistency proof.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Consistent {
    /// The older checkpoint.
    pub old: Checkpoint,
    /// The newer checkpoint.
    pub new: Checkpoint,
}

impl ConsistencyProof {
    pub(super) fn new(old: String, new: String, hashes: Vec<Digest>) -> Self {
        Self { old, new, hashes }
    }

    /// Verifies the proof with the keys of the log `origin`.
    ///
    /// # Errors
    ///
    /// When the proof does not show that the log only grew.
    pub fn check(&self, keys: &[NoteVerifier], origin: &str) -> Result<Consistent, ProofError> {
        let open = |note| Checkpoint::open(note, keys, origin).map_err(ProofError::Checkpoint);
        let (old, new) = (open(&self.old)?, open(&self.new)?);
        verify_consistency((old.size, &old.root), (new.size, &new.root), &self.hashes).map_err(ProofError::Tree)?;
        Ok(Consistent { old, new })
    }
}

impl fmt::Display for ConsistencyProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST}\n{OLD}{}\n{NEW}{}", BASE64.encode(&self.old), BASE64.encode(&self.new))?;
        self.hashes.iter().try_for_each(|hash| f.write_str(&hash_line(hash)))
    }
}

impl FromStr for ConsistencyProof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        if text.len() > PROOF_BYTES {
            return Err(ProofError::TooLong);
        }
        let mut lines = text.strip_suffix('\n').ok_or(ProofError::Form)?.split('\n');
        if lines.next() != Some(FIRST) {
            return Err(ProofError::Form);
        }
        let mut note = |name| {
            let text = lines.next()?.strip_prefix(name)?;
            String::from_utf8(BASE64.decode(text).ok()?).ok()
        };
        let old = note(OLD).ok_or(ProofError::Form)?;
        let new = note(NEW).ok_or(ProofError::Form)?;
        Ok(Self { old, new, hashes: parse_hashes(lines)? })
    }
}
