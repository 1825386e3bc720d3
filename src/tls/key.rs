//! What kind of key a certificate is for: a name for people, looked up in its encoding. Judges
//! nothing, proves nothing.

use std::fmt;

use rustls::pki_types::{AlgorithmIdentifier, alg_id};

/// The kind of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA over NIST's P-256.
    EcdsaP256,
    /// ECDSA over NIST's P-384.
    EcdsaP384,
    /// ECDSA over NIST's P-521.
    EcdsaP521,
    /// Ed25519.
    Ed25519,
    /// RSA, of whatever length.
    Rsa,
    /// None of those.
    Other,
}

const KNOWN: [(AlgorithmIdentifier, KeyAlgorithm); 5] = [
    (alg_id::ECDSA_P256, KeyAlgorithm::EcdsaP256),
    (alg_id::ECDSA_P384, KeyAlgorithm::EcdsaP384),
    (alg_id::ECDSA_P521, KeyAlgorithm::EcdsaP521),
    (alg_id::ED25519, KeyAlgorithm::Ed25519),
    (alg_id::RSA_ENCRYPTION, KeyAlgorithm::Rsa),
];

impl KeyAlgorithm {
    /// The kind of the key in a `SubjectPublicKeyInfo` (RFC 5280, section 4.1): a sequence that
    /// begins with the sequence that names it.
    pub(super) fn of(key: &[u8]) -> Self {
        // The length is one byte, or that many bytes (X.690, section 8.1.3).
        let header = match key.get(1) {
            Some(length @ 0x80..) => 2 + usize::from(length & 0x7f),
            _ => 2,
        };
        let algorithm = key.get(header..).unwrap_or_default();
        let is = |id: &AlgorithmIdentifier| {
            algorithm.first() == Some(&0x30)
                && algorithm.get(1).is_some_and(|length| usize::from(*length) == id.len())
                && algorithm[2..].starts_with(id)
        };
        KNOWN.iter().find(|(id, _)| is(id)).map_or(Self::Other, |(_, algorithm)| *algorithm)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcdsaP256 => "ECDSA P-256",
            Self::EcdsaP384 => "ECDSA P-384",
            Self::EcdsaP521 => "ECDSA P-521",
            Self::Ed25519 => "Ed25519",
            Self::Rsa => "RSA",
            Self::Other => "unknown kind of key",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{Identity, Pin};

    #[test]
    fn key_algorithm_of_certificate_is_found() {
        let identity = Identity::generate().unwrap();
        assert_eq!(Pin::new(identity.certificate().to_vec()).unwrap().key(), KeyAlgorithm::EcdsaP256);
        for (algorithm, expected) in
            [(&rcgen::PKCS_ECDSA_P384_SHA384, KeyAlgorithm::EcdsaP384), (&rcgen::PKCS_ED25519, KeyAlgorithm::Ed25519)]
        {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate =
                rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
            assert_eq!(Pin::new(certificate.der().to_vec()).unwrap().key(), expected);
        }
    }

    #[test]
    fn algorithm_is_found_behind_long_lengths() {
        let rsa = [&[0x30, 13][..], &alg_id::RSA_ENCRYPTION].concat();
        assert_eq!(KeyAlgorithm::of(&[&[0x30, 0x82, 1, 34][..], &rsa].concat()), KeyAlgorithm::Rsa);
        assert_eq!(KeyAlgorithm::of(&[&[0x30, 0x81, 200][..], &rsa].concat()), KeyAlgorithm::Rsa);
        for other in [&[][..], &[0x30], &[0x30, 0xff], &[0x30, 2, 0x30], &[0x30, 3, 0x30, 13], &rsa] {
            assert_eq!(KeyAlgorithm::of(other), KeyAlgorithm::Other, "{other:?}");
        }
    }
}
