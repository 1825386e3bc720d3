//! Keys, as validated text. Does not know the store.

use std::fmt;

use crate::limits::KEY_BYTES;

/// A key: UTF-8 text of 1 to [`KEY_BYTES`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// Why a text cannot be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is empty.
    #[error("the key is empty")]
    Empty,
    /// The text is longer than [`KEY_BYTES`].
    #[error("the key is {length} bytes long, at most {KEY_BYTES} are allowed")]
    TooLong {
        /// The length of the text in bytes.
        length: usize,
    },
}

impl Key {
    /// The text of the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        match text.len() {
            0 => Err(KeyError::Empty),
            length if length > KEY_BYTES => Err(KeyError::TooLong { length }),
            _ => Ok(Self(text)),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_has_1_to_4096_bytes() {
        for length in [1, KEY_BYTES] {
            assert_eq!(Key::try_from("k".repeat(length)).unwrap().as_str().len(), length);
        }
        assert_eq!(Key::try_from(String::new()), Err(KeyError::Empty));
        // The limit counts bytes, not characters.
        let length = KEY_BYTES + 2;
        assert_eq!(Key::try_from("ž".repeat(length / 2)), Err(KeyError::TooLong { length }));
    }
}
