//! The key and certificate of one launch, created by hand to debug a launch. Launches nothing.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use rcgen::{DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose};

use crate::Certificate;
use crate::files::{self, FileError, Written};
use crate::go_plugin;
use crate::issue::{self, IssueError, LOCALHOST};
use crate::key::{KeyAlgorithm, PrivateKey};
use crate::validity::Validity;

/// The base name of the two files.
const NAME: &str = "auto-mtls";

/// The validity of the runtime's own certificates.
const BACKDATED: Duration = Duration::from_secs(60 * 60);
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The certificate profile of a launch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// As this runtime creates it: P-256, not a CA, ten years.
    #[default]
    Portcullis,
    /// As go-plugin creates it: P-521, a CA used as a TLS endpoint, thirty years.
    GoPlugin,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portcullis => "portcullis",
            Self::GoPlugin => "go-plugin",
        })
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        [Self::Portcullis, Self::GoPlugin].into_iter().find(|profile| profile.to_string() == text).ok_or(ProfileError)
    }
}

/// A text that does not name a [`Profile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected portcullis or go-plugin")]
#[non_exhaustive]
pub struct ProfileError;

/// A key and a self-signed certificate for one launch.
///
/// A host puts [`Certificate::pem`] into `PLUGIN_CLIENT_CERT`; a plugin prints
/// [`Certificate::handshake_field`].
///
/// # Security
///
/// The runtime keeps such keys in memory and never writes them. A key in a file is for debugging:
/// anyone who can read it can act as the peer.
#[derive(Debug)]
pub struct AutoMtls {
    key: PrivateKey,
    certificate: Certificate,
}

impl AutoMtls {
    /// Creates a key and a certificate for it.
    ///
    /// # Errors
    ///
    /// [`IssueError::Key`] without randomness; other errors are bugs.
    pub fn generate(profile: Profile) -> Result<Self, IssueError> {
        match profile {
            Profile::Portcullis => Self::portcullis(),
            Profile::GoPlugin => {
                let (key, certificate) = go_plugin::generate()?;
                Ok(Self { key, certificate })
            }
        }
    }

    fn portcullis() -> Result<Self, IssueError> {
        let key = PrivateKey::generate(KeyAlgorithm::P256)?;
        let signer = key.signer()?;
        let mut name = rcgen::DistinguishedName::new();
        // In the order of the runtime's own certificates.
        name.push(DnType::CommonName, LOCALHOST);
        name.push(DnType::OrganizationName, "Portcullis");
        let mut params = issue::parameters(name, Validity::around_now(BACKDATED, LIFETIME), &signer)?;
        params.subject_alt_names = vec![rcgen::SanType::DnsName(LOCALHOST.try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = Certificate::new(params.self_signed(&signer)?);
        Ok(Self { key, certificate })
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Writes `auto-mtls.pem` and `auto-mtls-key.pem` into `directory`, which is created if needed.
    ///
    /// # Errors
    ///
    /// [`FileError`]. Existing files are never overwritten; no partial file is left behind.
    pub fn write(&self, directory: &Path) -> Result<Written, FileError> {
        files::write_pair(directory, NAME, &self.certificate, &self.key)
    }
}
