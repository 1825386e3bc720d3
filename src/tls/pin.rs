//! Accepts exactly one certificate, and only from the owner of its key. The same check serves both
//! ends.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, SignatureScheme};

use super::KeyAlgorithm;
use super::config::ALGORITHMS;
use crate::Digest;
use crate::handshake::CertificateFault;

/// The peer's certificate, compared byte for byte. Refuses every other one, also one that this
/// certificate has signed, and a chain that contains it.
#[derive(Debug, Clone)]
pub(crate) struct Pin(CertificateDer<'static>);

impl Pin {
    /// Pins the certificate from a handshake line.
    pub(crate) fn new(der: Vec<u8>) -> Result<Self, CertificateFault> {
        let certificate = CertificateDer::from(der);
        // Parsed here for a clear error. In the TLS handshake the reason would be lost.
        match ParsedCertificate::try_from(&certificate) {
            Ok(_) => Ok(Self(certificate)),
            Err(_) => Err(CertificateFault::NotX509),
        }
    }

    /// Pins the only certificate in a PEM text, such as `PLUGIN_CLIENT_CERT`.
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, CertificateFault> {
        let mut certificates = CertificateDer::pem_slice_iter(pem);
        match (certificates.next(), certificates.next()) {
            (Some(Ok(certificate)), None) => Self::new(certificate.to_vec()),
            _ => Err(CertificateFault::NotX509),
        }
    }

    /// The SHA-256 of the certificate.
    pub(crate) fn fingerprint(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// The algorithm of the certificate's key.
    pub(crate) fn key(&self) -> KeyAlgorithm {
        // Cannot fail: `new` parsed it.
        let parsed = ParsedCertificate::try_from(&self.0);
        parsed.map_or(KeyAlgorithm::Other, |parsed| KeyAlgorithm::of(&parsed.subject_public_key_info()))
    }

    fn check(&self, presented: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<(), rustls::Error> {
        if *presented == self.0 && others.is_empty() {
            return Ok(());
        }
        let mismatch = Mismatch { expected: self.fingerprint(), presented: Digest::of(presented) };
        Err(CertificateError::Other(OtherError(Arc::new(mismatch))).into())
    }
}

/// The peer presented another certificate, or a chain.
#[derive(Debug, thiserror::Error)]
#[error("the peer's certificate {presented} is not the pinned one, {expected}")]
pub(super) struct Mismatch {
    pub(super) expected: Digest,
    pub(super) presented: Digest,
}

/// Fails. rustls never asks, because only TLS 1.3 is configured.
fn no_tls12() -> Result<HandshakeSignatureValid, rustls::Error> {
    Err(rustls::PeerIncompatible::Tls12NotOffered.into())
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(end_entity, intermediates)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}

impl ClientCertVerifier for Pin {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check(end_entity, intermediates)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}
