//! A plugin written without the SDK: TLS and gRPC, with one defect in each mode.

use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use crate::support;

/// A self-signed certificate and its key.
pub struct Certificate {
    pub der: CertificateDer<'static>,
    key: KeyPair,
}

impl Certificate {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let der = CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap().der().clone();
        Self { der, key }
    }

    /// The certificate field of a handshake line.
    pub fn field(&self) -> String {
        field(&self.der)
    }

    pub fn pem(&self) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(&self.der))
    }

    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }
}

pub fn field(der: &[u8]) -> String {
    STANDARD_NO_PAD.encode(der)
}

pub fn directory() -> PathBuf {
    std::env::var_os("PLUGIN_UNIX_SOCKET_DIR").unwrap().into()
}

pub fn host_certificate() -> Vec<u8> {
    let pem = std::env::var("PLUGIN_CLIENT_CERT").unwrap();
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(text).unwrap()
}

pub fn serve(mode: &str) -> ExitCode {
    serve_and(mode, || {})
}

/// Serves in a mode, and runs `background` once the handshake line is written.
pub fn serve_and(mode: &str, background: impl FnOnce() + Send + 'static) -> ExitCode {
    support::run(async {
        let certificate = Certificate::new();
        let path = directory().join("plugin");
        let tcp = if mode == "tcp" { Some(TcpListener::bind("127.0.0.1:0").await.unwrap()) } else { None };
        let listener = UnixListener::bind(&path).unwrap();
        let address = match &tcp {
            Some(tcp) => format!("tcp|{}", tcp.local_addr().unwrap()),
            None => format!("unix|{}", path.display()),
        };
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "1|1|{address}|grpc|{}", certificate.field()).unwrap();
        stdout.flush().unwrap();
        drop(stdout);
        std::thread::spawn(background);
        if let Some(tcp) = tcp {
            let (stream, _) = tcp.accept().await.unwrap();
            return grpc(accept(stream, &certificate, true).await.unwrap(), true).await;
        }
        let (stream, _) = listener.accept().await.unwrap();
        perform(mode, stream, certificate).await;
    });
    ExitCode::SUCCESS
}

async fn perform(mode: &str, mut stream: UnixStream, certificate: Certificate) {
    match mode {
        "plaintext" => {
            stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        "other-certificate" => drop(accept(stream, &Certificate::new(), true).await),
        "no-key" => {
            let other = Certificate { der: certificate.der, key: KeyPair::generate().unwrap() };
            drop(accept(stream, &other, true).await);
        }
        "no-alpn" => {
            let stream = accept(stream, &certificate, false).await.unwrap();
            grpc(stream, true).await;
        }
        "mute" => std::future::pending().await,
        "hang-up" => drop(stream),
        "refuse-host" => {
            // The TLS alert is sent before the stream is dropped.
            let refused = TlsAcceptor::from(config(&certificate, true, false)).accept(stream).await;
            assert!(refused.is_err());
        }
        "no-health" => grpc(accept(stream, &certificate, true).await.unwrap(), false).await,
        "healthy" => grpc(accept(stream, &certificate, true).await.unwrap(), true).await,
        "handed-over" => {
            // Another process inherits the connection and keeps it after this one exits.
            let connection = std::os::fd::AsFd::as_fd(&stream).try_clone_to_owned().unwrap();
            let closed = directory().with_file_name("closed");
            let mut holder = std::process::Command::new("/proc/self/exe");
            holder.args(support::fixture(&["hold-connection", closed.to_str().unwrap()]));
            std::os::unix::process::CommandExt::process_group(&mut holder, 0);
            let end = directory().join("end");
            let stream = accept(stream, &certificate, true).await.unwrap();
            tokio::spawn(grpc(stream, true));
            while !end.exists() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            // The other process reads blockingly. It starts only now, so that it does not steal
            // bytes from the server.
            rustix::fs::fcntl_setfl(&connection, rustix::fs::OFlags::empty()).unwrap();
            holder.stdin(connection).spawn().unwrap();
        }
        "bad-status" => {
            let stream = accept(stream, &certificate, true).await.unwrap();
            let _ = Server::builder().add_service(BadStatus).serve_with_incoming(once(stream)).await;
        }
        "not-serving" => {
            let (health, service) = tonic_health::server::health_reporter();
            health.set_service_status("plugin", tonic_health::ServingStatus::NotServing).await;
            let stream = accept(stream, &certificate, true).await.unwrap();
            Server::builder().add_service(service).serve_with_incoming(once(stream)).await.unwrap();
        }
        "polite" => {
            // Sends nothing before the client does: reads the client's preface first, then serves.
            let mut stream = accept(stream, &certificate, true).await.unwrap();
            let mut preface = vec![0; 24];
            stream.read_exact(&mut preface).await.unwrap();
            grpc(Replay { first: preface, stream }, true).await;
        }
        "stubborn" => {
            let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
            let ignore = async { while terminate.recv().await.is_some() {} };
            tokio::join!(ignore, grpc(accept(stream, &certificate, true).await.unwrap(), true));
        }
        "lose-connection" => {
            // Drops the first connection on request, and would serve a second one.
            let path = directory().join("plugin");
            let socket = std::os::fd::AsFd::as_fd(&stream).try_clone_to_owned().unwrap();
            let stream = accept(stream, &certificate, true).await.unwrap();
            tokio::spawn(grpc(stream, true));
            while !path.with_extension("lose").exists() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            rustix::net::shutdown(&socket, rustix::net::Shutdown::Both).unwrap();
            std::fs::remove_file(&path).unwrap();
            let listener = UnixListener::bind(&path).unwrap();
            std::fs::write(path.with_extension("lost"), "").unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            std::fs::write(path.with_extension("again"), "").unwrap();
            grpc(accept(stream, &certificate, true).await.unwrap(), true).await;
        }
        other => panic!("no such mode: {other}"),
    }
}

async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    certificate: &Certificate,
    alpn: bool,
) -> io::Result<TlsStream<S>> {
    TlsAcceptor::from(config(certificate, alpn, true)).accept(stream).await
}

