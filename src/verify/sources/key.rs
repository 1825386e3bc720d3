//! Public keys of publishers, in the format of minisign(1). Knows no signature and no secret key.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::Escaped;
use crate::limits::sources::PUBLIC_KEY_FILE_BYTES;
use crate::verify::SourceError;
use crate::verify::sources::document::Document;

/// The prefix of the first line of a key file or a signature.
pub(crate) const UNTRUSTED: &str = "untrusted comment: ";

/// Two bytes of algorithm, eight of id, 32 of key.
const LENGTH: usize = 42;

/// The length of a secret key: with derivation, salt, seed and checksum.
const SECRET_LENGTH: usize = 158;

/// The public key of a publisher: Ed25519, in the format of minisign(1).
///
/// `Display` and `FromStr` use the line of base64 that minisign prints. Two keys are equal if id
/// and key are. The comment of a key file is not signed, and is not kept.
///
/// ```
/// use portcullis::verify::PublicKey;
/// let key: PublicKey = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3".parse()?;
/// assert_eq!(key.id().to_string(), "E7620F1842B4E81F");
/// # Ok::<(), portcullis::verify::KeyFault>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; LENGTH]);

impl PublicKey {
    /// Reads a key file such as `minisign.pub`: a line with an untrusted comment, which may be
    /// missing, and a line with the key.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is larger than 4 KiB, or contains anything else ([`KeyFault`]).
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        Self::parse(&Document::read(path.as_ref(), PUBLIC_KEY_FILE_BYTES)?)
    }

    /// Reads a key file from memory. Errors name it `path`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Result<Self, SourceError> {
        Self::parse(&Document::new(path, bytes))
    }

    pub(crate) fn parse(document: &Document) -> Result<Self, SourceError> {
        let mut lines = (1..).zip(document.text()?.lines()).peekable();
        lines.next_if(|(_, line)| line.starts_with(UNTRUSTED));
        let Some((number, line)) = lines.next() else { return Err(document.fault(None, KeyFault::Missing)) };
        let key = line.parse().map_err(|fault: KeyFault| document.fault(Some(number), fault))?;
        match lines.next() {
            Some((number, _)) => Err(document.fault(Some(number), KeyFault::Trailing)),
            None => Ok(key),
        }
    }

    /// The number that signatures name the key by. The creator of a key chooses it freely, so it
    /// proves nothing.
    pub fn id(&self) -> KeyId {
        let mut id = [0; 8];
        id.copy_from_slice(&self.0[2..10]);
        KeyId::from_bytes(id)
    }
}

impl FromStr for PublicKey {
    type Err = KeyFault;

