//! The log as a [`Recorder`]: results that succeed when a record is on disk, and reservations of
//! disk space for outcomes.

use std::path::Path;

use super::error::LogError;
use super::task::Task;
use super::{Log, Mode};
use crate::audit::KeyedHasher;
use crate::event::{Event, KeyedHash, RecordError, Recorder, Recording, ValueHasher};

impl From<LogError> for RecordError {
    fn from(error: LogError) -> Self {
        Self::new(error)
    }
}

impl Log {
    /// Records an event that others wait for. In best effort the result is known immediately.
    fn recording(&self, event: Event, reserves: bool) -> Recording {
        if self.mode() == Mode::BestEffort {
            self.put(Task::Record { event, reserves: false, done: None });
            return Recording::done(Ok(()));
        }
        let (acknowledgement, recording) = Recording::pending();
        let done = move |outcome: Result<(), LogError>| acknowledgement.report(outcome.map_err(Into::into));
        self.put(Task::Record { event, reserves, done: Some(Box::new(done)) });
        recording
    }

    /// Whether the writer reserves space for outcomes.
    fn has_reservations(&self) -> bool {
        self.mode() == Mode::Required
    }
}

impl Recorder for Log {
    fn record(&self, event: Event) -> Recording {
        self.recording(event, false)
    }

    fn note(&self, event: Event) {
        Log::note(self, event);
    }

    /// The outcome may have up to 4 KiB.
    fn reserve(&self, intent: Event) -> Recording {
        self.recording(intent, true)
    }

    fn redeem(&self, outcome: Event) -> Recording {
        if !self.has_reservations() {
            Log::note(self, outcome);
            return Recording::done(Ok(()));
        }
        let (acknowledgement, recording) = Recording::pending();
        let done = move |outcome: Result<(), LogError>| acknowledgement.report(outcome.map_err(Into::into));
        self.put(Task::Mandatory { event: outcome, redeems: true, done: Some(Box::new(done)) });
        recording
    }

    fn redeem_later(&self, outcome: Event) {
        self.put(Task::Mandatory { event: outcome, redeems: self.has_reservations(), done: None });
    }

    fn release(&self) {
        if self.has_reservations() {
            self.put(Task::Release);
        }
    }

    fn value_hasher(&self) -> Option<Box<dyn ValueHasher>> {
        Some(Box::new(self.keyed_hasher()))
    }

    fn keyed_hash(&self, value: &[u8]) -> Option<KeyedHash> {
        Some(Log::keyed_hash(self, value))
    }

    fn is_required(&self) -> bool {
        self.mode() == Mode::Required
    }

    fn refuse_inside(&self, directory: &Path) -> Result<(), RecordError> {
        Log::refuse_inside(self, directory).map_err(Into::into)
    }

    fn refuse_beside(&self, directory: &Path) -> Result<(), RecordError> {
        Log::refuse_beside(self, directory).map_err(Into::into)
    }
}

impl ValueHasher for KeyedHasher {
    fn update(&mut self, piece: &[u8]) {
        KeyedHasher::update(self, piece);
    }

    fn hash(&self) -> KeyedHash {
        self.clone().finish()
    }
}
