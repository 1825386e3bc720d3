//! A log that this process writes: [`Log`] takes events, and one thread writes them. Reads only to
//! find the end of an existing log.

mod batch;
mod checkpoints;
mod error;
mod file;
mod recorder;
mod recover;
mod rotation;
mod settings;
mod task;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

pub use error::{LogError, LogOpenError};
pub use settings::LogBuilder;

use self::checkpoints::CheckpointSchedule;
use self::file::WriterLock;
use self::task::{Mailbox, Task};
use self::writer::Writer;
use super::sink::Sinks;
use super::{Checkpoint, KeyedHasher, LogKey, NoteVerifier};
use crate::Escaped;
use crate::event::KeyedHash;
use crate::event::{Event, FORMAT, LogOpened, TornTail};
use crate::fs::{LocationError, directory_of, trusted_directory};

/// Whether an action needs its record first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// It does: the caller gets a success only when the record is on disk.
    Required,
    /// It does not: records that cannot be written are lost, and the log records their number.
    BestEffort,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Required => "required",
            Self::BestEffort => "best effort",
        })
    }
}

/// The state of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStatus {
    /// How many records the log has.
    pub records: u64,
    /// How many batches were written since it was opened. A required log syncs once for each.
    pub batches: u64,
    /// How many records were lost since it was opened.
    pub lost: u64,
    /// How many `undelivered` events occurred since it was opened: a sink or the checkpoint file
    /// missed something.
    pub undelivered: u64,
    /// The last checkpoint since it was opened: a signed note.
    pub checkpoint: Option<String>,
    /// Whether the file system reserves disk space for outcomes. If it cannot, a disk that fills up
    /// during a call keeps the outcome from being recorded, and the answer from being returned.
    pub preallocates: bool,
}

/// The state that the writer and the clones of [`Log`] share.
struct Shared {
    path: PathBuf,
    mode: Mode,
    key: LogKey,
    mailbox: Mailbox,
    status: Mutex<LogStatus>,
    /// How many events without a caller the full or closed queue rejected. The writer takes the
    /// count with its next batch.
    rejected: AtomicU64,
}

impl Shared {
    fn update_status(&self, change: impl FnOnce(&mut LogStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn display_path(&self) -> Escaped<'_> {
        Escaped::path(&self.path)
    }
}

/// A log that is open for writing. Cheap to clone. Dropping the last clone closes it, with a final
/// checkpoint.
#[derive(Clone)]
pub struct Log(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    /// Returns the options for the log at `path`, which is written with `key`.
    pub fn builder(path: impl AsRef<Path>, key: LogKey) -> LogBuilder {
        LogBuilder::new(path.as_ref(), key)
    }

    fn open(builder: LogBuilder) -> Result<Self, LogOpenError> {
        let path = resolve(&builder.path)?;
        for directory in &builder.outside {
            refuse_inside(&path, directory)
                .map_err(|directory| LogOpenError::InPluginDirectory { path: path.clone(), directory })?;
        }
        let lock = WriterLock::acquire(&path)?;
        let saved =
            builder.checkpoint_file.as_deref().map(|file| checkpoints::read_saved(file, &builder.key)).transpose()?;
        let mut recovered = recover::recover(&path, &builder.key, saved.flatten().as_ref())?;
        let opened = opened(&builder, std::mem::take(&mut recovered.torn));
        let LogBuilder { key, mode, rotate_at, records, interval, checkpoint_file, hook, sinks, .. } = builder;
        let schedule = CheckpointSchedule::new(records, interval, checkpoint_file, hook, recovered.chain.next());
        let shared = Arc::new(Shared {
            path,
            mode,
            key,
            mailbox: Mailbox::default(),
            status: Mutex::default(),
            rejected: AtomicU64::new(0),
        });
        let first = |source| LogOpenError::First { path: shared.path.clone(), source };
        let sinks = Sinks::new(sinks).map_err(|error| first(error.into()))?;
        let writer = Writer::new(Arc::clone(&shared), recovered, rotate_at, sinks, schedule);
        let run = move || {
            writer.run();
            // After the file is closed: the next writer must not find a half-finished end.
            drop(lock);
        };
        let thread = std::thread::Builder::new().name("portcullis-audit".into()).spawn(run);
        let thread = thread.map_err(|error| first(error.into()))?;
        let log = Self(Arc::new(Handle { shared: Arc::clone(&shared), writer: Mutex::new(Some(thread)) }));
        let (sender, receiver) = mpsc::channel();
        log.put(Task::Record {
            event: opened,
            reserves: false,
            done: Some(Box::new(move |done| drop(sender.send(done)))),
        });
        receiver.recv().unwrap_or(Err(LogError::Closed)).map_err(first)?;
        Ok(log)
    }

    /// Queues `event` and returns. `done` gets a success when the record is on disk, or an error if
    /// it is not in the log and never will be. It runs on the writer's thread, so it must not
    /// block.
    ///
    /// In best effort, `done` runs before this returns and always gets a success.
    pub fn submit(&self, event: Event, done: impl FnOnce(Result<(), LogError>) + Send + 'static) {
        match self.mode() {
            Mode::Required => self.put(Task::Record { event, reserves: false, done: Some(Box::new(done)) }),
            Mode::BestEffort => {
                self.put(Task::Record { event, reserves: false, done: None });
                done(Ok(()));
            }
        }
    }

    /// Records `event`, and blocks until it is on disk. In best effort it does not block.
    ///
    /// # Errors
    ///
    /// When the event is not in the log and never will be.
    pub fn append(&self, event: Event) -> Result<(), LogError> {
        let (sender, receiver) = mpsc::channel();
        self.submit(event, move |outcome| drop(sender.send(outcome)));
        receiver.recv().unwrap_or(Err(LogError::Closed))
    }

    /// Records something that has happened already. If it cannot be written now, the writer tries
    /// again. If too many events wait, it is lost, and the log records the loss.
    pub fn note(&self, event: Event) {
        self.put(Task::Mandatory { event, redeems: false, done: None });
    }

    fn put(&self, task: Task) {
        let Some((task, error)) = self.0.shared.mailbox.put(task) else { return };
        if let Task::Record { done: None, .. } | Task::Mandatory { .. } = task {
            self.0.shared.rejected.fetch_add(1, Ordering::Relaxed);
            self.0.shared.update_status(|status| status.lost += 1);
        }
        task.refuse(&error);
    }

    /// Signs a checkpoint over all records, records it, and returns it. Blocks.
    ///
    /// # Errors
    ///
    /// When it cannot be recorded.
    pub fn checkpoint(&self) -> Result<Checkpoint, LogError> {
        let (sender, receiver) = mpsc::channel();
        self.put(Task::Checkpoint(Box::new(move |outcome| drop(sender.send(outcome)))));
        receiver.recv().unwrap_or(Err(LogError::Closed))
    }

    /// Records the queued events and the end, signs a final checkpoint, and releases the log for
    /// other writers. Blocks, some seconds longer if a sink is slow. Afterwards every clone refuses
    /// to record.
    ///
    /// # Errors
    ///
    /// When the end or the checkpoint cannot be recorded, or the log was closed before.
    pub fn close(&self) -> Result<(), LogError> {
        let (sender, receiver) = mpsc::channel();
        self.put(Task::Close(Box::new(move |outcome| drop(sender.send(outcome)))));
        let outcome = receiver.recv().unwrap_or(Err(LogError::Closed));
        self.0.join();
        outcome
    }

    /// The keyed hash of a value, as it appears in this log.
    pub fn keyed_hash(&self, value: &[u8]) -> KeyedHash {
        self.0.shared.key.keyed_hash(value)
    }

    /// Computes the keyed hash of a value that arrives in pieces.
    pub fn keyed_hasher(&self) -> KeyedHasher {
        self.0.shared.key.keyed_hasher()
    }

    /// The absolute path of the log, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.0.shared.path
    }

