//! The parts that all issued certificates share: serial numbers, dates and key identifiers. Decides
//! no role.

use portcullis::Digest;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyIdMethod, PublicKeyData, SerialNumber};
use ring::rand::{SecureRandom, SystemRandom};
use time::OffsetDateTime;

use crate::key::KeyError;
use crate::validity::{Shown, Validity};

/// The length of a serial number in bytes. RFC 5280, section 4.1.2.2, allows up to 20.
pub(crate) const SERIAL_LENGTH: usize = 16;

/// The server name that hosts ask for during the TLS handshake of a launch.
pub(crate) const LOCALHOST: &str = "localhost";

/// Certificate parameters with everything that does not depend on the role.
pub(crate) fn parameters(
    name: DistinguishedName,
    validity: Validity,
    key: &impl PublicKeyData,
) -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.serial_number = Some(SerialNumber::from(serial()?.to_vec()));
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_identifier(key.der_bytes()));
    Ok(params)
}

/// A distinguished name that consists of a common name.
pub(crate) fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// A random serial number, positive (RFC 5280, section 4.1.2.2) and of fixed length.
pub(crate) fn serial() -> Result<[u8; SERIAL_LENGTH], IssueError> {
    let mut serial = [0; SERIAL_LENGTH];
    SystemRandom::new().fill(&mut serial).map_err(|_| KeyError::NoRandomness)?;
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}

/// The subject key identifier (RFC 7093, section 2, method 1): the first 160 bits of the SHA-256 of
/// the public key.
pub(crate) fn key_identifier(public_key: &[u8]) -> Vec<u8> {
    Digest::of(public_key).as_bytes()[..20].to_vec()
}

/// Why no certificate was issued. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// No key could be generated, or the issuer's key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The certificate could not be built or signed.
    #[error("cannot build or sign the certificate")]
    Build(#[source] rcgen::Error),
    /// It would outlive its issuer, and peers would refuse it from then on.
    #[error("the certificate would be valid until {}, but its issuer only until {}", Shown(*.leaf), Shown(*.issuer))]
    OutlivesIssuer {
        /// The requested end of the validity.
        leaf: OffsetDateTime,
        /// The end of the issuer's validity.
        issuer: OffsetDateTime,
    },
    /// The issuer's name cannot be copied byte for byte, and peers compare the bytes.
    #[error("cannot copy the name of the issuer into a certificate byte for byte")]
    IssuerName,
    /// The issued certificate does not verify. It was discarded.
    #[error("the issued certificate does not verify")]
    Unverified,
}

impl IssueError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key(error) => error.code(),
            Self::Build(_) => "not-issued",
            Self::OutlivesIssuer { .. } => "outlives-issuer",
            Self::IssuerName => "issuer-name",
            Self::Unverified => "unverified",
        }
    }
}

impl From<rcgen::Error> for IssueError {
    fn from(error: rcgen::Error) -> Self {
        Self::Build(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_positive_full_length_and_unique() {
        let serials: std::collections::BTreeSet<_> = (0..200).map(|_| serial().unwrap()).collect();
        assert_eq!(serials.len(), 200);
        assert!(serials.iter().all(|serial| (0x40..0x80).contains(&serial[0])));
    }
}
