//! The tasks of the writer and the bounded queue between the callers and its thread. Writes nothing
//! to the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::error::LogError;
use crate::audit::Checkpoint;
use crate::event::Event;
use crate::limits::audit::{MANDATORY_BYTES, MANDATORY_ENTRIES, QUEUED_BYTES, QUEUED_TASKS};

/// Receives the outcome of a task, on the writer's thread.
pub(super) type Done<T> = Box<dyn FnOnce(Result<T, LogError>) + Send>;

/// Calls `done` with the outcome. A panic in it does not end the writer.
pub(super) fn answer<T>(done: Done<T>, outcome: Result<T, LogError>) {
    if catch_unwind(AssertUnwindSafe(|| done(outcome))).is_err() {
        tracing::error!("a callback of the audit log panicked");
    }
}

/// Work for the writer.
pub(super) enum Task {
    /// Record an event, or refuse it. With `reserves`, it is an intent that reserves disk space for
    /// its outcome.
    Record { event: Event, reserves: bool, done: Option<Done<()>> },
    /// Record an event that has happened: a failure is tried again. With `redeems`, it is the
    /// outcome of a reservation.
    Mandatory { event: Event, redeems: bool, done: Option<Done<()>> },
    /// Give a reservation back: its outcome will not be recorded.
    Release,
    /// Sign and record a checkpoint over all records.
    Checkpoint(Done<Checkpoint>),
    /// Finish the queued tasks and end the thread.
    Close(Done<()>),
}

/// The queue of tasks, shared by the callers and the writer.
#[derive(Default)]
pub(super) struct Mailbox {
    // Held for a push or a swap, never during disk access or a callback: callers do not wait for
    // the disk here.
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    tasks: Vec<Task>,
    /// How many bytes of memory their events take.
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
    /// Queues a task. Returns it with the reason if the queue is full or closed.
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
            // Never refused: they free reservations or end the writer, and the open reservations
            // bound their number.
            Task::Mandatory { redeems: true, .. } | Task::Release | Task::Close(_) => (usize::MAX, usize::MAX),
        };
        if queue.tasks.len() >= limit || queue.bytes + weight > bytes {
            return Some((task, LogError::Busy));
        }
        queue.bytes += weight;
        queue.tasks.push(task);
        drop(queue);
        // After the unlock, so that the writer does not wake up into a held lock.
        self.arrived.notify_one();
        None
    }

    /// Takes all queued tasks. Waits for the first one, until `deadline` if there is one; after
    /// that the result may be empty.
    pub(super) fn take(&self, deadline: Option<Instant>) -> Vec<Task> {
        let mut queue = self.lock();
        // A condition variable can wake up without a notification, so the loop checks again.
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

    /// Closes the queue and returns the remaining tasks. One lock covers both: no task can slip in
    /// between and stay unanswered.
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
    /// How many bytes of memory its event takes.
    fn weight(&self) -> usize {
        match self {
            Self::Record { event, .. } | Self::Mandatory { event, .. } => event.weight(),
            Self::Release | Self::Checkpoint(_) | Self::Close(_) => 0,
        }
    }

    /// Answers the caller with `error`.
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
