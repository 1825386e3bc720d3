//! Signatures of publishers, in the format of minisign(1): reads and verifies them. Creates none.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::Escaped;
use crate::limits::sources::{SIGNATURE_BUFFER_BYTES, SIGNATURE_FILE_BYTES};
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::sources::document::Document;
use crate::verify::sources::key::UNTRUSTED;
use crate::verify::{KeyId, PublicKey, SourceError, SourceFault};

const TRUSTED: &str = "trusted comment: ";

/// Two bytes of algorithm, eight of key id, 64 of signature.
const LENGTH: usize = 74;

/// The length of an Ed25519 signature alone.
const GLOBAL_LENGTH: usize = 64;

/// Ed25519 over the BLAKE2b hash of the message, and over the message itself.
const PREHASHED: [u8; 2] = *b"ED";
const LEGACY: [u8; 2] = *b"Ed";

/// A detached signature that was read. It proves nothing until [`PublicKey::verify`] accepts it.
#[derive(Clone)]
pub struct Signature {
    path: PathBuf,
    key: KeyId,
    inner: minisign_verify::Signature,
}

impl Signature {
    pub(crate) const LIMIT: u64 = SIGNATURE_FILE_BYTES;

    /// Reads a signature file, `….minisig`, of exactly four lines: an untrusted comment, the
    /// signature, a trusted comment, and the signature over both.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is larger than 16 KiB, or contains anything else
    /// ([`SignatureFault`]). Legacy signatures, which minisign made before version 0.10 over the
    /// message instead of its hash, are rejected.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        Self::parse(&Document::read(path.as_ref(), SIGNATURE_FILE_BYTES)?)
    }

    /// Reads a signature file from memory. Errors name it `path`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Result<Self, SourceError> {
        Self::parse(&Document::new(path, bytes))
    }

    pub(crate) fn parse(document: &Document) -> Result<Self, SourceError> {
        let text = document.text()?;
        let at = |line| move |fault: SignatureFault| document.fault(Some(line), fault);
        let lines: Vec<&str> = text.lines().take(5).collect();
        let [comment, signature, trusted, global] = lines[..] else {
            return Err(match lines.len() {
                5 => at(5)(SignatureFault::Trailing),
                lines => document.fault(None, SignatureFault::Truncated { lines }),
            });
        };
        if !comment.starts_with(UNTRUSTED) {
            return Err(at(1)(SignatureFault::NoUntrustedComment));
        }
        let key = decoded(signature).and_then(|bytes| signing_key(&bytes)).map_err(at(2))?;
        check_comment(trusted).map_err(at(3))?;
        decoded::<GLOBAL_LENGTH>(global).map_err(at(4))?;
        // Without the untrusted comment, and with line feeds alone: the parser sees one spelling.
        let inner = minisign_verify::Signature::decode(&format!("{UNTRUSTED}\n{signature}\n{trusted}\n{global}\n"))
            .map_err(|_| document.fault(None, SignatureFault::Encoding))?;
        Ok(Self { path: document.path().to_path_buf(), key, inner })
    }

    /// The file as the caller named it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn fault(&self, fault: SignatureFault) -> SourceError {
        SourceError::new(&self.path, None, fault.into())
    }

    /// The key that the signature names. Use it to find that key; it proves nothing.
    pub fn key_id(&self) -> KeyId {
        self.key
    }
}

/// The bytes of a line of canonical base64.
fn decoded<const LENGTH: usize>(line: &str) -> Result<[u8; LENGTH], SignatureFault> {
    let bytes = BASE64.decode(line).map_err(|_| SignatureFault::Encoding)?;
    bytes.try_into().map_err(|_| SignatureFault::Encoding)
}

/// The id of the key that a signature names.
fn signing_key(signature: &[u8; LENGTH]) -> Result<KeyId, SignatureFault> {
    match [signature[0], signature[1]] {
        PREHASHED => {}
        LEGACY => return Err(SignatureFault::Legacy),
        found => return Err(SignatureFault::Algorithm { found }),
    }
    let mut key = [0; 8];
    key.copy_from_slice(&signature[2..10]);
    Ok(KeyId::from_bytes(key))
}

/// Rejects a trusted comment with control characters: programs disagree about where its line ends.
fn check_comment(line: &str) -> Result<(), SignatureFault> {
    let comment = line.strip_prefix(TRUSTED).ok_or(SignatureFault::NoTrustedComment)?;
    if is_comment(comment) { Ok(()) } else { Err(SignatureFault::ControlCharacter) }
}

/// Whether every program reads the text as one line.
pub(crate) fn is_comment(text: &str) -> bool {
    text.chars().all(|character| character == '\t' || !character.is_control())
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").field("path", &self.path).field("key", &self.key).finish_non_exhaustive()
    }
}

/// The comment that is signed together with a message. Only a successful verification returns one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedComment(String);

impl TrustedComment {
    /// The text, one line. To print it use `Display`, which escapes it: the signer is known but may
    /// still have written control sequences.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrustedComment {
    /// Escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Escaped::new(&self.0))
    }
}

