//! One line of a log: how it is written, and how it is read back. Every byte of it counts, so that
//! there is one way to write a record and none to write it otherwise.
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

/// The longest line in bytes, without its line feed.
pub(crate) const LINE_LIMIT: usize = 64 * 1024;

const BEGIN: &str = r#"{"v":1,"seq":"#;
const TIME: &str = r#","time":""#;
const BEHIND: &str = r#"","behind_us":"#;
const PREV: &str = r#","prev":""#;
const EVENT: &str = r#"","event":"#;
const HASH: &str = r#","hash":""#;
const END: &str = r#""}"#;

/// What a line ends in: its hash, and what is around it.
const TAIL: usize = HASH.len() + 2 * Digest::LENGTH + END.len();

/// A record of a log, as its line says it. That its own hash is right is certain; that it stands
/// where it should is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    line: String,
    seq: u64,
    time: Time,
    behind_us: Option<u64>,
    prev: Digest,
    hash: Digest,
    /// Where the event begins; it ends where the tail begins.
    event: usize,
}

impl Record {
    /// Its number, counted from zero over all files of the log.
    pub fn index(&self) -> u64 {
        self.seq
    }

    /// When it was written: RFC 3339, in UTC, with microseconds.
    pub fn time(&self) -> String {
        self.time.to_string()
    }

    /// The same as a moment.
    pub fn written(&self) -> SystemTime {
        self.time.moment()
    }

    /// By how many microseconds the clock of the record before was ahead of this one's.
    pub fn behind_us(&self) -> Option<u64> {
        self.behind_us
    }

    /// The hash of the record before.
    pub fn prev(&self) -> Digest {
        self.prev
    }

    /// Its own hash.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// The event as JSON.
    pub fn event_text(&self) -> &str {
        self.line.get(self.event..self.line.len() - TAIL).unwrap_or_default()
    }

    /// The event. `None` if it is of a kind that this version does not know.
    pub fn event(&self) -> Option<Event> {
        serde_json::from_str(self.event_text()).ok()
    }

    /// The whole line, without its line feed: the leaf of the tree.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The hash of the leaf.
    pub fn leaf_hash(&self) -> Digest {
        leaf_hash(self.line.as_bytes())
    }

    pub(super) fn written_at(&self) -> Time {
        self.time
    }

    /// Reads a line, which is given without its line feed.
    ///
    /// # Errors
    ///
    /// When it is no record, or its own hash is wrong.
    pub fn parse(line: &[u8]) -> Result<Self, RecordFault> {
        if line.len() > LINE_LIMIT {
            return Err(RecordFault::TooLong);
        }
        let line = str::from_utf8(line).map_err(|_| RecordFault::Form)?;
        let (body, tail) =
            line.len().checked_sub(TAIL).and_then(|at| line.split_at_checked(at)).ok_or(RecordFault::Form)?;
        let hash = tail.strip_prefix(HASH).and_then(|tail| tail.strip_suffix(END)).and_then(digest);
        let hash = hash.ok_or(RecordFault::Form)?;
        let mut rest = Rest(body);
        rest.literal(BEGIN)?;
        let seq = rest.number()?;
        rest.literal(TIME)?;
        let time = Time::parse(rest.take(Time::LENGTH)?).ok_or(RecordFault::Form)?;
        let behind_us = match rest.literal(BEHIND) {
            Ok(()) => Some(rest.number()?),
            Err(_) => {
                rest.literal("\"")?;
                None
            }
        };
        rest.literal(PREV)?;
        let prev = digest(rest.take(2 * Digest::LENGTH)?).ok_or(RecordFault::Form)?;
        rest.literal(EVENT)?;
        let event = rest.0;
        let is_object = event.starts_with('{') && serde_json::from_str::<IgnoredAny>(event).is_ok();
        if !is_object || !is_dense(event) {
            return Err(RecordFault::Form);
        }
        if Digest::of(body) != hash {
            return Err(RecordFault::OwnHash);
        }
        let event = body.len() - event.len();
        Ok(Self { line: line.to_owned(), seq, time, behind_us, prev, hash, event })
    }
}

/// Whether JSON has no blanks and line feeds but in strings: with them there were other ways to
/// write the same, and more than one line.
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

/// A digest as it is written here: in lower case only.
fn digest(text: &str) -> Option<Digest> {
    let fine = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    fine.then(|| text.parse().ok()).flatten()
}

/// What of a line has not been read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn literal(&mut self, text: &str) -> Result<(), RecordFault> {
        self.0 = self.0.strip_prefix(text).ok_or(RecordFault::Form)?;
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a str, RecordFault> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(RecordFault::Form)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number as it is written here: without a zero before other digits.
    fn number(&mut self) -> Result<u64, RecordFault> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let text = self.take(digits)?;
        if text.len() > 1 && text.starts_with('0') {
            return Err(RecordFault::Form);
        }
        text.parse().map_err(|_| RecordFault::Form)
    }
}

/// Why a line is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// It is too long.
    #[error("the line is longer than {LINE_LIMIT} bytes")]
    TooLong,
    /// It has another form.
    #[error("the line does not have the form of a record")]
    Form,
    /// It was changed: its hash is not the one that it says.
    #[error("the record was changed: its hash is another than the one that it ends with")]
    OwnHash,
}

/// What stands before the event in a line.
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) time: Time,
    pub(super) behind_us: Option<u64>,
    pub(super) prev: Digest,
}

/// A line that was written.
pub(super) struct Written {
    pub(super) hash: Digest,
    pub(super) leaf: Digest,
}

/// Writes a record and its line feed behind what is in `lines`; nothing, if the line would be too
/// long.
pub(super) fn write(lines: &mut Vec<u8>, head: &Head, event: &Event) -> Option<Written> {
    let start = lines.len();
    let written = append(lines, head, event, start);
    if written.is_none() {
        lines.truncate(start);
    }
    written
}

fn append(lines: &mut Vec<u8>, head: &Head, event: &Event, start: usize) -> Option<Written> {
    let Head { seq, time, behind_us, prev } = head;
    // Writing to memory does not fail, and what an event is made of can be written as JSON.
    write!(lines, "{BEGIN}{seq}{TIME}{time}").ok()?;
    match behind_us {
        Some(behind) => write!(lines, "{BEHIND}{behind}").ok()?,
        None => lines.push(b'"'),
    }
    write!(lines, "{PREV}{prev}{EVENT}").ok()?;
    serde_json::to_writer(&mut *lines, event).ok()?;
    if lines.len() - start + TAIL > LINE_LIMIT {
        return None;
    }
    let hash = Digest::from(<[u8; Digest::LENGTH]>::from(Sha256::digest(&lines[start..])));
    write!(lines, "{HASH}{hash}{END}").ok()?;
    let leaf = leaf_hash(&lines[start..]);
    lines.push(b'\n');
    Some(Written { hash, leaf })
}

#[cfg(test)]
mod tests;
