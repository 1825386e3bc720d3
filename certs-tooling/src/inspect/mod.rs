//! What is in a certificate, whoever made it, and what a person should know of it. Trusts nothing
//! and decides nothing.
//!
//! All text in an [`Inspection`] was passed through `portcullis::Escaped` and is safe to show.

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
    /// Whose certificate it says it is.
    pub subject: String,
    /// Who it says vouches for it.
    pub issuer: String,
    /// The serial number in hexadecimal digits.
    pub serial: String,
    /// From when it is valid.
    pub not_before: OffsetDateTime,
    /// Until when it is valid, that second included.
    pub not_after: OffsetDateTime,
    /// Under which names peers may look for its owner, each with its kind in front
    /// (`DNS:localhost`).
    pub alternative_names: Vec<String>,
    /// The public key.
    pub key: Key,
    /// How it is signed.
    pub signature_algorithm: String,
    /// What the key may be used for; empty if nothing is said (RFC 5280, section 4.2.1.3, in its
    /// words).
    pub key_usages: Vec<&'static str>,
    /// For what purposes; empty if nothing is said (RFC 5280, section 4.2.1.12, in its words, or
    /// the number of the purpose).
    pub extended_key_usages: Vec<String>,
    /// The identifier of the key in hexadecimal digits, if there is one (RFC 5280, section
    /// 4.2.1.2).
    pub key_identifier: Option<String>,
    /// Whether it may issue others.
    pub authority: Authority,
    /// Whether its own key signed it.
    pub self_signed: SelfSigned,
    /// The SHA-256 of the whole certificate.
    pub fingerprint: Digest,
    /// The SHA-256 of the public key with its algorithm (SubjectPublicKeyInfo), which stays when a
    /// certificate is renewed.
    pub key_fingerprint: Digest,
    /// What else a person should know.
    pub remarks: Vec<Remark>,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// The algorithm, or for elliptic curves the curve; the number of the algorithm if it has no
    /// name here.
    pub algorithm: String,
    /// Its size in bits, or 0 if that is not known.
    pub bits: usize,
}

/// What a certificate says about issuing others (RFC 5280, section 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authority {
    /// It says nothing, or that it may not.
    None,
    /// It may.
    Ca {
        /// How many CAs may follow below it; any number if nothing is said.
        path_length: Option<u32>,
    },
}

/// Whether a certificate was signed with its own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelfSigned {
    /// It names another as its issuer.
    No,
    /// It names itself, and its key signed it.
    Yes,
    /// It names itself, and is signed in a way that cannot be verified here.
    Unproven,
    /// It names itself, and its key did not sign it.
    Refuted,
}

impl Inspection {
    /// Looks at a certificate today.
    ///
    /// # Errors
    ///
    /// As [`Inspection::at`].
    pub fn of(certificate: &Certificate) -> Result<Self, InspectError> {
        Self::at(certificate, OffsetDateTime::now_utc())
    }

    /// Looks at a certificate as if it were `now`.
    ///
    /// # Errors
    ///
    /// [`InspectError`] if it is no certificate.
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

/// A certificate taken apart: all of its bytes.
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

/// Why nothing can be said about bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// They are too many.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// How many there may be.
        limit: usize,
    },
    /// They are no X.509 certificate in DER.
    #[error("no X.509 certificate")]
    Malformed,
    /// There is something after the certificate, which nobody signed.
    #[error("{bytes} bytes after the end of the certificate")]
    Trailing {
        /// How many bytes.
        bytes: usize,
    },
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
    fn what_follows_a_certificate_is_not_ignored() {
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
