//! The names of algorithms, and which of them are weak. Computes nothing.

use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::{Key, names};

/// The shortest acceptable RSA key in bits (NIST SP 800-131A).
pub(super) const RSA_MINIMUM: usize = 2048;

/// The strength of an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    Good,
    Weak,
    /// The algorithm is not known here.
    Unknown,
}

/// A public key and its strength.
pub(super) struct KeyFacts {
    pub(super) facts: Key,
    pub(super) strength: Strength,
}

/// A signature algorithm and its strength.
pub(super) struct Signature {
    pub(super) name: String,
    pub(super) strength: Strength,
}

pub(super) fn key(info: &SubjectPublicKeyInfo<'_>) -> KeyFacts {
    let oid = names::identifier(&info.algorithm.algorithm);
    match oid.as_str() {
        "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => match info.parsed() {
            Ok(PublicKey::RSA(key)) => rsa(&key),
            _ => facts("RSA", 0, Strength::Unknown),
        },
        "1.2.840.10045.2.1" => curve(&info.algorithm),
        "1.2.840.10040.4.1" => facts("DSA", 0, Strength::Weak),
        "1.3.101.112" => facts("Ed25519", 256, Strength::Good),
        "1.3.101.113" => facts("Ed448", 456, Strength::Good),
        other => facts(other, 0, Strength::Unknown),
    }
}

fn rsa(key: &RSAPublicKey<'_>) -> KeyFacts {
    let modulus = key.modulus.iter().skip_while(|byte| **byte == 0);
    let bits = match modulus.clone().next() {
        Some(first) => modulus.count() * 8 - first.leading_zeros() as usize,
        None => 0,
    };
    facts("RSA", bits, if bits < RSA_MINIMUM { Strength::Weak } else { Strength::Good })
}

/// The curve, which the parameters name (RFC 5480, section 2.1.1).
fn curve(algorithm: &AlgorithmIdentifier<'_>) -> KeyFacts {
    let oid = algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok()).map(|oid| names::identifier(&oid));
    match oid.as_deref() {
        Some("1.2.840.10045.3.1.7") => facts("P-256", 256, Strength::Good),
        Some("1.3.132.0.34") => facts("P-384", 384, Strength::Good),
        Some("1.3.132.0.35") => facts("P-521", 521, Strength::Good),
        Some("1.2.840.10045.3.1.1") => facts("P-192", 192, Strength::Weak),
        Some("1.3.132.0.33") => facts("P-224", 224, Strength::Weak),
        Some(other) => facts(other, 0, Strength::Unknown),
        None => facts("unnamed curve", 0, Strength::Unknown),
    }
}

fn facts(algorithm: &str, bits: usize, strength: Strength) -> KeyFacts {
    KeyFacts { facts: Key { algorithm: algorithm.to_owned(), bits }, strength }
}

pub(super) fn signature(algorithm: &AlgorithmIdentifier<'_>) -> Signature {
    let oid = names::identifier(&algorithm.algorithm);
    let (name, strength) = match oid.as_str() {
        "1.2.840.113549.1.1.4" => ("md5WithRSAEncryption", Strength::Weak),
        "1.2.840.113549.1.1.5" => ("sha1WithRSAEncryption", Strength::Weak),
        "1.2.840.113549.1.1.11" => ("sha256WithRSAEncryption", Strength::Good),
        "1.2.840.113549.1.1.12" => ("sha384WithRSAEncryption", Strength::Good),
        "1.2.840.113549.1.1.13" => ("sha512WithRSAEncryption", Strength::Good),
        // The parameters name its hash, which may be a weak one.
        "1.2.840.113549.1.1.10" => ("rsassaPss", Strength::Unknown),
        "1.2.840.10045.4.1" => ("ecdsa-with-SHA1", Strength::Weak),
        "1.2.840.10045.4.3.1" => ("ecdsa-with-SHA224", Strength::Weak),
        "1.2.840.10045.4.3.2" => ("ecdsa-with-SHA256", Strength::Good),
        "1.2.840.10045.4.3.3" => ("ecdsa-with-SHA384", Strength::Good),
        "1.2.840.10045.4.3.4" => ("ecdsa-with-SHA512", Strength::Good),
        "1.2.840.10040.4.3" => ("dsa-with-SHA1", Strength::Weak),
        "1.3.101.112" => ("Ed25519", Strength::Good),
        "1.3.101.113" => ("Ed448", Strength::Good),
        other => (other, Strength::Unknown),
    };
    Signature { name: name.to_owned(), strength }
}
