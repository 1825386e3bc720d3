//! Sends copies of durable records elsewhere: one thread for each sink, so that neither the writer
//! nor a caller waits for a sink. The file is the evidence; the log itself records the number of
//! copies that were not delivered.

mod queue;
#[cfg(feature = "syslog")]
mod syslog;
mod tracing;

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

pub use self::tracing::{TracingSink, TracingSinkError};
use queue::Queue;
#[cfg(feature = "syslog")]
pub use syslog::{SyslogSink, SyslogSinkError};

use super::evidence::record::Record;
use crate::event::DeliveryFailed;
use crate::timing::audit::SINK_STOP;

/// A destination for copies of records.
///
/// The log calls it on a separate thread, once for each record and in the order of the log. Up to
/// 4096 records or 16 MiB wait for a slow sink; further records are not delivered. The log does not
/// retry a delivery. A sink that panics gets no more records.
pub trait Sink: Send {
    /// The name of the sink in `undelivered` events.
    fn name(&self) -> &str;

    /// Delivers a copy of a record.
    ///
    /// # Errors
    ///
    /// When the copy was not delivered. An `undelivered` event in the log has the number of such
    /// copies and the last reason.
    fn deliver(&mut self, record: &Record) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// All sinks of a log. Dropping it delivers the waiting records and ends the sinks, within
/// [`SINK_STOP`].
#[derive(Debug)]
pub(crate) struct Sinks {
    queues: Vec<Arc<Queue>>,
}

impl Sinks {
    /// Starts a thread for each sink.
    pub(crate) fn new(sinks: Vec<Box<dyn Sink>>) -> io::Result<Self> {
        let mut started = Self { queues: Vec::new() };
        for sink in sinks {
            started.queues.push(Queue::start(sink)?);
        }
        Ok(started)
    }

    /// Queues whole lines of the log for each sink. Does not block.
    pub(crate) fn offer(&self, lines: &[u8]) {
        if self.queues.is_empty() {
            return;
        }
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line).into();
            self.queues.iter().for_each(|queue| queue.offer(&line));
        }
    }

    /// Takes the counts of undelivered copies that are due for a record: at the first loss,
    /// whenever the count has doubled, and the rest after the next successful delivery.
    pub(crate) fn take_missed(&self) -> Vec<DeliveryFailed> {
        self.queues.iter().filter_map(|queue| queue.take_missed()).collect()
    }

    /// Waits until the queues are empty, for at most `limit`. Returns whether they are.
    pub(crate) fn drain(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        self.queues.iter().all(|queue| queue.drain(until))
    }
}

impl Drop for Sinks {
    fn drop(&mut self) {
        self.queues.iter().for_each(|queue| queue.close());
        let until = Instant::now() + SINK_STOP;
        self.queues.iter().for_each(|queue| queue.finish(until));
    }
}

/// The members of an event that sinks show, for every kind of event, also for a kind that this
/// version does not know.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Outline<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) launch: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) plugin: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) outcome: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) verdict: Option<Cow<'a, str>>,
}

impl<'a> Outline<'a> {
    /// Reads the members. If one has another type than text, all are empty.
    pub(super) fn of(record: &'a Record) -> Self {
        serde_json::from_str(record.event_text()).unwrap_or_default()
    }
}

/// Whether a person should look at the event of a record. `false` for a kind of event that this
/// version does not know.
pub(super) fn is_alert(record: &Record) -> bool {
    record.event().is_some_and(|event| event.is_alert())
}

#[cfg(test)]
mod tests;
