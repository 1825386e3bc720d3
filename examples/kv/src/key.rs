//! What values are kept under. Knows nothing of where they are kept.

use std::fmt;

/// The longest key in bytes.
pub const KEY_LIMIT: usize = 4096;

/// A key: text of 1 to [`KEY_LIMIT`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// It is empty.
    #[error("the key is empty")]
    Empty,
    /// It has more than [`KEY_LIMIT`] bytes.
    #[error("the key has {length} bytes, more than {KEY_LIMIT}")]
    TooLong {
        /// How many it has.
        length: usize,
    },
}

impl Key {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Key {
    type Error = KeyFault;

    fn try_from(text: String) -> Result<Self, KeyFault> {
        match text.len() {
            0 => Err(KeyFault::Empty),
            length if length > KEY_LIMIT => Err(KeyFault::TooLong { length }),
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
    fn a_key_has_1_to_4096_bytes() {
        for length in [1, KEY_LIMIT] {
            assert_eq!(Key::try_from("k".repeat(length)).unwrap().as_str().len(), length);
        }
        assert_eq!(Key::try_from(String::new()), Err(KeyFault::Empty));
        // Bytes, not characters.
        let length = KEY_LIMIT + 2;
        assert_eq!(Key::try_from("ž".repeat(length / 2)), Err(KeyFault::TooLong { length }));
    }
}
