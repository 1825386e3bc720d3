//! The result of a verification: values for people and programs. Decides nothing.

use std::path::PathBuf;

use super::LogTotals;
use crate::Digest;
use crate::Escaped;
use crate::audit::evidence::chain::ChainFault;
use crate::audit::evidence::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::evidence::note::NoteVerifier;
use crate::audit::evidence::record::{Record, RecordFault};

/// The result of verifying a log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerificationReport {
    /// The index of the first record that was present. Earlier segments were moved away and were
    /// not verified.
    pub first: u64,
    /// The index after the last good record: the records `first..next` are good.
    pub next: u64,
    /// The Merkle root over all records up to the last good one.
    pub root: Digest,
    /// The name of the log; `None` if the first record is not good.
    pub origin: Option<String>,
    /// The public key that the first record names.
    pub key: Option<NoteVerifier>,
    /// Whether the caller gave this key as trusted. Without a trusted key the report only says that
    /// the log is consistent with itself.
    pub is_key_trusted: bool,
    /// Facts about the good records.
    pub good: GoodRecords,
    /// The first record that is not good.
    pub damaged: Option<Damaged>,
    /// An incomplete last line.
    pub torn_tail: Option<IncompleteLine>,
    /// The checkpoints that the caller gave, each with its result.
    pub trusted_checkpoints: Vec<TrustedCheckpoint>,
    /// Counts over the good records.
    pub totals: LogTotals,
}

impl VerificationReport {
    /// The number of good records at the end that no checkpoint covers, neither one in the log nor
    /// a trusted one. Anyone who can write to the file may have written or replaced them.
    ///
    /// It is more than zero while a log is written and after its writer was killed, and zero after
    /// the log was closed.
    pub fn uncovered(&self) -> u64 {
        let trusted = self.trusted_checkpoints.iter().filter(|trusted| trusted.fault.is_none());
        let trusted = trusted.filter_map(|trusted| Some(trusted.checkpoint.as_ref()?.size)).max();
        // The record that holds a checkpoint is covered by the signature in it.
        let own = self.good.covered.map(|size| size.saturating_add(1));
        self.next - own.max(trusted).unwrap_or(self.first).clamp(self.first, self.next)
    }

    /// Whether the log has a valid beginning, no damage, no torn tail, and agrees with every
    /// trusted checkpoint. It says nothing about the [`uncovered`](Self::uncovered) records.
    pub fn is_intact(&self) -> bool {
        self.origin.is_some()
            && self.damaged.is_none()
            && self.torn_tail.is_none()
            && self.trusted_checkpoints.iter().all(|trusted| trusted.fault.is_none())
    }
}

/// Facts about the good records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GoodRecords {
    /// The number of records that the last good checkpoint in the log covers.
    pub covered: Option<u64>,
    /// The time of the first record.
    pub first_time: Option<String>,
    /// The time of the last record.
    pub last_time: Option<String>,
}

impl GoodRecords {
    pub(super) fn add(&mut self, record: &Record) {
        self.first_time.get_or_insert_with(|| record.time());
        self.last_time = Some(record.time());
    }
}

/// The first record that is not good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damaged {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from one.
    pub line: u64,
    /// The offset of the line in the file, in bytes.
    pub offset: u64,
    /// The index of the record that is expected there.
    pub index: u64,
    /// The number of earlier records that a checkpoint in the log covers: they are unchanged since
    /// it was signed.
    pub covered: Option<u64>,
    /// The fault of the record.
    pub fault: LogFault,
}

/// Why a record is not good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogFault {
    /// The line is not a record, or it was changed.
    #[error(transparent)]
    Record(RecordFault),
    /// The record does not follow the one before it.
    #[error(transparent)]
    Chain(ChainFault),
    /// A segment starts with another event than `opened` or `continued`, or `continued` is not the
    /// first record of its segment.
    #[error("a file of a log starts with an `opened` or `continued` record, and `continued` is allowed only there")]
    SegmentStart,
    /// The log has an unknown format.
    #[error("unknown log format")]
    Format,
    /// The key in the record cannot be parsed.
    #[error("the record has no valid verifier key")]
    Key,
    /// The record names another key or origin than the caller trusts or the first record names.
    #[error("the record names another key or another log: {}", Escaped::new(found))]
    #[non_exhaustive]
    OtherKey {
        /// The key in the record.
        found: String,
    },
    /// The compact range in the record differs from the records before it.
    #[error("the tree hashes in the record do not match the records before it")]
    Tree,
    /// The checkpoint is not valid.
    #[error("invalid checkpoint: {0}")]
    Checkpoint(CheckpointError),
    /// The checkpoint covers another number of records than precede it.
    #[error("the checkpoint covers {found} records, but another number of records precedes it")]
    #[non_exhaustive]
    CheckpointSize {
        /// The number that the checkpoint covers.
        found: u64,
    },
    /// The checkpoint has another root than the records before it.
    #[error("the checkpoint was signed over other records: at least one was replaced since the previous checkpoint")]
    CheckpointRoot,
    /// A segment ends within a line although another segment follows.
    #[error("the file ends within the record, but another file follows")]
    TornTail,
}

/// An incomplete line at the end of the last segment: its writer was killed, or is writing now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncompleteLine {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from one.
    pub line: u64,
    /// The offset of the line in the file, in bytes.
    pub offset: u64,
    /// The length in bytes. A tail longer than the longest record counts only a few bytes more than
    /// that.
    pub bytes: u64,
}

/// A checkpoint that was kept outside the log, and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustedCheckpoint {
    /// The name that the caller gave it.
    pub name: String,
    /// The checkpoint; `None` if it is not valid.
    pub checkpoint: Option<Checkpoint>,
    /// Why the log does not agree with it, or why that is unknown.
    pub fault: Option<CheckpointMismatch>,
}

/// Why a log does not agree with a trusted checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointMismatch {
    /// The checkpoint is not valid.
    #[error("invalid checkpoint: {0}")]
    Invalid(CheckpointError),
    /// The log has other records.
    #[error("it covers other records than the log has")]
    Root,
    /// The log has fewer records than the checkpoint covers.
    #[error("it covers more than the {records} records of the log: the log was truncated")]
    #[non_exhaustive]
    Truncated {
        /// The number of records in the log.
        records: u64,
    },
    /// The records that the checkpoint covers are in segments that are not present.
    #[error("it covers records that were moved away: the first record present is {first}")]
    #[non_exhaustive]
    BeforeFirstRecord {
        /// The index of the first record.
        first: u64,
    },
    /// The log is damaged before the last record that the checkpoint covers.
    #[error("the log is damaged within the records that it covers")]
    NotReached,
}
