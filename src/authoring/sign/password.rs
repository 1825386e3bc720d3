//! A password of a key file. Does not judge its strength.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::SignError;
use crate::limits::authoring::PASSWORD_BYTES;

/// The password of a key file. Wiped when it is dropped, and never shown.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Bytes of the longest password: 1024, as many as minisign accepts.
    pub const LIMIT: usize = PASSWORD_BYTES;

    /// A password from text.
    ///
    /// # Errors
    ///
    /// [`SignError::EmptyPassword`], [`SignError::LongPassword`], and
    /// [`SignError::PasswordNotText`] if it contains a line break or NUL.
    pub fn new(text: impl Into<String>) -> Result<Self, SignError> {
        let text = Zeroizing::new(text.into());
        match text.len() {
            0 => Err(SignError::EmptyPassword),
            length if length > Self::LIMIT => Err(SignError::LongPassword { limit: Self::LIMIT }),
            _ if text.contains(['\n', '\r', '\0']) => Err(SignError::PasswordNotText),
            _ => Ok(Self(text)),
        }
    }

    /// Reads a password from a file that contains nothing else, except a line break at its end. The
    /// file may be a pipe.
    ///
    /// # Errors
    ///
    /// [`SignError::PasswordUnreadable`], and those of [`new`](Self::new).
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SignError> {
        Self::from_reader(File::open(path).map_err(SignError::PasswordUnreadable)?)
    }

    /// [`read`](Self::read) from a reader.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_reader(reader: impl Read) -> Result<Self, SignError> {
        // One byte more than the longest password and its line break have, to detect a longer one.
        // Allocated whole, because a vector that grows leaves copies behind.
        let limit = Self::LIMIT + 3;
        let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
        reader.take(limit as u64).read_to_end(&mut bytes).map_err(SignError::PasswordUnreadable)?;
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = str::from_utf8(line).map_err(|_| SignError::PasswordNotText)?;
        Self::new(text)
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password([elided])")
    }
}

/// Compares two passwords, such as one that was typed twice.
impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Password {}
