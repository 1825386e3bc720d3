//! What the writer does of itself: it vouches for the log, begins another file when one is full,
//! waits for the disk where nobody else does, and comes to an end in order.

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
    /// What the log has to say of itself.
    pub(super) fn own_events(&mut self) -> Vec<Event> {
        let missed = self.sinks.take_missed().into_iter().chain(self.schedule.take_missed());
        let events: Vec<_> = missed.map(Event::Undelivered).collect();
        self.shared.update_status(|status| status.undelivered += events.len() as u64);
        events
    }

    /// Vouches, begins another file and waits for the disk, as far as it is time for that.
    pub(super) fn maintain(&mut self, asked: Vec<Done<Checkpoint>>) {
        let now = Instant::now();
        if self.retry_at.is_some() && asked.is_empty() {
            return;
        }
        let full = self.file.length() >= self.rotate_at;
        if !asked.is_empty() || full || self.schedule.is_due(now) {
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

    /// Records what the log says of itself, on the disk when this returns. There is room for it
    /// that nothing else may take.
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

    /// Signs a checkpoint over all records, and records it.
    fn sign_checkpoint(&mut self) -> Result<Checkpoint, LogError> {
        if let Some(checkpoint) = self.schedule.latest(&self.chain) {
            return Ok(checkpoint);
        }
        let signed = self.schedule.sign(&self.chain, &self.shared.key);
        self.record_own(&signed.event())?;
        let checkpoint = self.schedule.deliver(signed, &self.chain);
        self.shared.update_status(|status| status.checkpoint = self.schedule.note());
        Ok(checkpoint)
    }

    /// The full file has all of its records on the disk.
    fn rotate(&mut self) {
        let room = if self.shared.mode == Mode::Required {
            self.reservations * RESERVATION_BYTES + OWN_EVENTS_BYTES
        } else {
            0
        };
        match rotation::rotate(&self.shared.path, self.first, &mut self.chain, &self.shared.key, room) {
            Ok((file, line)) => {
                self.sinks.offer(&line);
                self.first = self.chain.next() - 1;
                std::mem::replace(&mut self.file, file).trim();
                self.schedule.added(self.chain.next());
                self.shared.update_status(|status| status.records = self.chain.next());
            }
            Err(error) => {
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
                tracing::error!(error = %crate::Chain::of(&error), "the audit log could not begin another file");
            }
        }
    }

    /// Ends in order: what was brought is recorded, and vouched for.
    pub(super) fn close(mut self) -> Result<(), LogError> {
        let rest = self.shared.mailbox.close();
        self.process(rest);
        // What they miss is still recorded.
        self.sinks.drain(SINK_DRAIN);
        self.retry_at = None;
        self.write(Vec::new());
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
