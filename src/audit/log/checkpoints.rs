//! When a checkpoint is due, and its delivery outside the log: to the checkpoint file and the hook.
//! Records nothing.

use std::io::{self, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::LogOpenError;
use super::settings::Hook;
use crate::audit::evidence::chain::Chain;
use crate::audit::{Checkpoint, CheckpointError, LogKey};
use crate::event::{CheckpointSigned, DeliveryFailed, Event, text};
use crate::fs::{FileMode, RegularFileError, Symlinks, open_regular, replace_file};
use crate::limits::audit::CHECKPOINT_FILE_BYTES;

/// A signed checkpoint, with its note.
pub(super) struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: String,
}

impl SignedCheckpoint {
    pub(super) fn event(&self) -> Event {
        Event::Checkpoint(CheckpointSigned { note: self.note.clone() })
    }
}

/// The schedule of checkpoints, their destinations, and the last one.
pub(super) struct CheckpointSchedule {
    records: u64,
    interval: Duration,
    file: Option<PathBuf>,
    hook: Option<Hook>,
    /// How many records the log had right after the last checkpoint record. That record does not
    /// need another checkpoint, or an idle log would sign one after the other.
    covered: u64,
    /// How many records the log has.
    size: u64,
    /// When the first uncovered record was added.
    since: Option<Instant>,
    last: Option<SignedCheckpoint>,
    missed: u64,
    reason: String,
}

impl CheckpointSchedule {
    pub(super) fn new(records: u64, interval: Duration, file: Option<PathBuf>, hook: Option<Hook>, size: u64) -> Self {
        // Records of an earlier writer may be uncovered, so a checkpoint becomes due.
        let since = (size > 0).then(Instant::now);
        Self { records, interval, file, hook, covered: 0, size, since, last: None, missed: 0, reason: String::new() }
    }

    /// Takes the new number of records. It can be smaller than before, after a failed sync, but
    /// never smaller than the covered part, which is on disk.
    pub(super) fn added(&mut self, size: u64) {
        self.size = size;
        if size > self.covered {
            self.since.get_or_insert_with(Instant::now);
        }
    }

    /// When a checkpoint is due if no more records arrive.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.since.and_then(|since| since.checked_add(self.interval))
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.size.saturating_sub(self.covered) >= self.records || self.due_at().is_some_and(|due| now >= due)
    }

    /// The last checkpoint, if no record was added since.
    pub(super) fn latest(&self, chain: &Chain) -> Option<Checkpoint> {
        let last = self.last.as_ref().filter(|_| chain.next() == self.covered);
        last.map(|signed| signed.checkpoint.clone())
    }

    pub(super) fn note(&self) -> Option<String> {
        self.last.as_ref().map(|signed| signed.note.clone())
    }

    pub(super) fn sign(&self, chain: &Chain, key: &LogKey) -> SignedCheckpoint {
        let checkpoint = Checkpoint::new(key.origin(), chain.next(), chain.tree().root());
        // Signing cannot fail: the origin is the name of the key, and the rules for key names are
        // stricter than those for lines of a note.
        let note = checkpoint.sign(key.signer()).unwrap_or_default();
        SignedCheckpoint { checkpoint, note }
    }

    /// Delivers a checkpoint that the log has recorded. The order matters: a checkpoint file ahead
    /// of the log would make the log look truncated after a crash.
    pub(super) fn deliver(&mut self, signed: SignedCheckpoint, chain: &Chain) -> Checkpoint {
        (self.covered, self.size, self.since) = (chain.next(), chain.next(), None);
        if let Some(path) = &self.file
            && let Err(error) = replace_file(path, FileMode::Exact(0o600), signed.note.as_bytes())
        {
            tracing::error!(%error, "cannot write the checkpoint file");
            self.missed += 1;
            self.reason = error.to_string();
        }
        // A panic in the hook does not end the writer.
        if let Some(hook) = &mut self.hook
            && catch_unwind(AssertUnwindSafe(|| hook(&signed.note))).is_err()
        {
            tracing::error!("the checkpoint hook of the audit log panicked");
        }
        let checkpoint = signed.checkpoint.clone();
        self.last = Some(signed);
        checkpoint
    }

    /// Takes the failed deliveries, to be recorded.
    pub(super) fn take_missed(&mut self) -> Option<DeliveryFailed> {
        let count = std::mem::take(&mut self.missed);
        (count > 0).then(|| DeliveryFailed { to: "checkpoint file".into(), count, reason: text(&self.reason) })
    }
}

/// A checkpoint from the checkpoint file.
#[derive(Debug)]
pub(super) struct SavedCheckpoint {
    pub(super) checkpoint: Checkpoint,
    pub(super) note: String,
}

/// Reads and verifies the checkpoint file. `None` if there is none.
pub(super) fn read_saved(path: &Path, key: &LogKey) -> Result<Option<SavedCheckpoint>, LogOpenError> {
    let failed = |source| LogOpenError::Io { path: path.to_path_buf(), source };
    let file = match open_regular(path, Symlinks::Follow) {
        Ok(file) => file,
        Err(RegularFileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(RegularFileError::Io(error)) => return Err(failed(error)),
        Err(RegularFileError::NotRegular { kind }) => {
            return Err(LogOpenError::NotRegular { path: path.to_path_buf(), kind });
        }
    };
    let mut note = Vec::new();
    // Bounds the memory. A longer file is truncated here and fails as a note.
    file.take(CHECKPOINT_FILE_BYTES).read_to_end(&mut note).map_err(failed)?;
    let read = String::from_utf8(note).map_err(|_| CheckpointError::Form);
    let opened = read.and_then(|note| {
        let checkpoint = Checkpoint::open(&note, &[key.verifier().clone()], key.origin())?;
        Ok(SavedCheckpoint { checkpoint, note })
    });
    opened.map(Some).map_err(|source| LogOpenError::Checkpoint { path: path.to_path_buf(), source })
}
