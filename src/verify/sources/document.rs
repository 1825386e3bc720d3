//! A file that takes part in the decision about a plugin, read within a size limit. Knows no
//! format.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::fs::{RegularFileError, Symlinks, open_regular};
use crate::verify::{SourceError, SourceFault};

/// The bytes of a file, and the path that faults in it are reported with.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Document {
    /// Reads the regular file at `path`, which may have at most `limit` bytes.
    pub(crate) fn read(path: &Path, limit: u64) -> Result<Self, SourceError> {
        let fault = |fault| SourceError::new(path, None, fault);
        let file = open_regular(path, Symlinks::Follow).map_err(|error| match error {
            RegularFileError::Io(error) => fault(SourceFault::Unreadable(error)),
            RegularFileError::NotRegular { kind } => fault(SourceFault::NotRegular { kind }),
        })?;
        Self::read_open(file, path, limit)
    }

    /// Reads a regular file that is open already.
    pub(crate) fn read_open(file: File, path: &Path, limit: u64) -> Result<Self, SourceError> {
        let fault = |fault| SourceError::new(path, None, fault);
        let mut bytes = Vec::new();
        // The bytes that were read count, because the file may grow while it is read.
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| fault(SourceFault::Unreadable(error)))?;
        if bytes.len() as u64 > limit {
            return Err(fault(SourceFault::TooLarge { limit }));
        }
        Ok(Self { path: path.to_path_buf(), bytes })
    }

    /// A document from memory. Faults in it are reported with `path`.
    pub(crate) fn new(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), bytes: bytes.into() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// All bytes, a byte order mark included: signatures and digests cover it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes without the byte order mark (U+FEFF) that some editors write first.
    pub(crate) fn content(&self) -> &[u8] {
        self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes)
    }

    /// The content as text.
    pub(crate) fn text(&self) -> Result<&str, SourceError> {
        let content = self.content();
        str::from_utf8(content)
            .map_err(|error| self.fault(Some(line_of(content, error.valid_up_to())), SourceFault::NotUtf8))
    }

    /// A fault of this document, at `line` if it has one, counted from one.
    pub(crate) fn fault(&self, line: Option<usize>, fault: impl Into<SourceFault>) -> SourceError {
        SourceError::new(&self.path, line, fault.into())
    }

    /// The line, counted from one, of a byte of the content.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        line_of(self.content(), offset)
    }
}

fn line_of(content: &[u8], offset: usize) -> usize {
    content[..offset.min(content.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn only_bounded_regular_files_are_read() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        std::fs::write(&file, "12345").unwrap();
        assert_eq!(Document::read(&file, 5).unwrap().bytes(), b"12345");
        let refused = |path: &Path| Document::read(path, 4).unwrap_err().fault;
        assert!(matches!(refused(&file), SourceFault::TooLarge { limit: 4 }));
        assert!(matches!(refused(place.path()), SourceFault::NotRegular { kind: "a directory" }));
        assert!(matches!(refused(Path::new("/dev/zero")), SourceFault::NotRegular { kind: "a device" }));
        let missing = Document::read(&place.path().join("none"), 4).unwrap_err();
        assert!(matches!(missing.fault, SourceFault::Unreadable(_)));
        let cause = std::error::Error::source(&missing).unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(cause.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn byte_order_mark_is_skipped_in_line_numbers() {
        let document = Document::new("list", b"\xef\xbb\xbfone\ntwo\xff\n");
        assert_eq!(document.content(), b"one\ntwo\xff\n");
        assert_eq!(document.text().unwrap_err().to_string(), "list:2: not UTF-8");
        assert_eq!(document.line_of(usize::MAX), 3);
    }
}
