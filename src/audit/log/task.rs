//! What waits to be recorded, and the bounded place where it waits. Writes nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::error::LogError;
use crate::audit::Checkpoint;
use crate::event::Event;
use crate::limits::audit::{MANDATORY_BYTES, MANDATORY_ENTRIES, QUEUED_BYTES, QUEUED_TASKS};

/// Is told what became of something.
pub(super) type Done<T> = Box<dyn FnOnce(Result<T, LogError>) + Send>;

/// Tells it. Whatever comes of that, the writer goes on.
pub(super) fn answer<T>(done: Done<T>, outcome: Result<T, LogError>) {
    if catch_unwind(AssertUnwindSafe(|| done(outcome))).is_err() {
        tracing::error!("what waited for a record of the audit log panicked when it was told");
    }
}

/// Something that the writer shall do.
pub(super) enum Task {
    /// Record an event, or refuse to.
    Record { event: Event, reserves: bool, done: Option<Done<()>> },
    /// Record an event that has happened, whatever it takes. It may be one for which there is room.
    Mandatory { event: Event, redeems: bool, done: Option<Done<()>> },
    /// An outcome that was to come will not.
    Release,
    /// Vouch for everything before.
    Checkpoint(Done<Checkpoint>),
    /// Come to an end.
    Close(Done<()>),
}

/// Where tasks wait. Shared by those who bring them and the writer.
#[derive(Default)]
pub(super) struct Mailbox {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    tasks: Vec<Task>,
    /// How much memory their events take.
    bytes: usize,
    closed: bool,
}

impl Queue {
    fn take(&mut self) -> Vec<Task> {
        self.bytes = 0;
        std::mem::take(&mut self.tasks)
    }
}

impl Mailbox {
    /// Brings a task. It comes back if too many wait or the writer has ended.
    pub(super) fn put(&self, task: Task) -> Option<(Task, LogError)> {
        let weight = task.weight();
        let mut queue = self.lock();
        if queue.closed {
            return Some((task, LogError::Closed));
        }
        let (limit, bytes) = match task {
            Task::Record { .. } | Task::Checkpoint(_) => (QUEUED_TASKS, QUEUED_BYTES),
            Task::Mandatory { redeems: false, .. } => {
                (QUEUED_TASKS + MANDATORY_ENTRIES, QUEUED_BYTES + MANDATORY_BYTES)
            }
            // These make things better, and there are not more of them than there were records.
            Task::Mandatory { redeems: true, .. } | Task::Release | Task::Close(_) => (usize::MAX, usize::MAX),
        };
        if queue.tasks.len() >= limit || queue.bytes + weight > bytes {
            return Some((task, LogError::Busy));
        }
        queue.bytes += weight;
        queue.tasks.push(task);
        drop(queue);
        self.arrived.notify_one();
        None
    }

    /// Takes all that waits; waits for it until `deadline`, if there is one.
    pub(super) fn take(&self, deadline: Option<Instant>) -> Vec<Task> {
        let mut queue = self.lock();
        while queue.tasks.is_empty() {
            let Some(deadline) = deadline else {
                queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                break;
            };
            queue = self.arrived.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.take()
    }

    /// Takes no more tasks, and returns those that were still brought.
    pub(super) fn close(&self) -> Vec<Task> {
        let mut queue = self.lock();
        queue.closed = true;
        queue.take()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    /// How much memory its event takes.
    fn weight(&self) -> usize {
        match self {
            Self::Record { event, .. } | Self::Mandatory { event, .. } => event.weight(),
            Self::Release | Self::Checkpoint(_) | Self::Close(_) => 0,
        }
    }

    /// Tells whoever waits that nothing came of it.
    pub(super) fn refuse(self, error: &LogError) {
        match self {
            Self::Record { done: Some(done), .. } | Self::Mandatory { done: Some(done), .. } | Self::Close(done) => {
                answer(done, Err(error.clone()));
            }
            Self::Checkpoint(done) => answer(done, Err(error.clone())),
            Self::Record { done: None, .. } | Self::Mandatory { done: None, .. } | Self::Release => {}
        }
    }
}
