//! What an examination came to: facts for people and programs. Decides nothing.

use std::path::PathBuf;

use super::{Account, ChainFault, Checkpoint, CheckpointError, NoteVerifier};
use crate::Digest;
use crate::Escaped;
use crate::audit::evidence::record::{Record, RecordFault};

/// What came of the examination of a log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Examination {
    /// The number of the first record that was there. What came before it was moved away, and was
    /// not examined.
    pub first: u64,
    /// The number that the record after the last good one has: as many are good, from the first on.
    pub next: u64,
    /// The root over the records up to the last good one.
    pub root: Digest,
    /// The name of the log, if it has a good beginning.
    pub origin: Option<String>,
    /// The key that it names as its own.
    pub key: Option<NoteVerifier>,
    /// Whether whoever examines it named that key. If not, all that is known is that the log agrees
    /// with itself.
    pub is_key_trusted: bool,
    /// What is known of the good records.
    pub good: Good,
    /// The first record that is not good, if there is one.
    pub damaged: Option<Damaged>,
    /// What the last file ends in, if that is no whole line.
    pub unfinished: Option<Unfinished>,
    /// The checkpoints that were given.
    pub witnesses: Vec<Witness>,
    /// What the records say.
    pub account: Account,
}

impl Examination {
    /// How many records at the end of the good ones nobody vouches for: no checkpoint is over them,
    /// neither in the log nor among those that were given. Whoever may write to the log may have
    /// written them, or others may have been there.
    ///
    /// There are some while a log is written and when its writer was killed, and none when it was
    /// closed.
    pub fn unvouched(&self) -> u64 {
        let given = self.witnesses.iter().filter(|witness| witness.fault.is_none());
        let given = given.filter_map(|witness| Some(witness.checkpoint.as_ref()?.size)).max();
        // A checkpoint in the log speaks for itself.
        let own = self.good.vouched.map(|size| size.saturating_add(1));
        self.next - own.max(given).unwrap_or(self.first).clamp(self.first, self.next)
    }

    /// Whether everything is as it should be, as far as that is known: of the
    /// [`unvouched`](Self::unvouched) records at the end nothing is.
    pub fn is_intact(&self) -> bool {
        self.origin.is_some()
            && self.damaged.is_none()
            && self.unfinished.is_none()
            && self.witnesses.iter().all(|witness| witness.fault.is_none())
    }
}

/// What is known of the good records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Good {
    /// How many records the last good checkpoint in the log is over.
    pub vouched: Option<u64>,
    /// When the first was written.
    pub first_time: Option<String>,
    /// When the last was.
    pub last_time: Option<String>,
}

impl Good {
    pub(super) fn time(&mut self, record: &Record) {
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
    /// Where the line begins, in bytes.
    pub offset: u64,
    /// The number of the record that should be there.
    pub seq: u64,
    /// How many records before it a checkpoint vouches for: those are what they were when it was
    /// signed.
    pub vouched: Option<u64>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It is no record, or was changed.
    #[error(transparent)]
    Record(RecordFault),
    /// It cannot stand there.
    #[error(transparent)]
    Chain(ChainFault),
    /// A file begins with something else than it must, or a beginning is in its middle.
    #[error(
        "a file of a log begins with the record of its opening or of its continuation, and has none of a continuation elsewhere"
    )]
    Head,
    /// The log has another format.
    #[error("the log has another format")]
    Format,
    /// It names no key.
    #[error("it names no key that checkpoints could be signed with")]
    Key,
    /// It names another key than the one that was asked for, or than the log's beginning does.
    #[error("it names another key or another log than it should: {}", Escaped::new(found))]
    #[non_exhaustive]
    OtherKey {
        /// The key that it names.
        found: String,
    },
    /// It says of the records before it what is not so.
    #[error("what it says of the tree of the records before it is not so")]
    Tree,
    /// It is a checkpoint that cannot be believed.
    #[error("the checkpoint cannot be believed: {0}")]
    Checkpoint(CheckpointError),
    /// It is a checkpoint over more or fewer records than are before it.
    #[error("the checkpoint is over {found} records, and others are before it")]
    #[non_exhaustive]
    CheckpointSize {
        /// How many it is over.
        found: u64,
    },
    /// It is a checkpoint over other records.
    #[error(
        "the checkpoint was signed over other records than those before it: at least one of them was replaced since the checkpoint before"
    )]
    CheckpointRoot,
    /// A file that is followed by another ends within a line.
    #[error("the file ends within the record, and another file follows")]
    Unfinished,
}

/// What a file ends in that is no whole line. Its writer was killed, or it writes now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from one.
    pub line: u64,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes; of more than a record may have, a few more than that.
    pub bytes: u64,
}

/// A checkpoint that was kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Witness {
    /// The name that it was given by.
    pub name: String,
    /// What it says, if it can be believed.
    pub checkpoint: Option<Checkpoint>,
    /// Why the log is not the one that it was signed over, or that is not known.
    pub fault: Option<WitnessFault>,
}

/// Why a checkpoint and a log do not agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessFault {
    /// It cannot be believed.
    #[error("it cannot be believed: {0}")]
    Checkpoint(CheckpointError),
    /// The log has other records.
    #[error("it was signed over other records than the log has")]
    Root,
    /// The log was cut.
    #[error("it was signed over more records than the {records} that the log has: the log was cut short")]
    #[non_exhaustive]
    Longer {
        /// How many the log has.
        records: u64,
    },
    /// The records were moved away.
    #[error("the records that it was signed over were moved away: the first that is there is {first}")]
    #[non_exhaustive]
    BeforeTheFirst {
        /// The number of the first record.
        first: u64,
    },
    /// The log is damaged before that.
    #[error("the log is damaged before the end of what it was signed over")]
    NotReached,
}
