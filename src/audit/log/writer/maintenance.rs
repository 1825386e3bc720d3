//! Work that no caller asked for: due checkpoints, rotation, the delayed sync of a best-effort log,
//! and the orderly end. Appends only events of the log itself.

use std::time::{Instant, SystemTime};

use super::Writer;
use crate::audit::Checkpoint;
use crate::audit::log::batch::Batch;
use crate::audit::log::error::LogError;
use crate::audit::log::task::{Done, answer};
use crate::audit::log::{Mode, rotation};
use crate::event::{Event, LogClosed, RecordsLost};
use crate::limits::audit::{OWN_EVENTS_BYTES, RESERVATION_BYTES};
use crate::timing::audit::{RETRY_AFTER, SINK_DRAIN};

impl Writer {
    /// Takes the delivery failures of sinks and checkpoint file, as events to record.
    pub(super) fn own_events(&mut self) -> Vec<Event> {
        let missed = self.sinks.take_missed().into_iter().chain(self.schedule.take_missed());
        let events: Vec<_> = missed.map(Event::Undelivered).collect();
        self.shared.update_status(|status| status.undelivered += events.len() as u64);
        events
    }

    /// Signs a checkpoint, rotates and syncs, each if it is due. `asked` are the callers that wait
    /// for a checkpoint.
    pub(super) fn maintain(&mut self, asked: Vec<Done<Checkpoint>>) {
        let now = Instant::now();
        // A failing disk is not tried before `retry_at`, except for a caller that waits.
        if self.retry_at.is_some() && asked.is_empty() {
            return;
        }
        let full = self.file.length() >= self.rotate_at;
        if !asked.is_empty() || full || self.schedule.is_due(now) {
            // A full file ends with a checkpoint, so each segment is covered before it is closed.
            let signed = self.sign_checkpoint();
            if full && signed.is_ok() {
                self.rotate();
            }
            asked.into_iter().for_each(|done| answer(done, signed.clone()));
        }
        if self.unsynced.as_ref().is_some_and(|unsynced| now >= unsynced.since + RETRY_AFTER) {
            self.sync();
        }
    }

    /// Syncs records that a best-effort log acknowledged without a sync.
    fn sync(&mut self) {
        match self.file.sync() {
            Ok(()) => self.unsynced = None,
            Err(error) => {
                self.roll_back();
                self.set_failing(Some(&error.into()));
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
            }
        }
    }

    /// Records an event of the log itself, durably in both modes. It may use the disk space that
    /// batches leave for such events, but not the space of the reservations.
    fn record_own(&mut self, event: &Event) -> Result<(), LogError> {
        let mut batch = Batch::new(&self.chain, self.reservations);
        batch.push(SystemTime::now(), event);
        let recorded = self.preallocate(&batch, 0).and_then(|()| self.append(&batch, true));
        self.set_failing(recorded.as_ref().err());
        if recorded.is_err() {
            self.retry_at = Some(Instant::now() + RETRY_AFTER);
        }
        recorded
    }

    /// Signs a checkpoint over all records, records it, and then delivers it. Returns the last one
    /// if nothing was recorded since.
    fn sign_checkpoint(&mut self) -> Result<Checkpoint, LogError> {
        if let Some(checkpoint) = self.schedule.latest(&self.chain) {
            return Ok(checkpoint);
        }
        let signed = self.schedule.sign(&self.chain, &self.shared.key);
        // `record_own` syncs every record before the checkpoint too. Only then does the checkpoint
        // leave the log: a delivered one never covers a record that a crash can take away.
        self.record_own(&signed.event())?;
        let checkpoint = self.schedule.deliver(signed, &self.chain);
        self.shared.update_status(|status| status.checkpoint = self.schedule.note());
        Ok(checkpoint)
    }

    /// Continues the log in a new file. The caller has just recorded a checkpoint, so every record
    /// of the full file is on disk.
    fn rotate(&mut self) {
        // Reservations move on to the new file, where their outcomes will be.
        let headroom = if self.shared.mode == Mode::Required {
            self.reservations * RESERVATION_BYTES + OWN_EVENTS_BYTES
        } else {
            0
        };
        match rotation::rotate(&self.shared.path, self.first, &mut self.chain, &self.shared.key, headroom) {
            Ok((file, line)) => {
                self.sinks.offer(&line);
                self.first = self.chain.next() - 1;
                std::mem::replace(&mut self.file, file).trim();
                self.schedule.added(self.chain.next());
                self.shared.update_status(|status| status.records = self.chain.next());
            }
            Err(error) => {
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
                tracing::error!(error = %crate::Chain::of(&error), "cannot rotate the audit log");
            }
        }
    }

    /// Records the queued tasks, the losses and the end, and covers all of it with a checkpoint.
    pub(super) fn close(mut self) -> Result<(), LogError> {
        let rest = self.shared.mailbox.close();
        self.process(rest);
        // Before the last batch, which records the sinks' failures.
        self.sinks.drain(SINK_DRAIN);
        self.retry_at = None;
        self.write(Vec::new());
        // No batch follows: entries that are still deferred are lost.
        self.count_lost(self.backlog.len() as u64);
        if self.lost > 0 {
            self.record_own(&Event::Lost(RecordsLost { records: self.lost }))?;
        }
        self.record_own(&Event::Closed(LogClosed { pid: std::process::id() }))?;
        self.sign_checkpoint()?;
        self.file.trim();
        Ok(())
    }
}
