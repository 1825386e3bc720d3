//! The thread that writes a log. It takes all that waits, writes it at once, waits for the disk
//! once, and tells everybody. What could not be written is taken back whole: the file, the chain,
//! and what others were going to be told.

mod completion;
mod maintenance;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::batch::{Entry, Fact, Lines, Measure, Waiting};
use super::checkpoints::Vouching;
use super::error::LogError;
use super::file::LogFile;
use super::recover::Recovered;
use super::task::{Done, Mailbox, Task, tell};
use super::{Mode, Shared};
use crate::audit::evidence::chain::Chain;
use crate::audit::sink::Sinks;
use crate::event::Event;

/// There is always room for an outcome of this size, in bytes.
pub(super) const OUTCOME: u64 = 4096;

/// And for what the log says of itself.
pub(super) const OWN: u64 = 16 * 1024;

/// How long what failed is left alone.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// The writer of one log.
pub(super) struct Writer {
    shared: Arc<Shared>,
    rotate_at: u64,
    file: LogFile,
    /// The number of the first record in the file.
    first: u64,
    chain: Chain,
    /// What has happened and could not be recorded yet.
    facts: VecDeque<Fact>,
    /// How much memory they take.
    kept: usize,
    lost: u64,
    /// How many outcomes are to come for which there must be room.
    owed: u64,
    sinks: Sinks,
    vouching: Vouching,
    /// When what failed is tried again.
    again: Option<Instant>,
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
        vouching: Vouching,
    ) -> Self {
        Self {
            shared,
            rotate_at,
            file,
            first,
            chain,
            facts: VecDeque::new(),
            kept: 0,
            lost: 0,
            owed: 0,
            sinks,
            vouching,
            again: None,
            unsynced: None,
            is_failing: false,
        }
    }

    #[cfg(test)]
    pub(super) fn faults(&self) -> &super::tests::Faults {
        &self.file.faults
    }

    #[cfg(test)]
    pub(super) fn owed(&self) -> u64 {
        self.owed
    }

    /// As if no more room had been reserved than is used.
    #[cfg(test)]
    pub(super) fn forget_room(&mut self) {
        self.file.forget_room();
    }

    /// Writes until the log is closed.
    pub(super) fn run(mut self) {
        let _guard = Guard(Arc::clone(&self.shared));
        loop {
            let tasks = self.shared.mailbox.take(self.deadline());
            if let Some(done) = self.turn(tasks) {
                tell(done, self.close());
                return;
            }
        }
    }

    /// When there is something to do although nothing arrives.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let sync = self.unsynced.as_ref().map(|unsynced| unsynced.since + PATIENCE);
        let due = [sync, self.vouching.due_at()].into_iter().flatten().min();
        // While something fails everything else waits for it.
        self.again.or(due)
    }

    /// Does what waits. Returns who is to be told of the end, if it has come.
    pub(super) fn turn(&mut self, tasks: Vec<Task>) -> Option<Done<()>> {
        let (mut entries, mut checkpoints, mut end) = (Vec::new(), Vec::new(), None);
        self.again = self.again.filter(|again| *again > Instant::now());
        for task in tasks {
            match task {
                Task::Record { event, owes, done } => entries.push(Entry::Record { event, owes, done }),
                Task::Fact { event, pays, done } => entries.push(Entry::Fact(Fact { event, pays }, done)),
                Task::Forgive => self.owed = self.owed.saturating_sub(1),
                Task::Checkpoint(done) => checkpoints.push(done),
                Task::Close(done) => end = Some(done),
            }
        }
        self.write(entries);
        self.look_after_itself(checkpoints);
        end
    }

    /// Writes what waits, all of it or nothing, and tells everybody. Where there is no room for all
    /// of it: what has happened, or at least the outcomes.
    fn write(&mut self, entries: Vec<Entry>) {
        self.lost += self.shared.turned_away.swap(0, Ordering::Relaxed);
        if entries.is_empty() && self.again.is_some() {
            return;
        }
        let own = self.own_events();
        if entries.is_empty() && self.facts.is_empty() && own.is_empty() && self.lost == 0 {
            return;
        }
        let (lines, refused) = self.fitting(&own, &entries);
        match self.put_down(&lines, self.shared.mode == Mode::Required) {
            Ok(()) => self.written(lines, own, entries, refused),
            Err(error) => self.failed(own, entries, &error),
        }
    }

    /// The lines of as much as there is room for; and what the rest is told.
    fn fitting(&mut self, own: &[Event], entries: &[Entry]) -> (Lines, Option<LogError>) {
        let mut refused = None;
        for measure in [Measure::All, Measure::Facts] {
            let lines = self.lines(own, entries, measure);
            match self.make_room(&lines, OWN) {
                Ok(()) => return (lines, refused),
                Err(error) => refused = Some(error),
            }
        }
        (self.lines(own, entries, Measure::Outcomes), refused)
    }

    fn lines(&self, own: &[Event], entries: &[Entry], measure: Measure) -> Lines {
        let waiting = Waiting { lost: self.lost, own, facts: &self.facts, entries };
        Lines::of(&self.chain, self.owed, &waiting, measure)
    }

    /// Makes room for the lines, for what is owed then, and for `own` bytes more.
    fn make_room(&mut self, lines: &Lines, own: u64) -> Result<(), LogError> {
        if self.shared.mode == Mode::Required {
            let preallocates = self.file.reserve(lines.bytes.len() as u64 + lines.owed * OUTCOME + own)?;
            self.shared.know(|status| status.preallocates = preallocates);
        }
        Ok(())
    }

    /// Writes the lines. The log ends with them then; or as before, or if the disk has lost more
    /// than that, before that.
    fn put_down(&mut self, lines: &Lines, durably: bool) -> Result<(), LogError> {
        let (length, is_new) = (self.file.length(), self.chain.next() < lines.chain.next());
        if let Err(error) = self.file.add(&lines.bytes, durably) {
            self.fall_back();
            return Err(error.into());
        }
        self.sinks.offer(&lines.bytes);
        let before = std::mem::replace(&mut self.chain, lines.chain.clone());
        self.owed = lines.owed;
        if durably {
            self.unsynced = None;
        } else if is_new {
            self.unsynced.get_or_insert_with(|| Unsynced { since: Instant::now(), before, length });
        }
        self.vouching.added(self.chain.next());
        self.shared.know(|status| {
            status.records = self.chain.next();
            status.batches += u64::from(is_new);
        });
        Ok(())
    }

    /// Ends the log where the file ends, if the disk has lost what was written before.
    fn fall_back(&mut self) {
        let lost = |unsynced: &mut Unsynced| self.file.length() <= unsynced.length;
        if let Some(unsynced) = self.unsynced.take_if(lost) {
            self.lose(self.chain.next() - unsynced.before.next());
            self.chain = unsynced.before;
            self.vouching.added(self.chain.next());
            self.shared.know(|status| status.records = self.chain.next());
        }
    }

    fn lose(&mut self, records: u64) {
        self.lost += records;
        self.shared.know(|status| status.lost += records);
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
