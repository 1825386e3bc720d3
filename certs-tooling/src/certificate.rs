//! One certificate as bytes, and its encodings. Does not parse it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use portcullis::Digest;
use rustls_pki_types::CertificateDer;

/// A certificate. It is public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate(CertificateDer<'static>);

impl Certificate {
    pub(crate) fn new(der: impl Into<CertificateDer<'static>>) -> Self {
        Self(der.into())
    }

    /// The certificate in DER.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.0
    }

    /// The certificate in PEM (RFC 7468), ending in a line feed: the value of `PLUGIN_CLIENT_CERT`.
    pub fn pem(&self) -> String {
        let text = STANDARD.encode(&self.0);
        let lines = text.as_bytes().chunks(64).flat_map(|line| [str::from_utf8(line).unwrap_or_default(), "\n"]);
        ["-----BEGIN CERTIFICATE-----\n"].into_iter().chain(lines).chain(["-----END CERTIFICATE-----\n"]).collect()
    }

    /// The certificate as the sixth field of a handshake line: Base64 of the DER, without padding.
    pub fn handshake_field(&self) -> String {
        STANDARD_NO_PAD.encode(&self.0)
    }

    /// The SHA-256 of the DER.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.0)
    }
}
