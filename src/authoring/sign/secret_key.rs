//! A decrypted secret key, and the signatures that it makes. Reads no files.

use std::fmt;
use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::SignError;
use crate::limits::authoring::{TRUSTED_COMMENT_BYTES, UNTRUSTED_COMMENT_BYTES};
use crate::verify::{PublicKey, is_comment};

/// The places of id and public key in a decrypted secret key.
const ID: std::ops::Range<usize> = 54..62;
const PUBLIC: std::ops::Range<usize> = 94..126;

/// A secret key that signs. Wiped when it is dropped, and never shown.
pub struct SecretKey {
    bytes: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

impl SecretKey {
    /// `None` if the parts of the key do not match.
    pub(super) fn new(opened: &minisign::SecretKey) -> Option<Self> {
        let bytes = Zeroizing::new(opened.to_bytes());
        let public = BASE64.encode([b"Ed", &bytes[ID], &bytes[PUBLIC]].concat());
        let key = Self { public: public.parse().ok()?, bytes };
        // Signing with a public key that does not belong to the seed leaks the seed (the double
        // public key oracle attack on Ed25519). This signature shows a mismatch, and is discarded.
        key.sign(io::empty(), "probe", "probe").is_ok().then_some(key)
    }

    /// The public key, which verifies the signatures.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Signs all bytes of `message`, in constant memory, together with the comment `trusted`. The
    /// comment `untrusted` is not signed.
    ///
    /// Returns the text of a signature file, which [`PublicKey::verify`] and `minisign -V` accept.
    ///
    /// # Errors
    ///
    /// [`SignError::Message`] if `message` cannot be read, [`SignError::Comment`] for a comment
    /// that a verifier would not read as it was written.
    pub fn sign(&self, message: impl Read, trusted: &str, untrusted: &str) -> Result<String, SignError> {
        check_comment(trusted, TRUSTED_COMMENT_BYTES)?;
        check_comment(untrusted, UNTRUSTED_COMMENT_BYTES)?;
        let key = minisign::SecretKey::from_bytes(&self.bytes).map_err(SignError::machine)?;
        let public = minisign::PublicKey::from_base64(&self.public.to_string()).map_err(SignError::machine)?;
        let mut message = Uninterrupted { reader: message, failure: None };
        // Given the public key, `minisign` verifies the new signature.
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

/// Retries interrupted reads, and keeps the error that ended reading.
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
