//! The cryptography: ring, and one algorithm that ring lacks. go-plugin peers have P-521
//! certificates, whose signatures we must verify.
//!
//! Verifying touches no secret, so that the P-521 arithmetic need not run in constant time. Keys of
//! our own are P-256 and ring's.

use std::sync::{Arc, LazyLock};

use p521::ecdsa::signature::Verifier;
use p521::ecdsa::{DerSignature, VerifyingKey};
use rustls::SignatureScheme;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

/// ECDSA over P-521 with SHA-512 (RFC 8446, section 4.2.3: `ecdsa_secp521r1_sha512`).
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

/// What a peer may sign its handshake with: all that ring verifies, and P-521.
pub(super) static ALGORITHMS: LazyLock<WebPkiSupportedAlgorithms> = LazyLock::new(|| {
    let base = ring::default_provider().signature_verification_algorithms;
    // rustls wants them for the life of the process; this runs once.
    WebPkiSupportedAlgorithms {
        all: [base.all, P521].concat().leak(),
        mapping: [&[(SignatureScheme::ECDSA_NISTP521_SHA512, P521)], base.mapping].concat().leak(),
    }
});

/// The provider for every configuration of this crate. It is never installed as the process's
/// default.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider { signature_verification_algorithms: *ALGORITHMS, ..ring::default_provider() })
    });
    Arc::clone(&PROVIDER)
}
