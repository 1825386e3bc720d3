//! A log that this process writes: [`Log`] takes events, a thread writes them. Reads back only what
//! it takes to go on.

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

/// Whether things may happen that cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// They may not: whoever wants to do something is told to go on when the record is on the disk.
    Required,
    /// They may: records that cannot be written are lost, and how many is recorded.
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

/// How a log is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStatus {
    /// How many records it has.
    pub records: u64,
    /// In how many batches they were written since it was opened. Where a log is required, the disk
    /// was waited for once for each.
    pub batches: u64,
    /// How many were lost since it was opened.
    pub lost: u64,
    /// How often something did not arrive at a sink or in the checkpoint file since it was opened.
    pub undelivered: u64,
    /// The last checkpoint since it was opened: a signed note.
    pub checkpoint: Option<String>,
    /// Whether the file system keeps room for outcomes. Where it cannot, a disk that fills up while
    /// a plugin works keeps the answer from being recorded, and so from being given.
    pub preallocates: bool,
}

/// What the writer and those who bring it events share.
struct Shared {
    path: PathBuf,
    mode: Mode,
    key: LogKey,
    mailbox: Mailbox,
    status: Mutex<LogStatus>,
    /// How many events were turned away because too many waited.
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

/// A log that is open for writing. Cheap to clone; closed, and vouched for, when the last clone is
/// dropped.
#[derive(Clone)]
pub struct Log(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    /// Begins to open the log at `path`, whose secrets are `key`.
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
            // Over only now.
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

    /// Records `event`, and says to `done` when it is on the disk, or why it never will be. Returns
    /// at once; `done` runs on the writer's thread, so it must not wait for anything.
    ///
    /// In best effort nobody waits: `done` runs before this returns, and is always told that all is
    /// well.
    pub fn submit(&self, event: Event, done: impl FnOnce(Result<(), LogError>) + Send + 'static) {
        match self.mode() {
            Mode::Required => self.put(Task::Record { event, reserves: false, done: Some(Box::new(done)) }),
            Mode::BestEffort => {
                self.put(Task::Record { event, reserves: false, done: None });
                done(Ok(()));
            }
        }
    }

    /// Records `event`, and returns when it is on the disk. Blocks; in best effort it does not.
    ///
    /// # Errors
    ///
    /// When the event is not in the log and never will be.
    pub fn append(&self, event: Event) -> Result<(), LogError> {
        let (sender, receiver) = mpsc::channel();
        self.submit(event, move |outcome| drop(sender.send(outcome)));
        receiver.recv().unwrap_or(Err(LogError::Closed))
    }

    /// Records something that has happened already. If it cannot be written now it is kept and
    /// written when it can be; if too much is kept it is lost, and that is recorded.
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

    /// Signs a checkpoint over everything that is recorded, records it, and returns it. Blocks.
    ///
    /// # Errors
    ///
    /// When it could not be recorded.
    pub fn checkpoint(&self) -> Result<Checkpoint, LogError> {
        let (sender, receiver) = mpsc::channel();
        self.put(Task::Checkpoint(Box::new(move |outcome| drop(sender.send(outcome)))));
        receiver.recv().unwrap_or(Err(LogError::Closed))
    }

    /// Records what still waits, vouches for everything, and lets others write the log. Blocks, for
    /// some seconds more if a sink does not take what it is given. Nothing can be recorded
    /// afterwards, through no clone.
    ///
    /// # Errors
    ///
    /// When the end could not be recorded or vouched for, or the log was closed before.
    pub fn close(&self) -> Result<(), LogError> {
        let (sender, receiver) = mpsc::channel();
        self.put(Task::Close(Box::new(move |outcome| drop(sender.send(outcome)))));
        let outcome = receiver.recv().unwrap_or(Err(LogError::Closed));
        self.0.join();
        outcome
    }

    /// A value as it appears in this log.
    pub fn keyed_hash(&self, value: &[u8]) -> KeyedHash {
        self.0.shared.key.keyed_hash(value)
    }

    /// The same for a value that comes in pieces.
    pub fn keyed_hasher(&self) -> KeyedHasher {
        self.0.shared.key.keyed_hasher()
    }

    /// The log: an absolute path without symbolic links.
    pub fn path(&self) -> &Path {
        &self.0.shared.path
    }

    /// Whether things may happen that cannot be recorded.
    pub fn mode(&self) -> Mode {
        self.0.shared.mode
    }

    /// What others verify its checkpoints with.
    pub fn verifier(&self) -> &NoteVerifier {
        self.0.shared.key.verifier()
    }

    /// How it is doing.
    pub fn status(&self) -> LogStatus {
        self.0.shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes sure that the log does not lie in `directory`, in which a plugin lies. Below it it
    /// may.
    ///
    /// # Errors
    ///
    /// [`LogError::InPluginDirectory`]; also when it cannot be found out.
    pub fn refuse_beside(&self, directory: &Path) -> Result<(), LogError> {
        let directory = match directory.canonicalize() {
            Ok(found) if self.path().parent() != Some(&found) => return Ok(()),
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(_) => directory.to_path_buf(),
        };
        Err(LogError::InPluginDirectory { path: self.path().to_path_buf(), directory })
    }

    /// Makes sure that the log does not lie in or below `directory`, in which plugins lie.
    ///
    /// # Errors
    ///
    /// [`LogError::InPluginDirectory`]; also when it cannot be found out.
    pub fn refuse_inside(&self, directory: &Path) -> Result<(), LogError> {
        refuse_inside(self.path(), directory)
            .map_err(|directory| LogError::InPluginDirectory { path: self.path().to_path_buf(), directory })
    }
}

impl Handle {
    fn join(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What the writer tells may own the last clone, and it cannot wait for itself.
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

/// The full path of a log in a directory where nobody else can put something in its place.
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

/// The directory, if the log lies in it or that cannot be found out.
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
