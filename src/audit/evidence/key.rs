//! The secrets of one log: the key that signs its checkpoints and the key that hashes values in it.
//! They are stored in a separate file, never in the log.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use super::note::{NoteKeyError, NoteSigner, NoteVerifier};
use crate::Digest;
use crate::Escaped;
use crate::event::KeyedHash;
use crate::fs::{
    FileMode, LocationError, Ownership, RegularFileError, Symlinks, create_file, directory_of, open_regular,
    trusted_directory,
};
use crate::limits::audit::KEY_FILE_BYTES;

const FIRST_LINE: &str = "portcullis-audit-key/1";
const SIGN: &str = "sign ";
const HASH: &str = "hash ";

/// The length of the signing seed and of the HMAC key in bytes.
const SECRET_LENGTH: usize = 32;

/// Computes the keyed hash of a value that arrives in pieces.
#[derive(Clone)]
pub struct KeyedHasher(hmac::Context);

impl KeyedHasher {
    /// Adds a piece of the value.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all pieces.
    pub fn finish(self) -> KeyedHash {
        keyed_hash(&self.0.sign())
    }
}

impl fmt::Debug for KeyedHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedHasher").finish_non_exhaustive()
    }
}

fn keyed_hash(tag: &hmac::Tag) -> KeyedHash {
    let mut bytes = [0; Digest::LENGTH];
    // An HMAC-SHA-256 tag has exactly this length, but ring's type is a slice: `zip` cannot panic.
    bytes.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    KeyedHash::from_hmac(bytes)
}

/// The secrets of one log. `Debug` does not print them and dropping wipes them, except for the
/// copies inside ring.
pub struct LogKey {
    signer: NoteSigner,
    secret: Zeroizing<[u8; SECRET_LENGTH]>,
    key: hmac::Key,
}

impl LogKey {
    /// Generates secrets for the log `origin`: a globally unique name without white space and `+`,
    /// such as `example.com/secrets/host-7`.
    ///
    /// # Errors
    ///
    /// When the name is not valid for a log, or the system's random number generator fails.
    pub fn generate(origin: &str) -> Result<Self, LogKeyError> {
        let random = |mut bytes: Zeroizing<[u8; SECRET_LENGTH]>| {
            SystemRandom::new().fill(&mut bytes[..]).map(|()| bytes).map_err(|_| LogKeyError::Random)
        };
        let signer = NoteSigner::new(origin, random(Zeroizing::default())?)?;
        Ok(Self::new(signer, random(Zeroizing::default())?))
    }