    fn from_str(text: &str) -> Result<Self, KeyFault> {
        let bytes = BASE64.decode(text).map_err(|_| KeyFault::Encoding)?;
        if bytes.len() == SECRET_LENGTH {
            return Err(KeyFault::Secret);
        }
        let found = bytes.len();
        let bytes: [u8; LENGTH] = bytes.try_into().map_err(|_| KeyFault::Length { found })?;
        if bytes[..2] != *b"Ed" {
            return Err(KeyFault::Algorithm { found: [bytes[0], bytes[1]] });
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// The number of a key. `Display` writes it as minisign(1) does, in upper-case hexadecimal digits,
/// but always all 16 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl KeyId {
    pub(crate) fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

/// Why a text is not a [`PublicKey`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// The file contains no key.
    #[error("it contains no public key")]
    Missing,
    /// Text follows the key.
    #[error("unexpected text after the public key; a file contains one key")]
    Trailing,
    /// The text is not canonical base64.
    #[error("expected the base64 of a public key of minisign")]
    Encoding,
    /// The key has another length.
    #[error("expected a public key of {LENGTH} bytes, found {found}")]
    Length {
        /// The length in bytes.
        found: usize,
    },
    /// The text is a secret key.
    #[error("this is a secret key; name the public key instead, and consider whether the secret key is still secret")]
    Secret,
    /// The key is for another algorithm than Ed25519.
    #[error("expected a key for the algorithm 'Ed' (Ed25519), found {:?}", Escaped::new(found))]
    Algorithm {
        /// The two bytes that name the algorithm.
        found: [u8; 2],
    },
}

impl KeyFault {
    /// Its name for programs, in kebab-case. Stable between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "key-missing",
            Self::Trailing => "key-trailing",
            Self::Encoding => "key-encoding",
            Self::Length { .. } => "key-length",
            Self::Secret => "key-secret",
            Self::Algorithm { .. } => "key-algorithm",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::SourceFault;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    fn encoded(bytes: &[u8]) -> String {
        BASE64.encode(bytes)
    }

    #[test]
    fn key_round_trips_and_is_named_by_id() {
        let key: PublicKey = KEY.parse().unwrap();
        assert_eq!((key.to_string().as_str(), key.id().to_string().as_str()), (KEY, "E7620F1842B4E81F"));
        assert_eq!(format!("{key:?}"), format!("PublicKey({KEY})"));
    }

    #[test]
    fn key_file_comment_is_optional_and_ignored() {
        let key: PublicKey = KEY.parse().unwrap();
        for text in [
            format!("untrusted comment: minisign public key 0000000000000000\n{KEY}\n"),
            format!("untrusted comment: \r\n{KEY}\r\n"),
            format!("{KEY}\n"),
            format!("\u{feff}{KEY}"),
        ] {
            assert_eq!(PublicKey::from_bytes("k.pub", text).unwrap(), key);
        }
    }

    #[test]
    fn invalid_key_file_is_rejected_with_its_line() {
        let comment = "untrusted comment: key";
        for (text, expected) in [
            (String::new(), "k.pub: it contains no public key"),
            (format!("{comment}\n"), "k.pub: it contains no public key"),
            (format!("{comment}\n{comment}\n{KEY}\n"), "k.pub:2: expected the base64 of a public key of minisign"),
            (format!("comment\n{KEY}\n"), "k.pub:1: expected the base64 of a public key of minisign"),
            (format!(" {KEY}\n"), "k.pub:1: expected the base64 of a public key of minisign"),
            (format!("{KEY}\n\n"), "k.pub:2: unexpected text after the public key; a file contains one key"),
            (
                format!("{comment}\n{KEY}\n{KEY}\n"),
                "k.pub:3: unexpected text after the public key; a file contains one key",
            ),
        ] {
            let error = PublicKey::from_bytes("k.pub", text.as_str()).unwrap_err();
            assert_eq!(error.to_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn malformed_public_key_is_refused_by_kind() {
        let bytes = BASE64.decode(KEY).unwrap();
        assert_eq!(encoded(&bytes[..41]).parse::<PublicKey>(), Err(KeyFault::Length { found: 41 }));
        assert_eq!(encoded(&[0; SECRET_LENGTH]).parse::<PublicKey>(), Err(KeyFault::Secret));
        for algorithm in [*b"ED", *b"\x1b\n"] {
            let other = [&algorithm[..], &bytes[2..]].concat();
            assert_eq!(encoded(&other).parse::<PublicKey>(), Err(KeyFault::Algorithm { found: algorithm }));
        }
    }

    #[test]
    fn oversized_key_file_is_not_read() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("k.pub");
        let comment = "x".repeat(4096 - UNTRUSTED.len() - KEY.len() - 1);
        std::fs::write(&path, format!("{UNTRUSTED}{comment}\n{KEY}")).unwrap();
        assert_eq!(PublicKey::read(&path).unwrap().to_string(), KEY);
        std::fs::write(&path, format!("{UNTRUSTED}{comment}x\n{KEY}")).unwrap();
        assert!(matches!(PublicKey::read(&path).unwrap_err().fault, SourceFault::TooLarge { limit: 4096 }));
    }
}
