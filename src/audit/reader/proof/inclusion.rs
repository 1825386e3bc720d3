//! The proof that a record is in a log: a text as C2SP defines it (c2sp.org/tlog-proof), with the
//! record in its `extra` line.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{ProofError, hash_line, parse_hashes};
use crate::Digest;
use crate::audit::evidence::tree::{leaf_hash, verify_inclusion};
use crate::audit::{Checkpoint, NoteVerifier, Record};
use crate::limits::audit::PROOF_BYTES;

const FIRST: &str = "c2sp.org/tlog-proof@v1";
const EXTRA: &str = "extra ";
const INDEX: &str = "index ";

/// The proof that the log of a checkpoint contains a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    line: Option<Vec<u8>>,
    index: u64,
    hashes: Vec<Digest>,
    note: String,
}

/// The result of a valid inclusion proof.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Included {
    /// The record.
    pub record: Record,
    /// The checkpoint that covers the record.
    pub checkpoint: Checkpoint,
}

impl InclusionProof {
    pub(super) fn new(line: Vec<u8>, index: u64, hashes: Vec<Digest>, note: String) -> Self {
        Self { line: Some(line), index, hashes, note }
    }

    /// Verifies the proof with the keys of the log `origin`. `line` is the line of the record
    /// without its line feed; without it, the record in the proof is used.
    ///
    /// # Errors
    ///
    /// When the proof does not show that the log contains the record.
    pub fn check(&self, keys: &[NoteVerifier], origin: &str, line: Option<&[u8]>) -> Result<Included, ProofError> {
        let line = line.or(self.line.as_deref()).ok_or(ProofError::NoRecord)?;
        let checkpoint = Checkpoint::open(&self.note, keys, origin).map_err(ProofError::Checkpoint)?;
        let leaf = leaf_hash(line);
        verify_inclusion(&leaf, self.index, checkpoint.size, &self.hashes, &checkpoint.root)
            .map_err(ProofError::Tree)?;
        let record = Record::parse(line).map_err(ProofError::Record)?;
        if record.index() == self.index { Ok(Included { record, checkpoint }) } else { Err(ProofError::IndexMismatch) }
    }
}

impl fmt::Display for InclusionProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST}")?;
        if let Some(line) = &self.line {
            writeln!(f, "{EXTRA}{}", BASE64.encode(line))?;
        }
        writeln!(f, "{INDEX}{}", self.index)?;
        self.hashes.iter().try_for_each(|hash| f.write_str(&hash_line(hash)))?;
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for InclusionProof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        if text.len() > PROOF_BYTES {
            return Err(ProofError::TooLong);
        }
        let (head, note) = text.split_once("\n\n").ok_or(ProofError::Form)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST) {
            return Err(ProofError::Form);
        }
        let mut next = lines.next().ok_or(ProofError::Form)?;
        let mut line = None;
        if let Some(extra) = next.strip_prefix(EXTRA) {
            line = Some(BASE64.decode(extra).map_err(|_| ProofError::Form)?);
            next = lines.next().ok_or(ProofError::Form)?;
        }
        let digits = next.strip_prefix(INDEX).ok_or(ProofError::Form)?;
        let index: u64 = digits.parse().map_err(|_| ProofError::Form)?;
        if index.to_string() != digits {
            return Err(ProofError::Form);
        }
        Ok(Self { line, index, hashes: parse_hashes(lines)?, note: note.to_owned() })
    }
}
