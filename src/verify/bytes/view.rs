//! Random access to the bytes of a file or of memory. Knows no format and does not move the file's
//! cursor.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// Bytes per read of a search.
const CHUNK: usize = 64 * 1024;

/// Bytes whose length is fixed when the view is made: bytes that a file gains later are not read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByteView<'a> {
    backing: Backing<'a>,
    length: u64,
}

#[derive(Debug, Clone, Copy)]
enum Backing<'a> {
    File(&'a File),
    Memory(&'a [u8]),
}

impl<'a> ByteView<'a> {
    pub(crate) fn of_file(file: &'a File) -> io::Result<Self> {
        Ok(Self { backing: Backing::File(file), length: file.metadata()?.len() })
    }

    pub(crate) fn of_memory(bytes: &'a [u8]) -> Self {
        Self { backing: Backing::Memory(bytes), length: bytes.len() as u64 }
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The first `limit` bytes, or all bytes if there are fewer.
    pub(crate) fn start(&self, limit: usize) -> io::Result<Vec<u8>> {
        self.piece(0, limit)
    }

    /// Up to `limit` bytes from `offset`; fewer at the end.
    pub(crate) fn piece(&self, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut piece = Vec::with_capacity(limit.min(left));
        Cursor { bytes: *self, position: offset }.take(limit as u64).read_to_end(&mut piece)?;
        Ok(piece)
    }

    /// The position of the first `needle` in the `size` bytes from `offset`, in constant memory.
    pub(crate) fn find(&self, needle: &[u8], offset: u64, size: u64) -> io::Result<Option<u64>> {
        let end = offset.saturating_add(size).min(self.length);
        let mut from = offset;
        while from < end {
            let limit = usize::try_from(end - from).unwrap_or(CHUNK).min(CHUNK);
            let piece = self.piece(from, limit)?;
            if let Some(position) = piece.windows(needle.len()).position(|part| part == needle) {
                return Ok(Some(from + position as u64));
            }
            // Consecutive pieces overlap by one byte less than the needle, so that a needle across
            // the boundary is found.
            let step = (piece.len() + 1).saturating_sub(needle.len());
            if step == 0 {
                return Ok(None);
            }
            from += step as u64;
        }
        Ok(None)
    }

    /// A reader of these bytes with its own position.
    pub(crate) fn cursor(self) -> Cursor<'a> {
        Cursor { bytes: self, position: 0 }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        match self.backing {
            // pread(2) fails with EINVAL for an offset above `i64::MAX`, even for zero bytes.
            Backing::File(_) if wanted == 0 => Ok(0),
            Backing::File(file) => file.read_at(&mut buffer[..wanted], offset),
            Backing::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                buffer[..wanted].copy_from_slice(&bytes[start..start + wanted]);
                Ok(wanted)
            }
        }
    }
}

/// Reads a [`ByteView`] sequentially.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    bytes: ByteView<'a>,
    position: u64,
}

impl Read for Cursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.bytes.read_at(buffer, self.position)?;
        self.position = self.position.saturating_add(length as u64);
        Ok(length)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(distance) => self.bytes.length.checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_the_end_of_a_file() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        for bytes in [ByteView::of_file(&file).unwrap(), ByteView::of_memory(&[0; 10])] {
            for offset in [10, 11, u64::MAX] {
                assert_eq!(bytes.piece(offset, 4).unwrap(), [0_u8; 0], "{offset}");
            }
        }
    }

    #[test]
    fn text_split_across_chunks_is_found() {
        let mut bytes = vec![b'.'; 3 * CHUNK];
        for position in [0, CHUNK - 3, CHUNK - 1, CHUNK, 2 * CHUNK - 5, 3 * CHUNK - 6] {
            bytes[position..position + 6].copy_from_slice(b"needle");
            let found = ByteView::of_memory(&bytes).find(b"needle", 0, u64::MAX).unwrap();
            assert_eq!(found, Some(position as u64));
            bytes[position..position + 6].fill(b'.');
        }
        assert_eq!(ByteView::of_memory(&bytes).find(b"needle", 0, u64::MAX).unwrap(), None);
        assert_eq!(ByteView::of_memory(b"nee").find(b"needle", 0, 3).unwrap(), None);
        assert_eq!(ByteView::of_memory(b"..needle").find(b"needle", 2, 5).unwrap(), None);
        assert_eq!(ByteView::of_memory(b"..needle").find(b"needle", 2, 6).unwrap(), Some(2));
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let bytes = ByteView::of_memory(b"12345");
        assert_eq!(bytes.piece(3, 10).unwrap(), b"45");
        assert_eq!(bytes.piece(u64::MAX, 10).unwrap(), b"");
        let mut rest = Vec::new();
        let mut cursor = bytes.cursor();
        cursor.seek(SeekFrom::Start(9)).unwrap();
        assert_eq!(cursor.read_to_end(&mut rest).unwrap(), 0);
    }
}
