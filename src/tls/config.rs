//! The TLS configuration of one launch, for either end, and the cryptography behind it. No option
//! weakens it.

use std::sync::{Arc, LazyLock};

use p521::ecdsa::signature::Verifier;
use p521::ecdsa::{DerSignature, VerifyingKey};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig, SignatureScheme};

use super::{Identity, Pin, TlsError};

/// The ALPN name of HTTP/2 (RFC 9113, section 3.2). Newer gRPC peers refuse a connection without
/// it.
pub(crate) const ALPN: &[u8] = b"h2";

/// The host's end: presents `identity`, and accepts only the owner of the pinned certificate.
pub(crate) fn client(identity: &Identity, pin: &Pin) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::identity)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pin.clone()))
        .with_client_cert_resolver(identity.resolver());
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Resumption skips the certificate (RFC 8446, section 2.2).
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// The plugin's end: presents `identity`, requires a client certificate, and accepts only the owner
/// of the pinned one.
pub(crate) fn server(identity: &Identity, pin: &Pin) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::identity)?
        .with_client_cert_verifier(Arc::new(pin.clone()))
        .with_cert_resolver(identity.resolver());
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Verifies ECDSA over P-521 with SHA-512 (RFC 8446, section 4.2.3: `ecdsa_secp521r1_sha512`). ring
/// cannot, and go-plugin makes its certificates with such keys.
///
/// Verifying touches no secret, so the arithmetic need not run in constant time. This crate's own
/// keys are P-256, and ring signs with them.
#[derive(Debug)]
struct EcdsaP521Sha512;

static P521: &[&dyn SignatureVerificationAlgorithm] = &[&EcdsaP521Sha512];

impl SignatureVerificationAlgorithm for EcdsaP521Sha512 {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = DerSignature::from_bytes(signature).map_err(|_| InvalidSignature)?;
        key.verify(message, &signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA512
    }
}

/// The algorithms with which a peer may sign its handshake: those of ring, and P-521.
pub(super) static ALGORITHMS: LazyLock<WebPkiSupportedAlgorithms> = LazyLock::new(|| {
    let base = ring::default_provider().signature_verification_algorithms;
    // rustls takes `&'static` slices. This runs once per process.
    WebPkiSupportedAlgorithms {
        all: [base.all, P521].concat().leak(),
        mapping: [&[(SignatureScheme::ECDSA_NISTP521_SHA512, P521)], base.mapping].concat().leak(),
    }
});

/// The provider of both configurations. Never installed as the default of the process, which
/// belongs to the application.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider { signature_verification_algorithms: *ALGORITHMS, ..ring::default_provider() })
    });
    Arc::clone(&PROVIDER)
}
