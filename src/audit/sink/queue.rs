//! The thread of one sink, and the records that wait for it: bounded, and never waited for by those
//! who put them there.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Sink;
use crate::audit::evidence::record::Record;
use crate::event::{DeliveryFailed, text};
use crate::{Chain, Escaped};

/// How many records may wait, and how many bytes of them.
pub(super) const RECORDS: usize = 4096;
pub(super) const BYTES: usize = 16 * 1024 * 1024;

/// Records on their way to a sink.
pub(super) struct Queue {
    name: String,
    state: Mutex<State>,
    /// Told of every change.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<[u8]>>,
    bytes: usize,
    /// Whether the sink has one that it did not return from.
    is_busy: bool,
    /// No more will come.
    is_closed: bool,
    /// The sink takes no more: why.
    ended: Option<&'static str>,
    debt: Debt,
}

impl Queue {
    /// Starts the thread of `sink`.
    pub(super) fn start(sink: Box<dyn Sink>) -> io::Result<Arc<Self>> {
        let queue = Arc::new(Self { name: sink.name().to_owned(), state: Mutex::default(), changed: Condvar::new() });
        let served = Arc::clone(&queue);
        std::thread::Builder::new().name("portcullis-sink".into()).spawn(move || served.serve(sink))?;
        Ok(queue)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn offer(&self, line: &Arc<[u8]>) {
        let mut state = self.state();
        if let Some(reason) = state.ended {
            state.debt.missed(reason);
        } else if state.waiting.len() >= RECORDS || state.bytes + line.len() > BYTES {
            state.debt.missed("too much waited for it");
        } else {
            state.bytes += line.len();
            state.waiting.push_back(Arc::clone(line));
            self.changed.notify_all();
        }
    }

    pub(super) fn take_missed(&self) -> Option<DeliveryFailed> {
        self.state().debt.due(&self.name)
    }

    fn serve(&self, mut sink: Box<dyn Sink>) {
        while let Some(line) = self.next() {
            let delivered = catch_unwind(AssertUnwindSafe(|| deliver(&mut *sink, &line)));
            let mut state = self.state();
            state.is_busy = false;
            match delivered {
                Ok(Ok(())) => state.debt.arrived(),
                Ok(Err(reason)) => state.debt.missed(&reason),
                Err(_) => {
                    state.end("it panicked");
                    state.debt.missed("it panicked");
                }
            }
            self.changed.notify_all();
        }
        // Whatever the sink does when it is dropped, it did before anybody takes it for ended.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(sink)));
        self.state().end("it has ended");
        self.changed.notify_all();
    }

    /// The next record, when there is one. `None` if there will be no more.
    fn next(&self) -> Option<Arc<[u8]>> {
        let mut state = self.state();
        loop {
            if state.ended.is_some() {
                return None;
            }
            if let Some(line) = state.waiting.pop_front() {
                state.bytes -= line.len();
                state.is_busy = true;
                return Some(line);
            }
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Says that no more will come.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    /// Waits until nothing waits any more. Whether it is so.
    pub(super) fn drain(&self, until: Instant) -> bool {
        self.wait(until, |state| state.ended.is_some() || (state.waiting.is_empty() && !state.is_busy))
    }

    /// Waits until the sink has ended after a [`close`](Self::close), and gives it nothing more if
    /// it has not.
    pub(super) fn finish(&self, until: Instant) {
        if !self.wait(until, |state| state.ended.is_some()) {
            let mut state = self.state();
            let records = state.waiting.len() + usize::from(state.is_busy);
            state.end("the log was closed");
            ::tracing::error!(sink = ?Escaped::new(&self.name), records, "a sink was not waited for any longer");
        }
    }

    fn wait(&self, until: Instant, is_so: impl Fn(&State) -> bool) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(self.state(), left, |state| !is_so(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        is_so(&state)
    }
}

impl State {
    /// What waits will not arrive.
    fn end(&mut self, reason: &'static str) {
        self.ended.get_or_insert(reason);
        for _ in 0..std::mem::take(&mut self.waiting).len() {
            self.debt.missed(reason);
        }
        self.bytes = 0;
    }
}

fn deliver(sink: &mut dyn Sink, line: &[u8]) -> Result<(), String> {
    let record = Record::parse(line).map_err(|fault| fault.to_string())?;
    sink.deliver(&record).map_err(|error| Chain::of(&*error).to_string())
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is missing at one sink.
#[derive(Debug, Default)]
pub(super) struct Debt {
    /// Since the last record that arrived.
    count: u64,
    /// How much of it was said.
    said: u64,
    /// What was missing before that record and was not said.
    before: u64,
    /// Why the last one did not arrive.
    reason: String,
}

impl Debt {
    /// A record did not arrive.
    pub(super) fn missed(&mut self, reason: &str) {
        self.count += 1;
        reason.clone_into(&mut self.reason);
    }

    /// A record arrived.
    pub(super) fn arrived(&mut self) {
        if self.count > self.said {
            self.before += self.count;
        }
        (self.count, self.said) = (0, 0);
    }

    /// What is to be said now.
    pub(super) fn due(&mut self, to: &str) -> Option<DeliveryFailed> {
        let count = match std::mem::take(&mut self.before) {
            0 if self.count == 0 || self.count < 2 * self.said => return None,
            0 => {
                self.said = self.count;
                self.count
            }
            before => before,
        };
        Some(DeliveryFailed { to: text(to), count, reason: text(&self.reason) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(debt: &mut Debt) -> Option<u64> {
        debt.due("sink").map(|undelivered| undelivered.count)
    }

    #[test]
    fn dead_sink_is_reported_immediately_then_rarely() {
        let mut debt = Debt::default();
        let mut said = Vec::new();
        for number in 1..=1000 {
            debt.missed("dead");
            // Each time that it is said, the record that says it does not arrive either.
            while let Some(count) = count(&mut debt) {
                said.push((number, count));
                debt.missed("dead");
            }
        }
        let counts: Vec<_> = said.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
    }

    #[test]
    fn missed_records_are_reported_in_full() {
        let mut debt = Debt::default();
        assert_eq!(count(&mut debt), None);
        debt.missed("one");
        assert_eq!(debt.due("sink"), Some(DeliveryFailed { to: "sink".into(), count: 1, reason: "one".into() }));
        assert_eq!(count(&mut debt), None, "it was said");
        debt.arrived();
        assert_eq!(count(&mut debt), None, "nothing more is missing");
        (0..4).for_each(|_| debt.missed("two"));
        debt.arrived();
        (0..3).for_each(|_| debt.missed("three\n"));
        debt.arrived();
        assert_eq!(debt.due("sink"), Some(DeliveryFailed { to: "sink".into(), count: 7, reason: r"three\n".into() }));
        assert_eq!(count(&mut debt), None);
    }
}
