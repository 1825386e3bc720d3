//! Values as events show them: keyed hashes, never the values.

use std::fmt;
use std::str::FromStr;

use crate::Digest;

/// A keyed hash of a value: its HMAC-SHA-256 (RFC 2104) under the recorder's key. Equal values have
/// equal hashes; only a holder of the key can test which value a hash belongs to. Written as
/// `hmac-sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyedHash(Digest);

impl KeyedHash {
    /// Names the algorithm, in front of the digits.
    pub(super) const PREFIX: &str = "hmac-sha256:";

    /// The hash with these bytes, which must be the HMAC-SHA-256 of the value.
    pub fn from_hmac(bytes: [u8; Digest::LENGTH]) -> Self {
        Self(Digest::from(bytes))
    }
}

impl fmt::Display for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.0)
    }
}

impl FromStr for KeyedHash {
    type Err = KeyedHashError;

    fn from_str(text: &str) -> Result<Self, KeyedHashError> {
        text.strip_prefix(Self::PREFIX).and_then(|digits| digits.parse().ok()).map(Self).ok_or(KeyedHashError)
    }
}

/// The text is not a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a keyed hash: `{}` and 64 lower-case hexadecimal digits", KeyedHash::PREFIX)]
#[non_exhaustive]
pub struct KeyedHashError;
