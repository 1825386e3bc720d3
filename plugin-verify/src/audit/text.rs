//! A record on one line, for people. What is foreign in it is escaped.

use portcullis::Escaped;
use portcullis::audit::Record;
use portcullis::event::{Event, Tally};
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
    let told =
        event.as_ref().map_or_else(|| record.event_text().chars().take(UNKNOWN_EVENT_CHARACTERS).collect(), told);
    format!("{:>8} {} {kind:<13} {launch} {}", record.seq(), record.time(), shown(&told))
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

/// What matters of an event. Foreign text in it is not escaped yet.
pub(crate) fn told(event: &Event) -> String {
    match event {
        Event::Opened(it) => {
            let torn: String =
                it.torn.iter().map(|torn| format!(", {} bytes put aside in {}", torn.bytes, torn.file)).collect();
            format!("{} by process {}, {}{torn}", it.origin, it.pid, it.mode)
        }
        Event::Continued(it) => it.origin.clone(),
        Event::Checkpoint(it) => {
            let size = it.note.lines().nth(1).unwrap_or_default();
            format!("over {size} records")
        }
        Event::Lost(it) => format!("{} records", it.records),
        Event::Undelivered(it) => format!("{} to {}: {}", it.count, it.to, it.reason),
        Event::Closed(it) => format!("by process {}", it.pid),
        Event::Verification(it) => {
            let digest = it.image.as_ref().map_or_else(String::new, |image| format!(" sha256 {}", image.sha256));
            let reason = it.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
            format!("{} {}{digest}{reason}", it.verdict, it.plugin)
        }
        Event::Launch(it) => format!("{} sha256 {}", it.plugin, it.image.sha256),
        Event::Handshake(it) => format!("process {}, {}", it.pid, it.line),
        Event::Connection(it) => {
            format!(
                "{} {}, peer by {}, plugin certificate {}",
                it.tls,
                it.suite,
                it.peer_check,
                short(&it.plugin_certificate.to_string())
            )
        }
        Event::Ready(it) => format!("process {} after {} µs", it.pid, it.took_us),
        Event::LaunchFailed(it) => format!("{}: {}", if it.refused { "refused" } else { "failed" }, it.reason),
        Event::Weakened(it) => it.on.as_ref().map_or_else(|| it.switch.clone(), |on| format!("{} on {on}", it.switch)),
        Event::Call(it) => {
            let arguments: Vec<_> =
                it.arguments.iter().map(|(name, hash)| format!("{name}={}", hash_start(&hash.to_string()))).collect();
            format!("{} #{} {} {}", it.method, it.call, size(&it.request), arguments.join(" "))
        }
        Event::Messages(it) => format!("#{} {}", it.call, size(&it.response)),
        Event::Returned(it) => {
            format!("{} #{} {} after {} µs, {}", it.method, it.call, it.outcome, it.took_us, size(&it.response))
        }
        Event::Limit(it) => {
            let found = it.found.map_or_else(String::new, |found| format!(", and it was {found}"));
            format!("{}: {} allowed{found}", it.limit, it.allowed)
        }
        Event::Exit(it) => format!("process {}: {}", it.pid, it.exit),
        Event::Shutdown(it) => it.ending.clone(),
        Event::Application(it) => {
            let facts: Vec<_> = it.facts.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {}", it.name, facts.join(" "))
        }
        _ => String::new(),
    }
}

fn size(tally: &Tally) -> String {
    format!("{} message{}, {} bytes", tally.messages, if tally.messages == 1 { "" } else { "s" }, tally.bytes)
}

fn hash_start(hash: &str) -> String {
    short(hash.strip_prefix("hmac-sha256:").unwrap_or(hash))
}
