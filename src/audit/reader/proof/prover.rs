//! What proofs are made from: the tree over a whole log, and the checkpoints in it. Takes 32 bytes
//! of memory for each record.

use std::collections::BTreeSet;
use std::path::Path;

use super::{ConsistencyProof, InclusionProof};
use crate::audit::evidence::tree::Tree;
use crate::audit::reader::read::ReadError;
use crate::audit::reader::verifier::{Examination, Trust, examine_good};
use crate::audit::{Checkpoint, CheckpointError};
use crate::event::Event;

/// A log that was examined, and everything that it takes to prove something of it.
#[derive(Debug, Clone)]
pub struct Evidence {
    examination: Examination,
    tree: Tree,
    /// The checkpoints, by how many records they are over, in their order.
    notes: Vec<(u64, String)>,
    /// The records that were asked for.
    wanted: Vec<(u64, String)>,
}

impl Evidence {
    /// Examines the log at `path`, and keeps the lines of the records `wanted`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn collect(path: impl AsRef<Path>, trust: &Trust, wanted: &[u64]) -> Result<Self, ReadError> {
        let wanted: BTreeSet<_> = wanted.iter().copied().collect();
        let (mut tree, mut notes, mut lines) = (Tree::new(), Vec::new(), Vec::new());
        let examination = examine_good(path, trust, |record| {
            // Of a log whose beginning was moved away nothing can be proven.
            if record.seq() != tree.size() {
                return;
            }
            if let Some(Event::Checkpoint(signed)) = record.event() {
                notes.push((record.seq(), signed.note));
            }
            if wanted.contains(&record.seq()) {
                lines.push((record.seq(), record.line().to_owned()));
            }
            tree.push(record.leaf_hash());
        })?;
        Ok(Self { examination, tree, notes, wanted: lines })
    }

    /// What the examination came to.
    pub fn examination(&self) -> &Examination {
        &self.examination
    }

    /// The last checkpoint in the log.
    pub fn latest(&self) -> Option<&str> {
        self.notes.last().map(|(_, note)| note.as_str())
    }

    /// Proves that one of the records that were asked for is in the log: against the checkpoint
    /// `note`, or the last one in the log.
    ///
    /// # Errors
    ///
    /// When the log is not there as far as that, or there is no checkpoint that covers the record.
    pub fn inclusion(&self, seq: u64, note: Option<&str>) -> Result<InclusionProof, EvidenceError> {
        let (_, line) = self.wanted.iter().find(|(wanted, _)| *wanted == seq).ok_or(EvidenceError::NoRecord)?;
        let note = note.or_else(|| self.latest()).ok_or(EvidenceError::NoCheckpoint)?;
        let size = self.believed(note)?.size;
        if seq >= size {
            return Err(EvidenceError::NotCovered { size });
        }
        let hashes = self.tree.inclusion(seq, size).ok_or(EvidenceError::Incomplete)?;
        Ok(InclusionProof::new(line.clone().into_bytes(), seq, hashes, note.to_owned()))
    }

    /// Proves that the log only grew since the checkpoint `old`: until the checkpoint `new`, or the
    /// last one in the log.
    ///
    /// # Errors
    ///
    /// When the log is not the one that they were signed over, or is not there as far as that.
    pub fn consistency(&self, old: &str, new: Option<&str>) -> Result<ConsistencyProof, EvidenceError> {
        let new = new.or_else(|| self.latest()).ok_or(EvidenceError::NoCheckpoint)?;
        let (from, to) = (self.believed(old)?.size, self.believed(new)?.size);
        if from == 0 || from > to {
            return Err(EvidenceError::Order { old: from, new: to });
        }
        let hashes = self.tree.consistency(from, to).ok_or(EvidenceError::Incomplete)?;
        Ok(ConsistencyProof::new(old.to_owned(), new.to_owned(), hashes))
    }

    /// A checkpoint of this log, which has the records that it was signed over.
    fn believed(&self, note: &str) -> Result<Checkpoint, EvidenceError> {
        let (Some(origin), Some(key)) = (&self.examination.origin, &self.examination.key) else {
            return Err(EvidenceError::Incomplete);
        };
        let checkpoint =
            Checkpoint::open(note, std::slice::from_ref(key), origin).map_err(EvidenceError::Checkpoint)?;
        if self.examination.first > 0 || checkpoint.size > self.examination.next {
            return Err(EvidenceError::Incomplete);
        }
        match self.tree.root_at(checkpoint.size) {
            Some(root) if root == checkpoint.root => Ok(checkpoint),
            _ => Err(EvidenceError::OtherLog),
        }
    }
}

/// Something cannot be proven of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The record is not there.
    #[error("the log has no such record that is good")]
    NoRecord,
    /// There is no checkpoint.
    #[error("the log has no checkpoint, and none was given")]
    NoCheckpoint,
    /// The checkpoint cannot be believed.
    #[error("the checkpoint cannot be believed: {0}")]
    Checkpoint(CheckpointError),
    /// The checkpoint is from before the record.
    #[error("the checkpoint is over the first {size} records, and the record comes later")]
    #[non_exhaustive]
    NotCovered {
        /// How many records the checkpoint is over.
        size: u64,
    },
    /// The checkpoints are in the wrong order, or the older one is over nothing.
    #[error(
        "the older checkpoint is over {old} records, the newer over {new}: the older must be over at least one and no more than the newer"
    )]
    #[non_exhaustive]
    Order {
        /// How many records the older one is over.
        old: u64,
        /// How many the newer one is over.
        new: u64,
    },
    /// The log has other records than those.
    #[error("the log does not have the records that the checkpoint was signed over")]
    OtherLog,
    /// The log is damaged, or not all of it is there.
    #[error("the log is damaged before that, or not all of its files are there")]
    Incomplete,
}
