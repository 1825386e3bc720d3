//! Signatures of publishers, as minisign(1) makes them: whether these bytes are what the owner of a
//! key signed. Makes none.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::Escaped;
use crate::verify::decision::explanation::{Explanation, explained};
use crate::verify::sources::document::Document;
use crate::verify::sources::key::UNTRUSTED;
use crate::verify::{KeyId, PublicKey, SourceError, SourceFault};

const TRUSTED: &str = "trusted comment: ";

/// The largest signature file that is read in bytes.
const LIMIT: u64 = 16 * 1024;

/// Two bytes of algorithm, eight of key id, 64 of signature.
const LENGTH: usize = 74;

/// The length of an Ed25519 signature alone.
const GLOBAL_LENGTH: usize = 64;

/// Ed25519 over the BLAKE2b of the message, and over the message itself.
const PREHASHED: [u8; 2] = *b"ED";
const LEGACY: [u8; 2] = *b"Ed";

/// How much of a stream is hashed at once.
const CHUNK: usize = 256 * 1024;

/// A detached signature that was read, and proves nothing until [`PublicKey::verify`] has looked at
/// it.
#[derive(Clone)]
pub struct Signature {
    path: PathBuf,
    key: KeyId,
    inner: minisign_verify::Signature,
}

impl Signature {
    pub(crate) const LIMIT: u64 = LIMIT;

    /// Reads a signature file, `….minisig`: an untrusted comment, the signature, a trusted comment
    /// and the signature over both, a line each, and nothing else.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when the file cannot be read, is larger than 16 KiB, or holds anything else
    /// ([`SignatureFault`]). Signatures in the form of minisign before version 0.10, over the
    /// message and not over its hash, are refused.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        Self::parse(&Document::read(path.as_ref(), LIMIT)?)
    }

    /// Reads a signature file from `bytes`; `path` is what it is called where something is wrong
    /// with it.
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
        // Without the comment that is anybody's, and with the lines ended in one way.
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

    /// The key that the signature claims to be by. Good for finding that key, and for nothing else.
    pub fn key_id(&self) -> KeyId {
        self.key
    }
}

/// The bytes of a line, in the one way of writing them.
fn decoded<const LENGTH: usize>(line: &str) -> Result<[u8; LENGTH], SignatureFault> {
    let bytes = BASE64.decode(line).map_err(|_| SignatureFault::Encoding)?;
    bytes.try_into().map_err(|_| SignatureFault::Encoding)
}

/// The key that a signature names.
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

/// Refuses a trusted comment that not everybody reads the same way: another line break than the one
/// that ends it.
fn check_comment(line: &str) -> Result<(), SignatureFault> {
    let comment = line.strip_prefix(TRUSTED).ok_or(SignatureFault::NoTrustedComment)?;
    if is_comment(comment) { Ok(()) } else { Err(SignatureFault::ControlCharacter) }
}

/// Whether a text is one line to everybody.
pub(crate) fn is_comment(text: &str) -> bool {
    text.chars().all(|character| character == '\t' || !character.is_control())
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").field("path", &self.path).field("key", &self.key).finish_non_exhaustive()
    }
}

/// The comment that was signed together with a message. Only a successful verification gives one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedComment(String);

impl TrustedComment {
    /// The text, one line. Its author is known, and may have written what moves a cursor all the
    /// same: to show it, use `Display`.
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
    /// Proves that the owner of this key signed exactly `message`, and together with it the comment
    /// that is returned.
    ///
    /// # Errors
    ///
    /// [`SignatureFault::OtherKey`] when the signature names another key,
    /// [`SignatureFault::Mismatch`] when it does not belong to these bytes, this comment and this
    /// key together.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<TrustedComment, SignatureFault> {
        let key = self.for_signature(signature)?;
        key.verify(message, &signature.inner, false).map_err(|_| SignatureFault::Mismatch { key: self.id() })?;
        Ok(TrustedComment(signature.inner.trusted_comment().to_owned()))
    }

    /// Like [`verify`](Self::verify), for everything that `reader` yields, in constant memory.
    ///
    /// # Errors
    ///
    /// Those of [`verify`](Self::verify), and the first error of `reader` other than an
    /// interruption.
    pub fn verify_stream(&self, mut reader: impl Read, signature: &Signature) -> Result<TrustedComment, SourceFault> {
        let key = self.for_signature(signature)?;
        let mismatch = |_| SignatureFault::Mismatch { key: self.id() };
        let mut verifier = key.verify_stream(&signature.inner).map_err(mismatch)?;
        let mut buffer = vec![0; CHUNK];
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

    /// Like [`verify`](Self::verify), for the content of a file, in constant memory. What the file
    /// holds afterwards is another question.
    ///
    /// # Errors
    ///
    /// Those of [`verify`](Self::verify), of the path of the signature; and
    /// [`SourceFault::Unreadable`], of `path`.
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

/// Why a signature proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFault {
    /// Lines are missing.
    #[error("it has {lines} lines; a signature has four")]
    Truncated {
        /// How many there are.
        lines: usize,
    },
    /// Something follows the signature.
    #[error("a signature was complete before this line; one file holds one signature")]
    Trailing,
    /// The first line is no comment.
    #[error("a signature begins with a line '{UNTRUSTED}…'")]
    NoUntrustedComment,
    /// The third line is no trusted comment.
    #[error("the third line of a signature begins with '{TRUSTED}'")]
    NoTrustedComment,
    /// The trusted comment could be read in two ways.
    #[error("the trusted comment holds control characters")]
    ControlCharacter,
    /// A line is no base64 of the right length, or not the one way of writing its bytes.
    #[error("it is not the base64 of a signature, as minisign writes it")]
    Encoding,
    /// The signature is over the message itself, as minisign made them before version 0.10.
    #[error("it is a legacy signature, over the message and not over its hash; sign again with a newer minisign")]
    Legacy,
    /// It is of another algorithm than Ed25519 over BLAKE2b.
    #[error("it is of the algorithm {:?}; only 'ED' is accepted, Ed25519 over BLAKE2b", Escaped::new(found))]
    Algorithm {
        /// The two bytes that name the algorithm.
        found: [u8; 2],
    },
    /// It names another key.
    #[error("it is by key {found}, not by key {expected}")]
    OtherKey {
        /// The key that was asked for.
        expected: KeyId,
        /// The key that the signature names.
        found: KeyId,
    },
    /// It names a key that nobody trusts for this.
    #[error("it is by key {found}, which is not trusted for this plugin")]
    Untrusted {
        /// The key that the signature names.
        found: KeyId,
    },
    /// The owner of the key did not sign these bytes with this comment.
    #[error("the owner of key {key} did not sign these bytes with this comment")]
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
