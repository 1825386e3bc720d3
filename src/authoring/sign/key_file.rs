//! A file with a secret key, encrypted or not: reads and decrypts it. Signs nothing.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use minisign::ErrorKind;
use zeroize::Zeroizing;

use super::{Password, SecretKey, SignError};
use crate::fs::{Ownership, RegularFileError, Symlinks, open_regular};
use crate::limits::authoring::{DERIVATION_MEMORY_BYTES, DERIVATION_OPERATIONS, SECRET_KEY_FILE_BYTES as LIMIT};
use crate::verify::UNTRUSTED;

/// The layout of a secret key: algorithm, derivation, checksum algorithm, salt, cost in operations,
/// cost in memory; then the encrypted part: id, seed, public key, checksum.
pub(super) const LENGTH: usize = 158;
const ALGORITHMS: std::ops::Range<usize> = 0..6;
const OPERATIONS: std::ops::Range<usize> = 38..46;
const MEMORY: std::ops::Range<usize> = 46..54;
const CHECKSUM: std::ops::Range<usize> = 126..158;

const PLAIN: &[u8; 6] = b"Ed\0\0B2";
const SCRYPT: &[u8; 6] = b"EdScB2";

/// The content of a key file. Wiped when it is dropped.
pub struct KeyFile {
    path: PathBuf,
    text: Zeroizing<String>,
    bytes: Zeroizing<Vec<u8>>,
}

impl KeyFile {
    /// Reads a key file: a line with an untrusted comment and a line with the key, as minisign(1)
    /// and [`KeyPair`](super::KeyPair) write it.
    ///
    /// # Errors
    ///
    /// [`SignError::Exposed`] if others than its owner may read or write it,
    /// [`SignError::NoSecretKey`] if it contains anything else, [`SignError::NotRegular`] and
    /// [`SignError::Unreadable`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SignError> {
        let path = path.as_ref();
        let text = text(path)?;
        let other = || SignError::NoSecretKey { path: path.to_path_buf() };
        let mut lines = text.lines();
        let (Some(comment), Some(key), None) = (lines.next(), lines.next(), lines.next()) else { return Err(other()) };
        if !comment.starts_with(UNTRUSTED) {
            return Err(other());
        }
        let bytes = Zeroizing::new(BASE64.decode(key).map_err(|_| other())?);
        if bytes.len() != LENGTH || (bytes[ALGORITHMS] != *PLAIN && bytes[ALGORITHMS] != *SCRYPT) {
            return Err(other());
        }
        Ok(Self { path: path.to_path_buf(), text, bytes })
    }

    /// Whether the key is encrypted and needs a password.
    pub fn is_encrypted(&self) -> bool {
        self.bytes[ALGORITHMS] == *SCRYPT
    }

    /// Returns the key, decrypted with `password` if it is encrypted. Takes the time and memory
    /// that the file asks for: up to some seconds and a gibibyte.
    ///
    /// # Errors
    ///
    /// [`SignError::PasswordNeeded`], [`SignError::NotEncrypted`], [`SignError::WrongPassword`],
    /// [`SignError::Excessive`], and [`SignError::Damaged`].
    pub fn open(self, password: Option<&Password>) -> Result<SecretKey, SignError> {
        let path = self.path.clone();
        let opened = match (password, self.is_encrypted()) {
            (None, true) => return Err(SignError::PasswordNeeded { path }),
            (Some(_), false) => return Err(SignError::NotEncrypted { path }),
            (Some(password), true) => self.decrypt(password)?,
            (None, false) => self.plain()?,
        };
        SecretKey::new(&opened).ok_or(SignError::Damaged { path })
    }

    fn decrypt(&self, password: &Password) -> Result<minisign::SecretKey, SignError> {
        let path = || self.path.clone();
        if self.number(OPERATIONS) > DERIVATION_OPERATIONS || self.number(MEMORY) > DERIVATION_MEMORY_BYTES {
            return Err(SignError::Excessive { path: path() });
        }
        let file = minisign::SecretKeyBox::from(self.text.to_string());
        file.into_secret_key(Some(password.text().to_owned())).map_err(|error| match error.kind() {
            ErrorKind::KDF => SignError::Excessive { path: path() },
            _ => SignError::WrongPassword { path: path() },
        })
    }

    fn plain(&self) -> Result<minisign::SecretKey, SignError> {
        // minisign(1) leaves the checksum of an unencrypted key empty. Whether its parts match
        // shows when `SecretKey::new` signs with it.
        let opened = if self.bytes[CHECKSUM] == [0; CHECKSUM.end - CHECKSUM.start] {
            minisign::SecretKey::from_bytes(&self.bytes)
        } else {
            minisign::SecretKeyBox::from(self.text.to_string()).into_unencrypted_secret_key()
        };
        opened.map_err(|_| SignError::Damaged { path: self.path.clone() })
    }

    fn number(&self, at: std::ops::Range<usize>) -> u64 {
        self.bytes[at].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// The text of a file that is open to its owner alone.
fn text(path: &Path) -> Result<Zeroizing<String>, SignError> {
    let unreadable = |source| SignError::Unreadable { path: path.to_path_buf(), source };
    let file = open_regular(path, Symlinks::Follow).map_err(|error| match error {
        RegularFileError::Io(error) => unreadable(error),
        RegularFileError::NotRegular { kind } => SignError::NotRegular { path: path.to_path_buf(), kind },
    })?;
    let found = Ownership::of(&file.metadata().map_err(unreadable)?);
    if found.is_open_to_others() {
        return Err(SignError::Exposed { path: path.to_path_buf(), mode: found.mode });
    }
    // Allocated whole, because a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT + 1));
    file.take(LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    match str::from_utf8(&bytes) {
        Ok(text) if text.len() <= LIMIT => Ok(Zeroizing::new(text.to_owned())),
        _ => Err(SignError::NoSecretKey { path: path.to_path_buf() }),
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").field("path", &self.path).finish_non_exhaustive()
    }
}
