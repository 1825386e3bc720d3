//! Proofs for those who have not the log: that a record is in it, and that it only grew. They are
//! checked with the key of the log and nothing else.

mod consistency;
mod inclusion;
mod prover;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

pub use consistency::{ConsistencyProof, Consistent};
pub use inclusion::{Included, InclusionProof};
pub use prover::{Evidence, EvidenceError};

use crate::Digest;
use crate::audit::evidence::checkpoint::CheckpointError;
use crate::audit::evidence::record::RecordFault;
use crate::audit::evidence::tree::ProofFault;

/// A proof holds a record, two checkpoints, and a hash for each time that the tree doubles.
const LIMIT: usize = 512 * 1024;
const HASHES: usize = 64;

fn hash_line(hash: &Digest) -> String {
    format!("{}\n", BASE64.encode(hash.as_bytes()))
}

fn hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Digest>, ProofError> {
    let mut hashes = Vec::new();
    for line in lines {
        let bytes = BASE64.decode(line).map_err(|_| ProofError::Form)?;
        let hash = <[u8; Digest::LENGTH]>::try_from(bytes).map_err(|_| ProofError::Form)?;
        hashes.push(hash.into());
        if hashes.len() > HASHES {
            return Err(ProofError::Form);
        }
    }
    Ok(hashes)
}

/// A proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// It is too long.
    #[error("it is longer than {LIMIT} bytes")]
    TooLong,
    /// It has another form.
    #[error("it does not have the form of a proof")]
    Form,
    /// It is about a record, and has none with it.
    #[error("it has no record with it, and none was given")]
    NoRecord,
    /// It is about a record, and what it has with it is none.
    #[error("what it is about is no record: {0}")]
    Record(RecordFault),
    /// Its record has another number than it says.
    #[error("its record has another number than it says")]
    OtherNumber,
    /// A checkpoint in it cannot be believed.
    #[error("its checkpoint cannot be believed: {0}")]
    Checkpoint(CheckpointError),
    /// It does not prove what it should.
    #[error(transparent)]
    Tree(ProofFault),
}

#[cfg(test)]
mod tests;
