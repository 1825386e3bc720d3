//! Makes proofs: reads a whole log once and keeps its tree and its checkpoints. Takes 32 bytes of
//! memory for each record.

use std::collections::BTreeSet;
use std::path::Path;

use super::{ConsistencyProof, InclusionProof};
use crate::audit::evidence::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::evidence::tree::Tree;
use crate::audit::reader::read::ReadError;
use crate::audit::reader::verifier::{TrustAnchors, VerificationReport, verify_records};
use crate::event::Event;

/// A verified log with everything needed to prove something about it.
#[derive(Debug, Clone)]
pub struct Prover {
    report: VerificationReport,
    tree: Tree,
    /// Size and signed note of each checkpoint in the log, in ascending order.
    notes: Vec<(u64, String)>,
    /// Index and line of each requested record.
    wanted: Vec<(u64, String)>,
}

impl Prover {
    /// Verifies the log at `path` and keeps the lines of the records with the indexes `wanted`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn read(path: impl AsRef<Path>, trust: &TrustAnchors, wanted: &[u64]) -> Result<Self, ReadError> {
        let wanted: BTreeSet<_> = wanted.iter().copied().collect();
        let (mut tree, mut notes, mut lines) = (Tree::new(), Vec::new(), Vec::new());
        let report = verify_records(path, trust, |record| {
            // Without the first segments the tree cannot be built, and no proof is possible.
            if record.index() != tree.size() {
                return;
            }
            if let Some(Event::Checkpoint(signed)) = record.event() {
                notes.push((record.index(), signed.note));
            }
            if wanted.contains(&record.index()) {
                lines.push((record.index(), record.line().to_owned()));
            }
            tree.push(record.leaf_hash());
        })?;
        Ok(Self { report, tree, notes, wanted: lines })
    }

    /// The result of the verification.
    pub fn report(&self) -> &VerificationReport {
        &self.report
    }

    /// The last checkpoint in the log.
    pub fn latest(&self) -> Option<&str> {
        self.notes.last().map(|(_, note)| note.as_str())
    }

    /// Proves that the log contains one of the requested records, against the checkpoint `note` or
    /// the last one in the log.
    ///
    /// # Errors
    ///
    /// When the log is damaged or incomplete before the checkpoint, or no checkpoint covers the
    /// record.
    pub fn inclusion(&self, index: u64, note: Option<&str>) -> Result<InclusionProof, ProverError> {
        let (_, line) = self.wanted.iter().find(|(wanted, _)| *wanted == index).ok_or(ProverError::NoRecord)?;
        let note = note.or_else(|| self.latest()).ok_or(ProverError::NoCheckpoint)?;
        let size = self.open_checkpoint(note)?.size;
        if index >= size {
            return Err(ProverError::NotCovered { size });
        }
        let hashes = self.tree.inclusion(index, size).ok_or(ProverError::Incomplete)?;
        Ok(InclusionProof::new(line.clone().into_bytes(), index, hashes, note.to_owned()))
    }

    /// Proves that the log only grew between the checkpoint `old` and the checkpoint `new` or the
    /// last one in the log.
    ///
    /// # Errors
    ///
    /// When a checkpoint was signed over another log, or the log is damaged or incomplete before
    /// it.
    pub fn consistency(&self, old: &str, new: Option<&str>) -> Result<ConsistencyProof, ProverError> {
        let new = new.or_else(|| self.latest()).ok_or(ProverError::NoCheckpoint)?;
        let (from, to) = (self.open_checkpoint(old)?.size, self.open_checkpoint(new)?.size);
        if from == 0 || from > to {
            return Err(ProverError::Order { old: from, new: to });
        }
        let hashes = self.tree.consistency(from, to).ok_or(ProverError::Incomplete)?;
        Ok(ConsistencyProof::new(old.to_owned(), new.to_owned(), hashes))
    }

    /// Opens a checkpoint and compares it with the records that it covers.
    fn open_checkpoint(&self, note: &str) -> Result<Checkpoint, ProverError> {
        let (Some(origin), Some(key)) = (&self.report.origin, &self.report.key) else {
            return Err(ProverError::Incomplete);
        };
        let checkpoint = Checkpoint::open(note, std::slice::from_ref(key), origin).map_err(ProverError::Checkpoint)?;
        if self.report.first > 0 || checkpoint.size > self.report.next {
            return Err(ProverError::Incomplete);
        }
        match self.tree.root_at(checkpoint.size) {
            Some(root) if root == checkpoint.root => Ok(checkpoint),
            _ => Err(ProverError::OtherLog),
        }
    }
}

/// A proof cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProverError {
    /// The log has no such good record.
    #[error("the log has no such record, or it is damaged before it")]
    NoRecord,
    /// The log has no checkpoint, and the caller gave none.
    #[error("the log has no checkpoint and none was given")]
    NoCheckpoint,
    /// The checkpoint is not valid.
    #[error("invalid checkpoint: {0}")]
    Checkpoint(CheckpointError),
    /// The checkpoint is older than the record.
    #[error("the checkpoint covers only the first {size} records, and the record comes later")]
    #[non_exhaustive]
    NotCovered {
        /// How many records the checkpoint covers.
        size: u64,
    },
    /// The checkpoints are in the wrong order, or the older one covers no record.
    #[error(
        "the older checkpoint covers {old} records, the newer {new}; the older must cover at least one and at most as many as the newer"
    )]
    #[non_exhaustive]
    Order {
        /// How many records the older one covers.
        old: u64,
        /// How many records the newer one covers.
        new: u64,
    },
    /// The log has other records than the checkpoint covers.
    #[error("the log has other records than the checkpoint covers")]
    OtherLog,
    /// The log is damaged, or segments are missing.
    #[error("the log is damaged before that, or files of it are missing")]
    Incomplete,
}
