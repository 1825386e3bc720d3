//! A log as somebody reads it who does not write it: its files in their order, line by line, within
//! bounds. Judges nothing.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::Escaped;
use crate::audit::evidence::record::LINE_LIMIT;
use crate::audit::evidence::segments::rotated;
use crate::fs::{RegularFileError, Symlinks, open_regular};

/// The files of the log at `path`, in the order of their records: the full ones beside it, and then
/// itself.
///
/// # Errors
///
/// When the directory cannot be read.
pub fn files(path: impl AsRef<Path>) -> Result<Vec<PathBuf>, ReadError> {
    let path = path.as_ref();
    Ok(full(path)?.into_iter().chain([path.to_path_buf()]).collect())
}

fn full(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let full = rotated(path).map_err(|source| ReadError::Io { path: path.to_path_buf(), source })?;
    Ok(full.into_iter().map(|(_, file)| file).collect())
}

/// The lines of all files, in the order of their records: each file is opened when its turn comes.
///
/// The log may be written meanwhile. What is current now is read as the last file, also when it is
/// full by then; and one that has both names, because its writer is just giving it the other or was
/// killed at that, is read once.
pub(crate) fn opened(
    path: impl AsRef<Path>,
) -> Result<impl Iterator<Item = Result<Lines<BufReader<File>>, ReadError>>, ReadError> {
    let path = path.as_ref();
    let current = Lines::open(path)?;
    let id = |metadata: io::Result<Metadata>| metadata.ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let now = id(current.reader.get_ref().metadata());
    // Looked for only now: whatever was full before is among them.
    let before: Vec<_> =
        full(path)?.into_iter().take_while(|file| id(std::fs::symlink_metadata(file)) != now).collect();
    Ok(before.into_iter().map(Lines::open).chain([Ok(current)]))
}

/// The lines of one file.
pub struct Lines<R> {
    path: PathBuf,
    reader: R,
    /// How many lines were read, and how many bytes they took.
    number: u64,
    offset: u64,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Its number, counted from one.
    pub number: u64,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its bytes, without the line feed. Of a line that is longer than a record may be there are a
    /// few more than that.
    pub bytes: Vec<u8>,
    /// Whether it ends in a line feed. Only the last line of a file may not.
    pub is_whole: bool,
}

impl Lines<BufReader<File>> {
    /// Opens a file of a log, which must be a regular file and no symbolic link.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or is something else.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let failed = |source| ReadError::Io { path: path.to_path_buf(), source };
        let file = open_regular(path, Symlinks::Refuse).map_err(|error| match error {
            RegularFileError::Io(error) => failed(error),
            RegularFileError::NotRegular { kind } => ReadError::NotRegular { path: path.to_path_buf(), kind },
        })?;
        Ok(Self::new(path, BufReader::with_capacity(1 << 18, file)))
    }
}

impl<R: BufRead> Lines<R> {
    /// The lines that `reader` yields, under the name of a file.
    pub fn new(path: impl Into<PathBuf>, reader: R) -> Self {
        Self { path: path.into(), reader, number: 0, offset: 0 }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let limit = LINE_LIMIT as u64 + 2;
        let length = self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes)? as u64;
        if length == 0 {
            return Ok(None);
        }
        let is_whole = bytes.last() == Some(&b'\n');
        if is_whole {
            bytes.pop();
        }
        // What is too long for a record is not kept, and counts.
        let (rest, is_ended) = if is_whole || length < limit { (0, is_whole) } else { self.skip()? };
        let line = Line { number: self.number + 1, offset: self.offset, bytes, is_whole: is_ended };
        self.number += 1;
        self.offset += length + rest;
        Ok(Some(line))
    }

    /// Goes to the end of a line. Returns how many bytes that took, and whether it ends in a line
    /// feed.
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

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Line, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map_err(|source| ReadError::Io { path: self.path.clone(), source }).transpose()
    }
}

/// A log cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refused.
    #[error("{}: the log could not be read", Escaped::path(path))]
    #[non_exhaustive]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is no regular file.
    #[error("{}: it is {kind}, and a log is a regular file", Escaped::path(path))]
    #[non_exhaustive]
    NotRegular {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Line> {
        Lines::new("log", bytes).map(Result::unwrap).collect()
    }

    #[test]
    fn lines_are_told_apart_with_their_places() {
        let found = lines(b"one\n\ntwo");
        let places: Vec<_> =
            found.iter().map(|line| (line.number, line.offset, line.bytes.as_slice(), line.is_whole)).collect();
        assert_eq!(places, [(1, 0, &b"one"[..], true), (2, 4, b"", true), (3, 5, b"two", false)]);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn endless_line_uses_bounded_memory() {
        let long = [&vec![b'x'; 3 * LINE_LIMIT][..], b"\nnext\n"].concat();
        let found = lines(&long);
        assert_eq!((found[0].bytes.len(), found[0].is_whole), (LINE_LIMIT + 2, true));
        assert_eq!((found[1].offset, found[1].bytes.as_slice()), (3 * LINE_LIMIT as u64 + 1, &b"next"[..]));
        let endless = vec![0; 3 * LINE_LIMIT];
        assert!(!lines(&endless)[0].is_whole);
        for length in [LINE_LIMIT, LINE_LIMIT + 1, LINE_LIMIT + 2] {
            let text = [&vec![b'x'; length][..], b"\ny"].concat();
            let found = lines(&text);
            assert_eq!((found[0].bytes.len(), found[0].is_whole, found.len()), (length, true, 2));
        }
    }

    #[test]
    fn only_a_regular_file_is_opened() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("log");
        assert!(matches!(Lines::open(&file), Err(ReadError::Io { .. })));
        std::fs::write(&file, "line\n").unwrap();
        assert_eq!(Lines::open(&file).unwrap().count(), 1);
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(matches!(Lines::open(&link), Err(ReadError::NotRegular { kind: "a symbolic link", .. })));
        assert!(matches!(Lines::open(place.path()), Err(ReadError::NotRegular { kind: "a directory", .. })));
    }
}
