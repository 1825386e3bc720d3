//! A new key: made, and written where nothing was. Does not look at keys that exist.

use std::fmt;
use std::fs::remove_file;
use std::path::Path;

use zeroize::Zeroizing;

use super::{Password, SignError};
use crate::fs::{FileMode, create_file};
use crate::verify::{PublicKey, UNTRUSTED};

/// A secret key that was just made, and its public half. Wiped when it is dropped.
pub struct KeyPair {
    /// The text of the key file, encrypted if there is a password.
    secret: Zeroizing<String>,
    public: PublicKey,
}

impl KeyPair {
    /// Makes a key that only `password` opens: scrypt over 32 MiB, as rsign does it. How hard that
    /// is to guess is decided by the password.
    ///
    /// # Errors
    ///
    /// [`SignError::Machine`] when the system gives no random numbers.
    pub fn generate(password: &Password) -> Result<Self, SignError> {
        let pair = minisign::KeyPair::generate_encrypted_keypair(Some(password.text().to_owned()));
        Self::new(&pair.map_err(SignError::machine)?, "minisign encrypted secret key")
    }

    /// Makes a key that whoever can read the file can use.
    ///
    /// # Errors
    ///
    /// Those of [`generate`](Self::generate).
    pub fn dangerous_generate_unencrypted() -> Result<Self, SignError> {
        let pair = minisign::KeyPair::generate_unencrypted_keypair();
        Self::new(&pair.map_err(SignError::machine)?, "minisign unencrypted secret key")
    }

    fn new(pair: &minisign::KeyPair, comment: &str) -> Result<Self, SignError> {
        let public = pair.pk.to_base64().parse().map_err(|fault| SignError::Machine { reason: format!("{fault}") })?;
        let secret = pair.sk.to_box(Some(comment)).map_err(SignError::machine)?;
        Ok(Self { secret: Zeroizing::new(secret.into_string()), public })
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Writes the key file, for its owner alone (0600), and the file of the public key, for
    /// everybody (0644). Neither may exist.
    ///
    /// # Errors
    ///
    /// [`SignError::Unwritable`]. Neither file is left then.
    pub fn write_new(&self, secret: impl AsRef<Path>, public: impl AsRef<Path>) -> Result<(), SignError> {
        let (secret, public) = (secret.as_ref(), public.as_ref());
        write_new(secret, 0o600, &self.secret)?;
        let text = format!("{UNTRUSTED}minisign public key {}\n{}\n", self.public.id(), self.public);
        write_new(public, 0o644, &text).inspect_err(|_| {
            // It was made by this call, and nobody can have begun to use it.
            let _ = remove_file(secret);
        })
    }
}

/// Writes a file that did not exist, or none.
fn write_new(path: &Path, mode: u32, text: &str) -> Result<(), SignError> {
    // The umask must not decide: a key that its owner cannot read is as lost as one that others can.
    create_file(path, FileMode::Exact(mode), text.as_bytes())
        .map_err(|source| SignError::Unwritable { path: path.to_path_buf(), source })
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("id", &self.public.id()).finish_non_exhaustive()
    }
}
