//! Where copies of records go besides the file: each to a thread of its own, after it is on the
//! disk, so that nobody waits for them. The file is the evidence; what does not arrive here is
//! counted, and the log says so.

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

/// How long a sink that has got everything may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Somewhere that copies of records go.
///
/// It is called on a thread of its own, with one record after the other, each once and in the order
/// of the log. While it takes its time up to 4096 records or 16 MiB wait; what is more does not
/// arrive. Nothing is tried twice, unless the sink does it. A sink that panics gets no more
/// records.
pub trait Sink: Send {
    /// What the log calls it where it says that something did not arrive.
    fn name(&self) -> &str;

    /// Takes a copy of a record.
    ///
    /// # Errors
    ///
    /// When it did not arrive, for whatever reason. The log will say how many did not, and the last
    /// reason.
    fn deliver(&mut self, record: &Record) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// All sinks of a log. Dropping this ends them, and waits a little for that.
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

    /// Gives whole lines of the log to each sink. Does not wait.
    pub(crate) fn offer(&self, lines: &[u8]) {
        if self.queues.is_empty() {
            return;
        }
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line).into();
            self.queues.iter().for_each(|queue| queue.offer(&line));
        }
    }

    /// What did not arrive and was not said yet: at once when it begins, then when it has become
    /// twice as much, and what is left when something arrives again.
    pub(crate) fn take_missed(&self) -> Vec<DeliveryFailed> {
        self.queues.iter().filter_map(|queue| queue.take_missed()).collect()
    }

    /// Waits until each sink has got what waits for it, for as long as `patience`. Whether all did.
    pub(crate) fn drain(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        self.queues.iter().all(|queue| queue.drain(until))
    }
}

impl Drop for Sinks {
    fn drop(&mut self) {
        self.queues.iter().for_each(|queue| queue.close());
        let until = Instant::now() + PATIENCE;
        self.queues.iter().for_each(|queue| queue.finish(until));
    }
}

/// Some members of an event, of whatever kind it is.
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
    /// An event that has one of these members in another form shows none of them.
    pub(super) fn of(record: &'a Record) -> Self {
        serde_json::from_str(record.event_text()).unwrap_or_default()
    }
}

/// Whether a person should look at the record: see [`Event::is_alert`](crate::event::Event::is_alert).
pub(super) fn is_alert(record: &Record) -> bool {
    record.event().is_some_and(|event| event.is_alert())
}

#[cfg(test)]
mod tests;
