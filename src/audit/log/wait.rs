//! The same log for asynchronous code: futures that end when a record is on the disk. Dropping one takes nothing back.

use tokio::sync::oneshot;

use super::error::LogError;
use super::task::Task;
use super::{Log, Mode};
use crate::audit::event::Event;

impl Log {
    /// Records `event`, and returns when it is on the disk. In best effort at once.
    ///
    /// # Errors
    ///
    /// When the event is not in the log and never will be.
    pub async fn record(&self, event: Event) -> Result<(), LogError> {
        let (heard, told) = oneshot::channel();
        self.submit(event, move |outcome| drop(heard.send(outcome)));
        told.await.unwrap_or(Err(LogError::Closed))
    }

    /// Records that something is about to happen, and returns when that is on the disk and there is room for the record of its outcome.
    ///
    /// # Errors
    ///
    /// When the event is not in the log and never will be. What was about to happen must not.
    pub async fn intend(&self, event: Event) -> Result<Owed, LogError> {
        let (heard, told) = oneshot::channel();
        let owed = Owed { log: self.clone(), open: self.mode() == Mode::Required };
        // Through the channel, so that nothing stays owed when nobody waits any more.
        self.submit_owing(event, true, move |outcome| {
            let mut owed = owed;
            owed.open &= outcome.is_ok();
            drop(heard.send(outcome.map(|()| owed)));
        });
        told.await.unwrap_or(Err(LogError::Closed))
    }
}

/// The outcome of something that was recorded before it happened. There is room for its record, of up to 4 KiB.
#[derive(Debug)]
#[must_use = "what was begun has an outcome"]
pub struct Owed {
    log: Log,
    /// Whether the writer keeps room for it.
    open: bool,
}

impl Owed {
    /// Records the outcome, and returns when it is on the disk. In best effort at once.
    ///
    /// # Errors
    ///
    /// When it could not be written yet. It is kept, and written when it can be.
    pub async fn settle(mut self, event: Event) -> Result<(), LogError> {
        let (heard, told) = oneshot::channel();
        let pays = std::mem::take(&mut self.open);
        if self.log.mode() == Mode::BestEffort {
            self.log.note(event);
            return Ok(());
        }
        self.log.put(Task::Fact { event, pays, done: Some(Box::new(move |outcome| drop(heard.send(outcome)))) });
        told.await.unwrap_or(Err(LogError::Closed))
    }

    /// Records the outcome when it can be. Waits for nothing.
    pub fn settle_later(mut self, event: Event) {
        let pays = std::mem::take(&mut self.open);
        self.log.put(Task::Fact { event, pays, done: None });
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.open {
            self.log.put(Task::Forgive);
        }
    }
}
