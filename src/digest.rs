//! A SHA-256 digest: its text form, its parser and its computation. Does not decide what may run.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::Escaped;

/// Bytes per read: large enough to keep the CPU's SHA unit busy, small enough for its cache.
const CHUNK: usize = 256 * 1024;

/// The SHA-256 of some bytes.
///
/// Printed as 64 lower-case hexadecimal digits. The parser accepts both cases and no other form. A
/// digest is public, so comparisons need no protection against timing attacks.
///
/// ```
/// use portcullis::verify::Digest;
/// let digest: Digest = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855".parse()?;
/// assert_eq!(digest, Digest::of(b""));
/// assert!("md5:d41d8cd98f00b204e9800998ecf8427e".parse::<Digest>().is_err());
/// # Ok::<(), portcullis::verify::DigestError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; Self::LENGTH]);

impl Digest {
    /// The length in bytes.
    pub const LENGTH: usize = 32;

    /// The digest of bytes in memory.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes.as_ref()).into())
    }

    /// The digest of all bytes from `reader`, in constant memory.
    ///
    /// # Errors
    ///
    /// The first error of `reader` other than [`io::ErrorKind::Interrupted`].
    pub fn read(mut reader: impl Read) -> io::Result<Self> {
        Self::stream(|buffer, _| reader.read(buffer)).map(|(digest, _)| digest)
    }

    /// The digest of a whole file. Does not use or move its cursor.
    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        Self::with_size(file).map(|(digest, _)| digest)
    }

    /// As [`of_file`](Self::of_file), with the number of bytes that were hashed.
    pub(crate) fn with_size(file: &File) -> io::Result<(Self, u64)> {
        Self::stream(|buffer, offset| file.read_at(buffer, offset))
    }

    /// Calls `read` with a buffer and the current offset until it returns 0. Returns the digest and
    /// the number of bytes.
    pub(crate) fn stream(mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>) -> io::Result<(Self, u64)> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; CHUNK];
        let mut offset = 0;
        loop {
            match read(&mut buffer, offset) {
                Ok(0) => return Ok((Self(hash.finalize().into()), offset)),
                Ok(length) => {
                    hash.update(&buffer[..length]);
                    offset += length as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl From<[u8; Self::LENGTH]> for Digest {
    fn from(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        if text.is_empty() {
            return Err(DigestError::Empty);
        }
        if let Some((name, _)) = text.split_once(':') {
            return Err(DigestError::Prefix { name: name.chars().take(16).collect() });
        }
        if let Some((position, found)) = text.chars().enumerate().find(|(_, c)| !c.is_ascii_hexdigit()) {
            return Err(DigestError::NotHexadecimal { position: position + 1, found });
        }
        if text.len() != 2 * Self::LENGTH {
            return Err(DigestError::Length { found: text.len() });
        }
        let mut bytes = [0; Self::LENGTH];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0]) << 4 | nibble(pair[1]);
        }
        Ok(Self(bytes))
    }
}

/// The value of a hexadecimal digit. The caller has checked that it is one.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Why a text is not a [`Digest`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// The text is empty.
    #[error("the digest is empty; expected 64 hexadecimal digits of SHA-256")]
    Empty,
    /// The number of digits is not 64.
    #[error("the digest has {found} digits; a SHA-256 has 64")]
    Length {
        /// The number of digits.
        found: usize,
    },
    /// A character is not a hexadecimal digit.
    #[error("character {position} of the digest is '{}', not a hexadecimal digit", Escaped::new(.found.encode_utf8(&mut [0; 4])))]
    NotHexadecimal {
        /// The position of the character, counted from one.
        position: usize,
        /// The character.
        found: char,
    },
    /// The digest has the prefix of an algorithm. SHA-256 is the only algorithm and has no prefix.
    #[error(
        "the digest names an algorithm, '{}:'; write the 64 hexadecimal digits of a SHA-256 alone",
        Escaped::new(name)
    )]
    Prefix {
        /// The text before the colon, cut after 16 characters.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn published_vectors_agree() {
        // FIPS 180-2, appendix B.1 and B.3.
        assert_eq!(Digest::of(b"abc").to_string(), ABC);
        assert_eq!(Digest::of(b"abc").as_bytes()[..4], [0xba, 0x78, 0x16, 0xbf]);
        let million = io::repeat(b'a').take(1_000_000);
        assert_eq!(
            Digest::read(million).unwrap().to_string(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
    }

    #[test]
    fn hex_parses_any_case_and_prints_lower() {
        let upper: Digest = ABC.to_uppercase().parse().unwrap();
        assert_eq!(upper, ABC.parse().unwrap());
        assert_eq!(upper.to_string(), ABC);
    }

    #[test]
    fn malformed_digest_is_rejected_with_its_fault() {
        let with = |position: usize, replacement: char| -> String {
            ABC.chars().enumerate().map(|(i, c)| if i + 1 == position { replacement } else { c }).collect()
        };
        for (text, error) in [
            (String::new(), DigestError::Empty),
            (ABC[1..].to_string(), DigestError::Length { found: 63 }),
            (format!("{ABC}0"), DigestError::Length { found: 65 }),
            (with(3, 'g'), DigestError::NotHexadecimal { position: 3, found: 'g' }),
            (with(64, 'é'), DigestError::NotHexadecimal { position: 64, found: 'é' }),
            (with(1, '٣'), DigestError::NotHexadecimal { position: 1, found: '٣' }),
            (format!(" {ABC}"), DigestError::NotHexadecimal { position: 1, found: ' ' }),
            (format!("{ABC}\n"), DigestError::NotHexadecimal { position: 65, found: '\n' }),
            (format!("0x{ABC}"), DigestError::NotHexadecimal { position: 2, found: 'x' }),
            ("md5:d41d8cd98f00b204e9800998ecf8427e".into(), DigestError::Prefix { name: "md5".into() }),
            (format!("sha256:{ABC}"), DigestError::Prefix { name: "sha256".into() }),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn error_escapes_control_characters() {
        let error = "\u{1b}[2J".parse::<Digest>().unwrap_err();
        assert_eq!(error.to_string(), r"character 1 of the digest is '\u{1b}', not a hexadecimal digit");
    }

    #[test]
    fn interrupted_read_continues_and_failed_read_fails() {
        struct Steps(Vec<io::Result<&'static [u8]>>);
        impl Read for Steps {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let step = if self.0.is_empty() { Ok(&b""[..]) } else { self.0.remove(0) };
                step.map(|bytes| {
                    buffer[..bytes.len()].copy_from_slice(bytes);
                    bytes.len()
                })
            }
        }
        let interrupted = || Err(io::ErrorKind::Interrupted.into());
        assert_eq!(Digest::read(Steps(vec![Ok(b"a"), interrupted(), Ok(b"bc")])).unwrap().to_string(), ABC);
        assert!(Digest::read(Steps(vec![Ok(b"abc"), Err(io::ErrorKind::BrokenPipe.into())])).is_err());
    }
}
