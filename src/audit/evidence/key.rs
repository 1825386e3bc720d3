//! The secrets of one log: what its checkpoints are signed with, and what hides values in it. They
//! lie in a file of their own, never in the log.

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

const FIRST_LINE: &str = "portcullis-audit-key/1";
const SIGN: &str = "sign ";
const HASH: &str = "hash ";
const LENGTH: usize = 32;
const FILE_LIMIT: u64 = 4096;

/// A value that is hidden piece by piece.
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
    // HMAC-SHA-256 has as many bytes; `zip` because the type does not say so.
    bytes.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    KeyedHash::from_hmac(bytes)
}

/// The secrets of one log. Never shown, and wiped when they are dropped; what ring holds of them is
/// not.
pub struct LogKey {
    signer: NoteSigner,
    secret: Zeroizing<[u8; LENGTH]>,
    key: hmac::Key,
}

impl LogKey {
    /// New secrets for the log `origin`: a name without blanks and `+` that no other log has, as
    /// `example.com/secrets/host-7`.
    ///
    /// # Errors
    ///
    /// When a log cannot have that name, or the system gives no random numbers.
    pub fn generate(origin: &str) -> Result<Self, LogKeyError> {
        let random = |mut bytes: Zeroizing<[u8; LENGTH]>| {
            SystemRandom::new().fill(&mut bytes[..]).map(|()| bytes).map_err(|_| LogKeyError::Random)
        };
        let signer = NoteSigner::new(origin, random(Zeroizing::default())?)?;
        Ok(Self::new(signer, random(Zeroizing::default())?))
    }

    fn new(signer: NoteSigner, secret: Zeroizing<[u8; LENGTH]>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret[..]);
        Self { signer, secret, key }
    }

    /// New secrets in a new file, which this user alone may read; they are on the disk when this
    /// returns.
    ///
    /// # Errors
    ///
    /// As [`generate`](Self::generate); and when there is something at `path` already, others could
    /// replace what is there, or it cannot be written. Nothing is left there then.
    pub fn create(path: impl AsRef<Path>, origin: &str) -> Result<Self, LogKeyError> {
        let path = path.as_ref();
        let key = Self::generate(origin)?;
        let failed = |source| LogKeyError::Io { path: path.to_path_buf(), source };
        refuse_open_place(directory_of(path)).map_err(failed)?;
        // Whoever is killed meanwhile leaves nothing at `path`: half of the secrets would be in the
        // way of a log for good.
        create_file(path, FileMode::Exact(0o600), key.text().as_bytes()).map_err(failed)?;
        Ok(key)
    }

    fn text(&self) -> Zeroizing<String> {
        let hash = Zeroizing::new(BASE64.encode(&self.secret[..]));
        // In one buffer that does not move, because what moves leaves a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(FILE_LIMIT as usize));
        for piece in [FIRST_LINE, "\n", SIGN, &self.signer.to_secret()[..], "\n", HASH, &hash[..], "\n"] {
            text.push_str(piece);
        }
        text
    }

    /// Reads the secrets from their file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is no such file, is not a regular file of this user or root, or
    /// others may read or write it.
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
        // Read into one buffer that does not move, because what moves leaves a copy behind.
        let mut text = Zeroizing::new(Vec::with_capacity(FILE_LIMIT as usize + 1));
        file.take(FILE_LIMIT + 1).read_to_end(&mut text).map_err(failed)?;
        Self::parse(&text).ok_or_else(|| LogKeyError::Form { path: path.to_path_buf() })
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok().filter(|text| text.len() as u64 <= FILE_LIMIT)?;
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

    /// What others verify its checkpoints with.
    pub fn verifier(&self) -> &NoteVerifier {
        self.signer.verifier()
    }

    /// What signs its checkpoints.
    pub(crate) fn signer(&self) -> &NoteSigner {
        &self.signer
    }

    /// A value as it appears in the log.
    pub fn keyed_hash(&self, value: &[u8]) -> KeyedHash {
        keyed_hash(&hmac::sign(&self.key, value))
    }

    /// The same for a value that comes in pieces.
    pub fn keyed_hasher(&self) -> KeyedHasher {
        KeyedHasher(hmac::Context::with_key(&self.key))
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogKey").field("verifier", self.verifier()).finish_non_exhaustive()
    }
}

/// Refuses a directory in which others could put another file under our name.
fn refuse_open_place(directory: &Path) -> io::Result<()> {
    match trusted_directory(directory) {
        Ok(_) => Ok(()),
        Err(LocationError::Io(error)) => Err(error),
        Err(LocationError::WritableByOthers { .. }) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others may rename what is in its directory, or above it",
        )),
    }
}

/// The secrets of a log could not be made, kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogKeyError {
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// A log cannot have that name.
    #[error(transparent)]
    Key(#[from] NoteKeyError),
    /// The file could not be made or read.
    #[error("{}: the key of the log could not be used", Escaped::path(path))]
    #[non_exhaustive]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The path leads to something else than a regular file.
    #[error("{}: expected a regular file with the key of a log, found {kind}", Escaped::path(path))]
    #[non_exhaustive]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// What it leads to.
        kind: &'static str,
    },
    /// Another user owns the file, or its mode lets others read or write it.
    #[error(
        "{}: a file of secrets must belong to this user or root and be open to its owner alone (chmod 600); user {owner} owns it and its mode is {mode:04o}",
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
    /// The file is something else.
    #[error("{}: it is not the key of a log", Escaped::path(path))]
    #[non_exhaustive]
    Form {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests;
