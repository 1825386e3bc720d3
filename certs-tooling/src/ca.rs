//! A private certification authority: it issues identities, which can issue nothing themselves. It
//! is never a TLS endpoint.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyUsagePurpose, PublicKeyData};
use time::OffsetDateTime;

use crate::files::{self, FileError, Written};
use crate::inspect::{Authority, InspectError, Inspection, SelfSigned};
use crate::issue::{self, IssueError};
use crate::key::{KeyAlgorithm, KeyError, PrivateKey, Signer};
use crate::name::CommonName;
use crate::source::{self, SourceError};
use crate::validity::{Lifetime, Shown, Validity};
use crate::{Certificate, inspect};

/// The base name of a CA's files.
const NAME: &str = "ca";

/// A private CA. It can issue identities, whose certificates can issue nothing.
#[derive(Debug)]
pub struct Ca {
    key: PrivateKey,
    certificate: Certificate,
    not_after: OffsetDateTime,
}

impl Ca {
    /// Creates a CA with a new key.
    ///
    /// # Errors
    ///
    /// [`IssueError::Key`] without randomness; other errors are bugs.
    pub fn new(name: &CommonName, lifetime: Lifetime, algorithm: KeyAlgorithm) -> Result<Self, IssueError> {
        let key = PrivateKey::generate(algorithm)?;
        let signer = key.signer()?;
        let validity = Validity::from_now(lifetime);
        let mut params = issue::parameters(issue::common_name(name.as_str()), validity, &signer)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = Certificate::new(params.self_signed(&signer)?);
        Ok(Self { key, certificate, not_after: validity.not_after })
    }

    /// Loads an existing CA, made by this library or another tool.
    ///
    /// # Errors
    ///
    /// [`CaError`] if `certificate` is not one certificate in PEM of a CA that may issue today, or
    /// `key` is not its key.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, CaError> {
        let certificate = match <[Certificate; 1]>::try_from(source::parse(certificate)?) {
            Ok([certificate]) => certificate,
            Err(several) => return Err(CaError::Several { found: several.len() }),
        };
        let now = OffsetDateTime::now_utc();
        let inspection = Inspection::at(&certificate, now)?;
        may_issue(&inspection, now)?;
        let key = PrivateKey::from_pem(key)?;
        if Certificate::key_of(&certificate)? != key.signer()?.subject_public_key_info() {
            return Err(CaError::OtherKey);
        }
        Ok(Self { key, certificate, not_after: inspection.not_after })
    }

    /// Reads `ca.pem` and `ca-key.pem` from `directory`, as [`Ca::write`] leaves them there.
    ///
    /// # Errors
    ///
    /// As [`Ca::from_pem`]; also if a file cannot be read, is too large, or holds a key that other
    /// users may read.
    pub fn open(directory: &Path) -> Result<Self, CaError> {
        let certificate = source::read_bytes(&directory.join(files::certificate_name(NAME)))?;
        let key = source::read_secret(&directory.join(files::key_name(NAME)))?;
        Self::from_pem(&certificate, &key)
    }

    /// Writes `ca.pem` and `ca-key.pem` into `directory`, which is created if needed.
    ///
    /// # Errors
    ///
    /// [`FileError`]. Existing files are never overwritten; no partial file is left behind.
    pub fn write(&self, directory: &Path) -> Result<Written, FileError> {
        files::write_pair(directory, NAME, &self.certificate, &self.key)
    }

    /// The CA's certificate, which the peers of its identities trust.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The CA's key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Signs a certificate for `subject` and verifies the result.
    pub(crate) fn sign(&self, params: &CertificateParams, subject: &Signer) -> Result<Certificate, IssueError> {
        if params.not_after > self.not_after {
            return Err(IssueError::OutlivesIssuer { leaf: params.not_after, issuer: self.not_after });
        }
        let issuer = Issuer::from_ca_cert_der(self.certificate.der(), self.key.signer()?)?;
        let certificate = Certificate::new(params.signed_by(subject, &issuer)?);
        inspect::check_issued(&certificate, &self.certificate)?;
        Ok(certificate)
    }
}

fn may_issue(inspection: &Inspection, now: OffsetDateTime) -> Result<(), CaError> {
    if !matches!(inspection.authority, Authority::Ca { .. }) {
        return Err(CaError::NotCa);
    }
    if inspection.self_signed == SelfSigned::Refuted {
        return Err(CaError::Refuted);
    }
    if inspection.key_identifier.is_none() {
        return Err(CaError::NoKeyIdentifier);
    }
    if !inspection.key_usages.contains(&inspect::KEY_CERT_SIGN) {
        return Err(CaError::MayNotSign);
    }
    if now < inspection.not_before || now > inspection.not_after {
        return Err(CaError::NotNow { not_before: inspection.not_before, not_after: inspection.not_after });
    }
    Ok(())
}

