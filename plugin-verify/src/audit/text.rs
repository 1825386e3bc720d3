//! A record on one line, for people. Foreign text is escaped.

use portcullis::Escaped;
use portcullis::audit::Record;
use portcullis::event::Event;
use serde_json::Value;

use crate::limits::{SHORT_HASH_CHARACTERS, UNKNOWN_EVENT_CHARACTERS};

/// The record as JSON; as text if it holds a number that JSON readers cannot represent.
pub(crate) fn value(record: &Record) -> Value {
    serde_json::from_str(record.line()).unwrap_or_else(|_| shown(record.line()).into())
}

/// Index, time, kind, launch and the main values.
pub(crate) fn line(record: &Record) -> String {
    let event = record.event();
    let kind = event.as_ref().map_or("?", Event::kind);
    let launch =
        event.as_ref().and_then(Event::launch).map_or_else(|| "-".repeat(8), |launch| short(&launch.to_string()));
    let values = event
        .as_ref()
        .map_or_else(|| record.event_text().chars().take(UNKNOWN_EVENT_CHARACTERS).collect(), Event::summary);
    format!("{:>8} {} {kind:<13} {launch} {}", record.index(), record.time(), shown(&values))
}

/// Escapes text that its writer did not escape. Existing escapes stay as they are, so a backslash
/// is not doubled.
fn shown(text: &str) -> String {
    let pieces: Vec<_> = text.split('\\').map(|piece| Escaped::new(piece).to_string()).collect();
    pieces.join("\\")
}

/// Enough characters to tell hashes and identifiers apart.
fn short(text: &str) -> String {
    text.chars().take(SHORT_HASH_CHARACTERS).collect()
}