    fn new(signer: NoteSigner, secret: Zeroizing<[u8; SECRET_LENGTH]>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret[..]);
        Self { signer, secret, key }
    }

    /// Generates secrets and writes them to a new file with mode 0600. They are on disk when this
    /// returns.
    ///
    /// # Errors
    ///
    /// As [`generate`](Self::generate); and when `path` exists, another user could replace the
    /// file, or it cannot be written. `path` is left as it was.
    pub fn create(path: impl AsRef<Path>, origin: &str) -> Result<Self, LogKeyError> {
        let path = path.as_ref();
        let key = Self::generate(origin)?;
        let failed = |source| LogKeyError::Io { path: path.to_path_buf(), source };
        refuse_writable_directory(directory_of(path)).map_err(failed)?;
        // Atomic: a process that is killed here leaves no partial file at `path`, which would block
        // every later attempt.
        create_file(path, FileMode::Exact(0o600), key.text().as_bytes()).map_err(failed)?;
        Ok(key)
    }

    fn text(&self) -> Zeroizing<String> {
        let hash = Zeroizing::new(BASE64.encode(&self.secret[..]));
        // The buffer never grows: a reallocation would leave an unwiped copy of the secrets.
        let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES as usize));
        for piece in [FIRST_LINE, "\n", SIGN, &self.signer.to_secret()[..], "\n", HASH, &hash[..], "\n"] {
            text.push_str(piece);
        }
        text
    }

    /// Reads the secrets from their file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is malformed, is not a regular file of this user or root, or
    /// another user may read or write it.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, LogKeyError> {
        let path = path.as_ref();
        let failed = |source| LogKeyError::Io { path: path.to_path_buf(), source };
        let file = open_regular(path, Symlinks::Refuse).map_err(|error| match error {
            RegularFileError::Io(error) => failed(error),
            RegularFileError::NotRegular { kind } => LogKeyError::NotRegular { path: path.to_path_buf(), kind },
        })?;
        let found = Ownership::of(&file.metadata().map_err(failed)?);
        if !found.is_owner_trusted() || found.is_open_to_others() {
            let Ownership { owner, mode, .. } = found;
            return Err(LogKeyError::Exposed { path: path.to_path_buf(), owner, mode });
        }
        // The buffer never grows: a reallocation would leave an unwiped copy of the secrets.
        let mut text = Zeroizing::new(Vec::with_capacity(KEY_FILE_BYTES as usize + 1));
        file.take(KEY_FILE_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
        Self::parse(&text).ok_or_else(|| LogKeyError::Form { path: path.to_path_buf() })
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok().filter(|text| text.len() as u64 <= KEY_FILE_BYTES)?;
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (first, sign, hash, rest) = (lines.next()?, lines.next()?, lines.next()?, lines.next());
        if first != FIRST_LINE || rest.is_some() {
            return None;
        }
        let signer = NoteSigner::from_secret(sign.strip_prefix(SIGN)?).ok()?;
        let secret = Zeroizing::new(BASE64.decode(hash.strip_prefix(HASH)?).ok()?);
        Some(Self::new(signer, Zeroizing::new(secret[..].try_into().ok()?)))
    }

    /// The name of the log.
    pub fn origin(&self) -> &str {
        self.signer.verifier().name()
    }

    /// The public key that verifies the checkpoints of the log.
    pub fn verifier(&self) -> &NoteVerifier {
        self.signer.verifier()
    }

    /// The key that signs the checkpoints of the log.
    pub(crate) fn signer(&self) -> &NoteSigner {
        &self.signer
    }

    /// Hashes a value for the log with HMAC-SHA-256.
    pub fn keyed_hash(&self, value: &[u8]) -> KeyedHash {
        keyed_hash(&hmac::sign(&self.key, value))
    }

    /// Hashes a value that arrives in pieces.
    pub fn keyed_hasher(&self) -> KeyedHasher {
        KeyedHasher(hmac::Context::with_key(&self.key))
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogKey").field("verifier", self.verifier()).finish_non_exhaustive()
    }
}

/// Refuses a directory in which another user could replace the key file.
fn refuse_writable_directory(directory: &Path) -> io::Result<()> {
    match trusted_directory(directory) {
        Ok(_) => Ok(()),
        Err(LocationError::Io(error)) => Err(error),
        Err(LocationError::WritableByOthers { .. }) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "another user can replace files in its directory or in a parent of it",
        )),
    }
}

/// The secrets of a log could not be generated, stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogKeyError {
    /// The system's random number generator failed.
    #[error("the system's random number generator failed")]
    Random,
    /// The name or the key is not valid.
    #[error(transparent)]
    Key(#[from] NoteKeyError),
    /// The file could not be written or read.
    #[error("cannot read or write the log key {}", Escaped::path(path))]
    #[non_exhaustive]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file is not a regular file.
    #[error("{} is {kind}, expected a regular file with a log key", Escaped::path(path))]
    #[non_exhaustive]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// The kind of file that was found.
        kind: &'static str,
    },
    /// Another user owns the file, or its mode lets others read or write it.
    #[error(
        "log key {} has owner {owner} and mode {mode:04o}, expected this user or root as owner and no access for others (chmod 600)",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is malformed.
    #[error("{} is not a valid log key file", Escaped::path(path))]
    #[non_exhaustive]
    Form {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests;
