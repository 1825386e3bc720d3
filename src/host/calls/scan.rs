//! Looks at pieces of an answer before anybody has them: where its last whole message ends, and
//! whether one is too large. Looks at no content.

use super::framing::{Framing, Part};

/// A message is larger than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge {
    pub(super) found: u64,
}

/// How far an answer was looked at.
#[derive(Debug)]
pub(super) struct Scan {
    framing: Framing,
    limit: u64,
}

impl Scan {
    /// For messages of up to `limit` bytes.
    pub(super) fn up_to(limit: u64) -> Self {
        Self { framing: Framing::default(), limit }
    }

    /// Where in the next piece its last message ends, if one does.
    pub(super) fn look(&mut self, piece: &[u8]) -> Result<Option<usize>, TooLarge> {
        let (mut rest, mut end) = (piece, None);
        while let Some(part) = self.framing.next(&mut rest) {
            match part {
                Part::Begin(length) if u64::from(length) > self.limit => {
                    return Err(TooLarge { found: length.into() });
                }
                Part::Begin(_) | Part::Content(_) => {}
                Part::End => end = Some(piece.len() - rest.len()),
            }
        }
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_of_last_whole_message_is_found() {
        let mut scan = Scan::up_to(10);
        assert_eq!(scan.look(&[0, 0, 0, 0]), Ok(None));
        assert_eq!(scan.look(&[2, b'a']), Ok(None));
        assert_eq!(scan.look(b"b\0\0\0\0\x01c\0\0"), Ok(Some(7)));
        assert_eq!(scan.look(&[0, 0, 0]), Ok(Some(3)), "an empty message ends with its prefix");
        assert_eq!(scan.look(&[]), Ok(None));
    }

    #[test]
    fn message_limit_is_inclusive() {
        assert_eq!(Scan::up_to(10).look(&[0, 0, 0, 0, 10]), Ok(None));
        assert_eq!(Scan::up_to(10).look(&[0, 0, 0, 0, 11]), Err(TooLarge { found: 11 }));
        assert_eq!(Scan::up_to(10).look(&[0, 0xff, 0xff, 0xff, 0xff]), Err(TooLarge { found: 0xffff_ffff }));
    }
}
