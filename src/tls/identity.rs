//! A key pair and a self-signed certificate for one launch. The key exists only in the memory of
//! this process.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData,
    SerialNumber, SignatureAlgorithm,
};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use zeroize::Zeroizing;

use super::TlsError;
use crate::timing::tls::{CERTIFICATE_BACKDATED, CERTIFICATE_LIFETIME};

/// The name that go-plugin peers request and expect in a certificate.
pub(super) const NAME: &str = "localhost";

/// The key and certificate of one end during one launch.
///
/// P-256, because every known peer can verify it. The certificate is not a CA, so a peer that
/// trusts it as a root accepts nothing that it signs.
pub(crate) struct Identity {
    key: Arc<CertifiedKey>,
}

impl Identity {
    /// Generates a key pair and a certificate for it.
    pub(crate) fn generate() -> Result<Self, TlsError> {
        let random = SystemRandom::new();
        let pkcs8 = generate_key(&random)?;
        let certificate = self_signed(&SigningKey::new(&pkcs8, &random)?)?;
        // rustls keeps the key in a parsed form. The encoding is wiped when this function returns.
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.as_slice()));
        let signer = rustls::crypto::ring::sign::any_ecdsa_type(&der).map_err(TlsError::identity)?;
        Ok(Self { key: Arc::new(CertifiedKey::new(vec![certificate], signer)) })
    }

    /// The certificate in DER. It is public.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        // `generate` stores exactly one certificate.
        &self.key.cert[0]
    }

    /// The certificate in PEM (RFC 7468), for `PLUGIN_CLIENT_CERT`.
    pub(crate) fn certificate_pem(&self) -> String {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(self.certificate());
        let lines = text.as_bytes().chunks(64).flat_map(|line| [str::from_utf8(line).unwrap_or_default(), "\n"]);
        ["-----BEGIN CERTIFICATE-----\n"].into_iter().chain(lines).chain(["-----END CERTIFICATE-----\n"]).collect()
    }

    /// A resolver for rustls that always presents this certificate.
    pub(super) fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(Arc::clone(&self.key)))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity([secret key elided])")
    }
}

/// Generates a P-256 key in PKCS #8, in a buffer that is wiped when dropped. ring and rustls do not
/// wipe the forms that they keep.
fn generate_key(random: &SystemRandom) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, random)
        .map_err(|_| TlsError::identity("the system returned no random bytes for a key"))?;
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

fn self_signed(key: &SigningKey<'_>) -> Result<CertificateDer<'static>, TlsError> {
    let mut serial = [0; 16];
    key.random
        .fill(&mut serial)
        .map_err(|_| TlsError::identity("the system returned no random bytes for a serial number"))?;
    // Serial numbers are positive and not zero (RFC 5280, section 4.1.2.2).
    serial[0] = serial[0] & 0x7f | 0x40;
    let now = SystemTime::now();
    let mut params = CertificateParams::new(vec![NAME.to_string()]).map_err(TlsError::identity)?;
    params.distinguished_name.push(DnType::OrganizationName, "Portcullis");
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.serial_number = Some(SerialNumber::from(serial.to_vec()));
    params.not_before = (now - CERTIFICATE_BACKDATED).into();
    params.not_after = (now + CERTIFICATE_LIFETIME).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Both usages, because either side may listen for the other (go-plugin's broker).
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params.self_signed(key).map_err(TlsError::identity)?.der().clone())
}

/// A ring key for rcgen. rcgen's own key type switches to another library if any crate in the build
/// enables a feature of rcgen.
struct SigningKey<'a> {
    pair: EcdsaKeyPair,
    random: &'a SystemRandom,
}

impl<'a> SigningKey<'a> {
    fn new(pkcs8: &[u8], random: &'a SystemRandom) -> Result<Self, TlsError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, random)
            .map_err(|_| TlsError::identity("ring rejected a key that it had generated"))?;
        Ok(Self { pair, random })
    }
}

impl PublicKeyData for SigningKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for SigningKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.pair.sign(self.random, message).map_err(|_| rcgen::Error::RingUnspecified)?;
        Ok(signature.as_ref().to_vec())
    }
}

#[cfg(test)]
impl Identity {
    pub(super) fn key(&self) -> &CertifiedKey {
        &self.key
    }
}
