//! Which key signed a certificate. Builds no chains and decides no trust.

use p521::ecdsa::signature::Verifier;
use p521::ecdsa::{DerSignature, VerifyingKey};
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{Key, SelfSigned, algorithm, parse};
use crate::Certificate;
use crate::issue::IssueError;

/// Whether `certificate` names `issuer` as its issuer, and the issuer's key signed it.
pub(crate) fn check_issued(certificate: &Certificate, issuer: &Certificate) -> Result<(), IssueError> {
    let unverified = |_| IssueError::Unverified;
    let (certificate, issuer) = (parse(certificate).map_err(unverified)?, parse(issuer).map_err(unverified)?);
    if certificate.issuer().as_raw() != issuer.subject().as_raw() {
        return Err(IssueError::IssuerName);
    }
    verify(&certificate, issuer.public_key()).map_err(|_| IssueError::Unverified)
}

pub(super) fn self_signed(x509: &X509Certificate<'_>) -> SelfSigned {
    if x509.issuer().as_raw() != x509.subject().as_raw() {
        return SelfSigned::No;
    }
    match verify(x509, x509.public_key()) {
        Ok(()) => SelfSigned::Yes,
        Err(X509Error::SignatureUnsupportedAlgorithm) => SelfSigned::Unproven,
        Err(_) => SelfSigned::Refuted,
    }
}

fn verify(x509: &X509Certificate<'_>, key: &SubjectPublicKeyInfo<'_>) -> Result<(), X509Error> {
    // The algorithm is encoded twice, but only the inner copy is signed, so both must be equal
    // (RFC 5280, section 4.1.1.2). A signature has a whole number of bytes.
    let whole = x509.signature_value.unused_bits == 0 && key.subject_public_key.unused_bits == 0;
    if !whole || x509.signature_algorithm != x509.tbs_certificate.signature {
        return Err(X509Error::SignatureVerificationError);
    }
    let name = algorithm::signature(&x509.signature_algorithm).name;
    let facts = algorithm::key(key).facts;
    // ring verifies every other algorithm, but has no P-521.
    if facts.algorithm == "P-521" && name == "ecdsa-with-SHA512" {
        return verify_p521(x509, key).ok_or(X509Error::SignatureVerificationError);
    }
    if !is_verified_by_ring(&facts, &name) {
        return Err(X509Error::SignatureUnsupportedAlgorithm);
    }
    x509.verify_signature(Some(key))
}

/// Whether a failed verification proves a wrong signature. ring returns the same error for RSA keys
/// outside its size limits, and for PSS with a salt length that it does not support.
fn is_verified_by_ring(key: &Key, signature: &str) -> bool {
    match (key.algorithm.as_str(), signature) {
        (_, "rsassaPss") => false,
        ("RSA", "sha1WithRSAEncryption") => (1024..=8192).contains(&key.bits),
        ("RSA", _) => (2048..=8192).contains(&key.bits),
        _ => true,
    }
}

fn verify_p521(x509: &X509Certificate<'_>, key: &SubjectPublicKeyInfo<'_>) -> Option<()> {
    let key = VerifyingKey::from_sec1_bytes(&key.subject_public_key.data).ok()?;
    let signature = DerSignature::from_bytes(&x509.signature_value.data).ok()?;
    key.verify(x509.tbs_certificate.as_ref(), &signature).ok()
}

#[cfg(test)]
mod tests {
    use rcgen::SigningKey;

    use super::*;
    use crate::inspect::Inspection;
    use crate::{KeyAlgorithm, Lifetime, PrivateKey, issue, validity::Validity};

    /// What `change` makes of the body of a self-signed certificate, signed anew by its key, with
    /// `unused` bits in the signature.
    fn signed(change: impl Fn(&mut Vec<u8>), unused: u8) -> SelfSigned {
        let key = PrivateKey::generate(KeyAlgorithm::P256).unwrap().signer().unwrap();
        let validity = Validity::from_now(Lifetime::default());
        let params = issue::parameters(issue::common_name("x"), validity, &key).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        let mut body = parse(&Certificate::new(der)).unwrap().tbs_certificate.as_ref().to_vec();
        change(&mut body);
        // Bits that are none must be zero (X.690, section 11.2.1), and every signature is another.
        let mut signatures = std::iter::repeat_with(|| key.sign(&body).unwrap());
        let signature = signatures.find(|signature| signature.last().unwrap() & 1 == 0).unwrap();
        let signature = [&[unused], signature.as_slice()].concat();
        let der = yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_der(&body);
                writer.next().write_der(ECDSA_WITH_SHA256);
                // A BIT STRING, whose first byte says how many bits of the last are none.
                let octets = yasna::construct_der(|writer| writer.write_bytes(&signature));
                writer.next().write_der(&[&[0x03], &octets[1..]].concat());
            });
        });
        Inspection::of(&Certificate::new(der)).unwrap().self_signed
    }

    const ECDSA_WITH_SHA256: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";

    #[test]
    fn signature_needs_whole_bytes_and_known_algorithm() {
        assert_eq!(signed(|_| {}, 0), SelfSigned::Yes);
        assert_eq!(signed(|_| {}, 1), SelfSigned::Refuted);
        let says_sha384 = |body: &mut Vec<u8>| {
            let found = body.windows(ECDSA_WITH_SHA256.len()).position(|window| window == ECDSA_WITH_SHA256);
            body[found.unwrap() + ECDSA_WITH_SHA256.len() - 1] = 3;
        };
        assert_eq!(signed(says_sha384, 0), SelfSigned::Refuted);
    }
}
