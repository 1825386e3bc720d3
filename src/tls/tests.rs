//! Both ends of a connection in one process: which peers are accepted, and the error for the
//! others.

use std::io;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::config::provider;
use super::*;
use crate::handshake::CertificateFault;

fn pin(identity: &Identity) -> Pin {
    Pin::new(identity.certificate().to_vec()).unwrap()
}

/// Connects the two and exchanges a byte each way. A client of TLS 1.3 sees only then that the
/// server rejected it.
async fn meet(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> (io::Result<()>, io::Result<()>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::join!(run_client(client, near), run_server(server, far))
}

async fn run_client(config: Arc<ClientConfig>, stream: DuplexStream) -> io::Result<()> {
    let name = ServerName::try_from(identity::NAME).unwrap();
    let mut stream = TlsConnector::from(config).connect(name, stream).await?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(config::ALPN));
    stream.read_u8().await?;
    stream.write_u8(2).await?;
    stream.shutdown().await
}

async fn run_server(config: Arc<ServerConfig>, stream: DuplexStream) -> io::Result<()> {
    let mut stream = TlsAcceptor::from(config).accept(stream).await?;
    stream.write_u8(1).await?;
    stream.flush().await?;
    assert_eq!(stream.read_u8().await?, 2);
    Ok(())
}

fn reason(result: io::Result<()>) -> TlsError {
    TlsError::from_stream(result.unwrap_err())
}

#[tokio::test]
async fn mutually_pinned_ends_connect() {
    let (host, plugin) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let (client, server) = meet(client(&host, &pin(&plugin)).unwrap(), server(&plugin, &pin(&host)).unwrap()).await;
    client.unwrap();
    server.unwrap();
}

/// A resumed session would skip the proof of identity.
#[tokio::test]
async fn every_connection_is_a_full_handshake() {
    let (host, plugin) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let (client, server) = (client(&host, &pin(&plugin)).unwrap(), server(&plugin, &pin(&host)).unwrap());
    for _ in 0..3 {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let connect = async {
            let name = ServerName::try_from(identity::NAME).unwrap();
            let mut stream = TlsConnector::from(Arc::clone(&client)).connect(name, near).await.unwrap();
            // Any session ticket would arrive before this byte.
            stream.read_u8().await.unwrap();
            stream.write_u8(2).await.unwrap();
            stream.get_ref().1.handshake_kind()
        };
        let (kind, served) = tokio::join!(connect, run_server(Arc::clone(&server), far));
        served.unwrap();
        assert_eq!(kind, Some(rustls::HandshakeKind::Full));
    }
}

#[tokio::test]
async fn other_certificate_is_refused_in_both_directions() {
    let identities: Vec<_> = (0..3).map(|_| Identity::generate().unwrap()).collect();
    let [host, plugin, stranger] = identities.as_slice() else { unreachable!() };

    let (client_end, _) = meet(client(host, &pin(plugin)).unwrap(), server(stranger, &pin(host)).unwrap()).await;
    assert!(matches!(reason(client_end), TlsError::PinMismatch { expected, presented }
        if expected == pin(plugin).fingerprint() && presented == pin(stranger).fingerprint()));

    let (client_end, server_end) =
        meet(client(stranger, &pin(plugin)).unwrap(), server(plugin, &pin(host)).unwrap()).await;
    assert!(matches!(reason(server_end), TlsError::PinMismatch { .. }));
    assert!(matches!(reason(client_end), TlsError::Rejected { .. }));
}

/// The certificate of one identity with the key of another.
fn thief(victim: &Identity, own: &Identity) -> Arc<SingleCertAndKey> {
    let certificate = vec![victim.certificate().clone()];
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(certificate, Arc::clone(&own.key().key))))
}

#[tokio::test]
async fn certificate_without_its_key_is_refused() {
    let (host, plugin, own) =
        (Identity::generate().unwrap(), Identity::generate().unwrap(), Identity::generate().unwrap());

    let mut stolen = ServerConfig::clone(&server(&plugin, &pin(&host)).unwrap());
    stolen.cert_resolver = thief(&plugin, &own);
    let (client_end, _) = meet(client(&host, &pin(&plugin)).unwrap(), Arc::new(stolen)).await;
    assert!(matches!(reason(client_end), TlsError::NoProof));

    let mut stolen = ClientConfig::clone(&client(&host, &pin(&plugin)).unwrap());
    stolen.client_auth_cert_resolver = thief(&host, &own);
    let (_, server_end) = meet(Arc::new(stolen), server(&plugin, &pin(&host)).unwrap()).await;
    assert!(matches!(reason(server_end), TlsError::NoProof));
}

