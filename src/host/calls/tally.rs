//! Counts and hashes the messages that go in one direction. Keeps none of them.

use super::framing::{Framing, Part};
use crate::event::{MessageTally, ValueHasher};

/// Counts and hashes the messages of one direction.
pub(super) struct TallyCounter {
    framing: Framing,
    hasher: Option<Box<dyn ValueHasher>>,
    messages: u64,
    bytes: u64,
}

impl TallyCounter {
    /// Starts at zero. Without a hasher, tallies have no hash.
    pub(super) fn new(hasher: Option<Box<dyn ValueHasher>>) -> Self {
        Self { framing: Framing::default(), hasher, messages: 0, bytes: 0 }
    }

    /// Adds the next piece of the body.
    pub(super) fn add(&mut self, mut piece: &[u8]) {
        while let Some(part) = self.framing.next(&mut piece) {
            match part {
                Part::Begin(_) => {}
                Part::Content(content) => {
                    self.bytes += content.len() as u64;
                    if let Some(hasher) = &mut self.hasher {
                        hasher.update(content);
                    }
                }
                Part::End => self.messages += 1,
            }
        }
    }

    /// The tally so far. An incomplete message counts as bytes and not as a message.
    pub(super) fn tally(&self) -> MessageTally {
        let nothing = (self.messages, self.bytes) == (0, 0);
        let hash = self.hasher.as_ref().filter(|_| !nothing).map(|hasher| hasher.hash());
        MessageTally { messages: self.messages, bytes: self.bytes, hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::calls::tests::scripted::{hasher, keyed_hash};

    #[test]
    fn tally_excludes_message_framing() {
        let mut counter = TallyCounter::new(Some(hasher()));
        assert_eq!(counter.tally(), MessageTally::default());
        for piece in [&[0, 0, 0, 0, 3, b'a'][..], b"bc\0\0\0\0\0\0\0", b"\0\0\x04de"] {
            counter.add(piece);
        }
        assert_eq!(counter.tally(), MessageTally { messages: 2, bytes: 5, hash: Some(keyed_hash(b"abcde")) });
    }

    #[test]
    fn an_empty_message_is_a_message() {
        let mut counter = TallyCounter::new(Some(hasher()));
        counter.add(&[0; 5]);
        assert_eq!(counter.tally(), MessageTally { messages: 1, bytes: 0, hash: Some(keyed_hash(b"")) });
    }
}
