//! The thread that writes a log. It takes all that waits, writes it at once, waits for the disk
//! once, and tells everybody. What could not be written is taken back whole: the file, the chain,
//! and what others were going to be told.

mod completion;
mod maintenance;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::batch::{Admission, Batch, BatchInput, Entry, MandatoryEntry};
use super::checkpoints::CheckpointSchedule;
use super::error::LogError;
use super::file::LogFile;
use super::recover::Recovered;
use super::task::{Done, Mailbox, Task, answer};
use super::{Mode, Shared};
use crate::audit::evidence::chain::Chain;
use crate::audit::sink::Sinks;
use crate::event::Event;
use crate::limits::audit::{OWN_EVENTS_BYTES, RESERVATION_BYTES};
use crate::timing::audit::RETRY_AFTER;

/// The writer of one log.
pub(super) struct Writer {
    shared: Arc<Shared>,
    rotate_at: u64,
    file: LogFile,
    /// The number of the first record in the file.
    first: u64,
    chain: Chain,
    /// What has happened and could not be recorded yet.
    backlog: VecDeque<MandatoryEntry>,
    /// How much memory they take.
    backlog_bytes: usize,
    lost: u64,
    /// How many outcomes are to come for which there must be room.
    reservations: u64,
    sinks: Sinks,
    schedule: CheckpointSchedule,
    /// When what failed is tried again.
    retry_at: Option<Instant>,
    /// What is not on the disk that was said to be recorded as well as possible.
    unsynced: Option<Unsynced>,
    /// Whether the last attempt to write failed.
    is_failing: bool,
}

