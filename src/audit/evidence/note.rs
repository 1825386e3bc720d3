//! Signed notes and the keys that sign them, as C2SP defines them (c2sp.org/signed-note): a text,
//! and under it who signs it. Ed25519 only.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::Escaped;

/// The longest note that is read, in bytes, and as many signatures.
const LIMIT: usize = 64 * 1024;
const SIGNATURES: usize = 100;
const NAME_LIMIT: usize = 255;

/// The algorithm of a key, and what a key and a signature begin with.
const ED25519_KEY: u8 = 1;
const ID_LENGTH: usize = 4;
const KEY_LENGTH: usize = 32;
const SIGNATURE_LENGTH: usize = 64;

/// What secret keys of notes begin with.
const SECRET: &str = "PRIVATE+KEY+";

/// A public key that notes are verified with, and the name that it signs by. Written
/// `<name>+<id>+<key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    key: [u8; KEY_LENGTH],
}

impl NoteVerifier {
    /// The name that it signs by.
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

/// Name, id, and a key that may be a secret.
type Parts<'a> = (&'a str, [u8; ID_LENGTH], Zeroizing<[u8; KEY_LENGTH]>);

/// Takes `<name>+<id>+<key>` apart.
fn parts(text: &str) -> Result<Parts<'_>, NoteKeyError> {
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

/// A name may not be taken for something else in a line of a note or in a key.
fn check_name(name: &str) -> Result<(), NoteKeyError> {
    let fine = |character: char| !character.is_whitespace() && !character.is_control() && character != '+';
    if (1..=NAME_LIMIT).contains(&name.len()) && name.chars().all(fine) { Ok(()) } else { Err(NoteKeyError::Name) }
}

/// A secret key that signs notes. Never shown, and wiped when it is dropped; what ring holds of it
/// is not.
pub struct NoteSigner {
    seed: Zeroizing<[u8; KEY_LENGTH]>,
    pair: Ed25519KeyPair,
    verifier: NoteVerifier,
}

impl NoteSigner {
    /// The key that follows from `seed`, which must be random and secret.
    ///
    /// # Errors
    ///
    /// [`NoteKeyError::Name`] when a key cannot have that name: it has 1 to 255 bytes, no blanks
    /// and no `+`.
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
    /// When it is none, or its parts do not belong together.
    pub fn from_secret(text: &str) -> Result<Self, NoteKeyError> {
        let (name, id, seed) = parts(text.strip_prefix(SECRET).ok_or(NoteKeyError::Form)?)?;
        let signer = Self::new(name, seed)?;
        if signer.verifier.id() == id { Ok(signer) } else { Err(NoteKeyError::Id) }
    }

    /// Writes `PRIVATE+KEY+<name>+<id>+<seed>`.
    pub fn to_secret(&self) -> Zeroizing<String> {
        let mut key = Zeroizing::new([ED25519_KEY; 1 + KEY_LENGTH]);
        key[1..].copy_from_slice(&self.seed[..]);
        let key = Zeroizing::new(BASE64.encode(&key[..]));
        let (name, id) = (&self.verifier.name, u32::from_be_bytes(self.verifier.id()));
        let public = format!("{SECRET}{name}+{id:08x}+");
        // In one buffer that does not move, because what moves leaves a copy behind.
        let mut secret = Zeroizing::new(String::with_capacity(public.len() + key.len()));
        secret.push_str(&public);
        secret.push_str(&key);
        secret
    }

    /// The public half.
    pub fn verifier(&self) -> &NoteVerifier {
        &self.verifier
    }

    /// The note of `text`, signed.
    ///
    /// # Errors
    ///
    /// [`NoteError::Text`] when it cannot be the text of a note: it ends in a line feed and has no
    /// other control characters.
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

/// The text of a signed note, and which of `verifiers` signed it: at least one did. Signatures of
/// others are passed over.
///
/// # Errors
///
/// When it is no signed note, when a signature of one of `verifiers` is wrong, and when none of
/// them signed it.
pub fn open_note<'n, 'v>(
    note: &'n str,
    verifiers: &'v [NoteVerifier],
) -> Result<(&'n str, Vec<&'v NoteVerifier>), NoteError> {
    if note.len() > LIMIT {
        return Err(NoteError::TooLong);
    }
    // The last empty line: the text may have others.
    let end = note.rfind("\n\n").ok_or(NoteError::Form)?;
    let (text, signatures) = (&note[..=end], &note[end + 2..]);
    check_text(text)?;
    let signatures = signatures.strip_suffix('\n').ok_or(NoteError::Form)?;
    let mut signed = Vec::new();
    for (number, line) in signatures.split('\n').enumerate() {
        if number >= SIGNATURES {
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

/// Who signed, if it is one of `verifiers`.
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

/// A text is no key of signed notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteKeyError {
    /// It has another form.
    #[error("a key of signed notes is written <name>+<eight hexadecimal digits>+<base64>")]
    Form,
    /// A key cannot have that name.
    #[error("the name of a key has 1 to {NAME_LIMIT} bytes, no blanks and no '+'")]
    Name,
    /// It is of another algorithm.
    #[error("the key is not of Ed25519")]
    Algorithm,
    /// The key is too long or too short.
    #[error("an Ed25519 key has {KEY_LENGTH} bytes")]
    Length,
    /// The id is another key's.
    #[error("its id is that of another key, or another name")]
    Id,
}

/// A text is no note that is signed as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// It is too long, or has too many signatures.
    #[error("it is longer than {LIMIT} bytes or has more than {SIGNATURES} signatures")]
    TooLong,
    /// It is no signed note.
    #[error("it is no signed note: a text, an empty line, and lines of signatures")]
    Form,
    /// It holds control characters, or does not end in a line feed.
    #[error("the text of a note ends in a line feed and has no other control characters")]
    Text,
    /// A signature is wrong.
    #[error("the signature by {} is wrong", Escaped::new(name))]
    #[non_exhaustive]
    Signature {
        /// Who is said to have signed.
        name: String,
    },
    /// Nobody signed it whose key is known.
    #[error("nobody signed it whose key is known")]
    Unsigned,
}

#[cfg(test)]
mod tests;
