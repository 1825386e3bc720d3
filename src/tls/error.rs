//! Why the two ends of a connection did not prove who they are.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use super::pin::Mismatch;
use crate::Digest;

/// The plugin's connection could not be secured. If the plugin was started, it was killed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No key or certificate could be made for this launch, or TLS could not be configured with it.
    #[error("no identity for this launch could be made")]
    Identity(#[source] Box<dyn Error + Send + Sync>),
    /// The peer presented another certificate than the one in its handshake line.
    #[error(
        "the plugin presented another certificate than it had announced\n  announced {expected}\n  presented {presented}"
    )]
    PinMismatch {
        /// The fingerprint of the pinned certificate.
        expected: Digest,
        /// The fingerprint of what was presented instead.
        presented: Digest,
    },
    /// The peer presented the right certificate without having its key.
    #[error("the plugin presented its certificate without proof that it owns the key")]
    NoProof,
    /// The peer refused this host's certificate.
    #[error(
        "the plugin refused this host's certificate ({alert}); it must accept exactly the one in PLUGIN_CLIENT_CERT"
    )]
    Rejected {
        /// The alert that it sent (RFC 8446, section 6.2).
        alert: String,
    },
    /// The peer does not speak TLS.
    #[error("the plugin's listener does not speak TLS although the plugin announced a certificate")]
    NotTls,
    /// The peer did not agree on HTTP/2.
    #[error("the plugin did not agree on HTTP/2 (ALPN h2)")]
    NoHttp2,
    /// The peer closed the connection in the middle of the TLS handshake, or right after it without
    /// a word.
    #[error("the plugin closed the connection during the TLS handshake")]
    Closed,
    /// Anything else that went wrong in TLS.
    #[error("the TLS handshake failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl TlsError {
    pub(super) fn identity(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Identity(error.into())
    }

    /// Whether the peer was refused, or refused us: as against a connection that broke.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::PinMismatch { .. } | Self::NoProof | Self::Rejected { .. } | Self::NotTls | Self::NoHttp2 => true,
            Self::Identity(_) | Self::Closed | Self::Failed(_) => false,
        }
    }

    /// The reason behind an error that a TLS stream returned.
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

/// The alerts with which a server says that it does not want this client (RFC 8446, section 6.2).
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
