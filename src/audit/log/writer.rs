//! The thread that writes a log. It takes all that waits, writes it at once, waits for the disk once, and tells everybody. What could not be written is taken
//! back whole: the file, the chain, and what others were going to be told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use super::error::LogError;
use super::file::LogFile;
use super::recover::Recovered;
use super::task::{Done, Mailbox, Task};
use super::vouch::Vouching;
use super::{Mode, Shared, rotate};
use crate::audit::Checkpoint;
use crate::audit::chain::Chain;
use crate::audit::event::{Closed, Event, Lost};
use crate::audit::sink::Sinks;

/// There is always room for an outcome of this size, in bytes.
pub(super) const OUTCOME: u64 = 4096;

/// And for what the log says of itself.
const OWN: u64 = 16 * 1024;

/// As many facts are kept while they cannot be written.
const FACTS: usize = 16 * 1024;

/// How long what failed is left alone.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How long the sinks are waited for when the log is closed.
const SINKS: Duration = Duration::from_secs(5);

/// A fact that is not recorded yet.
struct Fact {
    event: Event,
    /// Whether there is room for it.
    pays: bool,
}

/// The writer of one log.
pub(super) struct Writer {
    shared: Arc<Shared>,
    rotate_at: u64,
    file: LogFile,
    /// The number of the first record in the file.
    first: u64,
    chain: Chain,
    facts: VecDeque<Fact>,
    lost: u64,
    /// How many outcomes are to come for which there must be room.
    owed: u64,
    sinks: Sinks,
    vouching: Vouching,
    /// When what failed is tried again.
    again: Option<Instant>,
    /// Since when something is not on the disk that was said to be recorded as well as possible.
    unsynced: Option<Instant>,
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
            lost: 0,
            owed: 0,
            sinks,
            vouching,
            again: None,
            unsynced: None,
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
                done(self.close());
                return;
            }
        }
    }

    /// When there is something to do although nothing arrives.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let sync = self.unsynced.map(|since| since + PATIENCE);
        let vouch = self.vouching.due_at().map(|due| self.again.map_or(due, |again| due.max(again)));
        [self.again, vouch, sync].into_iter().flatten().min()
    }

    /// Does what waits. Returns who is to be told of the end, if it has come.
    pub(super) fn turn(&mut self, tasks: Vec<Task>) -> Option<Done<()>> {
        let mut batch = Batch::default();
        let (mut checkpoints, mut end) = (Vec::new(), None);
        self.again = self.again.filter(|again| *again > Instant::now());
        for task in tasks {
            match task {
                Task::Record { event, owes, done } => batch.entries.push(Entry::Record { event, owes, done }),
                Task::Fact { event, pays, done } => batch.entries.push(Entry::Fact(Fact { event, pays }, done)),
                Task::Forgive => self.owed = self.owed.saturating_sub(1),
                Task::Checkpoint(done) => checkpoints.push(done),
                Task::Close(done) => end = Some(done),
            }
        }
        self.write(batch);
        self.look_after_itself(checkpoints);
        end
    }

    /// Writes all of a batch, or nothing of it.
    fn write(&mut self, batch: Batch) {
        self.lost += self.shared.turned_away.swap(0, Ordering::Relaxed);
        let own = self.own_events();
        if batch.entries.is_empty() && self.facts.is_empty() && own.is_empty() && self.lost == 0 {
            return;
        }
        let (lines, refused) = match self.lines(&own, &batch) {
            Ok(lines) => (lines, None),
            // Nothing new is begun, and what was begun can be ended: there is room for that.
            Err(error) => (self.encoded(&own, &batch, false), Some(error)),
        };
        let durably = self.shared.mode == Mode::Required;
        match self.file.add(&lines.bytes, durably) {
            Ok(()) => self.written(lines, batch, refused, durably),
            Err(error) => self.failed(own, batch, &refused.unwrap_or_else(|| error.into())),
        }
        self.shared.know(|status| status.records = self.chain.next());
    }

    /// The lines of everything, if there is room for them and for what is owed then.
    fn lines(&mut self, own: &[Event], batch: &Batch) -> Result<Lines, LogError> {
        let lines = self.encoded(own, batch, true);
        if self.shared.mode == Mode::Required {
            let room = lines.bytes.len() as u64 + lines.owed * OUTCOME + OWN;
            let reserves = self.file.reserve(room)?;
            self.shared.know(|status| status.reserves = reserves);
        }
        Ok(lines)
    }

    fn encoded(&self, own: &[Event], batch: &Batch, with_records: bool) -> Lines {
        let mut lines = Lines::new(&self.chain, self.owed);
        let now = SystemTime::now();
        if self.lost > 0 {
            lines.write(now, &Event::Lost(Lost { records: self.lost }));
        }
        for event in own {
            lines.write(now, event);
        }
        for fact in &self.facts {
            lines.fact(now, fact);
        }
        for entry in &batch.entries {
            match entry {
                Entry::Fact(fact, _) => lines.fact(now, fact),
                Entry::Record { event, owes, .. } if with_records => {
                    let fits = lines.write(now, event);
                    lines.fits.push(fits);
                    lines.owed += u64::from(fits && *owes);
                }
                Entry::Record { .. } => {}
            }
        }
        lines
    }

    /// Tells everybody what became of what they brought.
    fn written(&mut self, lines: Lines, batch: Batch, refused: Option<LogError>, durably: bool) {
        self.sinks.offer(&lines.bytes);
        let (chain, owed, mut fits) = (lines.chain, lines.owed, lines.fits.into_iter());
        self.vouching.added(chain.next());
        (self.chain, self.owed) = (chain, owed);
        self.facts.clear();
        self.lost = 0;
        self.again = None;
        if !durably {
            self.unsynced.get_or_insert_with(Instant::now);
        }
        for entry in batch.entries {
            let (done, outcome) = match (entry, &refused) {
                (Entry::Fact(_, done), _) => (done, Ok(())),
                (Entry::Record { done, .. }, Some(error)) => (self.refused(done), Err(error.clone())),
                (Entry::Record { done, .. }, None) if fits.next() == Some(true) => (done, Ok(())),
                (Entry::Record { done, .. }, None) => (self.refused(done), Err(LogError::TooLarge)),
            };
            if let Some(done) = done {
                done(outcome);
            }
        }
    }

    /// What nobody waits for is missed by nobody but the log.
    fn refused(&mut self, done: Option<Done<()>>) -> Option<Done<()>> {
        self.lost += u64::from(done.is_none());
        self.shared.know(|status| status.lost += u64::from(done.is_none()));
        done
    }

    /// Takes everything back. Facts are kept for another time.
    fn failed(&mut self, own: Vec<Event>, batch: Batch, error: &LogError) {
        tracing::error!(log = %self.shared.shown(), error = %crate::Chain::of(error), "the audit log could not be written");
        self.again = Some(Instant::now() + PATIENCE);
        own.into_iter().for_each(|event| self.keep(Fact { event, pays: false }));
        for entry in batch.entries {
            let done = match entry {
                Entry::Record { done, .. } => self.refused(done),
                Entry::Fact(fact, done) => {
                    self.keep(fact);
                    done
                }
            };
            if let Some(done) = done {
                done(Err(error.clone()));
            }
        }
    }

    fn keep(&mut self, fact: Fact) {
        if self.facts.len() < FACTS {
            self.facts.push_back(fact);
            return;
        }
        self.owed = self.owed.saturating_sub(u64::from(fact.pays));
        self.lost += 1;
        self.shared.know(|status| status.lost += 1);
    }

    /// What the log has to say of itself.
    fn own_events(&mut self) -> Vec<Event> {
        let missed = self.sinks.take_missed().into_iter().chain(self.vouching.take_missed());
        let events: Vec<_> = missed.map(Event::Undelivered).collect();
        self.shared.know(|status| status.undelivered += events.len() as u64);
        events
    }

    /// Vouches, begins another file and waits for the disk, as far as it is time for that.
    fn look_after_itself(&mut self, asked: Vec<Done<Checkpoint>>) {
        let now = Instant::now();
        if self.again.is_some() && asked.is_empty() {
            return;
        }
        let full = self.file.length() >= self.rotate_at;
        if !asked.is_empty() || full || self.vouching.is_due(now) {
            let vouched = self.vouch();
            asked.into_iter().for_each(|done| done(vouched.clone()));
        }
        if full {
            self.rotate();
        }
        if self.unsynced.is_some_and(|since| now >= since + PATIENCE) {
            self.sync();
        }
    }

    fn sync(&mut self) {
        if self.file.sync().is_ok() {
            self.unsynced = None;
        } else {
            self.unsynced = Some(Instant::now());
        }
    }

    /// Signs a checkpoint over all records, and records it.
    fn vouch(&mut self) -> Result<Checkpoint, LogError> {
        if let Some(checkpoint) = self.vouching.latest(&self.chain) {
            return Ok(checkpoint);
        }
        let signed = self.vouching.sign(&self.chain, &self.shared.key);
        let mut lines = Lines::new(&self.chain, self.owed);
        lines.write(SystemTime::now(), &signed.event());
        if let Err(error) = self.file.add(&lines.bytes, true) {
            self.again = Some(Instant::now() + PATIENCE);
            let error = LogError::from(error);
            tracing::error!(log = %self.shared.shown(), error = %crate::Chain::of(&error), "a checkpoint could not be recorded");
            return Err(error);
        }
        self.sinks.offer(&lines.bytes);
        self.chain = lines.chain;
        self.unsynced = None;
        let checkpoint = self.vouching.deliver(signed, &self.chain);
        self.shared.know(|status| {
            status.records = self.chain.next();
            status.checkpoint = self.vouching.note();
        });
        Ok(checkpoint)
    }

    fn rotate(&mut self) {
        match rotate::rotate(&self.shared.path, self.first, &mut self.chain, &self.shared.key) {
            Ok((file, line)) => {
                self.sinks.offer(&line);
                self.first = self.chain.next() - 1;
                self.file = file;
                self.vouching.added(self.chain.next());
            }
            Err(error) => {
                self.again = Some(Instant::now() + PATIENCE);
                tracing::error!(error = %crate::Chain::of(&error), "the audit log could not begin another file");
            }
        }
    }

    /// Ends in order: what was brought is recorded, and vouched for.
    fn close(mut self) -> Result<(), LogError> {
        let rest = self.shared.mailbox.close();
        self.turn(rest);
        // What they miss is still recorded.
        self.sinks.drain(SINKS);
        let closed = Event::Closed(Closed { pid: std::process::id() });
        let (heard, told) = std::sync::mpsc::channel();
        let done: Done<()> = Box::new(move |outcome| drop(heard.send(outcome)));
        let last = Task::Record { event: closed, owes: false, done: Some(done) };
        self.turn(vec![last]);
        let recorded = told.try_recv().unwrap_or(Err(LogError::Closed));
        let vouched = self.vouch().map(drop);
        self.sync();
        self.file.release();
        recorded.and(vouched)
    }
}

/// What is written at once.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
}

enum Entry {
    Record { event: Event, owes: bool, done: Option<Done<()>> },
    Fact(Fact, Option<Done<()>>),
}

/// Lines that are not written yet, and what holds when they are.
struct Lines {
    bytes: Vec<u8>,
    chain: Chain,
    owed: u64,
    /// Of each event that may be refused, whether it is among the lines.
    fits: Vec<bool>,
}

impl Lines {
    fn new(chain: &Chain, owed: u64) -> Self {
        Self { bytes: Vec::new(), chain: chain.clone(), owed, fits: Vec::new() }
    }

    fn write(&mut self, now: SystemTime, event: &Event) -> bool {
        self.chain.write(&mut self.bytes, now, event)
    }

    fn fact(&mut self, now: SystemTime, fact: &Fact) {
        self.write(now, &fact.event);
        self.owed = self.owed.saturating_sub(u64::from(fact.pays));
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