/// Records that may not be on the disk yet.
struct Unsynced {
    since: Instant,
    /// The end of the log before the first of them.
    before: Chain,
    length: u64,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        Recovered { file, first, chain, .. }: Recovered,
        rotate_at: u64,
        sinks: Sinks,
        schedule: CheckpointSchedule,
    ) -> Self {
        Self {
            shared,
            rotate_at,
            file,
            first,
            chain,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            lost: 0,
            reservations: 0,
            sinks,
            schedule,
            retry_at: None,
            unsynced: None,
            is_failing: false,
        }
    }

    #[cfg(test)]
    pub(super) fn faults(&self) -> &super::tests::Faults {
        &self.file.faults
    }

    #[cfg(test)]
    pub(super) fn reservations(&self) -> u64 {
        self.reservations
    }

    /// As if no more room had been reserved than is used.
    #[cfg(test)]
    pub(super) fn forget_allocation(&mut self) {
        self.file.forget_allocation();
    }

    /// Writes until the log is closed.
    pub(super) fn run(mut self) {
        let _guard = Guard(Arc::clone(&self.shared));
        loop {
            let tasks = self.shared.mailbox.take(self.deadline());
            if let Some(done) = self.process(tasks) {
                answer(done, self.close());
                return;
            }
        }
    }

    /// When there is something to do although nothing arrives.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let sync = self.unsynced.as_ref().map(|unsynced| unsynced.since + RETRY_AFTER);
        let due = [sync, self.schedule.due_at()].into_iter().flatten().min();
        // While something fails everything else waits for it.
        self.retry_at.or(due)
    }

    /// Does what waits. Returns who is to be told of the end, if it has come.
    pub(super) fn process(&mut self, tasks: Vec<Task>) -> Option<Done<()>> {
        let (mut entries, mut checkpoints, mut end) = (Vec::new(), Vec::new(), None);
        self.retry_at = self.retry_at.filter(|again| *again > Instant::now());
        for task in tasks {
            match task {
                Task::Record { event, reserves, done } => entries.push(Entry::Record { event, reserves, done }),
                Task::Mandatory { event, redeems, done } => {
                    entries.push(Entry::Mandatory(MandatoryEntry { event, redeems }, done))
                }
                Task::Release => self.reservations = self.reservations.saturating_sub(1),
                Task::Checkpoint(done) => checkpoints.push(done),
                Task::Close(done) => end = Some(done),
            }
        }
        self.write(entries);
        self.maintain(checkpoints);
        end
    }

    /// Writes what waits, all of it or nothing, and tells everybody. Where there is no room for all
    /// of it: what has happened, or at least the outcomes.
    fn write(&mut self, entries: Vec<Entry>) {
        self.lost += self.shared.rejected.swap(0, Ordering::Relaxed);
        if entries.is_empty() && self.retry_at.is_some() {
            return;
        }
        let own = self.own_events();
        if entries.is_empty() && self.backlog.is_empty() && own.is_empty() && self.lost == 0 {
            return;
        }
        let (batch, refused) = self.admit(&own, &entries);
        match self.append(&batch, self.shared.mode == Mode::Required) {
            Ok(()) => self.complete(batch, own, entries, refused),
            Err(error) => self.abort(own, entries, &error),
        }
    }

    /// The lines of as much as there is room for; and what the rest is told.
    fn admit(&mut self, own: &[Event], entries: &[Entry]) -> (Batch, Option<LogError>) {
        let mut refused = None;
        for admission in [Admission::All, Admission::Mandatory] {
            let batch = self.batch(own, entries, admission);
            match self.preallocate(&batch, OWN_EVENTS_BYTES) {
                Ok(()) => return (batch, refused),
                Err(error) => refused = Some(error),
            }
        }
        (self.batch(own, entries, Admission::Outcomes), refused)
    }

    fn batch(&self, own: &[Event], entries: &[Entry], admission: Admission) -> Batch {
        let input = BatchInput { lost: self.lost, own, backlog: &self.backlog, entries };
        Batch::build(&self.chain, self.reservations, &input, admission)
    }

    /// Makes room for the lines, for what is owed then, and for `own` bytes more.
    fn preallocate(&mut self, batch: &Batch, own: u64) -> Result<(), LogError> {
        if self.shared.mode == Mode::Required {
            let preallocates =
                self.file.preallocate(batch.bytes.len() as u64 + batch.reservations * RESERVATION_BYTES + own)?;
            self.shared.update_status(|status| status.preallocates = preallocates);
        }
        Ok(())
    }

    /// Writes the batch. The log ends with them then; or as before, or if the disk has lost more
    /// than that, before that.
    fn append(&mut self, batch: &Batch, durably: bool) -> Result<(), LogError> {
        let (length, is_new) = (self.file.length(), self.chain.next() < batch.chain.next());
        if let Err(error) = self.file.append(&batch.bytes, durably) {
            self.roll_back();
            return Err(error.into());
        }
        self.sinks.offer(&batch.bytes);
        let before = std::mem::replace(&mut self.chain, batch.chain.clone());
        self.reservations = batch.reservations;
        if durably {
            self.unsynced = None;
        } else if is_new {
            self.unsynced.get_or_insert_with(|| Unsynced { since: Instant::now(), before, length });
        }
        self.schedule.added(self.chain.next());
        self.shared.update_status(|status| {
            status.records = self.chain.next();
            status.batches += u64::from(is_new);
        });
        Ok(())
    }

    /// Ends the log where the file ends, if the disk has lost what was written before.
    fn roll_back(&mut self) {
        let lost = |unsynced: &mut Unsynced| self.file.length() <= unsynced.length;
        if let Some(unsynced) = self.unsynced.take_if(lost) {
            self.count_lost(self.chain.next() - unsynced.before.next());
            self.chain = unsynced.before;
            self.schedule.added(self.chain.next());
            self.shared.update_status(|status| status.records = self.chain.next());
        }
    }

    fn count_lost(&mut self, records: u64) {
        self.lost += records;
        self.shared.update_status(|status| status.lost += records);
    }
}

/// However the writer ends, nobody waits for it afterwards.
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        let mailbox: &Mailbox = &self.0.mailbox;
        mailbox.close().into_iter().for_each(|task| task.refuse(&LogError::Closed));
    }
}
