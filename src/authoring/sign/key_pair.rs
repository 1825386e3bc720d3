//! Creates keys, and writes them to new files. Reads no existing key.

use std::fmt;
use std::fs::remove_file;
use std::path::Path;

use zeroize::Zeroizing;

use super::{Password, SignError};
use crate::fs::{FileMode, create_file};
use crate::verify::{PublicKey, UNTRUSTED};

/// A new secret key and its public key. Wiped when it is dropped.
pub struct KeyPair {
    /// The text of the key file, encrypted if there is a password.
    secret: Zeroizing<String>,
    public: PublicKey,
}

impl KeyPair {
    /// Creates a key that is encrypted with `password`, through scrypt over 32 MiB. How hard it is
    /// to guess depends on the password.
    ///
    /// # Errors
    ///
    /// [`SignError::Machine`] if the system has no random numbers.
    pub fn generate(password: &Password) -> Result<Self, SignError> {
        let pair = minisign::KeyPair::generate_encrypted_keypair(Some(password.text().to_owned()));
        Self::new(&pair.map_err(SignError::machine)?, "minisign encrypted secret key")
    }

    /// Creates a key that is not encrypted: everyone who can read its file can sign with it.
    ///
    /// # Errors
    ///
    /// As [`generate`](Self::generate).
    pub fn dangerous_generate_unencrypted() -> Result<Self, SignError> {
        let pair = minisign::KeyPair::generate_unencrypted_keypair();
        Self::new(&pair.map_err(SignError::machine)?, "minisign unencrypted secret key")
    }

    fn new(pair: &minisign::KeyPair, comment: &str) -> Result<Self, SignError> {
        let public = pair.pk.to_base64().parse().map_err(|fault| SignError::Machine { reason: format!("{fault}") })?;
        let secret = pair.sk.to_box(Some(comment)).map_err(SignError::machine)?;
        Ok(Self { secret: Zeroizing::new(secret.into_string()), public })
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Writes the secret key to a new file with mode 0600, and the public key to a new file with
    /// mode
    /// 0644. Both are on disk when this returns.
    ///
    /// # Errors
    ///
    /// [`SignError::Unwritable`] if a file exists already or cannot be written. Neither new file
    /// remains then.
    pub fn write_new(&self, secret: impl AsRef<Path>, public: impl AsRef<Path>) -> Result<(), SignError> {
        let (secret, public) = (secret.as_ref(), public.as_ref());
        write_new(secret, 0o600, &self.secret)?;
        let text = format!("{UNTRUSTED}minisign public key {}\n{}\n", self.public.id(), self.public);
        write_new(public, 0o644, &text).inspect_err(|_| {
            // This call created it a moment ago, and a secret key without its public key is lost.
            let _ = remove_file(secret);
        })
    }
}

/// Writes a file that did not exist, or none.
fn write_new(path: &Path, mode: u32, text: &str) -> Result<(), SignError> {
    // The umask must not decide: a key that its owner cannot read is as lost as one that others
    // can.
    create_file(path, FileMode::Exact(mode), text.as_bytes())
        .map_err(|source| SignError::Unwritable { path: path.to_path_buf(), source })
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("id", &self.public.id()).finish_non_exhaustive()
    }
}
