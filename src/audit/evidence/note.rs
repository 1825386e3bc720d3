//! Signed notes and their keys (c2sp.org/signed-note): a text followed by signatures. Ed25519 only.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::Escaped;
use crate::limits::audit::{NOTE_BYTES, NOTE_KEY_NAME_BYTES, NOTE_SIGNATURES};

/// The signature type of Ed25519, which is the first byte of an encoded key.
const ED25519_KEY: u8 = 1;
const ID_LENGTH: usize = 4;
const KEY_LENGTH: usize = 32;
const SIGNATURE_LENGTH: usize = 64;

/// The prefix of an encoded secret key.
const SECRET_PREFIX: &str = "PRIVATE+KEY+";

/// A public key that verifies notes, with its name. Its text is `<name>+<id>+<key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    key: [u8; KEY_LENGTH],
}

impl NoteVerifier {
    /// The name of the key, which signature lines repeat.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key itself: an Ed25519 key of 32 bytes (RFC 8032).
    pub fn key(&self) -> &[u8; KEY_LENGTH] {
        &self.key
    }

    fn id(&self) -> [u8; ID_LENGTH] {
        let hash =
            Sha256::new().chain_update(&self.name).chain_update([b'\n', ED25519_KEY]).chain_update(self.key).finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64.encode([&[ED25519_KEY], &self.key[..]].concat());
        write!(f, "{}+{:08x}+{key}", self.name, u32::from_be_bytes(self.id()))
    }
}

impl fmt::Debug for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteVerifier({})", Escaped::new(&self.to_string()))
    }
}

impl FromStr for NoteVerifier {
    type Err = NoteKeyError;

    fn from_str(text: &str) -> Result<Self, NoteKeyError> {
        let (name, id, key) = parts(text)?;
        let verifier = Self { name: name.to_owned(), key: *key };
        if verifier.id() == id { Ok(verifier) } else { Err(NoteKeyError::Id) }
    }
}

/// The name, the id, and a key that may be secret.
type KeyParts<'a> = (&'a str, [u8; ID_LENGTH], Zeroizing<[u8; KEY_LENGTH]>);

/// Splits `<name>+<id>+<key>`.
fn parts(text: &str) -> Result<KeyParts<'_>, NoteKeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NoteKeyError::Form);
    };
    check_name(name)?;
    let digits = id.len() == 2 * ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = digits.then(|| u32::from_str_radix(id, 16).ok()).flatten().ok_or(NoteKeyError::Form)?;
    let key = Zeroizing::new(BASE64.decode(key).map_err(|_| NoteKeyError::Form)?);
    match key.split_first() {
        Some((&ED25519_KEY, key)) => {
            let key = key.try_into().map_err(|_| NoteKeyError::Length)?;
            Ok((name, id.to_be_bytes(), Zeroizing::new(key)))
        }
        Some(_) => Err(NoteKeyError::Algorithm),
        None => Err(NoteKeyError::Length),
    }
}

/// Rejects names that are ambiguous in a signature line or in an encoded key.
fn check_name(name: &str) -> Result<(), NoteKeyError> {
    let fine = |character: char| !character.is_whitespace() && !character.is_control() && character != '+';
    if (1..=NOTE_KEY_NAME_BYTES).contains(&name.len()) && name.chars().all(fine) {
        Ok(())
    } else {
        Err(NoteKeyError::Name)
    }
}

/// A secret key that signs notes. `Debug` does not print it and dropping wipes it, except for the
/// copy inside ring.
pub struct NoteSigner {
    seed: Zeroizing<[u8; KEY_LENGTH]>,
    pair: Ed25519KeyPair,
    verifier: NoteVerifier,
}

