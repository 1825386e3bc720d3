//! The options of a log and their defaults. Opens nothing before [`LogBuilder::open`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::LogOpenError;
use super::{Log, Mode};
use crate::audit::LogKey;
use crate::audit::sink::Sink;
use crate::limits::audit::{CHECKPOINT_RECORDS, SEGMENT_BYTES, SEGMENT_LEAST_BYTES};
use crate::timing::audit::CHECKPOINT_INTERVAL;

/// Receives each signed checkpoint.
pub(super) type Hook = Box<dyn FnMut(&str) + Send>;

/// The options of a log that this process writes. Every default is the strict choice.
#[must_use = "nothing is opened before `open`"]
pub struct LogBuilder {
    pub(super) path: PathBuf,
    pub(super) key: LogKey,
    pub(super) mode: Mode,
    pub(super) rotate_at: u64,
    pub(super) records: u64,
    pub(super) interval: Duration,
    pub(super) checkpoint_file: Option<PathBuf>,
    pub(super) hook: Option<Hook>,
    pub(super) outside: Vec<PathBuf>,
    pub(super) sinks: Vec<Box<dyn Sink>>,
}

impl LogBuilder {
    pub(super) fn new(path: &Path, key: LogKey) -> Self {
        Self {
            path: path.to_path_buf(),
            key,
            mode: Mode::Required,
            rotate_at: SEGMENT_BYTES,
            records: CHECKPOINT_RECORDS,
            interval: CHECKPOINT_INTERVAL,
            checkpoint_file: None,
            hook: None,
            outside: Vec::new(),
            sinks: Vec::new(),
        }
    }

    /// Reports success without waiting for the disk. Records that cannot be written are lost; the
    /// log records their number when it can be written again.
    ///
    /// # Security
    ///
    /// An attacker who fills the disk can act without a record. The log states this mode in its
    /// `opened` record.
    pub fn best_effort(mut self) -> Self {
        self.mode = Mode::BestEffort;
        self
    }

    /// Starts a new segment when the current file has `bytes` bytes, instead of 64 MiB; at least 4
    /// KiB. Full segments stay in the directory of the log; nothing here removes them.
    pub fn rotate_at(mut self, bytes: u64) -> Self {
        self.rotate_at = bytes.max(SEGMENT_LEAST_BYTES);
        self
    }

    /// Signs a checkpoint after `records` uncovered records (default: 1,000), or when the oldest
    /// uncovered record is `interval` old (default: one minute).
    pub fn checkpoint_every(mut self, records: u64, interval: Duration) -> Self {
        self.records = records.max(1);
        self.interval = interval;
        self
    }

    /// Also writes the latest checkpoint to this file. Store it where an attacker who can change
    /// the log cannot write: it proves that a log was truncated. Opening fails if the log no longer
    /// has every record that the checkpoint covers.
    pub fn checkpoint_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.checkpoint_file = Some(path.into());
        self
    }

    /// Calls `hook` with each signed checkpoint, for example to store it on another machine. It
    /// runs on the writer's thread, so it must not block.
    pub fn on_checkpoint(mut self, hook: impl FnMut(&str) + Send + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Makes opening fail if the log is in or below this directory, which contains plugins. Can be
    /// called several times.
    pub fn outside(mut self, directory: impl Into<PathBuf>) -> Self {
        self.outside.push(directory.into());
        self
    }

    /// Sends a copy of each record to `sink`, after it is written to the log.
    pub fn with_sink(mut self, sink: impl Sink + 'static) -> Self {
        self.sinks.push(Box::new(sink));
        self
    }

    /// Opens the log or creates it, and records that this process writes it. A torn record at its
    /// end, from a writer that was killed, is quarantined first.
    ///
    /// # Errors
    ///
    /// When the log cannot be opened, was changed, belongs to another key, or is open in another
    /// writer; when another user can rename files in its directory.
    pub fn open(self) -> Result<Log, LogOpenError> {
        Log::open(self)
    }
}

impl fmt::Debug for LogBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogBuilder")
            .field("path", &self.path)
            .field("key", &self.key)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
