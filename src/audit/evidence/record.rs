//! Writes and parses one line of a log. The encoding is canonical: each record has exactly one
//! valid line, so that a change of any byte is detected.
//!
//! ```text
//! {"v":1,"seq":41,"time":"2026-11-25T06:58:00.123456Z","prev":"<hash>","event":{"type":"call",...},"hash":"<hash>"}
//! ```
//!
//! `hash` is the SHA-256 of the line up to the comma before it, `prev` the `hash` of the record
//! before.

use std::io::Write as _;
use std::time::SystemTime;

use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

use super::timestamp::Time;
use super::tree::leaf_hash;
use crate::Digest;
use crate::event::Event;
use crate::limits::audit::RECORD_LINE_BYTES;

const BEGIN: &str = r#"{"v":1,"seq":"#;
const TIME: &str = r#","time":""#;
const BEHIND: &str = r#"","behind_us":"#;
const PREV: &str = r#","prev":""#;
const EVENT: &str = r#"","event":"#;
const HASH: &str = r#","hash":""#;
const END: &str = r#""}"#;

/// The length of the end of a line in bytes: the hash with its key and closing characters.
const TAIL_LENGTH: usize = HASH.len() + 2 * Digest::LENGTH + END.len();

/// A parsed record of a log. Its own hash is correct; its place in the log is not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    line: String,
    index: u64,
    time: Time,
    behind_us: Option<u64>,
    prev: Digest,
    hash: Digest,
    /// The offset of the event in the line. It ends where the hash begins.
    event: usize,
}

impl Record {
    /// The index of the record, counted from zero over all segments of the log.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The time of writing in RFC 3339, in UTC, with microseconds.
    pub fn time(&self) -> String {
        self.time.to_string()
    }

    /// The time of writing as a [`SystemTime`].
    pub fn written(&self) -> SystemTime {
        self.time.moment()
    }

    /// How many microseconds this record's time is before the previous record's. `None` if the
    /// clock did not go back.
    pub fn behind_us(&self) -> Option<u64> {
        self.behind_us
    }

    /// The hash of the previous record.
    pub fn prev(&self) -> Digest {
        self.prev
    }

    /// The hash of this record.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// The event as JSON.
    pub fn event_text(&self) -> &str {
        self.line.get(self.event..self.line.len() - TAIL_LENGTH).unwrap_or_default()
    }

    /// The event. `None` if this version does not know its kind.
    pub fn event(&self) -> Option<Event> {
        serde_json::from_str(self.event_text()).ok()
    }

    /// The whole line without its line feed, which is the leaf of the Merkle tree.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The hash of the leaf (RFC 6962, section 2.1).
    pub fn leaf_hash(&self) -> Digest {
        leaf_hash(self.line.as_bytes())
    }

    pub(super) fn written_at(&self) -> Time {
        self.time
    }

    /// Parses a line, given without its line feed.
    ///
    /// # Errors
    ///
    /// When the line is not a record in canonical form, or its own hash is wrong.
    pub fn parse(line: &[u8]) -> Result<Self, RecordFault> {
        if line.len() > RECORD_LINE_BYTES {
            return Err(RecordFault::TooLong);
        }
        let line = str::from_utf8(line).map_err(|_| RecordFault::Form)?;
        let (body, tail) =
            line.len().checked_sub(TAIL_LENGTH).and_then(|at| line.split_at_checked(at)).ok_or(RecordFault::Form)?;
        let hash = tail.strip_prefix(HASH).and_then(|tail| tail.strip_suffix(END)).and_then(digest);
        let hash = hash.ok_or(RecordFault::Form)?;
        let mut parser = LineParser(body);
        parser.literal(BEGIN)?;
        let index = parser.number()?;
        parser.literal(TIME)?;
        let time = Time::parse(parser.take(Time::LENGTH)?).ok_or(RecordFault::Form)?;
        let behind_us = match parser.literal(BEHIND) {
            Ok(()) => Some(parser.number()?),
            Err(_) => {
                parser.literal("\"")?;
                None
            }
        };
        parser.literal(PREV)?;
        let prev = digest(parser.take(2 * Digest::LENGTH)?).ok_or(RecordFault::Form)?;
        parser.literal(EVENT)?;
        let event = parser.0;
        let is_object = event.starts_with('{') && serde_json::from_str::<IgnoredAny>(event).is_ok();
        if !is_object || !is_dense(event) {
            return Err(RecordFault::Form);
        }
        if Digest::of(body) != hash {
            return Err(RecordFault::OwnHash);
        }
        let event = body.len() - event.len();
        Ok(Self { line: line.to_owned(), index, time, behind_us, prev, hash, event })
    }
}

