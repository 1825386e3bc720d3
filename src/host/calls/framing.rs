//! gRPC's framing (PROTOCOL-HTTP2, "Length-Prefixed-Message"): the boundaries of messages in a
//! body, however it is split into pieces. Stores no content.

/// The prefix of each message: the compressed flag (one byte) and the length (four, big-endian).
const PREFIX: usize = 5;

/// The position in a body.
#[derive(Debug, Clone)]
pub(super) enum Framing {
    /// In a prefix, of which `known` bytes have arrived.
    Prefix { bytes: [u8; PREFIX], known: usize },
    /// In a message, of which `left` bytes are missing.
    Message { left: u32 },
}

/// A part of a piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A message of this length begins.
    Begin(u32),
    /// Some of it.
    Content(&'a [u8]),
    /// It ends.
    End,
}

impl Default for Framing {
    fn default() -> Self {
        Self::Prefix { bytes: [0; PREFIX], known: 0 }
    }
}

impl Framing {
    /// Takes the next part off the start of `piece`. `None` if the next part needs another piece.
    pub(super) fn next<'a>(&mut self, piece: &mut &'a [u8]) -> Option<Part<'a>> {
        match self {
            Self::Prefix { bytes, known } => {
                let taken = take(piece, PREFIX - *known);
                bytes[*known..*known + taken.len()].copy_from_slice(taken);
                *known += taken.len();
                let [_, length @ ..] = *bytes;
                if *known < PREFIX {
                    return None;
                }
                let left = u32::from_be_bytes(length);
                *self = Self::Message { left };
                Some(Part::Begin(left))
            }
            Self::Message { left: 0 } => {
                *self = Self::default();
                Some(Part::End)
            }
            Self::Message { left } => {
                let taken = take(piece, *left as usize);
                // No more than is left was taken.
                *left -= taken.len() as u32;
                (!taken.is_empty()).then_some(Part::Content(taken))
            }
        }
    }
}

/// At most `most` bytes off the beginning of a piece.
fn take<'a>(piece: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = piece.split_at(most.min(piece.len()));
    *piece = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &[u8]) -> Vec<u8> {
        [&[0], &(content.len() as u32).to_be_bytes()[..], content].concat()
    }

    /// The messages in a body that comes in these pieces, and whether something is left over.
    fn messages(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
        let (mut framing, mut found, mut current) = (Framing::default(), Vec::new(), Vec::new());
        let mut announced = None;
        for piece in pieces {
            let mut rest = *piece;
            while let Some(part) = framing.next(&mut rest) {
                match part {
                    Part::Begin(length) => announced = Some(length as usize),
                    Part::Content(content) => current.extend_from_slice(content),
                    Part::End => {
                        assert_eq!(announced.take(), Some(current.len()));
                        found.push(std::mem::take(&mut current));
                    }
                }
            }
            assert!(rest.is_empty(), "all of a piece is taken");
        }
        (found, !matches!(framing, Framing::Prefix { known: 0, .. }))
    }

    #[test]
    fn messages_do_not_depend_on_chunking() {
        let expected = [b"one".to_vec(), Vec::new(), b"three, a longer one".to_vec(), Vec::new()];
        let body: Vec<u8> = expected.iter().flat_map(|content| message(content)).collect();
        for first in 0..=body.len() {
            for second in first..=body.len() {
                let pieces = [&body[..first], &body[first..second], &body[second..]];
                assert_eq!(messages(&pieces), (expected.to_vec(), false), "cut at {first} and {second}");
            }
        }
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(messages(&bytes), (expected.to_vec(), false));
    }

    #[test]
    fn a_message_without_its_end_is_none() {
        let body = [message(b"whole"), message(b"cut off")].concat();
        for end in message(b"whole").len() + 1..body.len() {
            assert_eq!(messages(&[&body[..end]]), (vec![b"whole".to_vec()], true), "cut at {end}");
        }
    }

    #[test]
    fn length_precedes_the_message() {
        let mut framing = Framing::default();
        let mut piece = &[1, 0xff, 0xff, 0xff, 0xff][..];
        assert_eq!(framing.next(&mut piece), Some(Part::Begin(u32::MAX)));
        assert_eq!(framing.next(&mut piece), None);
    }
}
