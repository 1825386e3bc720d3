//! A record on one line, for people. What is foreign in it is escaped.

use portcullis::Escaped;
use portcullis::audit::Record;
use portcullis::event::Event;
use serde_json::Value;

use crate::limits::{SHORT_HASH_CHARACTERS, UNKNOWN_EVENT_CHARACTERS};

/// The record as it stands in the log: as its text, if there are numbers in it that cannot be read.
pub(crate) fn value(record: &Record) -> Value {
    serde_json::from_str(record.line()).unwrap_or_else(|_| shown(record.line()).into())
}

/// Number, time, kind, launch and what matters of the rest.
pub(crate) fn line(record: &Record) -> String {
    let event = record.event();
    let kind = event.as_ref().map_or("?", Event::kind);
    let launch =
        event.as_ref().and_then(Event::launch).map_or_else(|| "-".repeat(8), |launch| short(&launch.to_string()));
    let told = event
        .as_ref()
        .map_or_else(|| record.event_text().chars().take(UNKNOWN_EVENT_CHARACTERS).collect(), Event::summary);
    format!("{:>8} {} {kind:<13} {launch} {}", record.index(), record.time(), shown(&told))
}

/// What its writer has escaped stays as it is; what another writer has not is escaped here.
fn shown(text: &str) -> String {
    let pieces: Vec<_> = text.split('\\').map(|piece| Escaped::new(piece).to_string()).collect();
    pieces.join("\\")
}

/// Enough to tell things apart by.
fn short(text: &str) -> String {
    text.chars().take(SHORT_HASH_CHARACTERS).collect()
}
