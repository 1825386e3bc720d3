//! A secret key that was opened, and the signatures that it makes. Knows no files.

use std::fmt;
use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::SignError;
use crate::verify::{PublicKey, is_comment};

/// Where id and public key lie in a secret key that is not encrypted.
const ID: std::ops::Range<usize> = 54..62;
const PUBLIC: std::ops::Range<usize> = 94..126;

/// What minisign(1) reads of an untrusted comment in any case, and far less than it reads of a
/// trusted one.
const UNTRUSTED_LIMIT: usize = 512;
const TRUSTED_LIMIT: usize = 4096;

/// A secret key that signs. Wiped when it is dropped, and never shown.
pub struct SecretKey {
    bytes: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

impl SecretKey {
    /// Keeps an opened key; nothing, if its parts do not belong together.
    pub(super) fn new(opened: &minisign::SecretKey) -> Option<Self> {
        let bytes = Zeroizing::new(opened.to_bytes());
        let public = BASE64.encode([b"Ed", &bytes[ID], &bytes[PUBLIC]].concat());
        let key = Self { public: public.parse().ok()?, bytes };
        // With another public half than its own a key makes signatures that do not verify, and that
        // betray it (ed25519, double public key oracle): this one is not shown to anybody.
        key.sign(io::empty(), "probe", "probe").is_ok().then_some(key)
    }

    /// The public half, which others verify with.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Signs everything that `message` yields, in constant memory, together with `trusted`; and
    /// writes `untrusted` before it, which anybody may change.
    ///
    /// Returns the text of a signature file. [`PublicKey::verify`] and `minisign -V` accept it.
    ///
    /// # Errors
    ///
    /// [`SignError::Message`] when `message` cannot be read, [`SignError::Comment`] for a comment
    /// that would not be read as it was written.
    pub fn sign(&self, message: impl Read, trusted: &str, untrusted: &str) -> Result<String, SignError> {
        check_comment(trusted, TRUSTED_LIMIT)?;
        check_comment(untrusted, UNTRUSTED_LIMIT)?;
        let key = minisign::SecretKey::from_bytes(&self.bytes).map_err(SignError::machine)?;
        let public = minisign::PublicKey::from_base64(&self.public.to_string()).map_err(SignError::machine)?;
        let mut message = Uninterrupted { reader: message, failure: None };
        // With the public key it verifies what it signed.
        let signed = minisign::sign(Some(&public), &key, &mut message, Some(trusted), Some(untrusted));
        match (signed, message.failure) {
            (Ok(signature), _) => Ok(signature.into_string()),
            (Err(_), Some(error)) => Err(SignError::Message(error)),
            (Err(error), None) => Err(SignError::machine(error)),
        }
    }
}

fn check_comment(text: &str, limit: usize) -> Result<(), SignError> {
    if text.len() <= limit && is_comment(text) && text.trim() == text {
        Ok(())
    } else {
        Err(SignError::Comment { limit })
    }
}

/// Reads on after an interruption, and keeps the error that ended the reading.
struct Uninterrupted<R> {
    reader: R,
    failure: Option<io::Error>,
}

impl<R: Read> Read for Uninterrupted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    self.failure = Some(error);
                    return Err(kind.into());
                }
                read => return read,
            }
        }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("id", &self.public.id()).finish_non_exhaustive()
    }
}
