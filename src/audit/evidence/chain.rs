//! The end of a log: the index of the next record, the hash of the last one, and the Merkle tree
//! over all records. Reads and writes no file.

use std::time::SystemTime;

use super::record::{self, Head, Record};
use super::timestamp::Time;
use super::tree::CompactRange;
use crate::Digest;
use crate::event::Event;

/// The end of a log. Records are appended to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    last: Digest,
    time: Time,
    tree: CompactRange,
}

impl Chain {
    /// The chain of an empty log.
    pub(crate) fn start() -> Self {
        Self::at(CompactRange::empty(), Digest::from([0; Digest::LENGTH]))
    }

    /// The chain after the records of `tree`, the last of which has the hash `last`.
    pub(crate) fn at(tree: CompactRange, last: Digest) -> Self {
        Self { last, time: Time::default(), tree }
    }

    /// The index of the next record, which is also the number of records.
    pub(crate) fn next(&self) -> u64 {
        self.tree.size()
    }

    /// The tree over all records.
    pub(crate) fn tree(&self) -> &CompactRange {
        &self.tree
    }

    /// Appends the next record and its line feed to `lines`. Returns false, and changes nothing, if
    /// the event is too large for a line.
    pub(crate) fn write(&mut self, lines: &mut Vec<u8>, now: SystemTime, event: &Event) -> bool {
        let time = Time::of(now);
        let head = Head { index: self.next(), time, behind_us: self.time.ahead_of(time), prev: self.last };
        let Some(written) = record::write(lines, &head, event) else {
            return false;
        };
        self.advance(time, written.hash, written.leaf);
        true
    }

    /// Checks that a record that was read is the next, and advances past it.
    pub(crate) fn follow(&mut self, record: &Record) -> Result<(), ChainFault> {
        self.admit(record)?;
        self.advance(record.written_at(), record.hash(), record.leaf_hash());
        Ok(())
    }

    /// Checks that a record can be the next.
    pub(crate) fn admit(&self, record: &Record) -> Result<(), ChainFault> {
        if record.index() != self.next() {
            return Err(ChainFault::Index { expected: self.next(), found: record.index() });
        }
        if record.prev() != self.last {
            return Err(ChainFault::Previous);
        }
        Ok(())
    }

    fn advance(&mut self, time: Time, hash: Digest, leaf: Digest) {
        self.time = time;
        self.last = hash;
        self.tree.append(leaf);
    }
}

/// Why a record cannot be the next in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainFault {
    /// The record has another index.
    #[error("expected record {expected}, found record {found}")]
    #[non_exhaustive]
    Index {
        /// The index of the missing record.
        expected: u64,
        /// The index in the record.
        found: u64,
    },
    /// The record follows another record.
    #[error("the `prev` hash of the record does not match the record before it")]
    Previous,
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn event(name: &str) -> Event {
        Event::application(name, [("a", "b")])
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn records(lines: &[u8]) -> Vec<Record> {
        lines
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| Record::parse(&line[..line.len() - 1]).unwrap())
            .collect()
    }

    #[test]
    fn rewritten_chain_has_the_same_end() {
        let (mut writer, mut lines) = (Chain::start(), Vec::new());
        for number in 0..10 {
            assert!(writer.write(&mut lines, at(number), &event(&number.to_string())));
        }
        let mut reader = Chain::start();
        for (number, record) in records(&lines).iter().enumerate() {
            assert_eq!((record.index(), record.event()), (number as u64, Some(event(&number.to_string()))));
            assert_eq!(reader.follow(record), Ok(()));
        }
        assert_eq!(reader, writer);
        assert_eq!((writer.next(), writer.tree().size()), (10, 10));
    }

    #[test]
    fn record_outside_the_chain_is_refused() {
        let (mut writer, mut lines) = (Chain::start(), Vec::new());
        let mut other = writer.clone();
        (0..3).for_each(|_| assert!(writer.write(&mut lines, at(1), &event("ours"))));
        let mut theirs = Vec::new();
        (0..2).for_each(|_| assert!(other.write(&mut theirs, at(1), &event("theirs"))));
        let (ours, theirs) = (records(&lines), records(&theirs));
        let mut reader = Chain::start();
        assert_eq!(reader.follow(&ours[1]), Err(ChainFault::Index { expected: 0, found: 1 }));
        assert_eq!(reader.follow(&ours[0]), Ok(()));
        assert_eq!(reader.follow(&ours[0]), Err(ChainFault::Index { expected: 1, found: 0 }));
        assert_eq!(reader.follow(&theirs[1]), Err(ChainFault::Previous));
        assert_eq!(reader.follow(&ours[1]), Ok(()), "a refusal changes nothing");
    }

    #[test]
    fn backward_clock_is_noted_and_index_decides() {
        let (mut writer, mut lines) = (Chain::start(), Vec::new());
        for seconds in [5, 3, 3, 4] {
            writer.write(&mut lines, at(seconds), &event("x"));
        }
        let behind: Vec<_> = records(&lines).iter().map(Record::behind_us).collect();
        assert_eq!(behind, [None, Some(2_000_000), None, None]);
    }

    #[test]
    fn an_event_that_is_too_large_changes_nothing() {
        let (mut writer, mut lines) = (Chain::start(), b"before\n".to_vec());
        let before = writer.clone();
        let facts = (0..32).map(|number| (format!("{number}{}", "n".repeat(2000)), "v".repeat(2000)));
        assert!(!writer.write(&mut lines, at(1), &Event::application("large", facts)));
        assert_eq!((writer, lines), (before, b"before\n".to_vec()));
    }
}
