//! The facts in a certificate, and remarks about them. Trusts nothing and decides nothing.
//!
//! All text in an [`Inspection`] is escaped with `portcullis::Escaped`, and safe to print.

mod algorithm;
mod check;
mod names;
mod remark;
mod show;
mod usage;

use portcullis::Digest;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::Certificate;
use crate::source::CERTIFICATE_LIMIT;

pub(crate) use check::check_issued;
pub use remark::Remark;
pub(crate) use usage::KEY_CERT_SIGN;

/// The facts of one certificate.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Inspection {
    /// The subject.
    pub subject: String,
    /// The issuer that it names.
    pub issuer: String,
    /// The serial number in hexadecimal.
    pub serial: String,
    /// Start of the validity.
    pub not_before: OffsetDateTime,
    /// End of the validity, inclusive.
    pub not_after: OffsetDateTime,
    /// The subject alternative names, each after its kind (`DNS:localhost`).
    pub alternative_names: Vec<String>,
    /// The public key.
    pub key: Key,
    /// The signature algorithm.
    pub signature_algorithm: String,
    /// The key usages, by their names in RFC 5280, section 4.2.1.3; empty without the extension.
    pub key_usages: Vec<&'static str>,
    /// The extended key usages, by their names in RFC 5280, section 4.2.1.12, or by object
    /// identifier; empty without the extension.
    pub extended_key_usages: Vec<String>,
    /// The subject key identifier in hexadecimal, if there is one (RFC 5280, section 4.2.1.2).
    pub key_identifier: Option<String>,
    /// Whether it may issue certificates.
    pub authority: Authority,
    /// Whether its own key signed it.
    pub self_signed: SelfSigned,
    /// The SHA-256 of the whole certificate.
    pub fingerprint: Digest,
    /// The SHA-256 of the SubjectPublicKeyInfo, which stays the same when a certificate is renewed
    /// for the same key.
    pub key_fingerprint: Digest,
    /// Remarks for people.
    pub remarks: Vec<Remark>,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// The algorithm, for elliptic curves the curve; an object identifier if it is unknown here.
    pub algorithm: String,
    /// Its size in bits, or 0 if unknown.
    pub bits: usize,
}

/// The basic constraints (RFC 5280, section 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authority {
    /// Not a CA, or no basic constraints.
    None,
    /// A CA.
    Ca {
        /// How many CAs may follow below it; `None` means unlimited.
        path_length: Option<u32>,
    },
}

/// Whether a certificate is signed by its own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelfSigned {
    /// It names another issuer.
    No,
    /// It names itself as its issuer, and its key signed it.
    Yes,
    /// It names itself as its issuer, with a signature that cannot be verified here.
    Unproven,
    /// It names itself as its issuer, but its key did not sign it.
    Refuted,
}

impl Inspection {
    /// Inspects a certificate at the current time.
    ///
    /// # Errors
    ///
    /// As [`Inspection::at`].
    pub fn of(certificate: &Certificate) -> Result<Self, InspectError> {
        Self::at(certificate, OffsetDateTime::now_utc())
    }

    /// Inspects a certificate at the time `now`.
    ///
    /// # Errors
    ///
    /// [`InspectError`] if it is not an X.509 certificate.
    pub fn at(certificate: &Certificate, now: OffsetDateTime) -> Result<Self, InspectError> {
        let x509 = parse(certificate)?;
        let extensions = usage::Extensions::of(&x509);
        let key = algorithm::key(x509.public_key());
        let signature = algorithm::signature(&x509.signature_algorithm);
        let mut inspection = Self {
            subject: names::distinguished(x509.subject()),
            issuer: names::distinguished(x509.issuer()),
            serial: hexadecimal(x509.tbs_certificate.raw_serial()),
            not_before: x509.validity().not_before.to_datetime(),
            not_after: x509.validity().not_after.to_datetime(),
            alternative_names: extensions.alternative_names,
            key: key.facts,
            signature_algorithm: signature.name,
            key_usages: extensions.key_usages,
            extended_key_usages: extensions.extended_key_usages,
            key_identifier: extensions.key_identifier,
            authority: extensions.authority,
            self_signed: check::self_signed(&x509),
            fingerprint: certificate.fingerprint(),
            key_fingerprint: Digest::of(x509.public_key().raw),
            remarks: extensions.remarks,
        };
        inspection.remark(key.strength, signature.strength, now);
        Ok(inspection)
    }
}

/// A parsed certificate, without trailing bytes.
fn parse(certificate: &Certificate) -> Result<X509Certificate<'_>, InspectError> {
    let der = certificate.der();
    if der.len() > CERTIFICATE_LIMIT {
        return Err(InspectError::TooLarge { limit: CERTIFICATE_LIMIT });
    }
    match X509Certificate::from_der(der) {
        Ok(([], x509)) => Ok(x509),
        Ok((rest, _)) => Err(InspectError::Trailing { bytes: rest.len() }),
        Err(_) => Err(InspectError::Malformed),
    }
}

impl Certificate {
    /// The SubjectPublicKeyInfo in DER.
    pub(crate) fn key_of(&self) -> Result<Vec<u8>, InspectError> {
        parse(self).map(|x509| x509.public_key().raw.to_vec())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why bytes cannot be inspected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// There are too many.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// They are not an X.509 certificate in DER.
    #[error("not an X.509 certificate")]
    Malformed,
    /// Bytes follow the certificate, outside its signature.
    #[error("{bytes} extra bytes after the end of the certificate")]
    Trailing {
        /// The number of extra bytes.
        bytes: usize,
    },
}

impl InspectError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too-large",
            Self::Malformed => "malformed",
            Self::Trailing { .. } => "trailing-bytes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AutoMtls, Profile};

    fn certificate() -> Certificate {
        AutoMtls::generate(Profile::Portcullis).unwrap().certificate().clone()
    }

    #[test]
    fn damaged_certificate_never_panics() {
        let certificate = certificate();
        let der = certificate.der().to_vec();
        let body = parse(&certificate).unwrap().tbs_certificate.as_ref().len();
        // The body follows the four bytes of the outer header. Around it there are forms that the
        // parser takes as one.
        let signed = 4..4 + body;
        for length in 0..der.len() {
            assert_eq!(Inspection::of(&Certificate::new(der[..length].to_vec())).unwrap_err(), InspectError::Malformed);
        }
        for position in 0..der.len() {
            for value in [0x00, 0x30, 0x7f, 0x80, 0xff, der[position] ^ 1] {
                let mut changed = der.clone();
                changed[position] = value;
                if let Ok(seen) = Inspection::of(&Certificate::new(changed.clone())) {
                    let holds = changed == der || !signed.contains(&position);
                    assert!(holds || seen.self_signed != SelfSigned::Yes, "byte {position} is not signed");
                }
            }
        }
    }

    #[test]
    fn bytes_after_a_certificate_are_refused() {
        let der = [certificate().der().to_vec(), vec![0; 3]].concat();
        assert_eq!(Inspection::of(&Certificate::new(der)).unwrap_err(), InspectError::Trailing { bytes: 3 });
    }

    #[test]
    fn dates_are_checked_against_the_given_clock() {
        let certificate = certificate();
        let seen = Inspection::of(&certificate).unwrap();
        let second = std::time::Duration::from_secs(1);
        let remarks = |now| Inspection::at(&certificate, now).unwrap().remarks;
        assert_eq!(remarks(seen.not_before), []);
        assert_eq!(remarks(seen.not_after), []);
        assert_eq!(remarks(seen.not_after + second), [Remark::Expired]);
        assert_eq!(remarks(seen.not_before - second), [Remark::NotYetValid]);
    }
}
