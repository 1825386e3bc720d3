//! The thread that writes a log, by group commit: it takes all queued tasks, appends them as one
//! batch, syncs once and answers the callers. A batch that fails leaves no part
//! of itself in the log. If its sync fails, earlier records that were not synced are lost too, and
//! counted. Knows no file formats.

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

// The order within a round, and the state after a crash in each step:
//
// 1. Admit. Lines are built in memory, disk space is allocated. Nothing to repair.
// 2. Write. A crash leaves whole lines and perhaps a torn one. Opening keeps the whole lines and
//    quarantines the rest (`recover`). No caller of a required log was answered yet.
// 3. Sync (fdatasync(2); a best-effort log delays it). The batch survives a crash.
// 4. Answer the callers. A required log answers `Ok` only now: no record, no action.
// 5. Checkpoint, if one is due: signed, recorded and synced as a batch of its own, then written to
//    the checkpoint file. A crash in between leaves an older checkpoint file, which still covers a
//    prefix of the log.
//
// This thread alone has the file, the chain and the backlog, so none of them has a lock. Callers
// share the task queue and the status, each behind a mutex that is not held during disk access.

/// The writer of one log.
pub(super) struct Writer {
    shared: Arc<Shared>,
    rotate_at: u64,
    file: LogFile,
    /// The index of the first record in the file.
    first: u64,
    chain: Chain,
    /// Mandatory entries that could not be written yet, oldest first.
    backlog: VecDeque<MandatoryEntry>,
    /// How many bytes of memory they take.
    backlog_bytes: usize,
    /// How many records were lost since the last `lost` record.
    lost: u64,
    /// How many outcomes have a reservation and are not recorded yet.
    reservations: u64,
    sinks: Sinks,
    schedule: CheckpointSchedule,
    /// When the writer tries again after a failure.
    retry_at: Option<Instant>,
    /// The records of a best-effort log that are written and not synced.
    unsynced: Option<Unsynced>,
    /// Whether the last attempt to write failed.
    is_failing: bool,
}

/// Records that may not be on the disk yet.
struct Unsynced {
    since: Instant,
    /// The chain before the first of them.
    before: Chain,
    /// The length of the file before the first of them.
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

    /// Makes the next batch allocate disk space again.
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

    /// The time of the next work if no task arrives.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let sync = self.unsynced.as_ref().map(|unsynced| unsynced.since + RETRY_AFTER);
        let due = [sync, self.schedule.due_at()].into_iter().flatten().min();
        // After a failure, due work waits for the retry; otherwise a failing disk would be tried in
        // a busy loop.
        self.retry_at.or(due)
    }

    /// Runs one round: a batch, then maintenance. Returns the caller of `close`, if it is among the
    /// tasks.
    pub(super) fn process(&mut self, tasks: Vec<Task>) -> Option<Done<()>> {
        let (mut entries, mut checkpoints, mut end) = (Vec::new(), Vec::new(), None);
        self.retry_at = self.retry_at.filter(|again| *again > Instant::now());
        for task in tasks {
            match task {
                // Tasks keep their order: an outcome never precedes its intent.
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

    /// Appends one batch and answers its callers. The batch is written whole or not at all. If disk
    /// space is short, it has the mandatory entries only, or just the outcomes with a reservation.
    fn write(&mut self, entries: Vec<Entry>) {
        self.lost += self.shared.rejected.swap(0, Ordering::Relaxed);
        if entries.is_empty() && self.retry_at.is_some() {
            return;
        }
        // Taken out of the sinks' counters here; `complete` and `abort` defer unwritten events.
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

    /// Builds the largest batch that has disk space, and the error for the entries it leaves out.
    fn admit(&mut self, own: &[Event], entries: &[Entry]) -> (Batch, Option<LogError>) {
        let mut refused = None;
        for admission in [Admission::All, Admission::Mandatory] {
            let batch = self.batch(own, entries, admission);
            match self.preallocate(&batch, OWN_EVENTS_BYTES) {
                Ok(()) => return (batch, refused),
                Err(error) => refused = Some(error),
            }
        }
        // Redeeming outcomes use space that is allocated already: no need to ask for more.
        (self.batch(own, entries, Admission::Outcomes), refused)
    }

    fn batch(&self, own: &[Event], entries: &[Entry], admission: Admission) -> Batch {
        let input = BatchInput { lost: self.lost, own, backlog: &self.backlog, entries };
        Batch::build(&self.chain, self.reservations, &input, admission)
    }

    /// Allocates disk space for the batch, the reservations after it, and `own` bytes more. A
    /// best-effort log allocates nothing.
    fn preallocate(&mut self, batch: &Batch, own: u64) -> Result<(), LogError> {
        if self.shared.mode == Mode::Required {
            let preallocates =
                self.file.preallocate(batch.bytes.len() as u64 + batch.reservations * RESERVATION_BYTES + own)?;
            self.shared.update_status(|status| status.preallocates = preallocates);
        }
        Ok(())
    }

    /// Appends the batch to the file. On failure the log ends where it ended before; or earlier, if
    /// the disk also lost records that were written and not synced.
    fn append(&mut self, batch: &Batch, durably: bool) -> Result<(), LogError> {
        let (length, is_new) = (self.file.length(), self.chain.next() < batch.chain.next());
        if let Err(error) = self.file.append(&batch.bytes, durably) {
            self.roll_back();
            return Err(error.into());
        }
        // From here on the batch is part of the log. The chain moves only after the write: a failed
        // one leaves no gap in the indexes.
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

    /// Moves the chain back to the end of the file, if the file lost its unsynced records.
    fn roll_back(&mut self) {
        let lost = |unsynced: &mut Unsynced| self.file.length() <= unsynced.length;
        // A failed sync truncates the file to its last synced length (see `LogFile::sync`). A
        // failed write does not, and the unsynced records stay.
        if let Some(unsynced) = self.unsynced.take_if(lost) {
            self.count_lost(self.chain.next() - unsynced.before.next());
            self.chain = unsynced.before;
            self.schedule.added(self.chain.next());
            self.shared.update_status(|status| status.records = self.chain.next());
        }
    }

    /// Counts records for the next `lost` record and for the status.
    fn count_lost(&mut self, records: u64) {
        self.lost += records;
        self.shared.update_status(|status| status.lost += records);
    }
}

/// Refuses the queued tasks when the thread ends, also by a panic: no caller waits for an answer
/// that cannot come.
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        let mailbox: &Mailbox = &self.0.mailbox;
        mailbox.close().into_iter().for_each(|task| task.refuse(&LogError::Closed));
    }
}
