//! The end of a batch: answers to the callers, and the backlog of mandatory entries that the writer
//! tries again. Writes nothing to the disk.

use std::time::Instant;

use super::Writer;
use crate::audit::log::batch::{Batch, Disposition, Entry, MandatoryEntry};
use crate::audit::log::error::LogError;
use crate::audit::log::task::{Done, answer};
use crate::event::Event;
use crate::limits::audit::{MANDATORY_BYTES, MANDATORY_ENTRIES};
use crate::timing::audit::RETRY_AFTER;

impl Writer {
    /// Ends a batch that was appended: answers each caller and defers the mandatory entries that
    /// were not admitted. `refused` is the reason if the batch is not complete.
    pub(super) fn complete(&mut self, batch: Batch, own: Vec<Event>, entries: Vec<Entry>, refused: Option<LogError>) {
        // In a required log the batch is synced by now, so every `Ok` below is a durable record.
        // The backlog goes first: deferred entries keep their order, ahead of the new ones.
        if batch.includes_own {
            // The batch has the `lost` record, so the count starts again.
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
        // A refused record was answered; only the backlog and an unrecorded loss need another try.
        let has_backlog = self.lost > 0 || !self.backlog.is_empty();
        self.retry_at = (refused.is_some() && has_backlog).then(|| Instant::now() + RETRY_AFTER);
    }

    /// Ends the writer's work on a mandatory entry, or defers it.
    fn finish(&mut self, entry: MandatoryEntry, disposition: Disposition) {
        match disposition {
            Disposition::Written => {}
            Disposition::TooLarge => self.count_lost(1),
            Disposition::Deferred => self.defer(entry),
        }
    }

    /// Answers the caller. Without one, a record that is not written counts as lost.
    fn answer_or_count(&mut self, done: Option<Done<()>>, outcome: Result<(), LogError>) {
        match done {
            Some(done) => answer(done, outcome),
            None => self.count_lost(u64::from(outcome.is_err())),
        }
    }

    /// Ends a batch that could not be appended: refuses the records and defers the mandatory
    /// entries.
    pub(super) fn abort(&mut self, own: Vec<Event>, entries: Vec<Entry>, error: &LogError) {
        // `append` left file, chain and reservations without the batch. `self.lost` and the backlog
        // still hold the losses and entries for the next batch.
        self.set_failing(Some(error));
        self.retry_at = Some(Instant::now() + RETRY_AFTER);
        own.into_iter().for_each(|event| self.defer(MandatoryEntry { event, redeems: false }));
        for entry in entries {
            match entry {
                Entry::Record { done, .. } => self.answer_or_count(done, Err(error.clone())),
                Entry::Mandatory(entry, done) => {
                    // For a mandatory entry the error means "not yet".
                    self.defer(entry);
                    done.into_iter().for_each(|done| answer(done, Err(error.clone())));
                }
            }
        }
    }

    /// Logs the change from working to failing and back, once each.
    pub(super) fn set_failing(&mut self, error: Option<&LogError>) {
        let log = self.shared.display_path();
        match error {
            Some(error) if !self.is_failing => {
                tracing::error!(%log, error = %crate::Chain::of(error), "cannot write the audit log");
            }
            None if self.is_failing => tracing::info!(%log, "the audit log can be written again"),
            _ => {}
        }
        self.is_failing = error.is_some();
    }

    /// Keeps a mandatory entry for the next batch. A full backlog loses it, unless it redeems a
    /// reservation: those are bounded by the intents on disk.
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
