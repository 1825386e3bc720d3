//! How a log is kept: what may be chosen, and what holds when nothing is. Opens nothing before
//! [`LogBuilder::open`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::LogOpenError;
use super::{Log, Mode};
use crate::audit::LogKey;
use crate::audit::sink::Sink;
use crate::limits::audit::{CHECKPOINT_RECORDS, SEGMENT_BYTES, SEGMENT_LEAST_BYTES};
use crate::timing::audit::CHECKPOINT_INTERVAL;

/// Is given each signed checkpoint.
pub(super) type Hook = Box<dyn FnMut(&str) + Send>;

/// The way to a log that is written. Everything has a default, which is the strict one.
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

    /// Lets things happen that could not be recorded. How many were lost is recorded when the log
    /// can be written again.
    ///
    /// # Security
    ///
    /// Whoever can fill the disk can act unseen. The log itself says that it was kept so.
    pub fn best_effort(mut self) -> Self {
        self.mode = Mode::BestEffort;
        self
    }

    /// Begins a new file when the current one has so many bytes, instead of 64 MiB; at least 4 KiB.
    /// The files stay beside each other, and it is for others to move the old ones away.
    pub fn rotate_at(mut self, bytes: u64) -> Self {
        self.rotate_at = bytes.max(SEGMENT_LEAST_BYTES);
        self
    }

    /// Signs a checkpoint after so many records, and so long after one that is not covered yet,
    /// instead of 1,000 records and a minute.
    pub fn checkpoint_every(mut self, records: u64, interval: Duration) -> Self {
        self.records = records.max(1);
        self.interval = interval;
        self
    }

    /// Keeps the latest checkpoint in this file too. It should be where whoever may change the log
    /// may not: that is what shows that a log was cut short. A log that has not the records any
    /// more that the checkpoint in it is over is not opened.
    pub fn checkpoint_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.checkpoint_file = Some(path.into());
        self
    }

    /// Gives each signed checkpoint to `hook`, which can carry it elsewhere. It runs on the
    /// writer's thread, so it must not wait for anything.
    pub fn on_checkpoint(mut self, hook: impl FnMut(&str) + Send + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Refuses to keep the log in or below this directory, in which plugins lie. Can be said of
    /// several.
    pub fn outside(mut self, directory: impl Into<PathBuf>) -> Self {
        self.outside.push(directory.into());
        self
    }

    /// Gives a copy of each record to `sink`, when the log has it.
    pub fn with_sink(mut self, sink: impl Sink + 'static) -> Self {
        self.sinks.push(Box::new(sink));
        self
    }

    /// Opens the log, or makes it, and records that this process writes it. What a killed writer
    /// left unfinished is put aside before.
    ///
    /// # Errors
    ///
    /// When the log cannot be opened, was changed, belongs to another key, or another writer has it
    /// open; when others could put something else in its place.
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
