//! What the writer does of itself: it vouches for the log, begins another file when one is full,
//! waits for the disk where nobody else does, and comes to an end in order.

use std::time::{Duration, Instant, SystemTime};

use super::{OUTCOME, OWN, PATIENCE, Writer};
use crate::audit::Checkpoint;
use crate::audit::log::batch::Lines;
use crate::audit::log::error::LogError;
use crate::audit::log::task::{Done, tell};
use crate::audit::log::{Mode, rotation};
use crate::event::{Event, LogClosed, RecordsLost};

/// How long the sinks are waited for when the log is closed.
const SINKS: Duration = Duration::from_secs(5);

impl Writer {
    /// What the log has to say of itself.
    pub(super) fn own_events(&mut self) -> Vec<Event> {
        let missed = self.sinks.take_missed().into_iter().chain(self.vouching.take_missed());
        let events: Vec<_> = missed.map(Event::Undelivered).collect();
        self.shared.know(|status| status.undelivered += events.len() as u64);
        events
    }

    /// Vouches, begins another file and waits for the disk, as far as it is time for that.
    pub(super) fn look_after_itself(&mut self, asked: Vec<Done<Checkpoint>>) {
        let now = Instant::now();
        if self.again.is_some() && asked.is_empty() {
            return;
        }
        let full = self.file.length() >= self.rotate_at;
        if !asked.is_empty() || full || self.vouching.is_due(now) {
            let vouched = self.vouch();
            if full && vouched.is_ok() {
                self.rotate();
            }
            asked.into_iter().for_each(|done| tell(done, vouched.clone()));
        }
        if self.unsynced.as_ref().is_some_and(|unsynced| now >= unsynced.since + PATIENCE) {
            self.sync();
        }
    }

    fn sync(&mut self) {
        match self.file.sync() {
            Ok(()) => self.unsynced = None,
            Err(error) => {
                self.fall_back();
                self.fails(Some(&error.into()));
                self.again = Some(Instant::now() + PATIENCE);
            }
        }
    }

    /// Records what the log says of itself, on the disk when this returns. There is room for it
    /// that nothing else may take.
    fn say(&mut self, event: &Event) -> Result<(), LogError> {
        let mut lines = Lines::new(&self.chain, self.owed);
        lines.add(SystemTime::now(), event);
        let said = self.make_room(&lines, 0).and_then(|()| self.put_down(&lines, true));
        self.fails(said.as_ref().err());
        if said.is_err() {
            self.again = Some(Instant::now() + PATIENCE);
        }
        said
    }

    /// Signs a checkpoint over all records, and records it.
    fn vouch(&mut self) -> Result<Checkpoint, LogError> {
        if let Some(checkpoint) = self.vouching.latest(&self.chain) {
            return Ok(checkpoint);
        }
        let signed = self.vouching.sign(&self.chain, &self.shared.key);
        self.say(&signed.event())?;
        let checkpoint = self.vouching.deliver(signed, &self.chain);
        self.shared.know(|status| status.checkpoint = self.vouching.note());
        Ok(checkpoint)
    }

    /// The full file has all of its records on the disk.
    fn rotate(&mut self) {
        let room = if self.shared.mode == Mode::Required { self.owed * OUTCOME + OWN } else { 0 };
        match rotation::rotate(&self.shared.path, self.first, &mut self.chain, &self.shared.key, room) {
            Ok((file, line)) => {
                self.sinks.offer(&line);
                self.first = self.chain.next() - 1;
                std::mem::replace(&mut self.file, file).release();
                self.vouching.added(self.chain.next());
                self.shared.know(|status| status.records = self.chain.next());
            }
            Err(error) => {
                self.again = Some(Instant::now() + PATIENCE);
                tracing::error!(error = %crate::Chain::of(&error), "the audit log could not begin another file");
            }
        }
    }

    /// Ends in order: what was brought is recorded, and vouched for.
    pub(super) fn close(mut self) -> Result<(), LogError> {
        let rest = self.shared.mailbox.close();
        self.turn(rest);
        // What they miss is still recorded.
        self.sinks.drain(SINKS);
        self.again = None;
        self.write(Vec::new());
        self.lose(self.facts.len() as u64);
        if self.lost > 0 {
            self.say(&Event::Lost(RecordsLost { records: self.lost }))?;
        }
        self.say(&Event::Closed(LogClosed { pid: std::process::id() }))?;
        self.vouch()?;
        self.file.release();
        Ok(())
    }
}
