//! Reads the segments of a log line by line, within bounds. Parses no records.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::Escaped;
use crate::audit::evidence::segments::full_segments;
use crate::fs::{RegularFileError, Symlinks, open_regular};
use crate::limits::audit::{READ_BUFFER_BYTES, RECORD_LINE_BYTES};

/// The files of the log at `path`, in the order of their records: the full segments and then the
/// current one.
///
/// # Errors
///
/// When the directory cannot be read.
pub fn files(path: impl AsRef<Path>) -> Result<Vec<PathBuf>, ReadError> {
    let path = path.as_ref();
    Ok(full(path)?.into_iter().chain([path.to_path_buf()]).collect())
}

fn full(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let full = full_segments(path).map_err(|source| ReadError::Io { path: path.to_path_buf(), source })?;
    Ok(full.into_iter().map(|(_, file)| file).collect())
}

/// The lines of each segment, in the order of their records. A full segment is opened when the
/// iterator reaches it.
///
/// A writer may append and rotate at the same time. The segment that is current now is read last,
/// even if it becomes full. During a rotation, or after a writer was killed in one, the full
/// segment has both names; it is read once.
pub(crate) fn segments(
    path: impl AsRef<Path>,
) -> Result<impl Iterator<Item = Result<LogLines<BufReader<File>>, ReadError>>, ReadError> {
    let path = path.as_ref();
    let current = LogLines::open(path)?;
    let id = |metadata: io::Result<Metadata>| metadata.ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let now = id(current.reader.get_ref().metadata());
    // Listed after the current segment was opened, so that every earlier segment is in the list: a
    // rotation in between adds the opened file itself, which ends the list.
    let before: Vec<_> =
        full(path)?.into_iter().take_while(|file| id(std::fs::symlink_metadata(file)) != now).collect();
    Ok(before.into_iter().map(LogLines::open).chain([Ok(current)]))
}

/// The lines of one segment.
pub struct LogLines<R> {
    path: PathBuf,
    reader: R,
    /// How many lines were read.
    number: u64,
    /// How many bytes they took.
    offset: u64,
}

/// A line of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Its number, counted from one.
    pub number: u64,
    /// Its offset in the file, in bytes.
    pub offset: u64,
    /// Its bytes, without the line feed. A line that is too long for a record is cut two bytes
    /// after the longest record, so that it still counts as too long.
    pub bytes: Vec<u8>,
    /// Whether it ends in a line feed. Only the last line of a file may lack one.
    pub is_whole: bool,
}

impl LogLines<BufReader<File>> {
    /// Opens a segment, which must be a regular file and not a symbolic link.
    ///
    /// # Errors
    ///
    /// When it cannot be opened or is not a regular file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let failed = |source| ReadError::Io { path: path.to_path_buf(), source };
        let file = open_regular(path, Symlinks::Refuse).map_err(|error| match error {
            RegularFileError::Io(error) => failed(error),
            RegularFileError::NotRegular { kind } => ReadError::NotRegular { path: path.to_path_buf(), kind },
        })?;
        Ok(Self::new(path, BufReader::with_capacity(READ_BUFFER_BYTES, file)))
    }
}

impl<R: BufRead> LogLines<R> {
    /// The lines of `reader`. `path` names the file in the report.
    pub fn new(path: impl Into<PathBuf>, reader: R) -> Self {
        Self { path: path.into(), reader, number: 0, offset: 0 }
    }

    /// The path of the segment.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let limit = RECORD_LINE_BYTES as u64 + 2;
        let length = self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes)? as u64;
        if length == 0 {
            return Ok(None);
        }
        let is_whole = bytes.last() == Some(&b'\n');
        if is_whole {
            bytes.pop();
        }
        // The rest of a line that is too long is skipped, not kept; it still counts for offsets.
        let (rest, is_ended) = if is_whole || length < limit { (0, is_whole) } else { self.skip()? };
        let line = Line { number: self.number + 1, offset: self.offset, bytes, is_whole: is_ended };
        self.number += 1;
        self.offset += length + rest;
        Ok(Some(line))
    }

    /// Skips to the end of a line. Returns how many bytes that took and whether the line ends in a
    /// line feed.
    fn skip(&mut self) -> io::Result<(u64, bool)> {
        let mut skipped = 0;
        loop {
            let piece = self.reader.fill_buf()?;
            let end = piece.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(piece.len(), |end| end + 1);
            self.reader.consume(length);
            skipped += length as u64;
            if end.is_some() || length == 0 {
                return Ok((skipped, end.is_some()));
            }
        }
    }
}

impl<R: BufRead> Iterator for LogLines<R> {
    type Item = Result<Line, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map_err(|source| ReadError::Io { path: self.path.clone(), source }).transpose()
    }
}

/// A log cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A system call failed.
    #[error("cannot read the log {}", Escaped::path(path))]
    #[non_exhaustive]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file is not a regular file.
    #[error("{} is {kind}, expected a regular file", Escaped::path(path))]
    #[non_exhaustive]
    NotRegular {
        /// The file.
        path: PathBuf,
        /// The kind of file that was found.
        kind: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Line> {
        LogLines::new("log", bytes).map(Result::unwrap).collect()
    }

    #[test]
    fn lines_have_numbers_and_offsets() {
        let found = lines(b"one\n\ntwo");
        let places: Vec<_> =
            found.iter().map(|line| (line.number, line.offset, line.bytes.as_slice(), line.is_whole)).collect();
        assert_eq!(places, [(1, 0, &b"one"[..], true), (2, 4, b"", true), (3, 5, b"two", false)]);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn endless_line_uses_bounded_memory() {
        let long = [&vec![b'x'; 3 * RECORD_LINE_BYTES][..], b"\nnext\n"].concat();
        let found = lines(&long);
        assert_eq!((found[0].bytes.len(), found[0].is_whole), (RECORD_LINE_BYTES + 2, true));
        assert_eq!((found[1].offset, found[1].bytes.as_slice()), (3 * RECORD_LINE_BYTES as u64 + 1, &b"next"[..]));
        let endless = vec![0; 3 * RECORD_LINE_BYTES];
        assert!(!lines(&endless)[0].is_whole);
        for length in [RECORD_LINE_BYTES, RECORD_LINE_BYTES + 1, RECORD_LINE_BYTES + 2] {
            let text = [&vec![b'x'; length][..], b"\ny"].concat();
            let found = lines(&text);
            assert_eq!((found[0].bytes.len(), found[0].is_whole, found.len()), (length, true, 2));
        }
    }

    #[test]
    fn only_a_regular_file_is_opened() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("log");
        assert!(matches!(LogLines::open(&file), Err(ReadError::Io { .. })));
        std::fs::write(&file, "line\n").unwrap();
        assert_eq!(LogLines::open(&file).unwrap().count(), 1);
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(matches!(LogLines::open(&link), Err(ReadError::NotRegular { kind: "a symbolic link", .. })));
        assert!(matches!(LogLines::open(place.path()), Err(ReadError::NotRegular { kind: "a directory", .. })));
    }
}
