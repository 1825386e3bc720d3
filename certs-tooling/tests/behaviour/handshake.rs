//! Mutual TLS by rustls between the two roles: each end accepts the other in its own role only.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use certs_tooling::{Ca, Identity, KeyAlgorithm, Role};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, ClientConnection, Error, RootCertStore, ServerConfig, ServerConnection};

use super::Ends;

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

pub(crate) fn key_of(pkcs8: &[u8]) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(pkcs8.to_vec()).into()
}

fn owned<R: Role>(identity: &Identity<R>) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    (vec![identity.certificate().der().clone()], key_of(identity.key().pkcs8_der()))
}

fn roots(ca: &Ca) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().der().clone()).unwrap();
    Arc::new(roots)
}

/// Connects as one to the other, each trusting a CA, and says what became of both ends: the error
/// of rustls, if there was one.
fn connect<C: Role, S: Role>(
    (host, trusted_by_host): (&Identity<C>, &Ca),
    (plugin, trusted_by_plugin): (&Identity<S>, &Ca),
) -> (Result<(), Error>, Result<(), Error>) {
    let (certificates, key) = owned(host);
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]).unwrap();
    let client =
        builder.with_root_certificates(roots(trusted_by_host)).with_client_auth_cert(certificates, key).unwrap();
    let (certificates, key) = owned(plugin);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(trusted_by_plugin), provider()).build().unwrap();
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]).unwrap();
    let server = builder.with_client_cert_verifier(verifier).with_single_cert(certificates, key).unwrap();

    let mut client = ClientConnection::new(Arc::new(client), "localhost".try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    let plugin = thread::spawn(move || talk(rustls::Stream::new(&mut server, &mut &far)));
    let host = talk(rustls::Stream::new(&mut client, &mut &near));
    // The plugin may still be waiting for more.
    near.shutdown(std::net::Shutdown::Both).unwrap();
    (host, plugin.join().unwrap())
}

/// Sends a byte and waits for one, which comes only from a peer that accepted us.
fn talk(mut stream: impl Read + Write) -> Result<(), Error> {
    let spoken = stream.write_all(b"x").and_then(|()| stream.flush()).and_then(|()| stream.read_exact(&mut [0]));
    spoken.map_err(|error| match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => error.clone(),
        None => Error::General(error.to_string()),
    })
}

fn purpose_is_refused(result: &Result<(), Error>) -> bool {
    use CertificateError::{InvalidPurpose, InvalidPurposeContext};
    matches!(result, Err(Error::InvalidCertificate(InvalidPurpose | InvalidPurposeContext { .. })))
}

#[test]
fn both_ends_of_one_ca_talk() {
    for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::Ed25519] {
        let Ends { ca, host, plugin } = Ends::new(algorithm);
        assert_eq!(connect((&host, &ca), (&plugin, &ca)), (Ok(()), Ok(())), "{algorithm}");
    }
}

#[test]
fn endpoint_in_wrong_role_is_refused() {
    let Ends { ca, host, plugin } = Ends::new(KeyAlgorithm::P256);
    let (_, at_plugin) = connect((&plugin, &ca), (&plugin, &ca));
    assert!(purpose_is_refused(&at_plugin), "{at_plugin:?}");
    let (at_host, _) = connect((&host, &ca), (&host, &ca));
    assert!(purpose_is_refused(&at_host), "{at_host:?}");
}

#[test]
fn endpoint_of_another_ca_is_refused() {
    let (ours, theirs) = (Ends::new(KeyAlgorithm::P256), Ends::new(KeyAlgorithm::P256));
    let (_, at_plugin) = connect((&theirs.host, &ours.ca), (&ours.plugin, &ours.ca));
    assert!(matches!(at_plugin, Err(Error::InvalidCertificate(_))), "{at_plugin:?}");
    let (at_host, _) = connect((&ours.host, &ours.ca), (&theirs.plugin, &ours.ca));
    assert!(matches!(at_host, Err(Error::InvalidCertificate(_))), "{at_host:?}");
}