impl PublicKey {
    /// Verifies that this key signed exactly `message` together with the comment that is returned.
    ///
    /// # Errors
    ///
    /// [`SignatureFault::OtherKey`] if the signature names another key,
    /// [`SignatureFault::Mismatch`] if it does not match these bytes, this comment and this key.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<TrustedComment, SignatureFault> {
        let key = self.for_signature(signature)?;
        key.verify(message, &signature.inner, false).map_err(|_| SignatureFault::Mismatch { key: self.id() })?;
        Ok(TrustedComment(signature.inner.trusted_comment().to_owned()))
    }

    /// [`verify`](Self::verify) for the bytes of a reader, in constant memory.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify), and the first error of `reader` except interruptions.
    pub fn verify_stream(&self, mut reader: impl Read, signature: &Signature) -> Result<TrustedComment, SourceFault> {
        let key = self.for_signature(signature)?;
        let mismatch = |_| SignatureFault::Mismatch { key: self.id() };
        let mut verifier = key.verify_stream(&signature.inner).map_err(mismatch)?;
        let mut buffer = vec![0; SIGNATURE_BUFFER_BYTES];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => verifier.update(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(SourceFault::Unreadable(error)),
            }
        }
        verifier.finalize().map_err(mismatch)?;
        Ok(TrustedComment(signature.inner.trusted_comment().to_owned()))
    }

    /// [`verify`](Self::verify) for the content of a file, in constant memory. The file may change
    /// afterwards.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify), with the path of the signature; and
    /// [`SourceFault::Unreadable`], with `path`.
    pub fn verify_file(&self, path: impl AsRef<Path>, signature: &Signature) -> Result<TrustedComment, SourceError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| SourceError::new(path, None, SourceFault::Unreadable(error)))?;
        self.verify_stream(file, signature).map_err(|fault| {
            let at_fault = if matches!(fault, SourceFault::Unreadable(_)) { path } else { &signature.path };
            SourceError::new(at_fault, None, fault)
        })
    }

    fn for_signature(&self, signature: &Signature) -> Result<minisign_verify::PublicKey, SignatureFault> {
        if signature.key != self.id() {
            return Err(SignatureFault::OtherKey { expected: self.id(), found: signature.key });
        }
        minisign_verify::PublicKey::from_base64(&self.to_string())
            .map_err(|_| SignatureFault::Mismatch { key: self.id() })
    }
}

/// Why a signature is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFault {
    /// The file has too few lines.
    #[error("expected four lines, found {lines}")]
    Truncated {
        /// How many there are.
        lines: usize,
    },
    /// Text follows the signature.
    #[error("unexpected text after the signature; a file contains one signature")]
    Trailing,
    /// The first line is not an untrusted comment.
    #[error("the first line of a signature begins with '{UNTRUSTED}'")]
    NoUntrustedComment,
    /// The third line is not a trusted comment.
    #[error("the third line of a signature begins with '{TRUSTED}'")]
    NoTrustedComment,
    /// Programs could read the trusted comment in different ways.
    #[error("the trusted comment contains control characters")]
    ControlCharacter,
    /// A line is not canonical base64 of the right length.
    #[error("expected the base64 of a signature of minisign")]
    Encoding,
    /// The signature is over the message itself, as minisign made it before version 0.10.
    #[error("legacy signature, over the message instead of its hash; sign again with minisign 0.10 or newer")]
    Legacy,
    /// The algorithm is not Ed25519 over BLAKE2b.
    #[error("expected the algorithm 'ED' (Ed25519 over BLAKE2b), found {:?}", Escaped::new(found))]
    Algorithm {
        /// The two bytes that name the algorithm.
        found: [u8; 2],
    },
    /// The signature names another key.
    #[error("signed by key {found}, expected key {expected}")]
    OtherKey {
        /// The expected key.
        expected: KeyId,
        /// The key that the signature names.
        found: KeyId,
    },
    /// The signature names a key that is not trusted for this plugin.
    #[error("signed by key {found}, which is not trusted for this plugin")]
    Untrusted {
        /// The key that the signature names.
        found: KeyId,
    },
    /// The signature does not match the bytes, the comment and the key.
    #[error("the signature does not match these bytes, this comment and key {key}")]
    Mismatch {
        /// The key.
        key: KeyId,
    },
}

impl SignatureFault {
    pub(crate) fn explanation(&self) -> Explanation {
        let of = Explanation::new;
        match self {
            Self::Truncated { lines } => of("signature-truncated").expected(4).actual(lines),
            Self::Trailing => of("signature-trailing"),
            Self::NoUntrustedComment => of("signature-no-untrusted-comment"),
            Self::NoTrustedComment => of("signature-no-trusted-comment"),
            Self::ControlCharacter => of("signature-control-character"),
            Self::Encoding => of("signature-encoding"),
            Self::Legacy => of("signature-legacy"),
            Self::Algorithm { found } => of("signature-algorithm").expected("ED").actual(Escaped::new(found)),
            Self::OtherKey { expected, found } => of("signature-other-key").expected(expected).actual(found),
            Self::Untrusted { found } => of("signature-untrusted").actual(found),
            Self::Mismatch { .. } => of("signature-mismatch"),
        }
    }
}

explained!(SignatureFault);

#[cfg(test)]
mod tests;
