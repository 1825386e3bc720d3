//! The same log for asynchronous code: futures that end when a record is on the disk. Dropping one
//! takes nothing back.

use tokio::sync::oneshot;

use super::error::LogError;
use super::task::Task;
use super::{Log, Mode};
use crate::event::Event;

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

    /// Records that something is about to happen, and returns when that is on the disk and there is
    /// room for the record of its outcome.
    ///
    /// # Errors
    ///
    /// When the event is not in the log and never will be. What was about to happen must not.
    pub async fn intend(&self, event: Event) -> Result<Owed, LogError> {
        self.intend_or(event, None).await
    }

    /// The same for something whose outcome is `otherwise` when nobody is left to settle it, from
    /// the moment on that the intent waits to be recorded.
    pub(crate) async fn intend_or(&self, event: Event, otherwise: Option<Event>) -> Result<Owed, LogError> {
        let (heard, told) = oneshot::channel();
        let owed = Owed { log: self.clone(), open: self.mode() == Mode::Required, otherwise };
        // Through the channel, so that nothing stays owed when nobody waits any more.
        self.submit_owing(event, true, move |outcome| {
            let mut owed = owed;
            if outcome.is_err() {
                (owed.open, owed.otherwise) = (false, None);
            }
            drop(heard.send(outcome.map(|()| owed)));
        });
        told.await.unwrap_or(Err(LogError::Closed))
    }
}

/// The outcome of something that was recorded before it happened. There is room for its record, of
/// up to 4 KiB.
#[derive(Debug)]
#[must_use = "what was begun has an outcome"]
pub struct Owed {
    log: Log,
    /// Whether the writer keeps room for it.
    open: bool,
    /// The outcome, if this is dropped.
    otherwise: Option<Event>,
}

impl Owed {
    /// What is recorded if this is dropped, instead of what was to be so far.
    pub(crate) fn or(mut self, otherwise: Event) -> Self {
        self.otherwise = Some(otherwise);
        self
    }

    /// Records the outcome, and returns when it is on the disk. In best effort at once.
    ///
    /// # Errors
    ///
    /// When it could not be written yet. It is kept, and written when it can be.
    pub async fn settle(mut self, event: Event) -> Result<(), LogError> {
        let (heard, told) = oneshot::channel();
        let pays = self.close();
        if self.log.mode() == Mode::BestEffort {
            self.log.note(event);
            return Ok(());
        }
        self.log.put(Task::Fact { event, pays, done: Some(Box::new(move |outcome| drop(heard.send(outcome)))) });
        told.await.unwrap_or(Err(LogError::Closed))
    }

    /// Records the outcome when it can be. Waits for nothing.
    pub fn settle_later(mut self, event: Event) {
        let pays = self.close();
        self.log.put(Task::Fact { event, pays, done: None });
    }

    /// Takes away what is left to do when this is dropped. Returns whether there is room for the
    /// outcome.
    fn close(&mut self) -> bool {
        self.otherwise = None;
        std::mem::take(&mut self.open)
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        let (event, pays) = (self.otherwise.take(), self.close());
        match event {
            Some(event) => self.log.put(Task::Fact { event, pays, done: None }),
            None if pays => self.log.put(Task::Forgive),
            None => {}
        }
    }
}
