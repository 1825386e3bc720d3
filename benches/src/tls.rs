//! Plain TLS 1.3 by rustls, as the baseline of comparisons: the client knows the new certificate of
//! the server. The TLS of the library is not public and does more.

use std::io::{self, Read, Write};
use std::sync::Arc;

use anyhow::{Result, ensure};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

const NAME: &str = "localhost";

/// The longest certificate in bytes that is read.
const CERTIFICATE_LIMIT: usize = 4096;

/// A certificate and its key.
pub type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// A new P-256 key and its certificate.
///
/// # Errors
///
/// If the system provides no randomness.
pub fn identity() -> Result<Identity> {
    let made = rcgen::generate_simple_self_signed([NAME.to_string()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    Ok((made.cert.der().clone(), key))
}

/// The name in the certificate.
///
/// # Errors
///
/// Never: the name is valid.
pub fn name() -> Result<ServerName<'static>> {
    Ok(ServerName::try_from(NAME)?)
}

/// A client that accepts this certificate, and presents its own if it has one.
///
/// # Errors
///
/// If a certificate or key is invalid.
pub fn client(trusted: CertificateDer<'static>, own: Option<Identity>) -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
    let builder = builder.with_protocol_versions(&[&TLS13])?.with_root_certificates(only(trusted)?);
    Ok(match own {
        Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key)?,
        None => builder.with_no_client_auth(),
    })
}

/// A server that presents this certificate, and requires the client's if one is given.
///
/// # Errors
///
/// If the key does not belong to the certificate.
pub fn server((certificate, key): Identity, client: Option<CertificateDer<'static>>) -> Result<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&[&TLS13])?;
    let builder = match client {
        Some(client) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(only(client)?.into(), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    Ok(builder.with_single_cert(vec![certificate], key)?)
}

fn only(certificate: CertificateDer<'static>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    Ok(roots)
}

/// Sends a certificate before the handshake.
///
/// # Errors
///
/// If the write fails.
pub fn write_certificate(output: &mut impl Write, certificate: &CertificateDer<'_>) -> io::Result<()> {
    let length = u32::try_from(certificate.len()).map_err(io::Error::other)?;
    output.write_all(&length.to_be_bytes())?;
    output.write_all(certificate)?;
    output.flush()
}

/// Reads what [`write_certificate`] wrote.
///
/// # Errors
///
/// If the read fails, or the length exceeds the limit.
pub fn read_certificate(input: &mut impl Read) -> Result<CertificateDer<'static>> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    ensure!(length <= CERTIFICATE_LIMIT, "a certificate of {length} bytes");
    let mut certificate = vec![0; length];
    input.read_exact(&mut certificate)?;
    Ok(certificate.into())
}
