//! Private keys: made by ring, kept in buffers that are wiped, written as PKCS #8 in PEM. Knows
//! nothing of certificates.

use std::fmt;
use std::str::FromStr;

use pem_rfc7468::LineEnding;
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SignatureAlgorithm};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

/// The label of PKCS #8 in PEM (RFC 7468, section 10).
const LABEL: &str = "PRIVATE KEY";

/// An Ed25519 key in PKCS #8 is this and 32 secret bytes (RFC 8410, section 7). ring would write
/// the second version of PKCS #8, with the public key in it, which OpenSSL 3.0 does not read.
const ED25519_PREFIX: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
const ED25519_SEED: usize = 32;

/// What kind of key to make.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 with SHA-256, which every peer can verify.
    #[default]
    P256,
    /// Ed25519.
    Ed25519,
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "p256",
            Self::Ed25519 => "ed25519",
        })
    }
}

impl FromStr for KeyAlgorithm {
    type Err = KeyAlgorithmError;

    fn from_str(text: &str) -> Result<Self, KeyAlgorithmError> {
        match text {
            "p256" => Ok(Self::P256),
            "ed25519" => Ok(Self::Ed25519),
            _ => Err(KeyAlgorithmError),
        }
    }
}

/// A text names no [`KeyAlgorithm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kinds of key are p256 and ed25519")]
#[non_exhaustive]
pub struct KeyAlgorithmError;

/// A private key in PKCS #8. It is wiped when it is dropped, cannot be cloned, and is not shown by
/// `Debug`.
///
/// (What ring and OpenSSL keep of a key while they use it is theirs.)
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    pem: Zeroizing<String>,
}

impl PrivateKey {
    /// Makes a new key.
    ///
    /// # Errors
    ///
    /// [`KeyError::NoRandomness`], and what should not happen.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        match algorithm {
            KeyAlgorithm::P256 => {
                let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
                    .map_err(|_| KeyError::NoRandomness)?;
                Self::from_pkcs8(Zeroizing::new(document.as_ref().to_vec()))
            }
            KeyAlgorithm::Ed25519 => {
                let mut pkcs8 = Zeroizing::new([ED25519_PREFIX.as_slice(), &[0; ED25519_SEED]].concat());
                random.fill(&mut pkcs8[ED25519_PREFIX.len()..]).map_err(|_| KeyError::NoRandomness)?;
                Self::from_pkcs8(pkcs8)
            }
        }
    }

    /// Reads a key from PEM that holds nothing else.
    ///
    /// # Errors
    ///
    /// [`KeyError::Pem`] and [`KeyError::Unsupported`], for whatever is no P-256 or Ed25519 key in
    /// PKCS #8.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        // The bytes of a key are never more than those of their text: nothing is moved that would
        // have to be wiped.
        let mut buffer = Zeroizing::new(vec![0; pem.len()]);
        let (label, der) = pem_rfc7468::decode(pem, &mut buffer).map_err(KeyError::Pem)?;
        if label != LABEL {
            return Err(KeyError::Unsupported);
        }
        let key = Self::from_pkcs8(Zeroizing::new(der.to_vec()))?;
        key.signer()?;
        Ok(key)
    }

    /// Takes PKCS #8 as it is.
    pub(crate) fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        // This crate makes its buffer as large as it has to be, at once.
        let pem = pem_rfc7468::encode_string(LABEL, LineEnding::LF, &pkcs8).map_err(KeyError::Pem)?;
        Ok(Self { pkcs8, pem: Zeroizing::new(pem) })
    }

    /// The key in PKCS #8 in PEM. It is secret.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The key in PKCS #8 in DER. It is secret.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.pkcs8
    }

    pub(crate) fn signer(&self) -> Result<Signer, KeyError> {
        let random = SystemRandom::new();
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8, &random) {
            return Ok(Signer::P256(pair, random));
        }
        // Others leave the public key out of it. There is nothing to check it against then, and
        // nothing to be wrong either.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&self.pkcs8).map_err(|_| KeyError::Unsupported)?;
        Ok(Signer::Ed25519(pair))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey([secret key elided])")
    }
}

/// A key of ring as rcgen wants one. Its own kind of key would switch to another library with a
/// feature of somebody else's crate.
pub(crate) enum Signer {
    P256(EcdsaKeyPair, SystemRandom),
    Ed25519(Ed25519KeyPair),
}

impl PublicKeyData for Signer {
    fn der_bytes(&self) -> &[u8] {
        match self {
            Self::P256(pair, _) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self {
            Self::P256(..) => &PKCS_ECDSA_P256_SHA256,
            Self::Ed25519(_) => &PKCS_ED25519,
        }
    }
}

impl rcgen::SigningKey for Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        match self {
            Self::P256(pair, random) => {
                let signature = pair.sign(random, message).map_err(|_| rcgen::Error::RingUnspecified)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The kernel gave no random bytes.
    #[error("there is no randomness for a key")]
    NoRandomness,
    /// The text of the key is no PEM (RFC 7468).
    #[error("the key is not one PEM document")]
    Pem(#[source] pem_rfc7468::Error),
    /// The key is encrypted, of another kind, or in another form than PKCS #8.
    #[error("the key is no P-256 or Ed25519 key in PKCS #8 without encryption")]
    Unsupported,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_after_pem() {
        for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::Ed25519] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let again = PrivateKey::from_pem(key.pem().as_bytes()).unwrap();
            assert_eq!(again.pkcs8_der(), key.pkcs8_der());
            assert_eq!(again.signer().unwrap().der_bytes(), key.signer().unwrap().der_bytes());
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let key = PrivateKey::generate(KeyAlgorithm::P256).unwrap();
        let other_label = key.pem().replace("PRIVATE KEY", "EC PRIVATE KEY");
        assert!(matches!(PrivateKey::from_pem(other_label.as_bytes()), Err(KeyError::Unsupported)));
        let encrypted = key.pem().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert!(matches!(PrivateKey::from_pem(encrypted.as_bytes()), Err(KeyError::Unsupported)));
        let two = format!("{0}{0}", key.pem());
        assert!(matches!(PrivateKey::from_pem(two.as_bytes()), Err(KeyError::Pem(_))));
        assert!(matches!(PrivateKey::from_pem(b""), Err(KeyError::Pem(_))));
        let garbage = pem_rfc7468::encode_string(LABEL, LineEnding::LF, &[0x30; 100]).unwrap();
        assert!(matches!(PrivateKey::from_pem(garbage.as_bytes()), Err(KeyError::Unsupported)));
    }
}
