//! A launch by hand: this binary is also a plugin of the runtime, started with our certificate in
//! its environment. The tests read the runtime's certificate from its handshake line, and check
//! that it accepts only the owner of our certificate.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use certs_tooling::{AutoMtls, Certificate, Profile};
use portcullis::plugin;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use tempfile::TempDir;
use tonic::service::Routes;

use super::handshake::{key_of, provider};
use super::{directory, profile, x509};

/// The plugin: a test only so that the other tests can start it. It does nothing unless it is
/// launched as a plugin.
#[test]
#[ignore = "the other tests launch this one as their plugin"]
fn is_a_plugin() {
    let plugin = plugin::builder("BASIC_PLUGIN", "hello");
    if plugin.was_launched() {
        plugin.version(1, async || Ok::<_, Infallible>(Routes::default())).serve();
    }
}

/// A plugin that runs, killed when it is dropped.
struct Launched {
    child: Child,
    socket: String,
    certificate: Certificate,
    _place: TempDir,
}

impl Launched {
    fn new(host: &AutoMtls) -> Self {
        // A socket's path is short.
        let place = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "launch::is_a_plugin"])
            .env("TMPDIR", place.path())
            .env("BASIC_PLUGIN", "hello")
            .env("PLUGIN_PROTOCOL_VERSIONS", "1")
            .env("PLUGIN_CLIENT_CERT", host.certificate().pem())
            .current_dir(directory().path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The test runner has printed something in front of it.
        let line = lines.find_map(|line| line.unwrap().split_once("1|1|unix|").map(|(_, rest)| rest.to_owned()));
        let line = line.unwrap();
        let fields: Vec<_> = line.split('|').collect();
        let certificate = match certs_tooling::parse(fields[2].as_bytes()).unwrap().as_slice() {
            [certificate] => certificate.clone(),
            other => panic!("{} certificates", other.len()),
        };
        Self { child, socket: fields[0].to_owned(), certificate, _place: place }
    }

    /// Connects as the owner of `identity`, and reads the first bytes of HTTP/2, which a plugin
    /// sends to its host only.
    fn first_bytes(&self, identity: &AutoMtls) -> std::io::Result<[u8; 9]> {
        let pin = Pin(self.certificate.der().clone(), provider().signature_verification_algorithms);
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(pin))
            .with_client_auth_cert(vec![identity.certificate().der().clone()], key_of(identity.key().pkcs8_der()))
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let mut client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let mut socket = UnixStream::connect(&self.socket)?;
        let mut stream = rustls::Stream::new(&mut client, &mut socket);
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
        stream.flush()?;
        let mut bytes = [0; 9];
        stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The one certificate that is right, and its owner must have the key.
#[derive(Debug)]
struct Pin(CertificateDer<'static>, WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.0 {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.1)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.1.supported_schemes()
    }
}

#[test]
fn launch_profile_matches_the_runtime() {
    let host = AutoMtls::generate(Profile::Portcullis).unwrap();
    let launched = Launched::new(&host);
    assert_eq!(profile(host.certificate()), profile(&launched.certificate));
    // The order of extensions and the kinds of strings are no facts of an inspection.
    let (ours, runtimes) = (x509(host.certificate()), x509(&launched.certificate));
    assert_eq!(ours.extensions(), runtimes.extensions());
    assert_eq!(ours.subject().as_raw(), runtimes.subject().as_raw());
}

#[test]
fn plugin_serves_only_the_certificate_owner() {
    let host = AutoMtls::generate(Profile::Portcullis).unwrap();
    let launched = Launched::new(&host);
    let stranger = AutoMtls::generate(Profile::Portcullis).unwrap();
    launched.first_bytes(&stranger).unwrap_err();
    let first = launched.first_bytes(&host).unwrap();
    // The type of a SETTINGS frame (RFC 9113, section 6.5).
    assert_eq!(first[3], 4, "{first:?}");
}
