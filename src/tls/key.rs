//! The algorithm of a certificate's key, for reports. Decides nothing and proves nothing.

use std::fmt;

use rustls::pki_types::{AlgorithmIdentifier, alg_id};

/// The algorithm of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA over P-256.
    EcdsaP256,
    /// ECDSA over P-384.
    EcdsaP384,
    /// ECDSA over P-521.
    EcdsaP521,
    /// Ed25519.
    Ed25519,
    /// RSA of any length.
    Rsa,
    /// Another algorithm.
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
    /// The algorithm in a `SubjectPublicKeyInfo` (RFC 5280, section 4.1): a SEQUENCE that starts
    /// with the SEQUENCE of the algorithm's identifier.
    pub(super) fn of(key: &[u8]) -> Self {
        // Short form: one byte. Long form: the number of bytes that follow (X.690, section 8.1.3).
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
            Self::Other => "another algorithm",
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