/// Whether JSON has no white space outside of strings. White space would allow several lines for
/// one record.
fn is_dense(json: &str) -> bool {
    let (mut in_string, mut is_escaped) = (false, false);
    json.bytes().all(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ => return in_string || byte > b' ',
        }
        true
    })
}

/// Parses a digest in lower case; upper case is not canonical.
fn digest(text: &str) -> Option<Digest> {
    let fine = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    fine.then(|| text.parse().ok()).flatten()
}

/// The rest of a line that is being parsed.
struct LineParser<'a>(&'a str);

impl<'a> LineParser<'a> {
    fn literal(&mut self, text: &str) -> Result<(), RecordFault> {
        self.0 = self.0.strip_prefix(text).ok_or(RecordFault::Form)?;
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a str, RecordFault> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(RecordFault::Form)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Parses a number without leading zeros; they are not canonical.
    fn number(&mut self) -> Result<u64, RecordFault> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let text = self.take(digits)?;
        if text.len() > 1 && text.starts_with('0') {
            return Err(RecordFault::Form);
        }
        text.parse().map_err(|_| RecordFault::Form)
    }
}

/// Why a line is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// The line is too long.
    #[error("the line is longer than {RECORD_LINE_BYTES} bytes (64 KiB)")]
    TooLong,
    /// The line is not in the canonical format.
    #[error("malformed record")]
    Form,
    /// The record was changed after it was written.
    #[error("the record was changed: its contents do not match its hash")]
    OwnHash,
}

/// The fields before the event in a line.
pub(super) struct Head {
    pub(super) index: u64,
    pub(super) time: Time,
    pub(super) behind_us: Option<u64>,
    pub(super) prev: Digest,
}

/// The hashes of a written line.
pub(super) struct LineHashes {
    pub(super) hash: Digest,
    pub(super) leaf: Digest,
}

/// Appends a record and its line feed to `lines`. Returns `None`, and leaves `lines` unchanged, if
/// the line would be too long.
pub(super) fn write(lines: &mut Vec<u8>, head: &Head, event: &Event) -> Option<LineHashes> {
    let start = lines.len();
    let written = append(lines, head, event, start);
    if written.is_none() {
        lines.truncate(start);
    }
    written
}

fn append(lines: &mut Vec<u8>, head: &Head, event: &Event, start: usize) -> Option<LineHashes> {
    let Head { index, time, behind_us, prev } = head;
    // Never `None`: writing to memory does not fail, and every event can be serialised as JSON.
    write!(lines, "{BEGIN}{index}{TIME}{time}").ok()?;
    match behind_us {
        Some(behind) => write!(lines, "{BEHIND}{behind}").ok()?,
        None => lines.push(b'"'),
    }
    write!(lines, "{PREV}{prev}{EVENT}").ok()?;
    serde_json::to_writer(&mut *lines, event).ok()?;
    if lines.len() - start + TAIL_LENGTH > RECORD_LINE_BYTES {
        return None;
    }
    let hash = Digest::from(<[u8; Digest::LENGTH]>::from(Sha256::digest(&lines[start..])));
    write!(lines, "{HASH}{hash}{END}").ok()?;
    let leaf = leaf_hash(&lines[start..]);
    lines.push(b'\n');
    Some(LineHashes { hash, leaf })
}

#[cfg(test)]
mod tests;
