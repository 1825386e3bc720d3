//! The bounded queue of records for one sink, and the thread that delivers them. Adding a record
//! never blocks.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Sink;
use crate::audit::evidence::record::Record;
use crate::event::{DeliveryFailed, text};
use crate::limits::audit::{SINK_BYTES, SINK_RECORDS};
use crate::{Chain, Escaped};

/// The records that wait for a sink. The writer's thread adds them, the sink's thread takes them.
pub(super) struct Queue {
    name: String,
    state: Mutex<QueueState>,
    /// Notified after every change of `state`: the sink's thread waits on it for records, and
    /// [`drain`](Self::drain) and [`finish`](Self::finish) wait on it for the sink.
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<Arc<[u8]>>,
    bytes: usize,
    /// Whether the sink is delivering a record.
    is_busy: bool,
    /// Whether the log was closed: no more records follow.
    is_closed: bool,
    /// Why the sink takes no more records, if it does not.
    ended: Option<&'static str>,
    missed: DropCounter,
}

impl Queue {
    /// Starts the thread of `sink`.
    pub(super) fn start(sink: Box<dyn Sink>) -> io::Result<Arc<Self>> {
        let queue = Arc::new(Self { name: sink.name().to_owned(), state: Mutex::default(), changed: Condvar::new() });
        let served = Arc::clone(&queue);
        std::thread::Builder::new().name("portcullis-sink".into()).spawn(move || served.serve(sink))?;
        Ok(queue)
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn offer(&self, line: &Arc<[u8]>) {
        let mut state = self.state();
        if let Some(reason) = state.ended {
            state.missed.add(reason);
        } else if state.waiting.len() >= SINK_RECORDS || state.bytes + line.len() > SINK_BYTES {
            state.missed.add("its queue was full");
        } else {
            state.bytes += line.len();
            state.waiting.push_back(Arc::clone(line));
            self.changed.notify_all();
        }
    }

    pub(super) fn take_missed(&self) -> Option<DeliveryFailed> {
        self.state().missed.due(&self.name)
    }

    fn serve(&self, mut sink: Box<dyn Sink>) {
        while let Some(line) = self.next() {
            let delivered = catch_unwind(AssertUnwindSafe(|| deliver(&mut *sink, &line)));
            let mut state = self.state();
            state.is_busy = false;
            match delivered {
                Ok(Ok(())) => state.missed.delivered(),
                Ok(Err(reason)) => state.missed.add(&reason),
                Err(_) => {
                    state.end("it panicked");
                    state.missed.add("it panicked");
                }
            }
            self.changed.notify_all();
        }
        // The sink is dropped before it counts as ended: its destructor may still send what it
        // buffered. A panic there must not end this thread before the state says so.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(sink)));
        self.state().end("it ended");
        self.changed.notify_all();
    }

    /// Waits for the next record. `None` when no more records follow.
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

    /// Ends the queue: the sink gets the waiting records and no more.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    /// Waits until the queue is empty and the sink is idle. Returns whether they are.
    pub(super) fn drain(&self, until: Instant) -> bool {
        self.wait(until, |state| state.ended.is_some() || (state.waiting.is_empty() && !state.is_busy))
    }

    /// Waits until the sink has ended after a [`close`](Self::close). If it has not by `until`, the
    /// rest of the queue counts as undelivered.
    pub(super) fn finish(&self, until: Instant) {
        if !self.wait(until, |state| state.ended.is_some()) {
            let mut state = self.state();
            let records = state.waiting.len() + usize::from(state.is_busy);
            state.end("the log was closed");
            ::tracing::error!(sink = ?Escaped::new(&self.name), records, "a sink did not end in time");
        }
    }

    fn wait(&self, until: Instant, is_so: impl Fn(&QueueState) -> bool) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(self.state(), left, |state| !is_so(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        is_so(&state)
    }
}

impl QueueState {
    /// Ends the sink: the waiting records count as undelivered.
    fn end(&mut self, reason: &'static str) {
        self.ended.get_or_insert(reason);
        for _ in 0..std::mem::take(&mut self.waiting).len() {
            self.missed.add(reason);
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

/// Counts the copies that one sink did not get, and decides when the log records the count. The
/// interval between two records doubles, because the record of a loss is itself one more copy that
/// a dead sink does not get.
#[derive(Debug, Default)]
pub(super) struct DropCounter {
    /// Copies missed since the last delivery.
    count: u64,
    /// How many of these the log has recorded.
    recorded: u64,
    /// Copies missed before the last delivery and not recorded yet.
    before: u64,
    /// Why the last copy was missed.
    reason: String,
}

impl DropCounter {
    /// Counts a copy that was not delivered.
    pub(super) fn add(&mut self, reason: &str) {
        self.count += 1;
        reason.clone_into(&mut self.reason);
    }

    /// Notes a delivery, which ends a series of losses.
    pub(super) fn delivered(&mut self) {
        if self.count > self.recorded {
            self.before += self.count;
        }
        (self.count, self.recorded) = (0, 0);
    }

    /// Takes the count that is due for a record, if one is.
    pub(super) fn due(&mut self, to: &str) -> Option<DeliveryFailed> {
        let count = match std::mem::take(&mut self.before) {
            0 if self.count == 0 || self.count < 2 * self.recorded => return None,
            0 => {
                self.recorded = self.count;
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

    fn count(counter: &mut DropCounter) -> Option<u64> {
        counter.due("sink").map(|undelivered| undelivered.count)
    }

    #[test]
    fn dead_sink_is_recorded_at_doubling_intervals() {
        let mut counter = DropCounter::default();
        let mut said = Vec::new();
        for number in 1..=1000 {
            counter.add("dead");
            // The record of a loss is one more copy that does not arrive.
            while let Some(count) = count(&mut counter) {
                said.push((number, count));
                counter.add("dead");
            }
        }
        let counts: Vec<_> = said.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
    }

    #[test]
    fn losses_before_a_delivery_are_recorded_whole() {
        let mut counter = DropCounter::default();
        assert_eq!(count(&mut counter), None);
        counter.add("one");
        assert_eq!(counter.due("sink"), Some(DeliveryFailed { to: "sink".into(), count: 1, reason: "one".into() }));
        assert_eq!(count(&mut counter), None, "it was recorded");
        counter.delivered();
        assert_eq!(count(&mut counter), None, "nothing more was missed");
        (0..4).for_each(|_| counter.add("two"));
        counter.delivered();
        (0..3).for_each(|_| counter.add("three\n"));
        counter.delivered();
        assert_eq!(
            counter.due("sink"),
            Some(DeliveryFailed { to: "sink".into(), count: 7, reason: r"three\n".into() })
        );
        assert_eq!(count(&mut counter), None);
    }
}
