//! Emits copies of records as `tracing` events, for the subscriber of the application:
//! OpenTelemetry, the journal, a file.

use std::error::Error;

use tracing::Level;

use super::{Outline, Sink, is_alert};
use crate::audit::evidence::record::Record;

/// Emits each record to the `tracing` subscriber of the process, under the target
/// `portcullis::audit`.
///
/// The level is `WARN` for alerts ([`Event::is_alert`](crate::event::Event::is_alert)) and `INFO`
/// for other events. The message is the kind of the event. The fields are
///
/// | field | meaning |
/// |---|---|
/// | `audit.seq`, `audit.time`, `audit.hash` | index, time and hash of the record |
/// | `audit.type` | the kind of the event |
/// | `audit.launch`, `audit.plugin`, `audit.method`, `audit.outcome`, `audit.verdict` | the members of the event, if it has them |
/// | `audit.record` | the whole line, so the events can be verified like the log file |
///
/// A record counts as undelivered if there is no subscriber or its filters drop the event.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct TracingSink;

impl TracingSink {
    /// Emits to the subscriber that is current when a record is written.
    pub fn new() -> Self {
        Self
    }
}

/// No subscriber takes the copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no subscriber takes events of the target portcullis::audit at this level")]
#[non_exhaustive]
pub struct TracingSinkError;

/// Emits one `tracing` event. A macro, because the level must be a constant.
macro_rules! emit {
    ($level:expr, $record:expr, $outline:expr) => {{
        if !::tracing::event_enabled!(target: "portcullis::audit", $level) {
            return Err(TracingSinkError.into());
        }
        ::tracing::event!(
            target: "portcullis::audit",
            $level,
            audit.seq = $record.index(),
            audit.time = $record.time(),
            audit.hash = %$record.hash(),
            audit.type = &*$outline.kind,
            audit.launch = $outline.launch.as_deref(),
            audit.plugin = $outline.plugin.as_deref(),
            audit.method = $outline.method.as_deref(),
            audit.outcome = $outline.outcome.as_deref(),
            audit.verdict = $outline.verdict.as_deref(),
            audit.record = $record.line(),
            "{}",
            $outline.kind
        );
    }};
}

impl Sink for TracingSink {
    fn name(&self) -> &str {
        "tracing"
    }

    fn deliver(&mut self, record: &Record) -> Result<(), Box<dyn Error + Send + Sync>> {
        let outline = Outline::of(record);
        if is_alert(record) {
            emit!(Level::WARN, record, outline);
        } else {
            emit!(Level::INFO, record, outline);
        }
        Ok(())
    }
}