/// Why two files cannot be used as a CA.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// A file cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The certificate cannot be understood.
    #[error("the certificate of the CA")]
    Certificate(#[from] InspectError),
    /// The file holds more than one certificate.
    #[error("expected one certificate of a CA, found {found}")]
    Several {
        /// The number of certificates.
        found: usize,
    },
    /// The certificate is not that of a CA.
    #[error("the certificate is not that of a CA")]
    NotCa,
    /// The certificate claims to be self-signed, but its signature does not verify: it was changed.
    #[error("the certificate of the CA claims to be self-signed, but its signature does not verify")]
    Refuted,
    /// The certificate has no subject key identifier, by which identities refer to it (RFC 5280,
    /// section 4.2.1.2).
    #[error("the certificate of the CA has no subject key identifier")]
    NoKeyIdentifier,
    /// The key usage does not allow signing certificates (RFC 5280, section 4.2.1.3:
    /// `keyCertSign`).
    #[error("the key usage of the CA does not allow it to sign certificates")]
    MayNotSign,
    /// The CA is not valid today.
    #[error("the CA is valid from {} to {}", Shown(*.not_before), Shown(*.not_after))]
    NotNow {
        /// Start of the validity.
        not_before: OffsetDateTime,
        /// End of the validity, inclusive.
        not_after: OffsetDateTime,
    },
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key does not belong to the certificate.
    #[error("the key does not belong to the certificate of the CA")]
    OtherKey,
}

impl CaError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Source(error) => error.code(),
            Self::Certificate(error) => error.code(),
            Self::Several { .. } => "several-certificates",
            Self::NotCa => "not-a-ca",
            Self::Refuted => "signature-mismatch",
            Self::NoKeyIdentifier => "no-key-identifier",
            Self::MayNotSign => "may-not-sign",
            Self::NotNow { .. } => "not-valid-now",
            Self::Key(error) => error.code(),
            Self::OtherKey => "key-mismatch",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ca(name: &str) -> Ca {
        Ca::new(&name.parse().unwrap(), Lifetime::days(2).unwrap(), KeyAlgorithm::P256).unwrap()
    }

    #[test]
    fn new_ca_may_only_sign_certificates() {
        for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::Ed25519] {
            let ca = Ca::new(&"A CA".parse().unwrap(), Lifetime::default(), algorithm).unwrap();
            let seen = Inspection::of(ca.certificate()).unwrap();
            assert_eq!(seen.authority, Authority::Ca { path_length: Some(0) });
            assert_eq!(seen.key_usages, ["keyCertSign"]);
            assert_eq!(seen.extended_key_usages, [""; 0]);
            assert_eq!(seen.alternative_names, [""; 0]);
            assert_eq!(seen.remarks, []);
        }
    }

    #[test]
    fn ca_loads_only_with_its_own_key() {
        let (one, other) = (ca("one"), ca("two"));
        let (pem, key) = (one.certificate().pem(), one.key().pem().as_bytes());
        assert_eq!(Ca::from_pem(pem.as_bytes(), key).unwrap().certificate(), one.certificate());
        let refused = |certificate: &str, key: &[u8]| Ca::from_pem(certificate.as_bytes(), key).unwrap_err();
        assert!(matches!(refused(&pem, other.key().pem().as_bytes()), CaError::OtherKey));
        assert!(matches!(refused(&(pem.clone() + &other.certificate().pem()), key), CaError::Several { found: 2 }));
        assert!(matches!(refused(&pem, b"no key"), CaError::Key(KeyError::Pem(_))));
    }

    #[test]
    fn changed_ca_certificate_is_refused() {
        let ca = ca("the right name");
        let mut der = ca.certificate().der().to_vec();
        let name = b"the right name";
        // In the subject and in the issuer.
        for position in (0..der.len()).filter(|position| der[*position..].starts_with(name)).collect::<Vec<_>>() {
            der[position..][..name.len()].copy_from_slice(b"the wrong name");
        }
        let changed = Certificate::new(der).pem();
        let error = Ca::from_pem(changed.as_bytes(), ca.key().pem().as_bytes()).unwrap_err();
        assert!(matches!(error, CaError::Refuted), "{error}");
    }

    #[test]
    fn leaf_certificate_is_refused_as_ca() {
        let leaf = crate::AutoMtls::generate(crate::Profile::Portcullis).unwrap();
        let error = Ca::from_pem(leaf.certificate().pem().as_bytes(), leaf.key().pem().as_bytes()).unwrap_err();
        assert!(matches!(error, CaError::NotCa), "{error}");
    }

    #[test]
    fn invalid_or_expired_ca_issues_nothing() {
        let ca = ca("CA");
        let seen = |change: &dyn Fn(&mut Inspection)| {
            let mut inspection = Inspection::of(ca.certificate()).unwrap();
            change(&mut inspection);
            may_issue(&inspection, OffsetDateTime::now_utc())
        };
        assert!(seen(&|_| {}).is_ok());
        assert!(matches!(seen(&|seen| seen.key_usages.clear()), Err(CaError::MayNotSign)));
        assert!(matches!(seen(&|seen| seen.key_identifier = None), Err(CaError::NoKeyIdentifier)));
        let hour = std::time::Duration::from_secs(3600);
        let past = OffsetDateTime::now_utc() - hour;
        assert!(matches!(seen(&|seen| seen.not_after = past), Err(CaError::NotNow { .. })));
        let future = OffsetDateTime::now_utc() + hour;
        assert!(matches!(seen(&|seen| seen.not_before = future), Err(CaError::NotNow { .. })));
    }
}
