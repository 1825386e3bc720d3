//! Proofs for people who do not have the log: that it contains a record, and that it only grew. The
//! public key of the log is enough to check them.

mod consistency;
mod inclusion;
mod prover;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

pub use consistency::{ConsistencyProof, Consistent};
pub use inclusion::{Included, InclusionProof};
pub use prover::{Prover, ProverError};

use crate::Digest;
use crate::audit::evidence::checkpoint::CheckpointError;
use crate::audit::evidence::record::RecordFault;
use crate::audit::evidence::tree::ProofFault;
use crate::limits::audit::{PROOF_BYTES, PROOF_HASHES};

fn hash_line(hash: &Digest) -> String {
    format!("{}\n", BASE64.encode(hash.as_bytes()))
}

fn parse_hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Digest>, ProofError> {
    let mut hashes = Vec::new();
    for line in lines {
        let bytes = BASE64.decode(line).map_err(|_| ProofError::Form)?;
        let hash = <[u8; Digest::LENGTH]>::try_from(bytes).map_err(|_| ProofError::Form)?;
        hashes.push(hash.into());
        if hashes.len() > PROOF_HASHES {
            return Err(ProofError::Form);
        }
    }
    Ok(hashes)
}

/// A proof is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The text is too long.
    #[error("the proof is longer than {PROOF_BYTES} bytes (512 KiB)")]
    TooLong,
    /// The text is not a proof.
    #[error("malformed proof")]
    Form,
    /// The proof has no record, and the caller gave none.
    #[error("the proof contains no record and none was given")]
    NoRecord,
    /// The line that the proof is about is not a record.
    #[error("the proven line is not a valid record: {0}")]
    Record(RecordFault),
    /// The record has another index than the proof.
    #[error("the record has another index than the proof")]
    IndexMismatch,
    /// A checkpoint in the proof is not valid.
    #[error("invalid checkpoint in the proof: {0}")]
    Checkpoint(CheckpointError),
    /// The hashes do not prove the claim.
    #[error(transparent)]
    Tree(ProofFault),
}

#[cfg(test)]
mod tests;
