//! Where the next record of a log goes: its number, the hash that it follows, the tree that it
//! becomes a leaf of. Reads and writes no file.

use std::time::SystemTime;

use super::record::{self, Head, Record};
use super::timestamp::Time;
use super::tree::CompactRange;
use crate::Digest;
use crate::event::Event;

/// The end of a log, to which records can be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    last: Digest,
    time: Time,
    tree: CompactRange,
}

impl Chain {
    /// The beginning of a log.
    pub(crate) fn start() -> Self {
        Self::at(CompactRange::empty(), Digest::from([0; Digest::LENGTH]))
    }

    /// The place after the records of `tree`, of which the last has the hash `last`.
    pub(crate) fn at(tree: CompactRange, last: Digest) -> Self {
        Self { last, time: Time::default(), tree }
    }

    /// The number of the next record, which is also how many there are.
    pub(crate) fn next(&self) -> u64 {
        self.tree.size()
    }

    /// The tree over all records.
    pub(crate) fn tree(&self) -> &CompactRange {
        &self.tree
    }

    /// Writes the next record and its line feed behind what is in `lines`. False if the event is
    /// too large for a line; nothing has changed then.
    pub(crate) fn write(&mut self, lines: &mut Vec<u8>, now: SystemTime, event: &Event) -> bool {
        let time = Time::of(now);
        let head = Head { seq: self.next(), time, behind_us: self.time.ahead_of(time), prev: self.last };
        let Some(written) = record::write(lines, &head, event) else {
            return false;
        };
        self.go_on(time, written.hash, written.leaf);
        true
    }

    /// Takes a record that was read for the next.
    pub(crate) fn follow(&mut self, record: &Record) -> Result<(), ChainFault> {
        self.admit(record)?;
        self.go_on(record.written_at(), record.hash(), record.leaf_hash());
        Ok(())
    }

    /// Whether a record can be the next.
    pub(crate) fn admit(&self, record: &Record) -> Result<(), ChainFault> {
        if record.index() != self.next() {
            return Err(ChainFault::Index { expected: self.next(), found: record.index() });
        }
        if record.prev() != self.last {
            return Err(ChainFault::Previous);
        }
        Ok(())
    }

    fn go_on(&mut self, time: Time, hash: Digest, leaf: Digest) {
        self.time = time;
        self.last = hash;
        self.tree.append(leaf);
    }
}

/// Why a record cannot stand where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainFault {
    /// It has another number.
    #[error("record {expected} should stand here, and record {found} does")]
    #[non_exhaustive]
    Index {
        /// The number of the record that is missing here.
        expected: u64,
        /// The number of the record that is here.
        found: u64,
    },
    /// It follows another record.
    #[error("the record does not follow the one before it, whose hash is another than it says")]
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
