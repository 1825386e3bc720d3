//! The way from the log to its sinks: a bounded queue and a thread for each of them. What does not get through is counted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::Sink;
use crate::audit::Record;
use crate::audit::event::{Undelivered, text};

/// As many records wait for one sink.
const WAITING: usize = 8 * 1024;

/// The sinks of a log.
pub(in crate::audit) struct Sinks(Vec<Running>);

struct Running {
    name: String,
    queue: Option<SyncSender<Arc<[u8]>>>,
    missed: Arc<Mutex<Missed>>,
    thread: Option<JoinHandle<()>>,
}

/// What did not arrive since it was last asked for.
#[derive(Default)]
struct Missed {
    count: u64,
    reason: String,
}

impl Missed {
    fn one(missed: &Mutex<Self>, reason: impl ToString) {
        let mut missed = missed.lock().unwrap_or_else(PoisonError::into_inner);
        missed.count += 1;
        missed.reason = reason.to_string();
    }
}

impl Sinks {
    pub(in crate::audit) fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self(sinks.into_iter().map(Running::start).collect())
    }

    /// Gives each sink a copy of whole lines.
    pub(in crate::audit) fn offer(&self, lines: &[u8]) {
        if self.0.is_empty() {
            return;
        }
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line: Arc<[u8]> = line.strip_suffix(b"\n").unwrap_or(line).into();
            self.0.iter().for_each(|sink| sink.offer(Arc::clone(&line)));
        }
    }

    /// What did not arrive since this was last asked for.
    pub(in crate::audit) fn take_missed(&mut self) -> Vec<Undelivered> {
        self.0.iter().filter_map(Running::take_missed).collect()
    }
}

impl Running {
    fn start(sink: Box<dyn Sink>) -> Self {
        let (queue, records) = sync_channel(WAITING);
        let (name, missed) = (sink.name().to_owned(), Arc::<Mutex<Missed>>::default());
        let counted = Arc::clone(&missed);
        let started = std::thread::Builder::new().name("portcullis-sink".into()).spawn(move || {
            serve(sink, &records, &counted);
        });
        if let Err(error) = &started {
            Missed::one(&missed, error);
        }
        Self { name, queue: Some(queue), missed, thread: started.ok() }
    }

    fn offer(&self, line: Arc<[u8]>) {
        if let Some(Err(error)) = self.queue.as_ref().map(|queue| queue.try_send(line)) {
            Missed::one(&self.missed, error);
        }
    }

    fn take_missed(&self) -> Option<Undelivered> {
        let Missed { count, reason } = std::mem::take(&mut *self.missed.lock().unwrap_or_else(PoisonError::into_inner));
        (count > 0).then(|| Undelivered { to: text(&self.name), count, reason: text(reason) })
    }
}

fn serve(mut sink: Box<dyn Sink>, records: &Receiver<Arc<[u8]>>, missed: &Mutex<Missed>) {
    for line in records {
        let Ok(record) = Record::parse(&line) else { continue };
        match catch_unwind(AssertUnwindSafe(|| sink.deliver(&record))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => Missed::one(missed, error),
            Err(_) => Missed::one(missed, "it panicked"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.queue.take());
        // A sink that does not come to an end is left behind.
        if let Some(thread) = self.thread.take() {
            let patience = std::time::Instant::now() + std::time::Duration::from_secs(1);
            while !thread.is_finished() && std::time::Instant::now() < patience {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
    }
}
