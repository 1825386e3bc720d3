//! What the writer tells those who brought something, and what it keeps of what it could not write.
//! Writes nothing.

use std::time::Instant;

use super::Writer;
use crate::audit::log::batch::{Batch, Disposition, Entry, MandatoryEntry};
use crate::audit::log::error::LogError;
use crate::audit::log::task::{Done, answer};
use crate::event::Event;
use crate::limits::audit::{MANDATORY_BYTES, MANDATORY_ENTRIES};
use crate::timing::audit::RETRY_AFTER;

impl Writer {
    /// Tells everybody what became of what they brought.
    pub(super) fn complete(&mut self, batch: Batch, own: Vec<Event>, entries: Vec<Entry>, refused: Option<LogError>) {
        if batch.includes_own {
            self.lost = 0;
        } else {
            own.into_iter().for_each(|event| self.defer(MandatoryEntry { event, redeems: false }));
        }
        self.backlog_bytes = 0;
        for (entry, disposition) in std::mem::take(&mut self.backlog).into_iter().zip(batch.backlog) {
            self.finish(entry, disposition);
        }
        self.set_failing(refused.as_ref());
        for (entry, disposition) in entries.into_iter().zip(batch.entries) {
            let outcome = match disposition {
                Disposition::Written => Ok(()),
                Disposition::TooLarge => Err(LogError::TooLarge),
                Disposition::Deferred => Err(refused.clone().unwrap_or(LogError::Busy)),
            };
            match entry {
                Entry::Mandatory(entry, done) => {
                    self.finish(entry, disposition);
                    done.into_iter().for_each(|done| answer(done, outcome.clone()));
                }
                Entry::Record { done, .. } => self.answer_or_count(done, outcome),
            }
        }
        let has_backlog = self.lost > 0 || !self.backlog.is_empty();
        self.retry_at = (refused.is_some() && has_backlog).then(|| Instant::now() + RETRY_AFTER);
    }

    /// What became of a entry.
    fn finish(&mut self, entry: MandatoryEntry, disposition: Disposition) {
        match disposition {
            Disposition::Written => {}
            Disposition::TooLarge => self.count_lost(1),
            Disposition::Deferred => self.defer(entry),
        }
    }

    /// What nobody waits for is missed by nobody but the log.
    fn answer_or_count(&mut self, done: Option<Done<()>>, outcome: Result<(), LogError>) {
        match done {
            Some(done) => answer(done, outcome),
            None => self.count_lost(u64::from(outcome.is_err())),
        }
    }

    /// Takes everything back. Facts are kept for another time.
    pub(super) fn abort(&mut self, own: Vec<Event>, entries: Vec<Entry>, error: &LogError) {
        self.set_failing(Some(error));
        self.retry_at = Some(Instant::now() + RETRY_AFTER);
        own.into_iter().for_each(|event| self.defer(MandatoryEntry { event, redeems: false }));
        for entry in entries {
            match entry {
                Entry::Record { done, .. } => self.answer_or_count(done, Err(error.clone())),
                Entry::Mandatory(entry, done) => {
                    self.defer(entry);
                    done.into_iter().for_each(|done| answer(done, Err(error.clone())));
                }
            }
        }
    }

    /// Says it once when it begins, and once when it is over.
    pub(super) fn set_failing(&mut self, error: Option<&LogError>) {
        let log = self.shared.display_path();
        match error {
            Some(error) if !self.is_failing => {
                tracing::error!(%log, error = %crate::Chain::of(error), "the audit log could not be written");
            }
            None if self.is_failing => tracing::info!(%log, "the audit log can be written again"),
            _ => {}
        }
        self.is_failing = error.is_some();
    }

    fn defer(&mut self, entry: MandatoryEntry) {
        let weight = entry.event.weight();
        if entry.redeems || (self.backlog.len() < MANDATORY_ENTRIES && self.backlog_bytes + weight <= MANDATORY_BYTES) {
            self.backlog_bytes += weight;
            self.backlog.push_back(entry);
        } else {
            self.count_lost(1);
        }
    }
}
