//! Copies of records as events of `tracing`, for whatever the application has set up to collect
//! those: OpenTelemetry, the journal, a file.

use std::error::Error;

use tracing::Level;

use super::{Outline, Sink, is_alert};
use crate::audit::evidence::record::Record;

/// Gives each record to the `tracing` subscriber of the process, under the target
/// `portcullis::audit`.
///
/// The level is `WARN` for what somebody should look at (what was refused, failed, weakened or is
/// missing) and `INFO` for the rest. The message is the kind of the event. The fields are
///
/// | field | meaning |
/// |---|---|
/// | `audit.seq`, `audit.time`, `audit.hash` | number, time and hash of the record |
/// | `audit.type` | the kind of the event |
/// | `audit.launch`, `audit.plugin`, `audit.method`, `audit.outcome`, `audit.verdict` | these members of the event, if it has them |
/// | `audit.record` | the whole line: from these the log can be verified like from its file |
///
/// A record that no subscriber takes, because there is none or its filters leave it out, did not
/// arrive.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct TracingSink;

impl TracingSink {
    /// For the subscriber that the process has when a record is written.
    pub fn new() -> Self {
        Self
    }
}

/// A copy of a record was taken by nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no subscriber takes events of the target portcullis::audit at this level")]
#[non_exhaustive]
pub struct TracingSinkError;

/// One event of `tracing`, whose level must be known when this is compiled.
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
