//! Why the two ends have no secure connection.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use super::pin::Mismatch;
use crate::digest::Digest;

/// The connection to the plugin could not be secured. If the plugin was started, the host killed
/// it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No key or certificate could be generated for this launch, or rustls rejected them.
    #[error("cannot create a key and certificate for this launch")]
    Identity(#[source] Box<dyn Error + Send + Sync>),
    /// The peer presented another certificate than the one in its handshake line.
    #[error(
        "the plugin presented another certificate than it announced\n  announced {expected}\n  presented {presented}"
    )]
    PinMismatch {
        /// The SHA-256 of the pinned certificate.
        expected: Digest,
        /// The SHA-256 of the presented certificate.
        presented: Digest,
    },
    /// The peer presented the pinned certificate without its key.
    #[error("the plugin presented its certificate without proof that it owns the key")]
    NoProof,
    /// The peer rejected this host's certificate.
    #[error(
        "the plugin rejected this host's certificate ({alert}); it must accept exactly the one in PLUGIN_CLIENT_CERT"
    )]
    Rejected {
        /// The alert that it sent (RFC 8446, section 6.2).
        alert: String,
    },
    /// The peer does not speak TLS.
    #[error("the plugin's listener does not speak TLS although the plugin announced a certificate")]
    NotTls,
    /// The peer did not select HTTP/2.
    #[error("the plugin did not select HTTP/2 (ALPN h2)")]
    NoHttp2,
    /// The peer closed the connection during the TLS handshake, or right after it without sending
    /// anything.
    #[error("the plugin closed the connection during the TLS handshake")]
    Closed,
    /// Any other error of TLS.
    #[error("the TLS handshake failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl TlsError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Identity(_) => "tls-identity",
            Self::PinMismatch { .. } => "certificate-mismatch",
            Self::NoProof => "certificate-without-key",
            Self::Rejected { .. } => "certificate-rejected",
            Self::NotTls => "not-tls",
            Self::NoHttp2 => "no-http2",
            Self::Closed => "tls-closed",
            Self::Failed(_) => "tls-failed",
        }
    }

    /// The expected value, if the error compares two.
    pub fn expected(&self) -> Option<String> {
        match self {
            Self::PinMismatch { expected, .. } => Some(expected.to_string()),
            Self::NoHttp2 => Some("h2".into()),
            _ => None,
        }
    }

    /// The value that was found instead.
    pub fn actual(&self) -> Option<String> {
        match self {
            Self::PinMismatch { presented, .. } => Some(presented.to_string()),
            _ => None,
        }
    }

    pub(super) fn identity(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Identity(error.into())
    }

    /// Whether one end rejected the other. `false` for a connection that broke.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::PinMismatch { .. } | Self::NoProof | Self::Rejected { .. } | Self::NotTls | Self::NoHttp2 => true,
            Self::Identity(_) | Self::Closed | Self::Failed(_) => false,
        }
    }

    /// Finds the cause of an error that a TLS stream returned.
    pub(crate) fn from_stream(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Closed;
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(reason) => Self::from_rustls(reason).unwrap_or_else(|| Self::Failed(error.into())),
            None => Self::Failed(error.into()),
        }
    }

    fn from_rustls(error: &rustls::Error) -> Option<Self> {
        Some(match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
                let Mismatch { expected, presented } = other.0.downcast_ref()?;
                Self::PinMismatch { expected: *expected, presented: *presented }
            }
            rustls::Error::InvalidCertificate(CertificateError::BadSignature) => Self::NoProof,
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotTls,
            rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => Self::NoHttp2,
            rustls::Error::AlertReceived(alert) if is_about_certificates(*alert) => {
                Self::Rejected { alert: format!("{alert:?}") }
            }
            _ => return None,
        })
    }
}

/// The alerts with which a server rejects a client's certificate (RFC 8446, section 6.2).
fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
    )
}