impl NoteSigner {
    /// Derives the key from `seed`, which must be random and secret.
    ///
    /// # Errors
    ///
    /// [`NoteKeyError::Name`] when the name is not valid: it has 1 to 255 bytes, no white space, no
    /// control characters and no `+`.
    pub fn new(name: &str, seed: Zeroizing<[u8; KEY_LENGTH]>) -> Result<Self, NoteKeyError> {
        check_name(name)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed[..]).map_err(|_| NoteKeyError::Length)?;
        let key = pair.public_key().as_ref().try_into().map_err(|_| NoteKeyError::Length)?;
        Ok(Self { seed, pair, verifier: NoteVerifier { name: name.to_owned(), key } })
    }

    /// Reads `PRIVATE+KEY+<name>+<id>+<seed>`.
    ///
    /// # Errors
    ///
    /// When the text is malformed, or its id does not match its name and seed.
    pub fn from_secret(text: &str) -> Result<Self, NoteKeyError> {
        let (name, id, seed) = parts(text.strip_prefix(SECRET_PREFIX).ok_or(NoteKeyError::Form)?)?;
        let signer = Self::new(name, seed)?;
        if signer.verifier.id() == id { Ok(signer) } else { Err(NoteKeyError::Id) }
    }

    /// Writes `PRIVATE+KEY+<name>+<id>+<seed>`.
    pub fn to_secret(&self) -> Zeroizing<String> {
        let mut key = Zeroizing::new([ED25519_KEY; 1 + KEY_LENGTH]);
        key[1..].copy_from_slice(&self.seed[..]);
        let key = Zeroizing::new(BASE64.encode(&key[..]));
        let (name, id) = (&self.verifier.name, u32::from_be_bytes(self.verifier.id()));
        let public = format!("{SECRET_PREFIX}{name}+{id:08x}+");
        // The buffer never grows: a reallocation would leave an unwiped copy of the secret.
        let mut secret = Zeroizing::new(String::with_capacity(public.len() + key.len()));
        secret.push_str(&public);
        secret.push_str(&key);
        secret
    }

    /// The public half.
    pub fn verifier(&self) -> &NoteVerifier {
        &self.verifier
    }

    /// Signs `text` and returns the note.
    ///
    /// # Errors
    ///
    /// [`NoteError::Text`] when `text` does not end with a line feed or has other control
    /// characters.
    pub fn sign(&self, text: &str) -> Result<String, NoteError> {
        check_text(text)?;
        let signature = self.pair.sign(text.as_bytes());
        let signed = BASE64.encode([&self.verifier.id()[..], signature.as_ref()].concat());
        Ok(format!("{text}\n\u{2014} {} {signed}\n", self.verifier.name))
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoteSigner").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// Returns the text of a signed note and those of `verifiers` that signed it, at least one.
/// Signatures of other keys are ignored.
///
/// # Errors
///
/// When the note is malformed, when a signature of one of `verifiers` is invalid, and when none of
/// them signed the note.
pub fn open_note<'n, 'v>(
    note: &'n str,
    verifiers: &'v [NoteVerifier],
) -> Result<(&'n str, Vec<&'v NoteVerifier>), NoteError> {
    if note.len() > NOTE_BYTES {
        return Err(NoteError::TooLong);
    }
    // The last empty line ends the text, because the text may contain empty lines.
    let end = note.rfind("\n\n").ok_or(NoteError::Form)?;
    let (text, signatures) = (&note[..=end], &note[end + 2..]);
    check_text(text)?;
    let signatures = signatures.strip_suffix('\n').ok_or(NoteError::Form)?;
    let mut signed = Vec::new();
    for (number, line) in signatures.split('\n').enumerate() {
        if number >= NOTE_SIGNATURES {
            return Err(NoteError::TooLong);
        }
        if let Some(verifier) = signed_by(line, text, verifiers)?
            && !signed.contains(&verifier)
        {
            signed.push(verifier);
        }
    }
    if signed.is_empty() { Err(NoteError::Unsigned) } else { Ok((text, signed)) }
}

/// The verifier of a signature line, if it is one of `verifiers`.
fn signed_by<'v>(line: &str, text: &str, verifiers: &'v [NoteVerifier]) -> Result<Option<&'v NoteVerifier>, NoteError> {
    let (name, signature) =
        line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' ')).ok_or(NoteError::Form)?;
    check_name(name).map_err(|_| NoteError::Form)?;
    let signature = BASE64.decode(signature).map_err(|_| NoteError::Form)?;
    let (id, signature) = signature.split_at_checked(ID_LENGTH).ok_or(NoteError::Form)?;
    let Some(verifier) = verifiers.iter().find(|verifier| verifier.name == name && verifier.id() == id) else {
        return Ok(None);
    };
    if signature.len() == SIGNATURE_LENGTH && verifier.verifies(text, signature) {
        Ok(Some(verifier))
    } else {
        Err(NoteError::Signature { name: name.to_owned() })
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    let fine = text.ends_with('\n') && text.chars().all(|character| character == '\n' || character >= ' ');
    if fine { Ok(()) } else { Err(NoteError::Text) }
}

/// A note key is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteKeyError {
    /// The text is malformed.
    #[error("malformed note key: expected <name>+<eight hexadecimal digits>+<base64>")]
    Form,
    /// The name is not valid.
    #[error(
        "the name of a note key must have 1 to {NOTE_KEY_NAME_BYTES} bytes, without white space, control characters and '+'"
    )]
    Name,
    /// The key has another algorithm.
    #[error("the key is not an Ed25519 key")]
    Algorithm,
    /// The key is too long or too short.
    #[error("an Ed25519 key must have {KEY_LENGTH} bytes")]
    Length,
    /// The id is of another key.
    #[error("the id of the note key does not match its name and key")]
    Id,
}

/// A note is malformed or not validly signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The note is too long, or has too many signatures.
    #[error("the note is longer than {NOTE_BYTES} bytes (64 KiB) or has more than {NOTE_SIGNATURES} signatures")]
    TooLong,
    /// The text is not a signed note.
    #[error("malformed note: expected a text, an empty line and signature lines")]
    Form,
    /// The text has control characters, or does not end with a line feed.
    #[error("the text of a note must end with a line feed and have no other control characters")]
    Text,
    /// A signature of a known key is invalid.
    #[error("the signature by {} is invalid", Escaped::new(name))]
    #[non_exhaustive]
    Signature {
        /// The name of the key in the signature line.
        name: String,
    },
    /// No known key signed the note.
    #[error("no known key signed the note")]
    Unsigned,
}

#[cfg(test)]
mod tests;
