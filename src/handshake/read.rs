//! Collects the first line from pieces of output, within a bound. Does not read and does not wait:
//! the caller brings the pieces.

use super::error::{HandshakeError, cut};

/// The longest line that is taken, as in go-plugin.
pub(crate) const LIMIT: usize = 64 * 1024;

/// Collects the first line.
#[derive(Debug, Default)]
pub(crate) struct LineReader {
    buffer: Vec<u8>,
}

impl LineReader {
    /// Takes the next piece. Returns the line, without its line feed, when it is complete; what
    /// follows it is dropped.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Option<Vec<u8>>, HandshakeError> {
        let end = piece.iter().position(|byte| *byte == b'\n');
        let part = &piece[..end.unwrap_or(piece.len())];
        if self.buffer.len() + part.len() > LIMIT {
            self.buffer.extend_from_slice(&part[..part.len().min(200)]);
            return Err(HandshakeError::TooLong { limit: LIMIT, start: cut(&self.buffer, 200) });
        }
        self.buffer.extend_from_slice(part);
        Ok(end.map(|_| std::mem::take(&mut self.buffer)))
    }

    /// What to report if the output ends here.
    pub(crate) fn ended(&self) -> HandshakeError {
        HandshakeError::Ended { start: cut(&self.buffer, 200) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_in_pieces_is_joined() {
        let mut reader = LineReader::default();
        assert_eq!(reader.push(b"1|1|un"), Ok(None));
        assert_eq!(reader.push(b""), Ok(None));
        assert_eq!(reader.push(b"ix|/x\nmore\n"), Ok(Some(b"1|1|unix|/x".to_vec())));
    }

    #[test]
    fn line_length_is_limited() {
        let mut reader = LineReader::default();
        assert_eq!(reader.push(&[b'x'; LIMIT]), Ok(None));
        assert_eq!(reader.push(b"\n").unwrap().unwrap().len(), LIMIT);

        let mut reader = LineReader::default();
        assert_eq!(reader.push(&[b'x'; LIMIT]), Ok(None));
        let error = reader.push(b"x").unwrap_err();
        assert!(matches!(&error, HandshakeError::TooLong { limit: LIMIT, start } if start.len() == 200));
        assert!(matches!(LineReader::default().push(&[b'x'; LIMIT + 1]), Err(HandshakeError::TooLong { .. })));
    }

    #[test]
    fn output_end_before_line_feed_is_quoted() {
        let mut reader = LineReader::default();
        assert_eq!(reader.push(b"panic: \x1b[31moh"), Ok(None));
        assert_eq!(
            reader.ended().to_string(),
            "the plugin closed its standard output before its handshake line was complete\n  it wrote: panic: \\u{1b}[31moh"
        );
    }
}