    /// Whether an action needs its record first.
    pub fn mode(&self) -> Mode {
        self.0.shared.mode
    }

    /// The public key that verifies the log's checkpoints.
    pub fn verifier(&self) -> &NoteVerifier {
        self.0.shared.key.verifier()
    }

    /// A snapshot of the log's state.
    pub fn status(&self) -> LogStatus {
        self.0.shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fails if the log is directly in `directory`, which contains a plugin. Below it, it may be.
    ///
    /// # Errors
    ///
    /// [`LogError::InPluginDirectory`]; also when `directory` cannot be resolved.
    pub fn refuse_beside(&self, directory: &Path) -> Result<(), LogError> {
        let directory = match directory.canonicalize() {
            Ok(found) if self.path().parent() != Some(&found) => return Ok(()),
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(_) => directory.to_path_buf(),
        };
        Err(LogError::InPluginDirectory { path: self.path().to_path_buf(), directory })
    }

    /// Fails if the log is in or below `directory`, which contains plugins.
    ///
    /// # Errors
    ///
    /// [`LogError::InPluginDirectory`]; also when `directory` cannot be resolved.
    pub fn refuse_inside(&self, directory: &Path) -> Result<(), LogError> {
        refuse_inside(self.path(), directory)
            .map_err(|directory| LogError::InPluginDirectory { path: self.path().to_path_buf(), directory })
    }
}

impl Handle {
    fn join(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A callback may own the last clone and drop it on the writer's thread, which cannot join
        // itself.
        if let Some(writer) = writer.filter(|writer| writer.thread().id() != std::thread::current().id()) {
            let _ = writer.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.shared.mailbox.put(Task::Close(Box::new(drop))).is_none() {
            self.join();
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("path", &self.path()).field("mode", &self.mode()).finish_non_exhaustive()
    }
}

/// Resolves the path of a log. Fails if another user can rename files in its directory.
fn resolve(path: &Path) -> Result<PathBuf, LogOpenError> {
    let failed = |source| LogOpenError::Io { path: path.to_path_buf(), source };
    let name = path.file_name().ok_or_else(|| failed(std::io::ErrorKind::InvalidInput.into()))?;
    match trusted_directory(directory_of(path)) {
        Ok(directory) => Ok(directory.join(name)),
        Err(LocationError::Io(error)) => Err(failed(error)),
        Err(LocationError::WritableByOthers { directory, owner, mode }) => {
            Err(LogOpenError::UntrustedDirectory { path: directory, owner, mode })
        }
    }
}

/// Fails with the directory if the log is in or below it, or if it cannot be resolved.
fn refuse_inside(log: &Path, directory: &Path) -> Result<(), PathBuf> {
    match directory.canonicalize() {
        Ok(directory) if !log.starts_with(&directory) => Ok(()),
        Ok(directory) => Err(directory),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(_) => Err(directory.to_path_buf()),
    }
}

fn opened(builder: &LogBuilder, torn: Vec<TornTail>) -> Event {
    Event::Opened(LogOpened {
        format: FORMAT.into(),
        origin: builder.key.origin().into(),
        key: builder.key.verifier().to_string(),
        writer: concat!("portcullis ", env!("CARGO_PKG_VERSION")).into(),
        pid: std::process::id(),
        mode: builder.mode.to_string(),
        torn,
    })
}

#[cfg(test)]
mod tests;