#[tokio::test]
async fn chain_from_pinned_certificate_is_refused() {
    let (host, plugin) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let chain = vec![plugin.certificate().clone(), host.certificate().clone()];
    let mut config = ServerConfig::clone(&server(&plugin, &pin(&host)).unwrap());
    config.cert_resolver = Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, Arc::clone(&plugin.key().key))));
    let (client_end, _) = meet(client(&host, &pin(&plugin)).unwrap(), Arc::new(config)).await;
    assert!(matches!(reason(client_end), TlsError::PinMismatch { .. }));
}

#[tokio::test]
async fn client_without_certificate_is_refused() {
    let (host, plugin) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let mut anonymous = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pin(&plugin)))
        .with_no_client_auth();
    anonymous.alpn_protocols = vec![config::ALPN.to_vec()];
    let (client_end, server_end) = meet(Arc::new(anonymous), server(&plugin, &pin(&host)).unwrap()).await;
    assert!(server_end.is_err());
    assert!(client_end.is_err());
}

#[tokio::test]
async fn listener_without_tls_is_reported() {
    let (host, plugin) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let (near, mut far) = tokio::io::duplex(1024);
    let config = client(&host, &pin(&plugin)).unwrap();
    let (client_end, _) =
        tokio::join!(run_client(config, near), far.write_all(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80"));
    assert!(matches!(reason(client_end), TlsError::NotTls));
}

#[test]
fn every_identity_has_its_own_key() {
    let (one, two) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let key = |identity: &Identity| {
        rustls::server::ParsedCertificate::try_from(identity.certificate()).unwrap().subject_public_key_info().to_vec()
    };
    assert_ne!(key(&one), key(&two));
}

#[test]
fn identity_debug_hides_its_key() {
    assert_eq!(format!("{:?}", Identity::generate().unwrap()), "Identity([secret key elided])");
}

#[test]
fn pem_holds_exactly_the_certificate() {
    let identity = Identity::generate().unwrap();
    let pem = identity.certificate_pem();
    assert!(pem.lines().all(|line| line.len() <= 64) && pem.ends_with("-----END CERTIFICATE-----\n"));
    assert_eq!(Pin::from_pem(pem.as_bytes()).unwrap().fingerprint(), pin(&identity).fingerprint());
    for bad in ["", "x", &pem[30..], &pem.replace("CERTIFICATE", "PRIVATE KEY"), &pem.repeat(2), &pem.replace('M', "N")]
    {
        assert_eq!(Pin::from_pem(bad.as_bytes()).unwrap_err(), CertificateFault::NotX509, "{bad}");
    }
}

#[test]
fn only_a_single_certificate_is_pinned() {
    let der = Identity::generate().unwrap().certificate().to_vec();
    for bad in
        [vec![], vec![0; 400], der[..der.len() - 1].to_vec(), [&der[..], b"x"].concat(), [&der[..], &der].concat()]
    {
        assert_eq!(Pin::new(bad).unwrap_err(), CertificateFault::NotX509);
    }
}

/// With a P-521 certificate such as go-plugin makes, and a signature over `message`, both by
/// OpenSSL.
#[test]
fn damaged_p521_signatures_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let openssl = |arguments: &str| {
        std::process::Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(directory.path())
            .output()
            .is_ok_and(|output| output.status.success())
    };
    std::fs::write(directory.path().join("message"), "message").unwrap();
    if !openssl("ecparam -name secp521r1 -genkey -noout -out key")
        || !openssl("req -x509 -new -key key -sha512 -subj /CN=localhost -outform DER -out certificate")
        || !openssl("dgst -sha512 -sign key -out signature message")
    {
        eprintln!("SKIPPED: no openssl on this machine");
        return;
    }
    let read = |name: &str| std::fs::read(directory.path().join(name)).unwrap();
    let certificate = CertificateDer::from(read("certificate"));
    let signature = read("signature");
    let parsed = rustls::server::ParsedCertificate::try_from(&certificate).unwrap();
    let spki = parsed.subject_public_key_info();
    // The public key's point ends the structure: 1 + 2 * 66 bytes.
    let point = &spki[spki.len() - 133..];
    let algorithm = config::ALGORITHMS.all.last().unwrap();
    assert!(algorithm.verify_signature(point, b"message", &signature).is_ok());
    assert!(algorithm.verify_signature(point, b"massage", &signature).is_err());
    for index in 0..signature.len() {
        let mut damaged = signature.clone();
        damaged[index] ^= 1;
        assert!(algorithm.verify_signature(point, b"message", &damaged).is_err(), "byte {index}");
    }
}
