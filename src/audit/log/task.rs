//! What waits to be recorded, and the bounded place where it waits. Writes nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::error::LogError;
use crate::audit::Checkpoint;
use crate::event::Event;

/// More than this does not wait, and of what has happened already not more than so many more.
pub(super) const WAITING: usize = 64 * 1024;
pub(super) const FACTS: usize = 16 * 1024;

/// The same in bytes of memory: events of a few hundred bytes are counted, large ones are weighed.
pub(super) const WAITING_BYTES: usize = 64 * 1024 * 1024;
pub(super) const FACTS_BYTES: usize = 16 * 1024 * 1024;

/// Is told what became of something.
pub(super) type Done<T> = Box<dyn FnOnce(Result<T, LogError>) + Send>;

/// Tells it. Whatever comes of that, the writer goes on.
pub(super) fn tell<T>(done: Done<T>, outcome: Result<T, LogError>) {
    if catch_unwind(AssertUnwindSafe(|| done(outcome))).is_err() {
        tracing::error!("what waited for a record of the audit log panicked when it was told");
    }
}

/// Something that the writer shall do.
pub(super) enum Task {
    /// Record an event, or refuse to.
    Record { event: Event, owes: bool, done: Option<Done<()>> },
    /// Record an event that has happened, whatever it takes. It may be one for which there is room.
    Fact { event: Event, pays: bool, done: Option<Done<()>> },
    /// An outcome that was to come will not.
    Forgive,
    /// Vouch for everything before.
    Checkpoint(Done<Checkpoint>),
    /// Come to an end.
    Close(Done<()>),
}

/// Where tasks wait. Shared by those who bring them and the writer.
#[derive(Default)]
pub(super) struct Mailbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    tasks: Vec<Task>,
    /// How much memory their events take.
    bytes: usize,
    closed: bool,
}

impl Waiting {
    fn take(&mut self) -> Vec<Task> {
        self.bytes = 0;
        std::mem::take(&mut self.tasks)
    }
}

impl Mailbox {
    /// Brings a task. It comes back if too many wait or the writer has ended.
    pub(super) fn put(&self, task: Task) -> Option<(Task, LogError)> {
        let weight = task.weight();
        let mut waiting = self.lock();
        if waiting.closed {
            return Some((task, LogError::Closed));
        }
        let (limit, bytes) = match task {
            Task::Record { .. } | Task::Checkpoint(_) => (WAITING, WAITING_BYTES),
            Task::Fact { pays: false, .. } => (WAITING + FACTS, WAITING_BYTES + FACTS_BYTES),
            // These make things better, and there are not more of them than there were records.
            Task::Fact { pays: true, .. } | Task::Forgive | Task::Close(_) => (usize::MAX, usize::MAX),
        };
        if waiting.tasks.len() >= limit || waiting.bytes + weight > bytes {
            return Some((task, LogError::Busy));
        }
        waiting.bytes += weight;
        waiting.tasks.push(task);
        drop(waiting);
        self.arrived.notify_one();
        None
    }

    /// Takes all that waits; waits for it until `deadline`, if there is one.
    pub(super) fn take(&self, deadline: Option<Instant>) -> Vec<Task> {
        let mut waiting = self.lock();
        while waiting.tasks.is_empty() {
            let Some(deadline) = deadline else {
                waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                break;
            };
            waiting = self.arrived.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.take()
    }

    /// Takes no more tasks, and returns those that were still brought.
    pub(super) fn close(&self) -> Vec<Task> {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.take()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    /// How much memory its event takes.
    fn weight(&self) -> usize {
        match self {
            Self::Record { event, .. } | Self::Fact { event, .. } => event.weight(),
            Self::Forgive | Self::Checkpoint(_) | Self::Close(_) => 0,
        }
    }

    /// Tells whoever waits that nothing came of it.
    pub(super) fn refuse(self, error: &LogError) {
        match self {
            Self::Record { done: Some(done), .. } | Self::Fact { done: Some(done), .. } | Self::Close(done) => {
                tell(done, Err(error.clone()));
            }
            Self::Checkpoint(done) => tell(done, Err(error.clone())),
            Self::Record { done: None, .. } | Self::Fact { done: None, .. } | Self::Forgive => {}
        }
    }
}
