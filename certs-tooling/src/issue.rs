//! What all certificates of ours have in common: fresh serial numbers, dates, and identifiers of
//! keys. Decides on no role.

use portcullis::Digest;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyIdMethod, PublicKeyData, SerialNumber};
use ring::rand::{SecureRandom, SystemRandom};
use time::OffsetDateTime;

use crate::key::KeyError;
use crate::validity::{Shown, Validity};

/// The length of a serial number. RFC 5280, section 4.1.2.2, allows up to 20 bytes.
pub(crate) const SERIAL_LENGTH: usize = 16;

/// The server name that hosts ask for during the TLS handshake of a launch.
pub(crate) const LOCALHOST: &str = "localhost";

/// A certificate's parameters with everything in them that no role decides.
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

/// A name of nothing but a common name.
pub(crate) fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// A random serial number that is positive (RFC 5280, section 4.1.2.2) and always of the same
/// length.
pub(crate) fn serial() -> Result<[u8; SERIAL_LENGTH], IssueError> {
    let mut serial = [0; SERIAL_LENGTH];
    SystemRandom::new().fill(&mut serial).map_err(|_| KeyError::NoRandomness)?;
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}

/// The identifier of a key (RFC 7093, section 2, method 1): 160 bits of the SHA-256 of the public
/// key.
pub(crate) fn key_identifier(public_key: &[u8]) -> Vec<u8> {
    Digest::of(public_key).as_bytes()[..20].to_vec()
}

/// Why no certificate was made. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// There is no key to make it for, or the issuer's cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The certificate could not be built or signed.
    #[error("the certificate could not be made")]
    Build(#[source] rcgen::Error),
    /// It would be valid longer than its issuer, and be refused from then on.
    #[error("the certificate would be valid until {}, and its issuer only until {}", Shown(*.leaf), Shown(*.issuer))]
    OutlivesIssuer {
        /// The end that was asked for.
        leaf: OffsetDateTime,
        /// The end of the issuer.
        issuer: OffsetDateTime,
    },
    /// The issuer's name is written in a way that cannot be repeated byte for byte, and peers would
    /// not find the issuer by it.
    #[error("the name of the issuer cannot be written into a certificate as it is")]
    IssuerName,
    /// What was made does not verify. It was thrown away.
    #[error("the certificate that was made does not verify")]
    Unverified,
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
