//! Scans the pieces of a response before the caller gets them: finds the end of the last whole
//! message, and messages that are too large. Reads no content.

use super::framing::{Framing, Part};

/// A message is larger than the limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge {
    pub(super) found: u64,
}

/// The state of the scan of one response.
#[derive(Debug)]
pub(super) struct FrameScanner {
    framing: Framing,
    limit: u64,
}

impl FrameScanner {
    /// For messages of up to `limit` bytes.
    pub(super) fn up_to(limit: u64) -> Self {
        Self { framing: Framing::default(), limit }
    }

    /// Scans the next piece, and returns the offset behind its last whole message, if one ends in
    /// it.
    pub(super) fn scan(&mut self, piece: &[u8]) -> Result<Option<usize>, TooLarge> {
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
        let mut scan = FrameScanner::up_to(10);
        assert_eq!(scan.scan(&[0, 0, 0, 0]), Ok(None));
        assert_eq!(scan.scan(&[2, b'a']), Ok(None));
        assert_eq!(scan.scan(b"b\0\0\0\0\x01c\0\0"), Ok(Some(7)));
        assert_eq!(scan.scan(&[0, 0, 0]), Ok(Some(3)), "an empty message ends with its prefix");
        assert_eq!(scan.scan(&[]), Ok(None));
    }

    #[test]
    fn message_limit_is_inclusive() {
        assert_eq!(FrameScanner::up_to(10).scan(&[0, 0, 0, 0, 10]), Ok(None));
        assert_eq!(FrameScanner::up_to(10).scan(&[0, 0, 0, 0, 11]), Err(TooLarge { found: 11 }));
        assert_eq!(FrameScanner::up_to(10).scan(&[0, 0xff, 0xff, 0xff, 0xff]), Err(TooLarge { found: 0xffff_ffff }));
    }
}
