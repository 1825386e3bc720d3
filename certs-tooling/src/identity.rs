//! The identity of one TLS endpoint: a host, which connects, or a plugin, which accepts
//! connections. Never both, and never a CA.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use rcgen::{ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};

use crate::files::{self, FileError, Written};
use crate::issue::{self, IssueError};
use crate::key::{KeyAlgorithm, PrivateKey};
use crate::name::{AlternativeName, CommonName};
use crate::validity::{Lifetime, Validity};
use crate::{Ca, Certificate};

mod sealed {
    pub trait Sealed {}
}

/// Which end an [`Identity`] is: [`Host`] or [`Plugin`].
pub trait Role: sealed::Sealed {
    /// The name of the role, and the base name of its files.
    const NAME: &'static str;

    #[doc(hidden)]
    fn purpose() -> ExtendedKeyUsagePurpose;
}

/// The role of a host: it opens connections, and its certificate says `clientAuth`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Host;

/// The role of a plugin: it accepts connections, and its certificate says `serverAuth`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Plugin;

impl sealed::Sealed for Host {}
impl sealed::Sealed for Plugin {}

impl Role for Host {
    const NAME: &'static str = "host";

    fn purpose() -> ExtendedKeyUsagePurpose {
        ExtendedKeyUsagePurpose::ClientAuth
    }
}

impl Role for Plugin {
    const NAME: &'static str = "plugin";

    fn purpose() -> ExtendedKeyUsagePurpose {
        ExtendedKeyUsagePurpose::ServerAuth
    }
}

/// The names, lifetime and key algorithm of a new identity.
#[derive(Debug, Clone)]
pub struct Request {
    name: CommonName,
    alternative_names: Vec<AlternativeName>,
    lifetime: Lifetime,
    algorithm: KeyAlgorithm,
}

impl Request {
    /// A common name for people, and a subject alternative name that peers check. The lifetime is
    /// 30 days and the key P-256.
    pub fn new(name: CommonName, alternative_name: AlternativeName) -> Self {
        let (lifetime, algorithm) = Default::default();
        Self { name, alternative_names: vec![alternative_name], lifetime, algorithm }
    }

    /// Adds another subject alternative name.
    pub fn allow_alternative_name(mut self, name: AlternativeName) -> Self {
        self.alternative_names.push(name);
        self
    }

    /// Sets the lifetime. It must end before the CA's does.
    pub fn with_lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the key algorithm.
    pub fn with_key_algorithm(mut self, algorithm: KeyAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }
}

/// A key and a certificate for one role, issued by a [`Ca`].
pub struct Identity<R: Role> {
    key: PrivateKey,
    certificate: Certificate,
    role: PhantomData<R>,
}

/// The endpoint that connects.
pub type HostIdentity = Identity<Host>;

/// The endpoint that accepts connections.
pub type PluginIdentity = Identity<Plugin>;

impl<R: Role> Identity<R> {
    /// Creates a key, and a certificate for it signed by `ca`.
    ///
    /// # Errors
    ///
    /// [`IssueError::OutlivesIssuer`]; other errors are bugs or a lack of randomness.
    pub fn issue(request: &Request, ca: &Ca) -> Result<Self, IssueError> {
        let key = PrivateKey::generate(request.algorithm)?;
        let signer = key.signer()?;
        let name = issue::common_name(request.name.as_str());
        let mut params = issue::parameters(name, Validity::from_now(request.lifetime), &signer)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names =
            request.alternative_names.iter().map(AlternativeName::san).collect::<Result<_, _>>()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![R::purpose()];
        let certificate = ca.sign(&params, &signer)?;
        Ok(Self { key, certificate, role: PhantomData })
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Writes the certificate and the key into `directory`, which is created if needed:
    /// `host.pem` and `host-key.pem`, or `plugin.pem` and `plugin-key.pem`.
    ///
    /// # Errors
    ///
    /// [`FileError`]. Existing files are never overwritten; no partial file is left behind.
    pub fn write(&self, directory: &Path) -> Result<Written, FileError> {
        files::write_pair(directory, R::NAME, &self.certificate, &self.key)
    }
}

impl<R: Role> fmt::Debug for Identity<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, {}, [secret key elided])", R::NAME, self.certificate.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::{Authority, Inspection, SelfSigned};

    fn ca(days: u16) -> Ca {
        Ca::new(&"A CA".parse().unwrap(), Lifetime::days(days).unwrap(), KeyAlgorithm::P256).unwrap()
    }

    fn request() -> Request {
        Request::new("kv".parse().unwrap(), "localhost".parse().unwrap())
    }

    #[test]
    fn each_role_has_one_purpose_without_ca() {
        let ca = ca(365);
        let request = request().allow_alternative_name("::1".parse().unwrap());
        let host = Inspection::of(HostIdentity::issue(&request, &ca).unwrap().certificate()).unwrap();
        let plugin = Inspection::of(PluginIdentity::issue(&request, &ca).unwrap().certificate()).unwrap();
        assert_eq!(host.extended_key_usages, ["clientAuth"]);
        assert_eq!(plugin.extended_key_usages, ["serverAuth"]);
        for seen in [host, plugin] {
            assert_eq!(seen.authority, Authority::None);
            assert_eq!(seen.key_usages, ["digitalSignature"]);
            assert_eq!(seen.self_signed, SelfSigned::No);
            assert_eq!((seen.subject.as_str(), seen.issuer.as_str()), ("CN=kv", "CN=A CA"));
            assert_eq!(seen.alternative_names, ["DNS:localhost", "IP:::1"]);
            assert_eq!(seen.remarks, []);
            assert_eq!(seen.serial.len(), 2 * issue::SERIAL_LENGTH);
        }
    }

    #[test]
    fn identity_never_outlives_its_ca() {
        let ca = ca(30);
        HostIdentity::issue(&request().with_lifetime(Lifetime::days(29).unwrap()), &ca).unwrap();
        let error = HostIdentity::issue(&request().with_lifetime(Lifetime::days(31).unwrap()), &ca).unwrap_err();
        assert!(matches!(error, IssueError::OutlivesIssuer { .. }), "{error}");
    }

    #[test]
    fn debug_output_elides_secrets() {
        let ca = ca(31);
        let host = HostIdentity::issue(&request(), &ca).unwrap();
        let launch = crate::AutoMtls::generate(crate::Profile::GoPlugin).unwrap();
        for (shown, key) in [
            (format!("{:?} {:?}", ca, ca.key()), ca.key()),
            (format!("{:?} {:?}", host, host.key()), host.key()),
            (format!("{:?} {:?}", launch, launch.key()), launch.key()),
        ] {
            assert!(shown.contains("elided"), "{shown}");
            let bytes = format!("{:?}", key.pkcs8_der());
            // The last bytes of PKCS #8 are the public key's, which is in the certificate; the
            // first are the secret's neighbours.
            let secret = bytes.trim_matches(['[', ']']).split(", ").skip(36).take(8).collect::<Vec<_>>().join(", ");
            assert!(!shown.contains(&secret), "{shown}");
            let lines: Vec<_> = key.pem().lines().filter(|line| !line.starts_with('-')).collect();
            assert!(lines.len() >= 2 && lines.iter().all(|line| !shown.contains(line)), "{shown}");
        }
    }
}
