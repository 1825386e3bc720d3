//! The TLS configuration of one launch, for either end. There is one, and nothing in it can be
//! switched off.

use std::sync::Arc;

use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};

use super::provider::provider;
use super::{Identity, Pin, TlsError};

/// The protocol inside, as ALPN names it (RFC 7540). Newer gRPC peers refuse a connection that did
/// not agree on it.
pub(crate) const ALPN: &[u8] = b"h2";

/// The host's end: presents `identity`, accepts only the server that owns the pinned certificate.
pub(crate) fn client(identity: &Identity, pin: &Pin) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::identity)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pin.clone()))
        .with_client_cert_resolver(identity.resolver());
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session would not ask for the certificate again.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// The plugin's end: presents `identity`, and accepts only the client that owns the pinned
/// certificate.
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