fn config(certificate: &Certificate, alpn: bool, accepts: bool) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(AnyClient { provider: Arc::clone(&provider), accepts });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der.clone()], certificate.key());
    if config.is_err() {
        // rustls rejects a certificate with another key here. A resolver skips that check.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = rustls::crypto::ring::sign::any_ecdsa_type(&certificate.key()).unwrap();
        let certified = rustls::sign::CertifiedKey::new(vec![certificate.der.clone()], key);
        config = Ok(ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(Arc::new(AnyClient { provider, accepts }))
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified))));
    }
    let mut config = config.unwrap();
    if alpn {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    Arc::new(config)
}

async fn grpc<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, health: bool) {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("plugin", tonic_health::ServingStatus::Serving).await;
    let service = if health { Some(service) } else { None };
    let _ = Server::builder().add_optional_service(service).serve_with_incoming(once(stream)).await;
}

/// Returns a status whose `grpc-status-details-bin` is not base64.
#[derive(Clone)]
struct BadStatus;

impl tonic::server::NamedService for BadStatus {
    const NAME: &'static str = "grpc.health.v1.Health";
}

impl tower_service::Service<http::Request<tonic::body::Body>> for BadStatus {
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: http::Request<tonic::body::Body>) -> Self::Future {
        let mut response = tonic::Status::permission_denied("no").into_http();
        response.headers_mut().insert("grpc-status-details-bin", http::HeaderValue::from_static("!"));
        std::future::ready(Ok(response))
    }
}

fn once<S>(stream: S) -> impl tokio_stream::Stream<Item = io::Result<Io<S>>> {
    // The server stops when its listener ends, so this one never ends.
    tokio_stream::StreamExt::chain(tokio_stream::once(Ok(Io(stream))), tokio_stream::pending())
}

/// A stream with the trait that tonic requires.
struct Io<S>(S);

impl<S> Connected for Io<S> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl<S: AsyncRead + Unpin> AsyncRead for Io<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Io<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A stream that replays bytes which were already read.
struct Replay<S> {
    first: Vec<u8>,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Replay<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.first.len().min(buf.remaining());
        let first: Vec<u8> = self.first.drain(..length).collect();
        buf.put_slice(&first);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replay<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Accepts every client certificate, or none.
#[derive(Debug)]
struct AnyClient {
    provider: Arc<CryptoProvider>,
    accepts: bool,
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match self.accepts {
            true => Ok(ClientCertVerified::assertion()),
            false => Err(rustls::CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.verify_tls13_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
